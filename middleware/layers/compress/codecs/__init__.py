"""The content codings that Compress knows (RFC 9110 8.4.1), one codec in each module.

To add a content coding, write a module with a subclass of Codec and add the class to the list below.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from middleware.layers.compress.codecs.brotli import BrotliCodec
from middleware.layers.compress.codecs.codec import AUTO, Codec, CodecError
from middleware.layers.compress.codecs.gzip import GzipCodec
from middleware.layers.compress.codecs.zstd import ZstdCodec
from middleware.wsgi.options import choice_fault

# The classes in the order in which the server prefers their codings.
_CLASSES: Final[tuple[type[Codec], ...]] = (
    ZstdCodec,
    BrotliCodec,
    GzipCodec,
)
CODECS: Final[Mapping[str, type[Codec]]] = MappingProxyType({each.coding: each for each in _CLASSES})
CODINGS: Final = tuple(CODECS)


def codec(coding: str, *, level: int | None = None, backend: str = AUTO, padding: int = 0) -> Codec:
    """Return a codec for a content coding.

    Errors: CodecError for an unknown content coding, and for options that its class does not take.
    """
    return _class(coding)(level, padding, backend)


def available(coding: str) -> bool:
    """Whether a package for the content coding is installed. CodecError for an unknown content coding."""
    return _class(coding).available()


def _class(coding: str) -> type[Codec]:
    if fault := choice_fault(coding, CODINGS):
        raise CodecError("coding", fault, coding)
    return CODECS[coding]

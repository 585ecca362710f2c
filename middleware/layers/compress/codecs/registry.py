"""Which codings there are. Whoever adds one adds its class here."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from middleware.layers.compress.codecs.brotli import Brotli
from middleware.layers.compress.codecs.codec import AUTO, CodecError
from middleware.layers.compress.codecs.gzip import Gzip
from middleware.layers.compress.codecs.zstd import Zstd

if TYPE_CHECKING:
    from collections.abc import Mapping

    from middleware.layers.compress.codecs.codec import Codec

CODECS: Final[Mapping[str, type[Codec]]] = MappingProxyType({each.coding: each for each in (Zstd, Brotli, Gzip)})


def codec(coding: str, *, level: int | None = None, backend: str = AUTO, padding: int = 0) -> Codec:
    """The codec for a coding, by its name in Content-Encoding.

    Errors: CodecError for a coding that there is not, and for options that its class does not take.
    """
    return _class(coding)(level, padding, backend)


def available(coding: str) -> bool:
    """Whether a package for the coding is installed. CodecError for a coding that there is not."""
    return _class(coding).available()


def _class(coding: str) -> type[Codec]:
    if coding not in CODECS:
        raise CodecError("coding", f"one of {', '.join(map(repr, CODECS))}", coding)
    return CODECS[coding]

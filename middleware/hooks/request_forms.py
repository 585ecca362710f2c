"""Forms: multipart/form-data and application/x-www-form-urlencoded, read as Flask reads them, in linear time.

The `multipart` library splits multipart forms (RFC 7578) and is imported with the first of them. A part is a file if it
has a filename and a field otherwise; a part nested in a part is text. The fields of a part are read as Werkzeug reads
them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import suppress
from copy import deepcopy
from io import BytesIO
from os import PathLike
from shutil import copyfileobj
from tempfile import SpooledTemporaryFile
from typing import Any, Final, Generic, NamedTuple, TypeVar
from urllib.parse import parse_qsl

from middleware.hooks.field_values import CHARSETS, parameters
from middleware.hooks.http_errors import ERRORS, abort
from middleware.http.fields import Fields, content_length
from middleware.http.media_types import media_type
from middleware.http.paths import percented
from middleware.wsgi.options import Problems

T = TypeVar("T")
_BadRequest: Any = ERRORS[400]
URLENCODED: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"
_CHUNK: Final = 64 * 1024
_FILE_IN_MEMORY: Final = 500 * 1024
_CONFLICT: Final = (
    "multipart forms are read by the package multipart, and `import multipart` {}. python-multipart before 0.0.13 "
    'takes that name; to have both: pip install "multipart>=1.3,<3" "python-multipart>=0.0.13"'
)


class Limits(NamedTuple):
    """The largest body, form field and number of parts that are read, or None for no limit. More is a 413."""

    max_content_length: int | None = None
    max_form_memory_size: int | None = 500_000
    max_form_parts: int | None = 1000

    def check(self, problems: Problems) -> Limits:
        """Note every value that is not a limit. Returns the limits."""
        for option, value in self._asdict().items():
            holds = value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0)
            problems.check(holds, option, "an int from 0 on, or None for no limit", value)
        return self


def largest(limit: int | None) -> float:
    """The limit as a number: infinity for None."""
    return math.inf if limit is None else limit


# -- names and values --------------------------------------------------------------------------------------------------


class BadRequestKeyError(_BadRequest, KeyError):
    """A name that the request lacks: a 400 response, unless it is caught."""


class MultiDict(Mapping[str, T], Generic[T]):
    """Names and values in order, under Werkzeug's names. Getting a name returns the first of its values.

    Errors: a missing name is a KeyError that is also a 400 response.
    """

    def __init__(self, pairs: Iterable[tuple[str, T]] = ()) -> None:
        self._lists: dict[str, list[T]] = {}
        for name, value in pairs:
            self._lists.setdefault(name, []).append(value)

    def __getitem__(self, name: str) -> T:
        if name not in self._lists:
            raise BadRequestKeyError
        return self._lists[name][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._lists)

    def __len__(self) -> int:
        return len(self._lists)

    def get(self, name: str, default: Any = None, type: Callable[[T], Any] | None = None) -> Any:  # noqa: A002 - Werkzeug's signature
        """The first value that `type` converts; `default` if there is none."""
        return next(iter(self.getlist(name, type)[:1] if name in self._lists else ()), default)

    def getlist(self, name: str, type: Callable[[T], Any] | None = None) -> list[Any]:  # noqa: A002 - Werkzeug's signature
        """All values, converted by `type`, except those for which it raises ValueError or TypeError."""
        values: list[Any] = self._lists.get(name, [])
        if type is None:
            return [*values]
        converted = []
        for value in values:
            with suppress(ValueError, TypeError):
                converted.append(type(value))
        return converted

    getall = getlist  # WebOb's name

    def listvalues(self) -> Iterable[list[T]]:
        """All values of each name."""
        return [[*values] for values in self._lists.values()]

    def copy(self) -> MutableMultiDict[T]:
        """A copy that can be changed."""
        return MutableMultiDict(self.items(multi=True))

    def deepcopy(self) -> MutableMultiDict[T]:
        """A copy that can be changed, of copies of the values."""
        return MutableMultiDict(deepcopy(self.items(multi=True)))

    def lists(self) -> Iterable[tuple[str, list[T]]]:
        """Every name with all of its values."""
        return [(name, [*values]) for name, values in self._lists.items()]

    def to_dict(self, flat: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002 - Werkzeug's signature
        """A dict of first values, or of lists."""
        return {name: values[0] if flat else values for name, values in self.lists()}

    def items(self, multi: bool = False) -> Any:  # noqa: FBT001, FBT002 - Werkzeug's signature
        """Every name with its first value; with `multi`, with each of its values."""
        return [(name, value) for name, values in self._lists.items() for value in (values if multi else values[:1])]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.items(multi=True)!r})"


class MutableMultiDict(MultiDict[T], MutableMapping[str, T]):
    """A copy of a MultiDict, which can be changed. Setting a name replaces all of its values."""

    def __setitem__(self, name: str, value: T) -> None:
        self._lists[name] = [value]

    def __delitem__(self, name: str) -> None:
        del self._lists[name]

    def add(self, name: str, value: T) -> None:
        """Add a value to a name."""
        self._lists.setdefault(name, []).append(value)

    def setlist(self, name: str, values: Iterable[T]) -> None:
        """Replace the values of a name."""
        self._lists[name] = [*values]

    def poplist(self, name: str) -> list[T]:
        """Remove a name and return its values; an empty list if it is missing."""
        return self._lists.pop(name, [])

    def update(self, *given: Any, **more: T) -> None:
        """Add values to names. A list, tuple or set holds several values, as in Flask."""
        for source in (*given, more):
            if isinstance(source, MultiDict):
                pairs = source.items(multi=True)
            else:
                pairs = source.items() if isinstance(source, Mapping) else source
            for name, value in pairs:
                for each in value if isinstance(value, (list, tuple, set)) else (value,):
                    self.add(name, each)


def urlencoded(data: bytes, errors: str = "surrogateescape") -> list[tuple[str, str]]:
    """The names and values of a query or an urlencoded form. An escape that is not UTF-8 stays as %XX.

    Options:
        data: bytes. The query or form. Required.
        errors: str. The handler for other bytes that are not UTF-8; "strict" is a UnicodeDecodeError. Default
            "surrogateescape".
    """
    text = data.decode("utf-8", errors)
    found = parse_qsl(text, keep_blank_values=True, errors="surrogateescape")
    return [(percented(name), percented(value)) for name, value in found]


# -- multipart ---------------------------------------------------------------------------------------------------------


class Spool(SpooledTemporaryFile[bytes]):
    """A file in memory that moves to disk above a size, and is closed by its finalizer."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)  # such as `readable`, which Python 3.10 lacks

    def __del__(self) -> None:
        self.close()


class FileStorage:
    """An uploaded file, under Werkzeug's names and WebOb's `file`, `type` and `value`.

    Other attributes are those of `stream`.

    Attributes:
        stream: the content as a file, at its start; in memory up to 500 KiB.
        filename: str. As the client sent it: not safe as a path.
        name: the name of the form field.
        headers: fields of the part, by name.
    """

    def __init__(self, stream: Any, filename: str, name: str, headers: Fields) -> None:
        self.stream = self.file = stream
        self.filename = filename
        self.name = name
        self.headers = headers

    @property
    def content_type(self) -> str | None:
        """Content-Type of the part, or None."""
        return self.headers.get("Content-Type")

    @property
    def content_length(self) -> int:
        """Content-Length of the part; 0 if it has none, which is usual."""
        return content_length(self.headers.get("Content-Length", "")) or 0

    @property
    def mimetype(self) -> str:
        """The media type without parameters, in lower case."""
        return media_type(self.content_type).lower()

    type = mimetype

    @property
    def mimetype_params(self) -> dict[str, str]:
        """The parameters of the media type."""
        return parameters(self.content_type or "")

    @property
    def value(self) -> bytes:
        """The whole content. The position of `stream` does not change."""
        position = self.stream.tell()
        self.stream.seek(0)
        data: bytes = self.stream.read()
        self.stream.seek(position)
        return data

    def save(self, dst: Any, buffer_size: int = 16384) -> None:
        """Write the content from the current position to a path or a binary file."""
        if not isinstance(dst, (str, PathLike)):
            copyfileobj(self.stream, dst, buffer_size)
            return
        with open(dst, "wb") as file:  # noqa: PTH123 - str and PathLike alike
            copyfileobj(self.stream, file, buffer_size)

    def close(self) -> None:
        """Close `stream`."""
        self.stream.close()

    def __bool__(self) -> bool:
        return bool(self.filename)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def __repr__(self) -> str:
        return f"<FileStorage: {self.filename!r} ({self.content_type!r})>"


def multipart(stream: Any, boundary: bytes, limits: Limits) -> list[tuple[str, Any]]:
    """The fields and files of a multipart form, in order.

    Errors: ValueError for a body that is not such a form; 413 above the limits; ImportError without the library, or if
    another module has its name.
    """
    try:
        import multipart as library
    except (ImportError, Warning) as error:  # python-multipart alone warns of its former name
        raise ImportError(_CONFLICT.format("fails")) from error
    if not hasattr(library, "PushMultipartParser"):
        found = getattr(library, "__file__", None)
        raise ImportError(_CONFLICT.format(f"finds {found}, which belongs to python-multipart or is too old"))
    try:
        with library.PushMultipartParser(boundary, max_segment_count=largest(limits.max_form_parts)) as parser:
            return [*_parts(parser, stream, limits.max_form_memory_size)]
    except library.ParserLimitReached:
        abort(413)


def _parts(parser: Any, stream: Any, most: int | None) -> Iterator[tuple[str, Any]]:
    part = None
    for chunk in iter(lambda: stream.read(_CHUNK), b""):
        for event in parser.parse(chunk):
            if part is None:
                part = _Part(event.headerlist, most)
            elif event is None:
                yield part.whole()
                part = None
            else:
                part.write(event)


class _Part:
    """A part while its content is read."""

    def __init__(self, lines: list[tuple[str, str]], most: int | None) -> None:
        self._headers = Fields(lines)
        self._disposition = parameters(self._headers.get("Content-Disposition", ""))
        is_file = "filename" in self._disposition
        self._most = math.inf if is_file else largest(most)
        self._content = Spool(_FILE_IN_MEMORY) if is_file else BytesIO()

    def write(self, data: bytes) -> None:
        self._content.write(data)
        if self._content.tell() > self._most:
            abort(413)

    def whole(self) -> tuple[str, Any]:
        """The name and the value. A part without a name has None, as in Flask."""
        name: Any = self._disposition.get("name")
        self._content.seek(0)
        if "filename" in self._disposition:
            return name, FileStorage(self._content, self._disposition["filename"], name, self._headers)
        charset = parameters(self._headers.get("Content-Type", "")).get("charset", "").lower()
        return name, self._content.read().decode(charset if charset in CHARSETS else "utf-8", "replace")

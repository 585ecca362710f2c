"""Forms: multipart/form-data and application/x-www-form-urlencoded, as Flask reads them, in time linear in their size.

The parts of a multipart form are split by the `multipart` library (RFC 7578), which is loaded with the first of them;
a part is a field or, with a filename, a file, whatever it holds: parts within a part are text. What each part says of
itself is read as Werkzeug reads it.
"""

from __future__ import annotations

import math
import re
from io import BytesIO
from os import PathLike
from shutil import copyfileobj
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qsl

from middleware.hooks.errors import abort
from middleware.hooks.parameters import CHARSETS, parameters
from middleware.hooks.request_input import Spool
from middleware.http.fields import Fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from middleware.wsgi.options import Problems

URLENCODED: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"
_CHUNK: Final = 64 * 1024
_FILE_IN_MEMORY: Final = 500 * 1024
_BROKEN: Final = re.compile("[\udc80-\udcff]")  # bytes that are no UTF-8, as surrogateescape keeps them
_MISSING: Final = (
    "multipart forms are read by the package multipart, and `import multipart` {}. python-multipart before 0.0.13 "
    'takes that name; to have both: pip install "multipart>=1.3,<3" "python-multipart>=0.0.13"'
)


class Limits(NamedTuple):
    """How much of a body is read, and of a multipart form; None is no limit. What is over it is a 413."""

    max_content_length: int | None = None
    max_form_memory_size: int | None = 500_000
    max_form_parts: int | None = 1000

    def check(self, problems: Problems) -> Limits:
        """Note what is no limit."""
        for option, value in self._asdict().items():
            holds = value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0)
            problems.check(holds, option, "an int from 0 on, or None for no limit", value)
        return self


class FileStorage:
    """A file of a form, under Werkzeug's names, and WebOb's `file`, `type` and `value`. Others are those of `stream`.

    Attributes:
        stream: the content, as a file at its start; in memory up to 500 KiB.
        filename: str. As the client named it: not fit for a path as it is.
        name: of the form field.
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
        length = self.headers.get("Content-Length", "")
        return int(length) if re.fullmatch("[0-9]{1,18}", length) else 0

    @property
    def mimetype(self) -> str:
        """The media type without parameters, in lower case."""
        return (self.content_type or "").partition(";")[0].strip(" \t").lower()

    type = mimetype

    @property
    def mimetype_params(self) -> dict[str, str]:
        """The parameters of the media type."""
        return parameters(self.content_type or "")

    @property
    def value(self) -> bytes:
        """The whole content; `stream` stays where it is."""
        place = self.stream.tell()
        self.stream.seek(0)
        data: bytes = self.stream.read()
        self.stream.seek(place)
        return data

    def save(self, dst: Any, buffer_size: int = 16384) -> None:
        """Write the rest of the content to a path, or to a file that is open for bytes."""
        if not isinstance(dst, (str, PathLike)):
            copyfileobj(self.stream, dst, buffer_size)
            return
        with open(dst, "wb") as file:  # noqa: PTH123 - a path of either kind
            copyfileobj(self.stream, file, buffer_size)

    def close(self) -> None:
        """Give the content up."""
        self.stream.close()

    def __bool__(self) -> bool:
        return bool(self.filename)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def __repr__(self) -> str:
        return f"<FileStorage: {self.filename!r} ({self.content_type!r})>"


def urlencoded(data: bytes, errors: str = "surrogateescape") -> list[tuple[str, str]]:
    """The names and values of a query, or of a form that is like one; %XX that are no UTF-8 stay as they are.

    Errors: `errors` says what becomes of other bytes that are no UTF-8; "strict": UnicodeDecodeError.
    """
    text = data.decode("utf-8", errors)
    found = parse_qsl(text, keep_blank_values=True, errors="surrogateescape")
    return [(percented(name), percented(value)) for name, value in found]


def percented(text: str) -> str:
    """The text with each byte that is no UTF-8 as %XX."""
    return _BROKEN.sub(lambda found: f"%{ord(found[0]) - 0xDC00:02X}", text)


def multipart(stream: Any, boundary: bytes, limits: Limits) -> list[tuple[str, Any]]:
    """The fields and files of a multipart form, in order.

    Errors: ValueError for a body that is no such form; 413 for more than the limits allow; ImportError without the
    library.
    """
    library = _library()
    most = math.inf if limits.max_form_parts is None else limits.max_form_parts
    try:
        with library.PushMultipartParser(boundary, max_segment_count=most) as parser:
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
    """A part whose content is still to come."""

    def __init__(self, lines: list[tuple[str, str]], most: int | None) -> None:
        self._headers = Fields(lines)
        self._named = parameters(self._headers.get("Content-Disposition", ""))
        is_file = "filename" in self._named
        self._most = math.inf if is_file or most is None else most
        self._content = Spool(_FILE_IN_MEMORY) if is_file else BytesIO()

    def write(self, data: bytes) -> None:
        self._content.write(data)
        if self._content.tell() > self._most:
            abort(413)

    def whole(self) -> tuple[str, Any]:
        """The name and the value. A part without a name has None, as in Flask."""
        name: Any = self._named.get("name")
        self._content.seek(0)
        if "filename" in self._named:
            return name, FileStorage(self._content, self._named["filename"], name, self._headers)
        charset = parameters(self._headers.get("Content-Type", "")).get("charset", "").lower()
        return name, self._content.read().decode(charset if charset in CHARSETS else "utf-8", "replace")


def _library() -> Any:
    """The module of the `multipart` package."""
    try:
        import multipart as library
    except (ImportError, Warning) as error:  # python-multipart warns of its former name where there is no other
        raise ImportError(_MISSING.format("fails")) from error
    if not hasattr(library, "PushMultipartParser"):
        found = getattr(library, "__file__", None)
        raise ImportError(_MISSING.format(f"finds {found}, which belongs to python-multipart or is too old"))
    return library

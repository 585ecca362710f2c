"""Site: the pages that every peer is asked for, and what is noted of them while they are sent.

/ has a strong entity tag and knows If-Match; /data is what is encoded in the benchmarks; /part is a 206; /stream comes
chunk by chunk; /watched is an iterable whose closing is noted; /error raises.
"""

from __future__ import annotations

from io import BytesIO
from itertools import cycle
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

EMPTY = BytesIO()
TEXT = b"".join(b"line %d of a text that says the same again and again\n" % number for number in range(100))
LINES = tuple(b"chunk %d, of text that compresses well because it says the same again: again\n" % n for n in range(6))
TAG = '"v1"'
RANGE = f"bytes 0-1999/{len(TEXT)}"
PLAIN = "text/plain"
ORIGIN = "https://app.example"
# As people write a pattern: any name under app.example. Credentials are allowed.
PATTERN = r"https://\w+\.app\.example"
METHODS = ("GET", "POST")


class Watched:
    """An iterable of one chunk that notes how often it was closed."""

    def __init__(self, site: Site) -> None:
        self.site, self.chunks = site, iter([TEXT])

    def __iter__(self) -> Iterator[bytes]:
        return self.chunks

    def close(self) -> None:
        self.site.closed += 1


class Site:
    """The content of the pages, and what was noted.

    Attributes:
        data: the content of /data; the next one each time it is asked for, and after the last the first again.
    """

    def __init__(self, *data: bytes) -> None:
        self._data = cycle(data or (TEXT,))
        self.closed = 0
        self.resumed: Callable[[int], None] = lambda _: None

    @property
    def data(self) -> bytes:
        return next(self._data)

    def stream(self) -> Iterator[bytes]:
        """Chunks; before each but the first, `resumed` is told how many bytes are on their way."""
        sent = 0
        for line in LINES:
            yield line
            sent += len(line)
            self.resumed(sent)

    def watched(self) -> Watched:
        return Watched(self)

    def fail(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("this page always fails")

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Be a plain WSGI application with these pages."""
        if environ["PATH_INFO"] == "/error":
            self.fail()
        status, fields, body = self.answer(environ)
        start_response(status, fields)
        return () if environ["REQUEST_METHOD"] == "HEAD" else body

    def answer(self, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], Iterable[bytes]]:
        path = environ["PATH_INFO"]
        if path in ("/stream", "/watched"):
            return "200 OK", [("Content-Type", PLAIN)], self.stream() if path == "/stream" else self.watched()
        if path == "/data":
            data = self.data
            return "200 OK", _sized("application/json", data), [data]
        if path == "/part":
            return "206 Partial Content", [*_sized(PLAIN, TEXT[:2000]), ("Content-Range", RANGE)], [TEXT[:2000]]
        if not matches(environ.get("HTTP_IF_MATCH")):
            return "412 Precondition Failed", _sized(PLAIN, b""), []
        return "200 OK", [*_sized(PLAIN, TEXT), ("ETag", TAG)], [TEXT]


def _sized(content_type: str, body: bytes) -> list[tuple[str, str]]:
    return [("Content-Type", content_type), ("Content-Length", str(len(body)))]


def matches(condition: str | None) -> bool:
    """Whether an If-Match of one tag lets a request pass (RFC 9110 13.1.1: strong comparison)."""
    return condition in (None, "*", TAG)

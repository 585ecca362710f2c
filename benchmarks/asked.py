"""Asked: one request to an application, and what a client and a server see of the answer."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from importlib import import_module
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any, Final

from benchmarks.case import ENVIRON

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.case import Application

BROWSER: Final = "gzip, deflate, br, zstd"
DECODERS: Final[dict[str, Callable[[], Callable[[bytes], bytes]]]] = {
    "gzip": lambda: zlib.decompressobj(31).decompress,
    "deflate": lambda: zlib.decompressobj().decompress,
    "br": lambda: import_module("brotli").Decompressor().process,
    "zstd": lambda: import_module("zstandard").ZstdDecompressor().decompressobj().decompress,
    "": lambda: bytes,
}


@dataclass
class Answer:
    """What came: the status, the fields in lower case, the bytes as sent, and what of them could be read."""

    status: int = 0
    fields: dict[str, str] = field(default_factory=dict)
    sent: bytes = b""
    read: bytes = b""
    error: Exception | None = None

    def start(self, status: str, lines: list[tuple[Any, Any]], exc_info: Any = None) -> Callable[[bytes], object]:
        """Be start_response. Of fields that come twice the values are joined."""
        del exc_info
        self.status, self.fields = int(status[:3]), {}
        for name, value in ((_text(name).lower(), _text(value)) for name, value in lines):
            self.fields[name] = f"{self.fields[name]}, {value}" if name in self.fields else value
        return self.receive

    def receive(self, chunk: bytes) -> None:
        """Take a chunk, and decode what can be decoded."""
        if not self.sent:
            self._decode = DECODERS[self.fields.get("content-encoding", "")]()
        self.sent += chunk
        self.read += self._decode(chunk) if chunk else b""

    def names(self, name: str, member: str) -> bool:
        """Whether a field that is a list of words has one of them."""
        return member.lower() in (word.strip().lower() for word in self.fields.get(name, "").split(","))


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


def ask(app: Application, path: str, method: str = "GET", answer: Answer | None = None, **fields: str) -> Answer:
    """Send one request. What the application raises ends the answer, as it does for a server."""
    answer = Answer() if answer is None else answer
    origin = {"HTTP_ORIGIN": ""}
    environ: dict[str, Any] = {name: value for name, value in ENVIRON.items() if name not in origin}
    environ.update({f"HTTP_{name.upper()}": value for name, value in fields.items()})
    environ.update({"PATH_INFO": path, "REQUEST_METHOD": method})
    environ.update({"wsgi.input": BytesIO(), "wsgi.errors": StringIO()})
    body: Any = ()
    try:
        body = app(environ, answer.start)
        for chunk in body:
            answer.receive(chunk)
    except Exception as error:  # noqa: BLE001 - a server would log it
        answer.error = error
    finally:
        getattr(body, "close", lambda: None)()
    return answer

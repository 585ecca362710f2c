"""Middleware of your own: one class each for a request id, a maintenance page, a rewritten body and a log.

Run it from within examples/, by waitress or by this package:

    waitress-serve --listen=127.0.0.1:8080 custom_middleware:application
    python -m middleware serve custom_middleware:application --listen 127.0.0.1:8080

    curl -i http://127.0.0.1:8080/shop

shows the 503 of Maintenance, which has an X-Request-Id all the same. /links shows how Rewrite has turned
http://shop.internal into https://shop.example, also across two chunks. The server's log has a line for each request.
"""

import logging
import re
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from middleware import Effects, Middleware, Response, Stack, Timing, Transform, match

logging.basicConfig(level=logging.INFO)
logger = logging.getLogger("demo.access")


class RequestId(Middleware):
    """Names every request: as the client does, if that is a sane name, and tells everybody."""

    effects = Effects(
        every_response=True,
        sets={"X-Request-Id"},
        provides={"demo.request_id"},
    )

    def on_request(self, environ: dict[str, Any]) -> None:
        """Keep the name in the environ: nothing of a request is kept on a middleware."""
        given = environ.get("HTTP_X_REQUEST_ID", "")
        environ["demo.request_id"] = given if re.fullmatch(r"[\w-]{8,64}", given, re.ASCII) else uuid.uuid4().hex

    def on_response(self, environ: dict[str, Any], response: Response) -> None:
        """Tell the client."""
        response.headers["X-Request-Id"] = environ["demo.request_id"]


class AccessLog(Middleware):
    """Logs every request when its response is over, well or badly."""

    effects = Effects(requires={"demo.request_id"})

    def on_response(self, environ: dict[str, Any], response: Response) -> None:
        """Remember what the head said."""
        environ["demo.status"] = response.status_code

    def on_close(self, environ: dict[str, Any], error: BaseException | None) -> None:
        """Write the line, once."""
        outcome = "done" if error is None else f"failed: {error!r}"
        name, status = environ["demo.request_id"], environ["demo.status"]
        logger.info("%s %s %s %s, %s", name, environ["REQUEST_METHOD"], environ["PATH_INFO"], status, outcome)


class Maintenance(Middleware):
    """Answers instead of the application."""

    effects = Effects(answers=True)

    def on_request(self, _environ: dict[str, Any]) -> Callable[..., Iterable[bytes]]:
        """Return a WSGI application, and that answers."""
        return self.closed

    @staticmethod
    def closed(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Ask to come back later."""
        start_response("503 Service Unavailable", [("Content-Type", "text/plain"), ("Retry-After", "120")])
        return [b"We are rebuilding this page\n"]


class Rewrite(Middleware):
    """Replaces one text by another in text/html and text/plain."""

    effects = Effects(rewrites_body=True)

    def __init__(self, app: Callable[..., Iterable[bytes]] | None = None, /, *, old: bytes, new: bytes) -> None:
        super().__init__(app)
        self.old, self.new = old, new

    def on_response(self, _environ: dict[str, Any], response: Response) -> Transform | None:
        """Take the body in hand, if it is text that nobody has encoded."""
        content_type = response.headers.get("Content-Type") or ""
        text = content_type.partition(";")[0].strip().lower() in ("text/html", "text/plain")
        if not text or "Content-Encoding" in response.headers:
            return None
        return Replacing(self.old, self.new)


class Replacing:
    """A Transform: it belongs to one response, so it may remember."""

    def __init__(self, old: bytes, new: bytes) -> None:
        self.old, self.new, self.kept = old, new, b""

    def feed(self, chunk: bytes) -> bytes:
        """Replace what is there, and keep back an end in which a match may have begun."""
        *done, rest = (self.kept + chunk).split(self.old)
        cut = max(len(rest) - len(self.old) + 1, 0)
        self.kept = rest[cut:]
        return self.new.join([*done, rest[:cut]])

    def finish(self) -> bytes:
        """Let go of the end: no match came of it."""
        return self.kept


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Link to the shop; fail; or greet."""
    if environ["PATH_INFO"] == "/error":
        raise RuntimeError("this route always fails")
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/links":
        return iter([b"Buy at http://shop.in", b"ternal/ today\n"])
    return [b"Hello from http://shop.internal\n"]


stack = Stack(
    Timing(),
    RequestId(),
    AccessLog(),
    Maintenance().when(match.path("/shop")),
    Rewrite(old=b"http://shop.internal", new=b"https://shop.example"),
)
application = stack.wrap(app)

"""`serve --debug`: an Inspector around the application, and a page with the traceback in place of a 500."""

import socket
import traceback
from dataclasses import replace
from html import escape

from middleware.cli.output import CommandError
from middleware.cli.server import url
from middleware.sight.explain import watched
from middleware.sight.inspector import Inspector, is_loopback
from middleware.sight.inspector_page import document
from middleware.stack.builder import Stack
from middleware.wsgi.errors import EXCEPTION
from middleware.wsgi.response import Response, Transform
from middleware.wsgi.types import Application, Environ


def debugged(app: Application, listener: socket.socket) -> Application:
    """Return `app` inside an Inspector that shows tracebacks, and print its URL."""
    debugger = Debugger()
    debugger.tell(url(listener))
    return watched(debugger, Stack(), app)


def check_debug(listener: socket.socket, trusted_proxy: str | None) -> None:
    """Raise CommandError where --debug would show tracebacks to others."""
    host = str(listener.getsockname()[0])
    if trusted_proxy is not None:
        raise CommandError("--debug and --trusted-proxy exclude each other: tracebacks are for this machine only")
    if not is_loopback(host):
        raise CommandError(f"--debug listens on a loopback address only, such as 127.0.0.1; got {host}")


class Debugger(Inspector):
    """An Inspector that shows the traceback of an exception to a browser that may see its page."""

    effects = replace(Inspector.effects, rewrites_body=True)

    def on_response(self, environ: Environ, response: Response) -> Transform | None:
        """Replace a 500 with the traceback."""
        super().on_response(environ, response)
        error = environ.get(EXCEPTION)
        if not isinstance(error, BaseException) or response.status[:3] != "500" or not self.admits(environ):
            return None
        text = "".join(traceback.format_exception(error))
        title = f"{type(error).__name__}: {error}"
        page = document(title, [f"<pre>{escape(text)}</pre>", f'<p><a href="{self.path}">Exchanges</a></p>']).encode()
        for name in ("Content-Encoding", "ETag"):
            del response.headers[name]
        for name, value in self.private(page):
            response.headers[name] = value
        return _Instead(page)


class _Instead:
    """A Transform that replaces the body with another."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def feed(self, chunk: bytes) -> bytes:  # noqa: ARG002 - none of it is sent
        """Drop a chunk."""
        return b""

    def finish(self) -> bytes:
        """Return the body."""
        return self.body

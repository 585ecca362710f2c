"""Replacing: a response put in the place of the application's, by a layer that learns late that it has to answer."""

from middleware.http.fields import Line
from middleware.wsgi.held import close_iterable
from middleware.wsgi.response import Response, Transform
from middleware.wsgi.types import Application, Environ, ExcInfo, Write


def replaced(environ: Environ, response: Response, app: Application) -> Transform:
    """Make `response` the one of `app`; return what makes its body that, whatever the body is.

    Nothing of the first response stays: the layers further in take no part, as if the request had never reached them.
    """
    written: list[bytes] = []
    heads: list[tuple[str, list[Line]]] = []

    def start(status: str, headers: list[Line], _exc_info: ExcInfo | None = None) -> Write:
        heads.append((status, headers))
        return written.append

    body = app(environ, start)
    try:
        written.extend(body)
    finally:
        close_iterable(body)
    status, lines = heads[-1]
    response.status = status
    fields = response.headers
    for name in {name.lower() for name, _ in fields}:
        del fields[name]
    for name, value in lines:
        if name.lower() != "content-length":  # the pipeline counts
            fields.add(name, value)
    return Instead(b"".join(written))


class Instead:
    """A Transform that sends its own content, at once, and drops what comes."""

    __slots__ = ("_content",)

    def __init__(self, content: bytes) -> None:
        self._content = content

    def feed(self, _chunk: bytes) -> bytes:
        """The content, in place of the first chunk."""
        content, self._content = self._content, b""
        return content

    def finish(self) -> bytes:
        """The content, if there was no chunk."""
        return self.feed(b"")

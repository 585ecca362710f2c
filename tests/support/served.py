"""One application of many routes in one stack of many kinds of layer, and the servers that serve it.

`python served.py NAME` serves it; what happens to a request is told on stdout, under the id that the request came with.
"""

from __future__ import annotations

import io
import json
import os
import sys
from itertools import repeat

from middleware import Headers, Middleware, Stack, Timing

PIECE = b"x" * (1 << 16)
SIZE = 300_000  # of a file: more than any server takes at once
CONTENT = {"file": b"f" * SIZE, "vast": b"v" * (32 << 20)}  # more than the buffers of a socket hold


def tell(environ, what, **more):
    """One line, in one write, so that the lines of threads stay whole."""
    event = {"id": environ["HTTP_X_ID"], "what": what, **more}
    os.write(1, f"event {json.dumps(event)}\n".encode())


def kind(error):
    return None if error is None else type(error).__name__


# -- the layers ------------------------------------------------------------------------------------------------------


class Echo(Middleware):
    """Sends the id of the request back."""

    def on_request(self, environ):
        environ["served.id"] = environ["HTTP_X_ID"]

    def on_response(self, environ, response):
        response.headers["X-Id"] = environ["served.id"]


class Watch(Middleware):
    """Tells when the response is over."""

    def on_close(self, environ, error):
        tell(environ, self.name, error=kind(error))


class Refuse(Middleware):
    """Answers requests that ask for it, by themselves."""

    def on_request(self, environ):
        return self.refusal if "HTTP_X_REFUSE" in environ else None

    @staticmethod
    def refusal(environ, start_response):
        start_response("401 Unauthorized", [("WWW-Authenticate", "Basic"), ("Content-Length", "2")])
        return [b"no"]


def completed(measurement):
    tell(
        {"HTTP_X_ID": measurement.path.rpartition("/")[2]},
        "complete",
        error=kind(measurement.error),
        status=measurement.status,
        bytes=measurement.bytes_sent,
    )


stack = Stack(
    Timing(on_complete=completed),
    Headers(set={"X-App": "served"}),
    Echo(),
    Watch().named("outer"),
    Refuse(),
    Watch().named("inner"),
)

# -- the application: /route/id ----------------------------------------------------------------------------------------


class Body:
    """An iterable that tells when it is closed."""

    def __init__(self, environ, chunks):
        self.environ, self.chunks = environ, iter(chunks)

    def __iter__(self):
        return self.chunks

    def close(self):
        tell(self.environ, "close")


class File(io.BytesIO):
    """A file that tells when it is closed for the first time."""

    def __init__(self, environ, content):
        super().__init__(content)
        self.environ = environ

    def close(self):
        if not self.closed:
            tell(self.environ, "close")
        super().close()


def text(environ):
    """What a route says: its name and the id, so that no answer can be taken for another."""
    return environ["PATH_INFO"].encode("latin-1")


def sized(environ, start):
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text(environ))))])
    return [text(environ)]


def single(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])
    return [text(environ)]


def nothing(environ, start):
    start("204 No Content", [])
    return []


def unmodified(environ, start):
    start("304 Not Modified", [("ETag", '"v1"')])
    return [b"this must not go out"]


def stream(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])
    return Body(environ, [text(environ)[:3], b"", text(environ)[3:]])


def late(environ, start):
    def chunks():
        start("200 OK", [("Content-Type", "text/plain")])
        yield text(environ)

    return Body(environ, chunks())


def early(environ, start):
    raise RuntimeError("before the head")


def soon(environ, start):
    def chunks():
        start("200 OK", [("Content-Type", "text/plain")])
        raise RuntimeError("before the first chunk")
        yield

    return Body(environ, chunks())


def write(environ, start):
    send = start("200 OK", [("Content-Type", "text/plain")])
    send(text(environ)[:2])
    send(text(environ)[2:5])
    return [text(environ)[5:]]


def file(environ, start):
    start("200 OK", [("Content-Type", "application/octet-stream")])
    content, wrap = CONTENT[environ["PATH_INFO"].split("/")[1]], environ.get("wsgi.file_wrapper")
    if wrap is None:
        return Body(environ, [content])
    environ["served.file"] = wrap(File(environ, content), 8192)
    return environ["served.file"]


def redirect(environ, start):
    start("302 Found", [("Location", "/sized"), ("Content-Length", str(len(text(environ))))])
    return [text(environ)]


def echo(environ, start):
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def missing(environ, start):
    start("404 Not Found", [("Content-Type", "text/plain"), ("Content-Length", str(len(text(environ))))])
    return [text(environ)]


def breaking(environ):
    yield b"the beginning"
    raise RuntimeError("in the body")


def broken(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])
    return Body(environ, breaking(environ))


def short(environ, start):
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "100")])
    return Body(environ, breaking(environ))


def long(environ, start):
    start("200 OK", [("Content-Type", "application/octet-stream")])
    return Body(environ, repeat(PIECE, 1024))  # more than any buffer holds, yet not too much to collect


ROUTES = {
    **{made.__name__: made for made in (sized, single, nothing, unmodified, stream, late, early, soon)},
    **{made.__name__: made for made in (write, redirect, echo, broken, short, long, file)},
    "vast": file,
}


def app(environ, start_response):
    route = environ["PATH_INFO"].split("/")[1]
    return ROUTES.get(route, missing)(environ, start_response)


wrapped = stack.wrap(app)


class Read:
    """A request body that tells who reads it."""

    def __init__(self, environ):
        self.environ, self.input = environ, environ["wsgi.input"]

    def read(self, *size):
        tell(self.environ, "read")
        return self.input.read(*size)


def application(environ, start_response):
    """What stands between the server and the stack, and looks at both."""
    environ["wsgi.input"] = Read(environ)
    result = wrapped(environ, start_response)
    given = environ.pop("served.file", None)
    if given is not None:
        tell(environ, "file", same=result is given)
    return result


# -- the servers -------------------------------------------------------------------------------------------------------


def announce(port):
    os.write(1, f"http://127.0.0.1:{port}\n".encode())


def serve_by_cheroot(application):
    from cheroot.wsgi import Server

    server = Server(("127.0.0.1", 0), application, numthreads=8)
    server.prepare()
    announce(server.bind_addr[1])
    try:
        server.serve()
    finally:
        server.stop()


def serve_by_wsgiref(application):
    from wsgiref.simple_server import make_server

    with make_server("127.0.0.1", 0, application) as server:
        announce(server.server_port)
        server.serve_forever()


SERVE = {"cheroot": serve_by_cheroot, "wsgiref": serve_by_wsgiref}

if __name__ == "__main__":
    SERVE[sys.argv[1]](application)

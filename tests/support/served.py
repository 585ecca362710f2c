"""One application of many routes in one stack of many kinds of layer, and the servers that serve it.

`python served.py NAME` serves it; what happens to a request is told on stdout, under the id that the request came with.
"""

from __future__ import annotations

import io
import json
import os
import sys

from middleware import Headers, Middleware, Stack, Timing

PIECE = b"x" * (1 << 16)
SIZE = 300_000  # of a file: more than fits into one chunk of any server


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

    def __init__(self, environ):
        super().__init__(b"f" * SIZE)
        self.environ = environ

    def close(self):
        if not self.closed:
            tell(self.environ, "close")
        super().close()


def text(environ, status=None):
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
    wrap = environ.get("wsgi.file_wrapper") or (lambda opened, block: Body(environ, iter(lambda: opened.read(block), b"")))
    environ["served.returned"] = wrap(File(environ), 8192)
    return environ["served.returned"]


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


def endless(environ, start):
    start("200 OK", [("Content-Type", "application/octet-stream")])
    return Body(environ, iter(lambda: PIECE, None))


ROUTES = {
    function.__name__: function
    for function in (
        *(sized, single, nothing, unmodified, stream, late, early, soon, write, file, redirect, echo),
        *(broken, short, endless),
    )
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
    returned = environ.pop("served.returned", None)
    if returned is not None:
        wrapper = environ.get("wsgi.file_wrapper")
        tell(environ, "file", same=result is returned, wrapped=wrapper is not None)
    return result


# -- the servers -------------------------------------------------------------------------------------------------------


def serve_by_cheroot():
    from cheroot.wsgi import Server

    server = Server(("127.0.0.1", 0), application, numthreads=8)
    server.prepare()
    print(f"http://127.0.0.1:{server.bind_addr[1]}", flush=True)
    try:
        server.serve()
    finally:
        server.stop()


def serve_by_wsgiref():
    from wsgiref.simple_server import make_server

    with make_server("127.0.0.1", 0, application) as server:
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    {"cheroot": serve_by_cheroot, "wsgiref": serve_by_wsgiref}[sys.argv[1]]()

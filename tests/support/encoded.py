"""An application of many routes behind Compress, and the servers that serve it, as in served.py: /route/id.

`python encoded.py NAME` serves it; what happens to a request is told on stdout, under its id.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import defaultdict

from werkzeug.http import generate_etag
from werkzeug.wrappers import Request, Response

from middleware import Compress, Stack
from served import SERVE, Body, File, Watch

PATIENCE = 30  # seconds until a step gives up; nothing waits for as long as that
TEXT = b"".join(b"line %d of a text that says the same again and again\n" % n for n in range(600))
PIECES = [TEXT[n : n + 4096] for n in range(0, len(TEXT), 4096)]
STEPS = [b"data: step %d\n\n" % n for n in range(4)]
PLAIN = ("Content-Type", "text/plain; charset=utf-8")

steps = defaultdict(lambda: threading.Semaphore(0))
documents = {}


def sized(environ, start):
    start("200 OK", [PLAIN, ("Content-Length", str(len(TEXT)))])
    return [TEXT]


def stream(environ, start):
    start("200 OK", [PLAIN])
    return Body(environ, PIECES)


def write(environ, start):
    send = start("200 OK", [PLAIN])
    for piece in PIECES[:-1]:
        send(piece)
    return Body(environ, PIECES[-1:])


def file(environ, start):
    start("200 OK", [PLAIN])
    opened, wrap = File(environ, TEXT), environ.get("wsgi.file_wrapper")
    return iter(lambda: opened.read(8192), b"") if wrap is None else wrap(opened, 8192)


def breaking(pieces=PIECES[:3]):
    yield from pieces
    raise RuntimeError("in the body")


def broken(environ, start):
    start("200 OK", [PLAIN])
    return Body(environ, breaking())


def late(environ, start):
    """Fails before its first byte: the head that the server has, with a length, is replaced by that of the 500."""
    start("200 OK", [PLAIN, ("Content-Length", str(len(TEXT))), ("X-First", "yes")])
    return Body(environ, breaking(()))


def another(environ, start):
    """Replaces its head, which has a length, by one that has none, when its first chunk is made."""

    def chunks():
        try:
            raise RuntimeError("answered by the application")
        except RuntimeError:
            start("503 Busy", [PLAIN], sys.exc_info())
        yield b"busy "
        yield b"now"

    start("200 OK", [PLAIN, ("Content-Length", "3"), ("X-First", "yes")])
    return Body(environ, chunks())


def long(environ, start):
    """Text that hardly gets smaller, and is more than any buffer holds."""
    start("200 OK", [PLAIN])
    return Body(environ, (os.urandom(1 << 15).hex().encode() for _ in range(1024)))


def error(environ, start):
    raise RuntimeError("before the head")


def stepwise(name):
    """Each step is made only after the client said that it has the one before."""
    for step in STEPS:
        yield step
        if not steps[name].acquire(timeout=PATIENCE):
            raise TimeoutError("the client did not get what was sent")
    del steps[name]


def slow(environ, start):
    start("200 OK", [PLAIN])
    return Body(environ, stepwise(environ["HTTP_X_ID"]))


def events(environ, start):
    start("200 OK", [("Content-Type", "text/event-stream")])
    return Body(environ, stepwise(environ["HTTP_X_ID"]))


def go(environ, start):
    """Let the request go on whose id comes before that of this one."""
    steps[environ["PATH_INFO"].split("/")[2]].release()
    start("204 No Content", [])
    return []


@Request.application
def document(request):
    """What knows its versions: GET with conditions and ranges, PUT only of what was seen (RFC 9110 13, 14)."""
    content = documents.get(request.path, TEXT)
    tag = generate_etag(content)
    if request.method == "PUT":
        if request.if_match and not request.if_match.contains(tag):
            return Response("changed meanwhile\n", 412)
        documents[request.path] = request.get_data()
        return Response(status=204)
    response = Response(content, content_type=PLAIN[1])
    response.set_etag(tag)
    return response.make_conditional(request, accept_ranges=True, complete_length=len(content))


ROUTES = {
    **{
        made.__name__: made
        for made in (sized, stream, write, file, broken, late, another, long, error, slow, events, go)
    },
    "document": document,
}


def routes(environ, start_response):
    return ROUTES[environ["PATH_INFO"].split("/")[1]](environ, start_response)


stack = Stack(Watch().named("end"), Compress())
wrapped = stack.wrap(routes)


def application(environ, start_response):
    """Names each request by the end of its path, for clients that send nothing else."""
    environ["HTTP_X_ID"] = environ["PATH_INFO"].rpartition("/")[2]
    return wrapped(environ, start_response)


if __name__ == "__main__":
    SERVE[sys.argv[1]](application)

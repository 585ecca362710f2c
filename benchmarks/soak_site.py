"""The site that soak.py asks: every kind of response, behind every layer of a site, and what became of them.

`/plain/ROUTE/ID` is without hooks, `/hooked/ROUTE/ID` with them; both say their own path, so that no answer can be
taken for another. `/figures`, outside of all layers, says what the process holds. `bare` is the same without any layer.
"""

from __future__ import annotations

import ctypes
import gc
import io
import json
import os
import sys
import threading
from collections import Counter
from pathlib import Path

from middleware import CORS, Compress, Headers, Hooks, SecurityHeaders, Stack, Timing
from middleware.hooks import g, request

ORIGIN = "https://app.example"
TEXT = b"".join(b"line %d of a text that says the same again and again\n" % n for n in range(600))
PIECE = 4096
BROKEN_AT = 3  # pieces
PLAIN, OCTETS = ("Content-Type", "text/plain; charset=utf-8"), ("Content-Type", "application/octet-stream")
TAG = '"v1"'

# -- what became of the requests ---------------------------------------------------------------------------------------


class Tally:
    """Counts, of which threads add to one at a time."""

    def __init__(self):
        self._lock = threading.Lock()
        self._counts = Counter()

    def __call__(self, what):
        with self._lock:
            self._counts[what] += 1

    def counts(self):
        with self._lock:
            return dict(self._counts)


tally = Tally()


def completed(measurement):
    """One response is over: by which error, if any."""
    tally(f"end {type(measurement.error).__name__}")


def torn_down(_error):
    tally("torn down")


class Body:
    """An iterator that counts how often it is closed."""

    def __init__(self, chunks):
        self._chunks, self._closed = iter(chunks), False
        tally("opened")

    def __iter__(self):
        return self

    def __next__(self):
        return next(self._chunks)

    def close(self):
        tally("closed again" if self._closed else "closed")
        self._closed = True


class File(io.BytesIO):
    """A file that counts its first close(), which are as many as one likes."""

    def __init__(self, content):
        super().__init__(content)
        tally("opened")

    def close(self):
        if not self.closed:
            tally("closed")
        super().close()


class Mallinfo(ctypes.Structure):
    """What glibc knows of its heap (mallinfo2)."""

    _before, _between, _after = (
        ("arena", "ordblks", "smblks", "hblks"),
        ("usmblks", "fsmblks"),
        ("fordblks", "keepcost"),
    )
    _fields_ = tuple((name, ctypes.c_size_t) for name in (*_before, "hblkhd", *_between, "uordblks", *_after))


def given_out():
    """KiB that malloc has given out and not got back; 0 where only glibc could tell."""
    asked = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if asked is None:
        return 0
    asked.restype = Mallinfo
    found = asked()
    return (found.uordblks + found.hblkhd) // 1024


def figures(_environ, start_response):
    """What the process holds, when nothing that can be collected is left."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    found = {
        "resident": pages * os.sysconf("SC_PAGE_SIZE") // 1024,
        "given out": given_out(),
        "blocks": sys.getallocatedblocks(),
        "objects": len(gc.get_objects()),
        "uncollectable": len(gc.garbage),
        "threads": threading.active_count(),
        "counts": tally.counts(),
    }
    body = json.dumps(found).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


# -- the application ---------------------------------------------------------------------------------------------------


def content(path):
    """What a response to this path says."""
    return path.encode("latin-1") + b"\n" + TEXT


def pieces(path):
    whole = content(path)
    return [whole[n : n + PIECE] for n in range(0, len(whole), PIECE)]


def asked(environ):
    return environ["PATH_INFO"]


def sized(environ, start):
    body = content(asked(environ))
    start("200 OK", [PLAIN, ("Content-Length", str(len(body))), ("ETag", TAG)])
    return [body]


def conditional(environ, start):
    """As `sized`, but for who has it already."""
    if TAG in environ.get("HTTP_IF_NONE_MATCH", ""):
        start("304 Not Modified", [("ETag", TAG)])
        return []
    return sized(environ, start)


def stream(environ, start):
    start("200 OK", [PLAIN])
    return Body(pieces(asked(environ)))


def late(environ, start):
    start("200 OK", [PLAIN])
    yield from pieces(asked(environ))


def write(environ, start):
    send = start("200 OK", [PLAIN])
    *first, last = pieces(asked(environ))
    for piece in first:
        send(piece)
    return Body([last])


def file(environ, start, kind=PLAIN):
    start("200 OK", [kind])
    return environ["wsgi.file_wrapper"](File(content(asked(environ))), 8192)


def octets(environ, start):
    return file(environ, start, OCTETS)


def long(_environ, start):
    """More than any buffer holds, of which half is left when it is encoded."""
    start("200 OK", [PLAIN])
    return Body(os.urandom(1 << 15).hex().encode() for _ in range(1024))


def error(_environ, _start):
    raise RuntimeError("before the head")


def breaking(environ):
    yield from pieces(asked(environ))[:BROKEN_AT]
    raise RuntimeError("in the body")


def broken(environ, start):
    start("200 OK", [PLAIN])
    return Body(breaking(environ))


def soon(_environ, start):
    """Fails before its first chunk, when its head is given already."""
    start("200 OK", [PLAIN])
    return Body(1 // 0 for _ in range(1))


def replaced(environ, start):
    """Another head in place of the first, which has not gone out."""
    start("200 OK", [PLAIN, ("X-Old", "1")])
    try:
        int("no number")
    except ValueError:
        start("503 Service Unavailable", [PLAIN], sys.exc_info())
    return [content(asked(environ))]


def nothing(_environ, start):
    start("204 No Content", [])
    return []


def missing(environ, start):
    body = asked(environ).encode("latin-1")
    start("404 Not Found", [PLAIN, ("Content-Length", str(len(body)))])
    return [body]


def upload(environ, start):
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    start("200 OK", [OCTETS, ("Content-Length", str(len(body)))])
    return [body]


ANSWERS = (sized, conditional, stream, late, write, file, octets, long, error, broken, soon, replaced, nothing, upload)
ROUTES = {made.__name__: made for made in ANSWERS}


def routes(environ, start):
    return ROUTES.get(asked(environ).split("/")[2], missing)(environ, start)


# -- the layers --------------------------------------------------------------------------------------------------------


def hooks():
    """One of each kind, all of which look at the request."""
    made = Hooks()
    made.before_request(lambda: setattr(g, "path", request.path))
    made.teardown_request(torn_down)

    @made.after_request
    def stamp(response):
        response.headers["X-Path"] = g.path
        return response

    return made


def full(*further):
    """The layers of a site, in their order."""
    return Stack(
        Timing(on_complete=completed),
        SecurityHeaders(),
        CORS(allow_origins=[ORIGIN], allow_methods=["GET", "PUT"]),
        Headers(set={"X-App": "soak"}),
        *further,
        Compress(),
    )


def site(plain, hooked):
    """Hands a request on to what its path begins with."""
    sites = {"plain": plain, "hooked": hooked, "figures": figures}
    return lambda environ, start_response: sites[asked(environ).split("/")[1]](environ, start_response)


application = site(full().wrap(routes), full(hooks()).wrap(routes))
bare = site(routes, routes)

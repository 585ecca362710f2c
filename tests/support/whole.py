"""The routes of encoded.py and served.py behind every layer that a site has, and the servers that serve them.

`python whole.py NAME` serves them; what happens to a request is told on stdout, under the end of its path.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import encoded
import served
from middleware import CORS, Compress, Headers, SecurityHeaders, Stack, Timing
from served import SERVE, completed

ORIGIN = "https://app.example"
KEPT = Path(__file__)  # a file of the system, which a server may send without reading it
# What every response has to have, errors included.
POLICY = {
    "X-App": "whole",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Access-Control-Allow-Origin": ORIGIN,
}


def full(on_complete=None):
    """The layers of a site, in their order."""
    return Stack(
        Timing(on_complete=on_complete),
        SecurityHeaders(),
        CORS(allow_origins=[ORIGIN], allow_methods=["GET", "PUT"]),
        Headers(set={"X-App": "whole"}),
        Compress(),
    )


def upload(environ, start):
    """What was sent, of a body of any framing that the server says to have read, and how it said so."""
    length = environ.get("CONTENT_LENGTH")
    ends = environ.get("wsgi.input_terminated", False)
    body = environ["wsgi.input"].read(*([] if ends or not length else [int(length)])) if length or ends else b""
    start("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", str(len(body)))])
    return [body]


def kept(environ, start):
    start("200 OK", [("Content-Type", "application/octet-stream")])
    opened, wrap = KEPT.open("rb"), environ.get("wsgi.file_wrapper")
    return iter(lambda: opened.read(8192), b"") if wrap is None else wrap(opened, 8192)


TOLD = "wsgi.url_scheme", "REMOTE_ADDR", "HTTP_HOST", "HTTP_X_FORWARDED_FOR"


def seen(environ, start):
    """What the application knows of the client, and which process says so."""
    known = {name: environ.get(name) for name in TOLD}
    body = json.dumps({**known, "process": os.getpid()}).encode()
    start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


OWN = {made.__name__: made for made in (upload, kept, seen)}
ROUTES = {**encoded.ROUTES, **{name: served.ROUTES[name] for name in ("nothing", "unmodified", "redirect")}, **OWN}


def routes(environ, start):
    return ROUTES.get(environ["PATH_INFO"].split("/")[1], served.missing)(environ, start)


wrapped = full(completed).wrap(routes)


def application(environ, start):
    """Names each request by the end of its path, for clients that send nothing else."""
    environ["HTTP_X_ID"] = environ["PATH_INFO"].rpartition("/")[2]
    return wrapped(environ, start)


if __name__ == "__main__":
    SERVE[sys.argv[1]](application)

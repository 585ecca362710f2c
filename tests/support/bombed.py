"""`python bombed.py CODING FILE` reads what a file decodes to, and prints its size, and by how many KiB memory grew."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from middleware import DecompressRequest
from middleware.testing import serve

PIECE = 1 << 16


def reads(environ, start_response):
    """Read all, keep nothing."""
    size = 0
    while data := environ["wsgi.input"].read(PIECE):
        size += len(data)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d" % size]


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(coding, name):
    app = DecompressRequest(reads, max_bytes=1 << 30)
    keys = {"HTTP_CONTENT_ENCODING": coding, "wsgi.input_terminated": True}
    with Path(name).open("rb") as file:
        before = peak()
        answer = serve(app, method="POST", lint=False, **keys, **{"wsgi.input": file})
    print(answer.body.decode(), peak() - before)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A site behind limits that its processes share: `limited:application` in the place of `wsgi:application`.

Redis counts requests for all processes on all machines (RATE_LIMIT_STORAGE); while it is down they pass uncounted.
Requests at a time are limited in each process, below its number of threads, so that some are free for what is quick.
nginx says who the client is, and waitress believes it (--trusted-proxy): REMOTE_ADDR is the client's.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from middleware import BodyLimit, ConcurrencyLimit, RateLimit, SecurityHeaders, Stack
from middleware.match import path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

stack = Stack(
    SecurityHeaders(),
    RateLimit(
        os.environ.get("RATE_LIMIT", "300/minute"),
        storage=os.environ.get("RATE_LIMIT_STORAGE", "redis://127.0.0.1:6379/0"),
    ),
    BodyLimit(max_bytes=32 * 1024 * 1024),  # as client_max_body_size of nginx.conf
    ConcurrencyLimit(limit=4, wait=1.0).when(path("/reports")),
)


def site(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Answer by the number of the process and the address of the client."""
    body = f"process {os.getpid()}, client {environ['REMOTE_ADDR']}\n".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


application = stack.wrap(site)

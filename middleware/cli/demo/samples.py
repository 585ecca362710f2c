"""The exchanges that the page shows beside its own: requests that the demo sends through its stack, once."""

from __future__ import annotations

import logging
import timeit
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from middleware.sight.explain import environ_of, explain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from middleware.sight.explanation import Explanation
    from middleware.stack.builder import Stack
    from middleware.wsgi.types import Application

_PATH: Final = "/orders"
_ASKS: Final = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
_GZIP: Final = {"Accept-Encoding": "gzip"}
_REQUESTS: Final = 200
_ROUNDS: Final = 5


class Sample(NamedTuple):
    """A request, and its explanation.

    Attributes:
        title: str. What it shows.
        fields: mapping of str to str. The request headers that matter for it.
        told: Explanation.
    """

    title: str
    fields: Mapping[str, str]
    told: Explanation


class Samples(NamedTuple):
    """The exchanges that the demo records before it shows its page.

    Attributes:
        exchanges: list of Sample.
        seconds: float. The time that the whole stack adds to one request, without an Inspector.
    """

    exchanges: list[Sample]
    seconds: float


@cache
def samples(stack: Stack, app: Application) -> Samples:
    """Send the requests through `app` inside `stack`."""

    def exchange(title: str, method: str, fields: Mapping[str, str], path: str = _PATH) -> Sample:
        environ = environ_of(path, fields)
        environ["REQUEST_METHOD"] = method
        return Sample(title, fields, explain(stack, app, environ, {}))

    encoded = exchange("the same body, in gzip", "GET", _GZIP)
    tag = dict(encoded.told.headers)["ETag"]
    logger = logging.getLogger("middleware")
    before, logger.disabled = logger.disabled, True  # the error of /error is on the page
    try:
        failed = exchange("the application raises: a 500 with every header", "GET", {}, "/error")
    finally:
        logger.disabled = before
    exchanges = [
        exchange("a preflight from an origin that is listed", "OPTIONS", {"Origin": "https://app.example", **_ASKS}),
        exchange("a preflight from another origin", "OPTIONS", {"Origin": "https://other.example", **_ASKS}),
        exchange("a body of JSON, as it is", "GET", {"Accept-Encoding": "identity"}),
        encoded,
        exchange("that body again, which the client has", "GET", {**_GZIP, "If-None-Match": tag}),
        exchange("the headers of GET", "HEAD", _GZIP),
        failed,
    ]
    return Samples(exchanges, max(_seconds(stack.wrap(app)) - _seconds(app), 0.0))


def _seconds(app: Application) -> float:
    """The seconds that a small response takes."""
    environ = environ_of("/missing", {})

    def once() -> None:
        body = app(environ.copy(), lambda _status, _headers, _exc_info=None: bytes)
        getattr(body, "close", list)()

    return min(timeit.repeat(once, number=_REQUESTS, repeat=_ROUNDS)) / _REQUESTS

"""WebOb: the four jobs on a Request and a Response, in one layer and in four."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from benchmarks.case import Case
from benchmarks.limit import FOUR, SECURITY, SMALL
from benchmarks.peers.site import ORIGIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.case import Application
    from benchmarks.peers.site import Site


def timed(request: Any, handler: Callable[..., Any]) -> Any:
    """Say the milliseconds."""
    begun = perf_counter()
    response = handler(request)
    response.headers["Server-Timing"] = f"total;dur={(perf_counter() - begun) * 1000:.3f}"
    return response


def secured(response: Any) -> Any:
    """Add five fields where they are not there yet."""
    for name, value in SECURITY:
        response.headers.setdefault(name, value)
    return response


def shared(request: Any, response: Any) -> Any:
    """Let one origin read."""
    if request.headers.get("Origin") == ORIGIN:
        response.headers["Access-Control-Allow-Origin"] = ORIGIN
    response.vary = (*(response.vary or ()), "Origin")
    return response


def declined(request: Any, response: Any) -> Any:
    """Negotiate, and find that the page is too small to be encoded."""
    if "gzip" in request.accept_encoding and response.content_length >= SMALL:
        raise NotImplementedError
    response.vary = (*(response.vary or ()), "Accept-Encoding")
    return response


def one(app: Application) -> Application:
    """All of them in one layer."""
    from webob.dec import wsgify

    @wsgify.middleware
    def layer(request, app):
        response = timed(request, lambda request: request.get_response(app))
        return secured(shared(request, declined(request, response)))

    return layer(app)


def four(app: Application) -> Application:
    """A layer for each."""
    from webob.dec import wsgify

    for job in (declined, shared, lambda _, response: secured(response)):
        app = wsgify.middleware(lambda request, app, job=job: job(request, request.get_response(app)))(app)
    return wsgify.middleware(lambda request, app: timed(request, lambda request: request.get_response(app)))(app)


def encoding(site: Site) -> Application:
    """The pages of a site, encoded by encode_content: lazily what has no length."""
    from webob.dec import wsgify

    @wsgify.middleware
    def layer(request, app):
        response = request.get_response(app)
        if "gzip" in request.accept_encoding:
            response.encode_content(lazy=response.content_length is None)
        return response

    return layer(site)


NEEDS = ("webob",)
CASES = (
    Case("webob/one", "WebOb, one layer", one, FOUR, "limit/four", NEEDS),
    Case("webob/four", "WebOb, four layers", four, FOUR, "limit/four", NEEDS),
)

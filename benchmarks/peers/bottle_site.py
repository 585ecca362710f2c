"""Bottle: its hooks."""

from __future__ import annotations

from functools import cache
from time import perf_counter
from typing import TYPE_CHECKING, Any

from benchmarks.case import PAGE, Case
from benchmarks.limit import FOUR, SECURITY, SMALL, weight
from benchmarks.peers.site import ORIGIN

if TYPE_CHECKING:
    from benchmarks.case import Application

known = cache(weight)  # Bottle does not read Accept-Encoding


def bare(_app: Application) -> Application:
    """A Bottle application with one route."""
    import bottle

    app = bottle.Bottle()
    app.get("/")(lambda: PAGE)
    return app


def hooks(app: Application) -> Application:
    """The four jobs, each in an after_request hook. The one that was added last runs first."""
    from bottle import request

    site: Any = bare(app)
    site.hook("before_request")(lambda: setattr(request, "begun", perf_counter()))
    for hook in (timing, security, cors, declined):
        site.hook("after_request")(hook)
    return site


def timing() -> None:
    from bottle import request, response

    response.headers["Server-Timing"] = f"total;dur={(perf_counter() - request.begun) * 1000:.3f}"


def security() -> None:
    from bottle import response

    for name, value in SECURITY:
        response.headers.setdefault(name, value)


def cors() -> None:
    from bottle import request, response

    if request.headers.get("Origin") == ORIGIN:
        response.headers["Access-Control-Allow-Origin"] = ORIGIN
    vary(response, "Origin")


def declined() -> None:
    from bottle import request, response

    accepted = known(request.headers.get("Accept-Encoding", ""), "gzip") > 0
    if accepted and int(response.headers.get("Content-Length", 0)) >= SMALL:
        raise NotImplementedError
    vary(response, "Accept-Encoding")


def vary(response: Any, name: str) -> None:
    there = response.headers.get("Vary")
    response.headers["Vary"] = f"{there}, {name}" if there else name


NEEDS = ("bottle",)
CASES = (
    Case("bottle/bare", "Bottle", bare, needs=NEEDS),
    Case("bottle/four", "Bottle, after_request hooks", hooks, FOUR, "limit/four", NEEDS, "bottle/bare"),
)

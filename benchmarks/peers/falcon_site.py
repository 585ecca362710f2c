"""Falcon: four middleware components."""

from __future__ import annotations

from functools import cache
from sys import stderr
from time import perf_counter
from typing import TYPE_CHECKING, Any

from benchmarks.case import PAGE, Case
from benchmarks.limit import FOUR, SECURITY, SMALL, weight
from benchmarks.peers.site import EMPTY, ORIGIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.case import Application

known = cache(weight)  # Falcon does not read Accept-Encoding


class Page:
    def on_get(self, _request: Any, response: Any) -> None:
        response.data, response.content_type = PAGE, "text/html; charset=utf-8"


class Timing:
    def process_request(self, request: Any, _response: Any) -> None:
        request.context.begun = perf_counter()

    def process_response(self, request: Any, response: Any, _resource: Any, _succeeded: bool) -> None:  # noqa: FBT001
        response.set_header("Server-Timing", f"total;dur={(perf_counter() - request.context.begun) * 1000:.3f}")


class Security:
    def process_response(self, _request: Any, response: Any, _resource: Any, _succeeded: bool) -> None:  # noqa: FBT001
        for name, value in SECURITY:
            if response.get_header(name) is None:
                response.set_header(name, value)


class Cors:
    def process_response(self, request: Any, response: Any, _resource: Any, _succeeded: bool) -> None:  # noqa: FBT001
        if request.get_header("Origin") == ORIGIN:
            response.set_header("Access-Control-Allow-Origin", ORIGIN)
        response.append_header("Vary", "Origin")


class Declined:
    def process_response(self, request: Any, response: Any, _resource: Any, _succeeded: bool) -> None:  # noqa: FBT001
        accepted = known(request.get_header("Accept-Encoding") or "", "gzip") > 0
        if accepted and len(response.data) >= SMALL:
            raise NotImplementedError
        response.append_header("Vary", "Accept-Encoding")


def page(*middleware: type) -> Callable[[Application], Application]:
    """A Falcon application with one resource and these components, outermost first."""

    def make(_app: Application) -> Application:
        import falcon

        app = falcon.App(middleware=[component() for component in middleware])
        app.add_route("/", Page())

        def run(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
            environ["wsgi.input"], environ["wsgi.errors"] = EMPTY, stderr
            return app(environ, start_response)

        return run

    return make


NEEDS = ("falcon",)
CASES = (
    Case("falcon/bare", "Falcon", page(), needs=NEEDS),
    Case(
        "falcon/four",
        "Falcon, 4 middleware",
        page(Timing, Security, Cors, Declined),
        FOUR,
        "limit/four",
        NEEDS,
        "falcon/bare",
    ),
)

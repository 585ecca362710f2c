"""Starlette: its middleware for CORS and gzip, and two more written as its documentation shows (raw ASGI)."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from benchmarks.case import PAGE, Case
from benchmarks.limit import FOUR, SECURITY, SMALL
from benchmarks.peers.asgi import as_wsgi
from benchmarks.peers.site import METHODS, ORIGIN, PATTERN, PLAIN, RANGE, TAG, TEXT, Site, matches

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.case import Application


class Timing:
    """Says the milliseconds."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        from starlette.datastructures import MutableHeaders

        begun = perf_counter()

        async def timed(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.append("Server-Timing", f"total;dur={(perf_counter() - begun) * 1000:.3f}")
            await send(message)

        await self.app(scope, receive, timed)


class Security:
    """Adds five fields where they are not there yet."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        from starlette.datastructures import MutableHeaders

        async def secured(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY:
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, secured)


def page(*middleware: Callable[[], Any]) -> Callable[[Application], Application]:
    """A Starlette application with one route, in so many middleware."""

    def make(_app: Application) -> Application:
        from starlette.applications import Starlette
        from starlette.responses import Response
        from starlette.routing import Route

        async def root(_request: Any) -> Any:
            return Response(PAGE, media_type="text/html")

        return as_wsgi(Starlette(routes=[Route("/", root)], middleware=[one() for one in middleware]))

    return make


def timing() -> Any:
    from starlette.middleware import Middleware

    return Middleware(Timing)


def security() -> Any:
    from starlette.middleware import Middleware

    return Middleware(Security)


def cors() -> Any:
    from starlette.middleware import Middleware
    from starlette.middleware.cors import CORSMiddleware

    return Middleware(CORSMiddleware, allow_origins=[ORIGIN])


def gzip() -> Any:
    from starlette.middleware import Middleware
    from starlette.middleware.gzip import GZipMiddleware

    return Middleware(GZipMiddleware, minimum_size=SMALL)


def pages(site: Site, *middleware: Any) -> Application:
    """The pages of a site. Its streams are sent as messages: StreamingResponse wants an event loop."""
    from starlette.applications import Starlette
    from starlette.responses import Response
    from starlette.routing import Route

    async def root(request):
        if not matches(request.headers.get("If-Match")):
            return Response(status_code=412)
        return Response(TEXT, media_type=PLAIN, headers={"ETag": TAG})

    async def data(_request):
        return Response(site.data, media_type="application/json")

    async def part(_request):
        return Response(TEXT[:2000], 206, {"Content-Range": RANGE}, PLAIN)

    async def fail(_request):
        site.fail()

    class Stream:
        async def __call__(self, _scope, _receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", PLAIN.encode())]})
            for chunk in site.stream():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    views = {"/": root, "/data": data, "/part": part, "/stream": Stream(), "/error": fail}
    routes = [Route(path, view) for path, view in views.items()]
    return as_wsgi(Starlette(routes=routes, middleware=middleware))


def encoding(site: Site) -> Application:
    """Its pages, encoded by GZipMiddleware."""
    from starlette.middleware import Middleware
    from starlette.middleware.gzip import GZipMiddleware

    return pages(site, Middleware(GZipMiddleware))


def sharing(site: Site) -> Application:
    """Its pages, shared by CORSMiddleware."""
    from starlette.middleware import Middleware
    from starlette.middleware.cors import CORSMiddleware

    options = {"allow_origins": [ORIGIN], "allow_origin_regex": PATTERN}
    return pages(site, Middleware(CORSMiddleware, **options, allow_methods=METHODS, allow_credentials=True))


NEEDS = ("starlette",)
CASES = (
    Case("starlette/bare", "Starlette", page(), needs=NEEDS),
    Case(
        "starlette/four",
        "Starlette, its middleware",
        page(timing, security, cors, gzip),
        FOUR,
        "limit/four",
        NEEDS,
        "starlette/bare",
    ),
)

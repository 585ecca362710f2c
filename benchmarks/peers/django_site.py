"""Django: its middleware, and django-cors-headers."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from benchmarks.case import PAGE, Case
from benchmarks.limit import FOUR
from benchmarks.peers.site import EMPTY, METHODS, ORIGIN, PATTERN, PLAIN, RANGE, TAG, TEXT, Site, matches

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.case import Application

CORS = "corsheaders.middleware.CorsMiddleware"
GZIP = "django.middleware.gzip.GZipMiddleware"
CONDITIONAL = "django.middleware.http.ConditionalGetMiddleware"
FIVE = (
    "benchmarks.peers.django_site.timing",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    CORS,
    GZIP,
)
# Content-Security-Policy is not among what these send.
SENT = tuple(name for name in FOUR if name != "Content-Security-Policy")


def application(*middleware: str, urls: tuple[Any, ...], credentials: bool = False) -> Application:
    """A Django application with these middleware."""
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.test import override_settings

    if not settings.configured:
        settings.configure(
            ALLOWED_HOSTS=["*"],
            CORS_ALLOW_CREDENTIALS=credentials,
            CORS_ALLOWED_ORIGINS=[ORIGIN],
            CORS_ALLOWED_ORIGIN_REGEXES=[PATTERN],
            CORS_ALLOW_METHODS=METHODS,
            LOGGING_CONFIG=None,
            ROOT_URLCONF=type("Urls", (), {"urlpatterns": urls}),
            X_FRAME_OPTIONS="DENY",
        )
    with override_settings(MIDDLEWARE=middleware):
        return get_wsgi_application()


def timing(get_response: Callable[..., Any]) -> Callable[..., Any]:
    """Say the milliseconds, as there is no middleware of Django's for it."""

    def run(request: Any) -> Any:
        begun = perf_counter()
        response = get_response(request)
        response.headers["Server-Timing"] = f"total;dur={(perf_counter() - begun) * 1000:.3f}"
        return response

    return run


def page(*middleware: str) -> Callable[[Application], Application]:
    """The page with these middleware.

    GZipMiddleware encodes from 200 bytes on and lets nobody choose, so the request accepts another coding.
    """

    def make(_app: Application) -> Application:
        from django.http import HttpResponse
        from django.urls import path

        fields = {"Content-Length": str(len(PAGE))}
        app = application(*middleware, urls=(path("", lambda _: HttpResponse(PAGE, headers=fields)),))

        def run(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
            environ["HTTP_ACCEPT_ENCODING"], environ["wsgi.input"] = "br", EMPTY
            return app(environ, start_response)

        return run

    return make


def pages(site: Site, *middleware: str) -> Application:
    """The pages of a site."""
    from django.http import HttpResponse, StreamingHttpResponse
    from django.urls import path

    def root(request):
        if not matches(request.headers.get("If-Match")):
            return HttpResponse(status=412)
        return HttpResponse(TEXT, content_type=PLAIN, headers={"ETag": TAG})

    def part(_):
        return HttpResponse(TEXT[:2000], content_type=PLAIN, status=206, headers={"Content-Range": RANGE})

    urls = (
        path("", root),
        path("data", lambda _: HttpResponse(site.data, content_type="application/json")),
        path("part", part),
        path("stream", lambda _: StreamingHttpResponse(site.stream(), content_type=PLAIN)),
        path("watched", lambda _: StreamingHttpResponse(site.watched(), content_type=PLAIN)),
        path("error", site.fail),
    )
    return application(*middleware, urls=urls, credentials=True)


def encoding(site: Site) -> Application:
    """Its pages, encoded by GZipMiddleware."""
    return pages(site, GZIP)


def sharing(site: Site) -> Application:
    """Its pages, shared by django-cors-headers."""
    return pages(site, CORS)


NEEDS = ("django", "corsheaders")
CASES = (
    Case("django/bare", "Django", page(), needs=NEEDS),
    Case("django/four", "Django, its middleware", page(*FIVE), SENT, "limit/four", NEEDS, "django/bare"),
    Case(
        "django/conditional",
        "Django, and ConditionalGet",
        page(*FIVE[:-1], CONDITIONAL, GZIP),
        (*SENT, "ETag"),
        "limit/four",
        NEEDS,
        "django/bare",
    ),
)

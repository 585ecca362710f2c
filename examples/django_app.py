"""Django in one file, inside the same stack as flask_app.py.

Run it from within examples/, by waitress or by this package:

    waitress-serve --listen=127.0.0.1:8080 django_app:application
    python -m middleware serve django_app:application --listen 127.0.0.1:8080

    curl -i -H 'If-None-Match: "v1"' http://127.0.0.1:8080/article

shows a 304 from Django, with X-App, X-Content-Type-Options, Cache-Control and Server-Timing.
"""

import secrets

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.template import Context, Engine
from django.urls import path, reverse
from django.views.decorators.http import etag
from policy import stack

from middleware import csp_nonce

PAGE = """<!doctype html>
<title>Page</title>
<p id="said">Inline scripts do not run.</p>
<script nonce="{{ csp_nonce }}">document.getElementById("said").textContent = "This one has the nonce."</script>
"""

settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    SECRET_KEY=secrets.token_urlsafe(),
)


def index(_request: HttpRequest) -> HttpResponse:
    """Say hello."""
    return HttpResponse("Hello from Django\n", content_type="text/plain")


def page(request: HttpRequest) -> HttpResponse:
    """Send a page whose inline script may run: it has the nonce of the policy."""
    context = Context(csp_nonce(request))
    return HttpResponse(Engine().from_string(PAGE).render(context))


def error(_request: HttpRequest) -> HttpResponse:
    """Fail."""
    raise RuntimeError("this route always fails")


def stream(_request: HttpRequest) -> StreamingHttpResponse:
    """Send three lines, each as soon as it is there."""
    lines = (f"line {number}\n" for number in (1, 2, 3))
    return StreamingHttpResponse(lines, content_type="text/plain")


def old(_request: HttpRequest) -> HttpResponse:
    """Send visitors on to the first page."""
    return HttpResponseRedirect(reverse("index"))


@etag(lambda _request: '"v1"')
def article(_request: HttpRequest) -> HttpResponse:
    """Send an article, or a 304 to who has it."""
    return HttpResponse("An article that seldom changes\n", content_type="text/plain")


urlpatterns = [
    path("", index, name="index"),
    path("page", page),
    path("error", error),
    path("stream", stream),
    path("old", old),
    path("article", article),
]

application = stack.wrap(get_wsgi_application())

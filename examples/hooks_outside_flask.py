"""What tutorials on Flask's request hooks show, around an application that is plain WSGI, and around one of Django.

The hooks stand here as they stand there: `app` is called `hooks`, and the import is another. Some tutorials are wrong
about what happens; a comment says what does, and so does the response. Each lesson is at /plain/... and /django/...,
over the same few pages: /, /home, /bare, /public, /admin, /work, /result, /stream and /error. The last two lessons are
on the hooks of Kyoukai, which get a context.

Run it from within examples/, by waitress or by this package:

    waitress-serve --listen=127.0.0.1:8080 hooks_outside_flask:application
    python -m middleware serve hooks_outside_flask:application --listen 127.0.0.1:8080

    curl -i http://127.0.0.1:8080/plain/deep-dive/error

shows a 500 that has the X-Note and the security headers: after_request hooks run for errors too.
"""

import gzip
import json
import logging
import secrets
import sys
import time
from io import BytesIO
from wsgiref.util import shift_path_info

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path

from middleware import ContextHooks, Hooks
from middleware.hooks import g, make_response, request

logging.basicConfig(level=logging.INFO, format="%(message)s")
logger = logging.getLogger("demo.views")
sys.stdout.reconfigure(line_buffering=True)  # so that what hooks print is seen at once, in a pipe as well


# -- After_request hooks in Flask, deep dive ---------------------------------------------------------------------------


class Sink(list):
    """Stands for a database that logs, or for a queue of tasks."""

    write_log = add_log = list.append


db, task_queue = Sink(), Sink()


def deep_dive(hooks):
    """Headers, cookies and logs for every response, those to errors included."""

    @hooks.after_request
    def modify_response(response):
        response.headers["X-Custom"] = "value"
        response.set_cookie("seen", "yes")
        return response

    @hooks.after_request
    def security_headers(response):
        response.headers["Content-Security-Policy"] = "default-src 'self'"
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
        return response

    @hooks.after_request
    def save_log(response):
        db.write_log(request.path)  # the client waits for it
        return response

    @hooks.after_request
    def enqueue_log(response):
        task_queue.add_log(request.path)  # the client waits for this alone; a worker does the rest
        return response

    @hooks.after_request
    def add_header(response):
        # Said to be missing on errors. It is on a 404 and on a 500 as well.
        response.headers["X-Note"] = "Always runs"
        return response


def deep_dive_order(hooks):
    """Several hooks, each of which gets the response of the one before."""

    @hooks.after_request
    def first(response):
        response.headers["X-Order"] += " first"
        return response

    @hooks.after_request
    def second(response):
        response.headers["X-Order"] += " second"
        return response

    @hooks.after_request
    def last(response):
        # Said to run last. The last registered runs first: X-Order is "last second first".
        response = make_response(response.get_data(), response.status)  # another response is fine
        response.headers["X-Order"] = "last"
        return response


def deep_dive_errors(hooks):
    """A page of one's own for every exception."""

    @hooks.errorhandler(Exception)
    def handle_error(_error):
        # It takes exceptions. A 404 that the application returned is none: it stays as it is, unless statuses=True.
        response = make_response("Error occurred", 500)
        response.headers["X-Note"] = "Error handled"
        return response

    @hooks.after_request
    def add_header(response):
        # Said to be skipped when a handler runs. It runs after that.
        response.headers["X-After"] = "runs too"
        return response


def deep_dive_request(hooks):
    """A hook that would change the request, which is over."""

    @hooks.after_request
    def change_request(response):
        # This changes what later hooks read of the request, and nothing of the response.
        request.data = b"new data"
        return response


# -- After_request hooks in Flask, five minutes ------------------------------------------------------------------------


def five_minutes(hooks):
    """A header, a line of log, and a security header on JSON."""

    @hooks.after_request
    def add_header(response):
        response.headers["X-Custom-Header"] = "MyValue"
        return response

    @hooks.after_request
    def log_response(response):
        # Said to run after the response was sent. It runs before: the header above would come too late otherwise.
        print(f"Response status: {response.status}")
        return response

    @hooks.after_request
    def add_security_header(response):
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def five_minutes_forgotten(hooks):
    """The return that is forgotten."""

    @hooks.after_request
    def forgets(response):
        # Flask lets a TypeError out to the server. Here it names this hook in the log, and the client gets a 500.
        response.headers["X-Custom-Header"] = "MyValue"


# -- Process responses after each request ------------------------------------------------------------------------------


def each_request(hooks):
    """CORS, logs and compression by hand."""

    @hooks.after_request
    def after_request(response):
        response.headers["X-Custom-Header"] = "Custom Value"
        return response

    @hooks.after_request
    def add_cors_headers(response):
        # Nothing here answers a preflight: middleware.CORS does.
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Access-Control-Allow-Methods"] = "GET, POST, PUT, DELETE"
        return response

    @hooks.after_request
    def log_response(response):
        hooks.logger.info(f"Response Status: {response.status}")  # noqa: G004 - as it stands there
        return response

    @hooks.after_request
    def compress_response(response):
        # Not true of "text/html; charset=utf-8", which is what pages have: only /bare gets here. And then nobody asks
        # whether the client takes gzip, and Vary does not say so: middleware.Compress does both.
        if response.headers.get("Content-Type") == "text/html":
            compressed = BytesIO()
            with gzip.GzipFile(fileobj=compressed, mode="wb") as gz:
                gz.write(response.data)
            response.data = compressed.getvalue()
            response.headers["Content-Encoding"] = "gzip"
        return response

    @hooks.after_request
    def handle_errors(response):
        if response.status_code >= 400:
            hooks.logger.error(f"Request failed with status {response.status_code}")  # noqa: G004 - the same
        return response


# -- Request hooks (before/after_request) ------------------------------------------------------------------------------


def both_hooks(hooks):
    """One hook before and one after."""

    @hooks.before_request
    def before():
        print("before_request ran")

    @hooks.after_request
    def after(response):
        response.headers["X-App"] = "Flask-Demo"
        return response


def guard(hooks):
    """A hook that answers, so that the application is not asked."""

    @hooks.before_request
    def check_key():
        # A scope would do without the if: @hooks.scope("/admin").before_request
        if request.path.startswith("/admin") and request.args.get("key") != "letmein":
            return "Forbidden", 403
        return None


def timing(hooks):
    """A clock, and the end of a request."""

    @hooks.before_request
    def start_timer():
        g.start = time.perf_counter()

    @hooks.after_request
    def stop_timer(response):
        response.headers["X-Timed"] = "yes" if time.perf_counter() >= g.start else "no"
        return response

    @hooks.teardown_request
    def cleanup(error):
        # In Flask this runs before the first chunk of the body, here after the last one.
        hooks.logger.info("%s is over: %r", request.full_path, error)


def exercise(hooks):
    """The exercise at the end."""

    @hooks.before_request
    def before():
        g.lesson = "request-hooks"

    @hooks.after_request
    def after(response):
        response.headers["X-Lesson"] = g.lesson
        return response


# -- Request hooks of Kyoukai ------------------------------------------------------------------------------------------


def contexts(hooks):
    """Hooks for all requests, for a blueprint, which is a scope here, and for a route; async and not."""

    @hooks.before_request
    async def print_request(ctx):
        print("Request for", ctx.request.path)
        return ctx  # can be omitted to leave `ctx` in place

    @hooks.after_request
    async def jsonify(_ctx, response):
        # The page has `r` for `response`, which is a NameError, and so a 500: see contexts_failing.
        if not isinstance(response.response, dict):
            return response
        response.set_data(json.dumps(response.response))
        return response

    for level, where in (("global", hooks), ("scope", hooks.scope("/admin")), ("route", hooks.route("/work"))):

        def say(_ctx, response, level=level):
            # In the order added, outermost first: not as in Flask.
            response.headers.add("X-Level", level)

        where.add_hook("post", say)


def contexts_failing(hooks):
    """All hooks must complete: if one does not, it is a 500, and the others are left out."""

    @hooks.after_request
    async def jsonify(_ctx, response):
        if not isinstance(response.response, dict):
            return response
        r.set_data(json.dumps(response.response))  # noqa: F821 - as the page has it
        return r  # noqa: F821

    @hooks.after_request
    def left_out(_ctx, response):
        response.headers["X-Level"] = "global"


# -- two applications that know nothing of hooks -----------------------------------------------------------------------

PAGES = {
    "/": ("text/html; charset=utf-8", b"Hello, World!"),
    "/home": ("application/json", b'{"message":"Hello, world!"}\n'),
    "/bare": ("text/html", b"Hello, World!"),
    "/public": ("text/plain", b"Public page"),
    "/admin": ("text/plain", b"Admin panel"),
    "/work": ("text/plain", b"done"),
    "/result": ("text/plain", b"what hooks with a context do not look at"),
}


def pieces():
    """Tell when each piece of a body is made; `request` is that of the hooks, in any framework."""
    for piece in (b"first ", b"second"):
        logger.info("%s sends %s", request.full_path, piece.decode().strip())
        yield piece


def fail(*_):
    """Fail, as views do."""
    raise RuntimeError("this route always fails")


def plain(environ, start_response):
    """The pages, by WSGI alone."""
    where = environ["PATH_INFO"]
    if where == "/error":
        fail()
    if where == "/stream":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return pieces()
    if where == "/result":
        environ["middleware.result"] = {"a": 1}
    status = "200 OK" if where in PAGES else "404 Not Found"
    content_type, body = PAGES.get(where, ("text/plain", b"There is nothing here\n"))
    start_response(status, [("Content-Type", content_type), ("Content-Length", str(len(body)))])
    return [body]


settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    SECRET_KEY=secrets.token_urlsafe(),
    LOGGING_CONFIG=None,
    DEBUG_PROPAGATE_EXCEPTIONS=True,  # an error reaches the hooks; errors_from_frameworks.py has another way
)


def page(http_request):
    """Any page, by Django."""
    if http_request.path_info == "/result":
        http_request.META["middleware.result"] = {"a": 1}
    content_type, body = PAGES[http_request.path_info]
    return HttpResponse(body, content_type=content_type)


def stream(_http_request):
    """The stream, by Django."""
    return StreamingHttpResponse(pieces(), content_type="text/plain")


urlpatterns = [path(name[1:], page) for name in PAGES]
urlpatterns += [path("stream", stream), path("error", fail)]

# -- every lesson around both ------------------------------------------------------------------------------------------

LESSONS = {
    "deep-dive": deep_dive,
    "deep-dive-order": deep_dive_order,
    "deep-dive-errors": deep_dive_errors,
    "deep-dive-request": deep_dive_request,
    "five-minutes": five_minutes,
    "five-minutes-forgotten": five_minutes_forgotten,
    "each-request": each_request,
    "both-hooks": both_hooks,
    "guard": guard,
    "timing": timing,
    "exercise": exercise,
}
CONTEXT_LESSONS = {
    "contexts": contexts,
    "contexts-failing": contexts_failing,
}


def taught(hooks, lesson, app):
    """The application inside the hooks of a lesson."""
    lesson(hooks)
    return hooks.wrap(app)


applications = {
    (kind, name): taught(dialect(), lesson, app)
    for kind, app in (("plain", plain), ("django", get_wsgi_application()))
    for dialect, lessons in ((Hooks, LESSONS), (ContextHooks, CONTEXT_LESSONS))
    for name, lesson in lessons.items()
}


def application(environ, start_response):
    """Hand a request on to the lesson that the first two segments of its path name."""
    chosen = applications.get((shift_path_info(environ), shift_path_info(environ)))
    if chosen is not None:
        return chosen(environ, start_response)
    listing = "".join(f"/{kind}/{name}/\n" for kind, name in applications).encode()
    start_response("404 Not Found", [("Content-Type", "text/plain"), ("Content-Length", str(len(listing)))])
    return [listing]

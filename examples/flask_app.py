"""Flask inside a stack: pages, errors, redirects, streams and 304s all carry the headers of one policy.

Run it from within examples/, by waitress or by this package:

    waitress-serve --listen=127.0.0.1:8080 flask_app:application
    python -m middleware serve flask_app:application --listen 127.0.0.1:8080

    curl -i http://127.0.0.1:8080/error

shows Flask's own page for a 500, with X-App, X-Content-Type-Options, Cache-Control and Server-Timing.
"""

from collections.abc import Iterator

from flask import Flask, Response, redirect, render_template_string, request, url_for
from policy import stack
from werkzeug.wrappers import Response as BaseResponse

from middleware import csp_nonce

PAGE = """<!doctype html>
<title>Page</title>
<p id="said">Inline scripts do not run.</p>
<script nonce="{{ csp_nonce }}">document.getElementById("said").textContent = "This one has the nonce."</script>
"""

app = Flask(__name__)


@app.get("/")
def index() -> str:
    """Say hello."""
    return "Hello from Flask\n"


@app.get("/page")
def page() -> str:
    """Send a page whose inline script may run: it has the nonce of the policy."""
    return render_template_string(PAGE, **csp_nonce(request))


@app.get("/error")
def error() -> str:
    """Fail."""
    raise RuntimeError("this route always fails")


@app.get("/stream")
def stream() -> Response:
    """Send three lines, each as soon as it is there."""

    def lines() -> Iterator[str]:
        for number in (1, 2, 3):
            yield f"line {number}\n"

    return Response(lines(), mimetype="text/plain")


@app.get("/old")
def old() -> BaseResponse:
    """Send visitors on to the first page."""
    return redirect(url_for("index"))


@app.get("/article")
def article() -> Response:
    """Send an article, or a 304 to who has it."""
    response = Response("An article that seldom changes\n", mimetype="text/plain")
    response.set_etag("v1")
    response.make_conditional(request)
    return response


application = stack.wrap(app)

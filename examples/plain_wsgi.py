"""A stack around a plain WSGI function: no framework, and the application adds a metric of its own.

Run it from within examples/, by waitress or by this package:

    waitress-serve --listen=127.0.0.1:8080 plain_wsgi:application
    python -m middleware serve plain_wsgi:application --listen 127.0.0.1:8080

    curl -i http://127.0.0.1:8080/

shows `Server-Timing: total;dur=..., greet;desc="choosing words";dur=...` and `X-Seen: GET 200`, made for each response.
/error shows the plain 500 of the stack: it has the same fields, and the log has the traceback.
"""

from collections.abc import Callable, Iterable
from typing import Any

from middleware import Headers, Response, Stack, Timing


def seen(environ: dict[str, Any], response: Response) -> str:
    """Make the value of a field from the request and its response."""
    return f"{environ['REQUEST_METHOD']} {response.status_code}"


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Greet; fail; or know nothing."""
    if environ["PATH_INFO"] == "/error":
        raise RuntimeError("this route always fails")
    status, body = "404 Not Found", b"There is nothing here\n"
    if environ["PATH_INFO"] == "/":
        with environ["middleware.timing"].measure("greet", "choosing words"):
            status, body = "200 OK", b"Hello from plain WSGI\n"
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


stack = Stack(Timing(), Headers(set={"X-App": "demo", "X-Seen": seen}))
application = stack.wrap(app)

"""`demo`: a small application without a framework, in a stack. Its page shows what the stack did to the response.

`python -m middleware show middleware.cli.demo:stack` prints the chain.
"""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from middleware import CORS, Compress, Conditional, Headers, Inspector, RequestId, SecurityHeaders, Stack, Timing
from middleware.cli.demo.page import begin
from middleware.cli.demo.samples import samples
from middleware.cli.logged import logged
from middleware.cli.output import say
from middleware.cli.server import listen, run, url
from middleware.sight.explain import so_far, watched

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Iterator

    from middleware.wsgi.types import Application, Environ, StartResponse

_TEXT: Final = ("Content-Type", "text/plain; charset=utf-8")
_STEPS: Final = 5
_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?")
_LONGEST: Final = 5.0  # seconds between two lines
_ITEMS: Final = ("tea", "coffee", "cocoa", "milk", "sugar")
_ORDERS: Final = json.dumps(
    [{"order": number, "item": _ITEMS[number % 5], "pieces": number % 7 + 1} for number in range(1, 401)], indent=1
).encode()

# Outermost first. The page shows these lines.
stack = Stack(
    RequestId(),
    Timing(),
    SecurityHeaders(preset="strict"),
    CORS(allow_origins=["https://app.example"], allow_headers=["Content-Type"]),
    Headers(set={"X-Demo": "wsgi-middleware-stack"}, default={"Cache-Control": "no-cache"}),
    Compress(),
    Conditional(),
)


def demo(arguments: Namespace) -> int:
    """Serve the demo on `arguments.listen` until a signal; return 0."""
    with listen(arguments.listen) as listener:
        say(stack)
        samples(stack, route)  # before a client waits for it
        inspector = Inspector()
        inspector.tell(url(listener))
        site = logged(watched(inspector, stack, route), "combined", redact=("key",))  # the token of the Inspector
        # Without their headers, requests that come by a proxy look local to the Inspector.
        run(site, listener, clear_untrusted_proxy_headers=False)
    return 0


def home(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """The page. Its body is completed after the head has passed every layer."""
    if not so_far(environ).steps:
        start_response("200 OK", [_TEXT])
        return [b"This page shows what an Inspector records: python -m middleware demo\n"]
    finish = begin(stack, environ)
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"), ("X-Powered-By", "plain WSGI")])

    def body() -> Iterator[bytes]:
        yield finish(so_far(environ), samples(stack, route)).encode()

    return body()


def orders(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """A resource of an API: the same bytes each time."""
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(_ORDERS)))])
    return [_ORDERS]


def error(_environ: Environ, _start_response: StartResponse) -> Iterable[bytes]:
    """Raise, as an application with a bug does."""
    raise RuntimeError("the application has a bug")


def stream(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Five lines, one by one. `?pause=` sets the seconds between them, from 0 to 5; default 0.5."""
    given = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True).get("pause", ["0.5"])[0]
    pause = float(given) if _NUMBER.fullmatch(given) else _LONGEST + 1
    if pause > _LONGEST:
        start_response("400 Bad Request", [_TEXT])
        return [b"pause is a number of seconds from 0 to 5.\n"]
    start_response("200 OK", [_TEXT])

    def lines() -> Iterator[bytes]:
        for number in range(1, _STEPS + 1):
            if number > 1:
                time.sleep(pause)
            yield f"line {number} of {_STEPS}\n".encode()

    return lines()


def favicon(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """No content, so that browsers log no error."""
    start_response("204 No Content", [])
    return []


def route(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """The application: one function for each path."""
    found: Application | None = ROUTES.get(environ["PATH_INFO"])
    if found is not None:
        return found(environ, start_response)
    start_response("404 Not Found", [_TEXT])
    return [b"There is nothing here. / shows what there is.\n"]


ROUTES: Final[dict[str, Application]] = {
    "/": home,
    "/error": error,
    "/favicon.ico": favicon,
    "/orders": orders,
    "/stream": stream,
}
application = stack.wrap(route)

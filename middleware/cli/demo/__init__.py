"""`demo`: a small application without a framework, in a stack. Its page shows what the stack did to the response.

`python -m middleware show middleware.cli.demo:stack` prints the chain.
"""

from __future__ import annotations

import re
import time
from math import inf
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from middleware.cli.demo.ledger import KEY, Ledger
from middleware.cli.demo.page import page
from middleware.cli.output import say
from middleware.cli.server import listen, run
from middleware.layers.compress import Compress
from middleware.layers.cors import CORS
from middleware.layers.headers import Headers
from middleware.layers.security import SecurityHeaders
from middleware.layers.timing import Timing
from middleware.stack.builder import Stack

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Iterator

    from middleware.wsgi.types import Application, Environ, StartResponse

_TEXT: Final = ("Content-Type", "text/plain; charset=utf-8")
_STEPS: Final = 5
_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?")
_LONGEST: Final = 5.0  # seconds between two lines

# Outermost first. The page shows every layer of this stack.
stack = Stack(
    Ledger(),
    Timing(layers=True),
    SecurityHeaders(preset="strict", remove=()),
    CORS(allow_origins=["https://app.example"], timing_origins=["https://app.example"]),
    Headers(
        set={"X-Demo": "wsgi-middleware-stack"},
        default={"Cache-Control": "no-store"},
        remove=["X-Powered-By"],
    ),
    Compress(),
)


def demo(arguments: Namespace) -> int:
    """Serve the demo on `arguments.listen` until a signal; return 0."""
    with listen(arguments.listen) as listener:
        say(stack)
        run(application, listener)
    return 0


def home(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """The page. Its body is completed after the head has passed every layer."""
    with environ["middleware.timing"].measure("describe", "describing the stack"):
        finish = page(stack, environ)
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"), ("X-Powered-By", "plain WSGI")])

    def body() -> Iterator[bytes]:
        yield finish(environ[KEY]).encode()

    return body()


def error(_environ: Environ, _start_response: StartResponse) -> Iterable[bytes]:
    """Raise, as an application with a bug does."""
    raise RuntimeError("what an application does that has a bug")


def stream(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Five lines, one by one. `?pause=` sets the seconds between them, from 0 to 5; default 0.5."""
    given = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True).get("pause", ["0.5"])[0]
    pause = float(given) if _NUMBER.fullmatch(given) else inf
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


ROUTES: Final[dict[str, Application]] = {"/": home, "/error": error, "/favicon.ico": favicon, "/stream": stream}
application = stack.wrap(route)

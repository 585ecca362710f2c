"""`demo`: a small application without a framework, in a stack. What it tells of the stack is what the stack did.

As a chain: `python -m middleware show middleware.cli.demo:stack`.
"""

from __future__ import annotations

import re
import time
from math import inf
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from middleware.cli.ledger import KEY, Ledger
from middleware.cli.listening import listen
from middleware.cli.output import say
from middleware.cli.page import page
from middleware.cli.serving import run
from middleware.layers.compress import Compress
from middleware.layers.cors import CORS
from middleware.layers.headers import Headers
from middleware.layers.security import SecurityHeaders
from middleware.layers.timing import Timing
from middleware.stack.builder import Stack

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterable, Iterator

    from middleware.cli.ledger import Record
    from middleware.wsgi.types import Application, Environ, StartResponse

_TEXT: Final = ("Content-Type", "text/plain; charset=utf-8")
_STEPS: Final = 5
_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?")
_LONGEST: Final = 5.0  # seconds between two lines

# Outermost first. A layer more is a line more: the page shows whatever stands here.
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
    """Serve the demo on `arguments.listen`; return 0 when it was asked to end."""
    with listen(arguments.listen) as listener:
        say(stack)
        run(application, listener)
    return 0


def _route(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    return _ROUTES.get(environ["PATH_INFO"], _missing)(environ, start_response)


def _page(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """The page. Its body is made when the server asks for it, which is after the head has passed every layer."""
    with environ["middleware.timing"].measure("describe", "describing the stack"):
        finish = page(stack, environ)
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"), ("X-Powered-By", "plain WSGI")])
    return _later(finish, environ)


def _later(finish: Callable[[Record], str], environ: Environ) -> Iterator[bytes]:
    yield finish(environ[KEY]).encode()


def _error(*_: object) -> Iterable[bytes]:
    raise RuntimeError("what an application does that has a bug")


def _stream(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Lines that come one by one; `?pause=` takes the seconds between them, from 0 to 5."""
    pause = _pause(environ)
    if pause is None:
        start_response("400 Bad Request", [_TEXT])
        return [b"pause is a number of seconds from 0 to 5.\n"]
    start_response("200 OK", [_TEXT])
    return _lines(pause)


def _pause(environ: Environ) -> float | None:
    """The seconds between two lines; None for what is no such number."""
    given = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True).get("pause", ["0.5"])[0]
    pause = float(given) if _NUMBER.fullmatch(given) else inf
    return pause if pause <= _LONGEST else None


def _lines(pause: float) -> Iterator[bytes]:
    for number in range(1, _STEPS + 1):
        if number > 1:
            time.sleep(pause)
        yield f"line {number} of {_STEPS}\n".encode()


def _icon(_: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """None, and a browser does not complain of it."""
    start_response("204 No Content", [])
    return []


def _missing(_: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("404 Not Found", [_TEXT])
    return [b"There is nothing here. / shows what there is.\n"]


_ROUTES: Final[dict[str, Application]] = {"/": _page, "/error": _error, "/favicon.ico": _icon, "/stream": _stream}
application = stack.wrap(_route)

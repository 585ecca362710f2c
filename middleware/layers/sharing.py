"""Sharing a response with other origins: the lines that say so, put where they are missing (Fetch 3.3 and 4.10)."""

from __future__ import annotations

from functools import lru_cache, partial
from operator import is_
from typing import TYPE_CHECKING, Final, NamedTuple

from middleware.http import cors
from middleware.http.vary import merge

if TYPE_CHECKING:
    from collections.abc import Callable

    from middleware.http.fields import Edit, Line
    from middleware.wsgi.response import Response
    from middleware.wsgi.types import Environ

# This very tuple marks an answer to a preflight: a CORS that meets the response leaves it alone.
PREFLIGHT: Final = ("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
VARY: Final = ("Vary", "Origin")
TIMING: Final = "Timing-Allow-Origin"
_ALLOW_ORIGIN: Final = cors.ALLOW_ORIGIN.lower()


class Decision(NamedTuple):
    """What a response gets, once it is known who asks.

    Attributes:
        origin: str or None. What Access-Control-Allow-Origin says; None: the origin is refused, or there is none.
        granted: adds the lines for that origin.
        timing: adds the line for Timing-Allow-Origin, if there is one, where there is none yet.
        lines: every line of it, as an ordinary response gets them.
    """

    origin: str | None
    granted: Edit
    timing: Edit
    lines: tuple[Line, ...]


def finishing(
    nobody: Decision, decide: Callable[[str, Environ], Decision] | None
) -> Callable[[Environ, Response], None]:
    """What edits a response.

    `nobody`: the decision for a request without Origin, and for every request if there is nothing to decide.
    """
    glance = _glancing()

    def finish(environ: Environ, response: Response) -> None:
        decision = nobody
        if decide is not None and "HTTP_ORIGIN" in environ:
            decision = decide(environ["HTTP_ORIGIN"], environ)
        if response.folded is not None or not glance(response, decision):
            _merge(response, decision)

    return finish


def _glancing() -> Callable[[Response, Decision], bool]:
    """Add the lines to an ordinary response, which has none of them but perhaps a Vary: it is looked through once."""
    watched = {_ALLOW_ORIGIN, cors.ALLOW_CREDENTIALS.lower(), "vary", TIMING.lower()}
    lengths = frozenset(map(len, watched))

    def glance(response: Response, decision: Decision) -> bool:
        found = None
        for line in response.lines:
            if len(line[0]) in lengths and line[0].lower() in watched:
                if found:
                    return False
                found = line
        response.folded = False  # the next layer to ask folds the names
        return _add_beside(found, response, decision)

    return glance


def _add_beside(found: Line | None, response: Response, decision: Decision) -> bool:
    """Add the lines where there is but one of those that are watched, if that is easily done."""
    if found is None:
        response.lines += decision.lines
    elif found[0].lower() != "vary":
        return False
    elif found is not PREFLIGHT:
        _vary(found, response, decision.lines)
    return True


def _vary(found: Line, response: Response, lines: tuple[Line, ...]) -> None:
    """Add the lines; the Vary that there is takes in ours, which is the last."""
    if VARY in lines:
        response.lines[response.lines.index(found)] = "Vary", _varied(found[1])
        lines = lines[:-1]
    response.lines += lines


@lru_cache(256)
def _varied(value: str) -> str:
    """The value, which the application sent, with Origin in it."""
    return merge([value], ["Origin"])


def _merge(response: Response, decision: Decision) -> None:
    """Add the lines to a response that may have several of them; one that answers a preflight has all it gets."""
    if any(map(partial(is_, PREFLIGHT), response.lines)):
        return
    if decision.origin and _ALLOW_ORIGIN not in response.names():
        del response[cors.ALLOW_CREDENTIALS]  # of the application: without an origin it says nothing
        decision.granted(None, response)
    decision.timing(None, response)
    if VARY in decision.lines:
        response.vary("Origin")

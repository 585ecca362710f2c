"""Sharing a response with other origins: the lines that say so, put where they are missing (Fetch 3.3 and 4.10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from middleware.http.edits import varied, varying
from middleware.layers.cors import preflight

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from middleware.http.edits import Edit
    from middleware.http.fields import Fields, Line
    from middleware.wsgi.response import Response
    from middleware.wsgi.types import Environ

# This very value marks an answer to a preflight: a CORS that meets the response leaves it alone.
PREFLIGHT: Final = ("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
VARY: Final = ("Vary", "Origin")
TIMING: Final = "Timing-Allow-Origin"
_ALLOW_ORIGIN: Final = preflight.ALLOW_ORIGIN.lower()
_WATCHED: Final = frozenset((_ALLOW_ORIGIN, preflight.ALLOW_CREDENTIALS.lower(), TIMING.lower()))
_ENCODED: Final = varied(("Accept-Encoding",))  # the line of who encodes, mostly the layer before
_vary: Final = varying(("Origin",))


@dataclass(frozen=True, slots=True)
class Decision:
    """What a response gets, once it is known who asks.

    Attributes:
        origin: str or None. What Access-Control-Allow-Origin says; None: the origin is refused, or there is none.
        granted: adds the lines for that origin.
        timing: adds the line for Timing-Allow-Origin, if there is one, where there is none yet.
        lines: every line of it but that for Vary, as an ordinary response gets them.
        folded: the same, name in lower case -> value.
    """

    origin: str | None
    granted: Edit
    timing: Edit
    lines: tuple[Line, ...]
    folded: Mapping[str, str]


def finishing(
    known: Mapping[str, Decision], ask: Callable[[str, Environ], Decision] | None, *, varies: bool
) -> Callable[[Environ, Response], None]:
    """What edits a response.

    `known`: the decision for an origin; none has the empty one. `ask`: asked instead. `varies`: whether decisions
    differ, so that Vary names Origin.
    """
    glance, share = _glancing(varies=varies), _sharing(varies=varies)
    beside = varied(("Accept-Encoding", "Origin")) if varies else _ENCODED
    also = beside[1][len(_ENCODED[1]) :]

    def finish(environ: Environ, response: Response) -> None:
        origin = environ.get("HTTP_ORIGIN", "")
        decision = known[origin] if ask is None else ask(origin, environ)
        if response.folded is None and glance(response, decision):
            return
        names = response.folded or response.names()
        lines = response.lines
        if lines and lines[-1] is _ENCODED and _WATCHED.isdisjoint(names):
            lines[-1] = beside  # by far the most responses of a stack that encodes: as `share` does, without the call
            names["vary"] += also
            lines += decision.lines
            names |= decision.folded
        else:
            share(response, decision, names)

    return finish


def _sharing(*, varies: bool) -> Callable[[Response, Decision, dict[str, str]], None]:
    """Add the lines to a response whose names are known, as far as they are missing."""
    vary = _vary if varies else _leave

    def share(response: Response, decision: Decision, names: dict[str, str]) -> None:
        if names.get("vary") is PREFLIGHT[1]:
            return  # one that answers a preflight has all it gets
        vary(response, names)
        if _WATCHED.isdisjoint(names):
            response.lines += decision.lines
            names |= decision.folded
        else:
            _merge(response, decision, names)

    return share


def _leave(_: Fields, __: dict[str, str]) -> None:
    """Change nothing: to everybody the response is the same."""


def _glancing(*, varies: bool) -> Callable[[Response, Decision], bool]:
    """Add the lines to an ordinary response, which has none of them but perhaps a Vary: it is looked through once."""
    watched = _WATCHED | {"vary"}
    lengths = frozenset(map(len, watched))

    def glance(response: Response, decision: Decision) -> bool:
        for name, _ in response.lines:
            if len(name) in lengths and name.lower() in watched:
                return False
        response.folded = False  # the next layer to ask folds the names
        response.lines += decision.lines
        if varies:
            response.lines.append(VARY)
        return True

    return glance


def _merge(response: Response, decision: Decision, names: Mapping[str, str]) -> None:
    """Add the lines to a response that has some of them already."""
    if decision.origin and _ALLOW_ORIGIN not in names:
        del response[preflight.ALLOW_CREDENTIALS]  # of the application: without an origin it says nothing
        decision.granted(None, response)
    decision.timing(None, response)

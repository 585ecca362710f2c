"""Plan: the layers that take part in a response. Known beforehand, unless layers have conditions or answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from middleware.http.fields import Line
    from middleware.wsgi.answer import Answer
    from middleware.wsgi.response import Response, Transform
    from middleware.wsgi.row import Ordinary
    from middleware.wsgi.types import Environ, Predicate

Respond: TypeAlias = "bool | Literal['auto']"  # whether errors are answered; "auto": unless a key of RAISING is set
OnRequest: TypeAlias = "Callable[[Environ], Answer | None]"
OnResponse: TypeAlias = "Callable[[Environ, Response], Transform | None]"
Enter: TypeAlias = "Callable[[Environ, Any], object]"
OnClose: TypeAlias = "Callable[[Environ, BaseException | None], None]"


class Made(NamedTuple):
    """A header line that is computed for each response, and is all that the layer adds unless `line` returns None.

    Attributes:
        open: Callable[[Environ], Any]. Does what on_request does; returns the argument of `line`.
        line: Callable[[Any], Line | None]. Returns the line that on_response would append, or None if on_response must
            be called.
        put: Callable[[Environ, Any], object]. Stores in environ what on_response reads, if it is missing.
    """

    open: Callable[[Environ], Any]
    line: Callable[[Any], Line | None]
    put: Callable[[Environ, Any], object]


class Layer(NamedTuple):
    """The hooks of a middleware that a pipeline runs. A hook that the class does not override is None."""

    condition: Predicate | None
    on_request: OnRequest | None
    on_response: OnResponse | None
    on_close: OnClose | None
    waits: bool  # its on_response needs the body, and may replace it
    vary: tuple[Layer, ...] = ()  # directly outside; add the fields that it reads to Vary
    ordinary: Ordinary | None = None
    made: Made | None = None
    ahead: Callable[[Response], bool] | None = None  # whether the first chunk is taken before on_response


@dataclass(slots=True)
class Plan:
    """The layers that take part in a response, innermost first, as a response meets them."""

    responders: tuple[OnResponse, ...]
    closers: tuple[OnClose, ...]
    unmet: tuple[Layer, ...]  # the request has not reached them
    waits: bool  # a responder needs the body
    respond: bool  # whether errors of the application are answered
    rewriters: tuple[OnResponse | None, ...]  # may assign the body
    ahead: tuple[Callable[[Response], bool], ...]
    entering: tuple[Enter, ...] = ()  # of layers whose on_request is postponed, outermost first

    def without_rewriters(self) -> Plan:
        """The plan without the layers that may replace the body."""
        responders = tuple(each for each in self.responders if each not in self.rewriters)
        return replace(self, responders=responders, unmet=tuple(layer for layer in self.unmet if not layer.waits))


def plan_for(met: Sequence[Layer], beyond: Sequence[Layer], *, respond: bool) -> Plan:
    """The plan of a response to a request that has met some layers and not those beyond, both outermost first."""
    return Plan(
        tuple(layer.on_response for layer in reversed(met) if layer.on_response is not None),
        tuple(layer.on_close for layer in reversed(met) if layer.on_close is not None),
        tuple(reversed(beyond)),
        any(layer.waits for layer in met),
        respond,
        tuple(layer.on_response for layer in (*met, *beyond) if layer.waits),
        tuple(layer.ahead for layer in met if layer.ahead is not None),
    )

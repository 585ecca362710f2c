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

Respond: TypeAlias = "bool | Literal['auto']"  # to errors; "auto": unless the request came with a key of RAISING
OnRequest: TypeAlias = "Callable[[Environ], Answer | None]"
OnResponse: TypeAlias = "Callable[[Environ, Response], Transform | None]"
Enter: TypeAlias = "Callable[[Environ, Any], object]"
OnClose: TypeAlias = "Callable[[Environ, BaseException | None], None]"


class Made(NamedTuple):
    """A line that is made anew for each response: all that the layer does, unless `line` returns None.

    Attributes:
        open: Callable[[Environ], Any]. What on_request does; returns what `line` is given.
        line: Callable[[Any], Line | None]. The line that on_response appends; None asks for on_response itself.
        put: Callable[[Environ, Any], object]. Put into environ what on_response looks for, if it has gone.
    """

    open: Callable[[Environ], Any]
    line: Callable[[Any], Line | None]
    put: Callable[[Environ, Any], object]


class Layer(NamedTuple):
    """What a pipeline runs of a middleware: None stands for what its class does not override."""

    condition: Predicate | None
    on_request: OnRequest | None
    on_response: OnResponse | None
    on_close: OnClose | None
    waits: bool  # its on_response needs the body, and may replace it
    vary: tuple[Layer, ...] = ()  # stand right outside, and name the request fields that it decides by
    ordinary: Ordinary | None = None
    made: Made | None = None
    ahead: Callable[[Response], bool] | None = None  # whether a stream that declares a length is looked into first


@dataclass(slots=True)
class Plan:
    """The layers that take part in a response, innermost first, as a response meets them."""

    responders: tuple[OnResponse, ...]
    closers: tuple[OnClose, ...]
    unmet: tuple[Layer, ...]  # the request has not reached them
    waits: bool  # a responder needs the body
    respond: bool  # to errors of the application
    rewriters: tuple[OnResponse | None, ...]  # may assign the body
    ahead: tuple[Callable[[Response], bool], ...]
    entering: tuple[Enter, ...] = ()  # of the layers that have not looked at the request, outermost first

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

"""Plan: who takes part in a response. Known before any request, except where layers have conditions or answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from middleware.wsgi.response import Response, Transform
    from middleware.wsgi.types import Application, Environ, Predicate

OnRequest: TypeAlias = "Callable[[Environ], Application | None]"
OnResponse: TypeAlias = "Callable[[Environ, Response], Transform | None]"
OnClose: TypeAlias = "Callable[[Environ, BaseException | None], None]"


class Layer(NamedTuple):
    """What the pipeline runs of a middleware: None stands for what its class does not override."""

    condition: Predicate | None
    on_request: OnRequest | None
    on_response: OnResponse | None
    on_close: OnClose | None
    waits: bool  # its on_response wants to see the body
    vary: tuple[Layer, ...] = ()  # stand right outside, and name the request fields that it decides by


@dataclass(slots=True)
class Plan:
    """Who takes part in a response: innermost layer first, as a response meets them."""

    responders: tuple[OnResponse, ...]
    closers: tuple[OnClose, ...]
    unmet: tuple[Layer, ...]  # the request has not reached them
    waits: bool  # for the body: one of them wants to see it
    respond: bool  # to errors of the application


def plan_for(met: Sequence[Layer], beyond: Sequence[Layer], *, respond: bool) -> Plan:
    """The plan of a response to a request that has met some layers and not those beyond, both outermost first."""
    return Plan(
        tuple(layer.on_response for layer in reversed(met) if layer.on_response is not None),
        tuple(layer.on_close for layer in reversed(met) if layer.on_close is not None),
        tuple(reversed(beyond)),
        any(layer.waits for layer in met),
        respond,
    )

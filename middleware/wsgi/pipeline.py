"""Pipeline: any number of layers around one application, run in one pass.

on_request inward, the application, on_response outward, every body chunk through the transforms in one iterator, one
close. Which methods a layer has is found here, when the pipeline is made; a request only walks tuples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from middleware.wsgi.body import deliver
from middleware.wsgi.exchange import NEW, PLAIN, STARTED, Exchange, Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from middleware.wsgi.exchange import OnClose, OnResponse
    from middleware.wsgi.types import Application, Environ, Predicate, StartResponse

    OnRequest = Callable[[Environ], Application | None]
    Meet = Callable[[Exchange], Application]


class Layer(NamedTuple):
    """What the pipeline runs of a middleware: None stands for what its class does not override."""

    condition: Predicate | None
    on_request: OnRequest | None
    on_response: OnResponse | None
    on_close: OnClose | None
    waits: bool  # its on_response wants to see the body


def pipeline(app: Application, layers: Sequence[Layer], *, respond: bool = False) -> Application:
    """Put `layers`, outermost first, around `app`. `respond`: answer errors instead of re-raising them."""
    plan = _plan(layers, layers, respond=respond)
    if any(layer.condition is not None for layer in layers):
        return _careful(_choosing(app, layers, respond=respond), plan)
    steps = [
        (layer.on_request, _plan(layers[:met], layers, respond=respond))
        for met, layer in enumerate(layers, 1)
        if layer.on_request is not None
    ]
    careful = _careful(_meeting(app, plan, steps), plan)
    if plan.closers or any(layer.waits for layer in layers):
        return careful
    return _quick(app, plan, dict(steps), careful)


def _plan(met: Sequence[Layer], layers: Sequence[Layer], *, respond: bool, depth: int | None = None) -> Plan:
    """The part that the layers which a request has met have in its response."""
    beyond = layers[len(met) if depth is None else depth :]
    return Plan(
        tuple(layer.on_response for layer in reversed(met) if layer.on_response is not None),
        tuple(layer.on_close for layer in reversed(met) if layer.on_close is not None),
        tuple((layer.condition, layer.on_response) for layer in reversed(beyond) if layer.on_response is not None),
        respond,
    )


def _meeting(app: Application, plan: Plan, steps: Sequence[tuple[OnRequest, Plan]]) -> Meet:
    """Show a request to the layers, outermost first; return what answers it."""

    def meet(exchange: Exchange) -> Application:
        for on_request, exchange.plan in steps:
            answer = on_request(exchange.environ)
            if answer is not None:
                return answer
        exchange.plan = plan
        return app

    return meet


def _choosing(app: Application, layers: Sequence[Layer], *, respond: bool) -> Meet:
    """The same, where layers have conditions: who takes part is known only when the request is there."""

    def meet(exchange: Exchange) -> Application:
        chosen: list[Layer] = []
        environ = exchange.environ
        exchange.plan = _plan(chosen, layers, respond=respond, depth=0)
        for depth, layer in enumerate(layers, 1):
            if layer.condition is None or layer.condition(environ):
                chosen.append(layer)
                exchange.plan = _plan(chosen, layers, respond=respond, depth=depth)
                answer = layer.on_request(environ) if layer.on_request is not None else None
                if answer is not None:
                    return answer
        return app

    return meet


def _careful(meet: Meet, plan: Plan) -> Application:
    """The way of any request: the head waits for the body."""

    def run(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        exchange = _exchange(environ, start_response, plan)
        exchange.prepare()
        try:
            return _delivered(exchange, meet(exchange)(environ, exchange.start_waiting))
        except BaseException as error:
            if not _answered(exchange, error):
                raise
        return deliver(exchange)

    return run


def _exchange(environ: Environ, start_response: StartResponse, plan: Plan) -> Exchange:
    exchange = Exchange()
    exchange.environ, exchange.server, exchange.plan = environ, start_response, plan
    exchange.phase, exchange.ready, exchange.folded = NEW, False, None
    return exchange


def _delivered(exchange: Exchange, body: Iterable[bytes]) -> Iterable[bytes]:
    """The body as the server gets it; the head goes on to the server if it is there."""
    exchange.prepare()
    exchange.body = exchange.source = body
    if exchange.phase == STARTED:
        exchange.begin()
    return deliver(exchange)


def _answered(exchange: Exchange, error: BaseException) -> bool:
    """Whether the error was answered by a response; if not, everything is over and closed."""
    try:
        if exchange.respond(error):
            return True
    except BaseException:
        exchange.abandon()
        raise
    exchange.abandon()
    return False


def _quick(app: Application, plan: Plan, plans: dict[OnRequest, Plan], careful: Application) -> Application:
    """The way of an ordinary request through layers that look at heads only: nothing waits, and little is remembered."""
    steps = tuple(plans)

    def run(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("REQUEST_METHOD") == "HEAD":
            return careful(environ, start_response)
        exchange = Exchange()  # and what _exchange does, without the call
        exchange.environ = environ
        exchange.server = start_response
        exchange.plan = plan
        exchange.phase = NEW
        exchange.ready = False
        exchange.folded = None
        on_request = answer = None
        try:
            for on_request in steps:
                answer = on_request(environ)
                if answer is not None:
                    exchange.plan = plans[on_request]
                    break
            on_request = None
            body = (app if answer is None else answer)(environ, exchange.start)
            if exchange.phase == PLAIN and (type(body) is list or type(body) is tuple):
                return body  # by far the most responses: nothing to change, nothing to watch
            return _delivered(exchange, body)
        except BaseException as error:
            if on_request is not None:
                exchange.plan = plans[on_request]
            if not _answered(exchange, error):
                raise
        return deliver(exchange)

    return run

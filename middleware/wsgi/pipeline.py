"""Pipeline: any number of layers around one application, run in one pass.

on_request inward, the application, on_response outward, every body chunk through the transforms in one iterator, one
close. Which methods a layer has is found here, when the pipeline is made; a request only walks tuples.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from middleware.wsgi.body import SizedBody, begun, deliver
from middleware.wsgi.errors import EXCEPTION, answer_error
from middleware.wsgi.exchange import KEPT, NEW, PLAIN, STARTED, Exchange, HeadExchange
from middleware.wsgi.plan import Layer, OnRequest, Plan, plan_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from middleware.wsgi.types import Application, Environ, StartResponse

    Meet = Callable[[Exchange], Application]


def pipeline(app: Application, layers: Sequence[Layer], *, respond: bool = False) -> Application:
    """Put `layers`, outermost first, around `app`. `respond`: answer errors instead of re-raising them."""
    layers = [each for layer in layers for each in (*layer.vary, layer)]
    plan = plan_for(layers, (), respond=respond)
    if any(layer.condition is not None for layer in layers):
        return _careful(_choosing(app, layers, respond=respond), plan)
    steps = _steps(layers, respond=respond)
    careful = _careful(_meeting(app, plan, steps), plan)
    kind = Exchange if plan.waits else HeadExchange
    return careful if plan.closers else _quick(app, plan, steps, careful, kind)


def _steps(layers: Sequence[Layer], *, respond: bool) -> list[tuple[OnRequest, Plan]]:
    """The hooks that see a request, each with the plan for the response if it is the last."""
    return [
        (layer.on_request, plan_for(layers[:met], layers[met:], respond=respond))
        for met, layer in enumerate(layers, 1)
        if layer.on_request is not None
    ]


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

    @lru_cache(maxsize=256)
    def plan(chosen: tuple[int, ...], depth: int) -> Plan:
        return plan_for([layers[place] for place in chosen], layers[depth:], respond=respond)

    def meet(exchange: Exchange) -> Application:
        chosen: list[int] = []
        place = -1
        try:
            for place, layer in enumerate(layers):
                answer = _ask(layer, exchange.environ, place, chosen)
                if answer is not None:
                    return answer
            return app
        finally:
            exchange.plan = plan(tuple(chosen), place + 1)

    return meet


def _ask(layer: Layer, environ: Environ, place: int, chosen: list[int]) -> Application | None:
    """Show the request to a layer if it takes part, and note that it does."""
    if layer.condition is not None and not layer.condition(environ):
        return None
    chosen.append(place)
    return None if layer.on_request is None else layer.on_request(environ)


def _careful(meet: Meet, plan: Plan) -> Application:
    """The way of any request: the head waits for the body."""

    def run(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        exchange = _exchange(environ, start_response, plan)
        environ.pop(EXCEPTION, None)  # of an earlier request: an environ may be used again
        try:
            return _delivered(exchange, meet(exchange)(environ, exchange.start))
        except BaseException as error:  # noqa: BLE001 - answer_error raises it
            answer_error(exchange, error)
        return deliver(exchange)

    return run


def _exchange(environ: Environ, start_response: StartResponse, plan: Plan) -> Exchange:
    exchange: Exchange = Exchange()
    exchange.environ, exchange.server, exchange.plan = environ, start_response, plan
    exchange.phase, exchange.folded, exchange.body = NEW, None, None
    return exchange


def _delivered(exchange: Exchange, body: Iterable[bytes]) -> Iterable[bytes]:
    """The body as the server gets it; the head goes on to the server if it is there."""
    exchange.prepare()
    exchange.body = exchange.source = body
    if exchange.plan.waits and isinstance(body, SizedBody):
        exchange.body = [*body]  # watched further in, and a list all the same for who wants to see it
    if exchange.phase == STARTED:
        exchange.begin()
        if exchange.phase == STARTED:
            return begun(exchange, body)
    return deliver(exchange)


def _quick(  # noqa: C901 - what is counted is the function in it, and one
    app: Application,
    plan: Plan,
    steps: Sequence[tuple[OnRequest, Plan]],
    careful: Application,
    kind: type[Exchange],
) -> Application:
    """The way of an ordinary request: its body is a list, nobody watches that, and little is remembered."""
    plans = dict(steps)
    hooks = tuple(on_request for on_request, _ in steps)

    def run(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("REQUEST_METHOD") == "HEAD":
            return careful(environ, start_response)
        exchange: Exchange = kind()  # and what _exchange does, without the call
        exchange.environ = environ
        exchange.server = start_response
        exchange.plan = plan
        exchange.phase = NEW
        exchange.folded = exchange.body = None
        answering = app
        try:
            for on_request in hooks:
                answer = on_request(environ)
                if answer is not None:
                    answering, exchange.plan = answer, plans[on_request]
                    break
            body = answering(environ, exchange.start)
            if type(body) is list:
                if exchange.phase == KEPT:
                    body = exchange.resume(body)
                if exchange.phase == PLAIN:
                    return body  # by far the most responses: nothing to change, nothing to watch
            return _delivered(exchange, body)
        except BaseException as error:  # noqa: BLE001 - answer_error raises it
            answer_error(exchange, error)  # shown to all, also to those not met
        return deliver(exchange)

    return run

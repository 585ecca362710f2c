"""Pipeline: any number of layers around one application, run in one pass.

on_request inward, the application, on_response outward, every chunk of the body through the transforms in one iterator,
one close. A function is assembled for the given layers. If they have conditions, the general path below serves the
requests whose conditions cannot be evaluated beforehand.
"""

from collections.abc import Iterable, Sequence
from functools import cache, lru_cache

from middleware.wsgi.answer import as_application
from middleware.wsgi.assembled import FastPath, Source, choosing, plain
from middleware.wsgi.body import deliver, failed
from middleware.wsgi.conditions import evaluated_at_once
from middleware.wsgi.errors import EXCEPTION, asks_to_raise
from middleware.wsgi.layered import Layered, opened
from middleware.wsgi.plan import Layer, Plan, Respond, plan_for
from middleware.wsgi.types import Application, Environ, StartResponse


def pipeline(app: Application, layers: Sequence[Layer], *, respond: Respond = False) -> Application:
    """Put `layers`, outermost first, around `app`. `respond`: answer errors instead of re-raising them."""
    return source(app, layers, respond=respond).function()


def source(app: Application, layers: Sequence[Layer], *, respond: Respond = False) -> Source:
    """The function that serves requests, as text."""
    made = _source(app, layers, respond=respond is not False)
    if respond == "auto":
        raising = cache(lambda: pipeline(app, layers))  # built for the first such request
        made.guard(lambda environ: raising() if asks_to_raise(environ) else None)
    return made


def _source(app: Application, layers: Sequence[Layer], *, respond: bool) -> Source:
    layers = [each for layer in layers for each in (*layer.vary, layer)]
    conditional = [n for n, layer in enumerate(layers) if layer.condition is not None]
    if not conditional:
        return _fast(app, layers, respond=respond)
    general = _general(app, layers, respond=respond)
    if not evaluated_at_once(layers, layers[: conditional[-1]]):
        return plain(general)

    def chosen(met: int) -> Application:
        taking_part = [layer._replace(condition=None) for n, layer in enumerate(layers) if met >> n & 1]
        return _fast(app, taking_part, respond=respond).function()

    return choosing(layers, general, chosen)


def _fast(app: Application, layers: Sequence[Layer], *, respond: bool) -> Source:
    """Return the fast path. Behind it are those for HEAD, conditional and OPTIONS requests, with fewer rows."""
    ways = [layers]
    for holds in ("conditional", "options"):
        asked = [
            layer._replace(ordinary=None) if layer.ordinary and not getattr(layer.ordinary, holds) else layer
            for layer in ways[-1]
        ]
        ways += [asked] if asked != ways[-1] else []
    others: dict[str, Application] = {}
    made = FastPath(app, ways.pop(), others, respond=respond).source
    while ways:
        others["general"] = made.function()
        others.setdefault("options", others["general"])
        made = FastPath(app, ways.pop(), others, respond=respond).source
    return made


def _general(app: Application, layers: Sequence[Layer], *, respond: bool) -> Application:
    """Return the general path, which evaluates conditions layer by layer."""
    whole = plan_for(layers, (), respond=respond)

    @lru_cache(maxsize=256)
    def plan(chosen: tuple[int, ...], depth: int) -> Plan:
        return plan_for([layers[place] for place in chosen], layers[depth:], respond=respond)

    def meet(exchange: Layered) -> Application:
        """Show a request to the layers, outermost first; return the application that answers it."""
        chosen: list[int] = []
        place = -1
        try:
            for place, layer in enumerate(layers):
                if layer.condition is not None and not layer.condition(exchange.environ):
                    continue
                chosen.append(place)
                on_request = layer.on_request
                if on_request is not None and (answer := on_request(exchange.environ)) is not None:
                    return as_application(answer, on_request)
        finally:
            exchange.plan = plan(tuple(chosen), place + 1)
        return app

    def run(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        exchange = opened(environ, start_response, whole)
        environ.pop(EXCEPTION, None)  # of an earlier request, because an environ may be used again
        try:
            answering = meet(exchange)
            exchange.keep()
            return deliver(exchange, answering(environ, exchange.start))
        except BaseException as error:  # noqa: BLE001 - raised again, or answered
            return failed(exchange, error)

    return run

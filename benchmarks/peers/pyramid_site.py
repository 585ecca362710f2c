"""Pyramid: four tweens."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from benchmarks.case import PAGE, Case
from benchmarks.limit import FOUR
from benchmarks.peers import webob_layers

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.case import Application


def timing(handler: Callable[..., Any], _registry: Any) -> Callable[..., Any]:
    return lambda request: webob_layers.timed(request, handler)


def security(handler: Callable[..., Any], _registry: Any) -> Callable[..., Any]:
    return lambda request: webob_layers.secured(handler(request))


def cors(handler: Callable[..., Any], _registry: Any) -> Callable[..., Any]:
    return lambda request: webob_layers.shared(request, handler(request))


def declined(handler: Callable[..., Any], _registry: Any) -> Callable[..., Any]:
    return lambda request: webob_layers.declined(request, handler(request))


def page(*tweens: str) -> Callable[[Application], Application]:
    """A Pyramid application with one view and these tweens, outermost first."""

    def make(_app: Application) -> Application:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it imports pkg_resources, which warns of itself
            from pyramid.config import Configurator
            from pyramid.response import Response
        with Configurator() as config:
            config.add_route("root", "/")
            config.add_view(lambda _: Response(PAGE), route_name="root")
            for tween in reversed(tweens):
                config.add_tween(f"benchmarks.peers.pyramid_site.{tween}")
        return config.make_wsgi_app()

    return make


NEEDS = ("pyramid",)
CASES = (
    Case("pyramid/bare", "Pyramid", page(), needs=NEEDS),
    Case(
        "pyramid/four",
        "Pyramid, 4 tweens",
        page("timing", "security", "cors", "declined"),
        FOUR,
        "limit/four",
        NEEDS,
        "pyramid/bare",
    ),
)

"""Entrance: a layer of hooks, and how it comes to stand around an application."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar

from middleware.hooks.context import CURRENT
from middleware.hooks.crossing import logger
from middleware.hooks.teardown import early, tear_down
from middleware.wsgi.conditions import varying
from middleware.wsgi.effects import Effects
from middleware.wsgi.pipeline import pipeline
from middleware.wsgi.plan import Layer
from middleware.wsgi.splitting import Splitting

if TYPE_CHECKING:
    from collections.abc import Iterable
    from logging import Logger

    from middleware.hooks.crossing import Crossing
    from middleware.hooks.registry import Registry
    from middleware.wsgi.types import Application, Environ, Predicate, StartResponse


class Hooked(Splitting):
    """The base of layers whose hooks are registered after they were made. Copies share what is registered."""

    effects: ClassVar[Effects] = Effects(answers=True, reads_input=True)
    answers_errors: ClassVar[bool] = True
    logger: ClassVar[Logger] = logger
    _counted: ClassVar[tuple[str, ...]] = ("before", "after")
    _late: bool = True  # teardown, if there is any, waits for the end of the body
    _registry: Registry

    @abstractmethod
    def dispatcher(self, app: Application) -> Crossing[Any]:
        """What runs the hooks around `app`."""

    def around(self, app: Application) -> Application:
        """Return `app` inside the hooks."""
        return Entrance(app, self.dispatcher(app), self.asked, late=self._late)

    def declared(self) -> Effects:
        """One registry is enough in a stack."""
        return Effects(answers=True, reads_input=True, unique=f"hooks {id(self._registry):#x}")

    def describe(self) -> Iterable[tuple[str, str]]:
        """How many hooks there are."""
        counts = [(kind, self._registry.count(kind)) for kind in self._counted]
        told = ", ".join(f"{count} {kind}_request" for kind, count in counts if count)
        return [("runs", told or "no hooks yet")]

    def _compared(self) -> tuple[object, ...]:
        return *super()._compared(), id(self._registry)


class Entrance:
    """The hooked application, whose insides are made at the first request: until then hooks are registered."""

    def __init__(self, app: Application, dispatcher: Crossing[Any], condition: Predicate | None, *, late: bool) -> None:
        self._app = app
        self._dispatcher = dispatcher
        self._condition = condition
        self._late = late
        self._run: Application | None = None

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Run one request (PEP 3333), unless it is not for these hooks, or is inside of them already."""
        run = self._run or self._open()
        around = CURRENT.get()
        within = around is not None and around.environ is environ and around.registry is self._dispatcher.registry
        if within or (self._condition is not None and not self._condition(environ)):
            run = self._app
        return run(environ, start_response)

    def _open(self) -> Application:
        dispatcher = self._dispatcher
        dispatcher.registry.close()
        dispatcher.keeps = dispatcher.registry.tears_down
        on_close = partial(tear_down, dispatcher) if dispatcher.keeps and self._late else None
        vary = tuple(chain.from_iterable(map(varying, dispatcher.registry.predicates)))
        run = pipeline(dispatcher, [Layer(None, None, None, on_close, waits=False, vary=vary)])
        self._run = early(run, dispatcher) if dispatcher.keeps and not self._late else run
        return self._run

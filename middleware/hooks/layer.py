"""Hooks: Flask's request hooks around any WSGI application."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from middleware.hooks.context import CURRENT, bound
from middleware.hooks.dispatch import Dispatcher, Passage, Policy, logger
from middleware.hooks.registering import Registering
from middleware.hooks.registry import Registry
from middleware.hooks.teardown import early, end, tear_down
from middleware.wsgi.effects import Effects
from middleware.wsgi.errors import Problems
from middleware.wsgi.pipeline import pipeline
from middleware.wsgi.plan import Layer
from middleware.wsgi.splitting import Splitting

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from logging import Logger

    from middleware.wsgi.types import Application, Environ, Predicate, StartResponse

_KINDS: Final = (("before_request", "before"), ("after_request", "after"), ("teardown_request", "teardown"))


class Hooks(Registering, Splitting):
    """Runs functions before and after each request, for its errors and at its end, as Flask's hooks do.

    Register by `@hooks.before_request`, `@hooks.after_request`, `@hooks.teardown_request`, `@hooks.errorhandler(404)`,
    in all requests or in a scope, before the first request. Copies (`wrap`, `named`, `when`, in a stack) share what is
    registered. Without hooks it answers nothing but errors.

    Stands inside layers whose headers belong on every response, and outside of what the hooks shall see. Errors of
    what stands inside are answered here: layers in there do not see those responses. Does nothing to a body that no
    hook touches.

    An application that turns errors into responses hides them from errorhandlers. It can raise them instead (Flask:
    PROPAGATE_EXCEPTIONS, Django: DEBUG_PROPAGATE_EXCEPTIONS, Bottle: catchall=False), or put the exception into
    environ["middleware.exception"] while it answers.

    Options:
        after_order: "reverse": of the after_request hooks of a scope the last registered runs first, as in Flask.
            "registration": the first registered runs first. Default "reverse".
        teardown: "close": teardown_request hooks run when the body is closed, and are told how that went. "flask": they
            run before the body is iterated. Default "close".
        propagate_exceptions: bool. Whether an exception that no errorhandler is for is raised instead of becoming a
            500. Default False.
        statuses: bool. Whether errorhandlers for codes also get responses of the application with these. Default
            False: exceptions only, as in Flask.

    Errors: ConfigError for other values; AssertionError for a function registered after the first request.
    Source: Flask 3.1.
    """

    effects: ClassVar[Effects] = Effects(answers=True)
    answers_errors: ClassVar[bool] = True
    logger: ClassVar[Logger] = logger

    def __init__(
        self,
        app: Application | None = None,
        /,
        *,
        after_order: Literal["reverse", "registration"] = "reverse",
        teardown: Literal["close", "flask"] = "close",
        propagate_exceptions: bool = False,
        statuses: bool = False,
    ) -> None:
        super().__init__(app)
        problems = Problems("Hooks")
        orders, moments = ("reverse", "registration"), ("close", "flask")
        problems.check(after_order in orders, "after_order", '"reverse" or "registration"', after_order)
        problems.check(teardown in moments, "teardown", '"close" or "flask"', teardown)
        for option, value in (("propagate_exceptions", propagate_exceptions), ("statuses", statuses)):
            problems.check(isinstance(value, bool), option, "True or False", value)
        problems.done()
        self.after_order, self.teardown = after_order, teardown
        self.propagate_exceptions, self.statuses = propagate_exceptions, statuses
        self._registry = Registry(reverse=after_order == "reverse")
        self._scope = self._registry.root

    def around(self, app: Application) -> Application:
        """Return `app` inside the hooks."""
        return _Entrance(app, self.dispatcher(app), self.condition, late=self.teardown == "close")

    def dispatcher(self, app: Application) -> Dispatcher:
        """What runs the hooks around `app`."""
        return Dispatcher(app, self._registry, Policy(self.propagate_exceptions, self.statuses))

    @contextmanager
    def request_context(self, environ: Environ) -> Iterator[None]:
        """Bind a request without running it, for scripts and tests. Teardown hooks run at the end."""
        self._registry.close()
        passage = Passage(environ, lambda *_: lambda _: None)
        passage.registry = self._registry
        passage.plan = self._registry.plan_for(passage)
        try:
            with bound(passage):
                yield
        except BaseException as error:
            end(passage, error)
            raise
        end(passage, None)

    def declared(self) -> Effects:
        """One registry is enough in a stack."""
        return Effects(answers=True, unique=f"hooks {id(self._registry):#x}")

    def describe(self) -> Iterable[tuple[str, str]]:
        """How many hooks there are."""
        counts = [(name, self._registry.count(kind)) for name, kind in _KINDS]
        told = ", ".join(f"{count} {name}" for name, count in counts if count)
        return [("runs", told or "no hooks yet")]

    def _compared(self) -> tuple[object, ...]:
        return *super()._compared(), id(self._registry)


class _Entrance:
    """The hooked application, whose insides are made at the first request: until then hooks are registered."""

    def __init__(self, app: Application, dispatcher: Dispatcher, condition: Predicate | None, *, late: bool) -> None:
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
        run = pipeline(dispatcher, [Layer(None, None, None, on_close, waits=False)])
        self._run = early(run, dispatcher) if dispatcher.keeps and not self._late else run
        return self._run

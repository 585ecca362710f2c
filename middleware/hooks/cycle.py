"""One request through hooks, in either dialect: from the server to the application and back, and its teardown.

flask.py and kyoukai.py decide which functions run and what their return values mean, by subclasses of Dispatcher.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, TypeVar, cast

from middleware.hooks import response_sending as sending
from middleware.hooks.closing import close_all
from middleware.hooks.context import CURRENT, Context
from middleware.hooks.http_errors import InternalServerError
from middleware.hooks.response_object import Response, body_of
from middleware.hooks.scopes import Registry
from middleware.hooks.teardown import await_end, early, end_request, expect_teardown
from middleware.wsgi.body import is_file
from middleware.wsgi.conditions import varying
from middleware.wsgi.effects import Effects
from middleware.wsgi.errors import EXCEPTION, forget
from middleware.wsgi.escaped import escaped
from middleware.wsgi.held import Settled, close_iterable
from middleware.wsgi.identity import log_extra
from middleware.wsgi.pipeline import pipeline
from middleware.wsgi.plan import Layer
from middleware.wsgi.splitting import Splitting
from middleware.wsgi.takeover import TakenOver
from middleware.wsgi.types import Application, Environ, Predicate, StartResponse

if TYPE_CHECKING:
    from typing_extensions import Self

logger = logging.getLogger("middleware.hooks")


class ReplyPolicy(NamedTuple):
    """The options of a layer that govern its responses."""

    propagate: bool
    statuses: bool = False


class Cycle(Context):
    """The state of one request.

    Attributes:
        view: the application's response as an object, while hooks see it.
        failed: bool. Whether the response is that to an unhandled error.
        made: the responses that hooks have made so far. The last is sent, unless a hook raises.
    """

    owner: Dispatcher[Any]
    view: Response | None = None
    failed: bool = False
    made: Sequence[Response] = ()

    @property
    def logged(self) -> dict[str, Any]:
        """The `extra` of the log records of this request."""
        return log_extra(self.environ, self.owner.layer_name)

    def replaced(self) -> None:
        """Give the view the new head: the application called start_response again while a hook read the body."""
        if self.view is not None:
            status, lines, _ = self.head
            self.view.become(status, lines)

    def drop(self) -> None:
        """Close the body that is not sent, the application's or its replacement, and the responses made by hooks."""
        self.view = None  # break the reference cycle: the view has the body, which has this context
        self.discard_made()
        closers, self.closers = self.closers, ()
        instead, self.instead = self.instead, None
        close_all((super().drop, partial(close_iterable, instead), *closers))

    def chosen(self, response: Response) -> Response:
        """Return the response, which is sent. Others that hooks have made are closed when its body is closed."""
        made, self.made = self.made, ()
        for other in made:
            if other is not response:
                self.closers += other.given_up(body_of(response), self.body)
        return response

    def discard_made(self) -> None:
        """Close the responses that hooks have made."""
        made, self.made = self.made, ()
        for response in made:
            self.discard(response)

    def decide(self) -> Settled:
        """Run the hooks for a head whose body cannot be read."""
        return self.owner.settled(self)

    def discard(self, reply: Response) -> None:
        """Close a response that is not sent, except the application's body, which is closed with the sent response."""
        if body_of(reply) is self.body:
            self.closers += reply.given_up(self.body)  # they are called after that body is closed
            return
        try:
            reply.close()
        except Exception:
            logger.exception("close() failed after an error", extra=self.logged)

    def forget_error(self, reply: Response | Cycle) -> None:
        """Break the reference cycle of the error in the environ when the body is closed.

        If the application returned a list, the server gets that same object and its end cannot be observed, so the
        reference cycle is broken at once.
        """
        forgets = partial(forget, self.environ, self.server)
        body = body_of(reply) if isinstance(reply, Response) else self.body
        if body is self.body and isinstance(body, (list, tuple)):
            forgets()
        else:
            self.closers += (forgets,)


C = TypeVar("C", bound=Cycle)


class Dispatcher(ABC, Generic[C]):
    """One application inside the hooks of one registry.

    Attributes:
        layer_name: str. The name of the layer in log records.
        cycle_class: the class of the state of a request.
        view_class: the class of the application's response, as hooks see it.
        registry: the hooks.
        tears_down: bool. Whether the context of a request is kept for teardown hooks.
    """

    layer_name: ClassVar[str]
    cycle_class: type[C]
    view_class: ClassVar[type[Response]] = Response

    def __init__(self, app: Application, registry: Registry, policy: ReplyPolicy) -> None:
        self.registry = registry
        self._app = app
        self._policy = policy
        self.tears_down = False

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Run one request (PEP 3333)."""
        cycle = self.cycle_class(environ, start_response)
        cycle.owner, cycle.registry = self, self.registry
        cycle.roots = (self.registry.root,)
        around = CURRENT.get()
        if around is not None and around.environ is environ:
            cycle.stand_within(around)
        cycle.plan = self.registry.common  # until the scopes are known
        if self.tears_down:
            await_end(self, cycle)
        environ.pop(EXCEPTION, None)
        token = CURRENT.set(cycle)
        try:
            reply = self._reply(cycle)
            return self._sent(cycle, self._checked(cycle, reply, whole=True))
        except TakenOver as taken:
            _drop(cycle)
            left, stopped = taken.body, taken.stopped
        except BaseException:
            environ.pop(EXCEPTION, None)  # the exception is raised, or replaced by the one that is raised
            _drop(cycle)
            raise
        finally:
            CURRENT.reset(token)
        if stopped:
            raise StopIteration
        return cast("Iterable[bytes]", left)

    # -- the dialect -------------------------------------------------------------------------------------------------

    @abstractmethod
    def _reply(self, cycle: C) -> Response | C:
        """Return the response to send, or the cycle itself to send the application's response unmodified."""

    @abstractmethod
    def _unreadable_reply(self, cycle: C) -> Response | C:
        """The response to send for a head of the application whose body cannot be read."""

    def _failure_text(self, cycle: C) -> str:  # noqa: ARG002 - the default
        """The beginning of the log message about an unhandled error."""
        return "Exception"

    @abstractmethod
    def _internal_error(self, cycle: C, error: InternalServerError) -> Response | C:
        """The response to an unhandled error."""

    # -- the application ---------------------------------------------------------------------------------------------

    def _call(self, cycle: C) -> None:
        """Call the application. Its body is bound to the context of the request."""
        cycle.hand_over()
        cycle.call(self._app)
        body = cycle.body
        if body is not None and not sending.runs_no_code(cycle.environ, body):
            cycle.body = sending.Stream(cycle, body)

    def _failed(self, cycle: C, error: Exception) -> Response | C:
        """Log an unhandled error and return the response to it. Raise the error instead if errors are propagated."""
        cycle.discard_made()
        cycle.failed = True
        self._note(cycle, error)
        if cycle.passed or self._policy.propagate:
            try:
                raise error
            finally:
                del error  # break the traceback reference cycle
        method, what, path = cycle.environ.get("REQUEST_METHOD"), self._failure_text(cycle), cycle.path[1]
        logger.error("%s on %s [%s]", escaped(what), escaped(path), escaped(method), exc_info=error, extra=cycle.logged)
        return self._internal_error(cycle, InternalServerError(original_exception=error))

    def _note(self, cycle: C, error: Exception) -> None:
        """Keep an unhandled error for outer layers, and for teardown if there is any."""
        cycle.environ[EXCEPTION] = error
        if self.tears_down:
            cycle.error = error

    # -- the server --------------------------------------------------------------------------------------------------

    def _view(self, cycle: C, *, unreadable: bool = False) -> Response:
        """The application's response, for hooks."""
        body = sending.Unreadable() if unreadable or cycle.body is None else cycle.body
        passthrough = unreadable or is_file(cycle.environ, body)
        status, lines, _ = cycle.head
        head = cycle.method == "HEAD"
        cycle.view = self.view_class.of(status, lines, body, passthrough=passthrough, lent=True, of_head=head)
        return cycle.view

    def _checked(self, cycle: C, reply: Response | C, *, whole: bool = False) -> Response | C:
        """Return the reply if its head may be sent; otherwise the response to the fault that hooks have put into it.

        `whole`: the body can be read, so the head is completed from it.
        """
        if not isinstance(reply, Response):
            return reply
        error = _fault(cycle, reply, whole=whole)
        if error is not None and not cycle.failed:
            cycle.discard(reply)
            try:
                reply = self._failed(cycle, error)
            finally:
                error = None  # break the traceback reference cycle
            error = _fault(cycle, reply, whole=whole) if isinstance(reply, Response) else None
        if error is not None and isinstance(reply, Response):
            logger.error(
                "A hook made the head of the response to an error invalid; the faults were removed",
                exc_info=error,
                extra=cycle.logged,
            )
            sending.remove_faults(reply, cycle)
        error = None  # break the traceback reference cycle
        return reply

    def settled(self, cycle: C) -> Settled:
        """The head and the body to send for a head of the application whose body cannot be read."""
        try:
            reply = self._unreadable_reply(cycle)
        except Exception as error:  # noqa: BLE001 - answered
            reply = self._failed(cycle, error)
        reply = self._checked(cycle, reply)
        if isinstance(reply, Cycle):
            return reply.head
        cycle.closers += reply.closers
        body = body_of(reply)
        return Settled(reply.status, [*reply.headers], None if isinstance(body, sending.Unreadable) else body)

    def _sent(self, cycle: C, reply: Response | C) -> Iterable[bytes]:
        """Send the head to the server; return the body."""
        cycle.view = None
        body: Iterable[bytes] | None
        if isinstance(reply, Response):
            cycle.send_head(Settled(reply.status, [*reply.headers], None))
            body = body_of(reply)
            cycle.closers += reply.closers
        else:
            if not cycle.passed:
                cycle.send_head(cycle.head)
            body = cycle.body if cycle.instead is None else cycle.instead
        if EXCEPTION in cycle.environ:
            cycle.forget_error(reply)
        closers, cycle.closers = cycle.closers, ()
        return sending.outgoing(cycle, () if body is None else body, closers)


def _drop(cycle: Cycle) -> None:
    """Close a body that is not sent. An exception of its close() is logged, because another error is raised."""
    try:
        cycle.drop()
    except Exception:
        logger.exception("close() failed after an error", extra=cycle.logged)


def _fault(cycle: Cycle, reply: Response, *, whole: bool) -> Exception | None:
    """Complete the head if the whole body is available; return the error in the head, or None."""
    try:
        if whole and reply.conditional_response:
            reply.make_conditional(cycle.environ)
        if whole and (body_of(reply) is not cycle.body or reply.status != cycle.status):
            sending.complete_head(reply, cycle.method)
        sending.check_head(reply, cycle)
    except Exception as error:  # noqa: BLE001 - answered
        return error
    return None


# -- the layer ---------------------------------------------------------------------------------------------------------


class HookLayer(Splitting):
    """Base of Hooks and ContextHooks. Hooks are registered after construction; copies share the registry."""

    effects: ClassVar[Effects] = Effects(answers=True, reads_input=True)
    answers_errors: ClassVar[bool] = True
    logger: ClassVar[logging.Logger] = logger
    _counted: ClassVar[tuple[str, ...]] = ("before", "after")
    _late: bool = True  # teardown runs when the body is closed
    _registry: Registry

    @abstractmethod
    def dispatcher(self, app: Application) -> Dispatcher[Any]:
        """The application inside the hooks."""

    def around(self, app: Application) -> Application:
        """Wrap an application."""
        return HookedApplication(app, self.dispatcher(app), self.asked, late=self._late)

    def declared(self) -> Effects:
        """The effects of the class. The registered functions may be in a stack only once."""
        return replace(self.effects, unique=self.effects.unique or f"hooks {id(self._registry.root):#x}")

    def with_options(self, **options: Any) -> Self:
        """Return a copy with these options in place of its own, which shares the registered functions.

        If the constructor registers functions, the copy has only those, because they may depend on the options.

        Errors: those of the constructor; TypeError if functions were registered both by it and later.
        """
        made: Self = super().with_options(**options)
        registry, own = made._registry, made._registry.size
        if own == 0:
            registry.share(self._registry)
            return made._changed(_scope=registry.root)
        if own != self._registry.size:
            raise TypeError(
                f"{self.name}.with_options: the constructor of {type(self).__name__} registers functions, and others "
                "were registered later, which the copy would lose: construct it with these options and register them"
            )
        return made

    def describe(self) -> Iterable[tuple[str, str]]:
        """The number of hooks of each kind."""
        counts = [(kind, self._registry.count(kind)) for kind in self._counted]
        text = ", ".join(f"{count} {kind}_request" for kind, count in counts if count)
        return [("runs", text or "no hooks yet")]

    def _check_wrapped(self, inner: object) -> None:
        """Do nothing: hooks run once, however many times they wrap an application."""

    def _compared(self) -> tuple[object, ...]:
        return *super()._compared(), id(self._registry.root)


class HookedApplication:
    """The wrapped application, assembled at the first request, because hooks may be registered until then."""

    def __init__(
        self, app: Application, dispatcher: Dispatcher[Any], condition: Predicate | None, *, late: bool
    ) -> None:
        self._app = app
        self._dispatcher = dispatcher
        self._condition = condition
        self._late = late
        self._run: Application | None = None

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Run one request (PEP 3333); without hooks if the condition fails, or the request is already inside them."""
        run = self._run or self._assemble()
        around = CURRENT.get()
        within = around is not None and around.environ is environ and self._dispatcher.registry.root in around.roots
        if within or (self._condition is not None and not self._condition(environ)):
            run = self._app
        return run(environ, start_response)

    def _assemble(self) -> Application:
        dispatcher = self._dispatcher
        registry = dispatcher.registry
        registry.close()
        dispatcher.tears_down = registry.tears_down
        on_request, on_close = None, None
        if dispatcher.tears_down and self._late:
            on_request, on_close = expect_teardown, partial(end_request, dispatcher)
        vary = tuple(name for predicate in registry.predicates for name in varying(predicate))
        run = pipeline(dispatcher, [Layer(None, on_request, None, on_close, waits=False, vary=vary)])
        self._run = early(run, dispatcher) if dispatcher.tears_down and not self._late else run
        return self._run

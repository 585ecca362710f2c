"""Crossing: one hooked application, whatever dialect its hooks are of: a request in, its response out to the server."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, TypeVar, cast

from middleware.hooks.context import CURRENT, Context
from middleware.hooks.finishing import check, finish, leave_out
from middleware.hooks.response import Response
from middleware.hooks.streaming import Gone, Stream, as_it_is, outgoing
from middleware.hooks.teardown import keep
from middleware.wsgi.body import is_file
from middleware.wsgi.errors import EXCEPTION, forget
from middleware.wsgi.held import Settled
from middleware.wsgi.takeover import TakenOver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from middleware.hooks.registry import Registry
    from middleware.wsgi.types import Application, Environ, StartResponse

logger = logging.getLogger("middleware.hooks")


class Policy(NamedTuple):
    """The options of a layer of hooks that decide about a response."""

    propagate: bool
    statuses: bool = False


class Passage(Context):
    """A request on its way."""

    owner: Crossing[Any]
    view: Response | None = None  # of the application's response, while hooks look at it
    failed: bool = False  # what is sent is the response to an error that nobody has handled
    closers: tuple[Callable[[], object], ...] = ()  # of a response whose head went out before its body was there

    def replaced(self) -> None:
        """Have a hook that is reading the body go on with the head that came out of it."""
        if self.view is not None:
            self.view.become(self.status, self.lines)

    def drop(self) -> None:
        """Close what the application returned, when nobody will get it."""
        self.view = None  # which has the body, and that has this context
        super().drop()

    def settle(self) -> Settled:
        """Show the hooks a head whose body is out of their reach."""
        return self.owner.settled(self)


P = TypeVar("P", bound=Passage)


class Crossing(ABC, Generic[P]):
    """One application inside one set of hooks.

    Attributes:
        registry: the hooks.
        keeps: bool. Whether a request is kept for its teardown.
    """

    kind: ClassVar[type[Response]] = Response  # as which hooks see that of the application

    def __init__(self, app: Application, registry: Registry, policy: Policy) -> None:
        self.registry = registry
        self._app = app
        self._policy = policy
        self.keeps = False

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Run one request (PEP 3333)."""
        passage = self._passage(environ, start_response)
        passage.owner, passage.registry = self, self.registry
        if self.keeps:
            keep(self, environ, passage)
        environ.pop(EXCEPTION, None)
        token = CURRENT.set(passage)
        try:
            reply = self._reply(passage)
            return self._sent(passage, self._sound(passage, reply, conditional=True))
        except TakenOver as taken:
            _drop(passage)
            left, stopped = taken.body, taken.stopped
        except BaseException:
            environ.pop(EXCEPTION, None)  # raised, or replaced by what is raised
            _drop(passage)
            raise
        finally:
            CURRENT.reset(token)
        if stopped:
            raise StopIteration
        return cast("Iterable[bytes]", left)

    # -- what a dialect says -------------------------------------------------------------------------------------

    @abstractmethod
    def _passage(self, environ: Environ, start_response: StartResponse) -> P:
        """A request on its way."""

    @abstractmethod
    def _reply(self, passage: P) -> Response | P:
        """What is sent. The passage itself stands for the application's own response, which nobody looked at."""

    @abstractmethod
    def _gone(self, passage: P) -> Response | P:
        """The same, of a response whose body is out of the hooks' reach."""

    @abstractmethod
    def _failed(self, passage: P, error: Exception) -> Response | P:
        """The response to what nobody has handled."""

    # -- the application -----------------------------------------------------------------------------------------

    def _call(self, passage: P) -> None:
        """Call the application; its body is iterated in the context of the request."""
        passage.hand_over()
        passage.call(self._app)
        body = passage.body
        if body is not None and not as_it_is(passage.environ, body):
            passage.body = Stream(passage, body)

    def _note(self, passage: P, error: Exception) -> None:
        """Keep an error that nobody has handled: for teardown, if there is any, and for layers further out."""
        passage.environ[EXCEPTION] = error
        if self.keeps:
            passage.error = error

    # -- the server ----------------------------------------------------------------------------------------------

    def _view(self, passage: P, *, gone: bool = False) -> Response:
        """The application's response as hooks see it."""
        body = Gone() if gone or passage.body is None else passage.body
        passthrough = gone or is_file(passage.environ, body)
        passage.view = self.kind.of(passage.status, passage.lines, body, passthrough=passthrough)
        return passage.view

    def _sound(self, passage: P, reply: Response | P, *, conditional: bool = False) -> Response | P:
        """The reply, if its head may be sent; else the response to the error that hooks have made of it."""
        if not isinstance(reply, Response):
            return reply
        error = _fault(passage, reply, conditional=conditional)
        if error is not None and not passage.failed:
            _discard(passage, reply)
            try:
                reply = self._failed(passage, error)
            finally:
                error = None  # break the traceback reference cycle
            error = _fault(passage, reply, conditional=False) if isinstance(reply, Response) else None
        if error is not None and isinstance(reply, Response):
            logger.error("A hook spoiled the response to an error, which goes out without that", exc_info=error)
            leave_out(reply, passage)
        error = None  # break the traceback reference cycle
        return reply

    def settled(self, passage: P) -> Settled:
        """What becomes of a head whose body is out of reach."""
        try:
            reply = self._gone(passage)
        except Exception as error:  # noqa: BLE001
            reply = self._failed(passage, error)
        reply = self._sound(passage, reply)
        if isinstance(reply, Passage):
            return Settled(reply.status, reply.lines, None)
        passage.closers += reply.closers
        body = reply.response
        return Settled(reply.status, reply.headers.lines, None if isinstance(body, Gone) else body)

    def _sent(self, passage: P, reply: Response | P) -> Iterable[bytes]:
        """The body for the server, which has the head."""
        passage.view = None
        if EXCEPTION in passage.environ:
            _forget_in_time(passage, reply)
        if isinstance(reply, Response):
            if reply.response is not passage.body or reply.status != passage.status:
                finish(reply)
            passage.pass_on(Settled(reply.status, reply.headers.lines, None))
            return outgoing(passage, reply.response, (*reply.closers, *passage.closers))
        if not passage.passed:
            passage.pass_on(Settled(passage.status, passage.lines, None))
        body = passage.body if passage.instead is None else passage.instead
        return outgoing(passage, () if body is None else body, passage.closers)


def _drop(passage: Passage) -> None:
    """Close what nobody will get; the error that it is for is the one to tell of."""
    try:
        passage.drop()
    except Exception:
        logger.exception("close() failed after an error")


def _forget_in_time(passage: Passage, reply: Response | Passage) -> None:
    """Break the cycle of the error in the environ when the body is closed.

    A list of the application is handed on as the same object, whose end nobody sees: there the cycle is broken at once.
    """
    forgets = partial(forget, passage.environ, passage.server)
    body = reply.response if isinstance(reply, Response) else passage.body
    if body is passage.body and isinstance(body, (list, tuple)):
        forgets()
    else:
        passage.closers += (forgets,)


def _fault(passage: Passage, reply: Response, *, conditional: bool) -> Exception | None:
    """What is wrong with a head, if anything is."""
    try:
        if conditional and reply.conditional_response:
            reply.make_conditional(passage.environ)
        check(reply, passage)
    except Exception as error:  # noqa: BLE001 - has a response
        return error
    return None


def _discard(passage: Passage, reply: Response) -> None:
    """Close a response that is not sent; the application's body is closed with the one that is."""
    if reply.response is passage.body:
        reply.__dict__["_app_iter"] = ()
    try:
        reply.close()
    except Exception:
        logger.exception("close() failed after an error")

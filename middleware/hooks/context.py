"""The context of one request, and the names by which functions reach it without an argument.

A context is bound to a context variable while a hook runs, while the application is called, and while its body is
iterated or closed. It is unbound in between, because the server may continue in another thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import chain
from typing import Any, Final, TypeVar, cast

from middleware.hooks.async_hooks import synchronous
from middleware.hooks.request import Request
from middleware.hooks.response_object import Response
from middleware.hooks.scopes import HookPlan, Registry, Scope
from middleware.wsgi.held import Begun, Held
from middleware.wsgi.types import Application, Environ, StartResponse

F = TypeVar("F", bound=Callable[..., Any])

_MISSING: Final = object()
_UNBOUND: Final = (
    "{} belongs to a request: it is bound while hooks run, and while the application inside them is called and its "
    "body is iterated"
)


class Context(Held):
    """One request to one hooked application.

    Attributes:
        path: (SCRIPT_NAME, PATH_INFO) as received. Applications that mount others change them.
        registry: the hooks of the application.
        roots: the root scopes of the hooks that this request is inside of, innermost first.
        plan: the hooks that take part in this request.
        view_args: dict. The parameters that scopes found in the path.
        after_this: the functions of `after_this_request`.
        handed_over: bool. Whether the application has been called.
        author: the function whose return value becomes the response, for messages.
        error: the unhandled exception, for teardown.
        closers: the functions to call when the body is closed. A head that replaces one that the server has may still
            add some.
    """

    plan: HookPlan
    registry: Registry
    roots: tuple[Scope, ...] = ()
    error: BaseException | None = None
    author: object = None
    closers: tuple[Callable[[], object], ...] = ()
    view_args: dict[str, Any] | None = None
    handed_over: bool = False
    after_this: list[Callable[[Response], Response]] | tuple[()] = ()
    _names: Namespace | None = None
    _request: Request | None = None

    def __init__(self, environ: Environ, server: StartResponse) -> None:
        super().__init__(environ, server)
        self.path = environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", "")

    @property
    def namespace(self) -> Namespace:
        """The object behind `g`, made on first access."""
        names = self._names
        if names is None:
            names = self._names = Namespace()
        return names

    @property
    def request(self) -> Request:
        """The request, made on first access."""
        request = self._request
        if request is None:
            limits, handed_over = self.registry.limits, self.handed_over
            request = Request.of(self.environ, self.path, self.view_args, limits, handed_over=handed_over)
            self._request = request
        return request

    def stand_within(self, outer: Context) -> None:
        """Add the root scopes of the hooks around these."""
        self.roots += outer.roots

    def hand_over(self) -> None:
        """Rewind the request body for the application, which is called next."""
        self.handed_over = True
        if self._request is not None:
            self._request.hand_over()


CURRENT: Final[ContextVar[Context | None]] = ContextVar("middleware.hooks", default=None)


def current(name: str) -> Context:
    """The bound context. RuntimeError, as in Flask, if there is none; its message begins with `name`."""
    context = CURRENT.get()
    if context is None:
        raise RuntimeError(_UNBOUND.format(name))
    return context


@contextmanager
def bound(context: Context) -> Iterator[None]:
    """Bind a context for the duration of a `with` block."""
    token = CURRENT.set(context)
    try:
        yield
    finally:
        CURRENT.reset(token)


def answer_of(app: Application) -> tuple[str, list[tuple[str, str]], Iterable[bytes]]:
    """The status, the header lines and the body of an application's response to the bound request."""
    written: list[bytes] = []
    held = Held(current("a WSGI application as a response").environ, lambda *_: written.append)
    held.call(app)
    body = held.body or ()
    status, lines, _ = held.head
    return status, lines, Begun(chain(written, body), body) if written else body


# -- g and request -----------------------------------------------------------------------------------------------------


class Namespace:
    """Arbitrary attributes, shared by the hooks and the application of one request, with a few methods of dict.

    Each Hooks around an application has its own, and the application sees that of the innermost, as in Flask.
    """

    def get(self, name: str, default: Any = None) -> Any:
        """The attribute, or `default`."""
        return self.__dict__.get(name, default)

    def pop(self, name: str, default: Any = _MISSING) -> Any:
        """Remove and return the attribute. KeyError if it is missing and there is no default."""
        return self.__dict__.pop(name) if default is _MISSING else self.__dict__.pop(name, default)

    def setdefault(self, name: str, default: Any = None) -> Any:
        """The attribute, set to `default` first if it is missing."""
        return self.__dict__.setdefault(name, default)

    def __contains__(self, name: object) -> bool:
        return name in self.__dict__

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"g has no {name!r} in this request")

    def __repr__(self) -> str:
        return f"<g {self.__dict__!r}>"


class _Proxy:
    """Forwards to an object of the bound context."""

    __slots__ = ("_find", "_name")

    def __init__(self, name: str, find: Callable[[Context], Any]) -> None:
        object.__setattr__(self, "_name", name)
        object.__setattr__(self, "_find", find)

    def _get_current_object(self) -> Any:
        return self._find(current(self._name))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._get_current_object(), name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._get_current_object(), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._get_current_object(), name)

    def __contains__(self, name: object) -> bool:
        return name in self._get_current_object()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._get_current_object())

    def __bool__(self) -> bool:
        return CURRENT.get() is not None

    def __repr__(self) -> str:
        return repr(self._get_current_object()) if self else f"<{self._name}, unbound>"


# Values that hooks and the application share in one request: any attribute, and `get`, `pop`, `setdefault`, `in`.
g: Any = _Proxy("g", lambda context: context.namespace)
# The current request.
request: Request = cast("Request", _Proxy("request", lambda context: context.request))


def after_this_request(function: F) -> F:
    """Call `function` with the response to this request, before the after_request hooks. Returns it unchanged.

    Several run in the order given. A call inside an after_request hook comes too late and has no effect.

    Errors: RuntimeError outside of a request.
    """
    context = current("after_this_request")
    if isinstance(context.after_this, tuple):
        context.after_this = []
    context.after_this.append(synchronous(function))
    return function


def has_request_context() -> bool:
    """Whether `g` and `request` are bound."""
    return CURRENT.get() is not None

"""Context: what belongs to one request, and the names by which functions reach it without being given it.

A context is bound (a contextvar) while a hook runs, while the application is called, while its body is iterated and
while that is closed; never in between, where the server may go on in another thread. Nothing else knows the contextvar.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from middleware.hooks.awaited import called
from middleware.hooks.request import Request
from middleware.wsgi.held import Held

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from middleware.hooks.registry import Plan, Registry
    from middleware.hooks.response import Response
    from middleware.wsgi.types import Environ, StartResponse

    F = TypeVar("F", bound=Callable[..., Any])

_MISSING: Final = object()
_OUTSIDE: Final = (
    "{} belongs to a request: it is bound while hooks run, and while the application that they are around is called "
    "and its body is iterated"
)


class Context(Held):
    """One request on its way through one hooked application.

    Attributes:
        path: (SCRIPT_NAME, PATH_INFO) as they came: applications that mount others change them.
        plan: the hooks that take part.
        view_args: dict. What the scopes found in the path.
        after_this: the functions of `after_this_request`.
        error: the exception that nobody handled, for teardown.
        registry: whose hooks these are.
        handed_over: bool. Whether the application has been called.
        author: the function whose return value is the response, for messages.
    """

    plan: Plan
    registry: Registry
    error: BaseException | None = None
    author: object = None
    view_args: dict[str, Any] | None = None
    handed_over: bool = False
    after_this: list[Callable[[Response], Response]] | tuple[()] = ()
    _names: Namespace | None = None
    _request: Request | None = None

    def __init__(self, environ: Environ, server: StartResponse) -> None:
        super().__init__(environ, server)
        self.path = environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", "")

    @property
    def names(self) -> Namespace:
        """What `g` holds."""
        names = self._names
        if names is None:
            names = self._names = Namespace()
        return names

    @property
    def request(self) -> Request:
        """The request, made when it is first looked at."""
        request = self._request
        if request is None:
            limits, handed_over = self.registry.limits, self.handed_over
            request = Request.of(self.environ, self.path, self.view_args, limits, handed_over=handed_over)
            self._request = request
        return request

    def hand_over(self) -> None:
        """Leave the request body whole for the application, which is called next."""
        self.handed_over = True
        if self._request is not None:
            self._request.hand_over()


CURRENT: Final[ContextVar[Context | None]] = ContextVar("middleware.hooks", default=None)


def current(name: str) -> Context:
    """The context that is bound. RuntimeError, as in Flask, if none is."""
    context = CURRENT.get()
    if context is None:
        raise RuntimeError(_OUTSIDE.format(name))
    return context


@contextmanager
def bound(context: Context) -> Iterator[None]:
    """Bind a context for a while."""
    token = CURRENT.set(context)
    try:
        yield
    finally:
        CURRENT.reset(token)


class Namespace:
    """Attributes for whatever hooks and application want to hand each other, and some of what a dict can do."""

    def get(self, name: str, default: Any = None) -> Any:
        """The attribute, or `default`."""
        return self.__dict__.get(name, default)

    def pop(self, name: str, default: Any = _MISSING) -> Any:
        """Take the attribute out. KeyError if there is none, and no default."""
        return self.__dict__.pop(name) if default is _MISSING else self.__dict__.pop(name, default)

    def setdefault(self, name: str, default: Any = None) -> Any:
        """The attribute, after it was set if there was none."""
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
    """Stands for something of the request that is bound."""

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


# What hooks and application hand each other in one request: any attribute, and `get`, `pop`, `setdefault`, `in`.
g: Any = _Proxy("g", lambda context: context.names)
# The request that is being answered.
request: Request = cast("Request", _Proxy("request", lambda context: context.request))


def after_this_request(function: F) -> F:
    """Have `function` see the response to this request, before the after_request hooks do. Returns it unchanged.

    Runs in the order given. Given by an after_request hook, it comes too late.

    Errors: RuntimeError outside of a request.
    """
    context = current("after_this_request")
    if isinstance(context.after_this, tuple):
        context.after_this = []
    context.after_this.append(called(function))
    return function


def has_request_context() -> bool:
    """Whether `g` and `request` are bound."""
    return CURRENT.get() is not None

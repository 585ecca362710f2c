"""Refused: errors for values that cannot be a WSGI application, a predicate or a key, with what to write."""

import inspect
from typing import Any, Final

from middleware.wsgi.options import is_async

_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Wrapper:
    """The base of layers and stacks: callables that are not applications until they wrap one."""

    __slots__ = ()


def wraps_nothing(value: object) -> bool:
    """Whether this is a layer or a stack without an application inside."""
    return isinstance(value, Wrapper) and getattr(value, "app", None) is None


def check_application(owner: str, app: object) -> None:
    """Raise TypeError for an object that cannot be called as a WSGI application (PEP 3333)."""
    rule = "a WSGI application is a callable (environ, start_response)"
    if not callable(app):
        raise TypeError(f"{owner}: {rule}; got {app!r}")
    if wraps_nothing(app):
        raise TypeError(f"{owner}: {rule}, and {app!r} is none until it wraps one: give what its wrap(app) returns")
    if is_async(app):
        raise TypeError(
            f"{owner}: {rule}, and {app!r} is an ASGI application: "
            f"give a2wsgi.ASGIMiddleware({named(app)}), of the package a2wsgi"
        )
    if is_factory(app):
        raise TypeError(f"{owner}: {rule}, and {app!r} is not called so: give what it returns, {named(app)}(...)")


def is_factory(app: object) -> bool:
    """Whether a callable cannot take (environ, start_response), or is a function that can be called without them."""
    if not takes(app, 2):
        return True
    if not inspect.isfunction(app):
        return False
    parameters = [*_signature(app).parameters.values()][:2]
    return all(each.kind in _POSITIONAL and each.default is not inspect.Parameter.empty for each in parameters)


def is_application(value: object) -> bool:
    """Whether a callable looks like a WSGI application: an object that takes two arguments, a function of environ."""
    if isinstance(value, type) or not takes(value, 2):
        return False
    if inspect.isfunction(value):
        return next(iter(_signature(value).parameters), "") in ("environ", "env")
    return not inspect.isroutine(value) and not hasattr(value, "func")  # functools.partial


def takes(function: Any, count: int, /, **options: object) -> bool:
    """Whether a callable can be called with `count` arguments and these options, as far as its signature is known."""
    call = inspect.getattr_static(type(function), "__call__", None)
    if "__signature__" in getattr(function, "__dict__", ()) or isinstance(call, staticmethod):
        return True  # the signature may be that of another function, or lack its first parameter
    try:
        signature = _signature(function)
    except (TypeError, ValueError):  # implemented in C, without a signature
        return True
    try:
        signature.bind(*range(count), **options)
    except TypeError:
        return False
    return True


def _signature(function: Any) -> inspect.Signature:
    """The signature of a callable itself: a decorator may turn a function of something else into an application."""
    return inspect.signature(function, follow_wrapped=False)


def check_predicate(owner: str, predicate: object) -> None:
    """Raise TypeError for an object that cannot be called with an environ as a predicate."""
    fault = predicate_fault(predicate, f"{owner}: a predicate is a callable environ -> bool")
    if fault is not None:
        hint = f": write match.path({predicate!r})" if isinstance(predicate, str) and predicate.startswith("/") else ""
        raise TypeError(f"{fault}; got {predicate!r}{hint}")


def predicate_fault(given: object, rule: str = "a predicate environ -> bool, or None") -> str | None:
    """Return the rule, and what to write, if this cannot be called with an environ as a predicate; otherwise None."""
    if isinstance(given, type) and hasattr(given, "certainly"):
        return f"{rule}; match.{given.__name__} makes one: write match.{given.__name__}(...)"
    return called_fault(given, rule, "always counts as true")


def can_be_called(given: object, count: int) -> bool:
    """Whether this is a callable that takes `count` arguments and returns no coroutine, which nothing would await."""
    return callable(given) and takes(given, count) and not is_async(given)


def called_fault(given: object, rule: str, coroutine: str) -> str | None:
    """Return the rule if this cannot be called with one argument, or returns a coroutine; otherwise None."""
    if not callable(given) or not takes(given, 1):
        return rule
    return f"{rule}; a coroutine {coroutine}: write it without async" if is_async(given) else None


def named(value: object) -> str:
    """Return the name that the value probably has in the caller's code."""
    return str(getattr(value, "__name__", "app"))

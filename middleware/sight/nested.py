"""Nested: the stacks in and around an application that was wrapped before."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from copy import copy
from inspect import getattr_static
from typing import Any, TypeGuard, TypeVar

from middleware.stack.builder import Stack
from middleware.wsgi.layer import Middleware

T = TypeVar("T")


def stack_of(value: object) -> Stack | None:
    """The value itself if it is a stack, or the stack that wraps it, or None."""
    # Looked up statically, because proxies of frameworks raise outside of a request.
    found = value if is_a(value, Stack) else getattr_static(value, "stack", None)
    return found if is_a(found, Stack) else None


def is_a(value: object, kind: type[T]) -> TypeGuard[T]:
    """Whether the type of a value is of a kind. Unlike isinstance, this does not read `__class__` of the value."""
    return issubclass(type(value), kind)


def stacks_in(app: Any, at: str = "", within: tuple[object, ...] = ()) -> Iterator[tuple[str, Stack]]:
    """The stacks in an application, outermost first, each with the path that it is mounted on, or "".

    Looks into stacks, `wsgi_app` as Flask has it, the `app` of other middleware, and `mounts` of DispatcherMiddleware.
    """
    stack = stack_of(app)
    if stack is not None:
        yield at, stack
    for _, path, each in _inside(app, within):
        yield from stacks_in(each, f"{at}{path}", (app, *within))


def always_meets(app: Any, kind: type[Middleware], within: tuple[object, ...] = ()) -> bool:
    """Whether every request to an application meets a layer of a kind, in a stack or outside one.

    Looks where `stacks_in` does. Where applications are mounted, each of them has to have such a layer.
    """
    if any(is_a(layer, kind) and layer.condition is None for layer in (app, *(stack_of(app) or ()))):
        return True
    inside = [always_meets(each, kind, (app, *within)) for *_, each in _inside(app, within)]
    return any(inside) if getattr_static(app, "mounts", None) is None else bool(inside) and all(inside)


def _inside(app: Any, within: tuple[object, ...]) -> list[tuple[str, str, Any]]:
    """The applications directly inside another, without those around it: attribute, path of a mount, application."""
    inside = [(name, "", getattr_static(app, name, None)) for name in ("wsgi_app", "app")]
    mounts = getattr_static(app, "mounts", None)
    inside += [("mounts", path, each) for path, each in mounts.items()] if isinstance(mounts, Mapping) else []
    return [found for found in inside if callable(found[2]) and all(found[2] is not one for one in (app, *within))]


def called(app: Any) -> Any:
    """The `wsgi_app` of an application, such as that of Flask, if it is inside a stack; otherwise `app`."""
    inner = getattr_static(app, "wsgi_app", None)
    return app if stack_of(app) is not None or stack_of(inner) is None else inner


def _is_site(app: object) -> bool:
    """Whether an application calls its method `wsgi_app`, as Flask does. In a middleware it is not a method."""
    return hasattr(type(app), "wsgi_app")


def unwrapped(app: Any) -> tuple[list[Stack], Any]:
    """The stacks around an application, outermost first, and the application inside them; also those of Flask."""
    stacks: list[Stack] = []
    while (stack := stack_of(app := called(app) if _is_site(app) else app)) is not None and hasattr(app, "app"):
        stacks, app = [*stacks, stack], app.app
    return stacks, app


def substituted(app: Any, instead: Callable[[list[Stack], Any], Any], within: tuple[object, ...] = ()) -> Any:
    """The application, with `instead(stacks, inner)` in the place of the stacks in it and what they wrap.

    Looks where `stacks_in` does. Applications around a stack are copied; one that cannot be copied is left as it is.
    """
    stacks, inner = unwrapped(app)
    if stacks:
        return instead(stacks, substituted(inner, instead, (app, *within)))
    made = {}
    for name, path, each in _inside(app, within):
        other = substituted(each, instead, (app, *within))
        if other is not each:
            made[name, path] = other
    if not made:
        return app
    if ("wsgi_app", "") in made and _is_site(app):
        return made["wsgi_app", ""]
    if is_a(app, Middleware):
        return app.wrap(made["app", ""])
    with suppress(Exception):  # of copying: the stacks in the application are not reported then
        twin = copy(app)
        for (name, path), each in made.items():
            setattr(twin, name, {**twin.mounts, path: each} if name == "mounts" else each)
        return twin
    return app

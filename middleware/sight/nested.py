"""Nested: the stacks around an application that was wrapped before."""

from collections.abc import Iterator, Mapping
from inspect import getattr_static
from typing import Any

from middleware.stack.builder import Stack


def stack_of(value: object) -> Stack | None:
    """The value itself if it is a stack, or the stack that wraps it, or None."""
    # Looked up statically, because proxies of frameworks raise outside of a request.
    found = value if isinstance(value, Stack) else getattr_static(value, "stack", None)
    return found if isinstance(found, Stack) else None


def stacks_in(app: Any, at: str = "", within: tuple[object, ...] = ()) -> Iterator[tuple[str, Stack]]:
    """The stacks in an application, outermost first, each with the path that it is mounted on, or "".

    Looks into stacks, `wsgi_app` as Flask has it, the `app` of other middleware, and `mounts` of DispatcherMiddleware.
    """
    stack = stack_of(app)
    if stack is not None:
        yield at, stack
    inside = [(at, getattr_static(app, name, None)) for name in ("wsgi_app", "app")]
    mounts = getattr_static(app, "mounts", None)
    inside += [(f"{at}{path}", each) for path, each in mounts.items()] if isinstance(mounts, Mapping) else []
    for path, each in inside:
        if callable(each) and not any(each is outer for outer in (app, *within)):
            yield from stacks_in(each, path, (app, *within))


def called(app: Any) -> Any:
    """The `wsgi_app` that an application calls, as that of Flask does, if it stands in a stack; or else `app`."""
    inner = getattr_static(app, "wsgi_app", None)
    return app if stack_of(app) is not None or stack_of(inner) is None else inner


def unwrapped(app: Any) -> tuple[list[Stack], Any]:
    """The stacks around an application, outermost first, and the application inside them; also those of Flask."""
    stacks: list[Stack] = []
    while (stack := stack_of(app := called(app))) is not None and hasattr(app, "app"):
        stacks, app = [*stacks, stack], app.app
    return stacks, app

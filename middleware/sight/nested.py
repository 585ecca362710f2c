"""Nested: the stacks around an application that was wrapped before."""

from __future__ import annotations

from inspect import getattr_static
from typing import Any

from middleware.stack.builder import Stack


def stack_of(value: object) -> Stack | None:
    """The value itself if it is a stack, or the stack that wraps it, or None."""
    # Looked up statically, because proxies of frameworks raise outside of a request.
    found = value if isinstance(value, Stack) else getattr_static(value, "stack", None)
    return found if isinstance(found, Stack) else None


def called(app: Any) -> Any:
    """The `wsgi_app` that an application calls, as that of Flask does, if it stands in a stack; or else `app`."""
    inner = getattr_static(app, "wsgi_app", None)
    return app if stack_of(app) is not None or stack_of(inner) is None else inner


def unwrapped(app: Any) -> tuple[list[Stack], Any]:
    """The stacks around an application, outermost first, and the application inside them."""
    stacks: list[Stack] = []
    while (stack := stack_of(app)) is not None and hasattr(app, "app"):
        stacks, app = [*stacks, stack], app.app
    return stacks, app

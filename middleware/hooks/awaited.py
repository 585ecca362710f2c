"""Awaited: `async def` functions as hooks. One runs to its end before anything else does.

Each runs in an event loop of its own. A task works on a copy of the context: what the hook has set in context variables
is taken over when it has ended, however it did, so that later hooks and the application see it (as asgiref does it for
Flask).
"""

from __future__ import annotations

import asyncio
import inspect
from contextvars import copy_context
from functools import wraps
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextvars import Context

_UNSET: Final = object()


def called(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as one that can be called like any other. Sees `g` and `request`."""
    if not (inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))):  # noqa: B004 - whether calling it has to be awaited
        return function

    @wraps(function)
    def call(*arguments: Any) -> Any:
        contexts: list[Context] = []
        coroutine = _observed(function, arguments, contexts)
        try:
            return _finished(coroutine)
        finally:
            coroutine.close()  # one that could not be started warns otherwise
            while contexts:
                _take_over(contexts.pop())

    return call


async def _observed(function: Callable[..., Any], arguments: tuple[Any, ...], contexts: list[Context]) -> Any:
    """Keep the context in which the function ends."""
    try:
        return await function(*arguments)
    finally:
        contexts.append(copy_context())


def _take_over(context: Context) -> None:
    """Set the variables that differ; by identity, because some values cannot be compared."""
    for variable, value in context.items():
        if variable.get(_UNSET) is not value:
            variable.set(value)


def _finished(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run it to its end; in a thread of its own where this one has a running loop, which must not be entered twice."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    outcome: list[tuple[Any, BaseException | None]] = []
    thread = Thread(target=copy_context().run, args=(_run, coroutine, outcome))
    thread.start()
    thread.join()
    result, error = outcome.pop()
    try:
        if error is not None:
            raise error
    finally:
        del error  # break the traceback reference cycle
    return result


def _run(coroutine: Coroutine[Any, Any, Any], outcome: list[tuple[Any, BaseException | None]]) -> None:
    try:
        outcome.append((asyncio.run(coroutine), None))
    except BaseException as error:  # noqa: BLE001 - raised where the result is awaited
        outcome.append((None, error))

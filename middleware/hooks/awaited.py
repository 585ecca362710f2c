"""Awaited: `async def` functions as hooks. One runs to its end before anything else does.

Each runs in an event loop of its own. A task works on a copy of the context: what the hook has set in context variables
is taken over when it has ended, however it did, so that later hooks and the application see it (as asgiref does it for
Flask).
"""

from __future__ import annotations

import asyncio
import inspect
from contextvars import Context, copy_context
from functools import wraps
from threading import Thread
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

_UNSET: Final = object()


def called(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as one that can be called like any other. Sees `g` and `request`."""
    if not (inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))):  # noqa: B004 - whether calling it has to be awaited
        return function

    @wraps(function)
    def call(*arguments: Any) -> Any:
        ended: list[_Ended] = []
        coroutine = _observed(function, arguments, ended)
        try:
            _finish(coroutine)
        finally:
            coroutine.close()  # one that could not be started warns otherwise
            _take_over(ended)
        _, result, error = ended.pop()
        try:
            if error is not None:
                raise error
        finally:
            del error  # break the traceback reference cycle
        return result

    return call


class _Ended(NamedTuple):
    """How a coroutine has ended, and the context in which it did."""

    context: Context
    result: Any = None
    error: Exception | None = None


async def _observed(function: Callable[..., Any], arguments: tuple[Any, ...], ended: list[_Ended]) -> None:
    """Note how the function ends. An exception that passed through a task would be in a reference cycle with it."""
    try:
        result = await function(*arguments)
        ended.append(_Ended(copy_context(), result))
    except Exception as error:  # noqa: BLE001 - raised by `call`
        ended.append(_Ended(copy_context(), error=error))
    except BaseException:  # asyncio has to know
        ended.append(_Ended(copy_context()))
        raise


def _take_over(ended: list[_Ended]) -> None:
    """Set the variables that differ; by identity, because some values cannot be compared."""
    for how in ended:
        for variable, value in how.context.items():
            if variable.get(_UNSET) is not value:
                variable.set(value)


def _finish(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run it to its end; in a thread of its own where this one has a running loop, which must not be entered twice."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(coroutine)
        return
    errors: list[BaseException] = []
    thread = Thread(target=copy_context().run, args=(_run, coroutine, errors))
    thread.start()
    thread.join()
    if errors:
        raise errors.pop()


def _run(coroutine: Coroutine[Any, Any, None], errors: list[BaseException]) -> None:
    try:
        asyncio.run(coroutine)
    except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
        errors.append(error)

"""`async def` functions as hooks: each runs to completion in an event loop of its own.

A task works on a copy of the context variables. Variables that the task has set are copied back when it ends, with a
result or an exception, so that later hooks and the application see them, as asgiref does for Flask.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from functools import wraps
from threading import Thread
from typing import Any, Final, NamedTuple

_UNSET: Final = object()


def synchronous(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that runs an `async def` function to completion when called; any other function unchanged."""
    if not (inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))):  # noqa: B004 - whether calling it has to be awaited
        return function

    @wraps(function)
    def call(*arguments: Any) -> Any:
        outcomes: list[_Outcome] = []

        async def observed() -> None:
            """Record the outcome. An exception that passed through the task would form a reference cycle with it."""
            try:
                result = await function(*arguments)
                outcomes.append(_Outcome(copy_context(), result))
            except Exception as error:  # noqa: BLE001 - raised by `call`
                outcomes.append(_Outcome(copy_context(), error=error))
            except BaseException:  # asyncio must see it
                outcomes.append(_Outcome(copy_context()))
                raise

        coroutine = observed()
        try:
            _run(coroutine)
        finally:
            coroutine.close()  # otherwise a coroutine that could not be started warns
            for variable, value in [item for outcome in outcomes for item in outcome.variables.items()]:
                if variable.get(_UNSET) is not value:  # by identity, because some values cannot be compared
                    variable.set(value)
        _, result, error = outcomes.pop()
        try:
            if error is not None:
                raise error
        finally:
            del error  # break the traceback reference cycle
        return result

    return call


class _Outcome(NamedTuple):
    """The end of a coroutine: its context variables, and its result or exception."""

    variables: Context
    result: Any = None
    error: Exception | None = None


def _run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine, in another thread if this one has a running event loop, because loops cannot be nested."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(coroutine)
        return
    errors: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(coroutine)
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
            errors.append(error)

    thread = Thread(target=copy_context().run, args=(run,))
    thread.start()
    thread.join()
    if errors:
        raise errors.pop()

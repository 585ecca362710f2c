"""Awaited: `async def` functions as hooks. One runs to its end before anything else does."""

from __future__ import annotations

import asyncio
import inspect
from contextvars import copy_context
from functools import wraps
from threading import Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


def called(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as one that can be called like any other. Sees `g` and `request`."""
    if not (inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))):  # noqa: B004 - whether calling it has to be awaited
        return function

    @wraps(function)
    def call(*arguments: Any) -> Any:
        return _finished(function(*arguments))

    return call


def _finished(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run it to its end; in a thread of its own where this one has a running loop, which must not be entered twice."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    outcome: list[Any] = []
    thread = Thread(target=copy_context().run, args=(_run, coroutine, outcome))
    thread.start()
    thread.join()
    result, error = outcome
    if error is not None:
        raise error
    return result


def _run(coroutine: Coroutine[Any, Any, Any], outcome: list[Any]) -> None:
    try:
        outcome += asyncio.run(coroutine), None
    except BaseException as error:  # noqa: BLE001 - raised where the result is awaited
        outcome += None, error

"""Apart: what is measured in a process of its own, so that nothing of what was measured before counts."""

from __future__ import annotations

from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    Value = TypeVar("Value")


def apart(function: Callable[..., Value], *arguments: Any) -> Value:
    """What a function of a module returns, called in a fresh interpreter; an error if that ends without an answer."""
    context = get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(there, function, arguments))
    process.start()
    there.close()
    try:
        value: Value = here.recv()
    except EOFError:
        raise RuntimeError(f"{function.__name__}{arguments} did not end well") from None
    finally:
        process.join()
    return value


def _answer(parent: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    parent.send(function(*arguments))

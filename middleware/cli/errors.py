"""What a command says when it cannot do what it was asked to do: one line, and an exit status."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class CommandError(Exception):
    """Ends a command: its message is the one line on stderr.

    Attributes:
        status: int. The exit status: 2 for what was typed, 1 for a stack that is wrong. Default 2.
    """

    def __init__(self, message: str, status: int = 2) -> None:
        super().__init__(message)
        self.status = status


def raised(error: BaseException) -> str:
    """An error of the user's code in one line: what it is, and where."""
    said = " ".join(str(error).split())
    what = f"{type(error).__name__}: {said}" if said else type(error).__name__
    if isinstance(error, SyntaxError):  # its message names the place
        return what
    *_, (file, line) = "", 0, *places(error)
    return f"{what} ({file}, line {line})"


def places(error: BaseException) -> Iterator[tuple[str, int | None]]:
    """The source lines that led to an error, the one that raised it last; what was not compiled counts as well."""
    for frame in traceback.extract_tb(error.__traceback__):
        if not frame.filename.startswith("<frozen "):
            yield frame.filename, frame.lineno
    if isinstance(error, SyntaxError) and error.filename:
        yield error.filename, error.lineno

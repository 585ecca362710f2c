"""The output of commands, and the one line of an error.

Output fails neither for an encoding that lacks a character nor for a reader that has closed the pipe.
"""

import io
import os
import re
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import suppress
from difflib import get_close_matches
from errno import EINVAL, EPIPE
from typing import Any, Final

_CLOSED: Final = (EPIPE, EINVAL)  # the reader of a pipe has closed it; EINVAL is that of Windows
# The styles of lines on a terminal.
_STYLES: Final = (
    (re.compile(r"^ +(?:\d+|\*)  \S.*$", re.MULTILINE), "bold"),
    (re.compile(r"^ +(?:request|response|stands|rule|layers|time) ", re.MULTILINE), "dim"),
    (re.compile(r"(?<=^     response  |^               )\+ .*$", re.MULTILINE), "green"),
    (re.compile(r"(?<=^     response  |^               )~ .*$", re.MULTILINE), "cyan"),
    (re.compile(r"(?<=^     response  |^               )- .*$", re.MULTILINE), "red"),
    (re.compile(r"^ +note .*$", re.MULTILINE), "yellow"),
    (re.compile(r"^error:", re.MULTILINE), "bold red"),
    (re.compile(r"^warning:", re.MULTILINE), "bold yellow"),
    (re.compile(r"^ +fix .*$", re.MULTILINE), "green"),
)


def prepare() -> None:
    """Make stdout and stderr escape the characters that their encoding lacks, as stderr does by default."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(text: object, *, error: bool = False) -> None:
    """Print lines to stdout, or to stderr if `error`; in colour on a terminal.

    Does nothing if the stream does not exist or cannot be written.
    """
    _print(text, sys.stderr if error else sys.stdout)


def result(text: object, *, plain: bool = False) -> None:
    """Print the result of a command to stdout, in colour on a terminal unless `plain`.

    Does nothing if stdout does not exist or its reader has closed it.

    Errors: CommandError if stdout cannot be written for another reason, such as a full disk.
    """
    failure = _print(text, sys.stdout, plain=plain)
    if failure is not None and failure.errno not in _CLOSED:
        raise CommandError(f"stdout cannot be written: {failure.strerror}")


def _print(text: object, stream: Any, *, plain: bool = False) -> OSError | None:
    """Print lines; return the exception if they cannot be written."""
    wants_colour = not plain and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    failure = None
    try:
        is_coloured = wants_colour and stream is not None and stream.isatty()
        if not (is_coloured and _say_in_colour(str(text), stream)):
            print(text, file=stream)
    except OSError as error:
        failure = error
    return flush().get(stream, failure)


def _say_in_colour(text: str, stream: Any) -> bool:
    """Print with rich; return False if it is not installed."""
    try:
        from rich.console import Console
        from rich.text import Text
    except ImportError:
        return False
    styled: Any = Text(text)
    for pattern, style in _STYLES:
        styled.highlight_regex(pattern, style)
    Console(file=stream).print(styled, soft_wrap=True)
    return True


def plural(count: int, noun: str) -> str:
    """A number with its noun: "1 error", "2 errors"."""
    return f"{count} {noun}" + "s" * (count != 1)


def flush() -> dict[Any, OSError]:
    """Flush stdout and stderr; return the exceptions. A stream whose flush fails is redirected to the null device."""
    failures = {}
    for stream in (sys.stdout, sys.stderr):
        if stream is None:  # the process was started without it
            continue
        try:
            stream.flush()
        except OSError as error:
            failures[stream] = error
            with suppress(OSError), open(os.devnull, "w") as nowhere:  # noqa: PTH123 - no file that a Path names
                os.dup2(nowhere.fileno(), stream.fileno())
        except RuntimeError:  # a signal handler has interrupted another flush of this stream
            pass
    return failures


# -- errors ----------------------------------------------------------------------------------------------------------


class CommandError(Exception):
    """Ends a command. The message is printed on stderr, in one line.

    Attributes:
        status: int. The exit status: 2 for a wrong argument, 1 for a wrong stack. Default 2.
    """

    def __init__(self, message: str, status: int = 2) -> None:
        super().__init__(message)
        self.status = status


def nearest(given: str, names: Iterable[str]) -> str:
    """A question that ends a message, about the nearest of the names; or "" if none is near."""
    near = get_close_matches(given, list(names), 1)
    return f"; did you mean {near[0]}?" if near else ""


def raised(error: BaseException) -> str:
    """The type, message and place of an exception of the user's code, in one line."""
    said = " ".join(str(error).split())
    what = f"{type(error).__name__}: {said}" if said else type(error).__name__
    if isinstance(error, SyntaxError):  # the message names the place
        return what
    *_, (file, line) = "", 0, *source_lines(error)
    return f"{what} ({file}, line {line})"


def source_lines(error: BaseException) -> Iterator[tuple[str, int | None]]:
    """The file and line of each frame of the traceback, and the line of a SyntaxError that did not compile."""
    for frame in traceback.extract_tb(error.__traceback__):
        if not frame.filename.startswith("<frozen "):
            yield frame.filename, frame.lineno
    if isinstance(error, SyntaxError) and error.filename:
        yield error.filename, error.lineno

"""Output: what a command prints. It fails neither for an encoding nor for a reader that has gone."""

from __future__ import annotations

import io
import os
import re
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from typing import TextIO

# What is set off on a terminal, and how.
_STYLES: Final = (
    (re.compile(r"^ +(?:\d+|\*)  \S.*$", re.MULTILINE), "bold"),
    (re.compile(r"^ +(?:request|response|stands|rule|layers) ", re.MULTILINE), "dim"),
    (re.compile(r"^error:", re.MULTILINE), "bold red"),
    (re.compile(r"^warning:", re.MULTILINE), "bold yellow"),
    (re.compile(r"^ +fix .*$", re.MULTILINE), "green"),
)


def prepare() -> None:
    """Let stdout and stderr escape the characters that their encoding lacks, as stderr does by default."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(text: object, *, error: bool = False) -> None:
    """Print a line or several to stdout, or to stderr for an `error`; in colour where it is a terminal.

    Does nothing where there is no such stream, or nobody reads it any more.
    """
    stream = sys.stderr if error else sys.stdout
    with suppress(OSError):
        if _is_coloured(stream):
            _say_in_colour(str(text), stream)
        else:
            print(text, file=stream)
    flush()


def flush() -> None:
    """Send what stdout and stderr hold. Where that fails, what is printed from now on goes nowhere."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # as it is where the process was started without it
            _flush(stream)


def _flush(stream: TextIO) -> None:
    try:
        stream.flush()
    except OSError:
        with suppress(OSError), open(os.devnull, "w") as nowhere:  # noqa: PTH123 - it is no file
            os.dup2(nowhere.fileno(), stream.fileno())
    except RuntimeError:  # a signal handler has interrupted another flush of this stream
        pass


def _is_coloured(stream: TextIO | None) -> bool:
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return wanted and stream is not None and stream.isatty()


def _say_in_colour(text: str, stream: TextIO) -> None:
    try:
        from rich.console import Console
        from rich.text import Text
    except ImportError:
        print(text, file=stream)
        return
    styled: Any = Text(text)
    for pattern, style in _STYLES:
        styled.highlight_regex(pattern, style)
    Console(file=stream).print(styled, soft_wrap=True)

"""Reloading: a child process serves, and ends itself when a source file that it has loaded changes.

Its parent keeps the socket meanwhile and starts the next one: connections made in between wait, and are not refused.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

from middleware.cli.serving import TICK
from middleware.cli.signals import Stop

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable, Iterator, Sequence

CHANGED: Final = 3  # the exit status of a child that wants to be started again
# Not `-m middleware`, which may be a file of the user's; see wsgi_middleware_stack.
_CODE: Final = "import sys, wsgi_middleware_stack; sys.exit(wsgi_middleware_stack.main({!r}))"
_KILLING: Final = 3  # signals
PATIENCE: Final = 2.0  # seconds that requests in flight have when a file changed


class Watch:
    """The source files that this process has loaded, and whether one of them is no longer what it was when first seen.

    Attributes:
        changed: bool. Whether one has changed.
    """

    def __init__(self) -> None:
        self.changed = False
        self._parent = os.getppid()
        self._stamps: dict[str, int] = {}
        self.over()

    def over(self, more: Iterable[str] = ()) -> bool:
        """Look at every file, and at `more`. Return whether one has changed, or the parent is gone."""
        for file in (*_loaded(), *more):
            stamp = _stamp(file)
            if stamp is not None and self._stamps.setdefault(file, stamp) != stamp:
                self.changed = True
        return self.changed or os.getppid() != self._parent

    def wait(self, more: Sequence[str]) -> bool:
        """Wait until one of the files, or of `more`, has changed; return whether that, and no signal, ended it."""
        with Stop() as stop:
            while not self.over(more) and not stop.asked:
                time.sleep(TICK)
        return self.changed


def supervise(arguments: Sequence[str], listener: socket.socket, program: str) -> int:
    """Run the command, as `program`, with `arguments` on the socket, again after each change; return its exit status.

    SIGTERM and SIGINT are passed on as SIGTERM, because the child ignores a Ctrl-C that both have received. The third
    one kills the child, should it not end at the second.
    """
    command = _command(arguments, listener, program)
    with Stop() as stop:
        status = _generation(stop, [*command, "--watched", "first"])
        while status == CHANGED and not stop.asked:
            status = _generation(stop, [*command, "--watched", "again"])
    return 0 if stop.asked and status in (CHANGED, -signal.SIGTERM) else _exit_status(status)


def _exit_status(status: int) -> int:
    """The status as shells tell it: of a process that a signal ended, 128 and its number."""
    return status if status >= 0 else 128 - status


def _command(arguments: Sequence[str], listener: socket.socket, program: str) -> list[str]:
    listener.set_inheritable(True)
    flags = [f"-W{option}" for option in sys.warnoptions]
    return [sys.executable, *flags, "-c", _CODE.format(program), *arguments, "--listen", f"fd://{listener.fileno()}"]


def _generation(stop: Stop, command: Sequence[str]) -> int:
    with subprocess.Popen(command, close_fds=False) as child:  # noqa: S603 - the command that runs this
        stop.wake = lambda: child.terminate() if stop.asked < _KILLING else child.kill()
        if stop.asked:
            child.terminate()
        return child.wait()


def _loaded() -> Iterator[str]:
    """The source files of all modules."""
    for module in tuple(sys.modules.values()):
        file = getattr(module, "__dict__", {}).get("__file__")
        if isinstance(file, str) and file.endswith(".py"):
            yield file


def _stamp(file: str) -> int | None:
    try:
        return os.stat(file).st_mtime_ns  # noqa: PTH116 - a thousand times a second, for a str
    except OSError:
        return None

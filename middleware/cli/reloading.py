"""Restarts a child process, which serves, when a source file that it has loaded changes.

The parent process keeps the socket, so that connections made during a restart wait and are not refused.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Final

from middleware.cli.server import TICK, Stop

CHANGED: Final = 3  # the exit status of a child that must be restarted
# Not `-m middleware`, which may be a file of the user's; see wsgi_middleware_stack.
_CODE: Final = "import sys, wsgi_middleware_stack; sys.exit(wsgi_middleware_stack.main({!r}))"
_KILLING: Final = 3  # the number of signals that kills the child
PATIENCE: Final = 2.0  # seconds that requests in flight have after a change


class Watch:
    """The loaded source files, compared with their modification times when first seen.

    Attributes:
        changed: bool. True once a file has changed.
    """

    def __init__(self) -> None:
        self.changed = False
        self._parent = os.getppid()
        self._stamps: dict[str, int] = {}
        self.over()

    def over(self, more: Iterable[str] = ()) -> bool:
        """Check every loaded file, and `more`. Return True if one has changed, or if the parent process is gone."""
        loaded = (getattr(module, "__dict__", {}).get("__file__") for module in tuple(sys.modules.values()))
        for file in (*(file for file in loaded if isinstance(file, str) and file.endswith(".py")), *more):
            try:
                stamp = os.stat(file).st_mtime_ns  # noqa: PTH116 - much cheaper than a Path for a thousand files
            except OSError:
                continue
            if self._stamps.setdefault(file, stamp) != stamp:
                self.changed = True
        return self.changed or os.getppid() != self._parent

    def wait(self, more: Sequence[str]) -> bool:
        """Wait until a loaded file or one of `more` has changed; return False if a signal came instead."""
        with Stop() as stop:
            while not self.over(more) and not stop.asked:
                time.sleep(TICK)
        return self.changed


def supervise(arguments: Sequence[str], listener: socket.socket, program: str) -> int:
    """Run the command `program` with `arguments` on the socket, again after each change; return its exit status.

    SIGTERM and SIGINT are passed on as SIGTERM, because the child ignores a Ctrl-C, which both processes receive. The
    third signal kills the child if the second has not ended it. The status of a killed child is 128 and the signal.
    """
    listener.set_inheritable(True)
    flags = [f"-W{option}" for option in sys.warnoptions]
    command = [sys.executable, *flags, "-c", _CODE.format(program), *arguments]
    command += ["--listen", f"fd://{listener.fileno()}", "--watched"]
    with Stop() as stop:
        status = _generation(stop, [*command, "first"])
        while status == CHANGED and not stop.asked:
            status = _generation(stop, [*command, "again"])
    if stop.asked and status in (CHANGED, -signal.SIGTERM):
        return 0
    return status if status >= 0 else 128 - status


def _generation(stop: Stop, command: Sequence[str]) -> int:
    with subprocess.Popen(command, close_fds=False) as child:  # noqa: S603 - the command that runs this
        stop.wake = lambda: child.terminate() if stop.asked < _KILLING else child.kill()
        if stop.asked:
            child.terminate()
        return child.wait()

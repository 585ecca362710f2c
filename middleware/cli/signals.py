"""Signals: SIGTERM and SIGINT as a wish to end, which is granted when there is nothing left to finish."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any, Final

from middleware.cli.output import flush

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from typing_extensions import Self

_ASKING: Final = signal.SIGTERM, signal.SIGINT


class Stop:
    """Within `with`, SIGTERM and SIGINT ask to end instead of ending. Main thread only.

    Options:
        deaf: whether SIGINT does nothing, because a parent passes on each Ctrl-C as SIGTERM. Default False.

    Attributes:
        asked: int. The number of signals that came.
        ending: bool. Whether the end has begun: a signal came, or the owner has set it for a reason of its own.
        told: bool. Whether a signal after the first ends the process at once, with the status 128 and its number.
            Default False; set it when the end is announced, because supervisors send the first signal twice: to the
            process and to its group.
        wake: called when one comes, between any two steps of the main thread: it must not wait for a lock.
    """

    def __init__(self, *, deaf: bool = False) -> None:
        self.asked = 0
        self.ending = False
        self.told = False
        self.wake: Callable[[], object] = lambda: None
        self._deaf = deaf
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._before = {each: signal.signal(each, self._ask) for each in _ASKING}
        return self

    def __exit__(self, *_: object) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)

    def _ask(self, number: int, _: FrameType | None) -> None:
        if self._deaf and number == signal.SIGINT:
            return
        if self.told and self.asked:
            leave(128 + number)
        self.asked += 1
        self.ending = True
        self.wake()


def leave(status: int) -> None:
    """End the process now, whatever its threads are at: nothing waits for them, and no exit function runs."""
    flush()
    os._exit(status)

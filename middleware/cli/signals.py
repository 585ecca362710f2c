"""Signals: SIGTERM and SIGINT as a wish to end, which is granted when there is nothing left to finish."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from typing_extensions import Self

_ASKING: Final = signal.SIGTERM, signal.SIGINT


class Stop:
    """Within `with`, SIGTERM and SIGINT ask to end instead of ending. Main thread only.

    Any number of SIGTERM asks once. A second SIGINT, Ctrl-C for the second time, raises KeyboardInterrupt.

    Attributes:
        asked: bool. Whether a signal came.
        wake: called when one comes, between any two steps of the main thread: it must not wait for a lock.
    """

    def __init__(self) -> None:
        self.asked = False
        self.wake: Callable[[], object] = lambda: None
        self._interrupted = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._before = {each: signal.signal(each, self._ask) for each in _ASKING}
        return self

    def __exit__(self, *_: object) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)

    def _ask(self, number: int, _: FrameType | None) -> None:
        if number == signal.SIGINT:
            if self._interrupted:
                raise KeyboardInterrupt
            self._interrupted = True
        self.asked = True
        self.wake()

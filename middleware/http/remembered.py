"""A cache of what was parsed from field values: bounded, and closed to long values.

Values come from clients: neither many nor long ones may fill the memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sized
from typing import Any, Final, TypeVar

LIMIT: Final = 1024
LONGEST: Final = 256
Key = TypeVar("Key", bound=Sized)
Found = TypeVar("Found")


class Remembered(dict[Key, Found]):
    """A mapping that asks `find` for what is missing and keeps the answer, so that the next look-up is all there is.

    At LIMIT answers it is cleared: common keys are back at once, and no order of use has to be kept. A key
    longer than `longest` is asked about each time. What `find` raises is passed on and not kept.

    `Remembered(find).__getitem__` is the remembering function itself, without a call of Python in between.
    """

    __slots__ = ("_find", "_longest")

    def __init__(self, find: Callable[[Key], Found], *, longest: int = LONGEST) -> None:
        super().__init__()
        self._find = find
        self._longest = longest

    def __missing__(self, key: Key) -> Found:
        found = self._find(key)
        if len(key) <= self._longest:
            keep(self, key, found)
        return found


def keep(table: dict[Any, Any], key: object, value: object) -> None:
    """Put an entry into a table that is cleared when it has LIMIT of them."""
    if len(table) >= LIMIT:
        table.clear()
    table[key] = value

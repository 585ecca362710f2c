"""A cache of values parsed from field values, bounded in the number and the length of its keys.

Keys come from clients, so the bounds keep many or long ones from filling the memory.
"""

from collections.abc import Callable, Sized
from typing import Any, Final, TypeVar

LIMIT: Final = 1024
LONGEST: Final = 256
Key = TypeVar("Key", bound=Sized)
Found = TypeVar("Found")


class Remembered(dict[Key, Found]):
    """A mapping that computes missing values by `find` and keeps them. As a decorator, it makes `find` remember them.

    The mapping is cleared at LIMIT values: common keys soon return, and no order of use has to be tracked. The value of
    a key longer than `longest` is computed each time. An exception of `find` is passed on and not kept.

    Looking up a key that is present calls no Python function; calling the mapping calls one.
    """

    __slots__ = ("_find", "_longest")

    def __init__(self, find: Callable[[Key], Found], *, longest: int = LONGEST) -> None:
        super().__init__()
        self._find = find
        self._longest = longest

    def __call__(self, key: Key) -> Found:
        """The value of a key."""
        return self[key]

    def __missing__(self, key: Key) -> Found:
        found = self._find(key)
        if len(key) <= self._longest:
            keep(self, key, found)
        return found


def keep(table: dict[Any, Any], key: object, value: object) -> None:
    """Add an entry to a table, which is cleared first if it has LIMIT entries."""
    if len(table) >= LIMIT:
        table.clear()
    table[key] = value

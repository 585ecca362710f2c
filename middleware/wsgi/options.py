"""Errors of configuration: every wrong option of one constructor in one message."""

from __future__ import annotations

from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Literal, cast

if TYPE_CHECKING:
    from collections.abc import Iterable


class ConfigError(ValueError):
    """An option that cannot be right: a ValueError.

    The message names the middleware, the option, the rule and the value; of several wrong options all are in it.
    """


class Problems:
    """Collects what is wrong with the options of one constructor, so that a user mends all of it at once."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.found: list[str] = []

    def add(self, option: str, rule: str, value: object) -> None:
        """Note that `option` breaks `rule` by `value`."""
        self.found.append(f"{option}: {rule}; got {value!r}")

    def check(self, holds: object, option: str, rule: str, value: object) -> bool:
        """Note it unless `holds`; say whether it did."""
        if not holds:
            self.add(option, rule, value)
        return bool(holds)

    def add_fault(self, option: str, fault: str | Literal[False] | None, value: object) -> None:
        """Note that something was found wrong with `value`, if it was."""
        if fault:
            self.add(option, fault, value)

    def done(self) -> None:
        """Raise ConfigError if anything was noted."""
        if len(self.found) == 1:
            raise ConfigError(f"{self.owner}: {self.found[0]}")
        if self.found:
            lines = "".join(f"\n  - {line}" for line in self.found)
            raise ConfigError(f"{self.owner}: {len(self.found)} options are wrong:{lines}")


def several(value: object) -> list[object]:
    """The members of an option that takes several values: a str counts as one; ValueError for no iterable."""
    if isinstance(value, str):
        return [value]
    try:
        return list(cast("Iterable[object]", value))
    except TypeError:
        raise ValueError("a str, or an iterable of str") from None


def is_async(given: object) -> bool:
    """Whether calling this gives a coroutine, which nothing awaits."""
    return iscoroutinefunction(given) or iscoroutinefunction(getattr(given, "__call__", None))  # noqa: B004 - what calling it gives

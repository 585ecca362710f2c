"""Families: the same layer once, four times and more, to see what one more costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from benchmarks import ours
from benchmarks.case import Case, names
from benchmarks.peers import flask_site, nested

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.case import Application

COUNTS: Final = (1, 4, 8, 12, 20)


@dataclass(frozen=True)
class Family:
    """So many of the same: how the table names them, how their keys begin, and how they are made."""

    label: str
    prefix: str
    make: Callable[[int], Callable[[Application], Application]]
    needs: tuple[str, ...] = ()
    over: str = "bare"

    def case(self, count: int) -> Case:
        """The row of so many."""
        label = f"{count} x {self.label}"
        return Case(f"{self.prefix}{count}", label, self.make(count), names(count), None, self.needs, self.over)


FAMILIES: Final = (
    Family("Headers", "ours/headers-", ours.several_headers),
    Family("custom layer", "ours/custom-", ours.several_custom),
    Family("Hooks after_request", "ours/hooks-", ours.several_hooks),
    Family("nested closure", "tight/", nested.tight),
    Family("nested class", "naive/", nested.naive),
    Family("Flask after_request", "flask/", flask_site.hooked, flask_site.NEEDS, "flask/bare"),
)
CASES: Final = tuple(family.case(count) for family in FAMILIES for count in COUNTS)

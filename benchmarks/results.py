"""Results of one run: what was measured, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.encoding import Encoding


@dataclass(frozen=True)
class Results:
    """Microseconds a request by the key of the case, milliseconds by what is imported, and what encoding takes."""

    microseconds: dict[str, float]
    imports: dict[str, float]
    encoding: Encoding

    def has(self, *keys: str) -> bool:
        """Whether all of these cases were measured."""
        return all(key in self.microseconds for key in keys)

    def over(self, key: str) -> float:
        """The microseconds that a case adds to the bare application."""
        return self.microseconds[key] - self.microseconds["bare"]

    def ratio(self, key: str, other: str) -> float:
        """What a case adds, in units of what another adds."""
        return self.over(key) / self.over(other)

    def step(self, family: str) -> float:
        """The microseconds of one further layer: of the sixteen from 4 to 20."""
        return (self.over(f"{family}20") - self.over(f"{family}4")) / 16

    def plain(self) -> dict[str, Any]:
        """The same for JSON."""
        over = {key: self.over(key) for key in self.microseconds}
        return {
            "microseconds": self.microseconds,
            "over": over,
            "imports": self.imports,
            "encoding": self.encoding.plain(),
        }

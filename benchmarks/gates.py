"""Gates: the figures that this project holds itself to, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.case import page
from benchmarks.ours import empty

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.results import Results


@dataclass(frozen=True)
class Gate:
    """One figure: what it is, how much it may be, in which unit."""

    what: str
    most: float
    unit: str
    figure: Callable[[Results], float]

    def holds(self, results: Results) -> bool:
        """Whether the figure is no larger than it may be."""
        return self.figure(results) <= self.most


GATES = (
    Gate("an empty stack, other than the application", 0, "objects", lambda _: float(empty(page) is not page)),
    Gate("Headers + Timing", 1.6, "x by hand", lambda results: results.ratio("ours/both", "limit/both")),
    Gate("Headers alone", 2, "x by hand", lambda results: results.ratio("ours/headers", "limit/headers")),
    Gate("Timing alone", 2, "x by hand", lambda results: results.ratio("ours/timing", "limit/timing")),
    Gate("SecurityHeaders", 2, "x by hand", lambda results: results.ratio("ours/security", "limit/security")),
    Gate("CORS alone", 2, "x by hand", lambda results: results.ratio("ours/cors", "limit/cors")),
    Gate(
        "the decision not to encode", 2, "x by hand", lambda results: results.ratio("ours/declined", "limit/declined")
    ),
    Gate("four layers, not encoding", 1.6, "x by hand", lambda results: results.ratio("ours/four", "limit/four")),
    Gate("one more Headers", 0.4, "µs", lambda results: results.step("ours/headers-")),
    Gate("one more custom layer", 0.4, "µs", lambda results: results.step("ours/custom-")),
    Gate("first after_request hook", 12, "µs", lambda results: results.over("ours/hooks-1")),
    Gate("one more after_request hook", 0.6, "µs", lambda results: results.step("ours/hooks-")),
    Gate("20 Headers", 4, "x 4 Headers", lambda results: results.ratio("ours/headers-20", "ours/headers-4")),
    Gate("20 custom layers", 4, "x 4 custom", lambda results: results.ratio("ours/custom-20", "ours/custom-4")),
    Gate("import middleware", 15, "ms", lambda results: results.imports["import middleware"]),
)

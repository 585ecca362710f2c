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
    """One figure: what it is, how much it may be, in which unit, and how little it should be."""

    what: str
    most: float
    unit: str
    figure: Callable[[Results], float]
    aim: float | None = None

    def holds(self, results: Results) -> bool:
        """Whether the figure is no larger than it may be."""
        return self.figure(results) <= self.most

    def word(self, results: Results) -> str:
        """How it stands, in a word or two."""
        if not self.holds(results):
            return "FAIL"
        return "pass" if self.aim is None or self.figure(results) <= self.aim else "pass, above the aim"


def _over_codec(results: Results, kib: int) -> float:
    """What four layers take over the application, in units of the codec that needs no package."""
    row = results.encoding.row("gzip zlib", kib)
    return 1 / row.efficiency if row is not None else 0.0


def _isal(results: Results) -> tuple[float, float]:
    """Time and size of isal, in units of zlib at 6; nothing where it is not installed."""
    row = results.encoding.row("gzip isal", 100)
    if row is None:
        return 0.0, 0.0
    return row.raw / results.encoding.zlib6, row.sent / results.encoding.zlib6_bytes


def _by_hand(key: str, limit: str) -> Callable[[Results], float]:
    return lambda results: results.ratio(f"ours/{key}", f"limit/{limit}")


def _step(family: str) -> Callable[[Results], float]:
    return lambda results: results.step(f"ours/{family}-")


def _twenty(family: str) -> Callable[[Results], float]:
    return lambda results: results.ratio(f"ours/{family}-20", f"ours/{family}-4")


def _codec(kib: int) -> Callable[[Results], float]:
    return lambda results: _over_codec(results, kib)


def _served(results: Results) -> float:
    return results.served["ours/four"] / results.served["limit/four"]


GATES = (
    Gate("an empty stack, other than the application", 0, "objects", lambda _: float(empty(page) is not page)),
    Gate("Headers + Timing", 1.6, "x by hand", _by_hand("both", "both"), 1.2),
    Gate("Headers alone", 2, "x by hand", _by_hand("headers", "headers"), 1.3),
    Gate("Timing alone", 2, "x by hand", _by_hand("timing", "timing"), 1.3),
    Gate("SecurityHeaders", 2, "x by hand", _by_hand("security", "security"), 1.3),
    Gate("CORS alone", 2, "x by hand", _by_hand("cors", "cors"), 1.3),
    Gate("the decision not to encode", 2, "x by hand", _by_hand("declined", "declined"), 1.3),
    Gate("four layers, not encoding", 1.6, "x by hand", _by_hand("four", "four"), 1.2),
    Gate("four layers behind waitress, processor time", 1.05, "x by hand", _served, 1.02),
    Gate("one more Headers", 0.4, "µs", _step("headers"), 0.3),
    Gate("one more custom layer", 0.4, "µs", _step("custom"), 0.3),
    Gate("first after_request hook", 12, "µs", lambda results: results.over("ours/hooks-1"), 6),
    Gate("one more after_request hook", 0.6, "µs", _step("hooks"), 0.4),
    Gate("20 Headers", 4, "x 4 Headers", _twenty("headers"), 3),
    Gate("20 custom layers", 4, "x 4 custom", _twenty("custom"), 3),
    Gate("gzip of 1 KiB, four layers", 1 / 0.72, "x codec", _codec(1), 1 / 0.8),
    Gate("gzip of 10 KiB, four layers", 1 / 0.92, "x codec", _codec(10), 1 / 0.95),
    Gate("gzip of 100 KiB, four layers", 1 / 0.97, "x codec", _codec(100), 1 / 0.99),
    Gate("gzip by isal, 100 KiB: time", 0.2, "x zlib at 6", lambda results: _isal(results)[0]),
    Gate("gzip by isal, 100 KiB: size", 1.12, "x zlib at 6", lambda results: _isal(results)[1]),
    Gate("256 MiB streamed through gzip: growth", 1024, "KiB", lambda results: results.encoding.streamed.growth),
    Gate("memory of one stream", 400, "KiB", lambda results: results.encoding.streamed.heap),
    Gate("a chunk of a stream is decodable after", 5, "ms", lambda results: results.encoding.streamed.slowest, 1),
    Gate("import middleware", 15, "ms", lambda results: results.imports["import middleware"], 8),
)

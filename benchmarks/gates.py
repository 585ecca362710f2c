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


def _over_codec(results: Results, kib: int) -> float:
    """The whole request in units of the codec that needs no package."""
    row = results.encoding.row("gzip zlib", kib)
    return 1 / row.efficiency if row is not None else 0.0


def _isal(results: Results) -> tuple[float, float]:
    """Time and size of isal, in units of zlib at 6; nothing where it is not installed."""
    row = results.encoding.row("gzip isal", 100)
    if row is None:
        return 0.0, 0.0
    return row.raw / results.encoding.zlib6, row.sent / results.encoding.zlib6_bytes


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
    Gate("gzip of 1 KiB, the whole request", 1 / 0.72, "x codec", lambda results: _over_codec(results, 1)),
    Gate("gzip of 10 KiB, the whole request", 1 / 0.92, "x codec", lambda results: _over_codec(results, 10)),
    Gate("gzip of 100 KiB, the whole request", 1 / 0.97, "x codec", lambda results: _over_codec(results, 100)),
    Gate("gzip by isal, 100 KiB: time", 0.2, "x zlib at 6", lambda results: _isal(results)[0]),
    Gate("gzip by isal, 100 KiB: size", 1.12, "x zlib at 6", lambda results: _isal(results)[1]),
    Gate("256 MiB streamed through gzip: growth", 1024, "KiB", lambda results: results.encoding.streamed.growth),
    Gate("memory of one stream", 400, "KiB", lambda results: results.encoding.streamed.heap),
    Gate("a chunk of a stream is decodable after", 5, "ms", lambda results: results.encoding.streamed.slowest),
    Gate("import middleware", 15, "ms", lambda results: results.imports["import middleware"]),
)

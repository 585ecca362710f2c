"""Gates: the figures that this project holds itself to, as data.

A gate has a figure for each build of Python that was measured, and the worst of them counts. It has none for what was
not measured: a layer that the package does not have, a package that is not installed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from benchmarks.builds import PLAIN
from benchmarks.case import page
from benchmarks.ours import GUARDS, empty

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.results import Results


@dataclass(frozen=True)
class Gate:
    """One figure.

    Attributes:
        what: its name.
        bound: the most that it may be, or the least if `least`.
        unit: of the figure.
        measure: the figure of one build; a KeyError if it was not measured.
        aim: the figure that is hoped for.
        plain: the bound on a plain build of Python, where that is another one.
        least: True if more is better.
    """

    what: str
    bound: float
    unit: str
    measure: Callable[[Results], float]
    aim: float | None = None
    plain: float | None = None
    least: bool = False

    def figure(self, results: Results) -> float | None:
        """The figure of one build."""
        try:
            return self.measure(results)
        except KeyError:
            return None

    def figures(self, results: Results) -> tuple[float | None, ...]:
        """The figure of each build: of the one that ran the command, then of the others."""
        return tuple(self.figure(build) for build in results.builds)

    def worst(self, results: Results) -> tuple[float, Results] | None:
        """The figure that counts, and the build that it is of: the furthest from its bound."""
        found = [(figure, build) for build in results.builds if (figure := self.figure(build)) is not None]
        return max(found, key=self._badness) if found else None

    def _badness(self, found: tuple[float, Results]) -> float:
        figure, build = found
        bound = self._bound(build)
        if self.least:
            return bound / figure if figure > 0 else float("inf")
        return figure / bound if bound else figure

    def _bound(self, build: Results) -> float:
        return self.plain if self.plain is not None and build.build.kind == PLAIN else self.bound

    def holds(self, results: Results) -> bool:
        """False if the figure of a build is beyond its bound."""
        worst = self.worst(results)
        if worst is None:
            return True
        figure, build = worst
        return figure >= self._bound(build) if self.least else figure <= self._bound(build)

    def word(self, results: Results) -> str:
        """The state of the gate, in a word or two."""
        worst = self.worst(results)
        if worst is None:
            return "not measured"
        if not self.holds(results):
            return "FAIL"
        reached = self.aim is None or (worst[0] >= self.aim if self.least else worst[0] <= self.aim)
        return "pass" if reached else "pass, short of the aim"


def _by_hand(key: str, limit: str) -> Callable[[Results], float]:
    return lambda results: results.ratio(f"ours/{key}", f"limit/{limit}")


def _over(key: str) -> Callable[[Results], float]:
    return lambda results: results.over(f"ours/{key}")


def _step(family: str) -> Callable[[Results], float]:
    return lambda results: results.step(f"ours/{family}-")


def _twenty(family: str) -> Callable[[Results], float]:
    return lambda results: results.ratio(f"ours/{family}-20", f"ours/{family}-4")


def _more(key: str, count: int = 1) -> Callable[[Results], float]:
    return lambda results: results.difference(f"ours/{key}", "ours/four") / count


def _efficiency(kib: int) -> Callable[[Results], float]:
    return lambda results: results.encoding.row("gzip zlib", kib).efficiency


def _isal_time(results: Results) -> float:
    return results.encoding.row("gzip isal", 100).raw / results.encoding.zlib6


def _isal_size(results: Results) -> float:
    return results.encoding.row("gzip isal", 100).sent / results.encoding.zlib6_bytes


def _served(results: Results) -> float:
    return results.served["ours/four"] / results.served["limit/four"]


def _content(key: str) -> Callable[[Results], float]:
    return lambda results: results.content[key]


def _guard(name: str) -> Gate:
    return Gate(f"{name}, a request that passes", 1, "µs", _over(name.lower()))


HAND: Final = "x by hand"
ORDINARY: Final = "x ordinary"  # the four jobs by hand around an ordinary request
_GENERAL: Final = {
    "HEAD": ("head", 3, 2),
    "OPTIONS": ("options", 3, 2),
    "a preflight": ("preflight", 3, 2),
    "If-None-Match, 200": ("none-match-200", 3, 2),
    "If-None-Match, 304": ("none-match-304", 3, 2),
    "If-None-Match with a suffixed tag, 304": ("none-match-suffixed", 5, 3),
    "If-Modified-Since, 200": ("modified-since-200", 3, 2),
    "If-Modified-Since, 304": ("modified-since-304", 3, 2),
    "If-Match, 200": ("match", 3, 2),
    "Range, 206": ("range", 3, 2),
}
GATES: Final = (
    Gate("an empty stack, other than the application", 0, "objects", lambda _: float(empty(page) is not page)),
    Gate("four layers, not encoding", 1.15, HAND, _by_hand("four", "four"), 0.9, plain=1),
    Gate("the recommended stack", 1.2, HAND, _by_hand("recommended", "recommended"), 1),
    Gate("Headers + Timing", 1.4, HAND, _by_hand("both", "both"), 1.2),
    Gate("Headers alone", 1.6, HAND, _by_hand("headers", "headers"), 1.2),
    Gate("Timing alone", 1.6, HAND, _by_hand("timing", "timing"), 1.2),
    Gate("SecurityHeaders alone", 1.6, HAND, _by_hand("security", "security"), 1.2),
    Gate("CORS alone", 1.6, HAND, _by_hand("cors", "cors"), 1.2),
    Gate("the decision not to encode, alone", 1.6, HAND, _by_hand("declined", "declined"), 1.2),
    Gate("one more Headers, of 20", 0.05, "µs", _step("headers"), 0),
    Gate("one more Headers, in the four layers", 0.05, "µs", _more("next-8", 8), 0),
    Gate("20 Headers", 1.2, "x 4 Headers", _twenty("headers"), 1),
    Gate("one more custom layer", 0.35, "µs", _step("custom"), 0.27),
    Gate("a custom layer in the four", 1.75, HAND, _by_hand("middle", "four"), 1.4),
    Gate("on_close in the four, on a list", 0.6, "µs", _more("closing"), 0.3),
    Gate("first after_request hook", 6, "µs", _over("hooks-1"), 4),
    Gate("one more after_request hook", 0.4, "µs", _step("hooks"), 0.3),
    *(Gate(f"four: {what}", most, ORDINARY, _by_hand(key, "four"), aim) for what, (key, most, aim) in _GENERAL.items()),
    Gate("Stack.wrap of ten layers, first", 5, "ms", lambda results: results.wraps["first"], 2),
    Gate("gzip of 1 KiB, four layers", 0.75, "codec's share", _efficiency(1), 0.8, least=True),
    Gate("gzip of 10 KiB, four layers", 0.93, "codec's share", _efficiency(10), 0.95, least=True),
    Gate("gzip of 100 KiB, four layers", 0.97, "codec's share", _efficiency(100), 0.99, least=True),
    Gate("gzip by isal, 100 KiB: time", 0.2, "x zlib at 6", _isal_time),
    Gate("gzip by isal, 100 KiB: size", 1.12, "x zlib at 6", _isal_size),
    Gate("256 MiB streamed through gzip: growth", 1024, "KiB", lambda results: results.encoding.streamed.growth),
    Gate("memory of one stream", 400, "KiB", lambda results: results.encoding.streamed.heap),
    Gate("a chunk of a stream is decodable after", 5, "ms", lambda results: results.encoding.streamed.slowest, 1),
    Gate("RateLimit in memory", 15, "µs", _over("ratelimit")),
    Gate("RateLimit on Redis", 1.3, "x library", _content("redis")),
    Gate("Conditional, beyond the hash", 1.5, "µs", _over("conditional")),
    Gate("InjectHTML, while it looks", 25, "MB/s", _content("looking"), least=True),
    Gate("InjectHTML, behind its place", 500, "MB/s", _content("found"), least=True),
    *(_guard(name) for name in GUARDS if name != "RateLimit"),
    Gate("import middleware", 15, "ms", lambda results: results.imports["import middleware"], 1),
    Gate("four layers behind waitress, processor time", 1.03, HAND, _served, 1),
)


def lines(results: Results) -> Iterator[str]:
    """The table: a column for each build, and the worst."""
    builds = results.builds
    yield from (f"[{place}] {found.build}" for place, found in enumerate(builds, 1))
    heads = "".join(f"{f'[{place}]':>10}" for place in range(1, len(builds) + 1))
    yield f"{'gate':46}{heads}{'bound':>13}{'aim':>8}"
    yield from (_line(gate, results) for gate in GATES)


def _line(gate: Gate, results: Results) -> str:
    cells = "".join(f"{'-' if figure is None else format(figure, '.3f'):>10}" for figure in gate.figures(results))
    sign = ">=" if gate.least else "<="
    bounds = f"{gate.bound:g}" if gate.plain is None else f"{gate.plain:g}/{gate.bound:g}"
    aim = "" if gate.aim is None else f"{gate.aim:g}"
    worst = gate.worst(results)
    place = f", [{results.builds.index(worst[1]) + 1}] counts" if worst and len(results.builds) > 1 else ""
    return f"  {gate.what:44}{cells}{f'{sign} {bounds}':>13}{aim:>8} {gate.unit:14}{gate.word(results)}{place}"

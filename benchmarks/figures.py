"""Figures: which pictures there are, and how each comes of the results."""

from __future__ import annotations

from itertools import count, takewhile
from math import ceil, log10
from typing import TYPE_CHECKING, Final

from benchmarks.drawing import Bar, Curve, Panel, curves, panels
from benchmarks.encoders import ENCODERS
from benchmarks.encoding import SIZES
from benchmarks.table import CASES, COUNTS, FAMILIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.case import Case
    from benchmarks.results import Results

OURS: Final = "this project"


def told(value: float) -> str:
    """A figure with as many digits as say something."""
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def four_jobs(results: Results) -> list[Case]:
    """The rows that do the four jobs, by what they cost."""
    rows = [case for case in CASES if "limit/four" in (case.key, case.limit) and results.has(case.key)]
    return sorted(rows, key=lambda case: results.over(case.key))


def name(case: Case) -> str:
    """How a row is called beside others."""
    return {"limit/four": "one function by hand", "ours/four": f"{OURS}, four layers"}.get(case.key, case.label)


def peers(results: Results) -> str:
    """What the four jobs cost, in units of one function by hand, on a logarithmic scale."""
    rows = four_jobs(results)
    ratios = {case.key: results.ratio(case.key, "limit/four") for case in rows}
    decades = ceil(log10(max(ratios.values()) * 1.05) * 4) / 4
    # The scale begins at a half, so that what costs as little as by hand has a bar.
    share = {key: (log10(ratio) + log10(2)) / (decades + log10(2)) for key, ratio in ratios.items()}
    kinds = {"limit/four": "hand", "ours/four": "ours"}
    bars = [Bar(name(case), share[case.key], told(ratios[case.key]), kinds.get(case.key, "bar")) for case in rows]
    marks = [mark for mark in (0.5, 1, 2, 5, 10, 20, 50, 100) if log10(mark) <= decades]
    ticks = [((log10(mark) + log10(2)) / (decades + log10(2)), f"{mark:g} ×") for mark in marks]
    description = "; ".join(f"{name(case)}: {told(ratios[case.key])}" for case in rows)
    title = "Four jobs on a page that is not encoded: what they add"
    return panels(title, description, 250, [Panel("× one function by hand, logarithmic", bars, ticks)])


def efficiency(results: Results) -> str:
    """The share of the codec in the time that encoding takes, by size."""
    shown = [
        Panel(f"{kib} KiB of JSON", list(_efficient(results, kib)), [(0, "0"), (0.5, "½"), (1, "1")]) for kib in SIZES
    ]
    words = (f"{panel.word}: {', '.join(f'{bar.label} {bar.text}' for bar in panel.bars)}" for panel in shown)
    return panels("Encoding: the share of the time that the codec has", "; ".join(words), 225, shown)


def _efficient(results: Results, kib: int) -> Iterator[Bar]:
    limit = results.encoding.row("gzip zlib", kib)
    share = limit.raw / limit.by_hand
    yield Bar("by hand, gzip zlib", min(share, 1), f"{share:.2f}", "hand")
    for row in results.encoding.rows:
        if row.kib == kib:
            yield Bar(f"{OURS}, {row.codec}", min(row.efficiency, 1), f"{row.efficiency:.2f}", "ours")
    for encoder in ENCODERS:
        for taken in results.encoders:
            if (taken.label, taken.kib) == (encoder.label, kib):
                yield Bar(taken.label, min(taken.efficiency, 1), f"{taken.efficiency:.2f}")


def layers(results: Results) -> str:
    """What so many of the same add, by how many."""
    drawn = [
        Curve(
            f"{family.label}, {told(results.step(family.prefix))}",
            [(many, results.over(f"{family.prefix}{many}")) for many in COUNTS],
            "mine" if family.prefix.startswith("ours/") else "",
        )
        for family in FAMILIES
        if results.has(*(f"{family.prefix}{many}" for many in COUNTS))
    ]
    most = max(curve.points[-1][1] for curve in drawn)
    down = [(float(at), str(at)) for at in takewhile(lambda at: at < most + 5, count(0, 5))]
    across = [(float(many), str(many)) for many in COUNTS]
    description = "; ".join(
        f"{curve.label} each further: {', '.join(f'{many:g} {told(took)}' for many, took in curve.points)}"
        for curve in drawn
    )
    title = "Many layers that set a field each; beside each curve: µs for one more"
    return curves(title, description, ("how many", "µs over the application without them"), (across, down), drawn)


FIGURES: Final[dict[str, Callable[[Results], str]]] = {
    "peers.svg": peers,
    "efficiency.svg": efficiency,
    "layers.svg": layers,
}

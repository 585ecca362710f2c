"""The table: its rows, in their order, and how they print. Another layer or peer is one more Case in its own file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from benchmarks import correctness, encoders, encoding, families, limit, ours, peers, served
from benchmarks.case import Case
from benchmarks.families import COUNTS, FAMILIES
from benchmarks.gates import GATES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.results import Results

GROUPS: Final = {
    "bare": (Case("bare", "application", lambda app: app),),
    "by hand": limit.CASES,
    "this project": ours.CASES,
    "peers; what a framework is put over is its own application": peers.CASES,
}
CASES: Final = tuple(case for cases in (*GROUPS.values(), families.CASES) for case in cases)


def lines(results: Results) -> Iterator[str]:
    """The whole report."""
    yield f"{'':42}{'µs':>9}{'µs over bare':>14}{'x by hand':>11}"
    for group, cases in GROUPS.items():
        yield group
        for case in cases:
            yield _row(case, results)
    yield from ("", *_families(results))
    yield from ("", f"{'import, beyond a bare interpreter':42}{'ms':>9}")
    yield from (f"  {name:46}{took:5.1f}" for name, took in results.imports.items())
    yield from ("", *encoding.lines(results.encoding))
    yield from ("", *encoders.lines(results.encoders))
    yield from ("", *served.lines(results.served))
    yield from ("", *correctness.lines(results.correctness))
    yield from ("", f"{'gate':44}{'measured':>9}{'at most':>9}{'aim':>7}")
    for gate in GATES:
        aim = "" if gate.aim is None else f"{gate.aim:.2f}"
        figures = f"{gate.figure(results):9.3f}{gate.most:9.2f}{aim:>7}"
        yield f"  {gate.what:42}{figures} {gate.unit:12}{gate.word(results)}"


def _row(case: Case, results: Results) -> str:
    if not results.has(case.key):
        return f"  {case.label:40}  skipped: {', '.join(case.missing)} is not installed"
    row = f"  {case.label:40}{results.microseconds[case.key]:9.3f}{results.over(case.key):14.3f}"
    limited = case.key if case in limit.CASES else case.limit
    return f"{row}{results.ratio(case.key, limited):11.2f}" if limited else row


def _families(results: Results) -> Iterator[str]:
    """What so many of a kind add, and what one more does."""
    heads = "".join(f"{count:9}" for count in COUNTS)
    yield f"{'so many of the same, µs over bare':34}{heads}{'one more':>10}{'20 against 4':>14}"
    for family in FAMILIES:
        if results.has(*(f"{family.prefix}{count}" for count in COUNTS)):
            cells = "".join(f"{results.over(f'{family.prefix}{count}'):9.3f}" for count in COUNTS)
            ratio = results.ratio(f"{family.prefix}20", f"{family.prefix}4")
            yield f"  {family.label:32}{cells}{results.step(family.prefix):10.3f}{ratio:12.2f} x"

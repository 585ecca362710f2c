"""The table: its rows, in their order, and how they print. Another layer or peer is one more Case in its own file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from benchmarks import content, correctness, encoders, encoding, general, limit, ours, peers, recommended, served
from benchmarks.case import Case, names
from benchmarks.peers import flask_site, nested

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.case import Application
    from benchmarks.results import Results

COUNTS: Final = (1, 4, 8, 12, 20)


@dataclass(frozen=True)
class Family:
    """So many of the same, to see what one more costs: the label, the beginning of the keys, and how they are made."""

    label: str
    prefix: str
    make: Callable[[int], Callable[[Application], Application]]
    needs: tuple[str, ...] = ()
    over: str = "bare"

    def case(self, count: int) -> Case:
        """The row of so many."""
        label = f"{count} x {self.label}"
        return Case(f"{self.prefix}{count}", label, self.make(count), names(count), None, self.needs, self.over)


OUR_FAMILIES: Final = (
    Family("Headers", "ours/headers-", ours.several_headers),
    Family("custom layer", "ours/custom-", ours.several_custom),
    Family("Hooks after_request", "ours/hooks-", ours.several_hooks),
)
PEER_FAMILIES: Final = (
    Family("nested closure", "tight/", nested.tight),
    Family("nested class", "naive/", nested.naive),
    Family("Flask after_request", "flask/", flask_site.hooked, flask_site.NEEDS, "flask/bare"),
)
FAMILIES: Final = (*OUR_FAMILIES, *PEER_FAMILIES)
PEERS: Final = "peers; what a framework is put over is its own application"
GROUPS: Final = {
    "bare": (Case("bare", "application", lambda app: app),),
    "by hand": limit.CASES,
    "this project": (*ours.CASES, *ours.CONTENT_CASES),
    "the recommended stack": recommended.CASES,
    "guards that let a request pass, in the four layers": tuple(case for pair in ours.GUARDS.values() for case in pair),
    "general path, four layers": general.CASES,
    PEERS: peers.CASES,
}
# What the gates need, and the others.
OWN: Final = (
    *(case for group, cases in GROUPS.items() if group != PEERS for case in cases),
    *(family.case(count) for family in OUR_FAMILIES for count in COUNTS),
)
CASES: Final = (*OWN, *peers.CASES, *(family.case(count) for family in PEER_FAMILIES for count in COUNTS))


def lines(results: Results) -> Iterator[str]:
    """The report of one build, without its gates."""
    yield f"{'':42}{'µs':>9}{'µs over bare':>14}{'x by hand':>11}"
    for group, cases in GROUPS.items():
        if group != PEERS or not results.own:
            yield group
            yield from _rows(cases, results)
    yield from ("", *_families(results))
    yield from ("", f"{'import, beyond a bare interpreter':42}{'ms':>9}")
    yield from (f"  {name:46}{took:5.1f}" for name, took in results.imports.items())
    yield from (f"  {f'Stack.wrap of ten layers, {name}':46}{took:5.2f}" for name, took in results.wraps.items())
    yield from ("", *encoding.lines(results.encoding))
    yield from ("", *content.lines(results.content))
    yield from ("", *served.lines(results.served))
    if not results.own:
        yield from ("", *encoders.lines(results.encoders))
        yield from ("", *correctness.lines(results.correctness))


def _rows(cases: tuple[Case, ...], results: Results) -> Iterator[str]:
    for case in cases:
        if results.has(case.key):
            yield _row(case, results)
        elif not case.key.startswith("without/"):
            yield f"  {case.label:40}  skipped: there is no {', '.join(case.missing)}"


def _row(case: Case, results: Results) -> str:
    row = f"  {case.label:40}{results.took(case.key):9.3f}{results.over(case.key):14.3f}"
    limited = case.key if case.key.startswith("limit/") else case.limit
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

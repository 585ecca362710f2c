"""Order: what is wrong with one, and the nearest that is right. Everything that compares two layers lives here."""

from __future__ import annotations

from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from itertools import chain, combinations, pairwise
from typing import TYPE_CHECKING, NamedTuple

from middleware.match import disjoint
from middleware.stack.rules import RULES, Finding, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from middleware.wsgi.effects import Effects
    from middleware.wsgi.middleware import Middleware


class OrderError(ValueError):
    """An order that would go wrong for clients. Its message has every finding.

    Attributes:
        findings: tuple of Finding.
    """

    def __init__(self, message: str, findings: Sequence[Finding] = ()) -> None:
        super().__init__(message)
        self.findings = tuple(findings)


class OrderWarning(UserWarning):
    """An order that works, but not as its author will have meant."""


class Demand(NamedTuple):
    """By `rule`, the layer at index `outer` has to stand outside the one at `inner`, because of `what`."""

    rule: Rule
    outer: int
    inner: int
    what: str


def effects_of(layer: Middleware) -> Effects:
    """What the layer declares; one that is unique without naming its kind is of the kind of its class."""
    effects = layer.declared()
    return replace(effects, unique=type(layer).__name__) if effects.unique is True else effects


def demands(layers: Sequence[Middleware]) -> list[Demand]:
    """Every demand of the rules on the positions of these layers."""
    return [
        Demand(rule, outer, inner, what)
        for rule, outer, inner in _pairs(layers)
        if rule.outside is not None and (what := rule.outside(effects_of(layers[outer]), effects_of(layers[inner])))
    ]


def findings(layers: Sequence[Middleware], names: Sequence[str]) -> tuple[Finding, ...]:
    """What breaks the rules, errors first, each in the order of the table."""
    found = [*_misplaced(layers, names), *_clashing(layers, names)]
    rank = {rule.id: (rule.severity, place) for place, rule in enumerate(RULES)}
    return tuple(sorted(found, key=lambda finding: rank[finding.rule]))


def _pairs(layers: Sequence[Middleware]) -> Iterator[tuple[Rule, int, int]]:
    """Every rule with every ordered pair of layers that can meet in one request."""
    indices = range(len(layers))
    for outer in indices:
        for inner in indices:
            if outer != inner and not disjoint(layers[outer].condition, layers[inner].condition):
                yield from ((rule, outer, inner) for rule in RULES)


def _misplaced(layers: Sequence[Middleware], names: Sequence[str]) -> Iterator[Finding]:
    for rule, outer, inner, what in demands(layers):
        if outer > inner:  # it stands further in now
            now_out, now_in = names[inner], names[outer]
            yield Finding(
                rule.id,
                rule.severity,
                (now_out, now_in),
                rule.consequence.format(outer=now_out, inner=now_in, what=what),
                f"stack.move({now_in!r}, outside={now_out!r})",
            )


def _clashing(layers: Sequence[Middleware], names: Sequence[str]) -> Iterator[Finding]:
    for rule, outer, inner in _pairs(layers):
        if rule.clash is None or outer > inner:
            continue
        what = rule.clash(effects_of(layers[outer]), effects_of(layers[inner]))
        if what:
            pair = names[outer], names[inner]
            message = rule.consequence.format(outer=pair[0], inner=pair[1], what=what)
            yield Finding(rule.id, rule.severity, pair, message, f"stack.remove({pair[1]!r})")


def arranged(layers: Sequence[Middleware], names: Sequence[str]) -> list[int]:
    """The indices of the layers in an order that satisfies every demand, with as few of them moved as possible."""
    wanted = demands(layers)
    further_in: dict[int, set[int]] = {index: set() for index in range(len(layers))}
    for demand in wanted:
        further_in[demand.outer].add(demand.inner)
    _sort(further_in, wanted, names)  # a circle ends here
    kept = _unmoved(further_in)
    for outer, inner in pairwise(kept):
        further_in[outer].add(inner)
    return _sort(further_in, wanted, names)


def _unmoved(further_in: dict[int, set[int]]) -> list[int]:
    """The most layers that can keep their order: no two of them are demanded the other way round, by whatever steps."""
    swapped = _swapped(further_in)
    involved = sorted(frozenset().union(*swapped), reverse=True)
    leaving = next(moved for moved in _subsets(involved) if all(not moved.isdisjoint(pair) for pair in swapped))
    return sorted(further_in.keys() - leaving)


def _subsets(indices: Sequence[int]) -> Iterator[set[int]]:
    """All of them, the smallest first."""
    sizes = range(len(indices) + 1)
    return map(set, chain.from_iterable(combinations(indices, size) for size in sizes))


def _swapped(further_in: dict[int, set[int]]) -> set[frozenset[int]]:
    """The pairs of layers that stand the wrong way round."""
    return {frozenset((early, late)) for late in further_in for early in _reachable(further_in, late) if early < late}


def _reachable(edges: dict[int, set[int]], start: int) -> set[int]:
    found: set[int] = set()
    ahead = set(edges[start])
    while ahead:
        found |= ahead
        ahead = {further for index in ahead for further in edges[index]} - found
    return found


def _sort(further_in: dict[int, set[int]], wanted: Iterable[Demand], names: Sequence[str]) -> list[int]:
    """Outermost first; where the demands leave a choice, the one that stood further out."""
    sorter: TopologicalSorter[int] = TopologicalSorter(dict.fromkeys(further_in, ()))
    for outer, inner in further_in.items():
        for index in inner:
            sorter.add(index, outer)
    try:
        sorter.prepare()
    except CycleError as error:
        raise OrderError(_circle(error.args[1], wanted, names)) from None
    order: list[int] = []
    ready: set[int] = set()
    while sorter.is_active():
        ready |= set(sorter.get_ready())
        first = min(ready)
        ready.remove(first)
        order.append(first)
        sorter.done(first)
    return order


def _circle(circle: Sequence[int], wanted: Iterable[Demand], names: Sequence[str]) -> str:
    """The circle in words. graphlib names each before the one that depends on it."""
    rules = {(demand.outer, demand.inner): demand.rule.id for demand in wanted}
    steps = [f"{names[outer]} outside {names[inner]} ({rules[outer, inner]})" for outer, inner in pairwise(circle)]
    return f"no order satisfies this circle of demands: {', '.join(steps)}"

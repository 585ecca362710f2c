"""Order: what is wrong with one, and the nearest that is right. Everything that compares two layers lives here."""

from __future__ import annotations

from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from middleware.match import disjoint
from middleware.stack.rules import RULES, Finding, Rule
from middleware.wsgi.effects import declared_by

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from middleware.wsgi.effects import Effects
    from middleware.wsgi.layer import Middleware


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
    effects = declared_by(layer)
    return replace(effects, unique=type(layer).__name__) if effects.unique is True else effects


def demands(layers: Sequence[Middleware]) -> list[Demand]:
    """Every demand of the rules on the positions of these layers."""
    facts = [effects_of(layer) for layer in layers]
    return [
        Demand(rule, outer, inner, what)
        for rule, outer, inner in _pairs(layers)
        if rule.outside is not None and (what := rule.outside(facts[outer], facts[inner]))
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
    facts = [effects_of(layer) for layer in layers]
    for rule, one, other in _pairs(layers):
        if rule.clash is None or (rule.lift is None and one > other):
            continue
        what = rule.clash(facts[one], facts[other])
        if what:
            pair = names[min(one, other)], names[max(one, other)]
            message = rule.consequence.format(outer=names[one], inner=names[other], what=what)
            yield Finding(rule.id, rule.severity, pair, message, _ending(rule, layers[other], names[other]))


def _ending(rule: Rule, layer: Middleware, name: str) -> str:
    """The edit that ends a clash."""
    if rule.lift is None:
        return f"stack.remove({name!r})"
    options = rule.lift(effects_of(layer))
    shown = ", ".join(f"{option}={value!r}" for option, value in options.items())
    try:
        lifted = not rule.lift(effects_of(layer.with_options(**options)))
    except (TypeError, ValueError):  # a subclass whose constructor does not take the option
        lifted = False
    if not lifted:
        return f"stack.replace({name!r}, ...)  # by a layer with {shown}"
    return f"stack.replace({name!r}, stack[{name!r}].with_options({shown}))"


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
    return sorted(further_in.keys() - _leaving(swapped))


def _leaving(swapped: dict[int, set[int]]) -> set[int]:
    """The fewest layers of which one is in every swapped pair; of several such sets, the one furthest in.

    This is a minimum vertex cover, which takes exponential time in general but not here: if a has to pass b, and b has
    to pass c, then a has to pass c. "Has to pass" is a partial order, so that by the theorems of Dilworth and Kőnig
    the cover has as many members as a maximum matching between the layers as they pass and as they are passed. A layer
    is a member of a smallest cover if the matching of what remains without that layer is smaller by one.
    """
    matched = _matching(swapped, {})
    leaving: set[int] = set()
    for index in sorted(swapped.keys() | frozenset().union(*swapped.values()), reverse=True):
        without = {late: early - {index} for late, early in swapped.items() if late != index}
        kept = {early: late for early, late in matched.items() if index not in (early, late)}
        rest = _matching(without, kept)
        if len(rest) < len(matched):
            leaving.add(index)
            swapped, matched = without, rest
    return leaving


def _matching(swapped: dict[int, set[int]], matched: dict[int, int]) -> dict[int, int]:
    """Extend a matching, kept as {early: late}, until it is a maximum one (by augmenting paths)."""
    for late in swapped.keys() - matched.values():
        _augment(late, swapped, matched)
    return matched


def _augment(late: int, swapped: dict[int, set[int]], matched: dict[int, int]) -> None:
    """Match one more, breadth first: others may have to be matched differently for that."""
    came_from: dict[int, int] = {}
    ahead = [late]
    for free in ahead:
        for early in swapped[free] - came_from.keys():
            came_from[early] = free
            if early in matched:
                ahead.append(matched[early])
                continue
            partners = {other: end for end, other in matched.items()}
            end: int | None = early
            while end is not None:
                other = came_from[end]
                matched[end], end = other, partners.get(other)
            return


def _swapped(further_in: dict[int, set[int]]) -> dict[int, set[int]]:
    """The layers that stand outside of one which has to stand outside of them, by whatever steps."""
    return {late: {early for early in _reachable(further_in, late) if early < late} for late in further_in}


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

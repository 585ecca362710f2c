"""Checks an order of layers against the rules, and computes the nearest order that satisfies them.

All code that compares two layers is in this package.
"""

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
    """An order that would go wrong for clients. The message contains every finding.

    Attributes:
        findings: tuple of Finding.
    """

    def __init__(self, message: str, findings: Sequence[Finding] = ()) -> None:
        super().__init__(message)
        self.findings = tuple(findings)


class OrderWarning(UserWarning):
    """An order that works, but probably not as its author intended."""


class Demand(NamedTuple):
    """`rule` requires the layer at index `outer` to stand outside the one at `inner`, because of `what`."""

    rule: Rule
    outer: int
    inner: int
    what: str


class Reason(NamedTuple):
    """A rule that holds a layer in its place.

    Attributes:
        rule: the Rule.
        side: "outside" or "inside".
        others: list of str. The names of the layers that the layer must stand outside or inside of.
    """

    rule: Rule
    side: str
    others: list[str]

    def __str__(self) -> str:
        return f"{self.side} {', '.join(self.others)}"


def effects_of(layer: Middleware) -> Effects:
    """The declared effects, with `unique=True` replaced by the name of the class."""
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


def reasons_of(layers: Sequence[Middleware], names: Sequence[str]) -> list[list[Reason]]:
    """The rules that hold each layer in its place, outermost layer first."""
    found: list[dict[tuple[str, str], Reason]] = [{} for _ in layers]
    for rule, outer, inner, _ in demands(layers):
        for index, side, other in ((outer, "outside", inner), (inner, "inside", outer)):
            reason = found[index].setdefault((rule.id, side), Reason(rule, side, []))
            reason.others.append(names[other])
    return [list(reasons.values()) for reasons in found]


def findings(layers: Sequence[Middleware], names: Sequence[str]) -> tuple[Finding, ...]:
    """The broken rules, errors first, each in the order of the table."""
    found = list(_clashes(layers, names))
    for rule, outer, inner, what in demands(layers):
        if outer > inner:  # the layer that must be the outer one is the inner one
            pair = names[inner], names[outer]
            message = rule.consequence.format(outer=pair[0], inner=pair[1], what=what)
            found.append(
                Finding(rule.id, rule.severity, pair, message, f"stack.move({pair[1]!r}, outside={pair[0]!r})")
            )
    rank = {rule.id: (rule.severity, place) for place, rule in enumerate(RULES)}
    return tuple(sorted(found, key=lambda finding: rank[finding.rule]))


def _pairs(layers: Sequence[Middleware]) -> Iterator[tuple[Rule, int, int]]:
    """Every rule with every ordered pair of layers that can meet in one request."""
    indices = range(len(layers))
    for outer in indices:
        for inner in indices:
            if outer != inner and not disjoint(layers[outer].condition, layers[inner].condition):
                yield from ((rule, outer, inner) for rule in RULES)


def _clashes(layers: Sequence[Middleware], names: Sequence[str]) -> Iterator[Finding]:
    facts = [effects_of(layer) for layer in layers]
    for rule, one, other in _pairs(layers):
        if rule.clash is None or (rule.lift is None and one > other):
            continue
        what = rule.clash(facts[one], facts[other])
        if what:
            pair = names[min(one, other)], names[max(one, other)]
            message = rule.consequence.format(outer=names[one], inner=names[other], what=what)
            yield Finding(rule.id, rule.severity, pair, message, _fix(rule, layers[other], names[other]))


def _fix(rule: Rule, layer: Middleware, name: str) -> str:
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


# -- the nearest order that satisfies the rules ----------------------------------------------------------------------


def arranged(layers: Sequence[Middleware], names: Sequence[str]) -> list[int]:
    """The indices of the layers in an order that satisfies every demand and moves as few layers as possible."""
    wanted = demands(layers)
    inner: dict[int, set[int]] = {index: set() for index in range(len(layers))}
    for demand in wanted:
        inner[demand.outer].add(demand.inner)
    reachable: dict[int, set[int]] = {}
    for index in reversed(_sort(inner, wanted, names)):
        reachable[index] = inner[index].union(*(reachable[further] for further in inner[index]))
    # The layers that stand outside of a layer that must stand outside of them, directly or through others.
    swapped = {late: {early for early in reachable[late] if early < late} for late in inner}
    unmoved = sorted(inner.keys() - _smallest_cover(swapped))
    for one, other in pairwise(unmoved):
        inner[one].add(other)
    return _sort(inner, wanted, names)


def _smallest_cover(swapped: dict[int, set[int]]) -> set[int]:
    """The fewest layers that include one of every swapped pair; of several such sets, the innermost one.

    This is a minimum vertex cover, which takes exponential time in general but not here: if a must pass b, and b must
    pass c, then a must pass c. "Must pass" is a partial order, so by the theorems of Dilworth and Kőnig the cover has
    as many members as a maximum matching between the layers as they pass and as they are passed. A layer is a member
    of a smallest cover if the matching of the rest without that layer is smaller by one.
    """
    matched = _matching(swapped, {})
    cover: set[int] = set()
    for index in sorted(swapped.keys() | frozenset().union(*swapped.values()), reverse=True):
        without = {late: early - {index} for late, early in swapped.items() if late != index}
        kept = {early: late for early, late in matched.items() if index not in (early, late)}
        rest = _matching(without, kept)
        if len(rest) < len(matched):
            cover.add(index)
            swapped, matched = without, rest
    return cover


def _matching(swapped: dict[int, set[int]], matched: dict[int, int]) -> dict[int, int]:
    """Extend a matching {early: late} until it is a maximum one (augmenting paths)."""
    for late in swapped.keys() - matched.values():
        _augment(late, swapped, matched)
    return matched


def _augment(late: int, swapped: dict[int, set[int]], matched: dict[int, int]) -> None:
    """Match one more layer, breadth first. Others may be matched differently afterwards."""
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


def _sort(inner: dict[int, set[int]], wanted: Iterable[Demand], names: Sequence[str]) -> list[int]:
    """Sort outermost first. Where the demands leave a choice, layers keep their order.

    Raises OrderError for a circle of demands.
    """
    sorter: TopologicalSorter[int] = TopologicalSorter(dict.fromkeys(inner, ()))
    for outer, indices in inner.items():
        for index in indices:
            sorter.add(index, outer)
    try:
        sorter.prepare()
    except CycleError as error:
        rules = {(demand.outer, demand.inner): demand.rule.id for demand in wanted}
        circle = pairwise(error.args[1])  # graphlib names each before the one that depends on it
        steps = [f"{names[outer]} outside {names[index]} ({rules[outer, index]})" for outer, index in circle]
        raise OrderError(f"no order satisfies this circle of demands: {', '.join(steps)}") from None
    order: list[int] = []
    ready: set[int] = set()
    while sorter.is_active():
        ready |= set(sorter.get_ready())
        first = min(ready)
        ready.remove(first)
        order.append(first)
        sorter.done(first)
    return order

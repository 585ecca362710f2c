"""Order: the demands of the rules on layers, which compare effects, and the nearest order that satisfies them."""

from __future__ import annotations

from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from itertools import count, pairwise, permutations
from typing import TYPE_CHECKING, NamedTuple

from middleware.match import disjoint
from middleware.stack.rules import RULES
from middleware.wsgi.effects import declared_by

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from middleware.stack.rules import Finding, Rule
    from middleware.wsgi.effects import Effects
    from middleware.wsgi.layer import Middleware


class OrderError(ValueError):
    """An order that would go wrong for clients. The message lists every finding.

    Attributes:
        findings: tuple of Finding.
    """

    def __init__(self, message: str, findings: Sequence[Finding] = ()) -> None:
        super().__init__(message)
        self.findings = tuple(findings)


class OrderWarning(UserWarning):
    """An order that works, but probably not as its author intended."""


class Demand(NamedTuple):
    """By `rule`, the layer at index `outer` must stand outside the one at `inner`, because of `what`."""

    rule: Rule
    outer: int
    inner: int
    what: str


def effects_of(layer: Middleware) -> Effects:
    """The effects that the layer declares; if `unique` is True, it becomes the name of the class."""
    effects = declared_by(layer)
    return replace(effects, unique=type(layer).__name__) if effects.unique is True else effects


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


class Need(NamedTuple):
    """By `rule`, the layer at index `inner` needs `what`, which those at `providers`, outermost first, provide."""

    rule: Rule
    inner: int
    what: str
    providers: tuple[int, ...]


class Clash(NamedTuple):
    """By `rule`, the layers at these two indices are incompatible, because of `what`."""

    rule: Rule
    one: int
    other: int
    what: str


class Relations:
    """The demands, needs and clashes of some layers by the rules, regardless of their order.

    Attributes:
        demands: list of Demand.
        needs: list of Need.
        clashes: list of Clash.
    """

    def __init__(self, layers: Sequence[Middleware]) -> None:
        self.facts = [effects_of(layer) for layer in layers]
        self.meeting = [
            (one, other)
            for one, other in permutations(range(len(layers)), 2)
            if not disjoint(layers[one].condition, layers[other].condition)
        ]
        self.demands = list(self._demanded())
        self.needs = list(self._needed())
        self.clashes = list(self._clashing())

    def _demanded(self) -> Iterator[Demand]:
        for rule in RULES:
            for one, other in self.meeting:
                if rule.outside is not None and (what := rule.outside(self.facts[one], self.facts[other])):
                    yield Demand(rule, one, other, what)

    def _needed(self) -> Iterator[Need]:
        for rule in RULES:
            for inner, effects in enumerate(self.facts):
                for key in sorted(rule.wants(effects)) if rule.wants is not None else ():
                    yield Need(rule, inner, key, tuple(self._providers(inner, key)))

    def _providers(self, inner: int, key: str) -> Iterator[int]:
        return (one for one, other in self.meeting if other == inner and key in self.facts[one].provides)

    def _clashing(self) -> Iterator[Clash]:
        for rule in RULES:
            for one, other in self.meeting:
                asked = one < other or rule.lift is not None  # a mutual clash counts once for both
                if asked and rule.clash is not None and (what := rule.clash(self.facts[one], self.facts[other])):
                    yield Clash(rule, one, other, what)

    def positions(self) -> list[Demand]:
        """Every demand on positions. A need is a demand on its outermost provider, or on another to avoid a circle."""
        needs = [need for need in self.needs if need.providers]
        first = self._placed([need._replace(providers=need.providers[:1]) for need in needs])
        place = first if len(first) == len(self.facts) else self._placed(needs)
        wanted, last = list(self.demands), len(place)
        for rule, inner, what, providers in needs:
            further_out = [each for each in providers if place.get(each, last) < place.get(inner, last)]
            wanted.append(Demand(rule, [*further_out, *providers][0], inner, what))
        return wanted

    def _placed(self, needs: Iterable[Need]) -> dict[int, int]:
        """The places in an order that satisfies every demand and these needs, without the layers that are in a circle.

        A layer is placed as soon as possible, which never keeps another layer from being placed.
        """
        waiting = [*((inner, (outer,)) for _, outer, inner, _ in self.demands), *((each[1], each[3]) for each in needs)]
        place, ahead = dict[int, int](), {*range(len(self.facts))}
        while free := ahead - {inner for inner, outers in waiting if ahead.issuperset(outers)}:
            place.update(zip(sorted(free), count(len(place))))
            ahead -= free
        return place

    def broken(self, order: Sequence[int]) -> set[Broken]:
        """The breaches in a stack that consists of the layers at these indices, outermost first."""
        place = {index: position for position, index in enumerate(order)}
        return {*self._misplaced(place), *self._lacking(place)}

    def _misplaced(self, place: Mapping[int, int]) -> Iterator[Broken]:
        for rule, outer, inner, _ in self.demands:
            if outer in place and inner in place and place[outer] > place[inner]:
                yield Broken(rule, frozenset([outer, inner]))
        for rule, one, other, _ in self.clashes:
            if one in place and other in place:
                yield Broken(rule, frozenset([one, other]))

    def _lacking(self, place: Mapping[int, int]) -> Iterator[Broken]:
        for rule, inner, what, providers in self.needs:
            if inner in place and not any(place.get(each, len(place)) < place[inner] for each in providers):
                yield Broken(rule, frozenset([inner]), what)


def reasons_of(layers: Sequence[Middleware], names: Sequence[str]) -> list[list[Reason]]:
    """The rules that hold each layer in its place, outermost layer first."""
    found: list[dict[tuple[str, str], Reason]] = [{} for _ in layers]
    for rule, outer, inner, _ in Relations(layers).positions():
        for index, side, other in ((outer, "outside", inner), (inner, "inside", outer)):
            reason = found[index].setdefault((rule.id, side), Reason(rule, side, []))
            reason.others.append(names[other])
    return [list(reasons.values()) for reasons in found]


class Broken(NamedTuple):
    """A rule that an order breaks by the layers at some indices."""

    rule: Rule
    layers: frozenset[int]
    key: str = ""


def arranged(layers: Sequence[Middleware], names: Sequence[str]) -> list[int]:
    """The indices of the layers in an order that satisfies every demand, with as few of them moved as possible."""
    wanted = Relations(layers).positions()
    further_in: dict[int, set[int]] = {index: set() for index in range(len(layers))}
    for demand in wanted:
        further_in[demand.outer].add(demand.inner)
    _sort(further_in, wanted, names)  # raises OrderError if the demands form a circle
    # Pairs of layers that stand in the wrong order, by one demand or several: one layer of each pair must move.
    swapped = {late: {early for early in _reachable(further_in, late) if early < late} for late in further_in}
    for outer, inner in pairwise(sorted(further_in.keys() - _leaving(swapped))):
        further_in[outer].add(inner)
    return _sort(further_in, wanted, names)


def _leaving(swapped: dict[int, set[int]]) -> set[int]:
    """The smallest set of layers with a member in every swapped pair; of several such sets, the innermost.

    This is a minimum vertex cover, which takes exponential time in general but not here: if a must pass b, and b must
    pass c, then a must pass c. "Must pass" is a partial order, so by the theorems of Dilworth and Kőnig the cover has
    as many members as a maximum matching between the layers as they pass and as they are passed. A layer is a member of
    a smallest cover if the matching of what remains without that layer is smaller by one.
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
    """Extend the matching by one pair, breadth first; other pairs may have to change for that."""
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


def _reachable(edges: dict[int, set[int]], start: int) -> set[int]:
    found, ahead = set[int](), edges[start]
    while ahead:
        found |= ahead
        ahead = {further for index in ahead for further in edges[index]} - found
    return found


def _sort(further_in: dict[int, set[int]], wanted: Iterable[Demand], names: Sequence[str]) -> list[int]:
    """Sort outermost first; if the demands leave a choice, the layer that was outside before comes first."""
    further_out = {index: {each for each in further_in if index in further_in[each]} for index in further_in}
    sorter = TopologicalSorter(further_out)
    try:
        sorter.prepare()
    except CycleError as error:
        # graphlib names each layer before the one that it must stand outside of
        rules = {(demand.outer, demand.inner): demand.rule.id for demand in wanted}
        steps = [f"{names[one]} outside {names[other]} ({rules[one, other]})" for one, other in pairwise(error.args[1])]
        raise OrderError(f"no order satisfies this circle of demands: {', '.join(steps)}") from None
    order, ready = list[int](), list[int]()
    while sorter.is_active():
        first, *ready = sorted([*ready, *sorter.get_ready()])
        order.append(first)
        sorter.done(first)
    return order

"""Findings: the faults of an order, each with the edit that fixes it. An edit is tried before it is printed."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from middleware.stack.order import Broken, OrderError, Relations, arranged, effects_of
from middleware.stack.rules import RULES, Finding, Lift, Rule
from middleware.wsgi.layer import Middleware


class _Attempt(NamedTuple):
    """An edit as Python, and the indices of the layers in the order that it leaves."""

    text: str
    order: list[int]


def findings(layers: Sequence[Middleware], names: Sequence[str]) -> tuple[Finding, ...]:
    """The findings of a stack, errors first, each severity in the order of the table."""
    return _Search(layers, names).findings()


class _Search:
    """The findings of one stack, and the search for edits that fix them."""

    def __init__(self, layers: Sequence[Middleware], names: Sequence[str]) -> None:
        self.layers, self.names = layers, names
        self.relations = Relations(layers)
        self.now = self.relations.broken(range(len(layers)))

    def findings(self) -> tuple[Finding, ...]:
        found = [*self._misplaced(), *self._needing(), *self._clashing(), *self._alone()]
        rank = {rule.id: (rule.severity, place) for place, rule in enumerate(RULES)}
        return tuple(sorted(found, key=lambda finding: rank[finding.rule]))

    def _misplaced(self) -> Iterator[Finding]:
        for rule, outer, inner, what in self.relations.demands:
            if outer > inner:
                broken = Broken(rule, frozenset([outer, inner]))
                fix = self._fix(broken, chain(self._moves(inner, outer), self._arranged()))
                if not fix:
                    fix = self._fix(broken, self._removals(outer, inner))
                    fix += "  # no order of all these layers satisfies the rules"
                yield self._finding(rule, (inner, outer), what, fix)

    def _needing(self) -> Iterator[Finding]:
        for rule, inner, what, providers in self.relations.needs:
            broken = Broken(rule, frozenset([inner]), what)
            if broken not in self.now:
                continue
            moves = chain.from_iterable(self._moves(inner, provider) for provider in providers)
            fix = self._fix(broken, moves) or self._fix(broken, self._removals(inner))
            if providers:
                yield self._finding(rule, (inner, providers[0]), what, fix)
            else:
                message = rule.lacking.format(outer=self.names[inner], what=what)
                hint = f"{fix}  # or add a layer that provides {what}"
                yield Finding(rule.id, rule.severity, (self.names[inner],), message, hint)

    def _clashing(self) -> Iterator[Finding]:
        for rule, one, other, what in self.relations.clashes:
            broken = Broken(rule, frozenset([one, other]))
            lifted = rule.lift and self._lifted(broken, other, rule.lift)
            fix = lifted or self._fix(broken, self._removals(max(one, other), min(one, other)))
            finding = self._finding(rule, (one, other), what, fix)
            yield finding._replace(layers=(self.names[min(one, other)], self.names[max(one, other)]))

    def _alone(self) -> Iterator[Finding]:
        for index, (name, facts) in enumerate(zip(self.names, self.relations.facts, strict=True)):
            for rule in RULES:
                if rule.alone is not None and rule.alone(facts):
                    fix = self._lifted(Broken(rule, frozenset([index])), index, rule.alone)
                    fix = fix or f"stack.remove({name!r})"
                    yield Finding(rule.id, rule.severity, (name,), rule.consequence.format(outer=name), fix)

    def _finding(self, rule: Rule, pair: tuple[int, int], what: str, fix: str) -> Finding:
        outer, inner = (self.names[index] for index in pair)
        message = rule.consequence.format(outer=outer, inner=inner, what=what)
        return Finding(rule.id, rule.severity, (outer, inner), message, fix)

    # -- edits ---------------------------------------------------------------------------------------------------

    def _fix(self, broken: Broken, edits: Iterable[_Attempt]) -> str:
        """The first edit that fixes a breach and adds none; otherwise the first that adds only less severe breaches.

        Empty if there is none. Among removals there is always one: the last removes all layers that depend on removed
        ones.
        """
        second = ""
        for edit in edits:
            after = self.relations.broken(edit.order)
            added = after - self.now
            if broken in after or self._worsens(broken, added):
                continue
            if not added:
                return edit.text
            second = second or edit.text
        return second

    def _moves(self, outer: int, inner: int) -> Iterator[_Attempt]:
        """Move the inner layer outside the outer one and further out, then the outer one inside and further in."""
        order = range(len(self.layers))
        for place in range(outer, -1, -1):
            moved = [*order[:place], inner, *(index for index in order[place:] if index != inner)]
            yield _Attempt(f"stack.move({self.names[inner]!r}, outside={self.names[place]!r})", moved)
        for place in order[inner:]:
            moved = [*(index for index in order[: place + 1] if index != outer), outer, *order[place + 1 :]]
            yield _Attempt(f"stack.move({self.names[outer]!r}, inside={self.names[place]!r})", moved)

    def _arranged(self) -> Iterator[_Attempt]:
        try:
            yield _Attempt("stack.arranged()", arranged(self.layers, self.names))
        except OrderError:
            return

    def _removals(self, *candidates: int) -> Iterator[_Attempt]:
        """Remove each candidate; then the first candidate with all layers that depend on removed ones."""
        indices = range(len(self.layers))
        for index in candidates:
            yield _Attempt(f"stack.remove({self.names[index]!r})", [each for each in indices if each != index])
        yield self._without(candidates[0])

    def _without(self, index: int) -> _Attempt:
        left = {*range(len(self.layers))}
        removed = {index}
        while removed:
            left -= removed
            removed = set().union(*(broken.layers for broken in self.relations.broken(sorted(left)) - self.now))
        gone = (f".remove({name!r})" for index, name in reversed([*enumerate(self.names)]) if index not in left)
        return _Attempt(f"stack{''.join(gone)}", sorted(left))

    def _lifted(self, broken: Broken, index: int, lift: Lift) -> str:
        """The edit that gives a layer the options that resolve a finding; empty if that would add findings."""
        layer, name = self.layers[index], self.names[index]
        options = lift(effects_of(layer))
        shown = ", ".join(f"{option}={value!r}" for option, value in options.items())
        try:
            changed = layer.with_options(**options)
        except (TypeError, ValueError):  # a subclass whose constructor does not take the option
            changed = layer
        if lift(effects_of(changed)):
            return f"stack.replace({name!r}, ...)  # by a layer with {shown}"
        relations = Relations([*self.layers[:index], changed, *self.layers[index + 1 :]])
        if self._worsens(broken, relations.broken(range(len(self.layers))) - self.now):
            return ""
        return f"stack.replace({name!r}, stack[{name!r}].with_options({shown}))"

    def _worsens(self, broken: Broken, added: Iterable[Broken]) -> bool:
        return any(each.rule.severity in ("error", broken.rule.severity) for each in added)

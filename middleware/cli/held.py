"""What holds a layer in its place, as data: the rules that want it outside or inside of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from middleware.stack.order import demands

if TYPE_CHECKING:
    from middleware.stack.builder import Stack
    from middleware.stack.rules import Rule


class Held(NamedTuple):
    """One rule that holds a layer.

    Attributes:
        rule: the Rule.
        side: "outside" or "inside".
        others: list of str. The names of the layers that it has to stand outside or inside of.
    """

    rule: Rule
    side: str
    others: list[str]

    def __str__(self) -> str:
        return f"{self.side} {', '.join(self.others)}"


def held(stack: Stack) -> list[list[Held]]:
    """What holds each layer of the stack, outermost layer first; nothing, where a layer could stand anywhere."""
    found: list[dict[tuple[str, str], Held]] = [{} for _ in stack]
    for rule, outer, inner, _ in demands(tuple(stack)):
        for index, side, other in ((outer, "outside", inner), (inner, "inside", outer)):
            one = found[index].setdefault((rule.id, side), Held(rule, side, []))
            one.others.append(stack.names[other])
    return [list(each.values()) for each in found]

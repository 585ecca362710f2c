"""`show`: the chain of a stack, for people and for programs."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from middleware.cli.drawing import dot, svg
from middleware.cli.held import held
from middleware.cli.output import say
from middleware.cli.targets import STACK, load

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from middleware.cli.held import Held
    from middleware.stack.builder import Stack
    from middleware.wsgi.layer import Middleware


def show(arguments: Namespace) -> int:
    """Print the chain of `arguments.stack` in `arguments.format`; return 0."""
    say(FORMATS[arguments.format](load(arguments.stack, STACK)))
    return 0


def as_json(stack: Stack) -> str:
    """Return the chain as JSON: an object with `layers`, outermost first, and `findings`.

    Options, conditions and the layers themselves are given as Python writes them.
    """
    layers = [_layer(*each) for each in zip(stack.names, stack, held(stack), strict=True)]
    return json.dumps({"layers": layers, "findings": [finding._asdict() for finding in stack.check()]}, indent=2)


def _layer(name: str, layer: Middleware, rules: list[Held]) -> dict[str, Any]:
    return {
        "name": name,
        "class": f"{type(layer).__module__}:{type(layer).__qualname__}",
        "repr": repr(layer),
        "options": {option: repr(value) for option, value in layer.options.items()},
        "condition": None if layer.condition is None else repr(layer.condition),
        "describe": [list(pair) for pair in layer.describe()],
        "effects": {name: _plain(value) for name, value in asdict(layer.declared()).items()},
        "rules": [_rule(each) for each in rules],
    }


def _rule(held_by: Held) -> dict[str, Any]:
    rule = held_by.rule
    return {"id": rule.id, "demand": rule.demand, "severity": rule.severity, held_by.side: held_by.others}


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else value


FORMATS: Final[dict[str, Callable[[Stack], str]]] = {"text": str, "dot": dot, "svg": svg, "json": as_json}

"""A stack in words: what people paste into reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from middleware.stack.order import demands

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from middleware.wsgi.layer import Middleware


def chain(layers: Sequence[Middleware], names: Sequence[str]) -> str:
    """The chain, numbered, outermost first: options, what each layer does, and which rule holds it there."""
    if not layers:
        return "Stack of 0 layers: wrap() returns the application itself"
    count = f"{len(layers)} layer" + "s" * (len(layers) > 1)
    lines = [f"Stack of {count}, outermost first: a request meets 1 first, its response leaves by 1 last"]
    reasons = places(layers, names)
    width = len(str(len(layers)))
    for index, layer in enumerate(layers):
        lines.append(f"{index + 1:>{width + 1}}  {_label(names[index], layer)}")
        lines += [f"{'':>{width + 3}}{what:<9} {text}" for what, text in layer.describe()]
        lines += [f"{'':>{width + 3}}{'stands':<9} {reason}" for reason in reasons[index]]
    lines.append(f"{'*':>{width + 1}}  the application")
    return "\n".join(lines)


def _label(name: str, layer: Middleware) -> str:
    """The layer as one would write it, after its name in the stack where that does not show."""
    written = repr(layer)
    return written if name == layer.name and written.startswith(f"{name}(") else f"{name}: {written}"


def places(layers: Sequence[Middleware], names: Sequence[str]) -> list[list[str]]:
    """Why each layer stands where it stands: the rules that hold it outside or inside of others."""
    held: list[dict[str, list[str]]] = [{} for _ in layers]
    for rule, outer, inner, _ in demands(layers):
        held[outer].setdefault(f"outside {{}} ({rule.id})", []).append(names[inner])
        held[inner].setdefault(f"inside {{}} ({rule.id})", []).append(names[outer])
    return [list(_filled(reasons)) for reasons in held]


def _filled(reasons: dict[str, list[str]]) -> Iterator[str]:
    for text, others in reasons.items():
        yield text.format(", ".join(others))

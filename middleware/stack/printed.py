"""The text of a stack: what `print(stack)` shows."""

from collections.abc import Sequence

from middleware.stack.order import reasons_of
from middleware.wsgi.layer import Middleware


def chain(layers: Sequence[Middleware], names: Sequence[str]) -> str:
    """The chain, numbered, outermost first: the options of each layer, its effects, and the rules that hold it."""
    if not layers:
        return "Stack of 0 layers: wrap() returns the application itself"
    count = f"{len(layers)} layer" + "s" * (len(layers) > 1)
    lines = [f"Stack of {count}, outermost first: a request meets 1 first, its response leaves by 1 last"]
    width = len(str(len(layers)))
    for number, (name, layer, reasons) in enumerate(zip(names, layers, places(layers, names), strict=True), 1):
        written = repr(layer)
        label = written if name == layer.name and written.startswith(f"{name}(") else f"{name}: {written}"
        lines.append(f"{number:>{width + 1}}  {label}")
        told = (*layer.describe(), *(("stands", reason) for reason in reasons))
        lines += [f"{'':>{width + 3}}{what:<9} {text}" for what, text in told]
    lines.append(f"{'*':>{width + 1}}  the application")
    return "\n".join(lines)


def places(layers: Sequence[Middleware], names: Sequence[str]) -> list[list[str]]:
    """The reasons why each layer stands where it does, such as "outside CORS (unique)"."""
    return [[f"{reason} ({reason.rule.id})" for reason in reasons] for reasons in reasons_of(layers, names)]

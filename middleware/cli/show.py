"""`show` and `check`: the chain of a stack, for people and programs, and its findings."""

import json
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Final
from wsgiref.simple_server import demo_app

from middleware.cli.drawing import dot, svg
from middleware.cli.output import CommandError, plural, result
from middleware.cli.serve import told
from middleware.cli.targets import STACKS, load
from middleware.stack.builder import Stack, built
from middleware.stack.order import OrderError, reasons_of
from middleware.stack.rules import Finding
from middleware.wsgi.layer import Middleware
from middleware.wsgi.pipeline import source
from middleware.wsgi.splitting import Splitting


def show(arguments: Namespace) -> int:
    """Print the chain of each stack in `arguments.stack`, in `arguments.format`; return 0."""
    stacks = load(arguments.stack, STACKS)
    form = FORMATS[arguments.format]
    texts = [form(stack) for _, stack in stacks]
    if form is str:
        result(told(stacks))
    elif form is svg and len(texts) > 1:
        raise CommandError(f"{arguments.stack!r} has {len(texts)} stacks, and an SVG is of one: --format dot has all")
    elif form is as_json and len(texts) > 1:
        result(f"[{', '.join(texts)}]")
    else:
        result("\n".join(texts))
    return 0


def as_json(stack: Stack) -> str:
    """Return the chain as JSON: an object with `layers`, outermost first, and `findings`.

    Conditions and layers are given by their repr, options as in that of the layer.
    """
    layers = []
    for name, layer, reasons in zip(stack.names, stack, reasons_of(tuple(stack), stack.names), strict=True):
        effects = asdict(layer.declared()).items()
        layers.append(
            {
                "name": name,
                "class": f"{type(layer).__module__}:{type(layer).__qualname__}",
                "repr": repr(layer),
                "options": layer._shown_options(),  # noqa: SLF001 - as the repr has them, without secrets
                "condition": None if layer.condition is None else repr(layer.condition),
                "describe": [list(pair) for pair in layer.describe()],
                "effects": {key: sorted(value) if isinstance(value, frozenset) else value for key, value in effects},
                "rules": [
                    {"id": rule.id, "demand": rule.demand, "severity": rule.severity, side: others}
                    for rule, side, others in reasons
                ],
            }
        )
    return json.dumps({"layers": layers, "findings": [finding._asdict() for finding in stack.check()]}, indent=2)


def as_source(stack: Stack) -> str:
    """Return the functions that serve requests: one for each pass, outermost first.

    A layer that splits the stack stands between two passes.
    """
    passes: list[list[Middleware]] = [[]]
    texts = []
    for layer in (*built([layer.named(name) for name, layer in zip(stack.names, stack, strict=True)]), None):
        if layer is not None and not isinstance(layer, Splitting):
            passes[-1].append(layer)
            continue
        text = source(demo_app, [each.layer() for each in passes[-1]], respond=True).text
        texts.append(f"# {', '.join(each.name for each in passes[-1]) or 'no layer'}\n{text}")
        texts += [] if layer is None else [f"# {layer.name}: it splits the stack\n"]
        passes.append([])
    return "\n".join(texts)


FORMATS: Final[dict[str, Callable[[Stack], str]]] = {
    "text": str,
    "dot": dot,
    "svg": svg,
    "json": as_json,
    "source": as_source,
}


def check(arguments: Namespace) -> int:
    """Print the findings of each stack in `arguments.stack`; return 1 if there is an error among them, 0 otherwise."""
    failed = False
    for at, stack in load(arguments.stack, STACKS):
        found = stack.check()
        result("\n".join([*([f"Mounted on {at}:"] if at else []), *report(stack, found)]))
        failed = failed or any(finding.severity == "error" for finding in found)
    return int(failed)


def report(stack: Stack, found: Sequence[Finding]) -> Iterator[str]:
    """The lines that `check` prints."""
    if not found:
        yield f"Nothing to fix: {', '.join(stack.names) or 'an empty stack'}, outermost first, breaks no rule"
        return
    for finding in found:
        yield f"{finding.severity}: {finding.message}"
        yield f"  rule    {finding.rule}"
        yield f"  layers  {', '.join(finding.layers)}"
        yield f"  fix     {finding.fix}"
    errors = sum(finding.severity == "error" for finding in found)
    try:
        names = stack.arranged().names
        better = f"; stack.arranged() is {', '.join(names)}" if names != stack.names else ""
    except OrderError as error:
        better = f"; {error}"
    yield f"{plural(errors, 'error')}, {plural(len(found) - errors, 'warning')}{better}"

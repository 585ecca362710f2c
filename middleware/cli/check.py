"""`check`: what is wrong with the order of a stack, and the edits that mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from middleware.cli.output import say
from middleware.cli.targets import STACK, load
from middleware.stack.order import OrderError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator, Sequence

    from middleware.stack.builder import Stack
    from middleware.stack.rules import Finding


def check(arguments: Namespace) -> int:
    """Print what `arguments.stack` does wrong; return 1 if an error is among it, 0 otherwise."""
    stack = load(arguments.stack, STACK)
    found = stack.check()
    say("\n".join(_report(stack, found)))
    return int(any(finding.severity == "error" for finding in found))


def _report(stack: Stack, found: Sequence[Finding]) -> Iterator[str]:
    if not found:
        yield f"Nothing to mend: {', '.join(stack.names) or 'an empty stack'}, outermost first, breaks no rule"
        return
    for finding in found:
        yield f"{finding.severity}: {finding.message}"
        yield f"  rule    {finding.rule}"
        yield f"  layers  {', '.join(finding.layers)}"
        yield f"  fix     {finding.fix}"
    errors = sum(finding.severity == "error" for finding in found)
    yield f"{_counted(errors, 'error')}, {_counted(len(found) - errors, 'warning')}{_order(stack)}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" + "s" * (count != 1)


def _order(stack: Stack) -> str:
    """The order that breaks fewest rules, if it is another one."""
    try:
        better = stack.arranged()
    except OrderError as error:
        return f"; {error}"
    return f"; stack.arranged() is {', '.join(better.names)}" if better.names != stack.names else ""

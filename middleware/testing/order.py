"""assert_order: the order of a stack, held by a test."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from middleware.stack.builder import Stack
    from middleware.stack.rules import Finding


def assert_order(stack: Stack, names: Iterable[str], *, waive: Iterable[str] = ()) -> None:
    """Raise unless the layers of `stack` are these, outermost first, and no order rule is broken.

    Options:
        stack: Stack. What is looked at. Required.
        names: iterable of str. The names of the layers, as `stack.names` has them. Required.
        waive: iterable of ids of rules, or one. Rules that are broken knowingly. Default none.

    Errors: AssertionError that shows both orders, and every finding with the edit that mends it.
    """
    owed, seen = list(names), list(stack.names)
    waived = {waive} if isinstance(waive, str) else set(waive)
    findings = [finding for finding in stack.check() if finding.rule not in waived]
    parts = [*_difference(owed, seen), *_findings(findings)]
    if parts:
        raise AssertionError("\n".join(parts))


def _difference(owed: list[str], seen: list[str]) -> Sequence[str]:
    if owed == seen:
        return ()
    lines = (line for line in difflib.ndiff(owed, seen) if not line.startswith("?"))
    return ["the order is another one, outermost first (- as the test has it, + as it is):", *(f"  {x}" for x in lines)]


def _findings(findings: Sequence[Finding]) -> Iterable[str]:
    if findings:
        yield "the order breaks rules:"
    for finding in findings:
        yield f"  - {finding.message} (rule {finding.rule}; mend it by {finding.fix})"

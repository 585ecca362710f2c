"""assert_order: an assertion about the order of a stack."""

import difflib
from collections.abc import Iterable

from middleware.stack.builder import Stack
from middleware.stack.rules import described, waived
from middleware.wsgi.options import Problems, several


def assert_order(stack: Stack, names: Iterable[str], *, waive: Iterable[str] = ()) -> None:
    """Raise unless the layers of `stack` have these names, outermost first, and no order rule is broken.

    Options:
        stack: Stack. The stack to check. Required.
        names: iterable of str, or one str. The expected names, as in `stack.names`. Required.
        waive: iterable of rule ids, or one id. Rules that may be broken. Default none.

    Errors: AssertionError that shows both orders, and every finding with the edit that fixes it; ConfigError for a
        wrong option, such as a rule that does not exist.
    """
    problems = Problems("assert_order")
    problems.check(isinstance(stack, Stack), "stack", "a Stack", stack)
    owed: list[str] = problems.read("names", names, several, [])
    problems.check(all(isinstance(name, str) for name in owed), "names", "names of layers, each a str", names)
    problems.done()
    seen = list(stack.names)
    ids = waived("assert_order", waive)
    lines = []
    if owed != seen:
        lines.append("the order is another one, outermost first (- as the test has it, + as it is):")
        lines += [f"  {line}" for line in difflib.ndiff(owed, seen) if not line.startswith("?")]
    findings = [finding for finding in stack.check() if finding.rule not in ids]
    if findings:
        lines.append("the order breaks rules:")
        lines += [f"  - {described(finding)}" for finding in findings]
    if lines:
        raise AssertionError("\n".join(lines))

"""The order rules, as data. A new rule is one row of RULES.

Each row has the demand, its reason, its severity and its source. `outside(a, b)` returns the reason why a layer with
effects `a` must stand outside one with effects `b`, or an empty string. `clash(a, b)` returns what two layers must not
both do, wherever they stand. Removing one of the two ends a clash, or setting the options that `lift(b)` returns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from middleware.wsgi.effects import Effects

Severity: TypeAlias = Literal["error", "warning"]
Test: TypeAlias = "Callable[[Effects, Effects], str]"


class Finding(NamedTuple):
    """An order rule that a stack breaks.

    Attributes:
        rule: str. The id, as `waive` takes it.
        severity: "error" or "warning".
        layers: tuple of two names. The outer layer comes first.
        message: str. What would go wrong for a client.
        fix: str. The edit that fixes it, as Python.
    """

    rule: str
    severity: Severity
    layers: tuple[str, ...]
    message: str
    fix: str


def described(finding: Finding) -> str:
    """The finding with its rule and fix, in one line."""
    return f"{finding.message} (rule {finding.rule}; mend it by {finding.fix})"


@dataclass(frozen=True)
class Rule:
    """One demand on the order.

    Attributes:
        id: str. The name of the rule in `waive` and findings.
        demand: str. The rule in a sentence.
        severity: "error" or "warning".
        consequence: str. What goes wrong for a client otherwise, a template with {outer}, {inner} and {what}. `outer`
            is the layer that stands outside now, against the rule.
        source: str. The specification that gives the reason.
        outside: the test for a demand on positions, or None.
        clash: the test for two layers that do not go together, or None.
        lift: returns the options of the second layer that end a clash. None for a mutual clash, which ends when the
            inner layer is removed. With `lift`, {outer} and {inner} are the first and the second layer.
    """

    id: str
    demand: str
    severity: Severity
    consequence: str
    source: str
    outside: Test | None = None
    clash: Test | None = None
    lift: Callable[[Effects], Mapping[str, object]] | None = None


def _names(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))


RULES: Final = (
    Rule(
        id="rewrite-inside-encode",
        demand="a layer that rewrites the body stands inside one that encodes it",
        severity="error",
        consequence="{outer} would rewrite bytes that {inner} has already encoded: clients cannot decode the response",
        source="RFC 9110 8.4",
        outside=lambda a, b: "the body" if a.encodes_body and b.rewrites_body else "",
    ),
    Rule(
        id="answer-inside-every-response",
        demand="a layer that may answer stands inside those whose headers belong on every response",
        severity="error",
        consequence="what {outer} answers by itself would leave without the headers of {inner}",
        source="Fetch, CORS protocol; OWASP Secure Headers",
        outside=lambda a, b: "the answers" if a.every_response and b.answers else "",
    ),
    Rule(
        id="provide-outside-require",
        demand="who provides an environ key stands outside who requires it",
        severity="error",
        consequence="{outer} would look for {what} before {inner} provides it: requests fail or are misjudged",
        source="PEP 3333, environ Variables",
        outside=lambda a, b: _names(frozenset(a.provides & b.requires)),
    ),
    Rule(
        id="unique",
        demand="one of a kind (same kind and overlapping condition)",
        severity="error",
        consequence="{outer} and {inner} are both {what}: a response would get it twice, or two that differ",
        source="RFC 9110 5.3",
        clash=lambda a, b: str(a.unique) if a.unique and a.unique == b.unique else "",
    ),
    Rule(
        id="set-inside-read",
        demand="who sets a response field stands inside who decides by it",
        severity="warning",
        consequence="{inner} decides by {what} before {outer} sets it: clients get what does not follow from it",
        source="RFC 9110 5.3",
        # Two encoding layers each read what the other sets. The rule encode-once covers them.
        outside=lambda a, b: "" if a.encodes_body and b.encodes_body else _names(frozenset(a.reads & b.sets)),
    ),
    Rule(
        id="encode-once",
        demand="at most one content coding layer",
        severity="warning",
        consequence="{outer} and {inner} both encode: clients get a body encoded twice, or wait for a vain attempt",
        source="RFC 9110 8.4",
        clash=lambda a, b: "content coding" if a.encodes_body and b.encodes_body else "",
    ),
    Rule(
        id="measure-outermost",
        demand="what measures stands outside what does work",
        severity="warning",
        consequence="the time that {outer} takes would be missing from what {inner} tells clients",
        source="W3C Server Timing",
        outside=lambda a, b: "the time" if a.measures and not b.measures else "",
    ),
    Rule(
        id="corp-blocks-cors",
        demand="what every origin may read is not kept from being embedded",
        severity="warning",
        consequence="{outer} lets pages of every origin read responses, but {inner} has browsers block {what} there: "
        "<img>, <script>, <link> and <video> fail without the attribute crossorigin",
        source="Fetch 3.7, cross-origin resource policy check",
        # Only for every origin: CORP cannot name a list of origins, and CORS requests pass CORP.
        clash=lambda a, b: "what they embed" if a.shares and b.isolates else "",
        lift=lambda b: b.isolates,
    ),
)

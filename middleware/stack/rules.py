"""The order rules, as data: one row says where a layer must stand, why, how severe a breach is, and its source.

A new rule is one row of RULES. `outside(a, b)` names the reason for a layer with effects `a` to stand outside one with
effects `b`, or is empty; an exemption from a rule is part of that test. `clash(a, b)` names what two layers may not
both do, wherever they stand. The clash is resolved by removing one of them, or by the options that `lift(b)` returns.
`wants(b)` names the environ keys that an outer layer must provide.
"""

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple, TypeAlias

from middleware.wsgi.effects import Effects
from middleware.wsgi.options import ConfigError, each

Severity: TypeAlias = Literal["error", "warning"]
Test: TypeAlias = Callable[[Effects, Effects], str]
Lift: TypeAlias = Callable[[Effects], Mapping[str, object]]
Keys: TypeAlias = Callable[[Effects], AbstractSet[str]]


class Finding(NamedTuple):
    """A rule that a stack breaks.

    Attributes:
        rule: str. The id, as `waive` takes it.
        severity: "error" or "warning".
        layers: tuple of names. The outer layer comes first; there is one name if a layer is missing, or is wrong by
            itself.
        message: str. What would go wrong for a client.
        fix: str. The edit that fixes it, as Python. The edit has been tried: it adds no finding of the same or a higher
            severity.
    """

    rule: str
    severity: Severity
    layers: tuple[str, ...]
    message: str
    fix: str


def described(finding: Finding) -> str:
    """The finding with its rule and fix, in one line."""
    return f"{finding.message} (rule {finding.rule}; fix it by {finding.fix})"


@dataclass(frozen=True)
class Rule:
    """One demand on the order.

    Attributes:
        id: how `waive` and findings name it.
        demand: str. The rule in a sentence.
        severity: "error" or "warning".
        consequence: str. What goes wrong for a client otherwise; {outer}, {inner} and {what} are filled in. `outer` is
            the layer that is outside now, against the rule.
        source: str. Where the reason is written.
        outside: the test for a demand on positions, or None.
        clash: the test for two layers that are incompatible, or None.
        alone: returns the options that fix a single layer, wherever it stands. {outer} is the layer.
        lift: returns the options of the second layer that resolve a clash, or None: the clash is mutual, and is
            resolved by removing the inner layer. With `lift`, {outer} and {inner} are the first and the second.
        wants: the environ keys that a layer needs, or None. One outer provider of each key is enough.
        lacking: str. The consequence where no layer provides {what} for {outer}.
    """

    id: str
    demand: str
    severity: Severity
    consequence: str
    source: str
    outside: Test | None = None
    clash: Test | None = None
    lift: Lift | None = None
    wants: Keys | None = None
    lacking: str = ""
    alone: Lift | None = None


def _names(names: AbstractSet[str]) -> str:
    return ", ".join(sorted(names))


# -- facts that several rules use ------------------------------------------------------------------------------------


def _answers(effects: Effects) -> bool:
    """Whether the layer may answer in place of the application. A page of its own does not affect other URLs."""
    return effects.answers and not effects.own_page


def _refuses(effects: Effects) -> bool:
    """Whether the layer refuses requests by their head: by a count, a length or a name."""
    return effects.refuses or effects.limits_input or "ratelimit" in effects.sets


def _counts_by(effects: Effects) -> str:
    """The environ key by which a rate limit counts requests: the user if it reads both; empty for other layers."""
    if effects.refuses or "ratelimit" in effects.sets:
        return next((key for key in ("REMOTE_USER", "REMOTE_ADDR") if key in effects.requires), "")
    return ""


def _verifies(effects: Effects) -> bool:
    """Whether the layer verifies credentials, which takes time, and refuses wrong ones."""
    return effects.answers and "REMOTE_USER" in effects.provides


# -- tests of a single rule ------------------------------------------------------------------------------------------


def _set_inside_read(a: Effects, b: Effects) -> str:
    """The fields that `b` sets and `a` reads. Other rules order an encoding layer and another layer of content."""
    content = [each for each in (a, b) if each.encodes_body or each.validates or each.rewrites_body]
    ordered = len(content) == 2 and (a.encodes_body or b.encodes_body)
    return "" if ordered else _names(a.reads & b.sets)


def _measure_outermost(a: Effects, b: Effects) -> str:
    """No demand if `b` provides what `a` requires, or if the time of `b` is negligible."""
    asked = a.measures and not b.measures and not b.provides & a.requires
    # A layer that only prepares the environ takes no time either.
    if not asked or b.identifies or (b.provides and replace(b, provides=frozenset(), unique=False) == Effects()):
        return ""
    return "the time"


def _count_before_verify(a: Effects, b: Effects) -> str:
    if _counts_by(a) == "REMOTE_ADDR" and _verifies(b):
        return "failed logins are not limited by address"
    return "requests are counted before the user is known" if _verifies(a) and _counts_by(b) == "REMOTE_USER" else ""


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
        consequence="responses that {outer} sends by itself would lack the headers of {inner}",
        source="Fetch, CORS protocol; OWASP Secure Headers",
        outside=lambda a, b: "the answers" if a.every_response and _answers(b) else "",
    ),
    Rule(
        id="provide-outside-require",
        demand="a layer that provides an environ key stands outside those that require it",
        severity="error",
        consequence="{outer} would look for {what} before {inner} provides it: requests fail or are misjudged",
        source="PEP 3333, environ Variables",
        outside=lambda a, b: _names(a.provides & b.requires),
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
        demand="a layer that sets a response field stands inside those that decide by it",
        severity="warning",
        consequence="{inner} decides by {what} before {outer} sets it: clients get a response that ignores it",
        source="RFC 9110 5.3",
        outside=_set_inside_read,
    ),
    Rule(
        id="encode-once",
        demand="at most one content coding layer",
        severity="warning",
        consequence="{outer} and {inner} both encode: clients get a body encoded twice, or wait for a useless attempt",
        source="RFC 9110 8.4",
        clash=lambda a, b: "content coding" if a.encodes_body and b.encodes_body else "",
    ),
    Rule(
        id="measure-outermost",
        demand="what measures stands outside what does work",
        severity="warning",
        consequence="the time that {outer} takes would be missing from what {inner} reports to clients",
        source="W3C Server Timing",
        outside=_measure_outermost,
    ),
    Rule(
        id="validate-between",
        demand="a layer that validates (entity tags) stands outside those that rewrite the body and inside those that "
        "encode it",
        severity="error",
        consequence="{outer} and {inner} would give {what} to bytes that clients do not get: caches keep wrong content",
        source="RFC 9110 8.8.1, 13",
        outside=lambda a, b: (
            "entity tags" if (a.validates and b.rewrites_body) or (a.encodes_body and b.validates) else ""
        ),
    ),
    Rule(
        id="observe-outside-answer",
        demand="a layer that observes every request stands outside those that may answer",
        severity="error",
        consequence="requests that {outer} answers would be missing from what {inner} reports",
        source="Semantic conventions for HTTP, OpenTelemetry",
        outside=lambda a, b: "the answers" if a.observes and _answers(b) else "",
    ),
    Rule(
        id="limit-outside-input",
        demand="a layer that limits the request body stands outside those that decode or read it",
        severity="error",
        consequence="{outer} would take in a request body of any size before {inner} limits it",
        source="RFC 9110 15.5.14",
        outside=lambda a, b: "the body" if a.limits_input and (b.decodes_input or b.reads_input) else "",
    ),
    Rule(
        id="decode-outside-read",
        demand="a layer that decodes the request body stands outside those that read it",
        severity="error",
        consequence="{outer} would read a request body that {inner} has not decoded yet",
        source="RFC 9110 8.4",
        outside=lambda a, b: "the body" if a.decodes_input and b.reads_input else "",
    ),
    Rule(
        id="need-provided",
        demand="`needs`: an environ key that an outer layer must provide",
        severity="error",
        consequence="{outer} needs {what}, which {inner} provides too late: responses lack what depends on it",
        lacking="{outer} needs {what}, which no layer provides: responses lack what depends on it",
        source="PEP 3333, environ Variables",
        wants=lambda b: b.needs,
    ),
    Rule(
        id="refuse-before-cost",
        demand="RateLimit, BodyLimit, TrustedHosts stand outside ConcurrencyLimit, buffering DecompressRequest and "
        "Hooks",
        severity="warning",
        consequence="requests that {inner} refuses would take a place, memory or time in {outer} first",
        source="OWASP Denial of Service Cheat Sheet",
        outside=lambda a, b: "the cost" if _refuses(a) and (b.costs or b.reads_input) else "",
    ),
    Rule(
        id="count-before-verify",
        demand="a rate limit by address stands outside BasicAuth, one by user inside",
        severity="warning",
        consequence="{what}: {outer} stands outside {inner}",
        source="OWASP Authentication Cheat Sheet, Protect Against Automated Attacks",
        outside=_count_before_verify,
    ),
    Rule(
        id="report-inside-respond",
        demand="an error reporter (Sentry, OpenTelemetry) stands innermost, next to the application",
        severity="warning",
        consequence="{outer} would see and report no errors, because they are answered around the inner {inner}",
        source="PEP 3333, Error Handling",
        outside=lambda a, b: "the errors" if b.reports and not a.reports else "",
    ),
    Rule(
        id="corp-blocks-cors",
        demand="what every origin may read is not kept from being embedded",
        severity="warning",
        consequence="{outer} lets pages of every origin read responses, but {inner} has browsers block {what} there: "
        "<img>, <script>, <link> and <video> fail without the attribute crossorigin",
        source="Fetch 3.7, cross-origin resource policy check",
        # A list of origins does not count, because CORP has no lists and CORS requests pass it.
        clash=lambda a, b: "what they embed" if a.shares and b.isolates else "",
        lift=lambda b: b.isolates,
    ),
    Rule(
        id="csp-covers-scripts",
        demand="an enforced Content-Security-Policy restricts scripts",
        severity="warning",
        consequence="the policy of {outer} restricts no scripts: those that an attacker injects run in browsers",
        source="CSP3 1.2, 6.1.10",
        alone=lambda a: a.unscripted,
    ),
)


def waived(owner: str, given: Iterable[str]) -> frozenset[str]:
    """The ids in an option `waive`; ConfigError, which names `owner`, for one that no rule has."""
    ids = each(given)
    known = [rule.id for rule in RULES]
    unknown = [text for text in map(str, ids) if text not in known]
    if unknown:
        raise ConfigError(f"{owner}: waive: ids of rules ({', '.join(known)}); got {', '.join(sorted(unknown))}")
    return frozenset(ids)

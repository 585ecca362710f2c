"""Content Security Policy: directive names, source expressions, and a policy as text (CSP3 sections 2.2 to 2.4)."""

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from hashlib import sha256
from itertools import product
from typing import Final, TypeAlias

from middleware.wsgi.options import several

Sources: TypeAlias = str | Iterable[str] | bool | None
Directives: TypeAlias = Mapping[str, tuple[str, ...]]

# A source of CSP: the placeholder of a nonce. The policy that is sent has the nonce between the hyphen and the quote.
NONCE: Final = "'nonce-'"
_NAME: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
# CSP3 2.2.1: a directive value is VCHAR and whitespace without ";" and ",", which end a directive and a policy.
_DIRECTIVE: Final = re.compile(r"([^ \t;]+)[ \t]*([^;]*)")
_VALUE: Final = re.compile(r"[\t\x20-\x2b\x2d-\x3a\x3c-\x7e]*")
# CSP3 2.3.1 and 4.2.1, Trusted Types, WebRTC: keywords, which have a meaning in single quotes only.
_KEYWORDS: Final = (
    "allow-duplicates|inline-speculation-rules|none|report-sample|report-sha(?:256|384|512)|self|strict-dynamic|"
    "trusted-types-eval|unsafe-allow-redirects|unsafe-eval|unsafe-hashes|unsafe-inline|unsafe-webtransport-hashes|"
    "wasm-unsafe-eval"
)
# Sources that do not mean what they look like, and the rule that the error message states.
_MISTAKES: Final = (
    (
        re.compile("(?!'nonce-'$)'?nonce-", re.IGNORECASE),
        "a nonce goes in single quotes, {quoted}, but a constant one is no use: write middleware.NONCE (CSP3 7.1)",
    ),
    (
        re.compile(f"(?:{_KEYWORDS})$|sha(?:256|384|512)-", re.IGNORECASE),
        "{source} goes in single quotes: {quoted} (CSP3 2.3.1)",
    ),
    (
        re.compile(r"""(?!(?:'[^"]+'|[^'"]|[^'"][^"]*[^'"])$)"""),
        "a keyword goes in single quotes on both sides, as \"'self'\" (CSP3 2.3.1)",
    ),
)
_NONE: Final = ("'none'",)
# Sources that allow nothing without the nonce: 'strict-dynamic' trusts nonces and hashes only.
_NOTHING: Final = re.compile("$|(?!.*'sha(?:256|384|512)-).*'strict-dynamic'", re.IGNORECASE)


def directive_name(name: object) -> str:
    """Return a directive name as it is sent, `script-src` for script_src; ValueError for an invalid one (CSP3 2.2)."""
    text = name.replace("_", "-").lower() if isinstance(name, str) else ""
    if _NAME.fullmatch(text) is None:
        raise ValueError("a directive name is letters and digits with single hyphens or underscores (CSP3 2.2)")
    return text


def sources(given: object) -> tuple[str, ...] | None:
    """Return the source expressions of one directive.

    True is a directive without a value; None and False leave the directive out, for which None is returned.

    Errors: ValueError for a value that is not an iterable of str, and for an expression that browsers would misread.
    """
    if isinstance(given, bool | None):
        return () if given else None
    found: list[str] = []
    for part in several(given):
        if not isinstance(part, str):
            raise ValueError("the sources of a directive are str: one, or an iterable of them")  # noqa: TRY004 - as others
        if _VALUE.fullmatch(part) is None:
            raise ValueError("a directive value is printable ASCII without ; and , (CSP3 2.2.1)")
        found += part.split()
    for source, (mistake, rule) in product(found, _MISTAKES):
        if mistake.match(source):
            raise ValueError(rule.format(source=source, quoted=f"\"'{source.strip(chr(39))}'\""))
    if len(found) > 1 and "'none'" in map(str.lower, found):
        raise ValueError("'none' stands alone: browsers ignore it beside other sources (CSP3 2.3.1)")
    return tuple(found)


def directives_of(text: str) -> list[tuple[str, str]]:
    """Split the text of a policy into directive names and values (CSP3 2.2.1)."""
    return _DIRECTIVE.findall(text)


def policy_text(directives: Directives) -> str:
    """Return the text of a policy."""
    return "; ".join(" ".join((name, *found)) for name, found in directives.items())


def has_nonce(directives: Directives) -> bool:
    """Whether NONCE is among the sources of the policy."""
    return any(NONCE in found for found in directives.values())


def without_nonce(directives: Directives) -> dict[str, tuple[str, ...]]:
    """Return the policy for a page without a nonce. It allows nothing that the policy with a nonce forbids.

    A nonce disables 'unsafe-inline', so both are removed (CSP3 6.7.3.2, 8.2).
    """
    kept = {}
    for name, found in directives.items():
        others = tuple(source for source in found if source.lower() not in (NONCE, "'unsafe-inline'"))
        kept[name] = found if NONCE not in found else _NONE if _NOTHING.match(" ".join(others)) else others
    return kept


def hash_source(script: str | bytes) -> str:
    """Return the source that allows an inline script or style with exactly this text (CSP3 2.3.1)."""
    content = script.encode() if isinstance(script, str) else script
    return f"'sha256-{b64encode(sha256(content).digest()).decode('ascii')}'"

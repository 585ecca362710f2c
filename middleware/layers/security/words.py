"""Fields whose value is one of a few words, or a list of them: which words there are, and who says so."""

from __future__ import annotations

import re
from typing import Final

from middleware.http.structured import Token, bare, item
from middleware.wsgi.options import several

_REPORT_TO: Final = re.compile(r' *report-to="([^"\\]*)"')

# HTML 7.4.8; RFC 7034 2.1 had a third, which browsers do not know.
FRAME_OPTIONS: Final = ("DENY", "SAMEORIGIN")
# HTML 7.1.3 and 7.1.4
OPENER_POLICIES: Final = ("unsafe-none", "same-origin-allow-popups", "same-origin", "noopener-allow-popups")
EMBEDDER_POLICIES: Final = ("unsafe-none", "require-corp", "credentialless")
# Fetch 3.7
RESOURCE_POLICIES: Final = ("same-origin", "same-site", "cross-origin")
# Referrer Policy 3 and 8.1
REFERRER_POLICIES: Final = (
    "no-referrer",
    "no-referrer-when-downgrade",
    "same-origin",
    "origin",
    "strict-origin",
    "origin-when-cross-origin",
    "strict-origin-when-cross-origin",
    "unsafe-url",
)
# Adobe Cross Domain Policy File Specification
DOMAIN_POLICIES: Final = ("none", "master-only", "by-content-type", "all")
# Clear Site Data 3.1
SITE_DATA: Final = (
    "cache",
    "clientHints",
    "cookies",
    "executionContexts",
    "prefetchCache",
    "prerenderCache",
    "storage",
    "*",
)


def frame_options(value: object) -> str:
    """An X-Frame-Options value, in upper case; ValueError if browsers do not know it."""
    return one_of(FRAME_OPTIONS, value.upper() if isinstance(value, str) else value)


def one_of(words: tuple[str, ...], value: object) -> str:
    """The value, once it is known to be one of the words; their case counts."""
    if value not in words:
        raise ValueError(f"one of {', '.join(map(repr, words))}")
    return value


def reported(words: tuple[str, ...], value: object) -> str:
    """One of the words, with a `report-to` if there is one, whose value is a quoted string (RFC 9651 3.1.2)."""
    word, _, parameter = value.partition(";") if isinstance(value, str) else ("", "", "")
    found = _REPORT_TO.fullmatch(parameter)
    try:
        if found is None:
            return one_of(words, value)
        return item(Token(one_of(words, word.rstrip(" "))), {"report-to": found[1]})
    except ValueError:
        choice = ", ".join(map(repr, words))
        raise ValueError(f"one of {choice}; with a report as in '{words[-1]}; report-to=\"endpoint\"'") from None


def referrer_policy(value: object) -> str:
    """One policy, or several in the order of fallback: a browser takes the last that it knows."""
    parts = [part.strip(" ") for part in value.split(",")] if isinstance(value, str) else several(value)
    policies = [one_of(REFERRER_POLICIES, part) for part in parts]
    if not 0 < len(policies) == len(set(policies)):
        raise ValueError("names at least one policy, and each once")
    return ", ".join(policies)


def site_data(value: object) -> str:
    """What a browser shall forget, as a list of quoted strings."""
    return ", ".join(bare(one_of(SITE_DATA, kind)) for kind in several(value))

"""Reads the options of SecurityHeaders that are keywords, lists or dictionaries, and rejects unknown values."""

import re
from collections.abc import Mapping
from typing import Final

from middleware.http.fields import option_name_fault
from middleware.http.structured import Token, bare, dictionary, item
from middleware.wsgi.options import choice_fault, pairs, several

# HTML 7.4.8; browsers do not implement the ALLOW-FROM of RFC 7034 2.1.
FRAME_OPTIONS: Final = ("DENY", "SAMEORIGIN")
# HTML 7.1.3 and 7.1.4
COOP_VALUES: Final = ("unsafe-none", "same-origin-allow-popups", "same-origin", "noopener-allow-popups")
COEP_VALUES: Final = ("unsafe-none", "require-corp", "credentialless")
# Fetch 3.7
CORP_VALUES: Final = ("same-origin", "same-site", "cross-origin")
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
_REPORT_TO: Final = re.compile(r' *report-to="([^"\\]*)"')
# Browsers send reports to trustworthy URLs only; a path is resolved against the origin of the response.
_ENDPOINT: Final = re.compile(r"(?:https://[^/\s]|/(?!/))[\x21-\x7e]*")


def one_of(keywords: tuple[str, ...], value: object) -> str:
    """Return the value if it is one of the keywords, whose case counts; raise ValueError otherwise."""
    if fault := choice_fault(value, keywords):
        raise ValueError(fault)
    return str.__str__(value)


def frame_options(value: object) -> str:
    """Return an X-Frame-Options value in upper case; raise ValueError if browsers do not know it."""
    return one_of(FRAME_OPTIONS, value.upper() if isinstance(value, str) else value)


def with_report(keywords: tuple[str, ...], value: object) -> str:
    """Return one of the keywords with its optional `report-to`, whose value is a quoted string (RFC 9651 3.1.2)."""
    keyword, _, parameter = value.partition(";") if isinstance(value, str) else ("", "", "")
    found = _REPORT_TO.fullmatch(parameter)
    try:
        if found is None:
            return one_of(keywords, value)
        return item(Token(one_of(keywords, keyword.rstrip(" "))), {"report-to": found[1]})
    except ValueError:
        rule = f"{choice_fault(None, keywords)}; with a report as in '{keywords[-1]}; report-to=\"endpoint\"'"
        raise ValueError(rule) from None


def referrer_policy(value: object) -> str:
    """Return one policy, or several in the order of fallback: a browser uses the last one that it knows."""
    parts = [part.strip(" ") for part in value.split(",")] if isinstance(value, str) else several(value)
    policies = [one_of(REFERRER_POLICIES, part) for part in parts]
    if not 0 < len(policies) == len(set(policies)):
        raise ValueError("names at least one policy, and each once")
    return ", ".join(policies)


def field_names(value: object) -> tuple[str, ...]:
    """Return the names of fields to remove; raise ValueError for a name that is not allowed."""
    names = several(value)
    for fault in filter(None, map(option_name_fault, names)):
        raise ValueError(fault)
    return tuple(names)


def site_data(value: object) -> str:
    """Return the types of data that a browser should clear, as a list of quoted strings."""
    return ", ".join(bare(one_of(SITE_DATA, kind)) for kind in several(value))


def endpoints(value: object) -> dict[str, str]:
    """Return the report endpoints, name -> URL; raise ValueError if they cannot be sent (Reporting API 3.2)."""
    if not isinstance(value, Mapping) or not value:
        raise ValueError("a mapping name -> URL, such as {'default': 'https://reports.example/'}")
    if not all(isinstance(url, str) and _ENDPOINT.fullmatch(url) for url in value.values()):
        raise ValueError("an endpoint is a URL, 'https://...' or '/path', in ASCII and without spaces")
    found = dict(pairs(value))
    dictionary(found)  # ValueError for a name that is not a key (RFC 9651 3.2)
    return found

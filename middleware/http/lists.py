"""Lists: fields whose value is a list that may stand on several lines (RFC 9110 5.6.1), Vary and Cache-Control."""

import re
from collections.abc import Iterable
from typing import Final

# RFC 9110 5.6.4, up to the end of the field where the closing quote is missing: so it matches at every quote, and no
# part of a field is read again from the next one.
_QUOTED: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:(")|\\?\Z)', re.DOTALL)
# RFC 9111 5.2: token [ "=" ( token / quoted-string ) ], in a list; what is quoted names no directive.
_DIRECTIVE: Final = re.compile(r'([^\s,;="]+)(?:\s*=\s*[^\s,"]*)?')


def members(values: Iterable[str]) -> list[str]:
    """The members of a list that may stand on several lines; empty ones do not count (RFC 9110 5.6.1)."""
    return [member for value in values for part in value.split(",") if (member := part.strip(" \t"))]


def merge(values: Iterable[str], names: Iterable[str]) -> str:
    """One Vary value with every member once, in the order they came; `*` stands for all and so stands alone."""
    merged: dict[str, str] = {}
    for member in (*members(values), *names):
        merged.setdefault(member.lower(), member)
    return "*" if "*" in merged else ", ".join(merged.values())


def has_directive(cache_control: str, name: str) -> bool:
    """Whether a directive, in lower case, stands in a Cache-Control, with or without an argument.

    What follows a quote that is never closed counts as if it were not quoted.
    """
    lowered = cache_control.lower()
    if name not in lowered:
        return False
    return name in _DIRECTIVE.findall(_QUOTED.sub(lambda quoted: '""' if quoted[1] else quoted[0], lowered))

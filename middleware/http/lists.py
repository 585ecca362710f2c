"""Fields whose value is a list, on one line or several (RFC 9110 5.6.1): members, Vary, Cache-Control, quoted text."""

import re
from collections.abc import Iterable
from typing import Final

# RFC 9110 5.6.4, up to the end of the field if the closing quote is missing. So it matches at every quote, and no part
# of a field is read twice.
_QUOTED: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:(")|\\?\Z)', re.DOTALL)
# RFC 9111 5.2: token [ "=" ( token / quoted-string ) ], in a list. Quoted text is not the name of a directive.
_DIRECTIVE: Final = re.compile(r'([^\s,;="]+)(?:\s*=\s*[^\s,"]*)?')
_ESCAPED: Final = re.compile(r'([\\"])')


def members(values: Iterable[str]) -> list[str]:
    """The members of a list that may be on several lines, without empty ones (RFC 9110 5.6.1)."""
    return [member for value in values for part in value.split(",") if (member := part.strip(" \t"))]


def quoted_string(text: str) -> str:
    r"""The text as a quoted-string with `\` and `"` escaped (RFC 9110 5.6.4)."""
    return '"' + _ESCAPED.sub(r"\\\1", text) + '"'


def merge(values: Iterable[str], names: Iterable[str]) -> str:
    """One Vary value with every member once, in order; `*` replaces all others."""
    merged: dict[str, str] = {}
    for member in (*members(values), *names):
        merged.setdefault(member.lower(), member)
    return "*" if "*" in merged else ", ".join(merged.values())


def has_directive(cache_control: str, name: str) -> bool:
    """Whether a Cache-Control has a directive, given in lower case, with or without an argument.

    Text after a quote that is never closed counts as unquoted.
    """
    lowered = cache_control.lower()
    if name not in lowered:
        return False
    return name in _DIRECTIVE.findall(_QUOTED.sub(lambda quoted: '""' if quoted[1] else quoted[0], lowered))

"""Cache-Control: whether a directive is there (RFC 9111 5.2)."""

from __future__ import annotations

import re
from typing import Final

# RFC 9111 5.2: token [ "=" ( token / quoted-string ) ], in a list; what is quoted names no directive.
_DIRECTIVE: Final = re.compile(r'([^\s,;="]+)\s*(?:=\s*(?:"(?:[^"\\]|\\.)*"|[^\s,"]*))?|"(?:[^"\\]|\\.)*"|[,;="\s]')


def has_directive(cache_control: str, name: str) -> bool:
    """Whether a directive, in lower case, stands in a Cache-Control, with or without an argument."""
    lowered = cache_control.lower()
    return name in lowered and any(found[1] == name for found in _DIRECTIVE.finditer(lowered))

"""Status lines: reason phrases, and which responses have no content (RFC 9110 sections 6.4.1 and 15)."""

import re
from http import HTTPStatus
from typing import Final

# RFC 9110 15: three digits; RFC 9112 4: then a reason phrase of HTAB, SP, VCHAR and obs-text.
_STATUS: Final = re.compile(r"[1-9][0-9]{2}(?: [\t\x20-\x7e\x80-\xff]*)?")
_EMPTY: Final = ("204", "304")
# The codes of the status lines with content, as servers and frameworks spell them. They are valid.
ORDINARY: Final = {
    text: int(status)
    for status in HTTPStatus
    if status >= 200 and str(int(status)) not in _EMPTY
    for text in (f"{int(status)} {status.phrase}", f"{int(status)} {status.phrase.upper()}")
}

NOT_MODIFIED: Final = ("304 Not Modified", "304 NOT MODIFIED")
KNOWN: Final = frozenset((*ORDINARY, *NOT_MODIFIED, "204 No Content", "204 NO CONTENT"))


def status_fault(status: object) -> str | None:
    """The rule that a WSGI status ("200 OK") breaks, or None."""
    if isinstance(status, str) and _STATUS.fullmatch(status) is not None:
        return None
    return f"a status is three digits, a space and a reason phrase without control characters; got {status!r}"


def status_line(code: int) -> str:
    """The code with its registered reason phrase; an unregistered code gets "Unknown"."""
    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        return f"{code} Unknown"


def without_content(method: str, status: str) -> bool:
    """Whether the response has no content, regardless of its fields: to HEAD, 1xx, 204 and 304 (RFC 9110 6.4.1)."""
    return method == "HEAD" or status < "2" or status[:3] in _EMPTY

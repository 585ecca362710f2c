"""Finishing: the last look at the head of a response before the server gets it.

Whatever hooks have added to a head is checked, by whichever way it came there: a field may be set through WebOb, which
lets control characters pass, or belong to a response of another library. Lines that the wrapped application has sent
are handed on as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from middleware.http.fields import check_line
from middleware.http.status import status_fault

if TYPE_CHECKING:
    from middleware.hooks.response import Response
    from middleware.http.fields import Line
    from middleware.wsgi.held import Held

_OF_CONTENT: Final = (  # RFC 9110 15.4.5
    "Allow",
    "Content-Encoding",
    "Content-Language",
    "Content-Length",
    "Content-MD5",
    "Content-Range",
    "Content-Type",
    "Last-Modified",
)


def check(response: Response, held: Held) -> None:
    """Raise ValueError or TypeError if hooks have put something into the head that may not be sent."""
    fault = None if response.status == held.status else status_fault(response.status)
    if fault is not None:
        raise ValueError(fault)
    for line in _added(response, held):
        check_line(line)


def leave_out(response: Response, held: Held) -> None:
    """Remove the lines that `check` refuses; what is left of the response is a 500."""
    refused = {id(line) for line in _added(response, held) if _refused(line)}
    response.headers.lines[:] = [line for line in response.headers.lines if id(line) not in refused]
    response.headers.index = None
    response.status = 500


def _added(response: Response, held: Held) -> list[Line]:
    """The lines that the application has not sent: its own are recognized by identity."""
    given = {id(line) for line in held.lines} if held.status else ()
    return [line for line in response.headers.lines if id(line) not in given]


def _refused(line: object) -> bool:
    try:
        check_line(line)
    except (ValueError, TypeError):
        return True
    return False


def finish(response: Response) -> None:
    """Take out of a 304 what tells of content; say the length of a body that has one."""
    if response.status_code == 304:
        for name in _OF_CONTENT:
            response.headers.remove(name)
    elif response.is_sequence and "Content-Length" not in response.headers:
        response.headers["Content-Length"] = str(sum(map(len, response.response)))

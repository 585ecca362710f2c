"""Finishing: the fields that Flask takes out, or puts in, last. Content that may not be sent the pipeline drops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from middleware.hooks.response import Response

_OF_CONTENT: Final = (
    "Allow",
    "Content-Encoding",
    "Content-Language",
    "Content-Length",
    "Content-MD5",
    "Content-Range",
    "Content-Type",
    "Last-Modified",
)
_NOT_WITH: Final = {204: ("Content-Length",), 304: _OF_CONTENT}  # RFC 9110 8.6 and 15.4.5


def finish(response: Response) -> None:
    """Take out fields that may not be there; say the length of a body that has one."""
    barred = _NOT_WITH.get(response.status_code, ())
    for name in barred:
        response.headers.remove(name)
    if not barred and response.is_sequence and "Content-Length" not in response.headers:
        response.headers["Content-Length"] = str(sum(map(len, response.response)))

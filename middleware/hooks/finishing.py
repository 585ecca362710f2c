"""Finishing: the fields that Flask takes out, or puts in, last. Content that may not be sent the pipeline drops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from middleware.hooks.response import Response

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


def finish(response: Response) -> None:
    """Take out of a 304 what tells of content; say the length of a body that has one."""
    if response.status_code == 304:
        for name in _OF_CONTENT:
            response.headers.remove(name)
    elif response.is_sequence and "Content-Length" not in response.headers:
        response.headers["Content-Length"] = str(sum(map(len, response.response)))

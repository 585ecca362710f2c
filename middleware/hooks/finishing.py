"""Finishing: what Flask does to a response last: nothing is sent that its status, or a HEAD, does not allow."""

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


def finish(response: Response, method: str | None) -> None:
    """Take out fields and content that may not be there (RFC 9110 6.4.1); say the length of a body that has one."""
    code = response.status_code
    bare = code < 200 or code in _NOT_WITH
    for name in _NOT_WITH.get(code, ()):
        response.headers.remove(name)
    if not bare and response.is_sequence and "Content-Length" not in response.headers:
        response.headers["Content-Length"] = str(sum(map(len, response.response)))
    if bare or method == "HEAD":
        _drop(response)


def _drop(response: Response) -> None:
    """Have no content; what there was is closed with the response."""
    length, close = response.headers.get("Content-Length"), getattr(response.response, "close", None)
    if close is not None:
        response.closers = (close, *response.closers)
    response.response = ()
    response.content_length = length

"""Problem details: an error response as JSON (RFC 9457)."""

import json
from typing import Final

from middleware.http.status import status_line

CONTENT_TYPE: Final = "application/problem+json"


def problem(status: int, detail: str) -> bytes:
    """The content of a problem of type about:blank, whose title is the reason phrase (RFC 9457 4.2.1)."""
    title = status_line(status).partition(" ")[2]
    return json.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail}).encode("ascii")

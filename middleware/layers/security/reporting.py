"""Reporting-Endpoints: where browsers send reports to (Reporting API 3.2, RFC 9651 3.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from middleware.http.structured import dictionary

# Reports go to trustworthy URLs only; a path belongs to the origin of the response.
_URL: Final = re.compile(r"(?:https://[^/\s]|/(?!/))[\x21-\x7e]*")


def endpoints(given: object) -> str:
    """The endpoints, each a name and a URL, as a dictionary of strings; ValueError for anything else."""
    if not isinstance(given, Mapping) or not given:
        raise ValueError("a mapping name -> URL, such as {'default': 'https://reports.example/'}")
    for url in given.values():
        if _URL.fullmatch(str(url)) is None:
            raise ValueError("an endpoint is a URL, 'https://...' or '/path', in ASCII and without spaces")
    return dictionary(given)

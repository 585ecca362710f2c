"""Paste: its gzipper."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.case import Application
    from benchmarks.peers.site import Site


def encoding(site: Site) -> Application:
    """The pages of a site, encoded by the gzipper."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports pkg_resources, which warns of itself
        from paste import gzipper

    return gzipper.middleware(site)

"""Other ways to do the same: written by hand as it is mostly written, and by the means of frameworks. A file each."""

from __future__ import annotations

from typing import Final

from benchmarks.peers import (
    bottle_site,
    django_site,
    falcon_site,
    flask_site,
    nested,
    pyramid_site,
    starlette_site,
    webob_layers,
)

CASES: Final = (
    *nested.CASES,
    *falcon_site.CASES,
    *starlette_site.CASES,
    *bottle_site.CASES,
    *pyramid_site.CASES,
    *webob_layers.CASES,
    *flask_site.CASES,
    *django_site.CASES,
)

"""A site with a rate limit, as its environment says: several processes of it share one count."""

from __future__ import annotations

import os

from middleware import RateLimit, Stack


def site(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]


application = Stack(
    RateLimit(os.environ["LIMITS"], storage=os.environ["STORAGE"], strategy=os.environ["STRATEGY"])
).wrap(site)

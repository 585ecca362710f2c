"""Flask behind a guard of hooks, for servers: `X-Open: 1` passes it."""

from __future__ import annotations

from guarded_sites import flask_site
from middleware import Hooks
from middleware.hooks import request

hooks = Hooks()


@hooks.scope("/admin").before_request
def guard():
    """Let nobody in without the field."""
    return None if request.headers.get("X-Open") else ("guarded", 403)


application = hooks.wrap(flask_site())

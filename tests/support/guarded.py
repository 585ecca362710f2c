"""Flask behind a guard of hooks, and behind one by `match.path`, for servers: `X-Open: 1` passes them."""

from __future__ import annotations

from guarded_sites import flask_site
from middleware import Hooks, Respond, Stack
from middleware.hooks import request
from middleware.match import header, path

hooks = Hooks()


@hooks.scope("/admin").before_request
def guard():
    """Let nobody in without the field."""
    return None if request.headers.get("X-Open") else ("guarded", 403)


application = hooks.wrap(flask_site())
by_path = Stack(Respond(200, "guarded").when(path("/admin") & ~header("X-Open"))).wrap(flask_site())

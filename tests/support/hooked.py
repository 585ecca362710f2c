"""An application of views, as hooks find it, and a short way to ask it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from webob import exc

from gateway import Answer, serve

if TYPE_CHECKING:
    from middleware import Hooks


def site(views: dict[str, Any] | None = None, *, default: Any = b"hello") -> Any:
    """A WSGI application: each path has bytes to answer, an exception to raise, or a function that does either."""
    known = {"/": default} if views is None else views

    def app(environ, start_response):
        view = known.get(environ["PATH_INFO"], exc.HTTPNotFound())
        answer = view() if callable(view) and not isinstance(view, BaseException) else view
        if isinstance(answer, BaseException):
            raise answer
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))])
        return [answer]

    return app


def ask(hooks: Hooks, path: str = "/", app: Any = None, **keys: Any) -> Answer:
    """One request through the hooks, around `site()` if there is nothing else."""
    return serve(hooks.wrap(app or site()), path, **keys)


def boom(*_: Any) -> Any:
    """What fails."""
    raise ZeroDivisionError("boom")


def label(value: object) -> str:
    """The id of a parameter, which is the same in every process."""
    return re.sub(" at 0x[0-9a-f]+", "", repr(value))[:40]

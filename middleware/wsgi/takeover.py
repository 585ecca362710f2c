"""Takeover: a connection that the application took from the server, for WebSocket, so that there is no response.

A server that makes this possible hands its socket, or functions that use it, to the application. When the session is
over, the application has nothing to return: simple-websocket raises StopIteration on gunicorn and returns an empty list
on eventlet and gevent, as do eventlet.websocket and handlers of gevent-websocket; those of uWSGI return "". None of
them calls start_response, which PEP 3333 demands of every other application.
"""

from typing import Final

from middleware.wsgi.types import Environ

_SOCKETS: Final = ("gunicorn.socket", "werkzeug.socket", "wsgi.websocket")
_PREFIXES: Final = ("eventlet.", "uwsgi.")
_SERVER: Final = "gevent/"  # its socket is an attribute of wsgi.input, without a key of its own


def may_be_taken_over(environ: Environ) -> bool:
    """Whether the request is an Upgrade (RFC 9110 7.8) on a server that lets the application have the connection."""
    if not environ.get("HTTP_UPGRADE"):
        return False
    if str(environ.get("SERVER_SOFTWARE", "")).startswith(_SERVER):
        return True
    return any(key in _SOCKETS or str(key).startswith(_PREFIXES) for key in environ)


def ends_takeover(environ: Environ, error: BaseException) -> bool:
    """Whether an exception only tells the server that its connection is gone."""
    return isinstance(error, StopIteration) and may_be_taken_over(environ)


def leaves_nothing(environ: Environ, body: object) -> bool:
    """Whether what an application returned without a head has no content, because it had the connection."""
    if isinstance(body, (list, tuple)):
        nothing = not any(body)
    elif isinstance(body, (str, bytes)):
        nothing = not body
    else:  # None, or an object that a server knows
        nothing = not hasattr(body, "__iter__") and not hasattr(body, "__getitem__")
    return nothing and may_be_taken_over(environ)


class TakenOver(BaseException):
    """Raised to pass through code that handles every Exception.

    Attributes:
        body: the object that the application returned, or None if it raised StopIteration.
        stopped: bool. Whether the application raised StopIteration.
    """

    def __init__(self, body: object = None, *, stopped: bool = False) -> None:
        super().__init__()
        self.body, self.stopped = body, stopped

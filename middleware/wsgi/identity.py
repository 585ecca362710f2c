"""Identity: the id of the request that runs in this context, and the attributes of its log records."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final
from weakref import ref

from middleware.wsgi.escaped import escaped

if TYPE_CHECKING:
    from middleware.wsgi.types import Environ

REQUEST_ID: Final = "middleware.request_id"


class Identity:
    """The id of one request, until its response is closed.

    It is marked as closed in place of resetting the context variable, because a server may close a response in another
    context than it called the application in.

    Attributes:
        id: str.
        outer: the identity that an outer layer gave the same request, or None.
        around: weak references to the identities of the requests that make this one in process, innermost first. They
            are weak, because a response that is never closed must not be kept by the next request; and they are all
            here, because the one between two others may be gone first.
        closed: bool.
    """

    __slots__ = ("__weakref__", "around", "closed", "id", "outer")

    def __init__(self, request_id: str, outer: Identity | None, around: list[Identity]) -> None:
        self.id, self.outer, self.closed = request_id, outer, False
        self.around = [*map(ref, around)]


_CURRENT: Final[ContextVar[Identity | None]] = ContextVar("middleware.request_id", default=None)


def request_id() -> str | None:
    """Return the id of the request that runs in this context, or None outside of a request.

    It holds from the moment when `RequestId` has seen the request until the response is closed, in asynchronous hooks
    too. A request that the application makes in process has its own id, and leaves that of the outer one. None as well
    where no `RequestId` stands outside. A thread that the application starts has a context of its own: run it in
    `contextvars.copy_context()`.
    """
    return next((identity.id for identity in _open()), None)


def _open() -> list[Identity]:
    """Return the identities of this context that are open, innermost first."""
    last = _CURRENT.get()
    found = [] if last is None else [last, *(each() for each in last.around)]
    return [identity for identity in found if identity is not None and not identity.closed]


def enter(request_id: str, outer: Identity | None) -> Identity:
    """Make an id the current one. `outer` is the open identity of the same request from an outer layer, or None."""
    identity = Identity(request_id, outer, _open())
    _CURRENT.set(identity)
    return identity


def leave(identity: Identity | None) -> Identity | None:
    """Close the innermost identity that is open; return what is left around it."""
    identity = innermost(identity)
    if identity is None:
        return None
    identity.closed = True  # the context variable leads past it
    return identity.outer


def innermost(identity: Identity | None) -> Identity | None:
    """Return the innermost identity of a request that is open, from this one outwards, or None."""
    while identity is not None and identity.closed:
        identity = identity.outer
    return identity


def log_extra(environ: Environ, layer: str | None = None) -> dict[str, Any]:
    """Return the `extra` of a log record of the stack: request_id, method, path and layer.

    What the client sent is escaped. `layer` is the name of the layer that logs, None for the stack itself.
    """
    return {
        "request_id": environ.get(REQUEST_ID),
        "method": escaped(environ.get("REQUEST_METHOD", "")),
        "path": escaped(f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"),
        "layer": layer,
    }

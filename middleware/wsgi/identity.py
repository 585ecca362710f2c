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

    An identity is marked as closed, and the context variable is not reset, because a server may close a response in a
    different context from the one in which it called the application.

    Attributes:
        id: str.
        outer: the identity that an outer layer gave the same request, or None.
        around: weak references to the identities of the requests that make this one in process, innermost first. They
            are weak, so that a later request does not keep alive a response that is never closed. All of them are
            listed, because one between two others may be freed first.
        closed: bool.
    """

    __slots__ = ("__weakref__", "around", "closed", "id", "outer")

    def __init__(self, request_id: str, outer: Identity | None, around: list[Identity]) -> None:
        self.id, self.outer, self.closed = request_id, outer, False
        self.around = [*map(ref, around)]


_CURRENT: Final[ContextVar[Identity | None]] = ContextVar("middleware.request_id", default=None)


def request_id() -> str | None:
    """Return the id of the request that runs in this context, or None outside of a request.

    The id is available from the time when `RequestId` has seen the request until the response is closed, in
    asynchronous hooks too. A request that the application makes in process has its own id; after it, the outer id is
    current again. Without an outer `RequestId`, there is none. A thread that the application starts has a context of
    its own: run it in `contextvars.copy_context()`.
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
    """Close the innermost open identity of a request; return the identity around it, or None."""
    identity = innermost(identity)
    if identity is None:
        return None
    identity.closed = True  # _open() skips closed identities
    return identity.outer


def innermost(identity: Identity | None) -> Identity | None:
    """Return the innermost identity of a request that is open, from this one outwards, or None."""
    while identity is not None and identity.closed:
        identity = identity.outer
    return identity


def log_extra(environ: Environ, layer: str | None = None) -> dict[str, Any]:
    """Return the `extra` of a log record of the stack: request_id, method, path and layer.

    Values from the client are escaped. `layer` is the name of the layer that logs, None for the stack itself.
    """
    return {
        "request_id": environ.get(REQUEST_ID),
        "method": escaped(environ.get("REQUEST_METHOD", "")),
        "path": escaped(f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"),
        "layer": layer,
    }

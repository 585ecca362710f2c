"""Serving: an application on a socket, by waitress, until it is asked to end and nothing is in flight any more.

waitress by itself ends within five seconds of a signal, finished or not, and sends nothing while it waits. Here its
loop goes on until every response has gone out.
"""

from __future__ import annotations

import logging
import sys
import time
from math import inf
from typing import TYPE_CHECKING, Any, Final

from middleware.cli.errors import CommandError
from middleware.cli.listening import url
from middleware.cli.signals import Stop
from middleware.wsgi.escaped import escaped

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from middleware.wsgi.types import Application

TICK: Final = 1.0  # seconds between two looks at what sends no signal


def run(
    app: Application,
    listener: socket.socket,
    *,
    over: Callable[[], bool] = lambda: False,
    patience: float = inf,
    **adjustments: Any,
) -> bool:
    """Serve `app` until SIGTERM or SIGINT, or until `over`; return whether a signal ended it.

    The listening socket is closed then, requests in flight are answered to the end, idle connections are closed.

    Options:
        over: asked every second, on the main thread. Default never.
        patience: seconds that requests in flight have after `over`; after a signal they have as long as they take.
            Default as long as they take.
        adjustments: what waitress calls so. There is no Server header: nobody needs to know.

    Errors: CommandError for adjustments that waitress refuses; KeyboardInterrupt at the second SIGINT.
    """
    server = _server(app, listener, adjustments)
    with Stop() as stop:
        stop.wake = server.pull_trigger
        print(f"Serving on {url(listener)}", flush=True)
        while not stop.asked and not over():
            _step(server, TICK)
        _drain(server, time.monotonic() + (inf if stop.asked else patience))
    return stop.asked


def _server(app: Application, listener: socket.socket, adjustments: dict[str, Any]) -> Any:
    from waitress.server import create_server

    logging.getLogger("waitress").addFilter(_printable)
    try:
        return create_server(app, sockets=[listener], ident=None, **adjustments)
    except ValueError as error:
        raise CommandError(f"waitress does not take this: {error}") from None


def _printable(record: logging.LogRecord) -> bool:
    """Escape what a request put into a log line of waitress: the path of one that failed."""
    record.msg, record.args = escaped(record.getMessage()), ()
    return True


def _step(server: Any, seconds: float) -> None:
    """Let the server do what there is to do, or wait for it so long."""
    server.asyncore.loop(timeout=seconds, map=server._map, count=1)  # noqa: SLF001 - the map that it was given


def _drain(server: Any, deadline: float) -> None:
    """Take no more connections, and close those there are as they fall idle."""
    _accept_waiting(server)
    server.asyncore.dispatcher.close(server)  # the listening socket; the trigger is still needed
    busy = _close_idle(server)
    if busy:
        print(f"Ending after {busy} request{'s' * (busy > 1)} in flight; a second Ctrl-C ends at once", file=sys.stderr)
    while server.active_channels and time.monotonic() < deadline:
        _close_idle(server)
        _step(server, max(min(TICK, deadline - time.monotonic()), 0))
    server.task_dispatcher.shutdown(timeout=max(deadline - time.monotonic(), 0))
    server.asyncore.close_all(server._map)  # noqa: SLF001 - as above


def _close_idle(server: Any) -> int:
    """Let the next step close the connections that are idle; return how many are not."""
    idle = [channel for channel in server.active_channels.values() if _is_idle(channel)]
    for channel in idle:
        channel.will_close = True
    return len(server.active_channels) - len(idle)


def _accept_waiting(server: Any) -> None:
    """Take the connections that were made before the end, and read what has come on them."""
    before = -1
    while len(server.active_channels) > before:
        before = len(server.active_channels)
        _step(server, 0)


def _is_idle(channel: Any) -> bool:
    """Whether a connection has no request that has begun, and nothing left to send."""
    begun = channel.request is not None and channel.request.headers_finished
    return not (channel.requests or channel.total_outbufs_len or begun)

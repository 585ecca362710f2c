"""Serving: an application on a socket, by waitress, until it is asked to end and nothing is in flight any more.

waitress by itself ends within five seconds of a signal, finished or not, and sends nothing while it waits. Here its
loop goes on until every response has gone out, or the grace is over.
"""

from __future__ import annotations

import logging
import time
from math import inf
from typing import TYPE_CHECKING, Any, Final

from middleware.cli.errors import CommandError
from middleware.cli.listening import url
from middleware.cli.output import say
from middleware.cli.signals import Stop, leave
from middleware.wsgi.escaped import escaped

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from middleware.wsgi.types import Application

TICK: Final = 1.0  # seconds between two looks at what sends no signal
GRACE: Final = 30  # seconds that requests in flight have after a signal
_CLEANUP: Final = 0.2  # seconds that applications have to close what they opened, once their clients are cut off


def run(
    app: Application,
    listener: socket.socket,
    *,
    over: Callable[[], bool] = lambda: False,
    patience: float = inf,
    grace: float = GRACE,
    deaf: bool = False,
    **adjustments: Any,
) -> bool:
    """Serve `app` until SIGTERM or SIGINT, or until `over`; return whether a signal ended it.

    The listening socket is closed then, requests in flight are answered to the end, idle connections are closed. The
    last response of a connection says `Connection: close` (RFC 9112 9.6). If requests are left when the grace after a
    signal is over, or at the second signal, the process ends at once and this does not return.

    Options:
        over: asked every second, on the main thread. Default never.
        patience: seconds that requests in flight have after `over`. Default as long as they take.
        grace: seconds that they have after a signal. Default 30.
        deaf: whether SIGINT does nothing, because a parent passes it on as SIGTERM. Default False.
        adjustments: what waitress calls so. There is no Server header: nobody needs to know.

    Errors: CommandError for adjustments that waitress refuses.
    """
    server = _server(app, listener, adjustments)
    with Stop(deaf=deaf) as stop:
        _close_connections_after(server, stop)
        stop.wake = server.pull_trigger
        say(f"Serving on {url(listener)}")
        while not stop.asked and not over():
            _step(server, TICK)
        stop.ending = True
        seconds = grace if stop.asked else patience
        left = _drain(server, stop, seconds)
        if left and stop.asked:
            say(f"Ended after {seconds:g} s with {_requests(left)} in flight", error=True)
            leave(0)
    return bool(stop.asked)


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


def _close_connections_after(server: Any, stop: Stop) -> None:
    """Let the last response of each connection announce its end, once `stop.ending`."""
    from waitress.channel import HTTPChannel
    from waitress.task import WSGITask

    class Task(WSGITask):
        def build_response_header(self) -> bytes:
            if stop.ending and not _is_followed(self.channel):
                request: Any = self.request
                request.headers["CONNECTION"] = "close"  # as if the client had asked for it
            return super().build_response_header()

    class Channel(HTTPChannel):
        task_class = Task

    server.channel_class = Channel


def _is_followed(channel: Any) -> bool:
    """Whether a request has come in, or begun to, behind the one that is being answered."""
    return len(channel.requests) > 1 or _has_begun(channel)


def _has_begun(channel: Any) -> bool:
    return channel.request is not None and channel.request.headers_finished


def _step(server: Any, seconds: float) -> None:
    """Let the server do what there is to do, or wait for it so long."""
    server.asyncore.loop(timeout=seconds, map=server._map, count=1)  # noqa: SLF001 - the map that it was given


def _drain(server: Any, stop: Stop, seconds: float) -> int:
    """Take no more connections, and close those there are as they fall idle; return the number of requests cut off."""
    deadline = time.monotonic() + seconds
    _accept_waiting(server)
    server.asyncore.dispatcher.close(server)  # the listening socket; the trigger is still needed
    busy = _close_finished(server)
    stop.told = True
    if busy:
        say(f"Ending after {_requests(busy)} in flight; a second signal ends at once", error=True)
    while busy and time.monotonic() < deadline:
        _step(server, max(min(TICK, deadline - time.monotonic()), 0))
        busy = _close_finished(server)
    for channel in tuple(server.active_channels.values()):
        channel.handle_close()  # wakes the thread that waits for its client to read
    server.task_dispatcher.shutdown(timeout=max(deadline - time.monotonic(), _CLEANUP))
    server.asyncore.close_all(server._map)  # noqa: SLF001 - as above
    return busy or len(server.task_dispatcher.threads)


def _close_finished(server: Any) -> int:
    """Close the connections that are idle, and those that waitress gives up; return the number of others.

    A connection is given up after 120 seconds without a byte, unless the application is still at work on its request.
    waitress marks it, and waits until its client reads; here it is closed, whether or not the client reads.
    """
    server.maintenance(time.time())
    channels = tuple(server.active_channels.values())
    for channel in channels:
        if channel.will_close or _is_idle(channel):
            channel.handle_close()
    return len(server.active_channels)


def _accept_waiting(server: Any) -> None:
    """Take the connections that were made before the end, and read what has come on them."""
    before = -1
    for _ in range(server.adj.backlog):  # all that were waiting; others may come faster than they are taken
        if len(server.active_channels) <= before:
            break
        before = len(server.active_channels)
        _step(server, 0)


def _is_idle(channel: Any) -> bool:
    """Whether a connection has no request that has begun, and nothing left to send."""
    return not (channel.requests or channel.total_outbufs_len or _has_begun(channel))


def _requests(count: int) -> str:
    return f"{count} request" + "s" * (count != 1)

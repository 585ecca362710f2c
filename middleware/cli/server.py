"""Serves an application with waitress until a signal, and finishes the requests in flight.

By itself waitress stops within five seconds of a signal, finished or not, and sends nothing while it waits. Here its
loop goes on until every response has been sent or the grace period is over.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from math import inf
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from middleware.cli.output import CommandError, flush, plural, say
from middleware.wsgi.escaped import escaped
from middleware.wsgi.types import Application

if TYPE_CHECKING:
    from typing_extensions import Self

TICK: Final = 1.0  # seconds between two checks of conditions that send no signal
GRACE: Final = 30  # seconds that requests in flight have after a signal
_CLEANUP: Final = 0.2  # seconds for applications to close their resources after their clients are cut off

# -- the socket ------------------------------------------------------------------------------------------------------

_FORM: Final = "write HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080; port 0 is any that is free"
_INHERITED: Final = "fd://"


def listen(address: str) -> socket.socket:
    """Return a socket that listens on `HOST:PORT`, or the inherited one of `fd://NUMBER`.

    Errors: CommandError for any other address, or if the system refuses.
    """
    try:
        if address.startswith(_INHERITED):
            return socket.socket(fileno=_number(address, address.removeprefix(_INHERITED)))
        given, _, port = address.rpartition(":")
        host = given.removeprefix("[").removesuffix("]")
        number = _number(address, port)
        if not host or number > 0xFFFF or (":" in host) != (host != given):
            raise CommandError(f"--listen {address}: {_FORM}")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, number), family=family)
    except OSError as error:
        said = (error.strerror or str(error)).partition(" (while")[0]  # the rest repeats the address
        raise CommandError(f"cannot listen on {address}: {said}") from None


def _number(address: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise CommandError(f"--listen {address}: {_FORM}")
    return int(text)


def url(listener: socket.socket) -> str:
    """The URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


# -- signals ---------------------------------------------------------------------------------------------------------


class Stop:
    """Within `with`, SIGTERM and SIGINT request the end of the process instead of ending it. Main thread only.

    Options:
        deaf: bool. Ignore SIGINT, because a parent process passes on each Ctrl-C as SIGTERM. Default False.

    Attributes:
        asked: int. The number of signals received.
        ending: bool. True once a signal has been received, or once the owner sets it for another reason.
        told: bool. True if a signal after the first ends the process at once, with status 128 and its number. The
            owner sets it when it announces the end, because supervisors send the first signal twice: to the process
            and to its group. Default False.
        wake: callable. Called for each signal, between any two steps of the main thread, so it must not wait for a
            lock.
    """

    def __init__(self, *, deaf: bool = False) -> None:
        self.asked = 0
        self.ending = False
        self.told = False
        self.wake: Callable[[], object] = lambda: None
        self._deaf = deaf
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._before = {each: signal.signal(each, self._ask) for each in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_: object) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)

    def _ask(self, number: int, _: FrameType | None) -> None:
        if self._deaf and number == signal.SIGINT:
            return
        if self.told and self.asked:
            leave(128 + number)
        self.asked += 1
        self.ending = True
        self.wake()


def leave(status: int) -> None:
    """End the process at once, without waiting for threads and without running exit functions."""
    flush()
    os._exit(status)


# -- serving ---------------------------------------------------------------------------------------------------------


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
    """Serve `app` until SIGTERM or SIGINT, or until `over` returns True; return True if a signal ended it.

    The listening socket is then closed, requests in flight are answered to the end, and idle connections are closed.
    The last response of a connection has `Connection: close` (RFC 9112 9.6). If requests are left when the grace
    period after a signal is over, or at the second signal, the process ends at once and `run` does not return.

    Options:
        over: callable () -> bool. Called every second on the main thread. Default never.
        patience: float. Seconds that requests in flight have after `over`. Default unlimited.
        grace: float. Seconds that requests in flight have after a signal. Default 30.
        deaf: bool. Ignore SIGINT, because a parent process passes it on as SIGTERM. Default False.
        adjustments: any. Options of waitress. No Server header is sent.

    Errors: CommandError for adjustments that waitress refuses.
    """
    from waitress.server import create_server

    logging.getLogger("waitress").addFilter(_printable)
    try:
        server: Any = create_server(app, sockets=[listener], ident=None, **adjustments)
    except ValueError as error:
        raise CommandError(f"waitress does not take this: {error}") from None
    loop = Loop(server)
    with Stop(deaf=deaf) as stop:
        _announce_close(server, stop)
        stop.wake = server.pull_trigger
        say(f"Serving on {url(listener)}")
        while not stop.asked and not over():
            loop.step(TICK)
        stop.ending = True
        seconds = grace if stop.asked else patience
        left = loop.drain(stop, seconds)
        if left and stop.asked:
            say(f"Ended after {seconds:g} s with {plural(left, 'request')} in flight", error=True)
            leave(0)
    return bool(stop.asked)


def _printable(record: logging.LogRecord) -> bool:
    """Escape the path of a failed request in a log line of waitress."""
    record.msg, record.args = escaped(record.getMessage()), ()
    return True


def _announce_close(server: Any, stop: Stop) -> None:
    """Send `Connection: close` with the last response of each connection once `stop.ending` is set."""
    from waitress.channel import HTTPChannel
    from waitress.task import WSGITask

    class Task(WSGITask):
        def build_response_header(self) -> bytes:
            channel: Any = self.channel
            is_followed = len(channel.requests) > 1 or _is_reading(channel)
            if stop.ending and not is_followed:
                request: Any = self.request
                request.headers["CONNECTION"] = "close"  # as if the client had sent it
            return super().build_response_header()

    class Channel(HTTPChannel):
        task_class = Task

    server.channel_class = Channel


def _is_reading(channel: Any) -> bool:
    """Whether the head of another request has been received."""
    return channel.request is not None and channel.request.headers_finished


class Loop:
    """The loop of a waitress server, run step by step."""

    def __init__(self, server: Any) -> None:
        self._server = server

    def step(self, seconds: float) -> None:
        """Do the work that is ready, or wait for work for at most `seconds`."""
        self._server.asyncore.loop(timeout=seconds, map=self._server._map, count=1)  # noqa: SLF001 - no public name

    def drain(self, stop: Stop, seconds: float) -> int:
        """Accept no more connections and close the others as they fall idle; return the number of requests cut off."""
        server, deadline = self._server, time.monotonic() + seconds
        self.accept_waiting()
        server.asyncore.dispatcher.close(server)  # closes the listening socket but not the trigger, still in use
        busy = self._close_finished()
        stop.told = True
        if busy:
            say(f"Ending after {plural(busy, 'request')} in flight; a second signal ends at once", error=True)
        while busy and time.monotonic() < deadline:
            self.step(max(min(TICK, deadline - time.monotonic()), 0))
            busy = self._close_finished()
        for channel in tuple(server.active_channels.values()):
            channel.handle_close()  # wakes the thread that waits for its client to read
        server.task_dispatcher.shutdown(timeout=max(deadline - time.monotonic(), _CLEANUP))
        server.asyncore.close_all(server._map)  # noqa: SLF001 - no public name
        return busy or len(server.task_dispatcher.threads)

    def accept_waiting(self) -> None:
        """Accept the connections in the backlog, and read their first bytes."""
        before = -1
        for _ in range(self._server.adj.backlog):  # bounded, because new ones may arrive faster than they are accepted
            if len(self._server.active_channels) <= before:
                break
            before = len(self._server.active_channels)
            self.step(0)

    def _close_finished(self) -> int:
        """Close connections that are idle or that waitress has given up; return the number of others.

        waitress gives up a connection after 120 seconds without a byte, unless the application is working on its
        request. It marks the connection and waits until the client reads; here it is closed at once.
        """
        self._server.maintenance(time.time())
        for channel in tuple(self._server.active_channels.values()):
            is_idle = not (channel.requests or channel.total_outbufs_len or _is_reading(channel))
            if channel.will_close or is_idle:
                channel.handle_close()
        return len(self._server.active_channels)

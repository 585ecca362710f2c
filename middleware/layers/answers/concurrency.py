"""ConcurrencyLimit: a limited number of requests at a time; some more wait for a place, and all others get a 503."""

import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from itertools import count
from typing import ClassVar, Final

from middleware import by
from middleware.wsgi.answer import NO_STORE, answer_fault, note, refusal
from middleware.wsgi.effects import Effects
from middleware.wsgi.layer import Middleware
from middleware.wsgi.options import Problems
from middleware.wsgi.types import Application, Environ

KEY: Final = "middleware.concurrency_limit"
_NUMBERS: Final = count()


class Places:
    """The places of one limit, for each key, and the requests that wait for one in order of arrival.

    A key is forgotten when no request holds a place for it. A free place is handed to the first request that waits.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken: dict[Hashable, int] = {}
        self.waiting: dict[Hashable, deque[threading.Lock]] = {}
        self.lost: deque[Hashable] = deque()
        self._lock = threading.Lock()

    def take(self, key: Hashable, seconds: float) -> bool:
        """Take a place if one becomes free within `seconds`. Does not wait if `limit` others already do."""
        with self:
            self._recover()
            taken = self.taken.get(key, 0)
            if taken < self.limit:
                self.taken[key] = taken + 1
                return True
            queue = self.waiting.get(key, ())
            if not seconds or len(queue) >= self.limit:
                return False
            turn = threading.Lock()
            turn.acquire()
            self.waiting.setdefault(key, deque()).append(turn)
        return self._wait(key, turn, seconds)

    def give(self, key: Hashable) -> None:
        """Give a place back."""
        with self:
            self._free(key)

    def lose(self, key: Hashable) -> None:
        """Give a place back without waiting for the lock, which the thread that runs the garbage collector may hold."""
        self.lost.append(key)
        self._hand_over()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        """Release the lock, then recover the places that were lost while it was held."""
        self._lock.release()
        self._hand_over()

    def _wait(self, key: Hashable, turn: threading.Lock, seconds: float) -> bool:
        try:
            handed = turn.acquire(timeout=seconds)
        except BaseException:  # raised by a signal handler, or in a greenlet that is killed
            if self._leave(key, turn):
                self.give(key)
            raise
        return handed or self._leave(key, turn)

    def _leave(self, key: Hashable, turn: threading.Lock) -> bool:
        """Stop waiting; return whether a place was handed over in the meantime."""
        with self:
            self._recover()
            queue = self.waiting.get(key, ())
            if turn not in queue:
                return True
            self._without(key, turn)
            return False

    def _recover(self) -> None:
        while self.lost:
            self._free(self.lost.popleft())

    def _hand_over(self) -> None:
        """Recover lost places. If another thread holds the lock, that thread recovers them after its release."""
        while self.lost and self._lock.acquire(blocking=False):
            try:
                self._recover()
            finally:
                self._lock.release()

    def _free(self, key: Hashable) -> None:
        queue = self.waiting.get(key)
        if queue:
            turn = queue[0]
            self._without(key, turn)
            turn.release()
        elif self.taken[key] == 1:
            del self.taken[key]
        else:
            self.taken[key] -= 1

    def _without(self, key: Hashable, turn: threading.Lock) -> None:
        queue = self.waiting[key]
        queue.remove(turn)
        if not queue:
            del self.waiting[key]


class Stay:
    """The place of one request, if it has one. It is given back once, by `end` or by the garbage collector."""

    __slots__ = ("held", "key", "outer", "places")

    def __init__(self, places: Places, outer: "Stay | None") -> None:
        self.places, self.outer = places, outer
        self.key: Hashable = None
        self.held = False

    def end(self) -> None:
        """Give the place back."""
        if self.held:
            self.held = False
            self.places.give(self.key)

    def __del__(self) -> None:
        if self.held:
            self.places.lose(self.key)


class ConcurrencyLimit(Middleware):
    """Limits the number of requests that run at a time, and answers all others with a 503 and a Retry-After.

    Protects a database, a memory-hungry report, or the threads of the server: a `limit` below their number keeps some
    free for all other requests. A request holds its place from the call of the application until its response is
    closed, streams included; a connection that the application takes over (WebSocket) gives it back when the
    application returns. Counts per process, across all applications that this value and its `named` and `when` copies
    wrap: four processes let four times as many requests run.

    Stands inside layers whose headers belong on every response, and inside layers that refuse at less cost:
    TrustedHosts, RateLimit, BodyLimit. Does nothing to a response.

    Options:
        limit: int. The number of requests that may run at a time, for each key. Required.
        wait: float in seconds. How long a request waits for a place before it is refused, in the order of arrival; at
            most `limit` others wait, each in a thread of the server. Default 0.0: not at all.
        retry_after: int in seconds. The Retry-After of a 503. Default 1.
        key: callable of environ -> hashable value or None, or None. Requests with the same value share a limit, and
            those with None are not limited. `middleware.by` has such callables. Default None: all requests share one
            limit.
        answer: WSGI application or None. Answers instead of the 503. Default None.

    Errors: ConfigError.
    Source: RFC 9110 10.2.3 and 15.6.4.
    """

    effects: ClassVar[Effects] = Effects(answers=True, costs=True)

    def __init__(
        self,
        app: Application | None = None,
        /,
        *,
        limit: int,
        wait: float = 0.0,
        retry_after: int = 1,
        key: Callable[[Environ], Hashable] | None = None,
        answer: Application | None = None,
    ) -> None:
        super().__init__(app)
        problems = Problems("ConcurrencyLimit")
        problems.check(type(limit) is int and limit > 0, "limit", "an int of 1 or more", limit)
        longest = threading.TIMEOUT_MAX
        seconds = type(wait) in (int, float) and 0 <= wait <= longest
        problems.check(seconds, "wait", f"seconds, 0 to {longest:.0f}", wait)
        problems.check(
            type(retry_after) is int and retry_after >= 0, "retry_after", "whole seconds, 0 or more", retry_after
        )
        problems.add_fault("key", key is not None and by.key_fault(key, "a callable of environ, or None"), key)
        problems.add_fault("answer", answer_fault(answer), answer)
        problems.done()
        self.limit, self.wait, self.retry_after, self.key, self.answer = limit, wait, retry_after, key, answer
        self._places = Places(limit)
        self._key = f"{KEY}.{next(_NUMBERS)}"
        headers = [("Retry-After", str(retry_after)), NO_STORE]
        self._refusal = refusal(answer, 503, "Too many requests at a time.", headers)

    def on_request(self, environ: Environ) -> Application | None:
        """Take a place, or refuse."""
        # Before the key is computed, which may raise: otherwise on_close would end the stay of an outer request.
        stay = environ[self._key] = Stay(self._places, environ.get(self._key))
        if self.key is not None:
            stay.key = self.key(environ)
            if stay.key is None:
                note(environ, "not limited: the key is None")
                return None
        stay.held = self._places.take(stay.key, self.wait)
        if stay.held:
            return None
        note(environ, f"refused: {self.limit} requests have a place")
        return self._refusal

    def on_close(self, environ: Environ, error: BaseException | None) -> None:  # noqa: ARG002 - however it ended
        """Give the place back."""
        stay: Stay | None = environ.get(self._key)
        if stay is not None:
            environ[self._key] = stay.outer
            stay.end()

    def describe(self) -> Iterable[tuple[str, str]]:
        """The number of requests that run at a time."""
        waiting = f" after {self.wait} seconds" if self.wait else ""
        of = " of one key" if self.key is not None else ""
        yield "request", f"answers with a 503{waiting} while {self.limit} others{of} are running"

"""Timing: how long the application took, in Server-Timing, and what became of every request (W3C Server Timing)."""

from __future__ import annotations

import logging
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from middleware.http.fields import TOKEN, name_fault, value_fault
from middleware.http.server_timing import duration_fault, metric, metric_fault
from middleware.wsgi.effects import Effects
from middleware.wsgi.errors import Problems
from middleware.wsgi.exchange import BYTES_SENT
from middleware.wsgi.middleware import Middleware

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from middleware.wsgi.pipeline import Layer
    from middleware.wsgi.response import Response
    from middleware.wsgi.types import Application, Environ, Predicate

KEY: Final = "middleware.timing"
_SAID: Final[tuple[()]] = ()
_NO_TOKEN: Final = re.compile(r"[^!#$%&'*+\-.^_`|~0-9A-Za-z]+")
logger = logging.getLogger("middleware")


@dataclass(frozen=True)
class Measurement:
    """One request, when it is over.

    Attributes:
        method, path: str. The path is SCRIPT_NAME and PATH_INFO as the server decoded them.
        status: str, "200 OK"; None if the application failed before there was one.
        seconds_to_headers: float, from the request to the head of the response; None without a head.
        seconds: float, from the request to the close of the body.
        bytes_sent: int, content that left the stack; None if the server sent a file by itself.
        error: the exception that ended it badly, or None.
    """

    method: str
    path: str
    status: str | None
    seconds_to_headers: float | None
    seconds: float
    bytes_sent: int | None
    error: BaseException | None


class Recorder:
    """`environ["middleware.timing"]`: where the application adds metrics of its own, until its headers are out."""

    __slots__ = ("claimed", "clock", "marks", "metrics", "outer", "seconds", "start", "status")

    clock: Callable[[], float]
    start: float
    # None: nothing more to say than the whole; (): that was said. Only where it is a list the rest is there.
    metrics: list[tuple[str, float, str | None]] | tuple[()] | None
    outer: Recorder | None  # of a Timing further out
    claimed: int | None  # the id of the response that it measures
    marks: dict[tuple[int, str], float]  # when the request, or the response, passed between which layers
    status: str | None
    seconds: float | None

    def add(self, name: str, seconds: float, description: str | None = None) -> None:
        """Add a metric. ValueError if the name is no token, or the time not finite or negative."""
        fault = metric_fault(name, description) or duration_fault(seconds)
        if fault is not None:
            raise ValueError(fault)
        self.more().append((name, seconds, description))

    def more(self) -> list[tuple[str, float, str | None]]:
        """Make room for what an ordinary request does without."""
        metrics = self.metrics
        if not isinstance(metrics, list):
            self.claimed = None if metrics is None else 0
            self.metrics, self.marks = [], {}
            self.outer = self.status = self.seconds = None
        return self.metrics

    @property
    def running(self) -> bool:
        """Whether its response is still to come."""
        return self.metrics is None or (isinstance(self.metrics, list) and self.claimed is None)

    @contextmanager
    def measure(self, name: str, description: str | None = None) -> Iterator[None]:
        """Add the time that the body of the `with` takes, also if it raises. ValueError as `add`."""
        if (fault := metric_fault(name, description)) is not None:
            raise ValueError(fault)
        start = self.clock()
        try:
            yield
        finally:
            self.add(name, max(self.clock() - start, 0.0), description)

    def own(self, response: int) -> Recorder | None:
        """The recorder of the Timing that looks at this response: further in, others may measure theirs."""
        recorder: Recorder | None = self
        while recorder is not None:
            recorder.more()
            if recorder.claimed in (None, response):
                recorder.claimed = response
                return recorder
            recorder = recorder.outer
        return None

    def layers(self, names: Sequence[str], now: float) -> Iterator[tuple[str, float, None]]:
        """The own time of every layer that the request met: what passed inside it does not count."""
        marks = {**self.marks, (0, "in"): self.start, (0, "out"): now}
        for index, name in enumerate(names):
            came, went = marks.get((index, "in")), marks.get((index, "out"))
            if came is None or went is None:
                return
            further, back = marks.get((index + 1, "in"), went), marks.get((index + 1, "out"), went)
            yield name, max(further - came + went - back, 0.0), None


class Timing(Middleware):
    """Measures the time from the request to the head of its response and says so in Server-Timing.

    Stands outermost: it sees what stands inside it. Does nothing to the body, and does not wait for it: what the body
    takes is told to `on_complete`. Lines of the application stay; the application adds metrics to the line with
    `environ["middleware.timing"]`, by `measure(name, description)` (a context manager) and
    `add(name, seconds, description)`.

    Options:
        metric: str, a token. The name of the whole. Default "total".
        description: str or None. Its `desc`. Default None.
        header: str, a field name. Default "Server-Timing".
        response_time_header: str or None. A field that gets the milliseconds alone, say "X-Response-Time". Default None.
        expose: bool, or predicate of the environ. Whether the header is sent. Default True.
        layers: bool. Also one metric for each layer of the stack from here inwards: its own time, without what lies
            inside it, named after the layer. Default False.
        precision: int, 0 to 9. Digits after the point, of milliseconds. Default 3.
        clock: callable -> float, seconds that never run backwards. Default time.perf_counter.
        on_complete: callable(Measurement) or None. Called once, when the body is closed. What it raises is logged.

    Errors: ConfigError. In the application, `add` and `measure` raise ValueError for a bad name or time.
    Source: W3C Server Timing. Other origins read it only with Timing-Allow-Origin; it tells everybody how long things
    take, so `expose` is for those who mind.
    """

    effects: ClassVar[Effects] = Effects(
        measures=True, every_response=True, sets=frozenset(["server-timing"]), provides=frozenset([KEY]), unique=True
    )

    def __init__(
        self,
        app: Application | None = None,
        /,
        *,
        metric: str = "total",
        description: str | None = None,
        header: str = "Server-Timing",
        response_time_header: str | None = None,
        expose: bool | Predicate = True,
        layers: bool = False,
        precision: int = 3,
        clock: Callable[[], float] = time.perf_counter,
        on_complete: Callable[[Measurement], object] | None = None,
    ) -> None:
        super().__init__(app)
        self.metric, self.description, self.header, self.expose = metric, description, header, expose
        self.response_time_header, self.layers, self.precision = response_time_header, layers, precision
        self.clock, self.on_complete = clock, on_complete
        self._check()
        self._elaborate = expose is not True or layers or bool(response_time_header or on_complete)
        self._template = _template(metric, description, precision)
        self._names: tuple[str, ...] = (_NO_TOKEN.sub("-", self.name),) if layers else ()

    def _check(self) -> None:
        problems = Problems("Timing")
        problems.check(isinstance(self.metric, str) and TOKEN.fullmatch(self.metric), "metric", "a token", self.metric)
        if self.description is not None and (fault := value_fault(self.description)):
            problems.add("description", fault, self.description)
        for option in ("header", "response_time_header"):
            name = getattr(self, option)
            if (option == "header" or name is not None) and (fault := name_fault(name)):
                problems.add(option, fault, name)
        problems.check(isinstance(self.expose, bool) or callable(self.expose), "expose", "a bool or a predicate", self.expose)
        problems.check(isinstance(self.layers, bool), "layers", "a bool", self.layers)
        whole = isinstance(self.precision, int) and not isinstance(self.precision, bool)
        problems.check(whole and 0 <= self.precision <= 9, "precision", "an int from 0 to 9", self.precision)
        problems.check(callable(self.clock), "clock", "a callable -> seconds", self.clock)
        if self.on_complete is not None:
            problems.check(callable(self.on_complete), "on_complete", "a callable or None", self.on_complete)
        problems.done()

    def on_request(self, environ: Environ) -> None:
        """Start the clock."""
        self._hooks()[0](environ)

    def _open(self, recorder: Recorder, outer: Recorder | None, environ: Environ) -> None:
        """Prepare for more than the whole, and for a Timing further out."""
        if outer is not None and not outer.running:  # left by an earlier request: an environ may be used again
            outer = None
        if self._elaborate or outer is not None:
            recorder.more()
            recorder.outer = outer
            key = f"{KEY}.{id(self)}"
            environ[key] = [*(other for other in environ.get(key, ()) if other.running), recorder]

    def on_response(self, environ: Environ, response: Response) -> None:
        """Add the header."""
        self._hooks()[1](environ, response)

    def _hooks(self) -> tuple[Callable[[Environ], None], Callable[[Environ, Response], None]]:
        """Both as closures: what they look at every time is at hand, which is a fifth of their time."""
        clock, elaborate, prepare, report = self.clock, self._elaborate, self._open, self._report
        header, folded, template = self.header, self.header.lower(), self._template

        def on_request(environ: Environ) -> None:
            recorder = Recorder()
            recorder.metrics = None
            recorder.clock = clock
            previous = environ.get(KEY)
            if elaborate or (previous is not None and previous.metrics is not _SAID):
                prepare(recorder, previous, environ)
            environ[KEY] = recorder
            recorder.start = clock()

        def on_response(environ: Environ, response: Response) -> None:
            recorder = environ.get(KEY)
            if recorder is None:
                return  # an error further out: the request never came here
            if recorder.metrics is not None:
                report(recorder, environ, response)
                return
            recorder.metrics = _SAID
            seconds = clock() - recorder.start
            response.lines.append((header, template % (seconds * 1000.0 if seconds > 0.0 else 0.0)))
            if response.folded:
                response.folded.add(folded)

        return on_request, on_response

    def _report(self, innermost: Recorder, environ: Environ, response: Response) -> None:
        """The same where there is more to say than the whole."""
        now = self.clock()
        recorder = innermost.own(id(response))
        if recorder is None:
            return
        recorder.seconds, recorder.status = max(now - recorder.start, 0.0), response.status
        if self.expose(environ) if callable(self.expose) else self.expose:
            metrics = [(self.metric, recorder.seconds, self.description), *recorder.more()]
            metrics += recorder.layers(self._names, now)
            response.headers.add(self.header, ", ".join(metric(*each, self.precision) for each in metrics))
        if self.response_time_header is not None:
            response.headers[self.response_time_header] = f"{recorder.seconds * 1000.0:.{self.precision}f}"

    def on_close(self, environ: Environ, error: BaseException | None) -> None:
        """Report the request, now that it is over."""
        recorders: list[Recorder] | None = environ.get(f"{KEY}.{id(self)}")
        if self.on_complete is None or not recorders:
            return
        recorder = recorders.pop()
        measurement = Measurement(
            environ.get("REQUEST_METHOD", ""),
            environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""),
            recorder.status,
            recorder.seconds,
            max(self.clock() - recorder.start, 0.0),
            environ.get(BYTES_SENT),
            error,
        )
        try:
            self.on_complete(measurement)
        except Exception:
            logger.exception("%s: on_complete failed", self.name)

    def layer(self) -> Layer:
        """Without on_complete nobody watches the body."""
        layer = super().layer()
        if type(self) is Timing:
            on_request, on_response = self._hooks()
            layer = layer._replace(on_request=on_request, on_response=on_response)
        return layer if self.on_complete is not None else layer._replace(on_close=None)

    def on_build(self, layers: Sequence[Middleware]) -> Sequence[Middleware]:
        """With `layers`, put a probe on each side of every layer."""
        if not self.layers:
            return layers
        names = tuple(_NO_TOKEN.sub("-", layer.name) for layer in layers)
        timing = self._changed(_names=names)
        probed: list[Middleware] = [timing]
        for index, layer in enumerate(layers[1:], 1):
            probed += [_Probe(f"{KEY}.{id(timing)}", index, self.clock), layer]
        return [*probed, _Probe(f"{KEY}.{id(timing)}", len(layers), self.clock)]


class _Probe(Middleware):
    """Stands between two layers and notes when the request and the response pass."""

    def __init__(self, key: str, index: int, clock: Callable[[], float]) -> None:
        super().__init__()
        self.key, self.index, self.clock = key, index, clock

    def on_request(self, environ: Environ) -> None:
        """Note the request."""
        self._note(environ, "in")

    def on_response(self, environ: Environ, response: Response) -> None:  # noqa: ARG002 - all it needs is the moment
        """Note the response."""
        self._note(environ, "out")

    def _note(self, environ: Environ, way: str) -> None:
        recorders: list[Recorder] | None = environ.get(self.key)
        if recorders:  # none: the Timing has a condition that does not hold
            recorders[-1].marks[self.index, way] = self.clock()


def _template(name: str, description: str | None, precision: int) -> str:
    """The metric of the whole, ready for its one number."""
    text = metric(name, 0.0, description, 0).removesuffix("0")
    return text.replace("%", "%%") + f"%.{precision}f"

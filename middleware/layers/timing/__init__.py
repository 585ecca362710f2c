"""Timing: how long the application took, in Server-Timing, and what became of every request (W3C Server Timing)."""

from __future__ import annotations

import logging
import re
import time
from itertools import count
from typing import TYPE_CHECKING, ClassVar, Final

from middleware.http.fields import is_token, name_fault, value_fault
from middleware.layers.timing.metrics import MetricLines, metric
from middleware.layers.timing.recorder import SAID, Recorder, Running, recorders, running
from middleware.wsgi.conditions import certain, varying
from middleware.wsgi.effects import Effects
from middleware.wsgi.identity import log_extra
from middleware.wsgi.layer import Middleware
from middleware.wsgi.measurement import Measurement
from middleware.wsgi.options import Problems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from middleware.wsgi.plan import Layer
    from middleware.wsgi.response import Response
    from middleware.wsgi.types import Application, Environ, Predicate

KEY: Final = "middleware.timing"
_NEVER_BACKWARDS: Final = (time.perf_counter, time.monotonic)  # every other clock is watched
_NO_TOKEN: Final = re.compile(r"[^!#$%&'*+\-.^_`|~0-9A-Za-z]+")
logger = logging.getLogger("middleware")


class Timing(Middleware):
    """Measures the time from the request to the head of its response, and says so in Server-Timing.

    Stands outermost: it sees what stands inside it. Does nothing to the body, and does not wait for it: what the body
    takes is told to `on_complete`. Lines of the application stay; the application adds metrics to the line with
    `environ["middleware.timing"]`, by `measure(name, description)` (a context manager) and
    `add(name, seconds, description)`. The header tells everybody how long things take, so `expose` is for those who
    mind; pages of other origins read it only with Timing-Allow-Origin.

    Options:
        metric: str, a token. The name of the whole. Default "total".
        description: str or None. Its `desc`. Default None.
        header: str, a field name. Where it is said. Default "Server-Timing".
        response_time_header: str, a field name, or None. A field for the milliseconds alone, say "X-Response-Time".
            Default None.
        expose: bool, or predicate of the environ. Whether the header is sent; a predicate has to hold certainly, and
            its request fields are named in Vary. Default True.
        layers: bool. Also one metric for each layer of the stack from here inwards: its own time, without what lies
            inside it, named after the layer. Default False.
        precision: int, 0 to 9. Digits after the point, of milliseconds. Default 3.
        clock: callable -> float, seconds. What it measures by; it must never run backwards. Default
            time.perf_counter.
        on_complete: callable(Measurement) or None. Called once, when the body is closed. What it raises is logged.
            Default None.

    Errors: ConfigError. In the application, `add` and `measure` raise ValueError for a bad name or time.
    Source: W3C Server Timing.
    """

    effects: ClassVar[Effects] = Effects(
        measures=True, every_response=True, sets={"server-timing"}, provides={KEY}, unique=True
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
        plain = expose is True and clock in _NEVER_BACKWARDS
        self._elaborate = not plain or layers or bool(response_time_header or on_complete)
        self._lines = MetricLines(header, metric, description, precision)
        self._names: tuple[str, ...] = (_NO_TOKEN.sub("-", self.name),) if layers else ()

    def _check(self) -> None:
        problems = Problems("Timing")
        problems.check(is_token(self.metric), "metric", "a token (Server Timing, metric-name)", self.metric)
        problems.add_fault(
            "description", self.description is not None and value_fault(self.description), self.description
        )
        problems.add_fault("header", name_fault(self.header), self.header)
        named = self.response_time_header
        problems.add_fault("response_time_header", named is not None and name_fault(named), named)
        whole = type(self.precision) is int
        problems.check(whole and 0 <= self.precision <= 9, "precision", "an int from 0 to 9", self.precision)
        shown = callable(self.expose) or isinstance(self.expose, bool)
        problems.check(shown, "expose", "a bool or a predicate", self.expose)
        problems.check(isinstance(self.layers, bool), "layers", "a bool", self.layers)
        problems.check(callable(self.clock), "clock", "a callable -> seconds", self.clock)
        watched = self.on_complete
        problems.check(watched is None or callable(watched), "on_complete", "a callable or None", watched)
        problems.done()

    def on_request(self, environ: Environ) -> None:
        """Start the clock."""
        self._hooks()[0](environ)

    def _open(self, recorder: Recorder, outer: Recorder | None, environ: Environ) -> None:
        """Prepare for more than the whole, and for a Timing further out."""
        outers = running([outer])  # none, if it was left by an earlier request: an environ may be used again
        if self._elaborate or outers:
            recorder.more()
            recorder.outer = next(iter(outers), None)
            if self.on_complete is not None:
                recorder.measurement = Measurement(environ)
            key = f"{KEY}.{id(self)}"
            before: Running | None = environ.get(key)
            environ[key] = Running([*running(before.recorders if before is not None else ()), recorder])

    def on_response(self, environ: Environ, response: Response) -> None:
        """Add the header."""
        self._hooks()[1](environ, response)

    def _hooks(self) -> tuple[Callable[[Environ], None], Callable[[Environ, Response], None]]:
        """Both as closures: what they look at every time is at hand, which is a fifth of their time."""
        clock, elaborate, prepare, report = self.clock, self._elaborate, self._open, self._report
        lines, ticks = self._lines, self._lines.ticks
        make, key, said = recorders(clock), KEY, SAID

        def on_request(environ: Environ) -> None:
            recorder = make()
            recorder.metrics = None
            if elaborate or key in environ:
                prepare(recorder, environ.get(key), environ)
            environ[key] = recorder
            recorder.start = clock()

        def on_response(environ: Environ, response: Response) -> None:
            try:
                recorder = environ[key]
            except KeyError:
                return  # an error further out: the request never came here
            if recorder.metrics is not None:
                report(recorder, environ, response)
                return
            recorder.metrics = said
            response.lines.append(lines[int((clock() - recorder.start) * ticks + 0.5)])
            response.folded = False  # rarely anybody stands further out

        return on_request, on_response

    def _report(self, innermost: Recorder, environ: Environ, response: Response) -> None:
        """The same where there is more to say than the whole."""
        now = self.clock()
        recorder = innermost.own((id(self), id(response)))
        if recorder is None:
            return
        recorder.seconds, recorder.status = max(now - recorder.start, 0.0), response.status
        if certain(self.expose)(environ) if callable(self.expose) else self.expose:
            metrics = [(self.metric, recorder.seconds, self.description), *recorder.more()]
            metrics += recorder.layers(self._names, now)
            response.headers.add(self.header, ", ".join(metric(*each, self.precision) for each in metrics))
        if self.response_time_header is not None:
            response.headers[self.response_time_header] = f"{recorder.seconds * 1000.0:.{self.precision}f}"

    def on_close(self, environ: Environ, error: BaseException | None) -> None:
        """Report the request, now that it is over."""
        if self.on_complete is None:
            return
        recorder: Recorder = environ[f"{KEY}.{id(self)}"].recorders.pop()
        measurement = recorder.measurement
        measurement.status, measurement.seconds_to_headers = recorder.status, recorder.seconds
        measurement.end(environ, max(self.clock() - recorder.start, 0.0), error)
        try:
            self.on_complete(measurement)
        except Exception:
            logger.exception("%s: on_complete failed", self.name, extra=log_extra(environ, self.name))

    def describe(self) -> Iterable[tuple[str, str]]:
        """What it does when."""
        yield "request", "starts the clock; the application may add metrics"
        own = " (with each layer's own time)" if self.layers else ""
        fields = [self.header + own] if self.expose else []
        fields += [self.response_time_header] if self.response_time_header else []
        yield "response", f"adds {', '.join(fields) or 'nothing'}: the time from the request to here"
        if self.on_complete is not None:
            yield "close", f"reports the request to {getattr(self.on_complete, '__qualname__', self.on_complete)}"

    def layer(self) -> Layer:
        """Without on_complete nobody watches the body."""
        layer = super().layer()
        if type(self) is Timing:
            on_request, on_response = self._hooks()
            layer = layer._replace(on_request=on_request, on_response=on_response)
        layer = layer._replace(vary=(*layer.vary, *varying(self.expose)))
        return layer if self.on_complete is not None else layer._replace(on_close=None)

    def on_build(self, layers: Sequence[Middleware]) -> Sequence[Middleware]:
        """With `layers`, put a probe on each side of every layer."""
        if not self.layers:
            return layers
        names = [layer.name for layer in layers if not isinstance(layer, _Probe)]  # those of another Timing
        timing = self._changed(_names=tuple(_NO_TOKEN.sub("-", name) for name in names))
        return [timing, *_probed(layers[1:], f"{KEY}.{id(timing)}", self.clock)]


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
        running: Running | None = environ.get(self.key)
        if running is not None and running.recorders:  # none: the Timing has a condition that does not hold
            running.recorders[-1].marks[self.index, way] = self.clock()


def _probed(layers: Sequence[Middleware], key: str, clock: Callable[[], float]) -> Iterable[Middleware]:
    """The layers, with a probe outside each and one inside the last."""
    places = count(1)
    for layer in layers:
        if not isinstance(layer, _Probe):
            yield _Probe(key, next(places), clock)
        yield layer
    yield _Probe(key, next(places), clock)

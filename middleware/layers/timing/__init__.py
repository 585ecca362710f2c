"""Timing: measures every request, for Server-Timing and for a callback (W3C Server Timing)."""

import logging
import re
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import count
from typing import ClassVar, Final

from middleware.http.fields import Line, is_token, option_name_fault, plain, value_fault
from middleware.layers.timing.recorder import SAID, Recorder, Running, recorders, running
from middleware.layers.timing.server_timing import MetricLines, metric
from middleware.wsgi.answer import note
from middleware.wsgi.conditions import certain, varying
from middleware.wsgi.effects import Effects
from middleware.wsgi.identity import log_extra
from middleware.wsgi.layer import Middleware
from middleware.wsgi.measurement import Measurement
from middleware.wsgi.options import Problems
from middleware.wsgi.pipeline import pipeline
from middleware.wsgi.plan import Layer, Made
from middleware.wsgi.refused import called_fault, can_be_called, predicate_fault
from middleware.wsgi.response import Response
from middleware.wsgi.types import Application, Environ, Predicate

KEY: Final = "middleware.timing"
# The clocks that never run backwards, with those that count nanoseconds; times of other clocks are checked.
_STEADY: Final = {time.perf_counter: time.perf_counter_ns, time.monotonic: time.monotonic_ns}
_NO_TOKEN: Final = re.compile(r"[^!#$%&'*+\-.^_`|~0-9A-Za-z]+")
logger = logging.getLogger("middleware")


class Timing(Middleware):
    """Measures the time from the request to the head of its response, and sends it in Server-Timing.

    Stands outermost, and measures every layer inside it. Does nothing to the body and does not wait for it; the time
    of the body is passed to `on_complete`. Server-Timing lines of the application stay. The application adds metrics by
    `environ["middleware.timing"]`, with `measure(name, description)` (a context manager) and
    `add(name, seconds, description)`. By default every client can read the times; `expose` restricts that. Pages of
    other origins can read them only with Timing-Allow-Origin.

    Options:
        metric: str, a token. The name of the metric for the whole time. Default "total".
        description: str or None. The `desc` parameter of that metric. Default None.
        header: str, a field name. The header that has the metrics. Default "Server-Timing".
        response_time_header: str, a field name, or None. A header that has only the milliseconds, such as
            "X-Response-Time". Default None.
        expose: bool, or predicate of the environ. Whether the header is sent; a predicate must hold certainly, and the
            request headers that it reads are added to Vary. Default True.
        layers: bool. Adds one metric for each layer inside this one, named after the layer: its own time, without the
            layers inside it. Default False.
        precision: int, 0 to 9. Decimal places of the milliseconds. Default 3.
        clock: callable -> float, seconds. The clock, which must never run backwards. Default time.perf_counter.
        on_complete: callable(Measurement) or None. Called once, when the body is closed. Exceptions are logged. Default
            None.

    Errors: ConfigError. In the application, `add` and `measure` raise ValueError for an invalid name or time.
    Source: W3C Server Timing.
    """

    effects: ClassVar[Effects] = Effects(
        measures=True, every_response=True, sets={"server-timing"}, provides={KEY}, unique=True
    )

    _hooks: Made
    _key: str
    _kind: type[Recorder]
    _names: tuple[str, ...]

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
        texts = map(plain, (metric, description, header, response_time_header))
        self.metric, self.description, self.header, self.response_time_header = texts
        self.expose, self.layers, self.precision = expose, layers, precision
        self.clock, self.on_complete = clock, on_complete
        self._check()
        ordinary = expose is True and clock in _STEADY and precision <= 6
        self._elaborate = not ordinary or layers or response_time_header is not None or on_complete is not None
        self._lines = MetricLines(self.header, self.metric, self.description, precision)

    def _bind(self) -> None:
        kind = recorders(self.clock)
        alone = (_NO_TOKEN.sub("-", self.name),) if self.layers else ()
        # each copy has its own
        self.__dict__.update(_kind=kind, _hooks=self._compiled(kind), _key=f"{KEY}.{id(self)}", _names=alone)
        super()._bind()
        if self.layers and self.app is not None:  # the probe around the application
            self.__dict__["_run"] = pipeline(self.app, [self.layer(), _Probe(self._key, self.clock, 1).layer()])

    def _check(self) -> None:
        problems = Problems("Timing")
        problems.check(is_token(self.metric), "metric", "a token (Server Timing, metric-name)", self.metric)
        names = ("header", option_name_fault), ("response_time_header", option_name_fault)
        for option, fault in ("description", value_fault), *names:
            value = getattr(self, option)
            left_out = value is None and option != "header"
            problems.add_fault(option, not left_out and fault(value), value)
        apart = str(self.header).lower() != str(self.response_time_header).lower() or self.response_time_header is None
        problems.check(apart, "response_time_header", "another field than header", self.response_time_header)
        shown = not isinstance(self.expose, bool) and predicate_fault(self.expose, "a bool or a predicate")
        problems.add_fault("expose", shown, self.expose)
        problems.boolean("layers", self.layers)
        problems.integer("precision", self.precision, 0, 9)
        rule = "a callable() -> seconds (no coroutine function)"
        problems.check(can_be_called(self.clock, 0), "clock", rule, self.clock)
        rule = "a callable(Measurement) or None"
        told = self.on_complete is not None and called_fault(self.on_complete, rule, "is never awaited")
        problems.add_fault("on_complete", told, self.on_complete)
        problems.done()

    def on_request(self, environ: Environ) -> None:
        """Start the clock."""
        self._hooks.open(environ)

    def on_response(self, environ: Environ, response: Response) -> None:
        """Add the header."""
        mine: Running | None = environ.get(self._key) if self._elaborate else None
        recorder: Recorder | None = mine.recorders[-1] if mine is not None and mine.recorders else environ.get(KEY)
        if recorder is None:
            return  # an outer layer failed before this one ran
        line = self._hooks.line(recorder) if type(recorder) is self._kind else None  # otherwise of an outer Timing
        if line is None:
            self._report(recorder, environ, response)
        else:
            response.headers.append(line)

    def _compiled(self, make: type[Recorder]) -> Made:
        """The functions for a request and an ordinary response, with everything that they read as local variables."""
        prepare, elaborate, known = self._open, self._elaborate, self._lines
        nanoseconds = _STEADY.get(self.clock, time.perf_counter_ns)
        unit = 10 ** max(6 - self.precision, 0)
        half = unit // 2
        lines: dict[int, Line] = {}

        def open_(environ: Environ) -> Recorder:
            recorder = make()
            recorder.metrics = None
            if elaborate or KEY in environ:
                prepare(recorder, environ.get(KEY), environ)
            recorder.ns = nanoseconds()
            environ[KEY] = recorder
            return recorder

        def line(recorder: Recorder) -> Line | None:
            if recorder.metrics is not None:
                return None
            recorder.metrics = SAID
            ticks = (nanoseconds() - recorder.ns + half) // unit
            try:
                return lines[ticks]
            except KeyError:
                return known.kept(ticks, lines)

        def put(environ: Environ, recorder: Recorder) -> None:  # used if the application has cleared environ
            environ[KEY] = recorder

        return Made(open_, line, put)

    def _open(self, recorder: Recorder, outer: Recorder | None, environ: Environ) -> None:
        """Prepare the recorder for several metrics, and for an outer Timing."""
        outers = running([outer])  # empty if the recorder is that of an earlier request with this environ
        if self._elaborate or outers:
            recorder.more()
            recorder.outer = next(iter(outers), None)
            recorder.exposed = self.expose is True
            if self.on_complete is not None:
                recorder.measurement = Measurement(environ)
            before: Running | None = environ.get(self._key)
            environ[self._key] = Running([*running(before.recorders if before is not None else ()), recorder])
            recorder.start = self.clock()
            if callable(self.expose):  # may raise, and that error is measured too
                environ[KEY] = recorder
                recorder.exposed = certain(self.expose)(environ)

    def _report(self, innermost: Recorder, environ: Environ, response: Response) -> None:
        """Add every metric. This is the general path; `line` is the fast path."""
        now = self.clock()
        recorder = innermost.own(self._kind, response)
        if recorder is None:
            return
        recorder.seconds, recorder.status = max(now - recorder.start, 0.0), response.status
        if recorder.exposed:
            metrics = [(self.metric, recorder.seconds, self.description), *recorder.more()]
            metrics += recorder.layers(self._names, now)
            response.headers.add(self.header, ", ".join(metric(*each, self.precision) for each in metrics))
        else:
            why = "its condition does not hold" if callable(self.expose) else "it is False"
            note(environ, "no {}, by expose: {}", self.header, why)
        if self.response_time_header is not None:
            response.headers[self.response_time_header] = f"{recorder.seconds * 1000.0:.{self.precision}f}"

    def on_close(self, environ: Environ, error: BaseException | None) -> None:
        """Call on_complete with the measurement."""
        if self.on_complete is None:
            return
        recorder: Recorder = environ[self._key].recorders.pop()
        measurement = recorder.measurement
        del recorder.measurement  # break the reference cycle: the error in it leads to environ
        measurement.status, measurement.seconds_to_headers = recorder.status, recorder.seconds
        measurement.end(environ, max(self.clock() - recorder.start, 0.0), error)
        try:
            self.on_complete(measurement)
        except Exception:
            logger.exception("%s: on_complete failed", self.name, extra=log_extra(environ, self.name))

    def describe(self) -> Iterable[tuple[str, str]]:
        """The steps of the layer."""
        yield "request", "starts the clock; the application may add metrics"
        own = " (with each layer's own time)" if self.layers else ""
        fields = [self.header + own] if self.expose is not False else []
        fields += [self.response_time_header] if self.response_time_header else []
        yield "response", f"adds {', '.join(fields) or 'nothing'}: the time from the request to here"
        if self.on_complete is not None:
            yield "close", f"reports the request to {getattr(self.on_complete, '__qualname__', self.on_complete)}"

    def layer(self) -> Layer:
        """The hooks. Without on_complete, the end of the body is not watched."""
        layer = super().layer()
        layer = layer._replace(vary=(*layer.vary, *varying(self.expose)))
        if type(self) is Timing:
            silent = self.expose is False and self.response_time_header is None
            layer = layer._replace(made=self._hooks, vary=() if silent else layer.vary)
        own = type(self).on_close is not Timing.on_close
        return layer if self.on_complete is not None or own else layer._replace(on_close=None)

    def on_build(self, layers: Sequence[Middleware]) -> Sequence[Middleware]:
        """With `layers`, insert a probe on each side of every layer."""
        if not self.layers:
            return layers
        names = [layer.name for layer in layers if not isinstance(layer, _Probe)]  # probes of another Timing
        timing = self._changed()
        timing.__dict__["_names"] = tuple(_NO_TOKEN.sub("-", name) for name in names)
        places, probed = count(1), list[Middleware]([timing])
        make_probe = partial(_Probe, timing._key, self.clock)  # noqa: SLF001 - of a copy
        for layer in layers[1:]:
            probed += [layer] if isinstance(layer, _Probe) else [make_probe(next(places)), layer]
        return [*probed, make_probe(next(places))]


class _Probe(Middleware):
    """Stands between two layers and records when the request and the response pass."""

    def __init__(self, key: str, clock: Callable[[], float], index: int) -> None:
        super().__init__()
        self.key, self.index, self.clock = key, index, clock

    def on_request(self, environ: Environ) -> None:
        """Record the time of the request."""
        self._note(environ, "in")

    def on_response(self, environ: Environ, response: Response) -> None:  # noqa: ARG002 - only the time matters
        """Record the time of the response."""
        self._note(environ, "out")

    def _note(self, environ: Environ, way: str) -> None:
        running: Running | None = environ.get(self.key)
        if running is not None and running.recorders:  # empty if the condition of Timing does not hold
            running.recorders[-1].marks[self.index, way] = self.clock()

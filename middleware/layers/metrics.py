"""Metrics: durations, sizes and requests in flight, counted for Prometheus."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import pairwise
from math import inf, isfinite
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple
from weakref import WeakKeyDictionary

from middleware.wsgi.effects import Effects
from middleware.wsgi.identity import log_extra
from middleware.wsgi.measurement import Followed, Following, counted_method
from middleware.wsgi.options import ConfigError, Problems
from middleware.wsgi.plan import Layer
from middleware.wsgi.refused import called_fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import ModuleType

    from prometheus_client import CollectorRegistry, Gauge, Histogram

    from middleware.wsgi.types import Application, Environ, Predicate

# Semantic conventions for HTTP metrics, http.server.request.duration.
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_BYTES: Final = tuple(float(4**power) for power in range(3, 14))  # 64 bytes to 64 MiB
_LABELS: Final = ("http_request_method", "http_response_status_code", "http_route")
_logger = logging.getLogger("middleware")


class Metrics(Following):
    """Counts every request for Prometheus, under OpenTelemetry's metric names.

    `http_server_request_duration_seconds`, to the end of the body, and `http_server_response_body_size_bytes` are
    histograms with the labels http_request_method, http_response_status_code and http_route;
    `http_server_active_requests`, with the method, is a gauge. An unregistered method is `_OTHER`. The status is empty
    if no response was started. A body that the server sent by itself counts with its Content-Length.

    Stands outermost, beside `AccessLog`. Does nothing to the response, and serves nothing unless `path` says so: mount
    `Metrics.exposition()`, or put a guard around it. Several Metrics with one registry share their series. For several
    processes, prometheus_client has a multiprocess mode.

    Options:
        registry: CollectorRegistry of prometheus_client, or None. None is its REGISTRY. Default None.
        path: str, or None. The path at which the metrics are served, to everyone; these requests are not counted.
            Default None.
        route: callable(environ) -> str, or None. The label http_route, evaluated when the request is over, so that a
            framework may have put its route into environ. Each value is a series: return few. Default None, the label
            is empty.
        buckets: iterable of finite floats, in increasing order. The upper bounds of the durations, in seconds; a final
            infinity is accepted, and is implied otherwise. Default: those of OpenTelemetry, 0.005 to 10.

    Errors: ConfigError, also without prometheus_client. An exception raised by `route` is logged, and the label is
        empty.
    Source: OpenTelemetry semantic conventions for HTTP metrics; Prometheus, Metric and label naming.
    """

    effects: ClassVar[Effects] = Effects(observes=True, measures=True, requires={"REMOTE_ADDR"}, unique=True)

    def __init__(
        self,
        app: Application | None = None,
        /,
        *,
        registry: CollectorRegistry | None = None,
        path: str | None = None,
        route: Callable[[Environ], str | None] | None = None,
        buckets: Iterable[float] = _SECONDS,
    ) -> None:
        super().__init__(app)
        client = _prometheus()
        problems = Problems("Metrics")
        known = registry is None or isinstance(registry, client.CollectorRegistry)
        problems.check(known, "registry", "a prometheus_client.CollectorRegistry or None", registry)
        problems.check(
            path is None or (isinstance(path, str) and path.startswith("/")), "path", "begins with /, or None", path
        )
        rule = "a callable(environ) -> str, or None"
        problems.add_fault("route", route is not None and called_fault(route, rule, "is no label"), route)
        self.registry, self.path, self.route = registry, path, route
        self.buckets: tuple[float, ...] = problems.read("buckets", buckets, _bounds, ())
        problems.done()
        self._series = _series(client, client.REGISTRY if registry is None else registry, self.buckets)
        self._page = self.exposition(registry) if path is not None else None

    @staticmethod
    def exposition(registry: CollectorRegistry | None = None) -> Application:
        """Return a WSGI application that serves the metrics of a registry; None is prometheus_client.REGISTRY.

        Every client that can reach the application can read the metrics: mount it where only Prometheus can, or guard
        it.
        """
        client = _prometheus()
        page: Application = client.make_wsgi_app(client.REGISTRY if registry is None else registry)
        return page

    def declared(self) -> Effects:
        """The effects of the class. With a path, the layer answers there."""
        return self.effects if self.path is None else replace(self.effects, answers=True, own_page=True)

    def on_request(self, environ: Environ) -> Application | None:
        """Count the request as active, or serve the metrics."""
        if self._page is not None and self._is_page(None, environ):
            self._follow(environ, _Request(environ, None))
            return self._page
        active = self._series.active.labels(counted_method(environ.get("REQUEST_METHOD", "")))
        active.inc()
        self._follow(environ, _Request(environ, active))
        return None

    def _is_page(self, varies: Predicate | None, environ: Environ) -> bool:
        """Whether a request is for the metrics page, and its URL and method do not decide alone."""
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        return path == self.path and (varies is None or varies(environ))

    def layer(self) -> Layer:
        """The hooks. Vary names the request fields of the condition at the metrics page, which alone depends on it."""
        layer = super().layer()
        if type(self) is not Metrics:
            return layer
        asked = layer.vary if self.path is not None else ()
        return layer._replace(vary=tuple(it._replace(condition=partial(self._is_page, it.condition)) for it in asked))

    def on_close(self, environ: Environ, error: BaseException | None) -> None:
        """Record the duration and the size, and count the request as no longer active."""
        request = self._followed(environ)
        if not isinstance(request, _Request) or request.active is None:
            return
        request.active.dec()
        request.over(environ, error)
        request.error = None  # break the traceback reference cycle
        labels = counted_method(request.method), str(request.status_code or ""), self._routed(environ)
        self._series.duration.labels(*labels).observe(request.seconds)
        if request.bytes_sent is not None:
            self._series.size.labels(*labels).observe(request.bytes_sent)

    def _routed(self, environ: Environ) -> str:
        if self.route is None:
            return ""
        try:
            return str(self.route(environ) or "")
        except Exception:
            with suppress(Exception):
                _logger.exception("%s: route failed", self.name, extra=log_extra(environ, self.name))
            return ""

    def describe(self) -> Iterable[tuple[str, str]]:
        """The measurements, and the path that serves them."""
        yield "request", "counts it as active" + (f"; serves the metrics at {self.path}" if self.path else "")
        yield "close", "counts its duration and size"


class _Request(Followed):
    """A request that is counted, or one for the metrics page, whose `active` is None."""

    __slots__ = ("active",)

    def __init__(self, environ: Environ, active: Gauge | None) -> None:
        super().__init__(environ)
        self.active = active


class _Series(NamedTuple):
    """The series of one registry."""

    active: Gauge
    duration: Histogram
    size: Histogram
    buckets: tuple[float, ...]


_made: Final[WeakKeyDictionary[CollectorRegistry, _Series]] = WeakKeyDictionary()
_making: Final = Lock()


def _prometheus() -> ModuleType:
    try:
        import prometheus_client
    except ImportError:
        rule = 'prometheus_client is not installed: pip install "wsgi-middleware-stack[metrics]"'
        raise ConfigError(f"Metrics: {rule}") from None
    return prometheus_client


def _bounds(given: Iterable[float]) -> tuple[float, ...]:
    """Return the bounds without a final infinity. ValueError unless they are finite and increasing."""
    try:
        found = tuple(map(float, given))
    except (TypeError, ValueError, OverflowError):
        found = ()
    finite = found[:-1] if found[-1:] == (inf,) else found
    if not finite or not all(map(isfinite, finite)) or any(one >= other for one, other in pairwise(finite)):
        raise ValueError("finite numbers of seconds, at least one, each greater than the one before")
    return finite


def _series(client: ModuleType, registry: CollectorRegistry, buckets: tuple[float, ...]) -> _Series:
    """Return the series of a registry, created once. ConfigError for other buckets, or other metrics of these names."""
    active = "http_server_active_requests", "Requests that are not over yet."
    duration = "http_server_request_duration_seconds", "Seconds from a request to the end of its response."
    size = "http_server_response_body_size_bytes", "Bytes of content that were handed to the server."
    made: list[Any] = []
    with _making:
        series = _made.get(registry)
        try:
            if series is None:
                made.append(client.Gauge(*active, _LABELS[:1], registry=registry, multiprocess_mode="livesum"))
                made.append(client.Histogram(*duration, _LABELS, registry=registry, buckets=buckets))
                made.append(client.Histogram(*size, _LABELS, registry=registry, buckets=_BYTES))
                series = _Series._make((*made, buckets))
        except ValueError as error:
            for each in made:
                registry.unregister(each)
            raise ConfigError(f"Metrics: registry: it has no metrics of these names yet; {error}") from None
        _made[registry] = series
    if series.buckets != buckets:
        rule = f"one registry has one set of buckets, here {series.buckets!r}"
        raise ConfigError(f"Metrics: buckets: {rule}; got {buckets!r}")
    return series

"""Metrics: one count for each request, with the truth about it, by names that do not change."""

from __future__ import annotations

import logging
import subprocess
import sys
from types import SimpleNamespace

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, Counter
from prometheus_client.parser import text_string_to_metric_families

from gateway import serve
from layers_under_test import LAYERS, request, stack
from middleware import AccessLog, ConfigError, Headers, Metrics, Middleware, SecurityHeaders, Stack, match
from middleware.testing.shapes import SHAPES
from shapes import TEXT, coroutine, returning

HELLO = returning([b"hello"], headers=TEXT)[0]
DURATION = "http_server_request_duration_seconds"
SIZE = "http_server_response_body_size_bytes"


@pytest.fixture
def registry():
    return CollectorRegistry()


def counts(registry, name=DURATION):
    """(method, status, route) -> how many."""
    return {
        (s.labels["http_request_method"], s.labels["http_response_status_code"], s.labels["http_route"]): s.value
        for metric in registry.collect()
        for s in metric.samples
        if s.name == f"{name}_count"
    }


def active(registry):
    return {
        sample.labels["http_request_method"]: sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name == "http_server_active_requests"
    }


def test_a_request_is_counted_with_its_method_and_status(registry):
    serve(Metrics(HELLO, registry=registry))
    serve(Metrics(returning([b""], "404 Not Found", TEXT)[0], registry=registry), method="POST")
    assert counts(registry) == counts(registry, SIZE) == {("GET", "200", ""): 1, ("POST", "404", ""): 1}
    assert registry.get_sample_value(f"{SIZE}_sum", labels("GET", "200")) == 5


def test_durations_are_in_seconds_to_the_end_of_the_body(registry, monkeypatch):
    now = iter([10, 10.25, 11.5])
    monkeypatch.setattr("middleware.wsgi.measurement.time", SimpleNamespace(perf_counter=lambda: next(now)))
    serve(Metrics(HELLO, registry=registry))
    assert registry.get_sample_value(f"{DURATION}_sum", labels("GET", "200")) == 1.5


def labels(method, status, route=""):
    return {"http_request_method": method, "http_response_status_code": status, "http_route": route}


@pytest.mark.parametrize(
    ("method", "counted"), [("GET", "GET"), ("QUERY", "QUERY"), ("get", "_OTHER"), ("BREW", "_OTHER"), ("", "_OTHER")]
)
def test_a_method_that_is_not_known_is_other(registry, method, counted):
    serve(Metrics(HELLO, registry=registry), method=method, lint=False)
    assert [*counts(registry)] == [(counted, "200", "")]
    assert active(registry) == {counted: 0}


def test_a_request_is_active_until_its_response_is_closed(registry):
    seen = []

    def app(environ, start_response):
        seen.append(active(registry))
        start_response("200 OK", TEXT)
        yield b"x"
        seen.append(active(registry))

    serve(Metrics(app, registry=registry))
    assert (seen, active(registry)) == ([{"GET": 1}, {"GET": 1}], {"GET": 0})


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
@pytest.mark.parametrize("on_error", ["respond", "raise"])
@pytest.mark.parametrize("stop_after", [None, 1])
def test_every_shape_of_application_counts_once_and_none_stays_active(registry, shape, on_error, stop_after):
    app, _ = shape.make()
    logging.getLogger("middleware").disabled = True
    try:
        wrapped = Stack(Metrics(registry=registry), Headers()).wrap(app, on_error=on_error)
        answer = serve(wrapped, method=shape.method, stop_after=stop_after, lint=False)
    finally:
        logging.getLogger("middleware").disabled = False
    [((method, status, _), count)] = counts(registry).items()
    assert (method, count) == (shape.method, 1)
    assert not answer.heads or status == answer.status[:3]
    assert set(active(registry).values()) == {0}
    if not hasattr(answer.result, "read"):
        assert registry.get_sample_value(f"{SIZE}_sum", labels(method, status)) in (None, len(answer.body))


@pytest.mark.parametrize("layers", [name for name in LAYERS if name not in {"metrics", "sight-encoded"}])
def test_every_layer_counts_once(registry, layers):
    app = stack(layers).wrap(HELLO, waive=("measure-outermost", "set-inside-read"))
    serve(Metrics(app, registry=registry), **request(layers))
    assert counts(registry) == {("GET", "200", ""): 1}


def test_a_request_that_a_layer_further_out_failed_on_is_not_counted(registry, caplog):
    class Fails(Middleware):
        def on_request(self, environ):
            raise KeyError("early")

    serve(Stack(Fails(), Metrics(registry=registry)).wrap(HELLO, waive="measure-outermost"))
    assert (counts(registry), active(registry)) == ({}, {})


def test_the_route_is_asked_when_the_request_is_over(registry):
    def app(environ, start_response):
        environ["site.route"] = "/users/{id}"
        return HELLO(environ, start_response)

    serve(Metrics(app, registry=registry, route=lambda environ: environ.get("site.route")), "/users/7")
    serve(Metrics(HELLO, registry=registry, route=lambda environ: environ.get("site.route")), "/users/7")
    assert [*counts(registry)] == [("GET", "200", "/users/{id}"), ("GET", "200", "")]


def test_a_route_that_fails_is_logged_and_empty(registry, caplog):
    answer = serve(Metrics(HELLO, registry=registry, route=lambda environ: environ["no.such.key"]))
    assert (answer.error, counts(registry)) == (None, {("GET", "200", ""): 1})
    assert caplog.records[0].getMessage() == "Metrics: route failed"


def test_several_of_one_registry_share_their_series(registry):
    one, other = Metrics(registry=registry), Metrics(registry=registry, route=lambda environ: "other")
    serve(Stack(one.when(match.path("/a")), other.when(match.path("/b"))).wrap(HELLO), "/a")
    serve(other.named("third").wrap(HELLO))
    assert counts(registry) == {("GET", "200", ""): 1, ("GET", "200", "other"): 1}
    assert one == Metrics(registry=registry)


# -- the page --------------------------------------------------------------------------------------------------------


def names(answer):
    return {family.name for family in text_string_to_metric_families(answer.body.decode())}


def test_by_default_nothing_is_served(registry):
    assert serve(Metrics(HELLO, registry=registry), "/metrics").body == b"hello"


def test_a_path_serves_the_metrics_and_is_not_counted(registry):
    app = Stack(Metrics(registry=registry, path="/metrics"), SecurityHeaders()).wrap(HELLO)
    answer = serve(app, "/metrics")
    assert (answer.status, DURATION in names(answer)) == ("200 OK", True)
    assert serve(app, "/metrics", SCRIPT_NAME="/app").body == b"hello"
    assert serve(app, "/metrics/more").body == b"hello"
    assert (counts(registry), active(registry)) == ({("GET", "200", ""): 2}, {"GET": 0})


def test_the_page_may_stand_outside_of_what_belongs_on_every_response(registry):
    """It is a page of its own: `own_page`."""
    assert Stack(Metrics(registry=registry, path="/metrics"), AccessLog(), SecurityHeaders()).check() == ()
    assert not Metrics(registry=registry).declared().answers


def test_the_exposition_is_an_application_to_mount(registry):
    serve(Metrics(HELLO, registry=registry))
    assert names(serve(Metrics.exposition(registry))) == {DURATION, SIZE, "http_server_active_requests"} | {
        f"{name}_created" for name in (DURATION, SIZE)
    }


def test_the_registry_of_the_library_is_the_default():
    before = counts(REGISTRY).get(("GET", "200", "default"), 0)
    serve(Metrics(HELLO, route=lambda environ: "default"))
    assert counts(REGISTRY)["GET", "200", "default"] == before + 1
    assert DURATION in names(serve(Metrics.exposition()))


# -- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"registry": "default"}, "registry: a prometheus_client.CollectorRegistry or None; got 'default'"),
        ({"path": "metrics"}, "path: begins with /, or None; got 'metrics'"),
        ({"path": 1}, "path: "),
        ({"route": "name"}, "route: a callable(environ) -> str, or None; got 'name'"),
        ({"route": coroutine}, "route: a callable(environ) -> str, or None; a coroutine is no label"),
        ({"buckets": []}, "buckets: finite numbers of seconds, at least one, each greater than the one before; got []"),
        ({"buckets": [1, 1]}, "buckets: "),
        ({"buckets": "slow"}, "buckets: "),
        ({"buckets": [float("inf")]}, "buckets: finite numbers of seconds, at least one, "),
        ({"buckets": [float("nan")]}, "buckets: finite numbers of seconds, at least one, "),
        ({"buckets": [10**400]}, "buckets: finite numbers of seconds, at least one, "),
        ({"buckets": [float("-inf"), 1]}, "buckets: finite numbers of seconds, at least one, "),
        ({"buckets": None, "path": ""}, "2 options are wrong"),
    ],
)
def test_a_wrong_option_is_an_error(options, said):
    with pytest.raises(ConfigError) as caught:
        Metrics(**{"registry": CollectorRegistry(), **options})
    assert said in str(caught.value)


def test_one_registry_has_one_set_of_buckets(registry):
    assert (
        Metrics(registry=registry, buckets=[0.1, 1]).buckets == Metrics(registry=registry, buckets=(0.1, 1.0)).buckets
    )
    with pytest.raises(
        ConfigError, match=r"Metrics: buckets: one registry has one set of buckets, here \(0\.1, 1\.0\)"
    ):
        Metrics(registry=registry)


def test_a_registry_that_has_such_a_metric_of_others_is_told(registry):
    Counter("http_server_active_requests", "of others", registry=registry)
    with pytest.raises(ConfigError, match="Metrics: registry: it has no metrics of these names yet; Duplicated"):
        Metrics(registry=registry)


@pytest.mark.parametrize("name", [DURATION, SIZE])
def test_a_registry_that_is_refused_keeps_nothing_of_the_attempt(registry, name):
    other = Counter(name, "of others", registry=registry)
    with pytest.raises(ConfigError, match="Metrics: registry: "):
        Metrics(registry=registry)
    registry.unregister(other)
    serve(Metrics(HELLO, registry=registry))
    assert counts(registry) == {("GET", "200", ""): 1}


def test_the_buckets_are_those_that_opentelemetry_advises(registry):
    """Semantic conventions for HTTP metrics, http.server.request.duration."""
    advised = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
    assert list(Metrics(registry=registry).buckets) == advised


def test_the_last_bucket_may_be_written(registry):
    assert Metrics(registry=registry, buckets=[1, float("inf")]).buckets == (1,)
    assert Metrics(registry=registry, buckets=[1]).buckets == (1,)


def test_without_the_library_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(ConfigError, match=r'pip install "wsgi-middleware-stack\[metrics\]"'):
        Metrics()
    with pytest.raises(ConfigError, match=r"wsgi-middleware-stack\[metrics\]"):
        Metrics.exposition()


def test_the_library_is_not_loaded_before_it_is_used(tmp_path):
    code = "import middleware, sys; middleware.Metrics; assert 'prometheus_client' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)  # not the checkout


def test_what_it_does_is_told(registry):
    assert list(Metrics(registry=registry).describe()) == [
        ("request", "counts it as active"),
        ("close", "counts its duration and size"),
    ]
    assert ("request", "counts it as active; serves the metrics at /m") in Metrics(
        registry=registry, path="/m"
    ).describe()

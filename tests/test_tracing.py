"""OpenTelemetry's own WSGI middleware as a layer: the spans that reach an exporter in memory."""

from __future__ import annotations

import contextvars

import pytest

from gateway import serve
from middleware import Conditional, External, Headers, Hooks, OrderWarning, RequestId, Stack, Timing
from shapes import TEXT, Body, returning

pytest.importorskip("opentelemetry.instrumentation.wsgi")

from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

HELLO = returning([b"hello"], headers=TEXT)[0]


@pytest.fixture
def traced():
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    layer = External(OpenTelemetryMiddleware, tracer_provider=provider)
    yield layer, exporter.get_finished_spans
    provider.shutdown()


def failing(environ, start_response):
    raise KeyError("gone")


def test_a_request_is_a_span_and_part_of_the_trace_that_the_client_began(traced):
    layer, spans = traced
    app = Stack(RequestId(), Timing(), Headers(set={"X-App": "1"}), layer).wrap(HELLO)
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    answer = serve(app, "/page", HTTP_TRACEPARENT=f"00-{trace}-00f067aa0ba902b7-01", lint=False)
    [span] = spans()
    assert (answer.body, answer.get("X-App")) == (b"hello", "1")
    assert f"{span.context.trace_id:032x}" == trace
    assert span.attributes["http.status_code"] == 200


def test_innermost_it_sees_the_error_that_the_stack_answers(traced, caplog):
    layer, spans = traced
    answer = serve(Stack(Timing(), layer).wrap(failing), lint=False)
    [span] = spans()
    assert (answer.status[:3], span.status.status_code) == ("500", StatusCode.ERROR)


@pytest.mark.parametrize("asked", [{"REQUEST_METHOD": "HEAD"}, {"HTTP_IF_NONE_MATCH": '"t"'}], ids=["HEAD", "304"])
@pytest.mark.parametrize("outer", [(Conditional(),), (Conditional(), Hooks())], ids=len)
def test_a_span_ends_with_a_body_that_is_not_sent_and_the_next_request_is_not_in_its_trace(traced, outer, asked):
    layer, spans = traced
    bodies = []

    def app(environ, start_response):
        start_response("200 OK", [*TEXT, ("Content-Length", "5"), ("ETag", '"t"')])
        bodies.append(Body([b"hello"]))
        return bodies[-1]

    run = Stack(*outer, layer).wrap(app)
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"

    def requests():
        serve(run, HTTP_TRACEPARENT=f"00-{trace}-00f067aa0ba902b7-01", lint=False, **asked)
        serve(run, lint=False)

    contextvars.copy_context().run(requests)
    first, second = spans()
    assert (first.kind, second.kind) == (SpanKind.SERVER, SpanKind.SERVER)
    assert [body.closed for body in bodies] == [1, 1]
    assert f"{first.context.trace_id:032x}" == trace != f"{second.context.trace_id:032x}"


def test_further_out_a_warning_says_that_it_sees_none(traced, caplog):
    layer, _ = traced
    with pytest.warns(OrderWarning, match="report-inside-respond"):
        Stack(layer, Headers()).wrap(failing)

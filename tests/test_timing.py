"""Timing: Server-Timing and what is told when a request is over (W3C Server Timing)."""

from __future__ import annotations

import io
import itertools
import re
import time
from wsgiref.util import FileWrapper

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import environ, serve
from layers_under_test import plain
from middleware import ConfigError, External, Headers, Hooks, Middleware, Stack, Timing, match
from middleware.http.lists import quoted_string
from middleware.layers import timing as module
from middleware.layers.timing.server_timing import metric
from shapes import TEXT, Body, Failure, coroutine, returning

METRIC = re.compile(r'([!#$%&\'*+\-.^_`|~0-9A-Za-z]+)((?:;desc="(?:[^"\\]|\\.)*")?);dur=([0-9]+(?:\.[0-9]+)?)')


class Clock:
    """A clock that moves only when it is told to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def metrics(answer, header="Server-Timing"):
    """Name -> milliseconds, from every line; the header is nothing but metrics."""
    found = {}
    for line in answer.get_all(header):
        matches = list(METRIC.finditer(line))
        assert ", ".join(match[0] for match in matches) == line
        found.update({match[1]: float(match[3]) for match in matches})
    return found


def app_taking(clock, seconds, result=(b"x",), during=lambda environ: None):
    def app(environ, start_response):
        clock.now += seconds
        during(environ)
        start_response("200 OK", list(TEXT))
        return list(result)

    return app


def test_the_time_to_the_head_is_sent():
    clock = Clock()
    answer = serve(Timing(app_taking(clock, 0.0125), clock=clock))
    assert answer.get_all("Server-Timing") == ["total;dur=12.500"]


@pytest.mark.parametrize("clock", [time.perf_counter, time.monotonic])
@pytest.mark.parametrize(
    ("precision", "passed", "durations"),
    [
        (3, (1_234_567_500, 499), ("1234.568", "0.000")),
        (0, (1_499_999_999, 500_000), ("1500", "1")),
        (6, (1_234_567_890, 7), ("1234.567890", "0.000007")),
    ],
)
def test_a_steady_clock_is_read_in_nanoseconds_and_rounded(monkeypatch, clock, precision, passed, durations):
    """A short time, whose line is kept, is the same when it comes again."""
    now = itertools.accumulate((9, *itertools.chain(*zip(passed * 2, [5] * 4, strict=True))))
    monkeypatch.setitem(module._STEADY, clock, lambda: next(now))
    app = Stack(Timing(clock=clock, precision=precision)).wrap(returning([b"x"])[0])
    assert [serve(app).get("Server-Timing") for _ in range(4)] == [f"total;dur={each}" for each in durations * 2]


def test_the_body_is_not_waited_for():
    """The header goes out with the first chunk, and counts only what came before it."""
    clock = Clock()

    def app(environ, start_response):
        clock.now += 0.001
        start_response("200 OK", list(TEXT))
        yield b"first"
        clock.now += 5
        yield b"second"

    assert metrics(serve(Stack(Timing(clock=clock)).wrap(app))) == {"total": 1.0}


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"metric": "app"}, "app;dur=1.500"),
        ({"description": 'say "hi" \\o/, ok; a=b'}, 'total;desc="say \\"hi\\" \\\\o/, ok; a=b";dur=1.500'),
        ({"description": "100% d\xfc"}, 'total;desc="100% d\xfc";dur=1.500'),
        ({"description": ""}, 'total;desc="";dur=1.500'),
        ({"precision": 0}, "total;dur=2"),
        ({"precision": 1}, "total;dur=1.5"),
        ({"metric": "100%"}, "100%;dur=1.500"),
        ({"header": "X-Timing"}, None),
        ({"expose": False}, None),
        ({"expose": lambda environ: environ["PATH_INFO"] == "/elsewhere"}, None),
        ({"expose": lambda environ: environ["PATH_INFO"] == "/"}, "total;dur=1.500"),
    ],
)
def test_options(options, line):
    clock = Clock()
    answer = serve(Stack(Timing(clock=clock, **options)).wrap(app_taking(clock, 0.0015)))
    assert answer.get("Server-Timing") == line
    assert answer.get("X-Timing") == ("total;dur=1.500" if "header" in options else None)


def test_a_header_with_the_milliseconds_alone():
    clock = Clock()
    app = app_taking(clock, 0.25)
    answer = serve(Timing(app, clock=clock, response_time_header="X-Response-Time", expose=False))
    assert (answer.get("X-Response-Time"), answer.get("Server-Timing")) == ("250.000", None)


@pytest.mark.parametrize("seconds", [-1.0, 0.0])
def test_a_clock_that_runs_backwards_gives_no_negative_time(seconds):
    clock = Clock()
    assert serve(Timing(app_taking(clock, seconds), clock=clock)).get("Server-Timing") == "total;dur=0.000"
    assert serve(Timing(app_taking(clock, seconds), clock=clock, response_time_header="X")).get("X") == "0.000"


@given(st.floats(min_value=0, max_value=1e12), st.integers(0, 9))
def test_a_duration_is_a_decimal_number(seconds, precision):
    """No exponent, no comma, no sign, however large or small (Server Timing, dur)."""
    assert re.fullmatch(r"a;dur=[0-9]+(\.[0-9]+)?", metric("a", seconds, None, precision))


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_a_description_survives_quoting(text):
    quoted = quoted_string(text)
    assert re.fullmatch(r'"(?:[^"\\]|\\.)*"', quoted)
    assert re.sub(r"\\(.)", r"\1", quoted[1:-1]) == text


def test_lines_of_the_application_are_kept():
    headers = [*TEXT, ("Server-Timing", "cache;desc=hit")]
    answer = serve(Timing(returning([b"x"], headers=headers)[0]))
    assert answer.get_all("Server-Timing")[0] == "cache;desc=hit"
    assert len(answer.get_all("Server-Timing")) == 2


def test_the_application_adds_metrics():
    clock = Clock()

    def during(environ):
        with environ["middleware.timing"].measure("db", "rows"):
            clock.now += 0.002
        environ["middleware.timing"].add("cache", 0.5)
        with pytest.raises(Failure), environ["middleware.timing"].measure("failed"):
            clock.now += 0.001
            raise Failure

    answer = serve(Stack(Timing(clock=clock)).wrap(app_taking(clock, 0.001, during=during)))
    assert answer.get_all("Server-Timing") == [
        'total;dur=4.000, db;desc="rows";dur=2.000, cache;dur=500.000, failed;dur=1.000'
    ]


def test_a_metric_of_minus_zero_is_not_negative():
    app = app_taking(clock := Clock(), 0, during=lambda environ: environ["middleware.timing"].add("a", -0.0))
    assert serve(Timing(app, clock=clock)).get("Server-Timing") == "total;dur=0.000, a;dur=0.000"


@pytest.mark.parametrize(
    "arguments",
    [("", 1), ("a b", 1), ("a,b", 1), (1, 1), ("a", -1), ("a", float("nan")), ("a", float("inf")), ("a", "1"),
     ("a", 10**400), ("a", -(10**400)), ("a", 1e307),
     ("a", True), ("a", 1, "x\ny"), ("a", 1, "☃"), ("a", 1, 5)],
)  # fmt: skip
def test_a_bad_metric_is_a_value_error_in_the_application(arguments):
    recorders = []
    serve(Timing(app_taking(Clock(), 0, during=lambda environ: recorders.append(environ["middleware.timing"]))))
    with pytest.raises(ValueError, match=r"a metric name|a duration|a field value"):
        recorders[0].add(*arguments)
    if len(arguments) == 3 or not isinstance(arguments[1], (int, float)) or arguments[0] in ("", "a b", "a,b", 1):
        name, _, *description = arguments
        if name != "a" or description:
            with (
                pytest.raises(ValueError, match=r"a metric name|a field value"),
                recorders[0].measure(name, *description),
            ):
                pass


def test_a_metric_that_comes_after_the_head_changes_nothing():
    def app(environ, start_response):
        start_response("200 OK", list(TEXT))
        yield b"x"
        environ["middleware.timing"].add("late", 1)

    assert set(metrics(serve(Stack(Timing()).wrap(app)))) == {"total"}


@pytest.mark.parametrize("status", ["304 Not Modified", "404 Not Found", "301 Moved", "204 No Content"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_it_is_on_every_response(status, method):
    answer = serve(Stack(Timing()).wrap(returning([], status, [])[0]), method=method, lint=False)
    assert set(metrics(answer)) == {"total"}


def test_it_is_on_an_error_that_happened_further_out():
    """A request that never reached Timing has no time: the 500 goes out without."""

    class Fails(Middleware):
        def on_request(self, environ):
            raise Failure

    answer = serve(Stack(Fails(), Timing()).wrap(returning([b"x"])[0], waive=["measure-outermost"]))
    assert (answer.status[:3], answer.get("Server-Timing")) == ("500", None)


# -- layers ------------------------------------------------------------------------------------------------------------


class Slow(Middleware):
    """Takes a millisecond on the way in and two on the way out."""

    def __init__(self, clock, answer=None):
        super().__init__()
        self.clock, self.answer = clock, answer

    def on_request(self, environ):
        self.clock.now += 0.001
        return self.answer

    def on_response(self, environ, response):
        self.clock.now += 0.002


def test_every_layer_has_its_own_time():
    """Without what lies inside it; third-party middleware too; a name that is no token becomes one."""
    clock = Clock()

    def third_party(app):
        def run(environ, start_response):
            clock.now += 0.016
            return app(environ, start_response)

        return run

    layers = Timing(clock=clock, layers=True), Slow(clock).named("out side"), External(third_party), Slow(clock)
    answer = serve(Stack(*layers).wrap(app_taking(clock, 0.1)))
    assert metrics(answer) == {"total": 122.0, "Timing": 0.0, "out-side": 3.0, "third_party": 16.0, "Slow": 3.0}


def test_two_that_measure_layers_do_not_measure_each_others_probes():
    clock = Clock()
    layers = [Timing(clock=clock, layers=True).named(name) for name in ("out", "in")]
    answer = serve(Stack(*layers, Slow(clock)).wrap(app_taking(clock, 0.1), waive=["unique"]))
    inner, outer = answer.get_all("Server-Timing")
    assert inner == "total;dur=103.000, in;dur=0.000, Slow;dur=3.000"
    assert outer == "total;dur=103.000, out;dur=0.000, in;dur=0.000, Slow;dur=3.000"


class Timed(Timing):
    """Another Timing, whose head is shown to it as to any layer."""


@pytest.mark.parametrize("kind", [Timing, Timed])
def test_an_inner_one_that_an_error_has_passed_by_is_not_taken_for_the_outer_one(kind):
    """Hooks answer the error outside of the inner Timing, which never sees a response."""
    clock = Clock()

    def failing(environ, start_response):
        clock.now += 0.1
        raise LookupError

    stack = Stack(kind(clock=clock, layers=True), Slow(clock), Hooks(), Slow(clock), Timing(clock=clock))
    answer = serve(stack.wrap(failing, on_error="respond", waive=[finding.rule for finding in stack.check()]))
    assert metrics(answer) == {"total": 104.0, kind.__name__: 0.0, "Slow": 3.0, "Hooks": 0.0}


def test_a_layer_that_answers_has_all_of_its_time():
    clock = Clock()
    layers = Timing(clock=clock, layers=True), Slow(clock, app_taking(clock, 0.01)), Slow(clock).named("never")
    assert metrics(serve(Stack(*layers).wrap(app_taking(clock, 1)))) == {"total": 13.0, "Timing": 0.0, "Slow": 13.0}


def test_layers_further_out_are_not_its_business():
    clock = Clock()
    stack = Stack(Slow(clock).named("out"), Timing(clock=clock, layers=True), Slow(clock).named("in"))
    answer = serve(stack.wrap(app_taking(clock, 0), waive=["measure-outermost"]))
    assert metrics(answer) == {"total": 3.0, "Timing": 0.0, "in": 3.0}


def test_without_its_condition_the_probes_are_silent():
    stack = Stack(Timing(layers=True).when(match.path("/timed")), Headers(set={"X": "1"}))
    wrapped = stack.wrap(returning([b"x"])[0])
    assert serve(wrapped).get("Server-Timing") is None
    assert set(metrics(serve(wrapped, "/timed"))) == {"total", "Timing", "Headers"}


def test_alone_it_has_one_layer():
    """Whose own time is without that of the application."""
    clock = Clock()
    alone = Timing(app_taking(clock, 0.1), layers=True, clock=clock)
    assert metrics(serve(alone)) == {"total": 100.0, "Timing": 0.0}
    assert metrics(serve(alone.named("t 1"))) == {"total": 100.0, "t-1": 0.0}
    assert metrics(serve(alone.when(match.path("/timed")), "/timed")) == {"total": 100.0, "Timing": 0.0}
    assert serve(alone.when(match.path("/timed"))).get("Server-Timing") is None


# -- nesting -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outer", "inner"),
    list(itertools.product([{}, {"layers": True}, {"on_complete": lambda m: None}], repeat=2)),
    ids=lambda options: next(iter(options), "plain"),
)
def test_nested_stacks_measure_each_their_own(outer, inner):
    clock = Clock()

    def between(app):
        def run(environ, start_response):
            clock.now += 0.01
            return app(environ, start_response)

        return run

    nested = Timing(metric="inner", clock=clock, **inner).wrap(app_taking(clock, 0.001))
    answer = serve(Stack(Timing(metric="outer", clock=clock, **outer)).wrap(between(nested)))
    found = metrics(answer)
    assert (found["outer"], found["inner"]) == (11.0, 1.0)


@pytest.mark.parametrize("options", [{}, {"response_time_header": "X-Time"}], ids=["plain", "elaborate"])
def test_one_timing_in_two_nested_stacks(options):
    """Shared between applications, it still measures each request of each."""
    clock = Clock()
    shared = Timing(clock=clock, **options)

    def between(environ, start_response):
        clock.now += 0.01
        return shared.wrap(app_taking(clock, 0.001))(environ, start_response)

    answer = serve(Stack(shared).wrap(between))
    assert sorted(answer.get_all("Server-Timing")) == ["total;dur=1.000", "total;dur=11.000"]


def test_an_environ_that_is_used_again_brings_no_old_metrics():
    """And nothing piles up in it."""
    clock, shared = Clock(), environ()

    def app(environ, start_response):
        environ["middleware.timing"].add("db", 0.001)
        start_response("200 OK", list(TEXT))
        return [b"x"]

    for timing in (Timing(app), Timing(app, clock=clock, response_time_header="X")):
        sizes = set()
        for _ in range(4):
            heads = []
            timing(shared, lambda status, headers, heads=heads: heads.append(dict(headers)))
            assert re.fullmatch(r"total;dur=\d+\.\d{3}, db;dur=1\.000", heads[0]["Server-Timing"])
            recorders = [len(value) for value in shared.values() if isinstance(value, list)]
            sizes.add((len(shared), sum(recorders)))
        assert max(total for _, total in sizes) <= 1
        recorder, depth = shared["middleware.timing"], 0
        while recorder.outer is not None:
            recorder, depth = recorder.outer, depth + 1
        assert depth <= 1


def test_a_replaced_head_is_measured_again():
    """The head that reaches the client has one time, from the same start."""
    clock = Clock()

    def app(environ, start_response):
        start_response("200 OK", list(TEXT))

        def body():
            clock.now += 0.005
            raise Failure
            yield b""

        return body()

    answer = serve(Stack(Timing(clock=clock)).wrap(app))
    assert (answer.status[:3], answer.get_all("Server-Timing")) == ("500", ["total;dur=5.000"])


# -- when a request is over ----------------------------------------------------------------------------------------


def completed(app, clock=None, method="GET", path="/a", **options):
    told = []
    serve(Stack(Timing(on_complete=told.append, clock=clock or Clock())).wrap(app, **options), path, method, lint=False)
    [measurement] = told
    return measurement


def test_what_is_told_of_a_request():
    clock = Clock()

    def app(environ, start_response):
        clock.now += 1
        start_response("201 Created", list(TEXT))
        yield b"12"
        clock.now += 2
        yield b"345"

    told = completed(app, clock, method="POST", path="/p")
    assert (told.method, told.path, told.status, told.error) == ("POST", "/p", "201 Created", None)
    assert (told.seconds_to_headers, told.seconds, told.bytes_sent) == (1.0, 3.0, 5)


@pytest.mark.parametrize(
    ("app", "status", "sent"),
    [
        (returning([b"one", b"two"])[0], "200 OK", 6),
        (returning(FileWrapper(io.BytesIO(b"x")))[0], "200 OK", None),
        (returning([b"never"], "304 Not Modified", [])[0], "304 Not Modified", 0),
    ],
    ids=["sized", "file", "no-content"],
)
def test_what_was_sent_is_told(app, status, sent):
    told = completed(app)
    assert (told.status, told.bytes_sent, told.error) == (status, sent, None)


@pytest.mark.parametrize(
    ("options", "status", "sent"),
    [({}, "500 Internal Server Error", 22), ({"on_error": "raise"}, None, 0)],
    ids=["respond", "raise"],
)
def test_an_error_is_told(options, status, sent):
    def app(environ, start_response):
        raise Failure

    told = completed(app, **options)
    assert (told.status, told.bytes_sent, type(told.error)) == (status, sent, Failure)


def test_a_body_that_fails_is_told():
    told = completed(returning(Body([b"12", b"3"], fails_at=1))[0])
    assert (told.bytes_sent, type(told.error)) == (2, Failure)


def test_what_on_complete_raises_goes_no_further(caplog):
    def fails(measurement):
        raise Failure("told")

    answer = serve(Timing(returning([b"x"])[0], on_complete=fails))
    assert (answer.error, answer.body) == (None, b"x")
    assert "on_complete failed" in caplog.text


def test_nested_requests_are_told_each_of_their_own():
    told = []
    timing = Timing(on_complete=lambda measurement: told.append(measurement.status))
    inner = timing.wrap(returning([b"x"], "201 In")[0])

    def app(environ, start_response):
        body = inner(environ, lambda status, headers, exc_info=None: None)
        body.close()
        start_response("202 Out", list(TEXT))
        return [b"y"]

    serve(Stack(timing).wrap(app))
    assert told == ["201 In", "202 Out"]


def test_a_request_that_never_came_is_not_told():
    class Fails(Middleware):
        def on_request(self, environ):
            raise Failure

    told = []
    stack = Stack(Fails(), Timing(on_complete=told.append), External(plain))
    serve(stack.wrap(returning([b"x"])[0], waive=["measure-outermost"]))
    assert told == []


def refuses(environ):
    raise Failure("expose")


@pytest.mark.parametrize(("on_error", "status"), [("respond", "500 Internal Server Error"), ("raise", None)])
def test_a_predicate_that_raises_is_an_error_of_the_request_and_shows_nothing(on_error, status, caplog):
    """The 500 has no Server-Timing, the error is reported, and close() raises nothing of its own."""
    told = []
    layer = Timing(expose=refuses, on_complete=told.append)
    answer = serve(Stack(Timing(metric="outer"), layer).wrap(returning([b"x"])[0], on_error=on_error, waive=["unique"]))
    [measurement] = told
    assert (measurement.status, str(measurement.error)) == (status, "expose")
    assert set(metrics(answer)) == ({"outer"} if status else set())
    assert "on_close failed" not in caplog.text


def test_a_predicate_that_raises_in_an_inner_copy_leaves_the_outer_measurement():
    """One Timing around itself: each request is reported once, with its own status."""
    told = []

    def raises_inside(environ):
        return refuses(environ) if environ["PATH_INFO"] == "/inner" else False

    shared = Timing(expose=raises_inside, on_complete=lambda it: told.append((it.path, it.status, type(it.error))))
    inner = Stack(shared).wrap(returning([b"x"])[0], on_error="respond")

    def app(environ, start_response):
        return inner({**environ, "PATH_INFO": "/inner"}, start_response)

    serve(Stack(shared).wrap(app), "/outer")
    assert told == [
        ("/inner", "500 Internal Server Error", Failure),
        ("/outer", "500 Internal Server Error", type(None)),
    ]


def test_a_timing_that_the_request_has_not_reached_takes_no_time_of_another():
    class Calls(Middleware):
        def on_request(self, environ):
            inner = Timing(returning([b"x"])[0], response_time_header="X-Time")
            inner(environ, lambda status, headers, exc_info=None: None)
            raise Failure

    answer = serve(Stack(Calls(), Timing()).wrap(returning([b"x"])[0], waive=["measure-outermost"]))
    assert (answer.status[:3], answer.get("Server-Timing")) == ("500", None)


@pytest.mark.parametrize("inner", [{}, {"expose": False}, {"response_time_header": "X-Time"}], ids=str)
def test_a_timing_that_the_request_has_not_reached_takes_no_time_of_an_outer_one(inner):
    class Fails(Middleware):
        def on_request(self, environ):
            raise Failure

    stack = Stack(Timing(metric="outer"), Fails(), Timing(metric="inner", **inner))
    answer = serve(stack.wrap(returning([b"x"])[0], waive=["measure-outermost", "unique"]))
    assert (answer.status[:3], set(metrics(answer)), answer.get("X-Time")) == ("500", {"outer"}, None)


class Collected(list):
    """A list that is called with what it collects: false while it is empty."""

    __call__ = list.append


def test_a_callable_that_counts_as_false_is_one():
    collected = Collected()
    serve(Timing(returning([b"x"])[0], on_complete=collected))
    assert [measurement.status for measurement in collected] == ["200 OK"]
    assert dict(Timing(expose=Collected()).describe())["response"].startswith("adds Server-Timing")


def test_without_on_complete_nothing_is_told():
    assert Timing().on_close(environ(), None) is None


async def awaited(environ):
    return False


class Awaited:
    async def __call__(self, environ):
        return False


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"metric": "a b"}, "metric: a token"),
        ({"metric": ""}, "metric: a token"),
        ({"metric": 5}, "metric: a token"),
        ({"description": "a\nb"}, "description: a field value holds no CR, LF"),
        ({"description": "☃"}, "description: a field value holds latin-1"),
        ({"description": 5}, "description: a field value is a str"),
        ({"header": "X Y"}, "header: a field name is a token"),
        ({"header": None}, "header: a field name is a str"),
        ({"header": "Trailer"}, "header: hop-by-hop"),
        ({"header": "content-length"}, "header: the server frames the response by it"),
        ({"response_time_header": "Content-Length"}, "response_time_header: the server frames the response by it"),
        ({"response_time_header": "X:"}, "response_time_header: a field name is a token"),
        ({"response_time_header": "Upgrade"}, "response_time_header: hop-by-hop"),
        ({"response_time_header": "server-timing"}, "response_time_header: another field than header"),
        ({"expose": 1}, "expose: a bool or a predicate"),
        ({"expose": None}, "expose: a bool or a predicate"),
        ({"expose": awaited}, "expose: a bool or a predicate"),
        ({"expose": Awaited()}, "expose: a bool or a predicate"),
        ({"expose": coroutine}, "expose: a bool or a predicate; a coroutine always counts as true"),
        ({"on_complete": coroutine}, "on_complete: a callable(Measurement) or None; a coroutine is never awaited"),
        ({"layers": "yes"}, "layers: True or False"),
        ({"precision": 10}, "precision: an int from 0 to 9"),
        ({"precision": -1}, "precision: an int from 0 to 9"),
        ({"precision": 1.5}, "precision: an int from 0 to 9"),
        ({"precision": True}, "precision: an int from 0 to 9"),
        ({"clock": 5}, "clock: a callable"),
        ({"clock": awaited}, "clock: a callable"),
        ({"on_complete": "log"}, "on_complete: a callable(Measurement) or None"),
        ({"on_complete": awaited}, "on_complete: a callable(Measurement) or None"),
        ({"on_complete": Awaited()}, "on_complete: a callable(Measurement) or None"),
    ],
)
def test_a_wrong_option_is_refused(options, said):
    with pytest.raises(ConfigError) as refused:
        Timing(**options)
    assert str(refused.value).startswith(f"Timing: {said}")
    assert repr(next(iter(options.values()))) in str(refused.value)


def test_a_subclass_may_do_more():
    class More(Timing):
        def on_request(self, environ):
            super().on_request(environ)
            environ["middleware.timing"].add("more", 0.001)

        def on_response(self, environ, response):
            super().on_response(environ, response)
            response.headers["X-More"] = "1"

    answer = serve(More(returning([b"x"])[0]))
    assert (set(metrics(answer)), answer.get("X-More")) == ({"total", "more"}, "1")

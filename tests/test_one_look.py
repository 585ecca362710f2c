"""One look: what a row of layers remembers is what the layers add when they are asked one by one."""

from __future__ import annotations

import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import serve
from middleware import CORS, Compress, Gzip, Headers, SecurityHeaders, Stack, Timing
from middleware.http import remembered
from middleware.http.edits import Kinds
from middleware.http.remembered import LIMIT
from middleware.wsgi import row
from ordinary import LAYERS, ORIGIN, application, exchanges, told


def both(layers):
    """One stack, and the same without any row: its layers are asked one by one."""
    stack = Stack(*(LAYERS[n]() for n in layers))
    waived = [finding.rule for finding in stack.check()]
    quick = stack.wrap(application, waive=waived)
    with pytest.MonkeyPatch.context() as patch:
        for kind in (Headers, SecurityHeaders, CORS, Compress, Timing):
            patch.setattr(kind, "layer", lambda self, made=kind.layer: made(self)._replace(ordinary=None, made=None))
        return quick, stack.wrap(application, waive=waived)


@given(st.lists(st.integers(0, len(LAYERS) - 1), min_size=1, max_size=8), st.lists(exchanges, min_size=1, max_size=6))
@pytest.mark.filterwarnings("ignore::middleware.stack.order.OrderWarning")
def test_rows_add_what_their_layers_add(layers, said):
    """Any layers, requests and heads, each three times: recorded lines are those of the layers."""
    quick, slow = both(layers)
    for exchange in said * 3:
        assert told(quick, exchange) == told(slow, exchange)


def rows_of(stack, monkeypatch):
    """The rows of a stack, and the application that it makes."""
    made = []
    init = row.Row.__init__

    def noted(self, *args, **options):
        init(self, *args, **options)
        made.append(self)

    monkeypatch.setattr(row.Row, "__init__", noted)
    return made, stack.wrap(application)


FOUR = Stack(Timing(), SecurityHeaders(), CORS(allow_origins=[ORIGIN, "https://*.b.example"]), Gzip(minimum_size=100))


@pytest.mark.parametrize("key", ["HTTP_ORIGIN", "HTTP_ACCEPT_ENCODING"])
def test_hostile_values_of_a_request_do_not_fill_the_memory(key, monkeypatch):
    made, app = rows_of(FOUR, monkeypatch)
    for number in range(3 * LIMIT):
        for _ in range(3):
            answer = serve(app, lint=False, **{"test.response": (0, 0, 0, 0), key: f"https://x{number}.b.example"})
    assert ("Access-Control-Allow-Origin" in dict(answer.headers)) is (key == "HTTP_ORIGIN")
    assert all(len(table) <= LIMIT for each in made for table in (each.known, each.kinds, each._seen))


def test_hostile_names_of_fields_do_not_fill_the_memory(monkeypatch):
    made, app = rows_of(Stack(Headers(set={"X-A": "1"})), monkeypatch)

    def named(environ, start_response):
        start_response("200 OK", [(f"X-{environ['test.number']}", "1")])
        return [b""]

    app = Stack(Headers(set={"X-A": "1"})).wrap(named)
    for number in range(3 * LIMIT):
        answer = serve(app, lint=False, **{"test.number": number})
        assert answer.headers == [(f"X-{number}", "1"), ("X-A", "1")]
    assert all(len(each.kinds) <= LIMIT for each in made)


def test_a_value_that_comes_once_is_not_recorded(monkeypatch):
    made, app = rows_of(FOUR, monkeypatch)
    for origin in ("https://one.b.example", "https://two.b.example"):
        serve(app, **{"test.response": (0, 0, 0, 0), "HTTP_ORIGIN": origin})
    assert not any(each.known for each in made)
    serve(app, **{"test.response": (0, 0, 0, 0), "HTTP_ORIGIN": origin})
    assert [len(each.known) for each in made if each.known] == [1]


@pytest.mark.parametrize(
    ("layer", "extra"),
    [
        (Headers(append={"Set-Cookie": "a=b"}), {}),
        (CORS(allow_origins=ORIGIN), {"HTTP_ORIGIN": "x" * 300}),
        (CORS(allow_origins=ORIGIN), {"HTTP_ORIGIN": type("Text", (str,), {})("null")}),
    ],
    ids=["a cookie", "a long value", "a value of another type"],
)
def test_what_is_not_recorded(layer, extra, monkeypatch):
    made, app = rows_of(Stack(layer), monkeypatch)
    for _ in range(4):
        serve(app, lint=False, **{"test.response": (0, 0, 0, 0)}, **extra)
    assert not any(each.known for each in made)


def test_a_hook_runs_once_for_a_response_on_a_miss_too(monkeypatch):
    runs = []
    respond = CORS.on_response
    monkeypatch.setattr(CORS, "on_response", lambda *args: runs.append(1) or respond(*args))
    app = Stack(CORS(allow_origins=ORIGIN)).wrap(application)
    counts = []
    for _ in range(4):
        serve(app, **{"test.response": (0, 0, 0, 0)})
        counts.append(len(runs))
    assert counts == [1, 2, 2, 2]


def test_threads_share_rows(monkeypatch):
    """Sixteen threads with a tiny switch interval, and tables that are cleared all the time."""
    monkeypatch.setattr(remembered, "LIMIT", 3)
    app = FOUR.wrap(application)
    wrong = []

    def ask(seed):
        for number in range(150):
            origin = f"https://x{(seed + number) % 5}.b.example"
            answer = serve(app, lint=False, **{"test.response": (0, 0, 0, 0), "HTTP_ORIGIN": origin})
            found = dict(answer.headers)
            if (found.get("Access-Control-Allow-Origin"), found.get("Vary")) != (origin, "Accept-Encoding, Origin"):
                wrong.append(answer.headers)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert wrong == []


def test_a_name_that_is_too_long_is_looked_at_and_not_kept():
    kinds = Kinds({"x-" + "a" * 5000: 1})
    assert (kinds["X-" + "A" * 5000], kinds["b" * 5000]) == (1, 0)
    assert not kinds


def test_a_row_keeps_no_name_that_is_too_long(monkeypatch):
    made, _ = rows_of(Stack(Headers(set={"X-A": "1"})), monkeypatch)
    [each] = made
    each.kind("X-" + "a" * 5000)
    assert not each.kinds

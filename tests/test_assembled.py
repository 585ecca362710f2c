"""The fast path as text: every branch of it is run, it is compiled once, and it shows in tracebacks."""

from __future__ import annotations

import contextlib
import gc
import itertools
import linecache
import re
import sys
import traceback

import pytest
from coverage.python import PythonParser

import ordinary as look
from gateway import serve
from layers_under_test import Undeclared
from middleware import CORS, Gzip, Headers, Middleware, SecurityHeaders, Stack, Timing, match
from middleware.wsgi import assembled
from shapes import Failure

# Each of the parts that a text can have, and their neighbours.
STACKS = {
    "four": lambda: [Timing(), SecurityHeaders(), CORS(allow_origins=look.ORIGIN), Gzip(minimum_size=100)],
    "static": lambda: [Headers(set={"X-A": "1"}), SecurityHeaders()],
    "coding outermost": lambda: [Gzip(minimum_size=100), Headers(set={"X-A": "1"})],
    "made within": lambda: [look.Custom(), Timing(), Headers(append={"Vary": "X-B"}), Timing(metric="inner")],
    "a clock that fails": lambda: [Headers(set={"X-Set": "1"}), Timing(clock=look.clock), CORS(allow_origins="*")],
    "asked": lambda: [look.Closes(), look.Writes(), look.Custom(), look.Upper(), look.Custom()],
    "transforming within": lambda: [Timing(), look.Upper(), Headers(set={"X-Set": "1"}, append={"Vary": "X"})],
    "a transform that is not declared": lambda: [Headers(set={"X-A": "1"}), Undeclared()],
    "assigning": lambda: [look.Assigns(), Headers(set={"X-A": "1"})],
    "answering": lambda: [Headers(set={"X-A": "1"}), Timing(), look.Answers(), CORS(allow_origins=look.ORIGIN)],
    "conditions": lambda: [Headers(set={"X-A": "1"}).when(match.path("/a")), look.Custom().when(look.fails)],
    "many conditions": lambda: [Headers(set={f"X-{n}": "1"}).when(look.bit(n)) for n in range(9)],
}


def outcomes(text, arcs):
    """The conditions of a text, their numbers left out, each with the outcomes that it had: whether it held."""
    parser = PythonParser(text="".join(text))
    parser.parse_source()
    found = {}
    for start, count in parser.exit_counts().items():
        if count > 1 and "while" not in text[start - 1]:
            condition = re.sub(r"\d+x*", "N", text[start - 1].strip())
            nexts = {parser.first_line(end) for begun, end in arcs if parser.first_line(begun) == start}
            body = min(end for begun, end in parser.arcs() if begun == start and end > start)
            found.setdefault(condition, set()).update(end == body for end in nexts)
    return found


def traced(run, seen):
    """Note the arcs of assembled functions while something runs."""
    before = sys.gettrace()

    def trace(frame, event, _):
        if not frame.f_code.co_filename.startswith("<middleware "):
            return None
        arcs, last = seen.setdefault(frame.f_code.co_filename, set()), [-frame.f_code.co_firstlineno]

        def local(frame, event, _):
            if event == "line":
                arcs.add((last[0], frame.f_lineno))
                last[0] = frame.f_lineno
            elif event == "return":
                arcs.add((last[0], -frame.f_code.co_firstlineno))
            return local

        return local

    sys.settrace(trace)
    try:
        run()
    finally:
        sys.settrace(before)


@pytest.mark.filterwarnings("ignore::middleware.stack.order.OrderWarning")
def test_every_branch_of_the_text_is_run_both_ways(monkeypatch):
    """Coverage sees no line that is in no file: the arcs are traced, and each condition has held and not held."""
    cases = [
        (head, status, request, body, tampers)
        for head, status, request, body in itertools.product(
            (0, 1, 3, 5), (0, 2, 3, 5), range(len(look.REQUESTS)), range(len(look.BODIES))
        )
        for tampers in ((0, 1, 2, 3, 4) if (head, body) == (0, 0) else (0,))
    ]
    monkeypatch.setattr(assembled, "_compiled", {})
    monkeypatch.setattr(assembled, "_TEXTS", 10_000)  # none is forgotten meanwhile, however many other tests have made
    seen = {}
    for make in STACKS.values():
        stack = Stack(*make())
        app = stack.wrap(look.application, waive=[finding.rule for finding in stack.check()])
        traced(lambda app=app: [look.told(app, case) for case in [*cases, *cases[:60], *cases[:60]]], seen)
        for asked in (True, False):
            asking = {"test.response": (0,) * 4, "paste.throw_errors": asked, "middleware.exception": None}
            with contextlib.suppress(TypeError, LookupError):
                traced(lambda app=app, asking=asking: look.serve(app, lint=False, **asking), seen)
    found = {}
    for file, arcs in seen.items():
        for condition, held in outcomes(linecache.cache[file][2], arcs).items():
            found.setdefault(condition, set()).update(held)
    assert len(found) > 15
    assert {condition: held for condition, held in found.items() if held != {True, False}} == {}


def test_a_layer_sees_what_a_row_has_added_after_another_layer_has_looked():
    strict = SecurityHeaders(preset="strict")  # is asked, because of its nonce
    app = Stack(look.Custom(), Headers(set={"X-Set": "1"}), strict).wrap(look.application)
    for _ in range(4):
        assert look.serve(app, **{"test.response": (0, 0, 0, 0)}).get("X-Custom") == "1"


def test_a_text_is_compiled_once_and_nothing_stays_of_a_stack():
    stack = Stack(Timing(), Headers(set={"X-A": "1"}))
    stack.wrap(look.application)
    before = len(assembled._compiled)
    files = len(linecache.cache)
    gc.collect()
    count = len(gc.get_objects())
    for _ in range(50):
        stack.wrap(look.application)
    gc.collect()
    assert (len(assembled._compiled), len(linecache.cache)) == (before, files)
    assert len(gc.get_objects()) - count < 50


def test_a_traceback_shows_the_lines_of_the_text():
    class Fails(Middleware):
        def on_response(self, environ, response):
            raise Failure

    error = serve(Fails(look.application), lint=False, **{"test.response": (0, 0, 0, 0)}).error
    assert "transform = response0(environ, exchange)" in "".join(traceback.format_tb(error.__traceback__))


def test_another_thread_may_compile_while_the_texts_are_forgotten(monkeypatch):
    class Cache(dict):
        """Another thread compiles a text whenever the lines of one are removed, once."""

        def pop(self, file, default):
            assembled._compiled.setdefault("another", (None, "<another>"))
            monkeypatch.setattr(Cache, "pop", dict.pop)
            return super().pop(file, default)

    monkeypatch.setattr(assembled, "_compiled", {"one": (None, "<one>"), "two": (None, "<two>")})
    monkeypatch.setattr(assembled, "_TEXTS", 2)
    monkeypatch.setattr(linecache, "cache", Cache())
    assert assembled.compiled("def make():\n    return 5\n")() == 5
    assert len(assembled._compiled) == 1


def test_texts_do_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(assembled, "_compiled", {})
    monkeypatch.setattr(assembled, "_TEXTS", 3)
    for count in range(1, 9):
        Stack(*(Timing(metric=f"m{n}") for n in range(count))).wrap(look.application, waive="unique")
        assert len(assembled._compiled) <= 3
        assert all(file in linecache.cache for _, file in assembled._compiled.values())

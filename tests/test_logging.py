"""Log lines: what a client sent is one line of printable text in every one of them."""

from __future__ import annotations

import ast
import io
import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import serve
from hooked import boom
from middleware import CORS, AccessLog, External, Hooks, RequestId, Stack, Timing
from middleware.cli import server
from middleware.hooks import ContextHooks
from middleware.wsgi.escaped import escaped

PACKAGE = Path(__file__).parents[1] / "middleware"
FORGED = "/a\r\nCRITICAL forged\x1b[2J\x00\x7f\xc2\x85\xe2\x80\xa8\xe2\x80\xae\xe2\x80\x8b\xff\\n\xc3\xa9"
SHOWN = "/a\\r\\nCRITICAL forged\\x1b[2J\\x00\\x7f\\x85\\u2028\\u202e\\u200b\\xff\\\\n\u00e9"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("/plain path?q=1", "/plain path?q=1"),
        ("", ""),
        (None, "None"),
        (FORGED, SHOWN),
        ("/caf\xc3\xa9", "/caf\u00e9"),
        ("\u2603 is no text of an environ", "\u2603 is no text of an environ"),
        ("\u2028 neither", "\\u2028 neither"),
        ("\\x1b", "\\\\x1b"),
        ("\ue000\U000e0001", "\\ue000\\U000e0001"),
    ],
)
def test_what_cannot_be_printed_is_escaped(value, text):
    assert escaped(value) == text


@given(st.text())
def test_a_log_line_is_one_line_of_printable_text(text):
    assert escaped(text).isprintable()


def failing(environ, start_response):
    raise RuntimeError("boom")


def hooked(kind, hook):
    hooks = kind()
    getattr(hooks, hook)(boom)
    return hooks.wrap(lambda environ, start_response: start_response("200 OK", []) or [b""])


LOGGED = {
    "a stack": (Stack(Timing()).wrap(failing), "Exception on G\\x1bT {}"),
    "Hooks": (Hooks().wrap(failing), "Exception on {} [G\\x1bT]"),
    "ContextHooks": (ContextHooks().wrap(failing), "The application failed on {} [G\\x1bT]"),
    "a hook": (hooked(Hooks, "before_request"), "Exception on {} [G\\x1bT]"),
    "a hook with a context": (
        hooked(ContextHooks, "before_request"),
        "The hook hooked.boom failed on {} [G\\x1bT]",
    ),
}


@pytest.mark.parametrize("name", LOGGED)
def test_a_path_and_a_method_cannot_forge_a_line(name, caplog):
    app, line = LOGGED[name]
    serve(app, FORGED, method="G\x1bT", lint=False)
    assert caplog.records[0].getMessage() == line.format(SHOWN)


def shifting(environ, start_response):
    """As DispatcherMiddleware shifts the path, and a framework that clears environ."""
    environ.update(SCRIPT_NAME="/shop", PATH_INFO="/items")
    if environ.get("test.clears"):
        environ.clear()
    raise LookupError


@pytest.mark.parametrize(
    ("layers", "clears", "path"),
    [
        ([Timing()], False, "/shop/items"),
        ([Timing()], True, ""),  # no layer depends on environ, so that it is not kept
        ([RequestId(), AccessLog()], False, "/shop/items"),
        ([RequestId(), AccessLog()], True, "/shop/items"),
        ([RequestId(), External(lambda app: app)], False, "/shop/items"),
    ],
)
def test_an_error_is_logged_with_the_whole_path_as_it_came_in(layers, clears, path, caplog):
    request = {"HTTP_X_REQUEST_ID": "given", "test.clears": clears}
    serve(Stack(*layers).wrap(shifting), "/shop/items", lint=False, **request)
    [record] = [each for each in caplog.records if each.name == "middleware"]
    assert record.getMessage() == f"Exception on GET {path}"
    assert (record.method, record.path) == ("GET", path)
    assert record.request_id == (None if isinstance(layers[0], Timing) else "given")


@pytest.mark.parametrize("end", ["", "\x85\x1b", "\xe2\x80\xae"])
def test_an_origin_cannot_forge_a_line(end, caplog):
    app = CORS(allow_origins=boom).wrap(lambda environ, start: start("200 OK", []) or [b""])
    serve(app, HTTP_ORIGIN=f"https://a.example{end}", lint=False)
    lines = [record.getMessage() for record in caplog.records]
    assert all(line.isprintable() and line.startswith("CORS: allow_origins failed on https://a.ex") for line in lines)
    assert bool(lines) == (not end)  # what is no origin is not asked about


# Every argument of a logging call that does not come from a client: names and options of the code.
FROM_THE_CODE = {
    *("qualified_name(hook)", "self.name", "layer.condition", "on_response", "each", "source"),
    *("_UNTRUSTED", "self._shown", "PAUSE", "self.path", "self._secret", "path", "place"),
}


def logging_calls():
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith(("logger.", "self.logger.")):
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", node


def test_every_logging_call_escapes_what_it_did_not_make_itself():
    calls = list(logging_calls())
    assert len(calls) >= 12
    for where, call in calls:
        assert isinstance(call.args[0], ast.Constant), where
        for argument in map(ast.unparse, call.args[1:]):
            assert argument.startswith("escaped(") or argument in FROM_THE_CODE, f"{where} logs {argument}"


def test_every_logging_call_says_which_request_it_is_about():
    calls = list(logging_calls())
    assert len(calls) >= 12
    for where, call in calls:
        assert "extra" in [keyword.arg for keyword in call.keywords], where


def test_a_line_of_waitress_cannot_be_forged_either():
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    logger = logging.getLogger("waitress")
    logger.addHandler(handler)
    logger.addFilter(server._printable)
    try:
        logger.error("Exception while serving %s" % FORGED)  # noqa: G002, UP031 - as waitress writes it
        logger.warning("%d of 100%% %s", 1, "\x1b")
    finally:
        logger.removeFilter(server._printable)
        logger.removeHandler(handler)
    assert written.getvalue() == f"Exception while serving {SHOWN}\n1 of 100% \\x1b\n"

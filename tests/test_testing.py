"""assert_order, the names of `middleware.testing`, and the pytest plugin as pytest finds it."""

from __future__ import annotations

import configparser
import subprocess
import sys
from pathlib import Path

import pytest

from middleware import Compress, ConfigError, Headers, SecurityHeaders, Stack, Timing, testing
from middleware.testing import assert_order, serve
from shapes import returning

ROOT = Path(__file__).parents[1]
STACK = Stack(Timing(), SecurityHeaders(), Headers(set={"X-App": "demo"}), Compress())


def refusal(stack, names, **options):
    with pytest.raises(AssertionError) as caught:
        assert_order(stack, names, **options)
    return str(caught.value).splitlines()


# -- assert_order ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [["Timing", "SecurityHeaders", "Headers", "Compress"], iter(STACK.names)])
def test_an_order_that_is_as_it_was_passes(names):
    assert_order(STACK, names)


def test_another_order_is_shown_beside_the_one_in_the_test():
    assert refusal(STACK, ["Timing", "Headers", "SecurityHeaders", "Compress"]) == [
        "the order is another one, outermost first (- as the test has it, + as it is):",
        "    Timing",
        "  + SecurityHeaders",
        "    Headers",
        "  - SecurityHeaders",
        "    Compress",
    ]


def test_names_that_are_alike_are_shown_without_marks_between_the_lines():
    assert refusal(Stack(Timing()), ["Timings"])[1:] == ["  - Timings", "  + Timing"]


@pytest.mark.parametrize("waive", ["measure-outermost", ["measure-outermost"], ("measure-outermost",)])
def test_an_order_that_breaks_a_rule_is_refused_unless_that_is_waived(waive):
    stack = Stack(Headers(set={"X-App": "demo"}), Timing())
    [finding] = stack.check()
    assert refusal(stack, ["Headers", "Timing"]) == [
        "the order breaks rules:",
        f"  - {finding.message} (rule measure-outermost; fix it by {finding.fix})",
    ]
    assert_order(stack, ["Headers", "Timing"], waive=waive)


def test_a_rule_that_does_not_exist_cannot_be_waived():
    with pytest.raises(ConfigError, match=r"^assert_order: waive: ids of rules \(rewrite-inside.*; got measured$"):
        assert_order(STACK, STACK.names, waive="measured")


@pytest.mark.parametrize(
    ("stack", "names", "rule"),
    [
        (STACK.wrap(returning([b"x"])[0]), ["Timing"], "stack: a Stack"),
        (STACK.names, ["Timing"], "stack: a Stack"),
        (STACK, [Timing], "names: names of layers, each a str"),
        (STACK, [Timing()], "names: names of layers, each a str"),
        (STACK, None, "names: a str, or an iterable of str"),
    ],
)
def test_what_is_no_stack_and_what_are_no_names_are_refused(stack, names, rule):
    with pytest.raises(ConfigError, match=f"^assert_order: {rule}; got "):
        assert_order(stack, names)


def test_one_name_may_be_a_str():
    assert_order(Stack(Timing()), "Timing")


def test_both_are_told_at_once():
    lines = refusal(Stack(Headers(set={"X-App": "demo"}), Timing()), ["Timing", "Headers"])
    assert [line for line in lines if not line.startswith(" ")] == [
        "the order is another one, outermost first (- as the test has it, + as it is):",
        "the order breaks rules:",
    ]


# -- the package -----------------------------------------------------------------------------------------------------


def test_every_name_is_there():
    assert all(hasattr(testing, name) for name in testing.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        testing.nothing  # noqa: B018


def test_pytest_is_not_needed():
    """Nor is the matrix loaded before it is requested."""
    program = (
        "import sys, middleware.testing as testing\n"
        "assert 'middleware.testing.transparency' not in sys.modules\n"
        "testing.assert_wsgi_transparent(lambda app: app)\n"
        "assert 'pytest' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, stdin=subprocess.DEVNULL)


def test_the_server_closes_reports_and_stops():
    app, body = returning(iter([b"one", b"two", b"three"]))
    assert body is None
    assert serve(app, stop_after=2).body == b"onetwo"
    assert serve(returning([b"one"])[0], stop_after=0).body == b""


# -- the plugin ------------------------------------------------------------------------------------------------------

TESTS = """
    from middleware import Headers, Stack

    def test_transparent(wsgi_transparent):
        wsgi_transparent(Headers(set={"X-App": "demo"}).wrap)

    def test_not_transparent(wsgi_transparent):
        wsgi_transparent(lambda app: lambda environ, start_response: app(dict(environ), start_response))

    def test_order(wsgi_order):
        wsgi_order(Stack(Headers(set={"X-App": "demo"})), ["Headers"])

    def test_serve(wsgi_serve):
        def app(environ, start_response):
            start_response("204 No Content", [])
            return []
        assert wsgi_serve(app).status == "204 No Content"
"""


def test_the_plugin_changes_no_tests_that_do_not_ask_for_it():
    declared = configparser.ConfigParser()
    declared.read(ROOT / "setup.cfg", encoding="utf-8")
    assert "pytest11" not in declared["options.entry_points"]


def test_its_fixtures_are_the_functions(pytester, monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_inprocess("-p", "middleware.testing.plugin")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["*environ: The application gets the server's own environ*"])

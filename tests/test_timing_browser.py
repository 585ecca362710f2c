"""Timing in a real browser: what its performance data and its developer tools make of Server-Timing."""

from __future__ import annotations

import pytest

from middleware import CORS, Stack, Timing

SAID = r'rows; of "x", \ y=1'  # what a quoted-string is for
OWN = """() => performance.getEntriesByType("navigation")[0].serverTiming
    .map(({ name, duration, description }) => [name, duration, description])"""
OTHER = """async (url) => {
    await (await fetch(url)).text();
    return performance.getEntriesByName(url)[0].serverTiming.map(({ name, description }) => [name, description]);
}"""


def measured(environ, start_response):
    """A page with metrics of its own; /missing and /error are pages too, as far as a browser is concerned."""
    timing = environ["middleware.timing"]
    timing.add("db", 0.0125, SAID)
    timing.add("cache", 0)
    if environ["PATH_INFO"] == "/error":
        raise RuntimeError("a bug")
    status = "404 Not Found" if environ["PATH_INFO"] == "/missing" else "200 OK"
    start_response(status, [("Content-Type", "text/html"), ("Server-Timing", "app;dur=5")])
    return [b'<!doctype html><title>page</title><link rel="icon" href="data:,">']


@pytest.fixture
def page(browser):
    with browser.new_context() as context:
        yield context.new_page()


@pytest.mark.parametrize(("path", "more"), [("/", ["app"]), ("/missing", ["app"]), ("/error", [])])
def test_a_page_has_the_metrics_in_its_performance_data(page, serving, caplog, path, more):
    """The 500 of the stack as well; the line of the application comes first."""
    page.goto(serving(Stack(Timing(description="all of it")).wrap(measured)) + path)
    told = page.evaluate(OWN)
    total = told[len(more)]
    assert [name for name, *_ in told] == [*more, "total", "db", "cache"]
    assert told[-2:] == [["db", 12.5, SAID], ["cache", 0, ""]]
    assert (total[0], total[1] > 0, total[2]) == ("total", True, "all of it")


def test_developer_tools_show_what_the_performance_data_say(page, serving):
    tools = page.context.new_cdp_session(page)
    tools.send("Network.enable")
    received = []
    tools.on("Network.responseReceived", lambda event: received.append(event["response"]))
    page.goto(serving(Stack(Timing(precision=1)).wrap(measured)))
    [shown] = [response["headers"]["Server-Timing"] for response in received if response["mimeType"] == "text/html"]
    assert shown.startswith("app;dur=5\ntotal;dur=")
    told = page.evaluate(OWN)
    assert [part.partition(";")[0] for part in ("app", "total", "db", "cache") if part in shown] == [
        name for name, *_ in told
    ]
    assert f"total;dur={told[1][1]:.1f}" in shown


@pytest.mark.parametrize("allowed", [True, False])
def test_another_origin_sees_the_metrics_only_where_it_is_listed(page, serving, allowed):
    asking = serving(asking_page)
    shared = CORS(allow_origins="*", timing_origins=asking if allowed else ())
    asked = serving(Stack(Timing(), shared).wrap(measured))
    page.goto(asking)
    seen = page.evaluate(OTHER, f"{asked}/")
    assert seen == ([["app", ""], ["total", ""], ["db", SAID], ["cache", ""]] if allowed else [])


def asking_page(_environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html")])
    return [b'<!doctype html><title>asking</title><link rel="icon" href="data:,">']

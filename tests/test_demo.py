"""The demo, over a real socket: what its page tells of a response is what the client of that response got."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import http.client
import logging
import re
import subprocess
import sys
import threading
from typing import NamedTuple
from urllib.parse import unquote, urlencode
from xml.etree import ElementTree as ET

import pytest

from gateway import serve
from middleware import Headers, Inspector, Middleware, Stack, Timing
from middleware.cli import demo
from middleware.cli.command import main
from middleware.cli.demo.page import Line, attributed, begin, code, command
from middleware.cli.demo.samples import Sample, Samples, samples
from middleware.sight.explanation import Explanation
from middleware.stack.order import reasons_of

PATIENCE = 60  # seconds after which a process that a test waits for is taken for stuck
HTML = "{http://www.w3.org/1999/xhtml}"
OF_THE_SERVER = {"date", "transfer-encoding", "connection"}
APPLICATION = "the application"
TOLD = Explanation("GET", "/", (), (), None, "200 OK", ())


@pytest.fixture(scope="module")
def port():
    """The port of a demo that runs in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "middleware", "demo", "--listen", "127.0.0.1:0"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    watchdog = threading.Timer(PATIENCE, process.kill)
    watchdog.start()
    with process:
        line = next((line for line in process.stdout if line.startswith("Serving on")), "Serving on :0")
        yield int(line.rpartition(":")[2])
        watchdog.cancel()
        process.terminate()
        assert process.wait(PATIENCE) == 0


class Got(NamedTuple):
    """What a client got."""

    status: int
    headers: list[tuple[str, str]]
    text: str

    def names(self):
        return {name.lower() for name, _ in self.headers}


def get(port, path="/", method="GET", *, version=11, accept="identity", fields=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection._http_vsn, connection._http_vsn_str = version, f"HTTP/1.{version % 10}"
    with contextlib.closing(connection):
        connection.request(method, path, headers={"Accept-Encoding": accept, **(fields or {})})
        response = connection.getresponse()
        body = response.read()
        decode = gzip.decompress if body and response.headers["Content-Encoding"] == "gzip" else bytes
        return Got(response.status, response.getheaders(), decode(body).decode())


def table(text, name):
    """The cells of a table of the page, row by row."""
    [found] = [each for each in parsed(text).iter(f"{HTML}table") if each.get("id") == name]
    return [["".join(cell.itertext()) for cell in row] for row in found.find(f"{HTML}tbody")]


def parsed(text):
    return ET.fromstring(text)  # noqa: S314 - our own


def rendered(stack, told=TOLD, exchanges=(), seconds=0.0, **environ):
    return begin(stack, {"wsgi.url_scheme": "http", **environ})(told, Samples(exchanges, seconds))


# -- the page tells the truth ----------------------------------------------------------------------------------------


def test_a_browser_shows_the_page_and_has_measured_what_it_says(port, browser):
    """Under its own strict policy: the style has a nonce, and the console is silent."""
    with browser.new_context() as context:
        visit, said = context.new_page(), []
        visit.on("console", lambda message: said.append(message.text))
        visit.on("pageerror", lambda error: said.append(str(error)))
        answer = visit.goto(f"http://127.0.0.1:{port}/")
        shown = visit.text_content("#headers tr:has-text('Server-Timing') td")
        [entry] = visit.evaluate("performance.getEntriesByType('navigation').map(entry => entry.toJSON())")
        assert answer.headers["content-encoding"] == "zstd"
        assert 0 < entry["encodedBodySize"] < entry["decodedBodySize"]
        assert [f"{each['name']};dur={each['duration']:.3f}" for each in entry["serverTiming"]] == [shown]
        assert visit.evaluate("getComputedStyle(document.querySelector('.card')).overflowX") == "hidden"
        assert said == []
        assert visit.goto(f"http://127.0.0.1:{port}/error").status == 500


def test_one_exchange_is_open_at_a_time(port, browser):
    with browser.new_context() as context:
        visit = context.new_page()
        visit.goto(f"http://127.0.0.1:{port}/")
        summaries = visit.locator("#exchanges > details > summary")
        seen = []
        for number in range(summaries.count()):
            summaries.nth(number).click()
            shown = visit.locator("#exchanges > details[open] > .inside")
            seen.append((shown.count(), shown.locator(".steps > li").count() > 1, shown.is_visible()))
        assert seen == [(1, True, True)] * 7


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_telephone_and_has_the_colours_that_its_reader_prefers(port, browser, scheme):
    """With everything open."""
    with browser.new_context(viewport={"width": 390, "height": 800}, color_scheme=scheme) as context:
        visit = context.new_page()
        visit.goto(f"http://127.0.0.1:{port}/")
        visit.evaluate("""document.querySelectorAll("details").forEach(each => {
            each.removeAttribute("name"); each.open = true })""")
        assert visit.locator("details:not([open])").count() == 0
        assert visit.evaluate("document.documentElement.scrollWidth") == 390
        wider = """[...document.querySelectorAll(".card *")].filter(each => !each.closest("pre")
            && each.getBoundingClientRect().right > 390).map(each => each.outerHTML)"""
        assert visit.evaluate(wider) == []
        ground = visit.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (max(map(int, re.findall(r"\d+", ground))) < 128) is (scheme == "dark")


@pytest.mark.parametrize("version", [11, 10], ids=["HTTP/1.1", "HTTP/1.0"])
def test_the_table_of_headers_is_what_the_client_of_this_very_response_got(port, version):
    got = get(port, version=version)
    told = sorted((name.lower(), value) for name, value, _ in table(got.text, "headers"))
    received = sorted((name.lower(), value) for name, value in got.headers)
    assert told == [line for line in received if line[0] not in OF_THE_SERVER]
    assert got.names() - {name for name, _ in told} <= OF_THE_SERVER


def test_two_responses_differ_and_so_do_their_pages(port):
    """The times do: no page is made of an earlier response."""
    first, second = get(port), get(port)
    for got in (first, second):
        timing = dict(got.headers)["Server-Timing"]
        assert [value for name, value, _ in table(got.text, "headers") if name == "Server-Timing"] == [timing]
    assert dict(first.headers)["Server-Timing"] != dict(second.headers)["Server-Timing"]


def test_the_page_says_who_added_each_header_and_who_took_one_away(port):
    text = get(port).text
    told = {name: by for name, _, by in table(text, "headers")}
    assert "Content-Security-Policy" in told
    assert {name: by for name, by in told.items() if by != "SecurityHeaders"} == {
        "Content-Type": APPLICATION,
        "Cache-Control": "Headers SecurityHeaders",  # a page with a nonce is private
        "Vary": "Compress CORS",
        "X-Demo": "Headers",
        "Server-Timing": "Timing",
        "X-Request-Id": "RequestId",
    }
    assert table(text, "gone") == [
        ["X-Powered-By", "plain WSGI", f"{APPLICATION} \N{MULTIPLICATION X} SecurityHeaders"]
    ]


@pytest.mark.parametrize(
    ("accept", "sent", "told"),
    [("gzip", ["gzip"], "encoded, in gzip."), ("identity", [], "as it is: no layer encoded it.")],
)
def test_the_page_says_in_what_coding_it_came(port, accept, sent, told):
    got = get(port, accept=accept)
    assert [value for name, value in got.headers if name == "Content-Encoding"] == sent
    notes = ["".join(each.itertext()) for each in parsed(got.text).iter(f"{HTML}p") if each.get("class") == "note"]
    assert f"\nThe body came to you {told} Nothing on this page needs a script." in notes[1]
    assert [row[2] for row in table(got.text, "headers") if row[0] == "Content-Encoding"] == ["Compress"] * len(sent)


def test_the_table_of_times_has_every_layer_and_their_sum(port):
    *layers, whole = [(name, taken) for name, taken, _ in table(get(port).text, "times")]
    assert [name for name, _ in layers] == list(demo.stack.names)
    times = [int(re.fullmatch(r"([\d,]+) \N{MICRO SIGN}s", taken)[1].replace(",", "")) for _, taken in (*layers, whole)]
    assert all(times)
    assert abs(sum(times[:-1]) - times[-1]) <= len(times)


def test_the_times_are_those_of_the_layers_alone(monkeypatch):
    """Not that of the application, nor that of the page."""
    clock = iter(range(1000))
    monkeypatch.setattr("middleware.sight.story._clock", lambda: next(clock))
    told = Stack(Headers(set={"X-A": "1"}).named("a"), Headers(set={"X-B": "1"}).named("b")).explain(hello, "/")
    assert [row[:2] for row in table(rendered(Stack(), told), "times")] == [
        ["a", "2,000,000 \N{MICRO SIGN}s"],
        ["b", "2,000,000 \N{MICRO SIGN}s"],
        ["together", "4,000,000 \N{MICRO SIGN}s"],
    ]


def test_the_chain_is_the_stack_numbered_outermost_first_with_its_reasons(port):
    [chain] = [each for each in parsed(get(port).text).iter(f"{HTML}details") if each.get("id") == "chain"]
    assert chain.get("open") is None
    items = ["".join(item.itertext()) for item in chain.find(f"{HTML}ol")]
    assert len(items) == len(demo.stack) + 1
    for number, (name, layer, item) in enumerate(zip(demo.stack.names, demo.stack, items, strict=False), 1):
        assert item.startswith(f"{number}{name}{layer!r}")
        assert all(text in item for pair in layer.describe() for text in pair)
    measures = (
        "outside SecurityHeaders, CORS, Headers, Compress, Conditional: what measures stands outside what does work"
    )
    assert measures in items[1]
    assert "inside Timing" in items[2]
    assert items[-1].endswith(APPLICATION)


def test_the_chain_has_nothing_of_the_demo(port):
    """All its layers are classes that a user imports."""
    shown = parsed(get(port).text)
    [text] = ["".join(each.itertext()) for each in shown.iter(f"{HTML}pre") if each.get("id") == "code"]
    made = {"app": demo.route}
    exec(text, made)  # noqa: S102 - our own
    assert (made["stack"], made["stack"].names) == (demo.stack, demo.stack.names)
    assert text == code(demo.stack)


def test_the_page_needs_neither_script_nor_network(port):
    text = get(port).text
    links = [each.get("href") for each in parsed(text).iter() if each.get("href")]
    assert "<script" not in text
    assert not re.search(r"\bsrc=|@import|url\(", text)
    assert links
    assert all(link.startswith("/") for link in links)


def test_the_policy_of_the_response_names_the_nonce_of_its_style(port):
    got = get(port)
    [nonce] = re.findall(r'<style nonce="([^"]+)">', got.text)
    assert f"style-src 'self' 'nonce-{nonce}'" in dict(got.headers)["Content-Security-Policy"]
    assert " style=" not in got.text


def test_every_link_of_the_page_answers_and_has_a_command_to_type(port):
    rows = [(path, typed) for path, typed, _ in table(get(port).text, "live")]
    assert {path: get(port, path).status for path, _ in rows} == {
        "/orders": 200,
        "/error": 500,
        "/stream": 200,
        "/missing": 404,
    }
    for path, typed in rows:
        assert typed.startswith("curl ")
        assert typed.endswith(f" http://127.0.0.1:{port}{path}")


# -- the recorded exchanges ------------------------------------------------------------------------------------------

EXCHANGES = samples(demo.stack, demo.route).exchanges
CHANGING = {"server-timing", "x-request-id"}


@pytest.mark.parametrize("exchange", EXCHANGES, ids=[each.title for each in EXCHANGES])
def test_a_client_that_sends_a_recorded_request_gets_the_recorded_response(port, exchange):
    told = exchange.told
    got = get(port, told.target, told.method, fields=exchange.fields)
    assert got.status == int(told.status[:3])
    known = CHANGING | OF_THE_SERVER | {"content-length"}  # which the server adds to an empty body
    received = sorted((name.lower(), value) for name, value in got.headers if name.lower() not in known)
    assert sorted((name.lower(), value) for name, value in told.headers if name.lower() not in known) == received


def test_the_exchanges_show_what_a_stack_is_for():
    assert [(each.told.method, each.told.status) for each in EXCHANGES] == [
        ("OPTIONS", "204 No Content"),
        ("OPTIONS", "403 Forbidden"),
        ("GET", "200 OK"),
        ("GET", "200 OK"),
        ("GET", "304 Not Modified"),
        ("HEAD", "200 OK"),
        ("GET", "500 Internal Server Error"),
    ]
    granted, refused, plain, encoded, again, head, failed = (dict(each.told.headers) for each in EXCHANGES)
    assert granted["Access-Control-Allow-Origin"] == "https://app.example"
    assert "Access-Control-Allow-Origin" not in refused
    assert int(encoded["Content-Length"]) < int(plain["Content-Length"]) / 10
    assert head["ETag"] == again["ETag"] == encoded["ETag"] == plain["ETag"].rstrip('"') + '-gzip"'
    assert head["Content-Encoding"] == "gzip"
    assert "X-Frame-Options" in failed
    assert EXCHANGES[-1].told.error == "RuntimeError: the application has a bug"


def test_the_page_tells_each_exchange(port):
    shown = parsed(get(port).text)
    found = [each for each in shown.iter(f"{HTML}details") if each.get("name") == "exchange"]
    texts = [" ".join("".join(each.itertext()).split()) for each in found]
    assert len(texts) == len(EXCHANGES)
    for text, exchange in zip(texts, EXCHANGES, strict=True):
        told = exchange.told
        size = (
            f" {int(dict(told.headers)['Content-Length']):,} bytes"
            if told.method == "GET" and told.status[:3] != "304"
            else ""
        )
        typed = command(exchange, f"http://127.0.0.1:{port}")
        assert text.startswith(f"{told.status[:3]} {told.method} {told.target} {exchange.title}{size} {typed}")
        assert all(f"{name}{value}" in text for name, value in exchange.fields.items())
        assert [step.name in text for step in told.steps] == [True] * len(told.steps)
    assert "noteorigin https://other.example is not listed in allow_origins" in texts[1]
    assert f"{APPLICATION} was not reached" in texts[1]
    assert f"{APPLICATION} answers 200 OK" in texts[4]
    assert f"{APPLICATION} raises RuntimeError: the application has a bug; the stack answers" in texts[6]
    assert "Conditional leaves it as it is" in texts[6]
    folded = [re.findall(r"SecurityHeaders (\d) changes and notes", text) for text in texts]
    assert folded == [["9"], ["9"], ["9"], ["9"], ["8"], ["9"], ["9"]]  # no policy on a 304
    assert [len(re.findall("changes and notes", text)) for text in texts] == [1] * len(texts)
    assert [each.get("open") for each in found] == [None] * len(found)


def test_recording_an_error_logs_none_and_leaves_the_logger_as_it_was(caplog):
    for disabled in True, False:
        logger = logging.getLogger("middleware")
        logger.disabled = disabled
        samples.__wrapped__(demo.stack, demo.route)
        assert logger.disabled is disabled
    assert caplog.records == []


@pytest.mark.parametrize(
    ("method", "fields", "typed"),
    [
        ("GET", {}, "curl -s -o /dev/null -D - http://a/b?c"),
        ("GET", {"X": "it's"}, """curl -s -o /dev/null -D - -H 'X: it'"'"'s' http://a/b?c"""),
        ("HEAD", {}, "curl -s -I http://a/b?c"),
        ("OPTIONS", {}, "curl -s -i -X OPTIONS http://a/b?c"),
    ],
)
def test_an_exchange_has_a_command_that_a_shell_understands(method, fields, typed):
    told = dataclasses.replace(TOLD, method=method, target="/b?c")
    assert command(Sample("", fields, told), "http://a") == typed


def test_what_the_stack_costs_is_told_in_microseconds():
    assert '<strong id="whole">1,235 \N{MICRO SIGN}s</strong>' in rendered(Stack(), seconds=0.0012346)
    assert 0 < samples(demo.stack, demo.route).seconds < 1


# -- the Inspector -----------------------------------------------------------------------------------------------------


def test_the_inspector_shows_the_exchanges_of_the_visitor(monkeypatch, capsys):
    ran = []
    monkeypatch.setattr(demo, "run", lambda app, listener, **adjustments: ran.append((app, adjustments)))
    monkeypatch.setattr(demo, "Inspector", lambda: Inspector(token="t"))  # noqa: S106 - of this test
    assert main(["demo", "--listen", "127.0.0.1:0"]) == 0
    [(app, adjustments)] = ran
    local = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "127.0.0.1"}
    assert serve(app, "/orders", **local).status == "200 OK"
    page = serve(app, "/__stack__", QUERY_STRING="key=t", **local)
    assert b'<a href="?exchange=1">GET /orders</a>' in page.body
    assert serve(app, "/__stack__", QUERY_STRING="key=t", HTTP_VIA="1.1 p", **local).status == "404 Not Found"
    assert adjustments == {"clear_untrusted_proxy_headers": False}


def test_the_log_does_not_have_the_token_of_the_inspector(monkeypatch, caplog):
    ran = []
    monkeypatch.setattr(demo, "run", lambda app, listener, **adjustments: ran.append(app))
    caplog.set_level(logging.INFO, "middleware.access")
    main(["demo", "--listen", "127.0.0.1:0"])
    caplog.clear()
    serve(ran[0], "/__stack__", QUERY_STRING="key=secret")
    [record] = caplog.records
    assert "/__stack__?key=***" in record.getMessage()


def test_without_an_inspector_the_page_says_what_it_needs():
    answer = serve(demo.application, "/")
    assert (answer.status, answer.body) == (
        "200 OK",
        b"This page shows what an Inspector records: python -m middleware demo\n",
    )


# -- the other routes ------------------------------------------------------------------------------------------------


def test_an_error_has_every_header_that_the_stack_adds(port):
    by_layers = {name.lower() for name, _, by in table(get(port).text, "headers") if by != APPLICATION}
    got = get(port, "/error")
    assert (got.status, got.text) == (500, "Internal Server Error\n")
    assert by_layers >= {"x-demo", "cache-control", "server-timing", "content-security-policy", "x-frame-options"}
    assert by_layers <= got.names()


def test_a_page_that_is_missing_is_a_404_through_the_same_layers(port):
    got = get(port, "/nothing/here")
    assert got.status == 404
    assert {"x-demo", "server-timing"} <= got.names()


def test_the_stream_comes_whole_and_without_a_length(port):
    got = get(port, "/stream?pause=0")
    assert got.text == "".join(f"line {number} of 5\n" for number in range(1, 6))
    assert "content-length" not in got.names()


@pytest.mark.parametrize(
    ("query", "pause"),
    [("", 0.5), ("pause=0", 0), ("pause=2", 2), ("pause=0.25", 0.25), ("pause=5", 5), ("x=9", 0.5)],
)
def test_a_line_of_the_stream_is_there_before_the_next_is_waited_for(monkeypatch, query, pause):
    naps = []
    monkeypatch.setattr(demo.time, "sleep", naps.append)
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/stream", "QUERY_STRING": query}
    body = iter(demo.application(environ, lambda *_: None))
    assert next(body) == b"line 1 of 5\n"
    assert naps == []
    assert next(body) == b"line 2 of 5\n"
    assert naps == [pause]


@pytest.mark.parametrize(
    "pause",
    ["nan", "inf", "-inf", "-1", "-0.0", "1e999", "1e2", "5.1", "9" * 5000, "x", "", "1_0", "%d9%a3", "1\n"],
)
def test_a_pause_that_is_no_number_of_seconds_from_0_to_5_is_a_400(pause):
    heads = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/stream", "QUERY_STRING": urlencode({"pause": unquote(pause)})}
    body = demo.application(environ, lambda status, headers, exc_info=None: heads.append(status))
    assert (heads, b"".join(body)) == (["400 Bad Request"], b"pause is a number of seconds from 0 to 5.\n")


def test_head_has_the_headers_of_get(port):
    got = get(port, method="HEAD")
    assert got.text == ""
    assert get(port).names() - OF_THE_SERVER <= got.names()


# -- the command -----------------------------------------------------------------------------------------------------


def test_demo_prints_its_chain_and_serves_until_it_is_asked_to_end(monkeypatch, capsys):
    served = []
    monkeypatch.setattr(demo, "run", lambda app, listener, **_: served.append(listener.getsockname()[0]))
    assert main(["demo", "--listen", "127.0.0.1:0"]) == 0
    assert served == ["127.0.0.1"]
    assert capsys.readouterr().out == f"{demo.stack}\n"


def test_the_order_of_the_demo_is_right_and_can_be_shown(capsys):
    assert main(["check", "middleware.cli.demo:stack"]) == 0
    assert capsys.readouterr().out.startswith("Nothing to fix: RequestId, Timing, SecurityHeaders, CORS, Headers")


# -- the page, of other stacks ---------------------------------------------------------------------------------------


def hello(environ, start_response):
    start_response("200 OK", [("Set-Cookie", "a=1"), ("Set-Cookie", "a=1"), ("X-Kept", "k"), ("X-Old", "o")])
    return [b"hello"]


def test_what_comes_from_a_request_or_a_response_is_escaped():
    def hostile(environ, start_response):
        start_response("200 <s>", [("X", '<b>"&'), ("Y", "<b>")])
        return []

    told = Stack(Headers(remove=["X"], set={"Z": "<u>"}).named("<layer>")).explain(hostile, "/?<i>", x="<q>")
    exchange = Sample("<t>", {"X": "<q>"}, told)
    text = rendered(Stack(Headers(set={"X": "<u>"}).named("<layer>")), told, [exchange], HTTP_HOST='"><script>')
    assert not re.search(r"<(b|i|q|s|t|u|layer|script)>", text)
    assert "curl -i http://127.0.0.1:8080/error" in text
    assert table(text, "gone") == [["X", '<b>"&', f"{APPLICATION} \N{MULTIPLICATION X} <layer>"]]


@pytest.mark.parametrize("host", ["shop.example", "shop.example:81", "[::1]:80", "[::1]"])
def test_the_commands_name_the_host_that_was_asked(host):
    assert f"curl -i http://{host}/error" in rendered(Stack(), HTTP_HOST=host)


def test_a_nonce_is_put_on_the_style():
    assert '<style nonce="abc">' in rendered(Stack(), **{"middleware.csp_nonce": "abc"})
    assert "<style>" in rendered(Stack())


def test_the_longest_time_has_the_longest_bar():
    step = Stack(Headers(set={"X-A": "1"})).explain(hello, "/").steps[0]
    steps = tuple(dataclasses.replace(step, seconds=seconds) for seconds in (0.5, 1, 0))
    bars = [
        each.get("width")
        for each in parsed(rendered(Stack(), dataclasses.replace(TOLD, steps=steps))).iter(f"{HTML}rect")
    ]
    assert bars == ["50.0%", "100.0%", "0.0%"]
    assert table(rendered(Stack()), "times") == [["together", "0 \N{MICRO SIGN}s", ""]]


def test_a_layer_that_no_rule_holds_stands_by_choice():
    assert "here by choice: no rule holds it" in rendered(Stack(Headers()))


def test_what_holds_a_layer_is_told_rule_by_rule():
    stack = Stack(Timing(), Headers().named("a"), Headers().named("b"))
    assert [[str(each) for each in rules] for rules in reasons_of(tuple(stack), stack.names)] == [
        ["outside a, b"],
        ["inside Timing"],
        ["inside Timing"],
    ]


# -- who added a line --------------------------------------------------------------------------------------------------


def test_a_line_belongs_to_who_added_it_and_to_who_changed_it():
    stack = Stack(
        Headers(set={"X-Old": "n"}, append={"Set-Cookie": "a=1"}).named("outer"),
        Headers(remove=["X-New"]).named("middle"),
        Headers(set={"X-New": "1", "X-Kept": "k"}).named("inner"),
    )
    told = stack.explain(hello, "/")
    lines, gone = attributed(told)
    assert [line[:2] for line in lines] == list(told.headers)
    assert sorted(lines) == [
        Line("Set-Cookie", "a=1", ("outer",)),
        Line("Set-Cookie", "a=1", (APPLICATION,)),
        Line("Set-Cookie", "a=1", (APPLICATION,)),
        Line("X-Kept", "k", (APPLICATION,)),
        Line("X-Old", "n", (APPLICATION, "outer")),
    ]
    assert gone == [Line("X-New", "1", ("inner",), "middle")]


def test_a_layer_that_answers_is_who_added_it():
    class Refuse(Middleware):
        def on_request(self, environ):
            return hello

    lines, gone = attributed(Stack(Headers(set={"X-A": "1"}), Refuse()).explain(hello, "/"))
    assert {(line.name, line.by) for line in lines} == {
        ("Set-Cookie", ("Refuse",)),
        ("X-Kept", ("Refuse",)),
        ("X-Old", ("Refuse",)),
        ("X-A", ("Headers",)),
    }
    assert gone == []


class Breaks(Middleware):
    """Raises on a response."""

    def on_response(self, environ, response):
        raise RuntimeError("after the application")


@pytest.mark.parametrize("layers", [[], [Breaks()]])
def test_the_head_of_an_error_has_the_lines_of_the_error_alone(layers):
    def failing(environ, start_response):
        start_response("200 OK", [("X-Lost", "1")])
        raise RuntimeError("after the head")

    app = hello if layers else failing
    lines, gone = attributed(Stack(Headers(set={"X-A": "1"}), *layers).explain(app, "/"))
    assert [(line.name, line.by) for line in lines] == [
        ("Content-Type", (APPLICATION,)),
        ("Content-Length", (APPLICATION,)),
        ("Vary", (APPLICATION,)),
        ("X-A", ("Headers",)),
    ]
    assert gone == []

"""The demo, over a real socket: what its page tells of a response is what the client of that response got."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import re
import subprocess
import sys
import threading
from types import SimpleNamespace
from typing import NamedTuple
from urllib.parse import unquote, urlencode
from xml.etree import ElementTree as ET

import pytest

from middleware import Headers, Middleware, Stack, Timing
from middleware.cli import demo
from middleware.cli.command import main
from middleware.cli.demo.ledger import KEY, Ledger, Line, Record
from middleware.cli.demo.page import page
from middleware.stack.order import reasons_of

PATIENCE = 60  # seconds after which a process that a test waits for is taken for stuck
HTML = "{http://www.w3.org/1999/xhtml}"
OF_THE_SERVER = {"date", "transfer-encoding", "connection"}
APPLICATION = "the application"


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


def get(port, path="/", method="GET", version=11, accept="identity"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection._http_vsn, connection._http_vsn_str = version, f"HTTP/1.{version % 10}"
    with contextlib.closing(connection):
        connection.request(method, path, headers={"Accept-Encoding": accept})
        response = connection.getresponse()
        decode = gzip.decompress if response.headers["Content-Encoding"] == "gzip" else bytes
        return Got(response.status, response.getheaders(), decode(response.read()).decode())


def table(text, name):
    """The cells of a table of the page, row by row."""
    [found] = [each for each in parsed(text).iter(f"{HTML}table") if each.get("id") == name]
    return [["".join(cell.itertext()) for cell in row] for row in found.find(f"{HTML}tbody")]


def parsed(text):
    return ET.fromstring(text)  # noqa: S314 - our own


def rendered(stack, record=None, **environ):
    return page(stack, {"wsgi.url_scheme": "http", **environ})(record or Record())


def called(app, path="/", method="GET", **extra):
    """What a server would send: status, header lines, body."""
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "wsgi.url_scheme": "http", **extra}
    heads = []
    body = app(environ, lambda *head: heads.append(head[:2]))
    text = b"".join(body).decode()
    return SimpleNamespace(status=heads[-1][0], lines=heads[-1][1], text=text, environ=environ)


# -- the page tells the truth ----------------------------------------------------------------------------------------


def test_a_browser_shows_the_page_and_has_measured_what_it_says(port, browser):
    """Under its own strict policy: the style has a nonce, and the console is silent."""
    with browser.new_context() as context:
        visit, said = context.new_page(), []
        visit.on("console", lambda message: said.append(message.text))
        visit.on("pageerror", lambda error: said.append(str(error)))
        answer = visit.goto(f"http://127.0.0.1:{port}/")
        shown = visit.eval_on_selector_all("#timing tbody tr", "rows => rows.map(row => row.children[0].textContent)")
        [entry] = visit.evaluate("performance.getEntriesByType('navigation').map(entry => entry.toJSON())")
        assert answer.headers["content-encoding"] == "zstd"
        assert 0 < entry["encodedBodySize"] < entry["decodedBodySize"]
        assert [metric["name"] for metric in entry["serverTiming"]] == shown
        assert visit.evaluate("getComputedStyle(document.querySelector('.card')).overflowX") == "auto"
        assert said == []
        assert visit.goto(f"http://127.0.0.1:{port}/error").status == 500


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
        "Timing-Allow-Origin": "CORS",
        "Vary": "CORS",
        "X-Demo": "Headers",
        "Cache-Control": "Headers",
        "Server-Timing": "Timing",
    }
    assert table(text, "gone") == [
        ["X-Powered-By", "plain WSGI", APPLICATION, "Headers"],
        ["Vary", "Accept-Encoding", "Compress", "CORS"],
    ]


@pytest.mark.parametrize(
    ("accept", "sent", "told"),
    [("gzip", ["gzip"], "encoded, in gzip."), ("identity", [], "as it is: no layer encoded it.")],
)
def test_the_page_says_in_what_coding_it_came(port, accept, sent, told):
    got = get(port, accept=accept)
    assert [value for name, value in got.headers if name == "Content-Encoding"] == sent
    notes = ["".join(each.itertext()) for each in parsed(got.text).iter(f"{HTML}p") if each.get("class") == "note"]
    assert notes[0].endswith(f"The body came to you {told}")
    assert [row[2] for row in table(got.text, "headers") if row[0] == "Content-Encoding"] == ["Compress"] * len(sent)


def test_the_table_of_times_is_the_server_timing_header(port):
    got = get(port)
    rows = [(name, milliseconds) for name, _, milliseconds, _ in table(got.text, "timing")]
    sent = re.findall(r'([\w-]+)(?:;desc="[^"]*")?;dur=([\d.]+)', dict(got.headers)["Server-Timing"])
    assert rows == sent
    assert [name for name, _ in rows] == [
        "total",
        "describe",
        "Timing",
        "SecurityHeaders",
        "CORS",
        "Headers",
        "Compress",
    ]


def test_the_chain_is_the_stack_numbered_outermost_first_with_its_reasons(port):
    [chain] = parsed(get(port).text).iter(f"{HTML}ol")
    items = ["".join(item.itertext()) for item in chain]
    assert len(items) == len(demo.stack) + 1
    for number, (name, layer, item) in enumerate(zip(demo.stack.names, demo.stack, items, strict=False), 1):
        assert item.startswith(f"{number}{name}{layer!r}")
        assert all(text in item for pair in layer.describe() for text in pair)
    assert "outside SecurityHeaders, CORS, Headers, Compress: what measures stands outside what does work" in items[1]
    assert "inside Ledger, Timing" in items[2]
    assert items[-1].endswith(APPLICATION)


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
    rows = [(path, command) for path, _, command in table(get(port).text, "try")]
    assert {path: get(port, path).status for path, _ in rows} == {
        "/": 200,
        "/error": 500,
        "/stream": 200,
        "/missing": 404,
    }
    for path, command in rows:
        assert command.startswith("curl ")
        assert command.endswith(f" http://127.0.0.1:{port}{path}")


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
    monkeypatch.setattr(demo, "run", lambda app, listener: served.append((app, listener.getsockname()[0])))
    assert main(["demo", "--listen", "127.0.0.1:0"]) == 0
    assert served == [(demo.application, "127.0.0.1")]
    assert capsys.readouterr().out == f"{demo.stack}\n"


def test_the_order_of_the_demo_is_right_and_can_be_shown(capsys):
    assert main(["check", "middleware.cli.demo:stack"]) == 0
    assert capsys.readouterr().out.startswith("Nothing to fix: Ledger, Timing, SecurityHeaders, CORS, Headers")


# -- the page, of other stacks ---------------------------------------------------------------------------------------


def test_what_comes_from_a_request_or_a_response_is_escaped():
    record = Record()
    record.note("<i>", [("X", '<b>"&')])
    record.note("<j>", [])
    text = rendered(Stack(Headers(set={"X": "<u>"}).named("<layer>")), record, HTTP_HOST='"><script>')
    assert not re.search(r"<(b|i|j|u|layer|script)>", text)
    assert "curl -i http://127.0.0.1:8080/error" in text
    assert table(text, "gone") == [["X", '<b>"&', "<i>", "<j>"]]


@pytest.mark.parametrize("host", ["shop.example", "shop.example:81", "[::1]:80", "[::1]"])
def test_the_commands_name_the_host_that_was_asked(host):
    assert f"curl -i http://{host}/error" in rendered(Stack(), HTTP_HOST=host)


def test_a_nonce_is_put_on_the_style():
    assert '<style nonce="abc">' in rendered(Stack(), **{"middleware.csp_nonce": "abc"})
    assert "<style>" in rendered(Stack())


def test_without_times_and_without_losses_the_tables_say_so():
    text = rendered(Stack())
    assert table(text, "timing") == [["nobody measured"]]
    assert table(text, "gone") == [["nothing"]]


def test_a_metric_is_described_by_its_own_words_or_by_what_it_is():
    record = Record()
    record.note(
        "Timing", [("server-timing", 'db;desc="a \\"b\\", c;dur=9";dur=1.5, total;dur=3, Headers;dur=0, odd;dur=0')]
    )
    assert [row[:3] for row in table(rendered(Stack(Headers()), record), "timing")] == [
        ["db", 'a "b", c;dur=9', "1.5"],
        ["total", "from the request to the head of the response", "3"],
        ["Headers", "the layer itself, without what lies inside it", "0"],
        ["odd", "", "0"],
    ]
    bars = [each.get("width") for each in parsed(rendered(Stack(), record)).iter(f"{HTML}rect")]
    assert bars == ["50.0%", "100.0%", "0.0%", "0.0%"]


def test_a_layer_that_no_rule_holds_stands_by_choice():
    assert "here by choice: no rule holds it" in rendered(Stack(Headers()))


def test_what_holds_a_layer_is_told_rule_by_rule():
    stack = Stack(Timing(), Headers().named("a"), Headers().named("b"))
    assert [[str(each) for each in rules] for rules in reasons_of(tuple(stack), stack.names)] == [
        ["outside a, b"],
        ["inside Timing"],
        ["inside Timing"],
    ]


# -- the ledger ------------------------------------------------------------------------------------------------------


def hello(environ, start_response):
    start_response("200 OK", [("Set-Cookie", "a=1"), ("Set-Cookie", "a=1"), ("X-Kept", "k"), ("X-Old", "o")])
    return [b"hello"]


def test_a_line_belongs_to_who_sent_it_in_its_present_form():
    stack = Stack(
        Ledger(),
        Headers(set={"X-Old": "n"}, append={"Set-Cookie": "a=1"}).named("outer"),
        Headers(remove=["X-New"]).named("middle"),
        Headers(set={"X-New": "1", "X-Kept": "k"}).named("inner"),
    )
    answer = called(stack.wrap(hello))
    record = answer.environ[KEY]
    assert [line[:2] for line in record.lines] == answer.lines
    assert sorted(record.lines) == [
        Line("Set-Cookie", "a=1", "outer"),
        Line("Set-Cookie", "a=1", APPLICATION),
        Line("Set-Cookie", "a=1", APPLICATION),
        Line("X-Kept", "k", APPLICATION),
        Line("X-Old", "n", "outer"),
    ]
    assert record.gone == [Line("X-New", "1", "inner", "middle"), Line("X-Old", "o", APPLICATION, "outer")]


@pytest.mark.parametrize("more", [(), (Timing(layers=True, clock=lambda: 0.0).named("again"),)], ids=["one", "two"])
def test_the_ledger_changes_nothing(more):
    """Not even what a layer that looks at the others tells of them."""
    layers = Timing(layers=True, clock=lambda: 0.0), *more, Headers(set={"X-A": "1"}), Headers(default={"X-B": "2"})
    plain, noted = (
        called(Stack(*outermost, *layers).wrap(hello, waive=("unique",))) for outermost in ((), (Ledger(),))
    )
    assert (noted.status, noted.lines, noted.text) == (plain.status, plain.lines, plain.text)


def test_a_layer_that_answers_is_who_sent_it():
    class Refuse(Middleware):
        def on_request(self, environ):
            return hello

    answer = called(Stack(Ledger(), Headers(set={"X-A": "1"}), Refuse()).wrap(hello))
    assert {(line.name, line.by) for line in answer.environ[KEY].lines} == {
        ("Set-Cookie", "Refuse"),
        ("X-Kept", "Refuse"),
        ("X-Old", "Refuse"),
        ("X-A", "Headers"),
    }


def test_the_head_of_an_error_is_told_anew():
    def failing(environ, start_response):
        start_response("200 OK", [("X-Lost", "1")])
        raise RuntimeError("after the head")

    answer = called(Stack(Ledger(), Headers(set={"X-A": "1"})).wrap(failing))
    record = answer.environ[KEY]
    assert answer.status == "500 Internal Server Error"
    assert [(line.name, line.by) for line in record.lines] == [
        ("Content-Type", APPLICATION),
        ("Content-Length", APPLICATION),
        ("Vary", APPLICATION),
        ("X-A", "Headers"),
    ]
    assert record.gone == []

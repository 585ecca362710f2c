"""AccessLog: one line for each request, with the truth about it, whatever the request and the application do."""

from __future__ import annotations

import json
import logging
import re
import time
from datetime import datetime, timezone
from types import SimpleNamespace
from wsgiref.util import FileWrapper

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from gateway import environ, serve
from layers_under_test import LAYERS, plain, request, stack
from middleware import (
    AccessLog,
    Compress,
    ConfigError,
    External,
    Headers,
    Metrics,
    Middleware,
    RequestId,
    Stack,
    Timing,
    match,
)
from middleware.testing.shapes import SHAPES
from shapes import TEXT, coroutine, returning

HELLO = returning([b"hello"], headers=TEXT)[0]
COMMON = r'(\S+) - (\S+) \[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000)\] "(\S+) (\S+) (\S+)" (\d{3}|-) (\d+|-)'
COMBINED = re.compile(COMMON + r' "([^"]*)" "([^"]*)" (\d+\.\d{6})((?: "[^"]*")*)')


class Lines(logging.Handler):
    """The records that reach a handler."""

    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record)

    @property
    def texts(self):
        return [record.getMessage() for record in self.records]


@pytest.fixture
def lines():
    logger = logging.getLogger("middleware.access")
    handler = Lines()
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)
    logger.propagate = True


def logged(lines, app=HELLO, path="/", method="GET", *, stop_after=None, **told):
    """The answer, and the only line, of one request."""
    options = {name: told.pop(name) for name in [*told] if name.islower() and "." not in name}
    answer = serve(Stack(AccessLog(**options)).wrap(app), path, method, stop_after=stop_after, lint=False, **told)
    [text] = lines.texts
    return answer, text


# -- formats ---------------------------------------------------------------------------------------------------------

ASKED = {
    "REMOTE_ADDR": "192.0.2.7",
    "REMOTE_USER": "ada",
    "QUERY_STRING": "q=1",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "HTTP_REFERER": "https://a.example/",
    "HTTP_USER_AGENT": "curl/8.5",
    "HTTP_X_TENANT": "acme",
}


def test_common_is_the_common_log_format(lines):
    _, line = logged(lines, format="common", **ASKED)
    found = re.fullmatch(COMMON, line)
    assert found.group(1, 2, 4, 5, 6, 7, 8) == ("192.0.2.7", "ada", "GET", "/?q=1", "HTTP/1.1", "200", "5")


@pytest.mark.parametrize("month", range(1, 13))
@pytest.mark.parametrize(
    ("kind", "told"), [("common", "[09/{:%b}/2026:08:07:06 +0000]"), ("json", '"2026-{:%m}-09T08:07:06.250000+00:00"')]
)
def test_the_time_is_when_the_request_came_in_utc(lines, monkeypatch, kind, told, month):
    came = datetime(2026, month, 9, 8, 7, 6, 250_000, tzinfo=timezone.utc)
    clock = SimpleNamespace(time=came.timestamp, gmtime=time.gmtime)
    monkeypatch.setattr("middleware.layers.access_log.time", clock)
    assert told.format(came) in logged(lines, format=kind)[1]


def test_combined_adds_referer_user_agent_and_duration_and_is_the_default(lines):
    _, line = logged(lines, **ASKED)
    found = COMBINED.fullmatch(line)
    assert found.group(1, 7, 8, 9, 10, 12) == ("192.0.2.7", "200", "5", "https://a.example/", "curl/8.5", "")


@pytest.mark.parametrize("kind", ["common", "combined"])
def test_fields_of_the_request_come_last(lines, kind):
    _, line = logged(lines, format=kind, fields=["X-Tenant", "X-Missing"], **ASKED)
    assert line.endswith(' "acme" "-"')


def test_the_fields_of_each_request_are_logged(lines):
    app = AccessLog(HELLO, fields="X-Tenant")
    for tenant in ("a", "b"):
        serve(app, HTTP_X_TENANT=tenant)
    assert [line[-4:] for line in lines.texts] == [' "a"', ' "b"']


def test_the_fields_whose_keys_have_no_prefix_are_found_too(lines):
    """RFC 3875 4.1.2 and 4.1.3."""
    _, line = logged(lines, fields=["Content-Type", "content-length"], CONTENT_TYPE="text/csv", CONTENT_LENGTH="0")
    assert line.endswith(' "text/csv" "0"')


def test_json_has_the_names_of_opentelemetry(lines):
    answer = serve(
        Stack(RequestId(), AccessLog(format="json", fields="X-Tenant")).wrap(HELLO),
        "/caf\xc3\xa9",
        HTTP_X_REQUEST_ID="given",
        **ASKED,
    )
    [line] = lines.texts
    told = json.loads(line)
    assert 0 <= told.pop("time_to_head") <= told.pop("duration") < 60
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", told.pop("timestamp"))
    assert told == {
        "client.address": "192.0.2.7",
        "user.name": "ada",
        "http.request.method": "GET",
        "http.request.method_original": None,
        "url.path": "/caf%C3%A9",
        "url.query": "q=1",
        "network.protocol.name": "http",
        "network.protocol.version": "1.1",
        "user_agent.original": "curl/8.5",
        "http.request.header.referer": "https://a.example/",
        "request_id": answer.get("X-Request-Id"),
        "http.response.status_code": 200,
        "http.response.body.size": 5,
        "error.type": None,
        "client_gone": False,
        "http.request.header.x-tenant": "acme",
    }


@pytest.mark.parametrize(
    ("kind", "told"), [("json", '"duration": 1.5, "time_to_head": 0.25'), ("combined", '"-" 1.500000')]
)
def test_times_are_in_seconds_from_the_request_to_the_head_and_to_the_close(lines, monkeypatch, kind, told):
    now = iter([10, 10.25, 11.5])
    monkeypatch.setattr("middleware.wsgi.measurement.time", SimpleNamespace(perf_counter=lambda: next(now)))
    assert told in logged(lines, format=kind)[1]


def test_json_says_null_for_what_is_not_known_and_other_for_a_method_that_is_not(lines):
    bare = {"REMOTE_ADDR": "", "SERVER_PROTOCOL": ""}
    _, line = logged(lines, format="json", method="BREW", **bare)
    told = json.loads(line)
    assert (told["http.request.method"], told["http.request.method_original"]) == ("_OTHER", "BREW")
    unknown = {name for name, value in told.items() if value is None}
    assert unknown == {
        *("client.address", "user.name", "url.query", "network.protocol.name", "network.protocol.version"),
        *("user_agent.original", "http.request.header.referer", "request_id", "error.type"),
    }


def test_json_shows_text_as_the_utf_8_that_it_holds(lines):
    _, line = logged(lines, format="json", HTTP_USER_AGENT="caf\xc3\xa9 \xff", REMOTE_USER="\u2603")
    told = json.loads(line)
    assert (told["user_agent.original"], told["user.name"]) == ("caf\u00e9 \\xff", "\u2603")
    assert line.isascii()


def test_a_callable_gets_the_measurement(lines):
    told = []
    _, line = logged(lines, format=lambda measurement: told.append(measurement) or "said\nso", **ASKED)
    [m] = told
    assert repr(m) == "<Measurement GET '/' 200 OK>"
    assert line == "said\\x0Aso"
    assert (m.client, m.user, m.target, m.protocol) == ("192.0.2.7", "ada", "/?q=1", "HTTP/1.1")
    assert (m.method, m.path, m.status, m.status_code, m.bytes_sent) == ("GET", "/", "200 OK", 200, 5)
    assert (m.referer, m.user_agent, m.request_id, m.gone, m.error) == (
        *("https://a.example/", "curl/8.5", None, False, None),
    )


def test_a_callable_that_returns_none_logs_nothing(lines):
    serve(AccessLog(HELLO, format=lambda measurement: None))
    assert lines.texts == []


def test_a_record_has_attributes_for_formatters(lines):
    serve(Stack(RequestId(), AccessLog().named("site")).wrap(HELLO), "/a\nb", HTTP_X_REQUEST_ID="given")
    [record] = lines.records
    assert (record.request_id, record.method, record.path, record.layer) == ("given", "GET", "/a\\nb", "site")
    assert (record.name, record.args) == ("middleware.access", ())


@pytest.mark.parametrize(
    ("request_target", "shown"),
    [
        ({"REQUEST_URI": "/a%2Fb?x=1"}, "/a%2Fb?x=1"),
        ({"RAW_URI": "//a/../b"}, "//a/../b"),
        ({"REQUEST_URI": "http://a.example/x?y"}, "http://a.example/x?y"),
        ({"SCRIPT_NAME": "/app", "QUERY_STRING": "x=%20"}, "/app/p%20q%3F?x=%20"),
        ({}, "/p%20q%3F"),
    ],
)
def test_the_target_is_what_the_client_sent_as_far_as_the_server_tells(lines, request_target, shown):
    _, line = logged(lines, path="/p q?", format=lambda m: m.target, **request_target)
    assert line == shown


@pytest.mark.parametrize(
    ("uri", "path", "query"),
    [
        ("http://a.example/x?y=http://b/", "/x", "y=http://b/"),
        ("http://a.example?y=1", "/", "y=1"),
        ("/x?y=http://b/", "/x", "y=http://b/"),
        ("/x/http://b/", "/x/http://b/", None),
    ],
)
def test_json_leaves_the_authority_of_the_target_out_of_the_path(lines, uri, path, query):
    """A URL in the query or in the path is no authority of the target (RFC 9112 3.2)."""
    _, line = logged(lines, format="json", REQUEST_URI=uri)
    told = json.loads(line)
    assert (told["url.path"], told["url.query"]) == (path, query)


# -- levels ----------------------------------------------------------------------------------------------------------


def failing_late(environ, start_response):
    start_response("200 OK", TEXT)
    yield b"x"
    raise KeyError("late")


@pytest.mark.parametrize(
    ("app", "level"),
    [
        *((returning([b""], status)[0], "INFO") for status in ("200 OK", "304 Not Modified", "399 X")),
        *((returning([b""], status)[0], "WARNING") for status in ("400 Bad Request", "404 Not Found", "499 X")),
        *((returning([b""], status)[0], "ERROR") for status in ("500 X", "503 X")),
        (failing_late, "ERROR"),
    ],
)
def test_the_level_follows_from_the_status_and_the_error(lines, app, level):
    serve(AccessLog(app), lint=False)
    assert [record.levelname for record in lines.records] == [level]


@pytest.mark.parametrize("level", [logging.DEBUG, "DEBUG"])
def test_the_level_may_be_set(lines, level):
    serve(AccessLog(failing_late, level=level), lint=False)
    assert [record.levelname for record in lines.records] == ["DEBUG"]


def test_a_logger_that_is_not_enabled_makes_no_line(lines):
    logging.getLogger("middleware.access").setLevel(logging.WARNING)
    asked = []
    serve(AccessLog(HELLO, format=asked.append))
    assert (lines.texts, asked) == ([], [])


def test_a_client_that_goes_away_is_told_and_logged_by_its_status(lines):
    app = returning(iter([b"one", b"two"]), headers=TEXT)[0]
    _, line = logged(lines, app, format="json", stop_after=1)
    told = json.loads(line)
    assert (told["client_gone"], told["error.type"], told["http.response.body.size"]) == (True, None, 3)
    assert lines.records[0].levelname == "INFO"


# -- the truth -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
@pytest.mark.parametrize("on_error", ["respond", "raise"])
@pytest.mark.parametrize("stop_after", [None, 1])
def test_one_line_tells_the_truth_about_every_shape_of_application(lines, shape, on_error, stop_after):
    """Status, bytes, error, and a client that went away, as the server saw them."""
    app, _ = shape.make()
    layers = Stack(RequestId(), AccessLog(format="json"), Timing())
    logging.getLogger("middleware").disabled = True
    try:
        answer = serve(layers.wrap(app, on_error=on_error), method=shape.method, stop_after=stop_after, lint=False)
    finally:
        logging.getLogger("middleware").disabled = False
    [line] = lines.texts
    told = json.loads(line)
    if answer.heads:
        assert told["http.response.status_code"] == int(answer.status[:3])
        assert told["time_to_head"] is not None
    if told["http.response.body.size"] is not None and not hasattr(answer.result, "read"):
        assert told["http.response.body.size"] == len(answer.body)
    if stop_after is None:
        assert told["client_gone"] is False
        assert (told["error.type"] is not None) == bool(shape.fails or told["http.response.status_code"] == 503)
    assert told["duration"] >= (told["time_to_head"] or 0)


def test_a_file_that_the_server_sends_counts_by_its_length(lines, tmp_path):
    (tmp_path / "file").write_bytes(b"x" * 70)

    def app(environ, start_response):
        start_response("200 OK", [*TEXT, ("Content-Length", "70")])
        return environ["wsgi.file_wrapper"]((tmp_path / "file").open("rb"))

    def unsized(environ, start_response):
        start_response("200 OK", TEXT)
        return environ["wsgi.file_wrapper"]((tmp_path / "file").open("rb"))

    assert " 200 70" in logged(lines, app, format="common")[1]
    lines.records.clear()
    assert logged(lines, unsized, format="common")[1].endswith(" 200 -")


def test_the_length_of_a_file_is_read_before_the_server_has_the_list_of_lines(lines, tmp_path):
    """PEP 3333 lets a server change the list that it is given."""
    (tmp_path / "file").write_bytes(b"x" * 70)

    def app(environ, start_response):
        start_response("200 OK", [*TEXT, ("Content-Length", "70")])
        return environ["wsgi.file_wrapper"]((tmp_path / "file").open("rb"))

    asked = environ(**{"wsgi.file_wrapper": FileWrapper})
    Stack(AccessLog(format="common")).wrap(app)(asked, lambda status, headers: headers.clear()).close()
    assert lines.texts[0].endswith(" 200 70")


def test_what_a_coding_makes_of_a_body_is_counted_to_its_end(lines):
    text = returning([b"x" * 5000], headers=TEXT)[0]
    answer = serve(Stack(AccessLog(format="json"), Compress()).wrap(text), HTTP_ACCEPT_ENCODING="gzip")
    assert json.loads(lines.texts[0])["http.response.body.size"] == len(answer.body) < 5000


class Teapot(Middleware):
    """Changes the status, and forgets who asked."""

    def on_response(self, environ, response):
        response.status = "418 I'm a Teapot"
        environ["middleware.status"] = 418  # as the pipeline does when the response is over


def test_the_status_is_the_one_that_the_server_got(lines):
    """Also where a layer further out changed it."""
    serve(Stack(Teapot(), AccessLog(format="json")).wrap(HELLO, waive="measure-outermost"))
    assert json.loads(lines.texts[0])["http.response.status_code"] == 418


def test_what_a_request_was_is_taken_when_it_comes_in(lines):
    def app(environ, start_response):
        environ.update(REQUEST_METHOD="PUT", PATH_INFO="/other", QUERY_STRING="", REMOTE_ADDR="x", HTTP_REFERER="x")
        environ["REMOTE_USER"] = "ada"  # who asked is known further in
        return HELLO(environ, start_response)

    _, line = logged(lines, app, path="/asked", QUERY_STRING="q", REMOTE_ADDR="192.0.2.7")
    assert COMBINED.fullmatch(line).group(1, 2, 4, 5, 9) == ("192.0.2.7", "ada", "GET", "/asked?q", "-")


@pytest.mark.parametrize("layer", [AccessLog(), Metrics(registry=CollectorRegistry()), RequestId()])
def test_an_application_that_clears_the_environ_is_no_error(lines, layer):
    def app(environ, start_response):
        environ.clear()
        return HELLO(environ, start_response)

    answer = serve(Stack(layer).wrap(app), lint=False)
    assert (answer.status, answer.body, answer.error) == ("200 OK", b"hello", None)


def test_a_request_that_a_layer_further_out_failed_on_is_not_logged(lines, caplog):
    class Fails(Middleware):
        def on_request(self, environ):
            raise KeyError("early")

    assert serve(Stack(Fails(), AccessLog()).wrap(HELLO, waive="measure-outermost")).status.startswith("500")
    assert lines.texts == []


def test_it_may_stand_around_itself(lines):
    """The same value around a site and around a part of it: a line for each, each with its own head."""
    log = AccessLog(format="json")
    inner = log.wrap(HELLO)

    def app(environ, start_response):
        return inner(environ, lambda status, headers, *rest: start_response("404 Not Found", headers, *rest))

    serve(log.wrap(app))
    assert [json.loads(line)["http.response.status_code"] for line in lines.texts] == [200, 404]


def test_an_instance_that_is_called_within_itself_keeps_both_apart(lines):
    def app(environ, start_response):
        if environ.setdefault("depth", 0):
            return HELLO(environ, start_response)
        environ["depth"] = 1
        return log(environ, lambda status, headers, *rest: start_response("404 Not Found", headers, *rest))

    log = AccessLog(app, format="json")
    serve(log)
    assert [json.loads(line)["http.response.status_code"] for line in lines.texts] == [200, 404]


def test_copies_of_one_layer_in_one_stack_keep_their_requests_apart(lines):
    log = AccessLog(format="json")
    serve(Stack(log, log.named("other"), log.when(lambda environ: True)).wrap(HELLO, waive="unique"))
    assert [json.loads(line)["time_to_head"] is not None for line in lines.texts] == [True] * 3


def test_between_third_party_middleware_there_is_one_line(lines):
    serve(Stack(AccessLog(), External(plain), Headers(set={"X": "1"})).wrap(HELLO))
    assert len(lines.texts) == 1


@pytest.mark.parametrize("layers", [name for name in LAYERS if "log" not in name and "sight" not in name])
def test_there_is_one_line_around_every_layer(lines, layers):
    app = stack(layers).wrap(HELLO, waive=("measure-outermost", "set-inside-read"))
    answer = serve(AccessLog(app, format="json"), **request(layers))
    [line] = lines.texts
    told = json.loads(line)
    assert (told["http.response.status_code"], told["http.response.body.size"]) == (200, len(answer.body))


# -- skip and redact -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "count"), [("/health", 0), ("/health/../admin", 1), ("/", 1)])
def test_what_is_skipped_is_not_logged_if_that_is_certain(lines, path, count):
    serve(AccessLog(HELLO, skip=match.path("/health")), path)
    assert len(lines.texts) == count


REDACTED = [
    ("a=1&token=s&b=2", "a=1&token=***&b=2"),
    ("token=s", "token=***"),
    ("Token=s&TOKEN=s", "Token=***&TOKEN=***"),
    ("to%6ben=s", "to%6ben=***"),
    ("token=s;b=2", "token=***"),  # where only & separates, that is the value
    ("a=1;token=s;b=2", "a=1;token=***"),
    ("token", "token"),
    ("tokens=s&a=token=s", "tokens=s&a=token=s"),
    ("token==s=", "token=***"),
    ("a+key=s", "a+key=***"),
    (f"a{';' * 2000}token=s;;", f"a{';' * 2000}token=***"),
    ("%74%6F%6B%65%6E=s", "%74%6F%6B%65%6E=***"),
    ("contrase%C3%B1a=s", "contrase%C3%B1a=***"),
]


@pytest.mark.parametrize(("query", "shown"), REDACTED)
def test_values_of_query_parameters_are_left_out_everywhere(lines, query, shown):
    told = {"QUERY_STRING": query, "HTTP_REFERER": f"https://a.example/?{query}"}
    for kind in ("common", "combined", "json", lambda m: f"{m.target} {m.referer}"):
        lines.records.clear()
        _, line = logged(lines, format=kind, redact=["token", "a key", "contrase\xf1a"], fields="Referer", **told)
        assert f"/?{query}" not in line or query == shown
        assert f"/?{shown}" in line


@pytest.mark.parametrize("name", ["contrase\xc3\xb1a", "CONTRASE\xc3\x91A", "contrase\xf1a", "c%6Fntrase\xc3\xb1a"])
def test_a_name_that_the_client_has_not_encoded_is_found(lines, name):
    """In the bytes of UTF-8, as servers give it, and as the text itself."""
    told = {"QUERY_STRING": f"{name}=hunter2", "HTTP_REFERER": f"https://a.example/?{name}=hunter2"}
    _, line = logged(lines, redact="contrase\xf1a", **told)
    assert (line.count("=***"), "hunter2" in line) == (2, False)


def test_the_longest_form_of_a_name_is_found(lines):
    _, line = logged(lines, redact="\N{HERB}", QUERY_STRING="a;%F0%9F%8C%BF=s")
    assert "a;%F0%9F%8C%BF=*** " in line


def test_a_referer_without_a_query_stays(lines):
    _, line = logged(lines, redact="token", HTTP_REFERER="https://a.example/token=s")
    assert '"https://a.example/token=s"' in line


# -- hostile requests ------------------------------------------------------------------------------------------------

HOSTILE = [
    *("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "SERVER_PROTOCOL", "REMOTE_ADDR", "REMOTE_USER"),
    *("HTTP_REFERER", "HTTP_USER_AGENT", "HTTP_X_TENANT", "REQUEST_URI"),
]
anything = st.text(st.characters(max_codepoint=255), max_size=40)


@given(
    st.sampled_from(["common", "combined", "json"]),
    st.fixed_dictionaries(
        dict.fromkeys(HOSTILE, anything),
    ),
)
def test_no_request_breaks_its_line(kind, told):
    handler = Lines()
    logger = logging.Logger("hostile")  # noqa: LOG001 - one for this example alone
    logger.addHandler(handler)
    app = AccessLog(HELLO, format=kind, logger=logger, redact=["token"], fields=["X-Tenant"])
    body = app({**environ(), **told}, lambda *head: None)
    body.close()
    [line] = handler.texts
    assert line.isascii()
    assert line.isprintable()
    if kind == "json":
        assert "client.address" in json.loads(line)
    else:
        found = re.fullmatch(COMMON + r'( "[^"]*" "[^"]*" \d+\.\d{6})?( "[^"]*")', line)
        assert found is not None, line


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("REMOTE_USER", "ada lovelace", r"- ada\x20lovelace ["),
        ("REMOTE_USER", '"\\', r"- \x22\x5C ["),
        ("HTTP_USER_AGENT", 'a "b" \\ \x7f \xe9\r\n', r'"a \x22b\x22 \x5C \x7F \xE9\x0D\x0A"'),
        ("REQUEST_URI", "/a b\t", r'"GET /a\x20b\x09 HTTP/1.0"'),
        ("REMOTE_USER", "\u2603", r"- \xE2\x98\x83 ["),
    ],
)
def test_what_could_break_a_line_is_escaped(lines, name, value, shown):
    assert shown in logged(lines, **{name: value})[1]


# -- loggers and what they raise -------------------------------------------------------------------------------------


def test_the_logger_has_one_null_handler():
    logger = logging.getLogger("site.quiet")
    for _ in range(3):
        AccessLog(logger="site.quiet")
        AccessLog(logger=logger)
    assert [type(handler) for handler in logger.handlers] == [logging.NullHandler]


class Broken(logging.Handler):
    def emit(self, record):
        raise OSError("disk full")


@pytest.mark.parametrize(
    "options",
    [
        {"logger": logging.Logger("broken")},  # noqa: LOG001 - one for this test alone
        {"format": lambda measurement: 1 / 0},
        {"format": lambda measurement: 7},
        {"skip": lambda environ: 1 / 0},
    ],
    ids=["handler", "format", "no-text", "skip"],
)
def test_what_fails_is_logged_and_reaches_no_client(options, lines, caplog):
    if "logger" in options:
        options["logger"].addHandler(Broken())
    answer = serve(Stack(AccessLog(**options)).wrap(HELLO))
    assert (answer.status, answer.body, answer.error) == ("200 OK", b"hello", None)
    [record] = [record for record in caplog.records if record.name == "middleware"]
    assert record.exc_info is not None
    assert record.getMessage() in (
        "AccessLog: the request was not logged",
        "AccessLog: skip failed, so the request is logged",
    )


def test_a_handler_that_fails_for_all_loggers_reaches_no_client_either():
    root, broken = logging.getLogger(), Broken()
    root.addHandler(broken)
    logging.getLogger("middleware.access").setLevel(logging.INFO)
    try:
        answer = serve(Stack(AccessLog()).wrap(HELLO))
    finally:
        root.removeHandler(broken)
        logging.getLogger("middleware.access").setLevel(logging.NOTSET)
    assert (answer.body, answer.error) == (b"hello", None)


# -- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"format": "apache"}, 'format: "common", "combined", "json", or a callable(Measurement) -> str; got'),
        ({"format": None}, "format: "),
        ({"logger": 1}, "logger: the name of a logger, or a logging.Logger; got 1"),
        ({"level": "LOUD"}, "level: an int, the name of a level, or None; got 'LOUD'"),
        ({"level": 1.5}, "level: "),
        ({"skip": "/health"}, "skip: a predicate or None; got '/health'"),
        ({"skip": coroutine}, "skip: a predicate or None; a coroutine always counts as true"),
        ({"format": coroutine}, 'format: "common", "combined", "json", or a callable(Measurement) -> str; a coroutine'),
        ({"redact": 1}, "redact: a str, or an iterable of str; got 1"),
        ({"redact": [1]}, "redact: a str, or an iterable of str; got [1]"),
        ({"fields": ["X Y"]}, "fields: field names are tokens; got 'X Y'"),
        ({"fields": "authorization"}, "fields: credentials are never logged; got 'authorization'"),
        ({"fields": ["Cookie"]}, "fields: credentials are never logged"),
        ({"fields": 7, "format": "x"}, "2 options are wrong"),
    ],
)
def test_a_wrong_option_is_an_error(options, said):
    with pytest.raises(ConfigError) as caught:
        AccessLog(**options)
    assert said in str(caught.value)


def test_what_it_does_is_told():
    assert list(AccessLog().describe()) == [("close", "logs the request to middleware.access (combined)")]
    assert list(AccessLog(format=str, logger="x").describe()) == [("close", "logs the request to x (str)")]


def test_a_request_that_never_came_to_a_layer_has_no_measurement():
    assert AccessLog()._followed({}) is None

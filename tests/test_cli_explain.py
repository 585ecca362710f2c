"""`explain`, `show --format source` and `serve --debug`, as they are typed."""

from __future__ import annotations

import io
import json
import re
import socket
import sys
from pathlib import Path

import pytest

from middleware import External, Headers, Stack, Timing
from middleware.cli.command import main
from middleware.cli.debugging import check_debug
from middleware.cli.output import CommandError
from middleware.cli.show import as_source

SHOP = """
from types import SimpleNamespace
from middleware import CORS, External, Headers, Stack

def app(environ, start_response):
    if environ["PATH_INFO"] == "/error":
        raise LookupError("broken")
    keys = "REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "CONTENT_TYPE", "HTTP_COOKIE", "HTTP_X_NAME"
    said = [environ.get(key, "") for key in keys]
    said.append(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode())
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Said", "|".join(said).encode().decode("latin-1"))])
    return [b"hello"]

def hosted(environ, start_response):
    hosts = [environ[key] for key in ("HTTP_HOST",) if key in environ]
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Host", str(hosts))])
    return [b"hello"]

def refuse(app):
    raise TypeError("not good enough")

stack = Stack(CORS(allow_origins="https://a.example"), Headers(set={"X-A": "1"}))
wrapped = stack.wrap(app)
refusing = Stack(External(refuse))

class Flask:
    def __init__(self, wsgi_app):
        self.wsgi_app = wsgi_app
    def wsgi_app(self, environ, start_response):
        return app(environ, start_response)
    def __call__(self, environ, start_response):
        return self.wsgi_app(environ, start_response)

flask = Flask(wrapped)
"""


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Run a command in this process, next to a module of a user."""
    (tmp_path / "explained.py").write_text(SHOP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def run(*arguments):
        return main(arguments), *capsys.readouterr()

    yield run
    sys.modules.pop("explained", None)


def said(command, *arguments):
    """What the application was asked."""
    status, out, _ = command("explain", "explained:app", "--format", "json", *arguments)
    assert status == 0
    return dict(json.loads(out)["response"]["headers"])["X-Said"].encode("latin-1").decode()


@pytest.mark.parametrize(
    ("arguments", "request_"),
    [
        (["/a%20b?c=d"], "GET|/a b|c=d||||"),
        (["-X", "PUT", "/"], "PUT|/|||||"),
        (["-d", "a=\xe4", "/"], "POST|/||application/x-www-form-urlencoded|||a=\xe4"),
        (["-d", "{}", "-X", "PATCH", "-H", "content-type: application/json", "/"], "PATCH|/||application/json|||{}"),
        (
            ["-H", "Cookie: a=1", "-H", "cookie:b=2", "-H", "X-Name: x", "-H", "X-Name: y", "/"],
            "GET|/|||a=1; b=2|x, y|",
        ),
        (["-H", "X-Name;", "-H", "X-Name: y", "/"], "GET|/||||, y|"),
        (["-H", "X-Name:", "-H", "X-Name: y", "/"], "GET|/||||y|"),
        (["-d", "a", "-H", "Content-Type:", "/"], "POST|/|||||a"),
        (["https://a.example/b"], "GET|/b|||||"),
        (["/\xe4?q=\u65e5"], "GET|/\xc3\xa4|q=\xe6\x97\xa5||||"),
        (["-d", "a=1", "-d", "b=2", "/"], "POST|/||application/x-www-form-urlencoded|||a=1&b=2"),
        (["-d", "a=1", "-d", "@form", "/"], "POST|/||application/x-www-form-urlencoded|||a=1&b=2&c=3"),
        (["-d", "@-", "/"], "POST|/||application/x-www-form-urlencoded|||d=4"),
    ],
)
def test_the_request_is_the_one_that_is_typed(command, arguments, request_, monkeypatch):
    Path("form").write_bytes(b"b=2\r\n&c=3\n\0")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"d=4\n")))
    assert said(command, *arguments) == request_


@pytest.mark.parametrize(
    ("typed", "sent"),
    [([], ["Host: 127.0.0.1"]), (["Host:"], []), (["Host;"], ["Host: "]), (["Host:", "Host: b"], ["Host: b"])],
)
def test_a_host_is_left_out_or_empty_if_that_is_typed(command, typed, sent):
    """The application sees it so, too."""
    options = [option for line in typed for option in ("-H", line)]
    status, out, _ = command("explain", "explained:hosted", *options, "/")
    assert status == 0
    assert [line.strip() for line in out.splitlines() if line.startswith("  Host:")] == [line.strip() for line in sent]
    assert f"\n  X-Host: {[line.partition(' ')[2] for line in sent]}\n" in out


@pytest.mark.parametrize(
    "target", [["explained:app", "--stack", "explained:stack"], ["explained:wrapped"], ["explained:flask"]]
)
def test_the_layers_say_what_they_did_and_why(command, target):
    """Also those of a stack that is found in an application."""
    status, out, err = command("explain", *target, "-H", "Origin: https://b.example", "/")
    assert (status, err) == (0, "")
    assert " 1  CORS\n" in out
    assert "     note      origin https://b.example is not listed in allow_origins\n" in out
    assert "               X-Said: GET" in out


def test_an_application_without_a_stack_has_no_layers(command):
    _, out, _ = command("explain", "explained:app", "--format", "json", "/")
    assert json.loads(out)["layers"] == []


def test_the_exit_status_is_0_whatever_the_status_of_the_response_is(command):
    status, out, _ = command("explain", "explained:wrapped", "/error")
    assert status == 0
    assert "\n500 Internal Server Error\n" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["explained:none", "/"], "'explained' has no 'none'"),
        (["explained:app", "--stack", "explained:app", "/"], "not a stack"),
        (["explained:app", "-H", "Origin", "/"], "-H 'Origin': write 'Name: value'"),
        (["explained:app", "-H", ": x", "/"], "-H ': x': write 'Name: value'"),
        (["explained:app", "-H", "Origin;x", "/"], "-H 'Origin;x': write 'Name: value'"),
        (["explained:app", "a"], "a path begins with '/'"),
        (["explained:app", "http://[::1/"], "a URL with http:// or https://; got 'http://[::1/'"),
        (["explained:app", "-d", "@nothing", "/"], "argument -d: @nothing: No such file or directory"),
        (["explained:app", "--stack", "explained:refusing", "/"], "TypeError: not good enough"),
        (["explained:app"], "the following arguments are required: PATH"),
    ],
)
def test_what_cannot_be_explained_is_one_line_and_status_2(command, arguments, message):
    status, out, err = command("explain", *arguments)
    assert (status, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_a_body_from_a_stdin_that_does_not_exist_is_one_line_and_status_2(command, monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    status, out, err = command("explain", "explained:app", "-d", "@-", "/")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "argument -d: @-: No such file" in err


@pytest.mark.parametrize("name", ["stack", "wrapped", "flask"])
def test_show_and_check_find_the_stack_of_an_application(command, name):
    assert command("show", f"explained:{name}")[1] == command("show", "explained:stack")[1]
    assert command("check", f"explained:{name}")[:2] == command("check", "explained:stack")[:2]
    assert command("show", "explained:app")[2].endswith("stacks there: stack, wrapped, refusing, flask\n")


def test_show_source_prints_the_functions_that_serve(command):
    status, out, _ = command("show", "explained:stack", "--format", "source")
    assert status == 0
    assert out.startswith("# CORS, Headers\ndef make(app, general, options, plan, ")
    compile(out, "source", "exec")


def test_show_source_prints_one_function_for_each_pass():
    text = as_source(Stack(Timing(layers=True), External(lambda app: app), Headers()))
    assert re.findall(r"^# .*", text, re.MULTILINE) == [
        "# Timing, _Probe",
        "# lambda: it splits the stack",
        "# _Probe, Headers, _Probe",
    ]
    assert as_source(Stack()).startswith("# no layer\n")


# -- serve --debug ---------------------------------------------------------------------------------------------------


@pytest.fixture
def served(monkeypatch):
    """What `serve` would run, without running it."""
    seen = {}

    def run(app, listener, **adjustments):
        seen.update(app=app, **adjustments)

    monkeypatch.setattr("middleware.cli.serve.run", run)
    return seen


def test_serve_debug_prints_the_url_and_keeps_the_fields_of_proxies(command, served, caplog):
    status, _, _ = command("serve", "explained:app", "--stack", "explained:stack", "--debug", "--listen", "127.0.0.1:0")
    assert status == 0
    assert served["clear_untrusted_proxy_headers"] is False
    assert served["app"].stack.names == ("Debugger", "LoggedId", "AccessLog", "CORS", "Headers")
    [record] = caplog.records
    assert re.search(r"http://127\.0\.0\.1:\d+/__stack__\?key=", record.getMessage())


def test_serve_debug_inspects_the_layers_of_the_stack_of_a_flask_application(command, served):
    command("serve", "explained:flask", "--debug", "--listen", "127.0.0.1:0")
    assert served["app"].stack.names == ("Debugger", "LoggedId", "AccessLog", "CORS", "Headers")


def test_without_debug_nothing_is_inspected(command, served):
    command("serve", "explained:wrapped", "--listen", "127.0.0.1:0")
    assert served["app"].stack.names == ("LoggedId", "AccessLog")
    assert served["app"].app.stack.names == ("CORS", "Headers")
    assert "clear_untrusted_proxy_headers" not in served


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--listen", "0.0.0.0:0"], "--debug listens on a loopback address only"),
        (["--listen", "127.0.0.1:0", "--trusted-proxy", "127.0.0.1"], "--debug and --trusted-proxy exclude each other"),
    ],
)
def test_debugging_is_refused_where_others_could_see_it(command, served, arguments, message):
    status, _, err = command("serve", "explained:app", "--debug", *arguments)
    assert (status, served) == (2, {})
    assert message in err


def test_the_address_that_counts_is_the_one_of_the_socket():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert check_debug(listener, None) is None
        with pytest.raises(CommandError):
            check_debug(listener, "127.0.0.1")


class Screen(io.StringIO):
    def isatty(self):
        return True


def test_a_report_has_colours_on_a_terminal(command, monkeypatch):
    """What is added is green, what is removed red, and a note yellow."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stdout", Screen())
    main(["explain", "explained:wrapped", "/"])
    assert "response \x1b[0m \x1b[32m+ X-A: 1\x1b[0m" in sys.stdout.getvalue()
    assert "\x1b[33m     note      the request has no Origin" in sys.stdout.getvalue()

"""Guards on servers, by bare sockets: spellings of Host and target that no client library would send."""

from __future__ import annotations

import json
from contextlib import ExitStack, nullcontext
from pathlib import Path

import pytest

from serving import Server, Wire, kept_port, script

pytestmark = pytest.mark.real
SUPPORT = Path(__file__).parents[1] / "support"
APP = "fenced:application"
COMMANDS = {
    "waitress": (script("waitress-serve"), "--listen=127.0.0.1:0", "--threads=4", APP),
    "gunicorn": (script("gunicorn"), "--bind=127.0.0.1:0", "--no-control-socket", APP),
    "uwsgi": (
        script("uwsgi"),
        *("--http-socket=127.0.0.1:0", "--master", "--die-on-term", "--need-app", f"--module={APP}"),
    ),
    "granian": (script("granian"), "--interface=wsgi", "--no-ws", "--port=PORT", APP),
}
every_server = pytest.mark.parametrize("name", COMMANDS)


@pytest.fixture(scope="module")
def ports():
    """Where each server listens, started when it is first asked for."""
    started: dict[str, Server] = {}
    with ExitStack() as ending:

        def port(name: str) -> int:
            if name not in started:
                given = ending.enter_context(kept_port() if "--port=PORT" in COMMANDS[name] else nullcontext(0))
                command = [word.replace("PORT", str(given)) for word in COMMANDS[name]]
                started[name] = Server(*command, cwd=SUPPORT, port=given)
                ending.callback(started[name].close)
            return started[name].port

        yield port


def answer(port: int, line: str, *fields: str) -> tuple[str, dict[str, str], bytes]:
    """The status, the fields and the content of a response to these lines."""
    with Wire(port, "\n".join((line, *fields, "Connection: close", "", ""))) as wire:
        head, _, content = wire.all().partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (each.partition(": ") for each in lines)
    return first.split(" ")[1], {field.lower(): value for field, _, value in pairs}, content


HOST = "Host: a.example"
REFUSED_HOSTS = {
    "none": ("GET / HTTP/1.1",),
    "none, HTTP/1.0": ("GET / HTTP/1.0",),
    "empty": ("GET / HTTP/1.1", "Host:"),
    "two": ("GET / HTTP/1.1", HOST, "Host: evil.example"),
    "two, the other first": ("GET / HTTP/1.1", "Host: evil.example", HOST),
    "two of one": ("GET / HTTP/1.1", HOST, HOST),
    "unlisted": ("GET / HTTP/1.1", "Host: evil.example"),
    "with a user": ("GET / HTTP/1.1", "Host: user@a.example"),
    "with a path": ("GET / HTTP/1.1", "Host: a.example/x"),
    "with a backslash": ("GET / HTTP/1.1", "Host: a.example\\x"),
    "with a bad port": ("GET / HTTP/1.1", "Host: a.example:80a"),
    "an absolute URL of a listed host": ("GET http://a.example/ HTTP/1.1", "Host: evil.example"),
}


@every_server
@pytest.mark.parametrize("lines", REFUSED_HOSTS.values(), ids=REFUSED_HOSTS)
def test_a_host_that_is_not_served_is_a_400(ports, name, lines):
    assert answer(ports(name), *lines)[0] == "400"


@every_server
def test_the_application_is_told_the_host_that_was_checked(ports, name):
    status, _, content = answer(ports(name), "GET / HTTP/1.1", "Host: A.B.Example.:8080", "X-Told: 1")
    assert (status, json.loads(content)["middleware.host"]) == ("200", "a.b.example:8080")


TARGETS = [
    *("/", "/a%2Fb/../c?d=%20", "//evil.example/", "/\\evil.example", "/a?b?c", "/%0d%0aSet-Cookie:x"),
    *("http://evil.example/a?b", "http://evil.example//a", "@evil.example/", ".evil.example/", "a.example:443"),
    *("/caf\xc3\xa9", "/a#b", "/a|b", "?a"),
]


@every_server
@pytest.mark.parametrize("target", TARGETS)
def test_a_redirect_leads_to_the_same_host_or_there_is_none(ports, name, target):
    status, fields, _ = answer(ports(name), f"GET {target} HTTP/1.1", HOST)
    assert status in ("308", "400")
    if status == "308":
        assert fields["location"].startswith("https://a.example/")
        assert "set-cookie" not in fields


@every_server
def test_the_target_is_kept_byte_for_byte_where_the_server_tells_it(ports, name):
    _, fields, _ = answer(ports(name), "GET /a%2Fb/../c?d=%20&e HTTP/1.1", HOST)
    path = "/a/b/../c" if name == "granian" else "/a%2Fb/../c"
    assert fields["location"] == f"https://a.example{path}?d=%20&e"


@every_server
def test_a_question_about_the_server_passes(ports, name):
    assert answer(ports(name), "OPTIONS * HTTP/1.1", HOST)[0] == "200"


@every_server
@pytest.mark.parametrize("target", ["/x?y", "//evil.example/", "@evil.example", ".evil.example/", ":80@evil.example"])
def test_a_redirect_that_takes_the_path_over_stays_at_its_host(ports, name, target):
    status, fields, _ = answer(ports(name), f"GET {target} HTTP/1.1", HOST, "X-Told: 1", "X-Moved: 1")
    assert status == "400" or fields["location"].startswith("https://new.example")
    assert status == "400" or fields["location"].removeprefix("https://new.example")[:1] in ("", "/")


@every_server
@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([], "401"),
        (["Authorization: Basic asO8cmdlbjp4Onk="], "200"),
        (["authorization: bAsIc   asO8cmdlbjp4Onk="], "200"),
        (["Authorization: Basic asO8cmdlbjp4Onk"], "401"),
        (["Authorization: Basic asO8cmdlbjp4Onk=", "Authorization: Basic asO8cmdlbjp4Onk="], "401"),
    ],
)
def test_credentials_are_one_strict_line(ports, name, fields, status):
    said, head, content = answer(ports(name), "GET /admin HTTP/1.1", HOST, "X-Told: 1", *fields)
    assert said == status
    if status == "200":
        assert json.loads(content)["REMOTE_USER"].encode("latin-1").decode() == "j\xfcrgen"
    else:
        assert head["www-authenticate"] == 'Basic realm="Restricted", charset="UTF-8"'


@every_server
def test_a_post_of_another_origin_is_a_403(ports, name):
    lines = "POST / HTTP/1.1", HOST, "X-Told: 1", "Content-Length: 0"
    assert answer(ports(name), *lines, "Origin: https://evil.example")[0] == "403"
    assert answer(ports(name), *lines, "Origin: https://a.example")[0] == "200"
    assert answer(ports(name), *lines, "Origin: https://a.example", "Sec-Fetch-Site: same-site")[0] == "403"

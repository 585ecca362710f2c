"""`python -m middleware` as its users meet it: what it prints, how it ends, and what it serves.

Most commands run in this process; those that live on signals run as processes of their own.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import importlib
import io
import json
import os
import re
import runpy
import signal
import socket
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple
from xml.etree import ElementTree as ET

import pytest

import middleware
import wsgi_middleware_stack
from middleware import BasicAuth, Headers, Inspector, RateLimit, Stack, Timing
from middleware.cli import output, reloading, server
from middleware.cli.command import main
from middleware.cli.drawing import dot, svg
from middleware.cli.output import CommandError
from middleware.cli.server import Loop, listen, url
from middleware.cli.show import as_json

PATIENCE = 60  # seconds after which a process that a test waits for is taken for stuck
SVG = "{http://www.w3.org/2000/svg}"

SHOP = """
from json import dumps
from types import SimpleNamespace

from middleware import Effects, External, Headers, Middleware, Stack, Timing, match

class Minify(Middleware):
    effects = Effects(rewrites_body=True)

class Squeeze(Middleware):
    effects = Effects(encodes_body=True)

def refuse(app):
    raise TypeError("no application\\nis good enough")

def app(environ, start_response):
    keys = "REMOTE_ADDR", "wsgi.url_scheme", "HTTP_HOST", "HTTP_X_FORWARDED_FOR"
    text = " ".join(str(environ.get(key)) for key in keys)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text.encode()]

stack = Stack(Timing(), Headers(set={"X-Shop": "<&>"}).named("api").when(match.path("/api")))
warned = Stack(Headers(set={"X-Shop": "open"}), Timing())
broken = Stack(Minify(), Squeeze())
circular = Stack(
    Squeeze(),
    External(lambda app: app, effects=Effects(encodes_body=True, rewrites_body=True)),
)
refusing = Stack(External(refuse))
wrapped = stack.wrap(app)
part = SimpleNamespace(stack=stack, rest={})
number = 5
nothing = None
loose = Headers()
"""
SITES = """
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from middleware import Compress, CORS, Headers, Stack, Timing

def site(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]

class Flasky:
    def __init__(self):
        self.wsgi_app = Stack(Headers(set={"X-Flask": "1"})).wrap(site)

    def __call__(self, environ, start_response):
        return self.wsgi_app(environ, start_response)

async def create_async(): ...

def create_app(debug=False):
    return Flasky()

def create_stack():
    return Stack(Timing())

def create_with(settings):
    return site

def create_none():
    return None

def create_badly():
    raise LookupError("no such\\nsetting")

class Factories:
    create = staticmethod(create_app)

class Asynchronous:
    async def __call__(self, scope, receive, send): ...

factories = Factories()
asgi = Asynchronous()
inner = Stack(Timing()).wrap(site)
outer = Stack(Headers(set={"X-Out": "1"})).wrap(inner)
api = Stack(Compress(), Timing()).wrap(site, waive=["measure-outermost"])
mounted = DispatcherMiddleware(ProxyFix(Flasky()), {"/api": api, "/old": DispatcherMiddleware(site, {"/x": inner})})
layered = Headers(inner, set={"X-Layer": "1"})
alone = Headers(site)
looped = Flasky()
looped.app = looped.wsgi_app = lambda environ, start_response: site(environ, start_response)
looped.wsgi_app.app = looped
"""
MODULES = {
    "shop.py": SHOP,
    "sites.py": SITES,
    "many.py": "".join(f"\ndef app{number}(environ, start_response): ..." for number in range(15)),
    "typo.py": "def f(:\n",
    "lacking.py": "import there_is_no_such_package\n",
    "raising.py": "def f():\n    return 1 / 0\n\nf()\n",
    "silent.py": "raise ValueError\n",
    "leaving.py": "raise SystemExit(4)\n",
    "interrupted.py": "raise KeyboardInterrupt\n",
    "package/__init__.py": "",
    "package/part.py": "",
}


class Done(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current directory, with the modules of a user in it. What is imported from it is forgotten afterwards."""
    for name, text in MODULES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    known = set(sys.modules)
    importlib.invalidate_caches()
    yield tmp_path
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def command(here, capsys):
    """Run a command in this process."""

    def run(*arguments):
        status = main(arguments)
        return Done(status, *capsys.readouterr())

    return run


@pytest.fixture
def listener():
    """A socket that listens already: who connects to it waits until somebody serves."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
def command_on(command, listener, capsys):
    """Run a command that serves, in this process; `act(port)` meanwhile, and SIGTERM after it."""

    def run(*arguments, act, ends=True):
        def client():
            try:
                seen.append(act(listener.getsockname()[1]))
            finally:
                if ends:
                    os.kill(os.getpid(), signal.SIGTERM)

        seen = []
        thread = threading.Thread(target=client)
        thread.start()
        try:
            done = command(*arguments, "--listen", f"fd://{os.dup(listener.fileno())}")
        finally:
            thread.join(PATIENCE)
        # a client may have its response before the request is over
        err = "".join(line for line in done.err.splitlines(keepends=True) if not line.startswith("Ending after "))
        return done._replace(err=err), seen[0] if seen else None

    return run


class Running:
    """A command in a process of its own, and the lines that it prints."""

    COMMAND = "-m", "middleware"

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, *self.COMMAND, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.watchdog = threading.Timer(PATIENCE, self.kill)
        self.watchdog.start()

    def until(self, beginning):
        """The first line that begins so."""
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if line.startswith(beginning):
                return line.strip()
        raise AssertionError(f"no line began with {beginning!r}:\n{''.join(lines)}")

    def port(self):
        return int(self.until("Serving on").rpartition(":")[2])

    def send(self, number):
        self.process.send_signal(number)

    def status(self):
        return self.process.wait(PATIENCE)

    def kill(self):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)  # with the children that it has

    def end(self):
        self.watchdog.cancel()
        self.kill()
        self.process.wait(PATIENCE)
        self.process.stdout.close()


@pytest.fixture
def start(here):
    """Start a command in a process of its own."""
    running = []

    def begin(*arguments):
        running.append(Running(*arguments))
        return running[-1]

    yield begin
    for each in running:
        each.end()


def get(port, path="/", headers=()):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    with contextlib.closing(connection):
        connection.request("GET", path, headers=dict(headers))
        response = connection.getresponse()
        return response.status, response.headers, response.read().decode()


def text_of(port, path="/"):
    return get(port, path)[2]


def parsed(text):
    return ET.fromstring(text)  # noqa: S314 - our own


# -- wrong input is one line -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("shop", "'shop' names nothing in a module: write MODULE:STACK; stacks there: stack, warned, broken,"),
        ("shop:", "names nothing in a module"),
        ("shop:stakc", "'shop' has no 'stakc'; stacks there: stack, warned, broken, circular, refusing, wrapped, part"),
        ("shop:part.other", "'shop:part' has no 'other'; stacks there: stack"),
        ("shop:part.rest.x", "'shop:part.rest' has no 'x'; stacks there: none"),
        ("shop:number", "'shop:number' is an int, not a stack; stacks there: stack, "),
        ("shop:nothing", "'shop:nothing' is None, not a stack"),
        ("shop:app", "'shop:app' is a function, not a stack"),
        ("shpo:stack", "there is no module 'shpo'; modules here: interrupted, lacking, leaving, many, package,"),
        ("package.prat:stack", "there is no module 'package.prat'; modules in 'package': part"),
        ("pakcage.part:stack", "there is no module 'pakcage'; modules here: "),
        ("shop.part:stack", "there is no module 'shop.part'; modules in 'shop': none"),
        ("shop.py:stack", "there is no module 'shop.py'; modules in 'shop': none"),
        ("./shop.py:stack", "'./shop.py:stack' does not begin with the name of a module: write MODULE:STACK;"),
        (":stack", "':stack' does not begin with the name of a module: write MODULE:STACK; modules here: "),
        ("typo:stack", "importing 'typo' failed: SyntaxError: "),
        ("typo:stack", "(typo.py, line 1)"),
        ("lacking:stack", "ModuleNotFoundError: No module named 'there_is_no_such_package' ("),
        ("lacking:stack", "lacking.py, line 1)"),
        ("raising:stack", "importing 'raising' failed: ZeroDivisionError: division by zero ("),
        ("raising:stack", "raising.py, line 2)"),
        ("silent:stack", "importing 'silent' failed: ValueError ("),
        ("leaving:stack", "importing 'leaving' failed: SystemExit: 4 ("),
        ("shop:stakc", "part; did you mean stack?"),
        ("shpo:stack", "typo; did you mean shop?"),
        ("package.prat:stack", "modules in 'package': part; did you mean part?"),
        ("shop.py:stack", "did you mean shop:stack?"),
        (
            "sites:create_app",
            "'sites:create_app' is a function that may be a factory: write sites:create_app() for",
        ),
        (
            "sites:create_with",
            "'sites:create_with' is a function, not a stack; stacks there: inner, outer, api,",
        ),
        ("sites:create_with()", "calling sites:create_with() failed: TypeError: create_with() missing 1 required"),
        ("sites:create_badly()", "calling sites:create_badly() failed: LookupError: no such setting ("),
        ("sites:create_none()", "'sites:create_none()' is None, not a stack"),
        ("sites:create_async()", "'sites:create_async()' is a coroutine, not a stack"),
        ("sites:creat_app()", "'sites' has no 'creat_app'; stacks there: "),
        ("sites:alone", "'sites:alone' is a Headers, not a stack"),
        ("sites:looped", "'sites:looped' is a Flasky, not a stack"),
    ],
)
@pytest.mark.parametrize("name", ["show", "check"])
def test_a_wrong_target_is_one_line_that_says_what_was_looked_for_and_what_is_there(command, name, target, said):
    done = command(name, target)
    assert done.err.startswith("python -m middleware: ")
    assert done.err.count("\n") == 1
    assert said in done.err
    assert (done.status, done.out) == (2, "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["shop:stack"], "'shop:stack' is a Stack, not a WSGI application; applications there: refuse, app, wrapped"),
        (["shop:loose"], "'shop:loose' is a Headers without an application, not a WSGI application"),
        (["shop:ap"], "'shop' has no 'ap'; applications there: refuse, app, wrapped"),
        (["many:app"], ", app11 and 3 more"),
        (["shop:app", "--stack", "shop:app"], "'shop:app' is a function, not a stack"),
        (["shop:app", "--stack", "shop:refusing"], "TypeError: no application is good enough ("),
        (["shop:app", "--listen", "8080"], "--listen 8080: write HOST:PORT, such as 127.0.0.1:8080"),
        (["shop:app", "--listen", ":8080"], "--listen :8080: write HOST:PORT"),
        (["shop:app", "--listen", "::1:8080"], "--listen ::1:8080: write HOST:PORT"),
        (["shop:app", "--listen", "[localhost]:80"], "--listen [localhost]:80: write HOST:PORT"),
        (["shop:app", "--listen", "127.0.0.1:http"], "--listen 127.0.0.1:http: write HOST:PORT"),
        (["shop:app", "--listen", "127.0.0.1:65536"], "--listen 127.0.0.1:65536: write HOST:PORT"),
        (["shop:app", "--listen", "fd://x"], "--listen fd://x: write HOST:PORT"),
        (["shop:app", "--listen", "fd://99999"], "cannot listen on fd://99999: Bad file descriptor\n"),
        (
            ["shop:app", "--listen", "203.0.113.1:80"],
            "cannot listen on 203.0.113.1:80: Cannot assign requested address\n",
        ),
        (["shop:app", "--threads", "0"], "--threads 0: at least one is needed"),
        (["shop:app", "--grace", "-1"], "--grace -1: seconds, 0 or more"),
        (["shop:app", "--grace", "nan"], "--grace nan: seconds, 0 or more"),
        (["shop:app", "--grace", "long"], "invalid float value: 'long'"),
        (["shop:app", "--threads", "few"], "invalid int value: 'few'"),
        (["shop:app", "--trusted-proxy-count", "2"], "go with --trusted-proxy ADDRESS"),
        (["shop:app", "--trusted-proxy", "*", "--trusted-proxy-count", "0"], "--trusted-proxy-count 0: at least one"),
        (["shop:app", "--trusted-proxy", "*", "--trusted-proxy-count", "-1"], "--trusted-proxy-count -1: at least one"),
        (["shop:app", "--trusted-proxy-headers", "forwarded"], "go with --trusted-proxy ADDRESS"),
        (["shop:app", "--trusted-proxy", "*", "--trusted-proxy-headers", "via"], "waitress does not take this: "),
        (["shop:app", "--stac", "shop:stack"], "unrecognized arguments: --stac shop:stack; did you mean --stack?"),
        (["shop:app", "--port", "80"], "unrecognized arguments: --port 80; write --listen 127.0.0.1:80; python -m"),
        (["--port=80", "shop:app"], "unrecognized arguments: --port=80; write --listen 127.0.0.1:80; "),
        (["--port", "80", "shop:app"], "; write --listen 127.0.0.1:80; "),
        (["shop:app", "-p", "80"], "; write --listen 127.0.0.1:80; "),
        (["shop:app", "--host", "0.0.0.0"], "; write --listen 0.0.0.0:8080; "),  # noqa: S104 - never bound
        (["shop:app", "--bind", "[::1]:80"], "; write --listen [::1]:80; "),
        (["shop:app", "-b"], "unrecognized arguments: -b; write --listen ADDRESS; "),
        (
            ["shop:app", "--workers", "4"],
            "; it serves in one process, with --threads N; for several, give",
        ),
        (["shop:app", "--factory"], "; write MODULE:create_app(), with parentheses; "),
        (["shop:app", "--nothing-like-it"], "unrecognized arguments: --nothing-like-it; python -m middleware --help"),
        (["shop:app", "more"], "unrecognized arguments: more; python -m middleware --help"),
        (["shop:app", "--access-log", "jsno"], "; did you mean json?; "),
        (
            ["sites:create_app"],
            "'sites:create_app' is a function that may be a factory: write sites:create_app() for",
        ),
        (["sites:create_with"], "'sites:create_with': a WSGI application is a callable (environ, start_response), and"),
        (["sites:asgi"], "is an ASGI application: give a2wsgi.ASGIMiddleware(app), of the package a2wsgi"),
        (["sites:create_stack()"], "'sites:create_stack()' is a Stack, not a WSGI application"),
        ([], "the following arguments are required: MODULE:APP; python -m middleware serve --help shows what there is"),
    ],
)
def test_what_cannot_be_served_is_one_line_and_status_2(command, arguments, said):
    done = command("serve", *(["--listen", "127.0.0.1:0"] if "--listen" not in arguments else []), *arguments)
    assert said in done.err
    assert done.err.count("\n") == 1
    assert done.status == 2


LAZY = """
from flask import Flask, request
from middleware import Stack

class Lazy:
    def __getattr__(self, name): raise LookupError(f"{name} is not configured")
    def _raise(self): raise LookupError("nothing is configured")
    __class__ = property(_raise)
    __call__ = _raise

lazy = Lazy()
site = Flask("site")
stack = Stack()
def app(environ, start_response): ...
"""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "lazy:app"], "'lazy:app' is a function, not a stack; stacks there: stack"),
        (["show", "lazy:nope"], "'lazy' has no 'nope'; stacks there: stack"),
        (["explain", "lazy:nope", "/"], "'lazy' has no 'nope'; applications there: "),
        (["explain", "lazy:request", "/"], "looking at 'lazy:request' failed: RuntimeError: Working outside of "),
        (["explain", "lazy:lazy", "/"], "looking at 'lazy:lazy' failed: LookupError: nothing is configured ("),
        (["show", "lazy:lazy"], "looking at 'lazy:lazy' failed: LookupError: nothing is configured ("),
        (["show", "lazy:lazy.stack"], "looking at 'lazy:lazy.stack' failed: LookupError: stack is not configured ("),
        (["serve", "lazy:lazy.app"], "looking at 'lazy:lazy.app' failed: LookupError: app is not configured ("),
    ],
)
def test_a_lazy_object_that_raises_is_one_line_and_status_2(command, here, arguments, said):
    """As the settings of Django that are not configured, and the request of Flask outside of one."""
    (here / "lazy.py").write_text(LAZY)
    done = command(*arguments)
    assert said in done.err
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)


def test_a_proxy_of_a_framework_in_the_module_is_not_asked_anything(command, here):
    """What is there is found without running code of what is there."""
    (here / "careful.py").write_text(
        "class Proxy:\n"
        "    def __getattr__(self, name): raise RuntimeError('outside of a request')\n"
        "    def __call__(self): raise RuntimeError('outside of a request')\n"
        "request = Proxy()\n"
    )
    assert "'careful' has no 'x'; stacks there: none" in command("check", "careful:x").err


def test_an_address_in_use_is_one_line_and_status_2(command, listener):
    address = url(listener).removeprefix("http://")
    done = command("serve", "shop:app", "--listen", address)
    said = f"python -m middleware: cannot listen on {address}: {os.strerror(errno.EADDRINUSE)}\n"
    assert done == (2, "", said)


@pytest.mark.parametrize(("word", "meant"), [("serv", "serve"), ("chekc", "check"), ("explian", "explain")])
def test_a_command_that_is_nearly_one_is_named(command, word, meant):
    assert f"; did you mean {meant}?; python -m middleware --help shows what there is" in command(word).err


def test_a_hint_names_only_options_that_the_command_has(command):
    assert "unrecognized arguments: --host x; python -m" in command("check", "shop:stack", "--host", "x").err
    assert "did you mean --format?" in command("show", "shop:stack", "--fromat", "json").err
    assert "write --listen 0.0.0.0:8080" in command("demo", "--host", "0.0.0.0").err  # noqa: S104 - never bound


@pytest.mark.parametrize("arguments", [[], ["polish"], ["show", "shop:stack", "--format", "png"]])
def test_an_unknown_word_is_one_line_and_status_2(command, arguments):
    done = command(*arguments)
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert "--help shows what there is" in done.err


def test_an_order_that_goes_wrong_is_not_served(command):
    done = command("serve", "shop:app", "--stack", "shop:broken", "--listen", "127.0.0.1:0")
    assert (done.status, done.out) == (1, "")
    assert "rule rewrite-inside-encode; fix it by stack.move('Squeeze', outside='Minify')" in done.err
    assert "Traceback" not in done.err


def test_ctrl_c_while_a_module_is_imported_ends_the_command_without_a_traceback(command):
    assert command("check", "interrupted:stack") == (130, "", "")


# -- show ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["shop:stack", "shop:wrapped", "shop:wrapped.stack", "shop:part.stack"])
def test_show_prints_the_chain_of_a_stack_or_of_what_is_wrapped_by_one(command, target):
    done = command("show", target)
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines() == str(sys.modules["shop"].stack).splitlines()


@pytest.mark.parametrize(
    ("target", "chains"),
    [
        ("sites:create_app()", [("", "Headers(set={'X-Flask': '1'})")]),
        ("sites:factories.create()", [("", "Headers(set={'X-Flask': '1'})")]),
        ("sites:create_stack()", [("", "Timing()")]),
        ("sites:outer", [("", "Headers(set={'X-Out': '1'})"), ("", "Timing()")]),
        ("sites:layered", [("", "Timing()")]),
        (
            "sites:mounted",
            [("", "Headers(set={'X-Flask': '1'})"), ("/api", "Compress()"), ("/old/x", "Timing()")],
        ),
    ],
)
def test_show_prints_each_stack_in_an_application_or_in_what_a_factory_returns(command, target, chains):
    done = command("show", target)
    assert (done.status, done.err) == (0, "")
    shown = re.findall(r"(?:Mounted on (.*):\n)?Stack of .*\n +1  (.*)\n", done.out)
    assert shown == chains


def test_show_of_several_stacks_has_each_in_every_format_that_can(command):
    shown = json.loads(command("show", "sites:mounted", "--format", "json").out)
    assert [[layer["name"] for layer in stack["layers"]] for stack in shown] == [
        ["Headers"],
        ["Compress", "Timing"],
        ["Timing"],
    ]
    assert command("show", "sites:mounted", "--format", "dot").out.count("digraph stack {") == 3
    refused = command("show", "sites:mounted", "--format", "svg")
    assert (refused.status, refused.out, refused.err.count("\n")) == (2, "", 1)
    assert "'sites:mounted' has 3 stacks, and an SVG is of one: --format dot has all" in refused.err


def test_check_reports_each_stack_and_ends_with_1_if_one_has_an_error(command):
    done = command("check", "sites:mounted")
    assert done.status == 0
    assert [line for line in done.out.splitlines() if not line.startswith("  ")] == [
        "Nothing to fix: Headers, outermost first, breaks no rule",
        "Mounted on /api:",
        "warning: the time that Compress takes would be missing from what Timing reports to clients",
        "0 errors, 1 warning; stack.arranged() is Timing, Compress",
        "Mounted on /old/x:",
        "Nothing to fix: Timing, outermost first, breaks no rule",
    ]
    here = sys.modules["sites"]
    here.mounted.mounts["/broken"] = sys.modules["middleware"].Stack(here.Compress(), here.CORS(), here.Timing())
    here.mounted.mounts["/last"] = here.inner
    assert command("check", "sites:mounted").status == 1


def test_show_json_says_of_each_layer_what_it_is_does_and_why_it_stands_there(command):
    shown = json.loads(command("show", "shop:stack", "--format", "json").out)
    timing, api = shown["layers"]
    assert shown["findings"] == []
    assert (timing["name"], timing["class"], timing["options"]) == ("Timing", "middleware.layers.timing:Timing", {})
    assert timing["effects"]["measures"] is True
    assert timing["condition"] is None
    assert timing["rules"] == [
        {
            "id": "measure-outermost",
            "demand": "what measures stands outside what does work",
            "severity": "warning",
            "outside": ["api"],
        }
    ]
    assert (api["name"], api["condition"]) == ("api", "path('/api')")
    assert api["options"] == {"set": "{'X-Shop': '<&>'}"}
    assert api["effects"]["sets"] == ["x-shop"]
    assert api["describe"] == [["response", "sets X-Shop"]]
    assert [rule["inside"] for rule in api["rules"]] == [["Timing"]]


def test_show_json_has_the_findings(command):
    shown = json.loads(command("show", "shop:broken", "--format", "json").out)
    assert [finding["rule"] for finding in shown["findings"]] == ["rewrite-inside-encode"]


@pytest.mark.parametrize(
    ("layer", "shown"),
    [
        (
            BasicAuth(verify=partial(lambda user, password, master: False, master="sesame"), realm="Shop"),
            {"verify": "partial", "realm": "'Shop'"},
        ),
        (Inspector(token="sesame", keep=5), {"keep": "5"}),  # noqa: S106 - of this test alone
        (
            RateLimit("1/day", storage_options={"password": "sesame"}),
            {"limits": "'1/day'", "storage_options": "{'password': '***'}"},
        ),
    ],
)
def test_show_json_hides_what_the_repr_of_a_layer_hides(layer, shown):
    text = as_json(Stack(layer))
    assert "sesame" not in text
    assert json.loads(text)["layers"][0]["options"] == shown


def test_show_svg_is_a_picture_of_every_layer_outermost_first(command):
    picture = parsed(command("show", "shop:stack", "--format", "svg").out)
    boxes = [each for each in picture.iter(f"{SVG}rect") if each.get("class") != "ground"]
    tops = [int(each.get("y")) for each in boxes]
    texts = [(each.get("class"), each.text) for each in picture.iter(f"{SVG}text")]
    assert len(boxes) == 3
    assert tops == sorted(tops)
    assert texts[:2] == [("request", "request"), ("response", "response")]
    assert [text for kind, text in texts if kind == "name"] == ["1  Timing", "2  api", "the application"]
    assert any("'<&>'" in text for _, text in texts)
    arrows = [each.get("class") for each in picture.iter(f"{SVG}polygon")]
    assert arrows == ["request", "response"] * 3


def test_everything_in_the_svg_lies_within_its_frame():
    stack = Stack(Timing(), Headers(set={"X-Long": "word " * 60, "X-Whole": "w" * 300}))
    picture = parsed(svg(stack))
    width, height = int(picture.get("width")), int(picture.get("height"))
    for box in picture.iter(f"{SVG}rect"):
        if box.get("class") != "ground":
            assert int(box.get("x")) + int(box.get("width")) <= width
            assert int(box.get("y")) + int(box.get("height")) <= height
    for text in picture.iter(f"{SVG}text"):
        assert int(text.get("y")) <= height
        if text.get("text-anchor") != "end":
            assert int(text.get("x")) + 7.3 * len(text.text) <= width


def test_show_dot_has_a_node_a_layer_and_escapes_its_text():
    text = dot(Stack(Timing(), Headers(set={"X-Quoted": 'say "a\\b"'})))
    nodes = re.findall(r'^  (n\d) \[label="((?:[^"\\]|\\.)*)"\];$', text, re.MULTILINE)
    edges = re.findall(r"^  (\w+) -> (\w+) \[", text, re.MULTILINE)
    assert [label.partition("\\l")[0] for _, label in nodes] == ["1  Timing", "2  Headers", "the application"]
    assert 'say \\"a\\\\\\\\b\\"' in nodes[1][1]  # as repr writes it, and then escaped
    inward = [("client", "n1"), ("n1", "n2"), ("n2", "n3")]
    assert set(edges) == {*inward, *((inner, outer) for outer, inner in inward)}
    assert text.startswith("digraph stack {\n")
    assert text.endswith("\n}")


@pytest.mark.parametrize("form", [str, dot, svg, as_json])
def test_an_empty_stack_is_shown_too(form):
    assert form(Stack())


# -- check -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "status", "said"),
    [
        ("shop:stack", 0, "Nothing to fix: Timing, api, outermost first, breaks no rule\n"),
        ("shop:warned", 0, "  rule    measure-outermost\n  layers  Headers, Timing\n"),
        ("shop:warned", 0, "  fix     stack.move('Timing', outside='Headers')\n0 errors, 1 warning; "),
        ("shop:warned", 0, "; stack.arranged() is Timing, Headers\n"),
        ("shop:broken", 1, "error: Minify would rewrite bytes that Squeeze has already encoded: clients cannot decode"),
        ("shop:broken", 1, "\n1 error, 0 warnings; stack.arranged() is Squeeze, Minify\n"),
        ("shop:circular", 0, "warning: Squeeze and lambda both encode"),
        ("shop:circular", 0, "\n0 errors, 1 warning\n"),
    ],
)
def test_check_prints_the_findings_and_ends_with_1_for_an_error(command, target, status, said):
    done = command("check", target)
    assert said in done.out
    assert (done.status, done.err) == (status, "")


def test_check_names_the_circle_of_an_order_that_cannot_be_mended(command, here):
    (here / "circle.py").write_text(
        "from middleware import Effects, External, Stack\n"
        "a = Effects(provides=['a'], requires=['b'])\n"
        "b = Effects(provides=['b'], requires=['a'])\n"
        "stack = Stack(External(lambda app: app, effects=a), External(lambda app: app, effects=b))\n"
    )
    done = command("check", "circle:stack")
    assert "1 error, 0 warnings; no order satisfies this circle of demands: " in done.out
    assert done.status == 1


# -- serve -----------------------------------------------------------------------------------------------------------


def test_serve_prints_the_chain_and_the_address_and_answers_through_the_stack(command_on, listener):
    done, (status, headers, _) = command_on(
        "serve", "shop:app", "--stack", "shop:stack", act=lambda port: get(port, "/api")
    )
    assert done.out == f"{sys.modules['shop'].stack}\nServing on {url(listener)}\n"
    assert (done.status, done.err) == (0, "")
    assert (status, headers["X-Shop"], headers["Server"]) == (200, "<&>", None)
    assert headers["Server-Timing"].startswith("total;dur=")


@pytest.mark.parametrize(
    ("arguments", "chains"),
    [
        (["shop:wrapped"], ["stack"]),
        (["shop:wrapped", "--stack", "shop:warned"], ["warned", "stack"]),
        (["shop:app"], []),
    ],
)
def test_serve_prints_every_stack_there_is(command_on, arguments, chains):
    done, _ = command_on("serve", *arguments, act=get)
    expected = [str(getattr(sys.modules["shop"], name)) for name in chains] or ["No stack: the application as it is"]
    assert done.out.rpartition("Serving on")[0] == "".join(f"{chain}\n" for chain in expected)


def test_serve_calls_a_factory_and_prints_the_stacks_that_are_mounted(command_on):
    done, (status, headers, text) = command_on("serve", "sites:create_app()", act=get)
    assert (status, headers["X-Flask"], text) == (200, "1", "ok")
    assert "Headers(set={'X-Flask': '1'})" in done.out
    done, (_, headers, _) = command_on("serve", "sites:mounted", act=lambda port: get(port, "/api"))
    assert "\nMounted on /api:\nStack of 2 layers" in done.out
    assert headers["Server-Timing"]


def test_a_warning_of_the_order_is_a_line_on_stderr(command_on):
    done, _ = command_on("serve", "shop:app", "--stack", "shop:warned", act=get)
    assert done.err.startswith(
        "warning: the time that Headers takes would be missing from what Timing reports to clients ("
    )
    assert (done.status, done.err.count("\n")) == (0, 1)


FORWARDED = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.example"}


@pytest.mark.parametrize(
    ("options", "seen"),
    [
        ([], "127.0.0.1 http 127.0.0.1:{port} None"),
        (["--trusted-proxy", "192.0.2.1"], "127.0.0.1 http 127.0.0.1:{port} None"),
        (["--trusted-proxy", "127.0.0.1"], "192.0.2.7 https shop.example 192.0.2.7"),
        (
            ["--trusted-proxy", "*", "--trusted-proxy-headers", "x-forwarded-for"],
            "192.0.2.7 http 127.0.0.1:{port} 192.0.2.7",
        ),
        (["--trusted-proxy", "*", "--trusted-proxy-count", "1"], "192.0.2.7 https shop.example 192.0.2.7"),
    ],
)
def test_what_a_proxy_says_counts_only_if_the_proxy_is_trusted(command_on, listener, options, seen):
    _, (_, _, text) = command_on("serve", "shop:app", *options, act=lambda port: get(port, headers=FORWARDED))
    assert text == seen.format(port=listener.getsockname()[1])


def test_serve_listens_on_ipv6(start):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("there is no IPv6 here")
    running = start("serve", "shop:app", "--listen", "[::1]:0")
    assert re.fullmatch(r"Serving on http://\[::1\]:[1-9]\d*", running.until("Serving on"))


def test_port_0_is_a_free_port_and_the_one_that_is_printed(start):
    running = start("serve", "shop:app", "--listen", "127.0.0.1:0")
    assert text_of(running.port()).startswith("127.0.0.1 http ")


# -- how serving ends ------------------------------------------------------------------------------------------------

BLOCKING = """
def app(environ, start_response):
    environ["wsgi.input"].read()
    if environ["PATH_INFO"] == "/stream":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return (b"finished" * 10000 for _ in range(1000))
    if environ["PATH_INFO"] == "/wait":
        print("In flight", flush=True)
        with open("gate") as gate:
            gate.read()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "8000000")])
    return [b"finished" * 1000000]
"""


FINISHED = "finished" * 1000000  # more than the system takes at once


@pytest.fixture
def gate(here):
    """A request for /wait of blocking:app goes on when this is opened for writing."""
    (here / "blocking.py").write_text(BLOCKING)
    os.mkfifo(here / "gate")
    return here / "gate"


@contextlib.contextmanager
def waiting(port):
    """A request that does not end before the gate is opened; the value is its answer."""
    answer = []
    thread = threading.Thread(target=lambda: answer.append(text_of(port, "/wait")))
    thread.start()
    yield answer
    thread.join(PATIENCE)


def assert_refused(port):
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_request_in_flight_is_finished_before_the_end(start, gate, number):
    running = start("serve", "blocking:app", "--listen", "127.0.0.1:0")
    port = running.port()
    with waiting(port) as answer:
        running.until("In flight")
        running.send(number)
        assert running.until("Ending") == "Ending after 1 request in flight; a second signal ends at once"
        assert_refused(port)
        assert running.process.poll() is None
        gate.write_text("go on")
    assert answer == [FINISHED]
    assert running.status() == 0


@pytest.mark.parametrize("reload", [[], ["--reload"]], ids=["serve", "reload"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_second_signal_ends_at_once(start, gate, number, reload):
    running = start("serve", "blocking:app", "--listen", "127.0.0.1:0", *reload)
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", running.port(), timeout=PATIENCE)) as connection:
        connection.request("GET", "/wait")
        running.until("In flight")
        running.send(number)
        running.until("Ending")
        running.send(number)
        assert running.status() == 128 + (signal.SIGTERM if reload else number)


STALLS = {
    "half an upload": b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
    "half a chunk": b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nab",
    "a reader that stopped": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "a reader of a stream that stopped": b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n",
    "an application that hangs": b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n",
}


@contextlib.contextmanager
def stalling(port, stall):
    """A client that goes no further, once its request has reached the server."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(PATIENCE)
        client.connect(("127.0.0.1", port))
        client.sendall(STALLS[stall])
        assert stall == "an application that hangs" or client.recv(9).startswith(b"HTTP/1.1 ")
        yield client


@pytest.mark.parametrize("stall", STALLS)
def test_what_stalls_is_cut_off_when_the_grace_is_over(start, gate, stall):
    running = start("serve", "blocking:app", "--listen", "127.0.0.1:0", "--grace", "0.3")
    with stalling(running.port(), stall):
        if "hangs" in stall:
            running.until("In flight")
        running.send(signal.SIGTERM)
        running.until("Ending after 1 request in flight; ")
        assert running.until("Ended") == "Ended after 0.3 s with 1 request in flight"
        assert running.status() == 0


def test_an_application_that_hangs_is_cut_off_when_its_client_has_gone_as_well(start, gate):
    running = start("serve", "blocking:app", "--listen", "127.0.0.1:0", "--grace", "0.3")
    with stalling(running.port(), "an application that hangs"):
        running.until("In flight")
    running.send(signal.SIGTERM)
    assert running.status() == 0


@pytest.mark.parametrize("stall", ["half an upload", "half a chunk", "a reader that stopped"])
def test_what_waitress_gives_up_is_given_up_while_it_ends(gate, listener, monkeypatch, stall):
    """No byte for 120 seconds; for none, here. The grace has no end."""
    monkeypatch.syspath_prepend(gate.parent)

    def client():
        with stalling(listener.getsockname()[1], stall):
            os.kill(os.getpid(), signal.SIGTERM)
            first.append(ended.wait(PATIENCE))

    first, ended = [], threading.Event()
    thread = threading.Thread(target=client)
    thread.start()
    app = importlib.import_module("blocking").app
    assert server.run(app, listener, grace=float("inf"), channel_timeout=0) is True
    ended.set()
    thread.join(PATIENCE)
    assert first == [True]


def test_the_process_ends_by_itself_when_the_grace_is_over(listener, monkeypatch):
    """Threads of the application may go on; nothing waits for them."""
    went_on, left = threading.Event(), []
    monkeypatch.setattr(server, "leave", left.append)

    def app(environ, start_response):
        os.kill(os.getpid(), signal.SIGTERM)
        went_on.wait(PATIENCE)
        return []

    with socket.create_connection(listener.getsockname(), timeout=PATIENCE) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert server.run(app, listener, grace=0) is True
        assert client.recv(1) == b""
    went_on.set()
    assert left == [0]


def test_what_is_still_accepted_at_the_end_is_bounded():
    """Clients may connect faster than they are taken."""
    channels, steps = {}, []

    def loop(**_):
        steps.append(1)
        channels[len(channels)] = None

    loops = SimpleNamespace(loop=loop)
    Loop(
        SimpleNamespace(active_channels=channels, asyncore=loops, _map={}, adj=SimpleNamespace(backlog=5))
    ).accept_waiting()
    assert len(steps) == 5


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n", [["close"]]),
        (b"GET /wait HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", [["close"]]),
        (b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", [[], ["close"]]),
        (b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 1\r\n\r\n", [[], ["close"]]),
    ],
)
def test_the_last_response_of_a_connection_says_so_while_the_server_ends(start, gate, sent, said):
    """RFC 9112 9.6, and no other response says so."""
    running = start("serve", "blocking:app", "--listen", "127.0.0.1:0")
    with socket.create_connection(("127.0.0.1", running.port()), timeout=PATIENCE) as client:
        client.sendall(sent)
        running.until("In flight")
        running.send(signal.SIGTERM)
        running.until("Ending")
        gate.write_text("go on")
        if b"POST" in sent:
            client.sendall(b"a")
        received = b"".join(iter(lambda: client.recv(1 << 20), b""))
    heads = re.findall(rb"HTTP/1\.\d 200 OK\r\n(?:.+\r\n)+", received)
    assert [re.findall(r"^Connection: (.*)\r$", head.decode(), re.MULTILINE) for head in heads] == said
    assert running.status() == 0


def test_a_connection_stays_open_while_the_server_does_not_end(command_on):
    _, (_, headers, _) = command_on("serve", "shop:app", act=get)
    assert headers["Connection"] is None


def test_a_request_whose_body_is_still_coming_is_in_flight(start, gate):
    running = start("serve", "blocking:app", "--listen", "127.0.0.1:0")
    with socket.create_connection(("127.0.0.1", running.port()), timeout=PATIENCE) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 100 ")
        running.send(signal.SIGTERM)
        running.until("Ending after 1 request")
        client.sendall(b"ab")
        assert b"".join(iter(lambda: client.recv(1000), b"")).endswith(b"finished")
    assert running.status() == 0


def test_a_connection_that_waits_for_its_next_request_does_not_hold_the_end_up(command_on):
    def client(port):
        idle = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        idle.request("GET", "/")
        idle.getresponse().read()
        return idle

    done, idle = command_on("serve", "shop:app", act=client)
    with contextlib.closing(idle):
        assert idle.sock.recv(1) == b""
    assert done.status == 0


def test_a_request_that_was_sent_before_the_end_but_not_yet_read_is_answered(listener, capsys):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    with socket.create_connection(listener.getsockname(), timeout=PATIENCE) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert server.run(app, listener, over=lambda: True) is False
        assert b"".join(iter(lambda: client.recv(1000), b"")).endswith(b"\r\n\r\nok")


def test_signals_do_again_what_they_did_when_serving_is_over(command_on):
    before = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)]
    command_on("serve", "shop:app", act=get)
    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)] == before


# -- reload ----------------------------------------------------------------------------------------------------------


def write_again(file, text=None):
    """Change a file, and the time of its change: by more than the resolution of any file system or cache."""
    later = file.stat().st_mtime + 100 if file.exists() else None
    file.write_text(file.read_text() if text is None else text)
    os.utime(file, None if later is None else (later, later))


def answering(text):
    return (
        "def app(environ, start_response):\n"
        f"    start_response('200 OK', [('Content-Length', '{len(text)}')])\n"
        f"    return [b'{text}']\n"
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_reload_serves_the_changed_source_on_the_same_port_and_ends_on_a_signal(start, here, number):
    (here / "site_imported.py").write_text("")
    (here / "page.py").write_text("import site_imported\n" + answering("first"))
    running = start("serve", "page:app", "--listen", "127.0.0.1:0", "--reload")
    port = running.port()
    assert text_of(port) == "first"
    write_again(here / "page.py", answering("second"))
    assert running.port() == port
    assert text_of(port) == "second"
    running.send(number)
    assert running.status() == 0
    assert_refused(port)


def test_reload_waits_until_a_source_that_cannot_be_imported_is_mended(start, here):
    page = here / "page.py"
    page.write_text(answering("first"))
    running = start("serve", "page:app", "--listen", "127.0.0.1:0", "--reload")
    port = running.port()
    write_again(page, "def app(:")
    running.until("Waiting for a change")
    write_again(page, answering("fixed"))
    assert running.port() == port
    assert text_of(port) == "fixed"


def test_reload_does_not_wait_for_a_request_that_hangs(start, gate):
    running = start("serve", "blocking:app", "--listen", "127.0.0.1:0", "--reload")
    port = running.port()
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        connection.request("GET", "/wait")
        running.until("In flight")
        write_again(gate.with_name("blocking.py"))
        assert running.port() == port


def test_reload_finishes_a_request_in_flight_when_a_signal_ends_it(start, gate):
    running = start("serve", "blocking:app", "--listen", "127.0.0.1:0", "--reload")
    with waiting(running.port()) as answer:
        running.until("In flight")
        running.send(signal.SIGTERM)
        running.until("Ending")
        gate.write_text("go on")
    assert answer == [FINISHED]
    assert running.status() == 0


def test_reload_finishes_a_request_in_flight_when_ctrl_c_reaches_the_child_as_well(start, gate):
    """As it does from a terminal, to all of a process group."""
    running = start("serve", "blocking:app", "--listen", "127.0.0.1:0", "--reload")
    with waiting(running.port()) as answer:
        running.until("In flight")
        os.killpg(running.process.pid, signal.SIGINT)
        running.until("Ending")
        gate.write_text("go on")
    assert answer == [FINISHED]
    assert running.status() == 0


def test_reload_of_a_wrong_target_ends_like_any_other(start):
    running = start("serve", "shop:ap", "--listen", "127.0.0.1:0", "--reload")
    running.until("python -m middleware: 'shop' has no 'ap'; ")
    assert running.status() == 2


def test_the_parent_of_a_reload_passes_a_signal_on_in_this_process_too(command_on):
    done, (status, _, _) = command_on("serve", "shop:app", "--reload", act=get)
    assert (done.status, status) == (0, 200)


@pytest.fixture
def impatient(monkeypatch):
    """Looks for changes are not a second apart."""
    monkeypatch.setattr(server, "TICK", 0.01)


def test_a_watched_child_ends_with_3_when_a_file_changed(impatient, command_on, here):
    def change(port):
        status = get(port)[0]
        write_again(here / "shop.py")
        return status

    done, status = command_on("serve", "shop:app", "--watched", "first", act=change, ends=False)
    assert (done.status, status) == (reloading.CHANGED, 200)


def test_a_watched_child_that_is_asked_to_end_ends_with_0(command_on):
    assert command_on("serve", "shop:app", "--watched", "again", act=get)[0].status == 0


@pytest.mark.parametrize(
    ("target", "changing"),
    [("raising:app", "raising.py"), ("typo:app", "typo.py"), ("shop:ap", "shop.py"), ("missing:app", ".")],
)
def test_a_watched_child_waits_for_the_file_that_may_mend_it(command, here, monkeypatch, target, changing):
    """A file that is missing is waited for by its directory."""
    file = here / changing
    monkeypatch.setattr(reloading.time, "sleep", lambda _: os.utime(file, (1, 1)))
    done = command("serve", target, "--listen", "127.0.0.1:0", "--watched", "again")
    assert done.status == reloading.CHANGED
    assert done.err.endswith("\nWaiting for a change\n")


def test_what_is_mended_as_soon_as_the_waiting_is_announced_is_a_change(command, here, monkeypatch):
    def announced(*_, **options):
        os.utime(here / "raising.py", (1, 1))

    monkeypatch.setattr("middleware.cli.serve.say", announced)
    monkeypatch.setattr(reloading.time, "sleep", lambda _: pytest.fail("it waits for another change"))
    done = command("serve", "raising:app", "--listen", "127.0.0.1:0", "--watched", "again")
    assert done.status == reloading.CHANGED


def test_a_signal_ends_the_waiting(command, monkeypatch):
    monkeypatch.setattr(reloading.time, "sleep", lambda _: signal.raise_signal(signal.SIGTERM))
    assert command("serve", "raising:app", "--listen", "127.0.0.1:0", "--watched", "again").status == 0


def test_a_wrong_target_is_not_waited_for_at_first(command):
    assert command("serve", "raising:app", "--listen", "127.0.0.1:0", "--watched", "first").status == 2


def test_a_child_ends_when_its_parent_is_gone(monkeypatch):
    watch = reloading.Watch()
    assert not watch.over()
    monkeypatch.setattr(os, "getppid", lambda: 1)
    assert watch.over()
    assert not watch.changed


def test_a_file_that_is_gone_has_not_changed(here, monkeypatch):
    """Editors that replace a file take it away for a moment."""
    file = here / "shop.py"
    watch = reloading.Watch()
    assert not watch.over([str(file)])
    content = file.read_text()
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    file.unlink()
    assert not watch.over([str(file)])
    file.write_text(content)
    os.utime(file, ns=times)
    assert not watch.over([str(file)])
    write_again(file)
    assert watch.over([str(file)])


@pytest.mark.parametrize(
    ("statuses", "asked", "status"),
    [
        ([0], True, 0),
        ([3, 3, 0], False, 0),
        ([2], False, 2),
        ([3, 1], False, 1),
        ([3], True, 0),
        ([-signal.SIGTERM], True, 0),
        ([-signal.SIGTERM], False, 143),
        ([-signal.SIGKILL], True, 137),
    ],
)
def test_the_parent_starts_again_after_3_and_ends_with_any_other_status(monkeypatch, listener, statuses, asked, status):
    commands = []

    def generation(stop, command):
        commands.append(command)
        stop.asked = asked
        return statuses[len(commands) - 1]

    monkeypatch.setattr(reloading, "_generation", generation)
    assert reloading.supervise(["serve", "a:b"], listener, "program") == status
    assert len(commands) == len(statuses)
    assert [command[-1] for command in commands] == ["first", *["again"] * (len(statuses) - 1)]


def test_a_child_that_starts_while_a_signal_comes_is_ended_too():
    stop = reloading.Stop()
    stop.asked = True
    pausing = [sys.executable, "-c", "import signal; signal.signal(signal.SIGTERM, signal.SIG_DFL); signal.pause()"]
    assert reloading._generation(stop, pausing) == -signal.SIGTERM


def test_a_child_is_asked_twice_and_killed_at_the_third_signal(monkeypatch):
    class Child:
        def __init__(self, *_, **__):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def terminate(self):
            met.append("terminate")

        def kill(self):
            met.append("kill")

        def wait(self):
            for _ in range(3):
                signal.raise_signal(signal.SIGINT)
            return 0

    met = []
    monkeypatch.setattr(reloading.subprocess, "Popen", Child)
    with reloading.Stop() as stop:
        reloading._generation(stop, [])
    assert met == ["terminate", "terminate", "kill"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_second_signal_ends_at_once_if_people_were_told(monkeypatch, number):
    """Supervisors send the first one twice: to the process, and to its group."""
    left = []
    monkeypatch.setattr(os, "_exit", left.append)
    with server.Stop() as stop:
        signal.raise_signal(number)
        signal.raise_signal(number)
        assert (stop.asked, stop.ending, left) == (2, True, [])
        stop.told = True
        signal.raise_signal(number)
    assert left == [128 + number]


def test_a_first_signal_asks_even_if_the_end_was_told_of_before():
    """A file may have changed."""
    with server.Stop() as stop:
        stop.told = True
        signal.raise_signal(signal.SIGTERM)
        assert stop.asked == 1


def test_whose_parent_passes_signals_on_is_deaf_to_ctrl_c():
    with server.Stop(deaf=True) as stop:
        signal.raise_signal(signal.SIGINT)
        assert not stop.asked
        signal.raise_signal(signal.SIGTERM)
        assert stop.asked


# -- the command -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in ("serve", "show", "check", "demo"))])
def test_every_command_has_help(command, arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        command(*arguments)
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("usage: python -m middleware")


def test_python_m_middleware_is_the_command(here, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["middleware", "check", "shop:broken"])
    module = str(Path(reloading.__file__).parents[1] / "__main__.py")
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(module, run_name="__main__")
    assert ended.value.code == 1
    assert "rewrite-inside-encode" in capsys.readouterr().out
    runpy.run_path(module, run_name="looked at")


def test_only_serving_loads_waitress(here):
    program = (
        "import sys, middleware.cli.command as command\n"
        "command.main(['check', 'shop:stack'])\n"
        "sys.exit(sorted({'waitress', 'webob', 'rich'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_current_directory_is_importable_from_anywhere_else(here, monkeypatch):
    monkeypatch.setattr(sys, "path", [path for path in sys.path if Path(path) != here])
    assert main(["check", "shop:stack"]) == 0
    assert sys.path.count(str(here)) == 1


def test_listen_is_a_context_that_closes_its_socket():
    with listen("localhost:0") as listener:
        assert url(listener).startswith("http://127.0.0.1:")
    with pytest.raises(CommandError, match=r"cannot listen on nowhere\.invalid:80: "):
        listen("nowhere.invalid:80")


def test_the_module_of_the_command_runs_nothing_when_it_is_imported(here):
    """As it is by processes that are spawned."""
    done = subprocess.run(
        [sys.executable, "-c", "import middleware.__main__"], capture_output=True, cwd=here, check=True
    )
    assert (done.stdout, done.stderr) == (b"", b"")


def test_the_version_is_told(command, capsys):
    with pytest.raises(SystemExit):
        command("--version")
    assert capsys.readouterr().out.startswith(f"wsgi-middleware-stack {middleware.__version__}, Python 3.")


# -- what is printed -------------------------------------------------------------------------------------------------

CAFE = """
from middleware import Headers, Stack, Timing
from shop import app

stack = Stack(Headers(set={"X-Name": "caf\xe9"}).named("caf\xe9"), Timing())
caf\xe9 = 1
"""


@pytest.fixture
def cafe(here):
    (here / "cafe.py").write_text(CAFE, "utf-8")


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "cafe:stack"],
        ["show", "cafe:stack", "--format", "dot"],
        ["show", "cafe:stack", "--format", "svg"],
        ["show", "cafe:stack", "--format", "json"],
        ["check", "cafe:stack"],
        ["check", "cafe:caf\xe9"],
        ["check", "caf\udce9:app"],
        ["caf\xe9"],
    ],
)
def test_what_an_encoding_lacks_is_escaped(cafe, monkeypatch, arguments):
    streams = [io.TextIOWrapper(io.BytesIO(), "ascii") for _ in range(2)]
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    assert main(arguments) in (0, 2)
    out, err = (stream.buffer.getvalue().decode("ascii") for stream in streams)
    assert re.search(r"caf(\\xe9|\\u00e9|&#233;|\\udce9)", out + err)


@pytest.mark.parametrize("form", [svg, dot])
def test_a_picture_is_ascii_and_means_the_same_in_any_encoding(form):
    text = form(Stack(Headers(set={"X-Name": "caf\xe9"})))
    assert "caf&#233;" in text
    assert text.isascii()


def test_the_dot_of_a_name_that_looks_like_an_entity_shows_it_as_it_is():
    assert "&amp;#233;" in dot(Stack(Headers(set={"X-Name": "&#233;"})))


def test_a_server_whose_output_lacks_characters_serves(start, cafe, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    running = start("serve", "shop:app", "--stack", "cafe:stack", "--listen", "127.0.0.1:0")
    assert running.until("warning: ").startswith("warning: the time that caf\\xe9 takes ")
    assert get(running.port())[1]["X-Name"] == "caf\xe9"


@contextlib.contextmanager
def reader_gone():
    """The end of a pipe to write to, whose other end is closed."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as file:
        yield file


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["show", "shop:stack"], 0),
        (["show", "shop:stack", "--format", "svg"], 0),
        (["check", "shop:broken"], 1),
        (["check", "shop:missing"], 2),
        (["--help"], 0),
        (["--version"], 0),
    ],
)
def test_what_nobody_reads_changes_no_exit_status(here, arguments, status):
    with reader_gone() as gone:
        command = [sys.executable, "-m", "middleware", *arguments]
        assert subprocess.run(command, check=False, stdout=gone, stderr=gone).returncode == status
        done = subprocess.run(command, check=False, stdout=gone, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (status, int(status == 2))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, which Linux and BSD have")
@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "shop:stack"],
        ["show", "shop:stack", "--format", "svg"],
        ["check", "shop:broken"],
        ["explain", "shop:app", "/"],
        ["--version"],
        ["show", "--help"],
    ],
)
def test_a_result_that_cannot_be_written_is_one_line_and_status_2(here, arguments):
    with open("/dev/full", "w") as full:  # noqa: PTH123 - as a shell redirects to it
        command = [sys.executable, "-m", "middleware", *arguments]
        done = subprocess.run(command, check=False, stdout=full, stderr=subprocess.PIPE, text=True)
    said = f"python -m middleware: stdout cannot be written: {os.strerror(errno.ENOSPC)}\n"
    assert (done.returncode, done.stderr) == (2, said)


@pytest.mark.parametrize("wrong", [errno.EPIPE, errno.EINVAL, errno.ENOSPC])
def test_output_that_cannot_be_written_is_an_error_of_results_alone(monkeypatch, wrong):
    class Stream(io.StringIO):
        def write(self, text):
            raise OSError(wrong, os.strerror(wrong))

    monkeypatch.setattr(sys, "stdout", Stream())
    output.say("Serving")
    expected = contextlib.nullcontext() if wrong != errno.ENOSPC else pytest.raises(CommandError, match="stdout cannot")
    with expected:
        output.result("text")


@pytest.mark.parametrize("arguments", [["serve", "shop:app", "--stack", "shop:warned"], ["demo"]])
def test_a_server_whose_output_nobody_reads_serves(here, listener, arguments):
    given = listener.fileno()
    command = [sys.executable, "-m", "middleware", *arguments, "--listen", f"fd://{given}"]
    with reader_gone() as gone, subprocess.Popen(command, stdout=gone, stderr=gone, pass_fds=[given]) as process:
        assert get(listener.getsockname()[1])[0] == 200
        process.terminate()
        assert process.wait(PATIENCE) == 0


def test_nothing_is_printed_where_there_are_no_streams(command, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["check", "shop:broken"]) == 1


@pytest.mark.parametrize("error", [RuntimeError("reentrant call"), BrokenPipeError()])
def test_a_flush_that_fails_is_no_error(monkeypatch, error):
    class Stream(io.StringIO):
        def flush(self):
            raise error

    monkeypatch.setattr(sys, "stdout", Stream())
    output.say("text")
    assert sys.stdout.getvalue() == "text\n"


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self):
        return True


ESCAPED = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def shown(command, monkeypatch):
    """What a command shows on a terminal, or on what is none."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def run(*arguments, on=Screen):
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", on())
            main(arguments)
            return sys.stdout.getvalue()

    return run


@pytest.mark.parametrize(
    ("arguments", "coloured"),
    [
        (["show", "shop:stack"], "\x1b[1m 1  Timing()\x1b[0m"),
        (["check", "shop:broken"], "\x1b[1;31merror:\x1b[0m"),
        (["check", "shop:warned"], "\x1b[1;33mwarning:\x1b[0m"),
    ],
)
def test_a_terminal_shows_the_same_text_in_colour(shown, arguments, coloured):
    text = shown(*arguments)
    assert coloured in text
    assert ESCAPED.sub("", text) == shown(*arguments, on=io.StringIO)


@pytest.mark.parametrize(
    ("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb"), ("FORCE_COLOR", "1")], ids=lambda name: name
)
def test_nothing_else_has_colours(shown, monkeypatch, variable, value):
    """NO_COLOR (no-color.org); a terminal without any; a file or pipe, whatever is forced."""
    monkeypatch.setenv(variable, value)
    text = shown("show", "shop:stack", on=io.StringIO if variable == "FORCE_COLOR" else Screen)
    assert text == f"{sys.modules['shop'].stack}\n"


def test_without_rich_a_terminal_shows_plain_text(shown, monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert shown("show", "shop:stack") == f"{sys.modules['shop'].stack}\n"


# -- beside a middleware.py of the user's ----------------------------------------------------------------------------

SCRIPT = "import sys\nfrom wsgi_middleware_stack import main\nif __name__ == '__main__':\n    sys.exit(main())\n"
HIDDEN = "{} has the name of this package, and is not what `import middleware` finds: rename it"
SHADOWS = {
    "a module": ("middleware.py", "class Own: ...\n"),
    "a package": ("middleware/__init__.py", "class Own: ...\n"),
    "a folder": ("middleware/own.py", "class Own: ...\n"),
}


@pytest.fixture
def script(here, tmp_path_factory):
    """Run the console script, as pip writes it, in the folder of a project; `path` comes first on PYTHONPATH."""
    file = tmp_path_factory.mktemp("bin") / "wsgi-middleware-stack"
    file.write_text(SCRIPT)

    def run(*arguments, path="."):
        env = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([*([path] if path else []), os.environ.get("PYTHONPATH", "")]),
        }
        command = [sys.executable, str(file), *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=env)
        return Done(done.returncode, done.stdout, done.stderr)

    return run


def shadowed(here, shadow):
    name, text = SHADOWS[shadow]
    (here / name).parent.mkdir(exist_ok=True)
    (here / name).write_text(text)
    return here / name.removesuffix("/__init__.py").removesuffix("/own.py")


@pytest.mark.parametrize("path", [".", ""], ids=["on the path", "here"])
@pytest.mark.parametrize("shadow", SHADOWS)
def test_the_console_script_works_beside_a_middleware_of_the_users(here, script, shadow, path):
    file = shadowed(here, shadow)
    done = script("check", "shop:stack", path=path)
    assert done == (
        0,
        "Nothing to fix: Timing, api, outermost first, breaks no rule\n",
        f"warning: {HIDDEN.format(file)}\n",
    )


@pytest.mark.parametrize("path", [".", ""], ids=["on the path", "here"])
@pytest.mark.parametrize("shadow", SHADOWS)
def test_the_console_script_says_what_is_wrong_where_the_users_own_is_imported(here, script, shadow, path):
    file = shadowed(here, shadow)
    (here / "mine.py").write_text(
        "from middleware.own import Own\n" if shadow == "a folder" else "from middleware import Own\n"
    )
    done = script("serve", "mine:app", "--listen", "127.0.0.1:0", path=path)
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert done.err.startswith("wsgi-middleware-stack: importing 'mine' failed: ")
    assert done.err.endswith(
        f"; {file} has the name of this package, and is not what `import middleware` finds: rename it\n"
    )


def test_an_import_that_fails_for_another_reason_is_told_as_ever(here, script):
    shadowed(here, "a module")
    assert 'python -c "import raising" shows where it came from\n' in script("check", "raising:stack").err


def test_reload_works_beside_a_middleware_of_the_users(start, here, tmp_path_factory, monkeypatch):
    """Its child is no `python -m middleware`, which would run that file."""
    shadowed(here, "a module")
    file = tmp_path_factory.mktemp("bin") / "wsgi-middleware-stack"
    file.write_text(SCRIPT)
    monkeypatch.setattr(Running, "COMMAND", (str(file),))
    running = start("serve", "shop:app", "--listen", "127.0.0.1:0", "--reload")
    assert get(running.port())[0] == 200
    running.send(signal.SIGTERM)
    assert running.status() == 0


def test_the_console_script_in_this_process(command, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["wsgi-middleware-stack", "show", "shop:missing"])
    assert wsgi_middleware_stack.main() == 2
    assert capsys.readouterr().err.startswith("wsgi-middleware-stack: 'shop' has no 'missing'")

"""Every example, served by the commands that its docstring names."""

from __future__ import annotations

import ast
import gzip
import re
import shlex
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from serving import Client, Server, ask, script

EXAMPLES = Path(__file__).parents[1] / "examples"
ADDRESS = "127.0.0.1:8080"
NAMES = [
    "custom_middleware",
    "django_app",
    "errors_from_frameworks",
    "flask_app",
    "hooks_outside_flask",
    "paste_app",
    "plain_wsgi",
    "recipes",
    "third_party",
]
BY = ["waitress-serve", "python"]

everyone = pytest.mark.parametrize("by", BY)
frameworks = pytest.mark.parametrize("name", ["flask_app", "django_app"])


def documented(name: str) -> dict[str, list[str]]:
    """The commands in the docstring of an example, each under its first word."""
    text = ast.get_docstring(ast.parse((EXAMPLES / f"{name}.py").read_text(encoding="utf-8"))) or ""
    commands = [shlex.split(line) for line in re.findall(r"^    (\S.*)$", text, re.MULTILINE)]
    return {words[0]: words[1:] for words in commands}


@pytest.fixture(scope="session")
def served():
    """Each example by each command, started when it is first asked for, on a port that is free."""
    started: dict[tuple[str, str], Server] = {}
    with ExitStack() as ending:

        def server(name: str, by: str) -> Server:
            if (name, by) not in started:
                program = sys.executable if by == "python" else script(by)
                arguments = [word.replace(ADDRESS, "127.0.0.1:0") for word in documented(name)[by]]
                started[name, by] = Server(program, *arguments, cwd=EXAMPLES)
                ending.callback(started[name, by].close)
            return started[name, by]

        yield server


def test_no_example_is_left_out():
    assert sorted(path.stem for path in EXAMPLES.glob("*.py")) == sorted([*NAMES, "policy"])


@pytest.mark.parametrize("name", NAMES)
def test_an_example_names_the_commands_that_serve_it_and_one_that_asks_it(name):
    commands = documented(name)
    first, *_, last = commands["waitress-serve"]
    assert (first, last) == (f"--listen={ADDRESS}", f"{name}:application")
    assert commands["python"] == ["-m", "middleware", "serve", f"{name}:application", "--listen", ADDRESS]
    assert commands["curl"][-1].startswith(f"http://{ADDRESS}/")


# -- a policy around a framework ---------------------------------------------------------------------------------------

# method, path, fields of the request, status, body (None: any)
ROUTES = [
    ("GET", "/", {}, 200, None),
    ("HEAD", "/", {}, 200, b""),
    ("GET", "/nowhere", {}, 404, None),
    ("GET", "/error", {}, 500, None),
    ("HEAD", "/error", {}, 500, b""),
    ("GET", "/stream", {}, 200, b"line 1\nline 2\nline 3\n"),
    ("GET", "/old", {}, 302, None),
    ("GET", "/article", {}, 200, b"An article that seldom changes\n"),
    ("GET", "/article", {"If_None_Match": '"v1"'}, 304, b""),
]


@everyone
@frameworks
def test_every_response_of_a_framework_carries_the_policy(served, name, by):
    with Client(served(name, by).port) as client:
        for method, path, fields, status, body in ROUTES:
            answer = client.ask(path, method, **fields)
            case = method, path
            assert (*case, answer.status) == (*case, status)
            assert (*case, answer.body) == (*case, answer.body if body is None else body)
            assert (*case, answer.headers["X-App"]) == (*case, "demo")
            assert (*case, answer.headers.get_all("X-Content-Type-Options")) == (*case, ["nosniff"])
            nonced = "'nonce-" in answer.headers.get("Content-Security-Policy", "")
            assert (*case, answer.headers["Cache-Control"]) == (*case, "no-cache" + ", private" * nonced)
            assert (*case, answer.headers["Server-Timing"][:10]) == (*case, "total;dur=")


@everyone
@frameworks
def test_a_framework_says_hello_redirects_and_tags_as_it_does_alone(served, name, by):
    port = served(name, by).port
    assert ask(port, "/").body == f"Hello from {name.removesuffix('_app').capitalize()}\n".encode()
    assert ask(port, "/old").headers["Location"] == "/"
    assert ask(port, "/article").headers["ETag"] == '"v1"'
    assert b"this route always fails" not in ask(port, "/error").body


@everyone
@frameworks
def test_a_stream_of_a_framework_is_encoded_for_who_asks(served, name, by):
    answer = ask(served(name, by).port, "/stream", Accept_Encoding="gzip")
    assert (answer.headers["Content-Encoding"], answer.headers["Vary"]) == ("gzip", "Accept-Encoding")
    assert gzip.decompress(answer.body) == b"line 1\nline 2\nline 3\n"


@everyone
@frameworks
def test_a_template_of_a_framework_prints_the_nonce_of_the_policy(served, name, by):
    answers = [ask(served(name, by).port, "/page") for _ in range(2)]
    printed = [re.search(rb'<script nonce="([^"]{24})">', answer.body)[1].decode() for answer in answers]
    named = [re.findall(r"'nonce-(.*?)'", answer.headers["Content-Security-Policy"]) for answer in answers]
    assert named == [[nonce] * 2 for nonce in printed]
    assert len(set(printed)) == 2


# -- the others --------------------------------------------------------------------------------------------------------


@everyone
@pytest.mark.parametrize(
    ("path", "expected", "metrics"),
    [
        ("/", (200, b"Hello from plain WSGI\n"), r'total;dur=[\d.]+, greet;desc="choosing words";dur=[\d.]+'),
        ("/nowhere", (404, b"There is nothing here\n"), r"total;dur=[\d.]+"),
        ("/error", (500, b"Internal Server Error\n"), r"total;dur=[\d.]+"),
    ],
)
def test_plain_wsgi_has_a_metric_of_its_own_and_a_field_made_for_each_response(served, by, path, expected, metrics):
    answer = ask(served("plain_wsgi", by).port, path)
    assert (answer.status, answer.body) == expected
    assert (answer.headers["X-App"], answer.headers["X-Seen"]) == ("demo", f"GET {answer.status}")
    assert re.fullmatch(metrics, answer.headers["Server-Timing"])


@everyone
@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/", (200, b"Hello from https://shop.example\n")),
        ("HEAD", "/", (200, b"")),
        ("GET", "/links", (200, b"Buy at https://shop.example/ today\n")),
        ("GET", "/shop", (503, b"We are rebuilding this page\n")),
        ("GET", "/shop/cart", (503, b"We are rebuilding this page\n")),
        ("GET", "/shopping", (200, b"Hello from https://shop.example\n")),
        ("GET", "/error", (500, b"Internal Server Error\n")),
    ],
)
def test_middleware_of_ones_own_names_closes_and_rewrites(served, by, method, path, expected):
    answer = ask(served("custom_middleware", by).port, path, method)
    assert (answer.status, answer.body) == expected
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-Id"])
    assert answer.headers["Retry-After"] == ("120" if answer.status == 503 else None)
    assert "total;dur=" in answer.headers["Server-Timing"]


@everyone
@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/", "GET / 200, done"),
        ("/shop", "GET /shop 503, done"),
        ("/error", "GET /error 500, failed: RuntimeError('this route always fails')"),
    ],
)
def test_middleware_of_ones_own_logs_each_request_under_the_name_that_the_client_gave(served, by, path, line):
    server = served("custom_middleware", by)
    name = f"{by}-{path.strip('/') or 'root'}"
    assert ask(server.port, path, X_Request_Id=name).headers["X-Request-Id"] == name
    server.wait(lambda: any(said.endswith(f"{name} {line}") for said in server.lines))


@everyone
def test_a_file_that_whitenoise_sends_has_the_headers_of_the_stack(served, by):
    for method, status, body in (("GET", 200, (EXAMPLES / "static/hello.txt").read_bytes()), ("HEAD", 200, b"")):
        answer = ask(served("third_party", by).port, "/static/hello.txt", method)
        assert (answer.status, answer.body, answer.headers["X-App"]) == (status, body, "demo")
        assert "total;dur=" in answer.headers["Server-Timing"]


def test_the_application_inside_proxy_fix_sees_the_client_of_the_proxy(served):
    port = served("third_party", "waitress-serve").port
    assert ask(port, "/", X_Forwarded_For="203.0.113.7", X_Forwarded_Proto="https").body == b"203.0.113.7 by https\n"
    assert ask(port, "/").body == b"127.0.0.1 by http\n"


@everyone
def test_a_chain_that_is_written_in_an_ini_is_served(served, by):
    answer = ask(served("paste_app", by).port, "/", Accept_Encoding="gzip", Origin="https://toys.shop.example")
    assert (answer.status, gzip.decompress(answer.body)) == (200, b"Hello from paste.ini\n" * 10)
    assert answer.headers["X-App"] == "demo"
    assert len(answer.headers.get_all("Link")) == 2
    assert answer.headers["Access-Control-Allow-Origin"] == "https://toys.shop.example"
    assert answer.headers["Content-Security-Policy"] == "default-src 'self'; frame-ancestors 'none'"
    assert answer.headers["Permissions-Policy"] == "camera=(), fullscreen=(self)"
    assert answer.headers["Server-Timing"] == f"total;dur={answer.headers['X-Response-Time']}"


# -- hooks -------------------------------------------------------------------------------------------------------------

around = pytest.mark.parametrize("kind", ["plain", "django"])
ALIKE = {"X-Custom": "value", "Strict-Transport-Security": "max-age=31536000", "X-Note": "Always runs"}

# lesson and path, status, fields (None: not there), body (None: any)
LESSONS = [
    ("deep-dive/", 200, {**ALIKE, "Set-Cookie": "seen=yes; Path=/"}, b"Hello, World!"),
    ("deep-dive/", 200, {"Content-Security-Policy": "default-src 'self'"}, b"Hello, World!"),
    ("deep-dive/nowhere", 404, ALIKE, None),
    ("deep-dive/error", 500, ALIKE, None),
    ("deep-dive-order/", 200, {"X-Order": "last second first"}, b"Hello, World!"),
    ("deep-dive-errors/", 200, {"X-Note": None, "X-After": "runs too"}, b"Hello, World!"),
    ("deep-dive-errors/nowhere", 404, {"X-Note": None, "X-After": "runs too"}, None),
    ("deep-dive-errors/error", 500, {"X-Note": "Error handled", "X-After": "runs too"}, b"Error occurred"),
    ("deep-dive-request/", 200, {}, b"Hello, World!"),
    ("five-minutes/", 200, {"X-Custom-Header": "MyValue"}, b"Hello, World!"),
    ("five-minutes/home", 200, {"X-Content-Type-Options": "nosniff"}, b'{"message":"Hello, world!"}\n'),
    ("five-minutes-forgotten/", 500, {}, None),
    ("each-request/", 200, {"X-Custom-Header": "Custom Value", "Content-Encoding": None}, b"Hello, World!"),
    ("each-request/", 200, {"Access-Control-Allow-Origin": "*"}, None),
    ("each-request/", 200, {"Access-Control-Allow-Methods": "GET, POST, PUT, DELETE"}, None),
    ("each-request/bare", 200, {"Content-Encoding": "gzip", "Vary": None}, None),
    ("both-hooks/", 200, {"X-App": "Flask-Demo"}, b"Hello, World!"),
    ("guard/public", 200, {}, b"Public page"),
    ("guard/admin", 403, {}, b"Forbidden"),
    ("guard/admin?key=letmein", 200, {}, b"Admin panel"),
    ("guard/admin/nowhere", 403, {}, b"Forbidden"),
    ("timing/work", 200, {"X-Timed": "yes"}, b"done"),
    ("exercise/", 200, {"X-Lesson": "request-hooks"}, b"Hello, World!"),
    ("contexts/result", 200, {"Content-Type": "application/json", "Content-Length": "8"}, b'{"a": 1}'),
    ("contexts-failing/result", 500, {"X-Level": None}, None),
    ("contexts-failing/", 200, {"X-Level": "global"}, b"Hello, World!"),
]


@everyone
@around
def test_hooks_do_outside_flask_what_tutorials_show_or_what_flask_really_does(served, by, kind):
    with Client(served("hooks_outside_flask", by).port) as client:
        for where, status, fields, body in LESSONS:
            answer = client.ask(f"/{kind}/{where}")
            assert (where, answer.status) == (where, status)
            assert (where, {name: answer.headers[name] for name in fields}) == (where, fields)
            assert (where, answer.body) == (where, answer.body if body is None else body)


@everyone
@pytest.mark.parametrize(("kind", "said"), [("plain", b"There is nothing here\n"), ("django", b"<h1>Not Found</h1>")])
def test_a_lesson_on_hooks_is_around_two_applications(served, by, kind, said):
    assert said in ask(served("hooks_outside_flask", by).port, f"/{kind}/exercise/nowhere").body


@everyone
@around
def test_a_page_that_a_hook_has_compressed_can_be_read(served, by, kind):
    answer = ask(served("hooks_outside_flask", by).port, f"/{kind}/each-request/bare")
    assert gzip.decompress(answer.body) == b"Hello, World!"
    assert answer.headers["Content-Length"] == str(len(answer.body))


@everyone
@around
@pytest.mark.parametrize(
    ("path", "levels"),
    [("/", ["global"]), ("/admin", ["global", "scope"]), ("/work", ["global", "route"]), ("/result", ["global"])],
)
def test_hooks_with_a_context_run_from_the_outermost_level_inwards(served, by, kind, path, levels):
    answer = ask(served("hooks_outside_flask", by).port, f"/{kind}/contexts{path}")
    assert answer.headers.get_all("X-Level") == levels


@everyone
@around
@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("five-minutes/home", "Response status: 200 OK"),
        ("five-minutes-forgotten/", "TypeError: the after_request hook hooks_outside_flask.five_minutes_forgotten"),
        ("each-request/public", "Response Status: 200 OK"),
        ("each-request/nowhere", "Request failed with status 404"),
        ("each-request/error", "Request failed with status 500"),
        ("both-hooks/", "before_request ran"),
        ("contexts/public", "Request for /public"),
    ],
)
def test_hooks_print_and_log(served, by, kind, where, line):
    server = served("hooks_outside_flask", by)
    known = len(server.lines)
    ask(server.port, f"/{kind}/{where}")
    server.wait(lambda: any(said.startswith(line) for said in server.lines[known:]))


@everyone
@around
def test_the_end_of_a_request_comes_after_its_last_chunk(served, by, kind):
    server, told = served("hooks_outside_flask", by), f"/stream?{kind}"
    assert ask(server.port, f"/{kind}/timing{told}").body == b"first second"
    server.wait(lambda: f"{told} is over: None" in server.lines)
    mine = [line for line in server.lines if line.startswith(told)]
    assert mine[-3:] == [f"{told} sends first", f"{told} sends second", f"{told} is over: None"]


@everyone
@around
def test_the_end_of_a_request_that_failed_is_told_of_the_error(served, by, kind):
    server, told = served("hooks_outside_flask", by), f"/error?{kind}"
    assert ask(server.port, f"/{kind}/timing{told}").headers["X-Timed"] == "yes"
    server.wait(lambda: f"{told} is over: RuntimeError('this route always fails')" in server.lines)


@everyone
def test_every_lesson_on_hooks_is_listed(served, by):
    answer = ask(served("hooks_outside_flask", by).port, "/")
    listed = set(re.findall(r"^/(?:plain|django)/(.*?)/$", answer.body.decode(), re.MULTILINE))
    assert (answer.status, listed) == (404, {where.partition("/")[0] for where, *_ in LESSONS})


@everyone
@pytest.mark.parametrize("framework", ["flask", "django"])
@pytest.mark.parametrize(
    ("path", "status", "body", "told"),
    [
        ("/sold-out", 409, b"Sorry: the last one is gone\n", "None"),
        ("/error", 500, None, "RuntimeError('this route always fails')"),
        ("/nowhere", 404, None, "None"),
    ],
)
def test_the_errors_that_a_framework_answers_reach_the_hooks(  # noqa: PLR0917 - a table
    served, by, framework, path, status, body, told
):
    server = served("errors_from_frameworks", by)
    answer = ask(server.port, f"/{framework}{path}")
    assert (answer.status, answer.body) == (status, answer.body if body is None else body)
    assert answer.headers["X-Hooks"] == "seen"
    server.wait(lambda: f"/{framework}{path}? is over: {told}" in server.lines)


# recipe, what it says about a request that went well, and about one that failed
RECIPES = [
    ("hooks/log", r"recipes: Response status: 200 OK", r"recipes: Response status: 500 .*"),
    ("layers/log", r'middleware\.access: .* "GET {path} .*" 200 .*', r'middleware\.access: .* "GET {path} .*" 500 .*'),
    ("hooks/errors", None, r"recipes: Request failed with status 500: GET /error"),
    ("layers/errors", None, r"middleware\.access: GET {path} from 127\.0\.0\.1: the view failed"),
]


@everyone
@pytest.mark.parametrize(("recipe", "well", "badly"), RECIPES)
def test_a_recipe_logs_by_hooks_and_by_layers(served, by, recipe, well, badly):
    server = served("recipes", by)
    for page, said in (("/", well), ("/error", badly)):
        path = f"/{recipe}{page}"
        assert ask(server.port, path).status == (500 if page == "/error" else 200)
        if said is not None:
            pattern = re.compile(r"\S+ " + said.format(path=re.escape(path)))
            server.wait(lambda pattern=pattern: any(pattern.fullmatch(line) for line in server.lines))


@everyone
def test_a_recipe_times_by_hooks_and_by_layers(served, by):
    port = served("recipes", by).port
    assert re.fullmatch(r"[0-9.]+", ask(port, "/hooks/time/work").headers["X-Timed"])
    assert re.fullmatch(r"total;dur=[0-9.]+, db;dur=[0-9.]+", ask(port, "/layers/time/work").headers["Server-Timing"])


@everyone
@pytest.mark.parametrize("kind", ["hooks", "layers"])
def test_a_recipe_cleans_up_by_hooks_and_by_layers_also_after_an_error(served, by, kind):
    """The client may have the response before its clean-up has ended; a connection that leaks is never given back."""
    port = served("recipes", by).port
    for page, status in (("/", 200), ("/error", 500), ("/", 200)):
        assert ask(port, f"/{kind}/clean{page}").status == status
    assert any(ask(port, f"/{kind}/clean/").body == b"connections taken: 1\n" for _ in range(100))


@everyone
def test_the_recipes_are_listed(served, by):
    assert ask(served("recipes", by).port, "/").status == 404

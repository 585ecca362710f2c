"""Inspector: who sees its page, what it keeps, and that nothing on the page comes to life."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from flask import Flask

from gateway import serve
from middleware import ConfigError, Effects, Headers, Inspector, Middleware, Stack, match
from middleware.cli.debugging import Debugger
from middleware.sight.explain import watched
from middleware.sight.inspector import is_local

TOKEN = "s3cret-token"  # noqa: S105 - of these tests
HERE = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "127.0.0.1:8080"}
PAGE = "/__stack__"
KEY = {"QUERY_STRING": f"key={TOKEN}"}


def app(environ, start_response):
    if environ["PATH_INFO"] == "/error":
        raise LookupError("<b>broken</b>")
    lines = environ.get("test.lines", [])
    start_response("200 OK", [("Content-Type", "text/plain"), *lines])
    return [b"the application"]


def inspected(**options):
    inspector = Inspector(token=TOKEN, **options)
    return Stack(inspector, Headers(set={"X-A": "1"})).wrap(app)


def cookie_of(run, page=PAGE):
    [cookie] = serve(run, page, **HERE, **KEY).get_all("Set-Cookie")
    return cookie.partition(";")[0]


# what differs from a request with the token from this machine -> whether the page is shown
ACCESS = [
    ({}, True),
    ({"REQUEST_METHOD": "HEAD"}, True),
    ({"HTTP_HOST": "localhost"}, True),
    ({"HTTP_HOST": "LOCALHOST.:80"}, True),
    ({"HTTP_HOST": "shop.localhost:80"}, True),
    ({"HTTP_HOST": "[::1]:8080"}, True),
    ({"HTTP_HOST": "127.9.9.9"}, True),
    ({"REMOTE_ADDR": "::1"}, True),
    ({"REMOTE_ADDR": "::ffff:127.0.0.1"}, True),
    ({"REQUEST_METHOD": "POST"}, False),
    ({"QUERY_STRING": ""}, False),
    ({"QUERY_STRING": "key="}, False),
    ({"QUERY_STRING": f"key={TOKEN}x"}, False),
    ({"QUERY_STRING": f"key={TOKEN}&key={TOKEN}"}, False),
    ({"QUERY_STRING": "key=%ff"}, False),
    ({"REMOTE_ADDR": "10.0.0.1"}, False),
    ({"REMOTE_ADDR": ""}, False),
    ({"REMOTE_ADDR": "::ffff:10.0.0.1"}, False),
    ({"HTTP_HOST": "b.example"}, False),
    ({"HTTP_HOST": "127.0.0.1.b.example"}, False),
    ({"HTTP_HOST": "localhost@b.example"}, False),
    ({"HTTP_HOST": "localhost, b.example"}, False),
    ({"HTTP_HOST": ""}, False),
    ({"HTTP_FORWARDED": "for=1.2.3.4"}, False),
    ({"HTTP_X_FORWARDED_FOR": ""}, False),
    ({"HTTP_X_FORWARDED_PROTO": "https"}, False),
    ({"HTTP_X_REAL_IP": "1.2.3.4"}, False),
    ({"HTTP_VIA": "1.1 proxy"}, False),
    ({"PATH_INFO": "/__stack__/"}, False),
    ({"SCRIPT_NAME": "/mounted"}, False),
    ({"SCRIPT_NAME": "/__stack__", "PATH_INFO": ""}, True),
]


@pytest.mark.parametrize(("differs", "shown"), ACCESS)
@pytest.mark.parametrize("by", ["key", "cookie"])
def test_the_page_is_for_this_machine_and_the_token(differs, shown, by):
    """For everyone else the path is the application's, and no cookie is set."""
    run = inspected()
    said = {**HERE, "PATH_INFO": PAGE, **KEY, **differs}
    if by == "cookie":
        said["HTTP_COOKIE"] = f"a=b; {cookie_of(run)}"
        if said["QUERY_STRING"] != KEY["QUERY_STRING"]:
            said["HTTP_COOKIE"] += "x"
    path, method = said.pop("PATH_INFO"), said.pop("REQUEST_METHOD", "GET")
    answer = serve(run, path, method, lint=False, **said)
    assert (answer.get("Content-Type") == "text/html; charset=utf-8") is shown
    assert (answer.get("Set-Cookie") is not None) is shown
    assert (answer.get("X-A") is None) is shown


def test_the_host_counts_also_where_it_is_missing():
    assert not is_local({"REMOTE_ADDR": "127.0.0.1"})
    assert not is_local({"HTTP_HOST": "localhost"})


def test_the_cookie_is_for_this_site_and_no_script():
    answer = serve(inspected(), PAGE, **HERE, **KEY)
    [cookie] = answer.get_all("Set-Cookie")
    assert cookie.endswith("; Path=/; HttpOnly; SameSite=Strict")
    assert (answer.get("Cache-Control"), answer.get("Referrer-Policy")) == ("no-store", "no-referrer")


class Elements(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.attributes, self.text = set(), set(), []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data):
        self.text.append(data)


ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body"),
    *("h1", "h2", "table", "tr", "th", "td", "a", "p", "pre"),
}
HOSTILE = "<script>alert(1)</script>\"'&<img src=x onerror=y>\x1b[31m"


def test_hostile_values_are_text():
    run = inspected()
    cookie = cookie_of(run)
    lines = [("X-Hostile", HOSTILE), (HOSTILE, "1")]
    serve(run, f"/{HOSTILE}", HOSTILE, lint=False, HTTP_X_EVIL=HOSTILE, **{"test.lines": lines}, **HERE)
    for query in "", "exchange=1":
        page = Elements(serve(run, PAGE, HTTP_COOKIE=cookie, QUERY_STRING=query, **HERE).body.decode())
        assert page.elements <= ELEMENTS
        assert page.attributes <= {"href", "charset", "lang"}
        assert "<script>alert(1)</script>" in "".join(page.text)
        assert "\x1b" not in "".join(page.text)


def test_the_page_loads_nothing_and_names_its_style():
    answer = serve(inspected(), PAGE, **HERE, **KEY)
    policy = answer.get("Content-Security-Policy")
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert b"<script" not in answer.body
    assert not re.search(rb"(src|url\(|@import|style)=", answer.body)


SECRETS = {
    "HTTP_AUTHORIZATION": "Basic hidden",
    "HTTP_PROXY_AUTHORIZATION": "Basic hidden",
    "HTTP_COOKIE": "session=hidden",
    "HTTP_X_API_KEY": "hidden",
    "HTTP_X_CSRFTOKEN": "hidden",
    "HTTP_REFERER": "https://a.example/?a=1&access_token=hidden#id_token=hidden",
    "QUERY_STRING": "a=seen&api_key=hidden&pass%77ord=hidden&X-CSRF=hidden;secret=hidden&flag",
}
SENT = [("Set-Cookie", "session=hidden"), ("X-Secret", "hidden"), ("Location", "/a?token=hidden&b=seen#c")]


class Changes(Middleware):
    """Removes and changes fields with secrets."""

    def on_response(self, environ, response):
        response.headers["Set-Cookie"] = "session=hidden-too"
        del response.headers["X-Secret"]


def test_secrets_are_not_kept():
    inspector = Inspector(token=TOKEN)
    run = Stack(inspector, Changes()).wrap(app)
    cookie = cookie_of(run)
    serve(run, "/", lint=False, **{"test.lines": SENT}, **HERE, **SECRETS)
    page = serve(run, PAGE, HTTP_COOKIE=cookie, QUERY_STRING="exchange=1", **HERE).body.decode()
    assert "hidden" not in page
    assert "hidden" not in repr(inspector._kept)
    assert "/?a=seen&amp;api_key=(not kept)&amp;pass%77ord=(not kept)&amp;X-CSRF=(not kept);secret=(not kept)" in page
    assert "/a?token=(not kept)&amp;b=seen#c" in page
    assert "https://a.example/?a=1&amp;access_token=(not kept)#id_token=(not kept)" in page


@pytest.mark.parametrize("mark", ["'", '"', "<", ">", "?", "#", ";", "\xa0", "\x85", "\t", "=", "%27", "?b=", ";b="])
def test_nothing_of_a_secret_is_kept_whatever_characters_it_has(mark):
    query = f"a=seen&password=hid{mark}den&b=seen"
    inspector = Inspector(token=TOKEN)
    run = Stack(inspector, Changes()).wrap(app)
    sent = [("Location", f"/a?{query}")] if mark != "\x85" else []
    serve(run, "/", lint=False, QUERY_STRING=query, HTTP_REFERER=f"https://a.example/?{query}", **{"test.lines": sent})
    [(_, told)] = inspector._kept.exchanges
    assert told.target == "/?a=seen&password=(not kept)&b=seen"
    assert "den" not in repr(told)


def test_secrets_in_the_text_of_notes_and_exceptions_are_not_kept():
    class Tells(Middleware):
        def on_request(self, environ):
            environ["middleware.notes"].append(f"would not lead to '//x?{environ['QUERY_STRING']}': it is no URL")
            raise LookupError(f"no page /?{environ['QUERY_STRING']}")

    inspector = Inspector(token=TOKEN)
    run = Stack(inspector, Tells()).wrap(app)
    serve(run, "/", QUERY_STRING="a=seen&token=hidden", **HERE)
    [(_, told)] = inspector._kept.exchanges
    assert "hidden" not in repr(told)
    assert told.steps[0].note.startswith("would not lead to '//x?a=seen&token=(not kept)': it is no URL")
    assert told.error == "LookupError: no page /?a=seen&token=(not kept)"


def test_the_texts_of_notes_and_exceptions_do_not_repeat_the_values_of_fields_that_are_not_kept():
    class Tells(Middleware):
        def on_request(self, environ):
            environ["middleware.notes"].append(f"no session {environ['HTTP_COOKIE'][-9:]}")
            raise LookupError(f"not {environ['HTTP_AUTHORIZATION']}, {environ['HTTP_AUTHORIZATION'][6:]}")

    inspector = Inspector(token=TOKEN)
    run = Stack(inspector, Tells()).wrap(app)
    serve(run, HTTP_COOKIE="a=1; session=hidden-11", HTTP_AUTHORIZATION="Basic hidden==", **HERE)
    [(_, told)] = inspector._kept.exchanges
    assert told.steps[0].note.startswith("no session (not kept);")
    assert told.error == "LookupError: not (not kept), (not kept)"


@pytest.mark.parametrize(
    ("sent", "repeated"),
    [
        ({"HTTP_COOKIE": 'a=1; session="hidden"'}, "hidden"),  # RFC 6265 4.1.1: quotes around a value
        ({"HTTP_COOKIE": "a b=hidden; c=1"}, "hidden"),
        ({"HTTP_COOKIE": "hidden; a=1"}, "hidden"),
        ({"HTTP_COOKIE": "=hidden; a=1"}, "hidden"),
        ({"HTTP_AUTHORIZATION": "Bearer  hidden"}, "hidden"),
        ({"HTTP_X_API_KEY": '"hidden"'}, "hidden"),
        ({"QUERY_STRING": "a=1&token=hidden"}, "hidden"),
        ({"QUERY_STRING": "token=h%69dden+word&a=1"}, "h%69dden+word"),
        ({"QUERY_STRING": "token=h%69dden+word&a=1"}, "hidden word"),
        ({"HTTP_REFERER": "https://a.example/?a=1&token=hidden"}, "hidden"),
        ({"test.lines": [("Set-Cookie", "a=hidden; Path=/")]}, "hidden"),
        ({"test.lines": [("Location", "/a?token=hidden")]}, "hidden"),
    ],
)
def test_an_exception_does_not_repeat_a_value_that_is_not_kept_without_its_name(sent, repeated):
    class Fails(Middleware):
        def on_response(self, environ, response):
            raise LookupError(f"no {repeated}, {repeated}")

    inspector = Inspector(token=TOKEN)
    serve(Stack(inspector, Fails()).wrap(app), lint=False, **{**HERE, **sent})
    [(_, told)] = inspector._kept.exchanges
    assert told.error == "LookupError: no (not kept), (not kept)"


def test_the_last_exchanges_are_kept():
    run = inspected(keep=2)
    cookie = cookie_of(run)
    for path in ("/one", "/two", "/error"):
        serve(run, path, **HERE)
    page = serve(run, PAGE, HTTP_COOKIE=cookie, **HERE).body.decode()
    assert "/one" not in page
    assert page.index("/error") < page.index("/two")
    assert "LookupError: &lt;b&gt;broken&lt;/b&gt;" in page
    failed = serve(run, PAGE, HTTP_COOKIE=cookie, QUERY_STRING="exchange=3", **HERE).body.decode()
    assert "<p>LookupError: &lt;b&gt;broken&lt;/b&gt;</p>" in failed
    assert "Headers(set={" in page


@pytest.mark.parametrize("query", ["exchange=7", "exchange=x", "exchange=9999999999999", "exchange=%C2%B2"])
def test_an_exchange_that_is_not_kept_is_not_found(query):
    run = inspected()
    answer = serve(run, PAGE, HTTP_COOKIE=cookie_of(run), QUERY_STRING=query, **HERE)
    assert answer.status == "404 Not Found"
    assert b"no longer kept" in answer.body


class Answers(Middleware):
    def on_request(self, environ):
        environ["middleware.notes"].append("a reason")
        return app if environ["PATH_INFO"] == "/answered" else None

    def on_response(self, environ, response):
        response.headers["X-Gone"] = "2"
        return Same()


class Same:
    def feed(self, chunk):
        return chunk

    def finish(self):
        return b""


def test_an_exchange_is_shown_layer_by_layer():
    run = Stack(Inspector(token=TOKEN), Answers(), Headers(remove="X-Old", set={"X-B": "1"})).wrap(app)
    cookie = cookie_of(run)
    serve(run, "/answered", **HERE)
    serve(run, "/", **{"test.lines": [("X-Old", "1"), ("X-B", "0")]}, **HERE)
    answered, passed = (
        serve(run, PAGE, HTTP_COOKIE=cookie, QUERY_STRING=f"exchange={n}", **HERE).body.decode() for n in (1, 2)
    )
    assert "answered, instead of the layers inside" in answered
    assert "was not reached" in answered
    assert "<td>a reason</td>" in answered
    assert "<th>body</th>" in answered
    assert "<th>removes</th><td>X-Old: 1</td>" in passed
    assert "<th>changes</th><td>X-B: 0 \N{RIGHTWARDS ARROW} 1</td>" in passed
    assert "<th>adds</th><td>X-Gone: 2</td>" in passed


def test_an_inspector_around_one_application_shows_its_response():
    run = Inspector(app, token=TOKEN)
    cookie = cookie_of(run)
    answer = serve(run, "/", **HERE)
    assert answer.body == b"the application"
    page = serve(run, PAGE, HTTP_COOKIE=cookie, QUERY_STRING="exchange=1", **HERE).body.decode()
    assert page.count("200 OK") == 2


def test_two_inspectors_both_hear_why():
    inner = Inspector(token=TOKEN, path="/inner").named("inner")
    run = Stack(Inspector(token=TOKEN), inner, Answers()).wrap(app, waive="unique")
    pages = {page: cookie_of(run, page) for page in (PAGE, "/inner")}
    answer = serve(run, "/", **HERE)
    assert answer.environ["middleware.notes"] is None
    for page, cookie in pages.items():
        query = "exchange=2" if page == PAGE else "exchange=1"
        assert b"a reason" in serve(run, page, HTTP_COOKIE=cookie, QUERY_STRING=query, **HERE).body


def test_an_inspector_does_not_hide_the_layers_inside_it():
    """Neither from an explanation nor from another Inspector, whether the stack was wrapped before or not."""
    stack = Stack(Headers(set={"X-A": "1"}), Headers(set={"X-B": "1"}).when(match.path("/b")), Headers())
    for explanation in (
        Stack(Inspector(), stack).explain(app, "/"),
        Stack().explain(Stack(Inspector(), stack).wrap(app), "/"),
        Stack(Inspector().named("outer"), Inspector(), stack).explain(app, "/"),
    ):
        steps = {step.name: step for step in explanation.steps}
        assert [name for name in steps if name != "outer"] == ["Inspector", "Headers", "Headers-2", "Headers-3"]
        assert (steps["Inspector"].added, steps["Headers"].added) == ((), (("X-A", "1"),))
        assert steps["Headers-2"].note == "condition path('/b') does not hold"


def test_the_url_is_logged_once(caplog):
    inspector = Inspector(path="/look")
    stack = Stack(inspector)
    stack.wrap(app)
    run = stack.wrap(app)
    serve(run, **HERE)
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert re.search(r"/look\?key=([\w-]{32})$", record.getMessage())[1] == inspector.token
    assert inspector.token not in repr(stack)


def test_a_token_is_made_for_each():
    assert Inspector().token != Inspector().token


def test_a_given_token_is_not_printed():
    assert TOKEN not in repr(Inspector(token=TOKEN))
    assert "keep=5" in repr(Inspector(token=TOKEN, keep=5))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "stack"}, "path: a path that begins with /"),
        ({"path": "/a b"}, "path: a path that begins with /"),
        ({"path": 5}, "path: a path that begins with /"),
        ({"keep": 0}, "keep: "),
        ({"keep": 10**30}, "keep: an int from 1 to "),
        ({"token": ""}, "token: letters, digits"),
        ({"token": "a b"}, "token: letters, digits"),
        ({"token": 5}, "token: letters, digits"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ConfigError, match=re.escape(f"Inspector: {message}")):
        Inspector(**options)


def test_its_effects_are_those_of_who_tells_of_every_request():
    assert Inspector.effects == Effects(
        observes=True, measures=True, answers=True, own_page=True, requires={"REMOTE_ADDR"}, unique=True
    )
    assert Stack(Inspector(), Headers()).check() == ()


def test_it_says_what_it_does():
    assert "/__stack__" in str(Stack(Inspector()))


class Early(Middleware):
    """Fails before the request comes further in."""

    def on_request(self, environ):
        raise LookupError


class Skips(Middleware):
    """Forgets what the layers keep."""

    def on_request(self, environ):
        for key in [key for key in environ if key.startswith("middleware.sight")]:
            del environ[key]


@pytest.mark.parametrize("outside", [[Early()], []])
def test_a_request_that_did_not_come_here_is_not_kept(outside):
    inspector = Inspector(token=TOKEN)
    run = Stack(*outside, inspector, *([] if outside else [Skips(), Answers()])).wrap(app, waive="measure-outermost")
    serve(run, "/answered", lint=False, **HERE)
    assert len(inspector._kept.exchanges) == 0


# -- serve --debug ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "by", "shown"),
    [("/error", "cookie", True), ("/error", "nobody", False), ("/error", "a proxy", False), ("/", "cookie", False)],
)
def test_a_traceback_is_for_the_browser_that_has_the_token(path, by, shown):
    run = Stack(Debugger(token=TOKEN), Headers(set={"ETag": '"x"', "X-A": "1"})).wrap(app)
    said = dict(HERE) if by == "nobody" else {**HERE, "HTTP_COOKIE": cookie_of(run)}
    if by == "a proxy":
        said["HTTP_X_FORWARDED_FOR"] = "1.2.3.4"
    answer = serve(run, path, **said)
    assert (b"Traceback (most recent call last)" in answer.body) is shown
    assert (b"&lt;b&gt;broken" in answer.body) is shown
    assert b"<b>broken" not in answer.body
    assert answer.status[:3] == ("500" if path == "/error" else "200")
    assert answer.get("X-A") == "1"
    if shown:
        assert answer.get("ETag") is None
        assert answer.get("Content-Length") == str(len(answer.body))


def test_a_traceback_takes_the_place_of_the_500_of_an_inner_stack():
    def passing(environ, start_response):
        yield from Stack(Headers()).wrap(app)(environ, start_response)

    run = Stack(Debugger(token=TOKEN)).wrap(passing)
    answer = serve(run, "/error", HTTP_COOKIE=cookie_of(run), lint=False, **HERE)
    assert answer.status == "500 Internal Server Error"
    assert answer.body.endswith(b"</html>")
    assert b"Internal Server Error\n" not in answer.body


@pytest.mark.parametrize("propagates", [True, None])
def test_the_traceback_of_a_framework_is_shown_if_the_framework_raises(propagates, caplog):
    """As the guide says: Flask answers exceptions by itself unless it is told to raise them."""
    site = Flask("site")
    site.config["PROPAGATE_EXCEPTIONS"] = propagates
    site.add_url_rule("/error", view_func=lambda: app({"PATH_INFO": "/error"}, None), endpoint="error")
    run = watched(Debugger(token=TOKEN), Stack(), site)
    answer = serve(run, "/error", HTTP_COOKIE=cookie_of(run), **HERE)
    assert answer.status[:3] == "500"
    assert (b"Traceback (most recent call last)" in answer.body) is bool(propagates)

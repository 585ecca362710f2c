"""Respond and Redirect: what is written is what is sent, and a redirect leads to the host that was written."""

from __future__ import annotations

import inspect
from http import HTTPStatus
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway import serve
from middleware import CORS, ConfigError, Redirect, Respond, SecurityHeaders, Stack, match
from shapes import returning

APP = returning([b"site"], headers=[("Content-Type", "text/plain")])[0]
TEXT = ("Content-Type", "text/plain; charset=utf-8")

# -- Respond ---------------------------------------------------------------------------------------------------------

# What is written, and what is sent (RFC 9110 8.6, 15).
SENT = [
    (Respond(404), "404 Not Found", [TEXT, ("Content-Length", "0")], b""),
    (Respond(404, "gone"), "404 Not Found", [TEXT, ("Content-Length", "4")], b"gone"),
    (Respond(status=200, body="\u20ac"), "200 OK", [TEXT, ("Content-Length", "3")], b"\xe2\x82\xac"),
    (Respond(200, b"\xff"), "200 OK", [TEXT, ("Content-Length", "1")], b"\xff"),
    (
        Respond(200, "\xfc", content_type='text/html; Charset="ISO-8859-1"'),
        "200 OK",
        [("Content-Type", 'text/html; Charset="ISO-8859-1"'), ("Content-Length", "1")],
        b"\xfc",
    ),
    (Respond(204), "204 No Content", [], b""),
    (Respond(304, headers={"ETag": '"a"'}), "304 Not Modified", [("ETag", '"a"')], b""),
    (Respond(205), "205 Reset Content", [TEXT, ("Content-Length", "0")], b""),
    (Respond(HTTPStatus.IM_A_TEAPOT), "418 I'm a Teapot", [TEXT, ("Content-Length", "0")], b""),
    (Respond(599), "599 Unknown", [TEXT, ("Content-Length", "0")], b""),
    (
        Respond(503, "soon", headers={"Retry-After": "120"}),
        "503 Service Unavailable",
        [TEXT, ("Content-Length", "4"), ("Retry-After", "120")],
        b"soon",
    ),
    (
        Respond(200, headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]),
        "200 OK",
        [TEXT, ("Content-Length", "0"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")],
        b"",
    ),
    (Respond(401), "401 Unauthorized", [TEXT, ("Content-Length", "0"), ("Cache-Control", "no-store")], b""),
    (Respond(429), "429 Too Many Requests", [TEXT, ("Content-Length", "0"), ("Cache-Control", "no-store")], b""),
    (
        Respond(401, headers={"cache-control": "private"}),
        "401 Unauthorized",
        [TEXT, ("Content-Length", "0"), ("cache-control", "private")],
        b"",
    ),
]


@pytest.mark.parametrize(("layer", "status", "headers", "body"), SENT, ids=repr)
def test_what_is_written_is_what_is_sent(layer, status, headers, body):
    for _ in range(2):
        answer = serve(layer.wrap(APP))
        assert (answer.status, answer.headers, answer.body) == (status, headers, body)


def test_a_server_may_change_the_headers_that_it_gets():
    app = Respond(APP, 404)
    for _ in range(2):
        heads = []

        def start_response(status, headers, heads=heads):
            heads.append([*headers])
            headers.append(("Server", "x"))

        app({"REQUEST_METHOD": "GET"}, start_response)
        assert heads == [[TEXT, ("Content-Length", "0")]]


def test_a_head_request_gets_the_head():
    answer = serve(Respond(APP, 404, "gone"), method="HEAD")
    assert (answer.status, answer.get("Content-Length"), answer.body) == ("404 Not Found", "4", b"")


def test_positions_make_a_value_or_wrap_and_keywords_always_work():
    values = [Respond(404, "x"), Respond(404, body="x"), Respond(status=404, body="x"), Respond(None, 404, "x")]
    assert values == values[:1] * 4
    wrapped = [Respond(APP, 404, "x"), Respond(APP, 404, body="x"), Respond(APP, status=404, body="x")]
    assert wrapped == wrapped[:1] * 3
    assert {serve(app).body for app in wrapped} == {b"x"}
    assert [repr(value) for value in values] == ["Respond(status=404, body='x')"] * 4
    assert Respond(404, "") == Respond(404) != Respond(404, "x")
    assert Respond(404, "x").with_options(status=410) == Respond(410, "x")
    assert Respond(APP, 404).with_options(body="x") == Respond(APP, 404, "x")


def test_a_subclass_takes_the_same():
    class Gone(Respond):
        """Has nothing of its own."""

    assert repr(Gone(410)) == "Gone(status=410)"
    assert serve(Gone(APP, 410)).status == "410 Gone"
    assert list(inspect.signature(Gone).parameters) == ["status", "body", "content_type", "headers"]


def test_a_subclass_may_have_options_of_its_own():
    class Maintenance(Respond):
        """Answers by a 503."""

        def __init__(self, app=None, /, *, until="soon"):
            super().__init__(app, 503, f"Back {until}.")
            self.until = until

    class Moved(Redirect):
        """Leads to a host."""

        def __init__(self, host):
            super().__init__(f"https://{host}/")

    later = Maintenance(until="at 9")
    assert [repr(value) for value in (later, Maintenance(), Moved("a.example"))] == [
        "Maintenance(until='at 9')",
        "Maintenance()",
        "Moved('a.example')",
    ]
    assert (serve(later.wrap(APP)).body, serve(Maintenance(APP)).body) == (b"Back at 9.", b"Back soon.")
    assert later == Maintenance().with_options(until="at 9") != Maintenance()
    assert list(inspect.signature(Maintenance).parameters) == ["app", "until"]


WRONG_CALLS = [
    (lambda: Respond(), "Respond: missing a required argument: 'status'"),
    (lambda: Respond(APP), "Respond: missing a required argument: 'status'"),
    (lambda: Respond(404, stats=2), "Respond has no option 'stats': "),
    (lambda: Respond(404, zzz=2), "Respond has no option 'zzz': its options are"),
    (lambda: Respond(404, "", "text/html"), "Respond: takes status and body by position, all else as keywords"),
    (lambda: Respond(404, status=404), "Respond: status by position and as a keyword"),
    (lambda: Redirect(), "Redirect: missing a required argument: 'to'"),
    (lambda: Redirect(APP, "/a", 301), "Redirect: takes to by position, all else as keywords; got 301"),
    (lambda: Redirect("/a", permanent=True), "Redirect has no option 'permanent': "),
]


@pytest.mark.parametrize(("call", "said"), WRONG_CALLS)
def test_a_wrong_call_says_what_to_write(call, said):
    with pytest.raises(TypeError) as caught:
        call()
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"status": 99}, "status: an int from 200 to 599"),
        ({"status": 600}, "status: "),
        ({"status": "404"}, "status: "),
        ({"status": True}, "status: "),
        ({"status": 204, "body": "x"}, "body: nothing, since a 204 has no content"),
        ({"status": 304, "body": b"x"}, "body: nothing, since a 304 has no content"),
        ({"status": 205, "body": "x"}, "body: nothing, since a 205 has no content"),
        ({"status": 200, "body": 3}, "body: a str or bytes"),
        ({"status": 200, "body": "\u20ac", "content_type": "text/plain; charset=latin-1"}, "body: what the charset"),
        ({"status": 200, "body": "a", "content_type": "text/plain; charset=none"}, "body: what the charset"),
        ({"status": 200, "content_type": "a\r\nb"}, "content_type: "),
        ({"status": 200, "content_type": None}, "content_type: "),
        ({"status": 200, "headers": {"a b": "c"}}, "headers: a field name is a token"),
        ({"status": 200, "headers": {"A": "b\r\nc"}}, "headers: a field value holds no CR"),
        ({"status": 200, "headers": {"Connection": "close"}}, "headers: hop-by-hop fields"),
        ({"status": 200, "headers": {"Content-Length": "0"}}, "headers: Content-Type is `content_type`"),
        ({"status": 200, "headers": [("Content-Type", "a/b")]}, "headers: Content-Type is `content_type`"),
        ({"status": 200, "headers": 3}, "headers: a mapping name -> value, or pairs"),
        ({"status": 200, "headers": ["Allow"]}, "headers: a mapping name -> value, or pairs"),
        ({"status": 200, "headers": [(3, "a")]}, "headers: a field name is a str"),
    ],
)
def test_what_cannot_be_sent_is_refused(options, rule):
    with pytest.raises(ConfigError) as caught:
        Respond(**options)
    assert str(caught.value).startswith(f"Respond: {rule}")


def test_by_a_condition_it_answers_a_part_of_a_site():
    app = Stack(Respond(404).when(match.path("/internal")), Respond(200, "up").when(match.path("/health"))).wrap(APP)
    bodies = [(serve(app, path, lint=False).status[:3]) for path in ("/internal/x", "/x/../internal", "/health", "/")]
    assert bodies == ["404", "404", "200", "200"]
    assert (serve(app, "/health").body, serve(app, "/").body) == (b"up", b"site")


# -- Redirect --------------------------------------------------------------------------------------------------------


def sent_to(layer, path="/old", query="", **environ):
    answer = serve(layer.wrap(APP), path, QUERY_STRING=query, lint=False, **environ)
    return answer.get("Location") or answer.status[:3]


@pytest.mark.parametrize(
    ("layer", "query", "location"),
    [
        (Redirect("/new"), "", "/new"),
        (Redirect("/new"), "a=b", "/new?a=b"),
        (Redirect("/new?x"), "a=b", "/new?x&a=b"),
        (Redirect("/new#part"), "a=b", "/new?a=b#part"),
        (Redirect("/new", keep_query=False), "a=b", "/new"),
        (Redirect("https://new.example"), "a=b", "https://new.example?a=b"),
        (Redirect("https://new.example:8443/a//b"), "", "https://new.example:8443/a//b"),
        (Redirect(lambda environ: f"https://new.example{environ['PATH_INFO']}"), "a", "https://new.example/old?a"),
        (Redirect(to=lambda environ: "/new"), "", "/new"),
        (Redirect(lambda environ: None), "a", "200"),
        (Redirect("/new"), "a b", "400"),
        (Redirect("/new"), "a#b", "400"),
        (Redirect("/new"), "a\r\nb", "400"),
        (Redirect("/new", keep_query=False), "a b", "/new"),
    ],
)
def test_where_a_redirect_leads_to(layer, query, location):
    assert sent_to(layer, query=query) == location


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_status_is_what_was_asked_for(status):
    answer = serve(Redirect(APP, "/new", status=status))
    assert (answer.status[:3], answer.body) == (str(status), b"See /new\n")


def test_a_callable_alone_is_to_and_one_before_to_is_the_application():
    def to(environ):
        return "/new"

    assert Redirect(to) == Redirect(to=to) == Redirect(None, to)
    assert {sent_to(Redirect(to)), serve(Redirect(APP, to)).get("Location")} == {"/new"}
    assert Redirect(APP, to=to) == Redirect(APP, to)
    assert Redirect("/new").with_options(status=301) == Redirect("/new", status=301)


NO_REDIRECTS = [
    *("", "new", "//evil.example", "/\\evil.example", "\\\\evil.example", "///evil.example", "https://a@evil.example"),
    *(
        "https://",
        "https:///evil.example",
        "https:evil.example",
        "javascript:alert(1)",
        "ftp://a.example",
        "/a b",
        "?a",
    ),
    *(
        "/\t/evil.example",
        "/new\r\nSet-Cookie: a=b",
        "/caf\xe9",
        "https://a.example\\@evil.example",
        " https://a.example",
    ),
]


@pytest.mark.parametrize("to", [*NO_REDIRECTS, None, b"/new", 3])
def test_what_may_lead_elsewhere_is_refused(to):
    with pytest.raises(ConfigError, match=r"^Redirect: to: "):
        Redirect(to=to)


@pytest.mark.parametrize("to", [*NO_REDIRECTS, b"/new"])
def test_what_a_callable_makes_of_a_request_is_a_400_if_it_may_lead_elsewhere(to):
    assert sent_to(Redirect(lambda environ: to)) == "400"


@pytest.mark.parametrize("path", [".evil.example/", "@evil.example/", ":80@evil.example", "evil"])
def test_a_path_that_would_go_on_from_a_host_is_a_400(path):
    assert sent_to(Redirect(lambda environ: f"https://new.example{environ['PATH_INFO']}"), path) == "400"
    assert sent_to(Redirect("/new"), path) == "/new"


@given(st.text(st.characters(max_codepoint=255), max_size=12), st.text(st.characters(max_codepoint=255), max_size=8))
@example("@evil.example/", "")
@example("//evil.example", "")
@example("/\\evil.example", "a=b")
@example(":80@evil.example", "")
def test_a_redirect_that_takes_the_path_over_stays_at_its_host(path, query):
    for host in ("https://new.example", "https://new.example:8443"):
        location = sent_to(Redirect(lambda environ, host=host: host + environ["PATH_INFO"]), path, query)
        assert location == "400" or f"https://{urlsplit(location).netloc}" == host
        assert location == "400" or (query in location and path in location)
    location = sent_to(Redirect(lambda environ: environ["PATH_INFO"]), path, query)
    assert location in ("400", "200") or not urlsplit(location).netloc


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"status": 304}, "status: one of 301"),
        ({"status": None}, "status: "),
        ({"keep_query": 1}, "keep_query: True or"),
    ],
)
def test_what_cannot_be_right_is_refused(options, rule):
    with pytest.raises(ConfigError) as caught:
        Redirect("/new", **options)
    assert str(caught.value).startswith(f"Redirect: {rule}")


def test_a_coroutine_function_is_refused():
    async def to(environ):
        return "/new"

    with pytest.raises(ConfigError, match="not a coroutine function"):
        Redirect(to)


# -- both ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", [Respond(404), Redirect("/new")])
def test_an_answer_carries_what_belongs_on_every_response(layer):
    stack = Stack(SecurityHeaders(), CORS(allow_origins="https://b.example"), layer)
    answer = serve(stack.wrap(APP), HTTP_ORIGIN="https://b.example")
    assert answer.get("Access-Control-Allow-Origin") == "https://b.example"
    assert answer.get("X-Content-Type-Options") == "nosniff"
    assert {each.rule for each in Stack(layer, SecurityHeaders()).check()} == {"answer-inside-every-response"}


def test_what_they_do_is_described():
    chain = str(Stack(Respond(404), Redirect("/new"), Redirect(lambda environ: "/", status=302).named("other")))
    assert "is answered with 404 Not Found" in chain
    assert "is redirected to /new with 308" in chain
    assert "is redirected to what a callable returns with 302" in chain

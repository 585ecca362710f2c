"""CORS: who may read, what a preflight is told, and that a browser concludes what the configuration means."""

from __future__ import annotations

import io
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

import browser_side
from gateway import serve
from middleware import CORS, ConfigError, Gzip, Headers, Middleware, Response, SecurityHeaders, Stack, Timing
from middleware.match import path
from shapes import Failure, returning

APP = returning([b"x"])[0]
ORIGIN = "https://app.example"
OTHER = "https://other.example"
VARY_OF_PREFLIGHT = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
CORS_FIELDS = re.compile(r"access-control-|vary$|timing-allow-origin$", re.IGNORECASE)


def asking(origin=ORIGIN, method="PUT", headers=None, **extra):
    """The environ keys of a preflight."""
    keys = {"HTTP_ORIGIN": origin, "HTTP_ACCESS_CONTROL_REQUEST_METHOD": method, "REQUEST_METHOD": "OPTIONS", **extra}
    return keys if headers is None else {**keys, "HTTP_ACCESS_CONTROL_REQUEST_HEADERS": headers}


def preflight(layer, *args, app=APP, **extra):
    keys = asking(*args, **extra)
    return serve(Stack(layer).wrap(app), keys.pop("PATH_INFO", "/"), keys.pop("REQUEST_METHOD"), **keys)


def actual(layer, origin=ORIGIN, app=APP, **extra):
    keys = {} if origin is None else {"HTTP_ORIGIN": origin}
    return serve(Stack(layer).wrap(app), **keys, **extra)


def said(answer):
    """What the answer says about CORS."""
    assert answer.error is None
    names = [name.lower() for name, _ in answer.headers if CORS_FIELDS.match(name)]
    assert len(names) == len(set(names))
    return {name: value for name, value in answer.headers if CORS_FIELDS.match(name)}


ACAO = {"Access-Control-Allow-Origin": ORIGIN}
STAR = {"Access-Control-Allow-Origin": "*"}
ACAC = {"Access-Control-Allow-Credentials": "true"}
VARY = {"Vary": "Origin"}

# -- actual requests -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "origin", "expected"),
    [
        ({}, ORIGIN, VARY),
        ({}, None, VARY),
        ({"allow_origins": "*"}, ORIGIN, STAR),
        ({"allow_origins": ["*"]}, None, STAR),
        ({"allow_origins": "*"}, "null", STAR),
        ({"allow_origins": ORIGIN}, ORIGIN, {**ACAO, **VARY}),
        ({"allow_origins": ORIGIN}, None, VARY),
        ({"allow_origins": ORIGIN}, OTHER, VARY),
        ({"allow_origins": ORIGIN, "allow_credentials": True}, ORIGIN, {**ACAO, **ACAC, **VARY}),
        ({"allow_origins": ORIGIN, "allow_credentials": True, "expose_headers": "X-A"}, OTHER, VARY),
        ({"allow_origins": (each for each in [OTHER, ORIGIN])}, ORIGIN, {**ACAO, **VARY}),
        ({"allow_origins": {ORIGIN}}, ORIGIN, {**ACAO, **VARY}),
        ({"allow_origins": "https://*.example"}, ORIGIN, {**ACAO, **VARY}),
        ({"allow_origins": re.compile("https://app.*")}, ORIGIN, {**ACAO, **VARY}),
        ({"allow_origins": re.compile("https://app")}, ORIGIN, VARY),
        ({"allow_origins": lambda origin, environ: True}, ORIGIN, {**ACAO, **VARY}),
        ({"allow_origins": lambda origin, environ: 1}, ORIGIN, VARY),
        ({"allow_origins": [lambda origin, environ: False, lambda o, e: True]}, ORIGIN, {**ACAO, **VARY}),
        ({"allow_origins": lambda origin, environ: True}, "null", VARY),
        ({"allow_origins": re.compile(".*")}, "null", VARY),
        ({"allow_origins": [ORIGIN, "null"]}, "null", {"Access-Control-Allow-Origin": "null", **VARY}),
        (
            {"allow_origins": "*", "expose_headers": ["X-A", "X-B"]},
            ORIGIN,
            {**STAR, "Access-Control-Expose-Headers": "X-A, X-B"},
        ),
        ({"allow_origins": "*", "expose_headers": "*"}, ORIGIN, {**STAR, "Access-Control-Expose-Headers": "*"}),
        ({"timing_origins": "*"}, OTHER, {"Timing-Allow-Origin": "*", **VARY}),
        ({"timing_origins": [ORIGIN, "null"]}, None, {"Timing-Allow-Origin": f"{ORIGIN}, null", **VARY}),
    ],
)
def test_what_an_actual_response_says(options, origin, expected):
    assert said(actual(CORS(**options), origin)) == expected


OURS = CORS(allow_origins=ORIGIN, allow_credentials=True, expose_headers="X-A", timing_origins="*")
GRANTED = {**ACAO, **ACAC, "Access-Control-Expose-Headers": "X-A", "Timing-Allow-Origin": "*", **VARY}
OWN = {"access-control-allow-origin": OTHER, "Timing-Allow-Origin": OTHER}


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ([], GRANTED),
        ([("VARY", "Accept")], {**GRANTED, "Vary": "Accept, Origin"}),
        ([("Vary", "Accept, origin")], {**GRANTED, "Vary": "Accept, origin"}),
        ([("Vary", "Accept"), ("vary", "Origin, Cookie")], {**GRANTED, "Vary": "Accept, Origin, Cookie"}),
        ([("Vary", "*")], {**GRANTED, "Vary": "*"}),
        ([("access-control-allow-credentials", "true")], GRANTED),
        (list(OWN.items()), {**OWN, **VARY}),
        ([("Timing-Allow-Origin", OTHER)], {**GRANTED, "Timing-Allow-Origin": OTHER}),
        ([("Access-Control-Allow-Origin", "*")], {**STAR, "Timing-Allow-Origin": "*", **VARY}),
    ],
)
@pytest.mark.parametrize("looks", [(), (Headers(default={"X-1": "1"}), Headers(default={"X-2": "2"}))])
def test_what_the_application_has_sent_stays_and_every_field_stands_on_one_line(sent, expected, looks):
    """Whether or not other layers have looked at the names."""
    app = returning([b"x"], headers=[("Content-Type", "text/plain"), *sent])[0]
    answer = serve(Stack(OURS, *looks).wrap(app), HTTP_ORIGIN=ORIGIN)
    assert said(answer) == expected
    assert ("X-1" in dict(answer.headers)) is bool(looks)


def test_a_refused_origin_gets_the_response_of_the_application():
    app = returning([b"x"], headers=[("Content-Type", "text/plain"), *ACAC.items()])[0]
    assert said(actual(OURS, OTHER, app=app)) == {**ACAC, "Timing-Allow-Origin": "*", **VARY}


def test_a_constant_star_beside_a_vary_of_the_application():
    app = returning([b"x"], headers=[("Content-Type", "text/plain"), ("Vary", "Accept")])[0]
    assert said(actual(CORS(allow_origins="*"), app=app)) == {**STAR, "Vary": "Accept"}


def test_a_response_without_any_field_gets_them_as_well():
    app = returning([b"x"], headers=[("Content-Type", "text/plain")])[0]
    layers = [CORS(allow_origins=ORIGIN), Headers(remove=["content-type"])]
    answer = serve(Stack(*layers).wrap(app), HTTP_ORIGIN=ORIGIN, lint=False)
    assert said(answer) == {**ACAO, **VARY}


@pytest.mark.parametrize("origins", [ORIGIN, "*"])
@pytest.mark.parametrize("between", [None, ("Vary", "X")])
def test_one_vary_names_what_compress_and_this_one_look_at(origins, between):
    """Another line that somebody has put in stays, and is known to who stands further out."""
    told = []

    class Inserts(Middleware):
        def on_response(self, environ, response):
            if between:
                response.headers.add(*between)

    class Looks(Middleware):
        def on_response(self, environ, response):
            told.append(sorted(", ".join(response.headers.get_all("Vary")).split(", ")))

    app = returning([b"<p>" * 1000], headers=[("Content-Type", "text/html")])[0]
    layers = [Looks(), CORS(allow_origins=origins), Inserts(), Gzip()]
    answer = serve(Stack(*layers).wrap(app), HTTP_ORIGIN=ORIGIN, HTTP_ACCEPT_ENCODING="gzip")
    names = ["Accept-Encoding", *["Origin"] * (origins == ORIGIN), *["X"] * bool(between)]
    assert told == [names]
    assert sorted(", ".join(answer.get_all("Vary")).split(", ")) == names
    assert answer.get("Access-Control-Allow-Origin") == origins


def test_a_layer_further_out_knows_what_was_added():
    layers = [Headers(remove=["access-control-allow-origin"]), Headers(set={"Vary": "Mine"}), OURS]
    layers += [Headers(default={"X-1": "1"}), Headers(default={"X-2": "2"})]
    answer = serve(Stack(*layers).wrap(APP, waive=["set-inside-read"]), HTTP_ORIGIN=ORIGIN)
    assert (answer.get("Access-Control-Allow-Origin"), answer.get_all("Vary")) == (None, ["Mine"])


def test_the_status_of_a_refused_origin_is_that_of_the_application():
    answer = actual(OURS, OTHER, app=returning([b"x"], status="418 Teapot")[0])
    assert (answer.status, answer.body) == ("418 Teapot", b"x")


@pytest.mark.parametrize("status", ["404 Not Found", "302 Found", "304 Not Modified", "503 Busy", "204 No Content"])
def test_every_status_carries_the_headers(status):
    lines = [] if status[:3] in ("204", "304") else [("Content-Type", "text/plain")]
    assert said(actual(OURS, app=returning([], status, lines)[0])) == GRANTED


def test_the_500_of_a_stack_carries_the_headers():
    def fails(environ, start_response):
        raise Failure("in the application")

    answer = actual(OURS, app=fails)
    assert answer.status == "500 Internal Server Error"
    assert {**said(answer)} == {**GRANTED, "Vary": "Accept, Origin"}


class Failing(Middleware):
    """Fails where it is told to."""

    def __init__(self, at):
        super().__init__()
        self.at = at

    def on_request(self, environ):
        if self.at == "request":
            raise Failure(self.at)

    def on_response(self, environ, response):
        if self.at == "response" and not response.status.startswith("500"):
            raise Failure(self.at)


@pytest.mark.parametrize("at", ["request", "response"])
def test_an_error_further_out_carries_the_headers(at):
    """The request may not have come here."""
    answer = serve(Stack(Failing(at), OURS).wrap(APP), HTTP_ORIGIN=ORIGIN)
    assert answer.status == "500 Internal Server Error"
    assert said(answer) == {**GRANTED, "Vary": "Accept, Origin"}


def test_two_origins_never_meet():
    app = Stack(CORS(allow_origins=["https://*.example", lambda o, e: o.endswith(".test")])).wrap(APP)

    def ask(number):
        origin = f"https://o{number}.{'example' if number % 3 else 'test'}"
        return said(serve(app, HTTP_ORIGIN=origin)) == {"Access-Control-Allow-Origin": origin, **VARY}

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(400)))


def test_a_listed_origin_is_decided_once_and_a_callable_each_time():
    asked = []
    layer = CORS(allow_origins=[ORIGIN, lambda origin, environ: asked.append(origin) or environ["PATH_INFO"] == "/yes"])
    app = Stack(layer).wrap(APP)
    assert [serve(app, at, HTTP_ORIGIN=OTHER).get("Access-Control-Allow-Origin") for at in ("/yes", "/no", "/yes")] == [
        OTHER,
        None,
        OTHER,
    ]
    serve(app, HTTP_ORIGIN=ORIGIN)
    assert asked == [OTHER] * 3


OPAQUE = ["safari-web-extension://E4A8E5C1-0D7E", "app://.", "capacitor://localhost", "moz-extension://2c127fa4:8"]


@pytest.mark.parametrize("origin", OPAQUE)
@pytest.mark.parametrize("allowed", [None, re.compile(r".*"), lambda origin, environ: True], ids=["", "pattern", "ask"])
def test_an_origin_with_an_opaque_host_is_granted_as_any_other_is(origin, allowed):
    layer = CORS(allow_origins=allowed or origin, timing_origins=origin)
    granted = {"Access-Control-Allow-Origin": origin}
    assert said(actual(layer, origin)) == {**granted, **VARY, "Timing-Allow-Origin": origin}
    assert said(preflight(layer, origin, "GET")).items() >= granted.items()


@pytest.mark.parametrize("origin", ["app://", "app://a/", "app://a b", "App://a", "file://", "app://a,b://c", "null"])
def test_a_callable_is_not_asked_about_what_is_no_origin(origin):
    layer = CORS(allow_origins=[lambda origin, environ: True, re.compile(r"(?s).*")])
    assert said(actual(layer, origin)) == VARY


def test_a_callable_that_raises_refuses_and_is_logged(caplog):
    def fails(origin, environ):
        raise Failure("in the callable")

    with caplog.at_level(logging.ERROR, "middleware"):
        assert said(actual(CORS(allow_origins=fails))) == VARY
    assert "allow_origins failed on https://app.example" in caplog.text
    assert "in the callable" in caplog.text


HOSTILE = [
    "https://good.example.evil.test",
    "https://evilgood.example",
    "https://good.example\n",
    "https://good.example\r\nSet-Cookie: a=1",
    "https://good.example\0",
    "https://user@good.example",
    "https://good.example@evil.test",
    "https://good.example:443",
    "https://good.example:8443",
    "https://good.example:",
    "https://good.example/",
    "https://good.example, https://evil.test",
    "https://good.example https://evil.test",
    "HTTPS://good.example",
    "https://GOOD.example",
    "https://good.example.",
    "https://g\xf6od.example",
    "https://a]",
    "http://[",
    "http://good.example",
    "*",
    "",
    "null",
    "undefined",
    "https://*.good.example",
    "https://" + "a" * 8192 + ".good.example",
    "https://" + "a." * 4096 + "good.example",
]
CAREFUL = CORS(
    allow_origins=["https://good.example", "https://*.good.example", re.compile(r"https://([a-z]+\.)?good\.example")],
    allow_credentials=True,
    allow_headers="*",
    allow_methods="*",
)
ASKED = CORS(allow_origins=lambda origin, environ: origin == "https://good.example", allow_credentials=True)


def refuses(layer, origin):
    """Without an exception, and without a word of what the client has sent."""
    answer = serve(layer.wrap(APP), lint=False, HTTP_ORIGIN=origin)
    assert (said(answer), answer.body) == (VARY, b"x")
    keys = asking(origin)
    del keys["REQUEST_METHOD"]
    answer = serve(layer.wrap(APP), method="OPTIONS", lint=False, **keys)
    assert (answer.status, said(answer)) == ("403 Forbidden", {"Vary": VARY_OF_PREFLIGHT})
    assert answer.body == b"CORS preflight refused: the origin is not listed in allow_origins\n"
    return True


@pytest.mark.parametrize("layer", [CAREFUL, ASKED], ids=["listed", "asked"])
@pytest.mark.parametrize("origin", HOSTILE)
def test_a_hostile_origin_is_refused_and_not_repeated(layer, origin):
    assert refuses(layer, origin)


NEAR = st.lists(
    st.sampled_from(["https://", "good", ".", "example", "good.example", "evil", ":", "443", "@", "/", "\n", "*", "]"])
    | st.characters(max_codepoint=255),
    max_size=8,
).map("".join)


@given(NEAR)
def test_whatever_looks_like_a_good_origin_is_refused(origin):
    good = re.fullmatch(r"https://([a-z0-9_\-]+\.)*good\.example", origin)
    assert good or refuses(CAREFUL, origin)


# -- preflights ------------------------------------------------------------------------------------------------------

BASE = {**ACAO, "Access-Control-Allow-Methods": "GET, PUT", "Access-Control-Max-Age": "600", "Vary": VARY_OF_PREFLIGHT}
PUTS = {"allow_origins": ORIGIN, "allow_methods": ["GET", "PUT"]}


def allows(names):
    return {**BASE, "Access-Control-Allow-Headers": names}


@pytest.mark.parametrize(
    ("options", "keys", "expected"),
    [
        (PUTS, asking(), BASE),
        ({**PUTS, "allow_origins": "*"}, asking(), {**BASE, **STAR}),
        ({**PUTS, "allow_credentials": True}, asking(), {**BASE, **ACAC}),
        ({**PUTS, "expose_headers": "X-A", "timing_origins": "*"}, asking(), BASE),
        ({**PUTS, "allow_methods": "*"}, asking(method="X-Y"), {**BASE, "Access-Control-Allow-Methods": "X-Y"}),
        ({**PUTS, "allow_methods": "PUT"}, asking(), {**BASE, "Access-Control-Allow-Methods": "PUT"}),
        (PUTS, asking(headers=""), BASE),
        (PUTS, asking(headers=" , ,"), BASE),
        (
            PUTS,
            asking(headers="accept,Accept-Language, content-language"),
            allows("accept, Accept-Language, content-language"),
        ),
        ({**PUTS, "allow_headers": "X-A"}, asking(headers="x-a,"), allows("x-a")),
        ({**PUTS, "allow_headers": "*"}, asking(headers="authorization\t,\t x-b"), allows("authorization, x-b")),
        ({**PUTS, "max_age": 0}, asking(), {**BASE, "Access-Control-Max-Age": "0"}),
        ({**PUTS, "max_age": timedelta(hours=1)}, asking(), {**BASE, "Access-Control-Max-Age": "3600"}),
        (
            {**PUTS, "allow_private_network": True},
            asking(HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK="true"),
            {**BASE, "Access-Control-Allow-Private-Network": "true"},
        ),
        ({**PUTS, "allow_private_network": True}, asking(), BASE),
        ({**PUTS, "allow_private_network": True}, asking(HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK="1"), BASE),
        (PUTS, asking(HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK="true"), BASE),
    ],
)
def test_a_granted_preflight_says_what_is_allowed(options, keys, expected):
    answer = preflight(CORS(**options), **keys)
    assert (answer.status, answer.body, said(answer)) == ("204 No Content", b"", expected)
    assert answer.get("Content-Length") is None


def test_without_max_age_the_browser_decides():
    assert "Access-Control-Max-Age" not in said(preflight(CORS(**PUTS, max_age=None)))


def test_a_preflight_is_answered_before_the_application():
    def never(environ, start_response):
        raise Failure("no preflight comes here")

    assert preflight(CORS(**PUTS), app=never).status == "204 No Content"
    assert preflight(CORS(**PUTS), OTHER, app=never).status == "403 Forbidden"


@pytest.mark.parametrize("status", [200, 202, 205, 299])
def test_another_status_has_a_length_of_zero(status):
    answer = preflight(CORS(**PUTS, preflight_status=status))
    assert (answer.status[:3], answer.get("Content-Length"), answer.body) == (str(status), "0", b"")
    assert said(answer) == BASE


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        (asking(OTHER), "the origin is not listed in allow_origins"),
        (asking(method="DELETE"), "the method DELETE is not listed in allow_methods"),
        (asking(method="put"), "the method put is not listed in allow_methods"),
        (asking(method=""), "Access-Control-Request-Method is not a method"),
        (asking(method="GET, PUT"), "Access-Control-Request-Method is not a method"),
        (asking(method="PUT\r\nX: y"), "Access-Control-Request-Method is not a method"),
        (asking(method="P\xdcT"), "Access-Control-Request-Method is not a method"),
        (asking(headers="x-a,x-b,x-c"), "not listed in allow_headers: x-b, x-c"),
        (asking(headers="content-type"), "not listed in allow_headers: content-type"),
        (asking(headers="x-a,<b>"), "Access-Control-Request-Headers is not a list of header names"),
        (asking(headers="x-a\r\nSet-Cookie: a=1"), "Access-Control-Request-Headers is not a list of header names"),
        (asking(headers="x-\xe4"), "Access-Control-Request-Headers is not a list of header names"),
    ],
)
@pytest.mark.parametrize("star", [False, True])
def test_a_refused_preflight_says_why_and_repeats_tokens_only(keys, reason, star):
    origins = {"allow_origins": "*"} if star and keys["HTTP_ORIGIN"] == ORIGIN else {}
    answer = preflight(CORS(**{**PUTS, **origins}, allow_headers="X-A", timing_origins="*"), **keys)
    assert (answer.status, said(answer)) == ("403 Forbidden", {"Vary": VARY_OF_PREFLIGHT})
    assert answer.body == f"CORS preflight refused: {reason}\n".encode()
    assert answer.get("Content-Type") == "text/plain; charset=utf-8"
    assert answer.get("Content-Length") == str(len(answer.body))


@pytest.mark.parametrize("keys", [{}, {"HTTP_ORIGIN": ORIGIN}, {"HTTP_ACCESS_CONTROL_REQUEST_METHOD": "PUT"}])
def test_any_other_options_request_reaches_the_application(keys):
    app = returning([b"x"], headers=[("Content-Type", "text/plain"), ("Allow", "GET")])[0]
    answer = serve(Stack(CORS(**PUTS)).wrap(app), method="OPTIONS", **keys)
    assert (answer.body, answer.get("Allow")) == (b"x", "GET")
    assert said(answer) == ({**ACAO, **VARY} if "HTTP_ORIGIN" in keys else VARY)


@pytest.mark.parametrize("size", [1, 3000])
def test_preflights_do_not_fill_the_memory(size):
    """Answers are kept for a while, but neither many of them nor those to long headers."""
    layer = CORS(allow_origins=ORIGIN, allow_methods="*", allow_headers="*")
    for number in range(1500):
        name = f"x-{number}-".ljust(size, "a")
        answer = preflight(layer, headers=name)
        assert answer.get("Access-Control-Allow-Headers") == name
    assert layer._answers.cache_info().currsize == (1024 if size == 1 else 0)


def test_another_method_with_the_headers_of_a_preflight_reaches_the_application():
    assert said(preflight(CORS(**PUTS), REQUEST_METHOD="GET")) == {**ACAO, **VARY}


def test_layers_further_out_see_the_answer_to_a_preflight():
    stack = Stack(Timing(), SecurityHeaders(preset="basic"), CORS(**PUTS))
    assert stack.check() == ()
    answer = serve(stack.wrap(APP), method="OPTIONS", **{k: v for k, v in asking().items() if k != "REQUEST_METHOD"})
    assert said(answer) == BASE
    assert answer.get("Server-Timing")
    assert answer.get("X-Content-Type-Options") == "nosniff"


def test_a_preflight_that_fails_further_out_is_an_error_that_the_page_may_read():
    keys = {key: value for key, value in asking().items() if key != "REQUEST_METHOD"}
    answer = serve(Stack(Failing("response"), CORS(**PUTS)).wrap(APP), method="OPTIONS", **keys)
    assert (answer.status[:3], said(answer)) == ("500", {**ACAO, "Vary": "Accept, Origin"})


# -- several policies ------------------------------------------------------------------------------------------------

PUBLIC = CORS(allow_origins="*").named("public").when(path("/public"))
API = CORS(allow_origins=ORIGIN, allow_methods="PUT").named("api").when(path("/api"))


def test_two_policies_for_two_parts_of_a_site():
    """Each grants only where every reading of the path is in its part."""
    stack = Stack(PUBLIC, API)
    assert stack.check() == ()
    app = stack.wrap(APP)
    places = "/public/x", "/api/x", "/api/../api/x", "/apix", "/public/../api/x", "//api/x"
    assert [said(serve(app, at, HTTP_ORIGIN=ORIGIN)) for at in places] == [STAR, *[{**ACAO, **VARY}] * 2, {}, {}, {}]
    assert preflight(Stack(PUBLIC, API), PATH_INFO="/public").status == "403 Forbidden"
    assert preflight(Stack(PUBLIC, API), PATH_INFO="/api").status == "204 No Content"


@pytest.mark.parametrize("other", [CORS(allow_origins="*"), CORS().when(path("/api/v1"))])
def test_two_policies_for_the_same_request_are_an_error(other):
    assert "unique" in {finding.rule for finding in Stack(API, other.named("other")).check()}


def test_within_another_stack_the_inner_policy_stands():
    inner = Stack(CORS(allow_origins=ORIGIN)).wrap(APP)
    answer = serve(Stack(CORS(allow_origins="*", expose_headers="X-A")).wrap(inner), HTTP_ORIGIN=ORIGIN)
    assert said(answer) == {**ACAO, **VARY}


class Own(CORS):
    """A subclass that looks at every response first."""

    def on_response(self, environ, response):
        response.headers["X-Seen"] = "1"
        super().on_response(environ, response)


def test_a_subclass_runs_and_a_layer_alone_does():
    answer = serve(Own(APP, allow_origins=ORIGIN), HTTP_ORIGIN=ORIGIN)
    assert (answer.get("X-Seen"), said(answer)) == ("1", {**ACAO, **VARY})
    assert said(serve(CORS(APP, allow_origins="*"))) == STAR
    response = Response()
    CORS(allow_origins="*").on_response({}, response)
    assert response.headers["Access-Control-Allow-Origin"] == "*"


# -- options ---------------------------------------------------------------------------------------------------------


async def awaited(origin, environ):
    """A callable whose answer has to be awaited."""


class Awaited:
    """An object whose call returns a coroutine."""

    async def __call__(self, origin, environ): ...


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"allow_origins": "https://app.example/"}, 'write "https://app.example"; got'),
        ({"allow_origins": "https://App.example"}, 'write "https://app.example"'),
        ({"allow_origins": "https://app.example:443"}, 'write "https://app.example"'),
        ({"allow_origins": "https://b\xfccher.example"}, 'write "https://xn--bcher-kva.example"'),
        ({"allow_origins": "app.example"}, 'such as "https://app.example"'),
        ({"allow_origins": "file://"}, 'the origin "null"'),
        ({"allow_origins": "https://*.App.example"}, 'write "https://*.app.example"'),
        ({"allow_origins": "https://app.*"}, "all of its first label"),
        ({"allow_origins": "moz-extension://*"}, "a re.Pattern says what a wildcard cannot"),
        ({"allow_origins": "Safari-web-extension://E4A8/"}, 'write "safari-web-extension://E4A8"'),
        ({"allow_origins": "app://"}, "this has no host"),
        ({"allow_origins": b"https://app.example"}, "(origin, environ) -> bool; got b'https"),
        ({"allow_origins": awaited}, "a coroutine is never awaited"),
        ({"allow_origins": Awaited()}, "a coroutine is never awaited"),
        (
            {"timing_origins": "App://A/"},
            "timing_origins: an origin is scheme://host[:port] as browsers send it: write",
        ),
        ({"allow_origins": ["*", ORIGIN]}, '"*" stands for every origin'),
        ({"allow_origins": ["*", lambda origin, environ: True]}, '"*" stands for every origin'),
        ({"allow_origins": [1]}, '"null", a re.Pattern or a callable (origin, environ) -> bool; got 1'),
        ({"allow_origins": None}, "or a callable (origin, environ) -> bool; got None"),
        ({"allow_origins": re.compile(b"x")}, "a pattern of str"),
        ({"allow_origins": "*", "allow_credentials": True}, 'allow_origins: "*" means nothing with credentials'),
        ({"expose_headers": "*", "allow_credentials": True}, 'expose_headers: "*" means nothing with credentials'),
        ({"allow_methods": ["P UT"]}, "allow_methods: a method is a token"),
        ({"allow_methods": "GET, PUT"}, "one per value"),
        ({"allow_methods": 1}, "allow_methods: a method is a token"),
        ({"allow_headers": "X-A, X-B"}, "allow_headers: a header name is a token"),
        ({"allow_headers": [b"X-A"]}, "allow_headers: a header name is a token"),
        ({"expose_headers": ["X-A", "set-cookie"]}, "expose_headers: no page gets to see Set-Cookie"),
        ({"expose_headers": "Set-Cookie2"}, "expose_headers: no page gets to see Set-Cookie"),
        ({"expose_headers": "X A"}, "expose_headers: a header name is a token"),
        ({"timing_origins": "https://*.app.example"}, "a wildcard within it means nothing"),
        ({"timing_origins": ["*", ORIGIN]}, 'timing_origins: "*" stands for every origin'),
        ({"timing_origins": re.compile("x")}, 'timing_origins: "*", an origin or "null"'),
        ({"max_age": -1}, "max_age: an int of seconds or a timedelta"),
        ({"max_age": 1.5}, "max_age: an int of seconds"),
        ({"max_age": True}, "max_age: an int of seconds"),
        ({"max_age": "600"}, "max_age: an int of seconds"),
        ({"max_age": timedelta(seconds=-0.5)}, "max_age: an int of seconds"),
        ({"allow_credentials": 1}, "allow_credentials: True or False; got 1"),
        ({"allow_private_network": "yes"}, "allow_private_network: True or False"),
        ({"preflight_status": 300}, "preflight_status: an int from 200 to 299"),
        ({"preflight_status": 199}, "preflight_status: an int from 200 to 299"),
        ({"preflight_status": True}, "preflight_status: an int from 200 to 299"),
        ({"preflight_status": "204"}, "preflight_status: an int from 200 to 299"),
        ({"max_age": -1, "preflight_status": 0}, "2 options are wrong"),
    ],
)
def test_an_option_that_cannot_be_right_is_refused(options, wrong):
    with pytest.raises(ConfigError, match=r"^CORS: ") as refused:
        CORS(**options)
    assert wrong in str(refused.value)


def test_an_unknown_option_is_a_type_error():
    with pytest.raises(TypeError, match="allow_origin"):
        CORS(allow_origin="*")


def test_a_layer_shows_what_it_was_given():
    assert repr(CORS()) == "CORS()"
    assert repr(CORS(max_age=600, allow_origins=[ORIGIN])) == f"CORS(allow_origins=({ORIGIN!r},))"
    assert repr(CORS(max_age=timedelta(hours=1))) == "CORS(max_age=3600)"
    assert CORS(allow_origins=ORIGIN) == CORS(allow_origins=[ORIGIN])
    assert CORS(allow_origins=ORIGIN) != CORS()


def is_ours(origin, environ):
    return False


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        (CORS(), ("answers preflights; grants no origin: GET, HEAD, POST", "lets no origin read")),
        (
            CORS(
                allow_origins=[ORIGIN, re.compile("https://a.*"), is_ours],
                allow_headers=["X-A", "X-B"],
                allow_credentials=True,
                expose_headers="X-C",
                timing_origins="*",
            ),
            (
                (
                    f"answers preflights; grants {ORIGIN}, https://a.*, those that is_ours allows: GET, HEAD, POST"
                    "; headers X-A, X-B"
                ),
                (
                    f"lets {ORIGIN}, https://a.*, those that is_ours allows read, with credentials; shows X-C; "
                    "shows timing to *"
                ),
            ),
        ),
    ],
)
def test_it_says_what_it_does(layer, told):
    assert dict(layer.describe()) == dict(zip(("request", "response"), told, strict=True))


# -- what a browser makes of it --------------------------------------------------------------------------------------

ORIGINS = [ORIGIN, OTHER, "https://deep.app.example", "http://app.example", "https://app.example:8443", "null"]
METHODS = ["GET", "HEAD", "POST", "PUT", "put", "DELETE", "*"]
NAMES = ["x-a", "X-A", "x-b", "authorization", "content-type", "accept", "*"]
MEANT = {  # what an entry of allow_origins means, written anew
    ORIGIN: {ORIGIN}.__contains__,
    OTHER: {OTHER}.__contains__,
    "null": {"null"}.__contains__,
    "https://*.app.example": {"https://deep.app.example"}.__contains__,
    re.compile("https://app.example.*"): {ORIGIN, "https://app.example:8443"}.__contains__,
    (lambda origin, environ: origin.startswith("http:")): {"http://app.example"}.__contains__,
}
CONFIGURATIONS = st.fixed_dictionaries(
    {
        "allow_origins": st.just("*") | st.lists(st.sampled_from(list(MEANT)), max_size=3),
        "allow_methods": st.lists(st.sampled_from(METHODS), max_size=3),
        "allow_headers": st.lists(st.sampled_from(NAMES), max_size=3),
        "allow_credentials": st.booleans(),
        "expose_headers": st.lists(st.sampled_from(["X-A", "x-b", "*"]), max_size=2),
        "preflight_status": st.sampled_from([200, 204, 299]),
        "max_age": st.none() | st.integers(0, 10),
    }
)
REQUESTS = st.fixed_dictionaries(
    {
        "origin": st.sampled_from(ORIGINS),
        "method": st.sampled_from(METHODS[:-1]),
        "headers": st.lists(st.sampled_from(NAMES[:-1]), max_size=3, unique_by=str.lower),
        "credentials": st.booleans(),
    }
)


def means(options, origin):
    """Whether the configuration grants an origin."""
    entries = options["allow_origins"]
    return entries == "*" or any(MEANT[entry](origin) for entry in entries)


def may_read(options, request):
    return means(options, request["origin"]) and (options["allow_credentials"] or not request["credentials"])


def may_send(options, request):
    names = {name.lower() for name in options["allow_headers"]} | {"accept"}
    methods = options["allow_methods"]
    return (
        may_read(options, request)
        and ("*" in methods or request["method"] in methods)
        and ("*" in names or all(name.lower() in names for name in request["headers"]))
    )


@given(CONFIGURATIONS, REQUESTS)
def test_a_browser_concludes_what_the_configuration_means(options, request):
    """Never more, and never less."""
    wild = "*" in options["expose_headers"] or options["allow_origins"] == "*"
    if options["allow_credentials"] and wild:
        with pytest.raises(ConfigError):
            CORS(**options)
        return
    layer, origin, credentials = CORS(**options), request["origin"], request["credentials"]
    asked = ",".join(sorted(name.lower() for name in request["headers"]))  # as browsers write it
    told = preflight(layer, origin, request["method"], asked or None)
    fields = {
        "acao": told.get_all("Access-Control-Allow-Origin"),
        "acac": told.get_all("Access-Control-Allow-Credentials"),
        "acam": told.get_all("Access-Control-Allow-Methods"),
        "acah": told.get_all("Access-Control-Allow-Headers"),
    }
    assert browser_side.preflight_allows(**request, status=int(told.status[:3]), **fields) is may_send(options, request)
    got = actual(layer, origin)
    lines = [got.get_all(f"Access-Control-Allow-{name}") for name in ("Origin", "Credentials")]
    assert browser_side.cors_check(origin, *lines, credentials=credentials) is may_read(options, request)
    exposed = got.get_all("Access-Control-Expose-Headers")
    shown = {name.lower() for name in options["expose_headers"]} if means(options, origin) else set()
    for name in ("x-a", "x-b", "x-c", "set-cookie"):
        seen = name != "set-cookie" and (name in shown or ("*" in shown and not credentials))
        assert browser_side.exposes(name, exposed, credentials=credentials) is seen


@given(st.dictionaries(st.sampled_from(sorted(asking(headers=""))), st.text(st.characters(max_codepoint=255))))
def test_nothing_that_a_client_sends_gets_anything_but_tokens_and_origins_back(keys):
    layer = CORS(allow_origins=lambda origin, environ: True, allow_methods="*", allow_headers="*")
    keys = {**asking(headers="x-a"), **keys, "REQUEST_METHOD": "OPTIONS"}
    errors = io.StringIO()
    answer = serve(
        Stack(layer).wrap(APP), method=keys.pop("REQUEST_METHOD"), lint=False, **{"wsgi.errors": errors}, **keys
    )
    assert answer.error is None
    assert errors.getvalue() == ""
    assert all(re.fullmatch(r"[\x20-\x7e]*", value) for _, value in answer.headers)
    assert re.fullmatch(rb"(x|CORS [\x20-\x7e]*\n)?", answer.body)

"""SecurityHeaders: presets, single fields, and the nonce of a response."""

from __future__ import annotations

import base64
import http.client
import inspect
import re
import threading

import pytest
from waitress.server import create_server

import structured_fields
from browser_rules import grade, parsed, severe
from gateway import environ, serve
from middleware import (
    CSP,
    HSTS,
    NONCE,
    ConfigError,
    Effects,
    External,
    Gzip,
    Headers,
    Middleware,
    OrderError,
    PermissionsPolicy,
    SecurityHeaders,
    Stack,
    Timing,
    csp_nonce,
    match,
)
from middleware.layers.security.presets import PRESETS, TABLE
from serving import stop
from shapes import Failure, returning

HTTPS = {"wsgi.url_scheme": "https"}
KEY = "middleware.csp_nonce"
NONCED = {"preset": "basic", "csp": {"script-src": ["'self'", NONCE]}}
FIELDS = {row.header for row in TABLE}


def lines(layer, sent=(), **extra):
    """What a layer adds to the lines that an application sends."""
    answer = serve(Stack(layer).wrap(returning([b"x"], headers=[("Content-Type", "a/b"), *sent])[0]), **extra)
    assert answer.error is None
    return answer.headers[1:]


# -- presets -----------------------------------------------------------------------------------------------------------

OFF = {row.option: None for row in TABLE}


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        (
            "basic",
            {
                "Strict-Transport-Security": "max-age=31536000",
                "X-Frame-Options": "SAMEORIGIN",
                "Referrer-Policy": "strict-origin-when-cross-origin",
                "X-Content-Type-Options": "nosniff",
            },
        ),
        (
            "api",
            {
                "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
                "Content-Security-Policy": (
                    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
                ),
                "X-Frame-Options": "DENY",
                "Referrer-Policy": "no-referrer",
                "Cross-Origin-Resource-Policy": "same-origin",
                "X-Content-Type-Options": "nosniff",
            },
        ),
    ],
)
def test_a_preset_is_these_fields_and_no_others(preset, expected):
    assert dict(lines(SecurityHeaders(preset=preset), **HTTPS)) == expected


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_sends_every_field_of_its_row_once(preset):
    sent = lines(SecurityHeaders(preset=preset), **HTTPS)
    assert sorted(name for name, _ in sent) == sorted(row.header for row in TABLE if preset in row.values)


def test_balanced_is_the_default():
    assert lines(SecurityHeaders()) == lines(SecurityHeaders(preset="balanced"))


@pytest.mark.parametrize("preset", PRESETS)
def test_no_preset_sends_what_is_obsolete(preset):
    """X-XSS-Protection, Expect-CT, Feature-Policy, Public-Key-Pins and their kind did more harm than good."""
    assert {name for name, _ in lines(SecurityHeaders(preset=preset), **HTTPS)} <= FIELDS


@pytest.mark.parametrize(
    ("preset", "expected"),
    [("strict", (130, "A+")), ("balanced", (120, "A+")), ("api", (130, "A+")), ("basic", (75, "B"))],
)
def test_a_preset_has_its_grade_by_the_rules_of_the_observatory(preset, expected):
    for app in (reading, unread):
        answer = serve(SecurityHeaders(app, preset=preset), **HTTPS)
        assert grade({name.lower(): value for name, value in answer.headers}) == expected


@pytest.mark.parametrize("preset", ["strict", "balanced", "api"])
def test_a_policy_evaluator_finds_nothing_of_high_severity_in_a_preset(preset):
    for app in (reading, unread):
        assert severe(serve(SecurityHeaders(app, preset=preset)).get("Content-Security-Policy")) == []


def test_forms_of_a_strict_page_pass_a_check_of_origin():
    """With no-referrer a browser sends `Origin: null` with a POST (Fetch 3.2), which checks against CSRF refuse."""
    assert dict(lines(SecurityHeaders(preset="strict")))["Referrer-Policy"] == "same-origin"


# -- options -----------------------------------------------------------------------------------------------------------


# Option -> every keyword of its standard: HTML 7.1.3, 7.1.4, 7.4.8; Fetch 3.7; Referrer Policy 3; Adobe's policy files
KEYWORDS = {
    "frame_options": ("DENY", "SAMEORIGIN"),
    "coop": ("unsafe-none", "same-origin-allow-popups", "same-origin", "noopener-allow-popups"),
    "coep": ("unsafe-none", "require-corp", "credentialless"),
    "corp": ("same-origin", "same-site", "cross-origin"),
    "referrer_policy": (
        *("no-referrer", "no-referrer-when-downgrade", "same-origin", "origin", "strict-origin"),
        *("origin-when-cross-origin", "strict-origin-when-cross-origin", "unsafe-url"),
    ),
    "permitted_cross_domain_policies": ("none", "master-only", "by-content-type", "all"),
}
HEADERS = {
    "permitted_cross_domain_policies": "X-Permitted-Cross-Domain-Policies",
    **{row.option: row.header for row in TABLE},
}


@pytest.mark.parametrize(("option", "keyword"), [(option, each) for option in KEYWORDS for each in KEYWORDS[option]])
def test_every_keyword_of_a_standard_is_sent(option, keyword):
    assert (HEADERS[option], keyword) in lines(SecurityHeaders(**{**OFF, option: keyword}))


@pytest.mark.parametrize("off", [None, False])
@pytest.mark.parametrize("preset", PRESETS)
def test_none_and_false_leave_a_field_out(preset, off):
    for row in TABLE:
        sent = dict(lines(SecurityHeaders(preset=preset, **{row.option: off}), **HTTPS))
        assert sent.keys() == {other.header for other in TABLE if preset in other.values} - {row.header}
    assert lines(SecurityHeaders(preset=preset, **dict.fromkeys(OFF, off)), **HTTPS) == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"csp": "default-src 'self'"}, ("Content-Security-Policy", "default-src 'self'")),
        ({"csp": CSP(script_src="*")}, ("Content-Security-Policy", "script-src *")),
        ({"csp": {"default_src": ["*"]}}, ("Content-Security-Policy", "default-src *")),
        ({"csp_report_only": {"img-src": ["*"]}}, ("Content-Security-Policy-Report-Only", "img-src *")),
        ({"frame_options": "sameOrigin"}, ("X-Frame-Options", "SAMEORIGIN")),
        ({"referrer_policy": "origin"}, ("Referrer-Policy", "origin")),
        ({"referrer_policy": ["no-referrer", "origin"]}, ("Referrer-Policy", "no-referrer, origin")),
        ({"referrer_policy": "no-referrer,origin"}, ("Referrer-Policy", "no-referrer, origin")),
        ({"permissions_policy": {"camera": "self"}}, ("Permissions-Policy", "camera=(self)")),
        ({"permissions_policy": PermissionsPolicy(usb=())}, ("Permissions-Policy", "usb=()")),
        ({"coop": "same-origin-allow-popups"}, ("Cross-Origin-Opener-Policy", "same-origin-allow-popups")),
        ({"coop": 'same-origin; report-to="x y"'}, ("Cross-Origin-Opener-Policy", 'same-origin;report-to="x y"')),
        ({"coep": 'require-corp;report-to="x"'}, ("Cross-Origin-Embedder-Policy", 'require-corp;report-to="x"')),
        ({"corp": "cross-origin"}, ("Cross-Origin-Resource-Policy", "cross-origin")),
        ({"nosniff": True}, ("X-Content-Type-Options", "nosniff")),
        (
            {"reporting_endpoints": {"default": "https://r.example/a?b", "x": "/reports"}},
            ("Reporting-Endpoints", 'default="https://r.example/a?b", x="/reports"'),
        ),
        ({"permitted_cross_domain_policies": "none"}, ("X-Permitted-Cross-Domain-Policies", "none")),
        ({"clear_site_data": lambda e, r: ["cookies", "storage"]}, ("Clear-Site-Data", '"cookies", "storage"')),
        ({"clear_site_data": lambda e, r: "*"}, ("Clear-Site-Data", '"*"')),
    ],
)
def test_an_option_replaces_what_the_preset_says(options, expected):
    assert lines(SecurityHeaders(**{**OFF, **options})) == [expected]


def test_a_report_is_a_quoted_string_of_a_structured_item():
    sent = dict(lines(SecurityHeaders(coop='same-origin; report-to="endpoint"')))
    assert structured_fields.item(sent["Cross-Origin-Opener-Policy"]) == ("same-origin", {"report-to": "endpoint"})


def test_a_policy_may_be_enforced_and_another_one_reported():
    sent = dict(lines(SecurityHeaders(csp="default-src *", csp_report_only="img-src 'self'")))
    assert sent["Content-Security-Policy"] == "default-src *"
    assert sent["Content-Security-Policy-Report-Only"] == "img-src 'self'"


BALANCED = SecurityHeaders().csp.directives


@pytest.mark.parametrize(
    ("csp", "expected"),
    [
        ({"img-src": "https://cdn.example"}, {**BALANCED, "img-src": ("https://cdn.example",)}),
        ({"img_src": ["https://cdn.example"]}, {**BALANCED, "img-src": ("https://cdn.example",)}),
        ("IMG-SRC https://cdn.example", {**BALANCED, "img-src": ("https://cdn.example",)}),
        ({"connect-src": "'self'"}, {**BALANCED, "connect-src": ("'self'",)}),
        ({"font-src": None, "img-src": False}, {k: v for k, v in BALANCED.items() if k not in ("font-src", "img-src")}),
        ({"default-src": None}, {k: v for k, v in BALANCED.items() if k != "default-src"}),
        ({"upgrade-insecure-requests": True}, {**BALANCED, "upgrade-insecure-requests": ()}),
        ({"default-src": "'self'"}, {"default-src": ("'self'",)}),
        ({"default_src": "'self'", "img-src": "*"}, {"default-src": ("'self'",), "img-src": ("*",)}),
        ("default-src 'self'", {"default-src": ("'self'",)}),
        (CSP(img_src="*"), {"img-src": ("*",)}),
    ],
)
def test_a_policy_without_default_src_extends_that_of_the_preset(csp, expected):
    layer = SecurityHeaders(csp=csp)
    assert layer.csp.directives == expected
    assert layer.with_options(nosniff=False).csp == layer.csp


def test_a_policy_of_a_preset_without_one_is_the_whole():
    assert SecurityHeaders(preset="basic", csp={"img-src": "*"}).csp == CSP(img_src="*")


async def awaited(environ, response): ...


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"csp": {}}, "csp: CSP: policy: is not empty: leave the option out instead"),
        ({"csp": ""}, "csp: CSP: policy: is not empty"),
        ({"csp": dict.fromkeys(BALANCED)}, "csp: CSP: policy: is not empty"),
        ({"csp": {"img-src": "*", "img_src": "*"}}, "csp: CSP: img_src: is named once"),
        ({"csp": {"img src": "*"}}, "csp: CSP: img src: a directive name"),
        ({"preset": "paranoid"}, "preset: one of 'basic', 'balanced', 'strict', 'api'; got 'paranoid'"),
        ({"preset": ["basic"]}, "preset: one of"),
        ({"csp": "script-src self"}, "csp: CSP: script-src: self goes in single quotes: \"'self'\""),
        ({"csp_report_only": {"img-src": "a;b"}}, "csp_report_only: CSP: img-src: a directive value"),
        ({"csp": True}, "csp: CSP: a mapping of names; got True"),
        ({"hsts": 31536000}, "hsts: an HSTS, such as HSTS(31536000), or None; got 31536000"),
        ({"frame_options": "ALLOW-FROM https://a.example"}, "frame_options: one of 'DENY', 'SAMEORIGIN'; got"),
        ({"frame_options": " deny"}, "frame_options: one of"),
        ({"frame_options": 5}, "frame_options: one of"),
        ({"referrer_policy": "same_origin"}, "referrer_policy: one of 'no-referrer'"),
        ({"referrer_policy": "Origin"}, "referrer_policy: one of 'no-referrer'"),
        ({"referrer_policy": ["origin", "origin"]}, "referrer_policy: names at least one policy, and each once"),
        ({"referrer_policy": ()}, "referrer_policy: names at least one policy, and each once"),
        ({"referrer_policy": 5}, "referrer_policy: a str, or an iterable of str"),
        ({"permissions_policy": "camera=()"}, "permissions_policy: PermissionsPolicy: a mapping"),
        ({"coop": "Same-Origin"}, "coop: one of 'unsafe-none'"),
        ({"coop": "same-origin; report-to=x"}, 'report-to="endpoint"'),
        ({"coop": 'elsewhere; report-to="x"'}, "coop: one of"),
        ({"coop": 'same-origin; report-to="\xe9"'}, "coop: one of"),
        ({"coep": 5}, "coep: one of 'unsafe-none'"),
        ({"corp": 'same-origin; report-to="x"'}, "corp: one of 'same-origin'"),
        ({"nosniff": "yes"}, "nosniff: True or False; got 'yes'"),
        ({"reporting_endpoints": {}}, "reporting_endpoints: a mapping name -> URL"),
        ({"reporting_endpoints": "https://a.example"}, "reporting_endpoints: a mapping name -> URL"),
        ({"reporting_endpoints": {"a": "http://a.example"}}, "reporting_endpoints: an endpoint is a URL"),
        ({"reporting_endpoints": {"a": "//a.example"}}, "reporting_endpoints: an endpoint is a URL"),
        ({"reporting_endpoints": {"a": "https://a.example/\r\n"}}, "reporting_endpoints: an endpoint is a URL"),
        ({"reporting_endpoints": {"a": 5}}, "reporting_endpoints: an endpoint is a URL"),
        ({"reporting_endpoints": {"A": "/"}}, "reporting_endpoints: a key is"),
        ({"permitted_cross_domain_policies": "NONE"}, "permitted_cross_domain_policies: one of 'none'"),
        ({"clear_site_data": awaited}, "clear_site_data: a callable (environ, response)"),
        ({"clear_site_data": ["cookies"]}, "clear_site_data: a callable (environ, response)"),
        ({"remove": 5}, "remove: a str, or an iterable of str; got 5"),
        ({"remove": ["X A"]}, "remove: a field name is a token"),
        ({"remove": [5]}, "remove: a field name is a str"),
        ({"remove": "Connection"}, "remove: hop-by-hop fields belong to the server"),
        ({"remove": ["Content-Length"]}, "remove: the server frames the response by it"),
    ],
)
def test_an_option_that_cannot_be_right_is_refused_with_the_right_form(options, said):
    with pytest.raises(ConfigError) as refused:
        SecurityHeaders(**options)
    assert f"SecurityHeaders: {said}" in str(refused.value) or said.startswith("report-to")
    assert said in str(refused.value)


def test_all_wrong_options_are_named_at_once():
    with pytest.raises(
        ConfigError, match=r"SecurityHeaders: 3 options are wrong:(?s:.*)preset: (?s:.*)hsts: (?s:.*)csp: "
    ):
        SecurityHeaders(preset="", csp={"img-src": "self"}, hsts="yes")


def test_the_layer_shows_what_it_was_given():
    layer = SecurityHeaders(preset="strict", csp=False, nosniff=True, coop="unsafe-none", hsts=HSTS(5))
    shown = "HSTS(max_age=5, include_subdomains=True, preload=False)"
    assert repr(layer) == f"SecurityHeaders(preset='strict', csp=None, coop='unsafe-none', hsts={shown})"
    assert layer == SecurityHeaders(preset="strict", csp=None, coop="unsafe-none", hsts=HSTS(5))
    assert layer != SecurityHeaders(preset="strict")
    assert inspect.signature(SecurityHeaders).parameters["csp"].default.__repr__() == "PRESET"


def test_what_was_passed_in_is_copied():
    given = {"default": "/reports"}
    layer = SecurityHeaders(reporting_endpoints=given)
    given["more"] = "/more"
    assert layer.reporting_endpoints == {"default": "/reports"}


# -- the application's own ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "between", [[], [Headers(set={"X-In": "1"})], [Headers(set={"X-In": "1"}), Headers(set={"X": "2"})]]
)
@pytest.mark.parametrize("preset", PRESETS)
def test_what_the_application_has_set_stays_and_is_not_sent_twice(preset, between):
    own = [(name.upper(), "its own") for name in sorted(FIELDS)]
    for line in own:
        app = returning([b"x"], headers=[("Content-Type", "a/b"), line])[0]
        answer = serve(Stack(SecurityHeaders(preset=preset), *between).wrap(app), **HTTPS)
        assert answer.get_all(line[0]) == ["its own"]
        assert {name.lower() for name, _ in answer.headers} >= {
            row.header.lower() for row in TABLE if preset in row.values
        }


def test_two_policies_of_the_application_stay_two():
    own = [("Content-Security-Policy", "img-src *"), ("Content-Security-Policy", "font-src *")]
    assert lines(SecurityHeaders(), own)[:2] == own
    assert [name for name, _ in lines(SecurityHeaders(), own)].count("Content-Security-Policy") == 2


@pytest.mark.parametrize(
    ("remove", "left"),
    [
        (("X-Powered-By",), [("Server", "x"), ("X-Frame-Options", "own")]),
        (("server", "x-powered-by"), [("X-Frame-Options", "own")]),
        ("X-Frame-Options", [("X-Powered-By", "php"), ("Server", "x"), ("X-Frame-Options", "DENY")]),
        ((), [("X-Powered-By", "php"), ("Server", "x"), ("X-Frame-Options", "own")]),
        (None, [("X-Powered-By", "php"), ("Server", "x"), ("X-Frame-Options", "own")]),
    ],
)
def test_fields_are_removed_before_ours_are_added(remove, left):
    sent = [("X-Powered-By", "php"), ("Server", "x"), ("X-Frame-Options", "own")]
    assert lines(SecurityHeaders(**{**OFF, "frame_options": "DENY"}, remove=remove), sent) == left


def test_a_field_is_removed_though_none_of_ours_is_there():
    assert lines(SecurityHeaders(**OFF), [("x-powered-by", "php"), ("Server", "x")]) == [("Server", "x")]


# -- every response ----------------------------------------------------------------------------------------------------


def failing(environ, start_response):
    raise Failure


class Answers(Middleware):
    """Answers by itself, as a preflight or a static file is answered."""

    effects = Effects(answers=True)

    def on_request(self, environ):
        return (
            returning([b""], status="204 No Content", headers=[])[0] if environ["REQUEST_METHOD"] == "OPTIONS" else None
        )


@pytest.mark.parametrize("status", ["200 OK", "301 Moved Permanently", "304 Not Modified", "404 Not Found", "503 Busy"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_every_status_has_the_fields(status, method):
    content = [b""] if status.startswith("304") else [b"x"]
    headers = [] if status.startswith("304") else [("Content-Type", "a/b")]
    answer = serve(
        Stack(SecurityHeaders()).wrap(returning(content, status=status, headers=headers)[0]), "/", method, **HTTPS
    )
    assert {name for name, _ in answer.headers} >= {row.header for row in TABLE if "balanced" in row.values}


@pytest.mark.parametrize(("app", "method", "status"), [(failing, "GET", "500"), (failing, "OPTIONS", "204")])
def test_errors_and_answers_of_inner_layers_have_the_fields(app, method, status, caplog):
    caplog.set_level("CRITICAL", logger="middleware")
    answer = serve(Stack(SecurityHeaders(preset="strict"), Answers()).wrap(app), "/", method)
    assert answer.status.startswith(status)
    assert answer.get("X-Frame-Options") == "DENY"
    assert "'nonce-" not in answer.get("Content-Security-Policy")


def test_an_answer_further_out_is_an_error_of_the_order():
    with pytest.raises(OrderError, match="answer-inside-every-response"):
        Stack(Answers(), SecurityHeaders()).wrap(unread)


def test_two_are_an_error_unless_their_conditions_exclude_each_other():
    with pytest.raises(OrderError, match="unique"):
        Stack(SecurityHeaders(), SecurityHeaders(preset="api")).wrap(unread)
    here, there = match.path("/api"), ~match.path("/api")
    stack = Stack(SecurityHeaders(preset="api").when(here), SecurityHeaders().when(there))
    answers = [serve(stack.wrap(unread, waive=["unique"]), path) for path in ("/api/x", "/x")]
    assert [answer.get("X-Frame-Options") for answer in answers] == ["DENY", "SAMEORIGIN"]


# -- https -------------------------------------------------------------------------------------------------------------

FORGED = {
    "HTTP_X_FORWARDED_PROTO": "https",
    "HTTP_X_FORWARDED_SSL": "on",
    "HTTP_X_FORWARDED_HOST": "evil.example",
    "HTTP_FORWARDED": "proto=https;host=evil.example",
    "HTTP_FRONT_END_HTTPS": "on",
}


@pytest.mark.parametrize(("scheme", "count"), [("https", 1), ("http", 0), ("HTTPS", 0), ("", 0)])
def test_hsts_goes_over_https_only_whatever_a_client_says(scheme, count):
    answer = serve(SecurityHeaders(unread), lint=False, **{"wsgi.url_scheme": scheme}, **FORGED)
    assert len(answer.get_all("Strict-Transport-Security")) == count
    assert "evil" not in str(answer.headers)


def test_proxyfix_further_out_says_which_scheme_it_is():
    from werkzeug.middleware.proxy_fix import ProxyFix

    app = Stack(External(ProxyFix, x_proto=1), SecurityHeaders()).wrap(unread)
    assert serve(app, **FORGED).get("Strict-Transport-Security") == "max-age=31536000; includeSubDomains"
    assert serve(app).get("Strict-Transport-Security") is None


@pytest.mark.parametrize(
    ("trusted", "count"), [({"trusted_proxy": "127.0.0.1", "trusted_proxy_headers": "x-forwarded-proto"}, 1), ({}, 0)]
)
def test_waitress_says_which_scheme_it_is_if_it_trusts_the_proxy(trusted, count):
    server = create_server(SecurityHeaders(unread), listen="127.0.0.1:0", ident=None, threads=1, **trusted)
    thread = threading.Thread(target=server.run)
    thread.start()
    client = http.client.HTTPConnection("127.0.0.1", server.effective_port, timeout=60)
    try:
        client.request("GET", "/", headers={"X-Forwarded-Proto": "https"})
        answer = client.getresponse()
        assert len(answer.headers.get_all("Strict-Transport-Security", [])) == count
        assert answer.headers["Server"] is None
    finally:
        client.close()
        stop(server, thread)


# -- Clear-Site-Data ---------------------------------------------------------------------------------------------------


def test_a_response_decides_what_a_browser_forgets():
    def after_logout(environ, response):
        return ("cookies",) if environ["PATH_INFO"] == "/logout" else None

    app = SecurityHeaders(unread, clear_site_data=after_logout)
    assert [serve(app, path).get("Clear-Site-Data") for path in ("/", "/logout")] == [None, '"cookies"']
    own = SecurityHeaders(
        returning([b"x"], headers=[("Content-Type", "a/b"), ("clear-site-data", '"*"')])[0],
        clear_site_data=after_logout,
    )
    assert serve(own, "/logout").get_all("Clear-Site-Data") == ['"*"']
    unasked = own.with_options(clear_site_data=lambda environ, response: 1 / 0)
    assert serve(unasked).get_all("Clear-Site-Data") == ['"*"']


@pytest.mark.parametrize(  # Clear Site Data 3.1
    "kind", ["cache", "clientHints", "cookies", "executionContexts", "prefetchCache", "prerenderCache", "storage", "*"]
)
def test_a_browser_may_forget_each_kind_of_data(kind):
    assert serve(SecurityHeaders(unread, clear_site_data=lambda *_: kind)).get("Clear-Site-Data") == f'"{kind}"'


@pytest.mark.parametrize("made", ["everything", ["cookies", "x\r\ny"], 5, [5]])
def test_what_cannot_be_forgotten_is_an_error_of_the_request(made, caplog):
    caplog.set_level("CRITICAL", logger="middleware")
    answer = serve(Stack(Timing(), SecurityHeaders(clear_site_data=lambda e, r: made)).wrap(unread))
    assert (answer.status[:3], answer.get("Clear-Site-Data")) == ("500", None)


# -- the nonce ---------------------------------------------------------------------------------------------------------


def unread(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html")])
    return [b"x"]


def reading(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html")])
    return [f"{environ.get(KEY)}".encode()]


def in_policy(answer, header="Content-Security-Policy"):
    """The nonces of the policy."""
    return re.findall(r"'nonce-([^']*)'", answer.get(header) or "")


def streaming(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html")])
    return (str(environ[KEY]).encode() for _ in range(1))


def generating(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html")])
    yield b""
    yield str(environ[KEY]).encode()


def writing(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html")])(b"")
    return [str(environ[KEY]).encode()]


@pytest.mark.parametrize("app", [reading, streaming, generating, writing])
@pytest.mark.parametrize(
    "wrap", [lambda app: SecurityHeaders(app, **NONCED), Stack(Timing(), SecurityHeaders(**NONCED)).wrap]
)
def test_the_nonce_in_the_page_is_that_in_the_header(app, wrap):
    """Also where the page reads it after start_response was called, or after the head has gone."""
    answer = serve(wrap(app))
    assert answer.error is None
    assert in_policy(answer) == [answer.body.decode()]
    assert answer.get("Content-Security-Policy").startswith("script-src 'self' 'nonce-")
    assert answer.get_all("Cache-Control") == ["private"]


def test_a_nonce_is_128_random_bits_and_another_one_for_every_response():
    app = Stack(SecurityHeaders(**NONCED)).wrap(reading)
    again = environ()
    nonces = [serve(app).body for _ in range(20)]
    for _ in range(2):  # an environ may be used again
        nonces.append(b"".join(app(again, lambda *_: None)))
    assert len(set(nonces)) == 22
    assert {len(base64.b64decode(nonce, validate=True)) for nonce in nonces} == {16}


def sized(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", "1")])
    return iter([b"x"])


@pytest.mark.parametrize("app", [unread, sized])
def test_a_page_that_does_not_read_the_nonce_has_none(app):
    answer = serve(SecurityHeaders(app, **NONCED))
    assert answer.get("Content-Security-Policy") == "script-src 'self'"
    assert answer.get("Cache-Control") is None
    assert "a nonce that has not been read" in repr(answer.environ[KEY])


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("reads", [True, False])
def test_a_page_of_known_length_that_an_inner_layer_encodes_is_as_cacheable_as_before(method, reads):
    """Frameworks wrap complete pages in iterators. The encoding removes the Content-Length that says so."""

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", "2000")])
        return iter([(str(environ[KEY]) if reads else "x").ljust(2000).encode()])

    answer = serve(Stack(SecurityHeaders(**NONCED), Gzip()).wrap(app), "/", method, HTTP_ACCEPT_ENCODING="gzip")
    assert answer.get("Content-Encoding") == "gzip"
    assert answer.get("Cache-Control") == ("private" if reads else None)
    assert ("'nonce-" in answer.get("Content-Security-Policy")) is reads


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", "200 OK"), ("GET", "304 Not Modified"), ("GET", "204 No Content")]
)
def test_a_stream_that_is_not_sent_is_not_looked_into(method, status):
    def app(environ, start_response):
        start_response(status, [("Content-Length", "1")])
        return map(str.encode, iter(pulled.pop, None))

    pulled = ["a"]
    serve(SecurityHeaders(app, **NONCED), "/", method, lint=False)
    assert pulled == ["a"]


@pytest.mark.parametrize("reads", [False, True])
@pytest.mark.parametrize("body", [[], iter([])])
def test_a_204_has_a_nonce_only_if_the_application_read_it(body, reads):
    """Frameworks return an iterator, which has no content that could read it."""

    def no_content(environ, start_response):
        if reads:
            str(environ[KEY])
        start_response("204 No Content", [("Cache-Control", "max-age=600")])
        return body

    answer = serve(SecurityHeaders(no_content, **NONCED))
    assert ("'nonce-" in answer.get("Content-Security-Policy")) is reads
    assert answer.get("Cache-Control") == ("max-age=600, private" if reads else "max-age=600")


@pytest.mark.parametrize("cached", [[], ["max-age=600"]])
def test_a_304_has_no_policy_with_a_nonce_and_keeps_its_cache_control(cached):
    def not_modified(environ, start_response):
        str(environ[KEY])
        start_response("304 Not Modified", [("Cache-Control", value) for value in cached])
        return [b""]

    answer = serve(SecurityHeaders(not_modified, csp_report_only="img-src 'self'", **NONCED))
    assert answer.get("Content-Security-Policy") is None
    assert answer.get_all("Cache-Control") == cached
    assert answer.get("Content-Security-Policy-Report-Only") == "img-src 'self'"
    assert answer.get("X-Frame-Options") == "SAMEORIGIN"


CACHED = [
    # RFC 9111: what the application says -> what is sent with a nonce
    ([], "private"),  # 4.2.2: a shared cache may store it by heuristics
    (["max-age=600"], "max-age=600, private"),
    (["no-cache"], "no-cache, private"),  # 5.2.2.4: stored, and sent again after a 304
    (["max-age=0, must-revalidate"], "max-age=0, must-revalidate, private"),
    (["immutable", "max-age=600"], "immutable, max-age=600, private"),
    ([""], "private"),
    ([" , max-age=600,"], "max-age=600, private"),
    (['private="Set-Cookie"'], 'private="Set-Cookie", private'),  # 5.2.2.7: of that field only
    (['ext="a,b"'], 'ext="a,b", private'),
    (['ext="public", max-age=1'], 'ext="public", max-age=1, private'),
    (['ext="a, private, s-maxage=1"'], 'ext="a, private, s-maxage=1", private'),
    (["x-public, publicly, s-maxages=1"], "x-public, publicly, s-maxages=1, private"),
    (["Private, max-age=600"], "Private, max-age=600"),
    (["PUBLIC, max-age=600"], "PUBLIC, max-age=600"),
    (["max-age=600", "public"], "max-age=600, public"),
    (["S-MaxAge=60"], "S-MaxAge=60"),
    (["no-store"], "no-store"),
    (["no-store, max-age=0"], "no-store, max-age=0"),
]


@pytest.mark.parametrize(("sent", "expected"), CACHED)
def test_a_shared_cache_stores_no_nonce_unless_the_application_allows_it(sent, expected):
    lines = [("cache-control", value) for value in sent]

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/html"), *lines])
        return [str(environ.get(KEY)).encode()]

    def unread(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/html"), *lines])
        return [b"x"]

    assert ", ".join(serve(SecurityHeaders(app, **NONCED)).get_all("Cache-Control")) == expected
    assert serve(SecurityHeaders(unread, **NONCED)).get_all("Cache-Control") == sent
    assert serve(SecurityHeaders(app, csp="img-src 'self'", preset="basic")).get_all("Cache-Control") == sent


def test_whoever_sets_cache_control_outside_of_a_nonce_is_found():
    [finding] = Stack(Headers(set={"Cache-Control": "max-age=600"}), SecurityHeaders(**NONCED)).check()
    assert finding.rule == "set-inside-read"


@pytest.mark.parametrize("name", ["Cache-Control", "cache-control"])
def test_the_application_may_say_otherwise_about_caches(name):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/html"), (name, "no-store")])
        return [str(environ[KEY]).encode()]

    assert serve(SecurityHeaders(app, **NONCED)).get_all("Cache-Control") == ["no-store"]


def test_the_application_may_have_a_policy_of_its_own_with_the_nonce():
    def app(environ, start_response):
        start_response(
            "200 OK", [("Content-Type", "a/b"), ("Content-Security-Policy", f"img-src 'nonce-{environ[KEY]}'")]
        )
        return [b""]

    answer = serve(SecurityHeaders(app, **NONCED))
    assert answer.get_all("Content-Security-Policy") == [f"img-src 'nonce-{answer.environ[KEY]}'"]
    assert answer.get("Cache-Control") == "private"


def test_policies_share_the_nonce_of_a_response():
    inner = SecurityHeaders(reading, csp_report_only={"style-src": NONCE}, csp=None)
    answer = serve(SecurityHeaders(inner, csp={"script-src": NONCE, "style-src": [NONCE, NONCE]}))
    nonce = answer.body.decode()
    assert in_policy(answer) == [nonce] * 3
    assert in_policy(answer, "Content-Security-Policy-Report-Only") == [nonce]


def test_a_page_that_failed_after_it_read_the_nonce_is_answered_with_a_policy(caplog):
    def app(environ, start_response):
        str(environ[KEY])
        raise Failure

    caplog.set_level("CRITICAL", logger="middleware")
    answer = serve(Stack(SecurityHeaders(**NONCED)).wrap(app))
    assert answer.status.startswith("500")
    assert in_policy(answer) == [str(answer.environ[KEY])]


def test_a_request_that_never_reached_the_layer_has_a_policy_without_a_nonce(caplog):
    class Fails(Middleware):
        def on_request(self, environ):
            raise Failure

    caplog.set_level("CRITICAL", logger="middleware")
    answer = serve(Stack(Fails(), SecurityHeaders(**NONCED)).wrap(reading))
    assert (answer.status[:3], answer.get("Content-Security-Policy")) == ("500", "script-src 'self'")


def test_a_nonce_of_somebody_else_is_replaced():
    answer = serve(SecurityHeaders(reading, **NONCED), **{KEY: "theirs"})
    assert in_policy(answer) == [answer.body.decode()] != ["theirs"]


@pytest.mark.parametrize(
    "use",
    [
        str,
        "{}".format,
        "{:s}".format,
        lambda nonce: f"{nonce!s:<24}",
        lambda nonce: "%s" % nonce,  # noqa: UP031 - as people write
        lambda nonce: "" + nonce + "",
        lambda nonce: nonce[:],
        lambda nonce: nonce.encode().decode(),
        lambda nonce: nonce.strip(),
        lambda nonce: repr(str(nonce))[1:-1],
    ],
)
def test_a_nonce_is_used_like_a_str(use):
    answer = serve(SecurityHeaders(reading, **NONCED))
    nonce = answer.environ[KEY]
    assert use(nonce) == answer.body.decode()
    assert nonce == answer.body.decode()
    assert hash(nonce) == hash(str(nonce))
    assert repr(nonce) == repr(str(nonce))
    assert len(nonce) == 24
    assert not hasattr(nonce, "__html__")


def test_jinja_prints_the_nonce():
    import flask

    app = flask.Flask(__name__)

    @app.get("/")
    def index():
        page = '<script nonce="{{ csp_nonce }}"></script>{{ csp_nonce|length }}'
        return flask.render_template_string(page, csp_nonce=flask.request.environ[KEY])

    @app.get("/plain")
    def plain():
        return {"a": 1}

    application = Stack(SecurityHeaders(preset="strict")).wrap(app)
    answer = serve(application)
    [nonce] = set(in_policy(answer))
    assert answer.body.decode() == f'<script nonce="{nonce}"></script>24'
    assert serve(application, "/plain").get("Cache-Control") is None


def test_django_prints_the_nonce():
    from django.conf import settings
    from django.template import Context, Engine

    if not settings.configured:
        settings.configure(LOGGING_CONFIG=None)
    template = Engine().from_string('<script nonce="{{ csp_nonce }}"></script>')

    def app(environ, start_response):
        page = template.render(Context({"csp_nonce": environ[KEY]}))
        start_response("200 OK", [("Content-Type", "text/html")])
        return [page.encode()]

    answer = serve(SecurityHeaders(app, preset="strict"))
    [nonce] = set(in_policy(answer))
    assert answer.body.decode() == f'<script nonce="{nonce}"></script>'


PRINTED = '<script nonce="{{ csp_nonce }}"></script>'


def flask_site():
    import flask

    app = flask.Flask("site")
    app.context_processor(lambda: csp_nonce(flask.request))
    app.get("/")(lambda: flask.render_template_string(PRINTED))
    app.get("/plain", endpoint="plain")(lambda: flask.render_template_string("plain"))
    return app


def django_site():
    """Its request is what a view gets; the processor is found by the name that settings have."""
    from django.conf import settings
    from django.core.handlers.wsgi import WSGIRequest
    from django.template import Engine, RequestContext

    if not settings.configured:
        settings.configure(LOGGING_CONFIG=None)
    engine = Engine(context_processors=["middleware.csp_nonce"])

    def app(environ, start_response):
        template = engine.from_string("plain" if environ["PATH_INFO"] == "/plain" else PRINTED)
        page = template.render(RequestContext(WSGIRequest(environ)))
        start_response("200 OK", [("Content-Type", "text/html")])
        return [page.encode()]

    return app


def webob_site():
    import jinja2
    from webob import Request, Response

    def app(environ, start_response):
        template = jinja2.Template("plain" if environ["PATH_INFO"] == "/plain" else PRINTED)
        return Response(template.render(**csp_nonce(Request(environ))))(environ, start_response)

    return app


def bottle_site():
    import bottle

    app = bottle.Bottle()
    app.get("/")(lambda: bottle.template(PRINTED, **csp_nonce(bottle.request)))
    app.get("/plain")(lambda: bottle.template("plain\n", **csp_nonce(bottle.request)))
    return app


def bare_site():
    import jinja2

    def app(environ, start_response):
        template = jinja2.Template("plain" if environ["PATH_INFO"] == "/plain" else PRINTED)
        start_response("200 OK", [("Content-Type", "text/html")])
        return [template.render(csp_nonce(environ)).encode()]

    return app


@pytest.mark.parametrize("site", [flask_site, django_site, webob_site, bottle_site, bare_site])
def test_a_template_prints_the_nonce_that_the_policy_has_and_nothing_without_a_stack(site):
    app = site()
    answer = serve(SecurityHeaders(app, preset="strict"))
    printed = [answer.body, serve(app).body, serve(SecurityHeaders(app, preset="basic")).body]
    [nonce] = set(in_policy(answer))
    assert [each.decode().strip() for each in printed] == [
        f'<script nonce="{text}"></script>' for text in (nonce, "", "")
    ]
    assert in_policy(serve(SecurityHeaders(app, preset="strict"), "/plain")) == []


def test_a_template_that_is_rendered_outside_of_a_request_has_an_empty_nonce():
    import flask

    app = flask_site()
    with app.app_context():
        assert flask.render_template_string(PRINTED) == '<script nonce=""></script>'
    assert csp_nonce({}) == csp_nonce(None) == {"csp_nonce": ""}


def test_a_request_of_django_that_a_test_makes_without_fields_has_an_empty_nonce():
    from django.conf import settings
    from django.http import HttpRequest

    if not settings.configured:
        settings.configure(LOGGING_CONFIG=None)
    assert csp_nonce(HttpRequest()) == {"csp_nonce": ""}


# -- what it tells of itself -------------------------------------------------------------------------------------------


def test_it_declares_what_it_sets_and_provides():
    plain = SecurityHeaders(**OFF, csp_report_only="img-src *", clear_site_data=lambda e, r: None).declared()
    assert (plain.every_response, plain.unique, plain.provides) == (True, True, frozenset())
    assert plain.sets == {"content-security-policy-report-only", "clear-site-data", "x-powered-by"}
    nonced = SecurityHeaders(**{**OFF, "csp": {"script-src": NONCE}}, remove=None).declared()
    assert nonced.provides == {KEY}
    assert nonced.sets == {"content-security-policy", "cache-control"}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {**OFF, "hsts": HSTS(5), "clear_site_data": lambda e, r: None},
            (
                "adds Strict-Transport-Security (over https), Clear-Site-Data where they are not there yet; "
                "removes X-Powered-By"
            ),
        ),
        ({**OFF, "remove": ()}, "leaves it as it is"),
    ],
)
def test_it_says_what_it_does(options, told):
    assert list(SecurityHeaders(**options).describe()) == [("response", told)]


def test_it_says_that_it_offers_a_nonce():
    assert next(iter(SecurityHeaders(**NONCED).describe())) == ("request", f"offers the application a nonce as {KEY}")


def test_a_subclass_may_do_more():
    class More(SecurityHeaders):
        def on_response(self, environ, response):
            super().on_response(environ, response)
            response.headers["X-More"] = "1"

    for options in ({}, NONCED):
        answer = serve(More(reading, **options))
        assert answer.get("X-More") == "1"
        assert parsed(answer.get("Content-Security-Policy"))["script-src"][0] == "'self'"
        assert bool(in_policy(answer)) == bool(options)

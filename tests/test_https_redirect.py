"""HTTPSRedirect: where a request by http is sent to, byte for byte, and that it is never another host."""

from __future__ import annotations

import logging
from urllib.parse import unquote_to_bytes, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway import serve
from middleware import CORS, ConfigError, Effects, External, HTTPSRedirect, SecurityHeaders, Stack, TrustedHosts, match
from middleware.layers.answers import https
from shapes import returning

APP = returning([b"site"], headers=[("Content-Type", "text/plain")])[0]
HOST = {"HTTP_HOST": "a.example"}


def sent_to(layer=None, /, **environ):
    """The Location that a request gets, or its status."""
    environ = {**HOST, **environ}
    path = environ.pop("PATH_INFO", "/")
    answer = serve((layer or HTTPSRedirect()).wrap(APP), path, lint=False, **environ)
    return answer.get("Location") or answer.status[:3]


# REQUEST_URI or RAW_URI, as servers have them -> the path and query (RFC 9112 3.2)
RAW = {
    "/": "/",
    "/a%2Fb?c=%20": "/a%2Fb?c=%20",
    "/?": "/?",
    "//evil.example/": "//evil.example/",
    "/\\evil.example": "/\\evil.example",
    "/a/../b//c?d?e": "/a/../b//c?d?e",
    '/"<>^`{|}': '/"<>^`{|}',
    "http://evil.example/a?b": "/a?b",
    "https://user@evil.example:99//c": "//c",
    "http://a.example?b": "/?b",
}
NO_PATH = [
    *("@evil.example/", ".evil.example/", ":80@evil.example/", "evil.example:443", "evil", "?a", "\\\\evil.example"),
    *("/a b", "/a\tb", "/a\r\nSet-Cookie: b=c", "/\x00", "/\x7f", "/caf\xc3\xa9", "/a#b", "#", "http:evil"),
]


@pytest.mark.parametrize("key", ["REQUEST_URI", "RAW_URI"])
@pytest.mark.parametrize(("raw", "target"), RAW.items())
def test_the_target_goes_along_byte_for_byte_where_the_server_has_it(key, raw, target):
    assert sent_to(**{key: raw}) == f"https://a.example{target}"


@pytest.mark.parametrize("key", ["REQUEST_URI", "RAW_URI"])
@pytest.mark.parametrize("raw", NO_PATH)
def test_a_target_that_is_no_path_is_a_400(key, raw):
    assert sent_to(**{key: raw}) == "400"


# SCRIPT_NAME, PATH_INFO, QUERY_STRING -> the path and query (PEP 3333, RFC 3986 3.3)
DECODED = [
    ("", "/", "", "/"),
    ("", "", "", "/"),
    ("/app", "", "", "/app"),
    ("/app", "/a b", "c=%20", "/app/a%20b?c=%20"),
    ("", "/caf\xc3\xa9", "", "/caf%C3%A9"),
    ("", "/100%/a?b#c", "d=e", "/100%25/a%3Fb%23c?d=e"),
    ("", "//evil.example/", "", "//evil.example/"),
    ("", "/\\evil.example", "", "/%5Cevil.example"),
    ("", "/a;b=c,d:e@f", "", "/a;b=c,d:e@f"),
    ("", "/\r\nSet-Cookie: a", "", "/%0D%0ASet-Cookie:%20a"),
]


@pytest.mark.parametrize(("script_name", "path_info", "query", "target"), DECODED)
def test_the_path_is_percent_encoded_where_the_server_has_no_target(script_name, path_info, query, target):
    environ = {"SCRIPT_NAME": script_name, "PATH_INFO": path_info, "QUERY_STRING": query}
    assert sent_to(**environ) == f"https://a.example{target}"


@pytest.mark.parametrize(
    ("path_info", "query"),
    [
        ("@evil.example/", ""),
        (".evil.example", ""),
        ("evil", ""),
        ("/", "a b"),
        ("/", "a\r\nb"),
        ("/", "\xe9"),
        ("/", "#"),
    ],
)
def test_what_is_no_path_and_query_is_a_400(path_info, query):
    assert sent_to(PATH_INFO=path_info, QUERY_STRING=query) == "400"


def test_a_path_beyond_latin_1_is_a_400():
    """No server that keeps to PEP 3333 has one."""
    assert sent_to(PATH_INFO="/\u20ac") == "400"


def test_a_prefix_that_a_proxy_took_off_is_put_on_again():
    """ProxyFix(x_prefix=1) puts it into SCRIPT_NAME, and REQUEST_URI is what the proxy asked for."""
    taken_off = {"SCRIPT_NAME": "/my app", "PATH_INFO": "/a b"}
    assert sent_to(**taken_off, REQUEST_URI="/a%20b?c") == "https://a.example/my%20app/a%20b?c"
    assert sent_to(**taken_off, REQUEST_URI="/my%20app/a%20b?c") == "https://a.example/my%20app/a%20b?c"


@pytest.mark.parametrize("raw", [{}, {"REQUEST_URI": "*"}, {"RAW_URI": "*"}])
def test_a_question_about_the_server_passes(raw):
    assert sent_to(REQUEST_METHOD="OPTIONS", PATH_INFO="*", **raw) == "200"


# Host, port= -> the authority (RFC 3986 3.2)
@pytest.mark.parametrize(
    ("host", "port", "place"),
    [
        ("a.example", None, "a.example"),
        ("A.Example.", None, "a.example"),
        ("a.example:80", None, "a.example"),
        ("a.example:8000", None, "a.example"),
        ("a.example:8000", 8443, "a.example:8443"),
        ("a.example", 443, "a.example"),
        ("[0::1]:80", None, "[::1]"),
        ("[::1]", 8443, "[::1]:8443"),
    ],
)
def test_the_port_of_the_host_is_dropped(host, port, place):
    assert sent_to(HTTPSRedirect(port=port), HTTP_HOST=host) == f"https://{place}/"


@pytest.mark.parametrize(
    "host",
    [
        *(
            "",
            "evil.example@a.example",
            "a.example/",
            "a.example\\",
            "a.example#",
            "a b",
            "a,b",
            "a\r\nb",
            "[::1",
            "::1",
        ),
        *("a.example:x", "a.example:70000", "//evil.example", "a..b", "\xff"),
    ],
)
def test_a_host_that_is_no_authority_is_a_400(host):
    assert sent_to(HTTP_HOST=host) == "400"


def test_a_host_of_ones_own_is_sent_to_whatever_the_request_says():
    assert sent_to(HTTPSRedirect(host="Site.example"), HTTP_HOST="evil.example:80") == "https://site.example/"
    assert sent_to(HTTPSRedirect(host="[::1]", port=8443), HTTP_HOST="") == "https://[::1]:8443/"


def test_the_host_that_trusted_hosts_checked_is_sent_to():
    stack = Stack(TrustedHosts(hosts="a.example"), HTTPSRedirect())
    assert serve(stack.wrap(APP), HTTP_HOST="A.example.:80").get("Location") == "https://a.example/"
    assert serve(stack.wrap(APP), HTTP_HOST="evil.example").status == "400 Bad Request"
    assert sent_to(HTTP_HOST="evil.example", **{"middleware.host": "a.example:80"}) == "https://a.example/"


@pytest.mark.parametrize("raw", ["@evil.example/", ".evil.example/", ":80@evil.example/", "\\@evil.example"])
def test_a_location_is_read_again_before_it_is_sent(monkeypatch, raw):
    """So that no fault in what counts as a target makes an open redirect."""
    monkeypatch.setattr(https, "is_target", lambda target: True)
    assert sent_to(REQUEST_URI=raw) == "400"


printable = st.text(st.characters(min_codepoint=0, max_codepoint=255), max_size=20)
hosts = st.sampled_from(["a.example", "a.example:80", "[::1]:8080", "A_b.", "127.0.0.1"]) | printable
ports = st.none() | st.integers(1, 65535)


def check(answer, host, port, path, query):
    """It goes to https, to the host and port that were decided, and asks for the same."""
    location = answer.get("Location")
    if location is None:
        assert answer.status in ("400 Bad Request", "200 OK")
        return
    read = urlsplit(location)
    assert (read.scheme, read.username, read.password, read.fragment) == ("https", None, None, "")
    assert read.port == (None if port == 443 else port)
    assert f"[{read.hostname}]" == "[::1]" or read.hostname == host.partition(":")[0].lower().removesuffix(".")
    assert "\\" not in read.netloc
    assert (unquote_to_bytes(read.path), read.query) == (path or b"/", query)


@given(printable, printable, hosts, ports)
@example("@evil.example/", "", "a.example", None)
@example("//evil.example", "", "a.example", None)
@example("/\\evil.example", "", "a.example", 8443)
@example("", "", "a.example@evil.example", None)
def test_where_it_sends_to_asks_for_the_same_at_the_host_that_was_decided(path, query, host, port):
    app = HTTPSRedirect(APP, port=port)
    answer = serve(app, path, QUERY_STRING=query, HTTP_HOST=host, lint=False)
    check(answer, host, port, path.encode("latin-1"), query)


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7F), max_size=20), ports)
@example("http://evil.example@a.example/", None)
@example("http://a.example", None)
@example("/%2e%2E/a?b", None)
def test_a_target_that_is_sent_on_is_the_same_bytes(raw, port):
    location = sent_to(HTTPSRedirect(port=port), REQUEST_URI=raw)
    if location in ("400", "200"):
        return
    place = "https://a.example" + (f":{port}" if port not in (None, 443) else "")
    assert location.startswith(f"{place}/")
    assert raw.endswith((location.removeprefix(place), location.removeprefix(f"{place}/")))
    assert urlsplit(location).netloc == place.removeprefix("https://")


@pytest.mark.parametrize("scheme", ["https", "HTTPS"])
def test_a_request_by_https_passes(scheme):
    """A proxy may spell it in upper case, and ProxyFix takes that over."""
    assert sent_to(**{"wsgi.url_scheme": scheme}) == "200"
    assert sent_to(**{"wsgi.url_scheme": "HTTP"}) == "https://a.example/"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_status_is_what_was_asked_for(status):
    answer = serve(HTTPSRedirect(APP, status=status), **HOST)
    assert (answer.status[:3], answer.body) == (str(status), b"See https://a.example/\n")


def test_health_checks_may_be_exempt_and_certainty_is_needed():
    layer = HTTPSRedirect(exempt=match.path("/health"))
    assert sent_to(layer, PATH_INFO="/health/live") == "200"
    assert sent_to(layer, PATH_INFO="/health/../admin") == "https://a.example/health/../admin"
    assert sent_to(layer, PATH_INFO="//health") == "https://a.example//health"


def test_responses_that_differ_by_a_field_of_exempt_say_so():
    app = HTTPSRedirect(APP, exempt=match.header("X-Health"))
    for fields in ({}, {"HTTP_X_HEALTH": "1"}):
        answer = serve(app, **HOST, **fields)
        assert (answer.get("Vary"), answer.status[:3]) == ("X-Health", "200" if fields else "308")
        assert serve(app, **HOST, **fields, **{"wsgi.url_scheme": "https"}).get("Vary") is None
    app = HTTPSRedirect(APP, exempt=match.path("/health") & match.header("X-Health"))
    assert [serve(app, path, **HOST).get("Vary") for path in ("/", "/health")] == [None, "X-Health"]


@pytest.mark.parametrize("value", ["https", "HTTPS", "https, http", " https "])
def test_a_redirect_in_spite_of_x_forwarded_proto_is_logged_once(caplog, value):
    layer = HTTPSRedirect()
    copies = [layer, layer.named("other"), layer.when(match.path("/"))]
    assert [sent_to(copy, HTTP_X_FORWARDED_PROTO=value) for copy in copies] == ["https://a.example/"] * 3
    [record] = caplog.records
    assert (record.name, record.levelno) == ("middleware", logging.WARNING)
    assert "ProxyFix" in record.getMessage()


@pytest.mark.parametrize("value", ["http", "", "http, https"])
def test_a_redirect_that_a_proxy_agrees_with_is_not_logged(caplog, value):
    assert sent_to(HTTP_X_FORWARDED_PROTO=value) == "https://a.example/"
    assert not caplog.records


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"status": 304}, "status: one of 301, 302, 303, 307, 308"),
        ({"status": "308"}, "status: one of"),
        ({"host": "a.example:80"}, "host: a host name, or an address in brackets, without a port"),
        ({"host": "a.example:"}, "host: "),
        ({"host": "https://a.example"}, "host: "),
        ({"host": ""}, "host: "),
        ({"host": 3}, "host: "),
        ({"port": 0}, "port: an int from 1 to 65535, or None"),
        ({"port": 65536}, "port: "),
        ({"port": True}, "port: "),
        ({"exempt": "/health"}, "exempt: a predicate environ -> bool, or None"),
        ({"exempt": lambda: True}, "exempt: a predicate environ -> bool, or None"),
        (
            {"exempt": match.path},
            "exempt: a predicate environ -> bool, or None; match.path makes one: write match.path(...)",
        ),
    ],
)
def test_what_cannot_be_right_is_refused(options, rule):
    with pytest.raises(ConfigError) as caught:
        HTTPSRedirect(**options)
    assert str(caught.value).startswith(f"HTTPSRedirect: {rule}")


def test_a_coroutine_function_would_exempt_everything_and_is_refused():
    async def exempt(environ):
        return False

    with pytest.raises(ConfigError, match="exempt: a predicate"):
        HTTPSRedirect(exempt=exempt)


def test_a_redirect_carries_what_belongs_on_every_response_and_preflights_are_not_redirected():
    stack = Stack(SecurityHeaders(), CORS(allow_origins="https://b.example"), HTTPSRedirect())
    origin = {"HTTP_ORIGIN": "https://b.example"}
    answer = serve(stack.wrap(APP), **HOST, **origin)
    assert answer.status == "308 Permanent Redirect"
    assert answer.get("Access-Control-Allow-Origin") == "https://b.example"
    assert answer.get("X-Content-Type-Options") == "nosniff"
    preflight = serve(stack.wrap(APP), method="OPTIONS", **HOST, **origin, HTTP_ACCESS_CONTROL_REQUEST_METHOD="GET")
    assert preflight.status == "204 No Content"


def test_it_stands_inside_what_sets_scheme_and_host():
    fix = External(lambda app: app, effects=Effects(provides={"HTTP_HOST", "wsgi.url_scheme"}))
    assert Stack(fix, TrustedHosts(hosts="*"), HTTPSRedirect()).check() == ()
    for wrong in (Stack(HTTPSRedirect(), fix), Stack(HTTPSRedirect(), TrustedHosts(hosts="*"))):
        assert [finding.rule for finding in wrong.check()] == ["provide-outside-require"]


def test_what_it_does_is_described():
    assert "redirected to https with 307 if it is over http" in str(Stack(HTTPSRedirect(status=307)))

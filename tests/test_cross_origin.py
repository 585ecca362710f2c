"""CrossOriginProtection: Go's algorithm by Go's own cases, and what is different here."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from gateway import serve
from middleware import ConfigError, CrossOriginProtection, Effects, External, Stack, match
from shapes import returning

CASES = json.loads((Path(__file__).parent / "conformance" / "cross_origin.json").read_text("utf-8"))
APP = returning([b"done"], headers=[("Content-Type", "text/plain")])[0]
# In Go a ServeMux cleans the path before it looks: /foo/../bypass/bar is below /bypass. Here a framework may read it as
# it stands, and an exemption has to be certain.
DIFFERENT = {"/foo/../bypass/bar"}


def passes(layer, *, method="POST", path="/", host="example.com", origin=None, site=None):
    fields = {"HTTP_HOST": host, "HTTP_ORIGIN": origin, "HTTP_SEC_FETCH_SITE": site}
    given = {name: value for name, value in fields.items() if value is not None}
    answer = serve(layer.wrap(APP), path, method=method, lint=False, **given)
    assert answer.status in ("200 OK", "403 Forbidden")
    return answer.status == "200 OK"


@pytest.mark.parametrize("case", CASES["requests"], ids=lambda case: f"{case['of']} {case['passes']}")
def test_it_decides_as_go_does(case):
    exempt = match.path(case["exempt"]) if "exempt" in case else None
    layer = CrossOriginProtection(trusted_origins=case.get("trusted", ()), exempt=exempt)
    asked = {name: case[name] for name in ("method", "path", "origin", "site") if name in case}
    assert passes(layer, host=CASES["host"], **asked) is (case["passes"] and case.get("path") not in DIFFERENT)


@pytest.mark.parametrize("case", CASES["origins"], ids=lambda case: repr(case["origin"]))
def test_it_trusts_what_go_takes_for_an_origin(case):
    if case["valid"]:
        CrossOriginProtection(trusted_origins=case["origin"])
    else:
        with pytest.raises(ConfigError, match=r"^CrossOriginProtection: trusted_origins: "):
            CrossOriginProtection(trusted_origins=case["origin"])


# Origin, Host -> whether the request is of the site itself, without Sec-Fetch-Site (Fetch 3.2, RFC 9110 4.2.3)
OWN = [
    ("https://example.com", "example.com", True),
    ("https://example.com", "EXAMPLE.com.", True),
    ("https://example.com", "example.com:443", True),
    ("http://example.com", "example.com:80", True),
    ("https://example.com:443", "example.com", True),
    ("http://example.com", "example.com", True),  # the Host has no scheme: HSTS is for that
    ("https://example.com:8443", "example.com:8443", True),
    ("https://[::1]:8443", "[0::1]:8443", True),
    ("https://example.com", "example.com:80", False),
    ("https://example.com:8443", "example.com", False),
    ("https://example.com", "example.com:8443", False),
    ("https://example.com:0", "example.com", False),
    ("https://example.com", "example.com:0", False),
    ("https://a.example.com", "example.com", False),
    ("https://example.com.evil.example", "example.com", False),
    ("https://user@example.com", "example.com", False),
    ("https://example.com/", "example.com", False),
    ("https://example.com, https://example.com", "example.com", False),
    ("example.com", "example.com", False),
    ("//example.com", "example.com", False),
    ("app://example.com", "example.com", False),
    ("null", "null", False),
    ("https://example.com", "", False),
    ("https://example.com", "example.com, example.com", False),
    ("https://", "", False),
]


@pytest.mark.parametrize(("origin", "host", "is_own"), OWN)
def test_without_sec_fetch_site_the_origin_has_the_host_and_port_of_the_host(origin, host, is_own):
    assert passes(CrossOriginProtection(), origin=origin, host=host) is is_own


@pytest.mark.parametrize(
    ("asked", "passed"),
    [
        ({"site": "same-origin", "origin": "https://evil.example"}, True),  # the browser knows better
        ({"site": "cross-site", "origin": "https://example.com"}, False),
        ({"site": "same-site", "origin": "https://a.example.com"}, False),
        ({"site": "Same-Origin"}, False),
        ({"site": "same-origin, cross-site"}, False),
        ({"site": ""}, True),
        ({"site": "", "origin": "https://evil.example"}, False),
        ({"origin": ""}, True),
        ({"method": "get", "site": "cross-site"}, False),  # methods are compared with their case
        *(({"method": method, "site": "cross-site"}, False) for method in ("DELETE", "PATCH", "QUERY", "TRACE", "X")),
    ],
)
def test_what_go_says_nothing_of(asked, passed):
    assert passes(CrossOriginProtection(), **asked) is passed


def test_a_wildcard_trusts_subdomains_and_not_the_apex():
    layer = CrossOriginProtection(trusted_origins=["https://*.a.example", "https://b.example"])
    trusted = ["https://x.a.example", "https://x.y.a.example", "https://b.example"]
    assert [passes(layer, origin=origin, site="cross-site") for origin in trusted] == [True] * 3
    others = ["https://a.example", "http://x.a.example", "https://xa.example", "https://x.a.example:8443", "null"]
    assert [passes(layer, origin=origin, site="cross-site") for origin in others] == [False] * 5


@pytest.mark.parametrize(
    "origins",
    [
        *("*", "null", ["https://a.example", "*"], re.compile(".*"), [re.compile(".*")], lambda origin, environ: True),
        *(3, "https://*.*.example", "https://A.example", "https://a.example:443"),
    ],
)
def test_to_trust_more_than_can_be_listed_is_refused(origins):
    with pytest.raises(ConfigError, match=r"^CrossOriginProtection: trusted_origins: "):
        CrossOriginProtection(trusted_origins=origins)


@pytest.mark.parametrize(("option", "value"), [("exempt", "/hook"), ("answer", 3), ("answer", "403")])
def test_what_cannot_be_right_is_refused(option, value):
    with pytest.raises(ConfigError, match=rf"^CrossOriginProtection: {option}: "):
        CrossOriginProtection(**{option: value})


def test_an_exemption_has_to_be_certain():
    layer = CrossOriginProtection(exempt=match.path("/hook"))
    paths = ["/hook", "/hook/x", "/hook/../admin", "//hook", "/admin/../hook"]
    assert [passes(layer, path=path, site="cross-site") for path in paths] == [True, True, False, False, False]


def test_responses_that_differ_by_a_field_of_exempt_say_so():
    app = CrossOriginProtection(APP, exempt=match.header("X-Hook"))
    assert serve(app, method="POST", HTTP_X_HOOK="1", HTTP_SEC_FETCH_SITE="cross-site").get("Vary") == "X-Hook"
    for method, fields in {"POST": "X-Hook", "GET": None, "HEAD": None, "OPTIONS": None}.items():
        assert serve(app, method=method).get("Vary") == fields
    app = CrossOriginProtection(APP, exempt=match.path("/hook") & match.header("X-Hook"))
    assert [serve(app, path, "POST").get("Vary") for path in ("/", "/hook")] == [None, "X-Hook"]


def test_a_refusal_says_what_was_wrong_and_is_kept_by_no_cache():
    answer = serve(CrossOriginProtection(APP), method="POST", HTTP_SEC_FETCH_SITE="cross-site")
    assert (answer.status, answer.body) == ("403 Forbidden", b"The request comes from a page of another origin.\n")
    assert answer.get("Cache-Control") == "no-store"


def test_an_answer_of_ones_own_is_given_instead():
    app = CrossOriginProtection(APP, answer=returning([b"mine"], status="418 Teapot")[0])
    assert serve(app, method="POST", HTTP_SEC_FETCH_SITE="cross-site").body == b"mine"
    assert serve(app, HTTP_SEC_FETCH_SITE="cross-site").body == b"done"


def test_it_stands_inside_what_sets_the_host():
    fix = External(lambda app: app, effects=Effects(provides={"HTTP_HOST"}))
    assert Stack(fix, CrossOriginProtection()).check() == ()
    assert [finding.rule for finding in Stack(CrossOriginProtection(), fix).check()] == ["provide-outside-require"]


def test_what_it_does_is_described():
    assert "403 if it may change something" in str(Stack(CrossOriginProtection()))
    assert "trusts https://b.example" in str(Stack(CrossOriginProtection(trusted_origins="https://b.example")))

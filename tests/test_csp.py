"""CSP: policies as they are written, as they are sent, and as a browser reads them (CSP3 section 2)."""

from __future__ import annotations

import base64
import hashlib
import re
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_rules import csp_modifier, grade, hsts_modifier, parsed, severe
from middleware import CSP, HSTS, NONCE, ConfigError, PermissionsPolicy

POLICY = "default-src 'self'; script-src 'self' https://a.example; upgrade-insecure-requests"


@pytest.mark.parametrize(
    "policy",
    [
        CSP(POLICY),
        CSP(f" ;; {POLICY.replace(' ', chr(9))} ;"),
        CSP(POLICY.replace("-src", "-SRC")),
        CSP({"default-src": "'self'", "script-src": ["'self'", "https://a.example"], "upgrade-insecure-requests": []}),
        CSP({"default_src": ("'self'",), "script_src": "'self' https://a.example", "Upgrade_Insecure-Requests": ""}),
        CSP(default_src="'self'", script_src={"'self'": 1, "https://a.example": 2}, upgrade_insecure_requests=True),
        CSP({"default-src": "'self'"}, script_src=iter(["'self' https://a.example"]), upgrade_insecure_requests=()),
        CSP(POLICY, img_src=None, style_src=False),
        CSP(types.MappingProxyType(CSP(POLICY).directives)),
    ],
)
def test_there_are_several_ways_to_write_a_policy(policy):
    assert str(policy) == POLICY
    assert policy == CSP(POLICY)
    assert hash(policy) == hash(CSP(POLICY))
    assert not policy.needs_nonce


def test_a_policy_shows_what_it_says_and_cannot_be_changed_through_it():
    policy = CSP(default_src="'self'")
    policy.directives["default-src"] = ("*",)
    assert repr(policy) == """CSP({'default-src': ("'self'",)})"""
    assert policy != PermissionsPolicy(camera=())
    assert policy != CSP(default_src="'none'")
    assert PermissionsPolicy(camera="self").features == {"camera": ("self",)}


NAMES = st.from_regex(r"[a-z]{1,8}(-[a-z0-9]{1,8}){0,2}", fullmatch=True)
SOURCES = st.one_of(
    st.sampled_from(["'self'", "'unsafe-inline'", "'strict-dynamic'", "https:", "data:", "*", NONCE, "'sha256-YQ=='"]),
    st.from_regex(r"(https?://)?(\*\.)?[a-z]{1,9}\.example(:[0-9]{2,4})?(/[!#-&(-+\-.-:<-~]{0,9})?", fullmatch=True),
)


@given(st.dictionaries(NAMES, st.lists(SOURCES, max_size=4), min_size=1))
def test_a_browser_reads_what_was_written(directives):
    assert parsed(str(CSP(directives))) == directives


@given(st.dictionaries(NAMES, st.lists(SOURCES, max_size=4), min_size=1))
def test_without_a_nonce_a_policy_allows_nothing_that_it_does_not_allow_with_one(directives):
    policy = CSP(directives)
    bare, whole = parsed(policy.without_nonce()), parsed(str(policy))
    assert list(bare) == list(whole)
    for name, sources in whole.items():
        assert bare[name] == sources if NONCE not in sources else NONCE not in bare[name]
        assert {*bare[name]} <= {*sources, "'none'"}
        assert "'unsafe-inline'" not in bare[name] or NONCE not in sources
        hashed = any(source.startswith("'sha") for source in sources)
        if (
            NONCE in sources
            and not hashed
            and ({*sources} <= {NONCE, "'unsafe-inline'"} or "'strict-dynamic'" in sources)
        ):
            assert bare[name] == ["'none'"]


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"": "x"}, "a directive name is"),
        ({1: "x"}, "a directive name is"),
        ({"default--src": "x"}, "a directive name is"),
        ({"-default-src_": "x"}, "a directive name is"),
        ({"d\xe9fault": "x"}, "a directive name is"),
        ("'self'", "a directive name is"),
        ({"img-src": "a", "IMG_SRC": "b"}, "is named once"),
        ("img-src a; IMG-SRC b", "is named once"),
        ({"img-src": "a;b"}, "printable ASCII without ; and ,"),
        ({"img-src": ["a,b"]}, "printable ASCII without ; and ,"),
        ({"img-src": "a\r\nSet-Cookie: b"}, "printable ASCII without ; and ,"),
        ({"img-src": "a\0"}, "printable ASCII without ; and ,"),
        ({"img-src": "\xe9.example"}, "printable ASCII without ; and ,"),
        ({"img-src": "☃"}, "printable ASCII without ; and ,"),
        ({"img-src": 5}, "a str, or an iterable of str; got 5"),
        ({"img-src": ["a", 5]}, "are str: one, or an iterable of them"),
        ({"img-src": b"a"}, "are str: one, or an iterable of them"),
        ({"img-src": ["'none'", "a"]}, "'none' stands alone"),
        ({"img-src": "'self"}, "\"'self'\""),
        ({"img-src": "self'"}, "\"'self'\""),
        ({"img-src": '"self"'}, "\"'self'\""),
        ({"img-src": "'"}, "\"'self'\""),
        ({"script-src": "'nonce-abc'"}, "middleware.NONCE"),
        ({"script-src": "nonce-abc"}, "\"'nonce-abc'\""),
        ("", "is not empty"),
        ({}, "is not empty"),
        ({"img-src": None}, "is not empty"),
        (5, "a mapping of names; got 5"),
        ([("img-src", "a")], "a mapping of names; got"),
    ],
)
def test_a_policy_that_would_not_mean_what_it_says_is_refused(policy, said):
    with pytest.raises(ConfigError, match=f"^CSP: .*{re.escape(said)}"):
        CSP(policy)


@pytest.mark.parametrize(
    "keyword",
    ["self", "NONE", "unsafe-inline", "Strict-Dynamic", "report-sample", "sha256-YQ==", "sha384-a", "sha512-a"],
)
def test_a_keyword_without_quotes_is_refused_with_the_quotes(keyword):
    with pytest.raises(ConfigError) as refused:
        CSP({"default-src": ["https:", keyword]})
    assert f"default-src: {keyword} goes in single quotes: \"'{keyword}'\"" in str(refused.value)


def test_everything_that_is_wrong_with_a_policy_is_said_at_once():
    with pytest.raises(ConfigError, match=r"CSP: 2 options are wrong:(?s:.*)img_src: (?s:.*)script_src: "):
        CSP(img_src="self", default_src="'self'", script_src="a;b")


@given(st.text())
def test_the_hash_of_a_script_is_that_of_its_bytes(script):
    source = CSP.hash(script)
    digest = base64.b64decode(re.fullmatch(r"'sha256-([A-Za-z0-9+/]{43}=)'", source)[1], validate=True)
    assert digest == hashlib.sha256(script.encode()).digest()
    assert CSP.hash(script.encode()) == source
    assert CSP(script_src=source).directives == {"script-src": (source,)}


# -- the other value types ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        (HSTS(31536000), "max-age=31536000; includeSubDomains"),
        (HSTS(0), "max-age=0; includeSubDomains"),
        (HSTS(60, include_subdomains=False), "max-age=60"),
        (HSTS(63072000, preload=True), "max-age=63072000; includeSubDomains; preload"),
        (PermissionsPolicy(camera=()), "camera=()"),
        (PermissionsPolicy({"camera": []}, display_capture="self"), "camera=(), display-capture=(self)"),
        (PermissionsPolicy(camera=["self", "src"]), "camera=(self src)"),
        (
            PermissionsPolicy({"fullscreen": ["self", "https://a.example"], "USB": "*", "hid": None}),
            'fullscreen=(self "https://a.example"), usb=*',
        ),
    ],
)
def test_a_policy_is_the_text_that_is_sent(policy, text):
    assert str(policy) == text


@pytest.mark.parametrize("age", [-1, 0.5, 123.5, float("nan"), float("inf"), "31536000", True, None, {}])
def test_an_age_that_is_no_whole_number_of_seconds_is_refused(age):
    with pytest.raises(ConfigError, match=r"^HSTS: max_age: a whole number of seconds"):
        HSTS(age, preload=True)


@pytest.mark.parametrize("options", [{"max_age": 31535999}, {"max_age": 31536000, "include_subdomains": False}])
def test_a_preload_that_the_list_would_not_take_is_refused(options):
    with pytest.raises(ConfigError, match=r"HSTS\(31536000, include_subdomains=True, preload=True\)"):
        HSTS(preload=True, **options)


@pytest.mark.parametrize("option", ["include_subdomains", "preload"])
def test_a_flag_that_is_no_bool_is_refused(option):
    with pytest.raises(ConfigError, match=f"^HSTS: {option}: True or False; got 'yes'"):
        HSTS(31536000, **{option: "yes"})


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("camera=()", "a mapping, such as {'camera': ()}; got 'camera=()'"),
        (5, "a mapping of names; got 5"),
        ({}, "is not empty"),
        ({"camera!": ()}, "a feature is a name"),
        ({1: ()}, "a feature is a name"),
        ({"camera": (), "Camera": "self"}, "is named once"),
        ({"camera": True}, "a str, or an iterable of str"),
        ({"camera": "'self'"}, "it is written without quotes of its own: 'self'"),
        ({"camera": '"self"'}, "written without quotes of its own"),
        ({"camera": "none"}, "no origin at all is an empty list: ()"),
        ({"camera": ["*", "self"]}, "stands alone"),
        ({"camera": "https://a.example/path"}, 'write "https://a.example"'),
        ({"camera": "https://*"}, "all of its first label"),
        ({"camera": "https://A.example"}, "an origin such as"),
        ({"camera": ["https://a.example,b"]}, "an origin such as"),
        ({"camera": [5]}, "an origin such as"),
    ],
)
def test_a_permissions_policy_that_browsers_would_not_follow_is_refused(policy, said):
    with pytest.raises(ConfigError, match=f"^PermissionsPolicy: .*{re.escape(said)}"):
        PermissionsPolicy(policy)


# -- the rules of the scanners, which the presets are held to ----------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "points"),
    [
        (None, -25),
        ("script-src 'strict-dynamic'", -25),
        ("img-src 'self'", -20),
        ("default-src 'self' https:", -20),
        ("default-src 'self'; script-src 'unsafe-inline'", -20),
        ("default-src 'none'; script-src 'unsafe-inline' 'nonce-a'", 10),
        ("default-src 'none'; script-src https: 'strict-dynamic' 'nonce-a'; style-src 'self'", 10),
        ("default-src 'self'; font-src http://a.example", -20),
        ("default-src 'self'; script-src 'unsafe-eval'", -10),
        ("default-src 'self'; img-src http:", -10),
        ("default-src 'self'; style-src 'unsafe-inline'", 0),
        ("default-src 'self'", 5),
    ],
)
def test_the_scoring_of_a_policy_follows_the_published_table(policy, points):
    assert csp_modifier(policy) == points


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, (30, "D")),
        ({"strict-transport-security": "max-age=60", "referrer-policy": "unsafe-url"}, (35, "D")),
        ({"content-security-policy": "default-src 'self'", "x-frame-options": "deny"}, (75, "B")),
        ({"strict-transport-security": "max-age=-"}, None),
    ],
)
def test_the_grade_follows_the_published_chart(headers, expected):
    if expected is None:
        with pytest.raises(ValueError, match="invalid literal"):
            hsts_modifier(headers["strict-transport-security"])
    else:
        assert grade(headers) == expected


@pytest.mark.parametrize(
    ("policy", "count"),
    [
        ("script-src 'self'", 2),
        ("object-src 'none'", 4),
        ("default-src 'self'; script-src 'unsafe-inline'", 3),
        ("default-src 'self'; script-src 'nonce-a'", 1),
        ("default-src 'self'; script-src data: https://*; base-uri *", 7),
    ],
)
def test_the_checks_of_high_severity_find_what_they_are_for(policy, count):
    assert len(severe(policy)) == count, severe(policy)


def test_an_allowlist_takes_every_origin_that_cors_takes():
    """Permissions Policy 5.2: an origin with an opaque host, an underscore or an address is one as well."""
    given = ["safari-web-extension://E4A8", "https://under_score.example", "https://*.app.example:8443", "http://[::1]"]
    assert str(PermissionsPolicy(camera=given)) == 'camera=("' + '" "'.join(given) + '")'

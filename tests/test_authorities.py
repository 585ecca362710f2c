"""Authorities and locations: what names a host, and what a redirect leads to."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middleware.http.authorities import Authority, authority, covered, host_name
from middleware.http.locations import encoded, is_target, leads_to, location_fault, origin_form, with_query

# RFC 3986 3.2.2, RFC 9110 4.2.3 and 7.2
AUTHORITIES = [
    ("example.com", ("example.com", None)),
    ("EXAMPLE.com", ("example.com", None)),
    ("example.com.", ("example.com", None)),
    ("example.com.:80", ("example.com", 80)),
    ("example.com:", ("example.com", None)),  # an empty port is well-formed
    ("example.com:0080", ("example.com", 80)),
    ("example.com:65535", ("example.com", 65535)),
    ("example.com:59999", ("example.com", 59999)),
    ("example.com:0", ("example.com", 0)),
    ("a_b.example", ("a_b.example", None)),
    ("xn--bcher-kva.example", ("xn--bcher-kva.example", None)),
    ("localhost", ("localhost", None)),
    ("127.0.0.1:8000", ("127.0.0.1", 8000)),
    ("[::1]", ("[::1]", None)),
    ("[0:0:0:0:0:0:0:1]:443", ("[::1]", 443)),
    ("[2001:DB8::A]", ("[2001:db8::a]", None)),
    ("[::ffff:1.2.3.4]", ("[::ffff:102:304]", None)),
    (f"{'a' * 63}.example", (f"{'a' * 63}.example", None)),
]
NO_AUTHORITIES = [
    *("", ".", ":80", ".example.com", "example..com", "example.com..", "a b", " a", "a ", "a\t", "a\n", "a\r\nb"),
    *("a,b", "example.com, example.com", "example.com:80:80", "example.com:65536", "example.com:99999"),
    *("example.com:123456", "example.com:+80", "example.com:-1", "example.com:8O", "example.com:\u0661", "a:80 "),
    *("user@example.com", "@example.com", "example.com@evil.example", "example.com/", "example.com/path", "a?b", "a#b"),
    *("a\\b", "http://example.com", "*", "*.example.com", "b\xfccher.example", "a%2eb", "a'b", "a;b", "a\x00", "a\x7f"),
    *("[::1", "::1", "[::1]x", "[]", "[:]", "[1.2.3.4]", "[fe80::1%25eth0]", "[fe80::1%eth0]", "[v1.a]", "[::1]:x"),
    *("[g::1]", "[1:2:3:4:5:6:7:8:9]", f"{'a.' * 127}aa"),
]


@pytest.mark.parametrize(("text", "found"), AUTHORITIES)
def test_an_authority_is_a_host_and_perhaps_a_port(text, found):
    assert authority(text) == found


@pytest.mark.parametrize("text", NO_AUTHORITIES)
def test_whatever_may_be_read_in_two_ways_is_no_authority(text):
    assert authority(text) is None


@pytest.mark.parametrize(("text", "found"), AUTHORITIES)
def test_an_authority_that_was_found_is_its_own_spelling(text, found):
    assert authority(str(Authority(*found))) == found


@given(st.text(st.sampled_from("aA.-_:@[]0189/\\ #?%,\t\n\xe9"), max_size=12))
def test_what_is_an_authority_urlsplit_reads_as_that_host_and_port(text):
    found = authority(text)
    if found is not None:
        read = urlsplit(f"https://{text}/")
        assert (read.username, read.path, read.port) == (None, "/", found.port)
        assert found.host in (read.hostname.removesuffix("."), f"[{read.hostname}]") or "[" in text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (".Example.com.:80", "example.com"),
        ("a..b", "a.b"),
        (" a ", "a"),
        ("[0::1]:80", "[::1]"),
        ("[x]", "[x]"),
        ("user@a", "user@a"),
    ],
)
def test_a_condition_sees_a_host_however_it_is_spelled(text, name):
    assert host_name(text) == name


@pytest.mark.parametrize(
    ("name", "pattern", "is_covered"),
    [
        ("a.example", "a.example", True),
        ("a.example", "*.example", True),
        ("a.b.example", "*.example", True),
        ("example", "*.example", False),
        ("evilexample", "*.example", False),
        ("*.b.example", "*.example", True),
        ("a.example.evil", "a.example", False),
    ],
)
def test_a_wildcard_covers_one_or_more_labels_and_not_the_apex(name, pattern, is_covered):
    assert covered(name, pattern) is is_covered


# RFC 9112 3.2
@pytest.mark.parametrize(
    ("target", "form"),
    [
        ("/a?b", "/a?b"),
        ("//a", "//a"),
        ("http://evil.example/a?b", "/a?b"),
        ("HTTP://user@evil.example:80//a", "//a"),
        ("http://evil.example?b", "/?b"),
        ("http://evil.example", "/"),
        ("http:evil", "http:evil"),
        ("*", "*"),
        ("@evil.example/", "@evil.example/"),
        ("evil.example:443", "evil.example:443"),
    ],
)
def test_an_absolute_form_loses_its_scheme_and_authority(target, form):
    assert origin_form(target) == form


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("/", True),
        ("/!\"$%&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~", True),
        ("", False),
        ("*", False),
        ("@evil.example/", False),
        (".evil.example", False),
        (":80/", False),
        ("/a b", False),
        ("/a#b", False),
        ("/a\r\n", False),
        ("/a\x7f", False),
        ("/\xe9", False),
    ],
)
def test_a_target_is_a_path_of_visible_ascii_without_a_fragment(text, right):
    assert is_target(text) is right


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/a b", "/a%20b"),
        ("/caf\xc3\xa9", "/caf%C3%A9"),
        ("/100%", "/100%25"),
        ("/a?b#c", "/a%3Fb%23c"),
        ("/\\x", "/%5Cx"),
        ("/-._~!$&'()*+,;=:@", "/-._~!$&'()*+,;=:@"),
        ("/\r\n\x00\xff", "/%0D%0A%00%FF"),
    ],
)
def test_a_path_is_percent_encoded_but_for_pchar(path, text):
    assert encoded(path) == text


# URL Standard 4.4: what a browser goes to.
LEADS = [
    ("https://a.example", ("https", ("a.example", 443))),
    ("https://a.example/", ("https", ("a.example", 443))),
    ("HTTP://A.example?b", ("http", ("a.example", 80))),
    ("https://a.example:8443#b", ("https", ("a.example", 8443))),
    ("https://[::1]//b", ("https", ("[::1]", 443))),
    ("https://a.example/@evil.example", ("https", ("a.example", 443))),
]
LEADS_NOWHERE = [
    *("https://a.example@evil.example/", "https://a:b@evil.example", "https://a.example:443@evil.example"),
    *("https://a.example\\@evil.example", "https:\\\\evil.example", "https:/evil.example", "https:evil.example"),
    *("https:///evil.example", "https://", "https://:80/", "//evil.example", "///evil.example", "/\\evil.example"),
    *(
        "\\\\evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://a.example/",
        "evil.example",
        "",
        "?a",
        "#a",
    ),
    *("https://a.example/\r\nSet-Cookie: a=b", "https://a.example/ b", "ht\ttps://a.example", " https://a.example"),
    *("https://a.example/\xe9", "https://a..example/", "https://a.example:99999/", "https://[::1/", "@evil.example"),
    *(".evil.example", "/a b", "/\xe9", "/\t/evil.example"),
]


@pytest.mark.parametrize(("location", "place"), LEADS)
def test_a_url_leads_to_the_host_that_a_browser_goes_to(location, place):
    assert leads_to(location) == place
    assert location_fault(location) is None


@pytest.mark.parametrize("location", LEADS_NOWHERE)
def test_whatever_a_browser_may_take_for_another_host_is_refused(location):
    assert leads_to(location) is None
    assert location_fault(location) is not None


@pytest.mark.parametrize("location", ["/", "/a", "/a//b", "/a?b=//c", "/@evil.example", "/.//a"])
def test_a_path_that_begins_with_one_slash_stays_at_the_host(location):
    assert location_fault(location) is None


def test_a_location_is_a_str():
    assert location_fault(b"/a") == "a URL is a str"


@pytest.mark.parametrize(
    ("location", "query", "whole"),
    [
        ("/a", "", "/a"),
        ("/a", "b=c", "/a?b=c"),
        ("/a?x", "b=c", "/a?x&b=c"),
        ("/a#f", "b=c", "/a?b=c#f"),
        ("/a?x#f?", "b=c", "/a?x&b=c#f?"),
    ],
)
def test_a_query_goes_before_the_fragment_and_behind_the_query_there_is(location, query, whole):
    assert with_query(location, query) == whole

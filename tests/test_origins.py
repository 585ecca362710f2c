"""Origins: which text is the serialization of one, how it is spelled, and which are meant by a list."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from middleware.http.origins import LONGEST, is_origin, matcher, origin_fault, spelling, wildcard_fault

RIGHT = [
    "https://app.example",
    "http://localhost:3000",
    "http://127.0.0.1:8080",
    "http://[::1]",
    "http://[2001:db8::1:0]:8080",
    "capacitor://localhost",
    "chrome-extension://abcdefghijklmnop",
    "https://xn--bcher-kva.example",
    "https://under_score.example",
    "https://a.example.",
    "http://a.example:443",
    "http://a.example:0",
    "http://a.example:65535",
    "app+v1.2-x://a",
    # Hosts of schemes that are not special are opaque (URL Standard 3.5): neither lowered nor split into labels.
    "safari-web-extension://E4A8E5C1-0D7E-4A2B-9C3F-5B1D2E6F7A80",
    "moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc",
    "ms-browser-extension://EdgeExtension_X",
    "tauri://localhost",
    "app://.",
    "app://..a",
    "vscode-webview://" + "0" * 64,
    "vscode-webview://1ab-C",
    "app://a:80",
    "app://a:0",
    "app://1.2",
    "app://[::1]:8",
    "app://%C3%BC",
    "app://!\"$%&'()+-.09;=AZ_`az{}~",
]


@pytest.mark.parametrize("text", RIGHT)
def test_what_browsers_send_is_an_origin_and_is_spelled_like_that(text):
    assert is_origin(text)
    assert spelling(text) == text
    assert origin_fault(text) is None


WRONG = {
    "HTTPS://app.example": "https://app.example",
    "https://App.Example": "https://app.example",
    "https://app.example/": "https://app.example",
    "https://app.example/path?q#f": "https://app.example",
    "https://app.example:443": "https://app.example",
    "http://app.example:80/": "http://app.example",
    "https://app.example:": "https://app.example",
    "https://app.example:0443": "https://app.example",
    "https://app.example:08443": "https://app.example:8443",
    "https://b\xfccher.example": "https://xn--bcher-kva.example",
    "https://B\xdcCHER.example": "https://xn--bcher-kva.example",
    "https://stra\xdfe.example": "https://xn--strae-oqa.example",
    "http://[0:0:0:0:0:0:0:1]": "http://[::1]",
    "http://[1:0:0:2:0:0:0:3]": "http://[1:0:0:2::3]",
    "http://[10:0:0:0:1:2:3:4]": "http://[10::1:2:3:4]",
    "http://[FE80::]": "http://[fe80::]",
    "http://[::ffff:1.2.3.4]": "http://[::ffff:102:304]",
    "http://[1:2:3:4:5:6:7:08]": "http://[1:2:3:4:5:6:7:8]",
    "ws://app.example:80": "ws://app.example",
    "WSS://app.example:443/chat": "wss://app.example",
    "ftp://app.example:21": "ftp://app.example",
    "blob:https://App.example/9115d58c": "https://app.example",
    "Capacitor://LocalHost/index.html": "capacitor://LocalHost",
    "chrome-extension://abc/": "chrome-extension://abc",
    "app://a:080": "app://a:80",
    "app://a:": "app://a",
    "app://.?": "app://.",
    "app://b\xfcch\x7f": "app://b%C3%BCch%7F",
    "app://[0:0::1]": "app://[::1]",
}


@pytest.mark.parametrize(("text", "right"), WRONG.items())
def test_another_spelling_is_no_origin_and_the_right_one_is_shown(text, right):
    assert not is_origin(text) or "://[" in text  # an address is known by its characters, not read
    assert f'write "{right}"' in origin_fault(text)


HOSTILE = [
    "",
    "null",
    "*",
    "a b",
    "app.example",
    "//app.example",
    "https:",
    "https://",
    "https:///path",
    "https:app.example",
    "https://app.example https://other.example",
    "https://app.example,https://other.example",
    "https://app.example\n",
    "https://app.example\r\nSet-Cookie: a=1",
    "https://app.example\0",
    "https://app.example\t",
    " https://app.example",
    "https://user@app.example",
    "https://user:password@app.example",
    "https://app.example\\.evil.test",
    "https://app..example",
    "https://.app.example",
    "https://-@example",
    "https://a]",
    "http://[",
    "http://[::1",
    "http://[::1]]",
    "http://[v1.x]",
    "http://[1:2:3:4:5:6:7:8:9]",
    "http://[1:2:3:4:5:6:7:8::]",
    "https://app.example:x",
    "https://app.example:-1",
    "https://app.example:65536",
    "https://app.example:999999999999",
    "https://app.example:8443:8443",
    "https://%61pp.example",
    "https://app.example%00",
    "1https://app.example",
    "https\xfc://app.example",
    "file://",
    "https://" + "a" * 64 + ".example",
    "https://" + "a." * 4096 + "example",
    "https://\udc80.example",
    "https://a!b.example",
    "https://app.example:80a",
    "ftp://APP.example:065536",
    "file://server",
    "app://",
    "app:///path",
    "app://:80",
    "app://user@a",
    "app://a:65536",
    "app://\udc80",
    "app://[::1",
    "app://" + "a" * LONGEST,
    *(f"app://a{forbidden}b" for forbidden in "\0\t\n\r ,:<>@[\\]^|"),
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_no_origin_has_no_spelling_or_another(text):
    addresses = text in ("http://[1:2:3:4:5:6:7:8:9]", "http://[1:2:3:4:5:6:7:8::]")
    assert is_origin(text) is addresses  # harmless: nobody lists what is no address
    assert spelling(text) != text
    assert origin_fault(text).startswith("an origin is scheme://host[:port] as browsers send it")
    assert matcher(["https://app.example", "https://*.app.example", re.compile(".*app.example.*", re.DOTALL)])(
        text
    ) is (False)


@pytest.mark.parametrize(
    "text", ["http://127.1", "http://1.2.3", "http://0x7f.1", "http://1.2.3.4.5", "http://256.1.1.1"]
)
def test_a_number_is_an_address_or_nothing(text):
    assert spelling(text) is None


REASONS = {
    "file://": 'pages from files have the origin "null": write "null"',
    "FILE:///home/page.html": 'pages from files have the origin "null": write "null"',
    "data:text/html,": 'the origin "null", or that of their opener',
    "about:blank": 'the origin "null", or that of their opener',
    "Null": 'write "null"',
    "": "no scheme",
    "app.example": "no scheme",
    "localhost:3000": "no scheme",
    "https://user@app.example": "a user",
    "https:///path": "no host",
    "https://:443": "no host",
    "app://": "no host",
    "https://app.example:65536": "from 0 to 65535",
    "app://[::1]:99999": "from 0 to 65535",
    "https://app.example:x": "from 0 to 65535",
    "https://[::g]": "an IPv6 address",
    "http://127.1": "a host is an address, or labels",
    "https://app..example": "a host is an address, or labels",
    "app://a^b": "none of , # / :",
    "app://" + "a" * LONGEST: "at most 320 characters",
}


@pytest.mark.parametrize(("text", "reason"), REASONS.items())
def test_the_message_for_what_cannot_be_granted_says_why(text, reason):
    assert reason in origin_fault(text)


def test_what_is_forbidden_in_an_opaque_host_is_the_list_of_the_standard():
    """URL Standard 3.5, forbidden host code points, and the comma that joins field lines (RFC 9110 5.3)."""
    right = {code for code in range(0x80) if is_origin(f"app://{chr(code)}")}
    assert right == set(range(0x21, 0x7F)) - set(map(ord, ",#/:<>?@[\\]^|"))


@given(st.text() | st.from_regex(r"[a-zA-Z]*://[^/]*(:[0-9]*)?"))
@example("http://[::%1]")
def test_no_text_fails_and_a_spelling_is_its_own_spelling(text):
    right = spelling(text)
    assert right is None or (is_origin(right) and spelling(right) == right)
    assert isinstance(is_origin(text), bool)
    assert is_origin(text) is False or len(text) <= LONGEST


@pytest.mark.parametrize(
    "text", ["https://*.app.example", "http://*.localhost:3000", "https://*.example.", "x://*.a", "x://*.A"]
)
def test_a_wildcard_stands_for_the_labels_before_a_host(text):
    assert wildcard_fault(text) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("https://*", "all of its first label"),
        ("moz-extension://*", "all of its first label"),
        ("X://*.A/", 'write "x://*.A"'),
        ("https://app.*", "all of its first label"),
        ("https://a*.example", "all of its first label"),
        ("https://*.*.example", "all of its first label"),
        ("*://app.example", "all of its first label"),
        ("*.app.example", "all of its first label"),
        ("https://app.example:*", "all of its first label"),
        ("https://*.", "all of its first label"),
        ("https://*.0.0.1", "such as"),
        ("HTTPS://*.App.Example/", 'write "https://*.app.example"'),
        ("https://*.app.example:443", 'write "https://*.app.example"'),
    ],
)
def test_a_wildcard_anywhere_else_is_refused(text, said):
    assert said in wildcard_fault(text)


LIST = ["https://app.example", "https://*.wild.example:8443", "null", re.compile(r"https://(\w+\.)?pattern.example$")]
LIST += ["app://Exact", "app://*.Wild", re.compile("moz-extension://[0-9A-F-]+")]


@pytest.mark.parametrize(
    ("origin", "matches"),
    [
        ("https://app.example", True),
        ("null", True),
        ("https://one.wild.example:8443", True),
        ("https://two.one.wild.example:8443", True),
        ("https://pattern.example", True),
        ("https://one.pattern.example", True),
        ("http://app.example", False),
        ("https://app.example:8443", False),
        ("https://www.app.example", False),
        ("https://evilapp.example", False),
        ("https://app.example.evil.test", False),
        ("HTTPS://app.example", False),
        ("https://App.example", False),
        ("https://wild.example:8443", False),
        ("https://one.wild.example", False),
        ("https://evilwild.example:8443", False),
        ("https://one.wild.example:84430", False),
        ("https://one.wildxexample:8443", False),
        ("https://..wild.example:8443", False),
        ("https://one.pattern.example.evil.test", False),
        ("https://evil.test/https://pattern.example", False),
        ("https://pattern.example\n", False),
        ("NULL", False),
        ("app://Exact", True),
        ("app://exact", False),
        ("app://One!.two.Wild", True),
        ("app://one.wild", False),
        ("app://Wild", False),
        ("app://.Wild", False),
        ("app://a..Wild", False),
        ("moz-extension://E4A8-01", True),
        ("moz-extension://e4a8-01", False),
        ("moz-extension://E4A8-01/", False),
    ],
)
def test_an_origin_is_matched_whole_and_byte_for_byte(origin, matches):
    assert matcher(LIST)(origin) is matches


def test_a_pattern_is_asked_about_origins_only():
    everything = matcher([re.compile(".*", re.DOTALL)])
    assert everything("https://any.example")
    assert not any(map(everything, ["null", "", "a b", "https://a@b.example", "https://app.example:443", "x" * 9000]))


def test_nothing_matches_an_empty_list():
    assert not matcher([])("https://app.example")

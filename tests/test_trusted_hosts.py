"""TrustedHosts: which Host passes (RFC 9110 7.2, RFC 9112 3.2), and what the application is told."""

from __future__ import annotations

import pytest

from gateway import serve
from middleware import ConfigError, Effects, External, Stack, TrustedHosts
from shapes import returning

LISTED = ["example.com", "*.shop.example", "with-port.example:8443", "tls.example:443", "[::1]", "127.0.0.1"]


def asked(host, **options):
    """What a site with TrustedHosts says, and the authority that it was told."""
    told = []

    def app(environ, start_response):
        told.append(environ["middleware.host"])
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"site"]

    given = {} if host is None else {"HTTP_HOST": host}
    environ = {"HTTP_HOST": "", **given}
    answer = serve(TrustedHosts(app, **{"hosts": LISTED, **options}), **environ)
    return answer, told


PASSING = {
    "example.com": "example.com",
    "EXAMPLE.COM": "example.com",
    "example.com.": "example.com",
    "example.com:8000": "example.com:8000",  # any port of a name without one
    "example.com:": "example.com",
    "example.com.:80": "example.com:80",
    "a.shop.example": "a.shop.example",
    "a.b.SHOP.example:1": "a.b.shop.example:1",
    "a_b.shop.example": "a_b.shop.example",
    "with-port.example:8443": "with-port.example:8443",
    "tls.example:443": "tls.example:443",
    "tls.example": "tls.example",  # 443 is what clients leave out
    "[::1]": "[::1]",
    "[0:0::1]:80": "[::1]:80",
    "127.0.0.1:5000": "127.0.0.1:5000",
}
UNLISTED = [
    *("evil.example", "example.com.evil.example", "evilexample.com", "www.example.com", "com", "shop.example"),
    *("evilshop.example", "with-port.example", "with-port.example:443", "tls.example:80", "[::2]", "127.0.0.2"),
]
MALFORMED = [
    *("example.com, example.com", "example.com,evil.example", "example.com evil.example", "user@example.com"),
    *("example.com:80:80", "example.com:x", "example.com:65536", "example.com/", "http://example.com", "example..com"),
    *("[::1", "example.com\\", "example.com#", "example.com?", "b\xfccher.example", "\xff", " example.com", "*"),
]


@pytest.mark.parametrize(("host", "told"), PASSING.items())
def test_a_listed_host_passes_and_is_told_as_it_was_checked(host, told):
    answer, seen = asked(host)
    assert (answer.status, seen) == ("200 OK", [told])


@pytest.mark.parametrize("host", UNLISTED)
def test_a_host_that_is_not_listed_is_a_400(host):
    answer, seen = asked(host)
    assert (answer.status, answer.body, seen) == (
        "400 Bad Request",
        b"The Host of the request is not served here.\n",
        [],
    )


@pytest.mark.parametrize("host", [None, "", *MALFORMED])
@pytest.mark.parametrize("hosts", [LISTED, "*"])
def test_a_host_that_is_missing_repeated_or_malformed_is_a_400_whatever_is_listed(host, hosts):
    answer, seen = asked(host, hosts=hosts)
    assert (answer.status, answer.body, seen) == (
        "400 Bad Request",
        b"The Host of the request is missing or malformed.\n",
        [],
    )


def test_a_request_of_http_1_0_without_a_host_is_a_400():
    environ = {"REQUEST_METHOD": "GET", "SERVER_NAME": "example.com", "SERVER_PROTOCOL": "HTTP/1.0"}
    heads = []
    TrustedHosts(returning([b"x"])[0], hosts="*")(environ, lambda *head: heads.append(head))
    assert heads[0][0] == "400 Bad Request"


@pytest.mark.parametrize("host", UNLISTED)
def test_a_star_alone_lets_every_well_formed_host_pass(host):
    assert asked(host, hosts="*")[0].status == "200 OK"


def test_x_forwarded_host_is_never_looked_at():
    app = TrustedHosts(returning([b"x"])[0], hosts="example.com")
    assert serve(app, HTTP_HOST="evil.example", HTTP_X_FORWARDED_HOST="example.com").status == "400 Bad Request"
    assert serve(app, HTTP_HOST="example.com", HTTP_X_FORWARDED_HOST="evil.example").status == "200 OK"


@pytest.mark.parametrize(
    ("hosts", "rule"),
    [
        ((), "at least one host"),
        ([], "at least one host"),
        (3, "a str, or an iterable of str"),
        (["*", "example.com"], '"*" stands for every host, and so stands alone'),
        ("https://example.com", "a host name"),
        ("example.com/", "a host name"),
        ("*.", "a host name"),
        ("*example.com", "a host name"),
        ("a.*.com", "a host name"),
        ("*.*.com", "a host name"),
        ("*.[::1]", "a host name"),
        ("::1", "a host name"),
        ("b\xfccher.example", "a host name"),
        ("", "a host name"),
        ([b"example.com"], "a host name"),
    ],
)
def test_what_is_no_host_is_refused(hosts, rule):
    with pytest.raises(ConfigError, match=r"^TrustedHosts: hosts: ") as caught:
        TrustedHosts(hosts=hosts)
    assert rule in str(caught.value)


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(ConfigError, match="3 options are wrong"):
        TrustedHosts(hosts=["a/", "b/"], answer="no")


def test_an_answer_of_ones_own_is_given_instead():
    answer, _ = asked("evil.example", answer=returning([b"mine"], status="404 Not Found")[0])
    assert (answer.status, answer.body) == ("404 Not Found", b"mine")


def test_it_stands_inside_what_sets_the_host():

    fix = External(lambda app: app, effects=Effects(provides={"HTTP_HOST"}))
    assert Stack(fix, TrustedHosts(hosts="*")).check() == ()
    assert [finding.rule for finding in Stack(TrustedHosts(hosts="*"), fix).check()] == ["provide-outside-require"]


def test_what_it_does_is_described():
    assert "400 unless the Host is example.com" in str(Stack(TrustedHosts(hosts="example.com")))
    assert repr(TrustedHosts(hosts="example.com")) == "TrustedHosts(hosts=('example.com',))"

"""Stack.recommended: the order that a careful team would write, as an ordinary stack."""

from __future__ import annotations

import gzip
import logging

import pytest

from gateway import serve
from middleware import ConfigError, Headers, Stack, match
from shapes import returning

ALL = [
    *("RequestId", "AccessLog", "Timing", "SecurityHeaders", "CORS", "TrustedHosts", "HTTPSRedirect"),
    *("CrossOriginProtection", "Compress", "Conditional"),
]
PAGE = b"<p>page</p>" * 500
APP = returning([PAGE], headers=[("Content-Type", "text/html")])[0]
HTTPS = {"wsgi.url_scheme": "https", "HTTP_HOST": "app.example"}


@pytest.mark.parametrize(
    ("options", "without"),
    [
        ({}, {"TrustedHosts", "HTTPSRedirect"}),
        ({"trusted_hosts": "app.example", "https": True}, set()),
        ({"allow_origins": "*"}, {"TrustedHosts", "HTTPSRedirect"}),
        ({"allow_origins": ["https://a.example"], "preset": "strict"}, {"TrustedHosts", "HTTPSRedirect"}),
        (
            {"access_log": None, "compress": False, "preset": "api"},
            {"TrustedHosts", "HTTPSRedirect", "AccessLog", "Compress"},
        ),
        ({"access_log": "json", "trusted_origins": "https://b.example"}, {"TrustedHosts", "HTTPSRedirect"}),
    ],
)
def test_it_is_in_order_and_checked_without_a_finding(options, without):
    stack = Stack.recommended(**options)
    assert [*stack.names] == [name for name in ALL if name not in without]
    assert stack.check() == ()
    assert stack.arranged() == stack


def test_it_is_edited_as_any_other():
    stack = Stack.recommended().remove("AccessLog").add(Headers(set={"X-A": "1"}), inside="CORS")
    assert stack.names.index("Headers") == stack.names.index("CORS") + 1
    assert serve(stack.wrap(APP)).get("X-A") == "1"


def test_bad_options_are_those_of_the_layers():
    with pytest.raises(ConfigError, match="preset"):
        Stack.recommended(preset="best")


@pytest.mark.parametrize("value", ["false", "0", "no", "off", 0, 1, None])
@pytest.mark.parametrize("option", ["https", "compress"])
def test_a_switch_is_a_bool(option, value):
    with pytest.raises(ConfigError, match=f"Stack.recommended: {option}: True or False; got {value!r}"):
        Stack.recommended(**{option: value})
    with pytest.raises(ConfigError, match="2 options are wrong"):
        Stack.recommended(https=value, compress=value)


def test_a_page_has_what_a_careful_team_would_send(caplog):
    app = Stack.recommended(trusted_hosts="app.example", https=True).wrap(APP)
    with caplog.at_level(logging.INFO, "middleware.access"):
        answer = serve(app, HTTP_ACCEPT_ENCODING="gzip", **HTTPS)
    assert gzip.decompress(answer.body) == PAGE
    names = {name.lower() for name, _ in answer.headers}
    assert {"x-request-id", "server-timing", "content-security-policy", "etag", "strict-transport-security"} <= names
    assert sorted(answer.get("Vary").split(", ")) == ["Accept-Encoding", "Origin"]
    assert [record.name for record in caplog.records] == ["middleware.access"]
    again = serve(app, HTTP_ACCEPT_ENCODING="gzip", HTTP_IF_NONE_MATCH=answer.get("ETag"), **HTTPS)
    assert (again.status[:3], again.body) == ("304", b"")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"HTTP_HOST": "evil.example", "wsgi.url_scheme": "https"}, "400"),
        ({"HTTP_HOST": "app.example"}, "308"),
        ({"REQUEST_METHOD": "POST", "HTTP_SEC_FETCH_SITE": "cross-site", **HTTPS}, "403"),
        ({"REQUEST_METHOD": "POST", "HTTP_SEC_FETCH_SITE": "cross-site", "PATH_INFO": "/saml", **HTTPS}, "200"),
    ],
)
def test_refusals_have_the_fields_of_every_response(request_, status):
    stack = Stack.recommended(trusted_hosts="app.example", https=True, cross_origin_exempt=match.path("/saml"))
    request_ = {**request_}
    answer = serve(
        stack.wrap(APP), method=request_.pop("REQUEST_METHOD", "GET"), path=request_.pop("PATH_INFO", "/"), **request_
    )
    assert answer.status[:3] == status
    assert {"X-Request-Id", "Content-Security-Policy", "Server-Timing"} <= {name for name, _ in answer.headers}

"""The whole stack, asked whatever a client can send: the laws of support/invariants.py hold of every answer."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from fuzzed_sites import APPS, ORIGIN, SITES, Asked
from invariants import faults

RAW = st.text(st.characters(max_codepoint=255), max_size=40)
CODINGS = st.sampled_from(["gzip", "br", "zstd", "identity", "*", "x-gzip", "GZIP", "deflate", "", "g zip"])
WEIGHTS = st.sampled_from(["", ";q=0", ";q=1", ";q=0.5", " ; Q=0.001", ";q=1.000", ";q=0.", ";q=2", ";q", ";level=1"])
ACCEPTS = st.lists(st.tuples(CODINGS, WEIGHTS).map("".join), max_size=5).map(", ".join)
TAGS = st.sampled_from(
    ['"v1"', 'W/"v1"', '"v1-gzip"', '"v1-br"', 'W/"v1-zstd"', '"v1-gzip-gzip"', "*", '"v2"', '"', "v1"]
)
LISTS = st.lists(TAGS, max_size=4).map(", ".join)
ORIGINS = st.sampled_from([ORIGIN, f"{ORIGIN}.evil.example", "https://a.b.app.example", "null", "https://.app.example"])
ORIGINS |= st.sampled_from(
    ["HTTPS://app.example", f"{ORIGIN}:443", f"{ORIGIN}, {ORIGIN}", "file://", f"{ORIGIN}\r\nX: 1"]
)
DATES = st.sampled_from(["Thu, 26 Nov 2026 08:00:00 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", "yesterday"])
RANGES = st.sampled_from(
    ["bytes=0-9", "bytes=5-2", "bytes=0-", "bytes=-5", "bytes=0-1,3-4", "lines=1-2", "bytes=1-2000"]
)
NAMES = st.lists(st.sampled_from(["x-a", "content-type", "X-B", "a b", "", "\r\nX-C: 1"]), max_size=4).map(",".join)
VALUES = {
    "Accept-Encoding": ACCEPTS,
    "Origin": ORIGINS,
    "Access-Control-Request-Method": st.sampled_from(["GET", "PUT", "DELETE", "put", "P T", ""]),
    "Access-Control-Request-Headers": NAMES,
    "Access-Control-Request-Private-Network": st.sampled_from(["true", "false"]),
    "If-None-Match": LISTS,
    "If-Match": LISTS,
    "If": LISTS | TAGS.map("([{}])".format) | TAGS.map("</a> (Not [{}] <urn:a>)".format),
    "If-Range": TAGS | DATES,
    "If-Modified-Since": DATES,
    "Range": RANGES,
    "Host": st.sampled_from(["app.example", "app.example:8080", "[::1]:80", "a b", "a/b", ""]),
    "Cookie": st.sampled_from(["a=1", "a=1; b=2", "=", "a", 'a="\\303"', ";;", "a=1; a=2"]),
    "X-Forwarded-For": st.sampled_from(["10.0.0.1", "a, , b", ","]),
    "X-Echo": st.sampled_from(["echoed", "two\r\nX-Lines: 1", "nul\x00", " padded "]),
    "Authorization": st.sampled_from(["Basic YTpi", "Basic \xff", "Bearer x", "Basic"]),
    "Content-Type": st.sampled_from(
        ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
    ),
    "Cache-Control": st.sampled_from(["no-transform", "no-cache"]),
}
FIELDS = st.fixed_dictionaries({}, optional={name: values | RAW for name, values in VALUES.items()})
PATHS = st.sampled_from(["", "/", "/a", "//a", "/../a", "/%2e", "/\xc3\xa9", "/\xff", "*"]) | RAW.map("/{}".format)
ASKED = st.builds(
    Asked,
    site=st.integers(0, len(SITES) - 1),
    app=st.integers(0, len(APPS) - 1),
    method=st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "PUT", "BREW", "get"]) | RAW,
    path=PATHS,
    query=st.sampled_from(["", "a=1", "a=%ff&b", "\xff", "%"]) | RAW,
    fields=FIELDS.map(lambda fields: tuple(fields.items())),
    body=st.sampled_from([b"", b"{}", b'{"a": 1}', b"a=1&b=%ff", b"\xff", b"--x\r\n\r\n--x--"]),
)


@settings(max_examples=500)
@given(ASKED)
def test_whatever_a_client_sends_the_answer_is_right(asked):
    assert faults(asked) == []

"""Response: what works as in Flask, compared with Flask itself; what works as in WebOb; and what neither has."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import flask
import pytest
import webob

from gateway import environ
from hooked import ask, site
from middleware import Hooks
from middleware.hooks import Response
from middleware.hooks.missing_names import RESPONSE
from shapes import Body

NOON = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)
EAST = datetime(2026, 11, 20, 1, tzinfo=timezone(timedelta(hours=2)))


def doing(source):
    """Run the lines; the value of the last is the outcome, or the kind of error."""
    *lines, last = source.strip().split(" | ")
    code = compile("\n".join([*lines, f"outcome = {last}"]), source, "exec")

    def run(kind):
        names = {
            "r": kind("body", 200, {"X-A": "1"}),
            "R": kind,
            "NOON": NOON,
            "EAST": EAST,
            "DAY": NOON.date(),
            "timedelta": timedelta,
            "datetime": datetime,
            "timezone": timezone,
        }
        try:
            exec(code, names)  # noqa: S102 - the table's own lines
        except Exception as error:  # noqa: BLE001 - compared
            return next(base for base in type(error).__mro__ if base.__module__ == "builtins")
        return names["outcome"]

    return run


SAME = """
r.status
r.status = 404 | r.status
r.status = "404" | r.status
r.status = "299 Mine" | r.status
r.status_code = 299 | r.status
r.status_code = 299 | r.status_code
r.status_code = "404" | r.status
r.status = b"404" | r.status
r.status = "" | r.status
r.data
r.get_data(as_text=True)
r.data = b"new" | r.headers["Content-Length"]
r.data = "n\u00e9w" | r.get_data()
r.set_data("longer") | r.content_length
r.data += b"|x" | r.data
r.content_type
r.content_type = "text/plain" | r.content_type
r.mimetype
r.mimetype = "text/plain" | r.content_type
r.mimetype = "application/json" | r.content_type
r.mimetype = "image/svg+xml" | r.content_type
r.mimetype = "application/xml" | r.content_type
r.content_type = "text/x; a=b; c=\\"d\\"" | r.mimetype_params
r.content_type = "Text/HTML; charset=x" | r.mimetype
r.content_type = "text/x; a=\\"b;c\\"; d=\\"\\\\\\"\\"; e*=utf-8''%C3%A9" | r.mimetype_params
r.content_type = "" | r.mimetype
r.headers["Age"] = "x" | r.age
r.headers["Content-Length"] = "x" | r.content_length
r.headers["Access-Control-Max-Age"] = "x" | r.access_control_max_age
r.headers["Retry-After"] = "x" | r.retry_after
r.headers["Date"] = "Mon, 01 Jan 99999 00:00:00 GMT" | r.date
r.headers["Expires"] = "Mon, 01 Jan 99999 00:00:00 GMT" | r.expires
r.headers["Last-Modified"] = "Mon, 01 Jan 99999 00:00:00 GMT" | r.last_modified
r.headers["Retry-After"] = "Mon, 01 Jan 99999 00:00:00 GMT" | r.retry_after
r.headers["Age"] = "9" * 30 | r.age
r.headers["Age"] = "-5" | r.age
r.age = -1
r.headers["Retry-After"] = "120" | r.retry_after - datetime.now(timezone.utc) > timedelta(seconds=60)
r.headers["Retry-After"] = "-5" | r.retry_after < datetime.now(timezone.utc)
r.headers["Retry-After"] = "Fri, 20 Nov 2026 12:00:00 GMT" | r.retry_after
r.content_length
r.is_streamed
r.is_sequence
R(iter([b"a"])).is_streamed
R(iter([b"a"])).is_sequence
R([b"a", b"b"]).data
R(["a", "b"]).get_data()
R(x for x in (b"a", b"b")).data
R("x", mimetype="text/css").content_type
R("x", content_type="text/css").content_type
R("x", headers={"Content-Type": "a/b"}).content_type
R("x", headers={"Content-Type": "a/b"}, mimetype="c/d").content_type
R(status=204).status
R("x", "404 Odd").status
R("x", direct_passthrough=True).direct_passthrough
R(bytearray(b"x")).data
r.calculate_content_length()
R(iter([b"a"])).calculate_content_length()
r.freeze() | (r.headers["Content-Length"], r.headers["ETag"])
r.set_etag("x") | r.freeze() | r.headers["ETag"]
list(r.iter_encoded())
r.location = "/login" | r.headers["Location"]
r.location
r.age = timedelta(seconds=5) | r.headers["Age"]
r.age = 5 | r.age
r.expires = NOON | r.headers["Expires"]
r.last_modified = NOON | r.last_modified
r.date = NOON | r.headers["Date"]
r.retry_after = 120 | r.headers["Retry-After"]
r.expires = EAST | r.headers["Expires"]
r.last_modified = EAST | r.headers["Last-Modified"]
r.date = EAST | (r.headers["Date"], r.date)
r.retry_after = EAST | r.headers["Retry-After"]
r.expires = DAY | r.headers["Expires"]
r.last_modified = 86400 | r.headers["Last-Modified"]
r.set_cookie("a", expires=DAY) | r.headers["Set-Cookie"]
r.data = 5
r.set_data(None)
r.cache_control.max_age = 1.5 * 3600 | r.headers["Cache-Control"]
r.cache_control.max_age = "60" | r.headers["Cache-Control"]
r.cache_control.max_age = "x"
r.cache_control.max_age = 0 | r.headers["Cache-Control"]
bool(r.cache_control)
r.cache_control.no_store = True | bool(r.cache_control)
r.content_encoding = "gzip" | r.headers["Content-Encoding"]
r.content_location = "/x" | r.headers["Content-Location"]
r.accept_ranges = "bytes" | r.accept_ranges
r.vary.add("Cookie") | r.headers["Vary"]
r.vary.add("Cookie") | r.vary.add("COOKIE") | r.vary.update(["Origin"]) | r.headers["Vary"]
r.vary = "Accept, Cookie" | list(r.vary)
r.vary = ["Accept", "Cookie"] | r.vary.remove("accept") | r.headers["Vary"]
r.vary = "Accept" | r.vary.discard("accept") | "Vary" in r.headers
r.vary = "Accept" | r.vary.clear() | "Vary" in r.headers
"accept" in r.vary
len(r.vary)
r.vary.remove("x") | 1
r.vary = "A, B" | r.vary.to_header()
r.allow.add("GET") | r.headers["Allow"]
r.content_language.add("de") | r.headers["Content-Language"]
r.cache_control.max_age = 60 | r.headers["Cache-Control"]
r.cache_control.no_store = True | r.cache_control.public = True | r.headers["Cache-Control"]
r.cache_control.max_age = 5 | r.cache_control.max_age = None | "Cache-Control" in r.headers
r.cache_control.immutable = True | r.headers["Cache-Control"]
r.headers["Cache-Control"] = "max-age=5, private" | r.cache_control.max_age
r.headers["Cache-Control"] = "no-store" | r.cache_control.no_store
r.cache_control.public
r.headers["Cache-Control"] = 'no-cache="a, b"' | r.cache_control.no_cache
r.cache_control.no_cache = "Set-Cookie" | r.headers["Cache-Control"]
r.cache_control.private = 'a"b\\\\' | r.headers["Cache-Control"]
r.cache_control.private = "\u00e9" | r.headers["Cache-Control"]
r.headers["Cache-Control"] = 'a="x\\\\", public", b="\\\\"", c=""' | r.cache_control.max_age = 5 | str(r.cache_control)
r.headers["Cache-Control"] = 'private="x\\\\"y"' | r.cache_control.private
r.headers["Cache-Control"] = "=x, , no-store," | r.cache_control.max_age = 5 | r.headers["Cache-Control"]
r.headers["ETag"] = "" | r.get_etag()
r.set_etag("x") | r.headers["ETag"]
r.set_etag("x", weak=True) | r.get_etag()
r.get_etag()
r.add_etag() | r.headers["ETag"]
r.set_etag("x") | r.add_etag() | r.get_etag()
r.set_etag("x") | r.add_etag(overwrite=True, weak=True) | r.get_etag()[1]
r.set_etag('a"b') | 1
r.access_control_allow_origin = "*" | r.headers["Access-Control-Allow-Origin"]
r.access_control_allow_credentials = True | r.headers["Access-Control-Allow-Credentials"]
r.access_control_allow_credentials
r.access_control_allow_methods = ["GET", "PUT"] | r.headers["Access-Control-Allow-Methods"]
r.access_control_allow_headers = ["X-A"] | r.headers["Access-Control-Allow-Headers"]
r.access_control_expose_headers = ["X-A"] | r.headers["Access-Control-Expose-Headers"]
r.access_control_max_age = 5 | r.headers["Access-Control-Max-Age"]
r.is_json
r.json
r.get_json()
r.mimetype = "application/json" | r.get_json(silent=True)
r.data = "[1]" | r.mimetype = "application/json" | r.json
r.data = "[1]" | r.get_json(force=True)
r.mimetype = "application/x+json" | r.is_json
r.set_cookie("a", "b") | r.headers["Set-Cookie"]
r.set_cookie("a", "b", 60) | r.headers["Set-Cookie"].startswith("a=b; ")
r.set_cookie("a", "b", timedelta(60), NOON, "/p", "x.example", True, True, "lax") | r.headers["Set-Cookie"]
r.set_cookie("a", "b c;d") | r.headers["Set-Cookie"]
r.set_cookie("a", '"\\\\\u00e9') | r.headers["Set-Cookie"]
r.set_cookie("a", expires=0) | r.headers["Set-Cookie"]
r.set_cookie("a", expires="whenever", path=None) | r.headers["Set-Cookie"]
r.set_cookie("a", samesite="none", partitioned=True) | r.headers["Set-Cookie"]
r.set_cookie("a", samesite="odd") | 1
r.set_cookie("a", None) | 1
r.set_cookie("a", "1") | r.set_cookie("b", "2") | r.headers.getlist("Set-Cookie")
r.delete_cookie("a") | r.headers["Set-Cookie"]
r.delete_cookie("a", path="/p", domain="x.example", secure=True) | r.headers["Set-Cookie"]
r.headers["x-a"]
r.headers["X-None"]
r.headers["X-A"] = 5 | r.headers["X-A"]
r.headers["X-A"] = b"b" | r.headers["X-A"]
r.headers["X-B"] = "a\\r\\nb" | 1
r.headers.add("X-B", "a\\nb") | 1
r.headers.add("X-A", "2") | r.headers["X-A"]
r.headers.add("X-A", "2") | r.headers.getlist("x-a")
r.headers.add("X-A", "2") | r.headers.get_all("x-a")
r.headers.add("X-A", "2") | r.headers["X-A"] = "3" | r.headers.getlist("X-A")
r.headers.add("X-B", "2") | r.headers["X-A"] = "3" | [k for k, _ in r.headers if k.startswith("X")]
r.headers.add("X-A", "2") | r.headers.pop("X-A") | "X-A" in r.headers
r.headers.pop("X-A")
r.headers.pop("X-B", None)
r.headers.pop("X-B") | 1
del r.headers["X-None"] | 1
r.headers.remove("x-a") | "X-A" in r.headers
r.headers.set("X-A", "v", filename="a b.txt") | r.headers["X-A"]
r.headers.add("X-B", "v", a_b="c") | r.headers["X-B"]
r.headers.add("X-B", "attachment", filename='q"') | r.headers["X-B"]
r.headers.get("X-A", type=int)
r.headers.get("X-B", 7, type=int)
r.headers.get("Content-Type", 7, type=int)
r.headers.getlist("X-A", type=int)
r.headers.setdefault("X-A", "2")
r.headers.setdefault("X-B", "2")
r.headers.setlist("X-A", ["1", "2"]) | r.headers.getlist("X-A")
r.headers.extend({"X-A": "2", "X-B": ["3", "4"]}) | r.headers.getlist("X-A") + r.headers.getlist("X-B")
r.headers.extend([("X-A", "2")]) | r.headers.getlist("X-A")
r.headers.update({"X-A": "2"}) | r.headers.getlist("X-A")
r.headers.update([("X-B", "2"), ("X-B", "3")]) | r.headers.getlist("X-B")
dict(r.headers)["X-A"]
("X-A", "1") in list(r.headers)
list(r.headers.keys())
list(r.headers.values())
list(r.headers.items())
len(r.headers)
r.headers.clear() | len(r.headers)
r.headers.to_wsgi_list()
r.headers.copy() == r.headers
r.call_on_close(print)
r.json = 1 | 1
"""
DIFFERENT = {  # ours has a setter, as WebOb does
    "r.json = 1 | 1": 1,
}


@pytest.mark.parametrize("source", SAME.strip().splitlines())
def test_the_same_as_in_flask(source):
    if source in DIFFERENT:
        assert doing(source)(Response) == DIFFERENT[source]
    else:
        assert doing(source)(Response) == doing(source)(flask.Response)


WEBOB = [  # WebOb's own names go on working, on the same fields
    ("r.body", b"body"),
    ("r.body = b'x' | r.data", b"x"),
    ("r.text", "body"),
    ("r.text = 'x' | r.data", b"x"),
    ("r.status_int", 200),
    ("r.headerlist[0]", ("X-A", "1")),
    ("r.headerlist = [('X-B', '2')] | r.headers['X-B']", "2"),
    ("h = r.headerlist | r.headers['X-C'] = '1' | h[-1]", ("X-C", "1")),
    ("r.headers['X-C'] = '1' | r.etag = 'x' | r.headers['ETag'] = 'W/\"y\"' | r.headers.getlist('ETag')", ['W/"y"']),
    ("r.charset", "utf-8"),
    ("r.app_iter", [b"body"]),
    ("r.app_iter = [b'x', b'y'] | r.data", b"xy"),
    ("r.app_iter = [b'x'] | 'Content-Length' in r.headers", False),
    ("r.md5_etag() | len(r.etag)", 22),
    ("r.content_disposition = 'inline' | r.headers['Content-Disposition']", "inline"),
    ("r.json_body = [1] | (r.data, r.content_type)", (b"[1]", "application/json")),
    ("r.encode_content('gzip') | r.data[:2]", b"\x1f\x8b"),
    ("r.cache_control = 'no-store' | r.headers['Cache-Control']", "no-store"),
    ("r.headers = {'X-B': 2} | r.headers['X-B']", "2"),
    ("r.headers = {'X-B': 2} | r.headers['X-C'] = '3' | len(r.headers)", 2),
    ("del r.location | r.location", None),
    ("del r.mimetype_params | 1", AttributeError),
    ("r.vary = None | 'Vary' in r.headers", False),
    ("del r.vary | list(r.vary)", []),
    ("del r.age | r.age", None),
    ("r.headers['Retry-After'] = '9' * 30 | r.retry_after", None),
    ("r.age = None | r.age", None),
    ("repr(r.vary)", "HeaderSet([])"),
    ("repr(r.cache_control)", "<CacheControl >"),
    ("r.cache_control.max_age = 5 | del r.cache_control.max_age | r.headers.get('Cache-Control')", None),
    (
        "r.headers['Cache-Control'] = 'private, s-maxage=x' | (r.cache_control.private, r.cache_control.s_maxage)",
        (True, "x"),
    ),
    ("r.get_json(force=True)", ValueError),
    ("r.expires = 'soon' | r.headers['Expires']", "soon"),
    ("r.expires = timedelta(0) | abs(r.expires - datetime.now(timezone.utc)) < timedelta(seconds=9)", True),
    ("r.last_modified = NOON.timetuple() | r.last_modified == NOON", True),
    ("del r.date | r.date", None),
    ("r.retry_after = 1.5 | r.headers['Retry-After']", "1"),
    ("r.cache_control.max_age = timedelta(hours=1) | r.headers['Cache-Control']", "max-age=3600"),
    ("r.cache_control.max_age = True | len(r.cache_control)", 1),
    ("r.data = memoryview(b'x') | r.data", b"x"),
    ("r.data = [b'x']", TypeError),
    ("R([1])", TypeError),
    ("r.response = ['x', None]", TypeError),
    (
        "r.content_type_params = {'charset': 'x', 'a': 'b c'} | r.headers['Content-Type']",
        'text/html; charset=x; a="b c"',
    ),
    ("r.content_type_params = None | r.content_type_params", {}),
    ("R.from_file(None)", AttributeError),
    ("R(5)", TypeError),
    ("r.response = 5", SyntaxError),
]


@pytest.mark.parametrize(("source", "outcome"), WEBOB[:-1])
def test_webobs_names_work_too(source, outcome):
    result = doing(source)(Response)
    assert result == outcome or (isinstance(outcome, type) and issubclass(result, outcome))


@pytest.mark.parametrize("name", [*RESPONSE, "minetype", "cookies_", "dat"])
def test_what_neither_has_says_what_to_use(name):
    response = Response()
    for use in (lambda: getattr(response, name), lambda: setattr(response, name, "x")):
        with pytest.raises(AttributeError, match=f"a response has no '{name}': "):
            use()


def test_a_parameter_that_is_refused_leaves_the_media_type():
    response = Response()
    with pytest.raises(ValueError, match="CR"):
        response.content_type_params = {"a": "x\r\ny"}
    assert response.content_type == "text/html; charset=utf-8"


def test_unknown_directives_are_no_attributes():
    control = Response().cache_control
    for use in (lambda: control.max_agee, lambda: setattr(control, "s_max_age", 5)):
        with pytest.raises(AttributeError, match="Cache-Control has no"):
            use()


@pytest.mark.parametrize("value", ["a\r\nb", "a\nb", "a\0b", "\u20ac"])
def test_a_header_that_cannot_be_sent_is_refused_in_the_hook(value, caplog):
    hooks = Hooks()
    hooks.after_request(lambda response: response.headers.add("X-Split", value) or response)
    answer = ask(hooks)
    assert (answer.status, answer.get("X-Split")) == ("500 INTERNAL SERVER ERROR", None)
    assert "X-Split" in caplog.text


@pytest.mark.parametrize("status", ["abc", "99", "200 a\nb"])
def test_a_status_that_cannot_be_sent_is_refused(status):
    with pytest.raises(ValueError, match="three digits"):
        Response(status=status)


def test_an_application_keeps_its_own_spelling_of_a_status():
    hooks = Hooks()
    hooks.after_request(lambda response: response)

    def app(environ, start_response):
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b""]

    assert ask(hooks, app=app).status == "404 Not Found"


@pytest.mark.parametrize("location", ["/login", "//other.example/x", "http://a.example/"])
def test_location_is_sent_as_it_is(location):
    hooks = Hooks()

    @hooks.after_request
    def move(response):
        response.location = location
        return response

    hooks.before_request(lambda: webob.Response(status=302, location=location))
    assert ask(hooks).get("Location") == location


@pytest.mark.parametrize(
    ("asked", "status", "body"),
    [
        ({}, "200 OK", b"hello"),
        ({"HTTP_IF_NONE_MATCH": '"x"'}, "304 Not Modified", b""),
        ({"HTTP_RANGE": "bytes=1-2"}, "206 Partial Content", b"el"),
        ({"HTTP_RANGE": "bytes=9-"}, "416 Requested Range Not Satisfiable", None),
    ],
)
@pytest.mark.parametrize("how", ["flask", "webob"])
def test_conditional_requests(asked, status, body, how):
    hooks = Hooks()

    @hooks.after_request
    def condition(response):
        response.set_etag("x")
        response.location = "/here"
        if how == "flask":
            return response.make_conditional(environ(**asked))
        response.conditional_response = True
        return response

    answer = ask(hooks, app=site(), **asked)
    assert (answer.status, answer.get("Location")) == (status, "/here")
    assert body is None or answer.body == body


CONDITIONS = [
    ({"HTTP_IF_NONE_MATCH": '"a"'}, "GET", 200, 304),
    ({"HTTP_IF_NONE_MATCH": '"a"'}, "HEAD", 200, 304),
    ({"HTTP_IF_NONE_MATCH": '"a"'}, "POST", 200, 200),
    ({"HTTP_IF_NONE_MATCH": '"a"'}, "GET", 201, 304),
    ({"HTTP_IF_NONE_MATCH": '"a"'}, "GET", 404, 404),
    ({"HTTP_IF_NONE_MATCH": '"z"', "HTTP_IF_MODIFIED_SINCE": "Fri, 20 Nov 2026 12:00:00 GMT"}, "GET", 200, 200),
    ({"HTTP_IF_MODIFIED_SINCE": "Fri, 20 Nov 2026 12:00:00 GMT"}, "GET", 200, 304),
    ({"HTTP_IF_MATCH": '"z"'}, "GET", 200, 412),
    ({"HTTP_IF_MATCH": '"z", "a"'}, "GET", 200, 200),
    ({"HTTP_IF_MATCH": 'W/"a"'}, "GET", 200, 412),
    ({"HTTP_IF_MATCH": "*"}, "GET", 200, 200),
    ({"HTTP_IF_MATCH": '"z"', "HTTP_IF_NONE_MATCH": '"a"'}, "GET", 200, 412),
    ({"HTTP_IF_NONE_MATCH": " *"}, "GET", 200, 304),
    ({"HTTP_IF_UNMODIFIED_SINCE": "Fri, 20 Nov 2026 11:59:59 GMT"}, "GET", 200, 412),
    ({"HTTP_IF_UNMODIFIED_SINCE": "Fri, 20 Nov 2026 12:00:00 GMT"}, "GET", 200, 200),
    ({"HTTP_IF_UNMODIFIED_SINCE": "then"}, "GET", 200, 200),
    ({"HTTP_IF_UNMODIFIED_SINCE": "Fri, 20 Nov 2026 11:59:59 GMT", "HTTP_IF_MATCH": '"a"'}, "GET", 200, 200),
    ({"HTTP_RANGE": "bytes=0-1", "HTTP_IF_RANGE": "Fri, 20 Nov 2026 12:00:00 GMT"}, "GET", 200, 206),
    ({"HTTP_RANGE": "bytes=0-1", "HTTP_IF_RANGE": "Fri, 20 Nov 2026 12:00:01 GMT"}, "GET", 200, 200),
    ({"HTTP_RANGE": "bytes=0-1", "HTTP_IF_RANGE": '"a"'}, "GET", 200, 206),
    ({"HTTP_RANGE": "bytes=0-1", "HTTP_IF_RANGE": 'W/"a"'}, "GET", 200, 200),
    ({"HTTP_RANGE": "bytes=-0"}, "GET", 200, 416),
    ({"HTTP_RANGE": "bytes=0-1"}, "GET", 200, 206),
    ({"HTTP_RANGE": "bytes=0-1"}, "HEAD", 200, 200),
    ({"HTTP_RANGE": "bytes=0-1"}, "POST", 200, 200),
]


def conditioned(status=200, tag='"a"', body=b"0123456789"):
    return Response(body, status, {"Last-Modified": "Fri, 20 Nov 2026 12:00:00 GMT", **({"ETag": tag} if tag else {})})


@pytest.mark.parametrize(("fields", "method", "status", "becomes"), CONDITIONS)
def test_conditions_count_as_the_rfc_says(fields, method, status, becomes):
    """RFC 9110 13.1 to 13.2 and 14.2."""
    response = conditioned(status)
    assert response.make_conditional(environ("/", method, **fields)) is response
    assert response.status_code == becomes


@pytest.mark.parametrize(
    ("tag", "field", "becomes"), [(None, '"z"', 200), ('W/"a"', '"a"', 412), ('W/"a"', 'W/"a"', 412), ('"a"', "z", 200)]
)
def test_an_if_match_is_compared_strongly_and_only_with_a_tag(tag, field, becomes):
    assert conditioned(tag=tag).make_conditional(environ("/", HTTP_IF_MATCH=field)).status_code == becomes


@pytest.mark.parametrize(("field", "becomes"), [("*", 304), ('"*"', 200), ('"a", *', 200), ("", 200)])
def test_an_asterisk_matches_content_without_a_tag(field, becomes):
    """RFC 9110 13.1.2: the condition is false if there is a current representation."""
    response = conditioned(tag=None).make_conditional(environ("/", HTTP_IF_NONE_MATCH=field))
    assert (response.status_code, "ETag" in response.headers) == (becomes, False)


def test_a_tag_with_a_comma_is_one_tag():
    """RFC 9110 8.8.3: a comma is an ordinary character."""
    asked = environ("/", HTTP_IF_NONE_MATCH='"n","a,b"')
    assert conditioned(tag='"a,b"').make_conditional(asked).status_code == 304
    assert conditioned(tag='"b"').make_conditional(asked).status_code == 200


@pytest.mark.parametrize(("suffix", "content"), [("4", b"6789"), ("10", b"0123456789"), ("11,0-0", b"0123456789")])
def test_a_suffix_longer_than_the_content_is_all_of_it(suffix, content):
    """RFC 9110 14.1.2."""
    response = conditioned().make_conditional(environ("/", HTTP_RANGE=f"bytes=-{suffix}"))
    assert (response.status_code, response.get_data()) == (206, content)


def test_ranges_are_optional_and_a_stream_may_tell_its_length():
    ranged = environ("/", HTTP_RANGE="bytes=0-1")
    assert [conditioned().make_conditional(ranged, accepted).status_code for accepted in (False, None, "none")] == [
        200
    ] * 3
    assert [conditioned().make_conditional(ranged, accepted).status_code for accepted in (True, "bytes")] == [206] * 2
    streamed = conditioned(body=iter([b"01234", b"56789"]))
    assert streamed.make_conditional(ranged, accept_ranges=True, complete_length=10).status_code == 206
    assert (streamed.get_data(), streamed.headers["Content-Range"]) == (b"01", "bytes 0-1/10")
    assert conditioned(body=iter([b"01"])).make_conditional(ranged).status_code == 200
    assert conditioned(body=iter([b"01"])).make_conditional(environ("/", HTTP_RANGE="bytes=-1")).status_code == 200


def test_a_conditional_response_of_webob_stays_conditional():
    hooks = Hooks()
    hooks.before_request(lambda: webob.Response("x", etag="a", conditional_response=True))
    assert ask(hooks, HTTP_IF_NONE_MATCH='"a"').status == "304 Not Modified"
    assert ask(hooks, HTTP_IF_NONE_MATCH='"b"').status == "200 OK"


def test_a_response_is_an_application_and_can_be_copied():
    response = Response(iter(["a", "b"]), 201, {"X-A": "1"})
    other = response.copy()
    other.headers["X-A"] = "2"
    heads = []
    assert b"".join(response({}, lambda *head: heads.append(head))) == b"ab"
    assert heads == [("201 CREATED", [("X-A", "1"), ("Content-Type", "text/html; charset=utf-8")])]
    assert other.get_data() == b"ab"


def test_closing_a_response_closes_its_body_and_calls_what_waits_once():
    body, called = Body([b"x"]), []
    response = Response(body)
    response.call_on_close(lambda: called.append(body.closed))
    response.close()
    assert called == [1]
    response = Response("x")
    response.close()
    body = Body([b"x"])
    response = Response(body)
    assert (response.get_data(), body.closed) == (b"x", 1)


def test_reading_a_body_that_fails_closes_it():
    body = Body([b"x"], fails_at=0)
    with pytest.raises(Exception, match="in the body"):
        Response(body).get_data()
    assert body.closed == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"HTTP_RANGE": "bytes=-"},
        {"HTTP_RANGE": "bytes=--1"},
        {"HTTP_RANGE": f"bytes={'9' * 5000}-"},
        {"HTTP_RANGE": f"bytes=0-{'9' * 5000}"},
        {"HTTP_RANGE": "bytes=" + " " * 60_000},
        {"HTTP_RANGE": "bytes= 0-1"},
        {"HTTP_RANGE": "lines=0-1"},
        {"HTTP_RANGE": ""},
        {"HTTP_IF_MODIFIED_SINCE": "Mon, 01 Jan 99999 00:00:00 GMT"},
        {"HTTP_IF_MODIFIED_SINCE": "Mon, 01 Jan 999999999999999999 00:00:00 GMT"},
        {"HTTP_IF_RANGE": "Mon, 01 Jan 99999 00:00:00 GMT", "HTTP_RANGE": "bytes=0-1"},
    ],
    ids=repr,
)
def test_a_malformed_condition_or_range_is_ignored(fields):
    response = Response(
        b"0123456789", headers={"Last-Modified": "Fri, 20 Nov 2026 12:00:00 GMT", "Content-Length": "10"}
    )
    response.make_conditional(environ("/", **fields))
    assert (response.status_code, b"".join(response.response)) == (200, b"0123456789")


@pytest.mark.parametrize(
    ("asked", "status", "sent"),
    [("0-1", 206, b"01"), ("8-", 206, b"89"), ("-1", 206, b"9"), ("10-", 416, None), ("0-0, 5-6", 206, b"0")],
)
def test_a_range_is_sent(asked, status, sent):
    response = Response(b"0123456789", headers={"Content-Length": "10"})
    response.make_conditional(environ("/", HTTP_RANGE=f"Bytes={asked}"))
    assert response.status_code == status
    assert sent in (None, b"".join(response.response))

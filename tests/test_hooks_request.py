"""Request: what works as in Flask, compared with Flask itself; the body, that is left whole; and what neither has."""

from __future__ import annotations

import copy
import io
from collections.abc import Mapping

import flask
import pytest
import webob
from hypothesis import example, given
from hypothesis import strategies as st
from webob import BaseRequest
from webob.headers import EnvironHeaders

from gateway import environ, serve
from hooked import ask
from middleware import Hooks, match
from middleware.hooks import Request, abort, g, request
from middleware.hooks.missing_names import REQUEST
from middleware.hooks.request_forms import MultiDict
from middleware.hooks.request_headers import Authorization

FORM = "application/x-www-form-urlencoded"
PARTS = (
    b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    b'--x\r\nContent-Disposition: form-data; name="f"; filename="f.txt"\r\n'
    b"Content-Type: text/x\r\n\r\nfile\r\n--x--\r\n"
)


def posted(body, kind=FORM, method="POST", **more):
    return {
        "method": method,
        "CONTENT_TYPE": kind,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        **more,
    }


REQUESTS = {
    "plain": {},
    "query": {"path": "/p\xc3\xa9/x", "QUERY_STRING": "a=1&a=2&b=&c=%C3%A9&d", "SCRIPT_NAME": "/root"},
    "broken": {"path": "/\xff", "QUERY_STRING": "a=%FF", "HTTP_COOKIE": 'a="\\303"; b=2'},
    "https": {"wsgi.url_scheme": "https", "HTTP_HOST": "a.example:8443"},
    "head": {
        "HTTP_USER_AGENT": "Agent/1",
        "HTTP_REFERER": "http://x/",
        "HTTP_ORIGIN": "http://o",
        "HTTP_COOKIE": "a=1; b=2",
        "HTTP_X_FORWARDED_FOR": "1.1.1.1, 2.2.2.2",
        "HTTP_DATE": "Fri, 20 Nov 2026 12:00:00 GMT",
        "HTTP_IF_MODIFIED_SINCE": "Fri, 20 Nov 2026 12:00:00 GMT",
        "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "PUT",
        "REMOTE_ADDR": "3.3.3.3",
        "REMOTE_USER": "me",
    },
    "cookies": {
        "HTTP_COOKIE": 'a=1; a=2; b=1,c=2; d="\\303\\251 \\" \\\\"; e; f=; =g; h = "x"y; \xc3\xa9=\xc3\xa9; i="\xc3"'
    },
    **{f"length {text}": {"CONTENT_LENGTH": text} for text in ("-5", "+3", "1_0", "x", "")},
    "basic": {"HTTP_AUTHORIZATION": "Basic bWU6cGE6c3M="},
    "bearer": {"HTTP_AUTHORIZATION": "Bearer abc"},
    "spaced-basic": {"HTTP_AUTHORIZATION": "Basic  bWU6cGE6c3M= "},
    "digest": {"HTTP_AUTHORIZATION": 'Digest username="a, \\"b\\"", realm="", uri=/x, nc=1,=2,qop '},
    "padded-token": {"HTTP_AUTHORIZATION": "bearer  abc== "},
    "no-credentials": {"HTTP_AUTHORIZATION": "Negotiate"},
    "lower": {"method": "get"},
    "lower-form": posted(b"a=1", method="post", QUERY_STRING="a=0"),
    "deleted-form": posted(b"b=1", method="DELETE"),
    "raw-query": {"QUERY_STRING": 'q=\xc3\xa9&r=%C3%A9&s= "<|?/&t=%zz'},
    "default-port": {"HTTP_HOST": "example.com:80"},
    "other-default-port": {"HTTP_HOST": "example.com:443"},
    "https-default-port": {"wsgi.url_scheme": "https", "HTTP_HOST": "example.com:443"},
    "host-ipv6": {"HTTP_HOST": "[::1]:8080"},
    "server-ipv6": {"HTTP_HOST": None, "SERVER_NAME": "::1", "SERVER_PORT": "8080"},
    "server": {"HTTP_HOST": None, "SERVER_NAME": "a.example", "SERVER_PORT": "80"},
    "no-server": {"HTTP_HOST": None, "SERVER_NAME": None, "SERVER_PORT": None},
    "host-space": {"HTTP_HOST": "a b"},
    "host-path": {"HTTP_HOST": "a/b"},
    "host-user": {"HTTP_HOST": "u@a"},
    "host-big-port": {"HTTP_HOST": "a:65536"},
    "host-port-0": {"HTTP_HOST": "a:0"},
    "host-port-00": {"HTTP_HOST": "a:080"},
    "host-under": {"HTTP_HOST": "a_b"},
    "host-empty": {"HTTP_HOST": ""},
    "host-list": {"HTTP_HOST": "a, b"},
    "bad-basic": {"HTTP_AUTHORIZATION": "Basic !"},
    "form": posted(b"a=1&a=2&b=%C3%A9", QUERY_STRING="a=0"),
    "form-by-get": posted(b"a=1", method="GET", QUERY_STRING="q=1"),
    "parts": posted(PARTS, "multipart/form-data; boundary=x"),
    "other-charset": posted(b"a=1&b=%C3%A9", f"{FORM}; charset=ISO-8859-1"),
    "parts-without-a-boundary": posted(PARTS, "multipart/form-data"),
    "parts-with-an-empty-boundary": posted(PARTS, 'multipart/form-data; boundary=""'),
    "parts-with-another-boundary": posted(PARTS, "multipart/form-data; boundary=y"),
    "no-parts": posted(b"", "multipart/form-data"),
    "empty-form": posted(b""),
    "form-of-broken-bytes": posted(b"a=%FF%C3%A9&b=%00&c"),
    "form-that-is-no-utf-8": posted(b"a=1&b=\xff"),
    "json": posted(b'{"a": [1]}', "application/json"),
    "json-suffix": posted(b"[1]", "Application/Problem+JSON; charset=utf-8"),
    "bad-json": posted(b"{", "application/json"),
    "text": posted(b"\xc3\xa9", "text/plain; charset=utf-8; x=y"),
}
ASKED = """
r.method
r.path
r.full_path
r.script_root
r.root_path
r.url
r.base_url
r.url_root
r.root_url
r.host
r.host_url
r.scheme
r.is_secure
r.query_string
r.remote_addr
r.remote_user
r.referrer
r.content_type
r.content_length
r.mimetype
r.mimetype_params
r.user_agent.string
r.origin
r.access_control_request_method
r.access_route
dict(r.cookies)
r.cookies.get("a")
r.cookies["a"]
r.cookies["none"]
r.cookies.get("a", type=int)
r.cookies.get("none", 5)
r.cookies.getlist("a")
r.cookies.to_dict(flat=False)
list(r.cookies.items(multi=True))
list(r.cookies.keys()), list(r.cookies.values())
"a" in r.cookies, len(r.cookies), bool(r.cookies)
r.date
r.if_modified_since
r.headers.get("User-Agent")
r.headers.get("X-None")
r.headers.get("X-Forwarded-For", type=int)
r.headers.get("Content-Length", 5, type=int)
r.headers.get("X-None", 5, type=int)
r.headers["Cookie"]
r.headers["X-None"]
r.headers.getlist("Cookie")
r.headers.getlist("Content-Length", type=int)
r.headers.getlist("X-None")
r.headers.get_all("Cookie")
"cookie" in r.headers, "X-None" in r.headers
sorted(r.headers)
{name: value for name, value in r.headers}
sorted(dict(r.headers))
sorted(r.headers.keys()), sorted(r.headers.values()), sorted(r.headers.items()), len(r.headers)
sorted(r.headers.to_wsgi_list())
r.args["a"]
r.args["none"]
r.args.get("a")
r.args.get("none", 5)
r.args.get("a", type=int)
r.args.get("c", 7, type=int)
r.args.getlist("a")
r.args.getlist("c", type=int)
"a" in r.args
sorted(r.args)
len(r.args)
list(r.args.items())
list(r.args.items(multi=True))
[(k, list(v)) for k, v in r.args.lists()]
r.args.to_dict()
r.args.to_dict(flat=False)
list(r.args.listvalues())
list(r.args.copy().items(multi=True))
list(r.args.deepcopy().lists())
changed(r.args.copy(), "set", "n", 1)
changed(r.args.copy(), "set", "a", 1)
changed(r.args.copy(), "add", "a", 1)
changed(r.args.copy(), "setlist", "a", (1, 2))
changed(r.args.copy(), "poplist", "a")
changed(r.args.copy(), "poplist", "none")
changed(r.args.copy(), "pop", "a")
changed(r.args.copy(), "pop", "none")
changed(r.args.copy(), "pop", "none", 5)
changed(r.args.copy(), "del", "a")
changed(r.args.copy(), "setdefault", "a", 1)
changed(r.args.copy(), "setdefault", "n", 1)
changed(r.args.copy(), "update", {"a": 1, "b": [2, 3]})
changed(r.args.copy(), "update", [("a", 1), ("b", 2)])
changed(r.args.copy(), "update", r.args)
changed(r.args.copy(), "clear")
changed(r.cookies.copy(), "add", "a", "b")
list(r.form.copy().lists()), list(r.values.copy().lists())
sorted(r.form.items(multi=True))
r.form["a"]
r.form.getlist("a")
[(k, v.filename) for k, v in r.files.items()]
r.values.getlist("a")
sorted(r.values)
r.data
r.get_data()
r.get_data(as_text=True)
r.get_data(parse_form_data=True)
r.stream.read()
r.is_json
r.json
r.get_json(silent=True)
r.get_json(force=True)
r.authorization.type
r.authorization.username
r.authorization.password
r.authorization.token
r.authorization.realm, r.authorization["username"], r.authorization.get("qop", 5), "nc" in r.authorization
r.authorization.parameters
r.view_args or None
r.foo
"""


def changed(values, change, *given):
    """What a change returns, and what there is then."""
    if change == "set":
        result = values.__setitem__(*given)
    elif change == "del":
        result = values.__delitem__(*given)
    else:
        result = getattr(values, change)(*given)
    return result, list(values.lists())


def outcome(kind, asked, keys):
    keys = dict(keys)
    if "wsgi.input" in keys:
        keys["wsgi.input"] = io.BytesIO(keys["wsgi.input"].getvalue())
    whole = environ(keys.pop("path", "/"), keys.pop("method", "GET"), **keys)
    made = kind({key: value for key, value in whole.items() if value is not None})
    try:
        return eval(asked, {"r": made, "changed": changed})  # noqa: S307 - the table's own lines
    except Exception as error:  # noqa: BLE001 - compared
        kinds = (each for each in type(error).__mro__ if each.__module__ == "builtins")
        return getattr(error, "code", None) or next(kinds)
    finally:
        if kind is flask.Request:
            made.close()


FLASK_DIFFERS = {
    ("r.get_json(force=True)", "form"),  # Flask has parsed the body away, we have not
    ("r.authorization.token", "basic"),
}


@pytest.mark.parametrize("asked", ASKED.strip().splitlines())
@pytest.mark.parametrize("name", REQUESTS)
def test_the_same_as_in_flask(asked, name):
    keys = REQUESTS[name]
    app = flask.Flask("asked")
    with app.app_context():
        assert outcome(Request, asked, keys) == outcome(flask.Request, asked, keys) or (asked, name) in FLASK_DIFFERS


MALFORMED = [
    "",
    "x",
    "Mon, 01 Jan 99999 00:00:00 GMT",
    "Mon, 01 Jan 999999999999999999 00:00:00 GMT",
    "9" * 5000,
    "\xff",
]


@pytest.mark.parametrize("value", MALFORMED)
@pytest.mark.parametrize("name", ["date", "if_modified_since", "if_unmodified_since", "max_forwards"])
def test_a_malformed_field_is_none(name, value):
    keys = {f"HTTP_{name.upper()}": value}
    assert outcome(Request, f"r.{name}", keys) is None
    assert outcome(flask.Request, f"r.{name}", keys) in (None, OverflowError)


def test_the_method_is_upper_case_and_can_be_set():
    made = Request(environ(method="post"))
    assert (made.method, made.environ["REQUEST_METHOD"]) == ("POST", "post")
    made.method = "put"
    assert (made.method, made.environ["REQUEST_METHOD"]) == ("PUT", "put")
    assert Request({"wsgi.url_scheme": "http"}).method == "GET"


def test_a_guard_of_a_method_is_not_passed_by_another_case():
    hooks, seen = Hooks(), []
    hooks.before_request(lambda: abort(403) if request.method == "POST" else None)
    hooks.scope(match.method("POST")).after_request(lambda response: seen.append("match") or response)
    hooks.route("/", methods=["POST"]).after_request(lambda response: seen.append("route") or response)
    assert [ask(hooks, method=method, lint=False).status[:3] for method in ("POST", "post", "GET")] == [
        "403",
        "403",
        "200",
    ]
    assert seen == ["route", "match"] * 2


def test_the_host_can_be_set():
    made = Request(environ())
    made.host = "a.example:80"
    assert (made.host, made.environ["HTTP_HOST"]) == ("a.example", "a.example:80")


def test_the_headers_can_be_set():
    made = Request(environ(HTTP_X_A="1", CONTENT_TYPE="text/plain", CONTENT_LENGTH=""))
    del made.headers["X-A"]
    made.headers["X-B"] = "2"
    assert [name for name, _ in made.headers if name != "Host"] == ["Content-Type", "X-B"]
    made.headers = made.headers
    assert made.headers["X-B"] == "2"
    made.headers = {"X-C": "3"}
    assert made.headers.to_wsgi_list() == [("X-C", "3")]
    assert "CONTENT_TYPE" not in made.environ


def test_a_request_is_shown_without_its_body():
    made = Request(environ("/p", **posted(b"a=1")))
    assert str(made) == repr(made)
    assert made.environ["wsgi.input"].read() == b"a=1"


def test_a_field_is_set_in_the_environ():
    made = Request(environ())
    made.max_forwards = 3
    assert (made.max_forwards, made.environ["HTTP_MAX_FORWARDS"]) == (3, "3")
    del made.max_forwards
    assert "HTTP_MAX_FORWARDS" not in made.environ


WEBOB = [
    ("r.GET['a']", "1"),
    ("r.path_info", "/x"),
    ("r.script_name", "/root"),
    ("r.upath_info", "/x"),
    ("r.uscript_name", "/root"),
    ("r.path_url", "http://127.0.0.1/root/x"),
    ("r.application_url", "http://127.0.0.1/root"),
    ("r.body", b"b=2"),
    ("r.body_file.read()", b"b=2"),
    ("r.POST['b']", "2"),
    ("r.text", "b=2"),
    ("r.domain", "127.0.0.1"),
    ("r.path_qs", "/root/x?a=1"),
    ("r.accept.acceptable_offers(['text/html'])", [("text/html", 1.0)]),
    ("r.form.getall('b')", ["2"]),
    ("str(r.user_agent)", "x"),
    ("repr(r.args)", "MultiDict([('a', '1')])"),
    ("r.stream.read() + r.get_data()", b"b=2b=2"),
    ("r.access_control_request_headers", ["X-A", "X-B"]),
]


@pytest.mark.parametrize(("asked", "result"), WEBOB)
def test_webobs_names_work_too(asked, result):
    keys = posted(
        b"b=2",
        path="/x",
        SCRIPT_NAME="/root",
        QUERY_STRING="a=1",
        HTTP_USER_AGENT="x",
        HTTP_ACCEPT="text/html",
        HTTP_ACCESS_CONTROL_REQUEST_HEADERS="X-A, X-B",
    )
    assert outcome(Request, asked, keys) == result


@pytest.mark.parametrize("name", [*REQUEST, "minetype", "user"])
def test_what_neither_has_says_what_to_use(name):
    made = Request(environ())
    for use in (lambda: getattr(made, name), lambda: setattr(made, name, "x")):
        with pytest.raises(AttributeError, match=f"a request has no '{name}': "):
            use()


@pytest.mark.parametrize("name", ["path", "path_info", "upath_info", "script_name", "uscript_name", "url", "path_qs"])
def test_a_path_that_is_not_utf_8_is_no_error(name):
    made = Request(environ("/\xff", SCRIPT_NAME="/\xff"))
    assert ("%EF%BF%BD" if name == "path_qs" else "\ufffd") in getattr(made, name)


def test_a_path_that_is_set_reaches_the_application():
    hooks = Hooks()

    @hooks.before_request
    def rewrite():
        request.path_info, request.script_name = "/n\u00e9w", "/r"
        assert (request.path, request.script_root) == ("/n\u00e9w", "/r")

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [(environ["SCRIPT_NAME"] + environ["PATH_INFO"]).encode("latin-1")]

    assert ask(hooks, "/old", app).body.decode() == "/r/n\u00e9w"


def test_a_name_that_is_missing_is_a_400():
    hooks = Hooks()
    hooks.before_request(lambda: request.args["none"])
    assert ask(hooks).status == "400 BAD REQUEST"
    hooks = Hooks()
    hooks.before_request(lambda: request.args["none"])
    hooks.errorhandler(KeyError)(lambda error: "never: the code goes before the class")
    hooks.errorhandler(400)(lambda error: f"missing {error.code}")
    assert ask(hooks).body == b"missing 400"


def test_a_multidict_has_first_values():
    values = MultiDict([("a", 1), ("a", 2)])
    assert (values["a"], values.get("a"), values.getall("a"), dict(values)) == (1, 1, [1, 2], {"a": 1})


# -- the body --------------------------------------------------------------------------------------------------------

BIG = b"a=" + b"x" * 100_000
READS = [
    lambda: request.form["a"],
    lambda: request.get_data(),
    lambda: request.data,
    lambda: request.values["a"],
    lambda: request.get_json(force=True, silent=True),
    lambda: request.stream.read(1),
    lambda: request.files.get("f"),
    lambda: request.body,
    lambda: request.text,
    lambda: request.POST,
    lambda: [request.form, request.get_data(), request.form],
]


def echo(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))]


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("body", [b"a=1", BIG], ids=["small", "big"])
def test_what_a_hook_reads_is_left_for_the_application(read, body):
    hooks = Hooks()
    hooks.before_request(lambda: [read()].clear())
    assert ask(hooks, app=echo, **posted(body)).body == body


def test_a_request_of_ones_own_leaves_the_body_at_its_start():
    given = environ(**{key: value for key, value in posted(b"a=1").items() if key != "method"})
    assert (Request(given).form["a"], given["wsgi.input"].read()) == ("1", b"a=1")


def test_a_body_that_a_hook_sets_is_what_the_application_gets():
    hooks = Hooks()

    @hooks.before_request
    def replace():
        assert request.form["a"] == "1"
        request.body = b"a=two"
        assert request.form["a"] == "two"

    assert ask(hooks, app=echo, **posted(b"a=1")).body == b"a=two"


@given(
    st.binary(max_size=8)
    | st.lists(st.sampled_from([b"a", b"=", b"&", b";", b"+", b"%FF", b"%C3%A9", b"%", b"\xff"])).map(b"".join)
)
def test_a_form_is_read_as_flask_reads_it(body):
    asked = "list(r.form.items(multi=True)), r.data"
    assert outcome(Request, asked, posted(body)) == outcome(flask.Request, asked, posted(body))


def test_a_form_that_could_not_be_read_can_once_a_hook_has_mended_it():
    made = Request(
        environ(**{key: value for key, value in posted(PARTS, "multipart/form-data").items() if key != "method"})
    )
    assert (made.data, made.form.to_dict()) == (PARTS, {})
    made.environ["CONTENT_TYPE"] = FORM
    made.body = b"a=1"
    assert (made.data, made.form.to_dict()) == (b"", {"a": "1"})


def test_a_big_body_is_kept_as_a_file_with_lines():
    hooks = Hooks()
    hooks.before_request(lambda: g.setdefault("lines", len(list(request.stream))) and None)
    hooks.after_request(lambda response: response.headers.set("X-Lines", g.lines) or response)
    body = b"line\n" * 9000
    answer = ask(hooks, app=echo, **posted(body, "text/plain"))
    assert (answer.body, answer.get("X-Lines")) == (body, "9000")


def test_a_file_that_a_hook_reads_is_left_too():
    hooks = Hooks()

    @hooks.before_request
    def look():
        g.file = request.files["f"].file.read()

    hooks.after_request(lambda response: response.headers.set("X-File", g.file.decode()) or response)
    answer = ask(hooks, app=echo, **posted(PARTS, "multipart/form-data; boundary=x"))
    assert (answer.body, answer.get("X-File")) == (PARTS, "file")


def test_a_body_without_a_length_is_left_too():
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["wsgi.input"].read()]

    hooks = Hooks()
    hooks.before_request(lambda: g.setdefault("data", request.get_data()) and None)
    hooks.after_request(lambda response: response.headers.set("X-Data", g.data.decode()) or response)
    keys = {"wsgi.input_terminated": True, "wsgi.input": io.BytesIO(b"chunked"), "HTTP_TRANSFER_ENCODING": "chunked"}
    answer = serve(hooks.wrap(app), method="POST", lint=False, **keys)
    assert (answer.body, answer.get("X-Data")) == (b"chunked", "chunked")


def test_what_the_application_has_read_is_there_for_who_read_it_before():
    hooks = Hooks()
    hooks.before_request(lambda: request.get_data() and None)
    hooks.after_request(lambda response: response.headers.set("X-A", request.form["a"]) or response)
    assert ask(hooks, app=echo, **posted(b"a=1")).get("X-A") == "1"


def test_what_the_application_has_read_is_gone_for_others(caplog):
    hooks = Hooks()
    hooks.after_request(lambda response: response.headers.set("X-A", request.form["a"]) or response)
    assert ask(hooks, app=echo, **posted(b"a=1")).status == "500 INTERNAL SERVER ERROR"
    assert "a before_request hook that reads it keeps it" in caplog.text


def test_a_hook_that_reads_nothing_leaves_the_input_alone():
    hooks, seen = Hooks(), []
    hooks.before_request(lambda: seen.append((request.path, request.args, request.content_length)))
    given = io.BytesIO(b"a=1")
    answer = ask(hooks, app=echo, **posted(b"a=1", **{"wsgi.input": given}), lint=False)
    assert answer.environ["wsgi.input"] is given
    assert answer.environ.keys() <= {*environ(**posted(b"")).keys(), "REQUEST_METHOD", "PATH_INFO"}


def test_a_request_is_webobs():
    assert isinstance(Request(environ()), BaseRequest)
    assert Request.blank("/x?a=1").args["a"] == "1"


# -- cookies ---------------------------------------------------------------------------------------------------------

COOKIES = st.one_of(
    st.text('ab=;, \t"\\0123\n\x00\xc3\xa9\xff'),
    st.lists(st.sampled_from(["a=1", " a", "a=1,b=2", 'b="x;y"', 'c="\\303\\251"', "=", ' d = "e" ', '"', "\\"])).map(
        ";".join
    ),
)


def cookies(kind, field):
    return list(kind(environ(HTTP_COOKIE=field)).cookies.items(multi=True))


@given(COOKIES)
@example("a=1; a=2")
@example("a=1,b=2")
@example("a=\xc3\xa9")
@example('a="\\303"')
def test_cookies_are_read_as_werkzeug_reads_them(field):
    assert cookies(Request, field) == cookies(flask.Request, field)


@given(COOKIES, st.sampled_from("ab"), st.text(max_size=8))
def test_a_cookie_that_is_set_is_read_again_and_the_others_stay(field, name, value):
    made = Request(environ(HTTP_COOKIE=field))
    before = cookies(Request, field)
    made.cookies[name] = value
    after = cookies(flask.Request, made.environ["HTTP_COOKIE"])
    assert [pair for pair in after if pair[0] == name] == [(name, value)]
    assert [pair for pair in after if pair[0] != name] == [pair for pair in before if pair[0] != name]
    del made.cookies[name]
    assert name not in made.cookies
    assert cookies(flask.Request, made.environ["HTTP_COOKIE"]) == [pair for pair in before if pair[0] != name]


CHANGES = [
    (lambda cookies: cookies.update(b="2"), "a=1; a=2; c; b=2"),
    (lambda cookies: cookies.update(a="\u00e9;"), 'a="\\303\\251\\073"; c'),
    (lambda cookies: cookies.pop("a"), "c"),
    (lambda cookies: cookies.pop("none", None), "a=1; a=2; c"),
    (lambda cookies: cookies.setdefault("a", "3"), "a=1; a=2; c"),
    (lambda cookies: cookies.clear(), ""),
]


@pytest.mark.parametrize(("change", "field"), CHANGES)
def test_cookies_are_changed_in_the_environ(change, field):
    made = Request(environ(HTTP_COOKIE="a=1; a=2; c"))
    kept = made.cookies
    change(kept)
    assert (made.environ["HTTP_COOKIE"], dict(kept)) == (field, dict(made.cookies))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda cookies: cookies.pop("none"), KeyError),
        (lambda cookies: cookies.__delitem__("none"), KeyError),
        (lambda cookies: cookies.update({"a b": "1"}), TypeError),
        (lambda cookies: cookies.update(a=1), TypeError),
    ],
)
def test_a_change_of_cookies_that_cannot_be_is_an_error(change, error):
    made = Request(environ(HTTP_COOKIE="a=1"))
    with pytest.raises(error):
        change(made.cookies)
    assert made.environ["HTTP_COOKIE"] == "a=1"


def test_cookies_are_set_to_a_mapping():
    made = Request(environ(HTTP_COOKIE="a=1"))
    made.cookies = {"c": "3"}
    assert (made.environ["HTTP_COOKIE"], dict(made.cookies)) == ("c=3", {"c": "3"})


def test_credentials_are_a_value():
    """They can be compared and copied; items are found by name, and there is no order of them."""
    one, same, other = (Authorization.from_header(f"Bearer {token}") for token in "aab")
    assert one == same != other
    assert len({one, same, other}) == 2
    assert copy.copy(one) == copy.deepcopy(one) == one
    with pytest.raises(TypeError, match="not iterable"):
        iter(one)


def test_headers_are_no_mapping_so_that_others_ask_for_their_names():
    """Iteration gives pairs, and code that takes a Mapping iterates over names."""
    headers = Request(environ(HTTP_X_A="1", CONTENT_TYPE="")).headers
    assert not isinstance(headers, Mapping)
    headers.update(headers)
    headers.update({"X-B": "2"}, X_C="3")
    assert headers.setdefault("X-B", "4") == "2"
    copied = EnvironHeaders({})
    copied.update(headers)
    assert copied["X-B"] == "2"
    assert webob.Request.blank("/", headers=headers).headers["X-A"] == "1"
    assert headers == Request(headers.environ).headers != {}
    assert len(headers) == len([*headers]) == len(headers.keys())
    assert "x-b" in headers
    assert "X-B" in repr(headers)
    everything = [headers.popitem() for _ in range(len(headers))]
    assert ("X-B", "2") in everything
    with pytest.raises(KeyError, match="no field"):
        headers.popitem()

"""Forms: read as Flask reads them, within its limits, in linear time; a body that ends early; who owns `multipart`."""

from __future__ import annotations

import gc
import io
import subprocess
import sys
from types import ModuleType, SimpleNamespace

import flask
import multipart
import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.http import parse_options_header

from gateway import environ, serve
from hooked import ask
from middleware import ConfigError, Hooks, Stack
from middleware.hooks import ContextHooks, Request, g, request
from middleware.hooks.field_values import parameters
from middleware.hooks.http_errors import ERRORS
from middleware.hooks.request_forms import FileStorage
from serving import environment

BadRequest = ERRORS[400]
TooLarge = ERRORS[413]
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"


def part(head, content=b"1"):
    head = head if head.startswith(":") else f'Content-Disposition: form-data; name="a"{head}'
    return b"--b\r\n" + head.removeprefix(":").encode("latin-1") + b"\r\n\r\n" + content + b"\r\n"


def whole(*parts):
    return b"".join(parts) + b"--b--\r\n"


def posted(body, kind=MULTIPART, method="POST", **more):
    length = {"CONTENT_LENGTH": str(len(body))}
    return {"method": method, "CONTENT_TYPE": kind, "wsgi.input": io.BytesIO(body), **length, **more}


def plain(made):
    """All of a form, with what a file says of itself."""
    files = [
        (name, f.filename, f.name, f.content_type, f.mimetype, f.mimetype_params, f.content_length, bool(f), f.read())
        for name, f in made.files.items(multi=True)
    ]
    return list(made.form.items(multi=True)), files, made.data


def outcome(kind, body, content_type=MULTIPART, limits=None, **more):
    keys = posted(body, content_type, **more)
    made = kind(environ("/", keys.pop("method"), **keys))
    for name, limit in (limits or {}).items():
        setattr(made, name, limit)
    try:
        return plain(made)
    except Exception as error:  # noqa: BLE001 - compared
        return getattr(error, "code", None) or type(error)
    finally:
        if kind is flask.Request:
            made.close()


# -- as in Flask -----------------------------------------------------------------------------------------------------

FORMS = {
    "one": whole(part("")),
    "several": whole(part(""), part("", b"2"), part(":Content-Disposition: form-data; name=b")),
    "none": b"--b--",
    "empty": b"",
    "a preamble and an epilogue": b"to be ignored\r\n" + whole(part("")) + b"as well",
    "no name": whole(part(":Content-Disposition: form-data")),
    "an empty name": whole(part(':Content-Disposition: form-data; name=""')),
    "a name in UTF-8": whole(part(':Content-Disposition: form-data; name="\xc3\xa9"')),
    "a name that is no UTF-8": whole(part(':Content-Disposition: form-data; name="\xe9"')),
    "quoted-pairs": whole(part(':Content-Disposition: form-data; name="a\\"b\\\\c"')),
    "%22": whole(part(':Content-Disposition: form-data; name="a%22b%0D"')),
    "name*": whole(part(":Content-Disposition: form-data; name*=utf-8''%C3%A9")),
    "a file": whole(part('; filename="f.txt"\r\nContent-Type: Text/X; charset=latin-1', b"x\xff")),
    "a file without a type": whole(part('; filename="f.txt"')),
    "a file without a name": whole(part('; filename=""\r\nContent-Type: application/octet-stream', b"")),
    "a file with a length": whole(part('; filename="f"\r\nContent-Length: 1')),
    "filename*": whole(part("; filename*=UTF-8''%e2%82%ac.txt")),
    "filename* in latin-1": whole(part("; filename*=iso-8859-1'en'%A3.txt")),
    "filename* in another charset": whole(part("; filename*=koi8-r''%A3.txt")),
    "filename in parts": whole(part('; filename*0="a b"; filename*1=c.txt')),
    "filename* in parts": whole(part("; filename*0*=utf-8''%C3; filename*1*=%A9; filename*2=x")),
    "filename twice": whole(part("; filename*0=a; filename=b")),
    "a path of Windows": whole(part('; filename="C:\\dir\\f.txt"')),
    "latin-1": whole(part("\r\nContent-Type: text/plain; charset=ISO-8859-1", b"\xe9")),
    "utf-8": whole(part("\r\nContent-Type: text/plain; charset=utf-8", b"\xc3\xa9\xff")),
    "another charset": whole(part("\r\nContent-Type: text/plain; charset=utf-7", b"+AOk-")),
    "a line that goes on": whole(part(':Content-Disposition: form-data;\r\n name="a"')),
    "other fields": whole(part("\r\nX-Other: 1\r\nContent-Transfer-Encoding: base64", b"MQ==")),
    "no disposition": whole(part(":Content-Type: text/plain")),
    "content of line ends": whole(part("", b"\r\n\r\n--\r\n")),
    "content like an inner boundary": whole(part("", b"x--b\r\n-b\r\n--")),
    "truncated in the content": part("", b"1" * 20)[:-5],
    "truncated in the head": part("")[:20],
    "truncated before the end": part(""),
    "one part whole, one truncated": part("") + part("", b"22")[:-3],
    "nested multiparts": whole(
        part(
            "\r\nContent-Type: multipart/mixed; boundary=c0",
            b"".join(b"--c%d\r\nContent-Type: multipart/mixed; boundary=c%d\r\n\r\n" % (n, n + 1) for n in range(2000)),
        )
    ),
    "a big field": whole(part("", b"x" * 300_000)),
    "a big file": whole(part('; filename="f"', b"x" * 700_000)),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_what_it_is_in_flask(name):
    with flask.Flask("app").app_context():
        assert outcome(Request, FORMS[name]) == outcome(flask.Request, FORMS[name])


TYPES = [
    "multipart/form-data",
    "multipart/form-data; boundary=",
    'multipart/form-data; boundary=""',
    'multipart/form-data; boundary="b"',
    "Multipart/Form-Data ; Boundary=b",
    "multipart/form-data; boundary=c",
    "multipart/form-data; boundary=\xe9",
    'multipart/form-data; x="\\"; boundary=c"; boundary=b',
    "multipart/form-data; boundary*0=b",
    'multipart/form-data; boundary=b; x="' + ";" * 60_000,
    "multipart/form-data" + ";" * 60_000 + "boundary=b",
    "multipart/form-data; boundary" + " " * 60_000 + "=b; boundary=b",
    "multipart/mixed; boundary=b",
    "text/plain",
]


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind[:40])
def test_a_content_type_is_read_as_in_flask(kind):
    with flask.Flask("app").app_context():
        assert outcome(Request, whole(part("")), kind) == outcome(flask.Request, whole(part("")), kind)


URLENCODED = [b"a=1;b=2", b"a=1&a=2&&=3&b", b"a=%zz&b=%", b"a+b=c+d", b"\xff=1", b"a=%ff", b"a=%C3%A9", b"a=\xc3\xa9"]


@pytest.mark.parametrize("body", URLENCODED)
@pytest.mark.parametrize("kind", [FORM, f"{FORM}; charset=latin-1", f"{FORM.upper()};"])
def test_a_urlencoded_form_is_what_it_is_in_flask(body, kind):
    with flask.Flask("app").app_context():
        assert outcome(Request, body, kind) == outcome(flask.Request, body, kind)


@given(
    st.lists(
        st.sampled_from([*"ab*01=\"\\; '/\t\xe9,%", "utf-8", "iso-8859-1", "%E9", "%C3%A9", "%22", "a=", "*0", '="'])
    ).map("".join)
)
def test_parameters_are_what_they_are_in_werkzeug(text):
    assert parameters(f"value; {text}") == parse_options_header(f"value; {text}")[1]


LIMITS = [
    ("max_content_length", {"max_content_length": 10}, whole(part("")), MULTIPART),
    ("max_content_length, exactly", {"max_content_length": 3}, b"a=1", FORM),
    ("max_content_length of a urlencoded form", {"max_content_length": 2}, b"a=1", FORM),
    ("max_content_length of another body", {"max_content_length": 2}, b"{ }", "application/json"),
    ("a field over 500,000 bytes", {}, whole(part("", b"x" * 500_001)), MULTIPART),
    ("a field of 500,000 bytes", {}, whole(part("", b"x" * 500_000)), MULTIPART),
    ("fields over 500,000 bytes together", {}, whole(*[part("", b"x" * 300_000)] * 2), MULTIPART),
    ("a file over 500,000 bytes", {}, whole(part("; filename=f", b"x" * 600_000)), MULTIPART),
    ("a urlencoded form over 500,000 bytes", {}, b"a=" + b"x" * 500_001, FORM),
    ("1,000 parts", {}, whole(*[part("")] * 1000), MULTIPART),
    ("1,001 parts", {}, whole(*[part("")] * 1001), MULTIPART),
    ("1,001 fields of a urlencoded form", {}, b"&".join([b"a=1"] * 1001), FORM),
    ("max_form_parts", {"max_form_parts": 1}, whole(part(""), part("; filename=f")), MULTIPART),
]


@pytest.mark.parametrize(("limits", "body", "kind"), [case[1:] for case in LIMITS], ids=[case[0] for case in LIMITS])
def test_the_limits_are_flasks(limits, body, kind):
    with flask.Flask("app").app_context():
        assert outcome(Request, body, kind, limits) == outcome(flask.Request, body, kind, limits)


DIFFERENT = {
    # RFC 7578 4.8 wants CRLF; Werkzeug takes any line end.
    "line ends of Unix": (whole(part("")).replace(b"\r\n", b"\n"), ([], [], b"")),
    # RFC 7578 4.2: the disposition is form-data.
    "another disposition": (whole(part(":Content-Disposition: attachment; name=a")), ([], [], b"")),
    # RFC 2046 5.1.1: no line of a part begins with the boundary.
    "content like a boundary": (whole(part("", b"1\r\n--bc")), ([], [], b"")),
    "a line over 4 KiB": (whole(part("; x=" + "y" * 5000)), 413),
    "a line of 60 KB of semicolons": (whole(part('; x="' + ";" * 60_000)), 413),
    "nine lines": (whole(part("\r\nX: 1" * 8)), 413),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_the_library_is_stricter_than_flask(name):
    body, expected = DIFFERENT[name]
    assert outcome(Request, body) == expected


# -- the limits of a layer -------------------------------------------------------------------------------------------


def echo(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))]


def reading(kind, read, **options):
    """Hooks of either kind whose before_request hook reads."""
    hooks = kind(**options)
    hooks.before_request(lambda *_: [read()].clear())
    return hooks


OPTIONS = [
    ({"max_content_length": 10}, 413),
    ({"max_content_length": 1000}, 200),
    ({"max_form_memory_size": 10}, 413),
    ({"max_form_memory_size": 20}, 200),
    ({"max_form_memory_size": None}, 200),
    ({"max_form_parts": 1}, 413),
    ({"max_form_parts": 2}, 200),
    ({"max_form_parts": None}, 200),
]


@pytest.mark.parametrize("kind", [Hooks, ContextHooks])
@pytest.mark.parametrize(("options", "status"), OPTIONS)
def test_a_layer_limits_what_its_hooks_read(kind, options, status, caplog):
    body = whole(part("", b"x" * 20), part("; filename=f", b"y" * 50))
    hooks = reading(kind, lambda: request.form, **options)
    assert int(ask(hooks, app=echo, **posted(body)).status[:3]) == status
    assert not caplog.records


def test_a_limit_reaches_an_errorhandler_and_a_bound_request():
    hooks = reading(Hooks, lambda: request.form, max_form_parts=0)
    hooks.errorhandler(413)(lambda error: ("too much", 413))
    assert ask(hooks, **posted(whole(part("")))).body == b"too much"
    with hooks.request_context(environ(CONTENT_TYPE=MULTIPART)):
        assert (request.max_content_length, request.max_form_memory_size, request.max_form_parts) == (None, 500_000, 0)


def test_a_hook_sets_limits_for_its_request():
    hooks = Hooks(max_form_parts=0)

    @hooks.before_request
    def read():
        request.max_form_parts = 1
        assert request.form["a"] == "1"

    assert int(ask(hooks, app=echo, **posted(whole(part("")))).status[:3]) == 200


@pytest.mark.parametrize("kind", [Hooks, ContextHooks])
@pytest.mark.parametrize("option", ["max_content_length", "max_form_memory_size", "max_form_parts"])
@pytest.mark.parametrize("value", [-1, True, 1.5, "1"])
def test_a_limit_that_is_none_is_a_config_error(kind, option, value):
    with pytest.raises(ConfigError, match=f"{kind.__name__}: {option}: an int from 0 on, or None for no limit; got "):
        kind(**{option: value})


def test_hooks_with_other_limits_are_told_apart():
    hooks = Hooks(max_form_parts=5)
    assert repr(hooks) == "Hooks(max_form_parts=5)"
    assert hooks.named("Hooks") == hooks


# -- a body that ends early ------------------------------------------------------------------------------------------


def refused(error):
    """Try to get the body, which is refused."""
    with pytest.raises(error):
        request.get_data()


class Failing(io.BytesIO):
    """The input of a server that raises where the connection is lost."""

    def read(self, size=-1):
        data = super().read(size)
        if not data:
            raise ConnectionResetError("gone")
        return data


READS = {
    "get_json(silent=True)": ("application/json", lambda: request.get_json(silent=True)),
    "get_json(force=True, silent=True)": (FORM, lambda: request.get_json(force=True, silent=True)),
    "get_data()": (MULTIPART, lambda: request.get_data()),
    "data": ("text/plain", lambda: request.data),
    "data of a form": (FORM, lambda: request.data),
    "form": (FORM, lambda: request.form),
    "form of parts": (MULTIPART, lambda: request.form),
    "files": (MULTIPART, lambda: request.files),
    "values": (FORM, lambda: request.values),
    "stream": (FORM, lambda: request.stream),
    "text": ("text/plain", lambda: request.text),
    "POST": (FORM, lambda: request.POST),
    "body_file": ("text/plain", lambda: request.body_file.read()),
    "twice": ("text/plain", lambda: [refused(BadRequest), request.get_data()]),
}
GONE = {
    "three bytes": (io.BytesIO, b"{ }", {}),
    "no byte": (io.BytesIO, b"", {}),
    "an error": (Failing, b"{ }", {}),
    "an error of a body without a length": (
        Failing,
        b"{ }",
        {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
    ),
}


@pytest.mark.parametrize("kind", [Hooks, ContextHooks])
@pytest.mark.parametrize("gone", GONE)
@pytest.mark.parametrize("name", READS)
def test_a_client_that_leaves_is_a_400_and_no_error(kind, gone, name, caplog):
    content_type, read = READS[name]
    stream, sent, keys = GONE[gone]
    given = posted(sent, content_type, **{"CONTENT_LENGTH": "100", "wsgi.input": stream(sent), **keys})
    answer = serve(Stack(reading(kind, read)).wrap(echo), lint=False, **given)
    assert (answer.status[:3], caplog.records) == ("400", [])


def test_the_application_finds_a_body_that_ends_early_as_it_was():
    hooks, seen = Hooks(), []
    hooks.before_request(lambda: refused(BadRequest))

    def app(environ, start_response):
        start_response("200 OK", [])
        seen.append((environ["wsgi.input"].read(2), environ["wsgi.input"].readline(), environ["CONTENT_LENGTH"]))
        return [b""]

    serve(hooks.wrap(app), lint=False, **posted(b"1\n23\n4", CONTENT_LENGTH="100"))
    assert seen == [(b"1\n", b"23\n", "100")]


CHUNKED = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}


@pytest.mark.parametrize(("most", "status"), [(100_000, 200), (99_999, 413), (1, 413), (None, 200)])
def test_a_body_of_unknown_length_is_counted_as_it_is_read(most, status):
    hooks = reading(Hooks, lambda: request.data, max_content_length=most)
    answer = serve(hooks.wrap(echo), lint=False, **posted(b"x" * 100_000, "text/plain", **CHUNKED))
    assert int(answer.status[:3]) == status


def test_a_body_over_the_limit_is_whole_for_an_application_all_the_same():
    hooks = reading(Hooks, lambda: refused(TooLarge), max_content_length=1)
    body = b"x" * 100_000

    def app(environ, start_response):
        start_response("200 OK", [])
        return [environ["wsgi.input"].read()]

    assert serve(hooks.wrap(app), lint=False, **posted(body, "text/plain", **CHUNKED)).body == body
    assert serve(hooks.wrap(app), lint=False, **posted(body, "text/plain")).body == body


@pytest.mark.parametrize("length", ["", "0", "-1", "x", "+1", "1_0"])
def test_a_body_without_a_length_is_empty_and_the_environ_stays_as_it_is(length):
    given = io.BytesIO(b"abc")
    keys = environ("/", "POST", **{"CONTENT_LENGTH": length, "wsgi.input": given})
    made = Request(keys)
    assert (made.get_data(), made.stream.read()) == (b"", b"")
    assert (keys["wsgi.input"], keys["CONTENT_LENGTH"], given.read()) == (given, length, b"abc")


@pytest.mark.parametrize("length", ["9" * 19, "9" * 5000])
def test_a_body_shorter_than_a_length_of_many_digits_is_not_taken_for_an_empty_one(length):
    """The application could read what a hook that checks the body did not see."""
    assert outcome(Request, b"abc", "text/plain", CONTENT_LENGTH=length) == 400
    assert outcome(Request, b"abc", "text/plain", {"max_content_length": 10}, CONTENT_LENGTH=length) == 413


def test_a_length_with_leading_zeros_is_that_of_the_body():
    assert outcome(Request, b"abc", "text/plain", CONTENT_LENGTH="3".zfill(5000)) == ([], [], b"abc")


@pytest.mark.parametrize("coding", ["chunked", "Chunked", "gzip, chunked"])
def test_a_body_with_a_transfer_coding_ends_where_the_server_ends_it(coding):
    """RFC 9112 6.3: a Content-Length beside it is not looked at."""
    keys = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": coding, "CONTENT_LENGTH": "1"}
    assert outcome(Request, b"abc", "text/plain", **keys) == ([], [], b"abc")


def test_a_body_that_the_application_may_have_read_is_no_client_that_left(caplog):
    hooks = Hooks()
    hooks.before_request(lambda: request.path and None)
    hooks.after_request(lambda response: response.headers.set("X", len(request.data)) or response)
    assert int(ask(hooks, app=echo, **posted(b"a=1", "text/plain")).status[:3]) == 500
    assert "a before_request hook that reads it keeps it" in caplog.text


def test_json_that_is_nested_too_deeply_is_a_400(caplog):
    hooks = reading(Hooks, lambda: request.json)
    assert int(ask(hooks, **posted(b"[" * 200_000, "application/json")).status[:3]) == 400
    assert not caplog.records


# -- files -----------------------------------------------------------------------------------------------------------


def uploaded(content=b"one\ntwo\n"):
    made = Request(environ("/", **posted(whole(part('; filename="f.txt"\r\nContent-Type: text/X; a=b', content)))))
    return made.files["a"]


@pytest.mark.parametrize("content", [b"one\ntwo\n", b"x" * 600_000], ids=["small", "big"])
def test_a_file_is_saved_to_a_path_or_a_file(content, tmp_path):
    target = io.BytesIO()
    uploaded(content).save(tmp_path / "f")
    uploaded(content).save(str(tmp_path / "g"))
    uploaded(content).save(target)
    assert (tmp_path / "f").read_bytes() == (tmp_path / "g").read_bytes() == target.getvalue() == content


def test_a_file_is_read_like_any_and_has_webobs_names():
    file = uploaded()
    assert (file.readline(), list(file), file.seek(0), file.stream.read()) == (b"one\n", [b"two\n"], 0, b"one\ntwo\n")
    assert (file.file, file.type, file.value, file.read()) == (file.stream, "text/x", b"one\ntwo\n", b"")
    assert (file.headers["content-type"], file.readable(), file.seekable()) == ("text/X; a=b", True, True)
    assert repr(file) == "<FileStorage: 'f.txt' ('text/X; a=b')>"
    with pytest.raises(AttributeError):
        file.nothing  # noqa: B018 - raises
    file.close()
    assert file.stream.closed


def test_a_file_is_closed_with_the_last_reference_to_it():
    file = uploaded(b"x" * 600_000)
    held = file.stream._file  # what ResourceWarning would be about
    del file
    gc.collect()
    assert held.closed


def test_a_file_that_a_hook_sets_is_the_body():
    hooks = Hooks()

    @hooks.before_request
    def replace():
        request.body_file = io.BytesIO(b"new")
        assert request.get_data() == b"new"

    assert ask(hooks, app=echo, **posted(b"old!", "text/plain"), lint=False).body == b"new"


def test_a_file_without_a_length_has_none():
    assert FileStorage(io.BytesIO(), "f", "a", SimpleNamespace(get=lambda *_: "x")).content_length == 0


# -- linear ----------------------------------------------------------------------------------------------------------


def steps(read):
    """How many lines of Python run, of this package and of any library."""
    count = 0

    def trace(frame, event, argument):
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        read()
    finally:
        sys.settrace(before)
    return count


def form_of(body, kind=MULTIPART):
    return lambda: outcome(Request, body, kind)


def field_of(ask, **keys):
    return lambda: ask(Request(environ("/", **keys)))


GROWING = {
    "parameters of Content-Type": lambda n: form_of(whole(part("")), "multipart/form-data; boundary=b" + "; x=y" * n),
    "continuations": lambda n: form_of(whole(part("")), "multipart/form-data; boundary=b" + "; x*0=y" * n),
    "semicolons in parts": lambda n: form_of(whole(*[part('; x="' + ";" * 1000)] * (n // 100))),
    "lines that go on": lambda n: form_of(whole(*[part("\r\nX: y" + "\r\n z" * 1000)] * (n // 100))),
    "parts": lambda n: form_of(whole(*[part("")] * (n // 4))),
    "nested parts": lambda n: form_of(
        whole(part("\r\nContent-Type: multipart/mixed; boundary=c", b"--c\r\nA: b\r\n\r\n" * n))
    ),
    "a preamble": lambda n: form_of(b"\r\n--" * n + whole(part(""))),
    "line ends": lambda n: form_of(whole(part("", b"\r\n--" * n))),
    "a urlencoded form": lambda n: form_of(b"a&" * n, FORM),
    "args": lambda n: field_of(lambda made: made.args, QUERY_STRING="a=%ff&" * n),
    "cookies": lambda n: field_of(lambda made: made.cookies, HTTP_COOKIE='a="\\303' * n),
    "access_route": lambda n: field_of(lambda made: made.access_route, HTTP_X_FORWARDED_FOR="a," * n),
}


@pytest.mark.parametrize("name", GROWING)
def test_twice_as_much_takes_twice_the_steps(name):
    once, twice = (steps(GROWING[name](size)) for size in (1000, 2000))
    assert twice < 2.3 * once


# What is one string is found by one search: a step for each character would be one too many.
STRINGS = {
    "semicolons in Content-Type": lambda n: form_of(whole(part("")), 'multipart/form-data; boundary=b; x="' + ";" * n),
    "escapes in Content-Type": lambda n: form_of(whole(part("")), 'multipart/form-data; boundary=b; x="' + "\\" * n),
    "semicolons in a part": lambda n: form_of(whole(part('; x="' + ";" * n))),
    "quotes in Content-Type": lambda n: form_of(whole(part("")), 'multipart/form-data; boundary=b; x="' + '"' * n),
    "a boundary": lambda n: form_of(whole(part("")), "multipart/form-data; boundary=" + "b" * n),
}


@pytest.mark.parametrize("name", STRINGS)
def test_a_longer_string_takes_no_more_steps(name):
    once, twice = (steps(STRINGS[name](size)) for size in (1000, 2000))
    assert twice < 1.1 * once


# -- the library -----------------------------------------------------------------------------------------------------

READ = (
    "import io; from middleware.hooks import Request\n"
    "body = b'--b\\r\\nContent-Disposition: form-data; name=a\\r\\n\\r\\n1\\r\\n--b--'\n"
    "made = Request({'REQUEST_METHOD': 'POST', 'CONTENT_TYPE': 'multipart/form-data; boundary=b',\n"
    "                'CONTENT_LENGTH': str(len(body)), 'wsgi.input': io.BytesIO(body)})\n"
    "try: print(made.form.to_dict())\n"
    "except ImportError as error: print(error)\n"
)
REMEDY = 'pip install "multipart>=1.3,<3" "python-multipart>=0.0.13"'
# What python-multipart before 0.0.13 has, and from then on; and what there is without the library.
SHADOWS = {
    "old": "class FormParser: pass\n",
    "new, and multipart": (
        "import sys; from types import ModuleType\n"
        "from importlib.util import module_from_spec, spec_from_file_location\n"
        f"spec = spec_from_file_location('multipart', {multipart.__file__!r})\n"
        "module = sys.modules['multipart'] = module_from_spec(spec)\n"
        "spec.loader.exec_module(module)\n"
    ),
    "new, without multipart": (
        "import warnings\nwarnings.warn('Please use `import python_multipart` instead.', PendingDeprecationWarning)\n"
    ),
    "nothing": "raise ModuleNotFoundError('No module named multipart')\n",
}
SAID = {
    "old": "`import multipart` finds {}, which belongs to python-multipart or is too old",
    "new, and multipart": "{{'a': '1'}}",
    "new, without multipart": "`import multipart` fails",
    "nothing": "`import multipart` fails",
}


@pytest.mark.parametrize("name", SHADOWS)
def test_an_error_says_who_has_the_name_multipart_and_the_remedy(name, tmp_path):
    package = tmp_path / "multipart"
    package.mkdir()
    (package / "__init__.py").write_text(SHADOWS[name])
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{READ}"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True, env=environment()
    )
    assert SAID[name].format(package / "__init__.py") in done.stdout
    assert (REMEDY in done.stdout) == (name != "new, and multipart")


@pytest.mark.parametrize("found", [ModuleType("multipart"), None])
def test_the_error_is_raised_where_the_form_is_read_and_is_no_empty_form(monkeypatch, found):
    monkeypatch.setitem(sys.modules, "multipart", found)
    made = Request(environ("/", **posted(whole(part("")))))
    with pytest.raises(ImportError, match=r"python-multipart before 0\.0\.13 takes that name"):
        made.form  # noqa: B018 - raises
    assert made.get_data() == whole(part(""))
    assert Request(environ("/", **posted(b"a=1", FORM))).form["a"] == "1"


@pytest.mark.parametrize("module", ["middleware.hooks", "middleware.hooks.request_forms", "middleware"])
def test_hooks_are_imported_without_a_warning(module):
    program = f"from {module} import {'Hooks' if module != 'middleware.hooks.request_forms' else 'multipart'}"
    checked = "import sys, warnings; assert 'multipart' not in sys.modules; assert warnings.filters[0][0] == 'error'"
    command = [sys.executable, "-W", "error", "-c", f"{program}; {checked}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    assert (done.returncode, done.stderr) == (0, "")


def test_g_is_there_for_what_hooks_read():
    hooks = Hooks()
    hooks.before_request(lambda: g.setdefault("name", request.files["a"].filename) and None)
    hooks.after_request(lambda response: response.headers.set("X-Name", g.name) or response)
    body = whole(part("; filename=f"))
    assert (ask(hooks, app=echo, **posted(body)).get("X-Name")) == "f"

"""BodyLimit, and the counted input that it shares with other layers (RFC 9110 8.6 and 15.5.14, PEP 3333)."""

from __future__ import annotations

import io
from contextlib import nullcontext
from http import HTTPStatus

import django
import pytest
import webob
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.test.utils import override_settings
from django.urls import path
from flask import Flask, request
from hypothesis import given
from hypothesis import strategies as st

from bodies import ANSWERS, Wire, reading, swallowing
from gateway import environ, serve
from middleware import AccessLog, BodyLimit, BodyTooLarge, ConfigError, ContextHooks, Headers, Hooks, Middleware, Stack
from middleware.hooks import request as hooked
from middleware.wsgi.input import Input, counted, declared_length

LIMIT = 10
TOO_LARGE = "413"
HTTP_413 = f"413 {HTTPStatus(413).phrase}"


def known(body, length=None):
    return {"wsgi.input": Wire(body), "CONTENT_LENGTH": str(len(body)) if length is None else length}


def unknown(body):
    return {"wsgi.input": Wire(body, ends=True), "wsgi.input_terminated": True}


def sent(app, keys, **options):
    return serve(app, method="POST", lint=False, **keys, **options)


def limited(app, **options):
    return Stack(BodyLimit(max_bytes=LIMIT, **options)).wrap(app)


def test_a_limit_of_zero_lets_no_body_pass():
    app = Stack(BodyLimit(max_bytes=0)).wrap(reading())
    assert [sent(app, keys).status[:3] for keys in (known(b""), known(b"x"), unknown(b"x"))] == ["200", "413", "413"]


# -- what a length says ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "length"),
    [
        (None, -1),
        ("", -1),
        ("0", 0),
        ("10", 10),
        ("0" * 5000 + "7", 7),
        ("9" * 5000, 10**18),
        ("-1", None),
        ("+1", None),
        ("1 ", None),
        ("1, 1", None),
        ("1_0", None),
        ("0x1", None),
        ("\u0661", None),
        ("ten", None),
    ],
)
def test_a_content_length_is_digits_and_nothing_else(text, length):
    assert declared_length({} if text is None else {"CONTENT_LENGTH": text}) == length


def test_a_transfer_encoding_says_where_the_body_ends_and_the_length_does_not():
    """RFC 9112 6.3."""
    assert declared_length({"CONTENT_LENGTH": "5", "HTTP_TRANSFER_ENCODING": "chunked"}) == -1


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "status", "body"),
    [
        (known(b"x" * 10), "200", b"x" * 10),
        (known(b"x" * 11), TOO_LARGE, None),
        ({"wsgi.input": Wire(b"", ends=True), "CONTENT_LENGTH": "9" * 40}, TOO_LARGE, None),
        (known(b"x" * 9, "9x"), "400", None),
        (known(b"", "-1"), "400", None),
        (known(b"", "0"), "200", b""),
        (unknown(b"x" * 10), "200", b"x" * 10),
        (unknown(b"x" * 11), TOO_LARGE, None),
        (unknown(b""), "200", b""),
        # neither a length nor a server that ends it: PEP 3333 has no body there, and a read could wait forever
        ({"wsgi.input": Wire(b"x" * 5)}, "200", b""),
        ({"wsgi.input": Wire(b"x" * 5), "wsgi.input_terminated": False}, "200", b""),
        ({**unknown(b"x" * 11), "CONTENT_LENGTH": "5", "HTTP_TRANSFER_ENCODING": "chunked"}, TOO_LARGE, None),
        ({**known(b"x" * 5), "wsgi.input_terminated": True}, "200", b"x" * 5),
    ],
)
def test_bodies_up_to_the_limit_pass(keys, status, body):
    answer = sent(limited(reading()), keys)
    assert answer.status[:3] == status
    assert body is None or answer.body == body


def test_the_application_is_not_called_for_a_body_that_says_it_is_too_large():
    answer = sent(limited(lambda environ, start_response: pytest.fail("was called")), known(b"x" * 11))
    assert (answer.status[:3], answer.body) == ("413", b"The request body is larger than 10 bytes.\n")


@pytest.mark.parametrize(
    ("length", "keys", "dropped"),
    [
        (11, {}, 11),
        (64 * 1024, {}, 64 * 1024),
        (64 * 1024 + 1, {}, 0),  # part of it prevents no reset, and a client that lies is not waited for
        (11, {"HTTP_EXPECT": "100-Continue"}, 0),  # has not sent it yet (RFC 9110 10.1.1)
    ],
)
def test_of_a_refused_body_at_most_64_kib_are_read(length, keys, dropped):
    wire = Wire(b"x" * length)
    sent(limited(reading()), {"wsgi.input": wire, "CONTENT_LENGTH": str(length), **keys})
    assert length - len(wire.data) == dropped


@pytest.mark.parametrize("error", [OSError("reset"), ValueError("read of closed file")])
def test_a_connection_that_is_lost_while_a_refused_body_is_dropped_is_no_error(error):
    class Lost:
        def read(self, size):
            raise error

    assert sent(limited(reading()), {"wsgi.input": Lost(), "CONTENT_LENGTH": "11"}).status[:3] == "413"


@pytest.mark.parametrize("app", ANSWERS)
def test_whatever_the_application_answers_to_a_body_too_large_becomes_the_413(app):
    answer = sent(Stack(Headers(set={"X-Out": "1"}), BodyLimit(max_bytes=LIMIT)).wrap(app), unknown(b"x" * 11))
    assert (answer.status[:3], answer.body, answer.error) == (
        "413",
        b"The request body is larger than 10 bytes.\n",
        None,
    )
    assert sorted({name for name, _ in answer.headers} - {"Content-Length"}) == ["Content-Type", "Vary", "X-Out"]
    assert answer.get("Content-Length") in {None, "42"}


def in_flask():
    site = Flask("site")
    site.add_url_rule("/", view_func=lambda: request.get_data(), methods=["POST"])
    return site


def in_flask_form():
    site = Flask("site")
    site.add_url_rule("/", view_func=lambda: dict(request.form), methods=["POST"])
    return site


def in_django():
    urls = type("urls", (), {"urlpatterns": [path("", lambda request: HttpResponse(request.body))]})
    if not settings.configured:
        settings.configure(LOGGING_CONFIG=None)
        django.setup()

    def site(environ, start_response):
        with override_settings(ROOT_URLCONF=urls, ALLOWED_HOSTS=["*"]):
            return WSGIHandler()(environ, start_response)

    return site


def in_hooks():
    hooks = Hooks()
    hooks.before_request(lambda: hooked.get_data())
    return hooks.wrap(reading())


@pytest.mark.parametrize("site", [in_flask, in_flask_form, in_django, in_hooks])
def test_frameworks_that_make_an_answer_of_the_error_answer_413(site):
    """Werkzeug makes a 400 of it, Django an UnreadablePostError, Hooks a 400."""
    keys = {**unknown(b"a=" + b"x" * 50), "CONTENT_TYPE": "application/x-www-form-urlencoded"}
    keys |= {"CONTENT_LENGTH": "52", "HTTP_TRANSFER_ENCODING": "chunked"}  # Django reads no further than a length
    assert sent(limited(site()), keys).status[:3] == "413"


@pytest.mark.parametrize("kind", [Stack, "around a Hooks", "around a ContextHooks"])
def test_a_body_too_large_is_no_error_of_the_application(kind, caplog):
    """Neither a record of a level that wakes somebody, nor an exception for the layers that report them."""
    told = []

    class Watching(Middleware):
        def on_close(self, environ, error):
            told.append((environ["middleware.status"], error, environ.get("middleware.exception")))

    hooks = {"around a Hooks": Hooks, "around a ContextHooks": ContextHooks}.get(kind)
    app = reading() if hooks is None else hooks().wrap(reading())
    with caplog.at_level("DEBUG"):
        answer = sent(Stack(AccessLog(), Watching(), BodyLimit(max_bytes=LIMIT)).wrap(app), unknown(b"x" * 11))
    assert (answer.status[:3], told) == ("413", [(413, None, None)])
    assert {record.levelname for record in caplog.records if record.exc_info} == set()
    assert {record.name: record.levelname for record in caplog.records}["middleware.access"] == "WARNING"
    assert "ERROR" not in caplog.text
    refused = "Refused POST /: the request body is larger than 10 bytes"
    assert [record.message for record in caplog.records if record.name == "middleware"] == [refused] * (kind is Stack)


def test_the_answer_to_a_broken_body_has_the_status_of_the_error_where_no_layer_makes_another():
    """As an inner stack sees it, whose outer one has the limit."""
    seen = []

    class Seeing(Middleware):
        def on_response(self, environ, response):
            seen.append(response.status)

    inner = Stack(Seeing()).wrap(reading())
    answer = sent(BodyLimit(inner, max_bytes=LIMIT), {**unknown(b"x" * 11), "HTTP_ACCEPT": "application/json"})
    assert (seen, answer.status[:3]) == ([HTTP_413], "413")


def test_the_errorhandler_of_a_hooks_gets_a_body_too_large_by_its_code():
    hooks, got = Hooks(), []
    hooks.errorhandler(413)(lambda error: got.append(type(error)) or ("mine", 413))
    assert sent(limited(hooks.wrap(reading())), unknown(b"x" * 11)).status[:3] == "413"
    assert got == [BodyTooLarge]


def test_alone_the_error_is_raised():
    answer = sent(BodyLimit(reading(), max_bytes=LIMIT), unknown(b"x" * 11))
    assert isinstance(answer.error, BodyTooLarge)
    assert sent(BodyLimit(swallowing, max_bytes=LIMIT), unknown(b"x" * 11)).status[:3] == "413"


def test_a_response_that_has_begun_is_cut_off():
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"begun"
        yield environ["wsgi.input"].read()

    answer = sent(limited(app), unknown(b"x" * 11))
    assert (answer.status, answer.body) == ("200 OK", b"begun")
    assert isinstance(answer.error, BodyTooLarge)


def test_a_client_that_prefers_json_gets_a_problem():
    answer = sent(limited(swallowing), {**unknown(b"x" * 11), "HTTP_ACCEPT": "application/json"})
    assert answer.get("Content-Type") == "application/problem+json"
    assert b'"status": 413' in answer.body


def custom(environ, start_response):
    start_response("413 Content Too Large", [("Content-Type", "text/html"), ("X-Mine", "1"), ("Content-Length", "2")])
    return Closing()


class Closing:
    closed = 0

    def __iter__(self):
        return iter([b"n", b"o"])

    def close(self):
        Closing.closed += 1


@pytest.mark.parametrize("keys", [known(b"x" * 11), unknown(b"x" * 11)])
def test_an_application_of_ones_own_answers(keys):
    before = Closing.closed
    answer = sent(limited(swallowing, answer=custom), keys)
    assert (answer.status, answer.body, answer.get("X-Mine")) == ("413 Content Too Large", b"no", "1")
    assert Closing.closed == before + 1


def test_an_application_that_writes_may_answer():
    def writes(environ, start_response):
        start_response("413 No", [("Content-Type", "text/plain")])(b"written ")
        return [b"too"]

    assert sent(limited(swallowing, answer=writes), unknown(b"x" * 11)).body == b"written too"


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (known(b"x" * 11), "refused: 11 bytes, max_bytes is 10"),
        (known(b"", "1x"), "refused: Content-Length is malformed: '1x'"),
        (unknown(b"x" * 11), "refused: more than 10 bytes were read; replaces 400 Bad Request"),
    ],
)
def test_it_says_why(keys, said):
    notes = []
    sent(limited(swallowing), {**keys, "middleware.notes": notes})
    assert notes == [said]


def test_each_limit_counts_for_itself():
    """One around the application, another of a part of it; an environ may be used again."""
    app = Stack(BodyLimit(max_bytes=100), BodyLimit(max_bytes=5)).wrap(swallowing)
    answer = sent(app, unknown(b"x" * 6))
    assert answer.body == b"The request body is larger than 5 bytes.\n"
    again = environ(method="POST", **unknown(b"x"))
    for _ in range(2):
        again.update(unknown(b"x"))
        assert b"".join(limited(reading())(again, lambda *_: None)) == b"x"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"max_bytes": -1}, "BodyLimit: max_bytes: an int of 0 or more, in bytes; got -1"),
        ({"max_bytes": "1MB"}, "max_bytes: an int of 0 or more, in bytes; got '1MB'"),
        ({"max_bytes": True}, "max_bytes"),
        ({"max_bytes": 1, "answer": "no"}, "answer: a WSGI application"),
    ],
)
def test_bad_options_are_named(options, told):
    with pytest.raises(ConfigError, match=told.replace("(", r"\(")):
        BodyLimit(**options)


def test_a_limit_is_told_as_what_it_does():
    assert "answers a body of more than 10 bytes with a 413" in str(Stack(BodyLimit(max_bytes=10)))


# -- reading -----------------------------------------------------------------------------------------------------------

BODIES = st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r\n", b"def"]), max_size=12).map(b"".join)
READS = st.sampled_from(
    ["read", "readline", "readlines", "next", *(f"read {n}" for n in (0, 1, 3, 99)), "readline 2", "readlines 3"]
)


def step(body, how):
    """What one call gives."""
    name, _, size = how.partition(" ")
    if name == "next":
        return next(iter(body), b"")
    got = getattr(body, name)(*([int(size)] if size else []))
    return b"".join(got) if isinstance(got, list) else got


@pytest.mark.parametrize("left", [True, False])
@given(data=BODIES, reads=st.lists(READS, max_size=8))
def test_it_reads_as_the_file_does(left, data, reads):
    """Whatever is called in whatever order gives what io.BytesIO gives, and no more is asked for than there is."""
    plain = io.BytesIO(data)
    body = Input(Wire(data), len(data)) if left else Input(Wire(data, ends=True), 0, len(data))
    for how in [*reads, "read"]:
        assert step(body, how) == step(plain, how)


@given(data=BODIES, limit=st.integers(0, 20), reads=st.lists(READS, max_size=8))
def test_never_more_than_the_limit_reaches_the_application(data, limit, reads):
    """And the error comes exactly where there is more; then it comes again."""
    body, got = Input(Wire(data, ends=True), 0, limit), b""
    with pytest.raises(BodyTooLarge) if len(data) > limit else nullcontext() as raised:
        for how in [*reads, "read"]:
            got += step(body, how)
    assert data.startswith(got)
    assert len(got) <= limit
    if raised is None:
        assert got == data
    else:
        with pytest.raises(BodyTooLarge) as again:
            body.read(1)
        assert str(again.value) == str(raised.value)


@pytest.mark.parametrize("arguments", [(None,), (-1,), ()])
def test_all_is_read_without_a_size(arguments):
    assert Input(Wire(b"ab\nc"), 4).read(*arguments) == b"ab\nc"
    assert Input(Wire(b"ab\nc"), 4).readline(*arguments) == b"ab\n"
    assert Input(Wire(b"ab\nc"), 4).readlines(*arguments) == [b"ab\n", b"c"]


def test_a_request_of_webob_can_be_sent_again():
    def app(environ, start_response):
        return webob.Response(webob.Request(environ).body)(environ, start_response)

    request = webob.Request.blank("/", method="POST", body=b"content")
    assert [request.get_response(limited(app)).body for _ in range(2)] == [b"content"] * 2


def test_a_client_that_goes_away_leaves_a_short_body():
    assert Input(io.BytesIO(b"abc"), 10).read() == b"abc"


def test_a_request_without_a_file_has_an_empty_body():
    assert counted({}, 5, None).read() == b""


def test_a_body_of_unknown_length_has_no_end_of_its_own():
    body = counted({"wsgi.input": io.BytesIO(b"x" * 70_000), "wsgi.input_terminated": True}, -1, None)
    assert len(body.read()) == 70_000


def test_what_a_server_hangs_on_its_file_is_found_and_what_would_read_uncounted_is_not():
    class Hung(io.BytesIO):
        rfile = "the socket"

    body = Input(Hung(b"x"), 1)
    assert body.rfile == "the socket"
    for name in ("readinto", "read1", "getvalue", "seek", "peek", "stream2"):
        assert not hasattr(body, name)
    assert not hasattr(Input.__new__(Input), "stream")

"""Compress and Gzip: what is encoded and what is left alone, and that every field tells the truth about it."""

from __future__ import annotations

import io
import os
import sys
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from wsgiref.util import FileWrapper

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gateway
from content_of import DECODERS, content, decode
from gateway import serve
from middleware import (
    Compress,
    ConfigError,
    Effects,
    Gzip,
    Headers,
    Middleware,
    OrderWarning,
    Stack,
    Timing,
    match,
)
from middleware.http.lists import has_directive
from shapes import Body, Failure

TEXT = b"hello, world\n" * 400
NOISE = os.urandom(5000)
CODINGS = ["gzip", "br", "zstd"]
PLAIN = ("Content-Type", "text/plain")


class Subclass(Gzip):
    """Somebody's own, which goes the way of any layer."""


# The ways through the pipeline that a response may take.
WAYS = {
    "alone": lambda app, **options: Gzip(app, **options),
    "stack": lambda app, **options: Stack(Headers(set={"X-Out": "1"}), Gzip(**options)).wrap(app),
    "watched": lambda app, **options: Stack(Timing(on_complete=print), Gzip(**options)).wrap(app),
    "conditional": lambda app, **options: Gzip(**options).when(match.path("/")).wrap(app),
    "subclass": lambda app, **options: Subclass(app, **options),
}
SIZED = {"list": lambda data: [data], "lists": lambda data: [data[:9], b"", data[9:]], "tuple": lambda data: (data,)}
STREAMS = {
    "generator": lambda data: (chunk for chunk in (data[:50], b"", data[50:])),
    "file": lambda data: FileWrapper(io.BytesIO(data), 64),
}
every_way = pytest.mark.parametrize("way", WAYS)
every_coding = pytest.mark.parametrize("coding", CODINGS)


def answering(body=(TEXT,), *lines, status="200 OK", content_type="text/plain", **keys):
    """An application. `body`: the iterable, or what makes it from environ; `keys`: what it puts there."""
    fields = [("Content-Type", content_type)] if content_type else []

    def app(environ, start_response):
        environ.update(keys)
        start_response(status, [*fields, *lines])
        return body(environ) if callable(body) else body

    return app


def get(app, accept="gzip", **extra):
    if accept is not None:
        extra["HTTP_ACCEPT_ENCODING"] = accept
    return serve(app, **extra)


def fields(answer, *but):
    """The fields, in no order, less those."""
    return sorted(line for line in answer.headers if line[0].lower() not in but)


# -- what is left alone ----------------------------------------------------------------------------------------------

LEFT_ALONE = [
    # status, Content-Type, lines, whether another request could get it encoded
    ("103 Early Hints", "text/plain", [], False),
    ("204 No Content", None, [], False),
    ("205 Reset Content", "text/plain", [], False),
    ("206 Partial Content", "text/plain", [("Content-Range", "bytes 0-99/5200"), ("Accept-Ranges", "bytes")], True),
    ("206 Partial Content", "Multipart/ByteRanges; boundary=x", [("ETag", '"x"')], True),
    ("206 Partial Content", "image/png", [("Content-Range", "bytes 0-99/5200")], False),
    ("206 Partial Content", "text/plain", [("Content-Range", "bytes 0-9/52"), ("Content-Encoding", "br")], False),
    ("206 Partial Content", "text/plain", [("Cache-Control", "no-transform")], False),
    ("304 Not Modified", None, [("ETag", '"x"'), ("Cache-Control", "max-age=5")], True),
    ("304 Not Modified", "text/plain", [], True),
    ("304 Not Modified", "image/png", [("ETag", '"x"')], False),
    ("304 Not Modified", None, [("Cache-Control", "no-transform")], False),
    ("304 Not Modified", None, [("Content-Encoding", "br")], False),
    ("304 Not Modified", None, [("Content-Length", "1023"), ("Accept-Ranges", "bytes")], True),
    ("416 Range Not Satisfiable", "text/plain", [("Content-Range", "bytes */47")], False),
    ("200 OK", "text/plain", [("Content-Range", "bytes 0-99/100")], False),
    ("200 OK", "text/plain", [("Content-Encoding", "br")], False),
    ("200 OK", "text/plain", [("content-encoding", "x-own, gzip"), ("ETag", '"x"'), ("Accept-Ranges", "none")], False),
    ("200 OK", "text/plain", [("Content-Encoding", "identity"), ("Content-Encoding", "br")], False),
    ("200 OK", "text/plain", [("Signature-Input", 'a=("etag")'), ("Signature", "a=:AA==:")], False),
    ("200 OK", "text/plain", [("Cache-Control", "no-transform")], False),
    ("200 OK", "text/plain", [("Cache-Control", "public"), ("cache-control", "NO-Transform, max-age=1")], False),
    ("200 OK", "text/plain", [("Cache-Control", "no-transform"), ("Vary", "Cookie")], False),
    ("200 OK", "text/plain", [("X-Sendfile", "/a"), ("Vary", "Cookie"), ("ETag", '"x"')], False),
    ("304 Not Modified", "text/plain", [("X-Accel-Redirect", "/a"), ("ETag", '"x"')], False),
    ("200 OK", None, [], False),
    ("200 OK", "image/png", [("Digest", "sha-256=AA")], False),
    ("200 OK", "text", [], False),
    ("200 OK", "text/event-stream; charset=utf-8", [], False),
    ("200 OK", "text/plain", [("Content-Type", "text/html")], False),
    ("404 Not Found", "application/zip", [], False),
]


@every_way
@pytest.mark.parametrize("accept", ["gzip", "identity;q=0, gzip", "identity"])
@pytest.mark.parametrize("row", LEFT_ALONE)
def test_what_is_left_alone(way, accept, row):
    """Byte for byte, line for line, but for Vary: the very list goes out, whoever asks."""
    status, content_type, lines, varies = row
    body = [TEXT] if status[:3] not in ("103", "204", "205", "304") else []
    if "Content-Length" in dict(lines) and "identity;q=0" in accept:
        return  # below the minimum, which does not count for who refuses identity
    app = answering(body, *lines, status=status, content_type=content_type)
    answer = get(WAYS[way](app), accept, lint=False)
    sent = [("Content-Type", content_type)] * (content_type is not None) + lines
    vary = [("Vary", "Accept-Encoding")] * varies
    assert fields(answer, "x-out", "server-timing") == sorted([*sent, *vary])
    assert (answer.status, answer.body) == (status, b"".join(body))
    if way != "watched":
        assert answer.result is body or not body


@every_way
@pytest.mark.parametrize("form", [*SIZED, *STREAMS])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "name",
    [
        *("X-Sendfile", "x-sendfile2", "X-SENDFILE-TEMPORARY", "X-Accel-Redirect", "X-LIGHTTPD-send-file"),
        *("X-LIGHTTPD-send-tempfile", "X-LiteSpeed-Location", "X-Reproxy-URL", "X-REPROXY-FILE", "X-Reproxy-Service"),
    ],
)
def test_what_the_server_in_front_replaces_is_left_alone(way, form, method, name):
    """Whatever it is, it is not sent, and what is sent instead must not be taken for encoded."""
    body = {**SIZED, **STREAMS}[form]
    answer = get(WAYS[way](answering(lambda _: body(TEXT), (name, "/a"))), "gzip, identity;q=0", method=method)
    assert fields(answer, "x-out", "server-timing", "content-length") == sorted([PLAIN, (name, "/a")])
    assert answer.body == (TEXT if method == "GET" else b"")


@every_way
@pytest.mark.parametrize("value", ["identity", " Identity "])
def test_a_content_encoding_that_says_nothing_is_taken_out(way, value):
    """That is for Accept-Encoding alone (RFC 9110 12.5.3); the application said how it wants to be sent."""
    for content_type in ("text/plain", "image/png"):
        app = answering([TEXT], ("Content-Encoding", value), content_type=content_type)
        answer = get(WAYS[way](app), lint=False)
        assert fields(answer, "x-out", "server-timing") == [("Content-Type", content_type)]
        assert answer.body == TEXT


@every_way
@pytest.mark.parametrize("text", [TEXT, b"small"], ids=["large", "small"])
def test_the_application_opts_out(way, text):
    answer = get(WAYS[way](answering((text,), **{"middleware.compress": False})), lint=False)
    assert (answer.body, fields(answer, "x-out", "server-timing")) == (text, [PLAIN])


@every_way
def test_an_opt_out_is_of_one_response(way):
    """Small responses are alike but for that, and what has been found out about one must not be used for the other."""
    app = WAYS[way](lambda *request: answering([b"small"], **request[0]["test.keys"])(*request))
    for opted in (False, True, False, True):
        answer = get(app, lint=False, **{"test.keys": {"middleware.compress": False} if opted else {}})
        assert answer.get("Vary") == (None if opted else "Accept-Encoding")


@pytest.mark.parametrize("value", [True, None, 0, "no"])
def test_only_false_is_an_opt_out(value):
    assert get(Gzip(answering(**{"middleware.compress": value}))).get("Content-Encoding") == "gzip"


@pytest.mark.parametrize("way", ["alone", "stack"])
def test_an_application_may_opt_out_until_it_returns(way):
    def app(environ, start_response):
        start_response("200 OK", [PLAIN, ("Content-Length", "5200")])
        environ["middleware.compress"] = False
        return [TEXT]

    assert get(WAYS[way](app)).get("Content-Encoding") is None


@pytest.mark.parametrize("accept", [None, "", "identity", "br", "gzip;q=0", "x", "deflate", "identity;q=0", "*;q=0"])
@pytest.mark.parametrize("body", [[TEXT], Body([TEXT])], ids=["sized", "stream"])
def test_who_takes_none_gets_the_content_as_it_is(accept, body):
    lines = [("ETag", '"x"'), ("Accept-Ranges", "bytes"), ("Repr-Digest", "sha-256=:AA==:"), ("Content-Length", "5200")]
    answer = get(Gzip(answering(body, *lines)), accept, lint=False)
    assert answer.headers == [PLAIN, *lines, ("Vary", "Accept-Encoding")]
    assert answer.result is body


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("no-transform", True),
        ("NO-TRANSFORM", True),
        ("max-age=1,no-transform", True),
        ("no-transform , private", True),
        ('private="set-cookie, x", no-transform', True),
        ("no-transform=1", True),
        (",,no-transform", True),
        ("max-age=1; no-transform", True),
        ('max-age="1, no-transform', True),
        ('x="no-transform', True),
        ('x="a\\", no-transform', True),
        ('x="a\\\\", no-transform', True),
        ('no-"x"transform', False),
        ('"a" no-transform', True),
        ('"' * 60_001 + "no-transform", True),
        ('\\"' * 60_000, False),
        ("", False),
        ("my-no-transform", False),
        ("no-transform-x", False),
        ("no-transforms", False),
        ('x="no-transform"', False),
        ('x="a, no-transform, b"', False),
        ('x="a\\", no-transform, \\"b"', False),
        ('"no-transform"', False),
        ('"a\\", no-transform"', False),
        ("x=no-transform", False),
        ('x = "no-transform"', False),
        ("no-trans form", False),
    ],
)
def test_a_directive_is_one_of_the_list(value, found):
    """Not a part of a name, nor what is quoted; what is malformed counts for the directive (RFC 9111 5.2)."""
    assert has_directive(value, "no-transform") is found
    assert (get(Gzip(answering([TEXT], ("Cache-Control", value)))).get("Content-Encoding") is None) is found


# -- size ------------------------------------------------------------------------------------------------------------


@every_way
@pytest.mark.parametrize("accept", ["gzip", "identity;q=0, gzip"])
@pytest.mark.parametrize(("size", "worth"), [(99, False), (100, True), (101, True), (0, False)])
@pytest.mark.parametrize("form", [*SIZED, *STREAMS, *(f"{form} declared" for form in (*SIZED, *STREAMS))])
def test_minimum_size_is_the_first_that_is_encoded(way, accept, size, worth, form):
    """Where the size is known, and identity is not refused; a stream of unknown length is, unless it is empty."""
    form, _, declared = form.partition(" ")
    make = {**SIZED, **STREAMS}[form]
    length = [("Content-Length", str(size))] * bool(declared)
    answer = get(WAYS[way](answering(lambda _: make(b"x" * size), *length), minimum_size=100), accept)
    known = declared or form in SIZED
    empty = size == 0 and form == "file"  # the generator yields three chunks of nothing
    encoded = worth or not (known or empty) or "identity;q=0" in accept
    assert answer.get("Content-Encoding") == ("gzip" if encoded else None)
    assert content(answer) == b"x" * size
    assert answer.get_all("Vary") == ["Accept-Encoding"]
    if encoded:
        assert answer.get_all("Content-Length") == [str(len(answer.body))] * (form in SIZED)


class Django:
    """Yields the chunks of a list, as Django's HttpResponse does."""

    def __iter__(self):
        return iter([b"", b""])


EMPTY = {"iterator": lambda: Body([]), "list": lambda: iter([b""]), "tuple": lambda: iter((b"",)), "django": Django}


@every_way
@every_coding
@pytest.mark.parametrize("make", EMPTY.values(), ids=EMPTY)
@pytest.mark.parametrize("declared", [None, "5000"])
def test_a_stream_that_is_empty_is_not_encoded(way, coding, make, declared):
    """There is nothing to make smaller; a length that the application declared shows what is missing."""
    lines = [("ETag", '"x"'), *([("Content-Length", declared)] if declared else [])]
    wrap = WAYS[way] if coding == "gzip" else Compress
    answer = get(wrap(answering(lambda _: make(), *lines)), coding, lint=declared is None)
    said = [PLAIN, ("ETag", '"x"'), ("Vary", "Accept-Encoding"), ("Content-Length", declared or "0")]
    assert (fields(answer, "x-out", "server-timing"), answer.body) == (sorted(said), b"")


@every_coding
def test_an_empty_stream_is_encoded_for_who_refuses_identity(coding):
    answer = get(Compress(answering(Body([]))), f"{coding}, identity;q=0")
    assert (answer.get("Content-Encoding"), answer.get("Content-Length"), content(answer)) == (coding, None, b"")


def test_nothing_is_waited_for_behind_an_empty_chunk():
    """What comes after it may take its time (PEP 3333: one value for each of the application)."""
    body, heads = Body([b"", TEXT]), []
    app = Gzip(answering(body))
    result = iter(app(gateway.environ(HTTP_ACCEPT_ENCODING="gzip"), lambda *head: heads.append(head)))
    assert (body.pulled, dict(heads[0][1])["Content-Encoding"]) == (1, "gzip")
    assert (next(result), body.pulled) == (b"", 1)
    assert DECODERS["gzip"]().decompress(b"".join(result)) == TEXT


def test_what_an_inner_layer_adds_to_an_empty_stream_is_encoded():
    class Ending:
        def feed(self, chunk):
            return chunk

        def finish(self):
            return b"the end"

    class Ends(Middleware):
        effects = Effects(rewrites_body=True)

        def on_response(self, environ, response):
            return Ending()

    answer = get(Stack(Gzip(), Ends()).wrap(answering(Body([]))))
    assert (answer.get("Content-Encoding"), content(answer)) == ("gzip", b"the end")


@every_way
@pytest.mark.parametrize("length", [[], [("Content-Length", "5200")]], ids=["unknown", "declared"])
@pytest.mark.parametrize("before", [[], [b""], [b"", b""]])
@pytest.mark.parametrize("after", [[TEXT], []], ids=["content", "none"])
def test_a_head_that_is_replaced_in_the_first_chunk_is_looked_at_again(way, length, before, after):
    """PEP 3333, "Error Handling": nothing has gone out, so an error page may take the place of the page."""

    def page(start_response):
        yield from before
        try:
            raise Failure
        except Failure:
            start_response("500 Internal Server Error", [PLAIN, ("ETag", '"e"')], sys.exc_info())
        yield from after

    def app(environ, start_response):
        start_response("200 OK", [PLAIN, *length])
        return page(start_response)

    answer = get(WAYS[way](app), lint=False)
    assert (answer.status, content(answer)) == ("500 Internal Server Error", b"".join(after))
    coded = bool(after or before)  # an empty chunk has the head go out at once
    assert answer.get_all("Content-Encoding") == ["gzip"] * coded
    assert answer.get_all("ETag") == ['"e-gzip"' if coded else '"e"']
    assert len(answer.get_all("X-Out")) <= 1


@pytest.mark.parametrize(("saved", "encoded"), [(1, True), (0, False), (-1, False)])
def test_one_byte_less_is_smaller_and_as_many_are_not(saved, encoded):
    layer = Gzip()
    layer._encoding.encode["gzip"] = lambda data: bytes(len(data) - saved)
    assert (get(layer.wrap(answering())).get("Content-Encoding") == "gzip") == encoded


def test_two_layers_that_encode_do_so_once():
    """Against the rule: the outer one sees that it is done already."""
    app = Stack(Headers(set={"X": "1"}), Gzip(), Compress(codings="gzip")).wrap(answering(), waive="encode-once")
    answer = get(app, "gzip, identity;q=0")
    assert (answer.get_all("Content-Encoding"), content(answer)) == (["gzip"], TEXT)


@pytest.mark.parametrize("names", [("content-length",), ("Content-Length", "CONTENT-LENGTH"), ("Content-Length",) * 2])
def test_a_content_length_of_any_spelling_and_number_gives_way_to_the_right_one(names):
    said = [(name, str(len(TEXT))) for name in names]
    answer = get(Gzip(answering([TEXT], *said, ("X-Kept", "1"))), lint=False)
    assert answer.get_all("Content-Length") == [str(len(answer.body))]
    assert (answer.get("Content-Encoding"), answer.get("X-Kept")) == ("gzip", "1")


@every_coding
@pytest.mark.parametrize(("data", "smaller"), [(b"", False), (b"x" * 9, False), (NOISE, False), (TEXT, True)])
def test_what_does_not_get_smaller_is_sent_as_it_is(coding, data, smaller):
    """Unless the client takes nothing else."""
    lines = [("ETag", '"x"'), ("Accept-Ranges", "bytes"), ("Content-Digest", "sha-256=:AA==:")]
    app = Compress(answering([data], *lines), minimum_size=0)
    answer = get(app, coding)
    assert answer.get("Content-Encoding") == (coding if smaller else None)
    assert content(answer) == data
    if not smaller:
        assert answer.headers == [PLAIN, *lines, ("Vary", "Accept-Encoding")]
    forced = get(app, f"{coding}, identity;q=0")
    assert (forced.get("Content-Encoding"), content(forced)) == (coding, data)
    assert forced.get("Content-Length") == str(len(forced.body))


@pytest.mark.parametrize("length", ["5200, 5200", "x", "-1", "+9", "9" * 5000, "1e3", ""])
def test_a_content_length_that_is_none_decides_nothing(length):
    """RFC 9110 8.6: an application that says nonsense gets a stream encoded all the same."""
    answer = get(Gzip(answering(lambda _: iter([TEXT]), ("Content-Length", length))), lint=False)
    assert (answer.get("Content-Encoding"), content(answer), answer.get("Content-Length")) == ("gzip", TEXT, None)


def test_two_lines_of_content_length_decide_nothing_either():
    lines = [("Content-Length", "9"), ("content-length", "9")]
    assert get(Gzip(answering([TEXT], *lines)), lint=False).get_all("Content-Length") != ["9", "9"]


# -- fields of what is encoded ---------------------------------------------------------------------------------------


@every_way
@pytest.mark.parametrize("form", [*SIZED, *STREAMS])
def test_what_is_said_of_other_bytes_is_not_said_any_more(way, form):
    """Every line that was, in order, and the new ones behind, but for a length, which may stay in its place."""
    gone = ["Content-Length", "Accept-Ranges", "content-md5", "Content-Digest", "REPR-DIGEST", "Digest"]
    kept = [("X-Before", "1"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Cache-Control", "immutable")]
    lines = [*kept, *((name, "5200") for name in gone), ("Content-Digest", "again"), ("Last-Modified", "x")]
    make = {**SIZED, **STREAMS}[form]
    answer = get(WAYS[way](answering(lambda _: make(TEXT), *lines)), lint=False)
    length = [("Content-Length", str(len(answer.body)))] * (form in SIZED)
    sent = [PLAIN, *kept, ("Last-Modified", "x"), ("Content-Encoding", "gzip"), *length, ("Vary", "Accept-Encoding")]
    told = [line for line in answer.headers if line[0] not in ("X-Out", "Server-Timing")]
    assert sorted(told) == sorted(sent)
    assert [line for line in told if line not in length] == [line for line in sent if line not in length]
    assert content(answer) == TEXT


@pytest.mark.parametrize(
    ("lines", "vary"),
    [
        ([], "Accept-Encoding"),
        (["Cookie"], "Cookie, Accept-Encoding"),
        (["accept-encoding"], "accept-encoding"),
        (["Cookie", "Accept-Encoding, Origin"], "Cookie, Accept-Encoding, Origin"),
        (["Do-Not-Accept-Encoding"], "Do-Not-Accept-Encoding, Accept-Encoding"),
        (["available-dictionary, accept-encoding"], "available-dictionary, accept-encoding"),
        (["*"], "*"),
        (["Cookie", "*"], "*"),
        ([""], "Accept-Encoding"),
    ],
)
@pytest.mark.parametrize("accept", ["gzip", "br", None])
@pytest.mark.parametrize("status", ["200 OK", "304 Not Modified", "206 Partial Content", "412 Precondition Failed"])
def test_vary_names_accept_encoding_once(lines, vary, accept, status):
    body = [] if status[:3] == "304" else [TEXT]
    app = answering(body, *(("Vary", value) for value in lines), status=status, content_type="text/plain")
    assert get(Gzip(app), accept, lint=False).get_all("Vary") == [vary]


@pytest.mark.parametrize("vary", [[], [("Vary", "Cookie")]], ids=["no-vary", "vary"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_layer_further_out_finds_the_fields_that_there_are(vary, method):
    """What it asks for by name is what is sent, and setting a field again does not double it."""

    class Asks(Middleware):
        def on_response(self, environ, response):
            assert "Content-Encoding" in response.headers
            assert "Accept-Ranges" not in response.headers
            for name, value in [*response.headers]:
                response.headers[name] = value

    lines = [*vary, ("Accept-Ranges", "bytes"), ("ETag", '"x"')]
    app = Stack(Asks(), Gzip(), Headers(set={"X-In": "1"}, remove="X-No")).wrap(answering([TEXT], *lines))
    answer = get(app, method=method)
    assert answer.status == "200 OK"
    names = [name.lower() for name, _ in answer.headers]
    length = ["content-length"] * (method == "GET")
    assert sorted(names) == sorted(["content-type", "content-encoding", "etag", "vary", "x-in", *length])


def test_a_layer_further_out_may_set_vary_again():
    """Also where nothing was encoded, and a layer further in has looked at every name."""

    class Sets(Middleware):
        def on_response(self, environ, response):
            response.headers["Vary"] = "Origin"

    app = Stack(Sets(), Gzip(), Headers(set={"X-In": "1"}, remove="X-No")).wrap(answering())
    assert get(app, "identity").get_all("Vary") == ["Origin"]


@every_coding
@pytest.mark.parametrize("status", ["201 Created", "404 Not Found", "500 Internal Server Error", "999 Own"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_method_and_status_make_no_difference(coding, status, method):
    answer = get(Compress(answering([TEXT], status=status)), coding, method=method)
    assert (answer.status, answer.get("Content-Encoding"), content(answer)) == (status, coding, TEXT)


def test_a_500_of_the_stack_is_encoded_for_who_refuses_identity():
    def app(environ, start_response):
        raise Failure

    answer = get(Stack(Timing(), Gzip()).wrap(app), "gzip, identity;q=0")
    assert (answer.status[:3], answer.get("Content-Encoding")) == ("500", "gzip")
    assert content(answer) == b"Internal Server Error\n"


def test_a_500_before_the_layer_saw_the_request_is_encoded_too():
    class Fails(Middleware):
        def on_request(self, environ):
            raise Failure

    answer = get(Stack(Fails(), Gzip()).wrap(answering()), "gzip, identity;q=0")
    assert (answer.status[:3], answer.get("Content-Encoding")) == ("500", "gzip")


# -- HEAD ------------------------------------------------------------------------------------------------------------


@every_way
@pytest.mark.parametrize("coding", ["gzip", "gzip, identity;q=0", "identity"])
@pytest.mark.parametrize("data", [TEXT, NOISE, b"short"], ids=["text", "noise", "short"])
@pytest.mark.parametrize("form", [*SIZED, *STREAMS])
@pytest.mark.parametrize("declared", [True, False], ids=["declared", "undeclared"])
def test_head_gets_the_fields_of_get(way, coding, data, form, declared):
    """Less Content-Length, and no content (RFC 9110 9.3.2)."""
    lines = [("ETag", '"x"'), ("Accept-Ranges", "bytes")] + [("Content-Length", str(len(data)))] * declared
    make = {**SIZED, **STREAMS}[form]
    app = WAYS[way](answering(lambda _: make(data), *lines))
    got, headed = get(app, coding), get(app, coding, method="HEAD")
    varying = ("content-length", "server-timing")
    assert fields(headed, *varying) == fields(got, *varying)
    assert headed.body == b""
    if headed.get("Content-Encoding"):
        assert headed.get("Content-Length") is None


@every_way
@pytest.mark.parametrize("empty", [list, tuple, lambda: [b""], lambda: iter(())], ids=["list", "tuple", "b", "iter"])
@pytest.mark.parametrize("length", [None, 1023, 1024])
def test_head_without_content_is_what_its_content_length_says(way, empty, length):
    """An application that leaves the content out of a HEAD has not said that it is short."""
    lines = [("ETag", '"x"')] + [("Content-Length", str(length))] * (length is not None)
    answer = get(WAYS[way](answering(lambda _: empty(), *lines)), method="HEAD")
    found = [answer.get(name) for name in ("Content-Encoding", "ETag", "Content-Length")]
    assert found == ([None, '"x"', "1023"] if length == 1023 else ["gzip", '"x-gzip"', None])


@pytest.mark.parametrize("make", [list, lambda: [b""], lambda: iter(())], ids=["list", "b", "iter"])
def test_head_of_content_that_is_declared_empty_gets_the_fields_of_get(make):
    app = Compress(answering(lambda _: make(), ("ETag", '"x"'), ("Content-Length", "0")), minimum_size=0)
    got, headed = get(app), get(app, method="HEAD")
    assert fields(headed) == fields(got)
    assert headed.get("Content-Encoding") is None
    assert get(app, "gzip, identity;q=0").get("Content-Encoding") == "gzip"


# -- entity tags -----------------------------------------------------------------------------------------------------


@every_coding
@pytest.mark.parametrize("form", ["list", "generator"])
@pytest.mark.parametrize(
    ("tag", "suffix", "weak"),
    [
        ('"x"', '"x-{}"', 'W/"x"'),
        ('""', '"-{}"', 'W/""'),
        ('"a,b\\"', '"a,b\\-{}"', 'W/"a,b\\"'),
        ('"\xe4"', '"\xe4-{}"', 'W/"\xe4"'),
        ('"x-gzip"', '"x-gzip-{}"', 'W/"x-gzip"'),
        ('W/"x"', 'W/"x"', 'W/"x"'),
        ("x", None, None),
        ('"x', None, None),
        ('"a b"', None, None),
        ('"a", "b"', None, None),
        ("", None, None),
    ],
)
def test_an_encoded_response_has_a_tag_of_its_own(coding, form, tag, suffix, weak):
    """Strong tags change, weak ones stay, and what is none cannot be shared (RFC 9110 8.8.3.3)."""
    make = {**SIZED, **STREAMS}[form]
    app = answering(lambda _: make(TEXT), ("ETag", tag))
    for options, wanted in [({}, suffix), ({"etag": "weak"}, weak), ({"breach_padding": 9}, weak)]:
        answer = get(Compress(app, **options), coding)
        assert answer.get_all("ETag") == ([] if wanted is None else [wanted.format(coding)])
        assert get(Compress(app, **options), "identity").get("ETag") == tag


class Setting(Middleware):
    """Sets fields, and removes those whose value is None."""

    def __init__(self, **fields):
        super().__init__()
        self.fields = fields

    def on_response(self, environ, response):
        for name, value in self.fields.items():
            del response.headers[name]
            if value is not None:
                response.headers[name] = value


@pytest.mark.parametrize("tag", ['"x"', 'W/"x"', "x"])
@pytest.mark.parametrize("accept", ["gzip", "identity"])
@pytest.mark.parametrize("empty", [list, lambda: iter(())], ids=["list", "stream"])
@pytest.mark.parametrize(("field", "value"), [("ETag", None), ("ETag", '"own"'), ("Content-Encoding", "own")])
def test_what_outer_layers_make_of_the_head_of_an_empty_body_stays(field, value, empty, accept, tag):
    app = answering(lambda _: empty(), ("ETag", tag))
    answer = get(Stack(Setting(**{field: value}), Gzip()).wrap(app), accept)
    assert (answer.get(field), answer.body) == (value, b"")


def test_an_empty_stream_has_the_tag_of_the_application():
    for tag in ('"x"', 'W/"x"'):
        answer = get(Gzip(answering(lambda _: iter(()), ("ETag", tag))))
        assert (answer.get("ETag"), answer.get("Content-Encoding")) == (tag, None)


def test_two_tags_are_none():
    answer = get(Gzip(answering([TEXT], ("ETag", '"a"'), ("Etag", '"b"'))))
    assert answer.get_all("ETag") == []


class Seen:
    """Answers with what it is told to, and keeps what the request looked like inside and, when it is over, outside."""

    KEYS = ("HTTP_IF_NONE_MATCH", "HTTP_IF_MATCH", "HTTP_IF_RANGE", "HTTP_RANGE", "HTTP_IF")

    def __init__(self, app, layer):
        self.app, self.inside, self.outside = app, None, None
        seen = self

        class Outside(Middleware):
            def on_response(self, environ, response):
                seen.outside = seen.kept(environ)

        self.stack = Stack(Outside(), layer).wrap(self)

    def kept(self, environ):
        return {name: environ[name] for name in self.KEYS if name in environ}

    def __call__(self, environ, start_response):
        self.inside = self.kept(environ)
        return self.app(environ, start_response)


DATE = "Sun, 21 Oct 2007 23:21:47 GMT"


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize(
    ("accept", "said", "inside"),
    [
        ("gzip", {"HTTP_IF_NONE_MATCH": '"x-gzip"'}, {"HTTP_IF_NONE_MATCH": '"x"'}),
        ("gzip", {"HTTP_IF_NONE_MATCH": '"x-br", W/"y-zstd" , "z"'}, {"HTTP_IF_NONE_MATCH": '"x", W/"y" , "z"'}),
        (None, {"HTTP_IF_NONE_MATCH": '"x-gzip"'}, {"HTTP_IF_NONE_MATCH": '"x"'}),
        ("gzip", {"HTTP_IF_NONE_MATCH": '"x"'}, {"HTTP_IF_NONE_MATCH": '"x"'}),
        ("gzip", {"HTTP_IF_NONE_MATCH": "*"}, {"HTTP_IF_NONE_MATCH": "*"}),
        ("gzip", {"HTTP_IF_NONE_MATCH": "x-gzip"}, {"HTTP_IF_NONE_MATCH": "x-gzip"}),
        ("gzip", {"HTTP_IF_MATCH": '"x-gzip"'}, {"HTTP_IF_MATCH": '"x"'}),
        ("gzip", {"HTTP_IF_MATCH": "*"}, {"HTTP_IF_MATCH": "*"}),
        (
            "gzip",
            {"HTTP_IF_MATCH": '"x-gzip"', "HTTP_IF_NONE_MATCH": '"y-br"'},
            {"HTTP_IF_MATCH": '"x"', "HTTP_IF_NONE_MATCH": '"y"'},
        ),
        ("gzip", {"HTTP_IF": '</a> (["x-gzip"] <urn:t>)'}, {"HTTP_IF": '</a> (["x"] <urn:t>)'}),
        (None, {"HTTP_IF": '([W/"x-gzip"]) (Not ["y-br"])'}, {"HTTP_IF": '([W/"x"]) (Not ["y"])'}),
        ("gzip", {"HTTP_IF": '(["x"])'}, {"HTTP_IF": '(["x"])'}),
        (
            "gzip",
            {"HTTP_IF": '(["x-gzip"])', "HTTP_IF_MATCH": '"x-gzip"'},
            {"HTTP_IF": '(["x"])', "HTTP_IF_MATCH": '"x"'},
        ),
        ("gzip", {"HTTP_RANGE": "bytes=0-1"}, {"HTTP_RANGE": "bytes=0-1"}),
        ("gzip", {"HTTP_RANGE": "bytes=0-1", "HTTP_IF_RANGE": '"x-gzip"'}, {}),
        ("gzip", {"HTTP_RANGE": "bytes=0-1", "HTTP_IF_RANGE": 'W/"x-gzip"'}, {}),
        (None, {"HTTP_RANGE": "bytes=0-1", "HTTP_IF_RANGE": '"x-br"'}, {}),
        ("gzip", {"HTTP_IF_RANGE": '"x-gzip"'}, {}),
        (
            "gzip",
            {"HTTP_RANGE": "bytes=0-1", "HTTP_IF_RANGE": '"x"'},
            {"HTTP_RANGE": "bytes=0-1", "HTTP_IF_RANGE": '"x"'},
        ),
        (
            "gzip",
            {"HTTP_RANGE": "bytes=0-1", "HTTP_IF_RANGE": ' W/"x"'},
            {},
        ),
        ("gzip", {"HTTP_RANGE": "bytes=0-1", "HTTP_IF_RANGE": DATE}, {}),
        (
            "br",
            {"HTTP_RANGE": "bytes=0-1", "HTTP_IF_RANGE": DATE},
            {"HTTP_RANGE": "bytes=0-1", "HTTP_IF_RANGE": DATE},
        ),
        (
            "gzip",
            {"HTTP_RANGE": "bytes=0-1", "HTTP_IF_RANGE": DATE, "HTTP_IF_NONE_MATCH": '"x-gzip"'},
            {"HTTP_IF_NONE_MATCH": '"x"'},
        ),
    ],
)
def test_conditions_reach_the_application_as_it_knows_them(accept, said, inside, conditional):
    """And are for everybody else what the client said."""
    layer = Gzip().when(match.path("/")) if conditional else Gzip()
    for body in ([TEXT], Body([TEXT])):
        seen = Seen(answering(body), layer)
        answer = get(seen.stack, accept, **said)
        assert (seen.inside, seen.outside, seen.kept(answer.environ)) == (inside, said, said)
        assert not [name for name in answer.environ if name.startswith("middleware.coding")]


@pytest.mark.parametrize(
    ("said", "inside"),
    [
        ({"HTTP_IF_NONE_MATCH": 'W/"x", "y-gzip"'}, {"HTTP_IF_NONE_MATCH": 'W/"x", "y-gzip"'}),
        ({"HTTP_IF": '(["y-gzip"])'}, {"HTTP_IF": '(["y-gzip"])'}),
        ({"HTTP_RANGE": "bytes=0-1", "HTTP_IF_RANGE": DATE}, {}),
    ],
)
@pytest.mark.parametrize("options", [{"etag": "weak"}, {"breach_padding": 1}])
def test_where_tags_are_made_weak_none_has_a_suffix(said, inside, options):
    seen = Seen(answering(), Gzip(**options))
    get(seen.stack, **said)
    assert (seen.inside, seen.outside) == (inside, said)


@every_way
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(
    "row",
    [
        ("304 Not Modified", "gzip", "HTTP_IF_NONE_MATCH", '"x-gzip"', '"x-gzip"'),
        ("304 Not Modified", "gzip", "HTTP_IF_NONE_MATCH", '"x"', '"x"'),
        ("304 Not Modified", None, "HTTP_IF_NONE_MATCH", '"x-gzip"', '"x-gzip"'),
        ("304 Not Modified", "gzip", "HTTP_IF_NONE_MATCH", '"x", "x-br", "x-gzip"', '"x-gzip"'),
        ("304 Not Modified", None, "HTTP_IF_NONE_MATCH", '"x-gzip", "x"', '"x"'),
        ("304 Not Modified", "gzip", "HTTP_IF_NONE_MATCH", "*", '"x"'),
        ("304 Not Modified", "gzip", "HTTP_IF_MODIFIED_SINCE", DATE, '"x"'),
        ("304 Not Modified", "gzip", "HTTP_IF_MATCH", '"x-gzip"', '"x-gzip"'),
        ("412 Precondition Failed", "gzip", "HTTP_IF_NONE_MATCH", '"x-br"', '"x-br"'),
        ("412 Precondition Failed", "gzip", "HTTP_IF_MATCH", '"y-gzip"', '"x-gzip"'),
        ("412 Precondition Failed", "gzip", "HTTP_IF_MATCH", '"y"', '"x"'),
        ("412 Precondition Failed", None, "HTTP_IF_MATCH", '"y-br"', '"x"'),
    ],
)
def test_the_client_gets_back_the_tag_that_it_knows(way, late, row):
    """A 304 updates what is stored by that tag, and no other (RFC 9111 4.3.4)."""
    status, accept, condition, said, tag = row

    def app(environ, start_response):
        start_response(status, [("ETag", '"x"')])
        yield from ()

    app = app if late else answering([], ("ETag", '"x"'), status=status, content_type=None)
    answer = get(WAYS[way](app), accept, lint=False, **{condition: said})
    assert (answer.status, answer.get_all("ETag"), answer.body) == (status, [tag], b"")


@pytest.mark.parametrize(
    ("said", "tag"),
    [
        ('W/"x"', 'W/"x"'),
        ('"aW/"x"', '"x"'),
        ('"y", W/"x"', 'W/"x"'),
        ('"x"', '"x"'),
        ('W/"xx"', '"x"'),
        (None, '"x"'),
        ("*", '"x"'),
    ],
)
def test_a_304_has_a_weak_tag_where_the_client_listed_that(said, tag):
    extra = {} if said is None else {"HTTP_IF_NONE_MATCH": said}
    app = answering([], ("ETag", '"x"'), status="304 Not Modified", content_type=None)
    assert get(Gzip(app, etag="weak"), **extra).get_all("ETag") == [tag]


@every_way
def test_a_412_is_encoded_but_its_tag_is_about_other_content(way):
    app = answering([TEXT], ("ETag", '"x"'), status="412 Precondition Failed")
    for said, tag in [('"y-gzip"', '"x-gzip"'), ('"y"', '"x"')]:
        answer = get(WAYS[way](app), HTTP_IF_MATCH=said, method="PUT")
        assert (answer.get("Content-Encoding"), answer.get_all("ETag"), content(answer)) == ("gzip", [tag], TEXT)


@every_way
@pytest.mark.parametrize(
    ("accept", "length", "kept"),
    [("gzip", "5200", False), ("gzip", "1023", True), ("identity;q=0, gzip", "1023", False), ("br", "5200", True)],
)
def test_a_304_says_nothing_of_the_content_as_it_is_to_who_has_it_encoded(way, accept, length, kept):
    """It would end in what is stored (RFC 9110 8.6, RFC 9111 3.2)."""
    lines = [("Content-Length", length), ("Accept-Ranges", "bytes"), ("Content-Digest", "sha-256=:AA==:")]
    fixed = [("ETag", '"x"'), ("Cache-Control", "max-age=1")]
    app = answering([], *fixed, *lines, status="304 Not Modified", content_type=None)
    answer = get(WAYS[way](app), accept)
    sent = [*fixed, *(lines if kept else []), ("Vary", "Accept-Encoding")]
    assert fields(answer, "x-out", "server-timing") == sorted(sent)


@pytest.mark.parametrize("inner", [None, Gzip, lambda: Gzip(etag="weak")], ids=["the-same", "another", "a-weak-one"])
def test_a_stack_in_a_stack_gives_back_the_tag_as_well(inner):
    """Also where it is the very same layer, or one that took the place of another in memory."""
    app = answering([], ("ETag", '"x"'), status="304 Not Modified", content_type=None)
    layer = Gzip()
    wrapped = (inner() if inner else layer).wrap(app)
    seen = Seen(wrapped, layer if inner is None else Gzip())
    said = {"HTTP_IF_NONE_MATCH": '"x-gzip"', "HTTP_IF_RANGE": '"x-gzip"', "HTTP_RANGE": "bytes=0-1"}
    answer = get(seen.stack, **said)
    assert (answer.get_all("ETag"), answer.get_all("Vary")) == (['"x-gzip"'], ["Accept-Encoding"])
    assert (seen.outside, seen.kept(answer.environ)) == (said, said)


def test_a_range_alone_hidden_further_out_comes_back_too():
    layer = Gzip()
    said = {"HTTP_IF_RANGE": DATE, "HTTP_RANGE": "bytes=0-1"}
    seen = Seen(layer.wrap(answering()), layer)
    assert (content(get(seen.stack, **said)), seen.outside, seen.inside) == (TEXT, said, {})


def test_an_environ_that_is_used_again_after_an_error_is_the_clients():
    """Whoever tries again has the application see the same, and the client what it knows."""
    tries = []

    def app(environ, start_response):
        tries.append(environ["HTTP_IF_NONE_MATCH"])
        if len(tries) == 1:
            raise Failure
        return answering([], ("ETag", '"x"'), status="304 Not Modified", content_type=None)(environ, start_response)

    layer = Gzip(app)

    def again(environ, start_response):
        try:
            return layer(environ, start_response)
        except Failure:
            return layer(environ, start_response)

    answer = get(again, HTTP_IF_NONE_MATCH='"x-gzip"')
    assert (tries, answer.get("ETag")) == (['"x"', '"x"'], '"x-gzip"')


# -- codings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "accept", "coding"),
    [
        ({}, "gzip, br, zstd", "zstd"),
        ({}, "gzip, br", "br"),
        ({}, "gzip;q=0.9, br;q=0.8", "gzip"),
        ({}, "X-GZip", "gzip"),
        ({}, "*", "zstd"),
        ({}, "*;q=0.5, br", "br"),
        ({}, "identity, gzip;q=0.9", None),
        ({}, "gzip;q=2, br", "br"),
        ({}, "dcb, dcz, deflate, compress", None),
        ({"codings": ("gzip", "br")}, "zstd, br, gzip", "gzip"),
        ({"codings": "br"}, "zstd, br, gzip", "br"),
        ({"codings": iter(["br"])}, "br", "br"),
    ],
)
def test_the_client_and_then_the_server_choose(options, accept, coding):
    answer = get(Compress(answering(), **options), accept)
    assert (answer.get("Content-Encoding"), content(answer)) == (coding, TEXT)
    assert answer.get_all("Vary") == ["Accept-Encoding"]


@pytest.mark.parametrize("accept", ["identity;q=0", "*;q=0", "br, identity;q=0", "*;q=0, br"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@every_way
def test_who_takes_nothing_gets_406_where_that_is_asked_for(way, method, accept):
    """Before the application runs; every layer puts its fields on it."""
    seen = []
    answer = get(WAYS[way](lambda *_: seen.append(1), not_acceptable="406"), accept, method=method)
    assert (answer.status, seen) == ("406 Not Acceptable", [])
    assert (answer.get("Vary"), answer.get("Content-Encoding")) == ("Accept-Encoding", None)
    assert answer.get("Content-Length") == str(len(answer.body) or 62)


@pytest.mark.parametrize("accept", [None, "", "gzip", "br", "gzip, identity;q=0", "*", "*;q=0, identity"])
def test_who_takes_something_does_not(accept):
    assert content(get(Gzip(answering(), not_acceptable="406"), accept)) == TEXT


def test_what_the_application_gets_of_the_request_is_all_of_it():
    """Its body may be encoded: that is the application's (RFC 9110 8.4). The client's wishes are not ours to read."""
    said = {
        "HTTP_CONTENT_ENCODING": "gzip",
        "HTTP_CACHE_CONTROL": "no-transform",
        "HTTP_AVAILABLE_DICTIONARY": ":AA==:",
        "HTTP_ACCEPT_ENCODING": "gzip, dcb",
    }
    seen = {}

    def app(environ, start_response):
        seen.update(environ)
        return answering([environ["wsgi.input"].read(2)] * 900)(environ, start_response)

    answer = serve(Gzip(app), **said, **{"wsgi.input": io.BytesIO(b"\x1f\x8b")})
    assert said.items() <= seen.items()
    assert content(answer)[:2] == b"\x1f\x8b"


@pytest.mark.parametrize("accept", ["gzip", "br", "gzip, br"])
@pytest.mark.filterwarnings("ignore::middleware.OrderWarning")
def test_two_encode_once(accept):
    app = Stack(Compress(codings="br"), Gzip()).wrap(answering([TEXT], ("ETag", '"x"')))
    answer = get(app, accept)
    coding = "br" if accept == "br" else "gzip"
    assert (answer.get_all("Content-Encoding"), content(answer)) == ([coding], TEXT)
    assert (answer.get_all("ETag"), answer.get_all("Vary")) == ([f'"x-{coding}"'], ["Accept-Encoding"])


@every_coding
def test_the_same_body_gives_the_same_bytes_unless_they_are_padded(coding):
    for make in (lambda _: [TEXT], lambda _: iter([TEXT])):
        bodies = {get(Compress(answering(make)), coding).body for _ in range(3)}
        assert len(bodies) == 1
        padded = [get(Compress(answering(make), breach_padding=512), coding) for _ in range(20)]
        assert len({len(answer.body) for answer in padded}) > 1


def test_levels_are_those_of_each_coding():
    sizes = [
        [len(get(Compress(answering(), levels={coding: level}), coding).body) for level in levels]
        for coding, levels in {"br": (0, 11), "gzip": (0, 9)}.items()
    ]
    sizes.append([len(get(Gzip(answering(), level=level)).body) for level in (0, 9)])
    assert all(low > high for low, high in sizes)


def test_content_types_are_those_that_are_asked_for():
    app = Gzip(content_types=["application/x-own", "image/*", "+own"])
    found = [
        get(app.wrap(answering(content_type=kind))).get("Content-Encoding")
        for kind in ("Application/X-Own; a=b", "image/png", "a/b+own", "text/plain", "application/json")
    ]
    assert found == ["gzip", "gzip", "gzip", None, None]


# -- streams ---------------------------------------------------------------------------------------------------------


@every_way
@every_coding
@pytest.mark.parametrize(
    ("flush", "declared", "at_once"),
    [
        ("auto", False, True),
        ("auto", True, False),
        ("always", True, True),
        ("always", False, True),
        ("never", False, False),
        ("never", True, False),
    ],
)
def test_when_a_chunk_goes_out(way, coding, flush, declared, at_once):
    """One value for each of the application, and if flushed, what a client can decode at once (PEP 3333)."""
    lines = [("Content-Length", "2000")] * declared
    body = Body([b"a" * 1000, b"", b"b" * 1000])
    if coding == "gzip":
        app = WAYS[way](answering(body, *lines), flush=flush)
    else:
        app = Compress(answering(body, *lines), flush=flush)
    iterable = app(gateway.environ(HTTP_ACCEPT_ENCODING=coding), lambda *_: None)
    decoder, found = DECODERS[coding](), []
    result = iter(iterable)
    for pulled, length in [(1, 1000), (2, 1000), (3, 2000)]:
        chunk = next(result)
        found.append(decoder.decompress(chunk) if chunk else b"")
        assert body.pulled == pulled
        assert (sum(map(len, found)) == length) is at_once
    found += [decoder.decompress(chunk) for chunk in result if chunk]
    assert (b"".join(found), decoder.eof) == (b"a" * 1000 + b"b" * 1000, True)
    iterable.close()
    iterable.close()
    assert body.closed == 1


@every_way
@pytest.mark.parametrize("flush", ["auto", "never"])
def test_what_is_written_comes_before_what_is_iterated(way, flush):
    def app(environ, start_response):
        write = start_response("200 OK", [PLAIN, ("ETag", '"x"')])
        write(b"one,")
        write(b"")
        write(b"two,")
        return Body([b"three,", b"four"])

    answer = get(WAYS[way](app, flush=flush))
    assert content(answer) == b"one,two,three,four"
    assert answer.get("Content-Encoding") == "gzip"
    if flush == "auto":
        assert decode(b"".join(answer.written), "gzip") == (b"one,two,", False)


@every_way
def test_a_file_that_is_not_encoded_is_the_servers(way):
    """So that it may send it by itself; an encoded one is read in the blocks that it was made for."""
    for content_type, untouched in [("image/png", True), ("text/plain", False)]:
        file = io.BytesIO(TEXT)
        wrapper = FileWrapper(file, 100)
        app = WAYS[way](answering(wrapper, content_type=content_type))
        answer = get(app, lint=False)
        assert (answer.result is wrapper) is untouched
        assert (content(answer), file.closed) == (TEXT, True)
        assert len(answer.chunks) == 52 + (not untouched)


@every_way
@pytest.mark.parametrize("chunk", ["text", 5])
def test_what_is_no_bytes_leaves_no_whole_body(way, chunk):
    """What came before is out; the server gets the error, and the client sees that the end is missing."""
    body = Body([b"x" * 9, chunk, b"never"])
    answer = get(WAYS[way](answering(body)), lint=False)
    assert answer.error is not None
    assert decode(answer.body, "gzip") == (b"x" * 9, False)
    assert body.closed == 1


@every_way
@pytest.mark.parametrize("chunk", ["text", 5])
@pytest.mark.parametrize("make", [list, Body])
def test_what_is_no_bytes_at_first_is_an_error_in_time(way, chunk, make):
    answer = get(WAYS[way](answering(make([chunk] * 2)), minimum_size=0), lint=False)
    assert (answer.status[:3] == "500") is (way in ("stack", "watched"))
    assert answer.error is not None or answer.get("Content-Encoding") is None


@every_coding
@pytest.mark.parametrize("stop", [1, 2])
def test_a_client_that_goes_away_is_no_error(coding, stop):
    body = Body([TEXT, TEXT, TEXT])
    answer = get(Compress(answering(body)), coding, stop_after=stop)
    assert (answer.error, body.closed, body.pulled) == (None, 1, stop)


def test_a_body_that_is_closed_before_it_began_is_closed_once():
    body = Body([TEXT])
    Gzip(answering(body))(gateway.environ(HTTP_ACCEPT_ENCODING="gzip"), lambda *_: None).close()
    assert (body.closed, body.pulled) == (1, 1)  # the head waits for the first chunk


@every_coding
def test_memory_does_not_grow_with_the_body(coding):
    block = TEXT * 13

    def blocks(environ):
        return (block for _ in range(1000))

    app = Compress(answering(blocks), flush="never")
    tracemalloc.start()
    result = app(gateway.environ(HTTP_ACCEPT_ENCODING=coding), lambda *_: None)
    sent = sum(map(len, result))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0 < sent < len(block) * 1000
    assert peak < 1 << 20


@every_coding
def test_threads_share_one_layer_and_nothing_else(coding):
    """Eight at once, each with its own body, sized and streamed."""
    barrier = threading.Barrier(8)
    app = Compress(lambda environ, start_response: environ["test.app"](environ, start_response))

    def one(number):
        data = b"%d," % number * 5000
        barrier.wait()
        for make in (lambda _: [data], lambda _: iter([data[:999], data[999:]])) * 5:
            answer = get(app, coding, lint=False, **{"test.app": answering(make)})
            assert content(answer) == data
        return number

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(8))) == list(range(8))


ELEMENTS = ["gzip", "br", "zstd", "*", "identity", "x-gzip", "deflate", "gzip;q=0", "identity;q=0", "br;q=0.5", ";;"]


def unpadded(answer):
    """The content, and whether it is whole; zstd has its padding in a frame at the end (RFC 8878 3.1.2)."""
    decoder = DECODERS[answer.get("Content-Encoding")]()
    found = decoder.decompress(answer.body) if answer.body else b""
    rest = getattr(decoder, "unused_data", b"")
    assert not rest or rest[1:4] == b"\x2a\x4d\x18"
    return found, decoder.eof or not answer.body


@given(
    chunks=st.lists(st.binary(max_size=60) | st.builds(bytes.__mul__, st.binary(max_size=3), st.integers(0, 3000))),
    accept=st.lists(st.sampled_from(ELEMENTS)).map(", ".join) | st.text(st.characters(max_codepoint=255)),
    make=st.sampled_from([list, tuple, iter, Body]),
    options=st.fixed_dictionaries(
        {},
        optional={
            "minimum_size": st.integers(0, 2000),
            "flush": st.sampled_from(["auto", "always", "never"]),
            "breach_padding": st.integers(0, 40),
            "not_acceptable": st.sampled_from(["identity", "406"]),
        },
    ),
    declared=st.booleans(),
)
def test_whatever_goes_in_comes_out(chunks, accept, make, options, declared):
    data = b"".join(chunks)
    lines = [("Content-Length", str(len(data)))] * declared
    answer = get(Compress(answering(make(chunks), *lines), **options), accept)
    found, whole = unpadded(answer)
    assert answer.error is None
    assert whole
    assert found == data or answer.status == "406 Not Acceptable"
    assert answer.get("Content-Length") in (None, str(len(answer.body)))
    assert answer.get_all("Vary") == ["Accept-Encoding"]


# -- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (Compress, {"codings": ()}, "Compress: codings: names each of its codings once, of 'zstd', 'br', 'gzip'; got"),
        (Compress, {"codings": ["gzip", "gzip"]}, "Compress: codings: names each of its codings once"),
        (Compress, {"codings": "deflate"}, "Compress: codings: names each of its codings once"),
        (Compress, {"codings": ["br", None]}, "Compress: codings: names each of its codings once"),
        (Compress, {"codings": [["br"]]}, "Compress: codings: names each of its codings once"),
        (Compress, {"codings": None}, "Compress: codings: a str, or an iterable of str; got None"),
        (Compress, {"levels": 5}, "Compress: levels: a mapping coding -> level, or None; got 5"),
        (Compress, {"levels": {"deflate": 5}}, "Compress: levels: for codings that are offered: zstd, br, gzip; got"),
        (Compress, {"codings": "br", "levels": {"gzip": 5}}, "Compress: levels: for codings that are offered: br; got"),
        (Compress, {"levels": {"br": 12}}, "Compress: levels['br']: None, or an int: 0 to 11 (brotli); got 12"),
        (Compress, {"levels": {"br": "4"}}, "Compress: levels['br']: None, or an int: 0 to 11"),
        (Compress, {"levels": {"br": True}}, "Compress: levels['br']: None, or an int: 0 to 11"),
        (Gzip, {"level": 99}, "Gzip: level: None, or an int: 0 to 3 (isal)"),
        (Gzip, {"level": 2.0}, "Gzip: level: None, or an int: 0 to 3 (isal)"),
        (Gzip, {"level": 9, "backend": "isal"}, "Gzip: level: None, or an int: 0 to 3 (isal); got 9"),
        (Gzip, {"minimum_size": -1}, "Gzip: minimum_size: an int from 0, bytes; got -1"),
        (Gzip, {"minimum_size": 1.5}, "Gzip: minimum_size: an int from 0, bytes; got 1.5"),
        (Gzip, {"minimum_size": True}, "Gzip: minimum_size: an int from 0, bytes; got True"),
        (Gzip, {"content_types": "html"}, "Gzip: content_types: types without parameters"),
        (Gzip, {"content_types": 5}, "Gzip: content_types: "),
        (Gzip, {"flush": True}, "Gzip: flush: one of 'auto', 'always', 'never'; got True"),
        (Gzip, {"etag": "drop"}, "Gzip: etag: one of 'suffix', 'weak'; got 'drop'"),
        (Gzip, {"not_acceptable": 406}, "Gzip: not_acceptable: one of 'identity', '406'; got 406"),
        (Gzip, {"backend": "pigz"}, "Gzip: backend: one of 'auto', 'isal', 'zlib-ng', 'zlib'; got 'pigz'"),
        (Compress, {"codings": "br", "backend": "pigz"}, "Compress: backend: one of 'auto', 'isal'"),
        (Compress, {"breach_padding": 513}, "Compress: breach_padding: an int from 0 to 512; got 513"),
        (Compress, {"breach_padding": -1}, "Compress: breach_padding: an int from 0 to 512; got -1"),
        (Gzip, {"breach_padding": False}, "Gzip: breach_padding: an int from 0 to 512; got False"),
    ],
)
def test_a_wrong_option_is_named_with_its_rule_and_its_value(make, options, message):
    with pytest.raises(ConfigError) as error:
        make(**options)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_all_that_is_wrong_is_in_one_message():
    wrong = {"codings": 5, "levels": [], "minimum_size": "1", "content_types": [""], "flush": 1, "etag": 2}
    with pytest.raises(ConfigError, match=r"^Compress: 8 options are wrong:") as error:
        Compress(**wrong, backend=3, not_acceptable=4)
    lines = str(error.value).splitlines()[1:]
    assert {line.split(":")[0].strip(" -") for line in lines} == {*wrong, "backend", "not_acceptable"}


@pytest.mark.parametrize(
    ("make", "missing", "message"),
    [
        (lambda: Compress(codings=["br", "gzip"]), "brotli", "Compress: codings: brotli is not installed: pip install"),
        (lambda: Compress(levels={"br": 4}), "brotli", "Compress: codings: brotli is not installed: pip install"),
        (lambda: Gzip(backend="isal"), "isal.isal_zlib", "Gzip: backend: isal.isal_zlib is not installed: pip install"),
        (lambda: Gzip(backend="zlib-ng"), "zlib_ng.zlib_ng", "Gzip: backend: zlib_ng.zlib_ng is not installed: pip"),
    ],
)
def test_what_is_asked_for_by_name_has_to_be_installed(monkeypatch, make, missing, message):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ConfigError) as error:
        make()
    assert str(error.value).startswith(message)


def test_by_default_there_is_what_is_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "brotli", None)
    assert Compress().codings == ("zstd", "gzip")
    assert get(Compress(answering()), "br, gzip;q=0.5").get("Content-Encoding") == "gzip"


def test_gzip_chooses_no_codings():
    with pytest.raises(TypeError, match="codings"):
        Gzip(codings=["br"])


@pytest.mark.parametrize(
    ("layer", "shown"),
    [
        (Gzip(), "Gzip()"),
        (Gzip(level=3, minimum_size=500), "Gzip(level=3, minimum_size=500)"),
        (Compress(), "Compress()"),
        (Compress(codings="br", levels={"br": 4}), "Compress(codings=('br',), levels={'br': 4})"),
        (Gzip().named("inner").when(match.path("/a")), "Gzip().named('inner').when(path('/a'))"),
    ],
)
def test_repr_shows_what_differs(layer, shown):
    assert repr(layer) == shown


def test_equal_options_make_equal_layers():
    assert Gzip(level=3) == Gzip(level=3) != Gzip()
    assert Compress(codings=["br"]) == Compress(codings=("br",)) == Compress(codings="br") != Compress(codings="gzip")
    assert Gzip() != Compress(codings="gzip")
    assert Gzip() != Gzip().named("other")


# -- in a stack ------------------------------------------------------------------------------------------------------


class Rewrites(Middleware):
    effects = Effects(rewrites_body=True)


@pytest.mark.parametrize(
    ("layers", "found"),
    [
        ([Timing(), Headers(set={"X": "1"}), Compress(), Rewrites()], []),
        ([Rewrites(), Gzip()], [("rewrite-inside-encode", "error")]),
        ([Compress(), Gzip()], [("encode-once", "warning")]),
        ([Headers(set={"Content-Type": "text/html"}), Gzip()], [("set-inside-read", "warning")]),
        ([Headers(set={"Cache-Control": "no-store"}), Gzip()], []),
        ([Gzip(not_acceptable="406"), Headers(set={"Content-Type": "text/html"})], []),
    ],
)
def test_the_order_rules_know_it(layers, found):
    assert [(finding.rule, finding.severity) for finding in Stack(*layers).check()] == found


def test_a_stack_that_encodes_twice_is_warned_of():
    with pytest.warns(OrderWarning) as warned:
        Stack(Compress(), Gzip()).wrap(answering())
    assert any("encoded twice" in str(warning.message) for warning in warned)


def test_it_answers_if_it_may_answer_406():
    assert Gzip().declared().answers is False
    assert Gzip(not_acceptable="406").declared().answers is True
    assert Compress(not_acceptable="406").declared().encodes_body


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (
            Compress(codings=["br", "gzip"], not_acceptable="406", etag="weak"),
            {
                "request": "negotiates br, gzip by Accept-Encoding; answers 406 if the client accepts none",
                "response": "encodes compressible types from 1024 bytes on; adds Vary; makes entity tags weak",
            },
        ),
        (
            Gzip(minimum_size=5),
            {
                "request": "negotiates gzip by Accept-Encoding",
                "response": "encodes compressible types from 5 bytes on; adds Vary; gives strong entity tags a suffix",
            },
        ),
        (
            Gzip(breach_padding=5),
            {
                "request": "negotiates gzip by Accept-Encoding",
                "response": "encodes compressible types from 1024 bytes on; adds Vary; makes entity tags weak",
            },
        ),
    ],
)
def test_it_says_what_it_does(layer, said):
    assert dict(layer.describe()) == said


def test_a_subclass_has_its_say():
    class Own(Gzip):
        def on_request(self, environ):
            environ["middleware.compress"] = environ["PATH_INFO"] != "/no"
            return super().on_request(environ)

        def on_response(self, environ, response):
            response.headers["X-Own"] = "1"
            return super().on_response(environ, response)

    for path, coding in [("/", "gzip"), ("/no", None)]:
        answer = get(Own(answering()), path=path)
        assert (answer.get("X-Own"), answer.get("Content-Encoding"), content(answer)) == ("1", coding, TEXT)

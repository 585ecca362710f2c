"""Hooks outside of what encodes the body: whatever they do to it, no client gets what it cannot read."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_of import decode
from gateway import serve
from middleware import Compress, ContextHooks, Hooks, Stack
from middleware.hooks import Response
from shapes import TEXT, Body, returning

PAGE = b"a page, of some length\n" * 100
GZIPPED = gzip.compress(b"new", mtime=0)  # part of the id of a test, which must not depend on the time
LINES = [*TEXT, ("ETag", '"x"'), ("X-Own", "1")]
every_coding = pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])


def flask_like(edit):
    hooks = Hooks()
    hooks.after_request(lambda response: [edit(response), response][1])
    return hooks


def contextual(edit):
    hooks = ContextHooks()
    hooks.after_request(lambda ctx, response: [edit(response), None][1])
    return hooks


every_dialect = pytest.mark.parametrize("dialect", [flask_like, contextual])


def ask(hooks, coding, body=(PAGE,), **keys):
    """A page that Compress has encoded, after the hooks outside of it."""
    app, _ = returning(body, headers=LINES)
    return serve(Stack(hooks, Compress()).wrap(app), HTTP_ACCEPT_ENCODING=coding, **keys)


def read(answer):
    """The content as a client reads it, whole."""
    content, complete = decode(answer.body, answer.get("Content-Encoding"))
    assert complete
    return content


class Passing:
    """What a hook puts around a stream to see its chunks."""

    def __init__(self, chunks):
        self.chunks = iter(chunks)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.chunks)


def setting(name, value):
    return lambda response: setattr(response, name, value() if callable(value) else value)


def looked(edit):
    """After somebody has had the body."""
    return lambda response: [response.get_data(), edit(response)]


REPLACED = {
    "set-data": lambda response: response.set_data("new"),
    "data": setting("data", b"new"),
    "body": setting("body", bytearray(b"new")),
    "list": setting("response", lambda: [b"ne", b"w"]),
    "text": setting("response", lambda: ["ne", "w"]),
    "stream": setting("response", lambda: iter([b"ne", b"w"])),
    "app-iter": setting("app_iter", lambda: (b"new",)),
    "twice": lambda response: [response.set_data("old"), response.get_data(), response.set_data("new")],
}


@every_coding
@every_dialect
@pytest.mark.parametrize("name", REPLACED)
@pytest.mark.parametrize("body", [[PAGE], None], ids=["sized", "streamed"])
def test_what_takes_the_place_of_an_encoded_body_is_sent_as_it_is(dialect, coding, name, body):
    """Its tag goes with the coding, since it was the tag of that."""
    answer = ask(dialect(REPLACED[name]), coding, body or Body([PAGE]))
    assert (answer.status, answer.body, answer.error) == ("200 OK", b"new", None)
    assert [answer.get(field) for field in ("Content-Encoding", "ETag", "Vary", "X-Own")] == [
        *(None, None),
        *("Accept-Encoding", "1"),
    ]
    assert answer.get("Content-Length") in (None, "3")


@every_coding
@every_dialect
def test_json_takes_the_place_of_an_encoded_body(dialect, coding):
    answer = ask(dialect(setting("json", lambda: {"a": 1})), coding)
    assert (answer.body, answer.get("Content-Encoding"), answer.get("ETag")) == (b'{"a":1}', None, None)


KEPT = {
    "nothing": lambda response: None,
    "a-look": lambda response: response.get_data(),
    "the-same": lambda response: response.set_data(response.data),
    "frozen": lambda response: response.freeze(),
    "wrapped": lambda response: setattr(response, "response", Passing(response.response)),
    "chunks": lambda response: response.is_sequence and setattr(response, "response", [*response.iter_encoded()]),
    "a-tag": lambda response: response.add_etag(),
}


@every_coding
@every_dialect
@pytest.mark.parametrize("name", KEPT)
@pytest.mark.parametrize("body", [[PAGE], None], ids=["sized", "streamed"])
def test_what_stays_keeps_its_coding(dialect, coding, name, body):
    answer = ask(dialect(KEPT[name]), coding, body or Body([PAGE]))
    assert (answer.get("Content-Encoding"), read(answer)) == (coding, PAGE)
    assert answer.get("ETag") == f'"x-{coding}"'


EDITED = {
    "more": lambda response: setattr(response, "data", response.data + b"more"),
    "as-text": lambda response: response.set_data(response.get_data(as_text=True) + "more"),
    "other-chunks": lambda response: setattr(response, "response", [chunk.upper() for chunk in response.response]),
    "cut": lambda response: response.set_data(response.get_data()[:-1]),
    "decoded": lambda response: response.set_data([response.get_data(), PAGE][1]),
}


@every_coding
@every_dialect
@pytest.mark.parametrize("name", EDITED)
def test_an_edit_of_encoded_bytes_is_an_error_that_says_what_to_do(dialect, coding, name, caplog):
    """In Flask it goes out, and no client can read it."""
    once = []  # the page of the error may be edited

    def edit(response):
        if not once:
            once.append(1)
            EDITED[name](response)

    answer = ask(dialect(edit), coding)
    assert answer.status == "500 INTERNAL SERVER ERROR"
    assert f"the body that was read is encoded in {coding}" in caplog.text
    assert "place the hooks inside the layer that encodes it" in caplog.text


def regzipped(response):
    text = gzip.decompress(response.data)
    response.data = gzip.compress(text.upper())  # as one does in Flask


def said_first(response):
    text = response.data
    response.headers["Content-Encoding"] = "gzip"
    response.data = gzip.compress([text, b"new"][1])


def said_last(response):
    response.data = GZIPPED
    response.headers["Content-Encoding"] = "gzip"


def decoded(response):
    text = gzip.decompress(response.data)
    del response.headers["Content-Encoding"]
    response.data = text.upper()


@pytest.mark.parametrize(
    ("edit", "coding", "content"),
    [
        (regzipped, "gzip", PAGE.upper()),
        (said_first, "gzip", b"new"),
        (said_last, "gzip", b"new"),
        (decoded, None, PAGE.upper()),
        (looked(lambda response: response.set_data("")), None, b""),
    ],
    ids=["regzipped", "said-first", "said-last", "decoded", "emptied"],
)
@every_dialect
def test_a_hook_that_knows_the_coding_is_believed(dialect, edit, coding, content):
    answer = ask(dialect(edit), "gzip")
    assert (answer.get("Content-Encoding"), read(answer)) == (coding, content)


def test_a_coding_of_the_hooks_own_response_is_its_own_business():
    response = Response(b"x", headers={"Content-Encoding": "br", "ETag": '"x"'})
    response.get_data()
    response.set_data(b"y")
    assert [*response.headers] == [
        *(("Content-Encoding", "br"), ("ETag", '"x"')),
        *(("Content-Type", "text/html; charset=utf-8"), ("Content-Length", "1")),
    ]


def test_without_a_coding_the_fields_stay_as_in_flask():
    answer = ask(flask_like(lambda response: response.set_data("new")), "identity")
    assert (answer.body, answer.get("ETag")) == (b"new", '"x"')


def test_what_a_replaced_head_says_counts():
    """The first head said gzip, the second says nothing; and the other way round."""
    response = Response.of("200 OK", [("Content-Encoding", "gzip")], [GZIPPED], passthrough=False)
    response.become("503 Busy", [("ETag", '"y"')])
    response.set_data("busy")
    assert [*response.headers] == [("ETag", '"y"'), ("Content-Length", "4")]
    response.become("503 Busy", [("Content-Encoding", "br"), ("ETag", '"z"')])
    response.set_data("busy")
    assert [*response.headers] == [("Content-Length", "4")]


@every_coding
def test_an_object_of_a_context_hook_is_no_encoded_body(coding):
    hooks = ContextHooks()
    hooks.after_request(lambda ctx, response: {"length": len(response.get_data()) > 0})
    answer = ask(hooks, coding)
    assert (json.loads(answer.body), answer.get("Content-Encoding"), answer.get("ETag")) == (
        {"length": True},
        None,
        None,
    )


def _new(response):
    response.data = b"new"


STEPS = {
    "look": lambda response: response.get_data(),
    "new": _new,
    "same": lambda response: response.set_data(response.get_data()),
    "more": lambda response: response.set_data(response.get_data() + b"!"),
    "regzip": lambda response: response.headers.get("Content-Encoding") == "gzip" and regzipped(response),
    "unsay": lambda response: [response.headers.remove("Content-Encoding"), _new(response)],
    "object": lambda response: setattr(response, "response", ["new"]),
    "stream": lambda response: setattr(response, "response", Passing(response.response)),
}


@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=5), st.sampled_from(["gzip", "br", "zstd"]))
def test_whatever_hooks_do_a_client_can_read_it_or_gets_an_error(steps, coding):
    def edit(response):
        if response.status_code == 200:
            for step in steps:
                STEPS[step](response)

    answer = ask(flask_like(edit), coding)
    content, complete = decode(answer.body, answer.get("Content-Encoding"))
    assert complete
    if answer.status == "200 OK":
        assert content.rstrip(b"!") in (PAGE, PAGE.upper(), b"new")


@pytest.mark.parametrize("data", [GZIPPED[:-1], GZIPPED + b"x", b"", b"x", zlib.compress(b"new")])
def test_what_is_not_gzip_to_its_end_is_none(data):
    response = Response.of("200 OK", [("Content-Encoding", "gzip")], [gzip.compress(b"old")], passthrough=False)
    response.get_data()
    if data:
        with pytest.raises(RuntimeError, match="place the hooks inside"):
            response.set_data(data)
    else:
        response.set_data(data)
        assert [*response.headers] == [("Content-Length", "0")]

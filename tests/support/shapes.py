"""Applications of every shape that PEP 3333 allows, and of some that it does not; each says what has to come out."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from typing import Any

TEXT = [("Content-Type", "text/plain")]


class Failure(Exception):
    """What the applications here raise."""


class Body:
    """An iterable with a close() that counts, an optional error, and an optional error in close()."""

    def __init__(self, chunks, *, fails_at=None, fails_to_close=False):
        self.chunks, self.fails_at, self.fails_to_close = list(chunks), fails_at, fails_to_close
        self.pulled = self.closed = 0

    def __iter__(self):
        return self

    def __next__(self):
        if self.pulled == self.fails_at:
            self.pulled += 1
            raise Failure("in the body")
        if self.pulled >= len(self.chunks):
            raise StopIteration
        self.pulled += 1
        return self.chunks[self.pulled - 1]

    def close(self):
        self.closed += 1
        if self.fails_to_close:
            raise Failure("in close()")


class ByIndex:
    """An iterable with only __getitem__."""

    def __getitem__(self, index):
        return [b"one", b"two"][index]


@dataclass
class Shape:
    """An application, made anew for each request, and what a client has to get from it."""

    name: str
    make: Any  # () -> (app, Body or None)
    body: bytes = b"onetwo"
    status: str = "200 OK"
    fails: str = ""  # "early": before output, "late": after some; "close": in close()
    method: str = "GET"
    lint: bool = True  # what the application does is allowed


SHAPES: list[Shape] = []


def shape(**expected):
    def register(make):
        SHAPES.append(Shape(make.__name__.replace("_", "-"), make, **expected))
        return make

    return register


def returning(result, status="200 OK", headers=TEXT):
    def app(environ, start_response):
        start_response(status, list(headers))
        return result

    return app, result if isinstance(result, Body) else None


@shape()
def sized_list():
    return returning([b"one", b"two"])


@shape()
def one_item_tuple():
    return returning((b"onetwo",))


@shape()
def list_with_length():
    return returning([b"one", b"two"], headers=[*TEXT, ("Content-Length", "6")])


@shape(body=b"")
def empty_list():
    return returning([])


@shape()
def generator():
    def app(environ, start_response):
        start_response("200 OK", list(TEXT))
        return (chunk for chunk in [b"one", b"two"])

    return app, None


@shape()
def late_start():
    def app(environ, start_response):
        start_response("200 OK", list(TEXT))
        yield b"one"
        yield b"two"

    return app, None


@shape(body=b"")
def late_start_without_content():
    def app(environ, start_response):
        start_response("200 OK", list(TEXT))
        yield from ()

    return app, None


@shape()
def closing_iterator():
    return returning(Body([b"one", b"two"]))


@shape()
def only_getitem():
    return returning(ByIndex())


@shape()
def empty_chunks():
    return returning(Body([b"", b"one", b"", b"", b"two", b""]))


@shape()
def written():
    def app(environ, start_response):
        write = start_response("200 OK", list(TEXT))
        write(b"one")
        write(b"two")
        return []

    return app, None


@shape()
def written_then_iterated():
    body = Body([b"two"])

    def app(environ, start_response):
        start_response("200 OK", list(TEXT))(b"one")
        return body

    return app, body


@shape(status="503 Busy")
def replaced_head():
    def app(environ, start_response):
        start_response("200 OK", [*TEXT, ("X-Old", "yes")])
        try:
            raise Failure("handled by the application")
        except Failure:
            start_response("503 Busy", list(TEXT), sys.exc_info())
        return [b"one", b"two"]

    return app, None


@shape(status="503 Busy")
def head_replaced_in_the_body():
    def app(environ, start_response):
        start_response("200 OK", [*TEXT, ("X-Old", "yes")])

        def body():
            try:
                raise Failure("handled by the application")
            except Failure:
                start_response("503 Busy", list(TEXT), sys.exc_info())
            yield b"one"
            yield b"two"

        return body()

    return app, None


@shape(fails="late", body=b"one")
def head_replaced_too_late():
    def app(environ, start_response):
        start_response("200 OK", list(TEXT))

        def body():
            yield b"one"
            try:
                raise Failure("too late")
            except Failure:
                start_response("503 Busy", list(TEXT), sys.exc_info())
            yield b"never"

        return body()

    return app, None


@shape()
def file_wrapper():
    def app(environ, start_response):
        start_response("200 OK", list(TEXT))
        return environ["wsgi.file_wrapper"](io.BytesIO(b"onetwo"), 3)

    return app, None


@shape(body=b"", status="204 No Content")
def no_content_with_a_body():
    return returning(Body([b"never"]), "204 No Content", [])


@shape(body=b"", status="304 Not Modified")
def not_modified_with_a_body():
    return returning([b"never"], "304 Not Modified", [("ETag", '"x"')])


@shape(body=b"", status="304 Not Modified")
def late_not_modified():
    def app(environ, start_response):
        start_response("304 Not Modified", [("ETag", '"x"')])
        yield b"never"

    return app, None


@shape(body=b"", method="HEAD")
def head_of_a_list():
    return returning([b"never"])


@shape(body=b"", method="HEAD")
def head_of_a_stream():
    return returning(Body([b"never", b"never"]))


@shape(body=b"", method="HEAD")
def late_head():
    def app(environ, start_response):
        start_response("200 OK", list(TEXT))
        yield b"never"

    return app, None


@shape(body=b"", method="HEAD")
def written_to_head():
    def app(environ, start_response):
        start_response("200 OK", list(TEXT))(b"never")
        return []

    return app, None


@shape(fails="early")
def error_before_start():
    def app(environ, start_response):
        raise Failure("before start")

    return app, None


@shape(fails="early")
def error_after_start():
    def app(environ, start_response):
        start_response("200 OK", list(TEXT))
        raise Failure("after start")

    return app, None


@shape(fails="early")
def error_at_the_first_chunk():
    return returning(Body([b"one"], fails_at=0))


@shape(fails="early")
def error_after_an_empty_chunk():
    return returning(Body([b"", b"one"], fails_at=1))


@shape(fails="early")
def late_error():
    def app(environ, start_response):
        raise Failure("late")
        yield b""

    return app, None


@shape(fails="late", body=b"one")
def error_mid_body():
    return returning(Body([b"one", b"two"], fails_at=1))


@shape(fails="late", body=b"one")
def error_after_write():
    def app(environ, start_response):
        start_response("200 OK", list(TEXT))(b"one")
        raise Failure("after write")

    return app, None


@shape(fails="close")
def error_in_close():
    return returning(Body([b"one", b"two"], fails_to_close=True))


@shape(fails="early", lint=False)
def never_started():
    def app(environ, start_response):
        return [b"one"]

    return app, None


@shape(fails="early", lint=False)
def never_started_late():
    def app(environ, start_response):
        yield b"one"

    return app, None


@shape(fails="early", lint=False)
def returns_bytes():
    return returning(b"onetwo")


@shape(fails="early", lint=False)
def returns_none():
    return returning(None)


@shape(fails="early", lint=False)
def starts_twice():
    def app(environ, start_response):
        start_response("200 OK", list(TEXT))
        start_response("200 OK", list(TEXT))
        return [b"one"]

    return app, None

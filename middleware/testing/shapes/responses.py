"""Applications that succeed, in every way that PEP 3333 allows."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator
from typing import Final

from middleware.testing.shapes.definition import TEXT, CountedBody, Failure, Made, Shape, begin, registering, returning
from middleware.wsgi.types import Environ, StartResponse

RESPONSES: Final[list[Shape]] = []
# Shapes for `assert_wsgi_transparent` alone, because they depend on a status or a declared length.
FURTHER: Final[list[Shape]] = []
shape = registering(RESPONSES)
further = registering(FURTHER)


class ByIndex:
    """An iterable with only __getitem__."""

    def __getitem__(self, index: int) -> bytes:
        return [b"one", b"two"][index]


@shape()
def sized_list() -> Made:
    """Returns a list of two chunks."""
    return returning([b"one", b"two"])


@shape()
def one_item_tuple() -> Made:
    """Returns a tuple of one chunk."""
    return returning((b"onetwo",))


@shape()
def list_with_length() -> Made:
    """Returns a list, and declares its Content-Length."""
    return returning([b"one", b"two"], headers=[*TEXT, ("Content-Length", "6")])


@shape(body=b"")
def empty_list() -> Made:
    """Returns an empty list."""
    return returning([])


@shape()
def generator() -> Made:
    """Starts the response and returns a generator."""

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        begin(start_response)
        return (chunk for chunk in [b"one", b"two"])

    return app, None


@shape()
def late_start() -> Made:
    """Is a generator: calls start_response when the first chunk is requested."""

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        begin(start_response)
        yield b"one"
        yield b"two"

    return app, None


@shape(body=b"")
def late_start_without_content() -> Made:
    """Is a generator that starts the response and has no chunk."""

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        begin(start_response)
        yield from ()

    return app, None


@shape()
def closing_iterator() -> Made:
    """Returns an iterator that has a close()."""
    return returning(CountedBody([b"one", b"two"]))


@shape()
def iterator_that_ends_once() -> Made:
    """Returns an iterator that fails if it is resumed after its end."""
    return returning(CountedBody([b"one", b"two"], ends_once=True))


@shape(body=b"")
def iterator_without_content() -> Made:
    """Returns an empty iterator with Content-Length 0, which fails if it is resumed after its end."""
    return returning(CountedBody([], ends_once=True), headers=[*TEXT, ("Content-Length", "0")])


@shape()
def iterator_with_length() -> Made:
    """Returns an iterator, and declares its Content-Length."""
    return returning(CountedBody([b"one", b"two"], ends_once=True), headers=[*TEXT, ("Content-Length", "6")])


@shape()
def only_getitem() -> Made:
    """Returns an iterable with __getitem__ and without __iter__."""
    return returning(ByIndex())


@shape()
def empty_chunks() -> Made:
    """Returns an iterator with empty chunks at the beginning, between and at the end."""
    return returning(CountedBody([b"", b"one", b"", b"", b"two", b""]))


@shape()
def written() -> Made:
    """Calls write() twice and returns an empty list."""

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        write = begin(start_response)
        write(b"one")
        write(b"two")
        return []

    return app, None


@shape()
def written_then_iterated() -> Made:
    """Calls write(), and returns an iterable with further content."""
    body = CountedBody([b"two"])

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        begin(start_response)(b"one")
        return body

    return app, body


@shape()
def written_after_a_late_start() -> Made:
    """Is a generator that calls start_response and write() when the first chunk is requested, and has more to yield."""

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        begin(start_response)(b"one")
        yield b"two"

    return app, None


@shape(status="503 Busy")
def replaced_head() -> Made:
    """Calls start_response again, with exc_info, before it returns."""

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [*TEXT, ("X-Old", "yes")])
        try:
            raise Failure("handled by the application")  # noqa: TRY301 - raised and handled is the case
        except Failure:
            start_response("503 Busy", list(TEXT), sys.exc_info())
        return [b"one", b"two"]

    return app, None


@shape(status="503 Busy")
def head_replaced_in_the_body() -> Made:
    """Calls start_response again, with exc_info, when the first chunk is requested."""

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [*TEXT, ("X-Old", "yes")])

        def body() -> Iterator[bytes]:
            try:
                raise Failure("handled by the application")  # noqa: TRY301 - as above
            except Failure:
                start_response("503 Busy", list(TEXT), sys.exc_info())
            yield b"one"
            yield b"two"

        return body()

    return app, None


@shape()
def file_wrapper() -> Made:
    """Returns a file in the server's wsgi.file_wrapper."""

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        begin(start_response)
        wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](io.BytesIO(b"onetwo"), 3)
        return wrapped

    return app, None


@shape(body=b"", unsent=b"never", status="204 No Content")
def no_content_with_a_body() -> Made:
    """Answers 204, and returns content all the same."""
    return returning(CountedBody([b"never"]), "204 No Content", [])


@shape(body=b"", unsent=b"never", status="304 Not Modified")
def not_modified_with_a_body() -> Made:
    """Answers 304, and returns content all the same."""
    return returning([b"never"], "304 Not Modified", [("ETag", '"x"')])


@shape(body=b"", unsent=b"never", status="304 Not Modified")
def late_not_modified() -> Made:
    """Is a generator that answers 304, and yields content all the same."""

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("304 Not Modified", [("ETag", '"x"')])
        yield b"never"

    return app, None


@shape(body=b"", unsent=b"never", method="HEAD")
def head_of_a_list() -> Made:
    """Answers HEAD with the list that GET gets."""
    return returning([b"never"])


@shape(body=b"", unsent=b"nevernever", method="HEAD")
def head_of_a_stream() -> Made:
    """Answers HEAD with the iterator that GET gets."""
    return returning(CountedBody([b"never", b"never"]))


@shape(body=b"", unsent=b"never", method="HEAD")
def late_head() -> Made:
    """Is a generator that answers HEAD with the content of GET."""

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        begin(start_response)
        yield b"never"

    return app, None


@shape(body=b"", unsent=b"never", method="HEAD")
def written_to_head() -> Made:
    """Answers HEAD by write()."""

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        begin(start_response)(b"never")
        return []

    return app, None


@further(body=b"", method="HEAD")
def head_without_a_body() -> Made:
    """Answers HEAD with the Content-Length of GET and an empty list."""
    return returning([], headers=[*TEXT, ("Content-Length", "6")])


@further(body=b"", status="204 No Content")
def no_content() -> Made:
    """Answers 204 with an empty list."""
    return returning([], "204 No Content", [])


@further(body=b"", unsent=b"never", status="101 Switching Protocols")
def informational_with_a_body() -> Made:
    """Answers 101, and returns content all the same."""
    return returning(CountedBody([b"never"]), "101 Switching Protocols")

"""Applications that fail before, in or after their content, or break PEP 3333."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Final

from middleware.testing.shapes.definition import TEXT, CountedBody, Failure, Made, Shape, begin, registering, returning
from middleware.wsgi.types import Environ, StartResponse

FAILURES: Final[list[Shape]] = []
shape = registering(FAILURES)


@shape(fails="late", body=b"one")
def head_replaced_too_late() -> Made:
    """Calls start_response with exc_info after its first chunk: the server raises that error."""

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        begin(start_response)

        def body() -> Iterator[bytes]:
            yield b"one"
            try:
                raise Failure("too late")  # noqa: TRY301 - raised and passed on is the case
            except Failure:
                start_response("503 Busy", list(TEXT), sys.exc_info())
            yield b"never"

        return body()

    return app, None


@shape(fails="early")
def error_before_start() -> Made:
    """Raises before it calls start_response."""

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        raise Failure("before start")

    return app, None


@shape(fails="early")
def error_after_start() -> Made:
    """Raises after it has called start_response."""

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        begin(start_response)
        raise Failure("after start")

    return app, None


@shape(fails="early")
def error_at_the_first_chunk() -> Made:
    """Raises when the first chunk is requested."""
    return returning(CountedBody([b"one"], fails_at=0))


@shape(fails="early")
def error_after_an_empty_chunk() -> Made:
    """Raises after an empty chunk."""
    return returning(CountedBody([b"", b"one"], fails_at=1))


@shape(fails="early")
def late_error() -> Made:
    """Is a generator that raises before it calls start_response."""

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        raise Failure("late")
        yield b""

    return app, None


@shape(fails="early")
def error_after_a_late_start() -> Made:
    """Is a generator that calls start_response when the first chunk is requested, and raises before it yields one."""

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        begin(start_response)
        raise Failure("after a late start")
        yield b""

    return app, None


@shape(fails="late", body=b"one")
def error_mid_body_after_a_late_start() -> Made:
    """Is a generator that calls start_response when the first chunk is requested, and raises after its first chunk."""

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        begin(start_response)
        yield b"one"
        raise Failure("mid body")

    return app, None


@shape(fails="late", body=b"one")
def error_mid_body() -> Made:
    """Raises after its first chunk."""
    return returning(CountedBody([b"one", b"two"], fails_at=1))


@shape(fails="late", body=b"one")
def error_after_write() -> Made:
    """Raises after it has called write()."""

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        begin(start_response)(b"one")
        raise Failure("after write")

    return app, None


@shape(fails="close")
def error_in_close() -> Made:
    """Raises in close()."""
    return returning(CountedBody([b"one", b"two"], fails_to_close=True))


@shape(fails="early", lint=False)
def never_started() -> Made:
    """Never calls start_response."""

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return [b"one"]

    return app, None


@shape(fails="early", lint=False)
def never_started_late() -> Made:
    """Is a generator that never calls start_response."""

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        yield b"one"

    return app, None


@shape(fails="early", lint=False)
def returns_bytes() -> Made:
    """Returns bytes in place of an iterable of them."""
    return returning(b"onetwo")


@shape(fails="early", lint=False)
def returns_none() -> Made:
    """Returns None."""
    return returning(None)


@shape(fails="early", lint=False)
def starts_twice() -> Made:
    """Calls start_response twice, without exc_info."""

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return [b"one" for _ in (begin(start_response), begin(start_response))]

    return app, None

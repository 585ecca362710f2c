"""Bodies of requests as servers hand them on, and applications that read them and do not get far."""

from __future__ import annotations

import io

import pytest

from middleware.wsgi.input import BodyError


class Wire(io.RawIOBase):
    """A body as a server hands it on: a read past its end would wait forever, so it fails the test."""

    def __init__(self, data, *, ends=False):
        self.data, self.ends, self.asked = data, ends, []

    def read(self, size):
        self.asked.append(size)
        assert self.ends or size <= len(self.data), f"{size} bytes were asked for, {len(self.data)} are there"
        data, self.data = self.data[:size], self.data[size:]
        return data

    def readline(self, size):
        self.asked.append(size)
        assert self.ends or size <= len(self.data)
        line = self.data[:size].splitlines(keepends=True)[:1]
        self.data = self.data[len(b"".join(line)) :]
        return b"".join(line)


def reading(how=lambda body: body.read()):
    """An application that sends back what it reads."""

    def app(environ, start_response):
        data = how(environ["wsgi.input"])
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(data)))])
        return [data]

    return app


def swallowing(environ, start_response):
    """Answers an OSError itself, as Werkzeug does by a 400."""
    try:
        environ["wsgi.input"].read()
    except OSError:
        start_response("400 Bad Request", [("Content-Type", "text/html"), ("Set-Cookie", "a=b")])
        return [b"<p>", b"bad"]


def starting_first(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", "3")])
    try:
        environ["wsgi.input"].read()
    except OSError:
        return [b"bad"]


def streaming(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html"), ("ETag", '"1"')])
    try:
        environ["wsgi.input"].read()
    except OSError:
        yield b"bad"
        yield b"more"


def raising_late(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html")])
    return [environ["wsgi.input"].read()]


def empty(environ, start_response):
    with pytest.raises(BodyError):
        environ["wsgi.input"].read()
    start_response("204 No Content", [])
    return []


def writing(environ, start_response):
    with pytest.raises(BodyError):
        environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/html")])(b"written")
    return [b"iterated"]


ANSWERS = [reading(), swallowing, starting_first, streaming, raising_late, empty, writing]

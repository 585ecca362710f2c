"""`explain`: sends one request through a stack, without a server, and prints its course."""

import io
import json
import sys
from argparse import ArgumentTypeError, Namespace
from pathlib import Path
from typing import Final

from middleware.cli.output import CommandError, raised, result
from middleware.cli.targets import STACK, load, load_application
from middleware.http.fields import environ_key
from middleware.sight.explain import environ_of, explained
from middleware.stack.builder import Stack
from middleware.wsgi.types import Environ

_FORM: Final = "application/x-www-form-urlencoded"


def explaining(arguments: Namespace) -> int:
    """Explain a request to `arguments.app`, in `arguments.stack` if given; return 0, regardless of the status.

    Errors: CommandError for a wrong target, header or path, and for a stack that cannot wrap the application.
    """
    app = load_application(arguments.app)
    stack = Stack() if arguments.stack is None else load(arguments.stack, STACK)
    environ = _environ(arguments)
    try:
        explanation = explained(stack, app, environ)
    except Exception as error:
        raise CommandError(f"wrapping the application failed: {raised(error)}") from error
    result(explanation if arguments.format == "text" else json.dumps(explanation.as_dict(), indent=2))
    return 0


def _environ(arguments: Namespace) -> Environ:
    """The environ of the request. Several headers of one name become one list (RFC 9110 5.3)."""
    given, left_out = _headers(arguments.header)
    fields = {name: ("; " if name == "COOKIE" else ", ").join(values) for name, values in given.items()}
    data: list[bytes] = arguments.data
    try:
        environ = environ_of(arguments.path, fields)
    except ValueError as error:
        raise CommandError(str(error).removeprefix("Stack.explain: ")) from None
    environ["REQUEST_METHOD"] = arguments.method or ("POST" if data else "GET")
    if data:
        body = b"&".join(data)
        environ.setdefault("CONTENT_TYPE", _FORM)
        environ.update({"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)})
    for name in left_out - given.keys():
        environ.pop(environ_key(name), None)
    return environ


def _headers(lines: list[str]) -> tuple[dict[str, list[str]], set[str]]:
    """The values of each header, and the headers to leave out: "Name;" is an empty one, "Name:" none, as with curl."""
    given: dict[str, list[str]] = {}
    left_out = set()
    for line in lines:
        name, sign, value = line.partition(":" if ":" in line else ";")
        text = value.strip().encode("utf-8", "surrogateescape").decode("latin-1")
        if not sign or not name.strip() or (sign == ";" and text):
            raise CommandError(f"-H {line!r}: write 'Name: value'")
        key = name.strip().upper().replace("-", "_")
        if text or sign == ";":
            given.setdefault(key, []).append(text)
        else:
            left_out.add(key)
    return given, left_out


def sent(data: str) -> bytes:
    """The bytes of one `-d`: those of a file for `@FILE`, of stdin for `@-`, without line ends and NUL, as with curl.

    Errors: ArgumentTypeError for a file that cannot be read.
    """
    if not data.startswith("@"):
        return data.encode("utf-8", "surrogateescape")
    try:
        read = sys.stdin.buffer.read() if data == "@-" and sys.stdin else Path(data[1:]).read_bytes()
    except OSError as error:
        raise ArgumentTypeError(f"{data}: {error.strerror}") from None
    return read.translate(None, b"\r\n\0")

"""`explain`: sends one request through a stack, without a server, and prints the course of it."""

import io
import json
from argparse import Namespace
from typing import Final

from middleware.cli.output import CommandError, raised, say
from middleware.cli.targets import STACK, load, load_application
from middleware.sight.explain import environ_of, explain
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
        explanation = explain(stack, app, environ, {})
    except Exception as error:
        raise CommandError(f"wrapping the application failed: {raised(error)}") from error
    say(explanation if arguments.format == "text" else json.dumps(explanation.as_dict(), indent=2))
    return 0


def _environ(arguments: Namespace) -> Environ:
    """The environ of the request. Several headers of one name become one list (RFC 9110 5.3)."""
    given: dict[str, list[str]] = {}
    for line in arguments.header:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise CommandError(f"-H {line!r}: write 'Name: value'")
        text = value.strip().encode("utf-8", "surrogateescape").decode("latin-1")
        given.setdefault(name.strip().upper().replace("-", "_"), []).append(text)
    fields = {name: ("; " if name == "COOKIE" else ", ").join(values) for name, values in given.items()}
    data = arguments.data
    try:
        environ = environ_of(arguments.path, fields)
    except ValueError as error:
        raise CommandError(str(error).partition(": ")[2]) from None
    environ["REQUEST_METHOD"] = arguments.method or ("GET" if data is None else "POST")
    if data is not None:
        body = data.encode("utf-8", "surrogateescape")
        environ.setdefault("CONTENT_TYPE", _FORM)
        environ.update({"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)})
    return environ

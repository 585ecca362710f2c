"""BodyLimit: request bodies up to a size; larger ones are a 413, by Content-Length or by counting reads."""

from collections.abc import Iterable
from itertools import count
from typing import ClassVar, Final

from middleware.wsgi.answer import answer, answer_fault, note, refusal, replaced
from middleware.wsgi.effects import Effects
from middleware.wsgi.input import BodyTooLarge, Outcome, counted, declared_length, drop, is_kept, put
from middleware.wsgi.layer import Middleware
from middleware.wsgi.options import Problems
from middleware.wsgi.plan import Layer
from middleware.wsgi.response import Response, Transform
from middleware.wsgi.types import Application, Environ

KEY: Final = "middleware.body_limit"
_NUMBERS: Final = count()
_MALFORMED: Final = answer(400, "The Content-Length of the request is malformed.")


class BodyLimit(Middleware):
    """Refuses request bodies over a size with a 413, whether their length is declared or not.

    A larger Content-Length is refused without calling the application, and a malformed one is a 400. A body of unknown
    length (chunked) is counted as it is read: a read past the limit raises `BodyTooLarge`, an OSError, and the 413
    replaces any response of the application whose head has not been sent. If the application does not catch the error,
    a stack answers with the 413 and logs a line at level INFO; a layer outside a stack raises the error. Does nothing
    to requests without a body, except that no read of `wsgi.input` waits for more than there is: a body without a
    length is empty, unless the server sets `wsgi.input_terminated` (PEP 3333).

    Stands inside layers whose headers belong on every response, and outside layers that read, decode or buffer the
    body: ConcurrencyLimit, DecompressRequest, Hooks. Fields that inner layers have added to a replaced response are
    dropped. A layer cannot close the connection: docs/how-to/body-limit.md describes what clients see with each server.

    Options:
        max_bytes: int in bytes. The size of the largest body that passes. Required.
        answer: WSGI application or None. Answers instead of the 413. Default None.

    Errors: ConfigError. In the application: BodyTooLarge.
    Source: RFC 9110 8.6 and 15.5.14, RFC 9112 6.3, PEP 3333.
    """

    _peers: ClassVar[dict[str, str]] = {"max_content_length": "max_bytes"}  # of Flask
    effects: ClassVar[Effects] = Effects(answers=True, limits_input=True)

    def __init__(self, app: Application | None = None, /, *, max_bytes: int, answer: Application | None = None) -> None:
        super().__init__(app)
        problems = Problems("BodyLimit")
        whole = type(max_bytes) is int and max_bytes >= 0
        problems.check(whole, "max_bytes", "an int of 0 or more, in bytes", max_bytes)
        problems.add_fault("answer", answer_fault(answer), answer)
        problems.done()
        self.max_bytes, self.answer = max_bytes, answer
        self._key = f"{KEY}.{next(_NUMBERS)}"
        self._refusal = refusal(answer, 413, f"The request body is larger than {max_bytes} bytes.")

    def on_request(self, environ: Environ) -> Application | None:
        """Refuse a body whose Content-Length is too large; count any other."""
        length = declared_length(environ)
        if length is None:
            note(environ, f"refused: Content-Length is malformed: {environ['CONTENT_LENGTH'][:40]!r}")
            return _MALFORMED
        if length > self.max_bytes:
            note(environ, f"refused: {length} bytes, max_bytes is {self.max_bytes}")
            drop(environ, length)
            return self._refusal
        environ.pop(self._key, None)
        if is_kept(environ, length):
            return None
        body = counted(environ, length, self.max_bytes)
        put(environ, body)
        environ[self._key] = body.outcome
        return None

    def on_response(self, environ: Environ, response: Response) -> Transform | None:
        """Replace the response that the application made after a BodyTooLarge with the 413."""
        outcome: Outcome | None = environ.get(self._key)
        if outcome is None or outcome.failed is not BodyTooLarge:
            return None
        note(environ, f"refused: more than {self.max_bytes} bytes were read; replaces {response.status}")
        return replaced(environ, response, self._refusal)

    def layer(self) -> Layer:
        """Delay the head until the application returns, so that a body that it reads after start_response counts."""
        return super().layer()._replace(waits=True)

    def describe(self) -> Iterable[tuple[str, str]]:
        """The size above which bodies are refused."""
        yield "request", f"answers a body of more than {self.max_bytes} bytes with a 413"

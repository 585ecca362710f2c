"""RequestId: one id for each request, in environ, in the response, and in every log record."""

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import ClassVar, Final

from middleware.http.edits import Edit
from middleware.http.fields import environ_key, option_name_fault, plain, sendable_value
from middleware.wsgi.answer import note
from middleware.wsgi.conditions import certain
from middleware.wsgi.effects import Effects
from middleware.wsgi.identity import REQUEST_ID, Identity, enter, innermost, leave
from middleware.wsgi.layer import Middleware
from middleware.wsgi.options import Problems
from middleware.wsgi.refused import can_be_called, predicate_fault
from middleware.wsgi.response import Response
from middleware.wsgi.types import Application, Environ, Predicate

_OPEN: Final = "middleware.request_id.open"
_HEADER: Final = "X-Request-Id"
_TAKEN: Final = re.compile(r"[A-Za-z0-9\-_.+/=:@]{1,128}")  # no comma, by which servers join a repeated field


class RequestId(Middleware):
    """Gives every request an id: `environ["middleware.request_id"]`, `middleware.request_id()`, a response field.

    Stands outermost, so that every layer and every log record has the id. Accepts the id that a client or a proxy sent
    if it is 1 to 128 of `A-Z a-z 0-9 - _ . + / = : @` and the field occurs once, and generates one otherwise. An id
    that a client chose is neither unique nor secret. The id of an outer `RequestId` stays. The response field replaces
    that of the application. Does nothing to the body.

    Options:
        header: str, a field name. The request and response field that carries the id. Default "X-Request-Id".
        accept: bool, or predicate of the environ. Whether an incoming id is accepted; a predicate must hold certainly.
            Default True.
        generate: callable -> str, or None. Generates the ids; None is 128 random bits in hexadecimal. Default None.
        response: bool. Whether the response has the id. Default True.

    Errors: ConfigError. An exception raised by `generate`, and a TypeError or ValueError for a result that is not a
        field value, count as errors of the application.
    Source: OWASP Logging Cheat Sheet, Event attributes (interaction identifier); RFC 9110 5.5.
    """

    _peers: ClassVar[dict[str, str]] = {"header_name": "header"}  # of others
    effects: ClassVar[Effects] = Effects(
        identifies=True, every_response=True, provides={REQUEST_ID}, sets={_HEADER}, unique=True
    )

    def __init__(
        self,
        app: Application | None = None,
        /,
        *,
        header: str = _HEADER,
        accept: bool | Predicate = True,
        generate: Callable[[], str] | None = None,
        response: bool = True,
    ) -> None:
        super().__init__(app)
        problems = Problems("RequestId")
        problems.add_fault("header", option_name_fault(header), header)
        chosen = not isinstance(accept, bool) and predicate_fault(accept, "a bool or a predicate")
        problems.add_fault("accept", chosen, accept)
        made = generate is None or can_be_called(generate, 0)
        problems.check(made, "generate", "a callable() -> str (no coroutine function), or None", generate)
        problems.check(isinstance(response, bool), "response", "a bool", response)
        problems.done()
        self.header, self.accept, self.generate, self.response = plain(header), accept, generate, response
        self._key = environ_key(self.header)
        self._unset = Edit(remove=(self.header,))

    def declared(self) -> Effects:
        """The effects of the class. The layer sets the field that it sends."""
        sent = {self.header} if self.response else set[str]()
        return replace(self.effects, sets=(self.effects.sets - {_HEADER.lower()}) | sent)

    def on_request(self, environ: Environ) -> None:
        """Accept the incoming id, or generate one."""
        outer = innermost(environ.get(_OPEN))
        if outer is not None:
            request_id = outer.id
        else:
            given = environ.get(self._key)
            request_id = given if given is not None and self._takes(given, environ) else self._made()
        environ[REQUEST_ID] = request_id
        environ[_OPEN] = enter(request_id, outer)

    def _takes(self, given: str, environ: Environ) -> bool:
        if _TAKEN.fullmatch(given) is None:
            why = f"the id in {self.header} is not taken: it is not 1 to 128 of A-Z a-z 0-9 - _ . + / = : @, once"
        elif not (certain(self.accept)(environ) if callable(self.accept) else self.accept):
            why = f"the id in {self.header} is not taken: accept does not hold"
        else:
            return True
        note(environ, why)
        return False

    def _made(self) -> str:
        if self.generate is None:
            return os.urandom(16).hex()
        made = sendable_value(self.header, self.generate())
        if not made:
            raise ValueError("RequestId: generate returned an empty id")
        return made

    def on_response(self, environ: Environ, response: Response) -> None:
        """Send the id."""
        identity: Identity | None = environ.get(_OPEN)
        if self.response and identity is not None:  # None: an outer layer failed before this one ran
            self._unset(response.headers)
            response.headers.append((self.header, identity.id))

    def on_close(self, environ: Environ, error: BaseException | None) -> None:  # noqa: ARG002 - however it ended
        """Unset the id in this context."""
        environ[_OPEN] = leave(environ.get(_OPEN))

    def describe(self) -> Iterable[tuple[str, str]]:
        """The source of the ids, and the field that is sent."""
        made = "makes an id" if self.generate is None else "makes an id with generate"
        yield "request", f"takes the id in {self.header}, or {made}" if self.accept else made
        if self.response:
            yield "response", f"sets {self.header}"

"""BasicAuth: requests with a verified user and password pass; all others get a 401 (RFC 7617)."""

import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterable
from typing import ClassVar, Final
from unicodedata import category

from middleware.http.lists import quoted_string
from middleware.wsgi.answer import NO_STORE, answer_fault, note, refusal
from middleware.wsgi.effects import Effects
from middleware.wsgi.layer import Middleware
from middleware.wsgi.options import Problems
from middleware.wsgi.refused import can_be_called
from middleware.wsgi.types import Application, Environ

_QUOTED: Final = re.compile(r"[ -~]*")
_CHARSETS: Final = {"utf-8": ', charset="UTF-8"', "iso-8859-1": "", "latin-1": ""}  # RFC 7617 2.1: UTF-8 or none
_DETAIL: Final = "A user and a password are needed."


def credentials(authorization: str, charset: str) -> tuple[str, str] | None:
    """The user and password of an Authorization field, or None if it has none or they are malformed."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        encoded = token.lstrip(" ").encode("ascii")
        content = a2b_base64(encoded)
        text = content.decode(charset)
    except ValueError:  # not base64, or not of this charset
        return None
    if b2a_base64(content, newline=False) != encoded:  # stray bits or characters (RFC 4648 3.3 and 3.5)
        return None
    if not text.isprintable() and any(category(character) == "Cc" for character in text):
        return None
    user, colon, password = text.partition(":")  # no user has a colon, a password may
    return (user, password) if colon else None


class BasicAuth(Middleware):
    """Requires a user and a password: only requests for which `verify` returns True pass.

    All others, including those without credentials, get a 401 with WWW-Authenticate, for which browsers show a login
    prompt. Stands inside layers whose headers belong on every response and inside CORS, whose preflights have no
    credentials; outside what it guards. To guard a part of a site, use `BasicAuth(...).when(match.path("/admin"))`,
    which covers every reading of a path. Sets REMOTE_USER, in the form of PEP 3333 (the bytes of UTF-8 as latin-1), and
    AUTH_TYPE. Does nothing to responses.

    The password is sent unencrypted: use the layer with https only (HTTPSRedirect outside). `verify` is called for each
    request, and clients may guess without limit: compare with `hmac.compare_digest`, store passwords hashed, and put a
    RateLimit by address outside. The server must pass on Authorization (mod_wsgi: WSGIPassAuthorization On).

    Options:
        verify: callable(user, password) -> bool. Only True lets a request pass. Required.
        realm: str, printable ASCII. The name that browsers show, and under which they store passwords. Default
            "Restricted".
        charset: "UTF-8", which the challenge announces, or "ISO-8859-1". The encoding of credentials; those that cannot
            be decoded are a 401. Default "UTF-8".
        answer: WSGI application or None. Answers instead of the 401; if its response is a 401, the response gets
            WWW-Authenticate unless it has one. Default None.

    Errors: ConfigError, in particular for a coroutine function, which would never be awaited. An exception raised by
        `verify` counts as an error of the application.
    Source: RFC 7617, RFC 9110 11 and 15.5.2, RFC 4648 4.
    """

    effects: ClassVar[Effects] = Effects(answers=True, provides={"REMOTE_USER", "AUTH_TYPE"})

    def __init__(
        self,
        app: Application | None = None,
        /,
        *,
        verify: Callable[[str, str], bool],
        realm: str = "Restricted",
        charset: str = "UTF-8",
        answer: Application | None = None,
    ) -> None:
        super().__init__(app)
        self.verify, self.realm, self.charset, self.answer = verify, realm, charset, answer
        problems = Problems("BasicAuth")
        right = can_be_called(verify, 2)
        # The value may hold passwords: its type is enough.
        problems.check(right, "verify", "a callable (user, password) -> bool, not a coroutine function", type(verify))
        right = isinstance(realm, str) and _QUOTED.fullmatch(realm) is not None
        problems.check(right, "realm", "printable ASCII (RFC 7617 2)", realm)
        told = _CHARSETS.get(charset.lower()) if isinstance(charset, str) else None
        problems.check(told is not None, "charset", '"UTF-8" or "ISO-8859-1" (RFC 7617 2.1)', charset)
        problems.add_fault("answer", answer_fault(answer), answer)
        problems.done()
        challenge = f"Basic realm={quoted_string(realm)}{told}"
        self._refusal = refusal(answer, 401, _DETAIL, [("WWW-Authenticate", challenge), NO_STORE])

    def on_request(self, environ: Environ) -> Application | None:
        """Let a request of a known user pass."""
        given = credentials(environ.get("HTTP_AUTHORIZATION", ""), self.charset)
        if given is None:
            note(environ, "no Basic credentials in Authorization, or malformed ones")
            return self._refusal
        user, password = given
        if self.verify(user, password) is not True:
            note(environ, "verify did not return True")
            return self._refusal
        environ["REMOTE_USER"] = user if user.isascii() else user.encode().decode("latin-1")
        environ["AUTH_TYPE"] = "Basic"
        return None

    def _shown_options(self) -> dict[str, str]:
        """The options, with only the name of `verify`, because the repr of a partial shows its arguments."""
        shown = getattr(self.verify, "__qualname__", type(self.verify).__qualname__)
        return {**super()._shown_options(), "verify": shown}

    def describe(self) -> Iterable[tuple[str, str]]:
        """The realm that it guards."""
        return [("request", f"is answered with 401 without a user and password for {self.realm!r}")]

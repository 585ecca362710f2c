"""CORS: which origins may read responses, and what their pages may send (Fetch 3.3)."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import lru_cache, partial
from itertools import filterfalse
from typing import TYPE_CHECKING, ClassVar, Final

from middleware.http.edits import Block, adding, setting
from middleware.http.origins import LONGEST, is_origin, matcher
from middleware.http.remembered import Remembered
from middleware.http.status import status_line
from middleware.layers.cors import grants, preflight
from middleware.layers.cors.sharing import PREFLIGHT, TIMING, Decision, finishing
from middleware.wsgi.effects import Effects
from middleware.wsgi.escaped import escaped
from middleware.wsgi.identity import log_extra
from middleware.wsgi.layer import Middleware
from middleware.wsgi.options import Problems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import timedelta

    from middleware.http.fields import Line
    from middleware.layers.cors.grants import Origin
    from middleware.wsgi.plan import Layer
    from middleware.wsgi.response import Response
    from middleware.wsgi.types import Application, Environ, StartResponse

_REQUESTED: Final = "HTTP_ACCESS_CONTROL_REQUEST_"
_METHOD: Final = f"{_REQUESTED}METHOD"
_TEXT: Final = ("Content-Type", "text/plain; charset=utf-8")
_NOT_LISTED: Final = "the origin is not listed in allow_origins"
_STAR_INSTEAD: Final = {
    "allow_origins": "list them, or grant all by a callable: lambda origin, environ: True",
    "expose_headers": "list them",
}
_REMEMBERED: Final = 1024  # origins, each with what follows from it
logger = logging.getLogger("middleware")


class CORS(Middleware):
    """Lets pages of other origins read responses, and answers the preflights by which browsers ask before they send.

    Stands outside whatever answers requests, authentication above all: preflights carry no credentials. Stands inside
    layers whose headers belong on every response. Does nothing to the body, and keeps no request from the application
    but preflights: the browser is who refuses. Without options it grants nothing. Where the application, or a layer
    further in, has set Access-Control-Allow-Origin itself, its CORS headers stay as they are. What <img> and the like
    may show depends on Cross-Origin-Resource-Policy; the order rules warn of one that blocks it beside "*".

    Options: those that take several values take any iterable of them, or a single value.
        allow_origins: origins, patterns, callables, or "*". Who may read: "*" is every origin, without credentials; an
            origin is written as browsers send it, "https://app.example" or "app://."; "https://*.app.example" is one or
            more labels; a re.Pattern has to match all of it; of a callable (origin, environ) -> bool only True grants,
            and it refuses if it raises (logged); "null" is for pages without an origin, sandboxed frames among them,
            which no pattern and no callable grants. Default ().
        allow_methods: methods, whose case counts, or "*". What they may ask by; "*" is any. Default GET, HEAD and POST.
        allow_headers: names of request headers, or "*". What they may send, Content-Type and Authorization too; "*" is
            any. Accept, Accept-Language and Content-Language always are allowed. Default ().
        allow_credentials: bool. Whether cookies and HTTP authentication may go along. Default False.
        expose_headers: names of response headers, or "*". What pages may read; "*" is all. Default ().
        max_age: int of seconds, timedelta, or None. How long a browser may remember a preflight; None leaves it to the
            browser. Default 600.
        allow_private_network: bool. Whether pages of the public web may ask a server in a private network. Default
            False.
        preflight_status: int, 200 to 299. The status of a granted preflight. Default 204.
        timing_origins: origins, "null", or "*". Whose pages may read Server-Timing. Default ().

    Errors: ConfigError for another spelling of an origin (it shows the right one), for "*" beside other origins, for
        "*" with credentials among origins and exposed headers (a callable grants all of them), and for exposing
        Set-Cookie. A refused preflight is a 403 that says what is not allowed.
    Source: Fetch 3.3 and 4.8 to 4.11; Private Network Access 3.
    """

    effects: ClassVar[Effects] = Effects(
        answers=True,
        every_response=True,
        grants=True,
        sets={*preflight.FIELDS, "Vary", TIMING},
        reads={preflight.ALLOW_ORIGIN},
        unique=True,
    )

    def __init__(
        self,
        app: Application | None = None,
        /,
        *,
        allow_origins: Origin | Iterable[Origin] = (),
        allow_methods: str | Iterable[str] = ("GET", "HEAD", "POST"),
        allow_headers: str | Iterable[str] = (),
        allow_credentials: bool = False,
        expose_headers: str | Iterable[str] = (),
        max_age: int | timedelta | None = 600,
        allow_private_network: bool = False,
        preflight_status: int = 204,
        timing_origins: str | Iterable[str] = (),
    ) -> None:
        super().__init__(app)
        problems = Problems("CORS")
        values = partial(grants.values, problems)
        self.allow_origins = grants.origins(problems, "allow_origins", allow_origins, grants.allowed_fault)
        self.allow_methods = values("allow_methods", allow_methods, grants.method_fault)
        self.allow_headers = values("allow_headers", allow_headers, grants.header_fault)
        self.expose_headers = values("expose_headers", expose_headers, grants.exposed_fault)
        self.timing_origins = grants.origins(problems, "timing_origins", timing_origins, grants.timing_fault)
        self.max_age = grants.seconds(problems, "max_age", max_age)
        self.allow_credentials, self.allow_private_network = allow_credentials, allow_private_network
        self.preflight_status = preflight_status
        self._check(problems)
        self._prepare()

    def _check(self, problems: Problems) -> None:
        for option in ("allow_credentials", "allow_private_network"):
            problems.check(isinstance(getattr(self, option), bool), option, "True or False", getattr(self, option))
        status = self.preflight_status
        right = type(status) is int and 200 <= status <= 299
        problems.check(right, "preflight_status", "an int from 200 to 299 (Fetch 4.8)", status)
        for option, instead in _STAR_INSTEAD.items() if self.allow_credentials else ():
            rule = f'"*" means nothing with credentials (Fetch 3.3.5): {instead}'
            problems.check(grants.ANY not in getattr(self, option), option, rule, getattr(self, option))
        problems.done()

    def _prepare(self) -> None:
        """Make ready what is known before any request."""
        self._grant = preflight.Grant(
            self.allow_methods,
            frozenset(map(str.lower, self.allow_headers)),
            self.allow_credentials,
            self.expose_headers,
            self.max_age,
            self.allow_private_network,
        )
        self._every = grants.ANY in self.allow_origins
        self._nobody = self._decision("*" if self._every else None)
        self._granted = lru_cache(_REMEMBERED)(self._decision)
        self._listed = matcher(filterfalse(callable, self.allow_origins))
        self._known = Remembered(self._judged, longest=LONGEST)
        asked = tuple(filter(callable, self.allow_origins))
        self._ask = _asking(self._known, self._granted, asked) if asked and not self._every else None
        self._finish = finishing(self._known, self._ask, varies=not self._every)

    def _decision(self, origin: str | None) -> Decision:
        """What follows for a response to this origin, or to one that is refused."""
        granted = [] if origin is None else preflight.response_lines(self._grant, origin)
        timing = [(TIMING, ", ".join(self.timing_origins))] if self.timing_origins else []
        block = Block((*granted, *timing))
        return Decision(
            origin,
            adding(Block(granted)),
            setting(Block(timing), default=True),
            block.lines,
            block.folded,
        )

    def _judged(self, origin: str) -> Decision:
        """What an origin gets: each is looked at once, and asked about again only where a callable decides."""
        listed = not self._every and len(origin) <= LONGEST and self._listed(origin)
        return self._granted(origin) if listed else self._nobody

    def on_request(self, environ: Environ) -> Application | None:
        """Answer a preflight: OPTIONS with Origin and Access-Control-Request-Method (Fetch 4.8)."""
        if _METHOD not in environ or "HTTP_ORIGIN" not in environ or environ.get("REQUEST_METHOD") != "OPTIONS":
            return None
        sender = environ["HTTP_ORIGIN"]
        origin = (self._known[sender] if self._ask is None else self._ask(sender, environ)).origin
        return _refused(_NOT_LISTED) if origin is None else self._answer(origin, environ)

    def _answer(self, origin: str, environ: Environ) -> Application:
        """What a granted origin is told."""
        headers = environ.get(f"{_REQUESTED}HEADERS", "")
        asked = preflight.preflight(environ[_METHOD], headers, environ.get(f"{_REQUESTED}PRIVATE_NETWORK", ""))
        reason = preflight.refusal(self._grant, asked)
        if reason is not None:
            return _refused(reason)
        return _answer(status_line(self.preflight_status), preflight.preflight_lines(self._grant, origin, asked))

    def on_response(self, environ: Environ, response: Response) -> None:
        """Say who may read the response."""
        self._finish(environ, response)

    def declared(self) -> Effects:
        """What the class declares; with "*", that every origin may read."""
        return replace(self.effects, shares=self._every)

    def layer(self) -> Layer:
        """The closure is the hook itself: one call less on every response."""
        layer = super().layer()
        return layer._replace(on_response=self._finish) if type(self) is CORS else layer

    def describe(self) -> Iterable[tuple[str, str]]:
        """What it grants whom."""
        whom = ", ".join(map(_shown, self.allow_origins)) or "nobody"
        headers = _told("; headers ", self.allow_headers)
        yield "request", f"answers preflights; grants {whom}: {', '.join(self.allow_methods)}{headers}"
        credentials = ", with credentials" * self.allow_credentials
        exposed, timing = _told("; shows ", self.expose_headers), _told("; shows timing to ", self.timing_origins)
        yield "response", f"lets {whom} read{credentials}{exposed}{timing}"


def _told(what: str, values: tuple[str, ...]) -> str:
    return what + ", ".join(values) if values else ""


def _shown(origin: Origin) -> str:
    if isinstance(origin, str):
        return origin
    return f"whom {getattr(origin, '__qualname__', origin)} allows" if callable(origin) else origin.pattern


def _asking(
    known: Mapping[str, Decision],
    granted: Callable[[str], Decision],
    asked: tuple[Callable[..., object], ...],
) -> Callable[[str, Environ], Decision]:
    """Ask the callables about the origins that are not listed, of those that are origins."""
    well_formed = lru_cache(_REMEMBERED)(is_origin)

    def ask(origin: str, environ: Environ) -> Decision:
        decision = known[origin]
        if decision.origin or len(origin) > LONGEST or not well_formed(origin):
            return decision
        for each in asked:
            if _says_yes(each, origin, environ):
                return granted(origin)
        return decision

    return ask


def _says_yes(asked: Callable[..., object], origin: str, environ: Environ) -> bool:
    """Whether the callable grants; one that fails does not."""
    try:
        return asked(origin, environ) is True
    except Exception:
        logger.exception(
            "CORS: allow_origins failed on %s, which it does not grant: %r",
            escaped(origin),
            asked,
            extra=log_extra(environ, "CORS"),
        )
        return False


def _refused(reason: str) -> Application:
    """The answer to a preflight that is not granted: no CORS header, and what to change."""
    return _answer("403 Forbidden", [], f"CORS preflight refused: {reason}\n".encode("ascii"))


def _answer(status: str, lines: list[Line], body: bytes = b"") -> Application:
    framing = [] if status.startswith("204") else [_TEXT, ("Content-Length", str(len(body)))]  # RFC 9110 8.6

    def answer(_: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, [*framing, *lines, PREFLIGHT])
        return [body] if body else []

    return answer

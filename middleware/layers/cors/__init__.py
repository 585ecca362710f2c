"""CORS: lets pages of other origins read responses, and answers preflights (Fetch 3.3)."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache, partial
from itertools import count, filterfalse
from typing import ClassVar, Final, NamedTuple

from middleware.http.edits import Edit
from middleware.http.fields import Line
from middleware.http.origins import LONGEST, is_origin, matcher
from middleware.http.remembered import Remembered
from middleware.http.status import status_line
from middleware.layers.cors import cors_options as options
from middleware.layers.cors import preflight
from middleware.layers.cors.cors_options import Origin
from middleware.wsgi.answer import NOTES, fixed, note
from middleware.wsgi.effects import Effects
from middleware.wsgi.escaped import escaped
from middleware.wsgi.identity import log_extra
from middleware.wsgi.layer import Middleware
from middleware.wsgi.options import Problems
from middleware.wsgi.plan import Layer
from middleware.wsgi.response import Response
from middleware.wsgi.row import Ordinary
from middleware.wsgi.types import Application, Environ

_METHOD: Final = "HTTP_ACCESS_CONTROL_REQUEST_METHOD"
_HEADERS: Final = "HTTP_ACCESS_CONTROL_REQUEST_HEADERS"
_PRIVATE_NETWORK: Final = "HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK"
_TEXT: Final = ("Content-Type", "text/plain; charset=utf-8")
_REMEMBERED: Final = 1024  # the number of cached decisions by origin, and of cached answers to preflights
_TIMING: Final = "Timing-Allow-Origin"
_PREFLIGHT: Final = ("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
_WATCHED: Final = frozenset(map(str.lower, ("Vary", _TIMING, preflight.ALLOW_ORIGIN, preflight.ALLOW_CREDENTIALS)))
_NUMBERS: Final = count()
logger = logging.getLogger("middleware")


@dataclass(frozen=True, slots=True)
class Decision:
    """The header lines of a response to one origin.

    Attributes:
        origin: str or None. The value of Access-Control-Allow-Origin; None if the origin is refused or missing.
        edit: the lines for that origin.
    """

    origin: str | None
    edit: Edit


class _Answered(NamedTuple):
    """The decision on a preflight that this layer answers. The answer already has its CORS headers."""

    decision: Decision


class CORS(Middleware):
    """Lets pages of other origins read responses, and answers the preflight requests of browsers.

    Stands outside every layer that answers requests, authentication above all: preflights carry no credentials. Stands
    inside layers whose headers belong on every response. Does nothing to the body. Every request except a preflight
    reaches the application: the browser enforces the policy. Without options, no origin is allowed. If the application,
    or an inner layer, sets Access-Control-Allow-Origin, its CORS headers stay as they are. Whether <img> and other
    elements may embed a response depends on Cross-Origin-Resource-Policy; an order rule warns of a value that blocks
    them next to "*".

    Options: an option for several values takes an iterable, or a single value.
        allow_origins: origins, patterns, callables, or "*". The origins that may read responses. "*" is every origin,
            without credentials. An origin is spelled as browsers send it, "https://app.example" or "app://.".
            "https://*.app.example" matches one or more labels. A re.Pattern must match the whole origin. A callable
            (origin, environ) -> bool allows an origin only by True; one that raises allows none, and the error is
            logged. "null" is an opaque origin, such as a sandboxed frame; no pattern and no callable matches it.
            Default ().
        allow_methods: methods, whose case counts, or "*". The methods that pages may use; "*" is any. Default GET, HEAD
            and POST.
        allow_headers: names of request headers, or "*". The headers that pages may send, among them Content-Type and
            Authorization; "*" is any. Accept, Accept-Language and Content-Language are always allowed. Default ().
        allow_credentials: bool. Whether requests may carry cookies and HTTP authentication. Default False.
        expose_headers: names of response headers, or "*". The headers that pages may read; "*" is all. Default ().
        max_age: int of seconds, timedelta, or None. How long browsers may cache the answer to a preflight; None leaves
            it to the browser. Default 600.
        allow_private_network: bool. Whether public pages may send requests to a server in a private network. Default
            False.
        preflight_status: int, 200 to 299. The status of an allowed preflight. Default 204.
        timing_origins: origins, "null", or "*". The origins whose pages may read Server-Timing. Default ().

    Errors: ConfigError for a misspelled origin (the message has the right spelling), for "*" next to other origins, for
        "*" with credentials among origins and exposed headers (a callable can allow all of them), and for an exposed
        Set-Cookie. The answer to a refused preflight is a 403 whose text names the reason.
    Source: Fetch 3.3 and 4.8 to 4.11; Private Network Access 3.
    """

    # Options of flask-cors, django-cors-headers, Starlette and others, and what to write here.
    _peers: ClassVar[dict[str, str]] = {
        "origins": "allow_origins",
        "origin": "allow_origins",
        "cors_allowed_origins": "allow_origins",
        "allow_origin_regex": "allow_origins=re.compile(...)",
        "allowed_origins": "allow_origins",
        "methods": "allow_methods",
        "supports_credentials": "allow_credentials",
        "send_wildcard": 'allow_origins="*"',
        "expose": "expose_headers",
        "resources": "the condition .when(match.path(...))",
    }
    effects: ClassVar[Effects] = Effects(
        answers=True,
        every_response=True,
        grants=True,
        sets={*preflight.FIELDS, "Vary", _TIMING},
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
        values = partial(options.values, problems)
        self.allow_origins = options.origins(problems, "allow_origins", allow_origins, options.allow_origin_fault)
        self.allow_methods = values("allow_methods", allow_methods, options.method_fault)
        self.allow_headers = values("allow_headers", allow_headers, options.header_fault)
        self.allow_credentials = allow_credentials
        self.expose_headers = values("expose_headers", expose_headers, options.expose_header_fault)
        self.max_age = options.max_age_seconds(problems, max_age)
        self.allow_private_network, self.preflight_status = allow_private_network, preflight_status
        self.timing_origins = options.origins(problems, "timing_origins", timing_origins, options.timing_origin_fault)
        problems.boolean("allow_credentials", allow_credentials)
        problems.boolean("allow_private_network", allow_private_network)
        problems.integer("preflight_status", preflight_status, 200, 299, " (Fetch 4.8)")
        if allow_credentials:
            star = '"*" means nothing with credentials (Fetch 3.3.5): list them'
            every = f"{star}, or grant all by a callable: lambda origin, environ: True"
            problems.check(options.ANY not in self.allow_origins, "allow_origins", every, self.allow_origins)
            problems.check(options.ANY not in self.expose_headers, "expose_headers", star, self.expose_headers)
        problems.done()
        self._prepare()

    def _prepare(self) -> None:
        """Prepare everything that is the same for all requests."""
        self._grant = preflight.Grant(
            self.allow_methods,
            frozenset(map(str.lower, self.allow_headers)),
            self.allow_credentials,
            self.expose_headers,
            self.max_age,
            self.allow_private_network,
        )
        self._every = options.ANY in self.allow_origins
        self._nobody = self._decision("*" if self._every else None)
        self._granted = lru_cache(_REMEMBERED)(self._decision)
        self._answers = lru_cache(_REMEMBERED)(self._answered)
        self._listed = matcher(filterfalse(callable, self.allow_origins))
        self._known = Remembered(self._judged, longest=LONGEST)
        self._asked = () if self._every else tuple(filter(callable, self.allow_origins))
        self._well_formed = lru_cache(_REMEMBERED)(is_origin)
        self._key = f"middleware.cors.{next(_NUMBERS)}"

    def _decision(self, origin: str | None) -> Decision:
        """The decision on an origin that is granted, or on one that is refused."""
        granted = [] if origin is None else preflight.response_lines(self._grant, origin)
        timing = [(_TIMING, ", ".join(self.timing_origins))] if self.timing_origins else []
        vary = () if self._every else ("Origin",)
        if not granted:
            return Decision(origin, Edit(default=timing, vary=vary))
        return Decision(
            origin,
            Edit(
                remove=(preflight.ALLOW_CREDENTIALS,),  # the application's, useless without an allowed origin
                add=granted,
                default=timing,
                vary=vary,
                unless=preflight.ALLOW_ORIGIN,
            ),
        )

    def _judged(self, origin: str) -> Decision:
        """The decision without the callables, which is cached for each origin."""
        listed = not self._every and len(origin) <= LONGEST and self._listed(origin)
        return self._granted(origin) if listed else self._nobody

    def on_request(self, environ: Environ) -> Application | None:
        """Answer a preflight: OPTIONS with Origin and Access-Control-Request-Method (Fetch 4.8)."""
        decision = self._decide(environ)
        if decision.origin is None and NOTES in environ:
            origin = environ.get("HTTP_ORIGIN")
            unlisted = f"origin {escaped(origin)} is not listed in allow_origins"
            note(environ, "the request has no Origin" if origin is None else unlisted)
        if _METHOD not in environ or "HTTP_ORIGIN" not in environ or environ.get("REQUEST_METHOD") != "OPTIONS":
            environ[self._key] = decision
            return None
        environ[self._key] = _Answered(decision)
        return _NOT_LISTED if decision.origin is None else self._answer(decision.origin, environ)

    def _decide(self, environ: Environ) -> Decision:
        """The decision on a request. Callables are called for a well-formed origin that is not listed."""
        origin = environ.get("HTTP_ORIGIN", "")
        decision = self._known[origin]
        if not self._asked or decision.origin or len(origin) > LONGEST or not self._well_formed(origin):
            return decision
        for each in self._asked:
            try:
                allowed = each(origin, environ) is True
            except Exception:
                logger.exception(
                    "CORS: allow_origins failed on %s, and does not allow it: %r",
                    escaped(origin),
                    each,
                    extra=log_extra(environ, "CORS"),
                )
                continue
            if allowed:
                return self._granted(origin)
        return decision

    def _answer(self, origin: str, environ: Environ) -> Application:
        """Answer the preflight of an allowed origin."""
        method, headers, network = environ[_METHOD], environ.get(_HEADERS, ""), environ.get(_PRIVATE_NETWORK, "")
        is_short = len(method) + len(headers) + len(network) <= LONGEST
        reason, answer = (self._answers if is_short else self._answered)(origin, method, headers, network)
        if reason is not None:
            note(environ, "preflight refused: {}", reason)
        return answer

    def _answered(self, origin: str, *values: str) -> tuple[str | None, Application]:
        """The answer to a preflight with these values of its headers, and the reason if it is a refusal."""
        asked = preflight.preflight(*values)
        reason = preflight.refusal(self._grant, asked)
        if reason is not None:
            return reason, _refused(reason)
        lines = preflight.preflight_lines(self._grant, origin, asked)
        return None, _answer(status_line(self.preflight_status), lines)

    def on_response(self, environ: Environ, response: Response) -> None:
        """Add the headers that let the page read the response."""
        decision: Decision | _Answered | None = environ.get(self._key)
        if NOTES in environ and isinstance(decision, Decision) and preflight.ALLOW_ORIGIN in response.headers:
            note(environ, f"the application set its own {preflight.ALLOW_ORIGIN}")
        if isinstance(decision, _Answered):
            environ[self._key] = decision.decision  # for an error that replaces the answer
        elif decision is None:  # an outer layer failed before this one ran
            self._decide(environ).edit(response.headers)
        else:
            decision.edit(response.headers)

    def declared(self) -> Effects:
        """The effects of the class. With "*", responses are shared with every origin."""
        return replace(self.effects, shares=True) if self._every else self.effects

    def layer(self) -> Layer:
        """The hooks. Without callables, the lines of most responses depend only on the origin."""
        layer = super().layer()
        if type(self) is not CORS or self._asked:
            return layer
        return layer._replace(ordinary=Ordinary(_WATCHED, by=("HTTP_ORIGIN",), keeps=(self._key,), conditional=True))

    def describe(self) -> Iterable[tuple[str, str]]:
        """The origins that may read, and what their pages may send."""
        named = [
            f"those that {getattr(origin, '__qualname__', origin)} allows"
            if callable(origin)
            else getattr(origin, "pattern", origin)
            for origin in self.allow_origins
        ]
        whom = ", ".join(named) or "no origin"
        headers = _told("; headers ", self.allow_headers)
        yield "request", f"answers preflights; grants {whom}: {', '.join(self.allow_methods)}{headers}"
        credentials = ", with credentials" * self.allow_credentials
        exposed, timing = _told("; shows ", self.expose_headers), _told("; shows timing to ", self.timing_origins)
        yield "response", f"lets {whom} read{credentials}{exposed}{timing}"


def _told(what: str, values: tuple[str, ...]) -> str:
    return what + ", ".join(values) if values else ""


def _refused(reason: str) -> Application:
    """Answer a refused preflight without CORS headers. The text names the option to change."""
    return _answer("403 Forbidden", [], f"CORS preflight refused: {reason}\n".encode("ascii"))


def _answer(status: str, lines: list[Line], body: bytes = b"") -> Application:
    framing = [] if status.startswith("204") else [_TEXT, ("Content-Length", str(len(body)))]  # RFC 9110 8.6
    return fixed(status, [*framing, *lines, _PREFLIGHT], body)


_NOT_LISTED: Final = _refused("the origin is not listed in allow_origins")

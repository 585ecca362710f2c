"""HTTPSRedirect: redirects http requests to the same path and query over https (RFC 9110 15.4, RFC 9112 3.2)."""

import logging
from collections.abc import Iterable
from contextlib import suppress
from typing import ClassVar, Final, NamedTuple
from urllib.parse import unquote_to_bytes

from middleware import match
from middleware.http.authorities import Authority, authority
from middleware.http.locations import REDIRECTS, encoded, is_target, leads_to, origin_form
from middleware.wsgi.answer import answer, note, redirect
from middleware.wsgi.conditions import certain, varying
from middleware.wsgi.effects import Effects
from middleware.wsgi.identity import log_extra
from middleware.wsgi.layer import Middleware
from middleware.wsgi.options import Problems
from middleware.wsgi.plan import Layer
from middleware.wsgi.refused import predicate_fault
from middleware.wsgi.types import Application, Environ, Predicate

_HOST: Final = "middleware.host"  # the authority that TrustedHosts has checked
SERVER_WIDE: Final = "*"  # RFC 9112 3.2.4: OPTIONS * concerns the server as a whole, and has no URL
_HTTPS: Final = 443
BAD_HOST: Final = "The Host of the request is missing or malformed."
BAD_TARGET: Final = "The target of the request is not a path."
_UNTRUSTED: Final = (
    "HTTPSRedirect redirects a request with X-Forwarded-Proto: https, because wsgi.url_scheme is http: clients may be "
    "redirected for ever. Let the server trust its proxy (waitress: --trusted-proxy, gunicorn: --forwarded-allow-ips), "
    "or put External(ProxyFix, x_proto=1) outside of HTTPSRedirect."
)
logger = logging.getLogger("middleware")


class Destination(NamedTuple):
    """The URL that a request is redirected to, or the fault for which it is refused; without either, it passes."""

    location: str
    fault: str


def decide(target: str, host: str, port: int | None) -> Destination:
    """The destination of a request for this target at this host; `port` is that of https."""
    if target == SERVER_WIDE:
        return Destination("", "")
    place = authority(host)
    if place is None:
        return Destination("", BAD_HOST)
    if not is_target(target):
        return Destination("", BAD_TARGET)
    place = Authority(place.host, None if port == _HTTPS else port)
    location = f"https://{place}{target}"
    # Defence in depth: a URL that leads to another host would be an open redirect.
    if leads_to(location) != ("https", place._replace(port=port or _HTTPS)):
        return Destination("", BAD_TARGET)
    return Destination(location, "")


def target_of(environ: Environ) -> str:
    """The path and query of a request, byte for byte if the server provides the target; "" if it is not a URL path."""
    script_name, path_info = environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", "")
    raw = environ.get("REQUEST_URI") or environ.get("RAW_URI")
    try:
        if raw:
            target = origin_form(raw)
            # A proxy may have removed the prefix that SCRIPT_NAME still has (X-Forwarded-Prefix).
            stripped = script_name and unquote_to_bytes(target.partition("?")[0]) == path_info.encode("latin-1")
            return f"{encoded(script_name)}{target}" if stripped else target
        path = encoded(script_name + path_info)
    except UnicodeEncodeError:
        return ""
    query = environ.get("QUERY_STRING", "")
    return (path or "/") + (f"?{query}" if query else "")


class _OverHTTP(match.Predicate):
    """Whether a request is over http."""

    def __call__(self, environ: Environ) -> bool:
        return str(environ.get("wsgi.url_scheme", "")).lower() == "http"


class HTTPSRedirect(Middleware):
    """Redirects http requests to the same path and query over https, and never to another host.

    Stands inside layers whose headers belong on every response, CORS among them: browsers follow no redirect of a
    preflight. Stands inside TrustedHosts, and uses the `middleware.host` that TrustedHosts has checked. Does nothing to
    requests over https, to `OPTIONS *`, and to responses. The scheme is that of the server (`wsgi.url_scheme`). Behind
    a proxy that speaks https, the server must trust the proxy, or ProxyFix(x_proto=1) must be outside; otherwise
    clients are redirected forever. X-Forwarded-Proto itself is never trusted; a redirect despite it is logged once.
    HSTS (SecurityHeaders) makes browsers use https from the start.

    Options:
        status: int, 301, 302, 303, 307 or 308. 308 keeps method and body, and is remembered by browsers; 307 is not
            remembered. Default 308.
        host: str or None. The host to redirect to; None is that of the request. Default None.
        port: int or None. The port of https; None is 443, regardless of the port of the Host. Default None.
        exempt: predicate or None. Requests that pass over http, such as health checks; the predicate must hold
            certainly (middleware.match). Over http, its request fields are named in Vary. Default None.

    Errors: ConfigError. A request without a valid Host (unless `host` is given), or whose target is not a path of
        %x21-7E without a fragment, is a 400.
    Source: RFC 9110 15.4, RFC 9112 3.2, RFC 6797 7.2.
    """

    effects: ClassVar[Effects] = Effects(answers=True, requires={"wsgi.url_scheme", "HTTP_HOST", _HOST})

    def __init__(
        self,
        app: Application | None = None,
        /,
        *,
        status: int = 308,
        host: str | None = None,
        port: int | None = None,
        exempt: Predicate | None = None,
    ) -> None:
        super().__init__(app)
        self.status, self.host, self.port, self.exempt = status, host, port, exempt
        self._check()
        self._exempt = None if exempt is None else certain(exempt)
        self._unsaid = [_UNTRUSTED]
        self._refusals = {fault: answer(400, fault) for fault in (BAD_HOST, BAD_TARGET)}

    def _check(self) -> None:
        problems = Problems("HTTPSRedirect")
        known = isinstance(self.status, int) and self.status in REDIRECTS
        problems.check(known, "status", f"one of {', '.join(map(str, REDIRECTS))} (RFC 9110 15.4)", self.status)
        if self.host is not None:
            place = authority(self.host) if isinstance(self.host, str) and not self.host.endswith(":") else None
            rule = "a host name, or an address in brackets, without a port (RFC 3986 3.2.2)"
            problems.check(place is not None and place.port is None, "host", rule, self.host)
        if self.port is not None:
            problems.integer("port", self.port, 1, 0xFFFF, ", or None")
        problems.add_fault("exempt", self.exempt is not None and predicate_fault(self.exempt), self.exempt)
        problems.done()

    def on_request(self, environ: Environ) -> Application | None:
        """Redirect a request over http."""
        if environ["wsgi.url_scheme"].lower() != "http":
            return None
        if self._exempt is not None and self._exempt(environ):
            note(environ, "over http, and exempt")
            return None
        host = self.host or environ.get(_HOST) or environ.get("HTTP_HOST", "")
        location, fault = decide(target_of(environ), host, self.port)
        if fault:
            note(environ, fault)
            return self._refusals[fault]
        if not location:
            return None
        self._tell(environ)
        return redirect(self.status, location)

    def _tell(self, environ: Environ) -> None:
        """Note why a request is redirected; log once that a proxy speaks https and is not trusted."""
        if environ.get("HTTP_X_FORWARDED_PROTO", "").partition(",")[0].strip().lower() != "https":
            note(environ, "over http")
        else:
            note(environ, "X-Forwarded-Proto is https, and wsgi.url_scheme is http: the proxy is not trusted")
            with suppress(IndexError):  # another thread may have logged it
                self._unsaid.pop()
                logger.warning("%s", _UNTRUSTED, extra=log_extra(environ, self.name))

    def layer(self) -> Layer:
        """The hooks. Vary names the request fields of `exempt`, except over https, where it is not asked."""
        layer = super().layer()
        asked = None if self.exempt is None else _OverHTTP() & self.exempt
        return layer._replace(vary=(*layer.vary, *varying(asked)))

    def describe(self) -> Iterable[tuple[str, str]]:
        """The requests that are redirected."""
        return [("request", f"is redirected to https with {self.status} if it is over http")]

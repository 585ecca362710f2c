"""CrossOriginProtection: refuses unsafe requests from pages of other origins (Fetch Metadata; as Go 1.25 does)."""

from collections.abc import Callable, Iterable
from typing import ClassVar, Final

from middleware import match
from middleware.http.authorities import DEFAULT_PORTS, authority
from middleware.http.origins import listed_fault, matcher
from middleware.wsgi.answer import NO_STORE, answer_fault, note, refusal
from middleware.wsgi.conditions import certain, varying
from middleware.wsgi.effects import Effects
from middleware.wsgi.layer import Middleware
from middleware.wsgi.options import Problems, each
from middleware.wsgi.plan import Layer
from middleware.wsgi.refused import predicate_fault
from middleware.wsgi.types import Application, Environ, Predicate

SAFE: Final = frozenset(("GET", "HEAD", "OPTIONS"))
_OWN: Final = frozenset(("same-origin", "none"))  # W3C Fetch Metadata 2.3: `none` is a user action
_TOLD: Final = ("Sec-Fetch-Site", "HTTP_SEC_FETCH_SITE"), ("Origin", "HTTP_ORIGIN"), ("Host", "HTTP_HOST")
_DETAIL: Final = "The request comes from a page of another origin."
_UNLISTED: Final = (
    'an origin such as "https://app.example", or "https://*.app.example": to trust more than can be listed is no '
    "protection"
)


def is_cross_origin(environ: Environ, trusts: Callable[[str], bool]) -> bool:
    """Whether the request may change something and is made by a page of another origin that is not trusted."""
    if environ["REQUEST_METHOD"] in SAFE:
        return False
    site, origin = environ.get("HTTP_SEC_FETCH_SITE", ""), environ.get("HTTP_ORIGIN", "")
    if site in _OWN or trusts(origin):
        return False
    # Browsers from before 2023 send no Sec-Fetch-Site, and no browser sends it to an untrustworthy URL, such as http.
    return site != "" or (origin != "" and not is_own(origin, environ.get("HTTP_HOST", "")))


class _Unsafe(match.Predicate):
    """Whether a request may change something."""

    pure = True

    def __call__(self, environ: Environ) -> bool:
        return environ.get("REQUEST_METHOD") not in SAFE


def is_own(origin: str, host: str) -> bool:
    """Whether an Origin has the host and port of a Host. The schemes http and https are not told apart."""
    scheme, _, rest = origin.partition("://")
    own, asked = authority(rest), authority(host)
    if own is None or asked is None or scheme not in DEFAULT_PORTS:
        return False
    implied: dict[int | None, int] = {None: DEFAULT_PORTS[scheme]}
    return own.host == asked.host and implied.get(own.port, own.port) == implied.get(asked.port, asked.port)


class CrossOriginProtection(Middleware):
    """Refuses requests by which a page of another origin could change something: CSRF protection without tokens.

    Decides by the headers that browsers send, Sec-Fetch-Site and Origin, as net/http of Go 1.25 does. GET, HEAD and
    OPTIONS pass: they must not change anything. Other requests pass with a trusted Origin, and with Sec-Fetch-Site
    same-origin or none (a user action). A request without both headers passes, because no current browser omits both.
    If only Sec-Fetch-Site is missing, the Origin must have the host and port of the Host. All other requests get a 403,
    including those of pages of other subdomains (same-site). Stands inside layers whose headers belong on every
    response, and outside everything that changes state. Does nothing to responses.

    An intended POST from another site, by SAML, form_post, 3-D Secure or a webhook sent by a browser, needs `exempt` or
    a trusted origin. Permission to read, by CORS, does not imply permission to write. Behind a proxy that does not pass
    on the Host, put ProxyFix(x_host=1) outside; otherwise old browsers are refused.

    Options:
        trusted_origins: str, or iterable of str. Origins as browsers send them, "https://app.example", or
            "https://*.app.example" for one or more labels. Default ().
        exempt: predicate or None. Requests that pass; the predicate must hold certainly (middleware.match). Its request
            fields are named in Vary, except for GET, HEAD and OPTIONS. Default None.
        answer: WSGI application or None. Answers instead of the 403. Default None.

    Errors: ConfigError for another spelling of an origin (it shows the right one), for "null", "*", patterns and
        callables, which would protect nothing.
    Source: Go 1.25 net/http CrossOriginProtection; W3C Fetch Metadata 2; Fetch 3.2.
    """

    effects: ClassVar[Effects] = Effects(answers=True, requires={"HTTP_HOST"})

    def __init__(
        self,
        app: Application | None = None,
        /,
        *,
        trusted_origins: str | Iterable[str] = (),
        exempt: Predicate | None = None,
        answer: Application | None = None,
    ) -> None:
        super().__init__(app)
        problems = Problems("CrossOriginProtection")
        self.trusted_origins = each(trusted_origins)
        for origin in self.trusted_origins:
            listed = isinstance(origin, str) and origin not in ("null", "*")
            problems.add_fault("trusted_origins", listed_fault(origin) if listed else _UNLISTED, origin)
        self.exempt, self.answer = exempt, answer
        problems.add_fault("exempt", exempt is not None and predicate_fault(exempt), exempt)
        problems.add_fault("answer", answer_fault(answer), answer)
        problems.done()
        self._trusts = matcher(self.trusted_origins)
        self._exempt = None if exempt is None else certain(exempt)
        self._refusal = refusal(answer, 403, _DETAIL, [NO_STORE])

    def on_request(self, environ: Environ) -> Application | None:
        """Refuse a request of another origin."""
        if not is_cross_origin(environ, self._trusts):
            return None
        if self._exempt is not None and self._exempt(environ):
            note(environ, "from another origin, and exempt")
            return None
        told = ", ".join(f"{name} is {environ.get(key)!r}" for name, key in _TOLD)
        note(environ, f"from another origin: {told}")
        return self._refusal

    def layer(self) -> Layer:
        """The hooks. Vary names the request fields of `exempt`, except for methods for which it is not asked."""
        layer = super().layer()
        asked = None if self.exempt is None else _Unsafe() & self.exempt
        return layer._replace(vary=(*layer.vary, *varying(asked)))

    def describe(self) -> Iterable[tuple[str, str]]:
        """The requests that are refused."""
        trusted = f"; trusts {', '.join(self.trusted_origins)}" if self.trusted_origins else ""
        return [("request", f"is answered with 403 if it may change something and comes from another origin{trusted}")]

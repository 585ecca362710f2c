"""The nonce of one response, and the policies that contain it. Part of SecurityHeaders."""

from base64 import b64encode
from collections import UserString
from collections.abc import Callable, Iterable
from secrets import token_bytes
from typing import Any, Final

from middleware.http.lists import has_directive, members
from middleware.http.status import without_content
from middleware.layers.security.csp import NONCE
from middleware.layers.security.policies import CSP
from middleware.wsgi.response import Response
from middleware.wsgi.types import Environ

KEY: Final = "middleware.csp_nonce"
# RFC 9111 5.2.2: the application allows shared caches explicitly, or forbids every cache.
_DECIDED: Final = ("public", "s-maxage", "no-store")
NONCE_BYTES: Final = 16  # CSP3 7.1: at least 128 bits from a cryptographic generator


class Nonce(UserString):
    """`environ["middleware.csp_nonce"]`: a text that is generated when it is first read, and then stays.

    It works in templates and f-strings, and has the methods of a str. Code that requires an actual str takes
    `str(nonce)`.

    Attributes:
        sent: bool. Whether the head of a response has passed, so that the next request needs a new nonce.
    """

    sent: bool = False

    def __init__(self, text: object | None = None) -> None:
        if text is not None:  # the methods of a str return their results as a Nonce
            super().__init__(text)

    def __getattr__(self, name: str) -> str:
        """Generate the text on first access."""
        if name != "data":
            raise AttributeError(f"a nonce has no attribute {name!r}")
        self.data = b64encode(token_bytes(NONCE_BYTES)).decode("ascii")
        return self.data

    def __repr__(self) -> str:
        return repr(self.data) if self.read else "<a nonce that has not been read>"

    def __format__(self, spec: str) -> str:
        return format(self.data, spec)

    @property
    def read(self) -> bool:
        """Whether the text was generated."""
        return "data" in vars(self)


def offer(environ: Environ) -> None:
    """Put a nonce into environ. Two SecurityHeaders in one request share it."""
    nonce = environ.get(KEY)
    if not isinstance(nonce, Nonce) or nonce.sent:
        environ[KEY] = Nonce()


def csp_nonce(request: Any) -> dict[str, Any]:
    """The nonce of the response, for templates: `{"csp_nonce": nonce}`, empty where no policy has a nonce.

    So a template that prints `{{ csp_nonce }}` works without a stack too, in tests and in mails. The nonce is generated
    when the template prints it. In Flask `app.context_processor(lambda: csp_nonce(request))` gives it to all templates
    but those that Jinja imports without context, in Django the context processor "middleware.csp_nonce", with Jinja2
    alone `template.render(**csp_nonce(environ))`.

    Options:
        request: any. The request of Flask, Django, Werkzeug, Pyramid, Bottle or WebOb, or an environ. Required.

    Source: CSP3 7.1.
    """
    if not request:  # an empty environ, or Flask's `request` outside a request
        return {"csp_nonce": ""}
    environ = getattr(request, "META", getattr(request, "environ", request))
    return {"csp_nonce": environ.get(KEY, "")}


def naming(policies: Iterable[tuple[str, CSP]]) -> Callable[[Environ, Response], None]:
    """Add policies, each under its field name, with the nonce of the response if the page may contain it."""
    texts = [(header, str(policy), policy.without_nonce()) for header, policy in policies]

    def edit(environ: Environ, response: Response) -> None:
        nonce, used = environ.get(KEY), False
        if isinstance(nonce, Nonce):  # otherwise an outer layer failed before this one ran
            nonce.sent = True
            whole = isinstance(response.body, (list, tuple)) or "Content-Length" in response.headers
            whole = whole or without_content("GET", response.status)  # HEAD has the fields of GET
            used = nonce.read or not whole  # a stream may still read it
        if response.status[:3] == "304":  # a new policy would replace the stored one, whose nonce is in the page
            return
        source = f"'nonce-{nonce}'" if used else ""
        for header, text, bare in texts:
            response.headers.setdefault(header, text.replace(NONCE, source) if source else bare)
        if source:
            _withhold(response)

    return edit


def declares_length(response: Response) -> bool:
    """Whether a stream may be a whole page that a framework wraps: an inner layer may remove its Content-Length."""
    return not without_content(response.method, response.status) and "Content-Length" in response.headers


def _withhold(response: Response) -> None:
    """Add `private` to Cache-Control: a nonce from a shared cache is known to everyone (RFC 9111 5.2.2.7).

    Without a Cache-Control, a shared cache may store the response by heuristics (4.2.2); with no-cache, it may reuse it
    after a 304.
    """
    given = ", ".join(response.headers.get_all("Cache-Control")).strip(" \t,")
    unqualified = "private" in members([given.lower()])  # private="X-Field" covers that field only
    if any(has_directive(given, name) for name in _DECIDED) or (unqualified and has_directive(given, "private")):
        return
    response.headers["Cache-Control"] = f"{given}, private" if given else "private"

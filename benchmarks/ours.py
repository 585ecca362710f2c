"""The layers of this project: alone, together, and many of them.

A layer that the package does not have yet is a case too, and skipped; its bound is in `gates.py`.
"""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO
from typing import TYPE_CHECKING, Any

import middleware
from benchmarks.case import Case, fields, names
from benchmarks.limit import FOUR, SECURITY, SMALL
from middleware import CORS, Gzip, Headers, Hooks, Middleware, Response, SecurityHeaders, Stack, Timing

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.case import Application


class Custom(Middleware):
    """A layer as anybody writes one: it sets a field."""

    def __init__(self, app: Application | None = None, /, *, field: str, value: str) -> None:
        super().__init__(app)
        self.field, self.value = field, value

    def on_response(self, environ: dict[str, object], response: Response) -> None:  # noqa: ARG002 - it needs no request
        """Set the field."""
        response.headers[self.field] = self.value


class Closing(Middleware):
    """A layer that only wants to know when the response is over."""

    def on_close(self, environ: dict[str, object], error: BaseException | None) -> None:
        """Do nothing."""


def empty(app: Application) -> Application:
    """No layers: the application itself."""
    return Stack().wrap(app)


def headers(app: Application) -> Application:
    """One layer in a stack."""
    return Stack(Headers(set=dict(fields(1)))).wrap(app)


def alone(app: Application) -> Application:
    """One layer without a stack."""
    return Headers(app, set=dict(fields(1)))


def timing(app: Application) -> Application:
    """The other layer in a stack."""
    return Stack(Timing()).wrap(app)


def cors(app: Application) -> Application:
    """One origin is allowed."""
    return Stack(CORS(allow_origins="https://app.example")).wrap(app)


def both(app: Application) -> Application:
    """Both of them."""
    return Stack(Timing(), Headers(set=dict(fields(1)))).wrap(app)


def hardening() -> SecurityHeaders:
    """The layer with the same five fields as the function by hand."""
    only = dict.fromkeys(("hsts", "permissions_policy", "coep", "corp"))
    return SecurityHeaders(frame_options="DENY", referrer_policy="same-origin", csp="default-src 'self'", **only)


def security(app: Application) -> Application:
    """Five security fields."""
    return Stack(hardening()).wrap(app)


def declined(app: Application) -> Application:
    """A page too small to be encoded."""
    return Stack(Gzip(minimum_size=SMALL)).wrap(app)


def ordinary(*middle: Middleware, guards: tuple[Middleware, ...] = (), encoder: Middleware | None = None) -> Stack:
    """The four layers, with others in their middle; guards inside what belongs on every response."""
    encodes = Gzip(minimum_size=SMALL) if encoder is None else encoder
    return Stack(Timing(), hardening(), *middle, CORS(allow_origins="https://app.example"), *guards, encodes)


def four(app: Application) -> Application:
    """Four layers in one stack, no encoding."""
    return ordinary().wrap(app)


def middle(app: Application) -> Application:
    """A custom layer in the middle of the four."""
    [(name, value)] = fields(1)
    return ordinary(Custom(field=name, value=value)).wrap(app)


def closing(app: Application) -> Application:
    """A layer with on_close in the middle of the four."""
    return ordinary(Closing()).wrap(app)


def ten() -> Stack:
    """Ten layers of several kinds, each equal to no other."""
    added = (Headers(set={name: value}) for name, value in fields(3))
    written = (Custom(field=name, value=value) for name, value in fields(2))
    return ordinary(Closing(), *added, *written)


def several_next_to_four(count: int) -> Callable[[Application], Application]:
    """So many Headers in the middle of the four."""
    return lambda app: ordinary(*(Headers(set={name: value}) for name, value in fields(count))).wrap(app)


def several_headers(count: int) -> Callable[[Application], Application]:
    """So many Headers, each with one field of its own."""
    return lambda app: Stack(*(Headers(set={name: value}) for name, value in fields(count))).wrap(app)


def several_custom(count: int) -> Callable[[Application], Application]:
    """So many layers of one's own."""
    return lambda app: Stack(*(Custom(field=name, value=value) for name, value in fields(count))).wrap(app)


def several_hooks(count: int) -> Callable[[Application], Application]:
    """So many after_request hooks, as they are written for Flask."""

    def make(app: Application) -> Application:
        hooks = Hooks()
        for name, value in fields(count):
            hooks.after_request(lambda response, name=name, value=value: _with(response, name, value))
        return hooks.wrap(app)

    return make


def _with(response: Any, name: str, value: str) -> Any:
    response.headers[name] = value
    return response


CASES = (
    Case("ours/empty", "Stack()", empty),
    Case("ours/alone", "Headers(app, set=...)", alone, sends=names(1), limit="limit/headers"),
    Case("ours/headers", "Stack(Headers)", headers, sends=names(1), limit="limit/headers"),
    Case("ours/timing", "Stack(Timing)", timing, sends=("Server-Timing",), limit="limit/timing"),
    Case(
        "ours/security",
        "Stack(SecurityHeaders)",
        security,
        sends=tuple(name for name, _ in SECURITY),
        limit="limit/security",
    ),
    Case("ours/cors", "Stack(CORS)", cors, sends=("Access-Control-Allow-Origin", "Vary"), limit="limit/cors"),
    Case("ours/declined", "Stack(Gzip), not encoding", declined, sends=("Vary",), limit="limit/declined"),
    Case("ours/four", "Stack of four, not encoding", four, sends=FOUR, limit="limit/four"),
    Case("ours/both", "Stack(Timing, Headers)", both, sends=(*names(1), "Server-Timing"), limit="limit/both"),
    Case("ours/middle", "Stack of four, a custom layer in it", middle, sends=(*names(1), *FOUR), limit="limit/four"),
    Case("ours/closing", "Stack of four, and on_close", closing, sends=FOUR, limit="limit/four"),
    Case("ours/next-8", "Stack of four, 8 Headers in it", several_next_to_four(8), sends=(*names(8), *FOUR)),
    Case("ours/hooks-0", "Hooks, no hook", several_hooks(0)),
)


def guarded(
    name: str,
    *positions: Any,
    asks: dict[str, Any] | None = None,
    sends: tuple[str, ...] = (),
    needs: tuple[str, ...] = (),
    **options: Any,
) -> tuple[Case, Case]:
    """A layer that lets the request pass, in the middle of the four, over the four with the same request."""

    def make(app: Application) -> Application:
        return ordinary(guards=(getattr(middleware, name)(*positions, **options),)).wrap(app)

    asks, layers, key = asks or {}, (name,), name.lower()
    over = Case(f"without/{key}", f"without {name}", four, FOUR, None, needs, "bare", layers, asks)
    return over, Case(f"ours/{key}", f"with {name}", make, (*FOUR, *sends), None, needs, over.key, layers, asks)


_POST = {"REQUEST_METHOD": "POST", "CONTENT_LENGTH": "5", "CONTENT_TYPE": "text/plain", "wsgi.input": BytesIO(b"hello")}
_SIGNED = {"HTTP_AUTHORIZATION": f"Basic {b64encode(b'ada:lovelace').decode()}"}
_LIMITED = ("RateLimit", "RateLimit-Policy")
GUARDS = {
    "TrustedHosts": guarded("TrustedHosts", hosts=["localhost"]),
    "HTTPSRedirect": guarded("HTTPSRedirect", asks={"wsgi.url_scheme": "https"}),
    "CrossOriginProtection": guarded("CrossOriginProtection", asks={**_POST, "HTTP_SEC_FETCH_SITE": "same-origin"}),
    "BodyLimit": guarded("BodyLimit", max_bytes=1 << 20, asks=_POST),
    "ConcurrencyLimit": guarded("ConcurrencyLimit", limit=100),
    "BasicAuth": guarded("BasicAuth", verify=lambda user, password: (user, password) != ("", ""), asks=_SIGNED),
    "DecompressRequest": guarded("DecompressRequest", asks=_POST),
    "RateLimit": guarded("RateLimit", "1000000000/minute", sends=_LIMITED, needs=("limits",)),
}
CONTENT_CASES = (
    Case(
        "ours/conditional",
        "Stack(Conditional)",
        lambda app: Stack(getattr(middleware, "Conditional")()).wrap(app),  # noqa: B009 - it may not be there yet
        sends=("ETag",),
        over="limit/hash",
        layers=("Conditional",),
    ),
)

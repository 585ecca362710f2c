"""The layers of this project: alone, together, and many of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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


def security(app: Application) -> Application:
    """The layer with the same five fields as the one by hand."""
    only = dict.fromkeys(("hsts", "permissions_policy", "coep", "corp"))
    layer = SecurityHeaders(frame_options="DENY", referrer_policy="same-origin", csp="default-src 'self'", **only)
    return Stack(layer).wrap(app)


def declined(app: Application) -> Application:
    """A page too small to be encoded."""
    return Stack(Gzip(minimum_size=SMALL)).wrap(app)


def four(app: Application) -> Application:
    """Four layers in one stack, no encoding."""
    only = dict.fromkeys(("hsts", "permissions_policy", "coep", "corp"))
    layer = SecurityHeaders(frame_options="DENY", referrer_policy="same-origin", csp="default-src 'self'", **only)
    return Stack(Timing(), layer, CORS(allow_origins="https://app.example"), Gzip(minimum_size=SMALL)).wrap(app)


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
    Case("ours/hooks-0", "Hooks, no hook", several_hooks(0)),
)

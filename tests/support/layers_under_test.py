"""Every layer there is, as the protocol tests run it. A new layer joins all of them by one line here."""

from __future__ import annotations

from typing import Any

from middleware import (
    CORS,
    AccessLog,
    BasicAuth,
    BodyLimit,
    Compress,
    ConcurrencyLimit,
    Conditional,
    ContextHooks,
    CrossOriginProtection,
    DecompressRequest,
    Effects,
    External,
    Gzip,
    Headers,
    Hooks,
    HTTPSRedirect,
    InjectHTML,
    Inspector,
    Metrics,
    Middleware,
    RateLimit,
    Redirect,
    RequestId,
    Respond,
    SecurityHeaders,
    Stack,
    Timing,
    TrustedHosts,
    match,
)
from middleware.hooks import g
from middleware.hooks import request as hooked_request


class Upper(Middleware):
    """Rewrites the body, chunk by chunk, and has something left at the end."""

    effects = Effects(rewrites_body=True)

    def on_response(self, environ, response):
        return Uppercase()


class Uppercase:
    def __init__(self):
        self.kept = b""

    def feed(self, chunk: bytes) -> bytes:
        out, self.kept = self.kept + chunk[:-1], chunk[-1:]
        return out.upper()

    def finish(self) -> bytes:
        return self.kept.upper()


class Undeclared(Upper):
    """The same by a class that does not say so."""

    effects = Effects()


class Witness(Middleware):
    """Writes down what it is told."""

    def __init__(self, app=None, /, *, seen: list[Any]):
        super().__init__(app)
        self.seen = seen

    def on_request(self, environ):
        self.seen.append(("request", environ.get("REQUEST_METHOD")))

    def on_response(self, environ, response):
        self.seen.append(("response", response.status))

    def on_close(self, environ, error):
        self.seen.append(("close", type(error) if error is not None else None))


class Sees(Middleware):
    """Only looks at the response."""

    def on_response(self, environ, response):
        response.headers.get("Content-Type")


def hooked(*, torn_down=False, **options) -> Hooks:
    """Hooks that use `g` and `request`, and leave errors to others."""
    hooks = Hooks(propagate_exceptions=True, **options)
    hooks.before_request(lambda: setattr(g, "path", hooked_request.path))

    @hooks.after_request
    def stamp(response):
        response.headers["X-Path"] = g.path
        return response

    if torn_down:
        hooks.teardown_request(lambda error: g.path)
    return hooks


def contextual() -> ContextHooks:
    """Hooks that use their context, and leave errors to others."""
    hooks = ContextHooks(propagate_exceptions=True)
    hooks.before_request(lambda ctx: setattr(ctx, "path", ctx.request.path))
    hooks.after_request(lambda ctx, response: response.headers.set("X-Path", ctx.path))
    return hooks


def plain(app, environ=None):
    def run(environ, start_response):
        return app(environ, start_response)

    return run


# name -> (the layers, what they make of a body)
LAYERS: dict[str, tuple[list[Any], Any]] = {
    "looks": ([Sees()], bytes),
    "headers": (
        [Headers(set={"X-Set": "1"}, default={"X-Default": "1"}, append=[("X-Add", "1")], remove="X-Old")],
        bytes,
    ),
    "headers-one-edit": ([Headers(set={"X-Set": "1"})], bytes),
    "headers-made": ([Headers(set={"X-Made": lambda environ, response: response.status[:3]})], bytes),
    "headers-conditional": ([Headers(set={"X-Set": "1"}).when(match.path("/"))], bytes),
    "security": ([SecurityHeaders()], bytes),
    "security-nonce": ([SecurityHeaders(preset="strict", remove=["X-Old"])], bytes),
    "cors": ([CORS(allow_origins="https://app.example", timing_origins="*")], bytes),
    "cors-conditional": ([CORS(allow_origins="*").when(match.path("/"))], bytes),
    "timing": ([Timing()], bytes),
    "inspector": ([Inspector(keep=5), Headers(set={"X-Set": "1"})], bytes),
    "inspector-alone": ([Inspector()], bytes),
    "timing-complete": ([Timing(on_complete=lambda measurement: None, response_time_header="X-Time")], bytes),
    "timing-layers": ([Timing(layers=True), Headers(set={"X-Set": "1"})], bytes),
    "request-id": ([RequestId()], bytes),
    "access-log": ([AccessLog()], bytes),
    "metrics": ([Metrics()], bytes),
    "sight-encoded": ([RequestId(), AccessLog(format="json"), Metrics(), Compress()], bytes),
    "gzip-unasked": ([Gzip(minimum_size=0)], bytes),
    "gzip": ([Gzip()], bytes),
    "br": ([Compress()], bytes),
    # gzip has a header that goes out at once: what fails later is seen to
    "gzip-unflushed": ([Gzip(flush="never", breach_padding=64)], bytes),
    "zstd": ([Compress(codings="zstd")], bytes),
    "compress-conditional": ([Compress(etag="weak").when(match.path("/"))], bytes),
    "compress-rewritten": ([Compress(), Upper()], bytes.upper),
    "hooks": ([Hooks(propagate_exceptions=True)], bytes),
    "hooks-header": ([hooked()], bytes),
    "hooks-teardown": ([hooked(torn_down=True)], bytes),
    "hooks-flask": ([hooked(torn_down=True, teardown="flask")], bytes),
    "hooks-between": ([Headers(set={"X-Set": "1"}), hooked(torn_down=True), Headers(set={"X-In": "1"})], bytes),
    "hooks-encoded": ([Compress(minimum_size=0), hooked(torn_down=True)], bytes),
    "context-hooks": ([ContextHooks(propagate_exceptions=True)], bytes),
    "context-hooks-header": ([contextual()], bytes),
    "witness": ([Witness(seen=[])], bytes),
    "upper": ([Upper()], bytes.upper),
    "upper-undeclared": ([Undeclared()], bytes.upper),
    "upper-between": ([Headers(set={"X-Set": "1"}), Undeclared(), Headers(set={"X-In": "1"})], bytes.upper),
    "trusted-hosts": ([TrustedHosts(hosts="*")], bytes),
    "https-redirect": ([HTTPSRedirect(exempt=lambda environ: True)], bytes),
    "cross-origin": ([CrossOriginProtection(trusted_origins="https://app.example")], bytes),
    "basic-auth": ([BasicAuth(verify=lambda user, password: user == "ann")], bytes),
    "body-limit": ([BodyLimit(max_bytes=1_000_000)], bytes),
    "concurrency": ([ConcurrencyLimit(limit=64)], bytes),
    "rate-limit": ([RateLimit("1000000/second", headers=False)], bytes),
    "decompress": ([DecompressRequest()], bytes),
    "decompress-buffered": ([DecompressRequest(buffer=True)], bytes),
    "respond-elsewhere": ([Respond(404).when(match.path("/elsewhere"))], bytes),
    "redirect-elsewhere": ([Redirect("/new").when(match.path("/elsewhere"))], bytes),
    "conditional": ([Conditional()], bytes),
    "conditional-off": ([Conditional(etag=False)], bytes),
    "inject": ([InjectHTML(html="<i>added</i>")], bytes),
    "inject-made": ([InjectHTML(html=lambda environ: "<i>added</i>", at="<head>")], bytes),
    "content": ([Compress(minimum_size=0), Conditional(), InjectHTML(html="<i>added</i>")], bytes),
    "external": ([Headers(set={"X-Set": "1"}), External(plain), Timing()], bytes),
    "all": (
        [Timing(on_complete=lambda m: None), Headers(set={"X-Set": "1"}), Witness(seen=[]), Upper(), Sees()],
        bytes.upper,
    ),
    "all-encoded": (
        [
            Timing(layers=True, on_complete=lambda m: None),
            SecurityHeaders(corp="cross-origin"),
            CORS(allow_origins="*"),
            Headers(set={"X-Set": "1"}),
            Compress(),
        ],
        bytes,
    ),
    "all-heads-encoded": (
        [
            Timing(),
            SecurityHeaders(corp="cross-origin"),
            CORS(allow_origins="*"),
            Headers(set={"X-Set": "1"}),
            Compress(),
        ],
        bytes,
    ),
}
# What the request says to them: these bodies are too short to get smaller, so that identity is refused for them.
ACCEPTED = {
    "gzip": "gzip, identity;q=0",
    "br": "br, identity;q=0",
    "gzip-unflushed": "gzip, identity;q=0",
    "zstd": "zstd, identity;q=0",
    "compress-conditional": "gzip, identity;q=0",
    "compress-rewritten": "*, identity;q=0",
    "hooks-encoded": "gzip, identity;q=0",
    "content": "gzip, identity;q=0",
    "all-encoded": "br, identity;q=0",
    "all-heads-encoded": "zstd, identity;q=0",
    "sight-encoded": "gzip, identity;q=0",
}


def request(name: str) -> dict[str, str]:
    """The fields of a request to these layers, as the environ has them."""
    if name == "basic-auth":
        return {"HTTP_AUTHORIZATION": "Basic YW5uOg=="}
    return {"HTTP_ACCEPT_ENCODING": ACCEPTED[name]} if name in ACCEPTED else {}


def stack(name: str) -> Stack:
    return Stack(*LAYERS[name][0])

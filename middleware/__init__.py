"""A stack of WSGI middleware whose order is explicit, printed and checked.

    from middleware import Headers, Stack, Timing

    application = Stack(Timing(), Headers(set={"X-App": "demo"})).wrap(app)

Every name is loaded when it is first used.
"""

import sys
from importlib import import_module

__version__ = "1.0.0rc2"

TYPE_CHECKING = False  # as type checkers read it; importing typing would take longer than all the rest
if TYPE_CHECKING:
    from middleware import by as by
    from middleware import match as match
    from middleware.hooks.flask import Hooks as Hooks
    from middleware.hooks.kyoukai import ContextHooks as ContextHooks
    from middleware.http.fields import Fields as Fields
    from middleware.layers.access_log import AccessLog as AccessLog
    from middleware.layers.answers.basic_auth import BasicAuth as BasicAuth
    from middleware.layers.answers.body_limit import BodyLimit as BodyLimit
    from middleware.layers.answers.concurrency import ConcurrencyLimit as ConcurrencyLimit
    from middleware.layers.answers.cross_origin import CrossOriginProtection as CrossOriginProtection
    from middleware.layers.answers.hosts import TrustedHosts as TrustedHosts
    from middleware.layers.answers.https import HTTPSRedirect as HTTPSRedirect
    from middleware.layers.answers.rate_limit import RateLimit as RateLimit
    from middleware.layers.answers.respond import Redirect as Redirect
    from middleware.layers.answers.respond import Respond as Respond
    from middleware.layers.compress import Compress as Compress
    from middleware.layers.compress import Gzip as Gzip
    from middleware.layers.conditional import Conditional as Conditional
    from middleware.layers.cors import CORS as CORS
    from middleware.layers.decompress import DecompressRequest as DecompressRequest
    from middleware.layers.headers import Headers as Headers
    from middleware.layers.inject import InjectHTML as InjectHTML
    from middleware.layers.metrics import Metrics as Metrics
    from middleware.layers.request_id import RequestId as RequestId
    from middleware.layers.security import SecurityHeaders as SecurityHeaders
    from middleware.layers.security.csp import NONCE as NONCE
    from middleware.layers.security.nonce import csp_nonce as csp_nonce
    from middleware.layers.security.policies import CSP as CSP
    from middleware.layers.security.policies import HSTS as HSTS
    from middleware.layers.security.policies import PermissionsPolicy as PermissionsPolicy
    from middleware.layers.timing import Timing as Timing
    from middleware.sight.explanation import Explanation as Explanation
    from middleware.sight.inspector import Inspector as Inspector
    from middleware.stack.builder import Stack as Stack
    from middleware.stack.external import External as External
    from middleware.stack.order import OrderError as OrderError
    from middleware.stack.order import OrderWarning as OrderWarning
    from middleware.stack.rules import Finding as Finding
    from middleware.wsgi.answer import json_response as json_response
    from middleware.wsgi.effects import Effects as Effects
    from middleware.wsgi.identity import request_id as request_id
    from middleware.wsgi.input import BodyTooLarge as BodyTooLarge
    from middleware.wsgi.layer import Middleware as Middleware
    from middleware.wsgi.measurement import Measurement as Measurement
    from middleware.wsgi.options import ConfigError as ConfigError
    from middleware.wsgi.response import Response as Response
    from middleware.wsgi.response import Transform as Transform

_HOMES = {
    "AccessLog": "layers.access_log",
    "BasicAuth": "layers.answers.basic_auth",
    "BodyLimit": "layers.answers.body_limit",
    "BodyTooLarge": "wsgi.input",
    "CORS": "layers.cors",
    "CSP": "layers.security.policies",
    "Compress": "layers.compress",
    "ConcurrencyLimit": "layers.answers.concurrency",
    "Conditional": "layers.conditional",
    "ConfigError": "wsgi.options",
    "ContextHooks": "hooks.kyoukai",
    "CrossOriginProtection": "layers.answers.cross_origin",
    "DecompressRequest": "layers.decompress",
    "Effects": "wsgi.effects",
    "Explanation": "sight.explanation",
    "External": "stack.external",
    "Fields": "http.fields",
    "Finding": "stack.rules",
    "Gzip": "layers.compress",
    "HSTS": "layers.security.policies",
    "HTTPSRedirect": "layers.answers.https",
    "Headers": "layers.headers",
    "Hooks": "hooks.flask",
    "Inspector": "sight.inspector",
    "Measurement": "wsgi.measurement",
    "Metrics": "layers.metrics",
    "InjectHTML": "layers.inject",
    "Middleware": "wsgi.layer",
    "NONCE": "layers.security.csp",
    "OrderError": "stack.order",
    "OrderWarning": "stack.order",
    "PermissionsPolicy": "layers.security.policies",
    "RequestId": "layers.request_id",
    "RateLimit": "layers.answers.rate_limit",
    "Redirect": "layers.answers.respond",
    "Respond": "layers.answers.respond",
    "Response": "wsgi.response",
    "SecurityHeaders": "layers.security",
    "Stack": "stack.builder",
    "Timing": "layers.timing",
    "Transform": "wsgi.response",
    "csp_nonce": "layers.security.nonce",
    "request_id": "wsgi.identity",
    "TrustedHosts": "layers.answers.hosts",
    "json_response": "wsgi.answer",
}
__all__ = [*_HOMES, "by", "match"]  # noqa: PLE0604 - they are str


def __getattr__(name: str) -> object:
    if name in ("by", "match"):
        return import_module(f"middleware.{name}")
    if name in _HOMES:
        value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    said = f"module {__name__!r} has no attribute {name!r}"
    caller = sys._getframe(1)  # noqa: SLF001 - no public function returns it
    if name.startswith("_") or caller.f_code.co_name == "_handle_fromlist":
        raise AttributeError(said)
    authored = import_module(f"{__name__}.wsgi.authored")
    hint = authored.suggested(name, __all__)
    if hint and authored.imports_from(caller):  # `from middleware import` would replace an AttributeError
        raise ImportError(f"cannot import name {name!r} from {__name__!r}{hint}", name=__name__, path=__file__)
    raise AttributeError(said + hint, name=name, obj=sys.modules[__name__])


def __dir__() -> list[str]:
    return sorted(__all__)

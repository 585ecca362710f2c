"""Recommended: the stack that a careful team would write, as an ordinary stack to print, check and edit."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal, TypeAlias

from middleware.layers.access_log import AccessLog
from middleware.layers.answers.cross_origin import CrossOriginProtection
from middleware.layers.answers.hosts import TrustedHosts
from middleware.layers.answers.https import HTTPSRedirect
from middleware.layers.compress import Compress
from middleware.layers.conditional import Conditional
from middleware.layers.cors import CORS
from middleware.layers.cors.cors_options import Origin
from middleware.layers.request_id import RequestId
from middleware.layers.security import SecurityHeaders
from middleware.layers.timing import Timing
from middleware.wsgi.layer import Middleware
from middleware.wsgi.options import Problems
from middleware.wsgi.types import Predicate

Preset: TypeAlias = Literal["basic", "balanced", "strict", "api"]


def layers(
    *,
    allow_origins: Origin | Iterable[Origin],
    trusted_hosts: str | Iterable[str] | None,
    trusted_origins: str | Iterable[str],
    cross_origin_exempt: Predicate | None,
    https: bool,
    access_log: Any,
    compress: bool,
    preset: Preset,
) -> Iterator[Middleware]:
    """The layers of `Stack.recommended`, outermost first. The options are documented there."""
    problems = Problems("Stack.recommended")
    problems.boolean("https", https)
    problems.boolean("compress", compress)
    problems.done()
    origins = CORS(allow_origins=allow_origins)
    opened = origins.declared().shares  # pages of every origin may read responses, so they may embed them too
    yield RequestId()
    if access_log is not None and access_log is not False:
        yield AccessLog(format=access_log)
    yield Timing()
    yield SecurityHeaders(preset=preset, corp="cross-origin") if opened else SecurityHeaders(preset=preset)
    yield origins
    if trusted_hosts is not None:
        yield TrustedHosts(hosts=trusted_hosts)
    if https:
        yield HTTPSRedirect()
    yield CrossOriginProtection(trusted_origins=trusted_origins, exempt=cross_origin_exempt)
    if compress:
        yield Compress()
    yield Conditional()

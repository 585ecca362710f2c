"""The options of CORS: what may be given, and what is kept of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from middleware.http.fields import is_token
from middleware.http.origins import origin_fault, wildcard_fault
from middleware.layers.cors.preflight import UNEXPOSABLE
from middleware.wsgi.types import Environ

if TYPE_CHECKING:
    from middleware.wsgi.options import Problems

Asked: TypeAlias = Callable[[str, Environ], bool]
Origin: TypeAlias = str | re.Pattern[str] | Asked
ANY: Final = "*"
_KINDS: Final = '"*", an origin, "https://*.app.example", "null", a re.Pattern or a callable (origin, environ) -> bool'
Fault: TypeAlias = Callable[[Any], "str | None"]


def values(problems: Problems, option: str, given: object, fault: Fault) -> tuple[Any, ...]:
    """The values of an option, of which a single one may stand for itself; what is wrong goes to `problems`."""
    try:
        several = (given,) if isinstance(given, (str, bytes)) else tuple(cast("Iterable[object]", given))
    except TypeError:
        several = (given,)
    for value in several:
        problems.add_fault(option, fault(value), value)
    return several


def origins(problems: Problems, option: str, given: object, fault: Fault) -> tuple[Any, ...]:
    """The values of an option that lists origins, where "*" stands for all and so stands alone."""
    several = values(problems, option, given, fault)
    alone = ANY not in several or len(several) == 1
    problems.check(alone, option, '"*" stands for every origin, and so stands alone', given)
    return several


def allowed_fault(value: object) -> str | None:
    """Why this does not say which origins are allowed."""
    if isinstance(value, re.Pattern):
        return None if isinstance(value.pattern, str) else "a pattern of str, not of bytes"
    if iscoroutinefunction(value):
        return "a callable that returns a bool: a coroutine is never awaited, and so grants nothing"
    return None if callable(value) else _fixed_fault(value, _KINDS, _wildcard_fault)


def _wildcard_fault(value: str) -> str | None:
    fault = wildcard_fault(value)
    return fault and f"{fault} (a re.Pattern says what a wildcard cannot)"


def timing_fault(value: object) -> str | None:
    """Why this cannot stand in Timing-Allow-Origin, which is sent as it is to everybody."""
    kinds = '"*", an origin or "null"'
    return _fixed_fault(value, kinds, lambda _: f"{kinds}; a wildcard within it means nothing (Fetch, TAO check)")


def _fixed_fault(value: object, kinds: str, of_wildcard: Fault) -> str | None:
    if not isinstance(value, str):
        return kinds
    if value in (ANY, "null"):
        return None
    return of_wildcard(value) if ANY in value else origin_fault(value)


def method_fault(value: object) -> str | None:
    """Why this is no method."""
    return None if is_token(value) else "a method is a token such as PUT, one a value (RFC 9110 9.1)"


def header_fault(value: object) -> str | None:
    """Why this is no header name."""
    return None if is_token(value) else "a header name is a token such as X-Token, one a value (RFC 9110 5.1)"


def exposed_fault(value: object) -> str | None:
    """Why this header cannot be shown to a page."""
    if isinstance(value, str) and value.lower() in UNEXPOSABLE:
        return "no page gets to see Set-Cookie (Fetch 2.2.6)"
    return header_fault(value)


def seconds(problems: Problems, option: str, given: object) -> int | None:
    """A duration in whole seconds, or None."""
    if given is None:
        return None
    span = int(given.total_seconds()) if isinstance(given, timedelta) else given
    right = type(span) is int and (span if given is span else cast("timedelta", given).days) >= 0
    problems.check(right, option, "an int of seconds or a timedelta, not negative, or None", given)
    return cast("int", span)

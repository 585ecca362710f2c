"""The options of CORS: which origins, methods and header names they take, and the rule that a wrong value breaks."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, TypeAlias, cast

from middleware.http.fields import is_token
from middleware.http.origins import listed_fault, origin_fault
from middleware.layers.cors.preflight import UNEXPOSABLE
from middleware.wsgi.options import Problems, each, int_fault, is_async
from middleware.wsgi.refused import takes
from middleware.wsgi.types import Environ

OriginPredicate: TypeAlias = Callable[[str, Environ], bool]
Origin: TypeAlias = str | re.Pattern[str] | OriginPredicate
ANY: Final = "*"
_KINDS: Final = '"*", an origin, "https://*.app.example", "null", a re.Pattern or a callable (origin, environ) -> bool'
Fault: TypeAlias = Callable[[Any], "str | None"]


def values(problems: Problems, option: str, given: object, fault: Fault) -> tuple[Any, ...]:
    """Return the values of an option, which may be a single value; `fault` returns the rule that a value breaks."""
    found = each(given)
    for value in found:
        problems.add_fault(option, fault(value), value)
    return found


def origins(problems: Problems, option: str, given: object, fault: Fault) -> tuple[Any, ...]:
    """Return the values of an option that lists origins. "*" is every origin, so no other value may stand beside it."""
    found = values(problems, option, given, fault)
    alone = ANY not in found or len(found) == 1
    problems.check(alone, option, '"*" stands for every origin, and so stands alone', given)
    return found


def allow_origin_fault(value: object) -> str | None:
    """The rule that a value of allow_origins breaks, or None."""
    if isinstance(value, re.Pattern):
        return None if isinstance(value.pattern, str) else "a pattern of str, not of bytes"
    if is_async(value):
        return "a callable that returns a bool: a coroutine is never awaited, and so grants nothing"
    if callable(value):
        return None if takes(value, 2) else _KINDS
    if not isinstance(value, str):
        return _KINDS
    if value in (ANY, "null"):
        return None
    fault = listed_fault(value)
    return fault and fault + " (a re.Pattern says what a wildcard cannot)" * (ANY in value)


def timing_origin_fault(value: object) -> str | None:
    """The rule that a value of timing_origins breaks, or None. Timing-Allow-Origin is the same for every client."""
    kinds = '"*", an origin or "null"'
    if not isinstance(value, str):
        return kinds
    if value in (ANY, "null"):
        return None
    return f"{kinds}; a wildcard within it means nothing (Fetch, TAO check)" if ANY in value else origin_fault(value)


def method_fault(value: object) -> str | None:
    """The rule that a method breaks, or None."""
    return None if is_token(value) else "a method is a token such as PUT, one per value (RFC 9110 9.1)"


def header_fault(value: object) -> str | None:
    """The rule that a name of a request header breaks, or None."""
    return None if is_token(value) else "a header name is a token such as X-Token, one per value (RFC 9110 5.1)"


def expose_header_fault(value: object) -> str | None:
    """The rule that a name of a response header breaks, or None. No page can read Set-Cookie."""
    if isinstance(value, str) and value.lower() in UNEXPOSABLE:
        return "no page gets to see Set-Cookie (Fetch 2.2.6)"
    return header_fault(value)


def max_age_seconds(problems: Problems, given: object) -> int | None:
    """Return max_age in whole seconds, or None."""
    seconds = given // timedelta(seconds=1) if isinstance(given, timedelta) else given
    if seconds is not None and int_fault(seconds, 0):
        problems.add("max_age", "an int of seconds or a timedelta, not negative, or None", given)
    return cast("int | None", seconds)

"""The options of SecurityHeaders: what may be given, what is kept of it, and under which field name it is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias, cast

from middleware.http.fields import name_fault
from middleware.layers.security import words
from middleware.layers.security.policies import CSP, HSTS, PermissionsPolicy
from middleware.layers.security.presets import PRESETS, TABLE
from middleware.layers.security.reporting import endpoints
from middleware.wsgi.options import ConfigError, Problems, several
from middleware.wsgi.response import Response
from middleware.wsgi.types import Environ

Forget: TypeAlias = Callable[[Environ, Response], "Iterable[str] | None"]


class Preset(Enum):
    """The default of an option: whatever the preset says."""

    PRESET = "preset"

    def __repr__(self) -> str:
        return self.name


class Choice(NamedTuple):
    """An option: its field name, if it is one field, and what checks it (ValueError) and returns what is kept."""

    header: str
    make: Callable[[Any], Any]


def _hsts(given: object) -> HSTS:
    if isinstance(given, HSTS):
        return given
    raise ValueError("an HSTS, such as HSTS(31536000), or None")


def _csp(given: Any) -> CSP:
    return given if isinstance(given, CSP) else CSP(given)


def _permissions(given: Any) -> PermissionsPolicy:
    return given if isinstance(given, PermissionsPolicy) else PermissionsPolicy(given)


def _nosniff(given: object) -> bool:
    if given is True:
        return True
    raise ValueError("True or False")


def _endpoints(given: Mapping[str, str]) -> dict[str, str]:
    endpoints(given)
    return dict(given)


def _forget(given: object) -> Forget:
    if callable(given):
        return cast("Forget", given)
    raise ValueError("a callable (environ, response) -> what to forget, or None: a response decides it")


def _names(given: Any) -> tuple[str, ...]:
    names = several(given)
    for fault in filter(None, map(name_fault, names)):
        raise ValueError(fault)
    return tuple(map(str, names))


CHOICES: Final = {
    "hsts": Choice("Strict-Transport-Security", _hsts),
    "csp": Choice("Content-Security-Policy", _csp),
    "csp_report_only": Choice("Content-Security-Policy-Report-Only", _csp),
    "frame_options": Choice("X-Frame-Options", words.frame_options),
    "referrer_policy": Choice("Referrer-Policy", words.referrer_policy),
    "permissions_policy": Choice("Permissions-Policy", _permissions),
    "coop": Choice("Cross-Origin-Opener-Policy", partial(words.reported, words.OPENER_POLICIES)),
    "coep": Choice("Cross-Origin-Embedder-Policy", partial(words.reported, words.EMBEDDER_POLICIES)),
    "corp": Choice("Cross-Origin-Resource-Policy", partial(words.one_of, words.RESOURCE_POLICIES)),
    "nosniff": Choice("X-Content-Type-Options", _nosniff),
    "reporting_endpoints": Choice("Reporting-Endpoints", _endpoints),
    "permitted_cross_domain_policies": Choice(
        "X-Permitted-Cross-Domain-Policies", partial(words.one_of, words.DOMAIN_POLICIES)
    ),
    "clear_site_data": Choice("", _forget),
    "remove": Choice("", _names),
}


def checked(preset: object, **given: object) -> dict[str, Any]:
    """Every option as it is kept, None where it is left out; ConfigError names all that are wrong."""
    problems = Problems("SecurityHeaders")
    problems.check(preset in PRESETS, "preset", f"one of {', '.join(map(repr, PRESETS))}", preset)
    defaults: dict[str, Any] = {row.option: row.values.get(str(preset)) for row in TABLE}
    chosen = {option: value for option, value in given.items() if value is not Preset.PRESET}
    kept = {option: _kept(problems, option, value) for option, value in {**defaults, **chosen}.items()}
    problems.done()
    return kept


def _kept(problems: Problems, option: str, value: object) -> Any:
    if value is None or value is False:
        return None
    try:
        return CHOICES[option].make(value)
    except ConfigError as error:
        problems.found.append(f"{option}: {error}")
    except ValueError as error:
        problems.add(option, str(error), value)
    return None


def sent(kept: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that stand for these options, with what is kept of each."""
    named = {choice.header: kept[option] for option, choice in CHOICES.items() if choice.header}
    return {header: value for header, value in named.items() if value is not None}


def with_nonce(fields: Mapping[str, Any]) -> dict[str, CSP]:
    """Those of the fields that are policies with a place for a nonce."""
    return {header: value for header, value in fields.items() if isinstance(value, CSP) and value.needs_nonce}


def field_value(value: object) -> str:
    """What is kept, as it is sent."""
    if isinstance(value, dict):
        return endpoints(value)
    return "nosniff" if value is True else str(value)

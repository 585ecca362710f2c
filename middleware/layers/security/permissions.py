"""Permissions-Policy: which origins may use a feature of the browser (Permissions Policy 5.2, RFC 9651 3.2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeAlias

from middleware.http.origins import origin_fault, wildcard_fault
from middleware.http.structured import Token, dictionary
from middleware.wsgi.options import several

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from middleware.http.structured import Member

Allowlist: TypeAlias = "str | Iterable[str] | None"
_FEATURE: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_WORDS: Final = ("self", "src", "*")
_EVERYBODY: Final = ("*",)
_MISTAKES: Final = (
    (re.compile("['\"]?none['\"]?"), "nobody is an empty list: ()"),
    (re.compile("['\"]self['\"]"), "it is written without quotes of its own: 'self'"),
    (re.compile("['\"]src['\"]"), "it is written without quotes of its own: 'src'"),
)


def feature_name(name: object) -> str:
    """The name as it is sent, `display-capture` for display_capture too; ValueError if it is none."""
    text = name.replace("_", "-").lower() if isinstance(name, str) else ""
    if _FEATURE.fullmatch(text) is None:
        raise ValueError("a feature is a name such as 'camera' or 'display-capture'")
    return text


def allowlist(given: object) -> tuple[str, ...]:
    """Who may use a feature; ValueError for what is neither "self", "src", "*" nor an origin."""
    members = tuple(map(_member, several(given)))
    if "*" in members and members != _EVERYBODY:
        raise ValueError("'*' is everybody, and stands alone")
    return members


def _member(given: object) -> str:
    text = str(given)
    for mistake, rule in _MISTAKES:
        if mistake.fullmatch(text):
            raise ValueError(rule)
    fault = None if text in _WORDS else wildcard_fault(text) if "*" in text else origin_fault(text)
    if fault is not None:
        raise ValueError(f"'self', 'src', '*' or an origin such as 'https://a.example': {fault}")
    return text


def policy_text(features: Mapping[str, tuple[str, ...]]) -> str:
    """The features as a dictionary of inner lists: words are tokens, origins are strings."""
    return dictionary({name: _typed(members) for name, members in features.items()})


def _typed(members: tuple[str, ...]) -> Member:
    typed = tuple(Token(who) if who in _WORDS else who for who in members)
    return typed[0] if members == _EVERYBODY else typed

"""Redacted: an explanation without the secrets of a request and its response."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final
from urllib.parse import unquote_plus

from middleware.sight.explanation import Explanation, Step

GONE: Final = "(not kept)"
_NAMED: Final = re.compile(r"key|token|secret|password|csrf", re.IGNORECASE)
_SECRET: Final = frozenset(("authorization", "proxy-authorization", "cookie", "set-cookie"))
# A query, or a fragment with parameters, in the URL of a field such as Referer or Location
_QUERY: Final = re.compile(r"(?<=[?#])[^\s\"'<>?#]+")
_PAIRS: Final = re.compile(r"([&;])")


def redacted(explanation: Explanation) -> Explanation:
    """The explanation without the values that are not kept."""
    head = explanation.application
    return replace(
        explanation,
        target=_url(explanation.target),
        fields=_lines(explanation.fields),
        steps=tuple(map(_step, explanation.steps)),
        application=None if head is None else (head[0], _lines(head[1])),
        headers=_lines(explanation.headers),
    )


def _step(step: Step) -> Step:
    changed = tuple((name, _value(name, old), _value(name, new)) for name, old, new in step.changed)
    return replace(step, added=_lines(step.added), changed=changed, removed=_lines(step.removed))


def _lines(lines: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, _value(name, value)) for name, value in lines)


def _value(name: str, value: str) -> str:
    return GONE if name.lower() in _SECRET or _NAMED.search(name) else _url(value)


def _url(text: str) -> str:
    """The text, without the values of parameters of its URLs that are named like secrets."""
    return _QUERY.sub(lambda found: "".join(map(_parameter, _PAIRS.split(found[0]))), text)


def _parameter(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    return f"{name}={GONE}" if equals and _NAMED.search(unquote_plus(name)) else pair

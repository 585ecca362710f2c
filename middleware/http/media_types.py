"""Accept: whether a client prefers JSON to text (RFC 9110 12.5.1)."""

from __future__ import annotations

import re
from typing import Final

from middleware.http.remembered import Remembered

_TCHAR: Final = r"[!#$%&'*+\-.^_`|~0-9a-z]+"
# RFC 9110 12.5.1 and 12.4.2: media-range, parameters, weight. A quoted parameter may hold commas and is not supported:
# no media type for JSON or text has one.
_RANGE: Final = re.compile(rf"({_TCHAR}/{_TCHAR})((?:[ \t]*;[ \t]*[^;]*)*)")
_WEIGHT: Final = re.compile(r";[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*(?:;|\Z)")
_JSON: Final = ("application/problem+json", "application/json")
_TEXT: Final = ("text/plain", "text/html")


def prefers_json(accept: str) -> bool:
    """Whether an Accept gives JSON more weight than plain text and HTML. Members that are malformed are ignored."""
    return _PREFERENCES[accept]


def _prefers_json(accept: str) -> bool:
    weights = _weights(accept)
    named = [weight for name, weight in weights.items() if name.startswith("application/") and name.endswith("+json")]
    json = max([*named, *(_weight(weights, name) for name in _JSON)])
    return json > max(_weight(weights, name) for name in _TEXT)


def _weights(accept: str) -> dict[str, float]:
    """The weight of every range that is named; a range named twice has the lower one."""
    weights: dict[str, float] = {}
    for member in accept.lower().split(","):
        found = _RANGE.fullmatch(member.strip(" \t"))
        if found is not None:
            weight = _WEIGHT.search(found[2])
            said = float(weight[1]) if weight else 1.0 if "q=" not in found[2] else None
            if said is not None:
                weights[found[1]] = min(said, weights.get(found[1], 1.0))
    return weights


def _weight(weights: dict[str, float], name: str) -> float:
    """The weight of a media type: that of the most specific range that covers it."""
    kind = name.partition("/")[0]
    return next((weights[each] for each in (name, f"{kind}/*", "*/*") if each in weights), 0.0)


_PREFERENCES: Final = Remembered(_prefers_json)

"""Media types: the type in a Content-Type, types of JSON, and an Accept that prefers them (RFC 9110 8.3.1, 12.5.1)."""

import re
from typing import Final

from middleware.http.remembered import Remembered

_TCHAR: Final = r"[!#$%&'*+\-.^_`|~0-9a-z]+"
# RFC 9110 12.5.1 and 12.4.2: media-range, parameters, weight. A quoted parameter may hold commas and is not supported,
# because no media type for JSON or text has one.
_RANGE: Final = re.compile(rf"({_TCHAR}/{_TCHAR})((?:[ \t]*;[ \t]*[^;]*)*)")
_WEIGHT: Final = re.compile(r";[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*(?:;|\Z)")
_WEIGHTED: Final = re.compile(r";[ \t]*q=")
_JSON: Final = ("application/problem+json", "application/json")
_TEXT: Final = ("text/plain", "text/html")


def media_type(content_type: str | None) -> str:
    """The media type of a Content-Type, without parameters; empty if there is none."""
    return (content_type or "").partition(";")[0].strip()


def is_json(kind: str) -> bool:
    """Whether a media type in lower case is application/json or application/*+json (RFC 6839 3.1)."""
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


@Remembered
def prefers_json(accept: str) -> bool:
    """Whether an Accept gives JSON more weight than plain text and HTML.

    A range named twice has the lower weight. A malformed member is ignored.
    """
    weights: dict[str, float] = {}
    for member in accept.lower().split(","):
        found = _RANGE.fullmatch(member.strip(" \t"))
        if found is not None:
            weight = _WEIGHT.search(found[2])
            said = float(weight[1]) if weight else None if _WEIGHTED.search(found[2]) else 1.0
            if said is not None:
                weights[found[1]] = min(said, weights.get(found[1], 1.0))
    named = [weight for name, weight in weights.items() if is_json(name)]
    json = max([*named, *(_weight(weights, name) for name in _JSON)])
    return json > max(_weight(weights, name) for name in _TEXT)


def _weight(weights: dict[str, float], name: str) -> float:
    """The weight of a media type: that of the most specific range that covers it."""
    kind = name.partition("/")[0]
    return next((weights[each] for each in (name, f"{kind}/*", "*/*") if each in weights), 0.0)

"""Conditional requests for encoded representations, which the application does not know (RFC 9110 13).

The application has one entity tag for content that is sent in several codings. The tags of a request lose the suffix
of their coding; a 304 or 412 gets back the tag that the client knows. Fields that the application must not see are
hidden from it and restored for outer layers.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, Final, TypeAlias

from middleware.http import entity_tags
from middleware.http.negotiation import Choice
from middleware.http.remembered import Remembered
from middleware.layers.compress.codecs import CODINGS
from middleware.wsgi.types import Environ

# RFC 9110 13.2.2: the lists that a 304 or a 412 may come from, in order of precedence
_LISTS: Final = {
    "304": ("HTTP_IF_NONE_MATCH", "HTTP_IF_MATCH"),
    "412": ("HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH"),
}
# Codings whose suffix a tag may have. They need not be offered, because clients keep tags of former codings.
SUFFIXES: Final = CODINGS
# The functions that remove the suffixes from each condition
_CONDITIONS: Final[dict[str, Callable[[str], str]]] = {
    **dict.fromkeys(
        ("HTTP_IF_NONE_MATCH", "HTTP_IF_MATCH"), Remembered(partial(entity_tags.without_suffixes, codings=SUFFIXES))
    ),
    "HTTP_IF": Remembered(partial(entity_tags.conditions_without_suffixes, codings=SUFFIXES)),  # of WebDAV
}
_RANGE: Final[tuple[str, ...]] = ("HTTP_RANGE", "HTTP_IF_RANGE")
# The conditions that tie a range to the representation of which the client has a part, and the functions that read
# their tags
_TYING: Final[dict[str, Callable[[str], Iterator[entity_tags.EntityTag]]]] = {
    "HTTP_IF_RANGE": entity_tags.tags_listed,
    "HTTP_IF_MATCH": entity_tags.tags_listed,
    "HTTP_IF_UNMODIFIED_SINCE": entity_tags.tags_listed,
    "HTTP_IF": entity_tags.tags_of_conditions,
}
# Conditions that hold a date or a lock token if they name no tag; a list without a tag is `*`, which ties nothing
_SHARED: Final = _TYING.keys() - {"HTTP_IF_MATCH"}
_RANGED: Final = ("GET", "HEAD")  # RFC 9110 14.2: with other methods, the application defines Range


@dataclass(slots=True)
class Revalidation:
    """A Choice, and the fields of the request before they were changed for the application."""

    coding: str | None
    identity: bool
    said: Mapping[str, Any]


Negotiated: TypeAlias = Choice | Revalidation


def revalidating(environ: Environ, choice: Choice, *, suffix: bool, before: Negotiated | None) -> Negotiated:
    """Change the conditions of a request to tags that the application knows. With `suffix`, tags lose their suffixes.

    before: the result for this request of the same layer as an outer one, or None.
    """
    ranged = "HTTP_RANGE" in environ or "HTTP_IF_RANGE" in environ
    full = ranged and _ties_to_encoded(environ, choice, SUFFIXES if suffix else ())
    said: dict[str, Any] = entity_tags.rewritten(environ, _CONDITIONS) if suffix else {}
    if full:
        said.update((name, environ.pop(name)) for name in _RANGE if name in environ)
    if isinstance(before, Revalidation):
        said.update(before.said)
    return Revalidation(choice.coding, choice.identity, said) if said else choice


def _ties_to_encoded(environ: Environ, choice: Choice, codings: Collection[str]) -> bool:
    """Whether a condition may tie the range to an encoded representation, which has no ranges (13.1.5, 14.2).

    A tag with a suffix ties it, and so does a weak tag where encoded representations have weak tags. While a coding is
    negotiated, a validator that all codings share ties it too. A strong tag without a suffix is that of the content
    without a coding.
    """
    ranged = "HTTP_RANGE" in environ and environ.get("REQUEST_METHOD", "").upper() in _RANGED
    names = environ.keys() & (_TYING if ranged else {"HTTP_IF_RANGE"})
    named = {name: [*_TYING[name](environ[name])] for name in names}
    tags = [*chain.from_iterable(named.values())]
    weak = any(tag.weak for tag in tags)
    if any(tag.has_suffix(codings) for tag in tags) if codings else weak:
        return True
    return choice.coding is not None and (weak or not all(map(named.get, _SHARED & names)))


def suffix_known(environ: Environ, code: str, tag: str, request: Negotiated, codings: Collection[str]) -> str:
    """The tag of a 304 or 412 (`code`) as the client has listed it, if the listed tag had a suffix."""
    if not isinstance(request, Revalidation):
        return tag
    said, listed = request.said, next((name for name in _LISTS[code] if name in environ), "")
    return entity_tags.as_listed(tag, said[listed], request.coding, codings) if listed in said else tag


def weak_known(tag: str, if_none_match: str) -> str:
    """The tag of a 304 as the client has listed it, if the listed tag was weak."""
    weak = entity_tags.weakened(tag)
    return (
        weak
        if any(each.weak and f'W/"{each.opaque}"' == weak for each in entity_tags.tags_listed(if_none_match))
        else tag
    )

"""Conditional requests for representations that the application does not know: its content, encoded (RFC 9110 13).

The application has one entity tag for what goes out in several codings. On the way in, tags lose the suffix by which
each coding has its own; on the way out, a 304 or 412 gets back the tag that the client knows. What the application
must not see is hidden from it, and there again for the layers outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from middleware.http.entity_tags import (
    as_listed,
    conditions_without_suffixes,
    has_suffix,
    weakened,
    without_suffixes,
)
from middleware.http.negotiation import Choice

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from middleware.wsgi.types import Environ

_LISTS: Final[tuple[str, ...]] = ("HTTP_IF_NONE_MATCH", "HTTP_IF_MATCH")
_CONDITIONS: Final[dict[str, Callable[[str, Collection[str]], str]]] = {
    **dict.fromkeys(_LISTS, without_suffixes),
    "HTTP_IF": conditions_without_suffixes,  # of WebDAV
}
_RANGE: Final[tuple[str, ...]] = ("HTTP_RANGE", "HTTP_IF_RANGE")


@dataclass(frozen=True, slots=True)
class Revalidation(Choice):
    """A Choice, and what the request said before it was changed for the application."""

    said: Mapping[str, Any]


def revalidating(
    environ: Environ, choice: Choice, codings: Collection[str], before: Mapping[str, Any] | None = None
) -> Choice:
    """Change the conditions of a request to what the application knows; `codings` are those whose suffixes go.

    before: what the request said when the same layer changed it already, further out.
    """
    said = dict(_with_suffixes(environ, codings))
    environ.update((name, _CONDITIONS[name](value, codings)) for name, value in said.items())
    if _starts_over(environ.get("HTTP_IF_RANGE"), choice, codings):
        said.update((name, environ.pop(name)) for name in _RANGE if name in environ)
    said.update(before or {})
    return Revalidation(choice.coding, choice.identity, said) if said else choice


def _with_suffixes(environ: Environ, codings: Collection[str]) -> Iterator[tuple[str, str]]:
    """The conditions that have something to lose."""
    for name, known in _CONDITIONS.items():
        value = environ.get(name, "")
        if known(value, codings) != value:
            yield name, value


def _starts_over(if_range: str | None, choice: Choice, codings: Collection[str]) -> bool:
    """Whether what the client has a part of is an encoded representation, or may be: that has no ranges (13.1.5)."""
    if if_range is None:
        return False
    dated = not if_range.lstrip().startswith(('"', 'W/"'))
    return has_suffix(if_range, codings) or (dated and choice.coding is not None)


def suffix_known(tag: str, request: Choice, codings: Collection[str]) -> str:
    """The tag of a 304 or 412 as the client has listed it, if that was with a suffix."""
    said = request.said if isinstance(request, Revalidation) else {}
    listed = [said[name] for name in _LISTS if name in said]
    return as_listed(tag, listed[0], request.coding, codings) if listed else tag


def weak_known(tag: str, if_none_match: str) -> str:
    """The tag of a 304 as the client has listed it, if that was weak."""
    weak = weakened(tag)
    return weak if weak in if_none_match else tag

"""Entity tags, and the suffixes that distinguish encoded representations (RFC 9110 8.8.3, 8.8.3.3).

A suffix stands within the quotes: `"x"` is `"x-gzip"` in gzip. Suffixes are removed from requests, so that the
application finds its own tags in If-None-Match and If-Match (RFC 9110 13.1.1, 13.1.2), and in WebDAV's If (RFC 4918
10.4), and added to responses. Weak tags of responses are left alone, because all codings may share them. The functions
return text that is not an entity tag unchanged. Compress removes such an ETag from encoded responses, which must not
share it with the unencoded content.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final, NamedTuple

# RFC 9110 8.8.3: entity-tag = [ "W/" ] DQUOTE *etagc DQUOTE. Commas and backslashes are ordinary characters.
_OPAQUE: Final = r"[!#-~\x80-\xff]*"
_STRONG: Final = re.compile(f'"{_OPAQUE}"')
# The members of a list (RFC 9110 5.6.1): an entity tag up to the comma, or any other text. The latter takes everything
# up to the comma, so that each match begins where a member does.
_MEMBER: Final = re.compile(rf'(W/)?"({_OPAQUE})"(?=[ \t]*(?:,|\Z))|[^ \t,][^,]*')

# The parts of an If that matter (RFC 4918 10.4.2): a resource or a state token, up to its end, and an entity tag.
_CONDITION: Final = re.compile(rf'<[^>]*|(\[[ \t]*(?:W/)?")({_OPAQUE})("[ \t]*\])')


class EntityTag(NamedTuple):
    """An entity tag.

    Attributes:
        weak: bool. Whether it begins with `W/`.
        opaque: str. The text between the quotes.
    """

    weak: bool
    opaque: str

    def __str__(self) -> str:
        """The tag as it is sent."""
        return f'{"W/" * self.weak}"{self.opaque}"'

    def has_suffix(self, codings: Collection[str]) -> bool:
        """Whether it has the suffix of a coding."""
        return _without(self.opaque, codings) != self.opaque


def suffixed(tag: str, coding: str) -> str:
    """The tag of the representation in this coding: `"x"` is `"x-gzip"`. Only strong tags change."""
    return f'{tag[:-1]}-{coding}"' if _STRONG.fullmatch(tag) else tag


def weakened(tag: str) -> str:
    """The tag for all codings alike: `"x"` is `W/"x"`. Only strong tags change."""
    return f"W/{tag}" if _STRONG.fullmatch(tag) else tag


def without_suffixes(field: str, codings: Collection[str]) -> str:
    """An If-None-Match or If-Match with the suffix of a coding removed from each tag.

    One suffix is removed from each tag, strong or weak, because caches weaken tags. All other text is unchanged, byte
    for byte: `*`, whitespace, members that are not entity tags, and tags that have become duplicates.
    """
    if not _may_hold(field, codings):
        return field

    def without(member: re.Match[str]) -> str:
        weak, opaque = member.groups()
        return member[0] if opaque is None else f'{weak or ""}"{_without(opaque, codings)}"'

    return _MEMBER.sub(without, field)


def conditions_without_suffixes(field: str, codings: Collection[str]) -> str:
    """The If of WebDAV with the suffix of a coding removed from each tag: `(["x-gzip"])` is `(["x"])`.

    One suffix is removed from each tag, strong or weak, for every resource. All other text is unchanged, byte for byte:
    resources, state tokens, Not, whitespace, and text that is not a condition.
    """
    if not _may_hold(field, codings):
        return field

    def without(part: re.Match[str]) -> str:
        return part[0] if part[2] is None else f"{part[1]}{_without(part[2], codings)}{part[3]}"

    return _CONDITION.sub(without, field)


def rewritten(environ: dict[str, Any], changes: Mapping[str, Callable[[str], str]]) -> dict[str, str]:
    """Change the conditions of a request, each by the function for its environ key; return the values that changed."""
    said: dict[str, str] = {}
    for key, change in changes.items():
        value = environ.get(key)
        if value is not None and (changed := change(value)) != value:
            said[key], environ[key] = value, changed
    return said


def with_each(field: str, change: Callable[[EntityTag], EntityTag]) -> str:
    """An If-None-Match or If-Match with each of its tags changed and all other text kept, byte for byte."""

    def changed(member: re.Match[str]) -> str:
        return member[0] if member[2] is None else str(change(EntityTag(member[1] is not None, member[2])))

    return _MEMBER.sub(changed, field)


def tags_listed(field: str) -> Iterator[EntityTag]:
    """The entity tags of an If-None-Match, If-Match or If-Range. Other text, such as `*` or a date, is skipped."""
    return (EntityTag(member[1] is not None, member[2]) for member in _MEMBER.finditer(field) if member[2] is not None)


def tags_of_conditions(field: str) -> Iterator[EntityTag]:
    """The entity tags of an If of WebDAV, for every resource."""
    return (EntityTag("W" in part[1], part[2]) for part in _CONDITION.finditer(field) if part[2] is not None)


def entity_tag(field: str) -> EntityTag | None:
    """The entity tag of an ETag, or None for any other text."""
    found = _MEMBER.fullmatch(field.strip(" \t"))
    return None if found is None or found[2] is None else EntityTag(found[1] is not None, found[2])


def matches_weakly(tag: str, if_none_match: str) -> bool:
    """Whether an If-None-Match has this tag, in weak comparison, or is `*` (RFC 9110 8.8.3.2, 13.1.2).

    Text that is not an entity tag matches only `*`, and `*` counts only if it is the whole field.
    """
    if if_none_match.strip(" \t") == "*":
        return True
    own = entity_tag(tag)
    return own is not None and any(own.opaque == each.opaque for each in tags_listed(if_none_match))


def as_listed(tag: str, field: str, coding: str | None, codings: Collection[str]) -> str:
    """The form in which a 304 or 412 carries the application's tag, so that the client recognizes the tag.

    The default is the form for the negotiated coding (None: without a suffix), which a 200 would carry. If the
    If-None-Match or If-Match as received lists other forms of the tag and not this one, the first of those is returned.
    Listed tags may be weak or strong (RFC 9110 8.8.3.2); the returned one is strong, like the application's tag. A weak
    tag has one form.
    """
    if not _STRONG.fullmatch(tag):
        return tag
    own = tag[1:-1]
    negotiated = f"{own}-{coding}" if coding else own
    listed = [member[2] for member in _MEMBER.finditer(field)]
    if negotiated not in listed:
        forms = {own, *(f"{own}-{each}" for each in codings)}
        negotiated = next((opaque for opaque in listed if opaque in forms), negotiated)
    return f'"{negotiated}"'


def _may_hold(field: str, codings: Collection[str]) -> bool:
    """Whether the text may contain a tag with a suffix. Most text does not, and need not be parsed."""
    return "-" in field and any(f'-{coding}"' in field for coding in codings)


def _without(opaque: str, codings: Collection[str]) -> str:
    stem, dash, last = opaque.rpartition("-")
    return stem if dash and last in codings else opaque

"""Entity tags, and the suffix by which an encoded representation has its own (RFC 9110 8.8.3, 8.8.3.3).

A suffix stands within the quotes: `"x"` is `"x-gzip"` in gzip. On the way in it is taken off, so that the application
finds its own tags in If-None-Match and If-Match (RFC 9110 13.1.1, 13.1.2), and in WebDAV's If (RFC 4918 10.4); on the
way out it is put on again. Weak tags are left alone on the way out: they may be shared by all codings. The functions
return what is no entity tag as it is; an encoded response must not have it, because it would share it with the content
as it is, so Compress removes it there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final, NamedTuple

# RFC 9110 8.8.3: entity-tag = [ "W/" ] DQUOTE *etagc DQUOTE. Commas and backslashes are characters like others.
_OPAQUE: Final = r"[!#-~\x80-\xff]*"
_STRONG: Final = re.compile(f'"{_OPAQUE}"')
# The members of a list (RFC 9110 5.6.1): an entity tag up to the comma, or what is none. As the second takes all up to
# the comma, each match begins where a member does.
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
    """The tag of the representation in this coding: `"x"` is `"x-gzip"`; what is no strong tag stays as it is."""
    return f'{tag[:-1]}-{coding}"' if _STRONG.fullmatch(tag) else tag


def weakened(tag: str) -> str:
    """The tag for all codings alike: `"x"` is `W/"x"`; what is no strong tag stays as it is."""
    return f"W/{tag}" if _STRONG.fullmatch(tag) else tag


def without_suffixes(field: str, codings: Collection[str]) -> str:
    """An If-None-Match or If-Match with the suffix of a coding taken off each tag, as the application knows them.

    One suffix is taken off a tag, strong or weak (caches weaken tags). All else stays byte for byte: `*`, whitespace,
    members that are no entity tags, and tags that are there twice now.
    """
    if not _may_hold(field, codings):
        return field

    def without(member: re.Match[str]) -> str:
        weak, opaque = member.groups()
        return member[0] if opaque is None else f'{weak or ""}"{_without(opaque, codings)}"'

    return _MEMBER.sub(without, field)


def conditions_without_suffixes(field: str, codings: Collection[str]) -> str:
    """The If of WebDAV with the suffix of a coding taken off each tag: `(["x-gzip"])` is `(["x"])`.

    One suffix is taken off a tag, strong or weak, whatever resource its list is about. All else stays byte for byte:
    resources, state tokens, Not, whitespace, and what is no condition.
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
    """An If-None-Match or If-Match with each of its tags changed; all else stays byte for byte."""

    def changed(member: re.Match[str]) -> str:
        return member[0] if member[2] is None else str(change(EntityTag(member[1] is not None, member[2])))

    return _MEMBER.sub(changed, field)


def tags_listed(field: str) -> Iterator[EntityTag]:
    """The entity tags of an If-None-Match, If-Match or If-Range, and nothing for what is none: `*`, or a date."""
    return (EntityTag(member[1] is not None, member[2]) for member in _MEMBER.finditer(field) if member[2] is not None)


def tags_of_conditions(field: str) -> Iterator[EntityTag]:
    """The entity tags of an If of WebDAV, whatever resource their lists are about."""
    return (EntityTag("W" in part[1], part[2]) for part in _CONDITION.finditer(field) if part[2] is not None)


def entity_tag(field: str) -> EntityTag | None:
    """The entity tag of an ETag, or None for what is none."""
    found = _MEMBER.fullmatch(field.strip(" \t"))
    return None if found is None or found[2] is None else EntityTag(found[1] is not None, found[2])


def matches_weakly(tag: str, if_none_match: str) -> bool:
    """Whether an If-None-Match has this tag, in weak comparison, or is `*` (RFC 9110 8.8.3.2, 13.1.2).

    A tag that is none matches nothing but `*`, and `*` counts only alone.
    """
    if if_none_match.strip(" \t") == "*":
        return True
    own = entity_tag(tag)
    return own is not None and any(own.opaque == each.opaque for each in tags_listed(if_none_match))


def as_listed(tag: str, field: str, coding: str | None, codings: Collection[str]) -> str:
    """The form in which a 304 or 412 carries the application's tag, so that the client knows it again.

    That of the negotiated coding (None: without suffix), which is what a 200 would carry, unless the If-None-Match or
    If-Match that came in has another form of it, and not this one: then that, the first of several. Listed counts
    weak or strong (RFC 9110 8.8.3.2); what is sent is strong, like the application's tag. A weak tag has one form.
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
    """Whether a tag with a suffix can be in this text; most often none is, and nothing has to be read."""
    return "-" in field and any(f'-{coding}"' in field for coding in codings)


def _without(opaque: str, codings: Collection[str]) -> str:
    stem, dash, last = opaque.rpartition("-")
    return stem if dash and last in codings else opaque

"""Paths: the ways in which frameworks may read one (RFC 3986 sections 3.3 and 5.2.4; PEP 3333, Unicode Issues).

//admin, /x/../admin, /@@admin or /adm%FFin is /admin to one framework and another path to others, and an application
that is mounted at a segment boundary reads the rest by itself. `readings` finds all of them in time linear in the path:
the rest of the path from each boundary on is a linked list of segments, and all of these lists share their ends.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from string import punctuation
from typing import Final, NamedTuple, TypeAlias

Segments: TypeAlias = "tuple[str, ...]"
Rest: TypeAlias = "tuple[str, Rest] | None"  # a segment, and the rest after it

LONGEST: Final = 2048  # characters of a path that is read
MOST: Final = 128  # segments of a path that is read
MOST_WRITTEN: Final = 32  # readings of a path that are written out
_ODD: Final = re.compile(r"//|/@@|/\.\.?(?:/|\Z)|[\r\n]\Z")  # in a path with several readings
# CherryPy looks up attributes by segments, in which it reads punctuation as "_". `__self__` and `__class__` lead from a
# handler to its object.
_UNDERSCORES: Final = f"[{re.escape(punctuation.replace('/', ''))}]{{2}}"
_ATTRIBUTE: Final = re.compile(f"(?<![^/]){_UNDERSCORES}(?:self|class){_UNDERSCORES}(?![^/])")
# Pyramid takes "@@" from the name of a view when dot segments are resolved: "@@.." is none.
_VIEW: Final = re.compile(r"(?<=/)@@(?!\.{0,2}(?:/|\Z))")
_MERGED: Final = frozenset({""})
_CLIMBED: Final = frozenset({"."})
_SURROGATES: Final = re.compile("[\udc80-\udcff]")
# A parameter has a name, and what follows its kind or name. Other text in brackets, such as a GUID, is part of a path.
_PLACEHOLDER: Final = re.compile(
    r"<[A-Za-z_]\w*(?:[:(][^<>]*)?>|(?<!\{)\{[A-Za-z_]\w*(?:[:(].*)?\}(?!\})|/(?:\.?\*{1,2}|\*\w+)(?![^/])", re.ASCII
)


def normal(path: str) -> Segments:
    """The segments of a path in its normal form, without dot segments and empty segments."""
    return tuple(filter(None, _listed(_rests(path.split("/"), _MERGED | _CLIMBED)[0])))


def prefix_fault(prefix: object) -> str | None:
    """The rule that a prefix breaks, or None. A wildcard in it would only match itself."""
    if not isinstance(prefix, str) or not prefix.startswith("/") or "?" in prefix:
        return "a path as the user sees it decoded, with a leading slash and without a query"
    return "a prefix covers all below it: without wildcards and parameters" if has_placeholder(prefix) else None


def has_placeholder(path: str) -> bool:
    """Whether a path has a wildcard or a parameter in it: <id>, {id}, or a segment `*`, `**`, `.*` or `*rest`."""
    return _PLACEHOLDER.search(path) is not None


def canonical(script_name: str, path_info: str) -> str:
    """One text for all spellings of a path, given as in environ. All paths that are not read share one text."""
    raw = script_name + path_info
    if is_too_long(raw) or _ATTRIBUTE.search(raw) is not None:
        return "not read"
    text, *others = _decoded(f"{script_name}/{path_info}")
    text = others[0] if others else text  # without undecodable bytes
    return _path(normal(_VIEW.sub("", text.rstrip("\r\n")))) or "/" * bool(raw)


def below(path: Segments, prefix: Segments) -> bool:
    """Whether the path is the prefix, or continues it at a segment boundary."""
    return path[: len(prefix)] == prefix


def readings(script_name: str, path_info: str) -> Readings:
    """The readings of a path, given as the two strings of environ, which hold its bytes as latin-1 (PEP 3333)."""
    raw = script_name + path_info
    return _Unread(raw) if is_too_long(raw) else _read(script_name, path_info)


def is_too_long(path: str) -> bool:
    """Whether the path has too many characters or segments to be read."""
    return len(path) > LONGEST or path.removesuffix("/").count("/") > MOST


@lru_cache(maxsize=32)  # all predicates and scopes of a request read the same path
def _read(script_name: str, path_info: str) -> Readings:
    raw = script_name + path_info
    if _ATTRIBUTE.search(raw) is not None:
        return _Unread(raw)
    texts = _decoded(raw)
    if not _is_rooted(raw):
        return _Several([f"/{text}" for text in texts], texts[:1], certain=False)
    if script_name and not _is_rooted(path_info):  # an application mounted there puts the slash before the rest
        return _Several([*texts, *_decoded(f"{script_name}/{path_info}")], certain=False)
    return _One(texts[0]) if len(texts) == 1 and _ODD.search(texts[0]) is None else _Several(texts)


def _is_rooted(path: str) -> bool:
    return path[:1] in {"", "/"}


def _decoded(raw: str) -> tuple[str, ...]:
    """The texts that frameworks decode the bytes of a path to; a single one if the bytes are UTF-8."""
    try:
        octets = raw.encode("latin-1")
    except UnicodeEncodeError:  # Bottle leaves decoded text in environ
        return (raw,)
    try:
        return (octets.decode(),)
    except UnicodeDecodeError:
        kept = octets.decode("utf-8", "surrogateescape")
        # Flask replaces undecodable bytes, Bottle drops them, Django encodes them again, CherryPy reads latin-1
        return (octets.decode("utf-8", "replace"), octets.decode("utf-8", "ignore"), percented(kept), raw)


def percented(text: str) -> str:
    """The text with each byte that is not UTF-8, which surrogateescape has decoded, as %XX."""
    return _SURROGATES.sub(lambda found: f"%{ord(found[0]) - 0xDC00:02X}", text)


def _spelled(texts: Iterable[str]) -> Iterable[str]:
    """The texts, with and without a final line end, and the "@@" that Pyramid takes from the name of a view."""
    ended = [each for text in texts for each in (text, text.rstrip("\r\n"))]
    return dict.fromkeys((*ended, *(_VIEW.sub("", text) for text in ended)))


class Written(NamedTuple):
    """Readings as strings, the unchanged path first.

    Attributes:
        paths: the readings.
        complete: bool. Whether these are all readings. There may be too many to list.
        read: bool. Whether the path could be read. If not, it is possibly below every prefix.
    """

    paths: Iterable[str]
    complete: bool = True
    read: bool = True


class Readings(ABC):
    """All readings of one path."""

    __slots__ = ()

    @abstractmethod
    def possibly(self, prefix: Segments) -> bool:
        """Whether one reading is below a prefix, which is given in its normal form."""

    @abstractmethod
    def certainly(self, prefix: Segments) -> bool:
        """Whether all readings are below a prefix, which is given in its normal form."""

    @abstractmethod
    def written(self) -> Written:
        """The readings as strings."""


class _One(Readings):
    """An ordinary path, which all frameworks read alike."""

    __slots__ = ("_segments", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._segments = tuple(text.split("/"))[1:]

    def possibly(self, prefix: Segments) -> bool:
        """Whether the path is below the prefix."""
        return below(self._segments, prefix)

    certainly = possibly

    def written(self) -> Written:
        """The path alone."""
        return Written((self._text,))


class _Unread(Readings):
    """A path that is too long to be read, or that may leave any prefix by an attribute."""

    __slots__ = ("_raw",)

    def __init__(self, raw: str) -> None:
        self._raw = raw

    def possibly(self, prefix: Segments) -> bool:  # noqa: ARG002 - every prefix alike
        """Always true: the path may be below any prefix."""
        return True

    def certainly(self, prefix: Segments) -> bool:  # noqa: ARG002 - every prefix alike
        """Always false: the path may be outside any prefix."""
        return False

    def written(self) -> Written:
        """The unchanged path, or all readings if they are known, which are few without a segment "..". Not cached."""
        texts = _decoded(self._raw)
        if any("/.." in text for text in texts) or _ATTRIBUTE.search(self._raw) is not None:
            return Written(texts[:1], complete=False, read=False)
        rooted = [text if _is_rooted(text) else f"/{text}" for text in texts]
        spelled = chain.from_iterable(_Spelling(text).written() for text in _spelled(rooted))
        return Written(dict.fromkeys(chain(texts[:1], spelled)), read=False)


class _Several(Readings):
    """A path that decodes to several texts, or has several readings of one text.

    Options:
        texts: iterable of str, with a leading slash. The texts to read.
        stands: iterable of str. The unchanged path, if it has no leading slash. Default none.
        certain: bool. Whether the unchanged path is among the texts; all other readings have that slash. Default True.
    """

    __slots__ = ("_certain", "_spellings", "_stands", "_written")

    def __init__(self, texts: Iterable[str], stands: Iterable[str] = (), *, certain: bool = True) -> None:
        self._certain, self._stands, self._spellings = certain, stands, tuple(map(_Spelling, _spelled(texts)))
        self._written: tuple[str, ...] = ()  # until first needed

    def possibly(self, prefix: Segments) -> bool:
        """Whether one reading of one of the texts is below the prefix."""
        return any(spelling.possibly(prefix) for spelling in self._spellings)

    def certainly(self, prefix: Segments) -> bool:
        """Whether all readings of all texts are below the prefix."""
        if not self._certain:
            return not prefix
        return all(spelling.certainly(prefix) for spelling in self._spellings)

    def written(self) -> Written:
        """The readings of all texts, up to a bound."""
        if not self._written:
            written = dict.fromkeys(self._stands)
            for each in chain.from_iterable(spelling.written() for spelling in self._spellings):
                written[each] = None
                if len(written) > MOST_WRITTEN:
                    break
            self._written = tuple(written)
        return Written(self._written[:MOST_WRITTEN], complete=len(self._written) <= MOST_WRITTEN)


class _Spelling:
    """One text of a path, with a leading slash, and the rest of it from each of its segment boundaries on.

    Attributes:
        merged: runs of slashes are read as one.
        climbed: dot segments are resolved (RFC 3986 5.2.4).
        climbed_merged, merged_climbed: both, in this order.
    """

    __slots__ = ("climbed", "climbed_merged", "merged", "merged_climbed", "segments")

    def __init__(self, text: str) -> None:
        self.segments = segments = text.split("/")[1:]
        self.merged = _rests(segments, _MERGED)
        self.climbed = _rests(segments, _CLIMBED)
        self.climbed_merged = _rests(segments, _CLIMBED, drops=True)
        self.merged_climbed = _rests(segments, _MERGED | _CLIMBED)

    def possibly(self, prefix: Segments) -> bool:
        """Whether a beginning, up to a boundary, and one reading of the rest are below the prefix together.

        The prefix has no empty segments, so a path below it is also below it with its slashes merged.
        """
        rests = zip(self.merged, self.climbed_merged, self.merged_climbed, strict=True)
        return any(
            _begins(rest, prefix[found:])
            for found, each in zip(self._beginnings(prefix), rests, strict=False)
            for rest in each
        )

    def _beginnings(self, prefix: Segments) -> Iterator[int]:
        """The number of segments of the prefix before each boundary, up to the first segment that differs from it."""
        found = 0
        yield found
        for segment in self.segments:
            if segment not in {"", "."}:  # which wsgiref and others skip when they shift segments to SCRIPT_NAME
                if segment not in prefix[found : found + 1]:
                    return
                found += 1
            yield found

    def certainly(self, prefix: Segments) -> bool:
        """Whether each beginning and all readings of the rest are below the prefix together."""
        return below(tuple(self.segments), prefix) and all(
            _begins(rests[boundary], prefix[boundary:])
            for boundary in range(len(prefix))
            for rests in (self.climbed, self.merged_climbed)  # the other readings are below it if these are
        )

    def written(self) -> Iterator[str]:
        """All readings, the unchanged path first."""
        yield _path(self.segments)
        for rests in (self.merged, self.climbed, self.climbed_merged, self.merged_climbed):
            yield _path(_listed(rests[0]))
        for boundary in self._climbed():
            begun = self.segments[:boundary]
            yield _path((*begun, *_listed(self.climbed[boundary])))
            begun = [segment for segment in begun if segment not in {"", "."}]
            yield _path((*begun, *_listed(self.climbed_merged[boundary])))
            yield _path((*begun, *_listed(self.merged_climbed[boundary])))

    def _climbed(self) -> Iterator[int]:
        """The boundaries from which the rest climbs: an application mounted there stays at its root."""
        climbing = 0
        for boundary in range(len(self.merged) - 1, 0, -1):
            segment = self.segments[boundary] if boundary < len(self.segments) else ""
            if segment == "..":
                climbing += 1
            elif segment not in {"", "."} and climbing:
                climbing -= 1
            if climbing:
                yield boundary


def _rests(segments: Sequence[str], skipped: frozenset[str], *, drops: bool = False) -> list[Rest]:
    """The rest from each boundary on. From the end backwards, each ".." removes the next segment.

    Options:
        skipped: those of "" and "." that do not count as segments. "." stands for dot segments, which are resolved.
        drops: whether empty segments are removed after that. Default False.
    """
    body, rest = _ended(segments, climbs="." in skipped)
    rests = [rest]
    climbing = 0
    for segment in reversed(body):
        if segment == ".." and "." in skipped:
            climbing += 1
        elif segment in skipped:
            pass
        elif climbing:
            climbing -= 1
        elif segment or not drops:
            rest = (segment, rest)
        rests.append(rest)
    rests.reverse()
    return rests


def _ended(segments: Sequence[str], *, climbs: bool) -> tuple[Sequence[str], Rest]:
    """The segments before a final slash, and the rest that it is. A final dot segment leaves one (RFC 3986 5.2.4)."""
    last = segments[-1] if segments else None
    if last == "":
        return segments[:-1], ("", None)
    return segments, ("", None) if climbs and last in {".", ".."} else None


def _listed(rest: Rest) -> Iterator[str]:
    while rest is not None:
        segment, rest = rest
        yield segment


def _begins(rest: Rest, prefix: Segments) -> bool:
    for segment in prefix:
        if rest is None or rest[0] != segment:
            return False
        rest = rest[1]
    return True


def _path(segments: Iterable[str]) -> str:
    return "".join(f"/{segment}" for segment in segments)

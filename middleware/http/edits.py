"""Edits of field lines that are known before any request: checked and folded once, applied to every response.

Most responses have none of the lines that an edit is about: a look is all that it takes to see that. Only the second
look at the same response folds its names, for all that follow.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from middleware.http.fields import Fields
from middleware.http.lists import merge
from middleware.http.remembered import Remembered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from middleware.http.fields import Line

Edit: TypeAlias = "Callable[[object, Fields], None]"  # the first argument, an environ, is not looked at


class Block:
    """Lines known before any request, with their names folded once. Who makes the block has checked them.

    Attributes:
        lines: what is sent.
        folded: name in lower case -> value.
        names, lengths: the names in lower case, and how long they are.
    """

    __slots__ = ("folded", "lengths", "lines", "names")

    def __init__(self, lines: Iterable[Line]) -> None:
        self.lines = tuple(lines)
        self.folded = Fields(self.lines).names()
        self.names = frozenset(self.folded)
        self.lengths = frozenset(map(len, self.names))

    def __bool__(self) -> bool:
        return bool(self.lines)


def adding(block: Block) -> Edit:
    """Send these lines beside those that there are."""

    def add(_: object, fields: Fields) -> None:
        fields.lines += block.lines
        folded = fields.folded
        if not folded:
            return
        if folded.keys().isdisjoint(block.names):
            folded |= block.folded
        else:
            fields.folded = None  # the lines of a name are joined once, when somebody looks again

    return add


@lru_cache(256)
def varied(names: tuple[str, ...]) -> Line:
    """The one Vary line that names these request fields; the same object each time, to be known by that."""
    return "Vary", merge((), names)


@lru_cache(256)
def varying(names: tuple[str, ...]) -> Callable[[Fields, dict[str, str]], None]:
    """Name request fields that a response was selected by, in one Vary line (RFC 9110 12.5.5); the names are right.

    What it returns takes the fields, and these folded, which it keeps right.
    """
    alone = varied(names)
    value = alone[1]
    beside: Remembered[str, Line] = Remembered(lambda said: ("Vary", merge([said], names)))

    def vary(fields: Fields, folded: dict[str, str]) -> None:
        lines = fields.lines
        if "vary" not in folded:
            lines.append(alone)
            folded["vary"] = value
            return
        said = folded["vary"]
        line = beside[said]
        if lines[-1][1] is said and lines[-1][0] == "Vary":  # mostly the layer before has put it there
            lines[-1] = line
        else:
            fields.lines = [*(each for each in lines if each[0].lower() != "vary"), line]
        folded["vary"] = line[1]

    return vary


def removing(names: frozenset[str]) -> Edit:
    """Drop every line of these names, which are in lower case."""

    def remove(_: object, fields: Fields) -> None:
        folded = fields.folded or fields.names()
        if not folded.keys().isdisjoint(names):
            fields.lines = [line for line in fields.lines if line[0].lower() not in names]
            fields.folded = {name: value for name, value in folded.items() if name not in names}

    return remove


def setting(block: Block, *, default: bool) -> Edit:
    """Send these lines instead of any of the same names; by `default`, only those whose names are not there yet."""
    lines, names, lengths = block.lines, block.names, block.lengths
    merge_in = _default if default else _replace
    if len(lines) == 1:
        return _setting_one(block, merge_in)

    def edit(_: object, fields: Fields) -> None:
        if fields.folded is not None:
            merge_in(fields, block)
            return
        fields.folded = False  # the first to ask only looks: folding every name pays from the second on
        for name, _ in fields.lines:
            if len(name) in lengths and name.lower() in names:  # most are told apart by their length
                merge_in(fields, block)
                return
        fields.lines.extend(lines)

    return edit


def _setting_one(block: Block, merge_in: Callable[[Fields, Block], None]) -> Edit:
    """The same for a single line, in half the time."""
    [line], [(folded, value)] = block.lines, block.folded.items()
    length = len(folded)

    def edit(_: object, fields: Fields) -> None:
        if fields.folded is None:
            fields.folded = False
            for name, _ in fields.lines:
                if len(name) == length and name.lower() == folded:
                    merge_in(fields, block)
                    return
        else:
            known = fields.folded or fields.names()
            if folded in known:
                merge_in(fields, block)
                return
            known[folded] = value
        fields.lines.append(line)

    return edit


def _replace(fields: Fields, block: Block) -> None:
    folded = fields.folded or fields.names()
    if not folded.keys().isdisjoint(block.names):
        fields.lines = [line for line in fields.lines if line[0].lower() not in block.names]
    fields.lines += block.lines
    folded |= block.folded


def _default(fields: Fields, block: Block) -> None:
    folded = fields.folded or fields.names()
    if folded.keys().isdisjoint(block.names):
        fields.lines += block.lines
        folded |= block.folded
    else:
        fields.lines += [line for line in block.lines if line[0].lower() not in folded]
        fields.folded = {**block.folded, **folded}

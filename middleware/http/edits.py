"""Edits of a response head: removal, replacement, defaults, additions and Vary, compiled when a layer is made.

An edit looks once at the names of a head. Most heads have no name that concerns the edit, so its lines are appended as
they are; otherwise the head is rebuilt line by line. The order within one edit: remove, replace, default, add, vary.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from middleware.http.fields import Fields, Line
from middleware.http.lists import merge
from middleware.http.remembered import Remembered

_GONE, _DEFAULTED, _VARIES, _UNLESS = 1, 2, 3, 4
_VARY: Final = "vary"


class Kinds(Remembered[str, int]):
    """The kind of a field name in any case, from the kinds of names in lower case. The kind of any other name is 0."""

    __slots__ = ()

    def __init__(self, kinds: Mapping[str, int]) -> None:
        super().__init__(lambda name: kinds.get(name.lower(), 0))


class Edit:
    """One edit of a head. The lines have been checked by the layer that makes the edit.

    Options:
        remove: names whose lines are dropped.
        replace: lines that take the place of every line of their name.
        default: lines that are added unless a line of their name is left after the removal.
        add: lines that are always appended.
        vary: names of the request fields by which the response was selected, merged into one Vary line (RFC 9110
            12.5.5).
        unless: a name. If the head has a line of that name, only `default` and `vary` apply.

    Attributes:
        lines: the lines that a head without a watched name gets.
        watched: the names, in lower case, whose presence requires more than appending.
    """

    def __init__(
        self,
        *,
        remove: Iterable[str] = (),
        replace: Iterable[Line] = (),
        default: Iterable[Line] = (),
        add: Iterable[Line] = (),
        vary: Iterable[str] = (),
        unless: str = "",
    ) -> None:
        self._replace, self._add, self._vary = tuple(replace), tuple(add), tuple(vary)
        replaced = {name.lower() for name, _ in self._replace}
        self._default = tuple(line for line in default if line[0].lower() not in replaced)
        kinds = dict.fromkeys((name.lower() for name, _ in self._default), _DEFAULTED)
        kinds.update(dict.fromkeys((*map(str.lower, remove), *replaced), _GONE))
        if self._vary:
            kinds[_VARY] = _VARIES
        if unless:
            kinds[unless.lower()] = _UNLESS
        self._standing: Edit | None = Edit(default=self._default, vary=self._vary) if unless else None
        self._kinds = Kinds(kinds)
        self._varied: Remembered[str, Line] = Remembered(lambda said: ("Vary", merge((said,), self._vary)))
        self.watched = frozenset(kinds)
        named = [("Vary", merge((), self._vary))] if self._vary else []
        self.lines: tuple[Line, ...] = (*self._replace, *self._default, *self._add, *named)
        self._names = frozenset(name.lower() for name, _ in self.lines)

    def __call__(self, fields: Fields) -> None:
        """Apply the edit."""
        kinds = self._kinds
        for name, _ in fields.lines:
            if kinds[name]:
                self._rebuild(fields)
                return
        fields.lines += self.lines
        if fields.index is not None:
            fields.index |= self._names

    def _rebuild(self, fields: Fields) -> None:
        kinds = self._kinds
        kept: list[Line] = []
        varied: list[str] = []
        there: list[str] = []
        for line in fields.lines:
            kind = kinds[line[0]]
            if kind == _VARIES:
                varied.append(line[1])
            elif kind == _UNLESS and self._standing is not None:
                self._standing(fields)
                return
            elif kind != _GONE:
                kept.append(line)
                if kind == _DEFAULTED:
                    there.append(line[0].lower())
        kept += self._replace
        kept += [line for line in self._default if line[0].lower() not in there]
        kept += self._add
        if self._vary:
            kept.append(self._merged(varied))
        fields.lines = kept
        fields.index = None

    def _merged(self, varied: Sequence[str]) -> Line:
        return self._varied[varied[0]] if len(varied) == 1 else ("Vary", merge(varied, self._vary))


class Look:
    """The values of a few fields of a head, by name in lower case."""

    def __init__(self, names: Iterable[str]) -> None:
        self._kinds = Kinds(dict.fromkeys(names, 1))

    def __call__(self, fields: Fields) -> dict[str, str]:
        """Look at a head. Several lines of a name count as one list (RFC 9110 5.3)."""
        kinds = self._kinds
        found: dict[str, str] = {}
        for name, value in fields.lines:
            if kinds[name] and found.setdefault(name.lower(), value) is not value:
                return {name: value for name, value in fields.folded().items() if kinds[name]}
        return found

"""Templates of routes, such as /users/{id:int} and /files/{name}.{kind}: which paths fit, in time linear in the path.

A parameter takes as much of the path as it can. Where it may take what the text after it begins with, as the name in
{name}.{kind} may, a pattern would try each length of each parameter, so the places where the rest fits are found first,
from the end of the path.
"""

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from middleware.http.paths import has_placeholder

_PARAMETER: Final = re.compile(r"\{([A-Za-z_][A-Za-z_0-9]*)(?::([a-z]+))?\}")


class _Kind(NamedTuple):
    """What a parameter takes: runs of some characters."""

    runs: re.Pattern[str]
    converter: Callable[[str], object]


_KINDS: Final = {
    "str": _Kind(re.compile(r"[^/]+"), str),
    "int": _Kind(re.compile(r"[0-9]+"), int),
    "path": _Kind(re.compile(r".+", re.DOTALL), str),
}


class _Piece(NamedTuple):
    """A parameter, and the text that follows it."""

    name: str
    kind: _Kind
    text: str

    def is_clear(self) -> bool:
        """Whether the parameter ends with the path, or where the text begins, and nowhere else."""
        return not self.text or self.kind.runs.match(self.text) is None


class Template:
    """A template, which paths fit as a whole.

    Attributes:
        rank: int. The number of literal characters.
    """

    def __init__(self, template: str) -> None:
        self._start, *rest = _PARAMETER.split(template)
        named = zip(rest[::3], rest[1::3], rest[2::3], strict=True)
        self._pieces = [_Piece(name, _KINDS[kind or "str"], text) for name, kind, text in named]
        self.rank = len(self._start) + sum(len(piece.text) for piece in self._pieces)
        clear = all(piece.is_clear() for piece in self._pieces) and all(piece.text for piece in self._pieces[:-1])
        groups = (f"(?P<{name}>{kind.runs.pattern}){re.escape(text)}" for name, kind, text in self._pieces)
        self._pattern = re.compile("".join((re.escape(self._start), *groups)), re.DOTALL) if clear else None

    def match(self, path: str) -> dict[str, Any] | None:
        """The converted parameters, or None for a path that does not fit."""
        if self._pattern is None:
            found = self._found(path)
        else:
            fits = self._pattern.fullmatch(path)
            found = None if fits is None else fits.groupdict()
        if found is None:
            return None
        try:
            return {name: kind.converter(found[name]) for name, kind, _ in self._pieces}
        except ValueError:  # more digits than int() accepts
            return None

    def _found(self, path: str) -> dict[str, str] | None:
        """The parameters as text. Each takes all up to the last place where the rest of the template fits."""
        if not path.startswith(self._start):
            return None
        at, found = len(self._start), {}
        for (name, kind, text), ends in zip(self._pieces, self._fitting(path), strict=True):
            run = kind.runs.match(path, at)
            end = -1 if run is None else ends.rfind(1, at + 1, run.end() + 1)
            if end < 0:
                return None
            found[name] = path[at:end]
            at = end + len(text)
        return found

    def _fitting(self, path: str) -> list[bytearray]:
        """For each parameter, a 1 for each place of the path at which it may end: there all that follows it fits."""
        starts = bytearray(len(path) + 1)
        starts[-1] = 1  # what follows the last text
        fitting = []
        for _, kind, text in reversed(self._pieces):
            ends, at = bytearray(len(path) + 1), path.find(text)
            while at >= 0:
                ends[at] = starts[at + len(text)]
                at = path.find(text, at + 1)
            fitting.append(ends)
            starts = bytearray(len(path) + 1)
            for run in kind.runs.finditer(path):
                first = run.start()
                last = max(first, ends.rfind(1, first + 1, run.end() + 1))
                starts[first:last] = b"\1" * (last - first)
        return fitting[::-1]


def template_fault(template: str) -> str | None:
    """The rule that a template breaks, or None."""
    parameters = _PARAMETER.findall(template)
    names = [name for name, _ in parameters]
    if len(set(names)) < len(names):
        return "each parameter has a name of its own"
    rest = _PARAMETER.sub("x", template)
    if set(rest) & set("{}"):
        return "braces only around parameters"
    if has_placeholder(rest) or not {kind or "str" for _, kind in parameters} <= set(_KINDS):
        return f"a parameter is {{name}} or {{name:kind}}, of the kinds {', '.join(_KINDS)}"
    return None

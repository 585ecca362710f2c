"""Explanation: the course of one request, layer by layer, as a report and as data."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from textwrap import wrap
from typing import Any, Final

from middleware.wsgi.escaped import escaped

_COLUMNS: Final = 80
_INDENT: Final = 15


@dataclass(frozen=True)
class Step:
    """The part of one layer in a request and its response.

    Attributes:
        name: str. The name of the layer.
        answered: bool. Whether it answered instead of the layers and the application inside it.
        environ: tuple of str. The environ keys that it set, changed or deleted before the next layer was called.
        added, removed: tuples of (name, value). Response header lines.
        changed: tuple of (name, old value, new value).
        transform: bool. Whether it changed the body.
        seconds: float. The time of the layer itself, without that of the layers inside it.
        note: str. The reasons of the layer, or "" if it gives none.
    """

    name: str
    answered: bool
    environ: tuple[str, ...]
    added: tuple[tuple[str, str], ...]
    changed: tuple[tuple[str, str, str], ...]
    removed: tuple[tuple[str, str], ...]
    transform: bool
    seconds: float
    note: str

    def as_dict(self) -> dict[str, Any]:
        """The step as lists, dicts, text and numbers, for JSON."""
        return {
            "name": self.name,
            "answered": self.answered,
            "request": {"environ": list(self.environ)},
            "response": {
                "added": [list(line) for line in self.added],
                "changed": [list(line) for line in self.changed],
                "removed": [list(line) for line in self.removed],
            },
            "transform": self.transform,
            "seconds": self.seconds,
            "note": self.note,
        }


@dataclass(frozen=True)
class Explanation:
    """The course of one request through a stack, from `Stack.explain`. `print(explanation)` shows it in 80 columns.

    Attributes:
        method, target: str. The request: its method, and its path with the query.
        fields: tuple of (name, value). The request headers.
        steps: tuple of Step. The layers that the request or its response met, outermost first. A layer whose condition
            does not hold is among them; those inside a layer that answered are not.
        application: (status, header lines), or None. The head that the application sent, or that of the
            answer if it raised an exception. None if it was not reached.
        status: str. The status of the response, or "" if there is none.
        headers: tuple of (name, value). The header lines of the response.
        error: str or None. The exception that the application or a layer raised.
    """

    method: str
    target: str
    fields: tuple[tuple[str, str], ...]
    steps: tuple[Step, ...]
    application: tuple[str, tuple[tuple[str, str], ...]] | None
    status: str
    headers: tuple[tuple[str, str], ...]
    error: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The layers, outermost first, and the response, as lists, dicts, text and numbers, for JSON."""
        return {
            "layers": [step.as_dict() for step in self.steps],
            "response": {"status": self.status, "headers": [list(line) for line in self.headers]},
        }

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield from _folded(f"{self.method} {self.target}", 0)
        for line in self.fields:
            yield from _folded(": ".join(line), 2)
        yield ""
        width = len(str(len(self.steps))) + 1
        for number, step in enumerate(self.steps, 1):
            yield f"{number:>{width}}  {escaped(step.name)}"
            yield from _told(step)
        yield f"{'*':>{width}}  the application"
        if self.application is not None:
            status, lines = self.application
            yield from _row("response", [status, *map(": ".join, lines)])
        elif self.steps and any(step.answered for step in self.steps):
            yield from _row("request", ["was not reached"])
        if self.error is not None:
            yield from _row("error", [self.error])
        yield ""
        yield escaped(self.status) or "No response"
        for line in self.headers:
            yield from _folded(": ".join(line), 2)


def _told(step: Step) -> Iterator[str]:
    """The rows of a step."""
    requested = ["answers, instead of the layers inside"] if step.answered else []
    if step.environ:
        requested.append(f"sets {', '.join(step.environ)}")
    yield from _row("request", requested)
    responded = [f"- {name}: {value}" for name, value in step.removed]
    responded += [f"~ {name}: {old} -> {new}" for name, old, new in step.changed]
    responded += [f"+ {name}: {value}" for name, value in step.added]
    if step.transform:
        responded.append("changes the body")
    yield from _row("response", responded or ["leaves it as it is"])
    yield from _row("note", [step.note] if step.note else [])
    yield from _row("time", [f"{step.seconds * 1000:.3f} ms"])


def _row(kind: str, texts: Iterable[str]) -> Iterator[str]:
    """A label, with each text beside it, folded."""
    label = f"{'':5}{kind:<{_INDENT - 5}}"
    for text in texts:
        for line in wrap(escaped(text), _COLUMNS - _INDENT, subsequent_indent="    ", break_on_hyphens=False):
            yield f"{label}{line}"
            label = " " * _INDENT


def _folded(text: str, indent: int) -> list[str]:
    first, rest = " " * indent, " " * (indent + 4)
    return wrap(escaped(text), _COLUMNS, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)


def differences(
    before: Iterable[tuple[str, str]], after: Iterable[tuple[str, str]]
) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str, str], ...], tuple[tuple[str, str], ...]]:
    """The lines that were added, changed and removed between two heads. Order and the case of names do not count.

    A removed line and an added line of the same name are a change. Several of them are paired in order.
    """
    gone, new = _without(before, after), _without(after, before)
    changed = []
    for line in tuple(gone):
        other = next((each for each in new if each[0].lower() == line[0].lower()), None)
        if other is not None:
            gone.remove(line)
            new.remove(other)
            changed.append((other[0], line[1], other[1]))
    return tuple(new), tuple(changed), tuple(gone)


def _without(lines: Iterable[tuple[str, str]], others: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The lines that are not among others, each of which matches at most one line."""
    kept, known = [], [(name.lower(), value) for name, value in others]
    for name, value in lines:
        if (name.lower(), value) in known:
            known.remove((name.lower(), value))
        else:
            kept.append((name, value))
    return kept

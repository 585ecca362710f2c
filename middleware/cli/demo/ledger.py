"""Ledger: a layer of the demo that records the header lines between every two layers, and so who sent each line."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from middleware.stack.builder import built
from middleware.wsgi.effects import Effects
from middleware.wsgi.layer import Middleware

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from middleware.wsgi.response import Response
    from middleware.wsgi.types import Environ

KEY: Final = "middleware.demo.ledger"
APPLICATION: Final = "the application"


class Line(NamedTuple):
    """A header line, the layer that sent it, and the layer that removed it, if any."""

    name: str
    value: str
    by: str
    gone_by: str = ""


class Record:
    """The history of the head of one response.

    Attributes:
        lines: list of Line. The current lines.
        gone: list of Line. The lines that a layer removed.
    """

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.gone: list[Line] = []

    def note(self, by: str, lines: Iterable[tuple[str, str]]) -> None:
        """Record the head as it leaves `by`. A line that was there before keeps its sender."""
        before, self.lines = self.lines, []
        for name, value in lines:
            same = next((line for line in before if line[:2] == (name, value)), None)
            if same is not None:
                before.remove(same)
            self.lines.append(same or Line(name, value, by))
        self.gone += [line._replace(gone_by=by) for line in before]


class Ledger(Middleware):
    """Records the sender of every header line. Adds nothing to any response.

    Stands outermost, and puts a recording layer outside each layer inside it. environ["middleware.demo.ledger"] has the
    Record of a request, which is complete once the head has passed every layer.
    """

    effects: ClassVar[Effects] = Effects(measures=True, provides=frozenset([KEY]), unique=True)

    def on_request(self, environ: Environ) -> None:
        """Begin a Record."""
        environ[KEY] = Record()

    def on_build(self, layers: Sequence[Middleware]) -> Sequence[Middleware]:
        """Put recording layers between the layers. Layers that others add on build are not recorded."""
        noted: list[Middleware] = [self]
        for layer in built(layers[1:]):
            if any(layer.name == other.name for other in layers):
                noted.append(_Note(layer.name))
            noted.append(layer)
        return [*noted, _Note(APPLICATION, first=True)]

    def describe(self) -> Iterable[tuple[str, str]]:
        """A line of text for the page."""
        return [("response", "notes whose every header line is, for the page of the demo")]


class _Note(Middleware):
    """Stands directly outside one layer, or the application, and records the head that it sends."""

    def __init__(self, by: str, *, first: bool = False) -> None:
        super().__init__()
        self.by, self.first = by, first

    def on_response(self, environ: Environ, response: Response) -> None:
        """Record the head. A head that replaces another because of an error begins a new Record."""
        if self.first:
            environ[KEY] = Record()
        environ[KEY].note(self.by, response.headers)

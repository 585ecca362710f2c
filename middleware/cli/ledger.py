"""Ledger: a layer of the demo that notes which header lines pass between every two layers, and so whose they are."""

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
    """A header line, who sent it, and who took it away, if anybody did."""

    name: str
    value: str
    by: str
    gone_by: str = ""


class Record:
    """What is known of the head of one response.

    Attributes:
        lines: list of Line. What is there now.
        gone: list of Line. What was there on the way.
    """

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.gone: list[Line] = []

    def note(self, by: str, lines: Iterable[tuple[str, str]]) -> None:
        """Note the head as it comes from `by`: a line that was there before keeps its sender."""
        before, self.lines = self.lines, []
        for name, value in lines:
            same = next((line for line in before if line[:2] == (name, value)), None)
            if same is not None:
                before.remove(same)
            self.lines.append(same or Line(name, value, by))
        self.gone += [line._replace(gone_by=by) for line in before]


class Ledger(Middleware):
    """Notes whose every header line is. Adds nothing to any response.

    Stands outermost: it sees the layers inside it, and puts a note-taker outside each. For the environ of a request it
    keeps a Record under "middleware.demo.ledger", complete once the head has passed every layer.
    """

    effects: ClassVar[Effects] = Effects(measures=True, provides=frozenset([KEY]), unique=True)

    def on_request(self, environ: Environ) -> None:
        """Begin a record."""
        environ[KEY] = Record()

    def on_build(self, layers: Sequence[Middleware]) -> Sequence[Middleware]:
        """Let the layers build first: what they put between themselves belongs to nobody."""
        noted: list[Middleware] = [self]
        for layer in built(layers[1:]):
            if any(layer.name == other.name for other in layers):
                noted.append(_Note(layer.name))
            noted.append(layer)
        return [*noted, _Note(APPLICATION, first=True)]

    def describe(self) -> Iterable[tuple[str, str]]:
        """What it does, in a line."""
        return [("response", "notes whose every header line is, for the page of the demo")]


class _Note(Middleware):
    """Stands right outside one layer, or the application, and notes the head as it comes from there."""

    def __init__(self, by: str, *, first: bool = False) -> None:
        super().__init__()
        self.by, self.first = by, first

    def on_response(self, environ: Environ, response: Response) -> None:
        """Note the head; one that is replaced because of an error begins anew."""
        if self.first:
            environ[KEY] = Record()
        environ[KEY].note(self.by, response.headers)

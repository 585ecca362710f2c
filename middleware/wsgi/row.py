"""Row: adjacent layers whose part in an ordinary response is looked up instead of run.

An ordinary response is one in which no layer finds a field that concerns it. What built-in layers add to such a head
follows from few values: the status, the content type, Vary, and a field or two of the request. A row runs its layers on
the first responses with a combination of these values, records what they appended together, and appends the same to
every later one. So the order is right by construction, and twenty layers cost as much as one.

The laws of a row:

- A layer's on_response runs at most once for a response: a combination is recorded from a run on a real one.
- A combination is recorded when it is seen for the second time, so that the table is not filled by values seen once.
- Not recorded: a run that did more than append lines and merge Vary, that changed environ, or that added Set-Cookie;
  and values that are not exactly str, or longer than 256 characters.
- The tables are cleared when they reach 1,024 entries. Threads share them by single dict operations only.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from middleware.http.remembered import LONGEST, keep

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from middleware.http.fields import Line
    from middleware.wsgi.layered import Layered
    from middleware.wsgi.plan import Layer, OnResponse
    from middleware.wsgi.types import Environ

    Key = tuple[Any, ...]

QUIET, TYPE, VARY, WATCHED = range(4)  # the kinds of field names


class Ordinary(NamedTuple):
    """The values by which a layer decides, for a request that is neither HEAD, OPTIONS, partial nor conditional.

    The layer promises: on a head without any of the fields `watched`, its on_response appends lines, or merges names
    into Vary, and does nothing else; which ones depends only on the status, on Vary and on the values named here. For a
    list it never returns a transform: it may put another list in its place. Its on_request looks at nothing but `by`
    and `keeps`, changes nothing but `keeps`, and answers nothing.

    Attributes:
        watched: names of response fields, in lower case. Vary may be among them.
        by: environ keys whose values are read when the request reaches the layer.
        keeps: environ keys under which its on_request stores what its on_response needs.
        late: environ keys whose values are read when the response reaches the layer.
        typed: whether the Content-Type counts.
        below: int or None. The promise does not hold for bodies of at least this many bytes. None: it holds for all
            bodies.
        unless: environ keys in whose presence the promise does not hold.
        conditional: whether the promise also holds for HEAD, and for requests with a Range or conditions.
        options: whether the promise also holds for OPTIONS.
    """

    watched: frozenset[str] = frozenset()
    by: tuple[str, ...] = ()
    keeps: tuple[str, ...] = ()
    late: tuple[str, ...] = ()
    typed: bool = False
    below: int | None = None
    unless: tuple[str, ...] = ()
    conditional: bool = False
    options: bool = False


class Row:
    """Adjacent layers with an Ordinary and an on_response, innermost first.

    Attributes:
        kinds: field name as it is written -> its kind, as far as it is known.
        known: the values that count -> the lines that the layers append; the Vary line is replaced, if there is one.
        size: the number of layers.
        varies: whether the Vary line counts.
        entering: the on_request methods, outermost first, which are called only if the response needs them.
    """

    def __init__(self, layers: Sequence[Layer], by: tuple[str, ...] | None = None) -> None:
        self._layers, self.size = layers, len(layers)
        facts = zip(*(cast("Ordinary", layer.ordinary) for layer in layers), strict=True)
        watched, by_each, keeps, late, typed, self._limits, unless, conditional, options = facts
        self.by = _keys(by_each) if by is None else by
        self._request = (*self.by, "REQUEST_METHOD")
        self.late, self._keeps, self.unless = _keys(late), _keys(keeps), _keys(unless)
        self.below = min((limit for limit in self._limits if limit is not None), default=None)
        self.typed, self.conditional, self.options = any(typed), all(conditional), all(options)
        self._watched = frozenset[str]().union(*watched)
        self.varies = "vary" in self._watched
        self.entering = [layer.on_request for layer in reversed(layers) if layer.on_request is not None]
        self._responders = [cast("OnResponse", layer.on_response) for layer in layers]
        self.kinds: dict[str, int] = {}
        self.known: dict[Key, tuple[Line, ...]] = {}
        self._seen: dict[Key, None] = {}

    def apart(self) -> tuple[Row, Row | None]:
        """Split the row after the last layer to which a larger body matters; the second part may be None."""
        last = max(place for place, limit in enumerate(self._limits, 1) if limit is not None)
        others = self._layers[last:]
        return Row(self._layers[:last], self.by), Row(others, self.by) if others else None

    def enter(self, environ: Environ, came: tuple[Any, ...]) -> None:
        """Call on_request of the layers with the request as received, because the response needs it after all.

        `came`: the values of `by`, and the method. If the application has changed them, the layers get a copy of
        environ.
        """
        request = environ
        if tuple(map(environ.get, self._request)) != came:
            values = {key: environ.get(key) for key in self._keeps}
            values.update(zip(self._request, came, strict=True))
            request = {key: value for key, value in values.items() if value is not None}
        for on_request in self.entering:
            on_request(request)
        if request is not environ:
            environ.update((key, request[key]) for key in self._keeps if key in request)

    def show(self, exchange: Layered, came: tuple[Any, ...], *, ordinary: bool) -> None:
        """Show the request and the head to the layers one by one, and record what they append, if that is all.

        `ordinary`: whether the body is ordinary too.
        """
        environ, body, before = exchange.environ, exchange.body, None
        exchange.index = None
        key = self._key(exchange, came) if ordinary else None
        if key is not None:
            if key in self._seen:
                before = exchange.status, exchange.lines.copy(), environ.copy()
            else:
                keep(self._seen, key, None)
        if self.entering:
            self.enter(environ, (*came, exchange.method))
        for on_response in self._responders:
            on_response(environ, exchange)
        if before is not None and exchange.body is body:
            added = self._added(exchange, *before[:2])
            if added is not None and self._same(before[2], environ):
                keep(self.known, key, added)

    def _key(self, exchange: Layered, came: tuple[Any, ...]) -> Key | None:
        """The values that count; None if this head is not ordinary, or one of the values is not fit to be kept."""
        found, environ = self._found(exchange.lines), exchange.environ
        if found is None or any(key in environ for key in self.unless):
            return None
        key: Key = (
            exchange.status,
            *((found.get(VARY),) if self.varies else ()),
            *((found.get(TYPE),) if self.typed else ()),
            *came,
            *(environ.get(each) for each in self.late),
        )
        if not all(map(_is_fit, (*key, *(name for name, _ in exchange.lines)))):
            return None
        return key[0] if len(key) == 1 else key

    def _found(self, lines: Iterable[Line]) -> dict[int, str] | None:
        """The fields of a head that count, by kind; None if this head is not ordinary."""
        found: dict[int, str] = {}
        for name, value in lines:
            kind = self.kind(name)
            if kind == WATCHED or kind in found:
                return None
            if kind != QUIET:
                found[kind] = value
        return found

    def kind(self, name: str) -> int:
        """The kind of a field name, which is cached."""
        kind = self.kinds.get(name)
        if kind is None:
            lower = name.lower()
            kind = QUIET
            if lower in self._watched:
                kind = VARY if lower == "vary" else WATCHED
            elif self.typed and lower == "content-type":
                kind = TYPE
            if _is_fit(name):
                keep(self.kinds, name, kind)
        return kind

    def _added(self, exchange: Layered, status: str, lines: list[Line]) -> tuple[Line, ...] | None:
        """The lines that the layers have appended, if that is all that they have done."""
        kept = [line for line in lines if self.kind(line[0]) != VARY]
        added = tuple(exchange.lines[len(kept) :])
        appended = exchange.status is status and exchange.lines[: len(kept)] == kept
        cookies = any(name.lower() == "set-cookie" for name, _ in added)
        return added if appended and not cookies else None

    def _same(self, before: Environ, after: Environ) -> bool:
        """Whether environ is unchanged, except for the keys that the layers of the row keep there."""
        keys = before.keys() - self._keeps
        return keys == after.keys() - self._keeps and all(after[key] is before[key] for key in keys)


def grouped(layers: Iterable[Layer]) -> list[tuple[Layer | Row, int]]:
    """The layers with on_request or on_response, outermost first, each with the number of layers up to it.

    A row takes the place of adjacent layers that have an Ordinary.
    """
    steps: list[tuple[Layer | Row, int]] = []
    looking = [(layer, met) for met, layer in enumerate(layers, 1) if layer.on_request or layer.on_response]
    for ordinary, group in groupby(looking, lambda each: each[0].ordinary is not None):
        found = [*group]
        steps += [(Row([layer for layer, _ in reversed(found)]), found[-1][1])] if ordinary else found
    return steps


def _is_fit(value: object) -> bool:
    """Whether a value may be kept in a table."""
    return value is None or (type(value) is str and len(value) <= LONGEST)


def _keys(several: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key for keys in several for key in keys))

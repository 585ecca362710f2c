"""Story: what each layer of a stack did to one request and its response.

A Recording stands outside the layers. When the stack is wrapped, it puts a mark outside every layer and one outside the
application. A mark records the request and the response between its neighbours, so that the difference between two
marks is the work of one layer. Rows are not used: each layer runs, and may note in `environ["middleware.notes"]` why it
does nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any, Final

from middleware.sight.explanation import Step, differences
from middleware.stack.builder import built
from middleware.wsgi.answer import NOTES
from middleware.wsgi.conditions import certain
from middleware.wsgi.effects import keep_effects
from middleware.wsgi.errors import EXCEPTION
from middleware.wsgi.layer import Middleware
from middleware.wsgi.layered import MARK
from middleware.wsgi.plan import Layer
from middleware.wsgi.response import Response, Transform
from middleware.wsgi.splitting import Splitting
from middleware.wsgi.types import Application, Environ, Predicate

_NUMBERS: Final = count()
_ENGINE: Final = frozenset((MARK, EXCEPTION, NOTES))  # environ keys that no layer sets
_RAISED: Final = "an exception was raised here"
_clock = time.perf_counter
Head = tuple[str, tuple[tuple[str, str], ...]]


class Visit:
    """The record of one layer in one request. Times are None until the request or the response passes."""

    def __init__(self) -> None:
        self.came: float | None = None  # the request enters from outside
        self.further: float | None = None  # the request leaves to the inside
        self.back: float | None = None  # the response enters from inside
        self.went: float | None = None  # the response leaves to the outside
        self.environ: list[str] = []
        self.entered: Head | None = None
        self.left: Head | None = None
        self.failed = False
        self.transform = False
        self.notes: list[str] = []

    def step(self, name: str) -> Step:
        """The visit as it is reported."""
        answered = self.further is None and self.entered is None and self.left is not None and not self.failed
        notes = [*self.notes, *self._ending(answered=answered)]
        after = self.left or self.entered or ("", ())
        before = self.entered or (after if self.came is None else ("", ()))
        if self.entered is not None and before[0] != after[0]:
            notes.append(f"the status changes from {before[0]} to {after[0]}")
        return Step(
            name,
            answered,
            tuple(self.environ),
            *differences(before[1], after[1]),
            self.transform,
            self._seconds(),
            "; ".join(notes),
        )

    def _ending(self, *, answered: bool) -> Iterator[str]:
        """Notes on anything other than a request that passes inwards and a response that passes outwards."""
        if self.came is None:
            yield "an outer layer failed: the request did not reach this one"
        elif self.left is None:
            yield "no response came back: an exception passed"
        elif self.further is None and not answered:
            yield _RAISED
        elif self.entered is None and not answered:
            yield "answers an exception that was raised inside"

    def _seconds(self) -> float:
        """The time of the layer itself, without the layers inside it."""
        if self.further is None and self.back is None:
            spans = [(self.came, self.went)]
        else:
            spans = [(self.came, self.further), (self.back, self.went)]
        return sum(max(end - start, 0.0) for start, end in spans if start is not None and end is not None)


class Story:
    """The record of one request, which is also its `environ["middleware.notes"]`.

    Attributes:
        visits: one for each layer, outermost first.
        at: the number of the layer that is running, or None.
        reached: whether the application has been called.
        head: the head of the application, or None while there is none.
        inner: the stories of stacks inside the application.
        is_inner: whether it is one of these.
    """

    def __init__(self, names: Sequence[str], outer: Any, *, inner: bool = False) -> None:
        self.names = names
        self.visits = [Visit() for _ in names]
        self.at: int | None = None
        self.reached = False
        self.head: Head | None = None
        self.outer = outer  # the notes of an outer Recording
        self.inner: list[Story] = []
        self.is_inner = inner
        self._before: Environ = {}
        while inner and isinstance(outer, Story):  # several Recordings may share the layers of one stack
            outer.inner.append(self)
            outer, inner = outer.outer, not outer.is_inner

    def append(self, note: str) -> None:
        """Add a reason of the layer that is running."""
        if self.at is not None and self.at < len(self.visits):
            self.note(self.at, note)
        if self.outer is not None:
            self.outer.append(note)

    def note(self, number: int, note: str) -> None:
        """Add a note about a layer, unless it has the same one."""
        notes = self.visits[number].notes
        if note not in notes:
            notes.append(note)

    def request(self, number: int, environ: Environ) -> None:
        """The request passes the mark outside a layer, or outside the application."""
        now = _clock()
        if number:
            outside = self.visits[number - 1]
            outside.further, outside.environ = now, self.changes(environ)
        self._before, self.at = environ.copy(), number
        if number < len(self.visits):
            self.visits[number].came = _clock()
        else:
            self.reached = True

    def changes(self, environ: Environ) -> list[str]:
        """The environ keys that were set, changed or deleted since the last mark."""
        before, missing = self._before, object()
        keys = dict.fromkeys((*environ, *before))
        changed = (key for key in keys if before.get(key, missing) is not environ.get(key, missing))
        return [key for key in changed if key not in _ENGINE]

    def response(self, number: int, environ: Environ, response: Response) -> None:
        """The response passes the mark outside a layer, or outside the application."""
        now = _clock()
        head = response.status, tuple(response.headers)
        if number < len(self.visits):
            self._left(self.visits[number], environ, head, now)
        elif self.reached and (self.head is None or getattr(response, "error", None) is None):
            self.head = head  # that of the answer to an exception only if the application raised it
        if number:
            outside = self.visits[number - 1]
            outside.entered, self.at, outside.back = head, number - 1, _clock()
        else:
            self.at = None

    def _left(self, visit: Visit, environ: Environ, head: Head, now: float) -> None:
        visit.left, visit.went = head, now
        if visit.entered is None:
            visit.failed = EXCEPTION in environ
            if not visit.failed:
                visit.environ = self.changes(environ)

    def end(self) -> None:
        """Break the reference cycle of the story and the environ that it is in."""
        self._before = {}
        for story in self.inner:
            story.end()

    def steps(self) -> Iterator[Step]:
        """A step for each layer that the request or its response has met."""
        for name, visit in zip(self.names, self.visits, strict=True):
            if visit.came is not None or visit.left is not None:
                yield visit.step(name)
        for story in self.inner:
            yield from story.steps()

    @property
    def application(self) -> Head | None:
        """The head of the innermost application that was reached, or None."""
        return self.inner[-1].application if self.inner else self.head


class Recording(Middleware):
    """Records the layers inside it in a Story under `environ[self.key]`, which subclasses use."""

    _names: tuple[str, ...] = ()

    def __init__(self, app: Application | None = None, /) -> None:
        super().__init__(app)
        self.key = f"middleware.sight.{next(_NUMBERS)}"

    def begin(self, environ: Environ, *, inner: bool = False) -> None:
        """Begin the Story of a request. `inner`: it is a part of the Story of an outer stack."""
        environ[self.key] = environ[NOTES] = Story(self._names, environ.get(NOTES), inner=inner)

    def on_build(self, layers: Sequence[Middleware]) -> Sequence[Middleware]:
        """Put marks between the layers. Layers added by other layers on build are not reported."""
        known = {layer.name for layer in layers[1:]}
        names: list[str] = []
        running: list[Middleware] = []
        for layer in built(map(self._heard, layers[1:])):
            if layer.name not in known:
                running.append(layer)
                continue
            watched = layer if isinstance(layer, Splitting) else _Watched(layer, self.key, len(names))
            running += [_Mark(self.key, len(names)), watched]
            names.append(layer.name)
        return [self._changed(_names=tuple(names)), *running, _Mark(self.key, len(names))]

    def _heard(self, layer: Middleware) -> Middleware:
        """A copy of a layer, whose condition adds a note if it does not hold."""
        condition = layer.condition
        copy = layer.named(layer.name) if condition is None else layer.when(_Asked(condition, self.key, layer.name))
        return keep_effects(layer, copy)


class _Mark(Middleware):
    """Stands outside one layer, or the application."""

    def __init__(self, key: str, number: int) -> None:
        super().__init__()
        self.key, self.number = key, number

    def on_request(self, environ: Environ) -> None:
        story: Story | None = environ.get(self.key)
        if story is not None:
            story.request(self.number, environ)

    def on_response(self, environ: Environ, response: Response) -> None:
        story: Story | None = environ.get(self.key)
        if story is not None:
            story.response(self.number, environ, response)


class _Watched(Middleware):
    """Replaces a layer, and records whether it changes the body."""

    def __init__(self, watched: Middleware, key: str, number: int) -> None:
        super().__init__()
        self.watched, self.key, self.number = watched, key, number
        self.name = watched.name  # by which an outer Recording knows it

    def layer(self) -> Layer:
        """The layer without the declarations by which a row could replace it."""
        layer = self.watched.layer()._replace(ordinary=None, made=None)
        respond = layer.on_response
        if respond is None:
            return layer

        def on_response(environ: Environ, response: Response) -> Transform | None:
            story: Story | None = environ.get(self.key)
            if story is None:
                return respond(environ, response)
            body = response.body
            try:
                transform = respond(environ, response)
            except BaseException:
                story.note(self.number, _RAISED)
                raise
            story.visits[self.number].transform = transform is not None or response.body is not body
            return transform

        return layer._replace(on_response=on_response)


class _Asked:
    """A condition that adds a note if it does not hold. Other attributes are those of the wrapped condition."""

    def __init__(self, condition: Predicate, key: str, name: str) -> None:
        self._condition, self._key, self._name = condition, key, name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._condition, name)

    def __call__(self, environ: Environ) -> bool:
        return self._held(environ, holds=bool(self._condition(environ)))

    def certainly(self, environ: Environ) -> bool:
        """Whether the condition holds certainly."""
        return self._held(environ, holds=bool(certain(self._condition)(environ)))

    def _held(self, environ: Environ, *, holds: bool) -> bool:
        story: Story | None = environ.get(self._key)
        if story is not None and not holds:
            named = getattr(self._condition, "__qualname__", None) or repr(self._condition)
            story.note(story.names.index(self._name), f"condition {named} does not hold")
        return holds

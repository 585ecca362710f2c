"""Stack: the immutable chain of layers, its edits, and `wrap`, which assembles the application."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, Protocol, TypeAlias, cast

from middleware.stack.external import External
from middleware.stack.order import OrderError, OrderWarning, arranged, findings
from middleware.stack.printed import chain
from middleware.stack.rules import RULES, Finding, described
from middleware.wsgi.effects import keep_effects
from middleware.wsgi.layer import Middleware
from middleware.wsgi.options import ConfigError
from middleware.wsgi.pipeline import pipeline
from middleware.wsgi.splitting import Splitting
from middleware.wsgi.types import Application, Environ, StartResponse

Entry: TypeAlias = "Middleware | Stack | type[Middleware] | Callable[[Application], Application]"
Ref: TypeAlias = "str | type[Any]"


class Wrapped(Protocol):
    """A WSGI application inside a stack, as `Stack.wrap` returns it.

    Attributes:
        app: the application inside the stack.
        stack: the Stack.
    """

    app: Application
    stack: Stack

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Run one request."""


class Stack:
    """An immutable chain of middleware, outermost first: the order written is the order in which a request meets them.

    Every edit returns a new stack. A nested stack is replaced by its layers, and a callable `app -> app` is wrapped in
    `External`. Two layers of one name become `Headers` and `Headers-2`. A layer is looked up by its name or its class:
    `stack["CORS"]`, `CORS in stack`. `len`, iteration and `==` work as on a tuple, and `print(stack)` shows the chain.

    Attributes:
        names: tuple of str, outermost first.

    Errors: TypeError for an argument that is no middleware, stack or callable; ConfigError for a middleware that
    already wraps an application; LookupError, which lists the names, for a name or class that the stack does not have
    exactly once; OrderError and OrderWarning, see `check`.
    """

    __slots__ = ("_layers", "names")

    _layers: tuple[Middleware, ...]
    names: tuple[str, ...]

    def __init__(self, *middlewares: Entry) -> None:
        layers = tuple(layer for entry in middlewares for layer in _layers(entry))
        object.__setattr__(self, "_layers", layers)
        object.__setattr__(self, "names", _names(layers))

    def __reduce__(self) -> tuple[type[Stack], tuple[Middleware, ...]]:
        return Stack, self._layers  # copy and pickle call the constructor, because attributes cannot be assigned

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Stack is immutable: make another one instead of assigning {name!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a Stack is immutable: {name!r} cannot be deleted")

    # -- looking -------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._layers)

    def __iter__(self) -> Iterator[Middleware]:
        return iter(self._layers)

    def __contains__(self, ref: object) -> bool:
        if isinstance(ref, (str, type)):
            return bool(self._places(ref))
        return ref in self._layers

    def __getitem__(self, ref: Ref | int) -> Middleware:
        return self._layers[ref if isinstance(ref, int) else self._place(ref)]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stack) and other._layers == self._layers

    def __hash__(self) -> int:
        return hash(self._layers)

    def __repr__(self) -> str:
        return f"Stack({', '.join(map(repr, self._layers))})"

    def __str__(self) -> str:
        return chain(self._layers, self.names)

    # -- editing -------------------------------------------------------------------------------------------------

    def add(self, middleware: Entry, *, outside: Ref | None = None, inside: Ref | None = None) -> Stack:
        """Return a stack with one more layer: innermost by default, or directly outside or inside another."""
        if outside is inside is None:
            return Stack(*self._layers, middleware)
        place = self._beside(outside, inside)
        return Stack(*self._layers[:place], middleware, *self._layers[place:])

    def replace(self, ref: Ref, middleware: Entry) -> Stack:
        """Return a stack with one layer replaced."""
        place = self._place(ref)
        return Stack(*self._layers[:place], middleware, *self._layers[place + 1 :])

    def remove(self, ref: Ref) -> Stack:
        """Return a stack without that layer."""
        place = self._place(ref)
        return Stack(*self._layers[:place], *self._layers[place + 1 :])

    def move(self, ref: Ref, *, outside: Ref | None = None, inside: Ref | None = None) -> Stack:
        """Return a stack with one layer moved directly outside or inside another."""
        place, to = self._place(ref), self._beside(outside, inside)
        layers = list(self._layers)
        layer = layers.pop(place)
        layers.insert(to - (place < to), layer)
        return Stack(*layers)

    def arranged(self) -> Stack:
        """Return a stack that satisfies every rule and moves as few layers as possible. The result is deterministic.

        Errors: OrderError if the demands of the rules form a circle; the message names it.
        """
        return Stack(*(self._layers[index] for index in arranged(self._layers, self.names)))

    # -- wrapping ------------------------------------------------------------------------------------------------

    def check(self) -> tuple[Finding, ...]:
        """Return the broken order rules, errors first; empty if there are none."""
        return findings(self._layers, self.names)

    def wrap(
        self, app: Application, *, on_error: Literal["respond", "raise"] = "respond", waive: Iterable[str] = ()
    ) -> Wrapped:
        """Return `app` inside the stack, with `.app` and `.stack`. An empty stack returns `app` itself.

        Options:
            on_error: "respond" or "raise". With "respond", an Exception before the head of the response is sent is
                logged (logger "middleware"), stored in environ["middleware.exception"] (with its traceback until the
                response is closed) and answered by a plain 500 that passes through every layer. A later Exception is
                raised, so that the client sees the truncation. With "raise", every Exception is raised at once. A
                WebSocket connection that the application has taken over is left alone: StopIteration, or neither head
                nor body, is not an error there. Default "respond".
            waive: iterable of rule ids, or one id. Rules that may be broken. Default none.

        Errors: OrderError if an error rule is broken, OrderWarning (a warning) for each broken warning rule;
        ConfigError for a wrong option; TypeError for an application that is not callable.
        """
        if not callable(app):
            raise TypeError(f"Stack.wrap: a WSGI application is a callable (environ, start_response); got {app!r}")
        if on_error not in ("respond", "raise"):
            raise ConfigError(f'Stack.wrap: on_error: "respond" or "raise"; got {on_error!r}')
        self._enforce(waive)
        if not self._layers:
            return cast("Wrapped", app)
        pairs = zip(self._layers, self.names, strict=True)
        named = [keep_effects(layer, layer.named(name)) for layer, name in pairs]
        run = cast("Wrapped", _assemble(app, built(named), respond=on_error == "respond"))
        run.app, run.stack = app, self
        return run

    def _enforce(self, waive: Iterable[str]) -> None:
        waived = frozenset((waive,) if isinstance(waive, str) else waive)
        known = [rule.id for rule in RULES]
        unknown = sorted(waived.difference(known))
        if unknown:
            raise ConfigError(f"Stack.wrap: waive: ids of rules ({', '.join(known)}); got {', '.join(unknown)}")
        found = [finding for finding in self.check() if finding.rule not in waived]
        errors = [finding for finding in found if finding.severity == "error"]
        if errors:
            raise OrderError(_refusal(errors), errors)
        for finding in found:
            warnings.warn(described(finding), OrderWarning, stacklevel=3)  # the caller of wrap

    # -- finding a place -----------------------------------------------------------------------------------------

    def _places(self, ref: object) -> list[int]:
        """The indices of the layers of that name or class."""
        if isinstance(ref, str):
            named = [place for place, name in enumerate(self.names) if name == ref]
            return named or [place for place, layer in enumerate(self) if type(layer).__name__ == ref]
        return [place for place, layer in enumerate(self) if _is_of(layer, ref)]

    def _place(self, ref: object) -> int:
        if not callable(ref) and not isinstance(ref, str):
            raise TypeError(f"a layer is found by its name or its class; got {ref!r}")
        places = self._places(ref)
        if len(places) != 1:
            count = f"{len(places)} layers are" if places else "no layer is"
            what = getattr(ref, "__name__", repr(ref))
            raise LookupError(f"{count} {what} in this stack; its names are: {', '.join(self.names) or 'none'}")
        return places[0]

    def _beside(self, outside: Ref | None, inside: Ref | None) -> int:
        if (outside is None) == (inside is None):
            raise TypeError("give one of outside=ref and inside=ref")
        return self._place(outside) if outside is not None else self._place(inside) + 1


def built(layers: Iterable[Middleware]) -> list[Middleware]:
    """The layers as they run, after `on_build` of each, outermost first. A layer may change the layers inside it."""
    running = list(layers)
    for layer in tuple(running):
        for place in [place for place, other in enumerate(running) if other is layer]:
            running[place:] = layer.on_build(tuple(running[place:]))
    return running


def _layers(entry: object) -> Iterable[Middleware]:
    """The layers of one argument of `Stack`."""
    if isinstance(entry, Stack):
        return entry
    layer = entry() if isinstance(entry, type) and issubclass(entry, Middleware) else entry
    if isinstance(layer, Middleware):
        if layer.app is not None:
            raise ConfigError(f"Stack: {layer!r} already wraps an application; give it without one")
        return (layer,)
    if callable(layer):
        return (External(layer),)
    raise TypeError(f"a stack is made of Middleware, stacks and callables app -> app; got {layer!r}")


def _names(layers: Sequence[Middleware]) -> tuple[str, ...]:
    """A unique name for each layer: the second of one name gets the suffix -2."""
    names: list[str] = []
    taken = {layer.name for layer in layers}
    for layer in layers:
        name, count = layer.name, 1
        while name in names or (count > 1 and name in taken):
            count += 1
            name = f"{layer.name}-{count}"
        names.append(name)
    return tuple(names)


def _is_of(layer: Middleware, kind: object) -> bool:
    if isinstance(layer, External) and layer.factory == kind:
        return True
    return isinstance(kind, type) and isinstance(layer, kind)


def _refusal(errors: Sequence[Finding]) -> str:
    lines = "".join(f"\n  - {each.message}\n    rule {each.rule}; mend it by {each.fix}" for each in errors)
    return f"this order goes wrong in {len(errors)} place{'s' * (len(errors) > 1)}:{lines}"


def _assemble(app: Application, layers: Sequence[Middleware], *, respond: bool) -> Application:
    """Build one pass for each run of layers between two splitting ones.

    A pass without layers is built only where it answers errors. The outermost pass is always built, because it carries
    `.app` and `.stack`.
    """
    inside: list[Middleware] = []
    for place in reversed(range(len(layers))):
        layer = layers[place]
        if not isinstance(layer, Splitting):
            inside.insert(0, layer)
            continue
        answered = any(getattr(outer, "answers_errors", False) for outer in layers[: place + 1])
        if inside or (respond and not answered):
            app = pipeline(app, [each.layer() for each in inside], respond=respond and not answered)
        app, inside = layer.placed(app), []
    return pipeline(app, [each.layer() for each in inside], respond=respond)

"""Stack: the immutable chain of layers, its edits, and `wrap`, which assembles the application."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn, Protocol, TypeAlias, cast

from middleware.stack.external import External
from middleware.stack.findings import findings
from middleware.stack.order import OrderError, OrderWarning, arranged
from middleware.stack.printed import chain
from middleware.stack.rules import Finding, described, waived
from middleware.wsgi.effects import declared_by, keep_effects
from middleware.wsgi.layer import Middleware
from middleware.wsgi.options import ConfigError
from middleware.wsgi.pipeline import pipeline
from middleware.wsgi.refused import Wrapper, check_application, named, takes
from middleware.wsgi.splitting import Splitting
from middleware.wsgi.types import Application, Environ, Predicate, StartResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from middleware.sight.explanation import Explanation
    from middleware.wsgi.plan import Layer, Respond

    Entry: TypeAlias = "Middleware | Stack | Callable[[Application], Application]"
    Ref: TypeAlias = str | type[Any]


_ON_ERROR: Final[dict[str, Respond]] = {"auto": "auto", "respond": True, "raise": False}


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


class Stack(Wrapper):
    """An immutable chain of middleware, outermost first: the order written is the order in which a request meets them.

    Every edit returns a new stack. A nested stack is replaced by its layers, and a callable `app -> app` is wrapped in
    `External`. Two layers of one name become `Headers` and `Headers-2`. A layer is looked up by its name or its class:
    `stack["CORS"]`, `CORS in stack`. `len`, iteration and `==` work as on a tuple, and `print(stack)` shows the chain.

    Attributes:
        names: tuple of str, outermost first.

    Errors: TypeError for an argument that is not a middleware, stack or callable app -> app, and for a stack that is
    called; ConfigError for a middleware that already wraps an application; LookupError, which lists the names, for a
    name or class that the stack does not have exactly once; OrderError and OrderWarning, see `check`.
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

    @classmethod
    def recommended(
        cls,
        *,
        allow_origins: Any = (),
        trusted_hosts: str | Iterable[str] | None = None,
        trusted_origins: str | Iterable[str] = (),
        cross_origin_exempt: Predicate | None = None,
        https: bool = False,
        access_log: Any = "combined",
        compress: bool = True,
        preset: Literal["basic", "balanced", "strict", "api"] = "balanced",
    ) -> Stack:
        """Return the stack that a careful team would write, to be printed, checked and edited like any other.

        RequestId, AccessLog, Timing, SecurityHeaders, CORS, TrustedHosts, HTTPSRedirect, CrossOriginProtection,
        Compress, Conditional.

        Options:
            allow_origins: as CORS takes it. The origins whose pages may read responses. They are not trusted to send
                requests with cookies: that is trusted_origins. Default ().
            trusted_hosts: as `hosts` of TrustedHosts, or None. The hosts that the site has; None for no TrustedHosts.
                Default None.
            trusted_origins: as CrossOriginProtection takes it. The origins that may send requests with cookies. Default
                ().
            cross_origin_exempt: predicate, or None. Requests that other sites may send, such as the POST that ends a
                login by SAML or form_post, or a payment by 3-D Secure. Default None.
            https: bool. Whether requests over http are redirected. Default False.
            access_log: as the `format` of AccessLog, or None. How requests are logged; None for no AccessLog. Default
                "combined".
            compress: bool. Whether responses are encoded. Default True.
            preset: as SecurityHeaders takes it. The strictness of the security headers. Default "balanced".

        Errors: ConfigError, also those of the layers.
        """
        from middleware.stack.recommended import layers

        return cls(
            *layers(
                allow_origins=allow_origins,
                trusted_hosts=trusted_hosts,
                trusted_origins=trusted_origins,
                cross_origin_exempt=cross_origin_exempt,
                https=https,
                access_log=access_log,
                compress=compress,
                preset=preset,
            )
        )

    # -- looking -------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._layers)

    def __iter__(self) -> Iterator[Middleware]:
        return iter(self._layers)

    def __contains__(self, ref: object) -> bool:
        return bool(self._places(ref)) or ref in self._layers

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
        self, app: Application, *, on_error: Literal["auto", "respond", "raise"] = "auto", waive: Iterable[str] = ()
    ) -> Wrapped:
        """Return `app` inside the stack, with `.app` and `.stack`. An empty stack returns `app` itself.

        Options:
            on_error: "auto", "respond" or "raise". With "respond", an Exception before the head of the response is sent
                is logged (logger "middleware"), stored in environ["middleware.exception"] (with its traceback until
                the response is closed) and answered by a 500 that passes through every layer: plain text, or
                problem+json for a client that prefers JSON. A later Exception is raised, so that the client sees the
                truncation. With "raise", every Exception is raised at once. "auto" is "raise" for a request that came
                with a key by which a debugger or a test client asks for exceptions, and "respond" for every other:
                werkzeug.debug.preserve_context (the debugger of `flask run --debug`, Flask's test client inside
                `with client:`), a true paste.throw_errors (WebTest), or a false wsgi.handleErrors (Zope). A WebSocket
                connection that the application has taken over is left alone: StopIteration, or neither head nor body,
                is not an error there. Default "auto".
            waive: iterable of rule ids, or one id. Rules that may be broken. Default none.

        Errors: OrderError if an error rule is broken, OrderWarning (a warning) for each broken warning rule;
        ConfigError for a wrong option; TypeError for an object that is not a WSGI application (an ASGI application, an
        application factory), and for an application that an equal stack already wraps.
        """
        if isinstance(app, Stack):
            raise TypeError("Stack.wrap: a stack is no application: write Stack(outer, inner).wrap(app)")
        check_application("Stack.wrap", app)
        if self._layers and getattr(app, "stack", None) == self:
            raise TypeError("Stack.wrap: the application is wrapped in an equal stack already: wrap it once")
        if on_error not in [*_ON_ERROR]:  # a list, because it may be unhashable
            raise ConfigError(f'Stack.wrap: on_error: "auto", "respond" or "raise"; got {on_error!r}')
        self._enforce(waive)
        if not self._layers:
            return cast("Wrapped", app)
        pairs = zip(self._layers, self.names, strict=True)
        layers = built(keep_effects(layer, layer.named(name)) for layer, name in pairs)
        run = cast("Wrapped", _assemble(app, layers, respond=_ON_ERROR[on_error]))
        run.app, run.stack = app, self
        return run

    def explain(self, app: Application, environ_or_path: Environ | str, /, **headers: str) -> Explanation:
        """Send one request through `app` inside this stack, without a server; report what each layer did and why.

        `print(stack.explain(app, "/", origin="https://b.example"))` is a report for people. The layers run one by one,
        through Externals and nested stacks, and broken order rules are ignored. The request is a real one: rate limits
        count it, logs get a line for it, and the application runs with all its side effects. At most 1,000 chunks of
        the body are read. Exceptions are answered as by `wrap` with on_error="respond".

        Options:
            app: WSGI application. The layers of stacks in and around it are explained too. Required.
            environ_or_path: dict or str. The environ of the request, which is not changed, or a path such as "/a?b=c"
                or a URL, for a GET. Required.
            headers: str. Request headers, such as accept_encoding="gzip". Default none.

        Errors: TypeError for any other type of request, or for a header that is not a str; ValueError for a path
        without a slash.
        """
        from middleware.sight.explain import explain

        return explain(self, app, environ_or_path, headers)

    def __call__(self, *_: object) -> NoReturn:
        """Raise TypeError: a stack is not an application until it wraps one."""
        raise TypeError("a Stack is no WSGI application: write application = stack.wrap(app)")

    def _enforce(self, waive: Iterable[str]) -> None:
        ids = waived("Stack.wrap", waive)
        found = [finding for finding in self.check() if finding.rule not in ids]
        errors = [finding for finding in found if finding.severity == "error"]
        if errors:
            lines = "".join(f"\n  - {each.message}\n    rule {each.rule}; fix it by {each.fix}" for each in errors)
            plural = "s" * (len(errors) > 1)
            raise OrderError(f"this order goes wrong in {len(errors)} place{plural}:{lines}", errors)
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
    if isinstance(entry, Middleware):
        if entry.app is not None:
            raise ConfigError(f"Stack: {entry!r} already wraps an application; give it without one")
        return (entry,)
    if isinstance(entry, type) and issubclass(entry, Middleware):
        raise TypeError(f"Stack: {entry.__name__} is a class: write {entry.__name__}(...)")
    if isinstance(entry, (list, tuple)):
        raise TypeError(f"Stack: layers are given one by one: write Stack(*layers); got {entry!r}")
    if not callable(entry):
        raise TypeError(f"a stack is made of Middleware, stacks and callables app -> app; got {entry!r}")
    if not takes(entry, 1):
        rule = "cannot be called as app -> app"
        raise TypeError(f"Stack: {entry!r} {rule}: if it is the application, write Stack(...).wrap({named(entry)})")
    return (External(entry),)


def _names(layers: Sequence[Middleware]) -> tuple[str, ...]:
    """A unique name for each layer: the second layer of one name gets the suffix -2."""
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


def _assemble(app: Application, layers: Sequence[Middleware], *, respond: Respond) -> Application:
    """Build one pass for each run of layers between two splitting ones.

    A pass without layers is built only where it answers errors. The outermost pass is always built, because it carries
    `.app` and `.stack`.
    """
    inside: list[Layer] = []
    for place, layer in reversed([*enumerate(layers)]):
        if not isinstance(layer, Splitting):
            inside.insert(0, layer.layer())
            continue
        # errors must pass a layer that reports them before they are answered
        reported = not inside and declared_by(layer).reports
        answered = any(getattr(each, "answers_errors", False) for each in layers[: place + 1])
        responds = False if reported or answered else respond
        if inside or responds:
            app = pipeline(app, inside, respond=responds)
        app, inside = layer.placed(app), []
    return pipeline(app, inside, respond=respond)

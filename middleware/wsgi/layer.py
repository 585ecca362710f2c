"""Middleware: the base class of layers, immutable values that become WSGI applications when they wrap one."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from middleware.wsgi.authored import check_class, check_options
from middleware.wsgi.conditions import asked, varying
from middleware.wsgi.effects import Effects, declared_by, forget_effects, told
from middleware.wsgi.options import copied
from middleware.wsgi.pipeline import pipeline
from middleware.wsgi.plan import Layer
from middleware.wsgi.refused import Wrapper, check_application, check_predicate

if TYPE_CHECKING:
    from typing_extensions import Self

    from middleware.wsgi.answer import Answer
    from middleware.wsgi.response import Response, Transform
    from middleware.wsgi.types import Application, Environ, Predicate, StartResponse


class _Sealed(type):
    """Seals an instance after its construction. Until then, a subclass may set attributes."""

    def __call__(cls, *args: Any, **options: Any) -> Any:
        check_options(cls, args, options)
        self = super().__call__(*args, **options)
        self._seal(args, options)
        return self

    @property
    def __signature__(cls) -> inspect.Signature:
        """The signature of the constructor. That of the metaclass would show *args and **options."""
        parameters = [*inspect.signature(cls.__init__).parameters.values()]  # type: ignore[misc]
        return inspect.Signature(parameters[1:])


class Middleware(Wrapper, metaclass=_Sealed):
    """The base class of layers. Override the methods that are needed; a method that is not overridden costs nothing.

    `X(app, **options)` is a WSGI application. `X(**options)` is a value for a Stack, or for `X(**options).wrap(app)`. A
    layer is immutable once constructed, and may be shared between threads, applications and stacks: the state of a
    request is kept in its environ, under keys `middleware.*`. A layer outside a stack re-raises errors; only a Stack
    answers them.

    Attributes:
        effects: ClassVar[Effects]. The facts for the order rules. Override `declared()` if they depend on options.
        name: str. The class name, unless `named`.
        app: the wrapped application, or None.
        condition: the predicate of `when`, or None.

    Errors: AttributeError on assignment after construction; TypeError when called without an application.
    """

    effects: ClassVar[Effects] = Effects()
    name: str = "Middleware"
    app: Application | None = None
    condition: Predicate | None = None
    _given: tuple[tuple[Any, ...], dict[str, Any]]
    _given_name: str
    _given_app: Application | None
    _sealed: bool = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            cls.name = cls.__name__
        check_class(cls)

    def __init__(self, app: Application | None = None, /) -> None:
        self.app = app

    # -- methods to override -------------------------------------------------------------------------------------

    def on_request(self, environ: Environ) -> Answer | None:
        """Handle the request, outermost layer first. Return None, or an answer in place of the application's.

        An answer is a WSGI application, such as `json_response(data)` or a response of WebOb or Werkzeug, or a tuple
        (status, body) or (status, body, headers). The status is an int or "403 Forbidden"; a str body is text/plain. An
        answer passes through the layers that the request has met, this one included. Inner layers never see the
        request.
        """

    def on_response(self, environ: Environ, response: Response) -> Transform | None:
        """Edit the head of the response, innermost layer first. Return None, or a Transform of its body.

        Only a layer whose effects declare rewrites_body or encodes_body may assign `response.body`. Called once for
        each response, and again with the new head if an error replaces the head.
        """

    def on_close(self, environ: Environ, error: BaseException | None) -> None:
        """Called once, when the response is over. `error` is the exception that ended the response, or None.

        If the server closes the body before its end, because the client disconnected, `error` is a GeneratorExit. For a
        file that the server sends by itself (wsgi.file_wrapper), `error` is None, because the outcome is unknown.
        """

    def on_build(self, layers: Sequence[Middleware]) -> Sequence[Middleware]:
        """Called when a stack is wrapped, with this layer and all layers inside it. Return the layers to run."""
        return layers

    def declared(self) -> Effects:
        """Return the effects of this instance. Called once, because the effects of an instance must not change."""
        return self.effects

    def describe(self) -> Iterable[tuple[str, str]]:
        """Describe the layer for people, in pairs such as ("response", "sets X-App").

        The default is the first line of the docstring of the class, and the effects in words.
        """
        said = (type(self).__doc__ or "").strip().partition("\n")[0]
        facts = told(declared_by(self))
        return [*([("does", said)] if said else []), *facts] or [("does", "something of its own")]

    # -- inherited methods ---------------------------------------------------------------------------------------

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Run one request through this layer and its application (PEP 3333)."""
        return self._run(environ, start_response)

    def wrap(self, app: Application) -> Self:
        """Return a copy that wraps `app`, and so is a WSGI application."""
        if app is None:  # None means no application
            check_application(f"{self.name}.wrap", app)
        return self._changed(app=app)

    def named(self, name: str) -> Self:
        """Return a copy with this name, which identifies the layer in stacks and reports."""
        if not isinstance(name, str) or not name.isprintable() or not name.strip():
            raise TypeError(f"{type(self).__name__}.named: a name is a str that can be read; got {name!r}")
        return self._changed(name=name)

    def when(self, predicate: Predicate) -> Self:
        """Return a copy that takes part only in requests whose environ satisfies `predicate`.

        The predicate is called when the request reaches the layer, so that outer layers may have prepared the environ.
        If a path can be read in several ways, one reading that satisfies the predicate is enough; a layer that grants
        something (`Effects(grants=True)`) takes part only if every reading satisfies it (middleware.match). The request
        fields that the predicate reads are added to the Vary of every response that they may have changed, whether the
        predicate held or not.
        """
        check_predicate(f"{self.name}.when", predicate)
        return self._changed(condition=predicate)

    def with_options(self, **options: Any) -> Self:
        """Return a copy that is constructed with these options in place of its own, and keeps its name and condition.

        State that is shared between requests is created again.

        Errors: those of the constructor.
        """
        # An iterator has been exhausted; the layer has kept its values.
        given = {
            name: getattr(self, name, value) if isinstance(value, Iterator) else value
            for name, value in self._given[1].items()
        }
        first = (self.app,) * (len(self._given[0]) - len(self._positional))
        made: Self = type(self)(*first, *self._positional, **{**given, **options})
        named = {} if self.name == self._given_name else {"name": self.name}
        return made._changed(app=self.app, condition=self.condition, **named)

    @property
    def options(self) -> dict[str, Any]:
        """The options that differ from the defaults, as the layer keeps them."""
        defaults = type(self).__init__.__kwdefaults__ or {}  # none in a subclass that takes them as **options
        found = {}
        for name, value in self._given[1].items():
            kept = value if hasattr(Middleware, name) else getattr(self, name, value)
            if name not in defaults or defaults[name] not in (value, kept):
                found[name] = kept
        return found

    def layer(self) -> Layer:
        """Return the hooks that the pipeline runs: only the methods that the class overrides."""
        effects = declared_by(self)
        on_request, on_response = _overridden(self, "on_request"), _overridden(self, "on_response")
        return Layer(
            asked(self.condition, effects),
            on_request,
            on_response,
            _overridden(self, "on_close"),
            effects.rewrites_body or effects.encodes_body,
            varying(self.condition) if on_request or on_response else (),
        )

    def __repr__(self) -> str:
        text = f"{type(self).__name__}({', '.join(self._shown())})"
        if self.name != self._given_name:
            text += f".named({self.name!r})"
        if self.condition is not None:
            text += f".when({self.condition!r})"
        return text

    def _shown(self) -> list[str]:
        return [*map(repr, self._positional), *(f"{name}={text}" for name, text in self._shown_options().items())]

    def _shown_options(self) -> dict[str, str]:
        """The options as the repr and reports show them. A subclass hides secrets here."""
        return {name: repr(value) for name, value in self.options.items()}

    @property
    def _positional(self) -> tuple[Any, ...]:
        args = self._given[0]
        return args[1:] if args and args[0] is self._given_app else args

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._compared() == other._compared()

    def __hash__(self) -> int:
        return hash((type(self), self.name))

    def __deepcopy__(self, _memo: object) -> Self:
        return self  # layers are immutable, and copies share the state between requests

    def __setattr__(self, name: str, value: object) -> None:
        if self._sealed:
            raise AttributeError(f"{self.name} is immutable: make another one instead of assigning {name!r}")
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{self.name} is immutable: {name!r} cannot be deleted")

    def _compared(self) -> tuple[object, ...]:
        return self.name, self.app, self.condition, self._positional, self.options

    def _changed(self, **attributes: Any) -> Self:
        changed = object.__new__(type(self))
        changed.__dict__.update(self.__dict__, **attributes)
        forget_effects(changed)
        changed._bind()
        return changed

    def _seal(self, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        # An option that the layer keeps unchanged stays shared with the caller: a list of events, or a cache.
        given = {name: it if self.__dict__.get(name) is it else copied(it) for name, it in options.items()}
        self.__dict__.update(_given=(args, given), _given_name=self.name, _given_app=self.app, _sealed=True)
        self._bind()

    def _bind(self) -> None:
        """Build the pipeline of a layer that wraps an application outside a stack."""
        if self.app is None:
            return
        check_application(self.name, self.app)
        if type(self.app) is type(self):
            self._check_wrapped(self.app)
        self.__dict__["_run"] = pipeline(self.app, [self.layer()])

    def _check_wrapped(self, inner: Middleware) -> None:
        """Raise TypeError for a layer that directly wraps an equal one, because the outer one adds nothing."""
        if self._changed(app=None) == inner._changed(app=None):
            raise TypeError(f"{self.name}: the application is wrapped in an equal {self!r} already: wrap it once")

    def _run(self, _environ: Environ, _start_response: StartResponse) -> Iterable[bytes]:
        kind = type(self).__name__
        raise TypeError(
            f"{kind} was called without an application to wrap: write {kind}(app, ...), {kind}(...).wrap(app) or "
            f"Stack({kind}(...)).wrap(app)"
        )


def _overridden(layer: Middleware, method: str) -> Any:
    """The method, or None if the class does not override it."""
    return None if getattr(type(layer), method) is getattr(Middleware, method) else getattr(layer, method)

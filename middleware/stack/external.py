"""External: a third-party WSGI middleware as a layer, and the effects of well-known ones."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from inspect import isfunction
from typing import Any, Final

from middleware.wsgi.effects import Effects
from middleware.wsgi.options import ConfigError
from middleware.wsgi.refused import Wrapper, is_application, takes, wraps_nothing
from middleware.wsgi.splitting import Splitting
from middleware.wsgi.types import Application, Environ, StartResponse

# Effects of well-known middleware. The keys are names, so that no package needs to be imported.
KNOWN: Final[dict[str, Effects]] = {
    "werkzeug.middleware.proxy_fix:ProxyFix": Effects(
        provides={"REMOTE_ADDR", "wsgi.url_scheme", "HTTP_HOST", "SERVER_NAME", "SERVER_PORT", "SCRIPT_NAME"},
        unique=True,
    ),
    "werkzeug.middleware.http_proxy:ProxyMiddleware": Effects(answers=True),
    "werkzeug.middleware.shared_data:SharedDataMiddleware": Effects(answers=True),
    "werkzeug.middleware.dispatcher:DispatcherMiddleware": Effects(answers=True),
    "werkzeug.middleware.profiler:ProfilerMiddleware": Effects(measures=True),
    "whitenoise.base:WhiteNoise": Effects(answers=True),
    "sentry_sdk.integrations.wsgi:SentryWsgiMiddleware": Effects(reports=True, unique=True),
    "opentelemetry.instrumentation.wsgi:OpenTelemetryMiddleware": Effects(reports=True, unique=True),
    "paste.gzipper:middleware": Effects(encodes_body=True, sets={"Content-Encoding", "Content-Length"}),
    "paste.httpexceptions:HTTPExceptionHandler": Effects(answers=True),
    "paste.errordocument:StatusBasedForward": Effects(answers=True, rewrites_body=True),
    "paste.auth.basic:AuthBasicHandler": Effects(answers=True, provides={"REMOTE_USER"}),
    "paste.recursive:RecursiveMiddleware": Effects(provides={"paste.recursive.forward"}),
    "paste.translogger:TransLogger": Effects(measures=True, observes=True),
}


class External(Splitting):
    """Puts a WSGI middleware of another library into a stack.

    `External(ProxyFix, x_for=1)` calls `ProxyFix(app, x_for=1)`. Stands where its effects allow. Does nothing to a
    request or response itself; it splits the stack into two passes, one outside and one inside of it.

    Options:
        factory: callable (app, *args, **options) -> WSGI application. The layer has its name. Required.
        args, options: any. The further arguments of the factory. Default none.
        effects: Effects or None. The facts for the order rules. None takes those of a well-known middleware, or no
            effects for any other. Default None.

    Errors: ConfigError for a factory that is not callable with an application and these arguments; TypeError from
    `wrap` if the factory returns something that is not callable.
    Source: PEP 3333 "Middleware: Components that Play Both Sides".
    """

    def __init__(
        self, factory: Callable[..., Application], /, *args: Any, effects: Effects | None = None, **options: Any
    ) -> None:
        super().__init__()
        if not callable(factory) or wraps_nothing(factory):
            raise ConfigError(f"External: factory: a callable (app, ...) -> WSGI application; got {factory!r}")
        if not isinstance(effects, (Effects, type(None))):
            raise ConfigError(f"External: effects: an Effects or None; got {effects!r}")
        if (why := _uncallable(factory, args, options)) is not None:
            raise ConfigError(f"External: factory: a callable (app, ...), and {factory!r} {why}")
        self.factory = factory
        named = getattr(factory, "func", factory)  # functools.partial
        qualified = getattr(named, "__qualname__", type(named).__name__)
        self.name = qualified.rpartition(".")[2].strip("<>")
        kind = f"{getattr(named, '__module__', '')}:{qualified}"
        self._effects = effects if effects is not None else KNOWN.get(kind, Effects())
        if self._effects.unique is True:
            self._effects = replace(self._effects, unique=self.name)
        self._arguments = args, options

    def around(self, app: Application) -> Application:
        """Return `app` inside the middleware."""
        args, options = self._arguments
        wrapped = self.factory(app, *args, **options)
        if not callable(wrapped) or wraps_nothing(wrapped):
            raise TypeError(f"External({self.name}): the factory returned no WSGI application but {wrapped!r}")
        condition = self.asked
        if condition is None:
            return wrapped
        return lambda environ, start_response: (wrapped if condition(environ) else app)(environ, start_response)

    def declared(self) -> Effects:
        """The given effects, or those of a well-known middleware."""
        return self._effects

    def describe(self) -> Iterable[tuple[str, str]]:
        """The factory that it calls."""
        return [("calls", f"{getattr(self.factory, '__module__', '?')}.{self.name}")]

    def _shown(self) -> list[str]:
        shown = [getattr(self.factory, "__qualname__", repr(self.factory)), *map(repr, self._arguments[0])]
        return [*shown, *(f"{name}={text}" for name, text in self._shown_options().items())]

    def _run(self, _environ: Environ, _start_response: StartResponse) -> Iterable[bytes]:
        raise TypeError(f"{self!r} was called without an application to wrap: write {self!r}.wrap(app)")


def _uncallable(factory: Callable[..., object], args: tuple[object, ...], options: Mapping[str, object]) -> str | None:
    """Why a factory cannot be called with an application and these arguments, or None."""
    ours = isinstance(factory, type) and issubclass(factory, Wrapper)  # its signature is that without an application
    if ours or takes(factory, 1 + len(args), **options):
        return None
    if is_application(factory):
        line = "stack.wrap(app)" if isfunction(factory) else f"External({type(factory).__name__}, ...)"
        return f"is an application: write {line}"
    given = ["app", *map(repr, args), *(f"{name}={value!r}" for name, value in options.items())]
    return f"cannot be called with ({', '.join(given)})"

"""Positional: layers whose first options may be given by position, because they cannot be an application."""

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

from middleware.wsgi.layer import Middleware


class Positional(Middleware):
    """A layer that takes `X(option)` and `X(app, option)`, and keeps both as `X(option=...)`.

    `_configure` has the options, all by keyword; `_placed` names those that may be given by position.
    """

    _placed: ClassVar[tuple[str, ...]]
    _arranges: ClassVar[bool]  # false in a subclass with an __init__ of its own
    _configure: Callable[..., None]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" not in cls.__dict__:
            return
        cls._arranges = "_configure" in cls.__dict__
        if cls._arranges:
            # What help() and editors show: the options, as if there were no application.
            itself, *options = inspect.signature(cls._configure).parameters.values()
            kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
            shown = [each.replace(kind=kind) if each.name in cls._placed else each for each in options]
            cls.__dict__["__init__"].__dict__["__signature__"] = inspect.Signature([itself, *shown])

    def __init__(self, *args: Any, **options: Any) -> None:
        app, given = self._arranged(args, options)
        super().__init__(app)
        self._configure(**given)

    def _is_app(self, args: tuple[Any, ...], options: dict[str, Any]) -> bool:  # noqa: ARG002 - a subclass looks at them
        """Whether the first argument is the application, or None in its place."""
        return args[0] is None or callable(args[0])

    def _arranged(self, args: tuple[Any, ...], options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        kind, names, rest = type(self).__name__, self._placed, list(args)
        app = rest.pop(0) if rest and self._is_app(args, options) else None
        if len(rest) > len(names):
            raise TypeError(f"{kind}: takes {' and '.join(names)} by position, all else as keywords; got {rest[-1]!r}")
        given = {**dict(zip(names, rest, strict=False)), **options}
        if len(given) < len(rest) + len(options):
            raise TypeError(f"{kind}: {names[0]} by position and as a keyword")
        known = inspect.signature(self._configure).parameters.values()
        missing = [each.name for each in known if each.default is each.empty and each.name not in given]
        if missing:
            raise TypeError(f"{kind}: missing a required argument: {missing[0]!r}")
        return app, given

    def _seal(self, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        if self._arranges:
            _, given = self._arranged(args, options)
            defaults = {name: each.default for name, each in inspect.signature(self._configure).parameters.items()}
            args, options = (), {name: value for name, value in given.items() if value != defaults[name]}
        super()._seal(args, options)

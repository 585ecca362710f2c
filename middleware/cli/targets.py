"""Loads targets: the objects that `MODULE:NAME` names. The only place that imports or searches the user's modules."""

from __future__ import annotations

import inspect
import os
import pkgutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Generic, TypeVar

import middleware
from middleware.cli.output import CommandError, nearest, raised, say
from middleware.sight.nested import called, stack_of, stacks_in
from middleware.wsgi.layer import Middleware
from middleware.wsgi.refused import check_application, is_factory, takes, wraps_nothing
from middleware.wsgi.types import Application

T = TypeVar("T")
_NAME: Final = middleware.__name__
_NAMED_AT_MOST: Final = 12


@dataclass(frozen=True)
class Expected(Generic[T]):
    """The type of object that a target should be.

    Attributes:
        form: str. The form of the argument in messages.
        one, many: str. Its name in messages.
        pick: callable. Returns the object as that type, or None if it is another.
    """

    form: str
    one: str
    many: str
    pick: Callable[[object], T | None]


STACKS: Final = Expected("MODULE:STACK", "a stack", "stacks", lambda value: [*stacks_in(value)] or None)
STACK: Final = Expected("MODULE:STACK", "a stack", "stacks", lambda value: stack_of(called(value)))
APPLICATION: Final[Expected[Application]] = Expected(
    "MODULE:APP",
    "a WSGI application",
    "applications",
    lambda value: value if callable(value) and not wraps_nothing(value) else None,
)


def load(target: str, expected: Expected[T]) -> T:
    """Return the object that `MODULE:NAME` names, or what the factory `MODULE:NAME()` returns.

    NAME may be a dotted path. The current directory is importable.

    Errors: CommandError if there is no such module or name, if the object is of another kind, or if the import or the
    factory raises. The message names the target and lists the alternatives.
    """
    name, _, path = target.partition(":")
    module = _module(name, target, expected)
    if not path:
        raise CommandError(f"{target!r} names nothing in a module: write {expected.form}; {_offered(module, expected)}")
    owner: Any = module
    label, parent = name, owner
    with _looking_at(target):
        for part in path.removesuffix("()").split("."):
            try:
                owner, parent = getattr(owner, part), owner
            except AttributeError:
                near = nearest(part, _names(owner, expected))
                raise CommandError(f"{label!r} has no {part!r}; {_offered(owner, expected)}{near}") from None
            label = f"{label}.{part}" if ":" in label else f"{label}:{part}"
        if path.endswith("()"):
            owner = _made(owner, label)
        elif inspect.isroutine(owner) and is_factory(owner) and takes(owner, 0):
            raise CommandError(f"{target!r} is a function that may be a factory: write {target}() for what it returns")
        picked = expected.pick(owner)
        if picked is None:
            raise CommandError(f"{target!r} is {_described(owner)}, not {expected.one}; {_offered(parent, expected)}")
    _warn_of(_shadow())
    return picked


def load_application(target: str) -> Application:
    """Return the WSGI application that `MODULE:NAME` names.

    Errors: CommandError as from `load`, and for a callable that is not a WSGI application.
    """
    app = load(target, APPLICATION)
    with _looking_at(target):
        try:
            check_application(repr(target), app)
        except TypeError as error:
            raise CommandError(str(error)) from error
    return app


@contextmanager
def _looking_at(target: str) -> Iterator[None]:
    """Raise CommandError for an exception of an object that is looked at, such as a proxy outside of a request."""
    try:
        yield
    except CommandError:
        raise
    except Exception as error:
        raise CommandError(f"looking at {target!r} failed: {raised(error)}") from error


def _made(factory: Any, label: str) -> object:
    """The return value of a factory."""
    try:
        made = factory()
    except (Exception, SystemExit) as error:
        raise CommandError(f"calling {label}() failed: {raised(error)}") from error
    if inspect.iscoroutine(made):
        made.close()  # otherwise Python warns, beside the error, that it was never awaited
    return made


def _module(name: str, target: str, expected: Expected[Any]) -> ModuleType:
    here = os.getcwd()  # noqa: PTH109 - an entry of sys.path is a str
    if here not in sys.path:
        sys.path.insert(0, here)
    if not all(map(str.isidentifier, name.split("."))):
        raise CommandError(
            f"{target!r} does not begin with the name of a module: write {expected.form}; {_modules('')}"
        )
    try:
        return import_module(name)
    except (Exception, SystemExit) as error:
        missing = getattr(error, "name", None) if isinstance(error, ModuleNotFoundError) else None
        if missing and f"{name}.".startswith(f"{missing}."):
            file, _, rest = target.partition(".py:")
            near = (
                f"; did you mean {file}:{rest}?" if rest else nearest(missing.rpartition(".")[2], _importable(missing))
            )
            raise CommandError(f"there is no module {missing!r}; {_modules(missing)}{near}") from error
        other = _shadow() if _NAME in str(error) else None
        remedy = f'python -c "import {name}" shows where it came from' if other is None else _hidden(other)
        raise CommandError(f"importing {name!r} failed: {raised(error)}; {remedy}") from error


# -- a module of the user's with the name of this package ------------------------------------------------------------


def _shadow() -> Path | None:
    """The file or folder named `middleware` that precedes this package on `sys.path`, or None."""
    ours = Path(middleware.__file__).parent.resolve()
    specs = (PathFinder.find_spec(_NAME, [entry]) for entry in sys.path)
    spec: Any = next(filter(None, specs), middleware.__spec__)
    found = Path(spec.origin or next(iter(spec.submodule_search_locations)))  # a namespace package has no origin
    found = found.parent if found.name == "__init__.py" else found
    return None if found.resolve() == ours else found


def _hidden(other: Path) -> str:
    return f"{other} has the name of this package, and is not what `import {_NAME}` finds: rename it"


@cache
def _warn_of(other: Path | None) -> None:
    if other is not None:
        say(f"warning: {_hidden(other)}", error=True)


# -- the alternatives in messages ------------------------------------------------------------------------------------


def _modules(missing: str) -> str:
    """The importable modules of the package of `missing`, or of the current directory."""
    package = missing.rpartition(".")[0]
    return _listed(f"modules in {package!r}" if package else "modules here", _importable(missing))


def _importable(missing: str) -> list[str]:
    package = missing.rpartition(".")[0]
    paths = getattr(sys.modules.get(package), "__path__", []) if package else [os.getcwd()]  # noqa: PTH109 - as above
    return sorted(found.name for found in pkgutil.iter_modules(paths))


def _offered(owner: object, expected: Expected[Any]) -> str:
    return _listed(f"{expected.many} there", _names(owner, expected))


def _names(owner: object, expected: Expected[Any]) -> list[str]:
    """The public members of the expected type, without classes and imported functions."""
    own = getattr(owner, "__module__", getattr(owner, "__name__", None))

    def is_offer(value: object) -> bool:
        try:
            if STACK.pick(value) is None:
                is_foreign = inspect.isroutine(value) and getattr(value, "__module__", None) != own
                if is_foreign or inspect.isclass(value):
                    return False
            return expected.pick(value) is not None
        except Exception:  # noqa: BLE001 - a proxy of a framework, which raises outside of a request
            return False

    members = getattr(owner, "__dict__", {}).items()
    return [name for name, value in members if not name.startswith("_") and is_offer(value)]


def _listed(many: str, names: Sequence[str]) -> str:
    rest = len(names) - _NAMED_AT_MOST
    more = f" and {rest} more" if rest > 0 else ""
    return f"{many}: {', '.join(names[:_NAMED_AT_MOST]) or 'none'}{more}"


def _described(value: object) -> str:
    if isinstance(value, Middleware) and wraps_nothing(value):
        return f"a {type(value).__name__} without an application"
    kind = type(value).__name__
    return "None" if value is None else f"{'an' if kind[0].lower() in 'aeiou' else 'a'} {kind}"

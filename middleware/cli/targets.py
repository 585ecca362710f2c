"""Targets: what `MODULE:NAME` stands for. Everything that imports or searches the user's modules lives here."""

from __future__ import annotations

import inspect
import os
import pkgutil
import sys
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from middleware.cli.errors import CommandError, raised
from middleware.cli.output import say
from middleware.cli.shadow import NAME, shadow
from middleware.stack.builder import Stack
from middleware.wsgi.layer import Middleware

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import ModuleType

    from middleware.wsgi.types import Application

T = TypeVar("T")
_NAMED_AT_MOST: Final = 12


@dataclass(frozen=True)
class Kind(Generic[T]):
    """What a target is expected to be.

    Attributes:
        form: how a user writes it.
        one, many: what it is called.
        pick: returns an object as what it is expected to be, or None if it is something else.
    """

    form: str
    one: str
    many: str
    pick: Callable[[object], T | None]


def stack_of(value: object) -> Stack | None:
    """The stack that an object is, or that wraps it; None if there is none."""
    # looked up without running code of the object: proxies of frameworks raise outside of a request
    found = value if isinstance(value, Stack) else inspect.getattr_static(value, "stack", None)
    return found if isinstance(found, Stack) else None


def _application(value: object) -> Application | None:
    if isinstance(value, Middleware) and value.app is None:
        return None
    return value if callable(value) else None


STACK: Final = Kind("MODULE:STACK", "a stack", "stacks", stack_of)
APPLICATION: Final = Kind("MODULE:APP", "a WSGI application", "applications", _application)


def load(target: str, kind: Kind[T]) -> T:
    """Return what `MODULE:NAME` names; NAME may be a dotted path. The current directory is importable.

    Errors: CommandError, which says what was looked for and what is there, if there is no such module or name, if it
    is of another kind, or if importing the module raises.
    """
    name, _, path = target.partition(":")
    module = _module(name, target, kind)
    if not path:
        raise CommandError(f"{target!r} names nothing in a module: write {kind.form}; {_offered(module, kind)}")
    owner, label, parent = module, name, module
    for part in path.split("."):
        try:
            owner, parent = getattr(owner, part), owner
        except AttributeError:
            raise CommandError(f"{label!r} has no {part!r}; {_offered(owner, kind)}") from None
        label = f"{label}.{part}" if ":" in label else f"{label}:{part}"
    picked = kind.pick(owner)
    if picked is None:
        raise CommandError(f"{target!r} is {_described(owner)}, not {kind.one}; {_offered(parent, kind)}")
    _warn_of(shadow())
    return picked


def _module(name: str, target: str, kind: Kind[Any]) -> ModuleType:
    here = os.getcwd()  # noqa: PTH109 - an entry of sys.path is a str
    if here not in sys.path:
        sys.path.insert(0, here)
    if not all(map(str.isidentifier, name.split("."))):
        raise CommandError(f"{target!r} does not begin with the name of a module: write {kind.form}; {_modules('')}")
    try:
        return import_module(name)
    except (Exception, SystemExit) as error:
        raise CommandError(_not_imported(name, error)) from error


@cache
def _warn_of(other: Path | None) -> None:
    if other is not None:
        say(f"warning: {_hidden(other)}", error=True)


def _hidden(other: Path) -> str:
    return f"{other} has the name of this package, and is not what `import {NAME}` finds: rename it"


def _not_imported(name: str, error: BaseException) -> str:
    missing = getattr(error, "name", None) if isinstance(error, ModuleNotFoundError) else None
    if missing and f"{name}.".startswith(f"{missing}."):
        return f"there is no module {missing!r}; {_modules(missing)}"
    other = shadow() if NAME in str(error) else None
    remedy = f'python -c "import {name}" shows where it came from' if other is None else _hidden(other)
    return f"importing {name!r} failed: {raised(error)}; {remedy}"


def _modules(missing: str) -> str:
    """What could be imported instead: of the same package, or from here."""
    package = missing.rpartition(".")[0]
    paths = getattr(sys.modules.get(package), "__path__", []) if package else [os.getcwd()]  # noqa: PTH109 - as above
    names = sorted(found.name for found in pkgutil.iter_modules(paths))
    return _listed(f"modules in {package!r}" if package else "modules here", names)


def _offered(owner: object, kind: Kind[Any]) -> str:
    """What could have been named instead."""
    found = getattr(owner, "__dict__", {}).items()
    names = [name for name, value in found if not name.startswith("_") and _is_offer(value, owner, kind)]
    return _listed(f"{kind.many} there", names)


def _is_offer(value: object, owner: object, kind: Kind[Any]) -> bool:
    """Whether it is of the kind, and neither a class nor a function that was imported."""
    if stack_of(value) is not None:
        return kind.pick(value) is not None
    module = getattr(owner, "__module__", getattr(owner, "__name__", None))
    foreign = inspect.isroutine(value) and getattr(value, "__module__", None) != module
    return not foreign and not inspect.isclass(value) and kind.pick(value) is not None


def _listed(many: str, names: Sequence[str]) -> str:
    rest = len(names) - _NAMED_AT_MOST
    more = f" and {rest} more" if rest > 0 else ""
    return f"{many}: {', '.join(names[:_NAMED_AT_MOST]) or 'none'}{more}"


def _described(value: object) -> str:
    if isinstance(value, Middleware):
        return f"a {type(value).__name__} without an application"
    kind = type(value).__name__
    return "None" if value is None else f"{'an' if kind[0].lower() in 'aeiou' else 'a'} {kind}"

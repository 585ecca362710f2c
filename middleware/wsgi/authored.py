"""Authored: the checks of a layer when its class is created, and of its options when it is constructed."""

import inspect
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from dis import opmap
from types import FrameType
from typing import Any, Final

from middleware.wsgi.effects import Effects
from middleware.wsgi.refused import takes

# The methods that a layer overrides, with the number of arguments that they are called with.
HOOKS: Final = {"on_request": 1, "on_response": 2, "on_close": 2, "on_build": 1, "declared": 0, "describe": 0}
_CALLED: Final = {
    "on_request": "on_request(self, environ)",
    "on_response": "on_response(self, environ, response)",
    "on_close": "on_close(self, environ, error)",
    "on_build": "on_build(self, layers)",
    "declared": "declared(self)",
    "describe": "describe(self)",
}


def check_class(cls: type) -> None:
    """Raise TypeError for a class whose methods or effects cannot work as they are written."""
    effects = getattr(cls, "effects", None)
    if not isinstance(effects, (Effects, property)):
        raise TypeError(f"{cls.__name__}.effects: an Effects(...); got {effects!r}")
    if any(inspect.ismemberdescriptor(value) for base in cls.__mro__ for value in vars(base).values()):
        raise TypeError(f"{cls.__name__}: a layer has no __slots__, because its copies share what is in __dict__")
    for name in HOOKS:
        _check_method(cls, name, inspect.getattr_static(cls, name))
    for name, value in vars(cls).items():
        if callable(value) and (meant := _one_letter_off(name)) is not None and meant not in vars(cls):
            raise TypeError(f"{cls.__name__}.{name} is never called: write {_CALLED[meant]}")


def _check_method(cls: type, name: str, value: object) -> None:
    if inspect.iscoroutinefunction(value) or inspect.isasyncgenfunction(value):
        rule = "a WSGI pipeline does not await: write it without async"
        raise TypeError(f"{cls.__name__}.{name} is a coroutine, which {rule}")
    if inspect.isfunction(value) and not takes(value, HOOKS[name] + 1):
        raise TypeError(f"{cls.__name__}.{name} is called as {_CALLED[name]}; it has other parameters")


def _one_letter_off(name: str) -> str | None:
    """Return the method whose name is one typo away: a letter is missing, added, wrong or swapped."""
    for hook in HOOKS:
        shorter = min(len(name), len(hook))
        start = next((n for n in range(shorter) if name[n] != hook[n]), shorter)
        a, b = name[start:], hook[start:]
        swapped = a[:2] == b[1::-1] and a[2:] == b[2:]
        if name != hook and (a[1:] == b or a == b[1:] or a[1:] == b[1:] or swapped):
            return hook
    return None


def check_options(cls: Any, args: tuple[Any, ...], options: Mapping[str, object]) -> None:
    """Raise TypeError for an option that the class does not have, that is missing, or that is given by position."""
    parameters = inspect.signature(cls.__init__).parameters
    kinds = {each.kind for each in parameters.values()}
    if kinds & {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}:
        return
    unknown = [name for name in options if name not in parameters]
    if unknown:
        raise TypeError("; ".join(_unknown(cls, name, parameters) for name in unknown))
    defaults = {name: each.default for name, each in parameters.items() if each.kind is each.KEYWORD_ONLY}
    if [*parameters][1 : len(parameters) - len(defaults)] == ["app"]:
        _check_positions(cls.__name__, defaults, args, options)
        _check_required(cls.__name__, defaults, options)


def _check_positions(
    kind: str, defaults: Mapping[str, object], args: tuple[Any, ...], options: Mapping[str, object]
) -> None:
    """Raise TypeError for positional arguments other than the application."""
    if "app" in options:
        raise TypeError(f"{kind}: the application is given by position: {kind}(app, ...)")
    given = [value for value in args if value is not None]
    if defaults and given and not callable(given[0]):
        what = "a WSGI application is a callable (environ, start_response), and options are given by keyword"
        raise TypeError(f"{kind}: {what}: {kind}({_option_for(given[0], defaults)}={given[0]!r})")
    if defaults and len(args) > 1:
        option = _option_for(args[1], defaults)
        raise TypeError(f"{kind}: options are given by keyword: {kind}(app, {option}={args[1]!r})")


def _check_required(kind: str, defaults: Mapping[str, object], options: Mapping[str, object]) -> None:
    missing = [f"{name}=..." for name in _required(defaults) if name not in options]
    if missing:
        raise TypeError(f"{kind}: required and not given: write {kind}({', '.join(missing)})")


def _option_for(value: object, defaults: Mapping[str, object]) -> str:
    """The option that a value by position was probably meant for: a required one, or one with a default of its type."""
    alike = [name for name, default in defaults.items() if type(default) is type(value)]
    return [*_required(defaults), *alike, *defaults][0]


def _required(defaults: Mapping[str, object]) -> list[str]:
    return [name for name, default in defaults.items() if default is inspect.Parameter.empty]


def _unknown(cls: type, name: str, parameters: Mapping[str, inspect.Parameter]) -> str:
    named = (each.name for each in parameters.values() if each.kind is not inspect.Parameter.POSITIONAL_ONLY)
    names = [each for each in named if each not in ("self", "app")]
    peer = getattr(cls, "_peers", {}).get(name.lower(), "")  # options of other libraries, and what to write here
    if peer and (peer.partition("=")[0] in names or " " in peer):
        hint = f"here it is {peer}"
    else:
        near = get_close_matches(name.lower(), names, 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else f"its options are {', '.join(names) or 'none'}"
    return f"{cls.__name__} has no option {name!r}: {hint}"


def suggested(name: str, names: Iterable[str]) -> str:
    """Return a "did you mean" for a wrong public name; empty if no name is close."""
    lower = {each.lower(): each for each in names}
    asked = name.lower()
    bare = asked.removesuffix("middleware") or asked
    near = [each for each in (asked, bare) if each in lower] or get_close_matches(bare, lower, 1, 0.6)
    return f": did you mean {lower[near[0]]}?" if near else ""


def imports_from(frame: FrameType) -> bool:
    """Whether a frame is in the middle of `from ... import ...`, which hides the message of an AttributeError."""
    return frame.f_code.co_code[frame.f_lasti] == opmap["IMPORT_FROM"]

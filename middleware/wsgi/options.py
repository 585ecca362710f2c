"""Options of constructors: the checks that all layers share, and one error that names every wrong option."""

from collections.abc import Callable, Iterable, Mapping
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import Any, Literal, TypeVar, cast

from middleware.http.fields import plain

Kept = TypeVar("Kept")


class ConfigError(ValueError):
    """An invalid option: a ValueError.

    The message names the middleware, the option, the rule and the value. It lists every option that is wrong.
    """


class Problems:
    """Collects the faults in the options of one constructor, so that a single error names all of them."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.found: list[str] = []

    def add(self, option: str, rule: str, value: object) -> None:
        """Note that `value` breaks the rule of `option`."""
        self.found.append(f"{option}: {rule}; got {value!r}")

    def check(self, holds: object, option: str, rule: str, value: object) -> bool:
        """Note a fault unless `holds` is true; return whether it is."""
        if not holds:
            self.add(option, rule, value)
        return bool(holds)

    def add_fault(self, option: str, fault: str | Literal[False] | None, value: object) -> bool:
        """Note `fault`, the text that a check returned, if there is one; return whether there is none."""
        return self.check(not fault, option, fault or "", value)

    def boolean(self, option: str, value: object) -> bool:
        """Note a value other than True and False; return whether it is right."""
        return self.check(isinstance(value, bool), option, "True or False", value)

    def integer(self, option: str, value: object, least: int, most: int | None = None, note: str = "") -> bool:
        """Note a value that is not an int in the range; return whether it is one. `note` is added to the rule."""
        fault = int_fault(value, least, most)
        return self.add_fault(option, fault and fault + note, value)

    def one_of(self, option: str, value: object, choices: tuple[str, ...]) -> bool:
        """Note a value that is not among the choices; return whether it is right."""
        return self.add_fault(option, choice_fault(value, choices), value)

    def read(self, option: str, value: object, reader: Callable[[Any], Kept], otherwise: Kept) -> Kept:
        """Return `reader(value)`; if it raises ValueError, note the rule that it names and return `otherwise`."""
        try:
            return reader(value)
        except ConfigError as error:  # names option and value of its own
            self.found.append(f"{option}: {error}")
        except ValueError as error:
            self.add(option, str(error), value)
        return otherwise

    def done(self) -> None:
        """Raise ConfigError if anything was noted."""
        if len(self.found) == 1:
            raise ConfigError(f"{self.owner}: {self.found[0]}")
        if self.found:
            lines = "".join(f"\n  - {line}" for line in self.found)
            raise ConfigError(f"{self.owner}: {len(self.found)} options are wrong:{lines}")


def int_fault(value: object, least: int, most: int | None = None) -> str | None:
    """Return the rule that `value` breaks, or None for an int from `least` to `most`. A bool is not an int."""
    if type(value) is int and least <= value and (most is None or value <= most):
        return None
    return f"an int from {least}" if most is None else f"an int from {least} to {most}"


def choice_fault(value: object, choices: tuple[str, ...]) -> str | None:
    """Return the rule that `value` breaks if it is not among the choices, else None. Case counts."""
    return None if value in choices else f"one of {', '.join(map(repr, choices))}"


def several(value: object) -> list[Any]:
    """Return the members of an option that takes one value or several. A str or bytes is one value.

    Errors: ValueError for a value that is not iterable.
    """
    if isinstance(value, (str, bytes)):
        return [plain(value)]
    try:
        return [plain(it) for it in cast("Iterable[object]", value)]
    except TypeError:
        raise ValueError("a str, or an iterable of str") from None


def each(value: object) -> tuple[Any, ...]:
    """The members of an option as `several` returns them; a value that is not iterable is the only one."""
    try:
        return tuple(several(value))
    except ValueError:
        return (value,)


def pairs(value: object) -> list[tuple[Any, Any]]:
    """Return the pairs of an option that takes a mapping or pairs. Instances of str subclasses become str.

    Errors: ValueError for anything else.
    """
    try:
        given: Any = value.items() if isinstance(value, Mapping) else value
        return [(plain(name), plain(it)) for name, it in given]
    except (TypeError, ValueError):
        raise ValueError("a mapping name -> value, or pairs") from None


def copied(value: object) -> Any:
    """The value with copies of the lists, sets and dicts in it, because their owner may change them later."""
    if type(value) is dict:
        return {name: copied(it) for name, it in value.items()}
    if type(value) is list:
        return [*map(copied, value)]
    return {*value} if type(value) is set else value


def is_async(given: object) -> bool:
    """Whether calling this returns a coroutine or an asynchronous generator, which nothing would await."""
    called = (given,) if isinstance(given, type) else (given, getattr(given, "__call__", None))  # noqa: B004 - what calling it gives
    return any(iscoroutinefunction(each) or isasyncgenfunction(each) for each in called)

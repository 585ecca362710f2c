"""Headers: sets, defaults, appends and removes response headers (RFC 9110 section 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias, cast

from middleware.http.edits import Block, adding, removing, setting
from middleware.http.fields import name_fault, sendable_value, value_fault
from middleware.wsgi.effects import Effects
from middleware.wsgi.layer import Middleware
from middleware.wsgi.options import Problems, several
from middleware.wsgi.response import Response
from middleware.wsgi.types import Environ

if TYPE_CHECKING:
    from middleware.wsgi.plan import Layer
    from middleware.wsgi.types import Application

Maker: TypeAlias = Callable[[Environ, Response], str | None]
Value: TypeAlias = str | Maker
Edit: TypeAlias = Callable[[Environ, Response], None]
_FRAMING: Final = "content-length", "transfer-encoding"


class Headers(Middleware):
    """Sets, defaults, appends and removes response headers.

    Stands anywhere: an outer Headers has the last word, and layers outside an inner one see the headers that it sets.
    Does nothing to the body. One layer first removes, then sets, then defaults, then appends.

    Options:
        set: mapping name -> value. Replaces every line of the name. Default none.
        default: mapping name -> value. Added unless the application, or an inner layer, has sent the name. Default
            none.
        append: mapping name -> value, or pairs. Adds a line next to those of the same name, as two Set-Cookie lines.
            Default none.
        remove: iterable of names. Removes every line of the name. Default none.
        A value is a str, or a callable (environ, response) -> str or None; None leaves the header as it is.

    Errors: ConfigError for a name that is no token, a hop-by-hop name, Content-Length and Transfer-Encoding (the server
        frames the response), and a value with CR, LF, NUL or characters outside latin-1. A callable that raises, or
        returns an invalid value, is an error of the request, before any of the response is sent.
    Source: RFC 9110 5.1 to 5.6, PEP 3333.
    """

    def __init__(
        self,
        app: Application | None = None,
        /,
        *,
        set: Mapping[str, Value] | None = None,  # noqa: A002 - the word for it
        default: Mapping[str, Value] | None = None,
        append: Mapping[str, Value] | Iterable[tuple[str, Value]] | None = None,
        remove: Iterable[str] = (),
    ) -> None:
        super().__init__(app)
        problems = Problems("Headers")
        self.set = dict(_pairs(problems, "set", set, unique=True))
        self.default = dict(_pairs(problems, "default", default, unique=True))
        self.append = tuple(_pairs(problems, "append", append, unique=False))
        names: list[object] = problems.read("remove", remove, several, [])
        self.remove = tuple(str(name) for name in names if problems.add_fault("remove", _name_fault(name), name))
        problems.done()
        self._edits = tuple(self._make_edits())

    def _make_edits(self) -> Iterable[Edit]:
        """One edit for all lines of a kind that are known now, and one for each that a callable makes."""
        if self.remove:
            yield removing(frozenset(name.lower() for name in self.remove))
        yield from _edits(self.set.items(), partial(setting, default=False), _set)
        yield from _edits(self.default.items(), partial(setting, default=True), _default)
        yield from _edits(self.append, adding, _append)

    def on_response(self, environ: Environ, response: Response) -> None:
        """Edit the head."""
        for edit in self._edits:
            edit(environ, response)

    def layer(self) -> Layer:
        """A single edit is the hook itself: one call less on every response."""
        layer = super().layer()
        alone = len(self._edits) == 1 and type(self) is Headers
        return layer._replace(on_response=self._edits[0]) if alone else layer

    effects: ClassVar[Effects] = Effects()

    def declared(self) -> Effects:
        """It sets every header that an option names."""
        return Effects(sets=frozenset([*self.set, *self.default, *(name for name, _ in self.append), *self.remove]))

    def describe(self) -> Iterable[tuple[str, str]]:
        """The headers by what happens to them."""
        kinds = ("removes", self.remove), ("sets", self.set), ("defaults", self.default)
        told = [f"{verb} {', '.join(names)}" for verb, names in kinds if names]
        if self.append:
            told.append(f"appends {', '.join(name for name, _ in self.append)}")
        return [("response", "; ".join(told) or "leaves it as it is")]


def _edits(
    pairs: Iterable[tuple[str, Value]], known: Callable[[Block], Edit], made: Callable[[Response, str, str], None]
) -> Iterable[Edit]:
    block = Block((name, value) for name, value in pairs if isinstance(value, str))
    if block:
        yield known(block)
    yield from (_made(made, name, value) for name, value in pairs if not isinstance(value, str))


def _pairs(problems: Problems, option: str, given: object, *, unique: bool) -> Iterable[tuple[str, Value]]:
    """Return the valid pairs of one option. Faults go to `problems`."""
    seen: set[str] = set()
    for name, value in _listed(problems, option, given, only_mapping=unique):
        if not _right(problems, option, name, value):
            continue
        if problems.check(not unique or name.lower() not in seen, option, "names a field once", name):
            seen.add(name.lower())
            yield name, value.strip(" \t") if isinstance(value, str) else value


def _listed(problems: Problems, option: str, given: object, *, only_mapping: bool) -> list[tuple[str, Value]]:
    if given is None:
        return []
    if isinstance(given, Mapping):
        return list(given.items())
    try:
        if not only_mapping:
            return [(name, value) for name, value in cast("Iterable[tuple[str, Value]]", given)]
    except (TypeError, ValueError):
        pass  # reported below, like every other value that is no mapping
    problems.add(option, "a mapping name -> value" + (", or pairs" * (not only_mapping)), given)
    return []


def _right(problems: Problems, option: str, name: object, value: object) -> bool:
    named = problems.add_fault(option, _name_fault(name), name)
    fault = None if callable(value) else value_fault(value)
    rule = fault and f"{fault}, or a callable (environ, response) -> str or None"
    return problems.add_fault(f"{option}[{name!r}]", rule, value) and named


def _name_fault(name: object) -> str | None:
    fault = name_fault(name)
    if fault is None and isinstance(name, str) and name.lower() in _FRAMING:
        return "the server frames the response by it (RFC 9110 8.6)"
    return fault


def _made(edit: Callable[[Response, str, str], None], name: str, value: Maker) -> Edit:
    """An edit whose value is made for each response."""

    def make(environ: Environ, response: Response) -> None:
        made = value(environ, response)
        if made is not None:
            edit(response, name, sendable_value(name, made))

    return make


def _set(response: Response, name: str, value: str) -> None:
    response.headers[name] = value


def _default(response: Response, name: str, value: str) -> None:
    response.headers.setdefault(name, value)


def _append(response: Response, name: str, value: str) -> None:
    response.headers.add(name, value)

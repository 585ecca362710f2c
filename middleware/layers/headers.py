"""Headers: sets, defaults, appends and removes response headers (RFC 9110 section 5)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeAlias

from middleware.http.edits import Edit
from middleware.http.fields import Fields, option_name_fault, sendable_value, value_fault
from middleware.wsgi.answer import NOTES, note
from middleware.wsgi.effects import Effects
from middleware.wsgi.layer import Middleware
from middleware.wsgi.options import Problems, pairs, several
from middleware.wsgi.plan import Layer
from middleware.wsgi.refused import can_be_called
from middleware.wsgi.response import Response
from middleware.wsgi.row import Ordinary
from middleware.wsgi.types import Application, Environ

Maker: TypeAlias = Callable[[Environ, Response], str | None]
Value: TypeAlias = str | Maker
Step: TypeAlias = Edit | Callable[[Environ, Response], None]
_MAPPING: Final = "a mapping name -> value"


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
        A value is a str, or a callable (environ, response) -> str or None; None leaves the header as it is. A callable
        of `default` is called only if the name has not been sent.

    Errors: ConfigError for a name that is not a token, a hop-by-hop name, Content-Length and Transfer-Encoding (the
        server frames the response), and a value with CR, LF, NUL or characters outside latin-1. An exception raised by
        a callable, and a TypeError or ValueError for an invalid value, count as errors of the application, before any
        of the response is sent.
    Source: RFC 9110 5.1 to 5.6, PEP 3333.
    """

    def __init__(
        self,
        app: Application | None = None,
        /,
        *,
        set: Mapping[str, Value] | None = None,  # noqa: A002 - the natural name
        default: Mapping[str, Value] | None = None,
        append: Mapping[str, Value] | Iterable[tuple[str, Value]] | None = None,
        remove: Iterable[str] = (),
    ) -> None:
        super().__init__(app)
        problems = Problems("Headers")
        self.set = dict(_pairs(problems, "set", set, unique=True))
        self.default = dict(_pairs(problems, "default", default, unique=True))
        self.append = tuple(_pairs(problems, "append", append, unique=False))
        names: list[Any] = problems.read("remove", remove, several, [])
        self.remove = tuple(name for name in names if problems.add_fault("remove", option_name_fault(name), name))
        problems.done()
        sets, defaults, adds = self.set.items(), self.default.items(), self.append
        self._edits: tuple[Step, ...]
        if all(isinstance(value, str) for _, value in (*sets, *defaults, *adds)):
            self._edits = (Edit(remove=self.remove, replace=_known(sets), default=_known(defaults), add=_known(adds)),)
        else:  # callables make values: one step for each kind of edit, and lines of one name are appended in order
            self._edits = (
                Edit(remove=self.remove, replace=_known(sets)),
                *_made(Fields.__setitem__, sets),
                Edit(default=_known(defaults)),
                *_made(Fields.__setitem__, defaults, yields=True),
            )
            for pair in adds:
                self._edits += (*_made(Fields.add, [pair]),) if callable(pair[1]) else (Edit(add=_known([pair])),)

    def on_response(self, environ: Environ, response: Response) -> None:
        """Edit the head."""
        if NOTES in environ:
            gone = {name.lower() for name in (*self.remove, *self.set)}
            for name in self.default:
                if name in response.headers and name.lower() not in gone:
                    note(environ, f"the application set its own {name}")
        for edit in self._edits:
            if isinstance(edit, Edit):
                edit(response.headers)
            else:
                edit(environ, response)

    def layer(self) -> Layer:
        """The hooks. An edit without callables is recorded once and need not run for most responses."""
        layer = super().layer()
        edit, *others = self._edits
        adds_cookie = any(name.lower() == "set-cookie" for name, _ in self.append)
        if type(self) is not Headers or not isinstance(edit, Edit) or others or adds_cookie:
            return layer
        return layer._replace(ordinary=Ordinary(watched=edit.watched, conditional=True, options=True))

    def declared(self) -> Effects:
        """The effects of the class. The layer sets every header that an option names."""
        named = {*self.set, *self.default, *(name for name, _ in self.append), *self.remove}
        return replace(self.effects, sets=self.effects.sets | named)

    def describe(self) -> Iterable[tuple[str, str]]:
        """The header names, by operation."""
        kinds = ("removes", self.remove), ("sets", self.set), ("defaults", self.default)
        appended = "appends", [name for name, _ in self.append]
        told = [f"{verb} {', '.join(names)}" for verb, names in (*kinds, appended) if names]
        return [("response", "; ".join(told) or "leaves it as it is")]


def _known(pairs: Iterable[tuple[str, Value]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in pairs if isinstance(value, str)]


def _made(
    edit: Callable[[Fields, str, str], object], pairs: Iterable[tuple[str, Value]], *, yields: bool = False
) -> list[Step]:
    """Return the edits whose values come from callables. With `yields`, an edit keeps a header that is present."""

    def making(name: str, value: Maker) -> Callable[[Environ, Response], None]:
        def make(environ: Environ, response: Response) -> None:
            if yields and name in response:
                return
            made = value(environ, response)
            if made is None:
                note(environ, "{} stays as it is: its callable returned None", name)
            else:
                edit(response, name, sendable_value(name, made))

        return make

    return [making(name, value) for name, value in pairs if not isinstance(value, str)]


def _pairs(problems: Problems, option: str, given: object, *, unique: bool) -> Iterable[tuple[str, Value]]:
    """Return the valid pairs of one option, whose names are `unique` in a mapping. Faults go to `problems`."""
    if given is None or (unique and not problems.check(isinstance(given, Mapping), option, _MAPPING, given)):
        return
    seen: set[str] = set()
    for name, value in problems.read(option, given, pairs, list[tuple[Any, Any]]()):
        right = _right(problems, option, name, value)
        if right and problems.check(not unique or name.lower() not in seen, option, "names a field once", name):
            seen.add(name.lower())
            yield name, value.strip(" \t") if isinstance(value, str) else value


def _right(problems: Problems, option: str, name: object, value: object) -> bool:
    named = problems.add_fault(option, option_name_fault(name), name)
    fault = None if can_be_called(value, 2) else value_fault(value)
    rule = fault and f"{fault}, or a callable (environ, response) -> str or None"
    return problems.add_fault(f"{option}[{name!r}]", rule, value) and named

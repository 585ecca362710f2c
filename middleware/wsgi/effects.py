"""Effects: what a layer does to a request and a response, declared, so that an order can be checked at once."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Final, cast

from middleware.http.fields import is_token
from middleware.wsgi.options import Problems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from middleware.wsgi.layer import Middleware

_KNOWN: Final = "_effects_declared"


@dataclass(frozen=True, repr=False)
class Effects:
    """Facts about a layer, for the order rules. All default to "no"; a layer that declares nothing is never moved.

    Options:
        answers: bool. It may answer a request without the application (a preflight, a static file, a refusal). Default
            False.
        every_response: bool. What it adds belongs on every response, whoever answers. Default False.
        measures: bool. It measures what stands inside it. Default False.
        rewrites_body: bool. It changes the bytes of the representation (not its coding). Default False.
        encodes_body: bool. It applies a content coding (RFC 9110 8.4). Default False.
        grants: bool. It grants clients something, so that its condition has to hold certainly (middleware.match).
            Default False.
        validates: bool. It makes or checks entity tags (RFC 9110 13). Default False.
        observes: bool. It tells of every request, so that it stands outside whatever answers. Default False.
        own_page: bool. It answers only on a page of its own. Default False.
        identifies: bool. It gives the request an id, and the response a field that echoes it. Default False.
        limits_input, decodes_input, reads_input: bool. It limits, decodes or reads the request body. Default False.
        refuses: bool. It refuses requests by their head, at little cost: by a count, a length or a name. Default False.
        costs: bool. It takes a place, memory or time for a request before the application does. Default False.
        reports: bool. It reports errors that pass it, and so stands next to the application. Default False.
        sets, reads: iterables of response field names. Those that it sets, and those that it decides by. Default none.
        provides, requires, needs: iterables of environ keys. Those that it puts there; those that it looks at, which a
            layer that provides them has to do first; and those that some outer layer has to provide. Default none.
        shares: bool. It lets pages of every origin read responses (Access-Control-Allow-Origin: *). Default False.
        isolates: mapping option -> value. It has browsers block what pages of other origins embed
            (Cross-Origin-Resource-Policy), until its option has that value. Default none.
        unscripted: mapping option -> value. It enforces a Content-Security-Policy that restricts no scripts, until its
            option has that value. Default none.
        unique: bool, or str. One of a kind is enough; a str names the kind, True stands for the class. Default False.

    Errors: ConfigError for a value of another type.
    """

    answers: bool = False
    every_response: bool = False
    measures: bool = False
    rewrites_body: bool = False
    encodes_body: bool = False
    grants: bool = False
    validates: bool = False
    observes: bool = False
    own_page: bool = False
    identifies: bool = False
    limits_input: bool = False
    decodes_input: bool = False
    reads_input: bool = False
    refuses: bool = False
    costs: bool = False
    reports: bool = False
    sets: AbstractSet[str] = frozenset()
    reads: AbstractSet[str] = frozenset()
    provides: AbstractSet[str] = frozenset()
    requires: AbstractSet[str] = frozenset()
    needs: AbstractSet[str] = frozenset()
    shares: bool = False
    isolates: Mapping[str, object] = field(default_factory=dict, hash=False)
    unscripted: Mapping[str, object] = field(default_factory=dict, hash=False)
    unique: bool | str = False

    def __repr__(self) -> str:
        shown = [(each.name, getattr(self, each.name)) for each in fields(self)]
        return f"Effects({', '.join(f'{name}={value!r}' for name, value in shown if value)})"

    def __post_init__(self) -> None:
        problems = Problems("Effects")
        for each in fields(self):
            if each.type == "bool":
                problems.boolean(each.name, getattr(self, each.name))
        for option in ("isolates", "unscripted"):
            given = getattr(self, option)
            right = problems.check(isinstance(given, Mapping), option, "option -> value", given)
            object.__setattr__(self, option, dict(given if right else ()))
        problems.check(isinstance(self.unique, (bool, str)), "unique", "True or False, or a kind", self.unique)
        for option in ("sets", "reads"):
            names = _names(problems, option, getattr(self, option), is_token, "field names are tokens")
            object.__setattr__(self, option, frozenset(map(str.lower, names)))
        for option in ("provides", "requires", "needs"):
            given = getattr(self, option)
            names = _names(problems, option, given, lambda key: isinstance(key, str) and key, "environ keys are str")
            object.__setattr__(self, option, frozenset(names))
        problems.done()


def declared_by(layer: Middleware) -> Effects:
    """The effects of an instance. `declared()` is called once: a layer is immutable, and rules compare every pair."""
    known: Effects | None = layer.__dict__.get(_KNOWN)
    if known is None:
        known = layer.__dict__[_KNOWN] = layer.declared()
    return known


def forget_effects(copy: Middleware) -> None:
    """Have a changed copy declare its own effects, which may follow from what was changed."""
    copy.__dict__.pop(_KNOWN, None)


def keep_effects(layer: Middleware, copy: Middleware) -> Middleware:
    """The copy, with the effects of the layer that it was made of."""
    copy.__dict__[_KNOWN] = declared_by(layer)
    return copy


_TOLD: Final = (
    ("answers", "request", "may answer it without the application"),
    ("limits_input", "request", "limits its body"),
    ("decodes_input", "request", "decodes its body"),
    ("reads_input", "request", "reads its body"),
    ("requires", "request", "looks at {}"),
    ("needs", "request", "needs {}"),
    ("identifies", "request", "gives it an id"),
    ("provides", "request", "provides {}"),
    ("reads", "response", "decides by {}"),
    ("sets", "response", "sets {}"),
    ("rewrites_body", "response", "rewrites the body"),
    ("encodes_body", "response", "applies a content coding"),
    ("validates", "response", "makes or checks entity tags"),
    ("measures", "time", "measures what stands inside"),
    ("observes", "end", "tells of every request"),
)


def told(effects: Effects) -> list[tuple[str, str]]:
    """What effects say, for people, as pairs for `describe`."""
    found: dict[str, list[str]] = {}
    for fact, where, text in _TOLD:
        value = getattr(effects, fact)
        if value:
            names = "" if value is True else ", ".join(sorted(value))
            found.setdefault(where, []).append(text.format(names))
    return [(where, "; ".join(texts)) for where, texts in found.items()]


def _names(
    problems: Problems, option: str, given: object, right: Callable[[object], object], rule: str
) -> tuple[str, ...]:
    """The names of an option, if they are right; one string counts as one name."""
    try:
        names = (given,) if isinstance(given, str) else tuple(cast("Iterable[str]", given))
    except TypeError:
        problems.add(option, "an iterable of names", given)
        return ()
    return names if problems.check(all(map(right, names)), option, rule, given) else ()

"""Effects: the declared facts about a layer, by which the order of a stack is checked before it serves requests."""

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
    """Facts about a layer, for the order rules. Every fact defaults to no; a layer that declares none is never moved.

    Options:
        answers: bool. Whether the layer may answer a request without the application (a preflight, a static file, a
            refusal). Default False.
        every_response: bool. Whether what the layer adds belongs on every response, including the answers of other
            layers. Default False.
        measures: bool. Whether the layer measures the layers inside it and the application. Default False.
        rewrites_body: bool. Whether the layer changes the bytes of the representation (not its coding). Default False.
        encodes_body: bool. Whether the layer applies a content coding (RFC 9110 8.4). Default False.
        grants: bool. Whether the layer grants clients something, so that its condition must hold certainly
            (middleware.match). Default False.
        validates: bool. Whether the layer makes or checks entity tags (RFC 9110 13). Default False.
        observes: bool. Whether the layer reports every request, so that it stands outside layers that answer. Default
            False.
        own_page: bool. Whether the layer answers only on a page of its own. Default False.
        identifies: bool. Whether the layer gives the request an id, and the response a field that echoes the id.
            Default False.
        limits_input, decodes_input, reads_input: bool. Whether the layer limits, decodes or reads the request body.
            Default False.
        refuses: bool. Whether the layer refuses requests by their head, at little cost: by a count, a length or a name.
            Default False.
        costs: bool. Whether the layer takes a place, memory or time for a request before the application does. Default
            False.
        reports: bool. Whether the layer reports errors that pass it, so that it stands next to the application. Default
            False.
        sets, reads: iterables of response field names. The fields that the layer sets, and those by which it decides.
            Default none.
        provides, requires, needs: iterables of environ keys. The keys that the layer sets; those that it reads, so that
            a layer that provides one stands outside; and those that an outer layer must provide. Default none.
        shares: bool. Whether pages of every origin may read responses (Access-Control-Allow-Origin: *). Default False.
        isolates: mapping option -> value. If the layer has browsers block what pages of other origins embed
            (Cross-Origin-Resource-Policy): the option, and the value with which it no longer does. Default none.
        unscripted: mapping option -> value. If the layer enforces a Content-Security-Policy that restricts no scripts:
            the option, and the value with which it does. Default none.
        unique: bool, or str. Whether a stack should have one layer of this kind; a str names the kind, True is the
            class. Default False.

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
    """Discard the cached effects of a changed copy, because they may depend on the change."""
    copy.__dict__.pop(_KNOWN, None)


def keep_effects(layer: Middleware, copy: Middleware) -> Middleware:
    """Return the copy, with the effects of the layer from which it was made."""
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
    """Return the effects in words, in pairs for `describe`."""
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
    """Return the names of an option, or none if they are invalid. A str is a single name."""
    try:
        names = (given,) if isinstance(given, str) else tuple(cast("Iterable[str]", given))
    except TypeError:
        problems.add(option, "an iterable of names", given)
        return ()
    return names if problems.check(all(map(right, names)), option, rule, given) else ()

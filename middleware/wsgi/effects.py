"""Effects: what a layer does to a request and a response, declared, so that an order can be checked at once."""

from __future__ import annotations

from collections.abc import Set as AbstractSet  # noqa: TC003 - dataclass fields are looked at at run time
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, cast

from middleware.http.fields import is_token
from middleware.wsgi.errors import Problems

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Effects:
    """Facts about a layer, for the order rules. All default to "no"; a layer that declares nothing is never moved.

    Options:
        answers: bool. It may answer a request without the application (a preflight, a static file, a refusal).
        every_response: bool. What it adds belongs on every response, whoever answers.
        measures: bool. It measures what stands inside it.
        rewrites_body: bool. It changes the bytes of the representation (not its coding).
        encodes_body: bool. It applies a content coding (RFC 9110 8.4).
        sets, reads: iterables of response field names that it sets, and that it decides by.
        provides, requires: iterables of environ keys that it puts there, and that it needs.
        unique: bool, or a str that names the kind. One of a kind is enough (True: the class is the kind).

    Errors: ConfigError for a value of another type.
    """

    answers: bool = False
    every_response: bool = False
    measures: bool = False
    rewrites_body: bool = False
    encodes_body: bool = False
    sets: AbstractSet[str] = frozenset()
    reads: AbstractSet[str] = frozenset()
    provides: AbstractSet[str] = frozenset()
    requires: AbstractSet[str] = frozenset()
    unique: bool | str = False

    def __post_init__(self) -> None:
        problems = Problems("Effects")
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("sets", "reads"):
                self._keep(problems, field.name, value, fold=True)
            elif field.name in ("provides", "requires"):
                self._keep(problems, field.name, value, fold=False)
            else:
                allowed = (bool, str) if field.name == "unique" else bool
                problems.check(isinstance(value, allowed), field.name, "True or False", value)
        problems.done()

    def _keep(self, problems: Problems, option: str, value: object, *, fold: bool) -> None:
        """Keep an iterable of names as a frozenset; one string counts as one name."""
        names = (value,) if isinstance(value, str) else value
        try:
            kept = frozenset(cast("Iterable[str]", names))
        except TypeError:
            problems.add(option, "an iterable of names", value)
            return
        right = is_token if fold else lambda name: isinstance(name, str) and name
        if problems.check(all(map(right, kept)), option, "field names are tokens, environ keys are str", value):
            object.__setattr__(self, option, frozenset(name.lower() for name in kept) if fold else kept)

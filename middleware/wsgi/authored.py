"""Authored: what is checked of a layer when its class is made, and of its options when it is constructed."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

from middleware.wsgi.effects import Effects

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
# Options of flask-cors, django-cors-headers, Flask-Compress, flask-talisman, Starlette and others, and what to write.
PEERS: Final = {
    "origins": "allow_origins",
    "origin": "allow_origins",
    "cors_allowed_origins": "allow_origins",
    "allow_origin_regex": "allow_origins=re.compile(...)",
    "allowed_origins": "allow_origins",
    "methods": "allow_methods",
    "supports_credentials": "allow_credentials",
    "send_wildcard": 'allow_origins="*"',
    "expose": "expose_headers",
    "minimum_length": "minimum_size",
    "min_size": "minimum_size",
    "compress_level": "level",
    "compresslevel": "level",
    "mimetypes": "content_types",
    "compress_mimetypes": "content_types",
    "algorithms": "codings",
    "content_security_policy": "csp",
    "content_security_policy_report_only": "csp_report_only",
    "strict_transport_security": "hsts",
    "strict_transport_security_max_age": "hsts=HSTS(max_age=...)",
    "feature_policy": "permissions_policy",
    "force_https": "the layer HTTPSRedirect()",
    "x_content_type_options": "nosniff",
    "x_xss_protection": "nothing: browsers have dropped it",
    "allowed_hosts": "hosts",
    "max_content_length": "max_bytes",
    "header_name": "header",
    "rate": "limits",
    "key_func": "key",
}


def check_class(cls: type) -> None:
    """Raise TypeError for a layer whose class cannot mean what it says."""
    effects = getattr(cls, "effects", None)
    if not isinstance(effects, (Effects, property)):
        raise TypeError(f"{cls.__name__}.effects: an Effects(...); got {effects!r}")
    for name, value in vars(cls).items():
        if name in HOOKS:
            _check_method(cls, name, value)
        elif callable(value) and not name.startswith("_") and (meant := _one_letter_off(name)) is not None:
            raise TypeError(f"{cls.__name__}.{name} is never called: write {_CALLED[meant]}")


def _check_method(cls: type, name: str, value: object) -> None:
    function = inspect.unwrap(value) if inspect.isfunction(value) else value
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(
            f"{cls.__name__}.{name} is a coroutine, which a WSGI pipeline does not await: write it without async"
        )
    if inspect.isfunction(value):
        try:
            inspect.signature(value).bind(*range(HOOKS[name] + 1))
        except TypeError:
            raise TypeError(f"{cls.__name__}.{name} is called as {_CALLED[name]}; it has other parameters") from None


def _one_letter_off(name: str) -> str | None:
    """The method that a name differs from by one letter: one that is missing, added, wrong or swapped."""
    for hook in HOOKS:
        if name != hook and abs(len(name) - len(hook)) <= 1 and _near(name, hook):
            return hook
    return None


def _near(one: str, other: str) -> bool:
    start = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    a, b = one[start:], other[start:]
    swapped = a[:2] == b[1::-1] and a[2:] == b[2:] and len(b) > 1
    return a[1:] == b or a == b[1:] or a[1:] == b[1:] or swapped


def check_options(cls: type, args: tuple[Any, ...], options: Mapping[str, object]) -> None:
    """Raise TypeError for an option that the class does not have, or that is given by position."""
    parameters = inspect.signature(cls.__init__).parameters  # type: ignore[misc]
    kinds = [parameter.kind for parameter in parameters.values()]
    if inspect.Parameter.VAR_POSITIONAL in kinds or inspect.Parameter.VAR_KEYWORD in kinds:
        return
    names = [*parameters][len(kinds) - kinds.count(inspect.Parameter.KEYWORD_ONLY) :]
    unknown = [name for name in options if name not in parameters]
    if unknown:
        raise TypeError("; ".join(_unknown(cls, name, names) for name in unknown))
    if names and [*parameters][1 : -len(names)] == ["app"]:
        _check_positions(cls, args, names[0])


def _check_positions(cls: type, args: Sequence[object], option: str) -> None:
    if args and args[0] is not None and not callable(args[0]):
        rule = "a WSGI application is a callable (environ, start_response), and options are given by keyword"
        raise TypeError(f"{cls.__name__}: {rule}: {cls.__name__}({option}={args[0]!r})")
    if len(args) > 1:
        raise TypeError(f"{cls.__name__}: options are given by keyword: {cls.__name__}(app, {option}={args[-1]!r})")


def _unknown(cls: type, name: str, names: Iterable[str]) -> str:
    names = [*names]
    peer = PEERS.get(name.lower(), "")
    if peer and (peer.partition("=")[0] in names or " " in peer):
        hint = f"here it is {peer}"
    else:
        near = get_close_matches(name.lower(), names, 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else f"its options are {', '.join(names) or 'none'}"
    return f"{cls.__name__} has no option {name!r}: {hint}"

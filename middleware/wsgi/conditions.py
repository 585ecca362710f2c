"""Conditions: the form in which a predicate is called, and the Vary for its request fields (RFC 9110 12.5.5)."""

from collections.abc import Sequence

from middleware.http.fields import UNPREFIXED
from middleware.wsgi.effects import Effects
from middleware.wsgi.options import each
from middleware.wsgi.plan import Layer
from middleware.wsgi.response import Response
from middleware.wsgi.types import Environ, Predicate


def certain(predicate: Predicate) -> Predicate:
    """Return the predicate that requires every reading of the path; a plain callable is returned as it is."""
    certainly: Predicate = getattr(predicate, "certainly", predicate)
    return certainly


def asked(condition: Predicate | None, effects: Effects) -> Predicate | None:
    """Return the predicate that decides whether a layer takes part. A layer that grants something needs certainty."""
    return certain(condition) if effects.grants and condition is not None else condition


def evaluated_at_once(layers: Sequence[Layer], before: Sequence[Layer]) -> bool:
    """Whether all conditions may be evaluated before the request meets the layers outside the last conditional one.

    These layers, `before`, must not change the request. A layer with `made` changes it and measures time, and a layer
    with on_close must get the error that a condition raises, so only pure conditions may be evaluated before such
    layers.
    """
    if any(layer.on_request and not (layer.ordinary or layer.made) for layer in before):
        return False
    if not any(layer.made or layer.on_close for layer in before):
        return True
    asked = (getattr(layer.condition, "__self__", layer.condition) for layer in layers)
    return all(getattr(predicate, "pure", predicate is None) for predicate in asked)


def request_field(environ: Environ, key: str) -> str | None:
    """Return the request field of an environ key, or None. An empty UNPREFIXED key means no field (PEP 3333)."""
    value: str | None = environ.get(key)
    return None if value == "" and key in UNPREFIXED else value


def varying(condition: object) -> tuple[Layer, ...]:
    """Return the layer, if any, that adds the request fields of a predicate to Vary, to be placed directly outside.

    The fields are added whether the condition held or not, except where the URL and the method alone decide. A callable
    that is not a predicate of `match` may have `request_fields`, one name or several; otherwise no field is added.
    """
    names = sorted(each(getattr(condition, "request_fields", ())))
    if not names:
        return ()

    def on_response(_: Environ, response: Response) -> None:
        response.vary(*names)

    return (Layer(getattr(condition, "varies", None), None, on_response, None, waits=False),)

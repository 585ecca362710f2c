"""Conditions: how a predicate is asked, and the Vary that follows from its request fields (RFC 9110 12.5.5)."""

from middleware.wsgi.effects import Effects
from middleware.wsgi.options import is_async
from middleware.wsgi.plan import Layer
from middleware.wsgi.response import Response
from middleware.wsgi.types import Environ, Predicate


def certain(predicate: Predicate) -> Predicate:
    """The question whether the predicate holds certainly; the answer of a plain callable is never in doubt."""
    certainly: Predicate = getattr(predicate, "certainly", predicate)
    return certainly


def predicate_fault(given: object) -> str | None:
    """Why this is no predicate of an option that may be None, or None if it is one. A coroutine is always true."""
    return (
        None if given is None or (callable(given) and not is_async(given)) else "a predicate environ -> bool, or None"
    )


def asked(condition: Predicate | None, effects: Effects) -> Predicate | None:
    """The question whether a layer takes part: a layer that grants something does so only where that is certain."""
    return certain(condition) if effects.grants and condition is not None else condition


def varying(condition: object) -> tuple[Layer, ...]:
    """What names the request fields of a predicate in Vary, to stand right outside the layer with that condition.

    Responses are named as varying whether the condition held or not, except where the URL and the method alone decide.
    A callable that is no predicate of `match` may have `request_fields`; without, its fields are unknown.
    """
    names = sorted(getattr(condition, "request_fields", ()))
    if not names:
        return ()

    def on_response(_: Environ, response: Response) -> None:
        response.vary(*names)

    return (Layer(getattr(condition, "varies", None), None, on_response, None, waits=False),)

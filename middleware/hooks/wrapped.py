"""Wrapped: a response whose body may still be an object, so that hooks can decide what becomes of it.

The object is `response.response`: a dict, a str, whatever `make_response` makes a response of. By the same rules bytes
are made of it when the last hook has seen it, or when one asks for the data: of a dict or a list JSON, of a str text.
"""

from __future__ import annotations

from typing import Any, Final

from middleware.hooks.convert import converted, parts
from middleware.hooks.response import Response

_OBJECTS: Final = (dict, str, bytes, bytearray)  # what else can be iterated is a body
_JSON: Final = (dict, list)


class Wrapped(Response):
    """A response, as ContextHooks get it."""

    _held: bool = False  # the body is an object yet
    _source: str = "response.response was set to"

    def _replace(self, body: Any) -> None:
        """Have another body, or an object that becomes one."""
        if isinstance(body, _OBJECTS):
            self.hold(body, self._source)
        else:
            self._held = False
            super()._replace(body)

    @property
    def is_sequence(self) -> bool:
        """Whether the body is a list or tuple, which may be looked at without reading a stream."""
        return not self._held and isinstance(self._app_iter, (list, tuple))

    def hold(self, value: Any, source: str) -> Wrapped:
        """Have an object as the body. `source`: who gave it, for messages."""
        self._another([_bytes(value)] if isinstance(value, (str, bytes, bytearray)) else None)
        del self.headers["Content-Length"]
        if isinstance(value, _JSON) and not self.is_json:
            self.content_type = "application/json"
        self._app_iter, self._held, self._source = value, True, source
        return self

    def set_data(self, data: bytes | bytearray | str) -> None:
        """Replace the body, and say its length."""
        self._held = False
        super().set_data(data)

    data = body = property(Response.get_data, set_data)

    def make_sequence(self) -> None:
        """Read a body that is streamed, and close it; make one of an object."""
        self.settle()
        super().make_sequence()

    def settle(self) -> Wrapped:
        """Make bytes of an object. TypeError for what cannot be made a response."""
        if self._held:
            made = converted(self._app_iter, self._source)
            self._held, self._app_iter = False, made.response
            self.closers += made.closers
            self.content_type = self.content_type or made.content_type
        return self


def _bytes(value: str | bytes | bytearray) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


def wrapped(value: Any, source: str, response: Wrapped | None = None) -> Response:
    """The response that a value stands for, not yet made bytes. `response`: whose head it has, for a value without."""
    body, status, headers = parts(value, source) if isinstance(value, tuple) else (value, None, None)
    if response is None and not isinstance(body, (*_OBJECTS, list)):
        return converted(value, source)
    whole = Wrapped() if response is None else response
    whole.hold(body, source)
    if status is not None:
        whole.status = status
    whole.headers.update(headers or ())
    return whole

"""Response: WebOb's, under Flask's names too, and with Flask's meaning where the two differ.

Where they differ: headers are ResponseHeaders; `status_code = 404` makes "404 NOT FOUND"; `content_type` is the whole
field, verbatim; `set_cookie` and `delete_cookie` take Flask's arguments; Location is sent as it is. What was streamed
stays so until somebody asks for the data: `get_data` and `data` read the body, `set_data` replaces it. What replaces a
body that the application has encoded goes out without its Content-Encoding. A name that neither Flask nor WebOb has is
an AttributeError, on assignment too, and so is one whose two meanings cannot both be had; the message says what to use.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import webob

from middleware.hooks.coded import Coded
from middleware.hooks.headers import Pairs, ResponseHeaders
from middleware.hooks.instead import FIELDS, RESPONSE, Assigned, Missing, missing
from middleware.hooks.response_fields import ResponseFields
from middleware.http.status import status_fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from middleware.wsgi.types import Environ, StartResponse

Body: TypeAlias = "Iterable[bytes] | Iterable[str] | bytes | bytearray | str"
_PHRASES: Final = {str(int(status)): status.phrase.upper() for status in HTTPStatus}
# Ranges that WebOb reads in linear time; others are ignored (RFC 9110 14.2). It sends the first of several.
_RANGE: Final = re.compile("bytes=(?:[0-9]{1,18}-[0-9]{0,18}|-[0-9]{1,18})(?:,.*)?", re.IGNORECASE | re.DOTALL)
_WebOb: Any = webob.Response  # whose types do not allow other meanings


class Response(Coded, ResponseFields, _WebOb):
    """A response, as hooks get and make it.

    Options:
        response: str, bytes, or an iterable of them. The body; an iterable is streamed unless it is a list or a tuple.
            Default none.
        status: int, HTTPStatus, "404" or "404 Not Found". The status. Default 200.
        headers: ResponseHeaders, a mapping, or pairs. The fields. Default none.
        mimetype: str. The media type; text gets charset=utf-8. Default text/html.
        content_type: str. The Content-Type as it is to be sent; goes before mimetype. Default None.
        direct_passthrough: bool. Whether the body is not to be looked at. Default False.

    Attributes:
        conditional_response: bool. Whether it becomes 304, 206 or 416, if the request asks for that. Default False.
    """

    headers: ResponseHeaders = ResponseHeaders()
    direct_passthrough: bool = False
    conditional_response: bool = False
    _status: str
    _app_iter: Iterable[bytes]
    closers: tuple[Callable[[], object], ...] = ()

    def __init__(  # noqa: PLR0917 - Flask's signature
        self,
        response: Body | None = None,
        status: int | str | None = None,
        headers: Pairs | ResponseHeaders | None = None,
        mimetype: str | None = None,
        content_type: str | None = None,
        direct_passthrough: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        self.headers = ResponseHeaders()
        self.headers.extend(headers or ())
        self.status = 200 if status is None else status
        self.direct_passthrough = direct_passthrough
        self._type(mimetype, content_type)
        if isinstance(response, (str, bytes, bytearray)):
            self.set_data(response)
        else:
            self.response = () if response is None else response

    def _type(self, mimetype: str | None, content_type: str | None) -> None:
        if content_type is not None:
            self.content_type = content_type
        elif mimetype is not None or "Content-Type" not in self.headers:
            self.mimetype = mimetype or "text/html"

    @classmethod
    def of(cls, status: str, lines: list[tuple[str, str]], body: Iterable[bytes], *, passthrough: bool) -> Response:
        """The response that an application gave, which nothing has touched yet."""
        self = cls.__new__(cls)
        self.__dict__.update(
            _status=status, headers=ResponseHeaders(lines), _given=lines, _app_iter=body, direct_passthrough=passthrough
        )
        return self

    def become(self, status: str, lines: list[tuple[str, str]]) -> None:
        """Have another head, given by the application."""
        self._status, self.headers.lines[:], self.headers.index, self._given = status, lines, None, lines

    def copy(self) -> Response:
        """The same again; reads a body that is streamed."""
        self.make_sequence()
        return Response.of(self._status, self.headers.lines, self._app_iter, passthrough=self.direct_passthrough)

    # -- head ----------------------------------------------------------------------------------------------------

    @property
    def _headerlist(self) -> list[tuple[str, str]]:  # what WebOb's own attributes work on
        self.headers.index = None
        return self.headers.lines

    @_headerlist.setter
    def _headerlist(self, lines: Iterable[tuple[str, str]]) -> None:
        self.headers = ResponseHeaders(lines)

    @property
    def status(self) -> str:
        """The status line, "404 NOT FOUND". Takes a code as well."""
        return self._status

    @status.setter
    def status(self, value: int | str) -> None:
        if not isinstance(value, (int, str)):
            raise TypeError(f"a status is an int or a str, not {value!r}")
        line = _status_line(value)
        fault = status_fault(line)
        if fault is not None:
            raise ValueError(fault)
        self._status = line

    @property
    def status_code(self) -> int:
        """The three digits of the status."""
        return int(self._status[:3])

    @status_code.setter
    def status_code(self, code: int | str) -> None:
        self.status = code

    status_int = status_code

    # -- body ----------------------------------------------------------------------------------------------------

    @property
    def response(self) -> Iterable[bytes]:
        """The body as an iterable: a list or tuple, or a stream that may be iterated once."""
        self.__dict__["_looked"] = True  # quicker than __setattr__
        return self._app_iter

    @response.setter
    def response(self, body: Any) -> None:
        """Have another body."""
        self._replace(body)

    app_iter = response

    def _replace(self, body: Iterable[bytes] | Iterable[str]) -> None:
        if not isinstance(body, Iterable):
            raise TypeError(f"a body is an iterable, not {type(body).__name__}")
        made = [*encoded(body)] if isinstance(body, (list, tuple)) else cast("Iterable[bytes]", body)
        self._another(made)
        self.headers.remove("Content-Length")
        self._app_iter = made

    @property
    def is_sequence(self) -> bool:
        """Whether the body is a list or tuple, which may be looked at without reading a stream."""
        return isinstance(self._app_iter, (list, tuple))

    @property
    def is_streamed(self) -> bool:
        """Whether the body has no known length."""
        return not hasattr(self._app_iter, "__len__")

    def get_data(self, as_text: bool = False) -> Any:  # noqa: FBT001, FBT002 - Flask's signature
        """The body as bytes, or as the text that they are in UTF-8. Reads a body that is streamed."""
        self.make_sequence()
        data = b"".join(self._app_iter)
        return data.decode(self.charset or "utf-8", "replace") if as_text else data

    def set_data(self, data: bytes | bytearray | str) -> None:
        """Replace the body, and say its length.

        Errors: RuntimeError for an edit of bytes that the application has encoded, which leaves none that are.
        """
        encoded = data.encode("utf-8") if isinstance(data, str) else bytes(data)
        self._another([encoded])
        self._app_iter = [encoded]
        self.headers["Content-Length"] = str(len(encoded))

    data = body = property(get_data, set_data)

    def make_sequence(self) -> None:
        """Read a body that is streamed, and close it.

        Errors: RuntimeError where the server sends a file by itself, or the application writes its body.
        """
        self.__dict__["_looked"] = True  # quicker than __setattr__
        if self.is_sequence:
            return
        if self.direct_passthrough:
            raise RuntimeError("this body is not to be read: direct_passthrough is set, as on files that are sent")
        stream = self._app_iter
        try:
            self._app_iter = list(encoded(stream))
        finally:
            if hasattr(stream, "close"):
                stream.close()

    def freeze(self) -> None:
        """Read a body that is streamed, and say its length."""
        self.set_data(self.get_data())

    def iter_encoded(self) -> Iterator[bytes]:
        """The body as bytes, chunk by chunk."""
        return encoded(self.response)

    def calculate_content_length(self) -> int | None:
        """The length of the body, which is read if it is streamed; None for one that is not to be read."""
        return None if self.direct_passthrough else len(self.get_data())

    def call_on_close(self, function: Callable[[], Any]) -> Callable[[], Any]:
        """Have `function` called when the body is closed, after it. Returns it unchanged."""
        self.closers += (function,)
        return function

    def close(self) -> None:
        """Close the body, and call what waits for that."""
        closers, self.closers = self.closers, ()
        for close in (getattr(self._app_iter, "close", None), *closers):
            if close is not None:
                close()

    # -- sending -------------------------------------------------------------------------------------------------

    def __call__(self, _environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Be a WSGI application that answers this (PEP 3333)."""
        start_response(self._status, [*self.headers.lines])
        return self._app_iter

    def make_conditional(self, request_or_environ: Any) -> Response:
        """Become 304, 206 or 416, if the request asks for that and this response allows it (RFC 9110 13 and 14)."""
        environ = getattr(request_or_environ, "environ", request_or_environ)
        location = self.headers.get("Location")

        def start(status: str, lines: list[tuple[str, str]]) -> None:
            self._status, self._headerlist = status, lines

        plain = _WebOb(status=self._status, headerlist=self.headers.items(), app_iter=self._app_iter)
        if "HTTP_RANGE" in environ and not _RANGE.fullmatch(environ["HTTP_RANGE"]):
            environ = {key: value for key, value in environ.items() if key != "HTTP_RANGE"}
        with suppress(ValueError, OverflowError):  # a date that is none: the condition is ignored (RFC 9110 13.1.3)
            self._app_iter = plain.conditional_response_app(environ, start)
        self.location = location  # WebOb makes it absolute
        return self

    def taking_over(self, other: Response) -> Response:
        """Stand in the place of another: what waited for the end of that waits for the end of this."""
        self.closers = (*other.closers, *self.closers)
        return self

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(missing("response", name))

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and not hasattr(type(self), name):
            raise AttributeError(missing("response", name))
        if name == "headers" and not isinstance(value, ResponseHeaders):
            lines = ResponseHeaders()
            lines.extend(value)
            value = lines
        super().__setattr__(name, value)


for _name in RESPONSE:
    setattr(Response, _name, Missing("response", _name))
for _name in FIELDS:
    setattr(Response, _name, Assigned(_name))


def _status_line(value: int | str) -> str:
    """The status with its reason phrase, spelled as Flask does."""
    code, _, phrase = str(int(value) if isinstance(value, int) else value).strip().partition(" ")
    return f"{code} {phrase or _PHRASES.get(code, 'UNKNOWN')}"


def encoded(body: Iterable[bytes] | Iterable[str]) -> Iterator[bytes]:
    """The chunks as bytes, one by one."""
    return (chunk.encode() if isinstance(chunk, str) else chunk for chunk in body)

"""The response of hooks: WebOb's, under Flask's names too, and with Flask's meaning where the two differ.

The differences: `headers` is a ResponseHeaders; `status_code = 404` gives "404 NOT FOUND"; `content_type` is the whole
field; `set_cookie` and `delete_cookie` take Flask's arguments; Location is sent unchanged. A streamed body stays a
stream until `get_data` or `data` reads it. A name that neither Flask nor WebOb has is an AttributeError, on assignment
too, and so is a name with two incompatible meanings; the message says what to use instead.

A body that the application has encoded (Content-Encoding) is read encoded, as in Flask. A body put in its place is sent
without Content-Encoding (RFC 9110 8.4), unless a hook has set that field: then the hook has encoded the new body. Flask
keeps the field, and no client could decode the response.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from http import HTTPStatus
from types import GeneratorType
from typing import Any, Final, TypeAlias, cast
from zlib import decompressobj, error

import webob

from middleware.hooks.closing import ClosedOnce, SizedClosedOnce, close_all
from middleware.hooks.missing_names import FIELDS, RESPONSE, Assigned, Missing, missing
from middleware.hooks.response_fields import ResponseFields
from middleware.hooks.response_headers import Pairs, ResponseHeaders
from middleware.http.dates import http_date
from middleware.http.entity_tags import entity_tag, matches_weakly, tags_listed
from middleware.http.fields import DIGESTS, Line
from middleware.http.status import status_fault
from middleware.wsgi.types import Environ, StartResponse

Body: TypeAlias = "Iterable[bytes] | Iterable[str] | bytes | bytearray | str"
_PHRASES: Final = {str(int(status)): status.phrase.upper() for status in HTTPStatus}
# Fields about the bytes of one coding: RFC 9110 8.4 and 8.8.3.3, and digests.
_OF_CODED: Final = DIGESTS | {"content-encoding", "etag"}
_GZIP: Final = 31  # zlib's window bits for gzip only
_NOT_ENCODED: Final = (
    "the body that was read is encoded in {}, and its replacement is not: place the hooks inside the layer that "
    "encodes it; a hook that encodes by itself sets or deletes response.headers['Content-Encoding'] first"
)
# Ranges that WebOb parses in linear time; others are ignored (RFC 9110 14.2). Of several it sends the first.
_RANGE: Final = re.compile("bytes=(?:[0-9]{1,18}-[0-9]{0,18}|-([0-9]{1,18}))(?:,.*)?", re.IGNORECASE | re.DOTALL)
_WebOb: Any = webob.Response  # Any, because its types allow no other meanings


class Response(ResponseFields, _WebOb):
    """A response, as hooks get and make it.

    Options:
        response: str, bytes, or an iterable of them. The body. An iterable is streamed, unless it is a list or a tuple.
            Default none.
        status: int, HTTPStatus, "404" or "404 Not Found". The status. Default 200.
        headers: ResponseHeaders, a mapping, or pairs. The fields. Default none.
        mimetype: str. The media type; text gets charset=utf-8. Default text/html.
        content_type: str. The whole Content-Type field; takes precedence over mimetype. Default None.
        direct_passthrough: bool. Whether reading the body is an error. Default False.

    Attributes:
        conditional_response: bool. Whether `make_conditional` is applied before sending. Default False.
    """

    headers: ResponseHeaders = ResponseHeaders()
    direct_passthrough: bool = False
    conditional_response: bool = False
    _status: str
    _app_iter: Iterable[bytes] = ()
    _lent: object = None  # the application's body, which is closed with the sent response
    _given: Sequence[Line] = ()  # the header lines of the application
    _exposed: bool = False  # a hook has accessed the body
    closers: tuple[Callable[[], object], ...] = ()

    def __init__(  # noqa: PLR0917 - Flask's signature
        self,
        response: Body | None = None,
        status: int | str | None = None,
        headers: Pairs | ResponseHeaders | None = None,
        mimetype: str | None = None,
        content_type: str | None = None,
        direct_passthrough: bool = False,  # noqa: FBT001, FBT002 - Flask's signature
    ) -> None:
        self.headers = ResponseHeaders()
        self.headers.extend(headers or ())
        self.status = 200 if status is None else status
        self.direct_passthrough = direct_passthrough
        self._set_type(mimetype, content_type)
        if isinstance(response, (str, bytes, bytearray)):
            self.set_data(response)
        else:
            self.response = () if response is None else response

    def _set_type(self, mimetype: str | None, content_type: str | None) -> None:
        if content_type is not None:
            self.content_type = content_type
        elif mimetype is not None or "Content-Type" not in self.headers:
            self.mimetype = mimetype or "text/html"

    @classmethod
    def of(
        cls,
        status: str,
        lines: list[tuple[str, str]],
        body: Iterable[bytes],
        *,
        passthrough: bool,
        lent: bool = False,
        of_head: bool = False,
    ) -> Response:
        """The response of an application, unmodified. `lent`: its body is closed elsewhere. `of_head`: to HEAD."""
        self = cls.__new__(cls)
        self.__dict__.update(_status=status, headers=ResponseHeaders(lines), _given=lines, _app_iter=body)
        self.__dict__.update(direct_passthrough=passthrough, _lent=body if lent else None, _of_head=of_head)
        return self

    def become(self, status: str, lines: list[tuple[str, str]]) -> None:
        """Replace the head with another one of the application."""
        self._status, self._given = status, lines
        self.headers.become(lines)

    def copy(self) -> Response:
        """A copy. Reads a streamed body."""
        self.make_sequence()
        return Response.of(self._status, [*self.headers], self._app_iter, passthrough=self.direct_passthrough)

    # -- head ----------------------------------------------------------------------------------------------------

    @property
    def _headerlist(self) -> list[tuple[str, str]]:  # used by WebOb's attributes
        return self.headers.exposed()

    @_headerlist.setter
    def _headerlist(self, lines: Iterable[tuple[str, str]]) -> None:
        self.headers = ResponseHeaders(lines)

    @property
    def status(self) -> str:
        """The status line, "404 NOT FOUND". Assignment accepts a code too."""
        return self._status

    @status.setter
    def status(self, value: int | str) -> None:
        if not isinstance(value, (int, str)):
            raise TypeError(f"a status is an int or a str, not {value!r}")
        code, _, phrase = str(int(value) if isinstance(value, int) else value).strip().partition(" ")
        line = f"{code} {phrase or _PHRASES.get(code, 'UNKNOWN')}"
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
        """The body as an iterable: a list, a tuple, or a stream that can be iterated once."""
        self.__dict__["_exposed"] = True  # faster than __setattr__
        self._close_once()
        return self._app_iter

    @response.setter
    def response(self, body: Any) -> None:
        self._replace(body)

    app_iter = response

    def _replace(self, body: Iterable[bytes] | Iterable[str]) -> None:
        if not isinstance(body, Iterable):
            raise TypeError(f"a body is an iterable, not {type(body).__name__}")
        chunks = checked_chunks(body) if isinstance(body, (list, tuple)) else cast("Iterable[bytes]", body)
        self._drop_coding(chunks)
        self.headers.remove("Content-Length")
        self._put(chunks)

    def _put(self, body: Iterable[bytes]) -> None:
        """Use another body. The former is closed with the response."""
        if body is not self._app_iter:
            self.closers = (*self._closing(), *self.closers)
            self._app_iter = body

    def _close_once(self) -> None:
        """Make sure that a stream is closed once, because a hook may wrap it and close it too."""
        body = self._app_iter
        plain = body is self._lent or isinstance(body, (GeneratorType, ClosedOnce, list, tuple))
        if not (plain or self.direct_passthrough) and hasattr(body, "close"):
            self.__dict__["_app_iter"] = (SizedClosedOnce if hasattr(body, "__len__") else ClosedOnce)(body)

    def _closing(self) -> tuple[Callable[[], object], ...]:
        """The function that closes the body, unless the body is closed elsewhere."""
        self._close_once()
        close = None if self._app_iter is self._lent else getattr(self._app_iter, "close", None)
        return () if close is None else (close,)

    def _drop_coding(self, body: Iterable[bytes] | None) -> None:
        """Remove the fields of an encoded body if `body`, its replacement, is not encoded in the same way.

        None means an object that is converted to a body later. A stream may wrap the encoded one, so it keeps the
        fields.

        Errors: RuntimeError for a replacement that is not empty and not encoded, after the encoded body was read.
        """
        coding = self._coding()
        if not coding:
            return
        if self._exposed and body is not None:
            if not isinstance(body, (list, tuple)) or self._is_encoded(b"".join(body), coding):
                return
            if any(body):
                raise RuntimeError(_NOT_ENCODED.format(coding))
        for name in _OF_CODED:
            self.headers.remove(name)

    def _coding(self) -> str:
        """The application's Content-Encoding, unless a hook has set or deleted it."""
        lines = [line for line in self.headers if line[0].lower() == "content-encoding"]
        return ", ".join(line[1] for line in lines if any(line is given for given in self._given))

    def _is_encoded(self, data: bytes, coding: str) -> bool:
        """Whether the data equals the present body, or both are gzip (RFC 1952)."""
        if isinstance(self._app_iter, (list, tuple)) and data == b"".join(self._app_iter):
            return True
        if coding.strip().lower() != "gzip":
            return False
        decoder = decompressobj(_GZIP)
        try:
            decoder.decompress(data)
        except error:
            return False
        return decoder.eof and not decoder.unused_data

    @property
    def is_sequence(self) -> bool:
        """Whether the body is a list or a tuple, which can be read without consuming a stream."""
        return isinstance(self._app_iter, (list, tuple))

    @property
    def is_streamed(self) -> bool:
        """Whether the length of the body is unknown."""
        return not hasattr(self._app_iter, "__len__")

    def get_data(self, as_text: bool = False) -> Any:  # noqa: FBT001, FBT002 - Flask's signature
        """The body as bytes, or decoded by `charset`, UTF-8 by default. Reads a streamed body."""
        self.make_sequence()
        data = b"".join(self._app_iter)
        return data.decode(self.charset or "utf-8", "replace") if as_text else data

    def set_data(self, data: bytes | bytearray | str) -> None:
        """Replace the body and set Content-Length.

        Errors: TypeError for data that is not str or bytes; RuntimeError if the application has encoded the body, a
        hook has read it, and the data is not encoded.
        """
        if not isinstance(data, (str, bytes, bytearray, memoryview)):
            raise TypeError(f"the data of a response is str or bytes, not {type(data).__name__}")
        encoded = data.encode("utf-8") if isinstance(data, str) else bytes(data)
        self._drop_coding([encoded])
        self._put([encoded])
        self.headers["Content-Length"] = str(len(encoded))

    data = body = property(get_data, set_data)

    def make_sequence(self) -> None:
        """Read a streamed body into a list, and close it.

        Errors: RuntimeError for a file that the server sends by itself, and for a body that is sent by write().
        """
        self.__dict__["_exposed"] = True  # faster than __setattr__
        if self.is_sequence:
            return
        self._close_once()
        if self.direct_passthrough:
            raise RuntimeError(
                "this body is not to be read: direct_passthrough is set, as for files sent by the server"
            )
        stream = self._app_iter
        try:
            self._app_iter = list(encoded(stream))
        finally:
            if hasattr(stream, "close"):
                stream.close()

    def md5_etag(self, body: bytes | None = None, set_content_md5: bool = False) -> None:  # noqa: FBT001, FBT002 - WebOb's signature
        """WebOb's `add_etag`: overwrites the ETag."""
        if body is None and self._lacks_content():
            self.headers.remove("ETag")
        else:
            super().md5_etag(body, set_content_md5)

    def freeze(self) -> None:
        """Read a streamed body into a list, and set Content-Length, and the ETag unless there is one."""
        self.set_data(self.get_data())
        self.add_etag()

    def iter_encoded(self) -> Iterator[bytes]:
        """Iterate over the body, encoding chunks of text."""
        return encoded(self.response)

    def calculate_content_length(self) -> int | None:
        """The length of the body. Reads a streamed body. None with `direct_passthrough`."""
        return None if self.direct_passthrough else len(self.get_data())

    def call_on_close(self, function: Callable[[], Any]) -> Callable[[], Any]:
        """Call `function` after the body was closed. Returns it unchanged."""
        self.closers += (function,)
        return function

    def close(self) -> None:
        """Close the body and call the functions given to `call_on_close`."""
        closers, self.closers = self.closers, ()
        close_all((getattr(self._app_iter, "close", None), *closers))

    # -- sending -------------------------------------------------------------------------------------------------

    def __call__(self, _environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Send the response: a WSGI application (PEP 3333)."""
        start_response(self._status, [*self.headers])
        return self._app_iter

    def make_conditional(
        self,
        request_or_environ: Any,
        accept_ranges: bool | str = True,  # noqa: FBT001, FBT002 - Flask's signature
        complete_length: int | None = None,
    ) -> Response:
        """Become a 304, 206, 412 or 416 if the conditions and ranges of the request apply (RFC 9110 13 and 14).

        Does nothing to a response other than 2xx, and for a method other than GET and HEAD. Beyond Flask,
        `If-None-Match: *` matches without an ETag, If-Unmodified-Since counts, a date in If-Range must equal
        Last-Modified, and a suffix range may be longer than the content.

        Options:
            request_or_environ: Request or environ. The request whose conditions count. Required.
            accept_ranges: bool, "bytes" or "none". Whether a range is sent, where the length is known. Default True.
            complete_length: int or None. The Content-Length of a stream that has none. Default None.
        """
        environ = dict(getattr(request_or_environ, "environ", request_or_environ))
        method = environ.get("REQUEST_METHOD", "GET")
        if not "2" <= self._status < "3" or method not in ("GET", "HEAD"):
            return self
        if self._fails(environ):
            self.status = 412
            return self
        if complete_length is not None:
            self.headers.setdefault("Content-Length", complete_length)
        if "HTTP_IF_NONE_MATCH" in environ:
            environ.pop("HTTP_IF_MODIFIED_SINCE", None)  # RFC 9110 13.1.3
        untagged = "ETag" not in self.headers
        if matches_weakly(self.headers.get("ETag", ""), environ.get("HTTP_IF_NONE_MATCH", "")):
            environ["HTTP_IF_NONE_MATCH"] = self.headers.setdefault("ETag", '"*"')  # WebOb misses `*` and commas
        ranges = method == "GET" and accept_ranges not in (False, None, "none")
        environ["HTTP_RANGE"] = self._range(environ) if ranges else ""
        self._evaluate(environ)
        if untagged:
            self.headers.remove("ETag")
        return self

    def _fails(self, environ: Environ) -> bool:
        """Whether If-Match, in strong comparison, or without it If-Unmodified-Since is false (RFC 9110 13.2.2)."""
        if "HTTP_IF_MATCH" not in environ:
            last, since = self._last_modified(), http_date(environ.get("HTTP_IF_UNMODIFIED_SINCE", ""))
            return last is not None and since is not None and last > since
        tag = self.headers.get("ETag")
        own, listed = entity_tag(tag or ""), [*tags_listed(environ["HTTP_IF_MATCH"])]
        return tag is not None and listed != [] and (own not in listed or own is None or own.weak)

    def _range(self, environ: Environ) -> str:
        """The Range for WebOb, which knows no suffix longer than the content; "" if it is malformed or out of date."""
        field: str = environ.get("HTTP_RANGE", "")
        found, since = _RANGE.fullmatch(field), http_date(environ.get("HTTP_IF_RANGE", ""))
        if found is None or since not in (None, self._last_modified()):  # RFC 9110 13.1.5: an exact match
            return ""
        if found[1] is None or self.content_length is None:
            return field
        return f"bytes={max(self.content_length - int(found[1]), 0)}-"  # RFC 9110 14.1.2

    def _last_modified(self) -> int | None:
        return http_date(self.headers.get("Last-Modified", ""))

    def _evaluate(self, environ: Environ) -> None:
        """Let WebOb evaluate the conditions and the range of a request."""
        location = self.headers.get("Location")

        def start(status: str, lines: list[tuple[str, str]]) -> None:
            self._status, self._headerlist = status, lines

        plain = _WebOb(status=self._status, headerlist=self.headers.items(), app_iter=self._app_iter)
        with suppress(ValueError, OverflowError):  # a malformed date: ignore the condition (RFC 9110 13.1.3)
            self._app_iter = plain.conditional_response_app(environ, start)
        self.location = location  # WebOb has made it absolute

    def given_up(self, *kept: object) -> tuple[Callable[[], object], ...]:
        """Remove and return the functions that close this response, without that of a body that is kept."""
        closing = () if any(self._app_iter is body for body in kept) else self._closing()
        closers, self.closers = (*closing, *self.closers), ()
        return closers

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


def checked_chunks(body: Sequence[bytes] | Sequence[str]) -> list[bytes]:
    """The chunks of a sized body as bytes. TypeError for anything else than str and bytes."""
    chunks = [*encoded(body)]
    for chunk in chunks:
        if not isinstance(chunk, (bytes, bytearray, memoryview)):
            raise TypeError(f"a body consists of bytes or str, not {type(chunk).__name__}; for JSON use jsonify(value)")
    return chunks


def body_of(response: Response) -> Iterable[bytes]:
    """The body. Unlike `response.response`, this does not mark it as accessed by a hook."""
    body: Iterable[bytes] = response.__dict__["_app_iter"]
    return body


def encoded(body: Iterable[bytes] | Iterable[str]) -> Iterator[bytes]:
    """The chunks, with text encoded as UTF-8."""
    return (chunk.encode() if isinstance(chunk, str) else chunk for chunk in body)

"""The body of a request: kept when a hook reads it, so that hooks and the application all find it whole.

A body that is shorter than its Content-Length, or whose stream fails, is a ClientDisconnected; one above the limit is a
413. The bytes read until then are put back, so that the application finds the body as the hook did.
"""

from io import BufferedReader, BytesIO, RawIOBase
from json import loads
from typing import Any, Final

from webob.multidict import MultiDict as WebObMultiDict
from webob.request import BaseRequest

from middleware.hooks import request_forms as forms
from middleware.hooks.field_values import parameters
from middleware.hooks.http_errors import ERRORS, abort
from middleware.http.fields import content_length
from middleware.http.media_types import is_json, media_type
from middleware.wsgi.input import PIECE, UNKNOWN, Input, counted, declared_length
from middleware.wsgi.types import Environ

_WebOb: Any = BaseRequest  # the one without attributes in the environ; Any, because its types allow no other meanings
_BadRequest: Any = ERRORS[400]
_FORMS: Final = (forms.URLENCODED, forms.MULTIPART)
_IN_MEMORY: Final = 10 * 1024


class ClientDisconnected(_BadRequest):
    """A request body that ends before its Content-Length: a 400, under Werkzeug's name."""


class RequestBody(_WebOb):
    """WebOb's request with Flask's names for the body and the query."""

    _kept: Any = None
    _form: tuple[list[tuple[str, Any]], forms.MultiDict[str], forms.MultiDict[forms.FileStorage]] | None = None
    _no_boundary: bool = False  # a multipart form without a boundary, which cannot be read as a form
    _handed_over: bool = False  # the application has been called, and may have read the body
    max_content_length: int | None = forms.Limits().max_content_length
    max_form_memory_size: int | None = forms.Limits().max_form_memory_size
    max_form_parts: int | None = forms.Limits().max_form_parts

    @property
    def method(self) -> str:
        """The method in upper case. Assignment changes the environ too."""
        method: str = self.environ.get("REQUEST_METHOD", "GET")
        return method.upper()

    @method.setter
    def method(self, value: str) -> None:
        self.environ["REQUEST_METHOD"] = value

    @property
    def args(self) -> forms.MultiDict[str]:
        """The query as names and values."""
        return forms.MultiDict(forms.urlencoded(self.environ.get("QUERY_STRING", "").encode("latin-1")))

    GET = args

    @property
    def content_type(self) -> str | None:
        """The whole Content-Type field, or None."""
        value: str = self.environ.get("CONTENT_TYPE", "")
        return value or None

    @property
    def mimetype(self) -> str:
        """The media type without parameters, in lower case; empty if there is none."""
        return media_type(self.content_type).lower()

    @property
    def mimetype_params(self) -> dict[str, str]:
        """The parameters of the media type."""
        return parameters(self.content_type or "")

    def _content_length(self) -> int | None:
        """Content-Length: None if absent, 0 if malformed. Assignment changes the environ too."""
        text = self.environ.get("CONTENT_LENGTH")
        return None if text is None else content_length(text) or 0

    content_length = property(_content_length, _WebOb.content_length.fset, _WebOb.content_length.fdel)

    def make_body_seekable(self) -> None:
        """Keep the body and rewind it.

        Errors: those of `kept`.
        """
        self.kept().seek(0)

    def kept(self) -> Any:
        """The body as a file, which replaces wsgi.input.

        Errors: a 400 if the client disconnected before its end; a 413 above `max_content_length`; RuntimeError instead
        of the 400 once the application was called, because it may have read the body.
        """
        if self._kept is None:
            try:
                self._kept = self._keep()
            except ClientDisconnected:
                if not self._handed_over:
                    raise
                rule = "a before_request hook that reads it keeps it"
                raise RuntimeError(f"the request body was consumed, or the client disconnected: {rule}") from None
        return self._kept

    def _keep(self) -> Any:
        """Read the body into a file, put it in the place of wsgi.input, and return it at its start.

        A body of unknown length is read only where the server ends it (wsgi.input_terminated). Otherwise, or if
        Content-Length is malformed (RFC 9110 8.6), the body is empty and environ does not change.

        Errors: ClientDisconnected; 413 for a body of more than `max_content_length` bytes.
        """
        environ: Environ = self.environ
        length, limit = declared_length(environ) or 0, forms.largest(self.max_content_length)
        if length > limit:
            abort(413)
        if not (environ.get("wsgi.input_terminated") if length == UNKNOWN else length):
            return BytesIO()
        body, kept = counted(environ, length, None), forms.Spool(_IN_MEMORY)
        try:
            _copy(body, kept, length, limit)
        except Exception:
            kept.seek(0)
            environ["wsgi.input"] = BufferedReader(_Joined(kept, body.stream))
            raise
        if length == UNKNOWN:
            environ["CONTENT_LENGTH"] = str(kept.tell())
        kept.seek(0)
        environ["wsgi.input"] = kept
        return kept

    def hand_over(self) -> None:
        """Rewind the body for the application, which is called next."""
        self._handed_over = True
        self.rewind()

    def rewind(self) -> None:
        """Rewind the body if it was read."""
        if self._kept is not None:
            self._kept.seek(0)

    @property
    def stream(self) -> Any:
        """The body as a file, at its start."""
        self.make_body_seekable()
        return self._kept

    @property
    def body_file(self) -> Any:
        """The body as a file, at its start. Can be assigned; the application then gets the new one."""
        return self.stream

    @body_file.setter
    def body_file(self, file: Any) -> None:
        _WebOb(self.environ).body_file = file
        self._renew()

    def get_data(self, cache: bool = True, as_text: bool = False, parse_form_data: bool = False) -> Any:  # noqa: ARG002, FBT001, FBT002 - Flask's signature
        """The body as bytes, or decoded as UTF-8.

        With `parse_form_data`, the body of a form is empty, unless it is multipart without a usable boundary.
        """
        is_form = parse_form_data and self.mimetype in _FORMS
        if is_form:
            self._parsed()
        if is_form and not self._no_boundary:
            data = b""
        else:
            self.make_body_seekable()
            data = self._kept.read()
            self._kept.seek(0)
        return data.decode("utf-8", "replace") if as_text else data

    @property
    def data(self) -> bytes:
        """The body; empty for a form, whose content is in `form` and `files`."""
        data: bytes = self.get_data(parse_form_data=True)
        return data

    @property
    def body(self) -> bytes:
        """The body, including that of a form. Can be assigned; the application then gets the new one."""
        data: bytes = self.get_data()
        return data

    @body.setter
    def body(self, data: bytes) -> None:
        _WebOb(self.environ).body = data
        self._renew()

    def _renew(self) -> None:
        """Forget the old body, and WebOb's notes in the environ, which would be wrong for a wsgi.input set later."""
        for key in ("webob.is_body_seekable", "webob._parsed_post_vars"):
            self.environ.pop(key, None)
        self._form = self._kept = None
        self._no_boundary = False

    @property
    def POST(self) -> Any:  # noqa: N802 - WebOb's name
        """The form as WebOb's MultiDict; empty for other media types."""
        return WebObMultiDict(self._parsed()[0])

    def _parsed(self) -> tuple[list[tuple[str, Any]], forms.MultiDict[str], forms.MultiDict[forms.FileStorage]]:
        """All pairs of a form, its fields, and its files. Empty, as in Flask, if the form is malformed."""
        if self._form is None:
            try:
                pairs = self._pairs()
            except ValueError:
                pairs = []
            finally:
                self.rewind()
            fields = forms.MultiDict((name, value) for name, value in pairs if isinstance(value, str))
            files = forms.MultiDict((name, value) for name, value in pairs if isinstance(value, forms.FileStorage))
            self._form = pairs, fields, files
        return self._form

    def _pairs(self) -> list[tuple[str, Any]]:
        if self.mimetype == forms.URLENCODED:
            return [*forms.urlencoded(self.get_data(), "strict")]
        boundary = self.mimetype_params.get("boundary", "") if self.mimetype == forms.MULTIPART else ""
        self._no_boundary = not boundary.isascii() or not boundary
        if self._no_boundary:
            return []
        limits = forms.Limits(self.max_content_length, self.max_form_memory_size, self.max_form_parts)
        return forms.multipart(self.stream, boundary.encode(), limits)

    @property
    def form(self) -> forms.MultiDict[str]:
        """The fields of a form, of any method.

        Errors: a 413 for more than `max_form_parts` parts, for a field of more than `max_form_memory_size` bytes, and
        for a part with more than 8 header lines or one above 4 KiB; ImportError if another module has the name of the
        `multipart` library.
        """
        return self._parsed()[1]

    @property
    def files(self) -> forms.MultiDict[forms.FileStorage]:
        """The files of a form, each with `.filename`, `.stream`, `.save()`, `.read()`, `.content_type`, as in Flask.

        Errors: those of `form`.
        """
        return self._parsed()[2]

    @property
    def values(self) -> forms.MultiDict[str]:
        """The query and, except for GET, the fields of the form."""
        form = [] if self.method == "GET" else self.form.items(multi=True)
        return forms.MultiDict([*self.args.items(multi=True), *form])

    @property
    def is_json(self) -> bool:
        """Whether the media type is application/json or application/*+json."""
        return is_json(self.mimetype)

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:  # noqa: ARG002, FBT001, FBT002 - Flask's signature
        """The body, parsed as JSON.

        Errors: a 415 for another media type, unless `force`; a 400 for invalid JSON. With `silent`, None for both.
        """
        if not (force or self.is_json):
            return None if silent else abort(415, "The Content-Type of the request is not that of JSON.")
        try:
            return loads(self.get_data())
        except (ValueError, RecursionError):
            return None if silent else abort(400, "The request body is not valid JSON.")

    json = property(get_json)
    json_body = json


class _Joined(RawIOBase):
    """The bytes that were read from a stream, followed by the rest of it."""

    def __init__(self, read: Any, rest: Any) -> None:
        self._streams = [read, rest]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = b""
        for stream in self._streams:
            data = data or stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _copy(body: Input, kept: forms.Spool, length: int, limit: float) -> None:
    """Copy the body to its end."""
    while True:
        try:
            data = body.read(PIECE)
        except (OSError, ValueError) as error:  # what servers raise for a lost connection
            raise ClientDisconnected from error
        if not data:
            break
        kept.write(data)
        if kept.tell() > limit:
            abort(413)
    if length not in (UNKNOWN, kept.tell()):
        raise ClientDisconnected

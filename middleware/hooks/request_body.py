"""RequestBody: the body of a request, read as often as anybody likes, and whole for the application all the same."""

from __future__ import annotations

from json import loads
from typing import Any, Final

from webob.multidict import MultiDict as WebObMultiDict
from webob.request import BaseRequest

from middleware.hooks.errors import abort
from middleware.hooks.forms import MULTIPART, URLENCODED, FileStorage, Limits, multipart, urlencoded
from middleware.hooks.parameters import parameters
from middleware.hooks.request_input import ClientDisconnected, keep
from middleware.hooks.values import MultiDict

_WebOb: Any = BaseRequest  # the one that keeps no attributes in the environ; its types allow no other meanings
_FORMS: Final = (URLENCODED, MULTIPART)


class RequestBody(_WebOb):
    """WebOb's request, with Flask's names for all that is in its body."""

    _kept: Any = None
    _form: tuple[list[tuple[str, Any]], MultiDict[str], MultiDict[FileStorage]] | None = None
    _unread: bool = False  # it says that it is a form, and cannot be read as one
    _handed_over: bool = False  # the application has been called, and may have read the body
    max_content_length: int | None = Limits().max_content_length
    max_form_memory_size: int | None = Limits().max_form_memory_size
    max_form_parts: int | None = Limits().max_form_parts

    @property
    def args(self) -> MultiDict[str]:
        """The query as names and values."""
        return MultiDict(urlencoded(self.environ.get("QUERY_STRING", "").encode("latin-1")))

    GET = args

    @property
    def content_type(self) -> str | None:
        """The whole Content-Type, or None."""
        value: str = self.environ.get("CONTENT_TYPE", "")
        return value or None

    @property
    def mimetype(self) -> str:
        """The media type without parameters, in lower case; empty if there is none."""
        return (self.content_type or "").partition(";")[0].strip().lower()

    @property
    def mimetype_params(self) -> dict[str, str]:
        """The parameters of the media type."""
        return parameters(self.content_type or "")

    def make_body_seekable(self) -> None:
        """Keep the body, and go to its start.

        Errors: RuntimeError if somebody has read it without keeping it.
        """
        self.kept().seek(0)

    def kept(self) -> Any:
        """The body as a file, which takes the place of wsgi.input.

        Errors: a 400 where the client left before its end, a 413 over `max_content_length`; RuntimeError where the
        application was called before, which may have read it.
        """
        if self._kept is None:
            try:
                self._kept = keep(self.environ, self.max_content_length)
            except ClientDisconnected:
                if not self._handed_over:
                    raise
                rule = "a before_request hook that reads it keeps it"
                raise RuntimeError(f"the request body is not there any more, or the client has left: {rule}") from None
        return self._kept

    def hand_over(self) -> None:
        """Leave the body whole for the application, which is called next."""
        self._handed_over = True
        self.rewind()

    def rewind(self) -> None:
        """Go to the start of the body, if somebody has read it."""
        if self._kept is not None:
            self._kept.seek(0)

    @property
    def stream(self) -> Any:
        """The body as a file, at its start."""
        self.make_body_seekable()
        return self._kept

    @property
    def body_file(self) -> Any:
        """The body as a file, at its start. Set, for the application too."""
        return self.stream

    @body_file.setter
    def body_file(self, file: Any) -> None:
        _WebOb(self.environ).body_file = file
        self._renew()

    def get_data(self, cache: bool = True, as_text: bool = False, parse_form_data: bool = False) -> Any:  # noqa: ARG002, FBT001, FBT002
        """The body as bytes, or as the text that they are in UTF-8.

        With `parse_form_data`, empty for a form, unless that cannot be read as one.
        """
        if parse_form_data and self.mimetype in _FORMS and self._is_read():
            data = b""
        else:
            self.make_body_seekable()
            data = self._kept.read()
            self._kept.seek(0)
        return data.decode("utf-8", "replace") if as_text else data

    @property
    def data(self) -> bytes:
        """The body; empty for a form that can be read, whose content is in `form` and `files`."""
        data: bytes = self.get_data(parse_form_data=True)
        return data

    @property
    def body(self) -> bytes:
        """The body, form or not. Set, for the application too."""
        data: bytes = self.get_data()
        return data

    @body.setter
    def body(self, data: bytes) -> None:
        _WebOb(self.environ).body = data
        self._renew()

    def _renew(self) -> None:
        """Read anew what has been set, of which WebOb's notes do not hold for who puts another wsgi.input there."""
        for key in ("webob.is_body_seekable", "webob._parsed_post_vars"):
            self.environ.pop(key, None)
        self._form = self._kept = None
        self._unread = False

    @property
    def POST(self) -> Any:  # noqa: N802 - WebOb's name
        """The form as WebOb's own dict; empty for other media types."""
        return WebObMultiDict(self._parsed()[0])

    def _parsed(self) -> tuple[list[tuple[str, Any]], MultiDict[str], MultiDict[FileStorage]]:
        """All that is in a form, its fields, and its files; as in Flask nothing if it cannot be read as one."""
        if self._form is None:
            try:
                pairs = self._pairs()
            except ValueError:
                pairs = []
            finally:
                self.rewind()
            fields = MultiDict((name, value) for name, value in pairs if isinstance(value, str))
            files = MultiDict((name, value) for name, value in pairs if isinstance(value, FileStorage))
            self._form = pairs, fields, files
        return self._form

    def _is_read(self) -> bool:
        """Whether a form can be read as one."""
        self._parsed()
        return not self._unread

    def _pairs(self) -> list[tuple[str, Any]]:
        if self.mimetype == URLENCODED:
            return [*urlencoded(self.get_data(), "strict")]
        boundary = self.mimetype_params.get("boundary", "") if self.mimetype == MULTIPART else ""
        self._unread = not boundary.isascii() or not boundary
        if self._unread:
            return []
        limits = Limits(self.max_content_length, self.max_form_memory_size, self.max_form_parts)
        return multipart(self.stream, boundary.encode(), limits)

    @property
    def form(self) -> MultiDict[str]:
        """The fields of a form, of any method.

        Errors: a 413 for more than `max_form_parts` parts, a field over `max_form_memory_size` bytes, or lines of a
        part that are too many or too long (8 of 4 KiB); ImportError where another module takes the place of the
        library that reads multipart forms.
        """
        return self._parsed()[1]

    @property
    def files(self) -> MultiDict[FileStorage]:
        """The files of a form, each with `.filename`, `.stream`, `.save()`, `.read()`, `.content_type`, as in Flask.

        Errors: those of `form`.
        """
        return self._parsed()[2]

    @property
    def values(self) -> MultiDict[str]:
        """The query and, where a method has a body, the fields of the form."""
        form = self.form.items(multi=True) if self.method in ("POST", "PUT", "PATCH") else []
        return MultiDict([*self.args.items(multi=True), *form])

    @property
    def is_json(self) -> bool:
        """Whether the media type is that of JSON."""
        kind = self.mimetype
        return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:  # noqa: ARG002, FBT001, FBT002
        """The body as JSON says it.

        Errors: 415 for another media type, unless `force`; 400 for what is no JSON. `silent`: None for both.
        """
        if not (force or self.is_json):
            return None if silent else abort(415, "The request has no JSON: its Content-Type says something else.")
        try:
            return loads(self.get_data())
        except (ValueError, RecursionError):
            return None if silent else abort(400, "The request has a body that is not the JSON it says it is.")

    json = property(get_json)
    json_body = json

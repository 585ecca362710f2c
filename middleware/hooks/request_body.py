"""RequestBody: the body of a request, read as often as anybody likes, and whole for the application all the same."""

from __future__ import annotations

import re
from json import loads
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from webob.request import BaseRequest, DisconnectionError

from middleware.hooks.errors import abort
from middleware.hooks.values import MultiDict

if TYPE_CHECKING:
    from collections.abc import Iterator

_WebOb: Any = BaseRequest  # the one that keeps no attributes in the environ; its types allow no other meanings
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
_CHARSET: Final = re.compile(r";[ \t]*charset=[^;]*", re.IGNORECASE)
_BROKEN: Final = re.compile("[\udc80-\udcff]")  # bytes that are no UTF-8, as surrogateescape keeps them


class Spool:
    """A temporary file that is closed when nobody has it any more."""

    def __init__(self) -> None:
        self._file = TemporaryFile()  # noqa: SIM115 - closed below

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._file)

    def __del__(self) -> None:
        self._file.close()


class _Plain(_WebOb):
    def make_tempfile(self) -> Spool:
        return Spool()


class RequestBody(_WebOb):
    """WebOb's request, with Flask's names for all that is in its body."""

    _kept: Any = None
    _form: tuple[MultiDict[str], MultiDict[Any]] | None = None
    _unread: bool = False  # it says that it is a form, and cannot be read as one

    @property
    def args(self) -> MultiDict[str]:
        """The query as names and values."""
        return MultiDict(_read(self.environ.get("QUERY_STRING", "").encode("latin-1")))

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
        pairs = [part.partition("=") for part in (self.content_type or "").split(";")[1:]]
        return {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}

    @property
    def _plain(self) -> Any:
        """The same request without Flask's meanings, which WebOb's own code does not expect."""
        return _Plain(self.environ)

    def make_body_seekable(self) -> None:
        """Keep the body, and go to its start.

        Errors: RuntimeError if somebody has read it without keeping it.
        """
        self.kept().seek(0)

    def kept(self) -> Any:
        """The body as a file, which takes the place of wsgi.input."""
        if self._kept is None:
            try:
                self._plain.make_body_seekable()
            except DisconnectionError:
                rule = "a before_request hook that reads it keeps it"
                raise RuntimeError(f"the request body is not there any more, or the client has left: {rule}") from None
            self._kept = self.environ["wsgi.input"]
            self._forget()
        return self._kept

    def rewind(self) -> None:
        """Leave the body whole for the application, if somebody has read it."""
        if self._kept is not None:
            self._kept.seek(0)

    def _forget(self) -> None:
        """Take out what WebOb notes of a wsgi.input: it does not hold for who puts another in its place."""
        for key in ("webob.is_body_seekable", "webob._parsed_post_vars"):
            self.environ.pop(key, None)

    @property
    def stream(self) -> Any:
        """The body as a file, at its start."""
        self.make_body_seekable()
        return self._kept

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
        self._plain.body = data
        self._forget()
        self._form = self._kept = None
        self._unread = False

    @property
    def POST(self) -> Any:  # noqa: N802 - WebOb's name
        """The form as WebOb's own dict; empty for other media types."""
        return self._webobs(self.method)

    def _parsed(self) -> tuple[MultiDict[str], MultiDict[Any]]:
        """The fields and the files of a form."""
        if self._form is None:
            pairs = self._pairs() if self.mimetype in _FORMS else []
            self._form = (
                MultiDict((name, value) for name, value in pairs if isinstance(value, str)),
                MultiDict((name, value) for name, value in pairs if not isinstance(value, (str, bytes))),
            )
        return self._form

    def _is_read(self) -> bool:
        """Whether a form can be read as one."""
        self._parsed()
        return not self._unread

    def _pairs(self) -> list[tuple[str, Any]]:
        """All that is in a form; as in Flask nothing if it is no UTF-8, or has no boundary that can be one."""
        if self.mimetype == _FORMS[0]:
            data = self.get_data()
            return _read(data) if _is_utf8(data) else []
        try:
            return list(self._webobs("POST").items())
        except ValueError:
            self.rewind()
            self._unread = True
            return []

    def _webobs(self, method: str) -> Any:
        """The form as WebOb parses it, which takes it for UTF-8. The environ that WebOb takes notes in is a copy."""
        seekable = {"wsgi.input": self.kept(), "webob.is_body_seekable": True}
        kind = _CHARSET.sub("", self.content_type or "")  # WebOb raises for another than UTF-8
        form = _Plain({**self.environ, **seekable, "REQUEST_METHOD": method, "CONTENT_TYPE": kind}).POST
        self.rewind()
        return form

    @property
    def form(self) -> MultiDict[str]:
        """The fields of a form, of any method."""
        return self._parsed()[0]

    @property
    def files(self) -> MultiDict[Any]:
        """The files of a form, each with `.filename`, `.file`, `.type` and `.value`."""
        return self._parsed()[1]

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
        except ValueError:
            return None if silent else abort(400, "The request has a body that is not the JSON it says it is.")

    json = property(get_json)
    json_body = json


def _read(query: bytes) -> list[tuple[str, Any]]:
    """The names and values of a query, or of a form that is like one."""
    text = query.decode("utf-8", "surrogateescape")
    found = parse_qsl(text, keep_blank_values=True, errors="surrogateescape")
    return [(percented(name), percented(value)) for name, value in found]


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def percented(text: str) -> str:
    """The text with each byte that is no UTF-8 as %XX."""
    return _BROKEN.sub(lambda found: f"%{ord(found[0]) - 0xDC00:02X}", text)

"""RequestBody: the body of a request, read as often as anybody likes, and whole for the application all the same."""

from __future__ import annotations

from json import loads
from typing import Any, Final
from urllib.parse import parse_qsl

from webob.request import BaseRequest, DisconnectionError

from middleware.hooks.errors import abort
from middleware.hooks.values import MultiDict

_WebOb: Any = BaseRequest  # the one that keeps no attributes in the environ; its types allow no other meanings
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


class RequestBody(_WebOb):
    """WebOb's request, with Flask's names for all that is in its body."""

    _form: tuple[MultiDict[str], MultiDict[Any]] | None = None

    @property
    def args(self) -> MultiDict[str]:
        """The query as names and values."""
        query = self.environ.get("QUERY_STRING", "").encode("latin-1").decode("utf-8", "replace")
        return MultiDict(parse_qsl(query, keep_blank_values=True, errors="replace"))

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

    def make_body_seekable(self) -> None:
        """Keep the body, and go to its start.

        Errors: RuntimeError if somebody has read it without keeping it.
        """
        try:
            super().make_body_seekable()
        except DisconnectionError:
            rule = "a before_request hook that reads it keeps it"
            raise RuntimeError(f"the request body is not there any more, or the client has left: {rule}") from None
        self.body_file_raw.seek(0)

    @property
    def stream(self) -> Any:
        """The body as a file, at its start."""
        self.make_body_seekable()
        return self.body_file_raw

    def get_data(self, cache: bool = True, as_text: bool = False, parse_form_data: bool = False) -> Any:  # noqa: ARG002, FBT001, FBT002
        """The body as bytes, or as the text that they are in UTF-8. With `parse_form_data`, empty for a form."""
        if parse_form_data and self.mimetype in _FORMS:
            data = b""
        else:
            self.make_body_seekable()
            data = self.body_file_raw.read()
            self.body_file_raw.seek(0)
        return data.decode("utf-8", "replace") if as_text else data

    @property
    def data(self) -> bytes:
        """The body; empty for a form, whose content is in `form` and `files`."""
        data: bytes = self.get_data(parse_form_data=True)
        return data

    body = property(get_data)

    def _parsed(self) -> tuple[MultiDict[str], MultiDict[Any]]:
        """The fields and the files of a form."""
        if self._form is None:
            self._form = MultiDict(), MultiDict()
            if self.mimetype in _FORMS:
                self.make_body_seekable()
                parser = _WebOb({**self.environ, "REQUEST_METHOD": "POST"})
                parser.environ.pop("webob._parsed_post_vars", None)
                pairs = list(parser.POST.items())
                self.body_file_raw.seek(0)
                self._form = (
                    MultiDict((name, value) for name, value in pairs if isinstance(value, str)),
                    MultiDict((name, value) for name, value in pairs if not isinstance(value, (str, bytes))),
                )
        return self._form

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

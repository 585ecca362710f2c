"""Request: WebOb's, under Flask's names too, and with Flask's meaning where the two differ.

The request is seen as it came, also where the application changes PATH_INFO to hand it on to another that it mounts.
Reading the body keeps it: in memory up to 10 KiB, in a temporary file from there on, and whole for the application.
Once the application has read it, it can only be read by who has done so before. A name that neither Flask nor WebOb has
is an AttributeError, on assignment too, and so is one whose two meanings cannot both be had; the message says what to
use.
"""

from __future__ import annotations

from base64 import b64decode
from json import loads
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qsl

from webob.request import BaseRequest, DisconnectionError

from middleware.hooks.errors import abort
from middleware.hooks.instead import REQUEST, Missing, missing
from middleware.hooks.values import MultiDict

if TYPE_CHECKING:
    from middleware.wsgi.types import Environ

_WebOb: Any = BaseRequest  # the one that keeps no attributes in the environ; its types allow no other meanings
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


class UserAgent(str):
    """User-Agent, as text and as `.string`."""

    __slots__ = ()
    string = property(str)


class Authorization(NamedTuple):
    """The credentials of Authorization (RFC 9110 11.6.2)."""

    type: str
    username: str | None = None
    password: str | None = None
    token: str | None = None


class Request(_WebOb):
    """The request, as hooks get it. Made when a hook first looks at it."""

    _path: tuple[str, str]
    _form: tuple[MultiDict[str], MultiDict[Any]] | None = None
    view_args: dict[str, Any] = {}  # noqa: RUF012 - each instance has its own

    @classmethod
    def of(cls, environ: Environ, path: tuple[str, str], view_args: dict[str, Any] | None) -> Request:
        """The request whose SCRIPT_NAME and PATH_INFO came as `path`."""
        self = cls(environ)
        self.__dict__.update(_path=path, view_args=view_args or {})
        return self

    def __init__(self, environ: Environ, **options: Any) -> None:
        self.__dict__.update(_path=(environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", "")), view_args={})
        super().__init__(environ, **options)

    # -- where -----------------------------------------------------------------------------------------------------

    @property
    def script_name(self) -> str:
        """Where the application is mounted. Set, in the environ too."""
        return _decoded(self._path[0])

    @script_name.setter
    def script_name(self, value: str) -> None:
        self._path = value.encode().decode("latin-1"), self._path[1]
        self.environ["SCRIPT_NAME"] = self._path[0]

    @property
    def path_info(self) -> str:
        """The path from there on. Set, in the environ too."""
        return _decoded(self._path[1])

    @path_info.setter
    def path_info(self, value: str) -> None:
        self._path = self._path[0], value.encode().decode("latin-1")
        self.environ["PATH_INFO"] = self._path[1]

    @property
    def path(self) -> str:
        """The path from where the application is mounted, decoded."""
        return "/" + self.path_info.lstrip("/")

    @property
    def full_path(self) -> str:
        """The path and the query, with its question mark even if there is none."""
        return f"{self.path}?{_decoded(self.environ.get('QUERY_STRING', ''))}"

    @property
    def script_root(self) -> str:
        """Where the application is mounted, without a trailing slash."""
        return self.script_name.rstrip("/")

    root_path = script_root

    @property
    def host_url(self) -> str:
        """Scheme and host, with a trailing slash."""
        return f"{self.scheme}://{self.host}/"

    @property
    def url_root(self) -> str:
        """Scheme, host and where the application is mounted, with a trailing slash."""
        return f"{self.host_url[:-1]}{self.script_root}/"

    root_url = url_root

    @property
    def base_url(self) -> str:
        """The URL without its query."""
        return f"{self.url_root[:-1]}{self.path}"

    @property
    def url(self) -> str:
        """The URL, decoded where that is safe to read."""
        return f"{self.base_url}?{_decoded(self.environ['QUERY_STRING'])}" if self.query_string else self.base_url

    @property
    def query_string(self) -> bytes:
        """The query, as it came."""
        query: str = self.environ.get("QUERY_STRING", "")
        return query.encode("latin-1")

    @property
    def is_secure(self) -> bool:
        """Whether it came by https."""
        return self.environ["wsgi.url_scheme"] in ("https", "wss")

    @property
    def access_route(self) -> list[str]:
        """The addresses that X-Forwarded-For claims, or that of who sent this; a proxy has to vouch for the former."""
        forwarded = self.environ.get("HTTP_X_FORWARDED_FOR", "")
        claimed = [address.strip() for address in forwarded.split(",") if address.strip()]
        return claimed or [address for address in (self.remote_addr,) if address]

    # -- head ------------------------------------------------------------------------------------------------------

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

    @property
    def user_agent(self) -> UserAgent:
        """User-Agent; empty if there is none."""
        return UserAgent(self.environ.get("HTTP_USER_AGENT", ""))

    @property
    def authorization(self) -> Authorization | None:
        """The credentials of Authorization; None without, and for Basic ones that cannot be read."""
        scheme, _, token = self.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if not scheme:
            return None
        if scheme.lower() != "basic":
            return Authorization(scheme.lower(), token=token.strip())
        try:
            username, colon, password = b64decode(token, validate=True).decode().partition(":")
        except ValueError:
            return None
        return Authorization("basic", username, password) if colon else None

    @property
    def origin(self) -> str | None:
        """Origin, or None."""
        origin: str | None = self.environ.get("HTTP_ORIGIN")
        return origin

    @property
    def access_control_request_method(self) -> str | None:
        """The method that a preflight asks for, or None."""
        method: str | None = self.environ.get("HTTP_ACCESS_CONTROL_REQUEST_METHOD")
        return method

    @property
    def access_control_request_headers(self) -> list[str]:
        """The headers that a preflight asks for."""
        asked = self.environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")
        return [name.strip() for name in asked.split(",") if name.strip()]

    # -- body ------------------------------------------------------------------------------------------------------

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

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(missing("request", name))

    def __setattr__(self, name: str, value: object) -> None:
        if not name.startswith("_") and not hasattr(type(self), name):
            raise AttributeError(missing("request", name))
        super().__setattr__(name, value)


for _name in REQUEST:
    setattr(Request, _name, Missing("request", _name))


def _decoded(text: str) -> str:
    """Text of an environ as what it is in UTF-8 (PEP 3333 holds the bytes as latin-1)."""
    return text.encode("latin-1").decode("utf-8", "replace")

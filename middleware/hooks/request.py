"""Request: WebOb's, under Flask's names too, and with Flask's meaning where the two differ.

The request is seen as it came, also where the application changes PATH_INFO to hand it on to another that it mounts.
Reading the body keeps it: in memory up to 10 KiB, in a temporary file from there on, and whole for the application.
Once the application has read it, it can only be read by who has done so before. What is assigned to `data`, `form`,
`path` and their like is read by later hooks and changes nothing else, as in Flask. A name that neither Flask nor WebOb
has is an AttributeError, on assignment too, and so is one whose two meanings cannot both be had; the message says what
to use.
"""

from __future__ import annotations

import re
from base64 import b64decode
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote, unquote

from webob.request import BaseRequest

from middleware.hooks.forms import Limits, percented
from middleware.hooks.instead import REQUEST, Missing, missing
from middleware.hooks.request_body import RequestBody
from middleware.hooks.request_cookies import Cookies

if TYPE_CHECKING:
    from collections.abc import Mapping

    from middleware.wsgi.types import Environ

# As in Flask, these may be assigned: later reads see it, and nothing else does.
_ASSIGNABLE: Final = (
    "access_route",
    "args",
    "authorization",
    "base_url",
    "data",
    "files",
    "form",
    "full_path",
    "host_url",
    "path",
    "query_string",
    "root_path",
    "root_url",
    "stream",
    "url",
    "url_root",
    "user_agent",
    "values",
)
_BYTES: Final = re.compile("(?:%[89A-Fa-f][0-9A-Fa-f])+")


def _field(name: str) -> property:
    """A field as WebOb parses it; None if it is malformed."""
    found: Any = getattr(BaseRequest, name)

    def get(self: Any) -> Any:
        try:
            return found.fget(self)
        except (ValueError, OverflowError):
            return None

    return property(get, found.fset, found.fdel)


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


class Request(RequestBody):
    """The request, as hooks get it. Made when a hook first looks at it."""

    _path: tuple[str, str]
    view_args: dict[str, Any] = {}  # noqa: RUF012 - each instance has its own

    @classmethod
    def of(
        cls,
        environ: Environ,
        path: tuple[str, str],
        view_args: dict[str, Any] | None,
        limits: Limits,
        *,
        handed_over: bool,
    ) -> Request:
        """The request whose SCRIPT_NAME and PATH_INFO came as `path`, before or after the application was called."""
        self = cls(environ)
        self.__dict__.update(_path=path, view_args=view_args or {}, _handed_over=handed_over, **limits._asdict())
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
        return f"{self.host_url[:-1]}{_readable(_quoted(self.script_root))}/"

    root_url = url_root

    @property
    def base_url(self) -> str:
        """The URL without its query."""
        return f"{self.url_root}{_readable(_quoted(self.path))[1:]}"

    @property
    def url(self) -> str:
        """The URL; characters outside ASCII are shown as such."""
        return f"{self.base_url}?{_readable(self.environ['QUERY_STRING'])}" if self.query_string else self.base_url

    @property
    def application_url(self) -> str:
        """Scheme, host and where the application is mounted, percent-encoded: WebOb's, without a trailing slash."""
        return f"{self.host_url[:-1]}{_quoted(self.script_name)}"

    @property
    def path_qs(self) -> str:
        """The path from the root on and the query, percent-encoded."""
        query = self.environ.get("QUERY_STRING")
        return f"{_quoted(self.script_name + self.path_info)}{f'?{query}' if query else ''}"

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
    def cookies(self) -> Cookies:
        """The cookies, as they are now; the first of several of a name. Changed, or set, in the environ too."""
        return Cookies(self.environ)

    @cookies.setter
    def cookies(self, value: Mapping[str, str]) -> None:
        self.environ.pop("HTTP_COOKIE", None)
        self.cookies.update(value)

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

    date = _field("date")
    if_modified_since = _field("if_modified_since")
    if_unmodified_since = _field("if_unmodified_since")
    max_forwards = _field("max_forwards")

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

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(missing("request", name))

    def __setattr__(self, name: str, value: object) -> None:
        if not name.startswith("_") and name not in self.__dict__ and not hasattr(type(self), name):
            raise AttributeError(missing("request", name))
        super().__setattr__(name, value)


class Assignable:
    """A property whose value may be assigned: no data descriptor, so that an attribute of the instance hides it."""

    def __init__(self, read: property) -> None:
        self._read: Any = read.fget
        self.__doc__ = read.__doc__

    def __get__(self, instance: Request | None, owner: type) -> Any:
        return self if instance is None else self._read(instance)


for _name in REQUEST:
    setattr(Request, _name, Missing("request", _name))
for _name in _ASSIGNABLE:
    setattr(Request, _name, Assignable(getattr(Request, _name)))


def _decoded(text: str) -> str:
    """Text of an environ as what it is in UTF-8 (PEP 3333 holds the bytes as latin-1)."""
    return text.encode("latin-1").decode("utf-8", "replace")


def _quoted(text: str) -> str:
    """A path, percent-encoded (RFC 3986 3.3)."""
    return quote(text, safe="/!$&'()*+,;=:@~")


def _readable(url: str) -> str:
    """The URL with what is UTF-8 in it decoded, so that people can read it and nothing means anything else."""
    return _BYTES.sub(lambda found: percented(unquote(found[0], errors="surrogateescape")), url)

"""The request of hooks: WebOb's, under Flask's names too, and with Flask's meaning where the two differ.

The request is read as received, even after the application has changed PATH_INFO to mount another application. A hook
that reads the body keeps it for the application: in memory up to 10 KiB, in a temporary file above. Once the
application has read the body, only a body that was kept before is available. Values assigned to `data`, `form`, `path`
and the like are seen by later hooks and change nothing else, as in Flask. A name that neither Flask nor WebOb has is an
AttributeError, on assignment too, and so is a name with two incompatible meanings; the message says what to use
instead.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from string import punctuation
from typing import Any, Final
from urllib.parse import quote, unquote

from webob.request import BaseRequest

from middleware.hooks.cookies import cookie_pair, read_cookies
from middleware.hooks.field_values import lenient
from middleware.hooks.missing_names import REQUEST, Missing, missing
from middleware.hooks.request_body import RequestBody
from middleware.hooks.request_forms import Limits, MultiDict
from middleware.hooks.request_headers import Authorization, RequestHeaders
from middleware.http.fields import is_token
from middleware.http.paths import percented
from middleware.wsgi.types import Environ

# Attributes that may be assigned, as in Flask: later reads see the value, and nothing else does.
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
_NON_ASCII: Final = re.compile("(?:%[89A-Fa-f][0-9A-Fa-f])+")
# A host name, an IPv4 address or an IPv6 address in brackets, and a port: those that Werkzeug accepts.
_HOST: Final = re.compile(r"(?:[a-z0-9.-]+|\[[a-f0-9]*:[a-f0-9.:]+])(?::([1-9][0-9]{,4}))?", re.ASCII | re.IGNORECASE)
_LAST_PORT: Final = 65535


class UserAgent(str):
    """User-Agent as a str, with Werkzeug's `.string`."""

    __slots__ = ()
    string = property(str)


class Cookies(MultiDict[str], MutableMapping[str, str]):
    """The cookies of a request by name: the first of several. Changes are written to the environ.

    Unescaped text is decoded as latin-1, like all of an environ (PEP 3333).

    Errors: a missing name is a KeyError that is also a 400 response. Setting a name that is not a token, or a value
    that is not a str, is a TypeError, as in WebOb.
    """

    def __init__(self, environ: Environ) -> None:
        self._environ = environ
        self._read()

    def _read(self) -> None:
        cookies = read_cookies(self._environ.get("HTTP_COOKIE", ""))
        super().__init__((name, value) for name, value, _ in cookies if name)

    def __setitem__(self, name: str, value: str) -> None:
        if not is_token(name):
            raise TypeError(f"the name of a cookie is a token (RFC 6265 4.1.1), not {name!r}")
        self._put(name, cookie_pair(name, value))

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        self._put(name)

    def _put(self, name: str, *cookies: str) -> None:
        """Replace all cookies of the name by these, in the position of the first, or else at the end."""
        known = [cookie for cookie in read_cookies(self._environ.get("HTTP_COOKIE", "")) if cookie.text]
        position = next((index for index, cookie in enumerate(known) if cookie.name == name), len(known))
        before, after = (
            [cookie.text for cookie in part if cookie.name != name] for part in (known[:position], known[position:])
        )
        self._environ["HTTP_COOKIE"] = "; ".join((*before, *cookies, *after))
        self._read()

    def clear(self) -> None:
        """Remove all cookies."""
        self._environ["HTTP_COOKIE"] = ""
        self._read()


class Request(RequestBody):
    """The request, as hooks get it. Made on first access."""

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
        """A request with the SCRIPT_NAME and PATH_INFO in `path`, even if the application has changed the environ."""
        self = cls(environ)
        self.__dict__.update(_path=path, view_args=view_args or {}, _handed_over=handed_over, **limits._asdict())
        return self

    def __init__(self, environ: Environ, **options: Any) -> None:
        self.__dict__.update(_path=(environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", "")), view_args={})
        super().__init__(environ, **options)

    # -- where -----------------------------------------------------------------------------------------------------

    @property
    def script_name(self) -> str:
        """The path at which the application is mounted. Assignment changes the environ too."""
        return _decoded(self._path[0])

    @script_name.setter
    def script_name(self, value: str) -> None:
        self._path = value.encode().decode("latin-1"), self._path[1]
        self.environ["SCRIPT_NAME"] = self._path[0]

    @property
    def path_info(self) -> str:
        """The path below `script_name`. Assignment changes the environ too."""
        return _decoded(self._path[1])

    @path_info.setter
    def path_info(self, value: str) -> None:
        self._path = self._path[0], value.encode().decode("latin-1")
        self.environ["PATH_INFO"] = self._path[1]

    uscript_name, upath_info = script_name, path_info  # WebOb's former names

    @property
    def path(self) -> str:
        """The decoded path below `script_name`, with a leading slash."""
        return "/" + self.path_info.lstrip("/")

    @property
    def full_path(self) -> str:
        """The path and the query, with a question mark even without a query."""
        return f"{self.path}?{_decoded(self.environ.get('QUERY_STRING', ''))}"

    @property
    def script_root(self) -> str:
        """The path at which the application is mounted, without a trailing slash."""
        return self.script_name.rstrip("/")

    root_path = script_root

    @property
    def host(self) -> str:
        """The host of the request, and its port unless that is the default; empty if invalid. Can be assigned."""
        server, port = self.environ.get("SERVER_NAME", ""), self.environ.get("SERVER_PORT")
        own = f"[{server}]:{port}" if ":" in server and server[0] != "[" else f"{server}:{port}"
        default = ":443" if self.is_secure else ":80"
        found = _HOST.fullmatch(self.environ.get("HTTP_HOST", own).removesuffix(default))
        return found[0] if found and int(found[1] or 0) <= _LAST_PORT else ""

    @host.setter
    def host(self, value: str) -> None:
        self.environ["HTTP_HOST"] = value

    @property
    def host_url(self) -> str:
        """Scheme and host, with a trailing slash."""
        return f"{self.scheme}://{self.host}/"

    @property
    def url_root(self) -> str:
        """Scheme, host and `script_root`, with a trailing slash."""
        return f"{self.host_url[:-1]}{_readable(_quoted(self.script_root))}/"

    root_url = url_root

    @property
    def base_url(self) -> str:
        """The URL without its query."""
        return f"{self.url_root}{_readable(_quoted(self.path))[1:]}"

    @property
    def url(self) -> str:
        """The URL. Characters outside ASCII are decoded."""
        query = _readable(quote(self.query_string, safe=punctuation))
        return f"{self.base_url}?{query}" if query else self.base_url

    @property
    def application_url(self) -> str:
        """Scheme, host and `script_name`, percent-encoded, without a trailing slash: WebOb's."""
        return f"{self.host_url[:-1]}{_quoted(self.script_name)}"

    @property
    def path_qs(self) -> str:
        """The path from the root and the query, percent-encoded."""
        query = self.environ.get("QUERY_STRING")
        return f"{_quoted(self.script_name + self.path_info)}{f'?{query}' if query else ''}"

    @property
    def query_string(self) -> bytes:
        """The query, as received."""
        query: str = self.environ.get("QUERY_STRING", "")
        return query.encode("latin-1")

    @property
    def is_secure(self) -> bool:
        """Whether the scheme is https or wss."""
        return self.environ["wsgi.url_scheme"] in ("https", "wss")

    @property
    def access_route(self) -> list[str]:
        """The addresses in X-Forwarded-For, or else that of the peer. The former are only as reliable as the proxy."""
        forwarded = self.environ.get("HTTP_X_FORWARDED_FOR", "")
        claimed = [address.strip() for address in forwarded.split(",") if address.strip()]
        return claimed or [address for address in (self.remote_addr,) if address]

    # -- head ------------------------------------------------------------------------------------------------------

    @property
    def headers(self) -> RequestHeaders:
        """The fields. Changes and assignment change the environ too."""
        return RequestHeaders(self.environ)

    @headers.setter
    def headers(self, value: Any) -> None:
        fields = dict(value)
        self.headers.clear()
        self.headers.update(fields)

    @property
    def cookies(self) -> Cookies:
        """The cookies by name: the first of several. Changes and assignment change the environ too."""
        return Cookies(self.environ)

    @cookies.setter
    def cookies(self, value: Mapping[str, str]) -> None:
        self.environ.pop("HTTP_COOKIE", None)
        self.cookies.update(value)

    @property
    def user_agent(self) -> UserAgent:
        """User-Agent; empty if absent."""
        return UserAgent(self.environ.get("HTTP_USER_AGENT", ""))

    @property
    def authorization(self) -> Authorization | None:
        """The credentials of Authorization; None if absent, or if Basic credentials are malformed."""
        return Authorization.from_header(self.environ.get("HTTP_AUTHORIZATION", ""))

    date = lenient(BaseRequest.date)
    if_modified_since = lenient(BaseRequest.if_modified_since)
    if_unmodified_since = lenient(BaseRequest.if_unmodified_since)
    max_forwards = lenient(BaseRequest.max_forwards)

    @property
    def origin(self) -> str | None:
        """Origin, or None."""
        origin: str | None = self.environ.get("HTTP_ORIGIN")
        return origin

    @property
    def access_control_request_method(self) -> str | None:
        """The method that a preflight requests, or None."""
        method: str | None = self.environ.get("HTTP_ACCESS_CONTROL_REQUEST_METHOD")
        return method

    @property
    def access_control_request_headers(self) -> list[str]:
        """The headers that a preflight requests."""
        requested = self.environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")
        return [name.strip() for name in requested.split(",") if name.strip()]

    __str__ = BaseRequest.__repr__  # WebOb's would read the body

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(missing("request", name))

    def __setattr__(self, name: str, value: object) -> None:
        if not name.startswith("_") and name not in self.__dict__ and not hasattr(type(self), name):
            raise AttributeError(missing("request", name))
        super().__setattr__(name, value)


class Assignable:
    """A property that can be assigned: a non-data descriptor, which an attribute of the instance hides."""

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
    """Text of an environ, decoded as UTF-8 (PEP 3333 stores the bytes as latin-1)."""
    return text.encode("latin-1").decode("utf-8", "replace")


def _quoted(text: str) -> str:
    """A path, percent-encoded (RFC 3986 3.3)."""
    return quote(text, safe="/!$&'()*+,;=:@~")


def _readable(url: str) -> str:
    """The URL with non-ASCII characters decoded. ASCII escapes stay, because decoding could change the meaning."""
    return _NON_ASCII.sub(lambda found: percented(unquote(found[0], errors="surrogateescape")), url)

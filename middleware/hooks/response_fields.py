"""The attributes of a response that read and write header fields, where Flask's differ from WebOb's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date as day
from datetime import timedelta
from functools import partial
from hashlib import sha1
from json import dumps, loads
from typing import Any, Final

from webob.datetime_utils import parse_date

from middleware.hooks.cookies import retry_after_time, retry_after_value, seconds, set_cookie_value, written_date
from middleware.hooks.field_values import lenient, parameters
from middleware.hooks.response_headers import CacheControl, HeaderSet, ResponseHeaders
from middleware.http.lists import members
from middleware.http.media_types import is_json, media_type

_TEXTUAL: Final = ("application/ecmascript", "application/javascript", "application/sql", "application/xml")


def _field(name: str, read: Callable[[str], Any] = str, written: Callable[[Any], object] = str, about: str = "") -> Any:
    """An attribute for a field with one value: None if the field is absent or malformed, and None removes it."""

    def get(self: ResponseFields) -> Any:
        value = self.headers.get(name)
        return None if value is None else read(value)

    def set_to(self: ResponseFields, value: Any) -> None:
        if value is None:
            del self.headers[name]
        else:
            self.headers[name] = written(value)

    return lenient(property(get, set_to, lambda self: self.headers.remove(name), about or f"{name}, or None."))


def _age(value: int) -> int:
    if value < 0:
        raise ValueError(f"an Age is not negative (RFC 9111 5.1); got {value}")
    return value


def _members(name: str) -> Any:
    """An attribute for a list field: a HeaderSet, edited in place."""

    def get(self: ResponseFields) -> HeaderSet:
        return HeaderSet(members(self.headers.get_all(name)), partial(_store, self.headers, name))

    def set_to(self: ResponseFields, value: str | Iterable[str] | None) -> None:
        _store(self.headers, name, value if isinstance(value, str) else ", ".join(value or ()))

    return property(get, set_to, lambda self: self.headers.remove(name), f"The members of {name}.")


def _store(headers: ResponseHeaders, name: str, value: str) -> None:
    if value:
        headers[name] = value
    else:
        del headers[name]


class ResponseFields:
    """Base of Response: attributes computed from `headers` and the body."""

    headers: ResponseHeaders
    get_data: Callable[..., Any]
    set_data: Callable[..., None]
    _of_head: bool = False  # the application's response to a HEAD

    content_type = _field("Content-Type", about="The whole Content-Type field, or None.")
    content_length = _field("Content-Length", int, int)
    age = _field("Age", lambda value: timedelta(seconds=_age(int(value))), lambda value: _age(seconds(value)))
    date = _field("Date", parse_date, written_date)
    expires = _field("Expires", parse_date, written_date)
    last_modified = _field("Last-Modified", parse_date, written_date)
    retry_after = _field("Retry-After", retry_after_time, retry_after_value)
    access_control_allow_origin = _field("Access-Control-Allow-Origin")
    access_control_max_age = _field("Access-Control-Max-Age", int)
    access_control_allow_headers = _members("Access-Control-Allow-Headers")
    access_control_allow_methods = _members("Access-Control-Allow-Methods")
    access_control_expose_headers = _members("Access-Control-Expose-Headers")
    allow = _members("Allow")
    content_language = _members("Content-Language")
    vary = _members("Vary")

    @property
    def access_control_allow_credentials(self) -> bool:
        """Whether Access-Control-Allow-Credentials is present."""
        return "Access-Control-Allow-Credentials" in self.headers

    @access_control_allow_credentials.setter
    def access_control_allow_credentials(self, value: bool) -> None:
        _store(self.headers, "Access-Control-Allow-Credentials", "true" if value else "")

    # -- media type ----------------------------------------------------------------------------------------------

    @property
    def mimetype(self) -> str | None:
        """The media type without parameters. Assignment adds charset=utf-8 to text."""
        return media_type(self.content_type) or None

    @mimetype.setter
    def mimetype(self, value: str) -> None:
        textual = value.startswith("text/") or value in _TEXTUAL or value.endswith("+xml")
        self.content_type = f"{value}; charset=utf-8" if textual and "charset" not in value else value

    @property
    def mimetype_params(self) -> dict[str, str]:
        """The parameters of the media type. To change them, assign `content_type`."""
        return parameters(self.content_type or "")

    @property
    def content_type_params(self) -> dict[str, str]:
        """The parameters of the media type, as a copy. Assignment replaces them."""
        return self.mimetype_params

    @content_type_params.setter
    def content_type_params(self, value: dict[str, str] | None) -> None:
        self.headers.set("Content-Type", media_type(self.content_type), **(value or {}))

    # -- caching -------------------------------------------------------------------------------------------------

    @property
    def cache_control(self) -> CacheControl:
        """The directives of Cache-Control, edited in place."""
        text = ", ".join(self.headers.get_all("Cache-Control"))
        return CacheControl(text, partial(_store, self.headers, "Cache-Control"))

    @cache_control.setter
    def cache_control(self, value: str | CacheControl) -> None:
        _store(self.headers, "Cache-Control", str(value))

    def set_etag(self, etag: str, weak: bool = False) -> None:  # noqa: FBT001, FBT002 - Flask's signature
        """Set the ETag, given without quotes (RFC 9110 8.8.3). ValueError for a tag with quotes."""
        if '"' in etag:
            raise ValueError(f"an entity tag has no quotes in it; got {etag!r}")
        self.headers["ETag"] = f'W/"{etag}"' if weak else f'"{etag}"'

    def get_etag(self) -> tuple[str, bool] | tuple[None, None]:
        """The ETag without quotes, and whether it is weak; (None, None) if absent or empty."""
        value = self.headers.get("ETag")
        if not value:
            return None, None
        weak = value[:2] in ("W/", "w/")
        return (value[2:] if weak else value).strip('"'), weak

    def add_etag(self, overwrite: bool = False, weak: bool = False) -> None:  # noqa: FBT001, FBT002 - Flask's signature
        """Set the ETag to a hash of the data, unless there is one. Reads a streamed body.

        If the application has dropped the body of a HEAD, there is no ETag, because that of GET is unknown.
        """
        if not overwrite and "ETag" in self.headers:
            return
        if self._lacks_content():
            self.headers.remove("ETag")
        else:
            self.set_etag(sha1(self.get_data(), usedforsecurity=False).hexdigest(), weak)

    def _lacks_content(self) -> bool:
        """Whether the body may be empty only because the application has dropped that of a HEAD (RFC 9110 9.3.2)."""
        return self._of_head and not self.get_data()

    # -- JSON ----------------------------------------------------------------------------------------------------

    @property
    def is_json(self) -> bool:
        """Whether the media type is application/json or application/*+json."""
        return is_json(self.mimetype or "")

    def get_json(self, force: bool = False, silent: bool = False) -> Any:  # noqa: FBT001, FBT002 - Flask's signature
        """The data, parsed as JSON. None for another media type, unless `force`.

        Errors: ValueError for invalid JSON, unless `silent`.
        """
        if not (force or self.is_json):
            return None
        try:
            return loads(self.get_data())
        except ValueError:
            if silent:
                return None
            raise

    @property
    def json(self) -> Any:
        """`get_json()`. Assignment sets the data and the media type."""
        return self.get_json()

    @json.setter
    def json(self, value: Any) -> None:
        self.set_data(dumps(value, separators=(",", ":")))
        self.content_type = "application/json"

    json_body = json  # WebOb's name

    # -- cookies -------------------------------------------------------------------------------------------------

    def set_cookie(  # noqa: PLR0917 - Flask's signature
        self,
        key: str,
        value: str = "",
        max_age: timedelta | float | None = None,
        expires: str | day | timedelta | float | None = None,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,  # noqa: FBT001, FBT002 - Flask's signature
        httponly: bool = False,  # noqa: FBT001, FBT002 - Flask's signature
        samesite: str | None = None,
        partitioned: bool = False,  # noqa: FBT001, FBT002 - Flask's signature
    ) -> None:
        """Add a Set-Cookie line. Other cookies stay.

        Errors: TypeError for a value that is not a str; ValueError for a name that is not a token, for a `path`,
        `domain` or `expires` that could contain another attribute (RFC 6265 4.1.1), and for an unknown `samesite`.
        """
        cookie = set_cookie_value(
            key,
            value,
            max_age=max_age,
            expires=expires,
            path=path,
            domain=domain,
            secure=secure,
            httponly=httponly,
            samesite=samesite,
            partitioned=partitioned,
        )
        self.headers.add("Set-Cookie", cookie)

    def delete_cookie(  # noqa: PLR0917 - Flask's signature
        self,
        key: str,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,  # noqa: FBT001, FBT002 - Flask's signature
        httponly: bool = False,  # noqa: FBT001, FBT002 - Flask's signature
        samesite: str | None = None,
        partitioned: bool = False,  # noqa: FBT001, FBT002 - Flask's signature
    ) -> None:
        """Expire a cookie in the browser. Path and domain must be those with which it was set."""
        self.set_cookie(key, "", 0, 0, path, domain, secure, httponly, samesite, partitioned)

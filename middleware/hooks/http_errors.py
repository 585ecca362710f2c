"""Exceptions that are responses, and the keys under which errorhandlers are registered.

An exception is a response if it has a `code` and is a WSGI application: those of WebOb, Pyramid, Werkzeug and `abort`
alike, so `errorhandler(404)` gets all of them. One whose code is below 400 or None, such as a redirect, is sent as it
is and reaches no handler. The exceptions of `abort` are also WebOb's, so `except webob.exc.HTTPNotFound` catches them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import lru_cache
from html import escape
from http import HTTPStatus
from typing import Any, Final, NoReturn

from webob import exc

from middleware.hooks.cookies import retry_after_value
from middleware.hooks.response_object import Response
from middleware.wsgi.types import Application, Environ, StartResponse

# Classes that others derive from: their `code`, if any, is not that of one error.
_BASES: Final = frozenset(
    f"{module}:{name}"
    for module in ("webob.exc", "pyramid.httpexceptions", "werkzeug.exceptions", __name__)
    for name in ("HTTPException", "WSGIHTTPException", "HTTPError", "HTTPOk", "HTTPSuccessful", "HTTPRedirection")
)
_HALVES: Final = frozenset(  # all 4xx, all 5xx
    f"{module}:{name}"
    for module in ("webob.exc", "pyramid.httpexceptions")
    for name in ("HTTPClientError", "HTTPServerError")
)

_HTTPInternalServerError: Any = exc.HTTPInternalServerError  # Any, because its types allow no other __str__


class HTTPException(Exception):  # noqa: N818 - Flask's name
    """An error that is a response. `abort` raises its subclasses; the names are Flask's.

    Options:
        description: str or None. The text of the page, in place of the standard one. Default None.
        response: a response, or None. Sent in place of the page. Default None.

    Attributes:
        code: int, or None where `abort` was given a response.
        name: the reason phrase.
        description: the text of the page.
        response: the response given to the constructor, or None for the page.
        fields: the header fields of the page that are particular to the error, such as Allow.
    """

    code: int | None = None
    name: str = "Unknown Error"
    explanation: str = ""

    fields: tuple[tuple[str, str], ...] = ()

    def __init__(self, description: str | None = None, response: Any = None) -> None:
        super().__init__(description)
        self.description = self.explanation if description is None else description
        self.response = response

    def set_fields(self, **given: Any) -> None:
        """Set fields of the page by the keywords of `abort`. TypeError for one that the error does not have."""
        lines: list[tuple[str, str]] = []
        for keyword, value in given.items():
            codes, field, written = _FIELDS[keyword]
            if value is None:
                continue
            if self.code not in codes:
                raise TypeError(
                    f"abort({self.code}) has no {keyword!r}: set other fields on a response that it is given"
                )
            several = keyword == "www_authenticate" and isinstance(value, (list, tuple))
            lines += ((field, written(each)) for each in (value if several else (value,)))
        self.fields = tuple(lines)

    def get_response(self, environ: Environ | None = None) -> Any:  # noqa: ARG002 - Flask's signature
        """The response given to the constructor, or else a page."""
        if self.response is not None:
            return self.response
        return Response(self.get_body(), self.code, self.fields, content_type="text/html; charset=utf-8")

    def get_body(self) -> str:
        """The HTML of the page."""
        title, name = f"{self.code} {escape(self.name)}", escape(self.name)
        text = "".join(f"<p>{escape(line)}</p>\n" for line in self.description.splitlines())
        return f"<!doctype html>\n<html lang=en>\n<title>{title}</title>\n<h1>{name}</h1>\n{text}"

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Send the response: a WSGI application (PEP 3333)."""
        response: Application = self.get_response(environ)
        return response(environ, start_response)

    def __str__(self) -> str:
        return f"{self.code} {self.name}: {self.description}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} '{self.code}: {self.name}'>"


class InternalServerError(HTTPException, _HTTPInternalServerError):
    """The exception that errorhandlers for 500 get in place of an unhandled one.

    Options:
        description, response: those of HTTPException. The text of the page, or a response in its place. Default None.
        original_exception: exception or None. The unhandled exception. Default None.

    Attributes:
        original_exception: the unhandled exception, or None.
    """

    code = 500
    name = title = "Internal Server Error"
    explanation = HTTPStatus.INTERNAL_SERVER_ERROR.description

    def __init__(
        self, description: str | None = None, response: Any = None, original_exception: BaseException | None = None
    ) -> None:
        super().__init__(description, response)
        self.original_exception = original_exception


def _class_for(status: HTTPStatus) -> type[HTTPException]:
    """The exception class of a status, which derives from WebOb's class for it."""
    half = exc.HTTPClientError if status < 500 else exc.HTTPServerError
    attributes = {"code": int(status), "name": status.phrase, "title": status.phrase, "__module__": __name__}
    name = "".join(word[:1].upper() + word[1:] for word in status.phrase.replace("'", "").replace("-", " ").split())
    bases = HTTPException, exc.status_map.get(int(status), half)
    return type(name, bases, {**attributes, "explanation": status.description or status.phrase})


ERRORS: Final = {int(status): _class_for(status) for status in HTTPStatus if status >= 400}
ERRORS[500] = InternalServerError


# The keywords of `abort` for fields: the codes that have it, the name of the field, and its value.
_FIELDS: Final[dict[str, tuple[tuple[int, ...], str, Callable[[Any], str]]]] = {
    "length": ((416,), "Content-Range", "bytes */{}".format),
    "retry_after": ((429, 503), "Retry-After", retry_after_value),
    "valid_methods": ((405,), "Allow", ", ".join),
    "www_authenticate": ((401,), "WWW-Authenticate", str),
}


def abort(
    code: int | Application,
    description: str | None = None,
    response: Any = None,
    *,
    valid_methods: Iterable[str] | None = None,
    www_authenticate: Any = None,
    retry_after: datetime | int | None = None,
    length: int | None = None,
) -> NoReturn:
    """Raise the HTTPException of a status, or end the request with the given response.

    Options:
        code: int, 400 to 599, or a response. The status of the error, or the response that is sent. Required.
        description: str or None. The text of the page, in place of the standard one. Default None.
        response: a response, or None. Sent in place of the page. Default None.
        valid_methods: iterable of str, or None. The methods in Allow, for 405. Default None: no such field.
        www_authenticate: str, an object of Werkzeug, a list of them, or None. WWW-Authenticate, for 401. Default None.
        retry_after: datetime, int in seconds, or None. Retry-After, for 429 and 503. Default None.
        length: int in bytes, or None. The length of the whole in Content-Range, for 416. Default None.

    Errors: LookupError for a code that is not an error's; TypeError for a field that the error does not have.
    """
    if not isinstance(code, int) and callable(code):
        raise HTTPException(response=code)
    if not isinstance(code, int) or code not in ERRORS:
        raise LookupError(f"no exception for {code!r}: abort takes the code of an error, 400 to 599, or a response")
    error = ERRORS[code](description, response)
    error.set_fields(
        valid_methods=valid_methods, www_authenticate=www_authenticate, retry_after=retry_after, length=length
    )
    try:
        raise error
    finally:
        del error  # break the traceback reference cycle


def is_response(error: BaseException) -> bool:
    """Whether the exception is a WSGI application with a `code`, which may be None."""
    return callable(error) and hasattr(error, "code")


def reaches_no_handler(error: BaseException) -> bool:
    """Whether the exception is a response but not an error: a redirect, or a response without a code of its own."""
    return is_response(error) and (code_of(error) or 0) < 400


def code_of(error: BaseException | type) -> int | None:
    """The code of an exception that is a response, or of a class of such exceptions; None for any other."""
    kind = error if isinstance(error, type) else type(error)
    code = getattr(error, "code", None)
    if not isinstance(code, int) or _is_among(kind, _BASES | _HALVES):
        return None
    return code if any("__call__" in vars(base) for base in kind.__mro__) else None


def handler_key(key: object) -> tuple[int | None, type]:
    """The code and the class under which a handler for `key` is registered.

    A code and every class for exactly that code, from any library, share a key. So do the base classes of all
    libraries.

    Errors: ValueError for a code that is not an error's, and for a class that is not an Exception; TypeError for
    anything else.
    """
    if isinstance(key, int):
        if key not in ERRORS:
            raise ValueError(f"{key!r} is not the code of an error, 400 to 599; use an exception class for others")
        return key, object
    if not isinstance(key, type):
        raise TypeError(f"errorhandler takes a code or an exception class, not {key!r}")
    if not issubclass(key, Exception):
        raise ValueError(f"{key.__name__} is no subclass of Exception")  # noqa: TRY004 - as in Flask
    code = code_of(key)
    if code is None:
        return None, HTTPException if _is_among(key, _BASES) else key
    bases = set(key.__mro__[1:]).difference(ERRORS.values())
    return code, object if key in ERRORS.values() or code not in map(code_of, bases) else key


@lru_cache(maxsize=256)
def lineage(kind: type) -> tuple[type, ...]:
    """The classes under which a handler for an exception class may be registered, nearest first.

    `object` is the key of any class for that code.
    """
    mro = kind.__mro__
    if code_of(kind) is None or HTTPException in mro:
        return mro
    position = mro.index(Exception)
    return *mro[:position], HTTPException, *mro[position:]


def _is_among(kind: type, names: frozenset[str]) -> bool:
    return f"{kind.__module__}:{kind.__name__}" in names

"""Errors: exceptions that stand for responses, whoever's they are, and what errorhandlers are registered under.

An exception stands for a response if it has a `code` and is a WSGI application: those of WebOb, Pyramid, Werkzeug and
`abort` alike. `errorhandler(404)` gets all of them. What stands for no error (a code below 400, or none, as the classes
have that WebOb's others derive from) is its own response and reaches no handler. The exceptions of `abort` are WebOb's
too, so that `except webob.exc.HTTPNotFound` catches them.
"""

from __future__ import annotations

from functools import lru_cache
from html import escape
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NoReturn

from webob import exc

from middleware.hooks.response import Response

if TYPE_CHECKING:
    from collections.abc import Iterable

    from middleware.wsgi.types import Application, Environ, StartResponse

_BASES: Final = frozenset(
    f"{module}:{name}"
    for module in ("webob.exc", "pyramid.httpexceptions", "werkzeug.exceptions", __name__)
    for name in ("HTTPException", "WSGIHTTPException", "HTTPError", "HTTPOk", "HTTPSuccessful", "HTTPRedirection")
)
_HALVES: Final = frozenset(
    f"{module}:{name}"
    for module in ("webob.exc", "pyramid.httpexceptions")
    for name in ("HTTPClientError", "HTTPServerError")
)

_HTTPInternalServerError: Any = exc.HTTPInternalServerError  # whose types allow no other str()


class HTTPException(Exception):  # noqa: N818 - the name that everybody knows
    """An error that is a response: what `abort` raises, under Flask's names.

    Options:
        description: str or None. What the page says, in place of the usual words. Default None.
        response: a response, or None. What is sent in place of the page. Default None.

    Attributes:
        code: int, or None where `abort` was given a response.
        name: the reason phrase.
        description: for people, on the page that is the response.
        response: the response that it was made with, or None: the page.
    """

    code: int | None = None
    name: str = "Unknown Error"
    explanation: str = ""

    def __init__(self, description: str | None = None, response: Any = None) -> None:
        super().__init__(description)
        self.description = self.explanation if description is None else description
        self.response = response

    def get_response(self, environ: Environ | None = None) -> Any:  # noqa: ARG002 - Flask's signature
        """The response: the one that it was made with, or a page."""
        if self.response is not None:
            return self.response
        return Response(self.get_body(), self.code, content_type="text/html; charset=utf-8")

    def get_body(self) -> str:
        """The page."""
        title, name = f"{self.code} {escape(self.name)}", escape(self.name)
        told = "".join(f"<p>{escape(line)}</p>\n" for line in self.description.splitlines())
        return f"<!doctype html>\n<html lang=en>\n<title>{title}</title>\n<h1>{name}</h1>\n{told}"

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Be the response (PEP 3333)."""
        response: Application = self.get_response(environ)
        return response(environ, start_response)

    def __str__(self) -> str:
        return f"{self.code} {self.name}: {self.description}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} '{self.code}: {self.name}'>"


class InternalServerError(HTTPException, _HTTPInternalServerError):
    """What handlers of the code 500 get for an exception that no handler is for.

    Options:
        description, response: those of HTTPException. What the client gets. Default None.
        original_exception: exception, or None. What it stands for. Default None.

    Attributes:
        original_exception: that exception, or None.
    """

    code = 500
    name = title = "Internal Server Error"
    explanation = HTTPStatus.INTERNAL_SERVER_ERROR.description

    def __init__(
        self, description: str | None = None, response: Any = None, original_exception: BaseException | None = None
    ) -> None:
        super().__init__(description, response)
        self.original_exception = original_exception


def _made(status: HTTPStatus) -> type[HTTPException]:
    """The exception class of a status: ours and WebOb's."""
    half = exc.HTTPClientError if status < 500 else exc.HTTPServerError
    words = {"code": int(status), "name": status.phrase, "title": status.phrase, "__module__": __name__}
    name = "".join(word[:1].upper() + word[1:] for word in status.phrase.replace("'", "").replace("-", " ").split())
    bases = HTTPException, exc.status_map.get(int(status), half)
    return type(name, bases, {**words, "explanation": status.description or status.phrase})


ERRORS: Final = {int(status): _made(status) for status in HTTPStatus if status >= 400}
ERRORS[500] = InternalServerError


def abort(code: int | Application, description: str | None = None, response: Any = None) -> NoReturn:
    """Raise the error of this status; given a response instead, end the request with that.

    Options:
        code: int, 400 to 599, or a response. What the client gets. Required.
        description: str or None. What the page says, in place of the usual words. Default None.
        response: a response, or None. What is sent in place of the page. Default None.

    Errors: LookupError for a code that is no error's.
    """
    if not isinstance(code, int):
        raise HTTPException(response=code)
    if code not in ERRORS:
        raise LookupError(f"no exception for {code!r}: abort takes the code of an error, 400 to 599, or a response")
    raise ERRORS[code](description, response)


def is_response(error: BaseException) -> bool:
    """Whether the exception is a WSGI application that says what its code is, even none."""
    return callable(error) and hasattr(error, "code")


def stands_for_no_error(error: BaseException) -> bool:
    """Whether it is a response that no handler is for: a redirect, or one without a code of its own."""
    return is_response(error) and (code_of(error) or 0) < 400


def code_of(error: BaseException | type) -> int | None:
    """The code of an error that stands for a response, or of a class of them; None of all others."""
    kind = error if isinstance(error, type) else type(error)
    code = getattr(error, "code", None)
    if not isinstance(code, int) or _is(kind, _BASES | _HALVES):
        return None
    return code if any("__call__" in vars(base) for base in kind.__mro__) else None


def slot_of(key: object) -> tuple[int | None, type]:
    """The code and the class under which a handler is registered.

    A code, and the class that stands for exactly that code, whoever's it is, are the same. So are the classes from
    which all such classes derive.

    Errors: ValueError for a code that is no error's, and for a class that is no Exception; TypeError for all else.
    """
    if isinstance(key, int):
        if key not in ERRORS:
            raise ValueError(f"{key!r} is not the code of an error, 400 to 599; use an exception class for others")
        return key, object
    if not isinstance(key, type):
        raise TypeError(f"errorhandler takes a code or an exception class, not {key!r}")
    if not issubclass(key, Exception):
        raise ValueError(f"{key.__name__} is no subclass of Exception")  # noqa: TRY004 - as in Flask
    return _slot(key)


def _slot(kind: type[Exception]) -> tuple[int | None, type]:
    code = code_of(kind)
    if code is None:
        return None, HTTPException if _is(kind, _BASES) else kind
    first = all(code_of(base) != code for base in kind.__mro__[1:] if base not in ERRORS.values())
    return code, object if first or kind in ERRORS.values() else kind


@lru_cache(maxsize=256)
def lineage(kind: type) -> tuple[type, ...]:
    """The classes under which a handler for it may stand, nearest first; `object` is any of its code."""
    mro = kind.__mro__
    if code_of(kind) is None or HTTPException in mro:
        return mro
    place = mro.index(Exception)
    return *mro[:place], HTTPException, *mro[place:]


def _is(kind: type, known: frozenset[str]) -> bool:
    return f"{kind.__module__}:{kind.__name__}" in known

"""Functions around each other, written by hand, and classes around each other, the way they are mostly written."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeAlias

from benchmarks import limit
from benchmarks.case import Case, fields, names
from benchmarks.limit import FOUR, SECURITY, SMALL
from benchmarks.peers.site import ORIGIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from benchmarks.case import Application

    Lines: TypeAlias = list[tuple[str, str]]


class SetField:
    """Sets a field, the way it is mostly written."""

    def __init__(self, app: Application, name: str, value: str) -> None:
        self.app, self.name, self.value = app, name, value

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def custom_start_response(status: str, headers: Lines, exc_info: Any = None) -> Any:
            headers = [(name, value) for name, value in headers if name.lower() != self.name.lower()]
            headers.append((self.name, self.value))
            return start_response(status, headers, exc_info)

        return self.app(environ, custom_start_response)


class SetTiming:
    """Says the milliseconds, the way it is mostly written."""

    def __init__(self, app: Application) -> None:
        self.app = app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        begun = perf_counter()

        def custom_start_response(status: str, headers: Lines, exc_info: Any = None) -> Any:
            milliseconds = (perf_counter() - begun) * 1000
            headers = [*headers, ("Server-Timing", f"total;dur={milliseconds:.3f}")]
            return start_response(status, headers, exc_info)

        return self.app(environ, custom_start_response)


class SetSecurity:
    """Adds the five fields where they are not there yet, the way it is mostly written."""

    def __init__(self, app: Application) -> None:
        self.app = app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def custom_start_response(status: str, headers: Lines, exc_info: Any = None) -> Any:
            there = [name.lower() for name, _ in headers]
            headers = headers + [line for line in SECURITY if line[0].lower() not in there]
            return start_response(status, headers, exc_info)

        return self.app(environ, custom_start_response)


class Share:
    """Lets one origin read, the way it is mostly written."""

    def __init__(self, app: Application) -> None:
        self.app = app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def custom_start_response(status: str, headers: Lines, exc_info: Any = None) -> Any:
            headers = _varied(headers, "Origin")
            if environ.get("HTTP_ORIGIN") == ORIGIN:
                headers.append(("Access-Control-Allow-Origin", ORIGIN))
            return start_response(status, headers, exc_info)

        return self.app(environ, custom_start_response)


class Declined:
    """Finds that the page is too small to be encoded, the way it is mostly written."""

    def __init__(self, app: Application) -> None:
        self.app = app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def custom_start_response(status: str, headers: Lines, exc_info: Any = None) -> Any:
            length = int(next((value for name, value in headers if name.lower() == "content-length"), 0))
            if "gzip" in environ.get("HTTP_ACCEPT_ENCODING", "") and length >= SMALL:
                raise NotImplementedError
            return start_response(status, _varied(headers, "Accept-Encoding"), exc_info)

        return self.app(environ, custom_start_response)


def _varied(headers: Lines, name: str) -> Lines:
    there = [value for other, value in headers if other.lower() == "vary"]
    return [*(line for line in headers if line[0].lower() != "vary"), ("Vary", ", ".join([*there, name]))]


def naive(count: int) -> Callable[[Application], Application]:
    """So many classes around each other."""

    def make(app: Application) -> Application:
        for name, value in fields(count):
            app = SetField(app, name, value)
        return app

    return make


def naive_both(app: Application) -> Application:
    """Both jobs in two classes."""
    return SetTiming(naive(1)(app))


def naive_four(app: Application) -> Application:
    """The four jobs in four classes."""
    return SetTiming(SetSecurity(Share(Declined(app))))


def tight(count: int) -> Callable[[Application], Application]:
    """So many functions written by hand around each other."""

    def make(app: Application) -> Application:
        for name, value in fields(count):
            app = limit.field(app, name, value)
        return app

    return make


def tight_both(app: Application) -> Application:
    """Both jobs in two of them."""
    return limit.timing(tight(1)(app))


def tight_four(app: Application) -> Application:
    """The four jobs in four functions."""
    return limit.timing(limit.security(limit.cors(limit.declined(app))))


BOTH = (*names(1), "Server-Timing")
CASES = (
    Case("tight/both", "nested closures, both jobs", tight_both, sends=BOTH, limit="limit/both"),
    Case("naive/both", "nested classes, both jobs", naive_both, sends=BOTH, limit="limit/both"),
    Case("tight/four", "4 nested closures", tight_four, FOUR, "limit/four"),
    Case("naive/four", "4 nested classes", naive_four, FOUR, "limit/four"),
)

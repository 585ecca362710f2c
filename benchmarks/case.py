"""Case: one row of the table, and the application that all of them wrap."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import middleware

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Application: TypeAlias = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

STATUS: Final = "200 OK"
PAGE: Final = b"<!doctype html><title>page</title>".ljust(1024, b".")
CONTENT: Final = ("Content-Type", "Content-Length")
ENVIRON: Final[dict[str, Any]] = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/",
    "QUERY_STRING": "",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "8080",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REMOTE_ADDR": "127.0.0.1",
    "HTTP_HOST": "localhost:8080",
    "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
    "HTTP_ACCEPT": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "HTTP_ACCEPT_ENCODING": "gzip, deflate, br, zstd",
    "HTTP_ACCEPT_LANGUAGE": "en-GB,en;q=0.5",
    "HTTP_ORIGIN": "https://app.example",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.multithread": True,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
}


def page(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Answer 1 KiB of HTML with two fields: the bare application."""
    start_response(STATUS, [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", "1024")])
    return [PAGE]


@dataclass(frozen=True)
class Case:
    """One row.

    Attributes:
        key: its name in gates and in the JSON.
        label: its name in the table.
        make: puts what is measured around an application.
        sends: the fields that its response must have beside `own`; with others it is not measured.
        limit: the key of the hand-written function that does the same, if there is one.
        needs: packages that must be installed; the row is skipped without one of them.
        over: the key of the case that it is measured over: the bare application, or that of its framework.
        layers: names that the package must have; the row is skipped without one of them.
        asks: what the request has in its environ beside `ENVIRON`.
        app: the application that `make` gets.
        status: of the response.
        body: of the response.
        own: the fields that the application sends and the response must keep.
    """

    key: str
    label: str
    make: Callable[[Application], Application]
    sends: tuple[str, ...] = ()
    limit: str | None = None
    needs: tuple[str, ...] = ()
    over: str = "bare"
    layers: tuple[str, ...] = ()
    asks: Mapping[str, Any] = field(default_factory=dict)
    app: Application = page
    status: str = STATUS
    body: bytes = PAGE
    own: tuple[str, ...] = CONTENT

    @property
    def missing(self) -> tuple[str, ...]:
        """The packages and layers that it needs and that there are not."""
        packages = (package for package in self.needs if find_spec(package) is None)
        return (*packages, *(f"middleware.{name}" for name in self.layers if not known(name)))


def known(name: str) -> bool:
    """True if the package has a public name; a dot leads to an attribute of it."""
    found: Any = middleware
    for part in name.split("."):
        found = getattr(found, part, None)
    return found is not None


def fields(count: int) -> tuple[tuple[str, str], ...]:
    """So many different fields to set."""
    return tuple((f"X-Field-{number}", f"value {number}") for number in range(count))


def names(count: int) -> tuple[str, ...]:
    """The names of those fields."""
    return tuple(name for name, _ in fields(count))

"""What an application of the matrix is given, and what becomes of it: the view from inside of a middleware."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from wsgiref.validate import validator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from middleware.wsgi.types import Application, Environ, StartResponse, Write

    Headers = list[tuple[str, str]]


class Watched:
    """An application that writes down what it is given, and what it gives."""

    def __init__(self, app: Application) -> None:
        self.app = app
        self.calls = 0
        self.environ: Environ = {}
        self.method: str | None = None
        self.returned: Any = None
        self.lists: list[tuple[Headers, Headers]] = []  # each header list, and what was in it

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Run the application."""
        self.calls += 1
        self.environ, self.method = environ, environ.get("REQUEST_METHOD")

        def start(status: str, headers: Headers, *exc_info: Any) -> Write:
            self.lists.append((headers, list(headers)))
            return start_response(status, headers, *exc_info)

        self.returned = self.app(environ, start)
        result: Iterable[bytes] = self.returned
        return result


class Linted:
    """An application inside wsgiref.validate, whose complaints are written down: a middleware may answer them."""

    def __init__(self, app: Application) -> None:
        self.app = validator(app)
        self.complaints: list[str] = []
        self.given: list[Any] = []

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Run the application."""
        self.given.append(self._told(self.app, environ, start_response))
        return _Complaining(self.given[-1], self._told)

    def end(self) -> None:
        """Close what the middleware has left open: wsgiref.validate would say so when it is collected, to nobody."""
        for iterable in self.given:
            if not iterable.closed:
                iterable.close()

    def _told(self, call: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except AssertionError as error:
            if is_complaint(error):
                self.complaints.append(str(error))
            raise


class _Complaining:
    def __init__(self, iterable: Any, told: Callable[..., Any]) -> None:
        self._iterable, self._told = iterable, told
        self._iterator = iter(iterable)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk: bytes = self._told(next, self._iterator)
        return chunk

    def close(self) -> None:
        self._told(self._iterable.close)


def is_complaint(error: BaseException | None) -> bool:
    """Whether wsgiref.validate has raised it."""
    trace = error.__traceback__ if error else None
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_globals.get("__name__") == validator.__module__

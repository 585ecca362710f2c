"""Closing: bodies that are closed once, and functions that are all called, even if one of them raises."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, TypeAlias, cast

Closers: TypeAlias = "Sequence[Callable[[], object]]"


def close_all(closers: Iterable[Callable[[], object] | None]) -> None:
    """Call each closer, even if another raises. An ExitStack would create a reference cycle with the exception."""
    left = iter(closers)
    try:
        for closing in left:
            if closing is not None:
                closing()
    except Exception:
        close_all(left)
        raise
    except BaseException:
        with suppress(Exception):  # an error of another closer does not replace an interruption
            close_all(left)
        raise


class ClosedOnce:
    """A stream with a close() that can be called again."""

    __slots__ = ("_body", "_closed")

    def __init__(self, body: Any) -> None:
        self._body = body
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def __next__(self) -> bytes:
        return cast("bytes", next(self._body))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)

    def close(self) -> None:
        """Close the stream, once."""
        if not self._closed:
            self._closed = True
            self._body.close()


class SizedClosedOnce(ClosedOnce):
    """A ClosedOnce for a body that has a length."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self._body)


class ClosingList(list[bytes]):
    """A sized body with close()."""

    def __init__(self, body: Iterable[bytes], closers: Closers) -> None:
        super().__init__(body)
        self._closers = closers

    def close(self) -> None:
        """Call the closers, once."""
        closers, self._closers = self._closers, ()
        close_all(closers)

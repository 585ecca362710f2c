"""Breaches in words: each law once, with its source, and the applications that show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from middleware.testing.laws import LAWS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from middleware.testing.laws import Breach

_SHOWN: Final = 3  # applications for each law; the others by name


def report(middleware: object, found: Sequence[Breach]) -> str:
    """Everything that was found, law by law, in the order of the laws."""
    laws = [law for law in LAWS if any(breach.law == law for breach in found)]
    count = f"{len(laws)} law" + "s" * (len(laws) > 1)
    lines = [f"{_name(middleware)} is not transparent: it breaks {count}"]
    for law in laws:
        lines += ["", *_law(law, [breach for breach in found if breach.law == law])]
    return "\n".join(lines)


def _name(middleware: object) -> str:
    return getattr(middleware, "__qualname__", None) or repr(middleware)


def _law(law: str, found: Sequence[Breach]) -> Iterator[str]:
    yield f"{law}: {LAWS[law].sentence} [{LAWS[law].source}]"
    for breach in found[:_SHOWN]:
        yield f"    application  {breach.case}"
        yield f"        seen     {breach.seen}"
        yield f"        owed     {breach.owed}"
    if len(found) > _SHOWN:
        yield f"    and so with  {', '.join(breach.case.partition(':')[0] for breach in found[_SHOWN:])}"

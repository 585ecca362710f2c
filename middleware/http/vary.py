"""Vary: which request fields selected this response (RFC 9110 12.5.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def members(values: Iterable[str]) -> list[str]:
    """The members of a list that may stand on several lines; empty ones do not count (RFC 9110 5.6.1)."""
    return [member for value in values for part in value.split(",") if (member := part.strip(" \t"))]


def merge(values: Iterable[str], names: Iterable[str]) -> str:
    """One Vary value with every member once, in the order they came; `*` stands for all and so stands alone."""
    merged: dict[str, str] = {}
    for member in (*members(values), *names):
        merged.setdefault(member.lower(), member)
    return "*" if "*" in merged else ", ".join(merged.values())

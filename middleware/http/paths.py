"""Paths: dot segments and segment boundaries (RFC 3986 sections 3.3 and 5.2.4)."""

from __future__ import annotations


def resolved(path: str) -> str:
    """The path without dot segments (RFC 3986 5.2.4): /a/../b is /b, and nothing leads above the root."""
    kept: list[str] = []
    parts = path.split("/")
    for part in parts:
        if part == "..":
            if len(kept) > 1:
                kept.pop()
        elif part != ".":
            kept.append(part)
    if parts[-1] in (".", ".."):
        kept.append("")
    return "/".join(kept)


def segments(path: str) -> tuple[str, ...]:
    """The segments of an absolute path, without the empty one that a trailing slash leaves."""
    return tuple(path.rstrip("/").split("/"))[1:]


def below(path: tuple[str, ...], prefix: tuple[str, ...]) -> bool:
    """Whether the path is the prefix, or goes on from it at a segment boundary."""
    return path[: len(prefix)] == prefix

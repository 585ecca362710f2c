"""The predicates of `when`, where a user looks for them: `from middleware.match import path`."""

from __future__ import annotations

from middleware.stack.match import Predicate, header, host, method, path

__all__ = ["Predicate", "header", "host", "method", "path"]

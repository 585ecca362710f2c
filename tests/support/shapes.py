"""The applications of `middleware.testing`, under a short name."""

from __future__ import annotations

from middleware.testing.shapes import SHAPES
from middleware.testing.shapes.definition import TEXT, Failure, Shape, returning
from middleware.testing.shapes.definition import CountedBody as Body
from middleware.testing.shapes.responses import ByIndex

__all__ = ["SHAPES", "TEXT", "Body", "ByIndex", "Failure", "Shape", "returning"]


async def coroutine(*_):
    """A function where one without async belongs: nothing awaits what it returns."""

"""The applications of `middleware.testing`, under a short name."""

from __future__ import annotations

from middleware.testing.shapes import SHAPES
from middleware.testing.shapes.definition import TEXT, Body, ByIndex, Failure, Shape, returning

__all__ = ["SHAPES", "TEXT", "Body", "ByIndex", "Failure", "Shape", "returning"]

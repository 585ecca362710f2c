"""The applications of `middleware.testing`, under a short name."""

from __future__ import annotations

from middleware.testing.shape import TEXT, Body, ByIndex, Failure, Shape, returning
from middleware.testing.shapes import SHAPES

__all__ = ["SHAPES", "TEXT", "Body", "ByIndex", "Failure", "Shape", "returning"]

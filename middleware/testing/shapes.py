"""Applications of every shape that PEP 3333 allows, and of some that it does not (`lint` is False)."""

from __future__ import annotations

from typing import Final

from middleware.testing.failures import FAILURES
from middleware.testing.responses import RESPONSES

# Every shape of application, those that do not fail first.
SHAPES: Final = (*RESPONSES, *FAILURES)

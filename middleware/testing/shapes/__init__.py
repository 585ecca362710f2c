"""Applications of every shape that PEP 3333 allows, and of some that it does not (`lint` is False).

A new shape is a decorated function in `responses` or `failures`.
"""

from typing import Final

from middleware.testing.shapes.failures import FAILURES
from middleware.testing.shapes.responses import RESPONSES

# All shapes, the failing ones last.
SHAPES: Final = (*RESPONSES, *FAILURES)

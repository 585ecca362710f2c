"""Assertions for tests of any WSGI middleware: that it is transparent, and that the order of a stack stays.

    from middleware.testing import assert_order, assert_wsgi_transparent

    def test_it_is_transparent():
        assert_wsgi_transparent(MyMiddleware)

Nothing here needs pytest; `middleware.testing.plugin` provides fixtures. Names load on first use.
"""

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.testing.gateway import Answer as Answer
    from middleware.testing.gateway import environ as environ
    from middleware.testing.gateway import serve as serve
    from middleware.testing.laws import Breach as Breach
    from middleware.testing.shapes import SHAPES as SHAPES
    from middleware.testing.stacks import assert_order as assert_order
    from middleware.testing.transparency import assert_wsgi_transparent as assert_wsgi_transparent
    from middleware.testing.transparency import breaches as breaches

_HOMES = {
    "Answer": "gateway",
    "Breach": "laws",
    "SHAPES": "shapes",
    "assert_order": "stacks",
    "assert_wsgi_transparent": "transparency",
    "breaches": "transparency",
    "environ": "gateway",
    "serve": "gateway",
}
__all__ = [*_HOMES]  # noqa: PLE0604 - they are str


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value

"""The pytest plugin, `-p middleware.testing.plugin`: what `middleware.testing` has, as fixtures.

It has no entry point, so that installing the package changes no other project's tests. It loads nothing of the matrix
until a test asks for it.
"""

from __future__ import annotations

from typing import Any

import pytest

from middleware import testing


@pytest.fixture(scope="session")
def wsgi_transparent() -> Any:
    """`assert_wsgi_transparent`: every shape of WSGI application inside a middleware."""
    return testing.assert_wsgi_transparent


@pytest.fixture(scope="session")
def wsgi_order() -> Any:
    """`assert_order`: the order of a stack."""
    return testing.assert_order


@pytest.fixture(scope="session")
def wsgi_serve() -> Any:
    """`serve`: one request to a WSGI application, by a strict server in a function."""
    return testing.serve

"""The pytest plugin, `-p middleware.testing.plugin`: the functions of `middleware.testing` as fixtures.

It has no entry point, so that installing the package does not change the tests of other projects. The matrix loads
when a test requests a fixture.
"""

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

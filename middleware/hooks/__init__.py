"""Hooks: Flask's hooks around any WSGI application, on WebOb's request and response; ContextHooks: those of Kyoukai.

    from middleware import Hooks
    from middleware.hooks import abort, after_this_request, g, jsonify, make_response, request

`g`, `request` and `after_this_request` belong to the request that is being answered: in hooks, in the application while
it is called, and in its body while that is iterated.
"""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "'cgi' is deprecated", DeprecationWarning)
    import webob  # noqa: F401 - before all that import it: on Python 3.11 and 3.12 it warns of its own import of cgi

from middleware.hooks.context import after_this_request, g, has_request_context, request
from middleware.hooks.context_layer import ContextHooks
from middleware.hooks.contextual import HTTPRequestContext
from middleware.hooks.convert import jsonify, make_response
from middleware.hooks.errors import HTTPException, InternalServerError, abort
from middleware.hooks.layer import Hooks
from middleware.hooks.request import Request
from middleware.hooks.response import Response

__all__ = [
    "ContextHooks",
    "HTTPException",
    "HTTPRequestContext",
    "Hooks",
    "InternalServerError",
    "Request",
    "Response",
    "abort",
    "after_this_request",
    "g",
    "has_request_context",
    "jsonify",
    "make_response",
    "request",
]

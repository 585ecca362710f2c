"""Request hooks around any WSGI application: Hooks has Flask's, ContextHooks has Kyoukai's.

    from middleware import Hooks
    from middleware.hooks import abort, after_this_request, g, jsonify, make_response, request

Request and response are WebOb's, under Flask's names too. `g`, `request` and `after_this_request` belong to the current
request: in hooks, in the application while it is called, and while its body is iterated.
"""

import warnings

with warnings.catch_warnings():
    # On Python 3.11 and 3.12 WebOb causes this warning by importing cgi. Later imports of webob find it loaded.
    warnings.filterwarnings("ignore", "'cgi' is deprecated", DeprecationWarning)
    import webob  # noqa: F401 - loaded here because of its warning

from middleware.hooks.context import after_this_request, g, has_request_context, request
from middleware.hooks.flask import Hooks
from middleware.hooks.http_errors import HTTPException, InternalServerError, abort
from middleware.hooks.kyoukai import ContextHooks, HTTPRequestContext
from middleware.hooks.request import Request
from middleware.hooks.response_conversion import jsonify, make_response
from middleware.hooks.response_object import Response

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

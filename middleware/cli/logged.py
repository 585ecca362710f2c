"""The log of `serve`: a line for each request, and every record with its time, level, process and request id."""

import logging
import warnings
from typing import Final

from middleware.layers.access_log import AccessLog
from middleware.layers.request_id import RequestId
from middleware.logs import RequestIdFilter
from middleware.sight.nested import always_meets
from middleware.stack.builder import Stack
from middleware.stack.order import OrderWarning
from middleware.wsgi.layer import Middleware
from middleware.wsgi.response import Response
from middleware.wsgi.types import Application, Environ

ACCESS_LOGS: Final = ("combined", "json", "off")
_RECORD: Final = "%(asctime)s %(levelname)s %(process)d [%(request_id)s] %(message)s"


class LoggedId(RequestId):
    """An id for the log records of a request, without a response field."""

    def on_response(self, environ: Environ, response: Response) -> None:
        """Do nothing: the response does not have the id."""


def logged(app: Application, form: str, redact: tuple[str, ...] = ()) -> Application:
    """Write log records to stderr; add the access log and the request ids that not all requests to `app` meet."""
    root, access = logging.getLogger(), logging.getLogger("middleware.access")
    if not root.handlers:  # otherwise the application has configured logging
        handler = logging.StreamHandler()
        handler.addFilter(RequestIdFilter(default="-"))
        handler.setFormatter(logging.Formatter(_RECORD))
        root.addHandler(handler)
        access.setLevel(logging.INFO)
        if form == "json":  # without a prefix, so that programs can read it
            access.addHandler(logging.StreamHandler())
            access.propagate = False
    wanted: list[Middleware] = [] if always_meets(app, RequestId) else [LoggedId()]
    if form != "off" and not always_meets(app, AccessLog):
        wanted.append(AccessLog(format=form, redact=redact))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OrderWarning)
        return Stack(*wanted).wrap(app, on_error="raise")

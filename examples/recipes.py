"""Four uses of request hooks, each by hooks and by layers, side by side.

Log every response; log errors with the data of the request; time a request by `g`; clean up at the end. The hooks are
Flask's, around any application; the layers do the same without a hook that is to be written. Each recipe is at
/hooks/... and at /layers/..., over the same pages: /, /error and /work.

Run it from within examples/, by waitress or by this package:

    waitress-serve --listen=127.0.0.1:8080 recipes:application
    python -m middleware serve recipes:application --listen 127.0.0.1:8080

    curl -i http://127.0.0.1:8080/layers/time/work

shows Server-Timing, and the log shows one line for each request.
"""

import logging
import time
from wsgiref.util import shift_path_info

from middleware import AccessLog, Hooks, Middleware, RequestId, Stack, Timing
from middleware.hooks import g, request
from middleware.logs import RequestIdFilter

logging.basicConfig(level=logging.INFO, format="%(request_id)s %(name)s: %(message)s")
for handler in logging.getLogger().handlers:
    handler.addFilter(RequestIdFilter(default="-"))
log = logging.getLogger("recipes")


class Pool:
    """Stands for a pool of connections to a database."""

    def __init__(self):
        self.taken = 0

    def take(self):
        self.taken += 1

    def give_back(self):
        self.taken -= 1


pool = Pool()


def site(environ, start_response):
    if environ["PATH_INFO"] == "/error":
        raise RuntimeError("the view failed")
    if "middleware.timing" in environ:  # there is a Timing outside
        with environ["middleware.timing"].measure("db"):
            time.sleep(0.001)
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [f"connections taken: {pool.taken}\n".encode()]


# -- log every response ------------------------------------------------------------------------------------------------

log_hooks = Hooks()


@log_hooks.after_request
def log_response(response):
    log.info("Response status: %s", response.status)  # sees no bytes, no client that goes away, no error in the body
    return response


log_layers = Stack(AccessLog(format="combined"))


# -- log errors with the data of the request ---------------------------------------------------------------------------

error_hooks = Hooks()


@error_hooks.after_request
def log_error(response):
    if response.status_code >= 400:
        log.error("Request failed with status %s: %s %s", response.status_code, request.method, request.path)
    return response


def failed(measurement):
    """A line for a request that failed, with its error, also one in the body; None, and no line, for others."""
    if measurement.error is None and measurement.status_code < 400:
        return None
    what = measurement.error or measurement.status
    return f"{measurement.method} {measurement.target} from {measurement.client}: {what}"


# The stack logs the traceback; that record has request_id, method, path and layer as attributes.
error_layers = Stack(RequestId(), AccessLog(format=failed))


# -- time a request ----------------------------------------------------------------------------------------------------

time_hooks = Hooks()


@time_hooks.before_request
def start_clock():
    g.started = time.perf_counter()


@time_hooks.after_request
def stop_clock(response):
    response.headers["X-Timed"] = f"{time.perf_counter() - g.started:.6f}"
    return response


time_layers = Stack(Timing())


# -- clean up at the end -----------------------------------------------------------------------------------------------

clean_hooks = Hooks()


@clean_hooks.before_request
def take():
    pool.take()


@clean_hooks.teardown_request
def give_back(error):
    pool.give_back()


class Connection(Middleware):
    """Takes a connection for a request, and gives it back when the response is over, however that went."""

    def on_request(self, environ):
        pool.take()

    def on_close(self, environ, error):
        pool.give_back()


clean_layers = Stack(Connection())

RECIPES = {
    ("hooks", "log"): Stack(log_hooks).wrap(site),
    ("layers", "log"): log_layers.wrap(site),
    ("hooks", "errors"): Stack(error_hooks).wrap(site),
    ("layers", "errors"): error_layers.wrap(site),
    ("hooks", "time"): Stack(time_hooks).wrap(site),
    ("layers", "time"): time_layers.wrap(site),
    ("hooks", "clean"): Stack(clean_hooks).wrap(site),
    ("layers", "clean"): clean_layers.wrap(site),
}


def application(environ, start_response):
    """Leads to the recipes: /hooks/log/... and so on."""
    recipe = RECIPES.get((shift_path_info(environ), shift_path_info(environ)))
    if recipe is None:
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"try /hooks/log/ or /layers/log/, and errors, time, clean\n"]
    return recipe(environ, start_response)

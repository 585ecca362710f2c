"""Middleware of other libraries in a stack: Werkzeug's ProxyFix and WhiteNoise, each through External.

Both are known to the order rules: with WhiteNoise outside of Timing, say, wrap() would refuse the stack, because static
files would leave without Server-Timing.

Run it from within examples/, by waitress (which drops X-Forwarded-* unless it is told not to) or by this package:

    waitress-serve --listen=127.0.0.1:8080 --no-clear-untrusted-proxy-headers third_party:application
    python -m middleware serve third_party:application --listen 127.0.0.1:8080

    curl -i http://127.0.0.1:8080/static/hello.txt

shows a file from static/ with X-App and Server-Timing. With waitress,

    curl -H 'X-Forwarded-For: 203.0.113.7' -H 'X-Forwarded-Proto: https' http://127.0.0.1:8080/

answers "203.0.113.7 by https", as ProxyFix has put it into the environ.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from werkzeug.middleware.proxy_fix import ProxyFix
from whitenoise import WhiteNoise

from middleware import External, Headers, Stack, Timing


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Say who asks, and how."""
    body = f"{environ['REMOTE_ADDR']} by {environ['wsgi.url_scheme']}\n".encode("latin-1")
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


stack = Stack(
    Timing(),
    Headers(set={"X-App": "demo"}),
    External(ProxyFix, x_for=1, x_proto=1),
    External(WhiteNoise, root=str(Path(__file__).parent / "static"), prefix="static/"),
)
application = stack.wrap(app)

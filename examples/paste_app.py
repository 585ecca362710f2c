"""A chain that is written in paste.ini, around an application that is named there too.

Run it from within examples/, by waitress or by this package:

    waitress-serve --listen=127.0.0.1:8080 paste_app:application
    python -m middleware serve paste_app:application --listen 127.0.0.1:8080

    curl -i http://127.0.0.1:8080/

shows X-App, two lines of Link, and what the other sections say. For Pyramid's `pserve`, add a [server:main].
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from paste.deploy import loadapp


def hello(global_conf: dict[str, str], **options: str) -> Callable[..., Iterable[bytes]]:  # noqa: ARG001
    """Make the application."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:  # noqa: ARG001
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"Hello from paste.ini\n" * 10]

    return app


application = loadapp(f"config:{Path(__file__).with_name('paste.ini')}")

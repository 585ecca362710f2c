"""Settings for every test: Hypothesis may take its time, since nothing here depends on how fast the machine is.

And what the tests with a real browser share: the browser, and servers for it.
"""

from __future__ import annotations

import os
import shutil
import threading

import pytest
from hypothesis import HealthCheck, settings
from waitress.server import create_server

import middleware.hooks  # noqa: F401 - imports WebOb, without the warning of cgi, before the tests and Pyramid do

pytest_plugins = ["pytester"]  # runs a pytest in a test

settings.register_profile("patient", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def serving():
    """Serve applications by waitress; each call returns the address."""
    running = []

    def serve(app):
        server = create_server(app, listen="127.0.0.1:0", ident=None, threads=2)
        thread = threading.Thread(target=server.run)
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{server.effective_port}"

    yield serve
    for server, thread in running:
        server.trigger.pull_trigger(lambda server=server: server.asyncore.close_all(server._map))
        thread.join(60)
        server.task_dispatcher.shutdown()


@pytest.fixture(scope="module")
def browser():
    """A Chromium; without one the test is skipped, but not in CI."""
    if CHROMIUM is None:
        assert not os.environ.get("CI"), "chromium is not installed: apt-get install chromium"
        pytest.skip("chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()

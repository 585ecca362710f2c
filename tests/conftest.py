"""Settings for every test: Hypothesis may take its time, since nothing here depends on how fast the machine is.

And what the tests with a real browser share, and a line at the end that names the programs that were missing.
"""

from __future__ import annotations

import gc
import os
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from waitress.server import create_server

import middleware.hooks  # noqa: F401 - imports WebOb, without the warning of cgi, before the tests and Pyramid do
from needed import LACKING, needs
from serving import stop

pytest_plugins = ["pytester"]  # runs a pytest in a test

settings.register_profile("patient", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_finish():
    """Leave what the collection has made to itself: no garbage is among it, and there are too many tests to search."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter):
    """Say what to install."""
    if LACKING:
        terminalreporter.write_sep("-", "skipped for want of programs")
        terminalreporter.write_line(f"To run all tests: apt-get install {' '.join(sorted(LACKING))}")


def pytest_sessionfinish(session):
    """Tell the coverage gate, or the process that has divided the tests among several."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["lacking"] = sorted(LACKING)
    elif "LACKING" in os.environ:
        Path(os.environ["LACKING"]).write_text("\n".join(sorted(LACKING)), "utf-8")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Take over what a process of pytest-xdist lacked."""
    LACKING.update(getattr(node, "workeroutput", {}).get("lacking", ()))


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
        stop(server, thread)


@pytest.fixture(scope="module")
def browser():
    """A Chromium."""
    chromium = needs("chromium", "chromium-browser")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield opened
        opened.close()

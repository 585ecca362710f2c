"""README.md: its code runs, what it shows is what comes out, and it is short enough to be read."""

from __future__ import annotations

import re
from pathlib import Path

import middleware
from gateway import serve
from middleware import Headers, Stack, Timing
from shapes import Failure

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_first_example_answers_an_error_as_it_says(caplog):
    def app(environ, start_response):
        raise Failure

    names = {"app": app}
    exec(re.search(r"```python\n(.*?)```", README, re.DOTALL)[1], names)  # noqa: S102 - it is our own
    answer = serve(names["application"], "/error", HTTP_ORIGIN="https://app.example")
    shown = re.search(r"^HTTP/1.1 (.*)\n((?:[\w-]+: .*\n)+)```", README, re.MULTILINE)
    assert answer.status == shown[1]
    for line in shown[2].splitlines():
        name, _, value = line.partition(": ")
        assert name == "Server-Timing" or answer.get(name) == value
        assert answer.get(name)


def test_the_chain_is_printed_as_it_says():
    printed = re.search(r"```text\n(.*?)\n```", README, re.DOTALL)[1]
    assert printed == str(Stack(Timing(), Headers(set={"X-App": "demo"})))


def test_every_layer_is_in_the_table():
    layers = {
        name
        for name in middleware.__all__
        if isinstance(kind := getattr(middleware, name), type) and issubclass(kind, middleware.Middleware)
    }
    rows = re.findall(r"^\| ((?:`[A-Z]\w+`(?:, )?)+) \|", README, re.MULTILINE)
    assert layers - {"Middleware"} == set(re.findall(r"\w+", " ".join(rows)))


def test_it_is_short():
    assert len(README.splitlines()) <= 150

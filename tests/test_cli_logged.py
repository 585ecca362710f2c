"""`serve` logs: a line for each request, and records with time, level, process and request id, on stderr."""

from __future__ import annotations

import json
import logging
import os
import re

from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from gateway import serve
from middleware import AccessLog, Headers, RequestId, Stack, match
from middleware.cli.logged import logged


def app(environ, start_response):
    logging.getLogger("shop").warning("sold out")
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"hi"]


def unconfigured(monkeypatch):
    """Have loggers as a new interpreter has them. Called in a test, because pytest adds its handlers just before."""
    for logger in (logging.getLogger(), logging.getLogger("middleware.access")):
        for name, value in {"handlers": [], "level": logger.level, "propagate": True}.items():
            monkeypatch.setattr(logger, name, value)


def lines_of(wrapped, capsys):
    answer = serve(wrapped, "/a", REMOTE_ADDR="192.0.2.1")
    return answer, capsys.readouterr().err.splitlines()


def test_each_record_has_its_time_its_level_the_process_and_the_request_id(capsys, monkeypatch):
    unconfigured(monkeypatch)
    answer, lines = lines_of(logged(app, "combined"), capsys)
    form = rf"[\d-]+ [\d:,]+ (\w+) {os.getpid()} \[(\w+)\] (.*)"
    shown = [re.fullmatch(form, line).groups() for line in lines]
    known = answer.environ["middleware.request_id"]
    assert answer.headers == [("Content-Type", "text/plain"), ("Content-Length", "2")]
    assert [each[:2] for each in shown] == [("WARNING", known), ("INFO", known)]
    assert shown[0][2] == "sold out"
    assert shown[1][2].startswith("192.0.2.1 - - [")


def test_an_access_log_as_json_is_nothing_but_json(capsys, monkeypatch):
    unconfigured(monkeypatch)
    answer, lines = lines_of(logged(app, "json"), capsys)
    assert len(lines) == 2
    assert answer.environ["middleware.request_id"] in json.loads(lines[1]).values()


def test_no_access_log_leaves_the_other_records(capsys, monkeypatch):
    unconfigured(monkeypatch)
    _, lines = lines_of(logged(app, "off"), capsys)
    assert [line.rpartition("] ")[2] for line in lines] == ["sold out"]


def test_what_the_stack_has_is_not_added():
    wrapped = Stack(RequestId(), AccessLog(), Headers(set={"X-App": "1"})).wrap(app)
    assert logged(wrapped, "combined") is wrapped
    assert logged(logged(app, "off"), "off").stack.names == ("LoggedId",)
    around = Stack(Headers(set={"X-Out": "1"})).wrap(wrapped)
    assert logged(around, "combined") is around


def test_what_stands_inside_another_middleware_is_not_added():
    complete = Stack(RequestId(), AccessLog()).wrap(app)
    for given in (
        ProxyFix(complete),
        ProxyFix(RequestId(AccessLog(app))),
        DispatcherMiddleware(complete, {"/shop": ProxyFix(complete)}),
    ):
        assert logged(given, "combined") is given
    alone = AccessLog(app)
    assert logged(alone, "combined").stack.names == ("LoggedId",)


def test_what_some_mounted_applications_lack_is_added():
    """A request without a line is worse than one with two."""
    complete = Stack(RequestId(), AccessLog()).wrap(app)
    conditional = Stack(RequestId(), AccessLog().when(match.path("/api"))).wrap(app)
    assert logged(conditional, "combined").stack.names == ("AccessLog",)
    for given in (DispatcherMiddleware(complete, {"/shop": app}), DispatcherMiddleware(app, {"/shop": complete})):
        assert logged(given, "combined").stack.names == ("LoggedId", "AccessLog")


def test_what_the_stack_of_a_flask_application_has_is_not_added():
    site = Flask("site")
    site.wsgi_app = Stack(RequestId(), AccessLog()).wrap(site.wsgi_app)
    assert logged(site, "combined") is site
    site.wsgi_app = ProxyFix(site.wsgi_app)
    assert logged(site, "combined") is site


def test_an_application_that_has_configured_its_logging_keeps_it(capsys):
    assert logging.getLogger().handlers
    assert lines_of(logged(app, "combined"), capsys)[1] == []

"""What guards answer: text or a problem (RFC 9457), with what belongs on every response, and a note of why."""

from __future__ import annotations

import json

import pytest

from gateway import serve
from middleware import (
    CORS,
    BasicAuth,
    CrossOriginProtection,
    HTTPSRedirect,
    Redirect,
    Respond,
    SecurityHeaders,
    Stack,
    Timing,
    TrustedHosts,
    match,
)
from middleware.http.problem import problem
from shapes import returning

APP = returning([b"site"], headers=[("Content-Type", "text/plain")])[0]


def refuses(user, password):
    return False


# A guard, what a request has that it refuses, the status, and the note of why.
REFUSED = {
    "host": (TrustedHosts(hosts="a.example"), {"HTTP_HOST": "b.example"}, 400, "The Host of the request is not served"),
    "no-host": (TrustedHosts(hosts="*"), {"HTTP_HOST": ""}, 400, "The Host of the request is missing or malformed."),
    "https": (HTTPSRedirect(), {"HTTP_HOST": "b/"}, 400, "The Host of the request is missing or malformed."),
    "https-target": (HTTPSRedirect(), {"REQUEST_URI": "@evil"}, 400, "The target of the request is not a path."),
    "origin": (
        CrossOriginProtection(),
        {"REQUEST_METHOD": "POST", "HTTP_SEC_FETCH_SITE": "cross-site"},
        403,
        "from another origin: Sec-Fetch-Site is 'cross-site', Origin is None, Host is '127.0.0.1'",
    ),
    "user": (BasicAuth(verify=refuses), {}, 401, "no Basic credentials in Authorization, or malformed ones"),
    "redirect": (Redirect("/new"), {"QUERY_STRING": "#"}, 400, "not redirected to '/new': a query is %x21-7E"),
}
every_refusal = pytest.mark.parametrize(("layer", "asked", "status", "why"), REFUSED.values(), ids=REFUSED)


# Accept -> whether it prefers JSON (RFC 9110 12.5.1); ties are text.
ACCEPTS = {
    "": False,
    "*/*": False,
    "application/json": True,
    "application/problem+json": True,
    "application/vnd.api+json": True,
    "APPLICATION/JSON": True,
    "application/*": True,
    "application/json, text/plain": False,
    "application/json, text/plain;q=0.9": True,
    "application/json;q=0.5, text/html": False,
    "application/json, */*": False,
    "application/json, */*;q=0.1": True,
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": False,
    "application/json;q=0": False,
    "application/json;q=2": False,  # malformed, and so ignored
    "application/json;q=1;a=b": True,
    "application/json;seq=1": True,
    "application/json; seq=1; q=0.5, text/html;q=0.4": True,
    "application/json;seq=1;q=2": False,
    "application/json, application/json;q=0, text/plain;q=0.5": False,
    "application/json;q=0, application/json, text/plain;q=0.5": False,  # of a range that is named twice, the lower
    "application/json;q=0.1, application/*, text/plain;q=0.5": True,  # the answer is application/problem+json
    "json": False,
    ",, application/json ,": True,
}


@pytest.mark.parametrize(("accept", "as_json"), ACCEPTS.items())
def test_json_is_for_clients_that_prefer_it(accept, as_json):
    answer = serve(BasicAuth(APP, verify=refuses), HTTP_ACCEPT=accept)
    assert (answer.get("Content-Type") == "application/problem+json") is as_json


def test_a_problem_of_an_unregistered_status_has_a_title():
    assert json.loads(problem(599, "x"))["title"] == "Unknown"


def refused(stack, asked, **more):
    environ = {**asked, **more}
    return serve(stack.wrap(APP), method=environ.pop("REQUEST_METHOD", "GET"), lint=False, **environ)


@every_refusal
def test_a_refusal_is_a_line_of_text_or_a_problem_for_clients_that_prefer_json(layer, asked, status, why):
    text = refused(Stack(layer), asked)
    assert (text.status[:3], text.get("Content-Type")) == (str(status), "text/plain; charset=utf-8")
    problem = refused(Stack(layer), asked, HTTP_ACCEPT="application/json, text/plain;q=0.5")
    assert (problem.status, problem.get("Content-Type")) == (text.status, "application/problem+json")
    assert json.loads(problem.body) == {
        "type": "about:blank",
        "title": text.status[4:],
        "status": status,
        "detail": text.body.decode().rstrip("\n"),
    }
    for answer in (text, problem):
        assert answer.get("Vary") == "Accept"
        assert (answer.get("Cache-Control") == "no-store") is (status in (401, 403))
        assert int(answer.get("Content-Length")) == len(answer.body)


@every_refusal
def test_a_refusal_carries_what_belongs_on_every_response(layer, asked, status, why):
    measured = []
    stack = Stack(
        Timing(on_complete=lambda measurement: measured.append(measurement.status[:3])),
        SecurityHeaders(),
        CORS(allow_origins="https://b.example"),
        layer,
    )
    assert not [finding for finding in stack.check() if finding.severity == "error"]
    answer = refused(stack, asked, HTTP_ORIGIN="https://b.example")
    assert answer.status[:3] == str(status)
    assert answer.get("Access-Control-Allow-Origin") == "https://b.example"
    assert answer.get("X-Content-Type-Options") == "nosniff"
    assert "total" in answer.get("Server-Timing")
    assert measured == [str(status)]


@every_refusal
def test_a_preflight_is_answered_outside_of_a_guard(layer, asked, status, why):
    stack = Stack(SecurityHeaders(), CORS(allow_origins="https://b.example"), layer)
    preflight = {"HTTP_ORIGIN": "https://b.example", "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "POST"}
    answer = refused(stack, {**asked, "REQUEST_METHOD": "OPTIONS"}, **preflight)
    assert answer.status == "204 No Content"


@every_refusal
def test_a_guard_outside_of_what_belongs_on_every_response_is_an_error_of_order(layer, asked, status, why):
    found = Stack(layer, SecurityHeaders()).check()
    assert [(each.rule, each.severity) for each in found] == [("answer-inside-every-response", "error")]


@every_refusal
def test_whoever_listens_is_told_why(layer, asked, status, why):
    notes = []
    refused(Stack(layer), asked, **{"middleware.notes": notes})
    assert [note.startswith(why) for note in notes] == [True]


# A guard, what a request has that passes or is answered otherwise, the status, the note.
TOLD = [
    (HTTPSRedirect(exempt=match.path("/")), {}, 200, ["over http, and exempt"]),
    (HTTPSRedirect(), {}, 308, ["over http"]),
    (
        HTTPSRedirect(),
        {"HTTP_X_FORWARDED_PROTO": "https"},
        308,
        ["X-Forwarded-Proto is https, and wsgi.url_scheme is http: the proxy is not trusted"],
    ),
    (
        CrossOriginProtection(exempt=match.path("/")),
        {"REQUEST_METHOD": "POST", "HTTP_SEC_FETCH_SITE": "cross-site"},
        200,
        ["from another origin, and exempt"],
    ),
    (BasicAuth(verify=refuses), {"HTTP_AUTHORIZATION": "Basic Og=="}, 401, ["verify did not return True"]),
    (Respond(404), {}, 404, ["answers every request that it sees"]),
    (Redirect("/new"), {}, 308, ["answers every request that it sees"]),
    (Redirect(lambda environ: "/new"), {}, 308, ["its callable returned '/new'"]),
    (Redirect(lambda environ: None), {}, 200, ["its callable returned None"]),
    (TrustedHosts(hosts="*"), {}, 200, []),
    (CrossOriginProtection(), {}, 200, []),
]


@pytest.mark.parametrize(("layer", "asked", "status", "notes"), TOLD)
def test_so_is_one_who_asks_about_what_passes(layer, asked, status, notes):
    told = []
    answer = refused(Stack(layer), asked, **{"middleware.notes": told})
    assert (answer.status[:3], told) == (str(status), notes)


@pytest.mark.parametrize("layer", [TrustedHosts(hosts="a.example"), BasicAuth(verify=refuses), Respond(404, "x")])
def test_a_refused_head_request_gets_the_head_alone(layer):
    head, get = (serve(layer.wrap(APP), method=method) for method in ("HEAD", "GET"))
    assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")

"""What other CORS middleware does, case by case: held where they agree, and where we chose to do the same.

And the browser's side, held to what browsers do: other tests ask it what our responses mean.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

import browser_side
from gateway import serve
from middleware import CORS, ConfigError, Middleware, Stack

FOLDER = Path(__file__).parent / "conformance"
CASES = json.loads((FOLDER / "cors.json").read_text(encoding="utf-8"))["cases"]
CLIENT = json.loads((FOLDER / "fetch_client.json").read_text(encoding="utf-8"))["cases"]

# Where peers differ: True where we do as in the case, else what we do instead (docs/explanation/cors.md says why). A
# dict is the status and the fields that we send, ConfigError what the configuration is.
REFUSED = {"status": 403, "access-control-allow-origin": None}
CHOICES = {
    "policy:option-name": True,
    "policy:max-age-0": {"access-control-max-age": "0"},
    "policy:accept-set": True,
    "policy:timedelta": True,
    "policy:vary-dedup": True,
    "policy:vary-acrh": True,
    "policy:exceptions": True,
    "policy:per-route": True,
    "policy:acam-on-plain-OPTIONS": True,
    "policy:wildcard+credentials": ConfigError,
    "policy:star+predicate": ConfigError,
    "policy:max-age-negative": ConfigError,
    "policy:nonstandard-origin": ConfigError,
    "policy:header-regex": ConfigError,
    "policy:config-error": None,
    "policy:reject-status": {"status": 403, "access-control-allow-private-network": None},
    "policy:preflight-any-OPTIONS": {"status": 200, "access-control-allow-methods": None},
    "policy:preflight-without-Origin": {"status": 200, "access-control-allow-methods": None},
    "policy:strict-preflight": {"status": 200, "access-control-allow-methods": None},
    "policy:acah-without-acrh": {"status": 204, "access-control-allow-headers": None},
    "policy:vary-always": {"vary": None, "access-control-allow-origin": "*"},
    "policy:acao-on-no-origin": {"vary": None, "access-control-allow-origin": "*"},
    "policy:predicate-extra-vary": {"vary": "Origin", "access-control-allow-origin": "http://foobar.com"},
    "policy:default-allow-headers": REFUSED,
    "policy:empty-ACRM": REFUSED,
    "policy:pna-vary": {
        "access-control-allow-private-network": "true",
        "vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
    },
    "policy:pna-on-actual": {"access-control-allow-private-network": None},
    "policy:method-check-on-actual": {"access-control-allow-origin": "http://example.com"},
    "policy:default-max-age": {"access-control-max-age": "600"},
    "policy:vary-single-fixed-origin": {"vary": "Origin"},
    "policy:predicate-nonbool": {"status": 200, "access-control-allow-origin": None},
    "policy:stack-order": {"status": 200, "access-control-allow-origin": None},
    "contra:RFC9110-8.6": {"status": 204, "content-length": None},
}
# Private network off is no reason to refuse a preflight: the browser decides what the missing field means.
UNASKED = {"cors/starlette/pna-disabled-requested": {"status": 204, "access-control-allow-private-network": None}}
# Pages from files have the origin null; nobody sends file://.
NO_ORIGIN = "cors/django-cors-headers/config-ok:-file://-and-null"
NAMES = {
    "origins": "allow_origins",
    "methods": "allow_methods",
    "allow_headers": "allow_headers",
    "credentials": "allow_credentials",
    "expose": "expose_headers",
    "max_age": "max_age",
    "private_network": "allow_private_network",
    "options_success_status": "preflight_status",
}


def header(environ, name):
    return environ.get(f"HTTP_{name.upper().replace('-', '_')}")


PREDICATES = {
    "true": lambda origin, environ: True,
    "false": lambda origin, environ: False,
    "None": lambda origin, environ: None,
    "origin == 'http://example.com'": lambda origin, environ: origin == "http://example.com",
    "re.match('^http://foo', origin) and headers['authorization']=='secret'": lambda origin, environ: (
        origin.startswith("http://foo") and header(environ, "authorization") == "secret"
    ),
    "path.startswith('/api/')": lambda origin, environ: environ["PATH_INFO"].startswith("/api/"),
}


def origin(given):
    """An origin of a case in our words; those who search mean a match anywhere, and we match all of it."""
    if not isinstance(given, dict):
        return given
    if "glob" in given:
        return given["glob"]
    if "predicate" in given:
        return PREDICATES[given["predicate"]]
    before = ".*" if given.get("match") == "search" else ""
    return re.compile(f"{before}(?:{given['regex']})")


def options(config):
    """The options of a case in our words."""
    ours = {NAMES[name]: value for name, value in config.items() if name in NAMES}
    origins = ours.get("allow_origins", ())
    if isinstance(origins, dict):
        ours["allow_origins"] = set(origins["set"])
    elif origins in (False, "reflect"):
        ours["allow_origins"] = PREDICATES["true"] if origins else ()
    elif isinstance(origins, list):
        ours["allow_origins"] = list(map(origin, origins))
    if ours.get("allow_headers") == "reflect":
        ours["allow_headers"] = "*"
    if ours.get("allow_headers") == "default":
        del ours["allow_headers"]
    if isinstance(ours.get("max_age"), dict):
        ours["max_age"] = timedelta(seconds=ours["max_age"]["timedelta_s"])
    if isinstance(ours.get("expose_headers"), str):
        ours["expose_headers"] = ours["expose_headers"].split(",")
    return ours


def fixed(case):
    """The same, where peers take what would be a ConfigError here: who means it says so in another way."""
    ours = options(case["config"])
    if ours.get("allow_credentials") and ours.get("allow_origins") == "*":
        ours["allow_origins"] = PREDICATES["true"]
    if case["source"]["repo"] == "expressjs/cors":  # by its default any header may be asked for
        ours.setdefault("allow_headers", "*")
    if case["config"].keys() <= {"options_success_status"}:  # and any origin
        ours["allow_origins"] = "*"
    if isinstance(ours.get("allow_origins"), list):
        ours["allow_origins"] = ["https://bar.com" if one == "bar.com" else one for one in ours["allow_origins"]]
    return ours


class Answering(Middleware):
    """Answers every request by itself."""

    def on_request(self, environ):
        return application([])


def layers(case):
    config = case["config"]
    layer = CORS(**fixed(case))
    if "paths" in config:
        layer = layer.when(lambda environ: re.search(config["paths"], environ["PATH_INFO"]) is not None)
    if "disabled_paths" in config:
        layer = layer.when(lambda environ: environ["PATH_INFO"] not in config["disabled_paths"])
    return [Answering(), layer] if case["class"] == "policy:stack-order" else [layer]


def application(lines):
    def app(environ, start_response):
        if environ["PATH_INFO"] == "/boom":
            raise ValueError("boom")
        status = "404 Not Found" if "404" in environ["PATH_INFO"] else "200 OK"
        start_response(status, [("Content-Type", "text/plain"), *lines])
        return [b"x"]

    return app


def keys(headers):
    """Request headers as a server hands them on: lines of a name joined."""
    lists = {name: value if isinstance(value, list) else [value] for name, value in headers.items()}
    return {f"HTTP_{name.upper().replace('-', '_')}": ",".join(values) for name, values in lists.items()}


def response(case):
    request = case["request"]
    script, _, path = request["path"].rpartition("|")
    app = Stack(*layers(case)).wrap(application(case["app_response_headers"].items()))
    return serve(app, path, request["method"], SCRIPT_NAME=script, **keys(request["headers"]))


def members(value):
    return [part.strip() for part in value.split(",") if part.strip()]


def verdict(case, answer):
    """What a browser makes of it."""
    sent = case["request"]["headers"]
    asked = members(sent.get("access-control-request-headers", ""))
    return browser_side.preflight_allows(
        origin=sent["origin"],
        method=sent["access-control-request-method"],
        headers=asked,
        status=int(answer.status[:3]),
        acao=answer.get_all("access-control-allow-origin"),
        acam=answer.get_all("access-control-allow-methods"),
        acah=answer.get_all("access-control-allow-headers"),
    )


# form -> whether the members that were sent are the wanted ones
FORMS = {
    "members": lambda sent, wanted: {part.lower() for part in wanted} <= {part.lower() for part in sent},
    "includes": lambda sent, wanted: set(wanted) <= set(sent),
    "includes_ci": lambda sent, wanted: {part.lower() for part in wanted} <= {part.lower() for part in sent},
    "list": lambda sent, wanted: sent == wanted,
    "list_ci": lambda sent, wanted: [part.lower() for part in sent] == [part.lower() for part in wanted],
    "set_ci": lambda sent, wanted: {part.lower() for part in sent} == {part.lower() for part in wanted},
    "present": lambda sent, wanted: bool(sent) is wanted,
    "has_star": lambda sent, wanted: ("*" in sent) is wanted,
    "no_duplicates": lambda sent, wanted: len(sent) == len({part.lower() for part in sent}),
    "policy": lambda sent, wanted: True,  # a remark
    "or_star": lambda sent, wanted: True,  # what else would be right
}


def holds(case, name, expected, answer):
    if name == "cors_ok":
        return verdict(case, answer) is expected
    lines = answer.get_all(name)
    if expected is None:
        return not lines
    if name == "content-length" and answer.status.startswith("204"):
        return not lines  # what has no content has no length (RFC 9110 8.6)
    [value] = lines
    if isinstance(expected, str):
        return members(value) == members(expected)
    return all(FORMS[form](members(value), wanted) for form, wanted in expected.items())


def status_holds(case, answer):
    """200 and 204 are both fine for a preflight; where others refuse one by silence, we do by a 403."""
    expected = case["expect"]["status"]
    if is_preflight(case) and case["expect"]["headers"].get("access-control-allow-origin", "") is None:
        return answer.status[:3] == "403"
    allowed = {None: answer.status[:3], 200: ("200", "204"), 204: ("200", "204")}.get(expected, str(expected))
    return answer.status[:3] in allowed


def is_preflight(case):
    return case["request"]["method"] == "OPTIONS" and "access-control-request-method" in case["request"]["headers"]


def named(cases):
    return pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in cases])


def is_about(case, kind):
    """Whether a case is about a response, or about a configuration."""
    return (case["request"]["method"] is not None) is (kind == "response")


@named([case for case in CASES if CHOICES.get(case["class"], True) is True and is_about(case, "response")])
def test_the_response_is_as_in_the_case(case):
    answer = response(case)
    assert answer.error is None
    assert status_holds(case, answer)
    wrong = [name for name, wanted in case["expect"]["headers"].items() if not holds(case, name, wanted, answer)]
    assert wrong == [], answer.headers


@named([case for case in CASES if isinstance(CHOICES.get(case["class"]), dict)])
def test_where_we_chose_otherwise_we_do_what_is_documented(case):
    chosen = dict(UNASKED.get(case["id"], CHOICES[case["class"]]))
    answer = response(case)
    assert answer.error is None
    assert answer.status.startswith(str(chosen.pop("status", "")))
    assert {name: answer.get(name) for name in chosen} == chosen


@named([case for case in CASES if CHOICES.get(case["class"]) is ConfigError])
def test_what_others_accept_is_refused_where_that_is_our_choice(case):
    with pytest.raises(ConfigError):
        CORS(**options(case["config"]))


@named([case for case in CASES if is_about(case, "configuration")])
def test_a_configuration_that_cannot_be_right_is_refused_at_construction(case):
    """A single string counts as one value; that is where we take more than others."""
    refused = case["expect"]["headers"]["config_error"]
    if case["id"] == NO_ORIGIN:
        refused = True
    elif case["class"] == "policy:config-error":
        refused = False
    if not refused:
        CORS(**options(case["config"]))
        return
    with pytest.raises(ConfigError, match=r"^CORS: "):
        CORS(**options(case["config"]))


def test_every_case_is_held_or_has_a_choice():
    assert len(CASES) == 169
    assert {case["class"] for case in CASES} == {"consensus", *CHOICES}


CHECKS = {
    "cors_check": browser_side.cors_check,
    "preflight": browser_side.preflight_allows,
    "expose": browser_side.exposes,
    "needs_preflight": browser_side.needs_preflight,
}


@named(CLIENT)
def test_the_browser_side_concludes_what_browsers_do(case):
    assert CHECKS[case["kind"]](**case["input"]) is case["expect"]


def test_every_case_of_the_browser_side_is_run():
    assert len(CLIENT) == 139

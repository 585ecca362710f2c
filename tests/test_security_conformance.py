"""What other security middleware does, case by case: held where they agree, and where we chose to do the same."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import structured_fields
from browser_rules import parsed
from gateway import serve
from middleware import CSP, HSTS, ConfigError, Headers, SecurityHeaders, Stack

FILE = Path(__file__).parent / "conformance" / "security.json"
CASES = json.loads(FILE.read_text(encoding="utf-8"))["cases"]
# Where peers differ: True where we do as in the case, else what we do instead. docs/explanation/security-headers.md
# says why.
CHOICES = {
    "policy:normalise-case": True,
    "policy:csp-keyword-lint": True,
    "policy:default-set": "the presets",
    "policy:float-max-age": ConfigError,
    "policy:preload-requirements": ConfigError,
    "policy:callable": ConfigError,
    "policy:callable-error": ConfigError,
    "policy:hsts-0": "max-age=0; includeSubDomains",
    "policy:false-means": "Headers",
    "policy:deprecated": TypeError,
    "policy:https-redirect": TypeError,
}
SENT_BY_HEADERS = {"dns_prefetch_control": ("X-DNS-Prefetch-Control", {True: "on", False: "off"})}
DEFAULTS_OF_OURS = {  # what `balanced` does where the defaults of peers are other ones
    "content-security-policy": "; no upgrade-insecure-requests: it breaks http in development",
    "origin-agent-cluster": None,
    "x-dns-prefetch-control": None,
    "x-download-options": None,
    "x-permitted-cross-domain-policies": None,
    "x-xss-protection": None,
    "x-frame-options": "SAMEORIGIN",
}


def layer(config):
    """The layer that a case describes."""
    options = {} if config == "helmet-defaults" else dict(config)
    if options.get("frame_options") == "default":
        del options["frame_options"]
    if "hsts" in options:
        options["hsts"] = HSTS(**options["hsts"])
    if "csp_pairs" in options:
        options["csp"] = dict(map(tuple, options.pop("csp_pairs")))
    for option in SENT_BY_HEADERS.keys() & options:
        name, words = SENT_BY_HEADERS[option]
        return Headers(default={name: words[options[option]]})
    return SecurityHeaders(**options)


def response(case):
    lines = [("Content-Type", "text/plain"), *case["app_response_headers"].items()]

    def app(environ, start_response):
        start_response("200 OK", lines)
        return [b"x"]

    return serve(Stack(layer(case["config"])).wrap(app), **{"wsgi.url_scheme": case["request"]["scheme"]})


def holds(name, expected, answer):
    """Whether a field of the answer is what a case expects, and stands on one line."""
    lines = answer.get_all(name)
    if expected is None:
        return not lines
    [value] = lines
    if isinstance(expected, str):
        return value == expected
    [(form, wanted)] = expected.items()
    if form == "csp_directives":
        return sorted(part.strip() for part in value.split(";")) == sorted(wanted)
    if form == "sf_dict":
        return structured_fields.dictionary(value) == structured_fields.dictionary(wanted)
    return re.fullmatch(wanted, value) is not None


def named(cases):
    return pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in cases])


FOLLOWED = [case for case in CASES if CHOICES.get(case["class"], True) is True]


@named([case for case in FOLLOWED if "headers" in case["expect"]])
def test_the_response_is_as_in_the_case(case):
    answer = response(case)
    assert answer.error is None
    assert all(holds(name, expected, answer) for name, expected in case["expect"]["headers"].items()), answer.headers


@named([case for case in FOLLOWED if "config_error" in case["expect"]])
def test_a_configuration_that_cannot_be_right_is_refused_at_construction(case):
    unknown = "includeSubdomains" in case["config"].get("hsts", ())
    with pytest.raises(TypeError if unknown else ConfigError):
        layer(case["config"])


@named([case for case in CASES if CHOICES.get(case["class"]) in (ConfigError, TypeError)])
def test_what_others_accept_is_refused_where_that_is_our_choice(case):
    with pytest.raises(CHOICES[case["class"]]):
        layer(case["config"])


@named([case for case in CASES if isinstance(CHOICES.get(case["class"]), str)])
def test_where_we_chose_otherwise_we_do_what_is_documented(case):
    answer = response(case)
    for name, expected in case["expect"]["headers"].items():
        chosen = CHOICES[case["class"]]
        if case["class"] == "policy:default-set":
            chosen = DEFAULTS_OF_OURS.get(name, expected)
            if name == "content-security-policy":
                ours, theirs = parsed(answer.get(name)), parsed(expected)
                theirs.pop("upgrade-insecure-requests")
                assert ours == theirs
                continue
        elif chosen == "Headers":
            chosen = expected
        assert answer.get(name) == chosen


def test_every_case_is_held_or_has_a_choice():
    assert len(CASES) == 113
    assert {case["class"] for case in CASES} == {"consensus", *CHOICES}
    assert all({"headers", "config_error"} & case["expect"].keys() for case in CASES)
    assert CSP(default_src="'self'") == CSP("default-src 'self'")

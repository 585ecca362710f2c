"""The checks of options that all layers share, and the error that names every wrong option at once."""

from __future__ import annotations

import enum
import inspect
import re

import pytest
from prometheus_client import CollectorRegistry

from gateway import serve
from middleware import (
    CORS,
    AccessLog,
    BasicAuth,
    Compress,
    ConcurrencyLimit,
    ConfigError,
    DecompressRequest,
    Effects,
    Headers,
    HTTPSRedirect,
    InjectHTML,
    Metrics,
    Middleware,
    RateLimit,
    Redirect,
    RequestId,
    Respond,
    SecurityHeaders,
    Timing,
)
from middleware.wsgi.options import Problems, choice_fault, int_fault, several


def checked(check, *arguments):
    """Whether a check of Problems accepts the value, and what it notes."""
    problems = Problems("Layer")
    return getattr(problems, check)("option", *arguments), problems.found


@pytest.mark.parametrize("value", [True, False])
def test_a_bool_is_true_or_false(value):
    assert checked("boolean", value) == (True, [])


@pytest.mark.parametrize("value", [0, 1, None, "yes", ""])
def test_nothing_else_is_a_bool(value):
    assert checked("boolean", value) == (False, [f"option: True or False; got {value!r}"])


@pytest.mark.parametrize(("value", "bounds"), [(0, (0,)), (10**30, (0,)), (200, (200, 299)), (299, (200, 299))])
def test_an_int_is_in_its_range_with_both_ends(value, bounds):
    assert int_fault(value, *bounds) is None
    assert checked("integer", value, *bounds) == (True, [])


@pytest.mark.parametrize(
    ("value", "bounds", "rule"),
    [
        (-1, (0,), "an int from 0"),
        (199, (200, 299), "an int from 200 to 299"),
        (300, (200, 299), "an int from 200 to 299"),
        (True, (0,), "an int from 0"),
        (1.0, (0,), "an int from 0"),
        ("1", (0,), "an int from 0"),
        (None, (0, 9), "an int from 0 to 9"),
    ],
)
def test_no_other_value_is_an_int_in_the_range(value, bounds, rule):
    assert int_fault(value, *bounds) == rule
    assert checked("integer", value, *bounds) == (False, [f"option: {rule}; got {value!r}"])


def test_a_note_stands_behind_the_rule():
    assert checked("integer", -1, 0, None, ", bytes") == (False, ["option: an int from 0, bytes; got -1"])


@pytest.mark.parametrize("value", ["Auto", "", None, 5, ["auto"], {"auto": 1}])
def test_a_choice_is_one_of_the_words_as_they_are_written(value):
    assert choice_fault("auto", ("auto", "never")) is None
    assert checked("one_of", "never", ("auto", "never")) == (True, [])
    assert choice_fault(value, ("auto", "never")) == "one of 'auto', 'never'"
    assert checked("one_of", value, ("auto",)) == (False, [f"option: one of 'auto'; got {value!r}"])


@pytest.mark.parametrize(
    ("value", "members"),
    [
        ("a", ["a"]),
        ("", [""]),
        (b"ab", [b"ab"]),
        (["a", 5], ["a", 5]),
        (iter("ab"), ["a", "b"]),
        ((), []),
        ({"a": 1}, ["a"]),
    ],
)
def test_one_string_counts_as_one_value(value, members):
    assert several(value) == members


@pytest.mark.parametrize("value", [None, 5, True, len])
def test_what_is_not_iterable_is_not_several(value):
    with pytest.raises(ValueError, match=r"^a str, or an iterable of str$"):
        several(value)


@pytest.mark.parametrize(
    ("reader", "fault"),
    [
        (int, "option: invalid literal for int() with base 10: 'x'; got 'x'"),
        (lambda value: Effects(unique=5, sets={value}), "option: Effects: unique: True or False, or a kind; got 5"),
    ],
)
def test_what_a_reader_refuses_is_noted(reader, fault):
    problems = Problems("Layer")
    assert problems.read("option", "5", int, 0) == 5
    assert not problems.found
    assert problems.read("option", "x", reader, None) is None
    assert problems.found == [fault]


def test_nothing_wrong_raises_nothing():
    Problems("Layer").done()


def test_one_fault_is_one_line():
    problems = Problems("Layer")
    problems.boolean("flag", 5)
    with pytest.raises(ConfigError, match=r"^Layer: flag: True or False; got 5$"):
        problems.done()


def test_several_faults_are_a_list():
    problems = Problems("Layer")
    problems.boolean("flag", 5)
    problems.integer("size", -1, 0)
    message = "Layer: 2 options are wrong:\n  - flag: True or False; got 5\n  - size: an int from 0; got -1"
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        problems.done()


def one(first): ...


def two(first, second): ...


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: AccessLog(format=two),
        lambda: BasicAuth(verify=one),
        lambda: ConcurrencyLimit(limit=1, key=two),
        lambda: CORS(allow_origins=one),
        lambda: Headers(set={"X-A": one}),
        lambda: Headers(default={"X-A": one}),
        lambda: Headers(append={"X-A": one}),
        lambda: HTTPSRedirect(exempt=two),
        lambda: InjectHTML(html=two),
        lambda: Metrics(registry=CollectorRegistry(), route=two),
        lambda: Redirect(to=two),
        lambda: Redirect(two),
        lambda: RequestId(generate=one),
        lambda: SecurityHeaders(clear_site_data=one),
        lambda: Timing(clock=one),
        lambda: Timing(expose=two),
        lambda: Timing(on_complete=two),
    ],
)
def test_a_callable_that_cannot_be_called_with_what_the_option_hands_it_is_refused(wrong):
    """The error says with what it is called."""
    with pytest.raises(ConfigError, match=r"a callable ?\(|a callable (of )?environ|predicate"):
        wrong()


class Static:
    """A callable without a self."""

    @staticmethod
    def __call__(user, password): ...


def signed(*given): ...


signed.__signature__ = inspect.signature(lambda database, user, password: None)


@pytest.mark.parametrize("verify", [Static(), signed])
def test_a_callable_is_not_judged_by_a_signature_that_is_of_something_else(verify):
    assert BasicAuth(verify=verify).verify is verify


# -- members of a str Enum ---------------------------------------------------------------------------------------------


class Named(Middleware):
    """Names its fields at run time."""

    def __init__(self, app=None, /, *, names):
        super().__init__(app)
        self.names = names

    def on_response(self, environ, response):
        replaced, added, placed, defaulted = self.names
        response.headers[replaced] = replaced
        response.headers.add(added, added)
        response.headers.put(placed, placed)
        response.headers.setdefault(defaulted, defaulted)


class Quick(Middleware):
    """Answers by a tuple."""

    def __init__(self, app=None, /, *, headers):
        super().__init__(app)
        self.headers = headers

    def on_request(self, environ):
        return 403, "no", self.headers


# `s` makes a str of the option, or a member of an Enum.
TEXTS = {
    "set": lambda s: Headers(set={s("X-A"): s("a"), s("X-B"): lambda environ, response: s("b")}),
    "default": lambda s: Headers(default={s("X-A"): s("a"), s("X-B"): lambda environ, response: s("b")}),
    "append": lambda s: Headers(append=[(s("X-A"), s("a")), (s("X-B"), lambda environ, response: s("b"))]),
    "remove": lambda s: Headers(remove=[s("X-Powered-By"), s("Server")]),
    "remove one": lambda s: SecurityHeaders(remove=s("Server")),
    "preset": lambda s: SecurityHeaders(preset=s("strict")),
    "security": lambda s: SecurityHeaders(
        corp=s("same-site"),
        coop=s('same-origin; report-to="x"'),
        coep=s("credentialless"),
        frame_options=s("deny"),
        referrer_policy=[s("origin"), s("no-referrer")],
        permitted_cross_domain_policies=s("none"),
        reporting_endpoints={s("x"): s("https://r.example/")},
        csp={s("default-src"): [s("'self'"), s("https://a.example")], s("base_uri"): s("'none'")},
        permissions_policy={s("camera"): [s("self")], s("usb"): s("*")},
        clear_site_data=lambda environ, response: [s("cookies"), s("cache")],
    ),
    "extended": lambda s: SecurityHeaders(csp={s("script_src"): s("'none'")}),
    "timing": lambda s: Timing(
        metric=s("m"), description=s("d"), header=s("X-T"), response_time_header=s("X-R"), clock=lambda: 0.0
    ),
    "id": lambda s: RequestId(header=s("X-Id"), generate=lambda: s("abc")),
    "cors": lambda s: CORS(
        allow_origins=[s("https://a.example")], expose_headers=s("X-C"), timing_origins=[s("https://a.example")]
    ),
    "compress": lambda s: Compress(
        codings=[s("gzip")],
        levels={s("gzip"): 1},
        content_types=[s("text/plain")],
        flush=s("always"),
        etag=s("weak"),
        backend=s("zlib"),
        not_acceptable=s("406"),
    ),
    "log": lambda s: AccessLog(format=s("json"), fields=[s("X-F")], redact=s("q")),
    "decompress": lambda s: DecompressRequest(codings=[s("gzip")]),
    "respond": lambda s: Respond(404, "x", content_type=s("text/css"), headers={s("X-R"): s("r")}),
    "redirect": lambda s: Redirect(s("https://a.example/")),
    "redirect by a callable": lambda s: Redirect(lambda environ: s("https://a.example/")),
    "answer": lambda s: Quick(headers={s("X-R"): s("r"), s("Content-Type"): s("text/css")}),
    "rate": lambda s: RateLimit(s("5/day"), storage=s("memory://")),
    "fields": lambda s: Named(names=[s(f"X-{number}") for number in range(4)]),
}


def member(text):
    """A member of an Enum, whose str() and hash are not those of the text."""
    return enum.Enum("Text", {"MEMBER": text}, type=str).MEMBER


@pytest.mark.parametrize("case", TEXTS)
def test_a_member_of_a_str_enum_counts_as_its_text(case, caplog):
    caplog.set_level("INFO", "middleware.access")

    def app(environ, start_response):
        headers = [("Content-Type", "text/plain"), ("X-Powered-By", "x"), ("Server", "y"), ("ETag", '"e"')]
        start_response("200 OK", headers)
        return [b"x" * 2000]

    heads = []
    for make in (str, member):
        layer = TEXTS[case](make).wrap(app)
        for accepted in ("gzip", "identity;q=0"):
            answer = serve(layer, HTTP_ACCEPT_ENCODING=accepted, HTTP_ORIGIN="https://a.example")
            assert (answer.error, {type(text) for line in answer.headers for text in line}) == (None, {str})
            heads.append((answer.status, answer.headers, answer.body))
    assert heads[:2] == heads[2:]
    assert "Traceback" not in caplog.text

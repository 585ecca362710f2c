"""Headers: fields set, defaulted, appended and removed (RFC 9110 section 5)."""

from __future__ import annotations

import pytest

from gateway import serve
from middleware import ConfigError, Headers, Stack, Timing
from shapes import Failure, returning

SENT = [
    ("Content-Type", "text/plain"),
    ("Set-Cookie", "a=1"),
    ("X-One", "app"),
    ("x-ONE", "again"),
    ("Set-Cookie", "b=2"),
    ("X-Text", "caf\xe9"),
]


def lines(**options):
    answer = serve(Headers(returning([b"x"], headers=SENT)[0], **options))
    assert answer.error is None
    return [line for line in answer.headers if line[0].lower() != "content-type"]


COOKIES = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
TEXT = [("X-Text", "caf\xe9")]
ONE = [("X-One", "app"), ("x-ONE", "again")]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, SENT[1:]),
        ({"set": {"x-one": "set"}}, [*COOKIES, *TEXT, ("x-one", "set")]),
        ({"set": {"X-New": "set"}}, [*SENT[1:], ("X-New", "set")]),
        ({"default": {"X-ONE": "default"}}, SENT[1:]),
        ({"default": {"X-New": "default", "x-one": "no"}}, [*SENT[1:], ("X-New", "default")]),
        ({"append": {"X-One": "more"}}, [*SENT[1:], ("X-One", "more")]),
        (
            {"append": [("Set-Cookie", "c=3"), ("Set-Cookie", "d=4")]},
            [*SENT[1:], ("Set-Cookie", "c=3"), ("Set-Cookie", "d=4")],
        ),
        ({"remove": ["X-One"]}, [*COOKIES, *TEXT]),
        ({"remove": "x-text"}, [line for line in SENT[1:] if line not in TEXT]),
        ({"remove": ["X-Not-There"]}, SENT[1:]),
        ({"remove": ["Set-Cookie"], "set": {"X-One": "1"}, "default": {"X-One": "2"}}, [*TEXT, ("X-One", "1")]),
        ({"set": {"X-One": "1"}, "append": {"X-One": "2"}}, [*COOKIES, *TEXT, ("X-One", "1"), ("X-One", "2")]),
        ({"set": {"X-Space": "  kept inside  "}}, [*SENT[1:], ("X-Space", "kept inside")]),
        ({"set": {"X-Empty": ""}}, [*SENT[1:], ("X-Empty", "")]),
        ({"set": {"X-Latin": "\xfc\xff"}}, [*SENT[1:], ("X-Latin", "\xfc\xff")]),
        ({"set": {"X-One": lambda e, r: e["REQUEST_METHOD"]}}, [*COOKIES, *TEXT, ("X-One", "GET")]),
        ({"set": {"X-One": lambda e, r: None}}, SENT[1:]),
        ({"default": {"X-One": lambda e, r: "no", "X-New": lambda e, r: " made "}}, [*SENT[1:], ("X-New", "made")]),
        ({"default": {"x-one": lambda e, r: 1 / 0}}, SENT[1:]),
        ({"default": {"x-one": lambda e, r: "bad\n"}}, SENT[1:]),
        ({"remove": "X-One", "default": {"X-One": lambda e, r: "made"}}, [*COOKIES, *TEXT, ("X-One", "made")]),
        ({"append": {"X-One": lambda e, r: r.status}}, [*SENT[1:], ("X-One", "200 OK")]),
        ({"append": [("X-One", lambda e, r: None)]}, SENT[1:]),
        (
            {"append": [("Link", "<a>"), ("Link", lambda e, r: "<b>"), ("Link", lambda e, r: "<c>"), ("Link", "<d>")]},
            [*SENT[1:], ("Link", "<a>"), ("Link", "<b>"), ("Link", "<c>"), ("Link", "<d>")],
        ),
        (
            {"set": {"X-Set": "1"}, "append": [("Link", lambda e, r: "<a>"), ("Link", "<b>")]},
            [*SENT[1:], ("X-Set", "1"), ("Link", "<a>"), ("Link", "<b>")],
        ),
    ],
)
def test_what_is_done_to_the_lines_of_an_application(options, expected):
    assert lines(**options) == expected


def test_twenty_layers_see_what_those_further_in_have_sent():
    """The names are folded once for all layers, and kept right by each."""
    layers = [Headers(set={f"X-{number}": "outer"}, remove="X-Gone") for number in range(10)]
    layers += [Headers(default={f"x-{number}": "inner", "X-Gone": "1"}) for number in range(10)]
    answer = serve(Stack(*layers).wrap(returning([b"x"])[0]))
    assert [line for line in answer.headers if line[0] != "Content-Type"] == [
        (f"X-{n}", "outer") for n in range(9, -1, -1)
    ]


@pytest.mark.parametrize("appended", [{"X-A": "1"}, [("X-A", "1"), ("X-B", "1"), ("X-A", "1")]], ids=["one", "several"])
def test_an_appended_line_is_known_to_the_layers_further_out(appended):
    layers = [Headers(set={"X-A": "2"}), Headers(append=appended), Headers(set={"X": "1"}), Headers(set={"Y": "1"})]
    assert serve(Stack(*layers).wrap(returning([b"x"])[0])).get_all("X-A") == ["2"]


def test_a_layer_further_out_replaces_what_timing_has_added():
    layers = [Headers(set={"server-timing": "mine"}), Timing(), Headers(set={"X": "1"}), Headers(set={"Y": "1"})]
    answer = serve(Stack(*layers).wrap(returning([b"x"])[0], waive=["measure-outermost"]))
    assert answer.get_all("Server-Timing") == ["mine"]


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: x=1", "a\nb", "a\rb", "a\0b", "\x7f", "☃", "\x1b[0m"])
@pytest.mark.parametrize("option", ["set", "default", "append"])
def test_a_value_that_cannot_be_sent_is_refused(option, value):
    """CR, LF, NUL, control characters and text outside latin-1: at construction, and as an error of the request."""
    with pytest.raises(ConfigError) as refused:
        Headers(**{option: {"X-A": value}})
    assert f"Headers: {option}['X-A']: a field value" in str(refused.value)
    assert repr(value) in str(refused.value)
    app = returning([b"x"])[0]
    answer = serve(Headers(app, **{option: {"X-A": lambda environ, response: value}}))
    assert isinstance(answer.error, ValueError)
    assert answer.heads == 0
    answer = serve(Stack(Headers(set={"X-Out": "1"}), Headers(**{option: {"X-A": lambda e, r: value}})).wrap(app))
    assert (answer.status[:3], answer.get("X-Out"), answer.get("X-A")) == ("500", "1", None)


@pytest.mark.parametrize("made", [1, b"bytes", ["list"], True])
def test_a_callable_that_makes_no_str_is_an_error_of_the_request(made):
    answer = serve(Headers(returning([b"x"])[0], set={"X-A": lambda environ, response: made}))
    assert isinstance(answer.error, TypeError)
    assert "X-A" in str(answer.error)


def test_a_callable_that_raises_sends_no_half_response():
    def fails(environ, response):
        raise Failure("made")

    answer = serve(Stack(Timing(), Headers(set={"X-A": fails, "X-B": "1"})).wrap(returning([b"x"])[0]))
    assert (answer.status[:3], answer.get("X-B"), bool(answer.get("Server-Timing"))) == ("500", None, True)


def test_many_lines_and_long_values_pass():
    """Ten thousand lines, and a value of 64 KiB."""
    sent = [*TEXT, *((f"X-{number % 5000}", str(number)) for number in range(10_000))]
    layers = Headers(set={"X-7": "a" * 65_536}), Headers(default={"X-New": "1"}), Headers(remove="X-8")
    answer = serve(Stack(*layers).wrap(returning([b"x"], headers=[("Content-Type", "text/plain"), *sent])[0]))
    assert len(answer.headers) == 1 + len(sent) - 2 + 1 + 1 - 2
    assert (answer.get_all("X-7"), answer.get("X-8")) == (["a" * 65_536], None)


def test_a_value_from_the_request_cannot_split_the_response():
    """Percent-decoded input is checked like any other."""
    layer = Headers(set={"X-Path": lambda environ, response: environ["PATH_INFO"]})
    answer = serve(Stack(layer).wrap(returning([b"x"])[0]), "/\r\nSet-Cookie: x")
    assert (answer.status[:3], answer.get_all("Set-Cookie")) == ("500", [])


NAMES = ["", "X A", "X:A", "X/A", "X\r\nA", "\xfc", "X\0", 1, None, b"X"]
HOP_BY_HOP = ["Connection", "keep-alive", "TE", "Trailer", "Transfer-Encoding", "UPGRADE", "Proxy-Authenticate"]


@pytest.mark.parametrize("name", [*NAMES, *HOP_BY_HOP, "Content-Length", "content-length"])
@pytest.mark.parametrize("option", ["set", "default", "append", "remove"])
def test_a_name_that_may_not_be_sent_is_refused(option, name):
    """No token, hop-by-hop, or the framing of the response, which is the server's."""
    with pytest.raises(ConfigError, match=f"^Headers: {option}: ") as refused:
        Headers(**{option: [name] if option == "remove" else {name: "x"}})
    assert repr(name) in str(refused.value)


async def awaited(environ, response): ...


class Awaited:
    async def __call__(self, environ, response): ...


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"set": "X-A: 1"}, "set: a mapping name -> value; got 'X-A: 1'"),
        ({"set": [("X-A", "1")]}, "set: a mapping name -> value; got [('X-A', '1')]"),
        ({"default": 1}, "default: a mapping name -> value; got 1"),
        ({"append": ["X-A"]}, "append: a mapping name -> value, or pairs; got ['X-A']"),
        ({"append": 5}, "append: a mapping name -> value, or pairs; got 5"),
        ({"remove": 5}, "remove: a str, or an iterable of str; got 5"),
        ({"set": {"X-A": awaited}}, "set['X-A']: a field value is a str (PEP 3333), or a callable"),
        ({"append": [("X-A", Awaited())]}, "append['X-A']: a field value is a str (PEP 3333), or a callable"),
        ({"set": {"X-A": 1}}, "set['X-A']: a field value is a str (PEP 3333), or a callable"),
        ({"set": {"X-A": None}}, "set['X-A']: a field value is a str (PEP 3333), or a callable"),
        ({"set": {"X-A": "1", "x-a": "2"}}, "set: names a field once; got 'x-a'"),
    ],
)
def test_an_option_of_the_wrong_form_is_refused(options, said):
    with pytest.raises(ConfigError) as refused:
        Headers(**options)
    assert said in str(refused.value)


def test_all_wrong_options_are_named_at_once():
    with pytest.raises(ConfigError) as refused:
        Headers(set={"X A": "1"}, default={"X-B": "a\nb"}, remove=["Upgrade"])
    message = str(refused.value)
    assert message.startswith("Headers: 3 options are wrong:")
    assert all(part in message for part in ("'X A'", "'a\\nb'", "'Upgrade'"))


def test_the_options_are_copies():
    """Changing what was passed in changes nothing."""
    given = {"X-A": "1"}
    layer = Headers(set=given)
    given["X-B"] = "2"
    assert layer == Headers(set={"X-A": "1"})
    assert repr(layer) == "Headers(set={'X-A': '1'})"
    assert serve(layer.wrap(returning([b"x"])[0])).get("X-B") is None


def test_a_subclass_may_do_more():
    """Its own on_response runs, though a single edit is otherwise the hook itself."""

    class More(Headers):
        def on_response(self, environ, response):
            super().on_response(environ, response)
            response.headers["X-More"] = response.headers["X-A"]

    assert serve(More(returning([b"x"])[0], set={"X-A": "1"})).get("X-More") == "1"

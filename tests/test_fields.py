"""Header fields as syntax: lines, names without regard to case, and what may be sent (RFC 9110 section 5)."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middleware.http.fields import (
    Fields,
    _folded,
    _values,
    is_token,
    name_fault,
    sendable_name,
    sendable_value,
    value_fault,
)
from middleware.http.lists import merge
from middleware.http.remembered import LIMIT, LONGEST
from middleware.http.status import status_fault, status_line, without_content
from middleware.wsgi.response import Response

TCHAR = "!#$%&'*+-.^_`|~" + string.digits + string.ascii_letters
names = st.text(TCHAR, min_size=1, max_size=8).filter(lambda name: name_fault(name) is None)
values = st.text(st.characters(max_codepoint=0xFF).filter(lambda c: value_fault(c) is None), max_size=12)


@given(st.text(max_size=4))
def test_a_token_is_tchars(text):
    assert is_token(text) == (text != "" and all(character in TCHAR for character in text))


@given(st.text(max_size=6))
def test_a_value_has_no_controls_and_is_latin_1(text):
    allowed = all(c == "\t" or (0x20 <= ord(c) <= 0xFF and ord(c) != 0x7F) for c in text)
    assert (value_fault(text) is None) == allowed


@given(
    st.lists(st.tuples(names, values), max_size=6),
    st.lists(st.tuples(st.sampled_from(["set", "add", "put", "del", "default"]), names, values), max_size=6),
)
def test_fields_are_a_list_of_lines_without_regard_to_case(lines, edits):
    """Whatever is done: names, order and multiplicity are those of a plain list that is searched by lower case."""
    fields, model = Fields(lines), list(lines)

    def others(name):
        return [line for line in model if line[0].lower() != name.lower()]

    for edit, name, value in edits:
        kept = value.strip(" \t")
        if edit == "set":
            fields[name] = value
            model = [*others(name), (name, kept)]
        elif edit == "add":
            fields.add(name, value)
            model.append((name, kept))
        elif edit == "put":
            fields.put(name, value)
            first = next((n for n, line in enumerate(model) if line[0].lower() == name.lower()), len(model))
            model = [*others(name)[:first], (name, kept), *others(name)[first:]]
        elif edit == "del":
            del fields[name]
            model = others(name)
        else:
            fields.setdefault(name, value)
            model += [(name, kept)] if model == others(name) else []
        assert list(fields) == model
        assert (name.upper() in fields) == (model != others(name))
        assert fields.get_all(name.swapcase()) == [v for n, v in model if n.lower() == name.lower()]
    assert len(fields) == len(model)


def test_all_lines_become_others():
    """The list stays the same object, because WebOb keeps it."""
    fields = Fields([("A", "1")])
    assert "a" in fields
    lines = fields.exposed()
    fields.become([("B", "2")])
    assert lines == [("B", "2")]
    assert "a" not in fields


def test_the_list_of_lines_may_be_edited():
    fields = Fields([("A", "1")])
    assert "a" in fields
    fields.exposed()[:] = [("B", "2")]
    assert ("a" in fields, "b" in fields) == (False, True)


def test_looking_up():
    fields = Fields([("A", "1"), ("a", "2")])
    assert (fields.get("a"), fields["A"], fields.get("b"), fields.get("b", "none")) == ("1", "1", None, "none")
    assert fields.setdefault("a", "3") == "1"
    assert 5 not in fields
    assert repr(fields) == "Fields([('A', '1'), ('a', '2')])"
    with pytest.raises(KeyError):
        fields["b"]


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("X A", "1", ValueError),
        ("Connection", "close", ValueError),
        ("X", "a\r\nb", ValueError),
        ("X", "☃", ValueError),
        ("X", 1, TypeError),
        (1, "x", TypeError),
        ("X", b"x", TypeError),
    ],
)
@pytest.mark.parametrize("method", ["__setitem__", "add", "put", "setdefault"])
def test_what_may_not_be_sent_is_refused(method, name, value, error):
    fields = Fields([("A", "1")])
    with pytest.raises(error):
        getattr(fields, method)(name, value)
    assert list(fields) == [("A", "1")]


@pytest.mark.parametrize("kept", [sendable_name, _folded])
def test_names_from_requests_do_not_fill_the_memory(kept):
    """Neither many nor long ones are kept."""
    kept.clear()
    long = "X-" + "y" * LONGEST
    for name in (long, *(f"X-{number}" for number in range(LIMIT + 50))):
        assert sendable_name(name) == name.lower()
        assert Fields([(name, "1")]).names() == {name.lower()}
    assert len(kept) == 50
    assert long not in kept


def test_values_from_requests_do_not_fill_the_memory():
    """Neither many nor long ones are kept."""
    _values.clear()
    long = "y" * (LONGEST + 1)
    for value in (long, *(f"{number} " for number in range(LIMIT + 50))):
        assert sendable_value("X-A", value) == value.strip()
    assert len(_values) == 50
    assert long not in _values


@pytest.mark.parametrize(
    ("present", "added", "expected"),
    [
        ([], ["Origin"], "Origin"),
        (["Accept"], ["accept", "Origin"], "Accept, Origin"),
        (["a, B", "c"], ["b"], "a, B, c"),
        (["*"], ["Origin"], "*"),
        (["a, *"], ["b"], "*"),
        (["a"], ["*"], "*"),
        ([",, a ,"], [], "a"),
        (["Do-Not-Accept-Encoding"], ["Accept-Encoding"], "Do-Not-Accept-Encoding, Accept-Encoding"),
    ],
)
def test_vary_is_one_line_with_every_member_once(present, added, expected):
    assert merge(present, added) == expected
    fields = Fields([("vary", value) for value in present])
    fields.vary(*added)
    assert fields.get_all("Vary") == [expected]


def test_vary_without_any_name_adds_no_line():
    fields = Fields([("X-A", "1")])
    fields.vary()
    assert list(fields) == [("X-A", "1")]


def test_vary_takes_field_names():
    with pytest.raises(ValueError, match="header name 'a b'"):
        Fields([]).vary("a b")


def test_a_response_has_a_status_in_two_forms():
    response = Response("404 NOT FOUND", [("X-A", "1")], [b"x"])
    assert (response.headers["x-a"], response.body, Response().status) == ("1", [b"x"], "200 OK")
    assert (response.status_code, repr(response)) == (404, "<Response 404 NOT FOUND>")
    response.status_code = 503
    assert response.status == "503 Service Unavailable"
    assert status_line(299) == "299 Unknown"


@pytest.mark.parametrize(
    ("status", "right"),
    [
        ("200 OK", True),
        ("200", True),
        ("200 ", True),
        ("20 OK", False),
        ("200 a\r\nb", False),
        (200, False),
        ("", False),
    ],
)
def test_a_status_is_three_digits_and_a_reason(status, right):
    assert (status_fault(status) is None) == right


@pytest.mark.parametrize(
    ("method", "status", "without"),
    [
        ("GET", "200 OK", False),
        ("HEAD", "200 OK", True),
        ("GET", "204 No Content", True),
        ("GET", "304 Not Modified", True),
        ("GET", "103 Early Hints", True),
        ("GET", "205 Reset Content", False),
    ],
)
def test_what_has_no_content(method, status, without):
    assert without_content(method, status) == without

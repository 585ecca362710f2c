"""The checks of options that all layers share, and the error that names every wrong option at once."""

from __future__ import annotations

import re

import pytest

from middleware import ConfigError, Effects
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

"""Structured fields as they are sent: whatever is emitted parses back, the rest is refused (RFC 9651 section 4)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

import structured_fields
from middleware.http.structured import Token, bare, dictionary, inner_list, item
from middleware.layers.security.header_values import endpoints
from middleware.layers.security.policies import allowlist, feature_name, permissions_text
from middleware.layers.security.presets import field_value
from structured_fields import Word, plain

LARGEST = 999_999_999_999_999
KEYS = st.from_regex(r"[a-z*][a-z0-9_\-.*]{0,8}", fullmatch=True)
TOKENS = st.from_regex(r"[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]{0,8}", fullmatch=True).map(Token)
STRINGS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12)
BARE = st.one_of(st.booleans(), st.integers(-LARGEST, LARGEST), STRINGS, TOKENS)
MEMBERS = st.one_of(BARE, st.lists(BARE, max_size=3).map(tuple))


def same(ours, theirs):
    """Equal, and of the same type: 1 is not True, a token not a string."""
    if isinstance(ours, tuple):
        return isinstance(theirs, tuple) and len(ours) == len(theirs) and all(map(same, ours, theirs))
    kind = Word if isinstance(ours, Token) else type(ours)
    return type(theirs) is kind and str(theirs) == str(ours)


@given(st.dictionaries(KEYS, MEMBERS))
def test_a_dictionary_parses_back(members):
    parsed = structured_fields.dictionary(dictionary(members))
    assert list(parsed) == list(members)
    assert all(same(members[name], plain(value)) for name, value in parsed.items())


@given(BARE, st.dictionaries(KEYS, BARE))
def test_an_item_parses_back_with_its_parameters(value, parameters):
    found, named = structured_fields.item(item(value, parameters))
    assert same(value, found)
    assert list(named) == list(parameters)
    assert all(same(parameters[name], found) for name, found in named.items())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (bare(True), "?1"),
        (bare(-5), "-5"),
        (bare('a "b" \\c'), '"a \\"b\\" \\\\c"'),
        (bare(Token("a/b:c")), "a/b:c"),
        (inner_list([]), "()"),
        (inner_list([Token("self"), "https://a.example"]), '(self "https://a.example")'),
        (
            item(Token("same-origin"), {"report-to": "x", "on": True, "off": False}),
            'same-origin;report-to="x";on;off=?0',
        ),
        (dictionary({"a": True, "b": False, "c": 1, "d": ()}), "a, b=?0, c=1, d=()"),
    ],
)
def test_what_is_sent_is_in_the_form_of_the_standard(text, expected):
    assert text == expected


@pytest.mark.parametrize(
    "value",
    ["caf\xe9", "a\r\nb", "\x7f", "☃", LARGEST + 1, -LARGEST - 1, Token(""), Token("1a"), Token("a b"), 1.5, None, b""],
)
def test_an_item_that_cannot_be_sent_is_refused(value):
    with pytest.raises(ValueError, match=re.escape(repr(value))):
        bare(value)


@pytest.mark.parametrize("name", ["", "A", "1a", "a b", "\xe9", "a=", None, 1])
def test_a_key_that_cannot_be_sent_is_refused(name):
    with pytest.raises(ValueError, match="a key is"):
        dictionary({name: 1})


# -- Permissions-Policy and Reporting-Endpoints ------------------------------------------------------------------------

ORIGINS = st.from_regex(r"https://(\*\.)?[a-z0-9]{1,8}\.example(:[1-9][0-9]{1,3})?", fullmatch=True).filter(
    lambda origin: not origin.endswith(":443")  # the default port is not written
)
ALLOWLISTS = st.one_of(st.just(("*",)), st.lists(st.one_of(st.sampled_from(["self", "src"]), ORIGINS)).map(tuple))
FEATURES = st.from_regex(r"[a-z]{1,8}([-_][a-z]{1,8})?", fullmatch=True)


@given(st.dictionaries(FEATURES, ALLOWLISTS))
def test_a_permissions_policy_parses_back(features):
    features = {feature_name(name): allowlist(who) for name, who in features.items()}
    parsed = structured_fields.dictionary(permissions_text(features))
    assert list(parsed) == list(features)
    for name, value in parsed.items():
        who = plain(value)
        who = who if isinstance(who, tuple) else (who,)
        assert features[name] == who
        assert all(isinstance(each, Word) == (each in ("self", "src", "*")) for each in who)


@given(st.dictionaries(KEYS, st.from_regex(r"(https://a\.example)?/[\x21-\x7e]*", fullmatch=True), min_size=1))
def test_endpoints_parse_back(given):
    given = {name: url for name, url in given.items() if not url.startswith("//")} or {"a": "/"}
    parsed = structured_fields.dictionary(field_value(endpoints(given)))
    assert {name: plain(url) for name, url in parsed.items()} == given


@pytest.mark.parametrize(
    "text",
    ["a=", "a=(", "a=(b", "a=b,", "A=1", 'a="\xe9"', "a=1.5", "a=1 b", 'a=("b"c)', "a='b'", "a=1234567890123456"],
)
def test_the_parser_that_holds_all_this_refuses_what_is_malformed(text):
    with pytest.raises(ValueError):  # noqa: PT011 - or UnicodeEncodeError, which is one
        structured_fields.dictionary(text)


def test_the_parser_of_items_leaves_nothing_over():
    with pytest.raises(ValueError, match="left over"):
        structured_fields.item("a b")

"""Entity tags: the suffix of a coding goes on and comes off again, and whatever is no entity tag stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from middleware.http.entity_tags import (
    as_listed,
    conditions_without_suffixes,
    suffixed,
    tags_listed,
    tags_of_conditions,
    weakened,
    without_suffixes,
)

CODINGS = ("zstd", "br", "gzip")
MALFORMED = [
    "",
    "*",
    "x",
    "x-gzip",
    '"x',
    'x"',
    '"',
    '"x" ',
    ' "x"',
    '"a b"',
    '"a"b"',
    '"a\t"',
    '"\x7f"',
    '"\u0100"',
    '"x"\n',
    '"x", "y"',
    "'x'",
]
WEAK = ['W/"x"', 'W/""', 'W/"x-gzip"', 'w/"x"', 'W/ "x"', 'W"x"']


@pytest.mark.parametrize(
    ("tag", "gzip", "weak"),
    [
        ('"x"', '"x-gzip"', 'W/"x"'),
        ('""', '"-gzip"', 'W/""'),
        ('"a,b\\"', '"a,b\\-gzip"', 'W/"a,b\\"'),
        ('"!#~\x80\xff"', '"!#~\x80\xff-gzip"', 'W/"!#~\x80\xff"'),
        ('"x-gzip"', '"x-gzip-gzip"', 'W/"x-gzip"'),
        *((tag, tag, tag) for tag in MALFORMED + WEAK),
    ],
)
def test_a_strong_tag_is_changed_and_nothing_else(tag, gzip, weak):
    assert suffixed(tag, "gzip") == gzip
    assert weakened(tag) == weak


@pytest.mark.parametrize(
    ("field", "known"),
    [
        ('"x-gzip"', '"x"'),
        ('"-gzip"', '""'),
        ('W/"x-gzip"', 'W/"x"'),
        ('"x-br", "y-zstd" ,W/"z-gzip"', '"x", "y" ,W/"z"'),
        (' \t"x-gzip"\t ', ' \t"x"\t '),
        (',, "x-gzip",,', ',, "x",,'),
        ('"x-gzip", "x"', '"x", "x"'),
        # one suffix a tag
        ('"x-gzip-gzip"', '"x-gzip"'),
        ('"x-gzip-br"', '"x-gzip"'),
        # within the tag
        ('"a,b-gzip","c, d-gzip"', '"a,b","c, d-gzip"'),
        ('"a\\-gzip","b"', '"a\\","b"'),
        ('"-gzip,-gzip"', '"-gzip,"'),
        ('"\xe9-gzip"', '"\xe9"'),
        # beside what is malformed
        ('x-gzip", "x-gzip"', 'x-gzip", "x"'),
        ('"a b-gzip", "x-gzip"', '"a b-gzip", "x"'),
        ('"open, "x-gzip"', '"open, "x"'),
        ('*, "x-gzip"', '*, "x"'),
        # nothing there to take off
        ("*", "*"),
        ("", ""),
        ('"x"', '"x"'),
        ('"x-GZIP"', '"x-GZIP"'),
        ('"x-deflate"', '"x-deflate"'),
        ('"xgzip"', '"xgzip"'),
        ('"gzip", "-gzip"', '"gzip", ""'),
        ('"x-gzip-"', '"x-gzip-"'),
        # malformed, with a suffix
        ("x-gzip", "x-gzip"),
        ('x-gzip"', 'x-gzip"'),
        ('w/"x-gzip"', 'w/"x-gzip"'),
        ('W/ "x-gzip"', 'W/ "x-gzip"'),
        ('y"x-gzip"', 'y"x-gzip"'),
        ('y "x-gzip"', 'y "x-gzip"'),
        ('"x-gzip"y', '"x-gzip"y'),
        ('"x-gzip" "y-gzip"', '"x-gzip" "y-gzip"'),
        ('"x-gzip";q=1', '"x-gzip";q=1'),
        ('"x-gzip"\n', '"x-gzip"\n'),
        ('"\u0100-gzip"', '"\u0100-gzip"'),
        ('"\x7f-gzip"', '"\x7f-gzip"'),
    ],
)
def test_the_application_gets_its_own_tags_and_all_else_byte_for_byte(field, known):
    assert without_suffixes(field, CODINGS) == known


def test_only_known_codings_have_suffixes():
    assert without_suffixes('"x-gzip", "x-br"', ["br"]) == '"x-gzip", "x"'
    assert without_suffixes('"x-gzip"', ()) == '"x-gzip"'


etagc = st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters='"\x7f')
opaques = st.text(etagc, max_size=8) | st.text(",-\\/W*gzip", max_size=8)
tags = opaques.filter(lambda opaque: not opaque.endswith(("-zstd", "-br", "-gzip"))).map('"{}"'.format)
spaces = st.text(" \t", max_size=2)


@given(tags, st.sampled_from(CODINGS))
def test_what_was_put_on_comes_off(tag, coding):
    encoded = suffixed(tag, coding)
    assert encoded != tag
    assert [each.has_suffix(CODINGS) for each in tags_listed(f"{encoded}, {tag}")] == [True, False]
    assert without_suffixes(encoded, CODINGS) == tag
    assert without_suffixes(weakened(encoded), CODINGS) == weakened(tag)
    assert without_suffixes(tag, CODINGS) == tag


@given(st.lists(st.tuples(spaces, st.booleans(), tags, st.sampled_from([None, *CODINGS]), spaces), max_size=6))
def test_it_comes_off_every_member_of_a_list(members):
    def joined(codings):
        spelled = (
            (before, "W/" * weak, suffixed(tag, coding) if coding in codings else tag, after)
            for before, weak, tag, coding, after in members
        )
        return ",".join(map("".join, spelled))

    assert without_suffixes(joined(CODINGS), CODINGS) == joined(())


@given(st.text() | st.text('W/"-gzipbr, \t', max_size=40))
@example('"a,"-gzip",')
def test_nothing_is_lost_but_suffixes(field):
    known = without_suffixes(field, CODINGS)
    rest = iter(field)
    assert all(character in rest for character in known)
    assert known.count(",") == field.count(",")
    assert known.count('"') == field.count('"')


@pytest.mark.parametrize(
    ("field", "known"),
    [
        ('"a,' * 20_000 + '"-gzip"', '"a,' * 20_000 + '""'),
        ('"' + "a," * 30_000 + ' "x-gzip"', '"' + "a," * 30_000 + ' "x"'),
        ('"x-gzip",' * 7_000, '"x",' * 7_000),
        ('"x-gzip"' + " " * 60_000 + "y", '"x-gzip"' + " " * 60_000 + "y"),
        (" " * 60_000 + '"x-gzip"', " " * 60_000 + '"x"'),
    ],
    ids=[1, 2, 3, 4, 5],
)
def test_a_large_field_is_read_like_a_small_one(field, known):
    assert without_suffixes(field, CODINGS) == known


# -- the If of WebDAV ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "known"),
    [
        # RFC 4918 10.4.6 to 10.4.11
        (
            '(<urn:uuid:181d4fae> ["I am an ETag-gzip"]) (["I-gzip"])',
            '(<urn:uuid:181d4fae> ["I am an ETag-gzip"]) (["I"])',
        ),
        ('(Not <urn:a> <urn:b> [W/"x-br"])', '(Not <urn:a> <urn:b> [W/"x"])'),
        ('(<urn:a>) (Not <DAV:no-lock> ["x-zstd"])', '(<urn:a>) (Not <DAV:no-lock> ["x"])'),
        ('</a> (<urn:a> [W/"A-gzip"]) (["B-br"])', '</a> (<urn:a> [W/"A"]) (["B"])'),
        ('</a>(["x-gzip"])</b>(Not["y-gzip"])', '</a>(["x"])</b>(Not["y"])'),
        # one suffix a tag, and what is within the tag
        ('(["x-gzip-gzip"])', '(["x-gzip"])'),
        ('(["-gzip"])', '([""])'),
        ('(["a]>)<[-gzip"])', '(["a]>)<["])'),
        ('( [ \t"x-gzip"\t ] )', '( [ \t"x"\t ] )'),
        # resources and state tokens are others
        ('<http://a/["x-gzip"]> (["x-gzip"])', '<http://a/["x-gzip"]> (["x"])'),
        ('(<urn:["x-gzip"]> ["x-gzip"])', '(<urn:["x-gzip"]> ["x"])'),
        ('<open ["x-gzip"]', '<open ["x-gzip"]'),
        # nothing there to take off, or nothing to take it off
        ("", ""),
        ("(<urn:a>)", "(<urn:a>)"),
        ('(["x"])', '(["x"])'),
        ('(["x-deflate"] ["x-GZIP"])', '(["x-deflate"] ["x-GZIP"])'),
        ('("x-gzip")', '("x-gzip")'),
        ('(["x-gzip")', '(["x-gzip")'),
        ('([x-gzip"])', '([x-gzip"])'),
        ('(["x-gzip" "y-gzip"])', '(["x-gzip" "y-gzip"])'),
        ('([w/"x-gzip"])', '([w/"x-gzip"])'),
        ('(["x-gzip"\n])', '(["x-gzip"\n])'),
        ('(["\u0100-gzip"])', '(["\u0100-gzip"])'),
    ],
)
def test_an_if_has_the_tags_of_the_application_and_all_else_byte_for_byte(field, known):
    assert conditions_without_suffixes(field, CODINGS) == known


resources = st.text(st.characters(max_codepoint=0xFF, exclude_characters=">"), max_size=8).map("<{}>".format)
conditions = st.tuples(
    st.sampled_from(["", "Not ", "Not"]),
    resources | st.tuples(spaces, st.booleans(), tags, st.sampled_from([None, *CODINGS]), spaces),
)


@given(st.lists(st.tuples(st.none() | resources, st.lists(conditions, max_size=3)), max_size=4))
def test_it_comes_off_every_tag_of_an_if(lists):
    def spelled(condition, codings):
        if isinstance(condition, str):
            return condition
        before, weak, tag, coding, after = condition
        return f"[{before}{'W/' * weak}{suffixed(tag, coding) if coding in codings else tag}{after}]"

    def joined(codings):
        return " ".join(
            f"{resource or ''}({' '.join(word + spelled(condition, codings) for word, condition in members)})"
            for resource, members in lists
        )

    assert conditions_without_suffixes(joined(CODINGS), CODINGS) == joined(())


@given(st.text() | st.text('[]<>()W/"-gzipbr \t', max_size=40))
def test_nothing_is_lost_of_an_if_but_suffixes(field):
    known = conditions_without_suffixes(field, CODINGS)
    rest = iter(field)
    assert all(character in rest for character in known)
    assert [known.count(sign) for sign in '[]<>()"'] == [field.count(sign) for sign in '[]<>()"']
    assert conditions_without_suffixes(field, ()) == field


@pytest.mark.parametrize(
    ("field", "known"),
    [
        ('["' * 30_000 + '-gzip"]', '["' * 30_000 + '"]'),
        ("<" * 60_000 + '["x-gzip"]', "<" * 60_000 + '["x-gzip"]'),
        ("[" * 60_000 + '["x-gzip"]', "[" * 60_000 + '["x"]'),
        ("[" + " " * 60_000 + '"x-gzip"]', "[" + " " * 60_000 + '"x"]'),
        ('(["x-gzip"])' * 5_000, '(["x"])' * 5_000),
    ],
    ids=[1, 2, 3, 4, 5],
)
def test_a_large_if_is_read_like_a_small_one(field, known):
    assert conditions_without_suffixes(field, CODINGS) == known


def read(found):
    return [f"{'W/' * tag.weak}{tag.opaque}{'+' * tag.has_suffix(CODINGS)}" for tag in found]


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ('"x-gzip"', ["x-gzip+"]),
        (' W/"x-br"\t,"y"', ["W/x-br+", "y"]),
        ('"x-gzip-", "gzip","xgzip", "-gzip"', ["x-gzip-", "gzip", "xgzip", "-gzip+"]),
        ('"x-gzip" y, "z"', ["z"]),
        ('x-gzip", "y', []),
        ("*", []),
        ("Sat, 29 Oct 1994 19:43:31 GMT", []),
        ("", []),
    ],
)
def test_a_field_lists_entity_tags_or_something_else(field, found):
    assert read(tags_listed(field)) == found


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ('(["x-gzip"])', ["x-gzip+"]),
        ('</a> (Not [ W/"x"] <urn:t>) (["y-br" ])', ["W/x", "y-br+"]),
        ('(["W/"])', ["W/"]),
        ("(<urn:t>)", []),
        ('<["x-gzip"]> "x-gzip"', []),
    ],
)
def test_an_if_names_entity_tags_or_other_states(field, found):
    assert read(tags_of_conditions(field)) == found


@pytest.mark.parametrize(
    ("tag", "field", "coding", "sent"),
    [
        # one form listed: that one
        ('"x"', '"x-gzip"', "gzip", '"x-gzip"'),
        ('"x"', '"x-gzip"', "br", '"x-gzip"'),
        ('"x"', '"x-gzip"', None, '"x-gzip"'),
        ('"x"', '"x"', "gzip", '"x"'),
        ('"x"', '"x"', None, '"x"'),
        ('"x"', '"a", "x-br" ,"x-y"', "gzip", '"x-br"'),
        # several: the negotiated one, else the first
        ('"x"', '"x", "x-br", "x-gzip"', "gzip", '"x-gzip"'),
        ('"x"', '"x-br", "x-gzip", "x"', None, '"x"'),
        ('"x"', '"x-gzip", "x"', "br", '"x-gzip"'),
        ('"x"', '"x", "x-gzip"', "br", '"x"'),
        # none: what a 200 would carry
        ('"x"', '"a-gzip"', "gzip", '"x-gzip"'),
        ('"x"', '"a-gzip"', None, '"x"'),
        ('"x"', "*", "gzip", '"x-gzip"'),
        ('"x"', "*", None, '"x"'),
        ('"x"', "", "gzip", '"x-gzip"'),
        ('"x"', '"X-gzip", "x-deflate"', "br", '"x-br"'),
        # the weak form lists it as well
        ('"x"', 'W/"x-gzip"', "br", '"x-gzip"'),
        ('"x"', 'W/"x"', "gzip", '"x"'),
        # a member that is malformed lists nothing
        ('"x"', '"x-br"y, y"x"', "gzip", '"x-gzip"'),
        ('"None"', "x, y", "gzip", '"None-gzip"'),
        ('"a,b"', '"a,b-br","a"', "gzip", '"a,b-br"'),
        # what is no strong tag has one form
        ('W/"x"', '"x-gzip", "x"', "gzip", 'W/"x"'),
        ('W/"x"', "*", "gzip", 'W/"x"'),
        ("x", '"x-gzip"', "gzip", "x"),
    ],
)
def test_a_client_gets_the_form_that_it_knows(tag, field, coding, sent):
    assert as_listed(tag, field, coding, CODINGS) == sent


@given(tags, st.lists(tags, max_size=3), st.sampled_from([None, *CODINGS]), st.sampled_from([None, *CODINGS]))
def test_what_a_200_carried_is_what_a_304_carries(tag, others, then, now):
    """A client that has one representation asks again, whatever it would get now."""
    carried = suffixed(tag, then) if then else tag
    others = [other for other in others if other != tag]
    field = ", ".join([*others, carried])
    assert tag in without_suffixes(field, CODINGS)
    assert as_listed(tag, field, now, CODINGS) == carried

"""Accept-Encoding: the heaviest coding wins, then the server's order, and nothing that a client sends is an error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middleware.http.negotiation import Choice, choices, choose
from middleware.http.remembered import LIMIT, LONGEST, Remembered

FILE = Path(__file__).parent / "conformance" / "negotiation.json"
CASES = json.loads(FILE.read_text(encoding="utf-8"))["cases"]
ALL = ("zstd", "br", "gzip")
NOTHING = Choice(None, identity=False)


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case["accept_encoding"]))
def test_others_choose_the_same_and_where_they_differ_the_standard_decides(case):
    chosen = choose(case["accept_encoding"], ("br", "gzip"))
    assert (chosen.coding or ("identity" if chosen.identity else None)) == case["expected"]


@pytest.mark.parametrize(
    ("accept_encoding", "coding", "identity"),
    [
        # what clients send
        (None, None, True),
        ("", None, True),
        ("gzip, deflate, br, zstd", "zstd", True),
        ("gzip, deflate, br", "br", True),
        ("deflate", None, True),
        ("identity", None, True),
        # q=0, in every form
        ("gzip;q=0", None, True),
        ("gzip;q=0.", None, True),
        ("gzip;q=0.000, br;q=0.00", None, True),
        ("gzip;q=0, *", "zstd", True),
        ("zstd;q=0, *", "br", True),
        ("*;q=0", None, False),
        ("*;q=0, gzip", "gzip", False),
        ("*;q=0, identity", None, True),
        ("*;q=0, identity;q=0.1, gzip;q=0.2", "gzip", True),
        ("identity;q=0", None, False),
        ("identity;q=0, gzip", "gzip", False),
        ("identity;q=0, *;q=0.5", "zstd", False),
        ("identity;q=0, gzip;q=0", None, False),
        # weights
        ("gzip;q=0.5, br;q=0.8", "br", True),
        ("gzip;q=0.501, br;q=0.500, zstd;q=0.5", "gzip", True),
        ("gzip;q=1., br;q=0.999", "gzip", True),
        ("gzip;q=1.000, br", "br", True),
        ("gzip;q=0.001", "gzip", True),
        ("gzip;Q=0.1, br;Q=0.2", "br", True),
        ("br;q=0.001, zstd;q=0.001, *", "gzip", True),
        ("*;q=0.5, gzip", "gzip", True),
        ("*;q=0.5, zstd;q=0.4, gzip;q=0.3", "br", True),
        # identity
        ("identity;q=0.5, gzip;q=0.4", None, True),
        ("identity;q=0.5, gzip;q=0.5", "gzip", True),
        ("identity, *;q=0.1", None, True),
        ("zstd;q=0.1, br;q=0.2, gzip;q=0.3, *;q=0.3", "gzip", True),
        ("zstd;q=0.1, br;q=0.2, gzip;q=0.3, *;q=0.4", None, True),
        ("zstd;q=0.1, br;q=0.2, gzip;q=0.3, *;q=0.4, identity;q=0.1", "gzip", True),
        # names
        ("GZip", "gzip", True),
        ("x-gzip", "gzip", True),
        ("X-GZIP;q=0, *", "zstd", True),
        ("gzip_0, notgzip, brotli, gzip2, x-br, br0tli, -gzip", None, True),
        ("dcb, dcz", None, True),
        # the same name twice
        ("gzip, gzip;q=0", None, True),
        ("gzip;q=0, gzip", None, True),
        ("x-gzip;q=0, gzip", None, True),
        ("gzip;q=0.2, br;q=0.3, gzip", "br", True),
        # whitespace and empty members
        (" \tgzip \t", "gzip", True),
        ("gzip ;\tq=0.5 ,br \t; q=0.6", "br", True),
        (",,gzip,", "gzip", True),
        (" , ,", None, True),
    ],
)
def test_the_heaviest_wins_then_the_order_of_the_server(accept_encoding, coding, identity):
    assert choose(accept_encoding, ALL) == Choice(coding, identity)


@pytest.mark.parametrize(
    "member",
    [
        "gzip;q=2",
        "gzip;q=1.1",
        "gzip;q=1.001",
        "gzip;q=1.0000",
        "gzip;q=-1",
        "gzip;q=+1",
        "gzip;q=0.1234",
        "gzip;q=.5",
        "gzip;q=01",
        "gzip;q=1e0",
        "gzip;q=0x1",
        "gzip;q=0_1",
        "gzip;q=\xb2",
        "gzip;q=\u0661",
        "gzip;q=0.\u0661",
        "gzip;q=abc",
        "gzip;q=nan",
        "gzip;q=inf",
        'gzip;q="1"',
        "gzip;q=",
        "gzip;q",
        "gzip;",
        "gzip;;q=1",
        "gzip;q =1",
        "gzip;q= 1",
        "gzip;q=1;level=9",
        "gzip;level=9",
        "gzip;level=9;q=1",
        "gzip;q=1 2",
        "gzip q=1",
        "gzip gzip",
        "gzip=1",
        "gzip\n",
        "gzip\x0b",
        "gzip\xa0",
        "\x00gzip",
        '"gzip"',
        ";gzip",
        "g zip",
    ],
)
def test_a_malformed_member_is_ignored_alone(member):
    assert choose(member, ALL) == Choice(None, True)
    assert choose(f"{member}, br;q=0.1", ALL) == Choice("br", True)
    assert choose(f"identity;q=0,{member}", ALL) == NOTHING


def test_equal_weights_are_decided_by_the_order_of_the_server():
    assert choose("br, gzip", ("gzip", "br")).coding == "gzip"
    assert choose("gzip, br", ("br", "gzip")).coding == "br"
    assert choose("gzip, br", ()) == Choice(None, True)


codings = st.permutations(ALL).flatmap(lambda order: st.integers(0, 3).map(lambda count: tuple(order[:count])))
names = st.sampled_from([*ALL, "identity", "*", "deflate", "dcb"])
weights = st.dictionaries(names, st.none() | st.integers(0, 1000), max_size=7)
spaces = st.text(" \t", max_size=2)


def written(draw, name, weight):
    """A member in one of its spellings."""
    name = draw(st.sampled_from([name, name.upper(), *["x-gzip"] * (name == "gzip")]))
    if weight is None:
        return name
    digits = f"{weight / 1000:.3f}"
    short = digits.rstrip("0") or digits
    spelled = draw(st.sampled_from([digits, short, *[short.removesuffix(".")] * short.endswith(".")]))
    return f"{name}{draw(spaces)};{draw(spaces)}{draw(st.sampled_from('qQ'))}={spelled}"


@given(st.data(), weights, codings)
def test_any_spelling_and_any_order_means_the_weights(data, weights, codings):
    members = [written(data.draw, name, weight) for name, weight in weights.items()]
    members += data.draw(st.lists(st.sampled_from(["", "gzip;q=7", "br;level=1", "identity;q=", "*;q=2"]), max_size=3))
    value = ",".join(data.draw(spaces) + member + data.draw(spaces) for member in data.draw(st.permutations(members)))

    stated = {name: 1000 if weight is None else weight for name, weight in weights.items()}
    identity = stated.get("identity", stated.get("*"))
    offers = [(stated.get(coding, stated.get("*", 0)), -at, coding) for at, coding in enumerate(codings)]
    weight, _, best = max(offers, default=(0, 0, None))
    expected = None if weight == 0 or (identity or 0) > weight else best
    assert choose(value, codings) == Choice(expected, identity != 0)


@given(st.text() | st.text(" \t,;=*qQ01.gzipbr", max_size=40), codings)
def test_no_value_fails(value, codings):
    choice = choose(value, codings)
    assert choice.coding in (None, *codings)
    assert isinstance(choice.identity, bool)
    assert choices(codings)[value] == choice


@pytest.mark.parametrize(
    "value",
    [
        "deflate;q=0.5," * 10_000 + "gzip",
        "gzip," * 16_000 + "gzip ;q=0.9",
        "a" * 65_536 + ",gzip",
        "gzip," + "br" + " \t" * 32_768 + "x",
        "gzip,br;" + " " * 65_536 + "q",
        "gzip" + ",br;;" * 16_000,
    ],
    ids=len,
)
def test_a_large_value_is_read_like_a_small_one(value):
    assert choose(value, ALL) == Choice("gzip", True)


def test_a_value_is_read_once_unless_it_is_long():
    short, long = "gzip".ljust(LONGEST), "gzip".ljust(LONGEST + 1)
    assert choose(short, ALL) is choose(short, ALL) is choices(ALL)[short]
    assert choose(long, ALL) is not choose(long, ALL)


# -- what remembers --------------------------------------------------------------------------------------------------


def test_what_was_found_is_not_looked_for_again():
    asked = []
    remembered = Remembered(lambda key: asked.append(key) or key.upper())
    assert [remembered[key] for key in "aba"] == ["A", "B", "A"]
    assert asked == ["a", "b"]


def test_a_long_key_is_not_kept():
    remembered = Remembered(len, longest=3)
    assert [remembered["abc"], remembered["abcd"]] == [3, 4]
    assert remembered == {"abc": 3}


def test_it_starts_anew_when_it_is_full():
    remembered = Remembered(int)
    for number in range(LIMIT):
        assert remembered[str(number)] == number
    assert len(remembered) == LIMIT
    assert remembered["-1"] == -1
    assert remembered == {"-1": -1}


def test_what_fails_is_not_kept():
    remembered = Remembered(int)
    with pytest.raises(ValueError, match="invalid literal"):
        remembered["x"]
    assert remembered == {}

"""Which media types are worth compressing: what may be listed, what a list means, and what the default lists."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middleware.http.remembered import LONGEST
from middleware.layers.compress.content_types import DEFAULT, compressible, content_types, content_types_fault, matches

LISTED = frozenset(("text/html", "image/*", "+json", "application/a.b-c"))


@pytest.mark.parametrize(
    ("content_type", "worth"),
    [
        ("text/html", True),
        ("Text/HTML", True),
        ("text/html; charset=utf-8", True),
        ("text/html;charset=utf-8", True),
        ('text/html ; x="application/zip;"', True),
        (" text/html\t", True),
        ("text/html;", True),
        ("text/htm", False),
        ("text/html5", False),
        ("text/plain", False),
        ("xtext/html", False),
        ("image/png", True),
        ("IMAGE/svg+xml", True),
        ("images/png", False),
        ("application/ld+json", True),
        ("application/vnd.Api+JSON; version=1", True),
        ("application/a+b+json", True),
        ("application/json", False),
        ("application/x-json", False),
        ("application/a+json+zip", False),
        ("application/a+jsonp", False),
        ("application/a.b-c", True),
        ("application/axb-c", False),
        # what is no media type
        ("", False),
        (";", False),
        ("text", False),
        ("text/", False),
        ("/html", False),
        ("image/", False),
        ("image/*", False),
        ("image/+json", False),
        ("+json", False),
        ("*/*", False),
        ("image", False),
        ("image/png/png", False),
        ("image/png, text/html", False),
        ("image/png text", False),
        ("image/p ng", False),
        ("image /png", False),
        ("image/png\n", False),
        ("image/png\x00", False),
        ("image/\xe9", False),
        ("image/" + "a" * 127, True),
        ("image/" + "a" * 128, False),
    ],
)
def test_a_type_a_range_and_a_suffix_are_matched_whole_without_case_and_parameters(content_type, worth):
    assert compressible(content_type, LISTED) is worth
    assert matches(LISTED)[content_type] is worth


@pytest.mark.parametrize("content_type", ["text/html", "application/zip", "x/y+z"])
def test_everything_may_be_listed_and_nothing_too(content_type):
    assert compressible(content_type, frozenset(("*/*",)))
    assert not compressible(content_type, frozenset())


@pytest.mark.parametrize("listed", ["text/event-stream", "text/*", "*/*"])
def test_events_are_never_compressed(listed):
    assert not compressible("Text/Event-Stream; charset=utf-8", frozenset((listed,)))


@given(st.text() | st.text("imagetxhl/*+json; \t", max_size=20))
def test_no_content_type_fails(content_type):
    assert compressible(content_type, DEFAULT) in (True, False)


@pytest.mark.parametrize(
    "content_type",
    [
        *("text/html", "text/css", "text/plain", "text/csv", "text/javascript", "text/calendar", "text/x-anything"),
        *("application/json", "application/javascript", "application/xml", "application/wasm", "application/yaml"),
        *("application/problem+json", "application/manifest+json", "application/geo+json-seq", "application/x-ndjson"),
        *("application/xhtml+xml", "application/atom+xml", "image/svg+xml", "application/openapi+yaml"),
        *("font/ttf", "font/otf", "image/bmp", "image/x-icon", "application/vnd.ms-fontobject"),
    ],
)
def test_text_and_what_is_not_compressed_yet_is_worth_it(content_type):
    assert compressible(content_type, DEFAULT)


@pytest.mark.parametrize(
    "content_type",
    [
        *("image/png", "image/jpeg", "image/webp", "image/avif", "video/mp4", "audio/mpeg", "font/woff2", "font/woff"),
        *("application/zip", "application/gzip", "application/zstd", "application/pdf", "application/epub+zip"),
        *("application/octet-stream", "application/x-virtualbox-ova", "application/cbor", "application/senml+cbor"),
        *("text/event-stream", "multipart/form-data", "multipart/byteranges", "multipart/x-mixed-replace"),
    ],
)
def test_what_is_compressed_already_or_says_nothing_of_its_content_is_not(content_type):
    assert not compressible(content_type, DEFAULT)


def test_a_content_type_is_looked_at_once_unless_it_is_long():
    remembered = matches(frozenset(("x/once",)))
    short, long = "x/once".ljust(LONGEST), "x/once".ljust(LONGEST + 1)
    assert [remembered[short], remembered[long], remembered[short]] == [True] * 3
    assert list(remembered) == [short]


def test_a_long_list_is_kept_as_well():
    everything = frozenset(f"x/{number}" for number in range(2_000))
    assert matches(everything) is matches(frozenset(everything))
    assert compressible("x/1999", everything)


# -- the option ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("text/html", {"text/html"}),
        (["Text/HTML", "text/html", "+JSON"], {"text/html", "+json"}),
        (("text/*", "*/*"), {"text/*", "*/*"}),
        ({"application/vnd.a.b-c+d!#$&^_": 1}, {"application/vnd.a.b-c+d!#$&^_"}),
        ((), set()),
        (DEFAULT, DEFAULT),
        (DEFAULT | {"application/x-own"}, DEFAULT | {"application/x-own"}),
    ],
)
def test_an_option_lists_types_ranges_and_suffixes(given, kept):
    assert content_types(given) == kept
    assert content_types_fault(given) is None
    assert content_types(iter([given] if isinstance(given, str) else given)) == kept


@pytest.mark.parametrize(
    "entry",
    [
        *(
            "",
            " ",
            "text",
            "html",
            "*",
            "text/",
            "/html",
            "*/html",
            "text/**",
            "text/h*",
            "*/*+json",
            "+",
            "++",
            "+a+b",
        ),
        *(" text/html", "text/html ", "text/html; charset=utf-8", "text/html;q=1", "text/html,text/css", "text/html\n"),
        *("text/h\xe9", "json", "text/html/x", "text/" + "a" * 128, "+" + "a" * 127, "-/x"),
        *(b"text/html", 1, None, ("text/html",)),
    ],
)
def test_what_is_none_of_them_is_refused_and_named(entry):
    fault = content_types_fault(["text/css", entry])
    assert fault.startswith("types without parameters")
    assert fault.endswith(f", not {entry!r}")
    with pytest.raises(ValueError, match="types without parameters"):
        content_types(["text/css", entry])


@pytest.mark.parametrize("value", [None, 1, True, len])
def test_what_lists_nothing_is_refused(value):
    assert content_types_fault(value) == "a str, or an iterable of str"


# -- the data --------------------------------------------------------------------------------------------------------

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / ".ci" / "compressible.py"
SOURCE = ROOT / "middleware" / "layers" / "compress" / "content_types.py"
DATABASE = {
    "application/zip": {"compressible": False},
    "application/unknown": {},
    "application/b": {"compressible": True},
    "application/a": {"compressible": True, "source": "iana"},
    "application/c+json": {"compressible": True},
    "application/octet-stream": {"compressible": True},
    "text/plain": {"compressible": True},
}


@pytest.fixture
def script():
    return runpy.run_path(str(SCRIPT))


@pytest.fixture
def listed(script, tmp_path):
    """Make the source of the list from a database and a history."""

    def make(database, history="1.2.3 / 2025-03-17\n====\n"):
        (tmp_path / "HISTORY.md").write_text(history, encoding="utf-8")
        path = tmp_path / "db.json"
        path.write_text(json.dumps(database), encoding="utf-8")
        return script["default_list"](path)

    return make


def test_the_list_has_what_no_range_and_no_suffix_covers(listed):
    text = listed(DATABASE)
    made = {"Final": {frozenset[str]: frozenset}}
    exec(text, made)  # noqa: S102 - what it wrote is an assignment
    assert {"text/*", "+json", "application/yaml", "application/a", "application/b"} <= made["DEFAULT"]
    assert made["DEFAULT"].isdisjoint(
        {"application/zip", "application/unknown", "application/c+json", "application/octet-stream", "text/plain"}
    )
    assert "mime-db 1.2.3 of 2025-03-17" in text


def test_the_list_is_what_the_script_writes(listed):
    """Making it again from its entries makes the same, except for version and date."""
    text = listed({name: {"compressible": True} for name in sorted(DEFAULT) if "*" not in name and name[0] != "+"})
    source = SOURCE.read_text(encoding="utf-8")
    assert source.endswith(text.partition("\n")[2])
    assert content_types(DEFAULT) == DEFAULT


def test_the_script_changes_nothing_but_the_list(script, listed):
    source, text = SOURCE.read_text(encoding="utf-8"), listed(DATABASE)
    written = script["rewritten"](source, text)
    assert written.endswith(f"\n\n{text}")
    assert written.removesuffix(text) == source[: len(written) - len(text)]
    assert script["rewritten"](written, text) == written


def test_a_module_without_the_list_is_refused(script):
    with pytest.raises(SystemExit, match="TEMPLATE"):
        script["rewritten"]("import re\n", "")


def test_a_range_does_not_cover_what_is_not_compressible(listed):
    with pytest.raises(SystemExit, match="text/zipped"):
        listed({**DATABASE, "text/zipped": {"compressible": False}})


def test_an_unreleased_database_is_refused(listed):
    with pytest.raises(SystemExit, match="HISTORY"):
        listed(DATABASE, "unreleased\n====\n")

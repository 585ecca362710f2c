"""Paths: their readings, held against a plain model of the law, and counted."""

from __future__ import annotations

import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middleware.http import paths
from middleware.http.paths import MOST_WRITTEN, below, normal, readings

# -- the model: every reading as a string, however many there are ----------------------------------------------------


def resolved(path):
    """RFC 3986 5.2.4, with a stack."""
    kept = []
    parts = path.split("/")
    for part in parts:
        if part == "..":
            if len(kept) > 1:
                kept.pop()
        elif part != ".":
            kept.append(part)
    if parts[-1] in {".", ".."}:
        kept.append("")
    return "/".join(kept)


def merged(path):
    return re.sub("/+", "/", f"/{path}")


WAYS = (
    lambda path: path,
    merged,
    resolved,
    lambda path: merged(resolved(path)),
    lambda path: resolved(merged(path)),
)


def without_marks(segment):
    return segment if segment in {"@@", "@@.", "@@.."} else segment.removeprefix("@@")


def texts(raw):
    octets = raw.encode("latin-1")
    decoded = {octets.decode("utf-8", how) for how in ("replace", "ignore")}
    if len(decoded) > 1:
        decoded.add(raw)
    ended = {each for text in decoded for each in (text, text.rstrip("\r\n"))}
    return ended | {"/".join(map(without_marks, text.split("/"))) for text in ended}


def model(raw):
    """The path in each way, and each of its beginnings followed by the rest in each way."""
    for text in texts(raw):
        yield from (way(text) for way in WAYS)
        for boundary in (place for place, character in enumerate(text) if character == "/" and place):
            yield from (text[:boundary] + way(text[boundary:]) for way in WAYS)


def shifted(raw):
    """The same, where the segments of the beginning went to SCRIPT_NAME one by one, as wsgiref and WebOb do it."""
    for text in texts(raw):
        for boundary in (place for place, character in enumerate(text) if character == "/"):
            begun = "".join(f"/{part}" for part in text[:boundary].split("/") if part not in {"", "."})
            yield from (begun + way(text[boundary:]) for way in WAYS)


def is_below(path, prefix):
    return path == prefix or path.startswith(f"{prefix}/")


PREFIXES = ["/admin", "/x", "/admin/x", "/x/admin", "/x/x/admin"]
PARTS = ["admin", "x", "", ".", "..", "adm\xffin", "\xff", "\xff.", "x\n", "%2e", "@@admin", "@@", "@@.", "@@.."]
parts = st.lists(st.sampled_from(PARTS), max_size=9)


@given(parts, st.sampled_from(["", "/", "\n", "\r\n", "\xff"]))
def test_all_readings_are_found_and_no_others(parts, end):
    raw = "".join(f"/{part}" for part in parts) + end
    raw = raw if raw.startswith("/") else f"/{raw}"
    asked = readings("", raw)
    for prefix in PREFIXES:
        wanted = normal(prefix)
        holding = [is_below(reading, prefix) for reading in model(raw)]
        assert asked.certainly(wanted) == all(holding)
        assert asked.possibly(wanted) == (any(holding) or any(is_below(each, prefix) for each in shifted(raw)))
        written, complete, _ = asked.written()
        assert not complete or asked.possibly(wanted) == any(is_below(each, prefix) for each in written)


# -- tables ----------------------------------------------------------------------------------------------------------

WRITTEN = [
    ("/a/b", ["/a/b"]),
    ("/a/b/", ["/a/b/"]),
    ("", [""]),
    ("/", ["/"]),
    ("*", ["*", "/*"]),
    ("a/b", ["a/b", "/a/b"]),
    ("/a/./b", ["/a/./b", "/a/b"]),
    ("/a/b/../c", ["/a/b/../c", "/a/c", "/a/b/c"]),
    ("/../../a", ["/../../a", "/a", "/../a"]),
    ("/a/..", ["/a/..", "/", "/a/"]),
    ("/a/.", ["/a/.", "/a/"]),
    ("/a//b", ["/a//b", "/a/b"]),
    ("/...", ["/..."]),
    ("/.well-known/x", ["/.well-known/x"]),
    ("/caf\xc3\xa9", ["/caf\xe9"]),
    ("/a\r\n", ["/a\r\n", "/a"]),
    ("/a\xff", ["/a\ufffd", "/a", "/a%FF", "/a\xff"]),
    ("/\u2603", ["/\u2603"]),
    ("/a/@@b", ["/a/@@b", "/a/b"]),
    ("/a/@@@@", ["/a/@@@@", "/a/@@"]),
    ("/@@a/@@..", ["/@@a/@@..", "/a/@@.."]),
    # an application mounted at /a/.. reads /b//.. by itself: as /b/ if it resolves dots first, as / if it merges first
    ("/a/../b//..", [*("/a/../b//..", "/a/../b/..", "/b/", "/"), *("/a/../b//", "/a/../b/", "/a/b/", "/a/")]),
]


@pytest.mark.parametrize(("path", "written"), WRITTEN)
def test_readings_are_written_out_the_path_as_it_stands_first(path, written):
    assert readings("", path).written() == (tuple(written), True, True)


# script name, path, prefix, possibly, certainly
MOUNTED = [
    ("/app", "/admin", "/app/admin", True, True),
    ("/app", "//admin", "/app/admin", True, False),
    ("/app", "admin", "/app/admin", True, False),
    ("/app", "admin", "/appadmin", True, False),
    ("/app", "/../admin", "/app/admin", True, False),
    ("/app", "/../admin", "/admin", True, False),
    ("/app/", "/admin", "/app/admin", True, False),
    ("/", "/admin", "/admin", True, False),
    ("/", "admin", "/admin", True, False),
    ("", "admin", "/admin", True, False),
    ("app", "/admin", "/app/admin", True, False),
    ("/app", "", "/app", True, True),
    ("", "//app/x/../../admin", "/app/admin", True, False),
    ("", "/./app/../admin", "/app/admin", True, False),
]


@pytest.mark.parametrize(("script", "path", "prefix", "possibly", "certainly"), MOUNTED)
def test_an_application_reads_what_follows_its_mount_by_itself(script, path, prefix, possibly, certainly):
    asked = readings(script, path)
    assert (asked.possibly(normal(prefix)), asked.certainly(normal(prefix))) == (possibly, certainly)


@pytest.mark.parametrize("path", ["/a/__self__/b", "/__class__", "/a/\xff/..self~~"])
def test_an_attribute_may_lead_anywhere(path):
    asked = readings("", path)
    assert asked.possibly(("elsewhere",))
    assert not asked.certainly(())
    assert asked.written()[1:] == (False, False)


@pytest.mark.parametrize(
    ("path", "read"),
    [
        ("/" + "a" * 2047, True),
        ("/" + "a" * 2048, False),
        ("/a" * 128, True),
        ("/a" * 128 + "/", True),
        ("/a" * 129, False),
        ("/" * 130, False),
        ("/\xff/.." * 600, False),
    ],
)
def test_what_is_too_long_is_possibly_below_everything_and_certainly_below_nothing(path, read):
    asked = readings("", path)
    assert asked.possibly(("elsewhere",)) == (not read)
    assert asked.certainly(()) == read
    assert asked.written().read == read


def test_the_written_readings_are_few():
    many = readings("", "/a/b/c/d" + "/.." * 60)
    written, complete, _ = many.written()
    assert (len(written), complete) == (MOST_WRITTEN, False)
    assert not many.possibly(("elsewhere",))


@pytest.mark.parametrize(
    ("path", "segments"),
    [("/", ()), ("/admin/", ("admin",)), ("/a//b/../c/.", ("a", "c")), ("/a/..", ()), ("/a\n", ("a\n",))],
)
def test_a_prefix_has_one_normal_form(path, segments):
    assert normal(path) == segments
    assert below((*segments, "x"), segments)
    assert not below(("elsewhere",), (*segments, "x"))


# -- the work --------------------------------------------------------------------------------------------------------


def lines_run(function):
    """How many lines of middleware.http.paths it takes: a count, where a clock would only guess."""
    count = 0

    def trace(frame, event, _):
        nonlocal count
        if frame.f_code.co_filename != paths.__file__:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return count


SPELLINGS = ["/..", "/.", "/", "/a", "/a/..", "//a/../.", "/\xff", "/a/b/../..", "/x/admin/..", "/@@a"]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("prefix", ["/admin", "/x/admin/x", "/a/b/a/b"])
def test_the_work_is_linear_in_the_path(spelling, prefix):
    """A path of four times the length takes four times the work, whatever it is made of."""
    wanted = normal(prefix)

    def work(times):
        def ask():
            asked = paths._read.__wrapped__("", spelling * times)
            asked.possibly(wanted)
            asked.certainly(wanted)

        return lines_run(ask)

    segments = spelling.count("/")
    small, large = work(24 // segments), work(96 // segments)
    assert large <= 4.2 * small


def test_the_readings_of_a_request_are_found_once():
    paths._read.cache_clear()
    for prefix in PREFIXES:
        readings("/app", "//admin").possibly(normal(prefix))
    assert paths._read.cache_info().misses == 1

"""docs/reference/stability.md and the versions of docs/explanation/why.md: what they promise is held, and is run."""

from __future__ import annotations

import ast
import configparser
import importlib.metadata
import json
import re
from pathlib import Path

import pytest

from public_names import FILE, default, parameters, public

ROOT = Path(__file__).parents[1]
WHY = (ROOT / "docs" / "explanation" / "why.md").read_text("utf-8")
FROZEN = json.loads(FILE.read_text("utf-8"))


def changed(now, frozen):
    """What is frozen and is no longer there, or is there with another default."""
    return [
        f"{place} {name}: {kind}, now {now.get(place, {}).get(name, 'gone')}"
        for place, names in frozen.items()
        for name, kind in ({"": "there"} | names).items()
        if (name and now.get(place, {}).get(name) != kind) or (not name and place not in now)
    ]


def test_no_public_name_or_default_is_removed_or_changed():
    """A new one: python tests/support/public_names.py."""
    assert changed(public(), FROZEN) == []


def test_everything_public_is_frozen():
    now = public()
    missing = [place for place in now if place not in FROZEN]
    missing += [f"{place} {name}" for place in FROZEN for name in now.get(place, {}) if name not in FROZEN[place]]
    assert missing == []


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ({"a": {"x": "required"}, "b": {}}, []),
        ({"a": {"x": "required", "y": "1"}, "b": {}, "c": {}}, []),
        ({"a": {"x": "1"}, "b": {}}, ["a x: required, now 1"]),
        ({"a": {}, "b": {}}, ["a x: required, now gone"]),
        ({"a": {"x": "required"}}, ["b : there, now gone"]),
    ],
)
def test_a_change_is_seen(now, said):
    assert changed(now, {"a": {"x": "required"}, "b": {}}) == said


def test_parameters_are_told_the_same_by_every_process():
    def function(a, *, b=None, c=("x",), d=print):
        """Takes some."""

    function.__module__ = "middleware"
    assert parameters(function) == {
        "a": "positional or keyword, required",
        "b": "keyword-only, None",
        "c": "keyword-only, ('x',)",
        "d": "keyword-only, a builtin_function_or_method",
    }
    assert (parameters(print), default(re.compile("x"))) == ({}, "a Pattern")


def test_the_tests_of_what_the_security_policy_promises_are_there():
    named = set(re.findall(r"`(test_\w+\.py)`", (ROOT / "SECURITY.md").read_text("utf-8")))
    assert named
    assert [name for name in named if not (ROOT / "tests" / name).is_file()] == []


# -- versions ----------------------------------------------------------------------------------------------------------


def versions(text):
    return tuple(int(part) for part in re.findall(r"\d+", text))


def pinned():
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini", "utf-8")
    return dict(re.findall(r"^(\w+) == (\S+)$", tox["testenv:frameworks-oldest"]["deps"], re.MULTILINE))


ROWS = re.findall(r"^\| (\w+) \| ([\d.]+) \| ([\d.]+) \|$", WHY, re.MULTILINE)


def test_the_oldest_versions_are_those_that_tox_runs():
    assert {name.lower(): oldest for name, oldest, _ in ROWS} == pinned()


@pytest.mark.parametrize(("name", "oldest", "newest"), ROWS)
def test_what_is_installed_is_no_older_than_what_is_supported(name, oldest, newest):
    assert versions(oldest) <= versions(newest)
    assert versions(importlib.metadata.version(name))[: len(versions(oldest))] >= versions(oldest)


def test_the_servers_are_those_that_are_run():
    tree = ast.parse((ROOT / "tests" / "real" / "test_server_matrix.py").read_text("utf-8"))
    [commands] = [node.value for node in tree.body if isinstance(node, ast.Assign) and node.targets[0].id == "COMMANDS"]
    run = {key.value.partition("-")[0] for key in commands.keys}
    said = re.search(r"runs every layer on these servers: (.*?)\.\n", WHY, re.DOTALL)[1]
    assert {name.lower() for name in re.findall(r"\w+", re.sub(r"\([^)]*\)| and ", " ", said))} == run

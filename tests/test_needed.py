"""Programs that a machine lacks: the tests that need them are skipped, the run says so, and the coverage gate too."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

import needed
from needed import needs

ROOT = Path(__file__).parents[1]
NONE = "there-is-no-such-program"


@pytest.fixture
def lacking(monkeypatch):
    monkeypatch.setattr(needed, "LACKING", set())
    monkeypatch.delenv("CI", raising=False)
    return lambda: needed.LACKING


def test_what_is_there_is_found_by_the_first_of_its_names_that_there_is(lacking):
    assert needs(NONE, "sh") == needs("sh")
    assert lacking() == set()


def test_what_is_missing_is_a_skip_that_says_what_to_install(lacking):
    with pytest.raises(pytest.skip.Exception, match=f"^{NONE} is not installed: apt-get install {NONE}$"):
        needs(NONE, f"{NONE}-either")
    assert lacking() == {NONE}


def test_nothing_is_skipped_in_ci(lacking, monkeypatch):
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match=f"apt-get install {NONE}"):
        needs(NONE)


CONFTEST = f"""
import importlib.util
spec = importlib.util.spec_from_file_location("ours", {str(ROOT / "tests" / "conftest.py")!r})
ours = importlib.util.module_from_spec(spec)
spec.loader.exec_module(ours)
pytest_terminal_summary, pytest_sessionfinish = ours.pytest_terminal_summary, ours.pytest_sessionfinish
pytest_testnodedown = ours.pytest_testnodedown
"""


@pytest.mark.parametrize("options", [[], ["--numprocesses=1"]], ids=["one process", "several"])
@pytest.mark.parametrize(
    ("test", "said", "noted"),
    [
        (
            f"from needed import needs\ndef test_it(): needs({NONE!r})\n",
            f"To run all tests: apt-get install {NONE}",
            NONE,
        ),
        ("def test_it(): pass\n", None, ""),
    ],
)
def test_a_run_ends_with_what_to_install_and_notes_it_for_the_gate(request, test, said, noted, options):
    pytester, monkeypatch = map(request.getfixturevalue, ("pytester", "monkeypatch"))
    note = pytester.path / "lacking"
    monkeypatch.setenv("LACKING", str(note))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    monkeypatch.delenv("CI", raising=False)
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test)
    lines = pytester.runpytest_subprocess(*options).outlines
    assert (said in lines) == (said is not None)
    assert note.read_text() == noted


@pytest.mark.parametrize(
    ("missing", "options", "said"),
    [
        ("", [], ""),
        (
            "chromium\ncurl",
            ["--fail-under=0"],
            "The coverage gate did not count: tests were skipped. To run them: apt-get install chromium curl\n",
        ),
    ],
)
def test_the_gate_counts_where_nothing_was_skipped_and_says_so_where_not(request, missing, options, said):
    tmp_path, monkeypatch, capsys = map(request.getfixturevalue, ("tmp_path", "monkeypatch", "capsys"))
    spec = importlib.util.spec_from_file_location("coverage_gate", ROOT / ".ci" / "coverage_gate.py")
    gate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(gate)
    (tmp_path / "lacking").write_text(missing)
    commands = []

    class Ended:
        returncode = 2

    monkeypatch.setattr(gate.subprocess, "run", lambda command, check: commands.append(command) or Ended)
    assert gate.main(str(tmp_path / "lacking")) == 2
    assert commands == [[sys.executable, "-m", "coverage", "report", *options]]
    assert capsys.readouterr().out == said

"""`.ci/run`: it ends as tox ends, its last line is pytest's own, and nothing of it stays."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from needed import needs

ROOT = Path(__file__).parents[1]
SMALL, LARGE = "===== 48 passed in 56.25s =====", "===== 47422 passed, 1 skipped in 522.45s (0:08:42) ====="
FAILED = "===== 2 failed, 46 passed in 9.01s ====="

# What `.ci/run` calls: a `python3` whose environments hold a tox that prints and ends as the case says.
PROGRAMS = {
    "dpkg-query": "echo installed",
    "python3": 'mkdir -p "$3/bin"; cp "$(dirname "$0")/true" "$3/bin/python"; cp "$(dirname "$0")/tox" "$3/bin/tox"',
    "true": ":",
}


@pytest.mark.parametrize(
    ("printed", "ended", "status", "last"),
    [
        ([SMALL, LARGE, "  congratulations :)"], 0, 0, LARGE),
        ([LARGE, SMALL, "  congratulations :)"], 0, 0, LARGE),
        ([FAILED, LARGE, SMALL, "  evaluation failed :("], 1, 1, FAILED),
        (["  lint: FAIL code 1", LARGE], 1, 1, LARGE),
        (["  evaluation failed :("], 1, 1, "no test has run"),
        ([], 0, 1, "no test has run"),
    ],
)
def test_a_run_ends_as_tox_ends_with_the_closing_line_of_pytest(tmp_path, printed, ended, status, last):
    programs, temporary, ci = tmp_path / "bin", tmp_path / "tmp", tmp_path / ".ci"
    for folder in (programs, temporary, ci):
        folder.mkdir()
    shutil.copy(ROOT / ".ci" / "run", ci)
    (tmp_path / "printed").write_text("".join(f"{line}\n" for line in printed))
    for name, script in {**PROGRAMS, "tox": f'cat "{tmp_path / "printed"}"; exit {ended}'}.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    environ = {"PATH": f"{programs}:/usr/bin:/bin", "TMPDIR": str(temporary)}
    run = subprocess.run(
        [needs("bash"), ci / "run"],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.returncode, run.stdout.splitlines()[-1]) == (status, last)
    assert list(temporary.iterdir()) == []

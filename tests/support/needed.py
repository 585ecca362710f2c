"""Programs that tests run and a machine may lack: a test is skipped without them, but not in CI.

`LACKING` has what was missing; conftest.py prints it after the tests, and the coverage gate does not count then.
"""

from __future__ import annotations

import os
import shutil

import pytest

LACKING: set[str] = set()  # Debian packages


def needs(*programs: str) -> str:
    """The path of the first of these programs that there is; the first one's name is that of its Debian package."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin"))
    found = next(filter(None, (shutil.which(program, path=path) for program in programs)), None)
    if found is None:
        LACKING.add(programs[0])
        lacks(f"{programs[0]} is not installed: apt-get install {programs[0]}")
    return found


def lacks(what: str) -> None:
    """Skip the test for the reason that this machine lacks something; in CI it fails."""
    if os.environ.get("CI"):
        pytest.fail(what, pytrace=False)
    pytest.skip(what)

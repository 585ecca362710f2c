"""`python -m benchmarks.soak`, for so many requests: that nothing is wrong, and that it sees what is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from serving import environment

pytestmark = pytest.mark.real
ROOT = Path(__file__).parents[2]
PATIENCE = 300  # seconds until it counts as stuck
NOTHING = {
    "wrong answers",
    "open iterables",
    "iterables closed twice",
    "ends not reported",
    "ends reported with another error",
    "teardowns missed",
    "uncollectable objects",
    "threads more than before",
    "blocks too many",
}


def soak(folder, *options: str, requests: int):
    """Its exit status, and its figures by what they are of. What lies in `folder` can be served."""
    command = sys.executable, "-m", "benchmarks.soak", "--requests", str(requests), *options
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stderr == ""
    figures = re.findall(r"^ *([+-]?\d+)  (.*)$", done.stdout, re.MULTILINE)
    return done.returncode, {what: int(count) for count, what in figures}


@pytest.fixture
def folder(tmp_path):
    """Where the benchmarks can be imported from, and the package of the checkout cannot."""
    (tmp_path / "benchmarks").symlink_to(ROOT / "benchmarks")
    return tmp_path


def test_requests_of_every_kind_are_answered_right_and_leave_nothing_behind(folder):
    status, figures = soak(folder, "--warm", "1000", requests=3000)
    assert {what: figures[what] for what in NOTHING} == dict.fromkeys(NOTHING, 0)
    assert status == 0
    assert figures["requests, 1000 of them before it is measured"] == 4000


# what is to be seen, and what is done wrong for it
FAULTS = {
    "wrong answers": "site.TEXT = site.TEXT.replace(b'line 599', b'line 600')",
    "open iterables": "site.Body.close = lambda self: None",
    "iterables closed twice": "close = site.Body.close; site.Body.close = lambda self: (close(self), close(self))",
    "ends not reported": "site.Tally.__call__ = lambda self, what: what == 'end RuntimeError' or tell(self, what)",
    "ends reported with another error": "site.Tally.__call__ = lambda self, what: tell(self, what.replace('Run', ''))",
    "teardowns missed": "site.Tally.__call__ = lambda self, what: what == 'torn down' or tell(self, what)",
    "uncollectable objects": "gc.garbage.append(gc)",
    "threads more than before": "routed = lambda *given: (staying(), site.nothing(*given))[1]",
    "blocks too many": "routed = lambda *given: (kept.extend(map(str, range(1000, 9000))), site.nothing(*given))[1]",
}
SITE = """
import gc, threading
from benchmarks import soak_site as site
from benchmarks.soak_site import application

kept, tell, routed = [], site.Tally.__call__, site.nothing
staying = lambda: threading.Thread(target=threading.Event().wait, daemon=True).start()
{fault}
site.ROUTES["nothing"] = routed
"""


@pytest.mark.parametrize("what", FAULTS)
def test_what_is_wrong_is_counted_and_is_exit_status_1(folder, what):
    (folder / "faulty.py").write_text(SITE.format(fault=FAULTS[what]))
    status, figures = soak(folder, "--site", "faulty:application", "--warm", "0", requests=400)
    assert (status, figures[what] > 0) == (1, True), figures


def test_every_figure_can_be_wrong():
    assert {*FAULTS} == NOTHING

"""Start: costs that are paid once, of an import and of `Stack.wrap`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final

from benchmarks import ours
from benchmarks.apart import apart
from benchmarks.case import page

ROOT: Final = Path(__file__).parents[1]
# -I and -S shut out the environment and what is installed, so the checkout is named; that costs every program the same.
PATH: Final = f"import sys; sys.path.insert(0, {str(ROOT)!r})"
PROGRAMS: Final = {
    "bare": "pass",
    "import middleware": "import middleware",
    "from middleware import Headers, Stack, Timing": "from middleware import Headers, Stack, Timing",
}
PROCESSES: Final = 5
WRAPS: Final = 20


def imports(rounds: int) -> dict[str, float]:
    """The milliseconds of each import beyond a bare interpreter: medians of programs that take turns."""
    took: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for turn in range(rounds + 1):
        for name, program in PROGRAMS.items():
            seconds = _run(f"{PATH}; {program}")
            if turn:  # the first writes the byte code
                took[name].append(seconds * 1000.0)
    return {name: median(times) - median(took["bare"]) for name, times in took.items() if name != "bare"}


def _run(program: str) -> float:
    begun = perf_counter()
    subprocess.run([sys.executable, "-I", "-S", "-c", program], check=True, stdin=subprocess.DEVNULL)
    return perf_counter() - begun


def wraps() -> dict[str, float]:
    """The milliseconds of `Stack.wrap` of ten layers: the first of a process, and a later one of an equal stack."""
    found = [apart(_wraps) for _ in range(PROCESSES)]
    return {name: min(took[place] for took in found) for place, name in enumerate(("first", "later"))}


def _wraps() -> tuple[float, float]:
    took = []
    for _ in range(WRAPS):
        stack = ours.ten()
        begun = perf_counter()
        stack.wrap(page)
        took.append((perf_counter() - begun) * 1000.0)
    first, *later = took
    return first, min(later)

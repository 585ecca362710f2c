"""Imports: what they add to the start of an interpreter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final

ROOT: Final = Path(__file__).parents[1]
# -I and -S shut out the environment and what is installed, so the checkout is named; that costs every program the same.
PATH: Final = f"import sys; sys.path.insert(0, {str(ROOT)!r})"
PROGRAMS: Final = {
    "bare": "pass",
    "import middleware": "import middleware",
    "from middleware import Headers, Stack, Timing": "from middleware import Headers, Stack, Timing",
}


def milliseconds(rounds: int) -> dict[str, float]:
    """What each import takes beyond a bare interpreter: medians of programs that take turns."""
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

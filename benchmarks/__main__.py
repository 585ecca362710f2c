"""Measure, print the table, and say which gates hold."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from pathlib import Path

from benchmarks import clock, encoding, imports
from benchmarks.gates import GATES
from benchmarks.results import Results
from benchmarks.table import CASES, lines


def main() -> int:
    """Run the command."""
    options = _options()
    print(f"Python {platform.python_version()}, {options.rounds} batches of {clock.BATCH * 1000} ms each", flush=True)
    fastest = clock.fastest([case for case in CASES if not case.missing], options.rounds)
    results = Results(fastest, imports.milliseconds(options.imports), encoding.measured())
    print(*lines(results), sep="\n")
    held = {gate.what: gate.holds(results) for gate in GATES}
    if options.json is not None:
        plain = {"python": platform.python_version(), **results.plain(), "gates": held}
        options.json.write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")
    return 1 if options.gate and not all(held.values()) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=sys.modules["benchmarks"].__doc__)
    parser.add_argument("--rounds", type=_count, default=1000, help="batches of each case (default: 1000, about 40 s)")
    parser.add_argument("--imports", type=_count, default=20, help="starts of an interpreter for each (default: 20)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    parser.add_argument("--gate", action="store_true", help="exit with status 1 if a gate does not hold")
    return parser.parse_args()


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise ValueError(text)
    return count


if __name__ == "__main__":
    sys.exit(main())

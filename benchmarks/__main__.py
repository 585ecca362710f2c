"""Measure, print the table, and say which gates hold."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from pathlib import Path

from benchmarks import clock, correctness, encoders, encoding, imports, results, served
from benchmarks.gates import GATES
from benchmarks.page import publish
from benchmarks.table import CASES, lines


def main() -> int:
    """Run the command."""
    options = _options()
    found = results.read(json.loads(options.again.read_text("utf-8"))) if options.again else _measured(options)
    print(*lines(found), sep="\n")
    held = {gate.what: gate.holds(found) for gate in GATES}
    if options.json is not None:
        plain = {"python": platform.python_version(), **found.plain(), "gates": held}
        options.json.write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")
    if options.plots is not None:
        publish(found, options.plots)
    return 1 if options.gate and not all(held.values()) else 0


def _measured(options: argparse.Namespace) -> results.Results:
    print(f"Python {platform.python_version()}, {options.rounds} batches of {clock.BATCH * 1000} ms each", flush=True)
    return results.Results(
        correctness=correctness.measured(),  # first: it fails at once, if anything does
        microseconds=clock.fastest([case for case in CASES if not case.missing], options.rounds),
        over_key={case.key: case.over for case in CASES},
        imports=imports.milliseconds(options.imports),
        encoding=encoding.measured(),
        encoders=encoders.measured(),
        served=served.microseconds(),
        where=results.here(options.rounds),
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=sys.modules["benchmarks"].__doc__)
    parser.add_argument("--rounds", type=_count, default=1000, help="batches of each case (default: 1000, about 80 s)")
    parser.add_argument("--imports", type=_count, default=20, help="starts of an interpreter for each (default: 20)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    parser.add_argument(
        "--plots", type=Path, metavar="DIR", help="also draw them there, and rewrite the page beside it"
    )
    parser.add_argument(
        "--from", type=Path, metavar="FILE", dest="again", help="do not measure: take the figures there"
    )
    parser.add_argument("--gate", action="store_true", help="exit with status 1 if a gate does not hold")
    return parser.parse_args()


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise ValueError(text)
    return count


if __name__ == "__main__":
    sys.exit(main())

"""Measure, print the table, and say which gates hold."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks import builds, clock, content, correctness, encoders, encoding, gates, results, served, start
from benchmarks.page import publish
from benchmarks.table import CASES, OWN, lines


def main() -> int:
    """Run the command."""
    options = _options()
    found = results.read(json.loads(options.again.read_text("utf-8"))) if options.again else _measured(options)
    for other in options.builds:
        print(f"the same on {other}", flush=True)
        rounds = "--rounds", str(options.rounds), "--imports", str(options.imports)
        found = replace(found, others=(*found.others, results.read(builds.measured(other, rounds))))
    for build in found.builds:
        print("", build.build, *lines(build), sep="\n")
    print("", *gates.lines(found), sep="\n")
    held = {gate.what: gate.holds(found) for gate in gates.GATES}
    if options.json is not None:
        options.json.write_text(json.dumps({**found.plain(), "gates": held}, indent=2) + "\n", encoding="utf-8")
    if options.plots is not None:
        publish(found, options.plots)
    return 1 if options.gate and not all(held.values()) else 0


def _measured(options: argparse.Namespace) -> results.Results:
    own, cases = options.own, OWN if options.own else CASES
    print(f"{builds.here()}, {options.rounds} batches of {clock.BATCH * 1000} ms each", flush=True)
    return results.Results(
        correctness={} if own else correctness.measured(),  # first: it fails at once, if anything does
        microseconds=clock.fastest([case for case in cases if not case.missing], options.rounds),
        over_key={case.key: case.over for case in cases},
        imports=start.imports(options.imports),
        wraps=start.wraps(),
        encoding=encoding.measured(own=own),
        encoders=() if own else encoders.measured(),
        content=content.measured(),
        served=served.microseconds(),
        build=builds.here(),
        where=results.here(options.rounds),
        own=own,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=sys.modules["benchmarks"].__doc__)
    parser.add_argument("--rounds", type=_count, default=1000, help="batches of each case (default: 1000, about 100 s)")
    parser.add_argument("--imports", type=_count, default=20, help="starts of an interpreter for each (default: 20)")
    parser.add_argument("--own", action="store_true", help="measure what has a gate only: nothing of others")
    parser.add_argument(
        "--builds",
        nargs="+",
        default=[],
        metavar="PYTHON",
        help="also measure what has a gate on these interpreters; the worst figure counts",
    )
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

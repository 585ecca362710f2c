"""The pages: docs/performance.md and README.md, whose figures are written here, between marks, and never by hand."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from benchmarks import correctness
from benchmarks.encoders import ENCODERS
from benchmarks.encoding import SIZES, STREAMED
from benchmarks.figures import FIGURES, four_jobs, name, told
from benchmarks.gates import GATES
from benchmarks.limit import FOUR
from benchmarks.results import read
from benchmarks.served import LABELS
from benchmarks.table import COUNTS, FAMILIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from benchmarks.results import Results

# Seen from the folder of the pictures, each with the tables of its own.
PAGES: Final = {
    "../performance.md": lambda mark: mark != "in-short",
    "../../README.md": lambda mark: mark == "in-short",
}
MARKED: Final = re.compile(r"(<!-- figures: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def publish(results: Results, folder: Path) -> None:
    """Write the pictures, the figures that they are drawn from, and those pages that there are."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {page: (folder / page).read_text(encoding="utf-8") for page in PAGES if (folder / page).exists()}
    for file, content in published(results, pages).items():
        (folder / file).write_text(content, encoding="utf-8")


def published(results: Results, pages: Mapping[str, str]) -> dict[str, str]:
    """What is written, by the name of the file within the folder. All of it is read back from the JSON first."""
    plain = json.dumps(results.plain(), indent=1) + "\n"
    results = read(json.loads(plain))
    pictures = {file: draw(results) for file, draw in FIGURES.items()}
    written = {page: rewritten(text, results, filter(PAGES[page], TABLES)) for page, text in pages.items()}
    return {"results.json": plain, **pictures, **written}


def rewritten(page: str, results: Results, tables: Iterable[str]) -> str:
    """The page with its tables of these results."""
    assert set(tables) == {found[2] for found in MARKED.finditer(page)}, "a page lacks a mark, or has one too many"
    return MARKED.sub(lambda found: "".join((found[1], "\n", *_lines(TABLES[found[2]](results)), "\n", found[3])), page)


def _lines(lines: Iterator[str]) -> Iterator[str]:
    return (f"{line}\n" for line in lines)


def _table(heads: list[str], rows: list[list[str]], words: int = 1) -> Iterator[str]:
    """A table; its first columns are words, the others are figures."""
    yield f"| {' | '.join(heads)} |"
    yield f"| {' | '.join(['---'] * words + ['---:'] * (len(heads) - words))} |"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def in_short(results: Results) -> Iterator[str]:
    """The four jobs, of few, in one row."""
    cases = {case.key: case for case in four_jobs(results)}
    shown = {label: cases[key] for label, key in IN_SHORT.items() if key in cases}
    yield f"| {' | '.join(shown)} |"
    yield f"|{' ---: |' * len(shown)}"
    yield f"| {' | '.join(told(results.ratio(case.key, 'limit/four')) for case in shown.values())} |"


def where(results: Results) -> Iterator[str]:
    """Where and when it was measured."""
    found = results.where
    builds = "; ".join(str(each.build) for each in results.builds)
    yield f"{builds}. {found['machine']}, {found['date']}; {found['batches']} batches of each case."
    yield ""
    yield f"Beside it: {', '.join(f'{package} {number}' for package, number in found['versions'].items())}."


def peers(results: Results) -> Iterator[str]:
    """The four jobs."""
    rows = []
    for case in four_jobs(results):
        over = results.took(results.over_key.get(case.key, "bare"))
        lacks = ", ".join(f"no {field}" for field in FOUR if field not in case.sends)
        more = ", ".join(f"and {field}" for field in case.sends if field not in FOUR)
        ratio = results.ratio(case.key, "limit/four")
        figures = [f"{over:.2f}", f"{results.over(case.key):.2f}", told(ratio)]
        rows.append([name(case), *figures, ", ".join(filter(None, (lacks, more)))])
    heads = ["four jobs", "µs without them", "µs that they add", "× by hand", "sends otherwise"]
    yield from _table(heads, rows)


def parts(results: Results) -> Iterator[str]:
    """Each layer beside its own function by hand."""
    pairs = {
        "Headers": ("ours/headers", "limit/headers"),
        "Timing": ("ours/timing", "limit/timing"),
        "SecurityHeaders": ("ours/security", "limit/security"),
        "CORS": ("ours/cors", "limit/cors"),
        "Gzip, deciding not to encode": ("ours/declined", "limit/declined"),
        "all four jobs": ("ours/four", "limit/four"),
    }
    rows = [
        [label, f"{results.over(hand):.2f}", f"{results.over(ours):.2f}", told(results.ratio(ours, hand))]
        for label, (ours, hand) in pairs.items()
    ]
    yield from _table(["in a stack", "µs by hand", "µs", "× by hand"], rows)


def layers(results: Results) -> Iterator[str]:
    """So many of the same."""
    rows = [
        [
            family.label,
            *(told(results.over(f"{family.prefix}{many}")) for many in COUNTS),
            f"{results.step(family.prefix):.2f}",
        ]
        for family in FAMILIES
        if results.has(*(f"{family.prefix}{many}" for many in COUNTS))
    ]
    yield from _table(["µs over the application", *map(str, COUNTS), "each further"], rows)


def encoding(results: Results) -> Iterator[str]:
    """What the four layers add to each codec."""
    rows = [
        [
            f"{row.codec}, {row.kib} KiB",
            told(row.raw),
            told(row.by_hand),
            told(row.over),
            f"{row.raw / row.by_hand:.2f}",
            f"{row.efficiency:.2f}",
            told(row.kib * 1024 / row.sent),
        ]
        for row in results.encoding.rows
    ]
    heads = ["four jobs", "µs codec", "µs by hand", "µs", "efficiency by hand", "efficiency", "× smaller"]
    yield from _table(heads, rows)


def encoders(results: Results) -> Iterator[str]:
    """What other packages add to gzip."""
    rows = []
    for encoder in ENCODERS:
        found = {taken.kib: taken for taken in results.encoders if taken.label == encoder.label}
        if found:
            extra = [told(found[kib].request - found[kib].plain - found[kib].raw) for kib in SIZES]
            rows.append([encoder.label, str(encoder.level), *(f"{found[kib].efficiency:.2f}" for kib in SIZES), *extra])
    heads = ["gzip of others", "level", *(f"{kib} KiB" for kib in SIZES), *(f"µs more, {kib} KiB" for kib in SIZES)]
    yield from _table(heads, rows)


def streams(results: Results) -> Iterator[str]:
    """How the chunks of a stream come."""
    rows = [
        [who["label"], *(correctness.told_of(*who["streams"][accepted]) for accepted in correctness.ACCEPTED)]
        for who in results.correctness["content codings"]
    ]
    heads = ["a stream", *(f"`Accept-Encoding: {accepted}`" for accepted in correctness.ACCEPTED)]
    yield from _table(heads, rows, 3)
    streamed = results.encoding.streamed
    growth = f"grows by {streamed.growth:.0f} KiB" if streamed.growth > 0 else "does not grow"
    yield ""
    yield (
        f"{STREAMED} MiB through gzip: the process {growth}, each open stream keeps"
        f" {streamed.heap:.0f} KiB, and the slowest chunk was decodable {streamed.slowest:.2f} ms after it was yielded."
    )


def served(results: Results) -> Iterator[str]:
    """What a request costs a process behind waitress."""
    by_hand = results.served["limit/four"]
    rows = [
        [label, f"{results.served[key]:.1f}", f"{results.served[key] / by_hand:.3f}"] for key, label in LABELS.items()
    ]
    yield from _table(["behind waitress", "µs of processor time", "× by hand"], rows)


def imported(results: Results) -> Iterator[str]:
    """What an import takes."""
    rows = [[f"`{what}`", f"{took:.1f}"] for what, took in results.imports.items()]
    yield from _table(["beyond a bare interpreter", "ms"], rows)


def gates(results: Results) -> Iterator[str]:
    """What is aimed at, and what was reached on each build; nothing of what was not measured."""
    words = {"FAIL": "**missed**", "pass": "reached"}
    rows = []
    for gate in (gate for gate in GATES if gate.worst(results) is not None):
        bound = f"{gate.bound:g}" if gate.plain is None else f"{gate.bound:g}, plain {gate.plain:g}"
        rows.append(
            [
                gate.what,
                words.get(gate.word(results), "held, short of the aim"),
                gate.unit.replace("x ", "× "),
                *("" if figure is None else f"{figure:.3f}" for figure in gate.figures(results)),
                "" if gate.aim is None else f"{gate.aim:g}",
                f"{'≥' if gate.least else '≤'} {bound}",
            ]
        )
    names = [each.build.kind for each in results.builds] if results.others else ["measured"]
    yield from _table(["", "", "unit", *names, "aim", "bound"], rows, 3)


def mistakes(family: str) -> Callable[[Results], Iterator[str]]:
    """What others get wrong."""

    def table(results: Results) -> Iterator[str]:
        asked: list[dict[str, Any]] = results.correctness[family]
        words = {True: "**yes**", False: "no", None: "-"}
        rows = [[what, *(words[who["done"][what]] for who in asked)] for what in asked[0]["done"]]
        yield from _table(["", *(f"{who['label']} {who['version']}" for who in asked)], rows, len(asked) + 1)

    return table


IN_SHORT: Final = {
    "by hand": "limit/four",
    "this project": "ours/four",
    "nested functions": "tight/four",
    "Falcon": "falcon/four",
    "Pyramid": "pyramid/four",
    "Starlette": "starlette/four",
    "WebOb, one layer": "webob/one",
    "Flask, three extensions": "flask/extensions",
    "Django": "django/four",
}
TABLES: Final[dict[str, Callable[[Results], Iterator[str]]]] = {
    "in-short": in_short,
    "where": where,
    "peers": peers,
    "parts": parts,
    "layers": layers,
    "encoding": encoding,
    "encoders": encoders,
    "streams": streams,
    "served": served,
    "imports": imported,
    "gates": gates,
    "mistakes-encoding": mistakes("content codings"),
    "mistakes-cors": mistakes("CORS"),
}

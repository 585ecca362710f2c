"""The figures of docs/performance.md and README.md are those of results.json; the benchmarks measure what they say."""

from __future__ import annotations

import gzip
import importlib
import json
import logging
import re
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "docs" / "figures"
PAGES = {page: (FIGURES / page).read_text(encoding="utf-8") for page in ("../performance.md", "../../README.md")}
PAGE = PAGES["../performance.md"]
RUN = json.loads((FIGURES / "results.json").read_text(encoding="utf-8"))
PICTURES = sorted(path.name for path in FIGURES.glob("*.svg"))
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def benchmarks():
    """Load a module of the benchmarks, which are not installed, around the installed package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT)
        yield lambda name: importlib.import_module(f"benchmarks.{name}")


@pytest.fixture(scope="module")
def published(benchmarks):
    """What the command would write of the run that was written down."""
    return benchmarks("page").published(benchmarks("results").read(RUN), PAGES)


@pytest.mark.parametrize("file", ["results.json", *PAGES, *PICTURES])
def test_the_page_and_its_pictures_come_of_the_figures_without_change(published, file):
    """If not: python -m benchmarks --from docs/figures/results.json --plots docs/figures."""
    there = (FIGURES / file).read_text(encoding="utf-8")
    assert there == published[file]


def test_there_is_no_other_picture_and_the_page_shows_each(published):
    assert sorted(file for file in published if file.endswith(".svg")) == PICTURES
    assert sorted(re.findall(r"!\[[^]]+\]\(figures/(\S+)\)", PAGE)) == PICTURES


@pytest.mark.parametrize("file", PICTURES)
def test_a_picture_says_what_it_shows_to_who_does_not_see_it(file):
    root = ET.fromstring((FIGURES / file).read_text(encoding="utf-8"))  # noqa: S314 - it is our own
    named = [root.find(f"{SVG}{name}") for name in ("title", "desc")]
    assert [element.get("id") for element in named] == root.get("aria-labelledby").split()
    assert all(element.text for element in named)


@pytest.mark.parametrize("file", PICTURES)
def test_nothing_of_a_picture_lies_outside(file):
    root = ET.fromstring((FIGURES / file).read_text(encoding="utf-8"))  # noqa: S314 - it is our own
    width, height = float(root.get("width")), float(root.get("height"))
    places = [(float(element.get("x")), float(element.get("y"))) for element in root.iter(f"{SVG}text")]
    places += [
        (float(bar.get("x")) + float(bar.get("width")), float(bar.get("y")) + float(bar.get("height")))
        for bar in root.iter(f"{SVG}rect")
        if bar.get("x")
    ]
    assert [place for place in places if not (0 <= place[0] <= width and 0 <= place[1] <= height)] == []


def test_no_figure_stands_outside_the_tables():
    """It would not change with them. A figure is what has a point, or stands before a unit."""
    prose = re.sub(r"<!-- figures: .*?<!-- end -->|```.*?```|RFC \d+ [\d.]+", "", PAGE, flags=re.DOTALL)
    assert re.findall(r"\d+\.\d+|\d+ (?:µs|ms|%)", prose) == []


@pytest.fixture
def probes(benchmarks):
    """Every mistake: the probe for it, and the application of this project that might make it."""
    site = benchmarks("peers.site").Site
    return [
        (what, probe, asked[0].make(content := site()), content)
        for asked, wrong in benchmarks("correctness").FAMILIES.values()
        for what, probe in wrong.items()
    ]


class Careless:
    """Encodes and shares in every wrong way."""

    def __init__(self, site, pattern):
        self.site, self.pattern, self.kept = site, pattern, []

    def __call__(self, environ, start_response):
        environ = {**environ, "REQUEST_METHOD": "GET"}
        origin = environ.get("HTTP_ORIGIN", "")
        if environ["PATH_INFO"] == "/error":
            start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
            return [b"sorry"]
        status, fields, body = self.site.answer(environ)
        self.kept.append(body)
        fields = [(name, "W/" + value if name == "ETag" else value) for name, value in fields if "Length" not in name]
        if re.match(self.pattern, origin) or origin == "https://app.example":
            fields += [("Access-Control-Allow-Origin", origin), ("Access-Control-Allow-Credentials", "true")]
        if "gzip" not in environ["HTTP_ACCEPT_ENCODING"]:
            start_response(status, fields)
            return list(body)
        start_response(status, [*fields, ("Content-Encoding", "gzip")])
        return [gzip.compress(b"".join(body))]


def test_this_project_makes_none_of_the_mistakes(probes, caplog):
    assert {what: probe(app, site) for what, probe, app, site in probes} == {what: False for what, *_ in probes}


def test_who_makes_all_of_them_is_found_out(benchmarks, probes):
    site = benchmarks("peers.site")
    made = {what: probe(Careless(content, site.PATTERN), content) for what, probe, _, content in probes}
    assert made == dict.fromkeys(made, True)


@pytest.mark.parametrize("family", RUN["correctness"])
def test_each_mistake_is_made_by_somebody_in_that_run_and_never_by_us(family):
    ours, *others = RUN["correctness"][family]
    assert set(ours["done"].values()) == {False}
    assert {what for what in ours["done"] if not any(other["done"][what] for other in others)} == set()


# By the configuration of an interpreter and where it is installed: what is told of its build.
CONFIGURED = {
    "plain": ("", "", "/opt/python", "plain", ()),
    "optimized": ("'--enable-optimizations' '--with-lto'", "", "/usr/local", "optimized", ("PGO", "LTO")),
    "by flags": ("", "-O3 -fprofile-use -flto", "/opt/python", "optimized", ("PGO", "LTO")),
    "distribution": ("'--prefix=/usr'", "-O2", "/usr", "distribution's", ()),
    "distribution, told": ("'--enable-optimizations'", "-O2", "/usr", "distribution's", ("PGO",)),
}


@pytest.mark.parametrize("configured", CONFIGURED.values(), ids=CONFIGURED)
def test_the_build_of_an_interpreter_is_told_by_its_configuration(benchmarks, monkeypatch, configured):
    arguments, flags, prefix, kind, optimizations = configured
    builds = benchmarks("builds")
    monkeypatch.setattr(builds.sysconfig, "get_config_vars", lambda: {"CONFIG_ARGS": arguments, "PY_CFLAGS": flags})
    monkeypatch.setattr(sys, "base_prefix", prefix)
    found = builds.here()
    assert (found.kind, found.optimizations, bool(found.vendor)) == (kind, optimizations, prefix == "/usr")
    assert f"{kind} build" in str(found)
    assert builds.Build.read(json.loads(json.dumps(found.plain()))) == found


def run_of(benchmarks, kind, *others, **microseconds):
    """A run on a build of a kind, with so many microseconds in each generation."""
    plain = {**RUN, "microseconds": {"bare": [0.0] * 3, **microseconds}, "over_key": {}}
    found = benchmarks("results").read(plain)
    return replace(found, build=replace(found.build, kind=kind), others=others)


# The figures of a plain build and of a distribution's, the gate's bounds, and whether it holds and which figure counts.
JUDGED = {
    "both hold, the larger counts": (0.9, 1.0, {"bound": 1.15}, True, 1.0),
    "the plain build is worse": (1.2, 1.0, {"bound": 1.15}, False, 1.2),
    "the distribution's is worse": (1.0, 1.2, {"bound": 1.15}, False, 1.2),
    "a plain build has a bound of its own": (1.1, 1.12, {"bound": 1.15, "plain": 1.0}, False, 1.1),
    "on the other the larger one": (0.9, 1.12, {"bound": 1.15, "plain": 1.0}, True, 1.12),
    "more is better": (0.8, 0.7, {"bound": 0.75, "least": True}, False, 0.7),
    "more is better, and there is": (0.8, 0.76, {"bound": 0.75, "least": True}, True, 0.76),
    "nothing may be": (0.0, 0.5, {"bound": 0}, False, 0.5),
}


@pytest.mark.parametrize("judged", JUDGED.values(), ids=JUDGED)
def test_the_worst_of_the_builds_counts(benchmarks, judged):
    plain, other, bounds, holds, counts = judged
    gates = benchmarks("gates")
    gate = gates.Gate("a figure", unit="x", measure=lambda run: run.over("case"), **bounds)
    run = run_of(benchmarks, "plain", run_of(benchmarks, "distribution's", case=[other] * 3), case=[plain] * 3)
    assert (gate.holds(run), gate.worst(run)[0]) == (holds, counts)
    assert gate.figures(run) == (plain, other)
    assert (gate.word(run) == "FAIL") is not holds


def test_what_was_not_measured_fails_no_gate_and_is_not_on_the_page(benchmarks, monkeypatch):
    gate = benchmarks("gates").Gate("a figure", 1, "x", lambda run: run.over("missing"))
    run = run_of(benchmarks, "plain", run_of(benchmarks, "distribution's"))
    assert (gate.holds(run), gate.word(run), gate.figures(run)) == (True, "not measured", (None, None))
    monkeypatch.setattr(benchmarks("page"), "GATES", [gate])
    assert not [line for line in benchmarks("page").gates(run) if "a figure" in line]


def test_ratios_are_taken_within_a_generation_and_one_disturbed_generation_does_not_count(benchmarks):
    run = run_of(benchmarks, "plain", hand=[1.0, 2.0, 9.0], ours=[1.5, 3.0, 3.0])
    assert (run.ratio("ours", "hand"), run.over("ours"), run.difference("ours", "hand")) == (1.5, 3.0, 0.5)


def test_the_response_of_every_case_is_the_one_that_its_row_names(benchmarks):
    table, clock = benchmarks("table"), benchmarks("clock")
    cases = [case for case in table.OWN if not case.missing]
    assert len(cases) > 50
    for case in cases:
        clock.check(case, case.make(case.app))


def test_a_case_of_a_layer_that_does_not_exist_is_skipped_and_said_to_be(benchmarks):
    table = benchmarks("table")
    case = benchmarks("case").Case("ours/later", "Later", lambda app: app, layers=("Later", "Stack.later", "Stack.add"))
    assert case.missing == ("middleware.Later", "middleware.Stack.later")
    [line] = table._rows((case,), run_of(benchmarks, "plain"))
    assert line.endswith("skipped: there is no middleware.Later, middleware.Stack.later")


def test_every_gate_of_a_guard_or_of_the_general_path_has_its_case(benchmarks):
    keys = {case.key for case in benchmarks("table").CASES}
    run = run_of(benchmarks, "plain", **{key: [1.0] for key in keys - {"bare"}}, bare=[0.5])
    measured = benchmarks("gates").GATES
    priced = [gate for gate in measured if gate.unit in ("µs", "x by hand", "x ordinary")]
    assert [gate.what for gate in priced if gate.figure(run) is None] == []


def test_the_recommended_jobs_by_hand_log_one_line_and_forget_the_id_at_the_end(benchmarks):
    case, recommended = benchmarks("case"), benchmarks("recommended")
    app = recommended.recommended(case.page)
    logger, told = logging.getLogger("benchmarks.access"), []
    logger.handlers[0].setFormatter(type("Kept", (logging.Formatter,), {"format": lambda _, it: told.append(it)})())
    body = app({**case.ENVIRON, **recommended.SECURE}, lambda *_: None)
    assert recommended.current.get() is not None
    body.close()
    assert recommended.current.get() is None
    [line] = [record.getMessage() for record in told]
    assert re.fullmatch(r'127\.0\.0\.1 - - \[.+\] "GET / HTTP/1\.1" 200 1024 "-" "Mozilla/5\.0 .+" \d\.\d{6}', line)

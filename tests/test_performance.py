"""The figures of docs/performance.md and README.md are of the run that was written down; what it says of us holds."""

from __future__ import annotations

import gzip
import importlib
import json
import re
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

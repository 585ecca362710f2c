"""The documentation: every block of Python in it runs, and its tables say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from middleware.layers.choices import field_value
from middleware.layers.presets import PRESETS, TABLE
from shapes import returning

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(DOCS.glob("*.md"))
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_blocks_of_a_page_run_one_after_the_other(page):
    """They share their names; `app` is any WSGI application."""
    text = page.read_text(encoding="utf-8")
    names = {"__name__": f"docs_{page.stem.replace('-', '_')}", "app": returning([b"x"])[0]}
    for block in BLOCK.finditer(text):
        line = text.count("\n", 0, block.start(1))
        exec(compile("\n" * line + block[1], page, "exec"), names)  # noqa: S102 - it is our own


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_of_a_page_is_closed_and_says_what_it_is(page):
    fences = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("```")]
    assert all(len(opened) > 3 for opened in fences[::2])
    assert all(closed == "```" for closed in fences[1::2])
    assert len(fences) % 2 == 0


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.option)
def test_the_presets_are_documented_as_they_are(row):
    text = (DOCS / "security-headers.md").read_text(encoding="utf-8")
    _, _, section = text.partition(f"### {row.header}\n")
    section = section.partition("\n#")[0]
    said = dict(re.findall(r"^\| ([a-z, ]+) \| (.*) \|$", section, re.MULTILINE))
    values = {preset: value for presets, value in said.items() for preset in presets.split(", ")}
    expected = {name: f"`{field_value(row.values[name])}`" if name in row.values else "not sent" for name in PRESETS}
    assert {name: values[name] for name in PRESETS} == expected
    assert f"{row.why[0].upper()}{row.why[1:]}. Can break: {row.breaks}." in section

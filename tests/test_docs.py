"""The documentation: what it says to write and to type works as printed, its tables are true, its links lead somewhere.

A page is walked from its top in a folder of its own: files are saved under the name that their block has, blocks of
Python run, commands are typed, and what they print is compared.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

from middleware.layers.security.presets import PRESETS, TABLE, field_value
from pages import FENCED, anchors, blocks, links, typed
from shapes import returning
from terminal import Terminal, agrees

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
LINKING = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "benchmarks/README.md", *(f"docs/{page}" for page in PAGES)]
# What the pages take for granted: an application of the reader's own, and a stack.
WSGI = """\
from middleware import Stack, Timing


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"Hello"]


stack = Stack(Timing())
application = stack.wrap(app)
"""
MODULE = "docs_"  # how the name begins of what a page is to Python
# Commands that no test types, by how they begin, and why.
NOT_TYPED = {
    "python3 -m venv": "the tests have an environment already; `-m distribution` types it",
    ". .venv/bin/activate": "as above",
    "pip install": "what is to be installed is installed already; `-m distribution` types it",
    "apt-get": "changes the system",
    "install -m 644": "writes into /etc; tests/real/test_deployment.py runs these files from elsewhere",
    "curl -so /dev/null --retry": "waits for a process that systemctl restarts",
    "systemctl": "there is no systemd; tests/real/test_deployment.py does what its unit says",
    "nginx": "as above, with another configuration",
    "/srv/site": "is made by a command that is left out",
    "tox": "is what runs these tests",
    "python -m benchmarks": "measures for minutes",
}
# Blocks that are neither a file nor to be run, by language: where they may stand, and why.
SHOWN = {
    "text": ("reference/", "tests/test_reference.py compares them with what the command says of itself"),
}


def walk(page: str, terminal: Terminal) -> None:
    """Do what a page says, from its top."""
    text = (DOCS / page).read_text(encoding="utf-8")
    module = ModuleType(f"{MODULE}{Path(page).stem.replace('-', '_')}")
    del module.__spec__  # one without a loader is deprecated from Python 3.15 on
    module.app = returning([b"x"])[0]
    sys.modules[module.__name__] = module  # for who looks for it, as Pyramid does
    for block in blocks(text):
        where = f"{page}:{block.line}"
        if block.title:
            terminal.write(block.title, block.text)
        elif block.language == "python":
            exec(compile("\n" * block.line + block.text, DOCS / page, "exec"), vars(module))  # noqa: S102 - it is our own
        elif block.language in ("console", "sh"):
            for each in typed(block):
                follow(each, terminal, f"{page}:{each.line}")
        else:
            assert page.startswith(SHOWN[block.language][0]), where


def follow(each, terminal, where):
    said = terminal.type(each.command)
    if said is None:
        return
    if each.shown is None:
        assert terminal.status == 0, f"{where}: {each.command}\n{said}"
    else:
        assert agrees(each, said), f"{where}: {each.command}\n--- it says\n{said}--- the page says\n{each.shown}"


@pytest.fixture
def terminal(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    opened = Terminal(tmp_path, NOT_TYPED)
    opened.write("wsgi.py", WSGI)
    yield opened
    opened.close()
    for name in [name for name in sys.modules if name.startswith(MODULE)]:
        del sys.modules[name]


# Pyramid imports pkg_resources, which warns of itself and of what it finds.
@pytest.mark.filterwarnings("ignore:Deprecated call to `pkg_resources.declare_namespace:DeprecationWarning")
@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_says_to_write_and_to_type_works_as_it_is_printed(page, terminal):
    """Blocks of Python share their names; `app` is any WSGI application, and wsgi.py serves one."""
    walk(page, terminal)


def test_what_the_first_page_says_to_type_works(terminal):
    for block in blocks((ROOT / "README.md").read_text(encoding="utf-8")):
        for each in typed(block) if block.language == "sh" else ():
            follow(each, terminal, f"README.md:{each.line}")


@pytest.mark.distribution
def test_the_tutorial_works_from_nothing(tmp_path):
    """With an environment and an installation of its own, which takes a package index."""
    shutil.copytree(
        ROOT, tmp_path / "checkout", ignore=shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "site")
    )
    opened = Terminal(tmp_path / "checkout", {})
    opened.env.pop("PYTHONPATH", None)
    try:
        walk("tutorial.md", opened)
    finally:
        opened.close()


def test_no_command_is_left_out_that_no_page_has():
    text = "".join((ROOT / page).read_text(encoding="utf-8") for page in LINKING)
    assert [words for words in NOT_TYPED if words not in text] == []


@pytest.mark.parametrize("page", LINKING)
def test_every_block_of_a_page_is_closed_and_says_what_it_is(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    fences = [line for line in text.splitlines() if line.lstrip().startswith("```")]
    assert len(fences) == 2 * len(blocks(text))
    assert len(blocks(text)) == len(FENCED.findall(text))


@pytest.mark.parametrize("page", LINKING)
def test_every_link_of_a_page_leads_somewhere(page):
    here = ROOT / page
    for link in links(here.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        there = (here.parent / path).resolve() if path else here
        assert (link, there.exists()) == (link, True)
        assert (link, ROOT in there.parents) == (link, True)
        assert not anchor or anchor in anchors(there.read_text(encoding="utf-8")), link


def test_every_page_is_reached_from_the_index():
    found, ahead = set(), {DOCS / "README.md"}
    while ahead:
        found |= ahead
        leads = {(page.parent / link.partition("#")[0]).resolve() for page in ahead for link in links(page.read_text())}
        ahead = {page for page in leads if page.suffix == ".md" and DOCS in page.parents} - found
    assert [page for page in PAGES if DOCS / page not in found] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("how-to/")])
def test_a_page_for_who_wants_to_do_something_is_short(page):
    prose = FENCED.sub("", (DOCS / page).read_text(encoding="utf-8"))
    assert len([line for line in prose.splitlines() if line]) <= 50


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.option)
def test_the_presets_are_documented_as_they_are(row):
    text = (DOCS / "explanation" / "security-headers.md").read_text(encoding="utf-8")
    _, _, section = text.partition(f"### {row.header}\n")
    section = section.partition("\n#")[0]
    said = dict(re.findall(r"^\| ([a-z, ]+) \| (.*) \|$", section, re.MULTILINE))
    values = {preset: value for presets, value in said.items() for preset in presets.split(", ")}
    expected = {name: f"`{field_value(row.values[name])}`" if name in row.values else "not sent" for name in PRESETS}
    assert {name: values[name] for name in PRESETS} == expected
    assert f"{row.why[0].upper()}{row.why[1:]}. Can break: {row.breaks}." in section

"""The documentation as a site, as `tox -e docs` has built it: whole, readable on a phone, and without other hosts."""

from __future__ import annotations

import os
import re
from pathlib import Path

import griffe
import pytest
from whitenoise import WhiteNoise

from pages import directives

pytestmark = pytest.mark.site
ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SITE = Path(os.environ.get("SITE", ROOT / "site"))
PAGES = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html") if path.name != "404.html")
REFERENCE = {path.stem: directives(path.read_text(encoding="utf-8")) for path in (DOCS / "reference").glob("*.md")}
# Members that the site leaves out: what only the package calls, and the hooks of layers.
HIDDEN = re.compile("|".join(re.findall(r'"!(\^.*)"', (ROOT / "mkdocs.yml").read_text(encoding="utf-8"))))
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1200, "height": 900}


@pytest.fixture(scope="module")
def site(serving):
    return serving(WhiteNoise(None, root=SITE, index_file=True))


@pytest.fixture
def page(browser):
    """A page of a browser that notes what it loads, and what goes wrong in it."""
    context = browser.new_context()
    opened = context.new_page()
    opened.noted = []
    opened.on("request", lambda request: opened.noted.append(request.url))
    opened.on("pageerror", lambda error: opened.noted.append(str(error)))
    yield opened
    context.close()


def test_every_page_of_the_documentation_is_there():
    written = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert {page.replace("index.html", "README.html").replace(".html", ".md") for page in PAGES} == written


def test_no_page_has_a_directive_or_a_reference_that_is_left_as_it_was_written():
    for page in PAGES:
        text = re.sub(r"<(code|pre)\b.*?</\1>", "", (SITE / page).read_text(encoding="utf-8"), flags=re.DOTALL)
        assert re.findall(r":::.*|\]\[middleware.*|\{ ?[#.:].*", text) == [], page


@pytest.fixture(scope="module")
def package():
    return griffe.load("middleware", search_paths=[ROOT])


def members(shown):
    """The methods and properties of a class that have a docstring."""
    own = shown.members.items() if shown.is_class else ()
    told = [name for name, each in own if not each.is_alias and each.docstring and not HIDDEN.match(name)]
    return [name for name in told if shown[name].is_function or "property" in shown[name].labels]


@pytest.mark.parametrize("name", [name for name, shown in REFERENCE.items() if shown])
def test_a_page_shows_names_and_their_members(name, package):
    text = (SITE / "reference" / f"{name}.html").read_text(encoding="utf-8")
    ids = set(re.findall(r'id="([^"]+)"', text))
    for path, settings in REFERENCE[name].items():
        assert path in ids
        entry = package[path.removeprefix("middleware.")]
        wanted = [] if "members: false" in settings else members(entry.final_target if entry.is_alias else entry)
        assert [each for each in wanted if f"{path}.{each}" not in ids] == []


def test_every_option_is_on_its_page_with_an_anchor(package):
    text = (SITE / "reference" / "cors.html").read_text(encoding="utf-8")
    options = [each.name for each in package["layers.cors.CORS"].parameters if each.name not in ("self", "app")]
    assert [each for each in options if f'<code id="middleware.CORS--{each}">' not in text] == []


@pytest.mark.parametrize(
    ("page", "path"),
    [
        ("performance", "<code>benchmarks/README.md</code>"),
        ("reference/cors", "the source (<code>middleware/layers/cors/__init__.py</code>)"),
    ],
)
def test_a_file_of_the_checkout_is_named_where_the_site_cannot_link_to_it(page, path):
    text = (SITE / f"{page}.html").read_text(encoding="utf-8")
    assert path in text
    assert 'href="../../middleware' not in text


def test_no_page_names_what_another_host_would_be_asked_for():
    for page in PAGES:
        text = (SITE / page).read_text(encoding="utf-8")
        asked = re.findall(r"<(?:script|img|source|iframe|link)\b[^>]*(?:src|srcset|href)=\"?(?:https?:)?//[^>]*", text)
        assert asked == [], page


def test_no_page_is_wider_than_a_phone(page, site):
    page.set_viewport_size(PHONE)
    wide = []
    for each in PAGES:
        page.goto(f"{site}/{each}")
        wide += [each] * page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    assert wide == []


@pytest.mark.parametrize("each", ["index.html", "reference/cors.html", "performance.html", "how-to/inject-html.html"])
def test_a_page_fits_a_desk_works_and_asks_no_other_host(page, site, each):
    page.set_viewport_size(DESK)
    page.goto(f"{site}/{each}", wait_until="networkidle")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert [noted for noted in page.noted if not noted.startswith((f"{site}/", "data:"))] == []


@pytest.mark.parametrize(("scheme", "shown"), [("light", "default"), ("dark", "slate")])
def test_the_colours_are_those_of_the_system(page, site, scheme, shown):
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{site}/index.html")
    assert page.locator("body").get_attribute("data-md-color-scheme") == shown


@pytest.mark.parametrize(
    ("words", "where"),
    [
        ("allow_origins", "reference/cors.html"),
        ("refuse-before-cost", "reference/order-rules.html"),
        ("csrf", "reference/cross-origin-protection.html"),
    ],
)
def test_a_search_finds_what_is_looked_for(page, site, words, where):
    page.set_viewport_size(DESK)
    page.goto(f"{site}/index.html")
    page.click(".md-search__input")
    page.type(".md-search__input", words)
    found = page.locator(f".md-search-result__link[href*='{where}']").first
    found.wait_for(state="attached")


def test_a_reader_gets_from_the_start_to_a_layer(page, site):
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(f"{site}/index.html")
    page.click(".md-tabs__link >> text=Layers")
    page.locator(".md-nav--primary a:visible").get_by_text("CORS", exact=True).click()
    assert page.url == f"{site}/reference/cors.html"
    assert page.locator("h1").inner_text().startswith("CORS")

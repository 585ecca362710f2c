"""SecurityHeaders in a real browser: what the strict preset lets run, what it blocks, and who may frame it."""

from __future__ import annotations

import base64

import pytest

from middleware import CORS, CSP, SecurityHeaders, Stack
from shapes import returning

HASHED = "window.ran.push('hashed')"
PAGE = """<!doctype html>
<title>strict</title>
<link rel="icon" href="/icon.png">
<style nonce="{nonce}">p {{ color: rgb(1, 2, 3) }}</style>
<p style="color: rgb(9, 9, 9)">text</p>
<script nonce="{nonce}">window.ran = ["nonce"]</script>
<script src="/script.js"></script>
<script>{hashed}</script>
{more}"""
INJECTED = "<script>window.ran.push('injected')</script><script nonce=\"x\">window.ran.push('guessed')</script>"
FRAME = '<!doctype html><title>frame</title><link rel="icon" href="data:,"><iframe src="{url}"></iframe>'


def site(environ, start_response):
    """A page that reads the nonce, one that an attacker has put something into, and a script of its own."""
    path = environ["PATH_INFO"]
    kinds = {"/script.js": "text/javascript", "/icon.png": "image/png"}
    more = INJECTED if path == "/injected" else ""
    page = PAGE.format(nonce=environ["middleware.csp_nonce"], hashed=HASHED, more=more)
    body = {"/script.js": "window.ran.push('file')", "/icon.png": ""}.get(path, page).encode()
    start_response("200 OK", [("Content-Type", kinds.get(path, "text/html")), ("Content-Length", str(len(body)))])
    return [body]


STRICT = SecurityHeaders(preset="strict").csp
POLICY = CSP({**STRICT.directives, "script-src": (*STRICT.directives["script-src"], CSP.hash(HASHED))})


@pytest.fixture
def visit(browser):
    """Open a page; return it with what the console said."""
    opened = []

    def visit(url):
        page = browser.new_page()
        opened.append(page)
        said = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(url, wait_until="load")
        return page, said

    yield visit
    for page in opened:
        page.close()


@pytest.fixture(scope="module")
def strict(serving):
    return serving(SecurityHeaders(site, preset="strict", csp=POLICY))


def test_scripts_with_the_nonce_or_a_hash_run_and_files_of_the_site_do(visit, strict):
    page, said = visit(f"{strict}/")
    assert page.evaluate("window.ran") == ["nonce", "file", "hashed"]
    assert page.evaluate("getComputedStyle(document.querySelector('p')).color") == "rgb(1, 2, 3)"
    assert page.evaluate("window.crossOriginIsolated") is True
    [blocked] = said  # the style attribute, which is there to be blocked: our headers themselves are understood
    assert "inline style" in blocked


def test_a_script_that_somebody_has_put_into_the_page_is_blocked(visit, strict):
    page, said = visit(f"{strict}/injected")
    assert page.evaluate("window.ran") == ["nonce", "file", "hashed"]
    assert len([text for text in said if "inline script" in text]) == 2
    assert len(said) == 3


def test_every_visit_has_a_nonce_of_its_own(visit, strict):
    nonces = [visit(f"{strict}/")[0].evaluate("document.querySelector('script').nonce") for _ in range(2)]
    assert len(set(nonces)) == 2
    assert {len(nonce) for nonce in nonces} == {24}


@pytest.mark.parametrize("options", [{}, {"csp": False}])
def test_another_site_cannot_frame_the_page(visit, serving, options):
    """By the policy, and by X-Frame-Options alone."""

    def outside(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/html")])
        return [FRAME.format(url=f"{framed}/").encode()]

    framed = serving(
        SecurityHeaders(lambda e, s: site({**e, "middleware.csp_nonce": ""}, s), preset="strict", **options)
    )
    page, said = visit(serving(outside))
    assert [frame.title() for frame in page.frames if frame.url.startswith(framed)] == []
    assert any("frame" in text.lower() for text in said)


EMBED = """async (url) => {
    const image = new Image();
    const shown = new Promise((resolve) => Object.assign(image, {
        onload: () => resolve(true),
        onerror: () => resolve(false),
    }));
    image.src = url;
    return [await shown, await fetch(url).then((response) => response.status)];
}"""
PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw==")


def test_another_site_may_show_what_every_origin_may_read_once_the_fix_is_made(visit, serving):
    """The finding says what a browser does; fetch(), which asks CORS, reads the image in any case."""

    def picture(environ, start_response):
        start_response("200 OK", [("Content-Type", "image/gif"), ("Content-Length", str(len(PIXEL)))])
        return [PIXEL]

    stack = Stack(SecurityHeaders(), CORS(allow_origins="*"))
    [finding] = stack.check()
    fixed = eval(finding.fix, {"stack": stack})  # noqa: S307 - the fix is an edit to type
    page, _ = visit(f"{serving(returning([b''])[0])}/")
    blocked = serving(stack.wrap(picture, waive=finding.rule))
    assert page.evaluate(EMBED, f"{blocked}/") == [False, 200]
    assert page.evaluate(EMBED, f"{serving(fixed.wrap(picture))}/") == [True, 200]

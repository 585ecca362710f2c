"""CORS in a real browser: what a page of another origin may read and send, and what the browser asks before."""

from __future__ import annotations

import pytest

from middleware import CORS, Stack
from middleware.match import path

FETCH = """async ([url, options]) => {
    try {
        const response = await fetch(url, options);
        const [shown, kept] = ["X-Shown", "X-Kept"].map((name) => response.headers.get(name));
        return [response.status, await response.text(), shown, kept];
    } catch (error) {
        return error.name;
    }
}"""
FRAMED = """async (url) => {
    const frame = document.createElement("iframe");
    frame.sandbox = "allow-scripts";
    const told = new Promise((resolve) => addEventListener("message", (event) => resolve(event.data), { once: true }));
    frame.srcdoc = `<script>fetch(${JSON.stringify(url)}).then((response) => response.text(), (error) => error.name)
        .then((text) => parent.postMessage(text, "*"))</script>`;
    document.body.append(frame);
    return await told;
}"""
REFUSED = "TypeError"  # all that a page gets to know
JSON = {"Content-Type": "application/json", "X-Token": "t"}


class Site:
    """An application behind several policies, and what it was asked."""

    def __init__(self):
        self.asked = []
        self.app = None

    def __call__(self, environ, start_response):
        """Note the method, so that preflights are counted with the rest."""
        self.asked.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        return self.app(environ, start_response)

    def allow(self, origin):
        every = {"allow_methods": ["GET", "PUT"], "allow_headers": ["Content-Type", "X-Token"]}
        shown = {"expose_headers": "X-Shown"}
        self.app = Stack(
            CORS(allow_origins="*", **every, **shown).named("open").when(path("/open")),
            CORS(allow_origins=origin, allow_credentials=True, **every, **shown).named("ours").when(path("/ours")),
            CORS(allow_origins="https://other.example", **every).named("others").when(path("/others")),
            CORS(allow_origins="null").named("null").when(path("/null")),
        ).wrap(respond)


def respond(environ, start_response):
    """Fail, redirect, or say who came with which cookie."""
    at = environ["PATH_INFO"]
    if at.endswith("/fails"):
        raise ValueError("asked to fail")
    body = f"{environ['REQUEST_METHOD']} {environ.get('HTTP_COOKIE', '')}".strip().encode()
    lines = [("Content-Type", "text/plain"), ("X-Shown", "shown"), ("X-Kept", "kept")]
    lines += [("Set-Cookie", "visitor=1; Path=/")] if at.endswith("/cookie") else []
    lines += [("Location", at.replace("/moves", ""))] if at.endswith("/moves") else []
    start_response("302 Found" if at.endswith("/moves") else "200 OK", lines)
    return [body]


def page(environ, start_response):
    """An empty page: the other origin."""
    start_response("200 OK", [("Content-Type", "text/html")])
    return [b"<!doctype html><title>page</title><link rel=icon href=data:,><body>"]


@pytest.fixture(scope="module")
def sites(serving):
    """The site, its address, and that of the page of the other origin."""
    site = Site()
    origin = serving(page)
    site.allow(origin)
    return site, serving(site), origin


@pytest.fixture
def visit(browser, sites):
    """Open the page with nothing remembered; return what fetches from there, and what the site was asked."""
    site, address, origin = sites
    context = browser.new_context()
    opened = context.new_page()
    opened.goto(f"{origin}/")
    site.asked.clear()

    def fetch(at, **options):
        return opened.evaluate(FETCH, [f"{address}{at}", options])

    fetch.page, fetch.address, fetch.asked = opened, address, site.asked
    yield fetch
    context.close()


@pytest.mark.parametrize(
    ("at", "options", "expected", "methods"),
    [
        ("/open", {}, [200, "GET", "shown", None], ["GET"]),
        ("/ours", {}, [200, "GET", "shown", None], ["GET"]),
        ("/ours", {"credentials": "include"}, [200, "GET", "shown", None], ["GET"]),
        ("/others", {}, REFUSED, ["GET"]),
        ("/none", {}, REFUSED, ["GET"]),
        ("/open", {"credentials": "include"}, REFUSED, ["GET"]),
        ("/ours", {"method": "PUT", "headers": JSON}, [200, "PUT", "shown", None], ["OPTIONS", "PUT"]),
        ("/open", {"method": "PUT", "headers": JSON}, [200, "PUT", "shown", None], ["OPTIONS", "PUT"]),
        ("/ours", {"method": "DELETE"}, REFUSED, ["OPTIONS"]),
        ("/ours", {"headers": {"X-Other": "1"}}, REFUSED, ["OPTIONS"]),
        ("/others", {"method": "PUT"}, REFUSED, ["OPTIONS"]),
        ("/ours/fails", {}, [500, "Internal Server Error\n", None, None], ["GET"]),
        ("/others/fails", {}, REFUSED, ["GET"]),
        ("/ours/moves", {}, [200, "GET", "shown", None], ["GET", "GET"]),
        ("/others/moves", {}, REFUSED, ["GET"]),
    ],
)
def test_what_a_page_of_another_origin_gets(visit, at, options, expected, methods):
    """And what the site was asked for it."""
    assert visit(at, **options) == expected
    assert [method for method, _ in visit.asked] == methods


def test_cookies_go_along_where_that_is_allowed(visit):
    assert visit("/ours/cookie", credentials="include")[0] == 200
    assert visit("/ours", credentials="include")[1] == "GET visitor=1"
    assert visit("/ours")[1] == "GET"
    assert visit("/ours", credentials="include", method="PUT")[1] == "PUT visitor=1"


def test_a_preflight_is_remembered(visit):
    for _ in range(3):
        assert visit("/ours", method="PUT", headers=JSON)[0] == 200
    assert [method for method, _ in visit.asked] == ["OPTIONS", "PUT", "PUT", "PUT"]


@pytest.mark.parametrize(("at", "expected"), [("/null", "GET"), ("/ours", REFUSED)])
def test_a_sandboxed_frame_has_the_origin_null(visit, at, expected):
    assert visit.page.evaluate(FRAMED, f"{visit.address}{at}") == expected

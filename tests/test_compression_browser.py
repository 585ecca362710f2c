"""Compress and a real browser: it decodes every coding, as it comes, and revalidates what it keeps."""

from __future__ import annotations

import threading
import uuid
from collections import deque

import pytest

from middleware import Compress, Headers, Stack
from middleware.match import path

PATIENCE = 30  # seconds until a step gives up; nothing waits for as long as that
CODINGS = ["zstd", "br", "gzip"]
STEPS = ["first", "second", "third"]
TITLE = "the same again and again"
PAGE = f"""<!doctype html><title>{TITLE}</title><link rel="icon" href="data:,">
{"".join(f"<p>{TITLE}, {n} &#8364;</p>" for n in range(500))}<script>window.ran = "to the end"</script>""".encode()
# Each calls the application once it has a step, which then makes the next.
READ = """async url => {
    const steps = [], decoder = new TextDecoder(), answer = await fetch(url);
    for (const reader = answer.body.getReader();;) {
        const {done, value} = await reader.read();
        if (done) return [answer.headers.get("Content-Encoding"), steps];
        steps.push(decoder.decode(value).trim());
        await fetch("/go" + url);
    }
}"""
LISTEN = """url => new Promise((resolve, reject) => {
    const steps = [], source = new EventSource(url);
    source.onerror = () => reject("the connection was lost");
    source.onmessage = async event => {
        const last = steps.push(event.data) == 3;
        if (last) source.close();
        await fetch("/go" + url);
        if (last) resolve(steps);
    };
})"""
FETCH = """async url => {
    const names = ["Content-Encoding", "Content-Length", "ETag", "Vary"];
    const answer = await fetch(url, {cache: "no-store"});
    return [await answer.text(), ...names.map(name => answer.headers.get(name))];
}"""


class Site:
    """Under /CODING a page with an entity tag, steps and events; it keeps what was asked and answered outside."""

    def __init__(self) -> None:
        self.seen = deque()
        self.steps = {}
        self.stack = Stack(
            Headers(set={"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}),
            *(Compress(codings=[coding]).named(coding).when(path(f"/{coding}")) for coding in CODINGS),
            *(
                Compress(codings=[coding], breach_padding=512).named(f"padded {coding}").when(path(f"/padded/{coding}"))
                for coding in CODINGS
            ),
            Compress().named("all").when(path("/all")),
        )
        self.wrapped = self.stack.wrap(self.route)

    def __call__(self, environ, start_response):
        asked = environ["PATH_INFO"], environ.get("HTTP_IF_NONE_MATCH")

        def start(status, headers, exc_info=None):
            self.seen.append((*asked, status[:3], dict(headers).get("Content-Encoding")))
            return start_response(status, headers, exc_info)

        return self.wrapped(environ, start)

    def route(self, environ, start):
        asked = environ["PATH_INFO"]
        if asked.startswith("/go/"):
            self.step(asked.removeprefix("/go")).release()
            start("204 No Content", [])
            return []
        kind = asked.rpartition("/")[2]
        return {"steps": self.text, "events": self.events}.get(kind, self.page)(environ, start)

    def step(self, name):
        return self.steps.setdefault(name, threading.Semaphore(0))

    def page(self, environ, start):
        if '"v1"' in environ.get("HTTP_IF_NONE_MATCH", ""):
            start("304 Not Modified", [("ETag", '"v1"')])
            return []
        start("200 OK", [("Content-Type", "text/html"), ("ETag", '"v1"'), ("Content-Length", str(len(PAGE)))])
        return [PAGE]

    def text(self, environ, start):
        start("200 OK", [("Content-Type", "text/plain")])
        return self.made(environ["PATH_INFO"], "{}\n")

    def events(self, environ, start):
        start("200 OK", [("Content-Type", "text/event-stream")])
        return self.made(environ["PATH_INFO"], "data: {}\n\n")

    def made(self, name, form):
        """Each step only after the browser said that it has the one before."""
        for step in STEPS:
            yield form.format(step).encode()
            if not self.step(name).acquire(timeout=PATIENCE):
                raise TimeoutError("the browser did not get what was sent")


@pytest.fixture(scope="module")
def site():
    return Site()


@pytest.fixture(scope="module")
def root(serving, site):
    return serving(site)


@pytest.fixture(scope="module")
def page(browser):
    with browser.new_context() as context:
        yield context.new_page()


@pytest.fixture
def visit(page, root, site):
    """Go to a page that the browser does not keep."""
    site.seen.clear()
    return lambda where: page.goto(f"{root}/{where}/?{uuid.uuid4()}")


@pytest.mark.parametrize("coding", CODINGS)
def test_a_page_is_decoded_whatever_its_coding(page, visit, coding):
    answer = visit(coding)
    assert (answer.status, answer.header_value("Content-Encoding"), answer.body()) == (200, coding, PAGE)
    assert answer.header_value("ETag") == f'"v1-{coding}"'
    assert answer.header_value("Vary") == "Accept-Encoding"
    assert page.evaluate("[document.title, document.querySelectorAll('p').length, window.ran]") == [
        TITLE,
        500,
        "to the end",
    ]
    assert int(answer.header_value("Content-Length")) < len(PAGE) / 4


def test_a_browser_on_this_machine_gets_zstd_before_all(visit):
    answer = visit("all")
    assert answer.request.header_value("Accept-Encoding") == "gzip, deflate, br, zstd"
    assert (answer.header_value("Content-Encoding"), answer.body()) == ("zstd", PAGE)


@pytest.mark.parametrize("coding", CODINGS)
def test_fetch_is_decoded_whatever_the_coding(page, visit, coding):
    visit("all")
    text, encoding, length, tag, vary = page.evaluate(FETCH, f"/{coding}/")
    assert (text.encode(), encoding, tag, vary) == (PAGE, coding, f'"v1-{coding}"', "Accept-Encoding")
    assert int(length) < len(PAGE) / 4


@pytest.mark.parametrize("coding", CODINGS)
def test_padding_is_decoded_whatever_the_coding(page, visit, coding):
    visit("all")
    answers = [page.evaluate(FETCH, f"/padded/{coding}/") for _ in range(8)]
    texts, encodings, lengths, tags, _ = map(set, zip(*answers, strict=True))
    assert ({text.encode() for text in texts}, encodings, tags) == ({PAGE}, {coding}, {'W/"v1"'})
    assert len(lengths) > 1


@pytest.mark.parametrize(
    ("where", "tag"),
    [*((coding, f'"v1-{coding}"') for coding in CODINGS), ("identity", '"v1"'), ("padded/br", 'W/"v1"')],
)
def test_a_reload_revalidates_what_the_browser_keeps(page, visit, site, where, tag):
    coding = where.rpartition("/")[2].replace("identity", "") or None
    visit(where)
    page.reload()
    page.goto(page.url)
    assert list(site.seen) == [(f"/{where}/", None, "200", coding), *[(f"/{where}/", tag, "304", None)] * 2]
    assert page.evaluate("[document.title, window.ran]") == [TITLE, "to the end"]


@pytest.mark.parametrize("where", [*CODINGS, "all", "identity"])
def test_a_stream_is_there_chunk_by_chunk(page, visit, where):
    visit(where)
    encoding = {"all": "zstd", "identity": None}.get(where, where)
    assert page.evaluate(READ, f"/{where}/steps") == [encoding, STEPS]


@pytest.mark.parametrize("where", ["all", "identity"])
def test_an_event_source_gets_each_event_before_the_next_is_made(page, visit, site, where):
    visit(where)
    assert page.evaluate(LISTEN, f"/{where}/events") == STEPS
    assert (f"/{where}/events", None, "200", None) in site.seen

"""The page of Inspector in a real browser: its own style applies, nothing hostile runs, and the cookie is kept."""

from __future__ import annotations

from middleware import Headers, Inspector, Stack
from shapes import returning

HOSTILE = "<img src=x onerror=document.title='ran'><script>document.title='ran'</script>"
INSPECTOR = Inspector()
HTML = '<!doctype html><title>a page</title><link rel="icon" href="data:,"><p>Hello'


def test_the_page_obeys_its_policy_and_shows_hostile_values_as_text(browser, serving):
    app, _ = returning([HTML.encode()], headers=[("Content-Type", "text/html"), ("X-Hostile", HOSTILE)])
    site = serving(Stack(INSPECTOR, Headers(set={"X-A": "1"})).wrap(app))
    page = browser.new_page()
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(f"{site}/")
    page.goto(f"{site}/__stack__?key={INSPECTOR.token}")
    page.get_by_role("link", name="GET /").first.click()
    page.wait_for_url("**/__stack__?exchange=*")
    assert page.title() == "GET /"
    assert HOSTILE in page.inner_text("body")
    assert page.evaluate("getComputedStyle(document.querySelector('table')).borderCollapse") == "collapse"
    assert page.evaluate("document.cookie") == ""
    assert [text for text in said if "favicon" not in text] == []
    page.close()

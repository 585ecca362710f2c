"""The page of Inspector: self-contained HTML, without script. Every value of an exchange is shown as text."""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from html import escape
from typing import Final

from middleware.sight.explanation import Explanation, Step
from middleware.wsgi.escaped import escaped

_STYLE: Final = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
code, pre, td { font-family: ui-monospace, Menlo, Consolas, monospace; font-size: 13px }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; vertical-align: top; padding: .2rem .6rem; overflow-wrap: anywhere }
tr + tr { border-top: 1px solid color-mix(in srgb, currentColor 20%, transparent) }
th { white-space: nowrap; font-weight: 600 }
pre { white-space: pre-wrap; overflow-wrap: anywhere }
h2 { margin: 1.6rem 0 .3rem; font-size: 1.1rem }
.note { font-style: italic }
"""
POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def page(exchanges: Mapping[int, Explanation], shown: Explanation | None, chain: str, *, gone: bool = False) -> str:
    """The list of exchanges and the chain, or one exchange."""
    if shown is not None:
        return document(f"{shown.method} {shown.target}", _exchange(shown))
    content = ["<p>This exchange is no longer kept.</p>"] if gone else []
    content.append("<h2>Exchanges, the last one first</h2>\n<table>")
    for number, told in sorted(exchanges.items(), reverse=True):
        link = f'<a href="?exchange={number}">{_text(told.method)} {_text(told.target)}</a>'
        status = _text(told.status) or "no response"
        error = f"<td>{_text(told.error)}</td>" if told.error else ""
        content.append(f"<tr><th>{number}</th><td>{link}</td><td>{status}</td>{error}</tr>")
    content.append(f"</table>\n<h2>The chain</h2>\n<pre>{escape(chain)}</pre>")
    return document("Stack", content)


def document(title: str, content: Iterable[str]) -> str:
    """A whole HTML page."""
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{_text(title)}</title><style>{_STYLE}</style></head>',
        f"<body><h1>{_text(title)}</h1>",
        *content,
        "</body></html>",
    ]
    return "\n".join(parts)


def _exchange(told: Explanation) -> Iterator[str]:
    yield '<p><a href="?">All exchanges</a></p>\n<h2>Request</h2>'
    yield _table(told.fields)
    for number, step in enumerate(told.steps, 1):
        yield f"<h2>{number} {_text(step.name)}</h2>"
        yield _table(rows(step))
    yield "<h2>The application</h2>"
    if told.application is not None:
        status, lines = told.application
        yield _table([("status", status), *lines])
    else:
        yield "<p>was not reached, or gave no response</p>"
    if told.error is not None:
        yield f"<p>{_text(told.error)}</p>"
    yield "<h2>Response</h2>"
    yield _table([("status", told.status or "none"), *told.headers])


def rows(step: Step) -> Iterator[tuple[str, str]]:
    """What a layer did, as pairs of a word and a text."""
    if step.answered:
        yield "request", "answered, instead of the layers inside"
    if step.environ:
        yield "sets", ", ".join(step.environ)
    for name, value in step.removed:
        yield "removes", f"{name}: {value}"
    for name, old, new in step.changed:
        yield "changes", f"{name}: {old} \N{RIGHTWARDS ARROW} {new}"
    for name, value in step.added:
        yield "adds", f"{name}: {value}"
    if step.transform:
        yield "body", "changed"
    if step.note:
        yield "note", step.note
    yield "time", f"{step.seconds * 1000:.3f} ms"


def _table(rows: Iterable[tuple[str, str]]) -> str:
    cells = (f"<tr><th>{_text(name)}</th><td>{_text(value)}</td></tr>" for name, value in rows)
    return "\n".join(["<table>", *cells, "</table>"])


def _text(value: str | None) -> str:
    return escape(escaped(value or ""))

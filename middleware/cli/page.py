"""The page of the demo. Everything in it that knows HTML lives here and in demo.html.

It is well-formed XML, so that a program can read it as well.
"""

from __future__ import annotations

import re
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Final

from middleware.cli.held import held
from middleware.cli.ledger import APPLICATION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from middleware.cli.held import Held
    from middleware.cli.ledger import Line, Record
    from middleware.stack.builder import Stack
    from middleware.wsgi.layer import Middleware
    from middleware.wsgi.types import Environ

_METRIC: Final = re.compile(r"""([^\s,;="]+)(?:;desc="((?:[^"\\]|\\.)*)")?;dur=([0-9.]+)""")
_HOST: Final = re.compile(r"[A-Za-z0-9.\-]+(:[0-9]+)?|\[[0-9a-fA-F:]+\](:[0-9]+)?")
_COMMANDS: Final = (
    ("/", "this page: the same headers in the terminal", "curl -sS -D - -o /dev/null {url}"),
    ("/", "how many bytes of it travel encoded", "curl -sS --compressed -o /dev/null -w '%{{size_download}}\\n' {url}"),
    ("/", "and how many as it is", "curl -sS -o /dev/null -w '%{{size_download}}\\n' {url}"),
    ("/error", "the application raises: a plain 500 that passed every layer, headers and all", "curl -i {url}"),
    ("/stream", "a generator, one line every half second: nothing on the way waits for the rest", "curl -iN {url}"),
    ("/missing", "a 404 from the application, through the same layers", "curl -i {url}"),
)


def page(stack: Stack, environ: Environ) -> Callable[[Record], str]:
    """Begin the page; return what ends it, once it is known what became of the head."""
    nonce = environ.get("middleware.csp_nonce")  # read before the head goes out, which names it
    begun = {
        "count": len(stack),
        "nonce": "" if nonce is None else f' nonce="{escape(str(nonce))}"',
        "chain": "\n".join(_chain(stack)),
        "commands": "\n".join(_commands(environ)),
    }

    def finish(record: Record) -> str:
        return _template().substitute(
            begun,
            headers="\n".join(map(_header, record.lines)),
            coding=_coding(record),
            gone="\n".join(map(_gone, record.gone)) or '<tr><td colspan="4">nothing</td></tr>',
            timing="\n".join(_timing(stack, record)) or '<tr><td colspan="4">nobody measured</td></tr>',
        )

    return finish


@cache
def _template() -> Template:
    return Template(Path(__file__).with_name("demo.html").read_text(encoding="utf-8"))


def _chain(stack: Stack) -> Iterator[str]:
    for number, (name, layer, rules) in enumerate(zip(stack.names, stack, held(stack), strict=True), 1):
        told = "".join(f"<dt>{escape(what)}</dt><dd>{escape(text)}</dd>" for what, text in _told(layer, rules))
        text = f"<strong>{escape(name)}</strong><br /><code>{escape(repr(layer))}</code><dl>{told}</dl>"
        yield f'<li><span class="badge">{number}</span><div>{text}</div></li>'
    yield f'<li class="app"><span class="badge">&#9733;</span><div><strong>{APPLICATION}</strong></div></li>'


def _told(layer: Middleware, rules: list[Held]) -> Iterator[tuple[str, str]]:
    yield from layer.describe()
    for each in rules:
        yield "stands", f"{each}: {each.rule.demand}"
    if not rules:
        yield "stands", "here by choice: no rule holds it"


def _header(line: Line) -> str:
    return f"<tr>{_named(line.name)}<td><code>{escape(line.value)}</code></td><td>{_by(line.by)}</td></tr>"


def _gone(line: Line) -> str:
    value = f'<td><code class="gone">{escape(line.value)}</code></td>'
    return f"<tr>{_named(line.name)}{value}<td>{_by(line.by)}</td><td>{_by(line.gone_by)}</td></tr>"


def _coding(record: Record) -> str:
    """In what coding the page travels."""
    coding = next((line.value for line in record.lines if line.name == "Content-Encoding"), None)
    return "as it is: no layer encoded it" if coding is None else f"encoded, in <code>{escape(coding)}</code>"


def _named(name: str) -> str:
    return f'<th scope="row"><code>{escape(name)}</code></th>'


def _by(who: str) -> str:
    kind = "by app" if who == APPLICATION else "by"
    return f'<span class="{kind}">{escape(who)}</span>'


def _timing(stack: Stack, record: Record) -> Iterator[str]:
    """A row for every metric of the Server-Timing lines."""
    sent = ", ".join(line.value for line in record.lines if line.name.lower() == "server-timing")
    metrics = _METRIC.findall(sent)
    longest = max((float(duration) for _, _, duration in metrics), default=0) or 1
    for name, description, duration in metrics:
        what = _unquoted(description) or _meaning(stack, name)
        bar = f'<rect width="{100 * float(duration) / longest:.1f}%" height="100%" rx="3" />'
        yield (
            f'<tr>{_named(name)}<td>{escape(what)}</td><td class="number">{duration}</td>'
            f'<td class="bar"><svg aria-hidden="true">{bar}</svg></td></tr>'
        )


def _meaning(stack: Stack, name: str) -> str:
    if name == "total":
        return "from the request to the head of the response"
    return "the layer itself, without what lies inside it" if name in stack.names else ""


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _commands(environ: Environ) -> Iterator[str]:
    host = environ.get("HTTP_HOST", "")
    root = f"{environ['wsgi.url_scheme']}://{host if _HOST.fullmatch(host) else '127.0.0.1:8080'}"
    for path, what, command in _COMMANDS:
        typed = escape(command.format(url=root + path))
        yield f'<tr><th scope="row"><a href="{path}">{path}</a></th><td>{what}</td><td><code>{typed}</code></td></tr>'

"""The page of the demo. All HTML is in this module and in demo.html. The page is well-formed XML."""

from __future__ import annotations

import re
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Final

from middleware.cli.demo.ledger import APPLICATION
from middleware.stack.order import reasons_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from middleware.cli.demo.ledger import Record
    from middleware.stack.builder import Stack
    from middleware.wsgi.types import Environ

_METRIC: Final = re.compile(r"""([^\s,;="]+)(?:;desc="((?:[^"\\]|\\.)*)")?;dur=([0-9.]+)""")
_HOST: Final = re.compile(r"[A-Za-z0-9.\-]+(:[0-9]+)?|\[[0-9a-fA-F:]+\](:[0-9]+)?")
_GONE: Final = ' class="gone"'
_COMMANDS: Final = (
    ("/", "this page: the same headers in the terminal", "curl -sS -D - -o /dev/null {url}"),
    ("/", "how many bytes of it travel encoded", "curl -sS --compressed -o /dev/null -w '%{{size_download}}\\n' {url}"),
    ("/", "and how many as it is", "curl -sS -o /dev/null -w '%{{size_download}}\\n' {url}"),
    ("/error", "the application raises: a plain 500 that passed every layer, headers and all", "curl -i {url}"),
    ("/stream", "a generator, one line every half second: nothing on the way waits for the rest", "curl -iN {url}"),
    ("/missing", "a 404 from the application, through the same layers", "curl -i {url}"),
)


@cache
def template() -> Template:
    """The text of demo.html."""
    return Template(Path(__file__).with_name("demo.html").read_text(encoding="utf-8"))


def page(stack: Stack, environ: Environ) -> Callable[[Record], str]:
    """Begin the page; return a function that completes it with the record of the response."""
    nonce = environ.get("middleware.csp_nonce")  # read before the head is sent, because the policy has to name it
    begun = {
        "count": len(stack),
        "nonce": "" if nonce is None else f' nonce="{escape(str(nonce))}"',
        "chain": "\n".join(_chain(stack)),
        "commands": "\n".join(_commands(environ)),
    }

    def finish(record: Record) -> str:
        headers = [f"<tr>{_th(name)}{_td(value)}<td>{_by(by)}</td></tr>" for name, value, by, _ in record.lines]
        gone = [
            f"<tr>{_th(name)}{_td(value, _GONE)}<td>{_by(by)}</td><td>{_by(gone_by)}</td></tr>"
            for name, value, by, gone_by in record.gone
        ]
        coding = next((line.value for line in record.lines if line.name == "Content-Encoding"), None)
        return template().substitute(
            begun,
            headers="\n".join(headers),
            coding="as it is: no layer encoded it" if coding is None else f"encoded, in <code>{escape(coding)}</code>",
            gone="\n".join(gone) or '<tr><td colspan="4">nothing</td></tr>',
            timing="\n".join(_timing(stack, record)) or '<tr><td colspan="4">nobody measured</td></tr>',
        )

    return finish


def _chain(stack: Stack) -> Iterator[str]:
    all_reasons = reasons_of(tuple(stack), stack.names)
    for number, (name, layer, reasons) in enumerate(zip(stack.names, stack, all_reasons, strict=True), 1):
        stands = [f"{reason}: {reason.rule.demand}" for reason in reasons] or ["here by choice: no rule holds it"]
        told = (*layer.describe(), *(("stands", reason) for reason in stands))
        terms = "".join(f"<dt>{escape(what)}</dt><dd>{escape(text)}</dd>" for what, text in told)
        text = f"<strong>{escape(name)}</strong><br /><code>{escape(repr(layer))}</code><dl>{terms}</dl>"
        yield f'<li><span class="badge">{number}</span><div>{text}</div></li>'
    yield f'<li class="app"><span class="badge">&#9733;</span><div><strong>{APPLICATION}</strong></div></li>'


def _th(name: str) -> str:
    return f'<th scope="row"><code>{escape(name)}</code></th>'


def _td(value: str, attributes: str = "") -> str:
    return f"<td><code{attributes}>{escape(value)}</code></td>"


def _by(who: str) -> str:
    kind = "by app" if who == APPLICATION else "by"
    return f'<span class="{kind}">{escape(who)}</span>'


def _timing(stack: Stack, record: Record) -> Iterator[str]:
    """A row for every metric of the Server-Timing lines."""
    sent = ", ".join(line.value for line in record.lines if line.name.lower() == "server-timing")
    metrics = _METRIC.findall(sent)
    longest = max((float(duration) for _, _, duration in metrics), default=0) or 1
    meanings = dict.fromkeys(stack.names, "the layer itself, without what lies inside it")
    meanings["total"] = "from the request to the head of the response"
    for name, description, duration in metrics:
        what = re.sub(r"\\(.)", r"\1", description) or meanings.get(name, "")
        bar = f'<rect width="{100 * float(duration) / longest:.1f}%" height="100%" rx="3" />'
        yield (
            f'<tr>{_th(name)}<td>{escape(what)}</td><td class="number">{duration}</td>'
            f'<td class="bar"><svg aria-hidden="true">{bar}</svg></td></tr>'
        )


def _commands(environ: Environ) -> Iterator[str]:
    host = environ.get("HTTP_HOST", "")
    root = f"{environ['wsgi.url_scheme']}://{host if _HOST.fullmatch(host) else '127.0.0.1:8080'}"
    for path, what, command in _COMMANDS:
        typed = escape(command.format(url=root + path))
        yield f'<tr><th scope="row"><a href="{path}">{path}</a></th><td>{what}</td><td><code>{typed}</code></td></tr>'

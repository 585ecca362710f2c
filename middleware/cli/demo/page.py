"""The page of the demo. All HTML is in this module and in demo.html. The page is well-formed XML."""

from __future__ import annotations

import re
import shlex
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import middleware
from middleware.sight.inspector_page import rows
from middleware.stack.order import reasons_of
from middleware.wsgi.escaped import escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from middleware.cli.demo.samples import Sample, Samples
    from middleware.sight.explanation import Explanation, Step
    from middleware.stack.builder import Stack
    from middleware.wsgi.types import Environ

APPLICATION: Final = "the application"
_HOST: Final = re.compile(r"[A-Za-z0-9.\-]+(:[0-9]+)?|\[[0-9a-fA-F:]+\](:[0-9]+)?")
_STATEMENT: Final = re.compile(r"^stack = Stack\((?:\n .*)*\n\)\n", re.MULTILINE)
_TOKENS: Final = re.compile(
    r"(?P<string>&quot;.*?&quot;)|(?P<comment>#.*)|(?P<name>\b[A-Z]\w+)|(?P<word>\b(?:from|import)\b)"
)
_FOLDED_FROM: Final = 6  # rows of a layer
_LIVE: Final = (
    ("/orders", "JSON, encoded as the client asks", "curl -i --compressed {url}"),
    ("/error", "the application raises: a plain 500 with every header", "curl -i {url}"),
    ("/stream", "a generator, one line every half second: no layer waits for the rest", "curl -iN {url}"),
    ("/missing", "a 404 of the application, through the same layers", "curl -i {url}"),
)


class Line(NamedTuple):
    """A header line, and its origin.

    Attributes:
        name: str.
        value: str.
        by: tuple of str. The application, or a layer, that added the line; then each layer that changed it.
        gone_by: str. The layer that removed it, or "".
    """

    name: str
    value: str
    by: tuple[str, ...]
    gone_by: str = ""


def attributed(told: Explanation) -> tuple[list[Line], list[Line]]:
    """The header lines of a response, in their order, and those that a layer removed."""
    lines = [Line(*line, (APPLICATION,)) for line in (told.application or ("", ()))[1]]
    gone: list[Line] = []
    for step in reversed(told.steps):
        gone += [_taken(lines, line)._replace(gone_by=step.name) for line in step.removed]
        for name, old, new in step.changed:
            was = _taken(lines, (name, old))
            lines.append(Line(name, new, (*was.by, step.name)))
        lines += [Line(*line, (step.name,)) for line in step.added]
    return [_taken(lines, line) for line in told.headers], gone


def _taken(lines: list[Line], line: tuple[str, str]) -> Line:
    """Remove the Line of a header line from `lines`, and return it. One of the answer to an exception is not there."""
    name, value = line
    for number, each in enumerate(lines):
        if (each.name.lower(), each.value) == (name.lower(), value):
            return lines.pop(number)._replace(name=name)
    return Line(name, value, (APPLICATION,))


def begin(stack: Stack, environ: Environ) -> Callable[[Explanation, Samples], str]:
    """Read the nonce, so that the head names it; return a function that makes the page once the response is known."""
    nonce = environ.get("middleware.csp_nonce")
    host = environ.get("HTTP_HOST", "")
    root = f"{environ['wsgi.url_scheme']}://{host if _HOST.fullmatch(host) else '127.0.0.1:8080'}"

    def finish(told: Explanation, samples: Samples) -> str:
        headers, gone = attributed(told)
        coding = next((line.value for line in headers if line.name == "Content-Encoding"), None)
        parts = {
            "version": middleware.__version__,
            "nonce": "" if nonce is None else f' nonce="{escape(str(nonce))}"',
            "code": _TOKENS.sub(
                lambda found: f'<span class="{found.lastgroup}">{found[0]}</span>', escape(code(stack))
            ),
            "count": str(len(stack)),
            "headers": "\n".join(map(_row, headers)),
            "gone": "\n".join(map(_row, gone)),
            "coding": f"encoded, in <code>{_text(coding)}</code>" if coding else "as it is: no layer encoded it",
            "chain": "\n".join(_chain(stack)),
            "times": "\n".join(_times(told)),
            "whole": _microseconds(samples.seconds),
            "exchanges": "\n".join(_exchange(each, root) for each in samples.exchanges),
            "live": "\n".join(
                f'<tr><th scope="row"><a href="{path}">{path}</a></th>'
                f"<td><code>{escape(typed.format(url=root + path))}</code></td><td>{what}</td></tr>"
                for path, what, typed in _LIVE
            ),
        }
        text = Path(__file__).with_name("demo.html").read_text(encoding="utf-8")
        return re.sub(r"\$(\w+)", lambda found: parts[found[1]], text)

    return finish


# -- the parts ---------------------------------------------------------------------------------------------------------


def code(stack: Stack) -> str:
    """The lines that make the stack, as a user writes them."""
    [statement] = _STATEMENT.findall(Path(__file__).with_name("__init__.py").read_text(encoding="utf-8"))
    names = ", ".join(sorted({"Stack", *(type(layer).__name__ for layer in stack)}))
    return f"from middleware import {names}\n\n{statement}application = stack.wrap(app)  # any WSGI application"


def _row(line: Line) -> str:
    badges = [f'<span class="by{" app" * (name == APPLICATION)}">{escape(name)}</span>' for name in line.by]
    if line.gone_by:
        badges.append(f'<span class="by gone">&#10005; {escape(line.gone_by)}</span>')
    return f"<tr>{_th(line.name)}<td><code>{_text(line.value)}</code></td><td>{' '.join(badges)}</td></tr>"


def _chain(stack: Stack) -> Iterator[str]:
    all_reasons = reasons_of(tuple(stack), stack.names)
    for number, (name, layer, reasons) in enumerate(zip(stack.names, stack, all_reasons, strict=True), 1):
        stands = [f"{reason}: {reason.rule.demand}" for reason in reasons] or ["here by choice: no rule holds it"]
        told = (*layer.describe(), *(("stands", reason) for reason in stands))
        terms = "".join(f"<dt>{escape(what)}</dt><dd>{escape(text)}</dd>" for what, text in told)
        yield _item(number, name, f"<br /><code>{escape(repr(layer))}</code><dl>{terms}</dl>")
    yield _item(None, APPLICATION, "")


def _item(number: int | None, name: str, text: str) -> str:
    """An item of a chain: a layer, or the application, which has no number."""
    badge = '<span class="badge app">&#9733;</span>' if number is None else f'<span class="badge">{number}</span>'
    return f"<li>{badge}<div><strong>{escape(name)}</strong>{text}</div></li>"


def _times(told: Explanation) -> Iterator[str]:
    """A row for every layer, and one for their sum."""
    longest = max((step.seconds for step in told.steps), default=0) or 1
    for step in told.steps:
        bar = f'<rect width="{100 * step.seconds / longest:.1f}%" height="100%" rx="3" />'
        time = f'<td class="number">{_microseconds(step.seconds)}</td>'
        yield f'<tr>{_th(step.name)}{time}<td class="bar"><svg aria-hidden="true">{bar}</svg></td></tr>'
    together = _microseconds(sum(step.seconds for step in told.steps))
    yield f'<tr class="sum">{_th("together")}<td class="number">{together}</td><td class="bar"></td></tr>'


def _microseconds(seconds: float) -> str:
    return f"{seconds * 1e6:,.0f} \N{MICRO SIGN}s"


def _exchange(sample: Sample, root: str) -> str:
    """One exchange, folded: its request, what each layer did, and its response."""
    told = sample.told
    steps = "\n".join(_step(number, step) for number, step in enumerate(told.steps, 1))
    fields = _definitions((name, value) for name, value in told.fields if name in sample.fields)
    reached = "was not reached" if told.application is None else f"answers {told.application[0]}"
    if told.error:
        reached = f"raises {told.error}; the stack answers"
    return f"""<details name="exchange">
{_summary(sample)}
<div class="inside">
<pre class="command"><code>{escape(command(sample, root))}</code></pre>
{fields}
<ol class="steps">
{steps}
{_item(None, APPLICATION, f' <span class="soft">{_text(reached)}</span>')}
</ol>
<p><span class="soft">The response:</span> <strong>{_text(told.status)}</strong></p>
{_definitions(told.headers)}
</div>
</details>"""


def _summary(sample: Sample) -> str:
    told = sample.told
    length = next((value for name, value in told.headers if name == "Content-Length"), "")
    size = f"{int(length):,} bytes" if length and told.method == "GET" else ""
    kind = "status bad" if told.status[:1] > "3" else "status"
    return f"""<summary><span class="{kind}">{escape(told.status[:3])}</span>
<code>{escape(told.method)} {_text(told.target)}</code>
<span class="what">{escape(sample.title)}</span> <span class="size">{size}</span></summary>"""


def _step(number: int, step: Step) -> str:
    """The changes by a layer in a sample. Many rows are folded."""
    told = [(kind, text) for kind, text in rows(step) if kind not in ("sets", "time")]
    inside = "".join(f'<dt class="{kind}">{kind}</dt><dd>{_text(text)}</dd>' for kind, text in told)
    listed = f"<dl>{inside}</dl>"
    if not told:
        listed = '<span class="soft">leaves it as it is</span>'
    elif len(told) >= _FOLDED_FROM and not step.answered:
        listed = f'<details class="more"><summary>{len(told)} changes and notes</summary>{listed}</details>'
    return _item(number, step.name, f" {listed}")


def _definitions(lines: Iterable[tuple[str, str]]) -> str:
    listed = "".join(f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>" for name, value in lines)
    return f'<dl class="head">{listed}</dl>' if listed else ""


def command(sample: Sample, root: str) -> str:
    """The shell command for the sample."""
    told = sample.told
    options = {"GET": "-o /dev/null -D -", "HEAD": "-I"}.get(told.method, f"-i -X {told.method}")
    fields = "".join(f" -H {shlex.quote(f'{name}: {value}')}" for name, value in sample.fields.items())
    return f"curl -s {options}{fields} {root}{told.target}"


def _th(name: str) -> str:
    return f'<th scope="row"><code>{_text(name)}</code></th>'


def _text(value: str) -> str:
    return escape(escaped(value))

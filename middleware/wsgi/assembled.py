"""Assembled: the fast path of a pipeline, as one function written for the layers that it has.

Which layers there are, and what they decide by, is known when a pipeline is made. So its function is put together from
the lines below, as `dataclasses` does with __init__. Of the layers only names of environ keys and numbers get in, by
repr. A text is compiled once for all pipelines that share it; `linecache` shows it in tracebacks, and
`python -m middleware show --format source` prints it.

The function serves an ordinary request whose response is a list. Everything else is left to the general path, at
whatever point it turns out.
"""

from __future__ import annotations

import linecache
from functools import lru_cache
from hashlib import blake2b
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from middleware.http.status import ORDINARY
from middleware.wsgi.body import Watched, deliver, failed, finished, resumed
from middleware.wsgi.errors import EXCEPTION
from middleware.wsgi.exchange import GIVEN, NEW, PASSED
from middleware.wsgi.layered import MARK, Layered
from middleware.wsgi.plan import plan_for
from middleware.wsgi.row import TYPE, VARY, Member, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from middleware.wsgi.plan import Layer
    from middleware.wsgi.types import Application

# RFC 9110 13.1 and 14.2; the If of WebDAV (RFC 4918 10.4) and of CalDAV (RFC 6638 8.2)
UNUSUAL: Final = (
    "HTTP_RANGE",
    "HTTP_IF_NONE_MATCH",
    "HTTP_IF_MODIFIED_SINCE",
    "HTTP_IF_MATCH",
    "HTTP_IF_UNMODIFIED_SINCE",
    "HTTP_IF_RANGE",
    "HTTP_IF",
    "HTTP_IF_SCHEDULE_TAG_MATCH",
)
FUNCTIONS: Final = 64  # fast paths of one pipeline, for as many sets of layers that requests meet
_SHARED: Final[dict[str, Any]] = {
    "GIVEN": GIVEN,
    "Layered": Layered,
    "NEW": NEW,
    "ORDINARY": ORDINARY,
    "PASSED": PASSED,
    "Watched": Watched,
    "deliver": deliver,
    "failed": failed,
    "finished": finished,
    "resumed": resumed,
}


class Source:
    """The text of one function, and the values of the names in it.

    Attributes:
        lines: the text.
        names: the values that differ between pipelines that share the text.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.names: dict[str, Any] = {}

    def add(self, depth: int, text: str) -> None:
        """Add lines at this depth of indentation."""
        self.lines += ("    " * depth + line for line in text.splitlines())

    @property
    def text(self) -> str:
        """The whole text."""
        return "\n".join((f"def make({', '.join(self.names)}):", *self.lines, "    return run", ""))

    def function(self) -> Application:
        """Return the function, made of the names."""
        make: Callable[..., Application] = compiled(self.text)
        return make(*self.names.values())


@lru_cache(256)
def compiled(text: str) -> Callable[..., Any]:
    """Compile a text once, and let tracebacks show its lines."""
    file = f"<middleware {blake2b(text.encode(), digest_size=4).hexdigest()}>"
    linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file
    names = dict(_SHARED)
    exec(compile(text, file, "exec"), names)  # noqa: S102 - the lines are those below
    make: Callable[..., Any] = names.pop("make")
    return make


def assembled(app: Application, layers: Sequence[Layer], general: Application, *, respond: bool) -> Source:
    """The fast path through `layers`, outermost first, none of which has a condition."""
    source = Source()
    source.names.update(app=app, general=general, plan=plan_for(layers, (), respond=respond))
    steps = list(_steps(layers))
    rows = [(n, step) for n, step in enumerate(steps) if isinstance(step, Row)]
    source.add(1, "def run(environ, start_response):")
    unless = dict.fromkeys(key for _, row in rows for key in row.unless)
    _write_guard(source, always=all(row.always for _, row in rows), unless=tuple(unless))
    source.add(2, "exchange = Layered()\nexchange.environ = environ\nexchange.server = start_response")
    source.add(2, "exchange.plan = plan\nexchange.method = method\nexchange.state = NEW")
    if any(not isinstance(step, Row) and step.on_response is not None for step in steps):
        source.add(2, "exchange.index = exchange.body = None")
    late = [(n, step) for n, step in enumerate(steps) if isinstance(step, Row) or step.made is not None]
    source.add(2, "\n".join(f"{'came' if isinstance(step, Row) else 'made'}{n} = None" for n, step in late))
    if source.names["plan"].closers:
        source.add(2, f"environ.pop({EXCEPTION!r}, None)")
    source.add(2, "try:")
    keeps = _write_request(source, layers, steps, respond=respond)
    source.add(3, "body = app(environ, exchange.start)")
    source.add(3, "if type(body) is list and exchange.state is GIVEN:")
    source.add(4, "status = exchange.status\nlines = exchange.lines")
    if keeps:
        source.add(4, f"if {MARK!r} not in environ:\n    exchange.restore()")
    _write_response(source, steps)
    _write_end(source)
    source.add(3, _entering(late))
    source.add(3, "return deliver(exchange, body)")
    source.add(2, "except BaseException as error:")
    source.add(3, _entering(late))
    source.add(3, "return failed(exchange, error)")
    return source


def plain(general: Application) -> Source:
    """A function that leaves every request to the general path."""
    source = Source()
    source.names.update(general=general)
    source.add(1, "run = general")
    return source


def choosing(layers: Sequence[Layer], general: Application, chosen: Callable[[int], Application]) -> Source:
    """A function that asks the conditions, and calls the fast path through the layers whose conditions hold.

    `chosen` returns that for a set of layers: bit n stands for the nth. It is asked once for each set.
    """
    source = Source()
    functions: dict[int, Application] = {}
    source.names.update(chosen=chosen, general=general, functions=functions)
    source.add(1, "def run(environ, start_response):")
    _write_guard(source, always=False, unless=())
    source.add(2, f"met = {sum(1 << n for n, layer in enumerate(layers) if layer.condition is None)}\ntry:")
    for n, layer in enumerate(layers):
        if layer.condition is not None:
            source.names[f"condition{n}"] = layer.condition
            source.add(3, f"if condition{n}(environ):\n    met |= {1 << n}")
    source.add(2, "except Exception:\n    return general(environ, start_response)")
    source.add(2, "function = functions.get(met)\nif function is None:")
    source.add(3, f"if len(functions) == {FUNCTIONS}:\n    return general(environ, start_response)")
    source.add(3, "function = functions[met] = chosen(met)")
    source.add(2, "return function(environ, start_response)")
    return source


def _write_guard(source: Source, *, always: bool, unless: tuple[str, ...]) -> None:
    """Leave requests to the general path for which the layers do not say what they decide by."""
    source.add(2, 'method = environ.get("REQUEST_METHOD", "")')
    if always:
        source.add(2, 'if method == "HEAD":\n    return general(environ, start_response)')
    else:
        source.add(2, 'if (\n    method == "HEAD"\n    or method == "OPTIONS"')
        source.add(3, "\n".join(f"or {key!r} in environ" for key in (*UNUSUAL, *unless)))
        source.add(2, "):\n    return general(environ, start_response)")


def _steps(layers: Iterable[Layer]) -> Iterator[Layer | Row]:
    """The layers, outermost first, with a row in the place of adjacent ones that are ordinary."""
    for ordinary, group in groupby(layers, lambda layer: layer.ordinary is not None):
        if ordinary:
            yield Row([Member.of(layer) for layer in group][::-1])
        else:
            yield from group


def _write_request(source: Source, layers: Sequence[Layer], steps: Sequence[Layer | Row], *, respond: bool) -> bool:
    met, keeps = 0, False
    for n, step in enumerate(steps):
        met += step.size if isinstance(step, Row) else 1
        if isinstance(step, Row):
            values = "".join(f"environ.get({key!r}), " for key in step.by)
            source.add(3, f"came{n} = ({values})")
        elif step.made is not None:
            source.names[f"open{n}"], source.names[f"line{n}"], source.names[f"put{n}"] = step.made
            source.add(3, f"made{n} = open{n}(environ)")
        elif step.on_request is not None:
            keeps = True
            source.names[f"request{n}"] = step.on_request
            source.names[f"plan{n}"] = plan_for(layers[:met], layers[met:], respond=respond)
            source.add(3, f"exchange.plan = plan{n}\nanswer = request{n}(environ)\nif answer is not None:")
            source.add(
                4,
                _entering(
                    (m, each) for m, each in enumerate(steps[:n]) if isinstance(each, Row) or each.made is not None
                ),
            )
            source.add(4, "return deliver(exchange, answer(environ, exchange.start))")
    if keeps:
        source.add(3, "exchange.plan = plan\nexchange.keep()")
    elif source.names["plan"].closers:
        source.add(3, "exchange.kept = None")
    return keeps


def _entering(late: Iterable[tuple[int, Layer | Row]]) -> str:
    """Have the layers that the request has reached, and that have not looked at it yet, leave in environ what they need."""
    return "\n".join(
        f"if came{n} is not None:\n    row{n}.enter(environ, came{n}, method)"
        if isinstance(step, Row)
        else f"if made{n} is not None:\n    put{n}(environ, made{n})"
        for n, step in late
    )


def _write_response(source: Source, steps: Sequence[Layer | Row]) -> None:
    place, shown = 0, False
    for n, step in reversed([*enumerate(steps)]):
        if isinstance(step, Row):
            shown = _write_reading(source, shown=shown)
            _write_row(source, 4, f"{n}", f"came{n}", step, place)
            place += step.size
        elif step.on_response is not None:
            place += 1
            source.names[f"response{n}"] = step.on_response
            if step.made is not None:
                shown = _write_reading(source, shown=shown)
                source.add(4, f"line = line{n}(made{n})\nif line is None:\n    put{n}(environ, made{n})")
                _write_ask_one(source, 5, n, place, shown=False)
                _write_reading(source, shown=True, depth=5)
                source.add(4, "else:\n    lines.append(line)\n    exchange.index = None")
            else:
                _write_ask_one(source, 4, n, place, shown=shown)
                shown = True
    _write_reading(source, shown=shown)


def _write_ask_one(source: Source, depth: int, n: int, place: int, *, shown: bool) -> None:
    """Show the head to a layer, which may edit it in any way."""
    if not shown:
        source.add(depth, "exchange.body = body")
    source.add(depth, f"transform = response{n}(environ, exchange)\nif transform is not None:")
    source.add(depth + 1, f"return resumed(exchange, body, {place}, transform)")


def _write_reading(source: Source, *, shown: bool, depth: int = 4) -> bool:
    """Go on with what layers have made of the head."""
    if shown:
        source.add(depth, "body = exchange.body\nstatus = exchange.status\nlines = exchange.lines")
    return False


def _write_row(source: Source, depth: int, name: str, came: str, row: Row, place: int) -> None:
    """Look up what the layers of a row append; where that is not known, or not all, ask them one by one."""
    source.names.update({f"row{name}": row, f"kinds{name}": row.kinds, f"known{name}": row.known})
    source.add(depth, f"added ={' content_type =' * row.typed}{' vary =' * row.varies} None")
    if row.below is not None:
        outside = "".join(f" and {key!r} not in environ" for key in row.unless)
        source.add(depth, f"small = len(body) == 1 and len(body[0]) < {row.below}{outside}\nif small:")
    _write_look(source, depth + (row.below is not None), name, came, row)
    source.add(depth, "if added is not None:")
    if row.varies:
        source.add(depth + 1, "if vary is not None:\n    lines.remove(vary)")
    source.add(depth + 1, "lines += added")
    source.add(depth, "else:" if row.below is None else "elif small:")
    _write_ask(source, depth + 1, name, came, f"True, {place}")
    if row.below is not None:
        large, others = row.apart()
        source.names[f"large{name}"] = large
        source.add(depth, "else:")
        _write_ask(source, depth + 1, name, came, f"False, {place}", f"large{name}")
        if others is not None:
            _write_row(source, depth + 1, f"{name}x", came, others, place + large.size)


def _write_look(source: Source, depth: int, name: str, came: str, row: Row) -> None:
    source.add(depth, "try:\n    for line in lines:")
    source.add(depth + 2, f"kind = kinds{name}[line[0]]\nif kind:")
    if row.typed:
        source.add(depth + 3, f"if kind == {TYPE} and content_type is None:\n    content_type = line[1]\n    continue")
    if row.varies:
        source.add(depth + 3, f"if kind == {VARY} and vary is None:\n    vary = line\n    continue")
    source.add(depth + 3, "break")
    values = ["status"]
    values += ["None if vary is None else vary[1]"] * row.varies + ["content_type"] * row.typed
    values += [f"*{came}"] * bool(row.by) + [f"environ.get({key!r})" for key in row.late]
    key = values[0] if len(values) == 1 else f"({', '.join(values)})"
    source.add(depth + 1, f"else:\n    added = known{name}.get({key})")
    source.add(depth, "except KeyError:\n    pass")


def _write_ask(source: Source, depth: int, name: str, came: str, arguments: str, row: str = "") -> None:
    source.add(depth, f"exchange.body = body\nfound = {row or f'row{name}'}.show(exchange, {came}, {arguments})")
    source.add(depth, "if found is not None:\n    return resumed(exchange, body, *found)")
    source.add(depth, "body = exchange.body\nstatus = exchange.status\nlines = exchange.lines")


def _write_end(source: Source) -> None:
    """Pass an ordinary head on, which all layers have seen."""
    source.add(4, "if status in ORDINARY:")
    source.add(5, "exchange.state = PASSED\nstart_response(status, lines)")
    if source.names["plan"].closers:
        source.add(5, "watched = Watched()\nwatched.exchange = exchange\nwatched.body = body\nwatched.sent = 0")
        source.add(5, "watched.source = watched.error = None\nwatched.over = False\nreturn watched")
    else:
        source.add(5, "return body")
    source.add(4, "return finished(exchange, body)")

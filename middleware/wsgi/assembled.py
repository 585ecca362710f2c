"""Assembled: the fast path of a pipeline, as one function written for the layers that it has.

The layers, and the values that they decide by, are known when a pipeline is made. So its function is put together from
the lines below, as `dataclasses` does with __init__. Only environ keys and numbers of the layers get in, by repr. A
text is compiled once for all pipelines that share it; `linecache` shows it in tracebacks, and
`python -m middleware show --format source` prints it.

The function serves an ordinary request whose response is a list. Every other response goes on as a `Layered` exchange
from the point at which it turns out to be one, and requests that no row is made for go to `general`.
"""

import linecache
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any, Final

from middleware.http.status import NOT_MODIFIED, ORDINARY
from middleware.wsgi.answer import as_application
from middleware.wsgi.body import NOTHING, Watched, deliver, failed, finished, muted, resumed
from middleware.wsgi.errors import EXCEPTION, RAISING
from middleware.wsgi.exchange import GIVEN, NEW, PASSED
from middleware.wsgi.layered import MARK, Layered
from middleware.wsgi.plan import Enter, Layer, Plan, plan_for
from middleware.wsgi.response import undeclared
from middleware.wsgi.row import TYPE, VARY, Row, grouped
from middleware.wsgi.types import Application, Environ

# RFC 9110 13.1 and 14.2; the If of WebDAV (RFC 4918 10.4) and of CalDAV (RFC 6638 8.2)
_CONDITIONAL: Final = (
    "HTTP_RANGE",
    "HTTP_IF_NONE_MATCH",
    "HTTP_IF_MODIFIED_SINCE",
    "HTTP_IF_MATCH",
    "HTTP_IF_UNMODIFIED_SINCE",
    "HTTP_IF_RANGE",
    "HTTP_IF",
    "HTTP_IF_SCHEDULE_TAG_MATCH",
)
_FUNCTIONS: Final = 64  # fast paths of one pipeline, for as many sets of layers that requests meet
_TEXTS: Final = 256
_compiled: dict[str, tuple[Callable[..., Any], str]] = {}  # text -> its function, and its file name
_SHARED: Final[dict[str, Any]] = {
    "GIVEN": GIVEN,
    "Layered": Layered,
    "NEW": NEW,
    "NOTHING": NOTHING,
    "NOT_MODIFIED": NOT_MODIFIED,
    "ORDINARY": ORDINARY,
    "PASSED": PASSED,
    "Watched": Watched,
    "as_application": as_application,
    "deliver": deliver,
    "failed": failed,
    "finished": finished,
    "muted": muted,
    "resumed": resumed,
    "undeclared": undeclared,
}


class Source:
    """The text of one function, `run`, and the values of the names in it.

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

    def guard(self, raising: Callable[[Environ], Application | None]) -> None:
        """Hand requests with a key of RAISING to the application that `raising` returns for them, if any."""
        self.names["raising"] = raising
        lines, self.lines = self.lines[1:], self.lines[:1]
        self.add(2, "if (\n    " + "\n    or ".join(f"{key!r} in environ" for key in RAISING) + "\n):")
        self.add(3, "run_raising = raising(environ)\nif run_raising is not None:")
        self.add(4, "return run_raising(environ, start_response)")
        self.lines += lines

    def function(self) -> Application:
        """Compile the text, and return the function with the names bound to their values."""
        make: Callable[..., Application] = compiled(self.text)
        return make(*self.names.values())


def compiled(text: str) -> Callable[..., Any]:
    """Compile a text once, and let tracebacks show its lines. Both are forgotten when there are too many texts."""
    found = _compiled.get(text)
    if found is None:
        if len(_compiled) >= _TEXTS:
            for _, file in [*_compiled.values()]:  # a copy, because another thread may compile meanwhile
                linecache.cache.pop(file, None)
            _compiled.clear()
        file = f"<middleware {blake2b(text.encode(), digest_size=4).hexdigest()}>"
        linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file
        names = dict(_SHARED)
        exec(compile(text, file, "exec"), names)  # noqa: S102 - the lines are those below
        found = _compiled[text] = names.pop("make"), file
    return found[0]


def plain(general: Application) -> Source:
    """A function that leaves every request to the general path."""
    source = Source()
    source.names.update(general=general)
    source.add(1, "def run(environ, start_response):\n    return general(environ, start_response)")
    return source


def choosing(layers: Sequence[Layer], general: Application, chosen: Callable[[int], Application]) -> Source:
    """Return a function that evaluates the conditions, then calls the fast path of the layers whose conditions hold.

    `chosen` returns that for a set of layers, in which bit n is the nth layer. It is called once for each set.
    """
    source = Source()
    source.names.update(chosen=chosen, general=general, options=general, functions={})
    source.add(1, "def run(environ, start_response):")
    _write_guard(source, ())
    source.add(2, f"met = {sum(1 << n for n, layer in enumerate(layers) if layer.condition is None)}\ntry:")
    for n, layer in enumerate(layers):
        if layer.condition is not None:
            source.names[f"condition{n}"] = layer.condition
            source.add(3, f"if condition{n}(environ):\n    met |= {1 << n}")
    source.add(2, "except Exception:\n    return general(environ, start_response)")
    source.add(2, "function = functions.get(met)\nif function is None:")
    source.add(3, f"if len(functions) == {_FUNCTIONS}:\n    return general(environ, start_response)")
    source.add(3, "function = functions[met] = chosen(met)")
    source.add(2, "return function(environ, start_response)")
    return source


def _write_guard(source: Source, unusual: Iterable[str], *, conditional: bool = False, options: bool = False) -> None:
    """Hand requests that rows do not serve to the other functions, see Ordinary."""
    source.add(2, 'method = environ.get("REQUEST_METHOD", "")')
    if not options:
        source.add(2, 'if method == "OPTIONS":\n    return options(environ, start_response)')
    tests = []
    if not conditional:
        tests += ['method == "HEAD"', *(f"{key!r} in environ" for key in _CONDITIONAL)]
    tests += (f"{key!r} in environ" for key in unusual)
    if tests:
        source.add(2, "if (\n    " + "\n    or ".join(tests) + "\n):\n    return general(environ, start_response)")


class FastPath:
    """Writes the fast path through `layers`, outermost first, none of which has a condition.

    `others` serve the requests that rows do not: "options" those of that method, "general" the rest. They are required
    if a layer is ordinary.

    Attributes:
        source: the text, and its names.
        steps: the layers, outermost first, with a row in the place of adjacent ones that are ordinary.
    """

    def __init__(
        self, app: Application, layers: Sequence[Layer], others: Mapping[str, Application], *, respond: bool
    ) -> None:
        self.source = Source()
        found = grouped(layers)
        self.steps, self._met = [step for step, _ in found], [met for _, met in found]
        self._ends = any(layer.on_close is not None for layer in layers)
        asked = [step for step in self.steps if not isinstance(step, Row) and step.on_request is not None]
        self._keeps = any(step.made is None or step.on_close is not None for step in asked)
        self._layers, self._respond, self._noted = layers, respond, 0
        self.source.names.update(app=app, **others)
        self._write()

    @property
    def _rows(self) -> list[Row]:
        return [step for step in self.steps if isinstance(step, Row)]

    @property
    def _conditional(self) -> bool:
        """Whether HEAD and conditional requests are served."""
        return all(row.conditional for row in self._rows)

    def _plan_after(self, met: int) -> Plan:
        """The plan for a request that has met the first `met` layers."""
        steps = [step for step, end in zip(self.steps, self._met, strict=True) if end <= met]
        entering = tuple(enter for step in steps if (enter := _entering(step)) is not None)
        return replace(plan_for(self._layers[:met], self._layers[met:], respond=self._respond), entering=entering)

    def _write(self) -> None:
        add = self.source.add
        add(1, "def run(environ, start_response):")
        unless = dict.fromkeys(key for row in self._rows for key in row.unless)
        _write_guard(self.source, unless, conditional=self._conditional, options=all(row.options for row in self._rows))
        self._write_start()
        add(2, "try:")
        self._write_request()
        add(3, "body = app(environ, exchange.start)\nif type(body) is list and exchange.state is GIVEN:")
        add(4, "status = exchange.status\nlines = exchange.lines")
        if self._keeps:
            add(4, f"if {MARK!r} not in environ:\n    exchange.restore()")
        self._write_response()
        self._write_end()
        add(3, "return deliver(exchange, body)")
        add(2, "except BaseException as error:\n    return failed(exchange, error)")

    def _write_start(self) -> None:
        add = self.source.add
        self.source.names["plan"] = self._plan_after(len(self._layers))
        add(2, "exchange = Layered()\nexchange.state = NEW\nexchange.plan = plan\nexchange.method = method")
        add(2, "exchange.environ = environ\nexchange.server = start_response\nexchange.kept = None\nexchange.came = ()")
        add(2, f"if {EXCEPTION!r} in environ:\n    del environ[{EXCEPTION!r}]  # of an earlier request")

    def _write_request(self) -> None:
        """Show the request to the layers, outermost first; for rows, read the values by which they decide."""
        add, names = self.source.add, self.source.names
        for n, step in enumerate(self.steps):
            if isinstance(step, Row):
                for name, key in zip(_came(f"{n}", step), step.by, strict=True):
                    add(3, f"{name} = environ.get({key!r})")
            elif step.made is not None:
                self._write_came(n)
                names[f"open{n}"], names[f"line{n}"], names[f"put{n}"] = step.made
                add(3, f"made{n} = open{n}(environ)")
            elif step.on_request is not None:
                self._write_came(n)
                names[f"request{n}"], names[f"plan{n}"] = step.on_request, self._plan_after(self._met[n])
                add(3, f"exchange.plan = plan{n}\nanswer = request{n}(environ)\nif answer is not None:")
                add(4, f"return deliver(exchange, as_application(answer, request{n})(environ, exchange.start))")
        self._write_came(len(self.steps))
        if self._keeps:
            add(3, f"exchange.plan = plan\nenviron[{MARK!r}] = 'yes'\nexchange.kept = environ.copy()")

    def _write_came(self, end: int) -> None:
        """Save the values of the steps before `end` that are not in environ, for code that may need them."""
        values = [
            _together([*_came(f"{n}", step), "method"]) if isinstance(step, Row) else f"made{n}"
            for n, step in enumerate(self.steps[:end])
            if _entering(step)
        ]
        if len(values) > self._noted:
            self._noted = len(values)
            self.source.add(3, f"exchange.came = {_together(values)}")

    def _write_response(self) -> None:
        """Show the head to the layers, innermost first; for rows, look up what they append."""
        place, shown = 0, False
        for n, step in reversed([*enumerate(self.steps)]):
            if isinstance(step, Row):
                self._write_reading(4, shown=shown)
                self._write_row(4, f"{n}", step)
                place, shown = place + step.size, False
            elif step.on_response is not None:
                place += 1
                self.source.names[f"response{n}"] = step.on_response
                if step.made is not None:
                    self._write_reading(4, shown=shown)
                    self._write_made(n, place)
                    shown = False
                else:
                    self._write_asking(4, n, place, shown=shown, rewrites=step.waits)
                    shown = True
        self._write_reading(4, shown=shown)

    def _write_asking(self, depth: int, n: int, place: int, *, shown: bool, rewrites: bool) -> None:
        """Show the head to a layer, which may edit it in any way. `shown`: the previous layer has seen it too."""
        add = self.source.add
        if not shown:
            add(depth, "exchange.body = body\nexchange.index = None")
        add(depth, f"transform = response{n}(environ, exchange)")
        if rewrites:
            add(depth, "body = exchange.body\nif transform is not None or type(body) is not list:")
        else:
            add(depth, f"if exchange.body is not body:\n    raise undeclared(response{n})")
            add(depth, "if transform is not None:")
        outer = sum(_entering(step) is not None for step in self.steps[:n])
        add(depth + 1, f"return resumed(exchange, body, {place}, {outer}, transform, on_response=response{n})")

    def _write_reading(self, depth: int, *, shown: bool = True) -> None:
        """Continue with the head as layers have edited it, if it was shown to them."""
        if shown:
            self.source.add(depth, "body = exchange.body\nstatus = exchange.status\nlines = exchange.lines")

    def _write_made(self, n: int, place: int) -> None:
        add = self.source.add
        add(4, f"line = line{n}(made{n})\nif line is None:\n    put{n}(environ, made{n})")
        self._write_asking(5, n, place, shown=False, rewrites=True)
        self._write_reading(5)
        add(4, "else:\n    lines.append(line)")

    def _write_row(self, depth: int, name: str, row: Row) -> None:
        """Look up what the layers of a row append; if that is not known, or not all, call them one by one."""
        add = self.source.add
        self.source.names.update({f"row{name}": row, f"kinds{name}": row.kinds, f"known{name}": row.known})
        add(depth, f"added ={' content_type =' * row.typed}{' vary =' * row.varies} None")
        if row.below is not None:
            outside = "".join(f" and {key!r} not in environ" for key in row.unless)
            add(depth, f"small = len(body) == 1 and len(body[0]) < {row.below}{outside}\nif small:")
        self._write_look(depth + (row.below is not None), name, row)
        add(depth, "if added is not None:")
        if row.varies:
            add(depth + 1, "if vary is not None:\n    lines.remove(vary)")
        add(depth + 1, "lines += added")
        add(depth, "else:" if row.below is None else "elif small:")
        self._write_showing(depth + 1, name, row, ordinary=True)
        if row.below is not None:
            large, others = row.apart()
            self.source.names[f"large{name}"] = large
            add(depth, "else:")
            self._write_showing(depth + 1, name, row, ordinary=False)
            if others is not None:
                self._write_row(depth + 1, f"{name}x", others)

    def _write_look(self, depth: int, name: str, row: Row) -> None:
        add = self.source.add
        add(depth, "try:\n    for line in lines:")
        kind = f"kinds{name}[line[0]]"
        add(depth + 2, f"kind = {kind}\nif kind:" if row.typed or row.varies else f"if {kind}:")
        if row.typed:
            add(depth + 3, f"if kind == {TYPE} and content_type is None:\n    content_type = line[1]\n    continue")
        if row.varies:
            add(depth + 3, f"if kind == {VARY} and vary is None:\n    vary = line\n    continue")
        add(depth + 3, "break")
        values = ["status", *["None if vary is None else vary[1]"] * row.varies, *["content_type"] * row.typed]
        values += [*_came(name, row), *(f"environ.get({key!r})" for key in row.late)]
        key = values[0] if len(values) == 1 else f"({', '.join(values)})"
        add(depth + 1, f"else:\n    added = known{name}.get({key})")
        add(depth, "except KeyError:\n    pass  # a name that is seen for the first time")

    def _write_showing(self, depth: int, name: str, row: Row, *, ordinary: bool) -> None:
        """Show the request and the head to the layers of a row one by one."""
        which = f"{'row' if ordinary else 'large'}{name}"
        came = _together(_came(name, row))
        self.source.add(depth, f"exchange.body = body\n{which}.show(exchange, {came}, ordinary={ordinary})")
        self._write_reading(depth)

    def _write_end(self) -> None:
        """Pass on a head that all layers have seen."""
        add = self.source.add
        add(4, 'if status in ORDINARY and method != "HEAD":' if self._conditional else "if status in ORDINARY:")
        add(5, "exchange.state = PASSED\nstart_response(status, lines)")
        if self._ends:
            for n, step in enumerate(self.steps):
                if not isinstance(step, Row) and step.made is not None:
                    add(5, f"put{n}(environ, made{n})")
            add(5, "watched = Watched()\nwatched.exchange = exchange\nwatched.body = body\nwatched.sent = 0")
            add(5, "watched.source = watched.error = None\nwatched.over = False\nreturn watched")
        else:
            add(5, "return body")
            if self._conditional:
                add(4, "if status in ORDINARY:\n    return muted(exchange, body)")
            add(4, "if status in NOT_MODIFIED:")
            add(5, "exchange.state = PASSED\nstart_response(status, lines)\nreturn iter(NOTHING)")
        add(4, "return finished(exchange, body)")


def _came(name: str, row: Row) -> list[str]:
    """The variables of the request values by which a row decides."""
    return [f"came{name.rstrip('x')}_{place}" for place in range(len(row.by))]


def _together(values: Iterable[str]) -> str:
    return f"({''.join(f'{value}, ' for value in values)})"


def _entering(step: Layer | Row) -> "Enter | None":
    """Return the function that stores in environ the state of a step whose on_request is postponed, or None."""
    if isinstance(step, Row):
        return step.enter if step.entering else None
    return None if step.made is None else step.made.put

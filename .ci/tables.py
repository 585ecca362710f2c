"""The parts of the reference that no docstring has: asked of the package as it is."""

from __future__ import annotations

import re
from argparse import SUPPRESS, Action, ArgumentParser
from typing import TYPE_CHECKING, Any, Final

from markdown_of import WIDTH, cell, table

from middleware import CORS, Compress, Headers, SecurityHeaders, Stack, Timing
from middleware.cli import command
from middleware.cli.demo import stack as demo
from middleware.cli.show import report
from middleware.hooks import kyoukai
from middleware.layers import timing
from middleware.layers.answers import hosts
from middleware.layers.security import nonce
from middleware.paste import KINDS, Group
from middleware.stack.external import KNOWN
from middleware.stack.rules import RULES
from middleware.wsgi import answer, errors, identity, measurement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# A key: who puts it there, who reads it, what it is.
KEYS: Final = {
    errors.EXCEPTION: (
        "the pipeline; an application that answers its own errors may",
        "`Hooks`, `on_close` of every layer",
        "the exception that the response stands for",
    ),
    errors.STATUS: (
        "the pipeline, when a response is over",
        "`on_close` of every layer",
        "int, the status of the response",
    ),
    errors.BYTES_SENT: (
        "the pipeline, when a response is over",
        "`on_close` of every layer",
        "int, bytes of content; None where the server sent a file by itself",
    ),
    measurement.STATUS: (
        "the pipeline, when a response is over",
        "`on_close` of every layer",
        "int, the status that the server got",
    ),
    identity.REQUEST_ID: (
        "`RequestId`",
        "the application, `AccessLog`",
        "str, the id of the request",
    ),
    "middleware.notes": (
        "who wants to know why a response looks as it does",
        "every layer",
        "an object with `append(str)`: a layer that does nothing says why",
    ),
    timing.KEY: (
        "`Timing`",
        "the application",
        "where it adds metrics: [`Recorder`](timing.md#recorder)",
    ),
    nonce.KEY: (
        "`SecurityHeaders` with `NONCE` in a policy",
        "the application, its templates",
        "the nonce of the response: [`Nonce`](security-headers.md#nonce-1)",
    ),
    hosts.KEY: (
        "`TrustedHosts`",
        "`HTTPSRedirect`, the application",
        "the authority that was checked, in lower case",
    ),
    answer.NOTES: (
        "whoever asks why, before the stack is called",
        "the layers",
        "an object with `append(str)`, such as a list; nothing is noted without it",
    ),
    "middleware.compress": (
        "the application",
        "`Compress`, `Gzip`",
        "`False`: this response is not to be encoded",
    ),
    kyoukai.CONTEXT: (
        "`ContextHooks`",
        "the application",
        "the context that the hooks share: [`HTTPRequestContext`](hooks.md#httprequestcontext)",
    ),
    kyoukai.RESULT: (
        "the application",
        "`ContextHooks`",
        "an object that hooks get as `response.response`, and that becomes the body",
    ),
}
# What the layers keep for themselves: a key of each instance.
OWN: Final = (
    "middleware.access_log.",
    "middleware.body_limit",
    "middleware.coding.",
    "middleware.conditional.",
    "middleware.inject.",
    "middleware.concurrency_limit",
    "middleware.conditional.",
    "middleware.cors.",
    "middleware.decompress_request",
    "middleware.inject.",
    "middleware.marked",
    "middleware.metrics.",
    "middleware.sight.",
    "middleware.rate_limit",
    "middleware.request_id.open",
)
# Filters whose layers are on a page of another name.
ELSEWHERE: Final = {
    "gzip": "compress",
    "decompress-request": "decompress",
    **dict.fromkeys(("body-limit", "concurrency-limit", "rate-limit"), "limits"),
}
LOGGED: Final = [
    ("WARNING", "once: `HTTPSRedirect` redirects a request with X-Forwarded-Proto: https"),
    ("ERROR", "an exception that the stack answered by a 500, with its traceback"),
    ("ERROR", "once a minute: the storage of a `RateLimit` has failed, and is left alone for five seconds at a time"),
    (
        "ERROR",
        "what `on_complete` of `Timing`, callables in `allow_origins`, and those of `AccessLog` and `Metrics` raise",
    ),
    ("ERROR", "a layer that failed on an error response, and so was left out of it; a condition that did"),
    ("ERROR", "what `close()` of a body or `on_close` raised after another error"),
    ("ERROR", "an exception that `Hooks` or `ContextHooks` answered by a 500"),
]
WRONG: Final = Stack(Compress(), CORS(allow_origins="https://app.example"), SecurityHeaders(), Timing(), Headers())


def _text(text: str) -> str:
    return f"```text\n{text}\n```"


def _rules() -> Iterator[str]:
    yield "`wrap` refuses a stack that breaks a rule of severity error, and warns of the others. `waive` takes an id."
    rows = []
    for rule in RULES:
        consequence = rule.consequence.format(outer="A", inner="B", what="…")
        rows.append((f"`{rule.id}`", rule.severity, cell(rule.demand), cell(consequence), cell(rule.source)))
    yield table(("id", "severity", "demand", "else, where A stands outside B", "source"), rows)
    yield "Two layers whose conditions exclude each other meet in no request, and no rule looks at them."
    yield "What a layer declares: [`Effects`](middleware.md#effects). Why it is so: [Order](../explanation/order.md)."


def _external() -> Iterator[str]:
    yield "## Known middleware"
    yield "What `External` knows without `effects`:"
    rows = [(f"`{kind.replace(':', '.')}`", ", ".join(_effects(effects))) for kind, effects in KNOWN.items()]
    yield table(("factory", "effects"), rows)


def _effects(effects: Any) -> Iterator[str]:
    for name in effects.__dataclass_fields__:
        value = getattr(effects, name)
        if isinstance(value, frozenset) and value:
            yield f"{name} {', '.join(f'`{each}`' for each in sorted(value))}"
        elif value is True:
            yield name


def _environ() -> Iterator[str]:
    yield "## Keys of the environ"
    yield "The environ is one dict all the way: it is never replaced by a copy."
    yield table(("key", "set by", "read by", "value"), [(f"`{key}`", *row) for key, row in KEYS.items()])
    yield "Other keys that begin with `middleware.` are a layer's own."
    yield "## Logger"
    yield "What goes wrong is logged by `middleware`; with an `AccessLog`, every request by `middleware.access`."
    yield "Every record has the attributes `request_id`, `method`, `path` and `layer`, as far as they are known."
    yield table(("level", "what"), LOGGED)


def _command() -> Iterator[str]:
    parser = command.parser()
    yield f"{parser.description} Exit status 2 and one line on stderr: what was typed cannot be done."
    yield (
        "`wsgi-middleware-stack` is the same command under a name that no `middleware.py` of a project hides; where "
        "there is one, it says so. `--version` prints the versions of the package and of Python."
    )
    yield (
        "Characters that the encoding of the output lacks are escaped. On a terminal the chain and the findings are in "
        "colour if rich is installed (the extra `cli`), unless NO_COLOR is set."
    )
    for name, sub in _commands(parser).items():
        yield f"## {name}"
        yield _text(_usage(name, sub))
        yield str(sub.description)
        yield table(("argument", "meaning"), [row for action in sub._actions if (row := _argument(action))])  # noqa: SLF001
    yield "## What they print"
    yield "`python -m middleware show middleware.cli.demo:stack`:"
    yield _text(str(demo))
    yield "The same with `--format svg`:"
    yield "![The chain of the demo, drawn](demo.svg)"
    yield "`check` of a stack whose order is wrong, `" + _short(WRONG) + "`:"
    yield _text("\n".join(report(WRONG, WRONG.check())))


def _short(stack: Stack) -> str:
    return f"Stack({', '.join(f'{name}(...)' for name in stack.names)})"


def _commands(parser: ArgumentParser) -> dict[str, ArgumentParser]:
    [choices] = (action.choices for action in parser._actions if action.choices)  # noqa: SLF001
    return dict(choices)  # type: ignore[call-overload]


def _usage(name: str, parser: ArgumentParser) -> str:
    shown = [action for action in parser._actions if action.help != SUPPRESS and action.dest != "help"]  # noqa: SLF001
    words = [_written(action) if action.option_strings else str(action.metavar) for action in shown]
    needed = [word for word, action in zip(words, shown, strict=True) if not action.option_strings]
    whole = " ".join([f"{command.PROGRAM} {name}", *needed, *(f"[{word}]" for word in words if word not in needed)])
    return whole if len(whole) <= WIDTH else whole.replace(" [", "\n    [")


def _written(action: Action) -> str:
    value = action.metavar or (f"{{{','.join(action.choices)}}}" if action.choices else "")
    return " ".join(filter(None, (action.option_strings[0], str(value) if action.nargs != 0 else "")))


def _argument(action: Action) -> tuple[str, str] | None:
    if action.help == SUPPRESS or action.dest == "help":
        return None
    named = _written(action) if action.option_strings else str(action.metavar)
    return f"`{named}`".replace("|", "\\|"), cell(
        re.sub(r"%\((\w+)\)s", lambda m: str(getattr(action, m[1])), str(action.help))
    )


def _paste() -> Iterator[str]:
    yield "`use = egg:wsgi-middleware-stack#` and a name. What the strings mean: [PasteDeploy](../how-to/paste.md)."
    rows = []
    for name, kind in KINDS.items():
        keys = [f"`{key}.*`" if isinstance(how, Group) else f"`{key}`" for key, how in kind.options.items()]
        layer = kind.layer.__name__  # type: ignore[attr-defined]
        page = ELSEWHERE.get(name) or ("guards" if ".answers." in kind.layer.__module__ else name)
        rows.append((f"`{name}`", f"[`{layer}`]({page}.md#{layer.lower()})", ", ".join(keys)))
    yield table(("filter", "layer", "keys"), rows)
    functions = [f"`{key}`" for kind in KINDS.values() for key in kind.functions]
    yield f"{', '.join(functions)} take functions, which no .ini can say."


EXTRAS: Final[dict[str, Callable[[], Iterator[str]]]] = {
    "stack": _external,
    "order-rules": _rules,
    "environ": _environ,
    "command-line": _command,
    "paste": _paste,
}

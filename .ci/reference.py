#!/usr/bin/env python3
"""Write docs/reference/ from the package: .ci/reference.py; with --check, name what would be written otherwise.

Signatures and docstrings are read from the source, so that every Python writes the same; docstrings.py says how. The
order rules, the filters of PasteDeploy, the options of the command, and what it prints, are asked of the package.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT)]

from docstrings import Entry, about, entry  # noqa: E402 - found where this file is
from markdown_of import told, whole  # noqa: E402
from tables import EXTRAS  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = ROOT / "docs" / "reference"
NOTE = "<!-- Written by .ci/reference.py: change the docstrings, and run it again. -->"
# What is not written here, and stands in the folder.
BY_HAND = {"servers.md": "What each server does with the stack, and by itself."}

# A page: its title, what it is about, and the names on it: module:name, or a name of `middleware`.
PAGES: dict[str, tuple[str, str, list[str]]] = {
    "stack": (
        "Stack",
        "The chain of layers: how it is made, changed, looked at, and put around an application.",
        ["Stack", "middleware.stack.builder:Wrapped", "External", "Finding", "OrderError", "OrderWarning"],
    ),
    "order-rules": ("Order rules", "Who has to stand where, and what a client would notice otherwise.", []),
    "headers": ("Headers", "Fields that are set, defaulted, appended and removed.", ["Headers"]),
    "security-headers": (
        "SecurityHeaders",
        "The fields by which browsers protect a site, and the policies that go into them.",
        [
            "SecurityHeaders",
            "CSP",
            "NONCE",
            "HSTS",
            "PermissionsPolicy",
            "csp_nonce",
            "middleware.layers.security.nonce:Nonce",
        ],
    ),
    "cors": ("CORS", "Preflights, and who may read responses.", ["CORS"]),
    "compress": (
        "Compress and Gzip",
        "Content codings: which, when, of what.",
        ["Compress", "Gzip", "middleware.layers.compress.content_types:DEFAULT"],
    ),
    "conditional": ("Conditional", "Entity tags, and 304 for what the client has already.", ["Conditional"]),
    "inject-html": ("InjectHTML", "HTML of its own in the pages of an application.", ["InjectHTML"]),
    "timing": (
        "Timing",
        "Server-Timing, metrics of the application, and a report of every request.",
        ["Timing", "middleware.layers.timing.recorder:Recorder"],
    ),
    "request-id": (
        "RequestId",
        "One id for each request, in environ, in the response, and in every log record.",
        ["RequestId", "request_id", "middleware.logs:RequestIdFilter"],
    ),
    "access-log": ("AccessLog", "One log record for each request, when it is over.", ["AccessLog", "Measurement"]),
    "metrics": ("Metrics", "Durations, sizes and requests in flight, for Prometheus.", ["Metrics"]),
    "guards": (
        "Guards",
        "Layers that answer instead of the application: hosts, https, cross-origin requests, users, fixed answers.",
        ["TrustedHosts", "HTTPSRedirect", "CrossOriginProtection", "BasicAuth", "Respond", "Redirect"],
    ),
    "limits": (
        "Limits",
        "How large requests may be, how many run at a time, and how many come in a time.",
        [
            *("BodyLimit", "BodyTooLarge", "ConcurrencyLimit", "RateLimit"),
            *(f"middleware.by:{name}" for name in ("address", "header", "user", "path", "both")),
        ],
    ),
    "decompress": ("DecompressRequest", "Request bodies that come compressed.", ["DecompressRequest"]),
    "hooks": (
        "Hooks and ContextHooks",
        "Request hooks as Flask has them, and as Kyoukai has them, around any application.",
        [
            *("Hooks", "middleware.hooks.flask:HookScope"),
            *(f"middleware.hooks:{name}" for name in ("request", "g", "after_this_request", "has_request_context")),
            *(f"middleware.hooks:{name}" for name in ("make_response", "jsonify", "abort")),
            *(f"middleware.hooks:{name}" for name in ("Request", "Response", "HTTPException", "InternalServerError")),
            *("ContextHooks", "middleware.hooks.kyoukai:ContextScope", "middleware.hooks:HTTPRequestContext"),
        ],
    ),
    "middleware": (
        "Layers of your own",
        "What a layer is made of.",
        ["Middleware", "Effects", "Response", "Fields", "Transform", "json_response", "ConfigError"],
    ),
    "match": (
        "middleware.match",
        "Predicates for `when`, for scopes of hooks, and for `expose`: they are combined by `&`, `|` and `~`.",
        [f"middleware.match:{name}" for name in ("path", "method", "host", "header", "Predicate")],
    ),
    "testing": (
        "middleware.testing",
        "Tests for those who write WSGI middleware, with this package or without it.",
        [
            *(
                f"middleware.testing:{name}"
                for name in ("assert_wsgi_transparent", "breaches", "assert_order", "serve")
            ),
            *(f"middleware.testing:{name}" for name in ("environ", "Answer", "Breach", "SHAPES")),
        ],
    ),
    "explanation": (
        "Explanation and Inspector",
        "What each layer did to a request and its response, and why: as a value, and on a page for development.",
        ["Explanation", "middleware.sight.explanation:Step", "Inspector"],
    ),
    "environ": ("environ and logger", "What the layers and the application tell each other, and what is logged.", []),
    "command-line": ("python -m middleware", "The command: `serve`, `show`, `check`, `explain` and `demo`.", []),
    "paste": ("Filters of PasteDeploy", "The layers in an .ini.", []),
}


# Where a page of the reference is told of in words.
WORDS = {
    "stack": "how-to/order.md",
    "order-rules": "explanation/order.md",
    "security-headers": "explanation/security-headers.md",
    "cors": "explanation/cors.md",
    "compress": "explanation/compression.md",
    "conditional": "explanation/conditional.md",
    "inject-html": "how-to/inject-html.md",
    "timing": "how-to/measure.md",
    "request-id": "how-to/request-ids.md",
    "access-log": "how-to/logging.md",
    "metrics": "how-to/metrics.md",
    "guards": "how-to/guards.md",
    "limits": "how-to/rate-limit.md",
    "decompress": "how-to/compressed-uploads.md",
    "hooks": "explanation/flask-hooks.md",
    "middleware": "how-to/write-a-middleware.md",
    "match": "explanation/paths.md",
    "testing": "how-to/testing.md",
    "explanation": "how-to/explain.md",
    "command-line": "how-to/deployment.md",
    "paste": "how-to/paste.md",
}


def entries(page: str) -> list[tuple[str, Entry]]:
    """The names on a page, each with the module from which one imports it."""
    found = []
    for name in PAGES[page][2]:
        module, _, short = name.rpartition(":")
        found.append((module or "middleware", entry(short, module or "middleware")))
    return found


def _page(page: str) -> Iterator[str]:
    title, text, _ = PAGES[page]
    yield f"# {title}"
    yield NOTE
    yield text + (f" In words: [{_title(WORDS[page])}](../{WORDS[page]})." if page in WORDS else "")
    for module, each in entries(page):
        yield from whole(each, module)
    if page in EXTRAS:
        yield from EXTRAS[page]()


def _title(page: str) -> str:
    return (FOLDER.parent / page).read_text("utf-8").partition("\n")[0].removeprefix("# ")


def _index() -> Iterator[str]:
    yield "# Reference"
    yield NOTE
    yield "Every public name, its options with their defaults, the errors that it raises, and where that is written."
    rows = [f"| [{title}]({page}.md) | {text} | {_names(page)} |" for page, (title, text, _) in PAGES.items()]
    rows += [f"| [{Path(page).stem.capitalize()}]({page}) | {text} | |" for page, text in BY_HAND.items()]
    yield "\n".join(["| page | | names |", "| --- | --- | --- |", *rows])
    yield told(about("middleware").paragraphs[0]) + " Whatever is not here is not public, and may change."


def _names(page: str) -> str:
    seen = [PAGES[page][0].lower()]
    links = []
    for _, each in entries(page):
        anchor = each.name.lower()
        again = seen.count(anchor)
        links.append(f"[`{each.name}`]({page}.md#{anchor}{f'-{again}' * bool(again)})")
        seen.append(anchor)
    return ", ".join(links)


def written() -> dict[str, str]:
    """Every file that is written here, by its name."""
    files = {f"{page}.md": "\n\n".join(_page(page)) + "\n" for page in PAGES}
    return {**files, "README.md": "\n\n".join(_index()) + "\n", **_pictures()}


def _pictures() -> dict[str, str]:
    from middleware.cli.demo import stack
    from middleware.cli.show import FORMATS

    return {"demo.svg": FORMATS["svg"](stack) + "\n"}


def main(arguments: list[str]) -> int:
    """Write the files, or name those that differ; return 1 if one does."""
    texts: dict[str, Any] = written()
    differing = [name for name, text in texts.items() if _read(FOLDER / name) != text]
    for name in differing:
        print(name)
        if "--check" not in arguments:
            (FOLDER / name).write_text(texts[name], "utf-8")
    return int(bool(differing) and "--check" in arguments)


def _read(file: Path) -> str | None:
    return file.read_text("utf-8") if file.exists() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

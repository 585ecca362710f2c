"""docs/reference: it is what the docstrings say, they say what the convention wants, and no public name is left out."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

import middleware
from middleware import by, hooks, match, testing
from middleware.stack.rules import RULES

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "reference"
LAYERS = [
    *("AccessLog", "BasicAuth", "BodyLimit", "CORS", "Compress", "ConcurrencyLimit", "Conditional", "ContextHooks"),
    *("CrossOriginProtection", "DecompressRequest", "External", "Gzip", "HTTPSRedirect", "Headers", "Hooks"),
    *("InjectHTML", "Inspector", "Metrics", "RateLimit", "Redirect", "RequestId", "Respond", "SecurityHeaders"),
    *("Timing", "TrustedHosts"),
]
# Options that are told of elsewhere: `app` with Middleware, most of those of Gzip with Compress.
ELSEWHERE = {"app"}
OF_COMPRESS = {"minimum_size", "content_types", "flush", "etag", "backend", "not_acceptable", "breach_padding"}
# What has parameters that its attributes tell of, or one that its sentence does.
WITHOUT_OPTIONS = {
    "Answer",
    "Breach",
    "Explanation",
    "Step",
    "Fields",
    "Finding",
    "HTTPRequestContext",
    "HookScope",
    "ContextScope",
    "Nonce",
} | {
    *("Measurement", "OrderError", "Request", "Stack", "after_this_request", "breaches", "environ", "jsonify"),
    *("Response", "make_response"),
}


@pytest.fixture(scope="module")
def reference():
    """The script, and what it imports from beside it."""
    spec = importlib.util.spec_from_file_location("reference", ROOT / ".ci" / "reference.py")
    script = importlib.util.module_from_spec(spec)
    known, path = set(sys.modules), sys.path.copy()
    try:
        spec.loader.exec_module(script)
        yield script
    finally:
        sys.path[:] = path
        for name in {"docstrings", "markdown_of", "tables"} - known:
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def texts(reference):
    return reference.written()


@pytest.fixture(scope="module")
def entries(reference):
    return [(module, entry) for page in reference.PAGES for module, entry in reference.entries(page)]


def test_the_pages_are_what_the_script_writes(reference, texts):
    """If not, run .ci/reference.py."""
    assert {path.name for path in FOLDER.iterdir()} == {*texts, *reference.BY_HAND}
    assert [name for name, text in texts.items() if (FOLDER / name).read_text(encoding="utf-8") != text] == []


def test_the_script_names_what_differs_and_mends_it(reference, texts, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(reference, "FOLDER", tmp_path)
    monkeypatch.setattr(reference, "written", lambda: texts)
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert (reference.main(["--check"]), capsys.readouterr().out) == (0, "")
    (tmp_path / "cors.md").write_text("old", encoding="utf-8")
    assert (reference.main(["--check"]), capsys.readouterr().out) == (1, "cors.md\n")
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0


@pytest.mark.parametrize("module", [middleware, by, hooks, match, testing], ids=lambda module: module.__name__)
def test_every_public_name_is_on_a_page(entries, module):
    told = {(home, entry.name) for home, entry in entries}
    missing = [name for name in module.__all__ if not {(module.__name__, name), ("middleware", name)} & told]
    assert [name for name in missing if name not in {"by", "match"}] == []


def test_every_option_is_told_of_with_its_type_its_default_and_what_it_means(entries):
    for _, entry in entries:
        for each in (entry, *(member for member in entry.members if member.doc.options)):
            for option in each.doc.options:
                required = option.meaning.endswith("Required.")
                case = f"{entry.name}.{option.names}"
                assert option.kind, case
                assert option.meaning.removesuffix("Required.").strip(), case
                assert bool(option.default) != required, case


def test_the_options_that_are_told_of_are_those_that_there_are(entries):
    for _, entry in entries:
        for each in (entry, *(member for member in entry.members if member.doc.options)):
            if each.name in WITHOUT_OPTIONS and not each.doc.options:
                continue
            there = {parameter.name.strip("*") for parameter in each.parameters or ()} - ELSEWHERE
            if each.name == "Gzip":
                there -= OF_COMPRESS
            told = {name for option in each.doc.options for name in option.names} - ELSEWHERE
            assert (each.name, told) == (each.name, there)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_says_where_it_stands_what_it_leaves_alone_and_who_says_so(entries, name):
    [doc] = (entry.doc for _, entry in entries if entry.name == name)
    text = " ".join(doc.paragraphs)
    assert re.search(r"\b[Ss]tands?\b", text)
    assert re.search(r"[Dd]oes nothing|[Ll]eft alone|leaves alone", text)
    assert doc.errors
    assert doc.source


def test_every_layer_is_among_them():
    found = {
        name for name in middleware.__all__ if isinstance(kind := getattr(middleware, name), type) and is_layer(kind)
    }
    assert found == set(LAYERS)


def is_layer(kind):
    return issubclass(kind, middleware.Middleware) and kind is not middleware.Middleware


def test_every_key_of_the_environ_is_in_the_table(reference):
    tables = sys.modules["tables"]
    told = (FOLDER / "environ.md").read_text(encoding="utf-8")
    # dotted names of the package, a contextvar, and a logger
    modules = {"middleware.hooks", "middleware.match", "middleware.access"}
    for path in (ROOT / "middleware").rglob("*.py"):
        for key in re.findall(r'"(middleware\.[a-z_.]+)', path.read_text(encoding="utf-8")):
            assert key in modules or key.startswith(tables.OWN) or f"| `{key}` |" in told, (path, key)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_is_told_of(rule):
    told = (FOLDER / "order-rules.md").read_text(encoding="utf-8")
    assert f"| `{rule.id}` | {rule.severity} | {rule.demand} |" in told


@pytest.mark.parametrize(
    ("text", "kind", "default", "meaning"),
    [
        ("int, bytes. How much. Default 3.", "int, bytes", "3", "How much."),
        ('"a" or "b". By "a" it is so. Default "a". More.', '"a" or "b"', '"a"', 'By "a" it is so. More.'),
        ("callable. When. Default time.perf_counter.", "callable", "time.perf_counter", "When."),
        ("mapping. Which. Default: those that are there.", "mapping", "those that are there", "Which."),
        ("str. Who. Required.", "str", "", "Who. Required."),
        ("the application", "the application", "", ""),
    ],
)
def test_an_option_is_read_in_its_parts(reference, text, kind, default, meaning):
    docstrings = sys.modules["docstrings"]
    [option] = docstrings.doc(f"Do it.\n\nOptions:\n    one, two: {text}\n").options
    assert (option.names, option.kind, option.default, option.meaning) == (["one", "two"], kind, default, meaning)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ('a "word" and "two words"', 'a `"word"` and "two words"'),
        ("`code *` stays", "`code *` stays"),
        ("such as 'a; b=\"c\"' is", "such as `'a; b=\"c\"'` is"),
        ('W/"x" and NAME="value"', '`W/"x"` and `NAME="value"`'),
        ("callable(*args)", r"callable(\*args)"),
        ("list[str]", r"list\[str\]"),
        ('environ["middleware.timing"] is', '`environ["middleware.timing"]` is'),
        ("snake_case and _private", r"snake_case and \_private"),
    ],
)
def test_a_sentence_keeps_its_signs_in_markdown(reference, text, written):
    assert sys.modules["markdown_of"].told(text) == written

"""docs/reference: every public name has a page, its docstring follows the convention, and the tables are true."""

from __future__ import annotations

import importlib.util
import re
import sys
from argparse import SUPPRESS
from pathlib import Path

import griffe
import pytest

import middleware
from middleware import by, hooks, match, testing
from middleware.cli import command
from middleware.cli.demo import stack as demo
from middleware.cli.show import FORMATS
from middleware.paste import KINDS, Group
from middleware.stack.external import KNOWN
from middleware.stack.rules import RULES
from pages import blocks, directives

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "reference"
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}
LAYERS = [
    *("AccessLog", "BasicAuth", "BodyLimit", "CORS", "Compress", "ConcurrencyLimit", "Conditional", "ContextHooks"),
    *("CrossOriginProtection", "DecompressRequest", "External", "Gzip", "HTTPSRedirect", "Headers", "Hooks"),
    *("InjectHTML", "Inspector", "Metrics", "RateLimit", "Redirect", "RequestId", "Respond", "SecurityHeaders"),
    *("Timing", "TrustedHosts"),
]
# Options that are told of elsewhere: `app` with Middleware, most of those of Gzip with Compress.
ELSEWHERE = {"app", "self", "cls"}
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
# What the layers keep for themselves in environ: a key of each instance.
OWN = (
    "middleware.access_log.",
    "middleware.body_limit",
    "middleware.coding.",
    "middleware.concurrency_limit",
    "middleware.conditional.",
    "middleware.cors.",
    "middleware.decompress_request",
    "middleware.inject.",
    "middleware.marked",
    "middleware.metrics.",
    "middleware.rate_limit",
    "middleware.request_id.open",
    "middleware.sight.",
)


def extension():
    """The script that the site and these tests read docstrings by."""
    spec = importlib.util.spec_from_file_location("docstrings_of_the_site", ROOT / ".ci" / "docstrings.py")
    script = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = script
    spec.loader.exec_module(script)
    return script


docstrings = extension()


@pytest.fixture(scope="module")
def package():
    return griffe.load("middleware", search_paths=[ROOT], extensions=griffe.load_extensions(docstrings.Docstrings()))


@pytest.fixture(scope="module")
def shown(package):
    """What the pages show, by the name under which a page shows it."""
    found = {}
    for page in PAGES.values():
        for path, settings in directives(page).items():
            heading = re.search(r"\bheading: (middleware\.\S+)", settings)
            entry = package[path.removeprefix("middleware.")]
            found[heading[1] if heading else path] = entry.final_target if entry.is_alias else entry
    return found


@pytest.fixture(scope="module")
def documented(shown):
    """What is shown, and its methods, each with its docstring in parts."""
    found = []
    for entry in shown.values():
        methods = [each for each in entry.members.values() if not each.is_alias and each.is_function]
        told = [each for each in methods if each.docstring and docstrings.read(each.docstring.value).options]
        found += [(each, docstrings.read(each.docstring.value)) for each in (entry, *told)]
    return found


def parameters(entry):
    """The names of the parameters; those of a class are those of its constructor."""
    made = [] if entry.is_attribute or (entry.is_class and "__init__" not in entry.all_members) else entry.parameters
    return {each.name for each in made} - ELSEWHERE


@pytest.mark.parametrize("module", [middleware, by, hooks, match, testing], ids=lambda module: module.__name__)
def test_every_public_name_is_on_a_page(shown, module):
    missing = [name for name in module.__all__ if not {f"{module.__name__}.{name}", f"middleware.{name}"} & {*shown}]
    assert [name for name in missing if name not in {"by", "match"}] == []


def test_everything_on_a_page_has_a_docstring(shown):
    assert [path for path, entry in shown.items() if entry.docstring is None] == []


def test_every_option_is_told_of_with_its_type_its_default_and_what_it_means(documented):
    for entry, doc in documented:
        for option in doc.options:
            case = f"{entry.path}.{option.names}"
            assert option.kind, case
            assert option.meaning, case
            assert bool(option.default) != option.required, case


def test_the_options_that_are_told_of_are_those_that_there_are(documented):
    for entry, doc in documented:
        if entry.name in WITHOUT_OPTIONS and not doc.options:
            continue
        there = parameters(entry) - (OF_COMPRESS if entry.name == "Gzip" else set())
        told = {name for option in doc.options for name in option.names} - ELSEWHERE
        assert (entry.path, told) == (entry.path, there)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_says_where_it_stands_what_it_leaves_alone_and_who_says_so(shown, name):
    doc = docstrings.read(shown[f"middleware.{name}"].docstring.value)
    text = " ".join(doc.paragraphs)
    assert re.search(r"\b[Ss]tands?\b", text)
    assert re.search(r"[Dd]oes nothing|[Ll]eft alone|leaves alone", text)
    assert doc.errors
    assert doc.source
    _, placed = docstrings.apart(doc.paragraphs)
    assert "Where it stands" in placed
    assert "What it leaves alone" in placed or "leaves alone" in placed["Where it stands"]


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_has_a_page_that_begins_with_what_it_does_and_an_example(name):
    text = PAGES[re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()]
    assert next(iter(directives(text))) == f"middleware.{name}"
    above = text.partition("\n::: ")[0]
    assert above.startswith(f"# {name}\n\n`{name}` ")
    assert [name in block.text for block in blocks(above) if block.language == "python"] == [True]


def test_every_layer_is_among_them():
    found = {
        name for name in middleware.__all__ if isinstance(kind := getattr(middleware, name), type) and is_layer(kind)
    }
    assert found == set(LAYERS)


def is_layer(kind):
    return issubclass(kind, middleware.Middleware) and kind is not middleware.Middleware


# -- tables ------------------------------------------------------------------------------------------------------------


def test_every_key_of_the_environ_is_in_the_table():
    # dotted names of the package, a contextvar, and a logger
    modules = {"middleware.hooks", "middleware.match", "middleware.access"}
    used = set()
    for path in (ROOT / "middleware").rglob("*.py"):
        used.update(re.findall(r'"(middleware\.[a-z_.]+)', path.read_text(encoding="utf-8")))
    keys = [key for key in sorted(used) if key not in modules and not key.startswith(OWN)]
    assert sorted(re.findall(r"^\| `(middleware\.[a-z_.]+)` \|", PAGES["environ"], re.MULTILINE)) == keys


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_is_told_of(rule):
    consequence = rule.consequence.format(outer="A", inner="B", what="…")
    told = re.sub(r"`(<\w+>)`", r"\1", PAGES["order-rules"])
    assert (
        f"""
## {rule.id}

- Severity: {rule.severity}.
- Demand: {rule.demand}.
- Otherwise, where A stands outside B: {consequence}.
- Source: {rule.source}.
"""
        in told
    )


def test_no_rule_is_told_of_that_there_is_not():
    assert re.findall(r"^## (.*)", PAGES["order-rules"], re.MULTILINE) == [rule.id for rule in RULES]


def effects(declared):
    """What is declared, as the table has it."""
    for name in declared.__dataclass_fields__:
        value = getattr(declared, name)
        if isinstance(value, frozenset) and value:
            yield f"{name} {', '.join(f'`{each}`' for each in sorted(value))}"
        elif value is True:
            yield name


def test_the_middleware_that_external_knows_is_in_the_table():
    rows = [f"| `{kind.replace(':', '.')}` | {', '.join(effects(declared))} |" for kind, declared in KNOWN.items()]
    assert re.findall(r"^\| `.*", PAGES["external"], re.MULTILINE) == rows


def test_the_filters_of_pastedeploy_are_in_the_table():
    rows = []
    for name, kind in KINDS.items():
        keys = [f"`{key}.*`" if isinstance(how, Group) else f"`{key}`" for key, how in kind.options.items()]
        rows.append(f"| `{name}` | [`{kind.layer.__name__}`]({name}.md) | {', '.join(keys)} |")
    assert re.findall(r"^\| `.*", PAGES["paste"], re.MULTILINE) == rows
    functions = ", ".join(f"`{key}`" for kind in KINDS.values() for key in kind.functions)
    assert f"\n{functions} are not keys" in PAGES["paste"]


# -- the command -------------------------------------------------------------------------------------------------------


def commands():
    [choices] = (action.choices for action in command.parser()._actions if action.choices)
    return choices.items()


def written(action):
    """An option as one types it."""
    value = action.metavar or (f"{{{','.join(action.choices)}}}" if action.choices else "")
    return " ".join(filter(None, (*action.option_strings[:1], str(value) if action.nargs != 0 else "")))


@pytest.mark.parametrize(("name", "parser"), commands(), ids=dict(commands()))
def test_every_command_is_told_of_with_its_arguments(name, parser):
    section = PAGES["command-line"].partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    given = [action for action in parser._actions if action.help != SUPPRESS and action.dest != "help"]
    needed = [written(action) for action in given if not action.option_strings]
    optional = [f"[{written(action)}]" for action in given if action.option_strings]
    [usage] = [block.text for block in blocks(section) if block.language == "text"]
    assert usage.split() == " ".join([command.PROGRAM, name, *needed, *optional]).split()
    assert parser.description in section
    helps = [re.sub(r"%\((\w+)\)s", lambda m, a=action: str(getattr(a, m[1])), action.help) for action in given]
    rows = [f"| {written(action)} | {text} |" for action, text in zip(given, helps, strict=True)]
    assert re.findall(r"^\| (?!argument|---).*", section.replace("`", ""), re.MULTILINE) == rows


def test_no_command_is_told_of_that_there_is_not():
    told = re.findall(r"^## (.*)", PAGES["command-line"], re.MULTILINE)
    assert told == [*dict(commands()), "What they print"]


def test_the_chain_is_drawn_as_it_is():
    """If not: python -m middleware show middleware.cli.demo:stack --format svg > docs/reference/demo.svg."""
    assert (FOLDER / "demo.svg").read_text(encoding="utf-8") == FORMATS["svg"](demo) + "\n"


# -- docstrings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind", "default", "meaning", "required"),
    [
        ("int, bytes. How much. Default 3.", "int, bytes", "3", "How much.", False),
        ('"a" or "b". By "a" it is so. Default "a". More.', '"a" or "b"', '"a"', 'By "a" it is so. More.', False),
        ("callable. When. Default time.perf_counter.", "callable", "time.perf_counter", "When.", False),
        ("mapping. Which. Default: those that are there.", "mapping", "those that are there", "Which.", False),
        ("str. Which. Required.", "str", "", "Which.", True),
        ("the application", "the application", "", "", False),
    ],
)
def test_an_option_is_read_in_its_parts(text, kind, default, meaning, required):
    [option] = docstrings.read(f"Do it.\n\nOptions:\n    one, two: {text}").options
    assert option == docstrings.Member(["one", "two"], kind, meaning, default, required)


def test_a_docstring_is_written_in_parts():
    text = """Adds a field.

Stands outermost. Sets X-A. Does nothing to the body. See RateLimit and `Fields`, not the RateLimit-Policy.

    Thing(size=3)

Options: a note.
    size: int, bytes. How much, as in
        one line. Default 3.
    name: str. Which. Required.
    Both are read
    once.

Attributes:
    app: the application.

Errors: ConfigError.
Source: RFC 9110."""
    writer = docstrings.Writer({name: f"middleware.{name}" for name in ("Thing", "RateLimit", "Fields", "ConfigError")})
    assert writer.markdown(docstrings.read(text), "Thing").split("\n\n") == [
        "Adds a field.",
        "Sets X-A. See [RateLimit][middleware.RateLimit] and [`Fields`][middleware.Fields], not the RateLimit-Policy.",
        "```python\nThing(size=3)\n```",
        "**Where it stands**\n:   Stands outermost.",
        "**What it leaves alone**\n:   Does nothing to the body.",
        "**Options**",
        "A note.",
        "Both are read once.",
        "`size`{ #size } int, bytes · default `3`\n:   How much, as in one line.",
        "`name`{ #name } str · required\n:   Which.",
        "**Attributes**",
        "`app`{ #app }\n:   the application.",
        "**Errors**\n:   [ConfigError][middleware.ConfigError].",
        "**Source**\n:   RFC 9110.",
    ]


def test_signatures_show_what_one_types(package):
    respond = {each.name: str(each.default) for each in package["Respond"].final_target.parameters}
    assert respond["body"] == '""'
    assert respond["content_type"] == '"text/plain; charset=utf-8"'
    assert str(package["Compress"].final_target.parameters["codings"].default) == "..."
    assert str(package["Compress"].final_target.parameters["backend"].default) == '"auto"'
    assert str(package["Compress"].final_target.parameters["content_types"].default) == "DEFAULT"
    finding = [each.name for each in package["Finding"].final_target.parameters]
    assert finding == ["self", "rule", "severity", "layers", "message", "fix"]


def test_a_key_of_a_limit_is_a_constant(package):
    assert package["by.address"].is_attribute
    assert package["by.address"].docstring.parsed[0].value.startswith("The address of the client")
    assert package["by.header"].is_function


def test_a_constant_is_told_of_by_the_comment_above_it(package):
    assert package["hooks.context.g"].docstring.value.startswith("Values that hooks and the application share")


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
        ("an <img> and a & b", "an &lt;img> and a &amp; b"),
    ],
)
def test_a_sentence_keeps_its_signs_in_markdown(text, written):
    assert docstrings.Writer({}).told(text) == written

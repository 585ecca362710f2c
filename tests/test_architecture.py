"""The laws of the source: who may import whom, how large things may get, and what must be said.

The source of the checkout is read with `ast` and never run. Only the last part looks at an interpreter, one of its own.
"""

from __future__ import annotations

import ast
import graphlib
import json
import re
import statistics
import subprocess
import sys
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "middleware"

# -- the source, read once -------------------------------------------------------------------------------------------


class Import(NamedTuple):
    """One name that a module imports."""

    target: str
    line: int
    typing: bool  # under `if TYPE_CHECKING:`
    deferred: bool  # inside a function


class Function(NamedTuple):
    """A function or method, at any depth."""

    where: str
    node: ast.FunctionDef | ast.AsyncFunctionDef


class Module:
    """A source file."""

    def __init__(self, path: Path) -> None:
        self.path = path.relative_to(ROOT)
        self.source = path.read_text(encoding="utf-8")
        self.tree = ast.parse(self.source, str(self.path))
        parts = self.path.with_suffix("").parts
        self.name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        self.package = ".".join(parts[:-1])

    @property
    def area(self) -> str:
        """The part of the package that it belongs to: `middleware.wsgi` of `middleware.wsgi.body`."""
        return area(self.name)

    @cached_property
    def imports(self) -> list[Import]:
        return list(self._imports(self.tree, typing=False, deferred=False))

    @cached_property
    def functions(self) -> list[Function]:
        nodes = (node for node in ast.walk(self.tree) if isinstance(node, FUNCTIONS))
        return [Function(f"{self.path}:{node.lineno} {node.name}", node) for node in nodes]

    def _imports(self, node: ast.AST, *, typing: bool, deferred: bool) -> Iterator[Import]:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for target in self._targets(node):
                yield Import(target, node.lineno, typing, deferred)
        deferred = deferred or isinstance(node, FUNCTIONS)
        for child in ast.iter_child_nodes(node):
            guarded = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test) and child in node.body
            yield from self._imports(child, typing=typing or guarded, deferred=deferred)

    def _targets(self, node: ast.Import | ast.ImportFrom) -> list[str]:
        if isinstance(node, ast.Import):
            return [alias.name for alias in node.names]
        beyond = self.package.split(".")[: -node.level + 1 or None] if node.level else []
        origin = ".".join([*beyond, *filter(None, [node.module])])
        return [submodule if (submodule := f"{origin}.{alias.name}") in NAMES else origin for alias in node.names]


def area(name: str) -> str:
    return ".".join(name.split(".")[:2])


def is_within(name: str, *packages: str) -> bool:
    return any(f"{name}.".startswith(f"{package}.") for package in packages)


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
SCOPES = (*FUNCTIONS, ast.ClassDef)
MODULES = [Module(path) for path in sorted(PACKAGE.rglob("*.py"))]
NAMES = frozenset(module.name for module in MODULES)
ALL_FUNCTIONS = [function for module in MODULES for function in module.functions]


def check(law: str, offenders: Iterable[str]) -> None:
    """Fail with the law and whoever breaks it."""
    found = list(offenders)
    if found:
        pytest.fail("\n  ".join([f"{law}; against it ({len(found)}):", *found]), pytrace=False)


# -- imports run one way ---------------------------------------------------------------------------------------------

# Who may import what of the package, beside itself. Types count like everything else.
MAY_IMPORT = {
    "middleware.http": (),
    "middleware.wsgi": ("middleware.http",),
    "middleware.layers": ("middleware.wsgi", "middleware.http", "middleware.by"),
    "middleware.hooks": ("middleware.wsgi", "middleware.http"),
    "middleware.stack": ("middleware.wsgi", "middleware.http", "middleware.match"),
    "middleware.testing": ("middleware.wsgi", "middleware.http", "middleware.stack"),
    "middleware.by": ("middleware.wsgi", "middleware.http"),
    "middleware.paste": ("middleware.wsgi", "middleware.layers"),
    "middleware.cli": ("middleware",),
    "middleware.match": ("middleware.wsgi", "middleware.http"),
    "middleware.__main__": ("middleware.cli",),
    "middleware": ("middleware",),  # as types only, which has a test of its own
}
# Third-party packages that one part alone imports.
ONLY_IN = {
    "pytest": "middleware.testing",
    "waitress": "middleware.cli",
    "multipart": "middleware.hooks",
    "webob": "middleware.hooks",
}


def imports(*, of: str = "") -> Iterator[tuple[Module, Import, str]]:
    """Every import of something within `of`, with the words that name it."""
    for module in MODULES:
        for found in module.imports:
            if not of or is_within(found.target, of):
                yield module, found, f"{module.path}:{found.line} imports {found.target}"


@pytest.mark.parametrize("part", sorted({module.area for module in MODULES}))
def test_a_part_imports_only_what_lies_below_it(part):
    assert part in MAY_IMPORT, f"{part} has no place among {', '.join(MAY_IMPORT)}"
    check(
        f"{part} imports nothing of the package but {MAY_IMPORT[part] or 'itself'}",
        (
            text
            for module, found, text in imports(of="middleware")
            if module.area == part and not is_within(found.target, part, *MAY_IMPORT[part])
        ),
    )


def test_the_public_names_load_lazily():
    check(
        "middleware/__init__.py imports of the package, and of other packages, types only",
        (
            text
            for module, found, text in imports()
            if module.name == "middleware"
            and not found.typing
            and found.target.partition(".")[0] not in sys.stdlib_module_names
        ),
    )


def test_layers_do_not_import_each_other():
    def unit(name: str) -> str:
        return ".".join(name.split(".")[:3])

    layers = {unit(module.name) for module in MODULES if module.area == "middleware.layers" and holds_a_layer(module)}
    check(
        "no layer imports another layer",
        (
            text
            for module, found, text in imports(of="middleware.layers")
            if module.area == "middleware.layers" and unit(found.target) in layers - {unit(module.name)}
        ),
    )


def holds_a_layer(module: Module) -> bool:
    classes = (node for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef))
    return any(ast.unparse(base).split(".")[-1] == "Middleware" for node in classes for base in node.bases)


def test_no_module_imports_itself_through_others():
    graph = {
        module.name: {found.target for found in module.imports if not found.typing} & (NAMES - {module.name})
        for module in MODULES
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" is imported by ".join(error.args[1]))


def test_only_third_party_packages_are_imported_inside_functions():
    ours = sys.stdlib_module_names | {"middleware"}
    check(
        "what a function imports is an optional or heavy third-party package",
        (text for _, found, text in imports() if found.deferred and found.target.partition(".")[0] in ours),
    )


@pytest.mark.parametrize(("package", "place"), ONLY_IN.items())
def test_a_dependency_has_one_place(package, place):
    check(
        f"{package} is imported in {place} only",
        (text for module, _, text in imports(of=package) if module.area != place),
    )


def test_typing_extensions_is_not_needed_to_run():
    check(
        "typing_extensions is imported under TYPE_CHECKING only",
        (text for _, found, text in imports(of="typing_extensions") if not found.typing),
    )


# -- sizes -----------------------------------------------------------------------------------------------------------

BLOCKS = (
    *(ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match),
    *([ast.TryStar] if sys.version_info >= (3, 11) else []),
)
# What a node adds to the cyclomatic complexity of its function: the ways that it adds.
WAYS = {
    ast.Assert: lambda _: 1,
    ast.AsyncFor: lambda node: 1 + bool(node.orelse),
    ast.BoolOp: lambda node: len(node.values) - 1,
    ast.For: lambda node: 1 + bool(node.orelse),
    ast.If: lambda _: 1,
    ast.IfExp: lambda _: 1,
    ast.Match: lambda node: sum(not is_wildcard(case.pattern) for case in node.cases),
    ast.Try: lambda node: len(node.handlers) + bool(node.orelse),
    ast.While: lambda node: 1 + bool(node.orelse),
    ast.comprehension: lambda node: 1 + len(node.ifs),
}
if sys.version_info >= (3, 11):
    WAYS[ast.TryStar] = WAYS[ast.Try]


def is_wildcard(pattern: ast.pattern) -> bool:
    return isinstance(pattern, ast.MatchAs) and pattern.pattern is None


def length(node: ast.AST) -> int:
    """Its lines, from `def` to the last, without the docstring."""
    lines = node.end_lineno - node.lineno + 1
    if ast.get_docstring(node) is not None:
        lines -= node.body[0].end_lineno - node.body[0].lineno + 1
    return lines


def nesting(node: ast.AST) -> int:
    """How deep its blocks stand in each other. An `elif` stands beside its `if`; a function within starts anew."""
    children = (child for child in ast.iter_child_nodes(node) if not isinstance(child, SCOPES))
    return max(
        (nesting(child) + (isinstance(child, BLOCKS) and not is_elif(node, child)) for child in children), default=0
    )


def is_elif(node: ast.AST, child: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]


def complexity(node: ast.AST) -> int:
    """Its cyclomatic complexity. A function within it counts for itself."""
    return 1 + sum(ways(child) for child in ast.iter_child_nodes(node))


def ways(node: ast.AST) -> int:
    if isinstance(node, SCOPES):
        return 0
    return WAYS.get(type(node), lambda _: 0)(node) + sum(ways(child) for child in ast.iter_child_nodes(node))


def ninetieth(values: list[int]) -> float:
    return statistics.quantiles(values, n=10, method="inclusive")[-1]


@pytest.mark.parametrize(
    ("source", "lines", "depth", "paths"),
    [
        ("def f(): pass", 1, 0, 1),
        ('def f():\n    """Say\n    much."""\n    return 1', 2, 0, 1),
        ("def f(a):\n    if a:\n        pass\n    elif a:\n        pass\n    else:\n        pass", 7, 1, 3),
        ("def f(a):\n    for b in a:\n        while b and a or b:\n            pass", 4, 2, 5),
        (
            "def f(a):\n    try:\n        a\n    except A:\n        with a:\n            if a:\n                a",
            7,
            3,
            3,
        ),
        ("def f(a):\n    match a:\n        case 1:\n            pass\n        case _:\n            pass", 6, 1, 2),
        ("def f(a):\n    return [b if a else c for b in a if b]", 2, 0, 4),
        ("def f(a):\n    def g(b):\n        if b:\n            pass\n    return g", 5, 0, 1),
    ],
)
def test_functions_are_measured_as_people_count(source, lines, depth, paths):
    [node] = ast.parse(source).body
    assert (length(node), nesting(node), complexity(node)) == (lines, depth, paths)


@pytest.mark.parametrize(("measure", "limit"), [(length, 40), (nesting, 3), (complexity, 8)])
def test_no_function_is_larger_than(measure, limit):
    check(
        f"the {measure.__name__} of a function is at most {limit}",
        (f"{where}: {size}" for where, node in ALL_FUNCTIONS if (size := measure(node)) > limit),
    )


@pytest.mark.parametrize(
    ("measure", "average", "limit"),
    [(length, statistics.median, 6), (length, ninetieth, 18), (complexity, statistics.fmean, 2.7)],
)
def test_most_functions_are_smaller_than(measure, average, limit):
    sizes = {function: measure(function.node) for function in ALL_FUNCTIONS}
    whole = average(list(sizes.values()))
    largest = sorted(sizes, key=sizes.__getitem__, reverse=True)[:15]
    check(
        f"the {average.__name__} {measure.__name__} of the {len(sizes)} functions is at most {limit}, not {whole:.2f}",
        (f"{function.where}: {sizes[function]}" for function in largest if whole > limit),
    )


def test_no_module_is_longer_than_450_lines():
    lines = {module.path: len(module.source.splitlines()) for module in MODULES}
    check("a module has at most 450 lines", (f"{path}: {count}" for path, count in lines.items() if count > 450))


# -- what must be said, and what must not ----------------------------------------------------------------------------


def marked(pattern: str) -> list[str]:
    """Every line of the package with a comment like that."""
    comment = re.compile(rf"#\s*{pattern}", re.IGNORECASE)
    return [
        f"{module.path}:{number} {line.strip()}"
        for module in MODULES
        for number, line in enumerate(module.source.splitlines(), 1)
        if comment.search(line)
    ]


def public_definitions(node: ast.AST, where: str) -> Iterator[tuple[str, ast.AST]]:
    """The public classes, functions and methods in a module or class, at any depth but inside functions."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, SCOPES):
            yield from public_definitions(child, where)
        elif not child.name.startswith("_") and not is_said_elsewhere(child):
            yield f"{where}:{child.lineno} {child.name}", child
            if isinstance(child, ast.ClassDef):
                yield from public_definitions(child, where)


def is_said_elsewhere(node: ast.AST) -> bool:
    """Whether it is but another signature, or the other half of a property, of something with a docstring."""
    names = {ast.unparse(decorator).split(".")[-1] for decorator in node.decorator_list}
    return not names.isdisjoint({"overload", "setter", "deleter"})


def test_everything_public_has_a_docstring():
    definitions = [(str(module.path), module.tree) for module in MODULES]
    definitions += [found for module in MODULES for found in public_definitions(module.tree, str(module.path))]
    check(
        "public modules, classes, functions and methods have a docstring",
        (where for where, node in definitions if not ast.get_docstring(node)),
    )


def test_types_are_ignored_three_times_at_most():
    ignored = marked(r"type:\s*ignore")
    check("three `type: ignore` are the most there may be", ignored if len(ignored) > 3 else [])


def test_nothing_is_left_out_of_the_coverage():
    check("no comment excludes code from the coverage", marked(r"pragma:?\s*no"))


def test_no_file_is_named_for_having_no_subject():
    attics = {"utils", "util", "helpers", "common", "misc", "base"}
    check(
        "a file is named for what it knows",
        (
            str(module.path)
            for module in MODULES
            if not attics.isdisjoint(module.name.lower().replace("_", ".").split("."))
        ),
    )


# -- what an import costs --------------------------------------------------------------------------------------------

HEAVY = {"brotli", "compression", "isal", "multipart", "waitress", "webob", "zlib_ng", "zstandard"}


def fresh(program: str) -> list[str]:
    """The list that a program prints as JSON, run by an interpreter that looks at nothing but what is installed."""
    command = [sys.executable, "-I", "-c", program]
    done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_importing_the_package_loads_nothing_else():
    loaded = fresh(
        "import sys; before = set(sys.modules)\n"
        "import middleware, json; print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    check(
        "`import middleware` loads no part of the package, no dependency and no codec",
        (name for name in loaded if name.startswith("middleware.") or name.partition(".")[0] in HEAVY),
    )


def test_every_public_name_loads():
    missing = fresh(
        "import middleware, json\n"
        "names = middleware.__all__\n"
        "assert names and len(names) == len(set(names))\n"
        "print(json.dumps([name for name in names if not hasattr(middleware, name)]))"
    )
    check("every name in `middleware.__all__` can be loaded", missing)

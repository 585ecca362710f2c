"""What the source says of a public name: its signature and its docstring, in parts. Nothing is imported.

A docstring is a sentence, paragraphs, and sections that begin with their name and a colon: Options, Attributes, Errors,
Source. A member of the first two is "name: type. What it means. Default what."
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from functools import lru_cache
from inspect import cleandoc
from pathlib import Path
from typing import TypeAlias

ROOT = Path(__file__).parents[1]
SECTION = re.compile(r"^(Options|Attributes|Errors|Source):(?: |$)(.*)")
MEMBER = re.compile(r"^    ([a-z_]+(?:, [a-z_]+)*): (.*)")
# A sentence ends with a point and a blank; points in quotes and in words do not end it.
_INNER = r'(?:[^."]|"[^"]*"|\.(?!\s|$))*'
SENTENCE = re.compile(rf"({_INNER}\.)(?:\s|$)")
DEFAULT = re.compile(rf"(?:^|(?<=\.\s))Default:? ({_INNER})\.(?:\s|$)")

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Member:
    """An option or an attribute; several may be told of together."""

    names: list[str]
    kind: str
    meaning: str
    default: str

    @property
    def told(self) -> str:
        """All of it but the names."""
        return " ".join(filter(None, (f"{self.kind}." if self.kind else "", self.meaning)))


@dataclass
class Doc:
    """A docstring."""

    paragraphs: list[str] = field(default_factory=list)
    options: list[Member] = field(default_factory=list)
    attributes: list[Member] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # on all options
    errors: str = ""
    source: str = ""


@dataclass
class Parameter:
    """A parameter of a signature, as it is written."""

    name: str
    default: str | None
    before: str = ""  # "*, " before the first that is by keyword only
    after: str = ""  # ", /" after the last that is by position only

    def __str__(self) -> str:
        return f"{self.before}{self.name}{'' if self.default is None else f'={self.default}'}{self.after}"


@dataclass
class Entry:
    """A public name."""

    name: str
    kind: str  # class, function, property, constant
    parameters: list[Parameter] | None
    doc: Doc
    members: list[Entry] = field(default_factory=list)

    @property
    def signature(self) -> str:
        """How it is called."""
        if self.parameters is None:
            return self.name
        return f"{self.name}({', '.join(map(str, self.parameters))})"


# -- docstrings --------------------------------------------------------------------------------------------------------


def doc(text: str | None) -> Doc:
    """A docstring in parts."""
    found = Doc()
    part: list[str] = []
    for line in [*cleandoc(text or "").splitlines(), ""]:
        section = SECTION.match(line)
        if section or not line:
            _take(found, part)
            part = []
        if line:
            part.append(line)
    return found


def _take(found: Doc, lines: list[str]) -> None:
    section = SECTION.match(lines[0]) if lines else None
    if section is None:
        if lines:
            found.paragraphs.append("\n".join(lines) if lines[0].startswith("    ") else _joined(lines))
    elif section[1] in ("Errors", "Source"):
        setattr(found, section[1].lower(), _joined([section[2], *lines[1:]]))
    else:
        setattr(found, section[1].lower(), list(_members([f"    {section[2]}", *lines[1:]], found.notes)))


def _members(lines: list[str], notes: list[str]) -> list[Member]:
    """The members of a section; what is none is a note."""
    texts: list[tuple[str, list[str]]] = []
    for line in lines:
        member = MEMBER.match(line)
        if member is not None:
            texts.append((member[1], [member[2]]))
        elif line.startswith("        ") and texts:
            texts[-1][1].append(line)
        elif line.strip():
            texts.append(("", [line])) if not texts or texts[-1][0] else texts[-1][1].append(line)
    notes += [_joined(text) for names, text in texts if not names]
    return [_member(names, _joined(text)) for names, text in texts if names]


def _member(names: str, text: str) -> Member:
    default = DEFAULT.search(text)
    if default is not None:
        text = f"{text[: default.start()]}{text[default.end() :]}".strip()
    first = SENTENCE.match(text)
    kind = first[1].removesuffix(".") if first else text
    meaning = text[first.end() :].strip() if first else ""
    return Member(names.split(", "), kind, meaning, default[1] if default else "")


def _joined(lines: list[str]) -> str:
    return " ".join(line.strip() for line in lines).strip()


# -- source ------------------------------------------------------------------------------------------------------------


@lru_cache
def _module(name: str) -> tuple[ast.Module, str]:
    path = ROOT.joinpath(*name.split("."))
    text = (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text("utf-8")
    return ast.parse(text), text


def about(module: str) -> Doc:
    """What a module says of itself."""
    return doc(ast.get_docstring(_module(module)[0]))


def entry(name: str, module: str = "middleware") -> Entry:
    """A name that a module has, wherever it is defined. LookupError if it has not."""
    home, node = _find(name, module)
    text = _module(home)[1]
    if isinstance(node, ast.ClassDef):
        return _class(name, home, node)
    if isinstance(node, Function):
        return _function(node, text)
    return Entry(name, "constant", None, doc(_comment(node, text)))


def _find(name: str, module: str) -> tuple[str, ast.stmt]:
    for node in ast.walk(_module(module)[0]):
        if isinstance(node, ast.ClassDef | Function) and node.name == name and node.col_offset == 0:
            return module, node
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
            return module, node
        if (
            isinstance(node, ast.ImportFrom)
            and node.module
            and name in [alias.asname or alias.name for alias in node.names]
        ):
            return _find(name, node.module)
    raise LookupError(f"{module} has no {name}")


def _comment(node: ast.stmt, text: str) -> str:
    """The comment above a constant."""
    above: list[str] = []
    for line in reversed(text.splitlines()[: node.lineno - 1]):
        if not line.startswith("# "):
            break
        above.insert(0, line.removeprefix("# "))
    return "\n".join(above)


def _class(name: str, home: str, node: ast.ClassDef) -> Entry:
    chain = list(_lineage(home, node))
    made = Entry(name, "class", _constructor(chain), doc(ast.get_docstring(node)))
    for where, each in chain:
        for part in each.body:
            if isinstance(part, Function) and not part.name.startswith("_") and not _overload(part):
                told = _function(part, _module(where)[1], method=True)
                if told.doc.paragraphs and told.name not in [other.name for other in made.members]:
                    made.members.append(told)
    return made


def _lineage(home: str, node: ast.ClassDef) -> list[tuple[str, ast.ClassDef]]:
    """The class and those of its bases that are the package's own, nearest first, up to what all layers share."""
    found = [(home, node)]
    for base in node.bases:
        name = base.value if isinstance(base, ast.Subscript) else base
        if isinstance(name, ast.Name) and name.id not in ("Middleware", "Splitting", "Hooked"):
            try:
                where, above = _find(name.id, home)
            except (LookupError, FileNotFoundError):
                continue
            if isinstance(above, ast.ClassDef) and where.startswith("middleware"):
                found += _lineage(where, above)
    return found


def _constructor(chain: list[tuple[str, ast.ClassDef]]) -> list[Parameter] | None:
    for home, node in chain:
        text = _module(home)[1]
        for part in node.body:
            if isinstance(part, Function) and part.name == "__init__":
                return _parameters(part.args, text)[1:]
        fields = [part for part in node.body if isinstance(part, ast.AnnAssign)]
        plain = any("NamedTuple" in ast.unparse(base) for base in node.bases)
        if fields and (plain or any("dataclass" in ast.unparse(each) for each in node.decorator_list)):
            return [Parameter(ast.unparse(part.target), _written(part.value, text)) for part in fields]
    return None


def _overload(node: Function) -> bool:
    return any(ast.unparse(each).split(".")[-1] in ("overload", "setter") for each in node.decorator_list)


def _function(node: Function, text: str, *, method: bool = False) -> Entry:
    decorators = [ast.unparse(each) for each in node.decorator_list]
    if "property" in decorators:
        return Entry(node.name, "property", None, doc(ast.get_docstring(node)))
    if any(each.startswith("_key(") for each in decorators):  # a key of middleware.by, which users pass and never call
        return Entry(node.name, "constant", None, doc(ast.get_docstring(node)))
    parameters = _parameters(node.args, text)
    bound = method and "staticmethod" not in decorators
    return Entry(node.name, "function", parameters[bound:], doc(ast.get_docstring(node)))


def _parameters(given: ast.arguments, text: str) -> list[Parameter]:
    """The parameters, as the source writes them; / and * belong to the parameter before or after."""
    positional = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(positional) - len(given.defaults)) + list(given.defaults)
    found = [Parameter(each.arg, _written(value, text)) for each, value in zip(positional, defaults, strict=True)]
    if given.posonlyargs:
        found[len(given.posonlyargs) - 1].after = ", /"
    if given.vararg:
        found.append(Parameter(f"*{given.vararg.arg}", None))
    keywords = [Parameter(a.arg, _written(v, text)) for a, v in zip(given.kwonlyargs, given.kw_defaults, strict=True)]
    if keywords and not given.vararg:
        keywords[0].before = "*, "
    found += keywords
    return [*found, Parameter(f"**{given.kwarg.arg}", None)] if given.kwarg else found


def _written(value: ast.expr | None, text: str) -> str | None:
    """A default as the source has it; a constant whose name nobody knows is left to the docstring."""
    unknown = isinstance(value, ast.Name) and value.id.isupper() and value.id != "DEFAULT"
    if unknown or (isinstance(value, ast.Call) and ast.unparse(value.func) == "field"):
        return "..."
    return None if value is None else ast.get_source_segment(text, value)

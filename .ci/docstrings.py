"""A griffe extension: the docstrings of this project as Markdown, for the site and for the tests.

A docstring is a sentence, paragraphs, and sections that begin with their name and a colon: Options, Attributes, Errors,
Source. A member of the first two is "name: type. What it means. Default what." An attribute that has no docstring may
have a comment above it instead.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from griffe import (
    Attribute,
    Class,
    Docstring,
    DocstringSectionText,
    ExprName,
    Extension,
    Function,
    Module,
    Parameter,
    ParameterKind,
    Parameters,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from griffe import GriffeLoader, Object

SECTION = re.compile(r"(Options|Attributes|Errors|Source):(?=\s|$) ?(.*)", re.DOTALL)
MEMBER = re.compile(r"^    ([a-z_]+(?:, [a-z_]+)*): (.*)")
# A sentence ends with a point and a blank; points in quotes and in words do not end it.
_INNER = r'(?:[^."]|"[^"]*"|\.(?!\s|$))*'
SENTENCE = re.compile(rf"({_INNER}\.)(?:\s|$)")
DEFAULT = re.compile(rf"(?:^|(?<=\.\s))Default:? ({_INNER})\.(?:\s|$)")
# Sentences of a layer that have a place of their own on its page.
PLACES = {
    "Where it stands": re.compile(r"(?:It s|S)tands |.*\bit stands |.*\bstand inside it\b"),
    "What it leaves alone": re.compile(
        r"(?:It d|D)oes nothing |Left alone\b|Leaves .*\balone\b|Not kept\b|.*\bis left alone too\."
    ),
}
# What looks like code in a sentence, and is shown as such.
CODE = re.compile(
    r"""`[^`]*` | W/"[^"]*" | \w+="[^" ]+" | environ\["[a-z_.]+"\] | (?<!\w)'[^']*"[^']*'(?!\w) | (?<!\w)"[^" ]+" """
    r"""| '[^' ]+'(?=[ ,.;:)]) | \b[\w./]*\*(?=[\s,.;]|$)""",
    re.VERBOSE,
)
# A default that is a value, not a description of one.
VALUE = re.compile(r"""(?!none$)[\w.,/()\[\]-]+|"[^"]*"|\(.*\)""")
# A name that cannot be a word of the language or of the protocol.
TELLING = re.compile(r"[A-Z]+[a-z]+[A-Z]\w+|[A-Z]{2,}[a-z]+\w*|\w+_\w+")


@dataclass
class Member:
    """An option or an attribute, or several that one text describes."""

    names: list[str]
    kind: str
    meaning: str
    default: str
    required: bool


@dataclass
class Doc:
    """A docstring in its parts."""

    paragraphs: list[str] = field(default_factory=list)
    options: list[Member] = field(default_factory=list)
    attributes: list[Member] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # on all options
    errors: str = ""
    source: str = ""


# -- reading -----------------------------------------------------------------------------------------------------------


def read(text: str) -> Doc:
    """Return the parts of a docstring."""
    found = Doc()
    for part in re.split(r"\n\n+|\n(?=(?:Options|Attributes|Errors|Source):\s)", text):
        section = SECTION.match(part)
        if section is None:
            found.paragraphs.append(part if part.startswith("    ") else _joined(part))
        elif section[1] in ("Errors", "Source"):
            setattr(found, section[1].lower(), _joined(section[2]))
        else:
            setattr(found, section[1].lower(), list(_members(f"    {section[2]}", found.notes)))
    return found


def _members(text: str, notes: list[str]) -> Iterator[Member]:
    """Yield the members of a section. Lines that belong to none of them are notes."""
    texts: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        member = MEMBER.match(line)
        if member is not None:
            texts.append((member[1], [member[2]]))
        elif texts and (line.startswith("        ") or not texts[-1][0]):
            texts[-1][1].append(line)
        elif line.strip():
            texts.append(("", [line]))
    notes += [_joined("\n".join(lines)) for names, lines in texts if not names]
    yield from (_member(names, _joined("\n".join(lines))) for names, lines in texts if names)


def _member(names: str, text: str) -> Member:
    default = DEFAULT.search(text)
    if default is not None:
        text = f"{text[: default.start()]}{text[default.end() :]}".strip()
    first = SENTENCE.match(text)
    kind, meaning = (first[1].removesuffix("."), text[first.end() :]) if first else (text, "")
    stated = meaning.strip().removesuffix("Required.").strip()
    return Member(names.split(", "), kind, stated, default[1] if default else "", stated != meaning.strip())


def _joined(text: str) -> str:
    return " ".join(line.strip() for line in text.splitlines()).strip()


# -- writing -----------------------------------------------------------------------------------------------------------


class Writer:
    """Writes docstrings as Markdown, with links to the names that have a page.

    Attributes:
        links: mapping name -> path, the public names.
    """

    def __init__(self, links: dict[str, str]) -> None:
        self.links = links

    def markdown(self, doc: Doc, name: str) -> str:
        """Return the docstring of `name`, whose options have anchors."""
        links = {each: path for each, path in self.links.items() if each != name}
        writer = Writer(links)
        kept, placed = apart(doc.paragraphs)
        blocks = [
            *map(writer.paragraph, kept),
            *writer.facts(placed),
            *writer.options(doc.options, doc.notes),
            *writer.attributes(doc.attributes),
            *writer.facts({"Errors": doc.errors, "Source": doc.source}),
        ]
        return "\n\n".join(blocks)

    def facts(self, texts: dict[str, str]) -> Iterator[str]:
        """Yield a definition list of sentences by what they are about."""
        yield from (f"**{title}**\n:   {self.told(text)}" for title, text in texts.items() if text)

    def paragraph(self, text: str) -> str:
        """Return a paragraph, or a block of code."""
        if not text.startswith("    "):
            return self.told(text)
        return f"```python\n{re.sub('^    ', '', text, flags=re.MULTILINE)}\n```"

    def options(self, members: list[Member], notes: list[str]) -> Iterator[str]:
        """Yield a definition list: name, type and default, and the meaning below them."""
        yield from ["**Options**"] * bool(members)
        yield from (self.told(note[0].upper() + note[1:]) for note in notes)
        for each in members:
            default = " · required" if each.required else f" · default {self.default(each.default)}"
            term = f"{_anchored(each)} {self.told(each.kind)}{default * (each.required or bool(each.default))}"
            yield f"{term}\n:   {self.told(each.meaning)}"

    def attributes(self, members: list[Member]) -> Iterator[str]:
        """Yield a definition list: name, and below it type and meaning, which often are one sentence."""
        yield from ["**Attributes**"] * bool(members)
        yield from (f"{_anchored(each)}\n:   {self.told(f'{each.kind}. {each.meaning}'.strip())}" for each in members)

    def default(self, text: str) -> str:
        """Return a default, as code if it is a value."""
        return f"`{text}`" if VALUE.fullmatch(text) else self.told(text)

    def told(self, text: str) -> str:
        """Return a sentence in which nothing is taken for markup."""
        parts, end = [], 0
        for found in CODE.finditer(text):
            parts.append(self._plain(text[end : found.start()]))
            code = found[0] if found[0].startswith("`") else f"`{found[0]}`"
            path = self.links.get(code.strip("`"))
            parts.append(f"[{code}][{path}]" if path else code)
            end = found.end()
        return "".join([*parts, self._plain(text[end:])])

    def _plain(self, text: str) -> str:
        text = re.sub(r"([*\[\]])", r"\\\1", text).replace("&", "&amp;").replace("<", "&lt;")
        text = re.sub(r"(?<!\w)_|_(?!\w)", r"\_", text)
        return re.sub(r"(?<![\w.-])\w+(?![\w(=-])", self._link, text)

    def _link(self, word: re.Match[str]) -> str:
        path = self.links.get(word[0]) if TELLING.fullmatch(word[0]) else None
        return f"[{word[0]}][{path}]" if path else word[0]


def _anchored(member: Member) -> str:
    return ", ".join(f"`{name}`{{ #{name} }}" for name in member.names)


def apart(paragraphs: list[str]) -> tuple[list[str], dict[str, str]]:
    """Return the paragraphs without the sentences that have a place of their own, and these by their place."""
    kept: list[str] = []
    placed: dict[str, list[str]] = {}
    for text in paragraphs[1:]:
        rest = []
        for sentence in re.split(r"(?<=\.)\s+(?=[A-Z`\"])", text) if not text.startswith("    ") else [text]:
            place = next((place for place, pattern in PLACES.items() if pattern.match(sentence)), None)
            (rest if place is None else placed.setdefault(place, [])).append(sentence)
        kept += [" ".join(rest)] * bool(rest)
    return [*paragraphs[:1], *kept], {place: " ".join(placed[place]) for place in PLACES if place in placed}


# -- what griffe shows -------------------------------------------------------------------------------------------------


class Docstrings(Extension):
    """Gives every object its docstring as Markdown, and signatures the defaults that a reader understands."""

    def on_package(self, *, pkg: Module, loader: GriffeLoader, **_: Any) -> None:
        """Change what griffe has loaded."""
        del loader
        writer = Writer({name: f"{pkg.path}.{name}" for name, each in pkg.members.items() if each.is_alias})
        for found in list(_objects(pkg)):
            each = _key(found) if isinstance(found, Function) else found
            if isinstance(each, Attribute) and each.docstring is None and isinstance(each.parent, Module):
                comment = _comment_above(each)
                each.docstring = Docstring(comment, parent=each) if comment else None
            if isinstance(each, Class) and [str(base) for base in each.bases] == ["NamedTuple"]:
                each["__init__"] = _constructor(each)
            if isinstance(each, Function):
                _readable(each)
            if each.docstring is not None:
                text = writer.markdown(read(each.docstring.value), each.name)
                each.docstring.parsed = [DocstringSectionText(text)]


def _objects(parent: Object) -> Iterator[Object]:
    """Yield everything that a module or class defines."""
    for each in parent.members.values():
        if not each.is_alias:
            yield each
            yield from _objects(each)


def _comment_above(attribute: Attribute) -> str:
    lines = attribute.parent.source.splitlines()[: (attribute.lineno or 1) - 1]
    above: list[str] = []
    while lines and lines[-1].startswith("# ") and not lines[-1].startswith("# --"):
        above.insert(0, lines.pop().removeprefix("# "))
    return "\n".join(above)


def _key(function: Function) -> Function | Attribute:
    """Return a key of middleware.by as the constant that its decorator makes of it."""
    if not any(str(each.value).startswith("_key(") for each in function.decorators):
        return function
    key = Attribute(function.name, lineno=function.lineno, docstring=function.docstring)
    function.parent.set_member(function.name, key)
    return key


def _constructor(named_tuple: Class) -> Function:
    """Return the constructor that a named tuple gets from its fields."""
    fields = [each for each in named_tuple.attributes.values() if each.annotation is not None]
    kind = ParameterKind.positional_or_keyword
    parameters = [Parameter(each.name, kind=kind, default=each.value) for each in fields]
    return Function("__init__", parameters=Parameters(Parameter("self", kind=kind), *parameters))


def _readable(function: Function) -> None:
    """Show the overload that a user types, and defaults as the docstring has them where the source has but a name."""
    if function.overloads and "args" in function.parameters:
        function.parameters = function.overloads[0].parameters
    described = function.parent.docstring if function.name == "__init__" else function.docstring
    options = read(described.value).options if described else []
    stated = {name: option.default for option in options for name in option.names if VALUE.fullmatch(option.default)}
    for parameter in function.parameters:
        default = parameter.default
        unknown = isinstance(default, ExprName) and default.name.isupper() and default.name != "DEFAULT"
        if unknown or default == "...":
            parameter.default = stated.get(parameter.name, "...")
        elif isinstance(default, str) and re.fullmatch(r"'[^'\"\\]*'", default):
            parameter.default = f'"{default[1:-1]}"'

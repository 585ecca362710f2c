"""An entry as Markdown: a signature, a sentence, tables of options and members, errors, source."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docstrings import Doc, Entry, Member

WIDTH = 100
# The interface between a layer and the pipeline, which is told of with Middleware alone.
INTERFACE = {"on_request", "on_response", "on_close", "on_build", "declared", "describe"}
# What is called from within the package alone, or said above.
WITHIN = {
    "layer",
    "around",
    "dispatcher",
    "of",
    "become",
    "taking_over",
    "hand_over",
    "kept",
    "rewind",
    "make_body_seekable",
} | {
    *("more", "own", "layers", "running")  # of a Recorder
}
COMPARING = {"excludes", "implied_by"}
TOLD_WITH = {
    **dict.fromkeys(INTERFACE, "Middleware"),
    **dict.fromkeys(COMPARING, "Predicate"),
    **dict.fromkeys(WITHIN, ""),
}
BRIEF = {"HookScope", "ContextScope"}  # the same members as another
# What looks like code in a sentence, and is shown as such.
CODE = re.compile(
    r"""`[^`]*` | W/"[^"]*" | \w+="[^" ]+" | environ\["[a-z_.]+"\] | (?<!\w)'[^']*"[^']*'(?!\w) | (?<!\w)"[^" ]+" """
    r"""| '[^' ]+'(?=[ ,.;:)]) | \b[\w./]*\*(?=[\s,.;]|$)""",
    re.VERBOSE,
)


def told(text: str) -> str:
    """A sentence of a docstring, in which nothing is taken for markup."""
    parts, end = [], 0
    for found in CODE.finditer(text):
        parts.append(_plain(text[end : found.start()]))
        parts.append(found[0] if found[0].startswith("`") else f"`{found[0]}`")
        end = found.end()
    return "".join([*parts, _plain(text[end:])])


def _plain(text: str) -> str:
    text = re.sub(r"([*<\[\]])", r"\\\1", text)
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\_", text)


def cell(text: str) -> str:
    """A sentence in a table."""
    return told(text).replace("|", "\\|")


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table; the cells are Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines)


def whole(entry: Entry, module: str) -> Iterator[str]:
    """All that there is to tell of an entry."""
    yield f"## {entry.name}"
    yield from _call(entry, module)
    yield from _doc(entry.doc, entry)
    shown = [each for each in entry.members if TOLD_WITH.get(each.name, entry.name) == entry.name]
    shown = [] if entry.name in BRIEF else shown
    if shown:
        yield table(("member", "what it does"), [(_code(each.signature), _cell(each)) for each in shown])
    for each in shown:
        if each.doc.options:
            yield f"### {entry.name}.{each.name}"
            yield _block(each.signature)
            yield from _doc(each.doc, each)


def _call(entry: Entry, module: str) -> Iterator[str]:
    """How it is imported and called; nothing for what nobody makes but the package."""
    if not module.startswith(("middleware.layers", "middleware.stack", "middleware.hooks.")):
        call = f"\n\n{_wrapped(entry)}" if entry.parameters is not None else ""
        yield _block(f"from {module} import {entry.name}{call}")


def _block(text: str) -> str:
    return f"```py\n{text}\n```"  # `python` is what runs


def _wrapped(entry: Entry) -> str:
    """A signature, a parameter a line where it is long."""
    if len(entry.signature) <= WIDTH:
        return entry.signature
    lines = [f"    {each}," for each in (entry.parameters or [])]
    return "\n".join([f"{entry.name}(", *lines, ")"]).replace("*, ", "*,\n    ").replace(", /", ",\n    /")


def _doc(doc: Doc, entry: Entry) -> Iterator[str]:
    yield from (_paragraph(text) for text in doc.paragraphs)
    yield from (told(note[0].upper() + note[1:]) for note in doc.notes)
    if doc.options:
        yield table(("option", "type", "default", "meaning"), [_option(each, entry) for each in doc.options])
    if doc.attributes:
        yield table(("attribute", "what it is"), [(_names(each), cell(each.told)) for each in doc.attributes])
    if doc.errors:
        yield f"**Errors:** {told(doc.errors)}"
    if doc.source:
        yield f"**Source:** {told(doc.source)}"


def _paragraph(text: str) -> str:
    return _block(re.sub(r"^    ", "", text, flags=re.MULTILINE)) if text.startswith("    ") else told(text)


def _option(member: Member, entry: Entry) -> tuple[str, ...]:
    meaning = member.meaning.removesuffix("Required.").strip()
    required = meaning != member.meaning or member.meaning == "Required."
    return _names(member), cell(member.kind), "required" if required else _default(member, entry), cell(meaning)


def _default(member: Member, entry: Entry) -> str:
    """As the docstring says; as code where it is what the signature says."""
    said = member.default
    written = {each.default for each in entry.parameters or [] if each.name.strip("*") in member.names}
    return _code(said) if said in written or said.startswith(('"', "(")) else cell(said)


def _names(member: Member) -> str:
    return ", ".join(f"`{name}`" for name in member.names)


def _code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|")


def _cell(entry: Entry) -> str:
    errors = [f"Errors: {entry.doc.errors}"] if entry.doc.errors and not entry.doc.options else []
    return cell(" ".join([*entry.doc.paragraphs, *errors]))

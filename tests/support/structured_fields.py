"""A parser of structured fields, written after RFC 9651 section 4.2 alone: what is sent has to parse back."""

from __future__ import annotations

import re


class Word(str):
    """A Token."""

    __slots__ = ()


class Reader:
    """The input string, consumed from the left."""

    def __init__(self, text: str) -> None:
        text.encode("ascii")
        self.text = text.strip(" ")

    def take(self, pattern: str) -> str:
        found = re.match(pattern, self.text)
        if found is None:
            raise ValueError(f"{pattern} expected at {self.text!r}")
        self.text = self.text[found.end() :]
        return found[0]

    def sees(self, *characters: str) -> bool:
        return self.text.startswith(characters)

    def bare(self):
        if self.sees("?"):
            return self.take(r"\?[01]") == "?1"
        if self.sees('"'):
            return re.sub(r'\\([\\"])', r"\1", self.take(r'"(?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"')[1:-1])
        if re.match(r"-?[0-9]", self.text):
            return int(self.take(r"-?[0-9]{1,15}(?![0-9.])"))
        return Word(self.take(r"[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*"))

    def key(self) -> str:
        return self.take(r"[a-z*][a-z0-9_\-.*]*")

    def parameters(self) -> dict:
        found = {}
        while self.sees(";"):
            self.take(r"; *")
            name = self.key()
            found[name] = self.bare() if self.sees("=") and self.take("=") else True
        return found

    def item(self):
        return self.bare(), self.parameters()

    def inner_list(self):
        self.take(r"\( *")
        items = []
        while not self.sees(")"):
            items.append(self.item())
            self.take(r" +|(?=\))")
        self.take(r"\)")
        return tuple(items), self.parameters()

    def member(self):
        if not self.sees("="):
            return True, self.parameters()
        self.take("=")
        return self.inner_list() if self.sees("(") else self.item()


def item(text: str):
    """The bare item and its parameters."""
    reader = Reader(text)
    found = reader.item()
    if reader.text:
        raise ValueError(f"{reader.text!r} is left over")
    return found


def dictionary(text: str) -> dict:
    """Every key with its (bare item, or tuple of items; parameters), of one field line."""
    reader, found = Reader(text), {}
    while reader.text:
        name = reader.key()
        found[name] = reader.member()
        if reader.text:
            reader.take(r"[ \t]*,[ \t]*(?=[a-z*])")
    return found


def plain(value):
    """The value without parameters, of which there have to be none."""
    value, parameters = value
    assert not parameters
    return tuple(plain(each) for each in value) if isinstance(value, tuple) else value

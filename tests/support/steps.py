"""Counts what a call does: instructions of Python, bytes that it allocates, characters that its patterns look at.

Time tells nothing on a busy machine; a call whose counts are twice as large for an input twice as long is linear.
"""

from __future__ import annotations

import gc
import operator
import re
import sys
import tracemalloc
from functools import cache, partial
from typing import NamedTuple

try:
    from re import _parser as parser
except ImportError:  # Python 3.10
    import sre_parse as parser

ONE = ("LITERAL", "NOT_LITERAL", "IN", "ANY")  # what looks at one character
SPACES, DIGITS = " \t\n\r\f\v\x1c\x1d\x1e\x1f\x85\xa0", "0123456789"


class Steps:
    """Instructions so far."""

    def __init__(self):
        self.steps = 0

    def count(self, *_):
        self.steps += 1

    def trace(self, frame, event, argument):
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        self.count()
        return self.trace


class Work(Steps):
    """And the bytes that were allocated between them."""

    def __init__(self):
        super().__init__()
        self.allocated = self.before = 0

    def count(self, *_):
        self.steps += 1
        current, peak = tracemalloc.get_traced_memory()
        self.allocated += max(peak - self.before, 0)
        tracemalloc.reset_peak()
        self.before = current


def instructions(call):
    """How many instructions of Python a call takes, with all that it calls."""
    counts = Steps()
    take(counts, call)
    assert counts.steps > 5
    return counts.steps


def work(call):
    """How many instructions of Python a call takes, with all that it calls, and how many bytes it allocates."""
    counts = Work()
    tracemalloc.start(1)
    try:
        take(counts, call)
    finally:
        tracemalloc.stop()
    assert counts.steps > 5
    return counts.steps, counts.allocated


def take(counts, call):
    """Count a call, without the finalizers of what other tests have left."""
    collects = gc.isenabled()
    gc.disable()
    try:
        (by_events if hasattr(sys, "monitoring") else by_trace)(counts, call)
    finally:
        if collects:
            gc.enable()


def by_events(counts, call):
    """From Python 3.12 on, where a trace function sees no instructions of frames that it did not know before."""
    monitoring, tool = sys.monitoring, 4  # a number that no tool of Python has for itself
    monitoring.use_tool_id(tool, "steps")
    monitoring.register_callback(tool, monitoring.events.INSTRUCTION, counts.count)
    monitoring.set_events(tool, monitoring.events.INSTRUCTION)
    try:
        call()
    finally:
        monitoring.set_events(tool, 0)
        monitoring.free_tool_id(tool)


def by_trace(counts, call):
    tracer = sys.gettrace()
    sys.settrace(counts.trace)
    try:
        call()
    finally:
        sys.settrace(tracer)


class Repeat(NamedTuple):
    """What is repeated, how often, and whether as seldom as may be."""

    lazy: bool
    least: int
    most: int
    nodes: list


class Counted:
    """A pattern that counts how often a character is looked at, as `re` would by backtracking without any short cut.

    What is found is what `re` finds; that both agree on where it ends is checked.
    """

    def __init__(self, pattern):
        self.real = pattern
        self.folds = bool(pattern.flags & re.IGNORECASE)
        self.all = bool(pattern.flags & re.DOTALL) or pattern.pattern.startswith("(?s:")
        self.steps = 0
        self.nodes = self._read(parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE))

    def __getattr__(self, name):
        return getattr(self.real, name)

    def match(self, text, at=0):
        return self._first(self.real.match(text, at), text, at, whole=False)

    def fullmatch(self, text):
        return self._first(self.real.fullmatch(text), text, 0, whole=True)

    def _first(self, found, text, at, *, whole):
        ends = self._ends(self.nodes, 0, text, at)
        end = next((end for end in ends if not whole or end == len(text)), None)
        assert end == (found.end() if found else None)
        return found

    def search(self, text, at=0):
        found = self.real.search(text, at)
        ends = (next(self._ends(self.nodes, 0, text, start), None) for start in range(at, len(text) + 1))
        assert next((end for end in ends if end is not None), None) == (found.end() if found else None)
        return found

    def finditer(self, text):
        found = list(self.real.finditer(text))
        starts, at = {match.start(): match.end() for match in found}, 0
        while at <= len(text):
            end = next(self._ends(self.nodes, 0, text, at), None)
            assert end == starts.get(at)
            at = at + 1 if end is None or end == at else end
        return iter(found)

    def findall(self, text):
        list(self.finditer(text))
        return self.real.findall(text)

    def split(self, text):
        list(self.finditer(text))
        return self.real.split(text)

    def sub(self, new, text):
        list(self.finditer(text))
        return self.real.sub(new, text)

    def _read(self, parsed):
        """The nodes of a parsed pattern: what each is, and what `_ends` asks of it."""
        nodes = []
        for kind, value in parsed:
            name = str(kind)
            if name in ONE:
                nodes.append(("ONE", cache(partial(self._is, name, value))))
            elif name == "SUBPATTERN":
                nodes.append((name, self._read(value[3])))
            elif name == "BRANCH":
                nodes.append((name, [self._read(branch) for branch in value[1]]))
            elif name in ("MAX_REPEAT", "MIN_REPEAT"):
                least, most, item = value
                most = sys.maxsize if most is parser.MAXREPEAT else most
                nodes.append(("REPEAT", Repeat(name == "MIN_REPEAT", least, most, self._read(item))))
            elif name in ("ASSERT", "ASSERT_NOT"):
                nodes.append((name, self._read(value[1])))
            elif name == "AT":
                nodes.append((name, str(value)))
            else:
                raise NotImplementedError(name)
        return nodes

    def _ends(self, nodes, index, text, at):  # noqa: PLR0912 - one case for each kind of node
        """Where a match of the rest of the nodes may end, in the order in which `re` tries."""
        while index < len(nodes) and nodes[index][0] == "ONE":
            if not self._one(nodes[index][1], text, at):
                return
            index, at = index + 1, at + 1
        if index == len(nodes):
            yield at
            return
        name, value = nodes[index]
        if name == "SUBPATTERN":
            for end in self._ends(value, 0, text, at):
                yield from self._ends(nodes, index + 1, text, end)
        elif name == "BRANCH":
            for branch in value:
                for end in self._ends(branch, 0, text, at):
                    yield from self._ends(nodes, index + 1, text, end)
        elif name == "REPEAT":
            for end in self._repeated(value, text, at):
                yield from self._ends(nodes, index + 1, text, end)
        elif name == "AT":
            self.steps += 1
            last = at == len(text) or (value == "AT_END" and text[at:] == "\n")
            if last if value in ("AT_END", "AT_END_STRING") else self._boundary(value, text, at):
                yield from self._ends(nodes, index + 1, text, at)
        else:
            there = next(self._ends(value, 0, text, at), None) is not None
            if there == (name == "ASSERT"):
                yield from self._ends(nodes, index + 1, text, at)

    def _boundary(self, kind, text, at):
        if kind in ("AT_BEGINNING", "AT_BEGINNING_STRING"):
            return at == 0
        sides = [0 <= place < len(text) and (text[place].isalnum() or text[place] == "_") for place in (at - 1, at)]
        return (sides[0] != sides[1]) == (kind == "AT_BOUNDARY")

    def _repeated(self, repeat, text, at):
        name, value = repeat.nodes[0]
        if len(repeat.nodes) > 1 or name != "ONE":
            yield from self._group(repeat, text, at)
            return
        ends = [at]
        while len(ends) <= repeat.most and self._one(value, text, ends[-1]):
            ends.append(ends[-1] + 1)
        ends = ends[repeat.least :]
        yield from ends if repeat.lazy else reversed(ends)

    def _group(self, repeat, text, at):
        enough = repeat.least <= 0
        if enough and repeat.lazy:
            yield at
        if repeat.most:
            rest = repeat._replace(least=repeat.least - 1, most=repeat.most - 1)
            for end in self._ends(repeat.nodes, 0, text, at):
                if end > at:
                    yield from self._group(rest, text, end)
        if enough and not repeat.lazy:
            yield at

    def _one(self, matches, text, at):
        self.steps += 1
        return at < len(text) and matches(text[at])

    def _is(self, kind, value, character):
        if kind == "ANY":
            return self.all or character != "\n"
        if kind != "IN":
            return self._same(value, character) == (kind == "LITERAL")
        negated = str(value[0][0]) == "NEGATE"
        return any(self._in(str(each), what, character) for each, what in value[negated:]) != negated

    def _same(self, code, character):
        return chr(code) == character or (self.folds and chr(code).lower() == character.lower())

    def _in(self, kind, value, character):
        if kind == "LITERAL":
            return self._same(value, character)
        if kind == "RANGE":
            spelled = (character, character.lower(), character.upper()) if self.folds else (character,)
            return any(value[0] <= ord(each) <= value[1] for each in spelled if len(each) == 1)
        category = str(value).removeprefix("CATEGORY_")
        there = {
            "SPACE": character in SPACES,
            "DIGIT": character in DIGITS,
            "WORD": character.isalnum() or character == "_",
        }[category.removeprefix("NOT_")]
        return there != category.startswith("NOT_")


def counted(value, patterns):
    """The value with counted patterns in place of compiled ones of str, in tuples too; `patterns` gets them."""
    if isinstance(value, re.Pattern) and isinstance(value.pattern, bytes):
        return value
    if isinstance(value, re.Pattern):
        patterns.append(Counted(value))
        return patterns[-1]
    if type(value) is tuple and any(isinstance(each, (tuple, re.Pattern)) for each in value):
        found = tuple(counted(each, patterns) for each in value)
        return value if all(map(operator.is_, found, value)) else found
    return value

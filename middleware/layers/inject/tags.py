"""Finds a tag in a stream of HTML, wherever the chunks are split: the part of the WHATWG tokenizer that this needs.

The states are those of the HTML standard, 13.2.5. Text that only looks like a tag is passed over: comments, scripts
with their escapes, styles, other raw text, attributes, CDATA sections. The parts of the tree that change how text is
read are tracked in `_nested`: templates, SVG and MathML, and the elements in them that contain HTML. Bytes of any
encoding that is a superset of ASCII are read as they are.

Between two chunks only a state, a few bytes that may begin a delimiter, and a tag that may be the wanted one are kept.
"""

import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, cast

_DATA: Final = "data"
_TAG: Final = "tag"

# -- tags (13.2.5.6 to 13.2.5.8, 13.2.5.32 to 13.2.5.40) -------------------------------------------------------------

# A tag that is complete. Names and unquoted values are followed by a delimiter, and a name is never matched without its
# value, so that there is one way to read a tag and no backtracking.
_WHOLE: Final = re.compile(
    rb"""<(/?[A-Za-z][^\t\n\f\r />]*)(?=[\t\n\f\r />])
    (?:
        ([\t\n\f\r /]+)(?![\t\n\f\r /])
      | [^\t\n\f\r />][^\t\n\f\r />=]*(?=[\t\n\f\r />=])
        (?:
            [\t\n\f\r ]*=[\t\n\f\r ]*
            (?: "[^"]*" | '[^']*' | [^\t\n\f\r >"'][^\t\n\f\r >]*(?=[\t\n\f\r >]) | (?=>) )
          | (?![\t\n\f\r ]*=)
        )
    )*>""",
    re.VERBOSE,
)


@lru_cache(maxsize=16)
def _passing(wanted: bytes) -> re.Pattern[bytes]:
    """Return a pattern that skips text and up to 32 complete tags that change no state. Every repetition takes memory.

    A tag without `=` ends at the first `>`. Values are read where `=` follows a name; any other `=` ends the match.
    """
    names = (*_NOTABLE, wanted) if wanted[:1] != b"/" else _NOTABLE
    end_tags = rb"(?!(?i:%b)[\t\n\f\r />])" % re.escape(wanted[1:]) if wanted[:1] == b"/" else b""
    first = re.escape(bytes({name[0] for name in names} | {name[0] - 32 for name in names}))
    return re.compile(
        rb"""(?:
            [^<]*<
            (?: /%b[A-Za-z] | (?![%b])[A-Za-z] | (?!(?i:%b)[\t\n\f\r />])[A-Za-z] )
            [^\t\n\f\r />=]*
            (?:
                >
              | (?=[\t\n\f\r /])
                (?:
                    [^>=]*[^\t\n\f\r />=][\t\n\f\r ]*=[\t\n\f\r ]*
                    (?: "[^"]*" | '[^']*' | [^\t\n\f\r >"'][^\t\n\f\r >]*(?=[\t\n\f\r >]) )
                )*
                [^>=]*>
            )
        ){1,32}"""
        % (end_tags, first, b"|".join(map(re.escape, names))),
        re.VERBOSE,
    )


_BEGUN: Final = re.compile(rb"<(/?[A-Za-z][^\t\n\f\r />]*)")
_LONGEST: Final = len(b"</annotation-xml")
# An incomplete tag, state by state: the bytes that are skipped, the state that each delimiter leads to, and the state
# for any other byte. Each state begins after the byte that led to it; None is the end of the tag.
_NAME_OF_TAG, _BEFORE_NAME, _NAME, _AFTER_NAME, _BEFORE_VALUE, _QUOTED, _APOSTROPHED, _UNQUOTED = range(8)
_SLASH, _END, _EQUALS = b"/>="
_AFTER: Final = {_SLASH: _BEFORE_NAME, _EQUALS: _BEFORE_VALUE, _END: None}
_IN_TAG: Final[tuple[tuple[re.Pattern[bytes], Mapping[int, int | None], int], ...]] = (
    (re.compile(rb"[^\t\n\f\r />]*"), {_END: None}, _BEFORE_NAME),
    (re.compile(rb"[\t\n\f\r /]*"), {_END: None}, _NAME),
    (re.compile(rb"[^\t\n\f\r />=]*"), _AFTER, _AFTER_NAME),
    (re.compile(rb"[\t\n\f\r ]*"), _AFTER, _NAME),
    (re.compile(rb"[\t\n\f\r ]*"), {ord('"'): _QUOTED, ord("'"): _APOSTROPHED, _END: None}, _UNQUOTED),
    (re.compile(rb'[^"]*'), {}, _BEFORE_NAME),
    (re.compile(rb"[^']*"), {}, _BEFORE_NAME),
    (re.compile(rb"[^\t\n\f\r >]*"), {_END: None}, _BEFORE_NAME),
)

# -- text that is not markup (13.2.5.2 to 13.2.5.5, 13.2.5.15 to 13.2.5.31, 13.2.5.41 to 13.2.5.52, 13.2.5.69) --------


def _partial(*tokens: bytes) -> re.Pattern[bytes]:
    """A pattern for a beginning of one of these tokens at the very end of the data."""

    def optional(token: bytes) -> bytes:
        return re.escape(token[:1]) + (b"(?:" + optional(token[1:]) + b")?" if token[1:] else b"")

    return re.compile(b"(?:" + b"|".join(map(optional, tokens)) + rb")\Z", re.IGNORECASE)


class _Text:
    """A kind of text: the tokens that end it or lead to another kind, and their beginnings at the end of a chunk."""

    def __init__(self, leads: Mapping[bytes, str]) -> None:
        self.leads = leads
        either = b"|".join(
            re.escape(token) + (rb"(?=[\t\n\f\r />])" if token[:1] == b"<" and token != b"<!--" else b"")
            for token in self.leads
        )
        self.ends = re.compile(either, re.IGNORECASE)
        self.partial = _partial(*self.leads)
        self.longest = max(map(len, self.leads))


_RAW: Final = (b"style", b"title", b"textarea", b"xmp", b"iframe", b"noembed", b"noframes", b"noscript")
_TEXTS: Final[Mapping[str, _Text]] = {
    "comment": _Text({b"-->": _DATA, b"--!>": _DATA}),
    "bogus": _Text({b">": _DATA}),
    "cdata": _Text({b"]]>": _DATA}),
    # 13.2.5.4 and 13.2.5.15 on: between <!-- and --> a script may hold <script> and </script>
    "script": _Text({b"</script": _TAG, b"<!--": "escaped"}),
    "escaped": _Text({b"</script": _TAG, b"-->": "script", b"<script": "double"}),
    "double": _Text({b"</script": "escaped", b"-->": "script"}),
    **{name.decode(): _Text({b"</" + name: _TAG}) for name in _RAW},
}
# Markup that begins with `<` and is not a tag: the state that it leads to, and incomplete forms (13.2.5.6, 13.2.5.42)
_DECLARATION: Final = re.compile(rb"<(?:(?P<opened>!--)|(?P<cdata>!\[CDATA\[)|(?P<data>/>)|(?P<bogus>[!?/])|)")
_UNDECIDED: Final = _partial(b"<!-", b"<![CDATA", b"</")

# -- elements whose content is read in another way (13.2.6.4.22, 13.2.6.5) -------------------------------------------

_FOREIGN: Final = frozenset((b"svg", b"math"))
# Elements of SVG and MathML that contain HTML. annotation-xml does only with an HTML encoding, and contains no HTML
# text otherwise.
_HOLDING: Final[Mapping[bytes, frozenset[bytes]]] = {
    b"svg": frozenset((b"svg", b"foreignobject", b"desc", b"title")),
    b"math": frozenset((b"math", b"mi", b"mo", b"mn", b"ms", b"mtext", b"annotation-xml")),
}
# Tags that end SVG and MathML wherever they are
_BREAKING: Final = frozenset(
    b"b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li listing menu meta "
    b"nobr ol p pre ruby s small span strong strike sub sup table tt u ul var /br /p".split()
)
_TEMPLATE: Final = b"template"
_NOTABLE: Final = frozenset((*_RAW, *_FOREIGN, b"script", b"plaintext", _TEMPLATE))


_READERS: Final[Mapping[str, str]] = {_DATA: "_markup", _TAG: "_tag", "opened": "_opened", "plaintext": "_rest"}


class Finder:
    """Finds the first tag of a name in HTML that arrives in chunks.

    Attributes:
        wanted: bytes. The name in lower case, with the slash of an end tag: b"/body". A slash alone matches no tag.
        found: bool. Whether the tag has been found. No further chunk may be fed then.
        state: str. The kind of text that has been reached: "data", "tag", "script", ...
        kept: bytes. The end of the last chunk, if more is needed to read it.
    """

    def __init__(self, wanted: bytes = b"/") -> None:
        self.wanted = wanted
        self.found = False
        self.state = _DATA
        self.kept = b""
        self._passing = _passing(wanted).match
        self._stops = False  # the tag is found, or more is needed to read on
        self._nested: list[bytes] = []  # open templates, SVG, MathML, and elements in these that hold HTML
        self._open = [Counter[bytes]()]  # open elements by name: outside of templates, then in each open template
        self._held: list[bytes] | None = None  # the part of the wanted end tag that was received
        self._place: int | None = None  # of the wanted tag in the chunk: where it begins, or where a start tag ends
        self._name = b""  # of the tag that is being read, if anything depends on it
        self._part = _BEFORE_NAME
        self._slash = False  # the last byte of the tag was one

    def feed(self, chunk: bytes) -> tuple[bytes, int | None]:
        """Read a chunk; return the bytes that are ready, and the place of the wanted tag (of a start tag: its end)."""
        data = self.kept + chunk
        held, at, self._stops = self._held, 0, False
        self._place = None if held is None else 0
        while at < len(data) and not self._stops:
            at = getattr(self, _READERS.get(self.state, "_text"))(data, at)
        place = self._place
        if self.found:
            return b"".join(held or ()) + data, place
        self.kept = data[at:]
        if place is None:
            return data[:at], None
        self._held = held if held is not None else []
        self._held.append(data[place:at])
        return data[:place], None

    def finish(self) -> bytes:
        """Return the bytes that were kept, at the end of the stream."""
        return b"".join((*(self._held or ()), self.kept))

    # -- text with tags: each method reads from a position and returns the position that it reached ------------------

    def _markup(self, data: bytes, at: int) -> int:
        """Read up to the wanted tag, or to text of another kind."""
        while self.state == _DATA and not self._stops:
            if not self._nested:
                while (passed := self._passing(data, at)) is not None:
                    at = passed.end()
            start = data.find(b"<", at)
            if start < 0:
                return len(data)
            tag = _WHOLE.match(data, start)
            if tag is None:
                at = self._declaration(data, start)
            else:
                at = tag.end()
                self._ends(tag[1].lower(), start, at, closes=tag.end(2) == at - 1 and data[at - 2] == _SLASH)
        return at

    def _declaration(self, data: bytes, at: int) -> int:
        """Read markup that begins with `<` and is not a complete tag."""
        begun = _BEGUN.match(data, at)
        if begun is not None:
            return self._tag_begun(data, at, begun[1])
        if _UNDECIDED.match(data, at) is not None:
            self._stops = True
            return at
        found = cast("re.Match[bytes]", _DECLARATION.match(data, at))
        self.state = found.lastgroup or _DATA
        if self.state == "cdata" and (not self._nested or self._nested[-1] == _TEMPLATE):
            self.state = "bogus"  # only SVG and MathML have CDATA sections
        return found.end()

    def _tag_begun(self, data: bytes, at: int, name: bytes) -> int:
        """Begin to read a tag whose end has not been received yet."""
        end = at + 1 + len(name)
        complete = end < len(data)
        if not complete and end - at <= _LONGEST:
            self._stops = True
            return at
        self.state, self._name = _TAG, name.lower()
        self._part, self._slash = _BEFORE_NAME if complete else _NAME_OF_TAG, False
        if self._name == self.wanted and name[:1] == b"/" and not self._nested:
            self._place = at
        return end

    def _tag(self, data: bytes, at: int) -> int:
        """Read a tag to its end, or to that of the data."""
        while at < len(data):
            passed, leads, other = _IN_TAG[self._part]
            end = cast("re.Match[bytes]", passed.match(data, at)).end()
            if end > at:
                self._slash = data[end - 1] == _SLASH
            if end == len(data):
                return end
            at = end + 1
            part = leads.get(data[end], other)
            if part is None:
                self._ends(self._name, self._place, at, closes=self._slash and self._part == _BEFORE_NAME)
                return at
            self._slash, self._part = data[end] == _SLASH, part
        return at

    def _ends(self, name: bytes, begins: int | None, ends: int, *, closes: bool) -> None:
        """Set the state after a tag, and note whether it is the wanted one. `closes`: it is self-closing."""
        self.state = _DATA
        if self._nested:
            self._nests(name, closes=closes)
            return
        self._begins(name, closes=closes)
        if name == self.wanted:
            self.found = self._stops = True
            self._place = begins if name[:1] == b"/" else ends

    def _nests(self, name: bytes, *, closes: bool) -> None:
        """Set the state after a tag in a template, SVG or MathML."""
        nested = self._nested
        if name[:1] == b"/" and name not in _BREAKING:
            self._close(name[1:])
        elif nested[-1] not in _FOREIGN:
            self._begins(name, closes=closes)
        elif name in _BREAKING:
            while nested and nested[-1] in _FOREIGN:
                self._leave()
        elif name in _HOLDING[nested[-1]] and not closes:
            self._enter(name)

    def _begins(self, name: bytes, *, closes: bool) -> None:
        """Set the state after a tag in HTML."""
        if name == _TEMPLATE or (name in _FOREIGN and not closes):
            self._enter(name)
        elif name in _NOTABLE and name not in _FOREIGN:
            self.state = name.decode()

    def _close(self, name: bytes) -> None:
        """Leave an element and its descendants, if it is open in the current template."""
        if self._open[-1][name]:  # otherwise a search through all that is open would take quadratic time
            while self._leave() != name:
                pass

    def _enter(self, name: bytes) -> None:
        """Open an element."""
        if name == _TEMPLATE:
            self._open.append(Counter())
        self._open[-1][name] += 1
        self._nested.append(name)

    def _leave(self) -> bytes:
        """Leave the innermost element; return its name."""
        name = self._nested.pop()
        self._open[-1][name] -= 1
        if name == _TEMPLATE:
            self._open.pop()
        return name

    # -- other text --------------------------------------------------------------------------------------------------

    def _opened(self, data: bytes, at: int) -> int:
        """Read the bytes after `<!--`: a comment may end at once (13.2.5.43 and 13.2.5.44)."""
        rest = data[at : at + 2]
        self._stops = rest == b"-"
        ends = 1 if rest[:1] == b">" else 2 if rest == b"->" else 0
        if not self._stops:
            self.state = _DATA if ends else "comment"
        return at + ends

    def _text(self, data: bytes, at: int) -> int:
        """Read up to the token that ends a text without tags, or to a beginning of it at the end of the data."""
        text = _TEXTS[self.state]
        found = text.ends.search(data, at)
        if found is None:
            partial = text.partial.search(data, max(at, len(data) - text.longest))
            self._stops = partial is not None
            return len(data) if partial is None else partial.start()
        token = found[0].lower()
        self.state = text.leads[token]
        if self.state == _TAG:
            self._name, self._part, self._slash = b"", _BEFORE_NAME, False
        return found.end() - 2 * (token == b"<!--")  # its hyphens may be those of -->

    def _rest(self, data: bytes, at: int) -> int:  # noqa: ARG002 - as the others
        """Read text that nothing ends."""
        return len(data)

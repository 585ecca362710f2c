"""Where a tag is in HTML that comes in chunks: what html5lib sees there, cases by hand, and any chunks."""

from __future__ import annotations

from itertools import pairwise

import html5lib
import pytest
from html5lib._tokenizer import HTMLTokenizer
from html5lib.constants import namespaces, tokenTypes
from hypothesis import example, given
from hypothesis import strategies as st

from middleware.layers.inject.tags import Finder

MARK = "<!--@@-->"


def found(document: bytes, wanted: bytes = b"/body", cuts=()) -> bytes:
    """The document, with `@` where the tag begins, or ends if it is a start tag."""
    finder, out = Finder(wanted), []
    places = [0, *sorted(min(cut, len(document)) for cut in cuts), len(document)]
    for start, end in pairwise(places):
        ready, place = finder.feed(document[start:end])
        if place is not None:
            return b"".join((*out, ready[:place], b"@", ready[place:], document[end:]))
        out.append(ready)
    return b"".join(out) + finder.finish()


def chunked(document: bytes, size: int, wanted: bytes) -> bytes:
    return found(document, wanted, range(size, len(document), size))


# `@` stands where the tag is found; without one it is not.
CASES = {
    "plain": "<body><p>a</p>@</body></html>",
    "any case": "<P>@</BoDy>",
    "spaces and attributes in an end tag": "@</body\n a='>' b=>",
    "a slash in an end tag": "@</body/>",
    "the first one": "@</body></body>",
    "after a text that looks like tags": "a < b </ body> <3 </> <>@</body>",
    "a longer name": "</bodyx></body-a></tbody>@</body>",
    "not ended": "<p></body",
    "not ended, with attributes": "<p></body a='>",
    "comment": "<!-- </body> -->@</body>",
    "comment that ends at once": "<!-->@</body>",
    "comment that ends after a hyphen": "<!--->@</body>",
    "comment that ends with a bang": "<!-- </body> --!>@</body>",
    "comment whose bang is of its opening": "<!---!></body>-->@</body>",
    "comment whose bang comes first": "<!--!></body>-->@</body>",
    "comment in a comment": "<!-- <!-- </body> -->@</body>",
    "comment that is not ended": "<!-- </body> --",
    "bogus comments": "<?php </body>@</body>",
    "bogus comment of a declaration": "<!ELEMENT </body>@</body>",
    "bogus comment of an end tag": "</ </body>@</body>",
    "doctype": "<!DOCTYPE html PUBLIC '-//W3C//DTD' '</body>@</body>",
    "CDATA is a comment in HTML": "<![CDATA[ </body>@ ]]></body>".replace("@ ]]>", " ]]>@", 1),
    "attribute in quotes": '<a title="</body>">@</body>',
    "attribute in apostrophes": "<a title='</body>'>@</body>",
    "attribute without quotes": "<a title=</body>@</body>",
    "attribute with spaces around the sign": "<a title\n=\n'</body>'>@</body>",
    "attribute whose name begins with the sign": '<a ="</body>@</body>',
    "attribute without a value": "<a b= >@</body>",
    "attributes without a space": "<a b='c'd='</body>'>@</body>",
    "attribute without quotes that has some": "<a b=c'd e='</body>'>@</body>",
    "a name with a sign": '<a="b>@</body>">',
    "a name that is read to its end": '<b\'="x c="></body>',
    "a tag in a tag": "<a <script>@</body></script>",
    "script": "<script>'</body>'</script>@</body>",
    "script whose end tag has attributes": "<script></script a='</body>'>@</body>",
    "script with another end tag": "<script></scripts></body></script >@</body>",
    "script with a comment": "<script><!-- </body> </script>@</body>",
    "script in a script": "<script><!-- <script> </script> </body> </script>@</body>",
    "script in a script, and the comment ends": "<script><!-- <script> --> </body> </script>@</body>",
    "script whose comment ends at once": "<script><!--><script></body></script>@</body>",
    "script whose comment ends after a hyphen": "<script><!---><script></body></script>@</body>",
    "script that is self-closing is not": "<script/></body></script>@</body>",
    "style": "<style></body></style>@</body>",
    "title": "<title></body></title>@</body>",
    "title in any case": "<TITLE></body></tItLe>@</body>",
    "textarea": "<textarea></body></textareas></textarea/>@</body>",
    "other raw text": "".join(
        f"<{name}></body></{name}>" for name in ("xmp", "iframe", "noembed", "noframes", "noscript")
    )
    + "@</body>",
    "plaintext": "<plaintext></plaintext></body>",
    "template": "<template></body></template>@</body>",
    "template in a template": "<template><template></template></body></template>@</body>",
    "template that is open": "<template></body>",
    "template that is not": "</template>@</body>",
    "template with what is open in it": "<template><svg><title></template>@</body>",
    "template out of which nothing ends": "<svg><desc><template></svg></body></template></desc></svg>@</body>",
    "svg": "<svg><title></body></title><style></body></style></svg>@</body>",
    "svg that is self-closing": "<svg/>@</body>",
    "svg that is not self-closing": "<svg a=b/></body></svg>@</body>",
    "svg with CDATA": "<svg><![CDATA[</svg></body>]]></svg>@</body>",
    "svg with CDATA in its title": "<svg><title><![CDATA[</svg></body>]]></title></svg>@</body>",
    "svg in svg": "<svg><svg></svg></body></svg>@</body>",
    "svg whose script holds tags": "<svg><script></svg>@</body>",
    "svg whose title closes itself": "<svg><title/></svg>@</body>",
    "svg that holds HTML that holds a script": "<svg><desc><script></svg></script></desc></svg>@</body>",
    "svg that a tag of HTML ends": "<svg><title></title><p>@</body>",
    "svg that an end tag of HTML ends": "<svg></p>@</body>",
    "math": "<math><mi><style></math></body></style></mi></math>@</body>",
    "math without text": "<math><style></math>@</body>",
    "foreign names outside": "<foreignobject><desc>@</body>",
    "bytes of any encoding": "<p t\x82='\x83'>\x82\x83@</body>",
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("size", [10**6, 1, 2, 3, 5, 8])
def test_the_tag_is_found(name, size):
    expected = CASES[name].encode("latin-1")
    assert chunked(expected.replace(b"@", b""), size, b"/body") == expected


HEADS = {
    ("</head>", "<head></header><title></head></title>@</head><body>"),
    ("</head>", "<header></header>"),
    ("<head>", "<!--<head>--><html><head lang='>'>@<title></title></head>"),
    ("<head>", "<HEAD>@<head>"),
    ("<head>", "<header></head></header>"),
    ("<head>", "<template><head></template><head\n>@"),
}


@pytest.mark.parametrize(("at", "expected"), sorted(HEADS))
@pytest.mark.parametrize("size", [10**6, 1, 2, 7])
def test_other_places_are_found(at, expected, size):
    assert chunked(expected.replace("@", "").encode(), size, at[1:-1].encode()) == expected.encode()


# -- html5lib -------------------------------------------------------------------------------------------------------


KINDS = {number: kind for kind, number in tokenTypes.items()}


class Recording(HTMLTokenizer):
    """The tokenizer, with a list of what the parser has read and whether SVG or MathML was open then."""

    def __iter__(self):
        for token in super().__iter__():
            kind, inside = KINDS[token["type"]], False
            if kind in ("Characters", "SpaceCharacters"):
                if self.read and self.read[-1][0] == "text":  # text that touches is one token
                    self.read[-1] = ("text", self.read[-1][1] + token["data"], False)
                else:
                    self.read.append(("text", token["data"], False))
            elif kind != "ParseError":
                inside = any(each.namespace != namespaces["html"] for each in self.parser.tree.openElements)
                self.read.append((kind, token.get("name", token.get("data")), inside))
            yield token


class Parser(html5lib.HTMLParser):
    def mainLoop(self):  # noqa: N802 - the name of html5lib
        self.tokenizer.__class__, self.tokenizer.read = Recording, []
        super().mainLoop()


def tokens(document: str):
    """What html5lib's parser reads."""
    parser = Parser()
    parser.parse(document, scripting=True)
    return parser.tokenizer.read


def agree(document: str, wanted: str) -> None:
    kind = "EndTag" if wanted.startswith("/") else "StartTag"
    before = tokens(document)
    place = next((n for n, each in enumerate(before) if each == (kind, wanted.strip("/"), False)), None)
    ours = found(document.encode(), wanted.encode()).decode()
    if place is None:
        assert ours == document
        return
    assert ours != document
    at = place if kind == "EndTag" else place + 1
    marked = [each[:2] for each in tokens(ours.replace("@", MARK))]
    assert marked == [*(each[:2] for each in before[:at]), ("Comment", "@@"), *(each[:2] for each in before[at:])]


RAW = ("script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes", "noscript")
PIECES = [
    *(f"<{name}" for name in RAW),
    *(f"</{name}" for name in RAW),
    *("<", "</", "<!", "<?", ">", "/", "=", "'", '"', "-", "--", "!", "a", "b", " ", "\n", "é", "[", "]"),
    *("<!--", "-->", "--!>", "<!-->", "<!DOCTYPE html", "<![CDATA[", "]]>", "<script>", "</script>", "<SCRIPT >"),
    *("<p", "<p>", "</p>", "<a b=", "<a b='", '<a b="', "<a b", "<a/", "<plaintext"),
    *("<body>", "</body", "</body>", "</BODY\t>", "<head", "<head>", "</head>", "<header>", "<html>"),
    *("<svg>a<![CDATA[</body>]]><g/></svg>", "<svg a='>'/>", "<math><mi><title></body></title></mi></math>"),
    *(
        "<svg><title>a</title><path d='</body>'/></svg>",
        "<svg><foreignObject><script></body></script></foreignObject></svg>",
    ),
]
soup = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)


@given(soup, st.sampled_from(["/body", "/head", "head"]))
@example("<script><!--<script></script></body>--></script></body>", "/body")
def test_html5lib_sees_the_tag_there(document, wanted):
    agree(document, wanted)


@given(soup, st.sampled_from([b"/body", b"/head", b"head"]), st.lists(st.integers(0, 120), max_size=8))
def test_chunks_change_nothing(document, wanted, cuts):
    assert found(document.encode(), wanted, cuts) == found(document.encode(), wanted)


@pytest.mark.parametrize(
    "begun",
    [
        "<a title='",
        "<a ",
        "<",
        "<!--",
        "<script>",
        "<script><!--",
        "<svg><![CDATA[",
        "<textarea>",
        "<" + "x" * 40,
        "<p ",
    ],
)
def test_nothing_is_kept_of_what_is_not_the_tag(begun):
    finder = Finder(b"/body")
    finder.feed(begun.encode())
    sizes = [len(finder.feed(b"x" * 1000)[0]) for _ in range(20)]
    assert sum(sizes) >= 19_900
    assert len(finder.finish()) < 20

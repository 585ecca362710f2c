"""Conditional, InjectHTML and Compress together: what REDbot would say of any resource and request."""

from __future__ import annotations

from functools import partial
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gateway
from conditional import Document
from content_of import content
from middleware import Compress, Conditional, InjectHTML, Stack

serve = partial(gateway.serve, lint=False)
DATE = "Sun, 21 Oct 2007 23:21:47 GMT"
PAGE = b"<html><head><title>t</title></head><body>" + b"<p>some text of a page</p>" * 60 + b"</body></html>"
HTML = "<script>added()</script>"
LAYERS = {
    "compress": lambda: Compress(),
    "conditional": lambda: Conditional(),
    "inject": lambda: InjectHTML(html=HTML),
    "inject-made": lambda: InjectHTML(html=lambda environ: HTML),
}
STACKS = [
    *(("compress",), ("conditional",), ("inject",), ("compress", "conditional"), ("compress", "inject")),
    *(("conditional", "inject"), ("compress", "conditional", "inject")),
    *(("conditional", "inject-made"), ("compress", "conditional", "inject-made")),
]


class Resource(Document):
    """A document with all validators, as a list or a stream, that answers conditions and ranges or does neither.

    `stream`: "", or "whole" for a stream of one chunk, as frameworks send lists, or "pieces" for one of two.
    """

    def __init__(self, kind, *, tagged, dated, stream, careful):
        super().__init__(PAGE)
        self.kind, self.tagged, self.dated, self.stream, self.careful = kind, tagged, dated, stream, careful

    def __call__(self, environ, start_response):
        environ = dict(environ) if self.careful else {"REQUEST_METHOD": environ["REQUEST_METHOD"]}

        def start(status, lines):
            kept = [line for line in lines if self.sends(line[0])]
            if status[:3] in ("200", "206"):
                size = len(PAGE) - (status[:3] == "206") * 7
                kept = [("Content-Type", self.kind) if name == "Content-Type" else (name, v) for name, v in kept]
                kept += [("Content-Length", str(size)), ("Repr-Digest", "sha-256=:x:"), ("Cache-Control", "max-age=9")]
            start_response(status, kept)

        body = super().__call__(environ, start)
        if not self.stream or not any(body):
            return body
        [page] = body
        return iter([page] if self.stream == "whole" else [page[:90], page[90:]])

    def sends(self, name):
        return {"ETag": self.tagged, "Last-Modified": self.dated}.get(name, True)


STREAMS = ["", "whole", "pieces"]
resources = st.builds(
    Resource,
    st.sampled_from(["text/html; charset=utf-8", "image/png", "text/css"]),
    tagged=st.booleans(),
    dated=st.booleans(),
    stream=st.sampled_from(STREAMS),
    careful=st.booleans(),
)
encodings = st.sampled_from(["", "gzip", "br, gzip;q=0.5", "identity"])


def site(names, resource):
    layers = Stack(*(LAYERS[name]() for name in names))
    return layers.wrap(resource)


def ask(application, encoding, **request):
    answer = serve(application, HTTP_ACCEPT_ENCODING=encoding, **request)
    assert answer.error is None
    assert answer.faults == []
    return answer


def tags_of(answer):
    return answer.get_all("ETag")


def check_whole(answer, resource, names):
    """A 200 to GET: the length, the digest, the tag and the content are of one another."""
    body = content(answer)
    page = resource.kind.startswith("text/html") and any(name.startswith("inject") for name in names)
    assert body == (PAGE.replace(b"</body>", HTML.encode() + b"</body>") if page else PAGE)
    assert answer.get("Content-Length") in (None, str(len(answer.body)))
    changed = page or answer.get("Content-Encoding")
    assert (answer.get("Repr-Digest") is None) == bool(changed)
    assert (answer.get("Accept-Ranges") is None) == bool(changed)
    assert len(tags_of(answer)) <= 1
    if page and resource.tagged:
        assert tags_of(answer) != ['"x"']


@given(st.sampled_from(STACKS), resources, encodings)
def test_what_is_told_of_a_response_is_true(names, resource, encoding):
    application = site(names, resource)
    whole = ask(application, encoding)
    check_whole(whole, resource, names)

    head = ask(application, encoding, method="HEAD")
    assert head.body == b""
    same = {name: whole.get(name) for name in ("Content-Type", "Vary", "Content-Encoding", "Repr-Digest")}
    assert {name: head.get(name) for name in same} == same
    assert head.get("Content-Length") in (None, str(len(whole.body)))
    assert head.get("ETag") in (None, whole.get("ETag"))


@given(st.sampled_from(STACKS), resources, encodings, encodings)
def test_representations_that_differ_have_other_tags_and_say_by_what_they_vary(names, resource, one, other):
    application = site(names, resource)
    first, second = ask(application, one), ask(application, other)
    if first.body == second.body:
        return
    assert first.get("Vary") == second.get("Vary") == "Accept-Encoding"
    tags = [tag for tag in (first.get("ETag"), second.get("ETag")) if tag and not tag.startswith("W/")]
    assert len(set(tags)) == len(tags)


@given(st.sampled_from(STACKS), resources, encodings, st.sampled_from(["GET", "HEAD"]))
def test_what_a_304_promises_is_what_a_200_would_send(names, resource, encoding, method):
    application = site(names, resource)
    whole = ask(application, encoding)
    tag = whole.get("ETag")
    if tag is None:
        return
    again = ask(application, encoding, method=method, HTTP_IF_NONE_MATCH=tag)
    capable = "conditional" in names or (resource.careful and resource.tagged and "inject-made" not in names)
    if method == "GET":
        assert (again.status[:3] == "304") == capable
    if again.status[:3] == "304":
        assert (again.get("ETag"), again.body) == (tag, b"")
        for name in ("Cache-Control", "Content-Location", "Expires"):
            assert again.get(name) in (None, whole.get(name))
        # The type of a 304 is not known: Vary may name more, never less.
        assert whole.get("Vary") in (None, again.get("Vary"))
        assert again.get("Content-Length") in (None, whole.get("Content-Length"))
        for name in ("Content-Encoding", "Content-Type"):
            assert again.get(name) is None
    other = ask(application, encoding, method=method, HTTP_IF_NONE_MATCH='"other"')
    assert other.status == "200 OK"


@given(st.sampled_from(STACKS), resources, encodings)
def test_a_part_is_one_of_the_representation_that_the_client_has(names, resource, encoding):
    application = site(names, resource)
    whole = ask(application, encoding)
    validator = whole.get("ETag") or whole.get("Last-Modified")
    said = {"HTTP_RANGE": "bytes=7-", **({"HTTP_IF_RANGE": validator} if validator else {})}
    part = ask(application, encoding, **said)
    assert said.items() <= part.environ.items()
    if part.status[:3] == "206":
        assert part.body == PAGE[7:]
        # Without a condition it is a part of the content as it is, whatever else there is.
        assert not validator or whole.body == PAGE
    else:
        check_whole(part, resource, names)


@pytest.mark.parametrize("names", STACKS)
@pytest.mark.parametrize(("stream", "encoding"), [*product(STREAMS, ["", "gzip"])])
def test_every_page_revalidates_that_can(names, stream, encoding):
    """The laws above would hold where no 304 ever came. One that Conditional makes has no length."""
    careful = "conditional" not in names
    resource = Resource("text/html", tagged=True, dated=True, stream=stream, careful=careful)
    application = site(names, resource)
    tag = ask(application, encoding).get("ETag")
    if "inject-made" in names:
        assert (tag is None) == bool(stream)
    else:
        again = ask(application, encoding, HTTP_IF_NONE_MATCH=tag)
        assert (again.status, again.get("ETag")) == ("304 Not Modified", tag)
        assert careful or again.get("Content-Length") is None

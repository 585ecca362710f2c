"""Compress and ranges: no client gets a part of the content as it is that it would put behind a part of it encoded.

A 206 has bytes of the content as it is. So it may answer a condition that the client can have from a response with that
content, and none that it may have from an encoded one: then all of it is right, or a 412 (RFC 9110 13.1.5, 14.2).
"""

from __future__ import annotations

import pytest
from werkzeug.wrappers import Request, Response

from conditional import Careless, Document
from content_of import content
from gateway import serve
from middleware import Gzip

TEXT = b"hello, world\n" * 400
DATE = Document(TEXT).changed
EARLIER = "Sat, 20 Oct 2007 23:21:47 GMT"
RANGE = "bytes=20-"
PART, WHOLE, FAILED, SAME = 206, 200, 412, 304
# conditions, and what their client gets where a coding is negotiated, and where none is
SUFFIX = [
    # nothing ties the range to anything: clients combine parts of one strong tag (15.3.7.3), and this has another
    ({}, PART, PART),
    # the tag of the content as it is: it is what the client has
    ({"IF_RANGE": '"x"'}, PART, PART),
    ({"IF_MATCH": '"x"'}, PART, PART),
    ({"IF_MATCH": '"y", "x"'}, PART, PART),
    ({"IF": '(["x"])'}, PART, PART),
    ({"IF": '(<urn:lock> ["x"])'}, PART, PART),
    # the tag of an encoded response: of the negotiated coding, of another, weakened by a cache, one of several
    ({"IF_RANGE": '"x-gzip"'}, WHOLE, WHOLE),
    ({"IF_RANGE": '"x-br"'}, WHOLE, WHOLE),
    ({"IF_RANGE": 'W/"x-gzip"'}, WHOLE, WHOLE),
    ({"IF_MATCH": '"x-gzip"'}, WHOLE, WHOLE),
    ({"IF_MATCH": '"x-br"'}, WHOLE, WHOLE),
    ({"IF_MATCH": '"x", "x-gzip"'}, WHOLE, WHOLE),
    ({"IF": '(["x-gzip"])'}, WHOLE, WHOLE),
    ({"IF": '(<urn:lock> ["x-br"])'}, WHOLE, WHOLE),
    # the same beside a condition that ties it to the content as it is: the client has said both
    ({"IF_RANGE": '"x"', "IF_MATCH": '"x-gzip"'}, WHOLE, WHOLE),
    ({"IF_RANGE": '"x-gzip"', "IF_MATCH": '"x"'}, WHOLE, WHOLE),
    # of another version: it fails as ever, and If-Range gives all of it
    ({"IF_RANGE": '"y-gzip"'}, WHOLE, WHOLE),
    ({"IF_RANGE": '"y"'}, WHOLE, WHOLE),
    ({"IF_MATCH": '"y-gzip"'}, FAILED, FAILED),
    ({"IF_MATCH": '"y"'}, FAILED, FAILED),
    ({"IF": '(["y-gzip"])'}, FAILED, FAILED),
    # what all codings share tells nothing of the coding: the client has what it would get now
    ({"IF_RANGE": DATE}, WHOLE, PART),
    ({"IF_RANGE": EARLIER}, WHOLE, WHOLE),
    ({"IF_UNMODIFIED_SINCE": DATE}, WHOLE, PART),
    ({"IF_UNMODIFIED_SINCE": EARLIER}, FAILED, FAILED),
    ({"IF_UNMODIFIED_SINCE": DATE, "IF_RANGE": '"x"'}, WHOLE, PART),
    ({"IF": "(<urn:lock>)"}, WHOLE, PART),
    # it holds for whatever there is, and so ties nothing
    ({"IF_MATCH": "*"}, PART, PART),
    # these are there to get what the client does not have: the part has another tag than what it has
    ({"IF_NONE_MATCH": '"y-gzip"'}, PART, PART),
    ({"IF_NONE_MATCH": '"y"'}, PART, PART),
    ({"IF_NONE_MATCH": '"x-gzip"'}, SAME, SAME),
    ({"IF_NONE_MATCH": '"x-gzip"', "IF_MATCH": '"x-gzip"'}, SAME, SAME),
    ({"IF_NONE_MATCH": '"y"', "IF_MATCH": '"x-gzip"'}, WHOLE, WHOLE),
    ({"IF_MODIFIED_SINCE": EARLIER}, PART, PART),
    ({"IF_MODIFIED_SINCE": DATE}, SAME, SAME),
]
WEAK = [
    ({}, PART, PART),
    ({"IF_RANGE": '"x"'}, PART, PART),
    ({"IF_MATCH": '"x"'}, PART, PART),
    ({"IF": '(["x"])'}, PART, PART),
    # the tag of an encoded response never matches where a strong one has to (8.8.3.2); some servers let it
    ({"IF_RANGE": 'W/"x"'}, WHOLE, WHOLE),
    ({"IF_MATCH": 'W/"x"'}, FAILED, FAILED),
    ({"IF_MATCH": '"x", W/"x"'}, WHOLE, WHOLE),
    ({"IF": '([W/"x"])'}, FAILED, FAILED),
    # a suffix is a part of the tag
    ({"IF_RANGE": '"x-gzip"'}, WHOLE, WHOLE),
    ({"IF_MATCH": '"x-gzip"'}, FAILED, FAILED),
    ({"IF_RANGE": DATE}, WHOLE, PART),
    ({"IF_UNMODIFIED_SINCE": DATE}, WHOLE, PART),
    ({"IF": "(<urn:lock>)"}, WHOLE, PART),
    ({"IF_NONE_MATCH": 'W/"x"'}, SAME, SAME),
    ({"IF_NONE_MATCH": 'W/"y"'}, PART, PART),
]
MODES = {"suffix": ({}, SUFFIX), "weak": ({"etag": "weak"}, WEAK), "padded": ({"breach_padding": 9}, WEAK)}
ROWS = [(mode, said, *codes) for mode, (_, table) in MODES.items() for said, *codes in table]


def ask(app, said, accept, method="GET"):
    fields = {f"HTTP_{name}": value for name, value in said.items()}
    lint = method.isupper()  # uWSGI hands on a method as it was written
    return serve(app, lint=lint, HTTP_RANGE=RANGE, HTTP_ACCEPT_ENCODING=accept, method=method, **fields)


def is_whole(answer, accept):
    return (content(answer), answer.get("Content-Encoding")) == (TEXT, accept if accept == "gzip" else None)


@pytest.mark.parametrize(("mode", "said", "coded", "plain"), ROWS)
def test_a_part_is_of_what_the_client_has(mode, said, coded, plain):
    app = Gzip(Document(TEXT), **MODES[mode][0])
    for accept, code in [("gzip", coded), ("identity", plain)]:
        answer = ask(app, said, accept)
        assert answer.status[:3] == str(code)
        assert code != WHOLE or is_whole(answer, accept)
        assert code != PART or (answer.body, answer.get("ETag")) == (TEXT[20:], '"x"')


@pytest.mark.parametrize(("mode", "said", "coded", "plain"), ROWS)
def test_a_server_that_takes_weak_tags_for_strong_mixes_nothing_either(mode, said, coded, plain):
    """Where one by the letter fails, or gives all of it, it may give all of it, and never a part."""
    app = Gzip(Careless(TEXT), **MODES[mode][0])
    for accept, code in [("gzip", coded), ("identity", plain)]:
        answer = ask(app, said, accept)
        assert answer.status[:3] in {str(code), str(code).replace("412", "200")}
        assert answer.status[:3] != "200" or is_whole(answer, accept)


@pytest.mark.parametrize("field", ["IF_RANGE", "IF_MATCH"])
@pytest.mark.parametrize(("accept", "code"), [("gzip", 200), ("identity", 206)])
def test_a_weak_tag_of_the_application_is_shared_by_all_codings(field, accept, code):
    answer = ask(Gzip(Careless(TEXT, tag='W/"x"')), {field: 'W/"x"'}, accept)
    assert (answer.status[:3], answer.get("ETag")) == (str(code), 'W/"x"')


@pytest.mark.parametrize(("mode", "said", "coded", "plain"), ROWS)
def test_werkzeug_gives_no_part_where_none_is_right(mode, said, coded, plain):
    """It reads no If-Match and no If-Unmodified-Since, weak tags as strong ones, and dates beside them."""

    @Request.application
    def app(request):
        response = Response(TEXT, content_type="text/plain")
        response.set_etag("x")
        response.headers["Last-Modified"] = DATE
        return response.make_conditional(request, accept_ranges=True, complete_length=len(TEXT))

    for accept, code in [("gzip", coded), ("identity", plain)]:
        answer = ask(Gzip(app, **MODES[mode][0]), said, accept)
        assert code != WHOLE or is_whole(answer, accept) or answer.status[:3] == "304"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "POST"])
@pytest.mark.parametrize("said", [{"IF_MATCH": '"x-gzip"'}, {"IF_UNMODIFIED_SINCE": DATE}, {"IF": '(["x-gzip"])'}])
def test_what_a_range_means_elsewhere_is_the_applications(method, said):
    """A part that was to be written must not become all of it (RFC 9110 14.2: ranges are for GET)."""
    seen = []

    def app(environ, start_response):
        seen.append(environ.get("HTTP_RANGE"))
        return Document(TEXT)(environ, start_response)

    ask(Gzip(app), said, "gzip", method)
    assert seen == [RANGE]


@pytest.mark.parametrize("method", ["GET", "HEAD", "get"])
def test_the_request_is_the_clients_again_afterwards(method):
    said = {"IF_MATCH": '"x-gzip"', "IF_RANGE": '"x"', "IF_UNMODIFIED_SINCE": DATE}
    inside = []

    def app(environ, start_response):
        inside.append({name: environ.get(f"HTTP_{name}") for name in ("RANGE", *said)})
        return Document(TEXT)(environ, start_response)

    answer = ask(Gzip(app), said, "gzip", method)
    assert inside == [{**said, "RANGE": None, "IF_RANGE": None, "IF_MATCH": '"x"'}]
    assert {name: answer.environ.get(f"HTTP_{name}") for name in ("RANGE", *said)} == {**said, "RANGE": RANGE}

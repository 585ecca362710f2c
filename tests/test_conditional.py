"""Conditional: which responses get an entity tag, which requests a 304, and what a 304 has (RFC 9110 13)."""

from __future__ import annotations

import io
import json
from functools import partial
from hashlib import sha256
from pathlib import Path
from wsgiref.util import FileWrapper

import pytest
import webob
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path
from flask import Flask
from werkzeug.wrappers import Request as WerkzeugRequest
from werkzeug.wrappers import Response as WerkzeugResponse

import gateway
from middleware import CSP, NONCE, Compress, Conditional, ConfigError, Middleware, SecurityHeaders, Stack

serve = partial(gateway.serve, lint=False)  # for odd methods, and heads of few lines
TEXT = b"content"
OURS = f'"sha256-{sha256(TEXT).hexdigest()[:32]}"'
DATE, LATER, EARLIER = (f"Sun, {day} Oct 2007 23:21:47 GMT" for day in ("21", "28", "14"))


def site(*lines, status="200 OK", body=(TEXT,), seen=None):
    """An application that does nothing of the kind by itself."""

    def application(environ, start_response):
        if seen is not None:
            seen.append(dict(environ))
        start_response(status, list(lines))
        return body() if callable(body) else body

    return application


def asked(application, options=None, **request):
    answer = serve(Conditional(application, **(options or {})), **request)
    assert answer.error is None
    return answer


class Listener:
    """The notes of a request."""

    def __init__(self):
        self.notes = []

    def __call__(self, application, **request):
        asked(application, **{"middleware.notes": self.notes}, **request)
        return self.notes


# -- tags -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [[TEXT], (TEXT,), [b"con", b"", b"tent"]])
def test_a_sized_200_gets_a_tag_of_its_content(body):
    assert asked(site(body=body)).get("ETag") == OURS


def test_other_content_has_another_tag():
    assert asked(site(body=[b"other"])).get("ETag") not in (OURS, None)


def test_an_empty_page_has_a_tag():
    assert asked(site(body=[])).get("ETag") == f'"sha256-{sha256().hexdigest()[:32]}"'


def test_weak_tags_are_the_same_but_weak():
    assert asked(site(), {"weak": True}).get("ETag") == f"W/{OURS}"


def test_no_tags_are_made_without_etag():
    assert asked(site(), {"etag": False}).get("ETag") is None


def test_the_tag_of_the_application_stays():
    assert asked(site(("ETag", '"own"'))).get_all("ETag") == ['"own"']


# what is special, the application, the request: no tag, and the note that says why
UNTAGGED = {
    "a stream": (site(body=lambda: iter([TEXT])), {}, "a stream: no entity tag"),
    "cookies": (site(("Set-Cookie", "a=b")), {}, "Set-Cookie: no entity tag"),
    "a coding": (site(("Content-Encoding", "gzip")), {}, "Content-Encoding: no entity tag"),
    "HEAD": (site(body=[]), {"method": "HEAD"}, "HEAD without the body of GET: no entity tag"),
    "HEAD, empty": (site(body=[b""]), {"method": "HEAD"}, "HEAD without the body of GET: no entity tag"),
    "HEAD of another body": (
        site(("Content-Length", "9")),
        {"method": "HEAD"},
        "HEAD without the body of GET: no entity tag",
    ),
    "an unknown nonce": (
        site(),
        {"middleware.csp_nonce": "abc"},
        "the page may have the CSP nonce in it: no entity tag",
    ),
    "no-store": (site(("Cache-Control", "private, No-Store")), {}, "left alone: Cache-Control: no-store"),
    "no-store, second": (
        site(("Cache-Control", "private"), ("Cache-Control", "no-store")),
        {},
        "left alone: Cache-Control: no-store",
    ),
    "size": (site(body=[b"x" * 1048577]), {}, "left alone: 1048577 bytes, maximum_size is 1048576"),
    "X-Sendfile": (site(("X-Sendfile", "/a")), {}, "left alone: x-sendfile"),
    "signed": (site(("Signature-Input", "a")), {}, "left alone: signature-input"),
    "POST": (site(), {"method": "POST"}, None),
    "an odd method": (site(), {"method": "get"}, None),
    "404": (site(status="404 Not Found"), {}, None),
    "206": (site(("Content-Range", "bytes 0-6/9"), status="206 Partial Content"), {}, None),
    "204": (site(status="204 No Content", body=[]), {}, None),
}


@pytest.mark.parametrize("name", UNTAGGED)
def test_no_tag_is_made_and_a_note_says_why(name):
    application, request, note = UNTAGGED[name]
    assert asked(application, **request).get("ETag") is None
    assert Listener()(application, **request) == [note] * (note is not None)


def test_notes_say_what_was_made_and_answered():
    notes = Listener()
    assert notes(site()) == ["gave it an entity tag"]
    assert notes(site(), HTTP_IF_NONE_MATCH='"x"')[1:] == ["gave it an entity tag", "not what If-None-Match names"]
    dated = site(("Last-Modified", DATE), ("ETag", '"x"'))
    assert notes(dated, HTTP_IF_MODIFIED_SINCE=DATE)[3:] == ["304: the client has what If-Modified-Since names"]


def test_head_has_the_tag_of_get_where_the_body_is_there():
    length = ("Content-Length", str(len(TEXT)))
    for application in (site(), site(length)):
        assert asked(application, method="HEAD").get("ETag") == asked(application).get("ETag") == OURS


def test_a_page_that_has_not_read_the_nonce_has_a_tag_and_one_that_has_read_it_none():
    def page(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/html")])
        return [f"{environ['middleware.csp_nonce']}".encode() if environ["QUERY_STRING"] else TEXT]

    stack = Stack(SecurityHeaders(csp=CSP(script_src=NONCE)), Conditional()).wrap(page)
    assert serve(stack).get("ETag") == OURS
    assert serve(stack, QUERY_STRING="read").get("ETag") is None


# -- 304 ------------------------------------------------------------------------------------------------------------

TAGGED = ("ETag", '"x"')
# the fields of the response, those of the request, whether it is a 304
CASES = {
    "the tag": ([TAGGED], {"HTTP_IF_NONE_MATCH": '"x"'}, True),
    "another tag": ([TAGGED], {"HTTP_IF_NONE_MATCH": '"y"'}, False),
    "the tag in a list": ([TAGGED], {"HTTP_IF_NONE_MATCH": '"y", W/"x" ,,"z"'}, True),
    "a weak tag": ([TAGGED], {"HTTP_IF_NONE_MATCH": 'W/"x"'}, True),
    "of a weak tag": ([("ETag", 'W/"x"')], {"HTTP_IF_NONE_MATCH": '"x"'}, True),
    "a tag with a comma": ([("ETag", '"a,b"')], {"HTTP_IF_NONE_MATCH": '"a,b"'}, True),
    "a part of a tag with a comma": ([("ETag", '"a"')], {"HTTP_IF_NONE_MATCH": '"a,b"'}, False),
    "a tag of other bytes": ([("ETag", '"\xe4"')], {"HTTP_IF_NONE_MATCH": '"\xe4"'}, True),
    "a backslash": ([("ETag", '"a\\"')], {"HTTP_IF_NONE_MATCH": '"a\\"'}, True),
    "anything": ([TAGGED], {"HTTP_IF_NONE_MATCH": " * "}, True),
    "a star in a list": ([TAGGED], {"HTTP_IF_NONE_MATCH": '"y", *'}, False),
    "what is no tag": ([("ETag", "x")], {"HTTP_IF_NONE_MATCH": "x"}, False),
    "what is no tag, quoted": ([("ETag", "x")], {"HTTP_IF_NONE_MATCH": '"x"'}, False),
    "nothing": ([TAGGED], {"HTTP_IF_NONE_MATCH": ""}, False),
    "our tag": ([], {"HTTP_IF_NONE_MATCH": OURS}, True),
    "our tag, weakened by a cache": ([], {"HTTP_IF_NONE_MATCH": f"W/{OURS}"}, True),
    "the date": ([("Last-Modified", DATE)], {"HTTP_IF_MODIFIED_SINCE": DATE}, True),
    "a later date": ([("Last-Modified", DATE)], {"HTTP_IF_MODIFIED_SINCE": LATER}, True),
    "an earlier date": ([("Last-Modified", DATE)], {"HTTP_IF_MODIFIED_SINCE": EARLIER}, False),
    "an obsolete form": (
        [("Last-Modified", DATE)],
        {"HTTP_IF_MODIFIED_SINCE": "Sunday, 21-Oct-07 23:21:47 GMT"},
        True,
    ),
    "no date": ([("Last-Modified", DATE)], {"HTTP_IF_MODIFIED_SINCE": "yesterday"}, False),
    "several dates": ([("Last-Modified", DATE)], {"HTTP_IF_MODIFIED_SINCE": f"{DATE}, {DATE}"}, False),
    "a date of nothing": ([TAGGED], {"HTTP_IF_MODIFIED_SINCE": DATE}, False),
    "a date of what is none": ([("Last-Modified", "today")], {"HTTP_IF_MODIFIED_SINCE": DATE}, False),
    "another tag, and the date": (
        [TAGGED, ("Last-Modified", DATE)],
        {"HTTP_IF_NONE_MATCH": '"y"', "HTTP_IF_MODIFIED_SINCE": DATE},
        False,
    ),
    "the tag, and an earlier date": (
        [TAGGED, ("Last-Modified", DATE)],
        {"HTTP_IF_NONE_MATCH": '"x"', "HTTP_IF_MODIFIED_SINCE": EARLIER},
        True,
    ),
    "If-Match": ([TAGGED], {"HTTP_IF_MATCH": '"y"'}, False),
    "If-Unmodified-Since": ([("Last-Modified", DATE)], {"HTTP_IF_UNMODIFIED_SINCE": EARLIER}, False),
    "no-store": ([TAGGED, ("Cache-Control", "no-store")], {"HTTP_IF_NONE_MATCH": '"x"'}, False),
    "a file that the server sends": ([TAGGED, ("X-Accel-Redirect", "/a")], {"HTTP_IF_NONE_MATCH": '"x"'}, False),
    "cookies": ([TAGGED, ("Set-Cookie", "a=b")], {"HTTP_IF_NONE_MATCH": '"x"'}, True),
}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("name", CASES)
def test_a_304_is_for_who_has_the_content(name, method):
    lines, request, same = CASES[name]
    answer = asked(site(*lines), method=method, **request)
    assert (answer.status, answer.body) == (
        ("304 Not Modified", b"") if same else ("200 OK", TEXT if method == "GET" else b"")
    )


@pytest.mark.parametrize(
    "status", ["201 Created", "301 Moved Permanently", "404 Not Found", "500 Internal Server Error"]
)
def test_other_statuses_are_no_304(status):
    assert asked(site(TAGGED, status=status), HTTP_IF_NONE_MATCH='"x"').status == status


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "QUERY", "get"])
def test_other_methods_are_no_304(method):
    assert asked(site(TAGGED), method=method, HTTP_IF_NONE_MATCH='"x"').status == "200 OK"


def test_a_304_drops_what_guides_no_cache_and_nothing_else():
    dropped = [
        *(
            ("Content-Type", "text/plain"),
            ("Content-Length", "7"),
            ("Content-Encoding", "x"),
            ("Content-Language", "en"),
        ),
        ("Last-Modified", DATE),
    ]
    kept = [
        *(("Set-Cookie", "a=b"), ("Set-Cookie", "c=d"), ("Vary", "Cookie"), ("Content-Security-Policy", "a")),
        *(("Access-Control-Allow-Origin", "*"), ("Cache-Control", "max-age=1"), ("Content-Location", "/a")),
        *(("Expires", DATE), ("Date", DATE), TAGGED, ("Repr-Digest", "a"), ("X-Own", "b")),
    ]
    answer = asked(site(*dropped, *kept), HTTP_IF_NONE_MATCH='"x"')
    assert (answer.status, answer.headers) == ("304 Not Modified", kept)


def test_last_modified_stays_in_a_304_without_a_tag():
    answer = asked(site(("Last-Modified", DATE)), {"etag": False}, HTTP_IF_MODIFIED_SINCE=DATE)
    assert answer.headers == [("Last-Modified", DATE)]


def test_streams_are_closed_unread():
    read = []

    class Stream:
        def __iter__(self):
            read.append("iterated")
            return iter([TEXT])

        def close(self):
            read.append("closed")

    answer = asked(site(TAGGED, body=Stream), HTTP_IF_NONE_MATCH='"x"')
    assert (answer.status, answer.body) == ("304 Not Modified", b"")
    assert read[-1:] == ["closed"]


def test_what_the_application_makes_of_environ_changes_nothing():
    def clearing(environ, start_response):
        environ["REQUEST_METHOD"] = "POST"
        del environ["HTTP_IF_NONE_MATCH"]
        start_response("200 OK", [TAGGED])
        return [TEXT]

    assert asked(clearing, HTTP_IF_NONE_MATCH='"x"').status == "304 Not Modified"


# -- If-Range -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", [OURS, f"W/{OURS}", f'{OURS[:-1]}-gzip"'])
def test_our_tags_never_reach_the_application_in_if_range(tag):
    seen, after = [], []

    class After(Middleware):
        def on_response(self, environ, response):
            after.append(environ)

    application = Stack(After(), Conditional()).wrap(site(seen=seen))
    said = {"HTTP_RANGE": "bytes=1-", "HTTP_IF_RANGE": tag}
    answer = serve(application, **said)
    assert answer.status == "200 OK"
    assert not said.keys() & seen[0].keys()
    assert said.items() <= after[0].items()


@pytest.mark.parametrize("condition", ['"x"', 'W/"x"', DATE])
def test_other_conditions_of_a_range_are_for_the_application(condition):
    seen = []
    said = {"HTTP_RANGE": "bytes=1-", "HTTP_IF_RANGE": condition}
    asked(site(seen=seen), **said)
    assert said.items() <= seen[0].items()


def test_a_layer_around_itself_restores_what_it_hid_further_out():
    layer, after = Conditional(), []

    class After(Middleware):
        def on_response(self, environ, response):
            after.append(environ.get("HTTP_RANGE"))

    inner = layer.wrap(site())
    serve(Stack(After(), layer).wrap(inner, waive=["unique"]), HTTP_RANGE="bytes=1-", HTTP_IF_RANGE=OURS)
    assert after == ["bytes=1-"]


def test_a_range_is_restored_only_after_the_request_that_had_it():
    application = Conditional().wrap(site())

    def twice(environ, start_response):
        application(environ, start_response)
        del environ["HTTP_RANGE"], environ["HTTP_IF_RANGE"]
        return application(environ, start_response)

    answer = serve(twice, lint=False, HTTP_RANGE="bytes=1-", HTTP_IF_RANGE=OURS)
    assert not {"HTTP_RANGE", "HTTP_IF_RANGE"} & answer.environ.keys()


# -- applications that know a date only -------------------------------------------------------------------------------


def werkzeug_page(content):
    def respond(request):
        return WerkzeugResponse(content, headers=[("Last-Modified", DATE)]).make_conditional(request)

    return WerkzeugRequest.application(respond)


def webob_page(content):
    return webob.Response(content, last_modified=DATE, conditional_response=True)


DATED = {"HTTP_IF_MODIFIED_SINCE": DATE}


@pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}'])
@pytest.mark.parametrize("page", [werkzeug_page, webob_page])
def test_the_tag_decides_where_the_application_knows_a_date_only(page, form):
    """Two versions of one second, or another snippet: the date is the same, and the tag is not (RFC 9110 13.1.3)."""
    tag = asked(page("old")).get("ETag")
    said = {**DATED, "HTTP_IF_NONE_MATCH": form.format(tag)}
    answer = asked(page("new"), **said)
    assert (answer.status, answer.body, answer.get("ETag") in (tag, None)) == ("200 OK", b"new", False)
    again = asked(page("old"), **said)
    assert (again.status[:3], again.get("ETag")) == ("304", tag)


@pytest.mark.parametrize("page", [werkzeug_page, webob_page])
def test_a_date_alone_is_for_the_application(page):
    assert asked(page("new"), **DATED).status[:3] == "304"


@pytest.mark.parametrize(
    ("said", "inside"),
    [
        ({"HTTP_IF_NONE_MATCH": OURS, **DATED}, {"HTTP_IF_NONE_MATCH": OURS}),
        ({"HTTP_IF_NONE_MATCH": '"x"', **DATED}, {"HTTP_IF_NONE_MATCH": '"x"'}),
        ({"HTTP_IF_NONE_MATCH": "*", **DATED}, {"HTTP_IF_NONE_MATCH": "*"}),
        (DATED, DATED),
    ],
)
def test_a_date_beside_tags_is_hidden_from_the_application_alone(said, inside):
    seen, after = [], []

    class After(Middleware):
        def on_response(self, environ, response):
            after.append({name: environ[name] for name in said if name in environ})

    layer = Conditional()
    for application in (site(seen=seen), layer.wrap(site(seen=seen))):
        serve(Stack(After(), layer).wrap(application), **said)
    assert [{name: each[name] for name in said if name in each} for each in seen] == [inside, inside]
    assert after == [said, said]


# -- iterators of frameworks ------------------------------------------------------------------------------------------


LENGTH = ("Content-Length", str(len(TEXT)))


class Iterated:
    """What a framework returns for a sized body; what it does is noted."""

    def __init__(self, *chunks, noted, during=None):
        self.chunks, self.noted, self.during = chunks, noted, during

    def __iter__(self):
        for chunk in self.chunks:
            yield self.during() if chunk is None else chunk
        self.noted.append("ended")

    def close(self):
        self.noted.append("closed")


# chunks, further options or fields: whether it gets a tag
ITERATED = {
    "all in the first chunk": ((TEXT,), (LENGTH,), True),
    "followed by an empty one": ((TEXT, b""), (LENGTH,), True),
    "two chunks": ((b"con", b"tent"), (LENGTH,), False),
    "no length": ((TEXT,), (), False),
    "another length": ((TEXT,), (("Content-Length", "6"),), False),
    "no number": ((TEXT,), (("Content-Length", "x"),), False),
    "no chunk": ((), (LENGTH,), False),
    "an empty chunk first": ((b"", TEXT), (LENGTH,), False),
    "a tag of its own": ((TEXT,), (LENGTH, ("ETag", '"own"')), False),
    "no-store": ((TEXT,), (LENGTH, ("Cache-Control", "no-store")), False),
}


@pytest.mark.parametrize("respond", ["respond", "raise"])
@pytest.mark.parametrize("case", ITERATED)
def test_an_iterator_gets_a_tag_if_its_first_chunk_is_all_that_it_declares(case, respond):
    """It is iterated to its end and closed all the same, and its chunks are those of the application."""
    chunks, lines, tagged = ITERATED[case]
    noted = []
    app = Stack(Conditional()).wrap(site(*lines, body=Iterated(*chunks, noted=noted)), on_error=respond)
    answer = serve(app)
    assert (answer.get("ETag") == OURS, answer.body, noted) == (tagged, b"".join(chunks), ["ended", "closed"])
    assert answer.get_all("Content-Length") == [value for name, value in lines if name == "Content-Length"]


@pytest.mark.parametrize(("method", "status"), [("HEAD", "200 OK"), ("POST", "200 OK"), ("GET", "404 Not Found")])
def test_an_iterator_that_gets_no_tag_anyway_is_handed_on_as_it_is(method, status):
    body = Iterated(TEXT, noted=[])
    answer = serve(Conditional(site(LENGTH, status=status, body=body)), method=method)
    assert answer.get("ETag") is None
    assert (answer.result is body) == (method != "HEAD")


def test_a_file_is_handed_on_to_the_server_as_it_is():
    files = []

    def application(environ, start_response):
        start_response("200 OK", [LENGTH])
        files.append(environ["wsgi.file_wrapper"](io.BytesIO(TEXT)))
        return files[0]

    answer = serve(Conditional(application), **{"wsgi.file_wrapper": FileWrapper})
    assert (answer.result is files[0], answer.get("ETag"), answer.body) == (True, None, TEXT)


def test_a_client_that_has_the_content_gets_304_and_the_iterator_is_closed():
    noted = []
    answer = asked(site(LENGTH, body=Iterated(TEXT, noted=noted)), HTTP_IF_NONE_MATCH=OURS)
    assert (answer.status, answer.headers, answer.body) == ("304 Not Modified", [("ETag", OURS)], b"")
    assert noted == ["closed"]


def test_an_error_instead_of_the_first_chunk_is_a_500():
    noted = []
    body = Iterated(None, noted=noted, during=lambda: 1 / 0)
    answer = serve(Stack(Conditional()).wrap(site(LENGTH, body=body), on_error="respond"))
    assert (answer.status, answer.body, noted) == ("500 Internal Server Error", b"Internal Server Error\n", ["closed"])


@pytest.mark.parametrize("again", ["another head", "write"])
def test_a_head_that_changes_with_the_first_chunk_counts(again):
    def application(environ, start_response):
        def body():
            if again == "write":
                write(TEXT)
            else:
                start_response("200 OK", [("Content-Length", "3")], (ValueError, ValueError(), None))
            yield b"abc"

        write = start_response("200 OK", [("Content-Length", "3" if again == "write" else "7")])
        return body()

    answer = serve(Stack(Conditional()).wrap(application, on_error="respond"))
    assert answer.error is None
    assert (answer.body, answer.get("ETag") is None) == ((TEXT + b"abc", True) if again == "write" else (b"abc", False))


def flask_page():
    app = Flask("page")
    app.get("/")(lambda: "page")
    return app


def django_page():
    if not settings.configured:
        settings.configure(LOGGING_CONFIG=None)
    pages = type("Pages", (), {"urlpatterns": (path("", lambda _: HttpResponse("page")),)})
    with override_settings(MIDDLEWARE=["django.middleware.common.CommonMiddleware"]):  # of every new project
        app = get_wsgi_application()
    return override_settings(ROOT_URLCONF=pages, ALLOWED_HOSTS=["*"])(app)


@pytest.mark.parametrize("make", [flask_page, django_page])
@pytest.mark.parametrize("accept", ["", "gzip"])
def test_pages_of_frameworks_get_tags_and_304(make, accept):
    app = Stack(Compress(minimum_size=0), Conditional()).wrap(make())
    tag = serve(app, HTTP_ACCEPT_ENCODING=accept).get("ETag")
    assert tag
    answer = serve(app, HTTP_ACCEPT_ENCODING=accept, HTTP_IF_NONE_MATCH=tag)
    assert (answer.status, answer.get("ETag"), answer.body) == ("304 Not Modified", tag, b"")


# -- beside others --------------------------------------------------------------------------------------------------


def test_the_tag_of_an_encoded_response_is_known_again():
    page = site(("Content-Type", "text/html"), body=[b"x" * 2000])
    stack = Stack(Compress(codings="gzip"), Conditional()).wrap(page)
    first = serve(stack, HTTP_ACCEPT_ENCODING="gzip")
    tag = first.get("ETag")
    assert (first.get("Content-Encoding"), tag[-6:]) == ("gzip", '-gzip"')
    again = serve(stack, HTTP_ACCEPT_ENCODING="gzip", HTTP_IF_NONE_MATCH=tag)
    assert (again.status, again.headers) == ("304 Not Modified", [("ETag", tag), ("Vary", "Accept-Encoding")])


def test_an_error_further_out_is_left_alone():
    class Failing(Middleware):
        def on_request(self, environ):
            raise RuntimeError

    answer = serve(Stack(Failing(), Conditional()).wrap(site(), on_error="respond"), HTTP_IF_NONE_MATCH="*")
    assert answer.status == "500 Internal Server Error"


CONFORMANCE = json.loads((Path(__file__).parent / "conformance" / "conditional.json").read_text("utf-8"))["cases"]


@pytest.mark.parametrize("case", [c for c in CONFORMANCE if c["class"] == "consensus"], ids=lambda case: case["id"])
def test_it_agrees_with_rack_and_django(case):
    given, request, expected = case["app_response"], case["request"], case["expect"]
    if "body" not in expected:
        pytest.skip("is about something else")
    application = site(
        *given.get("headers", {}).items(), status=f"{given['status']} X", body=[given.get("body", "").encode()]
    )
    said = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in request.get("headers", {}).items()}
    answer = asked(application, method=request["method"], **said)
    assert int(answer.status[:3]) == expected["status"]


# -- options --------------------------------------------------------------------------------------------------------


def test_wrong_options_are_told_together():
    with pytest.raises(ConfigError) as told:
        Conditional(etag=1, weak="no", maximum_size=-1)
    assert str(told.value).splitlines() == [
        "Conditional: 3 options are wrong:",
        "  - etag: True or False; got 1",
        "  - weak: True or False; got 'no'",
        "  - maximum_size: an int from 0, bytes; got -1",
    ]


def test_it_says_what_it_does():
    does = "gives bodies of up to 9 bytes a weak entity tag; answers 304 by If-None-Match, else If-Modified-Since"
    assert list(Conditional(weak=True, maximum_size=9).describe()) == [("response", does)]
    assert "entity tag;" not in next(iter(Conditional(etag=False).describe()))[1]


def test_what_the_order_rules_see():
    effects = Conditional.effects
    assert effects.validates
    assert (effects.reads, effects.sets) == ({"etag", "last-modified"}, {"etag"})

"""InjectHTML: which responses get the HTML, in which bytes, and what is told of them then."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from html import unescape
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gateway
from conditional import Document
from middleware import CSP, NONCE, ConfigError, InjectHTML, Middleware, SecurityHeaders, Stack

serve = partial(gateway.serve, lint=False)
HTML = "<i>added</i>"
PAGE = b"<p>text</p></body></html>"
ADDED = b"<p>text</p><i>added</i></body></html>"
TYPE = ("Content-Type", "text/html; charset=utf-8")
DATE = "Sun, 21 Oct 2007 23:21:47 GMT"


def site(*lines, status="200 OK", body=(PAGE,), seen=None, type=TYPE):  # noqa: A002 - as the field
    def application(environ, start_response):
        if seen is not None:
            seen.append(dict(environ))
        start_response(status, [*([type] if type else []), *lines])
        return body() if callable(body) else body

    return application


def asked(application, html=HTML, *, at="</body>", nonce=False, **request):
    answer = serve(InjectHTML(application, html=html, at=at, nonce=nonce), **request)
    if answer.error is not None:
        raise answer.error
    return answer


# -- which responses ------------------------------------------------------------------------------------------------

PAGES = {
    "a list": site(),
    "a list of parts": site(body=[b"<p>text</p></bo", b"", b"dy></html>"]),
    "a tuple": site(body=(PAGE,)),
    "a stream": site(body=lambda: iter([b"<p>text</p></bo", b"dy>", b"</html>"])),
    "a stream of known length": site(("Content-Length", str(len(PAGE))), body=lambda: iter([PAGE])),
    "no charset": site(type=("Content-Type", "text/html")),
    "any case": site(type=("Content-Type", 'Text/HTML ; Charset="UTF-8"; x=y')),
    "latin-1": site(type=("Content-Type", "text/html; charset=iso-8859-1")),
    "identity": site(("Content-Encoding", "Identity")),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_gets_the_html(name):
    answer = asked(PAGES[name])
    assert answer.body == ADDED
    assert answer.get("Content-Length") in (str(len(ADDED)), None)


def test_a_sized_page_stays_sized():
    assert asked(site(("Content-Length", str(len(PAGE))))).get("Content-Length") == str(len(ADDED))


def test_a_stream_is_passed_on_chunk_by_chunk():
    chunks = [b"<p>", b"text", b"</p></b", b"ody>", b"</html>"]
    assert asked(site(body=lambda: iter(chunks))).chunks[:5] == [
        b"<p>",
        b"text",
        b"</p>",
        b"<i>added</i></body>",
        b"</html>",
    ]


LEFT = {
    "POST": (site(), {"method": "POST"}, "POST 200 is no 200 to GET"),
    "404": (site(status="404 Not Found"), {}, "GET 404 is no 200 to GET"),
    "206": (site(("Content-Range", "bytes 0-24/25"), status="206 Partial Content"), {}, "GET 206 is no 200 to GET"),
    **{
        str(kind): (
            site(type=("Content-Type", kind) if kind else None),
            {},
            f"the type is {kind}, not text/html in a superset of ASCII",
        )
        for kind in (
            *("text/plain", "application/xhtml+xml", "text/htmlx", "image/svg+xml", None, "text/html; charset=utf-16"),
            *("text/html; charset=idna", "text/html; charset=utf-7", "text/html; charset=iso-2022-jp"),
            *("text/html; charset=cp037", "text/html; charset=unknown", "text/html; charset=hex"),
            *("text/html; charset=", "text/html, text/html"),
        )
    },
    "gzip": (site(("Content-Encoding", "gzip")), {}, "Content-Encoding is gzip"),
    "no-transform": (site(("Cache-Control", "public, No-Transform")), {}, "Cache-Control: no-transform"),
    "X-Sendfile": (site(("X-Sendfile", "/a")), {}, "there is x-sendfile"),
    "signed": (site(("Signature-Input", "a")), {}, "there is signature-input"),
}


@pytest.mark.parametrize("name", LEFT)
def test_other_responses_are_left_alone_and_a_note_says_why(name):
    application, request, note = LEFT[name]
    notes = []
    answer = asked(application, **{"middleware.notes": notes}, **request)
    assert (answer.body, notes) == (PAGE, [f"nothing was added: {note}"])
    assert answer.headers == serve(application, **request).headers
    assert asked(application, **request).body == PAGE


def test_a_page_without_the_tag_stays_as_it_is():
    for body in ([b"<p>text"], lambda: iter([b"<p>te", b"xt</bod"])):
        notes = []
        answer = asked(site(body=body), **{"middleware.notes": notes})
        assert answer.body == asked(site(body=body), lambda environ: None).body
        assert notes == ["no </body> in the page: nothing was added"]


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("</body>", b"<head><title></head></title></head><body></body>+"),
        ("</head>", b"<head><title></head></title>+</head><body></body>"),
        ("<head>", b"<head>+<title></head></title></head><body></body>"),
    ],
)
def test_the_html_goes_to_its_place(at, expected):
    if at == "</body>":
        expected = b"<head><title></head></title></head><body>+</body>"
    assert asked(site(body=[expected.replace(b"+", b"")]), "+", at=at).body == expected


@given(st.lists(st.integers(0, len(PAGE)), max_size=6))
def test_any_chunks_give_the_same_bytes(cuts):
    places = [0, *sorted(cuts), len(PAGE)]
    chunks = [PAGE[start:end] for start, end in pairwise(places)]
    assert asked(site(body=lambda: iter(chunks))).body == asked(site(body=chunks)).body == ADDED


# -- callables ------------------------------------------------------------------------------------------------------


def test_a_callable_makes_html_for_each_request():
    assert b"<i>/a</i></body>" in asked(site(), lambda environ: f"<i>{environ['PATH_INFO']}</i>", path="/a").body


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_callable_that_returns_nothing_leaves_the_page_alone(nothing):
    notes = []
    answer = asked(site(("ETag", '"x"')), lambda environ: nothing, **{"middleware.notes": notes})
    assert (answer.body, answer.get("ETag")) == (PAGE, '"x"')
    assert notes == ["nothing was added: there is no html for this page"]
    assert asked(site(), lambda environ: nothing).body == PAGE


def test_a_callable_that_returns_anything_else_is_an_error_that_names_the_layer():
    with pytest.raises(TypeError, match=r"InjectHTML: html\(environ\) returns a str or None; got b'x'"):
        asked(site(), lambda environ: b"x")


# -- characters -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("charset", "html", "expected"),
    [
        ("utf-8", "é€", "é€".encode()),
        ("iso-8859-1", "é€", b"\xe9&#8364;"),
        ("windows-1252", "é€", b"\xe9\x80"),
        ("us-ascii", "é<b title='€'>", b"&#233;<b title='&#8364;'>"),
        ("gb18030", "é€", "é€".encode("gb18030")),
        ("shift_jis", "あé", b"\x82\xa0&#233;"),
        ("shift_jis", "\xa5\\~\u203eあ", b"&#165;\\~&#8254;\x82\xa0"),  # Python encodes them as \\ and ~
        ("euc-jp", "\xa5\\~\u203eあ", b"&#165;\\~&#8254;\xa4\xa2"),
        ("big5-hkscs", "\xca\u0304\xca", b"\x88\x62\x88\x66"),  # two characters in one code, and one of them alone
        ("utf-8-sig", "é", "é".encode()),
        (None, "é", b"&#233;"),
        ("us-ascii", "<!-- é --><title>é</title>", b"<!-- &#233; --><title>&#233;</title>"),
        ("utf-8", "\ud800", b"&#55296;"),
        ("iso-8859-1", "<script>é</script>€", b"<script>\xe9</script>&#8364;"),
    ],
)
def test_characters_that_the_page_lacks_are_references(charset, html, expected):
    kind = f"text/html; charset={charset}" if charset else "text/html"
    assert asked(site(type=("Content-Type", kind), body=[b"</body>"]), html).body == expected + b"</body>"


@pytest.mark.parametrize(
    "html",
    [
        *("<script>é</script>", "<style>é</style>", "a é <STYLE x='</style>'>é", "<script><!-- <script> é"),
        *("<noscript>é</noscript>", "<svg><![CDATA[é]]></svg>", "<plaintext>é", "<script>\ud800</script>"),
    ],
)
@pytest.mark.parametrize("made", [False, True])
@pytest.mark.parametrize(("charset", "lacks"), [("ascii", "é"), ("shift_jis", "\xa5"), ("euc_jp", "\u203e")])
def test_nothing_is_added_where_a_reference_would_not_be_decoded(html, made, charset, lacks):
    notes, html = [], html.replace("é", lacks)
    application = site(type=("Content-Type", f"text/html; charset={charset}"))
    answer = asked(application, (lambda environ: html) if made else html, **{"middleware.notes": notes})
    assert answer.body == PAGE
    assert notes == [f"nothing was added: a script or style of html has characters that {charset} lacks"]


CHARSETS = st.sampled_from(["shift_jis", "euc_jp", "cp949", "big5", "gbk", "cp1252", "koi8-r", "utf-8"])


@given(CHARSETS, st.text(st.characters(exclude_categories=["Cc", "Cn", "Cs"])))
def test_the_page_has_the_characters_of_the_html(charset, html):
    """As a browser decodes them: by the encoding, then by the references."""
    page = asked(site(type=("Content-Type", f"text/html; charset={charset}"), body=[b"</body>"]), f"<i>{html}")
    assert unescape(page.body.decode(charset)) == unescape(f"<i>{html}</body>")


# -- the nonce ------------------------------------------------------------------------------------------------------


def test_script_tags_get_the_nonce_of_the_response():
    html = "<script>a</script><!--<script>--><SCRIPT src='<script>'></script><scripts><template><script\n></script>"
    stack = Stack(SecurityHeaders(csp=CSP(script_src=NONCE)), InjectHTML(html=html, nonce=True))
    for body in ([PAGE], lambda: iter([PAGE])):
        answer = serve(stack.wrap(site(body=body)))
        nonce = answer.get("Content-Security-Policy").partition("'nonce-")[2].rstrip("'")
        attribute = f' nonce="{nonce}"'
        expected = (
            f"<script{attribute}>a</script><!--<script>--><SCRIPT{attribute} src='<script>'></script>"
            f"<scripts><template><script{attribute}\n></script>"
        )
        assert f"<p>text</p>{expected}</body>".encode() in answer.body
        assert len(nonce) > 20


def test_a_nonce_of_others_cannot_leave_its_attribute():
    page = asked(site(), "<script>", nonce=True, **{"middleware.csp_nonce": 'a">'}).body
    assert b'<script nonce="a&quot;&gt;"></body>' in page


def test_without_a_nonce_there_is_no_attribute():
    assert b"<script></body>" in asked(site(), "<script>", nonce=True).body
    assert asked(site(), HTML, nonce=True).body == ADDED


def test_a_made_script_gets_the_nonce_too():
    made = {"middleware.csp_nonce": "abc"}
    assert b'<script nonce="abc"></body>' in asked(site(), lambda environ: "<script>", nonce=True, **made).body


# -- what is told of the page ---------------------------------------------------------------------------------------

DIGESTS = tuple((name, "x") for name in ("Content-MD5", "Content-Digest", "Repr-Digest", "Digest"))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_was_told_of_other_bytes_goes(method):
    lines = (("Accept-Ranges", "bytes"), *DIGESTS, ("Content-Length", str(len(PAGE))), ("X-Own", "1"))
    answer = asked(site(*lines), method=method)
    assert answer.headers == [TYPE, ("X-Own", "1"), ("Content-Length", str(len(ADDED)))]


@pytest.mark.parametrize("body", [[], [b""], lambda: iter([])])
def test_head_without_the_body_has_no_length(body):
    answer = asked(site(("Content-Length", str(len(PAGE))), body=body), method="HEAD")
    assert (answer.get("Content-Length"), answer.body) == (None, b"")


def test_the_tag_gets_the_hash_of_the_html_and_is_weak():
    tag = asked(site(("ETag", '"x"'))).get("ETag")
    assert tag.startswith('W/"x-')
    others = {asked(site(("ETag", given)), html).get("ETag") for given in ('"x"', 'W/"x"') for html in (HTML, "other")}
    assert len({tag, *others}) == 4
    assert all(other.startswith('W/"x-') for other in others)
    assert asked(site(("ETag", '"x"')), at="</head>").get("ETag") not in (tag, *others)
    assert asked(site(("ETag", '"x"')), method="HEAD").get("ETag") == tag


def test_what_is_no_tag_is_removed():
    notes = []
    assert asked(site(("ETag", "x")), **{"middleware.notes": notes}).get("ETag") is None
    assert notes == ["ETag is removed, because it is no entity tag: x"]


@pytest.mark.parametrize("own", ['"x"', 'W/"x"', '"a,b"', '"a-b"'])
def test_the_tag_is_known_again(own):
    seen = []

    def application(environ, start_response):
        seen.append(environ.get("HTTP_IF_NONE_MATCH"))
        same = environ.get("HTTP_IF_NONE_MATCH") == own
        start_response("304 Not Modified" if same else "200 OK", [TYPE, ("ETag", own)])
        return [] if same else [PAGE]

    tag = asked(application).get("ETag")
    again = asked(application, HTTP_IF_NONE_MATCH=tag)
    assert (again.status, again.get("ETag"), again.environ["HTTP_IF_NONE_MATCH"]) == ("304 Not Modified", tag, tag)
    assert seen == [None, own]
    assert asked(application, "other", HTTP_IF_NONE_MATCH=tag).status == "200 OK"


def test_of_several_tags_a_304_has_the_one_of_the_page():
    document = Document(PAGE)
    tag = asked(site(("ETag", '"x"'))).get("ETag")
    answer = asked(document, HTTP_IF_NONE_MATCH=f'"y", "x", {tag}')
    assert (answer.status, answer.get("ETag")) == ("304 Not Modified", tag)


def test_a_tag_that_is_not_of_a_page_is_passed_on():
    answer = asked(Document(PAGE), HTTP_IF_NONE_MATCH='"x"')
    assert (answer.status, answer.get("ETag")) == ("304 Not Modified", '"x"')
    strange = site(("ETag", "x"), status="304 Not Modified", body=[])
    tag = asked(site(("ETag", '"x"'))).get("ETag")
    assert asked(strange, HTTP_IF_NONE_MATCH=tag).get("ETag") == "x"
    assert asked(site(("ETag", '"z"'), status="304 Not Modified", body=[]), HTTP_IF_NONE_MATCH=tag).get("ETag") == '"z"'


def test_if_match_and_the_if_of_webdav_lose_the_suffix_and_stay_weak():
    tag, seen = asked(site(("ETag", '"x"'))).get("ETag"), []
    asked(site(seen=seen), method="PUT", HTTP_IF_MATCH=tag, HTTP_IF=f"([{tag}])")
    assert (seen[0]["HTTP_IF_MATCH"], seen[0]["HTTP_IF"]) == ('W/"x"', '([W/"x"])')
    refused = asked(Document(PAGE), method="PUT", HTTP_IF_MATCH=tag)
    assert (refused.status, refused.get("ETag")) == ("412 Precondition Failed", tag)


CHANGING = [{"html": lambda environ: HTML}, {"html": HTML, "nonce": True}]


@pytest.mark.parametrize("options", CHANGING)
def test_pages_that_change_have_no_validators_and_are_never_asked_for_them(options):
    seen = []
    said = {"HTTP_IF_NONE_MATCH": '"x"', "HTTP_IF_MODIFIED_SINCE": DATE}
    validators = (("ETag", '"x"'), ("Last-Modified", DATE))
    answer = asked(site(*validators, seen=seen), **options, **said)
    assert (answer.body, answer.get("ETag"), answer.get("Last-Modified")) == (ADDED, None, None)
    assert not said.keys() & seen[0].keys()
    assert said.items() <= answer.environ.items()
    image = asked(site(*validators, type=("Content-Type", "image/png")), **options)
    assert (image.get("ETag"), image.get("Last-Modified")) == ('"x"', DATE)


@pytest.mark.parametrize("options", [*CHANGING, {"html": HTML}])
def test_ranges_are_hidden_from_the_application(options):
    seen = []
    said = {"HTTP_RANGE": "bytes=0-", "HTTP_IF_RANGE": '"x"'}
    answer = asked(site(seen=seen), **options, **said)
    assert not said.keys() & seen[0].keys()
    assert said.items() <= answer.environ.items()


@pytest.mark.parametrize(
    ("request_", "hidden"),
    [
        *(
            ({"HTTP_SEC_FETCH_DEST": kind}, False)
            for kind in (
                *("audio", "audioworklet", "font", "image", "json", "manifest", "paintworklet", "script"),
                *("serviceworker", "sharedworker", "style", "track", "video", "worker"),
            )
        ),
        ({"HTTP_SEC_FETCH_DEST": "document"}, True),
        ({"HTTP_SEC_FETCH_DEST": "empty"}, True),
        ({"method": "PUT"}, False),
        ({"method": "HEAD"}, True),
    ],
)
def test_requests_that_ask_for_no_page_keep_their_ranges(request_, hidden):
    seen = []
    asked(site(seen=seen), lambda environ: None, HTTP_RANGE="bytes=0-", HTTP_IF_NONE_MATCH="*", **request_)
    assert ("HTTP_RANGE" not in seen[0], "HTTP_IF_NONE_MATCH" not in seen[0]) == (hidden, hidden)


def test_a_layer_around_itself_restores_what_it_hid_further_out():
    layer, after = InjectHTML(html=HTML), []

    class After(Middleware):
        def on_response(self, environ, response):
            after.append(environ.get("HTTP_RANGE"))

    answer = serve(Stack(After(), layer).wrap(layer.wrap(site())), HTTP_RANGE="bytes=1-")
    assert (after, answer.body.count(b"added")) == (["bytes=1-"], 2)


@pytest.mark.parametrize(
    ("status", "field", "method"),
    [("304", "HTTP_IF_NONE_MATCH", "GET"), ("412", "HTTP_IF_MATCH", "PUT")],
)
@pytest.mark.parametrize("own", ['"x"', 'W/"x"'])
def test_a_layer_around_itself_answers_with_the_tag_that_was_listed(status, field, method, own):
    def application(environ, start_response):
        same = environ.get("HTTP_IF_NONE_MATCH") == own
        line = "304 Not Modified" if same else "412 Precondition Failed" if "HTTP_IF_MATCH" in environ else "200 OK"
        start_response(line, [TYPE, ("ETag", own)])
        return [PAGE] if line == "200 OK" else []

    layer = InjectHTML(html=HTML)
    for app in (Stack(layer).wrap(layer.wrap(application)), Stack(layer, layer.named("again")).wrap(application)):
        tag = serve(app).get("ETag")
        answer = serve(app, method=method, **{field: tag})
        assert (answer.status[:3], answer.get("ETag"), answer.environ[field]) == (status, tag, tag)


def test_an_environ_that_is_used_again_has_the_tag_that_was_listed_after_an_error_and_no_other_afterwards():
    """A retry is the same request; an environ whose conditions are gone is another one."""
    tries = []

    def failing(environ, start_response):
        tries.append(environ.get("HTTP_IF_NONE_MATCH"))
        if len(tries) == 1:
            raise ValueError
        start_response("304 Not Modified", [("ETag", '"x"')])
        return []

    application = InjectHTML(failing, html=HTML)
    heads = []

    def again(environ, start_response):
        with suppress(ValueError):
            application(environ, start_response)
        application(environ, lambda status, headers: heads.append(headers))
        del environ["HTTP_IF_NONE_MATCH"]
        return application(environ, start_response)

    tag = asked(site(("ETag", '"x"'))).get("ETag")
    answer = serve(again, HTTP_IF_NONE_MATCH=tag)
    assert (heads, tries) == ([[("ETag", tag)]], ['"x"', '"x"', None])
    assert (answer.get("ETag"), "HTTP_IF_NONE_MATCH" in answer.environ) == ('"x"', False)


def test_a_range_is_restored_only_after_the_request_that_had_it():
    application = InjectHTML(site(), html=HTML)

    def twice(environ, start_response):
        application(environ, start_response)
        del environ["HTTP_RANGE"]
        return application(environ, start_response)

    assert "HTTP_RANGE" not in serve(twice, lint=False, HTTP_RANGE="bytes=1-").environ


def test_an_error_further_out_is_left_alone():
    class Failing(Middleware):
        def on_request(self, environ):
            raise RuntimeError

    answer = serve(Stack(Failing(), InjectHTML(html=HTML)).wrap(site(), on_error="respond"))
    assert answer.status == "500 Internal Server Error"


# -- options --------------------------------------------------------------------------------------------------------


async def later(environ):
    return HTML


class Later:
    async def __call__(self, environ): ...


def test_wrong_options_are_told_together():
    with pytest.raises(ConfigError) as told:
        InjectHTML(html="", at="</p>", nonce=1)
    assert str(told.value).splitlines() == [
        "InjectHTML: 3 options are wrong:",
        "  - html: a str that is not empty, or a callable environ -> str or None that is no coroutine function; got ''",
        "  - at: one of '</body>', '</head>', '<head>'; got '</p>'",
        "  - nonce: True or False; got 1",
    ]
    for html in (None, b"x", later, Later()):
        with pytest.raises(ConfigError, match="html: a str that is not empty"):
            InjectHTML(html=html)
    with pytest.raises(TypeError, match="html"):
        InjectHTML()


def test_it_says_what_it_does():
    constant, made = InjectHTML(html=HTML), InjectHTML(html=HTML, at="<head>", nonce=True)
    assert list(constant.describe()) == [
        ("request", "hides Range"),
        ("response", "adds HTML before </body>; makes entity tags weak, with a suffix"),
    ]
    assert list(made.describe()) == [
        ("request", "hides Range, If-None-Match and If-Modified-Since"),
        ("response", "adds HTML after <head> with the CSP nonce; removes ETag and Last-Modified"),
    ]


def test_what_the_order_rules_see():
    effects = InjectHTML(html=HTML).declared()
    assert effects.rewrites_body
    assert (effects.reads, effects.sets, effects.needs) == ({"content-type", "content-encoding"}, {"etag"}, set())
    assert InjectHTML(html=HTML, nonce=True).declared().needs == {"middleware.csp_nonce"}

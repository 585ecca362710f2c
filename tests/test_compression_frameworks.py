"""Frameworks behind Compress, by HTTP: what each knows of tags, ranges, HEAD and errors goes on working, encoded."""

from __future__ import annotations

import warnings
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest

from decoding import CODINGS, decoded
from middleware import Compress, Headers, Stack, Timing
from serving import Client, ask

TEXT = b"".join(b"line %d of a text that says the same again and again\n" % n for n in range(600))
SORRY = b"We are sorry, this cannot be helped. " * 40

either_way = pytest.mark.parametrize("coding", [*CODINGS, None])


def fail(*_, **__):
    raise RuntimeError("in a view")


# -- the frameworks: /, which is a file or has a tag, /error, and pages for what goes wrong ----------------------------


def flask_app(file):
    from flask import Flask, Response, send_file

    app = Flask("compressed")
    app.get("/")(lambda: send_file(file, conditional=True))
    app.get("/error", endpoint="error")(fail)
    app.register_error_handler(500, lambda _: Response(SORRY, 500, mimetype="text/plain"))
    app.register_error_handler(404, lambda _: Response(SORRY, 404, mimetype="text/plain"))
    return app


def django_app(file):
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpResponse
    from django.test import override_settings
    from django.urls import path

    if not settings.configured:
        settings.configure(LOGGING_CONFIG=None)

    class Urls:
        urlpatterns = (path("", lambda _: HttpResponse(TEXT, content_type="text/plain")), path("error", fail))
        handler404 = staticmethod(lambda *_, **__: HttpResponse(SORRY, content_type="text/plain", status=404))
        handler500 = staticmethod(lambda *_: HttpResponse(SORRY, content_type="text/plain", status=500))

    with override_settings(MIDDLEWARE=["django.middleware.http.ConditionalGetMiddleware"]):
        app = get_wsgi_application()
    return override_settings(ROOT_URLCONF=Urls, ALLOWED_HOSTS=["*"], LOGGING_CONFIG=None)(app)


def bottle_app(file):
    import bottle

    def sorry(error):
        bottle.response.content_type = "text/plain"
        return SORRY

    app = bottle.Bottle()
    app.get("/")(lambda: bottle.static_file(file.name, file.parent, etag='"v1"'))
    app.get("/file")(lambda: bottle.static_file(file.name, file.parent))
    app.get("/error")(fail)
    app.error(404)(sorry)
    app.error(500)(sorry)
    return app


def falcon_app(file):
    import falcon

    class Root:
        def on_get(self, request, response):
            response.etag = "v1"
            if request.if_none_match and "v1" in request.if_none_match:
                response.status = 304
            else:
                response.data, response.content_type = TEXT, "text/plain"

        on_head = on_get

    class Failing:
        on_get = on_head = fail

    def sorry(code):
        def answer(request, response, error, params):
            response.status, response.data, response.content_type = code, SORRY, "text/plain"

        return answer

    app = falcon.App()
    app.add_route("/", Root())
    app.add_route("/error", Failing())
    app.add_error_handler(RuntimeError, sorry(500))
    app.add_error_handler(falcon.HTTPNotFound, sorry(404))
    return app


def pyramid_app(file):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports pkg_resources, which warns of itself and of what it finds
        from pyramid.config import Configurator
        from pyramid.response import Response

    def root(request):
        response = Response(TEXT, content_type="text/plain", conditional_response=True)
        response.md5_etag()
        return response

    def sorry(code):
        return lambda *_: Response(SORRY, status=code, content_type="text/plain")

    with Configurator() as config:
        config.add_route("root", "/")
        config.add_view(root, route_name="root")
        config.add_route("error", "/error")
        config.add_view(fail, route_name="error")
        config.add_exception_view(sorry(500))
        config.add_notfound_view(sorry(404))
    return config.make_wsgi_app()


FRAMEWORKS = {
    made.__name__.removesuffix("_app"): made for made in (flask_app, django_app, bottle_app, falcon_app, pyramid_app)
}
every_framework = pytest.mark.parametrize("framework", FRAMEWORKS)


@pytest.fixture(scope="module")
def port(serving, tmp_path_factory):
    """Where a framework is served, as it is or in a stack; each once."""
    file = tmp_path_factory.mktemp("files") / "text.txt"
    file.write_bytes(TEXT)
    ports = {}

    def served(framework, *, encoded=True):
        if (framework, encoded) not in ports:
            app = FRAMEWORKS[framework](file)
            stack = Stack(Timing(), Headers(set={"X-App": "demo"}), *[Compress()] * encoded)
            ports[framework, encoded] = urlsplit(serving(stack.wrap(app))).port
        return ports[framework, encoded]

    return served


def accept(coding):
    return {"Accept-Encoding": coding or "identity"}


def fields(answer, *besides):
    """The fields that a GET and a HEAD have in common."""
    apart = {"date", "server-timing", "connection", "transfer-encoding", *besides}
    return sorted((name.lower(), value) for name, value in answer.headers.items() if name.lower() not in apart)


@every_framework
@either_way
def test_a_framework_is_encoded_and_revalidates(port, framework, coding):
    with Client(port(framework)) as client:
        answer = client.ask("/", **accept(coding))
        tag = answer.headers["ETag"]
        assert (answer.status, answer.headers["Content-Encoding"]) == (200, coding)
        assert decoded(coding, answer.body) == TEXT
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert tag.endswith(f'-{coding}"') == bool(coding)
        again = client.ask("/", **accept(coding), If_None_Match=tag)
        assert (again.status, again.body, again.headers["Content-Encoding"]) == (304, b"", None)
        assert (again.headers["ETag"], again.headers["Vary"], again.headers["X-App"]) == (
            tag,
            "Accept-Encoding",
            "demo",
        )
        assert client.ask("/", **accept(coding), If_None_Match='"other"').status == 200


@every_framework
@either_way
def test_head_has_the_fields_of_get(port, framework, coding):
    get, head = (ask(port(framework), "/", method, **accept(coding)) for method in ("GET", "HEAD"))
    assert (head.status, head.body) == (200, b"")
    apart = ["content-length"] * bool(coding) + ["etag"] * (framework == "django")  # which has a tag for GET alone
    assert fields(head, *apart) == fields(get, *apart)


@every_framework
@either_way
@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/error", 500)])
def test_an_error_page_is_encoded_and_says_what_it_said(port, framework, coding, path, status):
    answer = ask(port(framework), path, **accept(coding))
    assert (answer.status, answer.headers["Content-Encoding"], answer.headers["X-App"]) == (status, coding, "demo")
    assert decoded(coding, answer.body) == SORRY
    assert ask(port(framework), path, "HEAD", **accept(coding)).body == b""


@pytest.mark.parametrize("framework", ["flask", "bottle", "pyramid"])
@either_way
def test_a_framework_sends_a_range_as_it_is(port, framework, coding):
    whole, bare = (ask(port(framework, encoded=each), "/") for each in (True, False))
    answer = ask(port(framework), "/", **accept(coding), Range="bytes=100-299")
    assert (answer.status, answer.body, answer.headers["Content-Encoding"]) == (206, TEXT[100:300], None)
    assert answer.headers["Content-Range"] == f"bytes 100-299/{len(TEXT)}"
    assert answer.headers["ETag"] == whole.headers["ETag"] == bare.headers["ETag"]


@either_way
def test_a_tag_that_is_none_is_not_shared_and_the_date_revalidates(port, coding):
    """Bottle forgets the quotes of its own tags (RFC 9110 8.8.3)."""
    answer = ask(port("bottle"), "/file", **accept(coding))
    assert decoded(coding, answer.body) == TEXT
    assert ("ETag" in answer.headers) == (coding is None)
    again = ask(port("bottle"), "/file", **accept(coding), If_Modified_Since=answer.headers["Last-Modified"])
    assert (again.status, again.body, again.headers["Vary"]) == (304, b"", "Accept-Encoding")


@pytest.mark.parametrize("condition", ["ETag", "Last-Modified"])
@either_way
def test_a_part_of_an_encoded_text_is_not_resumed_even_by_what_knows_no_if_range(port, condition, coding):
    """Bottle sends the range whatever If-Range says: the client would put text behind what is encoded."""
    known = ask(port("bottle"), "/", **accept(coding)).headers[condition]
    answer = ask(port("bottle"), "/", **accept(coding), Range="bytes=100-299", If_Range=known)
    assert (answer.status, answer.headers["Content-Encoding"]) == (200 if coding else 206, coding)
    assert decoded(coding, answer.body) == (TEXT if coding else TEXT[100:300])


# -- WebDAV ------------------------------------------------------------------------------------------------------------

LOCK = b"""<?xml version="1.0"?><lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype>
<owner>a test</owner></lockinfo>"""
DAV = "{DAV:}"


@pytest.fixture
def dav(serving, tmp_path):
    """A client of a WebDAV server behind Compress, which has a file of text and many others."""
    from wsgidav.wsgidav_app import WsgiDAVApp

    (tmp_path / "text.txt").write_bytes(TEXT)
    for number in range(10):
        (tmp_path / f"{number}.txt").write_bytes(b"small")
    app = WsgiDAVApp(
        {
            "provider_mapping": {"/": str(tmp_path)},
            "simple_dc": {"user_mapping": {"*": True}},
            "logging": {"enable": False},
            "verbose": 0,
        }
    )
    with Client(urlsplit(serving(Stack(Timing(), Compress(minimum_size=1)).wrap(app))).port) as client:
        yield client


@either_way
def test_a_file_is_put_only_over_the_version_that_was_seen(dav, coding):
    answer = dav.ask("/text.txt", **accept(coding))
    tag = answer.headers["ETag"]
    assert (answer.headers["Content-Encoding"], decoded(coding, answer.body)) == (coding, TEXT)
    assert dav.ask("/text.txt", **accept(coding), If_None_Match=tag).status == 304
    assert dav.ask("/text.txt", "PUT", b"new", **accept(coding), If_Match=tag).status == 204
    assert dav.ask("/text.txt", "PUT", b"lost update", **accept(coding), If_Match=tag).status == 412
    assert dav.ask("/text.txt", **accept(coding), If_None_Match=tag).status == 200
    assert dav.ask("/text.txt").body == b"new"


@either_way
def test_the_if_of_webdav_names_the_version_that_was_seen(dav, coding):
    """A state token beside the tag; of a resource, and of another one; and by Not."""
    tag = dav.ask("/text.txt", **accept(coding)).headers["ETag"]
    locked = dav.ask("/text.txt", "LOCK", LOCK, Content_Type="application/xml", Timeout="Second-60")
    token = locked.headers["Lock-Token"]
    assert dav.ask("/text.txt", "PUT", b"lost", **accept(coding), If=f"({token} Not [{tag}])").status == 412
    assert dav.ask("/text.txt", "PUT", b"new", **accept(coding), If=f"({token} [{tag}])").status == 204
    assert dav.ask("/text.txt", "PUT", b"lost", **accept(coding), If=f"({token} [{tag}])").status == 412
    assert dav.ask("/text.txt").body == b"new"


@either_way
def test_a_lock_and_a_listing_are_read(dav, coding):
    listed = dav.ask("/", "PROPFIND", **accept(coding), Depth="1")
    assert (listed.status, listed.headers["Content-Encoding"]) == (207, coding)
    found = ET.fromstring(decoded(coding, listed.body))  # noqa: S314 - our own
    assert len(found.findall(f"{DAV}response")) == 12
    locked = dav.ask("/text.txt", "LOCK", LOCK, **accept(coding), Content_Type="application/xml", Timeout="Second-60")
    assert (locked.status, locked.headers["Content-Encoding"]) == (200, coding)
    ET.fromstring(decoded(coding, locked.body))  # noqa: S314 - our own
    assert dav.ask("/text.txt", "PUT", b"new").status == 423
    held = {"If": f"({locked.headers['Lock-Token']})"}
    assert dav.ask("/text.txt", "PUT", b"new", **accept(coding), **held).status == 204


@either_way
def test_a_file_is_resumed_by_identity_alone(dav, coding):
    tag = dav.ask("/text.txt", **accept(coding)).headers["ETag"]
    resumed = dav.ask("/text.txt", **accept(coding), Range="bytes=10000-", If_Range=tag)
    if coding is None:
        assert (resumed.status, resumed.body) == (206, TEXT[10_000:])
    else:
        assert (resumed.status, decoded(coding, resumed.body)) == (200, TEXT)
    plain = dav.ask("/text.txt", **accept(coding), Range="bytes=10000-")
    assert (plain.status, plain.body, plain.headers["Content-Encoding"]) == (206, TEXT[10_000:], None)


@either_way
@pytest.mark.parametrize("condition", ["If-Match", "If", "If-Unmodified-Since"])
def test_a_file_is_resumed_by_identity_alone_whatever_ties_the_range_to_it(dav, coding, condition):
    """The client gets what it may put behind the part that it has, or all of it (RFC 9110 14.2)."""
    first = dav.ask("/text.txt", **accept(coding))
    tag = first.headers["ETag"]
    said = {"If-Match": tag, "If": f"([{tag}])", "If-Unmodified-Since": first.headers["Last-Modified"]}[condition]
    resumed = dav.ask("/text.txt", **accept(coding), Range="bytes=10000-", **{condition: said})
    if coding is None:
        assert (resumed.status, resumed.body) == (206, TEXT[10_000:])
    else:
        assert (resumed.status, resumed.headers["ETag"], decoded(coding, resumed.body)) == (200, tag, TEXT)

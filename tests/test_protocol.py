"""Every layer around every shape of application, linted inside and outside (PEP 3333)."""

from __future__ import annotations

from wsgiref.validate import validator

import pytest
from werkzeug.middleware.lint import LintMiddleware

from content_of import content
from gateway import serve
from layers_under_test import ACCEPTED, LAYERS, Witness, request, stack
from middleware import Stack
from shapes import SHAPES, Failure

named = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
layered = pytest.mark.parametrize("layers", LAYERS)
QUIET = ["early", "late", "close"]


@pytest.fixture(autouse=True)
def _silent(caplog):
    caplog.set_level("CRITICAL", logger="middleware")


def run(layers, shape, *, inside, wrap=None):
    wrap = wrap or waived(layers)
    app, body = shape.make()
    lint = shape.lint and not (shape.fails and inside)
    wrapped = wrap(validator(app) if inside and lint else app)
    answer = serve(wrapped, method=shape.method, lint=shape.lint, **request(layers))
    return answer, body


def waived(layers, **options):
    return lambda app: stack(layers).wrap(app, waive=("measure-outermost", "set-inside-read"), **options)


@named
@layered
@pytest.mark.parametrize("inside", [True, False], ids=["linted-inside", "bare-inside"])
def test_a_response_passes_whole(layers, shape, inside):
    """A stack passes status and content of every shape of application; an early error is a 500, a late one is seen."""
    answer, body = run(layers, shape, inside=inside)
    if shape.fails == "early":
        assert (answer.status, content(answer), answer.error) == (
            "500 Internal Server Error",
            LAYERS[layers][1](b"Internal Server Error\n"),
            None,
        )
    else:
        assert answer.status == shape.status
        whole = LAYERS[layers][1](shape.body)
        # what a transform keeps back when the body fails is lost with it
        assert content(answer) == whole or (shape.fails == "late" and whole.startswith(content(answer)))
        assert isinstance(answer.error, Failure) == (shape.fails in ("late", "close"))
    assert answer.get("X-Old") is None
    if body is not None:
        assert body.closed == 1


@named
@layered
def test_alone_a_layer_raises(layers, shape):
    """Without `respond`, an error before the head is out reaches the server as it is, and everything is closed."""
    answer, body = run(layers, shape, inside=False, wrap=waived(layers, on_error="raise"))
    assert (answer.error is not None) == bool(shape.fails)
    if shape.lint and shape.fails:
        assert isinstance(answer.error, Failure)
    if not shape.fails:
        assert (answer.status, content(answer)) == (shape.status, LAYERS[layers][1](shape.body))
    if body is not None:
        assert body.closed == 1


@named
@pytest.mark.parametrize("on_error", ["respond", "raise"])
def test_on_close_is_told_the_truth_once(shape, on_error):
    """on_close is called once, with the error if there was one, however the response ended."""
    seen = []
    app, _ = shape.make()
    serve(Stack(Witness(seen=seen)).wrap(app, on_error=on_error), method=shape.method, lint=False)
    closes = [error for event, error in seen if event == "close"]
    assert len(closes) == 1
    assert (closes[0] is not None) == bool(shape.fails)
    if shape.lint and shape.fails:
        assert closes == [Failure]


@named
@layered
def test_a_client_that_goes_away(layers, shape):
    """When the server closes a body early, the application's close() is called once."""
    app, body = shape.make()
    answer = serve(waived(layers)(app), method=shape.method, stop_after=1, lint=False, **request(layers))
    if body is not None:
        assert body.closed == 1
    assert answer.error is None or shape.fails


@named
@layered
def test_the_head_goes_out_once(layers, shape):
    """The server is given one head, and a second only to replace the first because of an error."""
    answer, _ = run(layers, shape, inside=False)
    assert answer.heads == 1 or answer.exc_info is not None
    assert answer.heads <= 2


@named
@layered
def test_what_belongs_to_the_application_stays_its_own(layers, shape):
    """The application gets the server's own environ, and its header list is not changed."""
    app, _ = shape.make()
    seen = {}

    def spy(environ, start_response):
        seen["environ"] = environ

        def start(status, headers, *exc_info):
            seen.setdefault("lists", []).append((headers, list(headers)))
            return start_response(status, headers, *exc_info)

        return app(environ, start)

    answer = serve(waived(layers)(spy), method=shape.method, lint=False, **request(layers))
    assert seen["environ"] is answer.environ
    assert all(now == before for now, before in seen.get("lists", []))


@named
@layered
def test_a_sized_body_has_its_length(layers, shape):
    """Where there is a Content-Length it is that of the content, or of the content that a HEAD leaves out."""
    answer, _ = run(layers, shape, inside=False)
    length = answer.get("Content-Length")
    if length is not None and answer.error is None and shape.method != "HEAD":
        assert int(length) == len(answer.body)


# Where Werkzeug's lint is wrong: it wants a Content-Length on 204 (RFC 9110 8.6 forbids it), counts the content of a
# HEAD, and does not take an iterable with only __getitem__.
NOT_FOR_WERKZEUG = ("only-getitem", "no-content-with-a-body", "head-of-a-list")


@pytest.mark.parametrize(
    "shape", [s for s in SHAPES if not s.fails and s.name not in NOT_FOR_WERKZEUG], ids=lambda shape: shape.name
)
@layered
def test_another_lint_agrees(layers, shape):
    """Werkzeug's, outside: it looks at more of HTTP, and warns."""
    app, _ = shape.make()
    answer = serve(LintMiddleware(waived(layers)(app)), method=shape.method, lint=False, **request(layers))
    assert (answer.error, answer.status) == (None, shape.status)


@named
@pytest.mark.parametrize("layers", ACCEPTED)
def test_what_has_content_is_encoded(layers, shape):
    """So that the tests above are about encoded bodies."""
    answer, _ = run(layers, shape, inside=False)
    encoded = answer.status[:3] not in ("204", "304")
    assert (answer.get("Content-Encoding") is not None) == encoded
    negotiated = "Accept, " * (answer.status == "500 Internal Server Error")
    assert answer.get_all("Vary") == [f"{negotiated}Accept-Encoding"] * (encoded or answer.status[:3] == "304")

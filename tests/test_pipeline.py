"""The pipeline, where the protocol tests do not look: who is asked, in which order, and what is not touched."""

from __future__ import annotations

import io
import sys
import threading
from contextlib import suppress
from functools import partial
from wsgiref.util import FileWrapper

import pytest

from gateway import environ, serve
from layers_under_test import Sees, Undeclared, Upper, Uppercase, Witness
from middleware import Effects, External, Gzip, Headers, Hooks, Middleware, Stack, Timing, match
from shapes import SHAPES, TEXT, Body, Failure, returning


def app_of(result, status="200 OK", headers=TEXT):
    return returning(result, status, headers)[0]


def call(app, **extra):
    """What a server gets: the very object, and the head."""
    heads = []
    result = app(environ(**extra), lambda status, headers, exc_info=None: heads.append((status, headers)))
    return result, heads


class Named(Middleware):
    """Writes its name down, request and response."""

    def __init__(self, name, log, answer=None):
        super().__init__()
        self.name, self.log, self.answer = name, log, answer

    def on_request(self, environ):
        self.log.append(f"{self.name} in")
        return self.answer

    def on_response(self, environ, response):
        self.log.append(f"{self.name} out")
        response.headers[f"X-{self.name}"] = "1"

    def on_close(self, environ, error):
        self.log.append(f"{self.name} over")


class Raises(Middleware):
    """Raises wherever it is told to."""

    def __init__(self, *where):
        super().__init__()
        self.where = where

    def on_request(self, environ):
        if "request" in self.where:
            raise Failure("on_request")

    def on_response(self, environ, response):
        response.headers["X-Half"] = "done"
        if "response" in self.where:
            raise Failure("on_response")
        del response.headers["X-Half"]

    def on_close(self, environ, error):
        if "close" in self.where:
            raise Failure("on_close")


# -- order ---------------------------------------------------------------------------------------------------------


def test_a_request_goes_inward_and_a_response_outward():
    log = []
    serve(Stack(Named("A", log), Named("B", log)).wrap(app_of([b"x"])))
    assert log == ["A in", "B in", "B out", "A out", "B over", "A over"]


@pytest.mark.parametrize("condition", [None, match.path("/")], ids=["always", "conditional"])
def test_an_answer_passes_the_layers_that_the_request_met(condition):
    """A layer that answers, and those outside it, see the response; those inside, and the application, see nothing."""
    log = []
    answering = Named("B", log, answer=app_of([b"answer"], "403 No"))
    if condition is not None:
        answering = answering.when(condition)
    answer = serve(Stack(Named("A", log), answering, Named("C", log)).wrap(app_of([b"x"])))
    assert (answer.status, answer.body) == ("403 No", b"answer")
    assert log == ["A in", "B in", "B out", "A out", "B over", "A over"]


def test_without_on_close_an_answer_takes_the_short_way_too():
    class Answers(Middleware):
        def on_request(self, environ):
            return app_of([b"answer"])

    answer = serve(Stack(Headers(set={"X-Out": "1"}), Answers(), Headers(set={"X-In": "1"})).wrap(app_of([b"x"])))
    assert (answer.body, answer.get("X-Out"), answer.get("X-In")) == (b"answer", "1", None)


@pytest.mark.parametrize(("path", "log"), [("/a", ["A in", "A out", "A over"]), ("/b", ["B in", "B out", "B over"])])
def test_a_layer_takes_part_when_its_condition_holds(path, log):
    seen = []
    layers = Named("A", seen).when(match.path("/a")), Named("B", seen).when(match.path("/b"))
    serve(Stack(*layers).wrap(app_of([b"x"])), path)
    assert seen == log


def test_a_condition_is_asked_when_the_request_reaches_the_layer():
    """So that a layer further out may prepare the environ."""

    class Marks(Middleware):
        def on_request(self, environ):
            environ["middleware.test"] = True

    inner = Headers(set={"X-In": "1"}).when(lambda environ: "middleware.test" in environ)
    assert serve(Stack(Marks(), inner).wrap(app_of([b"x"]))).get("X-In") == "1"


# -- bodies ----------------------------------------------------------------------------------------------------------

WATCHING = [Headers(set={"X": "1"}), Witness(seen=[])]


@pytest.mark.parametrize("body", [[b"a"], (b"a", b"b"), []], ids=["list", "tuple", "empty"])
@pytest.mark.parametrize("wrap", [Headers(set={"X": "1"}).wrap, Stack(Headers(set={"X": "1"}), Timing()).wrap])
@pytest.mark.filterwarnings("ignore::middleware.OrderWarning")
def test_an_untouched_sized_body_is_the_same_object(wrap, body):
    assert call(wrap(app_of(body)))[0] is body


@pytest.mark.parametrize("layers", [[Headers(set={"X": "1"})], WATCHING], ids=["headers", "watched"])
def test_the_servers_own_file_wrapper_is_handed_on(layers):
    """The same object, so that the server can send the file by itself; its close() reaches file and layers, once."""
    file = io.BytesIO(b"content")
    wrapper = FileWrapper(file)
    result, _ = call(Stack(*layers).wrap(app_of(wrapper)))
    assert result is wrapper
    result.close()
    assert file.closed


def test_a_watched_file_wrapper_tells_of_its_end_once():
    seen = []
    result, _ = call(Stack(Witness(seen=seen)).wrap(app_of(FileWrapper(io.BytesIO(b"x")))))
    result.close()
    result.close()
    assert seen[-1] == ("close", None)
    assert len([event for event, _ in seen if event == "close"]) == 1


def test_a_file_wrapper_that_cannot_be_watched_is_read():
    """A server's wrapper may be a function that returns the file; where its close() cannot be replaced it is read."""

    class Fixed:
        __slots__ = ("closed", "lines")

        def __init__(self):
            self.lines, self.closed = [b"one", b"two"], 0

        def __iter__(self):
            return iter(self.lines)

        def read(self):
            raise AssertionError("read by nobody")

        def close(self):
            self.closed += 1

    file = Fixed()
    answer = serve(Stack(Witness(seen=[])).wrap(app_of(file)), **{"wsgi.file_wrapper": lambda file, size=0: file})
    assert (answer.body, file.closed) == (b"onetwo", 1)
    assert (
        call(Stack(Headers(set={"X": "1"})).wrap(app_of(file)), **{"wsgi.file_wrapper": lambda file: file})[0] is file
    )


def test_a_stream_that_is_no_file_is_watched_for_errors():
    """Also where the server's wrapper is a function, so that its type cannot be asked."""
    body = Body([b"x"], fails_at=0)
    answer = serve(Stack(Timing()).wrap(app_of(body)), **{"wsgi.file_wrapper": lambda file, size=0: file})
    assert answer.status[:3] == "500"


def test_alone_a_stream_is_the_same_object():
    body = Body([b"a"])
    assert call(Headers(app_of(body), set={"X": "1"}))[0] is body


@pytest.mark.parametrize("layer", [Upper(), Undeclared()], ids=["declared", "undeclared"])
@pytest.mark.parametrize("sized", [[b"one", b"", b"two"], (b"onetwo",), []], ids=["list", "tuple", "empty"])
def test_a_sized_body_stays_sized(layer, sized):
    """A transform leaves a sized body sized, with the right Content-Length: the server keeps the connection."""
    result, [(_, headers)] = call(Stack(layer).wrap(app_of(sized, headers=[*TEXT, ("Content-Length", "999")])))
    assert b"".join(result) == b"".join(sized).upper()
    assert len(result) >= len(sized)
    assert [value for name, value in headers if name == "Content-Length"] == [str(len(b"".join(sized)))]


def test_a_watched_list_has_its_length():
    result, _ = call(Stack(Witness(seen=[])).wrap(app_of([b"one", b"two"])))
    assert len(result) == 2
    assert list(result) == [b"one", b"two"]


def test_a_transformed_stream_has_no_length():
    headers = [*TEXT, ("Content-Length", "3")]
    answer = serve(Stack(Upper()).wrap(app_of(Body([b"on", b"e"]), headers=headers)))
    assert (answer.body, answer.get("Content-Length")) == (b"ONE", None)


class Longer(Middleware):
    """Adds to the body."""

    effects = Effects(rewrites_body=True)

    def on_response(self, environ, response):
        return Exclamation()


class Exclamation:
    def feed(self, chunk):
        return chunk

    def finish(self):
        return b"!"


@pytest.mark.parametrize(
    ("declared", "length"), [("3", "4"), ("03", "4"), ("4", None), ("2", None), ("x", None), (None, None)]
)
def test_a_stream_whose_first_chunk_is_all_that_it_declares_has_its_length(declared, length):
    """As it is with frameworks that wrap a list in an iterator of theirs; the head goes out with the chunk."""
    headers = [*TEXT, *([("Content-Length", declared)] if declared else [])]
    answer = serve(Stack(Longer(), Headers(set={"X-In": "1"})).wrap(app_of(Body([b"one"]), headers=headers)))
    assert (answer.body, answer.get("Content-Length"), answer.heads) == (b"one!", length, 1)


def test_a_layer_sees_the_body_that_the_application_returned():
    seen = []

    class Looks(Middleware):
        def on_response(self, environ, response):
            seen.append(response.body)

    class Declares(Looks):
        effects = Effects(rewrites_body=True)

    for layer in (Looks(), Declares()):
        serve(Stack(layer).wrap(app_of([b"x"])))
    assert seen == [[b"x"], [b"x"]]


@pytest.mark.parametrize(("chunks", "length"), [([b"x"], None), ([b"x"], "2"), ([], "0")])
def test_an_iterator_that_has_ended_is_not_asked_again(chunks, length):
    """A transform has something left then, and the server asks once more; the iterator may wait for ever."""
    answers = [*chunks, StopIteration()]

    class Queued:
        def __iter__(self):
            return self

        def __next__(self):
            answer = answers.pop(0)  # the end is said once
            if isinstance(answer, StopIteration):
                raise answer
            return answer

    headers = [*TEXT, ("Content-Length", length)] if length else TEXT
    answer = serve(Stack(Upper()).wrap(app_of(Queued(), headers=headers)))
    assert (answer.error, answer.body) == (None, b"".join(chunks).upper())


def test_each_chunk_goes_out_before_the_next_is_asked_for():
    """One chunk in, one value out, also through transforms; nothing is pulled before the server asks."""
    body = Body([b"one", b"", b"two"])
    result, _ = call(Stack(Upper(), Witness(seen=[])).wrap(app_of(body)))
    values = iter(result)
    pulled = []
    for _ in range(3):
        pulled.append((body.pulled, next(values)))
    assert pulled == [(0, b"ON"), (1, b""), (2, b"ETW")]
    assert next(values) == b"O"


@pytest.mark.parametrize(("status", "before", "after"), [("204 No Content", "5", None), ("304 Not Modified", "5", "5")])
def test_content_length_without_content(status, before, after):
    """204 has no Content-Length; that of a 304 is of the representation and stays (RFC 9110 8.6)."""
    answer = serve(Stack(Headers(set={"X": "1"})).wrap(app_of([], status, [("Content-Length", before)])))
    assert answer.get("Content-Length") == after


@pytest.mark.parametrize(
    ("layers", "body", "length"),
    [([Headers(set={"X": "1"})], [b"one", b"two"], "6"), ([Upper()], [b"one"], None), ([Timing()], Body([b"x"]), None)],
    ids=["sized", "transformed", "stream"],
)
def test_a_head_has_the_length_of_get_where_it_is_known(layers, body, length):
    answer = serve(Stack(*layers).wrap(app_of(body)), method="HEAD")
    assert (answer.get("Content-Length"), answer.body) == (length, b"")


@pytest.mark.parametrize(("status", "method"), [("200 OK", "HEAD"), ("304 Not Modified", "GET")])
def test_content_that_is_not_sent_is_not_pulled(status, method):
    """A late head takes one step of the application to get, and no more are taken."""
    steps = []

    def app(environ, start_response):
        start_response(status, [])
        for step in range(3):
            steps.append(step)
            yield b"x"

    assert serve(Stack(Timing()).wrap(app), method=method, lint=False).body == b""
    assert steps == [0]


def test_head_of_an_empty_list_says_nothing_about_the_length():
    """An application that leaves the content out of a HEAD itself would get a wrong 0."""
    assert serve(Stack(Timing()).wrap(app_of([])), method="HEAD").get("Content-Length") is None


def test_a_list_with_a_close_of_its_own_is_closed_when_it_was_replaced():
    class Closing(list):
        closed = 0

        def close(self):
            Closing.closed += 1

    assert serve(Stack(Upper()).wrap(app_of(Closing([b"x"])))).body == b"X"
    assert Closing.closed == 1


# -- errors ----------------------------------------------------------------------------------------------------------


def test_an_error_is_logged_kept_and_answered_with_every_header(caplog):
    answer = serve(Stack(Timing(), Headers(set={"X-App": "1"})).wrap(SHAPES_BY_NAME["error-before-start"]))
    assert (answer.status, answer.body) == ("500 Internal Server Error", b"Internal Server Error\n")
    assert (answer.get("X-App"), answer.get("Content-Type")) == ("1", "text/plain; charset=utf-8")
    assert answer.get("Server-Timing")
    assert isinstance(answer.environ["middleware.exception"], Failure)
    [record] = caplog.records
    assert (record.name, record.levelname, record.exc_info[0]) == ("middleware", "ERROR", Failure)


SHAPES_BY_NAME = {shape.name: shape.make()[0] for shape in SHAPES if not shape.make()[1]}


def test_the_server_gets_the_error_with_a_500_only_if_that_replaces_a_head():
    """The body of a first head that comes with exc_info is dropped by uWSGI."""
    first = serve(Stack(Timing()).wrap(SHAPES_BY_NAME["error-before-start"]))
    waiting = serve(Stack(Upper()).wrap(app_of(Body([b"x"], fails_at=0))))
    replaced = serve(Stack(Timing()).wrap(app_of(Body([b"x"], fails_at=0))))
    assert [answer.status[:3] for answer in (first, waiting, replaced)] == ["500"] * 3
    assert [answer.heads for answer in (first, waiting, replaced)] == [1, 2, 2]
    assert [type(answer.exc_info) for answer in (first, waiting, replaced)] == [type(None), Failure, Failure]


@pytest.mark.parametrize(
    ("module", "clears"), [("gunicorn.http.wsgi", "headers"), ("cheroot.wsgi", "outheaders"), ("another", None)]
)
@pytest.mark.parametrize("layer", [Timing, Hooks, partial(Headers, set={"X": "1"})])
def test_a_server_that_appends_a_head_to_the_one_that_it_replaces_has_only_the_new_one(module, clears, layer):
    """Both gunicorn and cheroot do, and would send both as one; nothing of another server is touched.

    Nor does the length of the first limit the new body.
    """

    class Server:
        __module__ = module
        headers, outheaders = [], []
        response_length = remaining_bytes_out = 5
        req = property(lambda self: self)

        def start_response(self, status, headers, exc_info=None):
            self.headers += headers
            self.outheaders += headers

    server = Server()
    body = Stack(layer()).wrap(app_of(Body([b"x"], fails_at=0)))(environ(), server.start_response)
    assert [*body] == [b"Internal Server Error\n"]
    for name in ("headers", "outheaders"):
        types = [line for line in getattr(server, name) if line[0] == "Content-Type"]
        assert len(types) == (1 if name == clears else 2)
    assert server.response_length == server.remaining_bytes_out == (None if clears else 5)


@pytest.mark.parametrize("written", [b"", b"x"], ids=["nothing", "something"])
def test_a_head_that_comes_late_is_replaced_by_a_500_while_nothing_is_out(written):
    """In the same step of the body: the server has that head, and takes another only with exc_info."""

    def late(environ, start_response):
        start_response("200 OK", list(TEXT))(written)
        raise Failure("late")
        yield b""

    answer = serve(Stack(Headers(set={"X": "1"})).wrap(late))
    assert (answer.faults, type(answer.exc_info)) == ([], type(None) if written else Failure)
    assert (answer.status[:3], type(answer.error)) == (("200", Failure) if written else ("500", type(None)))


@pytest.mark.parametrize("where", ["request", "response"])
def test_an_error_in_a_layer_counts_as_the_applications(where, caplog):
    """Also the layers that the request has not reached put their headers on the 500; the one that fails does not."""
    layers = Headers(set={"X-Out": "1"}), Raises(where, "response"), Headers(set={"X-In": "1"})
    answer = serve(Stack(*layers).wrap(app_of([b"x"])))
    assert answer.status == "500 Internal Server Error"
    assert [answer.get(name) for name in ("X-Out", "X-In", "X-Half")] == ["1", "1", None]
    first, *others = [record.getMessage() for record in caplog.records]
    assert first == f"Exception on GET / in Raises.on_{where}"
    assert ["was left out" in other for other in others] == [True] * (where == "request")  # another error


def test_a_condition_that_fails_is_an_error_of_the_request():
    broken = Headers(set={"X-In": "1"}).when(lambda environ: environ["no such key"])
    answer = serve(Stack(Headers(set={"X-Out": "1"}), broken).wrap(app_of([b"x"])))
    assert (answer.status[:3], answer.get("X-Out"), answer.get("X-In")) == ("500", "1", None)


def test_a_condition_is_respected_on_a_500_before_its_layer():
    layers = Raises("request"), Headers(set={"X-No": "1"}).when(match.path("/no")), Headers(set={"X-Yes": "1"})
    answer = serve(Stack(*layers).wrap(app_of([b"x"])))
    assert (answer.get("X-No"), answer.get("X-Yes")) == (None, "1")


def test_a_condition_that_fails_on_a_500_leaves_its_layer_out(caplog):
    layers = (
        Raises("request"),
        Headers(set={"X-No": "1"}).when(lambda environ: environ["gone"]),
        Headers(set={"X": "1"}),
    )
    answer = serve(Stack(*layers).wrap(app_of([b"x"])))
    assert (answer.status[:3], answer.get("X-No"), answer.get("X")) == ("500", None, "1")
    assert "A condition failed on an error response" in caplog.text


def test_a_500_in_place_of_a_stream_passes_the_transforms_again():
    answer = serve(Stack(Upper()).wrap(app_of(Body([b"x"], fails_at=0), headers=[*TEXT, ("X-Old", "1")])))
    assert (answer.body, answer.get("X-Old"), answer.get("Content-Length")) == (b"INTERNAL SERVER ERROR\n", None, "22")


def test_a_transform_that_fails_is_an_error_of_the_request():
    class Breaks(Middleware):
        effects = Effects(rewrites_body=True)

        def on_response(self, environ, response):
            return self if response.status[0] == "2" else None

        def feed(self, chunk):
            raise Failure("feed")

    body = Body([b"x"])
    answer = serve(Stack(Headers(set={"X": "1"}), Breaks()).wrap(app_of(body)))
    assert (answer.status[:3], answer.get("X"), body.closed) == ("500", "1", 1)


def test_a_head_replaced_after_the_body_was_handed_on_keeps_its_content():
    """Alone, a layer that would transform only the second head is left out of it: the body is out of our hands."""

    class Second(Upper):
        effects = Effects()

        def on_response(self, environ, response):
            response.headers["X-Upper"] = "1"
            return super().on_response(environ, response) if response.status[0] == "5" else None

    answer = serve(Second(SHAPES_BY_NAME["head-replaced-in-the-body"]))
    assert (answer.status, answer.body, answer.get("X-Upper")) == ("503 Busy", b"onetwo", None)


def test_a_head_replaced_while_it_waits_is_shown_to_every_layer_again():
    layers = Headers(set={"X-Out": "1"}), Undeclared(), Headers(set={"X-In": "1"})
    answer = serve(Stack(*layers).wrap(SHAPES_BY_NAME["replaced-head"]))
    assert (answer.body, answer.get_all("X-In"), answer.get_all("X-Out")) == (b"ONETWO", ["1"], ["1"])


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
@pytest.mark.parametrize("shape", ["call", "body"])
def test_what_is_no_exception_is_never_swallowed(error, shape):
    def failing():
        raise error
        yield b""

    def app(environ, start_response):
        start_response("200 OK", list(TEXT))
        if shape == "call":
            raise error
        return failing()

    seen = []
    answer = serve(Stack(Witness(seen=seen)).wrap(app))
    assert type(answer.error) is error
    assert seen[-1] == ("close", error)


def test_a_server_that_has_sent_the_head_gets_the_error():
    """Some send it before there is content; their start_response raises what it is given."""

    def start_response(status, headers, exc_info=None):
        if exc_info:
            raise exc_info[1]

    seen = []
    result = Stack(Witness(seen=seen)).wrap(app_of(Body([b"x"], fails_at=0)))(environ(), start_response)
    with pytest.raises(Failure):
        next(iter(result))
    result.close()
    assert seen[-1] == ("close", Failure)


def test_a_server_that_refuses_the_500_gets_the_error():
    def start_response(status, headers, exc_info=None):
        raise Failure("no")

    seen, body = [], Body([b"x"])
    with pytest.raises(Failure):
        Stack(Witness(seen=seen)).wrap(app_of(body))(environ(), start_response)
    assert (seen[-1], body.closed) == (("close", Failure), 1)


@pytest.mark.parametrize("status", ["200 OK\r\nX-Evil: 1", "200 O\nK", "2xx", "99 Low"])
def test_a_status_that_would_split_the_response_is_an_error(status):
    answer = serve(Stack(Headers(set={"X": "1"})).wrap(app_of([b"x"], status)), lint=False)
    assert answer.status == "500 Internal Server Error"


@pytest.mark.parametrize("status", ["200 OK", "404 NOT FOUND", "299 Unusual", "418 I'm a teapot", "200 Tr\xe8s bien"])
def test_a_status_keeps_its_reason_phrase(status):
    assert serve(Stack(Headers(set={"X": "1"})).wrap(app_of([b"x"], status))).status == status


# -- the end -----------------------------------------------------------------------------------------------------------


def test_every_on_close_runs_and_the_first_error_is_raised():
    log = []
    layers = Named("A", log), Raises("close"), Named("B", log), Raises("close")
    answer = serve(Stack(*layers).wrap(app_of([b"x"])))
    assert log[-2:] == ["B over", "A over"]
    assert isinstance(answer.error, Failure)


class Renames(Middleware):
    """Assigns a status."""

    def __init__(self, status):
        super().__init__()
        self.status = status

    def on_response(self, environ, response):
        response.status = self.status


def early(status):
    return app_of([b"x"], status)


def late(status):
    def app(environ, start_response):
        start_response(status, TEXT)
        yield b"x"

    return app


def writing(status):
    def app(environ, start_response):
        start_response(status, TEXT)(b"x")
        return []

    return app


@pytest.mark.parametrize("status", ["OK", "", "abc def", "99 Low", None, 200, ["200 OK"]], ids=repr)
@pytest.mark.parametrize("by", [early, late, writing, Renames])
@pytest.mark.parametrize("on_error", ["respond", "raise"])
def test_a_malformed_status_is_an_error_of_which_every_on_close_is_told_once(status, by, on_error, caplog):
    seen = []

    class Tells(Middleware):
        def on_close(self, environ, error):
            seen.append((type(error), environ.get("middleware.status")))

    stack = Stack(Tells(), by(status), Tells()) if by is Renames else Stack(Tells(), Tells())
    answer = serve(stack.wrap(app_of([b"x"]) if by is Renames else by(status), on_error=on_error), lint=False)
    raised = isinstance(answer.error, (TypeError, ValueError))
    assert raised if on_error == "raise" else answer.status[:3] == "500"
    assert len(seen) == 2
    assert {told for _, told in seen} == ({500} if on_error == "respond" else {None})
    assert all(issubclass(kind, (TypeError, ValueError)) for kind, _ in seen)
    assert "on_close failed" not in caplog.text


class Feeds(Middleware):
    """Gives the body to a transform, which is two functions."""

    def __init__(self, feed, finish=bytes):
        super().__init__()
        self.feed, self.finish = feed, finish

    def on_response(self, environ, response):
        return self


def stops(_=None):
    return next(iter(()))


def nothing(_=None):
    return None


def keeps(_):
    return b""


SECOND = [
    Feeds(lambda chunk: stops() if chunk == b"2" else chunk),
    Feeds(lambda chunk: None if chunk == b"2" else chunk),
    Feeds(lambda chunk: chunk, stops),
    Feeds(lambda chunk: chunk, nothing),
]


@pytest.mark.parametrize("layer", [*SECOND, *(Stack(Headers(set={"X": "1"}), each) for each in SECOND)])
def test_a_transform_that_stops_or_returns_none_does_not_end_the_body(layer):
    """A body that ended there would look complete to clients and caches."""
    answer = serve(layer.wrap(app_of(iter([b"1", b"2", b"3"]))), lint=False)
    assert isinstance(answer.error, (RuntimeError, TypeError))
    assert answer.body in (b"1", b"123")


@pytest.mark.parametrize("layer", [Feeds(stops), Feeds(nothing), Feeds(keeps, stops), Feeds(keeps, nothing)])
@pytest.mark.parametrize("body", [[b"1"], [b"1", b"2"]])
@pytest.mark.parametrize("kind", [list, tuple, iter])
def test_before_any_content_that_is_a_500(layer, body, kind):
    assert serve(Stack(layer).wrap(app_of(kind(body))), lint=False).status[:3] == "500"


@pytest.mark.parametrize("layer", [Upper(), Witness(seen=[]), Hooks()])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_application_that_yields_none_has_not_ended_its_body(layer, place):
    pieces = [b"1", b"2"]
    pieces.insert(place, None)
    for app in (app_of(iter(pieces)), generator(pieces)):
        answer = serve(layer.wrap(app), lint=False)
        assert isinstance(answer.error or answer.environ["middleware.exception"], TypeError), pieces


def generator(pieces):
    def app(environ, start_response):
        start_response("200 OK", TEXT)
        yield from pieces

    return app


@pytest.mark.parametrize("kind", [list, iter])
def test_a_transform_is_fed_no_empty_chunk(kind):
    """Though an inner one keeps back the only chunk of a body."""
    fed = []
    outer, inner = Feeds(lambda chunk: fed.append(chunk) or chunk), Feeds(keeps)
    answer = serve(
        Stack(outer, inner).wrap(app_of(kind([b"one"]), headers=[*TEXT, ("Content-Length", "3")])), lint=False
    )
    assert (answer.status, answer.body, fed) == ("200 OK", b"", [])


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", "200 OK"), ("GET", "204 No Content"), ("GET", "304 Not Modified")]
)
@pytest.mark.parametrize("outer", [Headers(set={"X": "1"}), External(lambda app: app), Hooks()])
def test_content_that_is_not_sent_is_no_client_that_went_away(method, status, outer):
    """The outer pass, too, stops where no content is sent."""
    seen = []

    def app(environ, start_response):
        start_response(status, [])
        yield b"one"

    serve(Stack(outer).wrap(Stack(Witness(seen=seen)).wrap(app)), method=method, lint=False)
    assert seen[-1] == ("close", None)


def test_an_error_in_close_after_an_error_is_only_logged(caplog):
    """The error of the application is the one that the server gets; the other is in the log."""

    def app(environ, start_response):
        raise Failure("first")

    answer = serve(Stack(Raises("close")).wrap(app, on_error="raise"))
    assert str(answer.error) == "first"
    assert "on_close failed" in caplog.text


def test_a_body_given_up_for_a_500_is_closed_though_its_close_fails(caplog):
    body = Body([b"x"], fails_at=0, fails_to_close=True)
    assert serve(Stack(Timing()).wrap(app_of(body))).status[:3] == "500"
    assert (body.closed, "close() failed" in caplog.text) == (1, True)


def test_a_client_that_goes_away_is_no_good_end():
    seen = []
    serve(Stack(Witness(seen=seen)).wrap(app_of(Body([b"a", b"b"]))), stop_after=1)
    assert seen[-1] == ("close", GeneratorExit)


def test_on_close_is_told_the_error_that_an_inner_pass_has_answered():
    """An External splits the stack; what is answered inside is still told outside."""
    seen = []
    outer = External(lambda app: lambda environ, start_response: app(environ, start_response))
    serve(Stack(Witness(seen=seen), outer, Headers(set={"X": "1"})).wrap(SHAPES_BY_NAME["error-before-start"]))
    assert seen[-1] == ("close", Failure)


def test_an_environ_that_is_used_again_brings_no_old_error():
    seen = []
    shared = environ()
    for app in (SHAPES_BY_NAME["error-before-start"], app_of([b"x"])):
        result = Stack(Witness(seen=seen)).wrap(app)(shared, lambda status, headers, exc_info=None: None)
        list(result)
        result.close()
    assert [told for event, told in seen if event == "close"] == [Failure, None]


@pytest.mark.parametrize("inner", [[], [Headers(set={"X-A": "1"})], [Timing()], [Sees()], [Witness(seen=[])]])
def test_an_error_of_which_nothing_is_sent_is_not_told_outside(inner):
    """Something between two passes calls the inner one again after its 500, as for an error page or another try."""
    seen, tries = [], iter([Failure()])

    def app(environ, start_response):
        for error in tries:
            raise error
        return app_of([b"x"])(environ, start_response)

    def again(inside):
        def run(environ, start_response):
            body = inside(environ, lambda status, headers, exc_info=None: None)
            getattr(body, "close", list)()
            return inside(environ, start_response)

        return run

    answer = serve(Stack(Witness(seen=seen), External(again), *inner).wrap(app, waive="measure-outermost"), lint=False)
    assert (answer.status, seen[-1]) == ("200 OK", ("close", None))


class Streamed(Middleware):
    """Puts a stream in the place of the body."""

    effects = Effects(rewrites_body=True)

    def __init__(self, closed, *, fails=False):
        super().__init__()
        self.closed, self.fails = closed, fails

    def on_response(self, environ, response):
        response.body = self.chunks()
        del response.headers["Content-Length"]

    def chunks(self):
        try:
            if self.fails:
                raise Failure
            yield b"a new body, in"
            yield b" two pieces"
        finally:
            self.closed.append(1)


BODIES = {"list": list, "tuple": tuple, "stream": iter}
OUTSIDE = {
    "nothing": list,
    "a coding": lambda: [Gzip(minimum_size=1)],
    "a row": lambda: [Headers(set={"X-A": "1"})],
    "told": lambda: [Witness(seen=[])],
    "made": lambda: [Timing()],
    "a transform": lambda: [Upper()],
}


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize("outside", OUTSIDE)
@pytest.mark.parametrize("times", [1, 3])
def test_a_layer_may_put_a_stream_in_the_place_of_the_body(kind, outside, times):
    closed = []
    stack = Stack(*OUTSIDE[outside](), Streamed(closed))
    application = stack.wrap(lambda *call: app_of(BODIES[kind]([b"old"]))(*call), waive="measure-outermost")
    for _ in range(times):
        answer = serve(application)
        assert (answer.status, answer.get("Content-Length")) == ("200 OK", None)
        assert not hasattr(answer.result, "__len__")
        assert answer.body.lower() == b"a new body, in two pieces"
    assert len(closed) == times


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize("outside", OUTSIDE)
def test_where_that_stream_fails_the_500_is_sent_without_it(kind, outside, caplog):
    """Also on the 500 itself, which is logged once more, and not again and again."""
    seen = []
    stack = Stack(Witness(seen=seen), *OUTSIDE[outside](), Streamed([], fails=True))
    answer = serve(stack.wrap(app_of(BODIES[kind]([b"old"])), waive="measure-outermost"))
    assert (answer.status[:3], answer.error) == ("500", None)
    assert answer.body.lower() == b"internal server error\n"
    assert seen[-1] == ("close", Failure)
    assert len(caplog.records) == 2


def test_the_status_of_another_request_is_not_told():
    """Of an environ that is used again: the second request ends before the server gets a head."""
    told, shared = [], environ()

    class Tells(Middleware):
        def on_close(self, environ, error):
            told.append(environ.get("middleware.status"))

    for stack in (Stack(Tells()), Stack(Tells(), Raises("response"))):
        with suppress(Failure):
            body = stack.wrap(app_of([b"x"], "404 Not Found"), on_error="raise")(shared, lambda *_: None)
            body.close()
    assert told == [404, None]


def test_an_error_without_a_repr_is_answered_though_a_layer_fails_on_the_answer():
    class Silent(Exception):
        def __repr__(self):
            raise RuntimeError

    def app(environ, start_response):
        raise Silent

    answer = serve(Stack(Headers(set={"X-A": "1"}), Raises("response")).wrap(app))
    assert (answer.status[:3], answer.get("X-A")) == ("500", "1")


def test_the_bytes_that_went_out_are_counted():
    counted = []

    class Counts(Middleware):
        def on_close(self, environ, error):
            counted.append(environ["middleware.bytes_sent"])

    def writing(environ, start_response):
        start_response("200 OK", list(TEXT))(b"12345")
        return [b"678"]

    for app in (app_of([b"one", b"two"]), app_of(Body([b"one"])), writing, app_of(FileWrapper(io.BytesIO(b"x")))):
        serve(Stack(Counts()).wrap(app), lint=False)
    assert counted == [6, 3, 8, None]


def test_threads_share_a_stack_and_nothing_else():
    """Eight threads, held together at a barrier inside the application: each gets its own back."""
    barrier = threading.Barrier(8)

    def app(environ, start_response):
        start_response("200 OK", list(TEXT))
        barrier.wait(10)
        return iter([environ["test.id"].encode()])

    def own(environ, response):
        return environ["test.id"]

    wrapped = Stack(Timing(on_complete=lambda m: None), Headers(set={"X-Id": own}), Upper()).wrap(app)
    answers = {}

    def request(number):
        for turn in range(5):
            answer = serve(wrapped, **{"test.id": f"t{number}-{turn}"})
            answers[number, turn] = (answer.get("X-Id"), answer.body)

    threads = [threading.Thread(target=request, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == {
        (number, turn): (f"t{number}-{turn}", f"T{number}-{turn}".encode()) for number in range(8) for turn in range(5)
    }


# -- a head that is kept until the body is there ---------------------------------------------------------------------


class Waits(Middleware):
    """Wants to see the body, and tells what it saw."""

    effects = Effects(rewrites_body=True)

    def __init__(self, seen, transform=None):
        super().__init__()
        self.seen, self.transform = seen, transform

    def on_response(self, environ, response):
        self.seen.append((response.status[:3], response.body))
        response.headers["X-Waits"] = "1"
        return self.transform() if self.transform else None


def late_app(environ, start_response):
    start_response("200 OK", list(TEXT))
    yield b"one"
    yield b"two"


def streaming(environ, start_response):
    start_response("200 OK", list(TEXT))
    return Body([b"onetwo"])


def replacing(environ, start_response):
    """Replaces a head that waits."""
    start_response("200 OK", [*TEXT, ("X-Old", "1")])
    try:
        raise Failure
    except Failure:
        start_response("503 Busy", list(TEXT), sys.exc_info())
    return [b"onetwo"]


def writing(environ, start_response):
    write = start_response("200 OK", list(TEXT))
    write(b"one")
    write(b"two")
    return []


def failing(environ, start_response):
    start_response("200 OK", list(TEXT))
    raise Failure


BODY, STREAM, ERROR = [b"onetwo"], "stream", [b"Internal Server Error\n"]
QUICK, CAREFUL, HELD = (Sees(), Headers(set={"X": "1"})), (Witness(seen=[]),), (Undeclared(),)


@pytest.mark.parametrize("transform", [None, Uppercase], ids=["looks", "transforms"])
@pytest.mark.parametrize(
    "row",
    [
        (app_of(BODY), "GET", ("200", BODY)),
        (app_of(tuple(BODY)), "GET", ("200", BODY)),
        (streaming, "GET", ("200", STREAM)),
        (app_of(BODY), "HEAD", ("200", BODY)),
        (writing, "GET", ("200", STREAM)),
        (late_app, "GET", ("200", STREAM)),
        (replacing, "GET", ("503", BODY)),
        (failing, "GET", ("500", ERROR)),
        (app_of(BODY, "404 Not Found"), "GET", ("404", BODY)),
        (app_of(BODY, "299 Of Its Own"), "GET", ("299", BODY)),
    ],
    ids=["sized", "tuple", "stream", "head", "written", "late", "replaced", "failed", "404", "299"],
)
@pytest.mark.parametrize("outside", [QUICK, CAREFUL, HELD], ids=["quick", "careful", "held-outside"])
def test_a_layer_that_waits_sees_the_head_once_and_with_the_body(row, outside, transform):
    """Layers inside have seen it before, those outside see what it did."""
    app, method, expected = row
    seen, inside, after = [], [], []

    class After(Middleware):
        def on_response(self, environ, response):
            after.append(response.headers.get("X-Waits"))

    class Inside(Middleware):
        def on_response(self, environ, response):
            inside.append(response.status[:3])

    answer = serve(Stack(*outside, After(), Waits(seen, transform), Inside()).wrap(app), method=method, lint=False)
    [(status, body)] = seen
    assert body is not None
    assert (status, [*body] if isinstance(body, (list, tuple)) else STREAM) == expected
    assert (after, inside) == (["1"], [status])
    content = b"" if method == "HEAD" else b"".join(ERROR) if app is failing else b"onetwo"
    assert answer.body == (content.upper() if transform or outside is HELD else content)
    assert (answer.get_all("X-Waits"), answer.get("X-Old")) == (["1"], None)


@pytest.mark.parametrize("body", [[b"onetwo"], Body([b"onetwo"])], ids=["sized", "stream"])
def test_a_transform_that_nobody_has_announced_shows_the_head_to_nobody_twice(body):
    statuses = []

    class Seen(Middleware):
        def on_response(self, environ, response):
            statuses.append(response.status)

    answer = serve(Stack(Seen().named("outer"), Undeclared(), Seen()).wrap(app_of(body)))
    assert (answer.body, statuses) == (b"ONETWO", ["200 OK"] * 2)


WAYS = [Stack(Headers(set={"X": "1"})), Stack(Headers(set={"X": "1"}), Waits([])), Stack(*CAREFUL)]
every_way = pytest.mark.parametrize("stack", WAYS, ids=["quick", "waits", "careful"])


@every_way
def test_a_second_head_without_exc_info_is_an_error_of_the_application(stack):
    def twice(environ, start_response):
        start_response("200 OK", list(TEXT))
        start_response("201 Created", list(TEXT))
        return [b"x"]

    with pytest.raises(AssertionError, match="called again without exc_info"):
        call(stack.wrap(twice, on_error="raise"))


@every_way
def test_a_first_head_with_exc_info_reaches_the_server_with_it(stack):
    def told(environ, start_response):
        try:
            raise Failure
        except Failure:
            start_response("500 Oh", list(TEXT), sys.exc_info())
        return [b"sorry"]

    answer = serve(stack.wrap(told))
    assert (answer.status, answer.body, type(answer.exc_info)) == ("500 Oh", b"sorry", Failure)


def test_a_head_that_is_kept_reaches_the_server_once_and_with_it_the_layers():
    """A list, the most common body, is handed on as it is; of two layers that wait both see it."""
    one, two, body = [], [], [b"onetwo"]
    app = Stack(Waits(one), Headers(set={"X": "1"}), Waits(two)).wrap(app_of(body))
    result, heads = call(app)
    assert result is body
    assert (one, two) == ([("200", body)], [("200", body)])
    assert [(status, dict(lines)["X"]) for status, lines in heads] == [("200 OK", "1")]


def test_what_a_layer_that_waits_puts_in_place_of_a_list_is_transformed_further_out():
    """By one that has not said that it would."""

    class Replaces(Waits):
        def on_response(self, environ, response):
            super().on_response(environ, response)
            response.body = [b"three"]
            response.headers["Content-Length"] = "5"

    answer = serve(Stack(Undeclared(), Replaces([])).wrap(app_of([b"onetwo"])))
    assert (answer.body, answer.get("Content-Length")) == (b"THREE", "5")


class Marking:
    """Shows how often it was at work."""

    def feed(self, chunk):
        return b"" if chunk == b"kept" else b"<" + chunk + b">"

    def finish(self):
        return b"."


class Marks(Middleware):
    def on_response(self, environ, response):
        return Marking()


def test_a_head_that_is_replaced_while_it_waits_is_transformed_once():
    answer = serve(Stack(Marks()).wrap(replacing))
    assert (answer.status, answer.body) == ("503 Busy", b"<onetwo>.")


@pytest.mark.parametrize("unsent", [True, False], ids=["nothing-sent", "some-sent"])
def test_a_head_that_is_replaced_takes_its_transforms_with_it(unsent):
    """What they keep back is of the first response; the second passes through new ones, once."""

    def app(environ, start_response):
        start_response("200 OK", list(TEXT))
        yield b"kept" if unsent else b"sent"
        try:
            raise Failure
        except Failure:
            start_response("503 Busy", list(TEXT), sys.exc_info())
        yield b"busy"

    answer = serve(Stack(Marks()).wrap(app), lint=False)
    if unsent:
        assert (answer.status, answer.body, answer.error) == ("503 Busy", b"<busy>.", None)
    else:
        assert (answer.status, answer.body, type(answer.error)) == ("200 OK", b"<sent>", Failure)


def test_a_request_without_a_method_is_answered_as_any_other():
    """Against PEP 3333, but in tests of applications it happens."""
    heads = []
    app = Stack(Timing(), Headers(set={"X": "1"})).wrap(app_of([b"x"]))
    assert app({}, lambda status, headers, exc_info=None: heads.append(dict(headers)["X"])) == [b"x"]
    assert heads == ["1"]


@pytest.mark.parametrize("layers", [[Headers(set={"X-Set": "1"})], [Hooks()]], ids=["pipeline", "hooks"])
def test_write_is_true_even_if_there_is_no_header(layers):
    """Applications say `start_response(status, headers) and body`."""
    app = Stack(*layers).wrap(lambda environ, start_response: start_response("200 OK", []) and [b"body"])
    assert serve(app, lint=False).body == b"body"


def test_a_head_that_replaces_one_which_waits_need_not_wait():
    def app(environ, start_response):
        def body():
            try:
                raise Failure
            except Failure:
                start_response("200 OK", [("Content-Type", "image/png"), ("Content-Length", "3")], sys.exc_info())
            yield b"png"

        start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", "5000")])
        return body()

    answer = serve(Gzip(app), HTTP_ACCEPT_ENCODING="gzip", lint=False)
    assert (answer.body, answer.get("Content-Type"), answer.get("Content-Length")) == (b"png", "image/png", "3")

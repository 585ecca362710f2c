"""assert_wsgi_transparent: ours pass, and for each law there is a middleware that breaks it and is caught."""

from __future__ import annotations

import contextlib
import functools
import gc
import gzip
import itertools
import warnings

import pytest

from content_of import content
from layers_under_test import LAYERS, Witness, request, stack
from middleware import Compress, ConfigError, Effects, Gzip, Headers, Middleware, Stack
from middleware.testing import Answer, Breach, assert_wsgi_transparent, breaches, serve
from middleware.testing.laws import LAWS
from middleware.testing.shapes.definition import Failure
from middleware.testing.transparency import MATRIX, report


@pytest.fixture(autouse=True)
def _silent(caplog):
    caplog.set_level("CRITICAL", logger="middleware")


# -- what is transparent ---------------------------------------------------------------------------------------------

WATCHES = {"same-body": "it tells of the end of the response, and has to see it"}
# Unless its random padding is some: then there is something to send with the first chunk.
UNFLUSHED = dict.fromkeys(
    ("head-replaced-too-late", "error-mid-body", "error-after-write"),
    "it keeps the first chunk back, so that it is not too late for another head",
)
SKIPPED = {
    **dict.fromkeys(("timing-complete", "witness", "hooks-teardown", "hooks-between", "hooks-encoded"), WATCHES),
    **dict.fromkeys(("concurrency", "decompress-buffered"), WATCHES),
    **dict.fromkeys(("inspector", "inspector-alone", "request-id", "access-log", "metrics"), WATCHES),
    "gzip-unflushed": UNFLUSHED,
}


def forgetting(wrap):
    """The same, and the error that it was told of does not stay in the environ, whose frames lead back to that."""

    def middleware(app):
        wrapped = wrap(app)

        def run(environ, start_response):
            try:
                return wrapped(environ, start_response)
            finally:
                environ.pop("middleware.exception", None)

        return run

    return middleware


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("on_error", ["respond", "raise"])
def test_every_layer_is_transparent_but_for_what_it_does(name, on_error):
    wrap = functools.partial(stack(name).wrap, waive=("measure-outermost", "set-inside-read"), on_error=on_error)
    body = LAYERS[name][1]
    assert_wsgi_transparent(
        forgetting(wrap) if "hooks" in name else wrap,
        body=None if body is bytes else body,
        content=content if request(name) else None,
        answers_errors=on_error == "respond",
        environ=request(name),
        skip=SKIPPED.get(name),
    )


@pytest.mark.parametrize("name", [name for name in LAYERS if "hooks" in name])
def test_hooks_keep_the_error_of_a_replaced_head_without_a_cycle(name):
    assert not list(breaches(stack(name).wrap, answers_errors=True, skip=SKIPPED.get(name)))


@pytest.mark.parametrize("around", [Headers(set={"X-Out": "1"}), Witness(seen=[])], ids=["looks", "watches"])
def test_a_list_that_is_watched_further_in_stays_sized(around):
    inner = stack("hooks-teardown").wrap(
        lambda environ, start_response: start_response("200 OK", []) and [b"one", b"two"]
    )
    answer = serve(Stack(around).wrap(inner), lint=False)
    assert (len(answer.result), answer.body, answer.error) == (2, b"onetwo", None)


@pytest.mark.parametrize("layer", [Gzip(), Compress(codings="gzip", minimum_size=0)], ids=["gzip", "compress"])
def test_an_encoder_may_wait_for_one_chunk_before_its_head_and_its_decoder_may_refuse_a_part(layer):
    assert_wsgi_transparent(
        Stack(layer).wrap,
        content=lambda answer: gzip.decompress(answer.body) if answer.get("Content-Encoding") else answer.body,
        answers_errors=True,
        environ={"HTTP_ACCEPT_ENCODING": "gzip"},
    )


@pytest.mark.parametrize("error", [EOFError, ValueError])
@pytest.mark.parametrize("broken_off", [True, False])
def test_a_decoder_may_refuse_content_that_is_broken_off_by_that_error_alone(error, broken_off):
    def content(answer):
        if bool(answer.error) is broken_off:
            raise error
        return answer.body

    laws = {breach.law for breach in breaches(lambda app: app, content=content)}
    assert ("body" in laws) is not (broken_off and error is EOFError)


def test_no_middleware_at_all_is_transparent():
    assert_wsgi_transparent(lambda app: app)


def passing(app):
    """A generator, as middleware often is written: it starts late, and closes what it was given."""

    def run(environ, start_response):
        result = app(environ, start_response)
        try:
            yield from (chunk for chunk in result)
        finally:
            getattr(result, "close", int)()

    return run


def test_a_generator_that_closes_what_it_was_given_costs_the_server_what_it_knows_of_the_body():
    assert {breach.law for breach in breaches(passing)} == {"sized", "same-body", "file-wrapper"}


# -- the zoo: each breaks one law ------------------------------------------------------------------------------------

ZOO = []


def breaks(law, **options):
    """Register a middleware, (app, environ, start_response) -> iterable, under the law that it breaks."""

    def register(run):
        def middleware(app):
            return lambda environ, start_response: run(app, environ, start_response)

        ZOO.append(pytest.param(law, middleware, options, id=f"{law}-{run.__name__}"))
        return run

    return register


def starting(edit):
    """A start_response that passes on what `edit` makes of its arguments."""

    def around(app, environ, start_response):
        return app(environ, lambda *head: start_response(*edit(*head)))

    around.__name__ = edit.__name__
    return around


class Wrapping:
    """A body around a body."""

    def __init__(self, body):
        self.body, self.chunks = body, iter(body)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.chunks)

    def close(self):
        getattr(self.body, "close", int)()


@breaks("called")
def answers_by_itself(app, environ, start_response):
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    return [b"nothing here"]


@breaks("called")
def fails_at_once(app, environ, start_response):
    raise KeyError("no.such.key")


@breaks("called")
def asks_twice(app, environ, start_response):
    getattr(app(environ, lambda *head: len), "close", int)()
    return app(environ, start_response)


class Caches:
    """Answers each request for a path from the second on."""

    def __init__(self, app):
        self.app, self.kept = app, {}

    @classmethod
    def of(cls, app):
        return cls(app)

    def __call__(self, environ, start_response):
        path = environ["PATH_INFO"]
        if path not in self.kept:
            heads = []
            self.kept[path] = list(self.app(environ, lambda *head: heads.append(head) or len)), heads
        body, heads = self.kept[path]
        start_response(*heads[-1])
        return body


@breaks("raises")
def fails_after_the_application(app, environ, start_response):
    app(environ, start_response)
    raise KeyError("no.such.key")


@breaks("raises")
def asks_a_list_for_what_it_has_not(app, environ, start_response):
    result = app(environ, start_response)
    result.read()
    return result


@breaks("raises")
def fails_when_it_is_closed_early(app, environ, start_response):
    class Impatient(Wrapping):
        over = False

        def __next__(self):
            chunk = next(self.chunks, None)
            if chunk is None:
                self.over = True
                raise StopIteration
            return chunk

        def close(self):
            super().close()
            if not self.over:
                raise RuntimeError("not all was sent")

    return Impatient(app(environ, start_response))


@breaks("lint-outside")
@starting
def passes_the_lines_in_a_tuple(status, headers, *exc_info):
    return status, tuple(headers), *exc_info


@breaks("lint-inside")
def takes_the_server_from_the_environ(app, environ, start_response):
    del environ["SERVER_NAME"]
    return app(environ, start_response)


@breaks("head-once")
def starts_twice(app, environ, start_response):
    def start(status, headers, *exc_info):
        start_response(status, headers, *exc_info)
        return start_response(status, headers, *exc_info)

    return app(environ, start)


@breaks("head-once")
@starting
def drops_exc_info(status, headers, *exc_info):
    return status, headers


@breaks("head-first")
def sends_before_the_head(app, environ, start_response):
    yield b"<"
    yield from app(environ, start_response)


@breaks("head-first")
def keeps_the_head_of_an_empty_body(app, environ, start_response):
    heads = []
    for chunk in app(environ, lambda *head: heads.append(head) or len):
        if heads:
            start_response(*heads.pop())
        yield chunk


@breaks("status")
@starting
def makes_all_200(status, headers, *exc_info):
    return "200 OK", headers, *exc_info


@breaks("fields")
@starting
def makes_a_dict_of_lines(status, headers, *exc_info):
    return status, list(dict(headers).items()), *exc_info


@breaks("fields")
@starting
def sorts_the_lines(status, headers, *exc_info):
    return status, sorted(headers), *exc_info


@breaks("fields")
@starting
def sends_every_line_twice(status, headers, *exc_info):
    return status, [line for line in headers for _ in range(2)], *exc_info


@breaks("fields")
@starting
def sends_all_as_html(status, headers, *exc_info):
    return status, [(name, "text/html" if name == "Content-Type" else value) for name, value in headers], *exc_info


@breaks("fields")
@starting
def drops_entity_tags(status, headers, *exc_info):
    return status, [line for line in headers if line[0] != "ETag"], *exc_info


@breaks("fields")
@starting
def sends_numbers(status, headers, *exc_info):
    return status, [*headers, ("Content-Length", 6)], *exc_info


@breaks("fields")
@starting
def sends_lines_of_three(status, headers, *exc_info):
    return status, [(*line, "") for line in headers], *exc_info


@breaks("fields")
@starting
def sends_no_list(status, headers, *exc_info):
    return status, None, *exc_info


@breaks("header-list")
@starting
def adds_to_the_applications_list(status, headers, *exc_info):
    headers.append(("X-Mine", "1"))
    return status, headers, *exc_info


@breaks("replaced-head")
def keeps_to_the_first_head(app, environ, start_response):
    writes = []

    def start(status, headers, *exc_info):
        if not writes:
            writes.append(start_response(status, headers))
        return writes[0]

    return app(environ, start)


@breaks("replaced-head")
def adds_the_lines_of_both_heads(app, environ, start_response):
    lines = []

    def start(status, headers, *exc_info):
        lines.extend(headers)
        return start_response(status, list(lines), *exc_info)

    return app(environ, start)


@breaks("exc-info")
def takes_exc_info_for_itself(app, environ, start_response):
    def start(status, headers, exc_info=None):
        return len if exc_info else start_response(status, headers)

    return app(environ, start)


@breaks("error")
def answers_errors_unasked(app, environ, start_response):
    try:
        return app(environ, start_response)
    except Exception:  # noqa: BLE001 - that is the fault
        start_response("500 Oops", [("Content-Type", "text/plain")])
        return [b"oops"]


@breaks("error", answers_errors=True)
def leaves_errors_to_others(app, environ, start_response):
    return app(environ, start_response)


@breaks("late-error")
def ends_quietly(app, environ, start_response):
    class Quiet(Wrapping):
        def __next__(self):
            try:
                return super().__next__()
            except StopIteration:
                raise
            except Exception:  # noqa: BLE001
                raise StopIteration from None

    return Quiet(app(environ, start_response))


@breaks("close-error")
def closes_quietly(app, environ, start_response):
    class Quiet(Wrapping):
        def close(self):
            with contextlib.suppress(Exception):
                super().close()

    return Quiet(app(environ, start_response))


@breaks("body")
def sends_all_twice(app, environ, start_response):
    return [chunk * 2 for chunk in app(environ, start_response)]


@breaks("body")
def sends_text(app, environ, start_response):
    return [chunk.decode() for chunk in app(environ, start_response)]


@breaks("body")
def writes_text(app, environ, start_response):
    def start(*head):
        write = start_response(*head)
        return lambda data: write(data.decode())

    return app(environ, start)


@breaks("body", body=bytes.upper)
def does_not_do_what_is_said_of_it(app, environ, start_response):
    return app(environ, start_response)


@breaks("body", content=lambda answer: bytes.fromhex(answer.body.decode()))
def does_not_encode_as_is_said_of_it(app, environ, start_response):
    return app(environ, start_response)


@breaks("write")
def swallows_write(app, environ, start_response):
    return app(environ, lambda *head: start_response(*head) and len)


@breaks("write")
def sends_what_was_written_last(app, environ, start_response):
    written = []
    yield from app(environ, lambda *head: start_response(*head) and written.append)
    yield from written


@breaks("no-content")
def signs_every_response(app, environ, start_response):
    return [*app(environ, start_response), b"signed"]


@breaks("length")
def appends_and_leaves_the_length(app, environ, start_response):
    return [*app(environ, start_response), b"!"]


def without_content(*statuses):
    """Edit of a head: Content-Length 0 in responses of these statuses."""

    def edit(status, headers, *exc_info):
        added = [("Content-Length", "0")] if status[:3] in statuses else []
        return status, [*headers, *added], *exc_info

    edit.__name__ = f"gives_a_length_to_{'_'.join(statuses)}"
    return starting(edit)


breaks("length")(without_content("101"))
breaks("length")(without_content("204"))
breaks("head-length")(without_content("304"))


@breaks("head-length")
def finds_no_content_in_head(app, environ, start_response):
    def start(status, headers, *exc_info):
        added = [("Content-Length", "0")] if environ["REQUEST_METHOD"] == "HEAD" and len(headers) == 1 else []
        return start_response(status, [*headers, *added], *exc_info)

    return app(environ, start)


@breaks("head-length")
def measures_a_body_that_is_not_there(app, environ, start_response):
    heads = []
    body = list(app(environ, lambda *head: heads.append(head) or len))
    lines = [line for line in heads[-1][1] if line[0] != "Content-Length"]
    start_response(heads[-1][0], [*lines, ("Content-Length", str(sum(map(len, body))))], *heads[-1][2:])
    return body


@breaks("sized")
@breaks("file-wrapper")
def makes_an_iterator_of_all(app, environ, start_response):
    return Wrapping(app(environ, start_response))


class OfOne(Wrapping):
    """Claims to have one chunk."""

    def __len__(self):
        return 1


@breaks("sized")
def counts_every_list_as_one(app, environ, start_response):
    result = app(environ, start_response)
    return OfOne(result) if isinstance(result, (list, tuple)) else result


@breaks("sized")
def counts_every_stream_as_one(app, environ, start_response):
    result = app(environ, start_response)
    return result if isinstance(result, (list, tuple)) else OfOne(result)


class Uncountable(Wrapping):
    """Has len(), which the body inside does not have."""

    def __len__(self):
        return len(self.chunks)


@breaks("sized")
def asks_an_iterator_for_its_length(app, environ, start_response):
    return Uncountable(app(environ, start_response))


@breaks("same-body")
def copies_lists(app, environ, start_response):
    result = app(environ, start_response)
    return list(result) if isinstance(result, (list, tuple)) else result


@breaks("blocks")
def reads_all_at_once(app, environ, start_response):
    return [b"".join(app(environ, start_response))]


@breaks("blocks")
def looks_at_the_first_chunk(app, environ, start_response):
    class Peeked(Wrapping):
        def __init__(self, body):
            super().__init__(body)
            self.chunks = itertools.chain([next(self.chunks, b"")], self.chunks)

    return Peeked(app(environ, start_response))


@breaks("blocks")
def waits_for_two_before_the_head(app, environ, start_response):
    heads = []
    body = Wrapping(app(environ, lambda *head: heads.append(head) or len))
    body.chunks = itertools.chain([next(body.chunks, b"") for _ in range(2)], body.chunks)
    start_response(*heads[-1])
    return body


@breaks("blocks")
def waits_for_what_is_worth_sending(app, environ, start_response):
    class Waiting(Wrapping):
        def __next__(self):
            return next(filter(None, self.chunks))

    return Waiting(app(environ, start_response))


@breaks("blocks")
def waits_for_two(app, environ, start_response):
    class Pairs(Wrapping):
        def __next__(self):
            return next(self.chunks) + next(self.chunks, b"")

    return Pairs(app(environ, start_response))


@breaks("ended")
def asks_for_more_after_the_end(app, environ, start_response):
    class Asking(Wrapping):
        def __next__(self):
            chunk = next(self.chunks, None)
            if chunk is None:
                next(self.chunks, None)
                raise StopIteration
            return chunk

    return Asking(app(environ, start_response))


@breaks("close")
def closes_only_what_was_begun(app, environ, start_response):
    """A generator that is never started does not run its `finally`."""

    def chunks(result):
        try:
            yield from (chunk for chunk in result)
        finally:
            getattr(result, "close", int)()

    return chunks(app(environ, start_response))


@breaks("close")
def drops_close(app, environ, start_response):
    return (chunk for chunk in app(environ, start_response))


class Twice(Wrapping):
    def close(self):
        super().close()
        super().close()


@breaks("close")
def closes_twice(app, environ, start_response):
    return Twice(app(environ, start_response))


@breaks("close")
def closes_at_the_end_only(app, environ, start_response):
    class Ends(Wrapping):
        def __next__(self):
            try:
                return super().__next__()
            except StopIteration:
                super().close()
                raise

        def close(self):
            pass

    return Ends(app(environ, start_response))


@breaks("close")
def closes_at_the_end_and_when_asked(app, environ, start_response):
    class Ends(Wrapping):
        def __next__(self):
            try:
                return super().__next__()
            except StopIteration:
                self.close()
                raise

    return Ends(app(environ, start_response))


@breaks("close")
def closes_unless_the_client_goes_away(app, environ, start_response):
    class Ends(Wrapping):
        def __next__(self):
            try:
                return super().__next__()
            except BaseException:
                super().close()
                raise

        def close(self):
            pass

    return Ends(app(environ, start_response))


@breaks("environ")
def copies_the_environ(app, environ, start_response):
    return app(dict(environ), start_response)


@breaks("method")
def makes_get_of_head(app, environ, start_response):
    environ["REQUEST_METHOD"] = "GET"
    return app(environ, start_response)


def changing(key, change):
    """A middleware whose application finds another value of a key in the environ, or none."""

    def around(app, environ, start_response):
        given = environ.pop(key, "")
        if change is not None:
            environ[key] = change(given)
        return app(environ, start_response)

    around.__name__ = f"changes_{key}"
    return around


# Each with the laws that it breaks besides.
CHANGED = {
    changing("QUERY_STRING", lambda given: ""): set(),
    changing("SCRIPT_NAME", lambda given: "/elsewhere"): set(),
    changing("PATH_INFO", lambda given: "/elsewhere"): {"state"},  # two requests get the response of one
    changing("wsgi.url_scheme", lambda given: "https"): set(),
    changing("HTTP_HOST", lambda given: "other.example"): set(),
    changing("CONTENT_TYPE", None): set(),
    changing("CONTENT_LENGTH", None): {"input"},
}
for each in CHANGED:
    breaks("request")(each)


@breaks("input")
def reads_the_request(app, environ, start_response):
    environ["wsgi.input"].read(100)
    return app(environ, start_response)


@breaks("request")
def empties_the_query_of_get(app, environ, start_response):
    if environ["REQUEST_METHOD"] == "GET":
        environ["QUERY_STRING"] = ""
    return app(environ, start_response)


class Input:
    """A wsgi.input around another, on which one way of reading finds nothing."""

    def __init__(self, given, fault):
        self.given, self.fault = given, fault

    def __iter__(self):
        return iter(() if self.fault == "iteration" else self.given)

    def __getattr__(self, name):
        if name == self.fault == "readlines":
            return lambda *size: []
        return (lambda *size: b"") if name == self.fault else getattr(self.given, name)


def reading(fault):
    """A middleware whose wsgi.input has that fault."""
    around = changing("wsgi.input", lambda given: Input(given, fault))
    around.__name__ = f"loses_what_is_read_by_{fault}"
    return around


INPUTS = [reading(fault) for fault in ("read", "readline", "readlines", "iteration")]
for each in INPUTS:
    breaks("input")(each)


class OnlyRead:
    """A wsgi.input that has read() alone."""

    def __init__(self, given):
        self.read = given.read


@breaks("input")
def knows_only_read(app, environ, start_response):
    environ["wsgi.input"] = OnlyRead(environ["wsgi.input"])
    return app(environ, start_response)


@breaks("cycles")
def keeps_itself(app, environ, start_response):
    kept = [environ]
    kept.append(kept)
    return app(environ, start_response)


class KeepsTheServer:
    """One start_response for all requests."""

    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        self.start_response = start_response
        return self.app(environ, lambda *head: self.start_response(*head))


class KeepsTheBody:
    """One body for all requests, which the second finds at its end."""

    def __init__(self, app):
        self.app, self.body = app, None

    def __call__(self, environ, start_response):
        self.body = self.app(environ, start_response)
        return self

    def __iter__(self):
        return self

    def __next__(self):
        self.chunks = getattr(self, "chunks", None) or iter(self.body)
        return next(self.chunks)

    def close(self):
        getattr(self.body, "close", int)()


class KeepsLines:
    """One list of lines, to which each request adds."""

    def __init__(self, app):
        self.app, self.lines = app, []

    def __call__(self, environ, start_response):
        self.lines.append(("X-Seen", "1"))
        return self.app(environ, lambda status, headers, *exc: start_response(status, headers + self.lines, *exc))


class KeepsCount:
    """Fails for the second request that runs."""

    def __init__(self, app):
        self.app, self.running = app, 0

    def __call__(self, environ, start_response):
        self.running += 1
        if self.running > 1:
            raise RuntimeError("one at a time")
        return self.app(environ, start_response)


class KeepsStatus:
    """Sends another status to every request after the first."""

    def __init__(self, app):
        self.app, self.statuses = app, []

    def __call__(self, environ, start_response):
        def start(status, *rest):
            self.statuses.append(status)
            return start_response("202 Again" if len(self.statuses) > 1 else status, *rest)

        return self.app(environ, start)


class KeepsContent:
    """Adds to the content of every request after the first."""

    def __init__(self, app):
        self.app, self.requests = app, 0

    def __call__(self, environ, start_response):
        self.requests += 1
        return [*self.app(environ, start_response), *[b"!"] * (self.requests - 1)]


ZOO.append(pytest.param("called", Caches, {}, id="Caches"))
ZOO += [
    pytest.param("state", kind, {}, id=kind.__name__)
    for kind in (KeepsTheServer, KeepsTheBody, KeepsLines, KeepsCount, KeepsStatus, KeepsContent)
]


@pytest.mark.parametrize(("law", "middleware", "options"), ZOO)
def test_a_middleware_that_breaks_a_law_is_caught_with_its_sentence(law, middleware, options):
    with pytest.raises(AssertionError) as caught:
        assert_wsgi_transparent(middleware, **options)
    assert f"\n{law}: {LAWS[law].sentence} [{LAWS[law].source}]\n    application  " in str(caught.value)


def test_every_law_has_one_that_breaks_it():
    assert {param.values[0] for param in ZOO} == set(LAWS)


@pytest.mark.parametrize(
    ("middleware", "laws"),
    [
        (drops_close, {"sized", "same-body", "file-wrapper", "close", "close-error"}),
        (closes_only_what_was_begun, {"sized", "same-body", "file-wrapper", "close"}),
        (copies_lists, {"same-body"}),
        (drops_exc_info, {"head-once", "exc-info"}),
        (adds_to_the_applications_list, {"header-list"}),
        (copies_the_environ, {"environ"}),
        (makes_get_of_head, {"method"}),
        (makes_a_dict_of_lines, {"fields"}),
        (swallows_write, {"write"}),
        (reads_the_request, {"input"}),
        (keeps_itself, {"cycles"}),
        (closes_twice, {"close", "sized", "same-body", "file-wrapper"}),
        (sends_all_as_html, {"fields"}),
        (drops_entity_tags, {"fields"}),
        (without_content("101"), {"length"}),
        (without_content("204"), {"length"}),
        (without_content("304"), {"head-length"}),
        (finds_no_content_in_head, {"head-length"}),
        (counts_every_list_as_one, {"sized", "same-body"}),
        (counts_every_stream_as_one, {"sized", "file-wrapper"}),
        (asks_an_iterator_for_its_length, {"sized", "same-body", "file-wrapper"}),
        *((around, {"request", *besides}) for around, besides in CHANGED.items()),
        *((around, {"input"}) for around in INPUTS),
        (knows_only_read, {"input", "lint-inside"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_breaks_little_is_blamed_for_little(middleware, laws):
    """So that a report leads to the fault, and to nothing that follows from it."""
    found = breaches(lambda app: lambda environ, start_response: middleware(app, environ, start_response))
    assert {breach.law for breach in found} == laws


@pytest.mark.parametrize(("middleware", "law"), [(KeepsStatus, "state"), (KeepsContent, "state"), (Caches, "called")])
def test_a_second_request_is_compared_with_the_first(middleware, law):
    found = [breach for breach in breaches(middleware) if breach.case.startswith("the same request twice")]
    assert {breach.law for breach in found} == {law}


class AfterALateHead(Wrapping):
    """Goes wrong where the head comes out of the body: hides an error, before content or after it, or drops write()."""

    def __init__(self, app, environ, start_response, fault):
        self.heads, self.sent, self.fault, self.start_response = [], False, fault, start_response
        self.called = False
        super().__init__(app(environ, self.start))
        self.called = True

    def start(self, *head):
        write = self.start_response(*head)
        self.heads.append(self.called)
        return len if self.heads[0] and self.fault == "write" else write

    def __next__(self):
        try:
            chunk = super().__next__()
        except Failure:
            if self.heads[:1] != [True] or self.fault != ("after" if self.sent else "before"):
                raise
            raise StopIteration from None
        self.sent = True
        return chunk


@pytest.mark.parametrize(
    ("fault", "law", "shape"),
    [
        ("before", "error", "error-after-a-late-start"),
        ("after", "late-error", "error-mid-body-after-a-late-start"),
        ("write", "write", "written-after-a-late-start"),
    ],
)
def test_what_goes_wrong_after_a_late_head_alone_is_seen_by_one_shape(fault, law, shape):
    def middleware(app):
        return lambda environ, start_response: AfterALateHead(app, environ, start_response, fault)

    of_bodies = dict.fromkeys(("sized", "same-body", "file-wrapper", "cycles"), "it makes an iterator of all")
    found = breaches(middleware, skip=of_bodies)
    assert {(breach.law, breach.case.partition(":")[0]) for breach in found} == {(law, shape)}


@pytest.mark.parametrize("shape", ["iterator-that-ends-once", "iterator-without-content", "iterator-with-length"])
def test_an_iterator_that_is_asked_again_after_its_end_is_told_of_by_name(shape):
    found = breaches(
        lambda app: lambda environ, start_response: asks_for_more_after_the_end(app, environ, start_response)
    )
    assert {"ended", "raises"} <= {breach.law for breach in found if breach.case.startswith(f"{shape}:")}


# -- options ---------------------------------------------------------------------------------------------------------


def test_a_status_may_be_changed_on_purpose():
    def teapot(app):
        def run(environ, start_response):
            return app(environ, lambda status, *rest: start_response(status.replace("503 Busy", "418 Teapot"), *rest))

        return run

    assert_wsgi_transparent(teapot, statuses={"503 Busy": "418 Teapot"})
    assert {breach.law for breach in breaches(teapot)} == {"replaced-head"}


class Footed:
    """A transform that adds to the content."""

    def feed(self, chunk):
        return chunk

    def finish(self):
        return b"!"


class Footer(Middleware):
    effects = Effects(rewrites_body=True)

    def on_response(self, environ, response):
        return Footed()


def footer_by_hand(app):
    """Adds to the 200s of GET, and passes on any other content, which the server drops."""

    def run(environ, start_response):
        heads = []
        chunks = [*app(environ, lambda *head: heads.append(head))]
        start_response(*heads[-1])
        return [*chunks, b"!"] if (environ["REQUEST_METHOD"], heads[-1][0]) == ("GET", "200 OK") else chunks

    return run


def test_a_response_without_content_is_owed_none_of_a_middleware_that_changes_content():
    assert_wsgi_transparent(Footer().wrap, body=lambda content: content + b"!")
    found = breaches(footer_by_hand, body=lambda content: content + b"!")
    assert "no-content" not in {breach.law for breach in found}


@pytest.mark.parametrize(
    ("options", "held"),
    [
        ({}, {"Content-Type", "ETag"}),
        ({"content": lambda answer: answer.body}, {"Content-Type"}),
        ({"body": bytes.upper}, set()),
    ],
    ids=["unchanged", "encoded", "rewritten"],
)
def test_the_fields_that_describe_the_content_may_change_with_it_and_no_others(options, held):
    def middleware(app):
        def start_with(start_response):
            return lambda status, headers, *exc_info: start_response(
                status, [line for line in headers if line[0] not in ("Content-Type", "ETag")], *exc_info
            )

        return lambda environ, start_response: app(environ, start_with(start_response))

    lost = [breach.owed for breach in breaches(middleware, **options) if breach.law == "fields"]
    assert {name for name in ("Content-Type", "ETag") if f"('{name}'" in "".join(lost)} == held


@pytest.mark.parametrize(("content", "laws"), [(None, {"head-length"}), (lambda answer: answer.body, set())])
def test_the_length_of_encoded_content_is_not_known_for_a_head(content, laws):
    def middleware(app):
        def start_with(environ, start_response):
            def start(status, headers, *exc_info):
                added = [("Content-Length", "1")] if environ["REQUEST_METHOD"] == "HEAD" and len(headers) == 1 else []
                return start_response(status, [*headers, *added], *exc_info)

            return start

        return lambda environ, start_response: app(environ, start_with(environ, start_response))

    assert {breach.law for breach in breaches(middleware, content=content)} == laws


def test_a_law_or_a_shape_is_skipped_with_a_reason():
    def copies(app):
        return lambda environ, start_response: copies_lists(app, environ, start_response)

    assert_wsgi_transparent(copies, skip={"same-body": "it looks into them"})
    assert {breach.case.partition(":")[0] for breach in breaches(copies, skip={"sized-list": "just so"})} == {
        "one-item-tuple",
        "list-with-length",
        "empty-list",
        "replaced-head",
    }


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"skip": {"file-wraper": "typo"}}, "skip: names of laws and shapes (blocks, body, called"),
        ({"skip": {"close": " "}}, "skip['close']: a reason, in words; got ' '"),
        ({"skip": {"close": 1}}, "skip['close']: a reason, in words; got 1"),
        ({"body": "upper"}, "body: a callable that returns bytes; got 'upper'"),
        ({"content": 1}, "content: a callable that returns bytes; got 1"),
        ({"skip": ["sized"]}, "skip: a mapping of names to reasons; got ['sized']"),
        ({"skip": []}, "skip: a mapping of names to reasons; got []"),
        ({"skip": {1: "why"}}, "shapes ("),
        ({"statuses": [1]}, "statuses: a mapping of str to str; got [1]"),
        ({"statuses": {"200 OK": 201}}, "statuses: a mapping of str to str; got {'200 OK': 201}"),
        ({"statuses": {200: "200 OK"}}, "statuses: a mapping of str to str; got {200: '200 OK'}"),
        ({"environ": 5}, "environ: a mapping of keys of a request to their values; got 5"),
        ({"environ": {1: "1"}}, "environ: a mapping of keys of a request to their values; got {1: '1'}"),
        ({"environ": {"method": "POST"}}, "to their values; got {'method': 'POST'}"),
        ({"answers_errors": "yes"}, "answers_errors: True or False; got 'yes'"),
        ({"middleware": None}, "middleware: a callable application -> application; got None"),
    ],
)
def test_a_wrong_option_is_an_error(options, said):
    given = {"middleware": lambda app: app, **options}
    for call in (assert_wsgi_transparent, breaches):
        with pytest.raises(ConfigError) as caught:
            call(**given)
        assert said in str(caught.value)


def test_the_environ_of_a_request_has_what_it_is_given():
    seen = set()

    def spying(app):
        def run(environ, start_response):
            seen.add(environ.get("HTTP_X"))
            return app(environ, start_response)

        return run

    assert_wsgi_transparent(spying, environ={"HTTP_X": "1"})
    assert seen == {"1"}


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("frozen", [True, False])
def test_the_collector_is_left_as_it_was(enabled, frozen):
    (gc.enable if enabled else gc.disable)()
    (gc.freeze if frozen else gc.unfreeze)()
    try:
        assert_wsgi_transparent(lambda app: app)
        assert gc.isenabled() == enabled
        assert (gc.get_freeze_count() != 0) == frozen
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()  # as conftest.py does


# -- the report ------------------------------------------------------------------------------------------------------


def test_a_report_names_middleware_law_source_application_seen_and_owed():
    class Careless:
        def __init__(self, app):
            self.app = app

    found = [Breach("close", f"shape-{number}: does this", "nothing", "once") for number in range(5)]
    found.append(Breach("status", "shape-9: does that", "'200'", "'201'"))
    name = Careless.__qualname__
    assert report(Careless, found).splitlines() == [
        f"{name} is not transparent: it breaks 2 laws",
        "",
        'status: The status stays. [PEP 3333 "The start_response() Callable"]',
        "    application  shape-9: does that",
        "        seen     '200'",
        "        owed     '201'",
        "",
        'close: close() of the application\'s iterable is called, and once. [PEP 3333 "Specification Details"]',
        *["    application  shape-0: does this", "        seen     nothing", "        owed     once"],
        *["    application  shape-1: does this", "        seen     nothing", "        owed     once"],
        *["    application  shape-2: does this", "        seen     nothing", "        owed     once"],
        "    and so with  shape-3, shape-4",
    ]


def test_a_report_names_an_object_by_its_repr_and_counts_one_law():
    first = report(functools.partial(int), [Breach("status", "a: b", "c", "d")]).splitlines()[0]
    assert first == "functools.partial(<class 'int'>) is not transparent: it breaks 1 law"


@pytest.mark.parametrize(
    ("middleware", "name"),
    [
        (Headers(set={"X-Set": "1"}).wrap, "Headers(set={'X-Set': '1'})"),
        (Stack(Headers(set={"X-Set": "1"}), Gzip()).wrap, "Stack(Headers(set={'X-Set': '1'}), Gzip())"),
        (Caches.of, "Caches.of"),
    ],
)
def test_a_report_names_the_object_of_a_bound_method_or_the_method_of_a_class(middleware, name):
    first = report(middleware, [Breach("status", "a: b", "c", "d")]).splitlines()[0]
    assert first == f"{name} is not transparent: it breaks 1 law"


def test_an_unexpected_error_is_told_with_the_line_that_raised_it():
    [breach, *_] = breaches(lambda app: lambda environ, start_response: fails_at_once(app, environ, start_response))
    assert breach.seen.startswith("KeyError('no.such.key') (")
    assert __file__ in breach.seen


def test_every_shape_says_what_it_does_and_is_there_once():
    assert all(shape.says for shape in MATRIX)
    assert len({shape.name for shape in MATRIX}) == len(MATRIX) > 30


def test_an_answer_has_its_fields_by_name_in_any_case():
    answer = Answer(headers=[("X-One", "1"), ("x-one", "2")])
    assert (answer.get("X-ONE"), answer.get_all("x-One"), answer.get("X-Two")) == ("1", ["1", "2"], None)


def test_nothing_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_wsgi_transparent(lambda app: app)

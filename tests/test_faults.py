"""Faults at every step of an application, of a server and of a layer: whoever fails, everybody is told once.

A Fuse stands at each step and blows at one of them. First a run without a fault counts the steps; then there is a run
for each. What has to hold is written once, in `laws`.
"""

from __future__ import annotations

import io
import itertools
import sys

import pytest

from content_of import decode
from gateway import Answer, environ
from middleware import CORS, Compress, External, Headers, Hooks, Middleware, SecurityHeaders, Stack, Timing
from shapes import TEXT, Failure

ORIGIN = "https://app.example"
PIECES = [b"one piece of a text, of several\n" * 64, b"", b"two", b"three"]
WHOLE = b"".join(PIECES)
POLICY = {"X-App": "1", "X-Content-Type-Options": "nosniff", "Access-Control-Allow-Origin": ORIGIN}
ERRORS = [Failure, MemoryError, KeyboardInterrupt, SystemExit, GeneratorExit]
# Accept-Encoding and method of a request
WAYS = [(None, "GET"), ("gzip", "GET"), ("br", "GET"), ("zstd", "GET"), (None, "HEAD"), ("gzip", "HEAD")]
WAIVED = ("measure-outermost", "set-inside-read")

failing = pytest.mark.parametrize("error", ERRORS)


@pytest.fixture(autouse=True)
def _silent(caplog):
    caplog.set_level("CRITICAL", logger="middleware")


class Fuse:
    """Counts steps, and raises at one of them.

    Attributes:
        steps: what happened.
        sent: whether content went out before the fault.
    """

    def __init__(self):
        self.arm(None, None)

    def arm(self, at, error, *, stays=False, also=None):
        """Start over, and raise `error` at that step, and again at the same call if it `stays`; `also` in close()."""
        self.at, self.error, self.stays, self.also = at, error, stays, also
        self.steps, self.sent = [], False

    def __call__(self, step):
        place = len(self.steps)
        self.steps.append(step)
        if (
            self.at is not None
            and place >= self.at
            and (place == self.at or (self.stays and step == self.steps[self.at]))
        ):
            raise self.error
        if step == "close" and self.also is not None:
            raise self.also

    def note(self, piece):
        """Note that this piece goes out, if the fault is still to come."""
        self.sent = self.sent or (bool(piece) and self.at is not None and len(self.steps) <= self.at)


class Body:
    """An iterable with a step at each call that can be made of it."""

    def __init__(self, fuse, pieces):
        self.fuse, self.pieces, self.ended = fuse, iter(pieces), False

    def __iter__(self):
        self.fuse("iter")
        return self

    def __next__(self):
        self.fuse("next after the end" if self.ended else "next")
        self.ended = True  # unless there is a piece
        piece = next(self.pieces)
        self.ended = False
        self.fuse.note(piece)
        return piece

    def close(self):
        self.fuse("close")


class Listed(list):
    """A list that wants to be closed."""

    def close(self):
        self.fuse("close")


# -- the applications --------------------------------------------------------------------------------------------------


def sized(fuse):
    def app(environ, start_response):
        fuse("call")
        start_response("200 OK", list(TEXT))
        fuse("started")
        return PIECES

    return app


def closed_list(fuse):
    def app(environ, start_response):
        body = Listed(PIECES)
        body.fuse = fuse
        start_response("200 OK", list(TEXT))
        return body

    return app


def stream(fuse):
    def app(environ, start_response):
        fuse("call")
        start_response("200 OK", list(TEXT))
        fuse("started")
        return Body(fuse, PIECES)

    return app


def empty_first(fuse):
    def app(environ, start_response):
        start_response("200 OK", list(TEXT))
        return Body(fuse, [b"", *PIECES])

    return app


def late(fuse):
    def pieces(start_response):
        fuse("begun")
        start_response("200 OK", list(TEXT))
        fuse("started")
        yield from PIECES

    def app(environ, start_response):
        fuse("call")
        return Body(fuse, pieces(start_response))

    return app


def write(fuse):
    def app(environ, start_response):
        send = start_response("200 OK", list(TEXT))
        for piece in PIECES[:2]:
            fuse("write")
            send(piece)
            fuse.note(piece)
        fuse("written")
        return Body(fuse, PIECES[2:])

    return app


def write_late(fuse):
    """Writes in its body."""

    def pieces(start_response):
        fuse("begun")
        send = start_response("200 OK", list(TEXT))
        fuse("started")
        send(PIECES[0])
        fuse.note(PIECES[0])
        fuse("written")
        yield from PIECES[1:]

    return lambda environ, start_response: Body(fuse, pieces(start_response))


def replaced(fuse):
    """Gives another head, with exc_info, before there is content."""

    def app(environ, start_response):
        start_response("200 OK", [*TEXT, ("X-Old", "1")])
        fuse("started")
        try:
            int("no number")
        except ValueError:
            start_response("200 Replaced", list(TEXT), sys.exc_info())
        fuse("started again")
        return Body(fuse, PIECES)

    return app


class File(io.BytesIO):
    fuse: Fuse

    def read(self, *size):
        self.fuse("read")
        piece = super().read(*size)
        self.fuse.note(piece)
        return piece

    def close(self):
        if not self.closed:
            super().close()
            self.fuse("close")


def file(fuse):
    def app(environ, start_response):
        fuse("call")
        start_response("200 OK", list(TEXT))
        opened = File(WHOLE)
        opened.fuse = fuse
        return environ["wsgi.file_wrapper"](opened, 512)

    return app


APPS = [sized, closed_list, stream, empty_first, late, write, write_late, replaced, file]
shaped = pytest.mark.parametrize("make", APPS)

# -- the stacks --------------------------------------------------------------------------------------------------------


class Witness(Middleware):
    """Writes down the end of each response."""

    def __init__(self, told):
        super().__init__()
        self.told = told

    def on_request(self, environ):
        self.told.append("request")

    def on_close(self, environ, error):
        self.told.append(error)


def full(told, *further):
    """Those of a site, each of which is told of the end."""
    return [
        Timing(on_complete=lambda measurement: told.append(measurement.error)),
        SecurityHeaders(),
        CORS(allow_origins=ORIGIN),
        Headers(set={"X-App": "1"}),
        *further,
        Compress(minimum_size=0),
    ]


def plain(app):
    return lambda environ, start_response: app(environ, start_response)


def looked_after(**options):
    """Hooks with one that asks for the end."""
    hooks = Hooks(**options)
    hooks.teardown_request(lambda error: None)
    return hooks


# Each takes the list that the ends are written to.
STACKS = {
    "full": full,
    "quick": lambda told: [*full(told)[1:-1], Compress(minimum_size=0)],  # nobody asks for the end
    "split": lambda told: full(told, External(plain)),
    "hooked": lambda told: full(told, looked_after(propagate_exceptions=True)),
    "answered by hooks": lambda told: full(told, looked_after()),
}


def asked(way):
    """A request that wants this coding, and nothing else if it wants one."""
    coding, method = way
    accept = {"HTTP_ACCEPT_ENCODING": f"{coding}, identity;q=0"} if coding else {}
    return environ(method=method, HTTP_ORIGIN=ORIGIN, **accept)


def has(answer, content):
    """Whether that is the content, whole; a HEAD has none."""
    if answer.environ["REQUEST_METHOD"] == "HEAD":
        return answer.body == b""
    return decode(answer.body, answer.get("Content-Encoding")) == (content, True)


class Server(Answer):
    """A server that may fail at what is called of it, and goes away after so many chunks; it tells what it saw."""

    def serve(self, app, fuse, stop_after=None):
        self.fuse = fuse
        try:
            self.result = app(self.environ, self.start_response)
            for chunk in itertools.islice(self.result, stop_after):
                self.send(chunk)
        except BaseException as error:  # noqa: BLE001 - the server sees everything
            self.error = error
        try:
            getattr(self.result, "close", int)()
        except BaseException as error:  # noqa: BLE001
            self.error = self.error or error
        return self

    def start_response(self, status, headers, exc_info=None):
        self.fuse("start_response")
        send = self.start(status, headers, exc_info)

        def write(data):
            self.fuse("server's write")
            send(data)

        return write


class Site:
    """A shape of application in a stack, asked again and again."""

    def __init__(self, make, layers, on_error="respond"):
        self.told, self.fuse, self.servers = [], Fuse(), Fuse()
        stack = Stack(*(STACKS[layers](self.told) if isinstance(layers, str) else layers))
        self.app = stack.wrap(make(self.fuse), waive=WAIVED, on_error=on_error)

    def ask(self, way, **options):
        """The server's view of one request."""
        self.told.clear()
        return Server(environ=asked(way)).serve(self.app, self.servers, **options)

    def steps(self, way, fuse):
        """What happens without a fault, which has to go well."""
        for each in (self.fuse, self.servers, fuse):
            each.arm(None, None)
        answer = self.ask(way)
        assert (answer.error, answer.faults) == (None, [])
        assert has(answer, WHOLE)
        return [*enumerate(fuse.steps)]


# -- the laws ----------------------------------------------------------------------------------------------------------


def laws(answer, fuse, *, cut):
    """What does not hold, whoever failed; `cut`: not all of the content can have gone out."""
    closed = fuse.steps.count("close")
    if answer.faults:
        yield f"the server had to refuse: {answer.faults}"
    if answer.heads > 1 and answer.exc_info is None:
        yield f"{answer.heads} heads"
    if closed != 1 and {"iter", "next", "read", "close"}.intersection(fuse.steps):
        yield f"close() was called {closed} times"
    if "next after the end" in fuse.steps:
        yield "asked for more after the end"
    coding = answer.get("Content-Encoding")
    if coding and answer.error is not None and answer.body and cut and decode(answer.body, coding)[1]:
        yield "what is cut off decodes as if it were whole"


def answered(answer, error):
    """What does not hold of a 500 in place of the application's response."""
    seen = {name: answer.get(name) for name in POLICY}
    if (answer.status[:3], answer.error, seen) != ("500", None, POLICY):
        yield f"{answer.status}, {answer.error!r}, {seen}"
    by_hooks = answer.status == "500 INTERNAL SERVER ERROR"
    if not by_hooks and not has(answer, b"Internal Server Error\n"):
        yield f"a page of {answer.body!r}"
    if answer.environ.get("middleware.exception") is not error:
        yield f"kept is {answer.environ.get('middleware.exception')!r}"


def raised(answer, error):
    """What does not hold where the server gets the error."""
    if answer.error is not error:
        yield f"the server got {answer.error!r}"


def told_once(site, layers, *errors):
    """What does not hold of the ends that were told, each to be by one of these errors."""
    if len(site.told) != (layers != "quick"):
        yield f"told {len(site.told)} times"
    if not all(any(each is error for error in errors) for each in site.told):
        yield f"told {site.told}"


def unseen(make, way, step):
    """Whether the server reads a file that no layer touches: what goes wrong there is not seen."""
    return make is file and way == (None, "GET") and step == "read"


@shaped
@failing
@pytest.mark.parametrize("layers", STACKS)
@pytest.mark.parametrize("on_error", ["respond", "raise"])
def test_an_application_fails_at_each_of_its_steps(make, error, layers, on_error):
    """Before there is content an Exception is answered, everything else reaches the server; the end is told once."""
    broken = []
    site = Site(make, layers, on_error)
    fuse = site.fuse
    for way in WAYS:
        for at, step in site.steps(way, fuse):
            fuse.arm(at, error())
            answer = site.ask(way)
            hidden = unseen(make, way, step)
            answers = isinstance(fuse.error, Exception) and (
                on_error == "respond" or (layers == "answered by hooks" and answer.heads == 1 and not answer.error)
            )
            answers = answers and not (hidden or step == "close" or (fuse.sent and way[1] == "GET"))
            # Hooks take what is handed over with a head for the error of the request.
            given = "hook" in layers and make is replaced and step == "close" and answer.exc_info
            found = [
                *laws(answer, fuse, cut=step != "close"),
                *(answered if answers else raised)(answer, fuse.error),
                *told_once(site, layers, None if hidden else given or fuse.error),
            ]
            broken += [f"{way}, {at} {step}: {what}" for what in found]
    assert broken == []


# Hooks that answer leave what close() raises to the server.
@shaped
@pytest.mark.parametrize("layers", [name for name in STACKS if name != "answered by hooks"])
def test_an_application_fails_and_its_close_fails_as_well(make, layers):
    """What went wrong first is what is answered, raised and told."""
    broken = []
    site = Site(make, layers)
    for way in WAYS:
        for at, step in site.steps(way, site.fuse):
            site.fuse.arm(at, Failure(), also=Failure("in close()"))
            answer = site.ask(way)
            found = [*laws(answer, site.fuse, cut=step != "close")]
            if not unseen(make, way, step) and not (make is replaced and step == "close"):
                answers = answer.status[:3] == "500"
                found += (answered if answers else raised)(answer, site.fuse.error)
                found += told_once(site, layers, site.fuse.error)
            broken += [f"{way}, {at} {step}: {what}" for what in found]
    assert broken == []


# -- faults of the server ----------------------------------------------------------------------------------------------


@shaped
@failing
@pytest.mark.parametrize("layers", STACKS)
@pytest.mark.parametrize("stays", [False, True], ids=["once", "again"])
def test_a_server_fails_at_each_call_that_is_made_of_it(make, error, layers, stays):
    """In start_response, or in write(): it gets its own error back, or it took a 500 in place of what failed."""
    broken = []
    site = Site(make, layers)
    for way in WAYS:
        for at, step in site.steps(way, site.servers):
            site.fuse.arm(None, None)
            site.servers.arm(at, error(), stays=stays)
            answer = site.ask(way)
            answers = answer.error is None and isinstance(site.servers.error, Exception)
            found = [
                *laws(answer, site.fuse, cut=True),
                *(answered if answers else raised)(answer, site.servers.error),
                *told_once(site, layers, site.servers.error),
            ]
            broken += [f"{way}, {at} {step}: {what}" for what in found]
    assert broken == []


@shaped
@pytest.mark.parametrize("layers", STACKS)
def test_a_server_leaves_after_each_chunk(make, layers):
    """The body is closed and the end is told: by GeneratorExit, unless all was out, or nobody looked."""
    broken = []
    site = Site(make, layers)
    for way in WAYS:
        site.steps(way, site.fuse)
        for chunks in range(len(PIECES) + 2):
            site.fuse.arm(None, None)
            answer = site.ask(way, stop_after=chunks)
            given = {ValueError} if "hook" in layers and make is replaced else set()
            kinds = {type(each) for each in site.told} - {GeneratorExit, type(None), *given}
            found = [*laws(answer, site.fuse, cut=False)]
            found += [f"told {len(site.told)} times"] * (len(site.told) != (layers != "quick"))
            found += [f"told {kinds}"] * bool(kinds) + [f"raised {answer.error!r}"] * (answer.error is not None)
            broken += [f"{way}, after {chunks}: {what}" for what in found]
    assert broken == []


# -- faults of a layer -------------------------------------------------------------------------------------------------


class Passing:
    """A transform that changes nothing, and keeps nothing back."""

    def __init__(self, fuse):
        self.fuse = fuse

    def feed(self, chunk):
        self.fuse("feed")
        return chunk

    def finish(self):
        self.fuse("finish")
        return b""


class Faulty(Middleware):
    """A layer with a step at each call that is made of it."""

    def __init__(self, fuse, *, transforms):
        super().__init__()
        self.fuse, self.transforms = fuse, transforms

    def on_request(self, environ):
        self.fuse("on_request")

    def on_response(self, environ, response):
        self.fuse("on_response")
        return Passing(self.fuse) if self.transforms else None

    def on_close(self, environ, error):
        self.fuse("on_close")


def ends(told, *errors):
    """What does not hold of those who saw the request: each is told of its end, once, by one of these errors."""
    seen = told.count("request")
    ended = [each for each in told if each != "request"]
    if len(ended) != seen:
        yield f"{seen} saw the request, {len(ended)} were told of its end"
    if not all(any(each is error for error in errors) for each in ended):
        yield f"told {ended}"


PLACES = range(6)


@pytest.mark.parametrize("make", [sized, closed_list, stream, late, write, write_late, replaced])
@failing
@pytest.mark.parametrize("transforms", [False, True], ids=["head", "body"])
@pytest.mark.parametrize("stays", [False, True], ids=["once", "again"])
def test_a_layer_fails_at_each_call_that_is_made_of_it(make, error, transforms, stays):
    """At every place of a stack: an Exception is answered while nothing is out, and every layer is told, once."""
    broken = []
    for place in PLACES:
        told, fuse = [], Fuse()
        layers = [layer for layer in full(told) if not isinstance(layer, Timing)]
        layers = [Witness(told), *layers, Witness(told)]
        layers.insert(place, Faulty(fuse, transforms=transforms))
        site = Site(make, layers)
        for way in WAYS:
            for at, step in site.steps(way, fuse):
                told.clear()
                site.fuse.arm(None, None)
                fuse.arm(at, error(), stays=stays)
                answer = site.ask(way)
                out = answer.body or step == "on_close" or not isinstance(fuse.error, Exception)
                found = [
                    *laws(answer, site.fuse, cut=step != "on_close"),
                    *(raised if out and answer.status[:3] != "500" else answered)(answer, fuse.error),
                    *ends(told, fuse.error, *([None] if step == "on_close" else [])),
                ]
                found += [f"on_close was called {fuse.steps.count('on_close')} times"] * (
                    fuse.steps.count("on_close") != 1
                )
                broken += [f"at {place}, {way}, {at} {step}: {what}" for what in found]
    assert broken == []

"""ConcurrencyLimit: a place for each request, given back once, whatever becomes of the request."""

from __future__ import annotations

import gc
import threading
from collections import deque
from contextlib import ExitStack

import pytest

from gateway import environ, serve
from middleware import ConcurrencyLimit, ConfigError, Headers, Middleware, Stack, by, match
from middleware.layers.answers.concurrency import Places
from shapes import TEXT, coroutine, returning

PATIENCE = 30


def taken(layer):
    return layer._places.taken


def application(environ, start_response):
    start_response("200 OK", list(TEXT))
    return [b"served"]


class Held:
    """Requests that have begun and whose responses are not closed yet."""

    def __init__(self, app):
        self.app, self.open = app, []

    def begin(self, **keys):
        status = []
        body = self.app(environ(**keys), lambda line, headers, exc_info=None: status.append(line))
        self.open.append(body)
        return status[-1][:3]

    def end(self):
        close = getattr(self.open.pop(0), "close", lambda: None)
        close()


def test_so_many_run_at_a_time_and_one_that_ends_makes_room():
    held = Held(Stack(ConcurrencyLimit(limit=2)).wrap(application))
    assert [held.begin() for _ in range(3)] == ["200", "200", "503"]
    held.end()
    assert held.begin() == "200"


def test_the_503_says_when_to_try_again_and_is_not_stored():
    held = Held(app := Stack(ConcurrencyLimit(limit=1, retry_after=7)).wrap(application))
    held.begin()
    answer = serve(app)
    assert (answer.status[:3], answer.get("Retry-After"), answer.get("Cache-Control")) == ("503", "7", "no-store")
    assert answer.body == b"Too many requests at a time.\n"


def test_an_application_of_ones_own_answers():
    app = Stack(ConcurrencyLimit(limit=1, answer=returning([b"busy"], "503 Busy")[0])).wrap(application)
    Held(app).begin()
    held = Held(app)
    held.begin()
    answer = serve(app)
    assert (answer.status, answer.body, answer.get("Retry-After")) == ("503 Busy", b"busy", "1")


def test_each_key_has_a_limit_of_its_own_and_none_has_no_limit():
    layer = ConcurrencyLimit(limit=1, key=by.user)
    held = Held(Stack(layer).wrap(application))
    got = [held.begin(**user) for user in ({"REMOTE_USER": "a"}, {"REMOTE_USER": "b"}, {"REMOTE_USER": "a"}, {}, {})]
    assert got == ["200", "200", "503", "200", "200"]
    assert taken(layer) == {"a": 1, "b": 1}
    for _ in got:
        held.end()
    assert taken(layer) == {}  # a key is forgotten, or they would fill the memory


def test_copies_and_applications_share_the_places_and_state_is_not_compared():
    layer = ConcurrencyLimit(limit=1)
    one, other = layer.wrap(application), Stack(layer.named("other").when(match.method("GET"))).wrap(application)
    held = Held(one)
    held.begin()
    assert serve(other).status[:3] == "503"
    assert layer == ConcurrencyLimit(limit=1) != ConcurrencyLimit(limit=2)
    assert serve(layer.with_options(limit=1).wrap(application)).status[:3] == "200"


def test_a_request_that_meets_the_value_twice_gives_both_places_back():
    layer = ConcurrencyLimit(limit=2)
    app = Stack(layer, Headers(set={"X": "1"}), layer).wrap(application)
    assert serve(app).status[:3] == "200"
    assert taken(layer) == {}
    refused = ConcurrencyLimit(limit=1)
    assert serve(Stack(refused, refused).wrap(application)).status[:3] == "503"
    assert taken(refused) == {}


# -- given back, once --------------------------------------------------------------------------------------------------


class Fault(Exception):
    pass


class Fails(Middleware):
    """Fails where it is told to."""

    def __init__(self, app=None, /, *, at):
        super().__init__(app)
        self.at = at

    def _step(self, at):
        if at == self.at:
            raise Fault(at)

    def on_request(self, environ):
        self._step("request")

    def on_response(self, environ, response):
        self._step("response")

    def on_close(self, environ, error):
        self._step("close")


def failing(at, error=Fault):
    """An application that fails at a step."""

    class Body:
        def __iter__(self):
            yield b"one"
            if at == "body":
                raise error
            yield b"two"

        def close(self):
            if at == "close":
                raise error

    def app(environ, start_response):
        if at == "call":
            raise error
        if at == "clear":
            environ.clear()
        start_response("200 OK", list(TEXT))
        if at == "after":
            raise error
        if at == "replaced":
            start_response("500 No", list(TEXT), (error, error(), None))
        if at == "nothing":
            return None
        return Body()

    return app


STEPS = ["call", "after", "replaced", "nothing", "body", "close", "none"]


@pytest.mark.parametrize("stop_after", [None, 0, 1])
@pytest.mark.parametrize("error", [Fault, KeyboardInterrupt, GeneratorExit])
@pytest.mark.parametrize("at", STEPS)
def test_wherever_the_application_fails_the_place_is_given_back(at, error, stop_after):
    layer = ConcurrencyLimit(limit=1)
    for on_error in ("respond", "raise"):
        app = Stack(layer).wrap(failing(at, error), on_error=on_error)
        for method in ("GET", "HEAD"):
            serve(app, method=method, stop_after=stop_after, lint=False)
            assert taken(layer) == {}


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("at", ["request", "response", "close"])
def test_wherever_another_layer_fails_the_place_is_given_back(at, inside):
    layer, fails = ConcurrencyLimit(limit=1), Fails(at=at)
    app = Stack(*((layer, fails) if inside else (fails, layer))).wrap(application)
    for _ in range(2):
        serve(app)
        assert taken(layer) == {}


def test_a_key_that_fails_takes_no_place():
    layer = ConcurrencyLimit(limit=1, key=lambda environ: environ["no.such.key"])
    answer = serve(Stack(layer).wrap(application))
    assert (answer.status[:3], taken(layer)) == ("500", {})


def test_a_key_that_fails_in_a_nested_request_gives_no_place_of_the_outer_one_back():
    asked, seen = [], []

    def key(environ):
        asked.append(1)
        if len(asked) == 2:
            raise Fault
        return "k"

    layer = ConcurrencyLimit(limit=1, key=key)
    inner = layer.wrap(application)

    def outer(environ, start_response):
        with pytest.raises(Fault):
            inner(environ, start_response)
        seen.append(dict(taken(layer)))
        return application(environ, start_response)

    serve(layer.wrap(outer))
    assert (seen, taken(layer)) == ([{"k": 1}], {})


def test_a_response_that_no_one_closes_gives_the_place_back_when_it_is_forgotten():
    """Servers that break PEP 3333, and applications that clear environ."""
    layer = ConcurrencyLimit(limit=1)
    app = Stack(layer).wrap(application)
    Held(app).begin()
    gc.collect()
    assert serve(app).status[:3] == "200"
    assert taken(layer) == {}


def test_a_place_that_the_application_removes_from_environ_is_given_back_when_it_is_forgotten():
    def app(environ, start_response):
        for key in [key for key in environ if key.startswith("middleware.concurrency_limit")]:
            del environ[key]
        return application(environ, start_response)

    layer = ConcurrencyLimit(limit=1)
    for _ in range(2):
        assert serve(Stack(layer).wrap(app)).status[:3] == "200"
        gc.collect()


def test_a_place_is_not_given_back_twice():
    layer = ConcurrencyLimit(limit=2)
    held = Held(Stack(layer).wrap(application))
    held.begin()
    held.begin()
    body = held.open[0]
    for _ in range(3):
        body.close()
    assert taken(layer) == {None: 1}


def test_a_connection_that_is_taken_over_gives_the_place_back_when_the_application_returns():
    layer = ConcurrencyLimit(limit=1)
    running = []

    def app(environ, start_response):
        running.append(dict(taken(layer)))
        return []

    keys = {"HTTP_UPGRADE": "websocket", "gunicorn.socket": object()}
    answer = serve(Stack(layer).wrap(app), lint=False, **keys)
    assert (answer.error, running, taken(layer)) == (None, [{None: 1}], {})


def test_after_a_hundred_thousand_requests_of_many_threads_no_place_is_held():
    layer = ConcurrencyLimit(limit=3, key=lambda environ: environ["PATH_INFO"])
    apps = [Stack(layer).wrap(failing(at)) for at in ("none", "body", "call")]
    apps[2:] = [layer.wrap(failing("call"))]
    most, lock = [], threading.Lock()

    def client(number):
        for count in range(12_500):
            body = ()
            given = {"PATH_INFO": f"/{count % 3}", "REQUEST_METHOD": "GET"}
            try:
                body = apps[count % 3](given, lambda *_: None)
                next(iter(body), None)
            except Fault:
                pass
            getattr(body, "close", lambda: None)()
        with lock:
            most.append(number)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 8
    assert (taken(layer), layer._places.waiting, len(layer._places.lost)) == ({}, {}, 0)


# -- waiting -----------------------------------------------------------------------------------------------------------


class Waiting:
    """Threads that want a place, one after the other."""

    def __init__(self, places, seconds=PATIENCE):
        self.places, self.seconds, self.got, self.threads = places, seconds, [], []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for thread in self.threads:
            thread.join(PATIENCE)

    def come(self, name):
        """Come in, and wait in line."""
        before = len(self.places.waiting.get("k", ()))
        thread = threading.Thread(target=self._take, args=(name,))
        thread.start()
        self.threads.append(thread)
        while len(self.places.waiting.get("k", ())) == before and thread.is_alive():
            pass

    def _take(self, name):
        self.got.append((name, self.places.take("k", self.seconds)))


def test_those_that_wait_get_a_place_in_the_order_in_which_they_came():
    places = Places(2)
    assert places.take("k", 0)
    assert places.take("k", 0)
    with Waiting(places) as waiting:
        for name in "ab":
            waiting.come(name)
        waiting.come("c")  # as many as there are places wait already
        waiting.threads[2].join(PATIENCE)
        assert waiting.got == [("c", False)]
        for thread in waiting.threads[:2]:
            places.give("k")
            thread.join(PATIENCE)
        assert waiting.got == [("c", False), ("a", True), ("b", True)]
    assert (places.taken, places.waiting) == ({"k": 2}, {})
    places.give("k")
    places.give("k")
    assert places.taken == {}


def test_a_place_that_no_one_gives_back_is_handed_to_the_first_that_waits():
    places = Places(1)
    places.take("k", 0)
    with Waiting(places) as waiting:
        waiting.come("a")
        places.lose("k")
        waiting.threads[0].join(PATIENCE)
        assert waiting.got == [("a", True)]


@pytest.mark.parametrize("then", [lambda places: places.give("other"), lambda places: places.take("other", 0)])
def test_a_place_that_is_lost_while_the_lock_is_held_is_handed_over_by_the_next_that_holds_it(then):
    places = Places(1)
    places.take("k", 0)
    places.take("other", 0)
    with Waiting(places) as waiting:
        waiting.come("a")
        with places._lock:
            places.lose("k")
        then(places)
        waiting.threads[0].join(PATIENCE)
        assert waiting.got == [("a", True)]


class Collected(Places):
    """Places that lose one while their lock is held, because the garbage collector may run there."""

    collects = True

    def _recover(self):
        super()._recover()
        if self.collects:
            self.collects = False
            self.lose("k")

    def _wait(self, key, turn, seconds):
        return not turn.locked()  # whether it was handed over at once


@pytest.mark.parametrize(
    "then",
    [
        lambda places: places.take("k", 1),
        lambda places: places.take("k", 0) or True,
        lambda places: places.give("other") or True,
        lambda places: places.lose("other") or True,
        lambda places: places._leave("k", threading.Lock()),
    ],
)
def test_a_place_that_is_lost_while_the_lock_is_held_is_handed_over_when_that_is_released(then):
    places = Collected(1)
    places.taken.update(k=1, other=1)
    assert then(places)
    assert [*places.lost] == []


def test_one_that_has_waited_too_long_gets_a_place_that_was_lost_meanwhile():
    places = Places(1)
    places.take("k", 0)
    turn = threading.Lock()
    places.waiting["k"] = deque([turn])
    turn.acquire()
    places.lost.append("k")
    assert places._leave("k", turn)


def test_one_that_has_waited_too_long_leaves_the_line():
    places = Places(1)
    places.take("k", 0)
    assert places.take("k", 0.001) is False
    assert (places.waiting, places.taken) == ({}, {"k": 1})


@pytest.mark.parametrize("handed", [True, False])
def test_one_that_is_interrupted_while_it_waits_keeps_no_place(handed):
    """By a signal, or by the greenlet that is to end; the place may have been handed over in that very moment."""
    places = Places(1)

    class Interrupted:
        def acquire(self, timeout):
            if handed:
                places.give("k")
            raise KeyboardInterrupt

        def release(self):
            pass

    places.take("k", 0)
    turn = Interrupted()
    places.waiting["k"] = deque([turn])
    with pytest.raises(KeyboardInterrupt):
        places._wait("k", turn, 1)
    assert (places.waiting, places.taken) == ({}, {} if handed else {"k": 1})


def test_a_request_waits_for_its_place():
    layer = ConcurrencyLimit(limit=1, wait=PATIENCE)
    app = Stack(layer).wrap(application)
    held = Held(app)
    held.begin()
    answers = []
    with ExitStack() as ending:
        thread = threading.Thread(target=lambda: answers.append(serve(app)))
        thread.start()
        ending.callback(thread.join, PATIENCE)
        while not layer._places.waiting:
            pass
        held.end()
    assert (answers[0].status[:3], taken(layer)) == ("200", {})


# -- options -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"limit": 0}, "ConcurrencyLimit: limit: an int of 1 or more; got 0"),
        ({"limit": True}, "limit"),
        ({"limit": 1, "wait": -1}, rf"wait: seconds, 0 to {threading.TIMEOUT_MAX:.0f}; got -1"),
        ({"limit": 1, "wait": float("inf")}, "wait"),
        ({"limit": 1, "wait": 1e300}, "wait"),
        ({"limit": 1, "wait": 10**400}, "wait"),
        ({"limit": 1, "wait": "1"}, "wait"),
        ({"limit": 1, "retry_after": -1}, "retry_after: whole seconds, 0 or more; got -1"),
        ({"limit": 1, "retry_after": 0.5}, "retry_after"),
        ({"limit": 1, "key": "address"}, "key: a callable of environ, or None; got 'address'"),
        ({"limit": 1, "key": coroutine}, "key: a callable of environ, or None; a coroutine is another key each time"),
        ({"limit": 1, "answer": 1}, "answer"),
    ],
)
def test_bad_options_are_named(options, told):
    with pytest.raises(ConfigError, match=told):
        ConcurrencyLimit(**options)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"limit": 3}, "answers with a 503 while 3 others are running"),
        ({"limit": 3, "wait": 2}, "answers with a 503 after 2 seconds while 3 others are running"),
        ({"limit": 3, "key": by.address}, "answers with a 503 while 3 others of one key are running"),
    ],
)
def test_a_limit_is_told_as_what_it_does(options, told):
    assert told in str(Stack(ConcurrencyLimit(**options)))


@pytest.mark.parametrize(
    ("options", "said"),
    [({}, "refused: 1 requests have a place"), ({"key": by.user}, "not limited: the key is None")],
)
def test_it_says_why(options, said):
    app = Stack(ConcurrencyLimit(limit=1, **options)).wrap(application)
    held = Held(app)
    held.begin()
    notes = []
    serve(app, lint=False, **{"middleware.notes": notes})
    assert notes == [said]

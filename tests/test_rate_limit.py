"""RateLimit: so many requests in so much time (RFC 6585 4, draft-ietf-httpapi-ratelimit-headers-10)."""

from __future__ import annotations

import logging
import re
import socket
import sys
import threading
import time
import types
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

import limits
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from limits.storage import MemoryStorage

from gateway import serve
from middleware import ConfigError, Effects, RateLimit, Stack, by, match
from middleware.layers.answers import rate_limit
from needed import needs
from serving import Server, ask, environment, script
from shapes import coroutine, returning

SUPPORT = Path(__file__).parent / "support"
APP = returning([b"served"])[0]
STRATEGIES = ["fixed-window", "moving-window", "sliding-window-counter"]
every_strategy = pytest.mark.parametrize("strategy", STRATEGIES)
FIELD = re.compile(r'"([^"]+)";r=(\d+);t=(\d+)')


class Clock:
    """The time, which tests set forward."""

    def __init__(self):
        self.ahead = 0.0

    def monotonic(self):
        return time.monotonic() + self.ahead

    def time(self):
        return time.time()


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(rate_limit, "time", clock)
    return clock


def statuses(app, count, **keys):
    return [serve(app, REMOTE_ADDR="192.0.2.1", **keys).status[:3] for _ in range(count)]


def left(answer):
    """Name -> what is left, and in how many seconds there is more."""
    return {name: (int(rest), int(seconds)) for name, rest, seconds in FIELD.findall(answer.get("RateLimit"))}


# -- counting ----------------------------------------------------------------------------------------------------------


@every_strategy
def test_so_many_pass_and_no_more(strategy):
    app = Stack(RateLimit("3/year", strategy=strategy)).wrap(APP)
    assert statuses(app, 5) == ["200", "200", "200", "429", "429"]
    assert serve(app, REMOTE_ADDR="192.0.2.2").status[:3] == "200"


@every_strategy
def test_every_response_that_counted_says_what_is_left(strategy):
    app = Stack(RateLimit("2/minute", strategy=strategy)).wrap(APP)
    answers = [serve(app) for _ in range(3)]
    assert {answer.get("RateLimit-Policy") for answer in answers} == {'"default";q=2;w=60'}
    rests, seconds = zip(*(left(answer)["default"] for answer in answers), strict=True)
    assert rests == (1, 0, 0)
    assert all(0 <= each <= 60 for each in seconds)


def test_a_429_says_when_to_come_back_and_is_not_stored():
    app = Stack(RateLimit("1/minute")).wrap(APP)
    serve(app)
    answer = serve(app)
    assert (answer.status, answer.body) == ("429 Too Many Requests", b"Too many requests.\n")
    assert answer.get("Cache-Control") == "no-store"
    assert 1 <= int(answer.get("Retry-After")) <= 60
    assert max(left(answer)["default"][1], 1) == int(answer.get("Retry-After"))


@pytest.mark.parametrize(("reset", "seconds"), [(-5.0, 0), (0.0, 0), (0.01, 1), (59.2, 60), (1e9, 60)])
def test_seconds_are_whole_and_within_the_window(monkeypatch, reset, seconds):
    """The clock of the storage is another than that of this machine."""

    class Limiter:
        def hit(self, *_, cost):
            return False

        def get_window_stats(self, *_):
            return 1000.0 + reset, -1

    monkeypatch.setattr(rate_limit, "time", types.SimpleNamespace(time=lambda: 1000.0))
    policy = rate_limit.Policy("a", 1, 60, limits.parse("1/minute"))
    assert rate_limit.counted(Limiter(), "k", policies=[policy], cost=1, told=True, slides=False).refused == (
        policy,
        0,
        seconds,
    )


@every_strategy
@given(quota=st.integers(1, 9), rest=st.integers(0, 8), pauses=st.lists(st.floats(0, 70), min_size=1, max_size=30))
@example(quota=5, rest=5, pauses=[0, 0, 0])
def test_a_client_that_waits_as_long_as_it_was_told_passes(strategy, quota, rest, pauses):
    """Whatever a request costs; `rest` is what the quota has beyond that."""
    now = 1_000_000_000.0
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(time, "time", lambda: now)
        app = RateLimit(APP, f"{quota + rest}/minute", strategy=strategy, cost=quota)
        for pause in pauses:
            now += pause
            answer = serve(app)
            if answer.status[:3] == "429":
                now += int(answer.get("Retry-After")) + 0.001  # as long as it takes to ask
                assert serve(app).status[:3] == "200"


def test_a_429_waits_for_a_second_at_least(monkeypatch):
    layer = RateLimit("1/minute")
    policy = layer._policies[0]
    refused = rate_limit.Left(policy, 0, 0)
    monkeypatch.setattr(layer._store, "ask", lambda *_: rate_limit.Count((refused,), refused))
    assert serve(layer.wrap(APP)).get("Retry-After") == "1"


def test_several_limits_are_named_and_counted_shortest_first_up_to_the_first_refusal():
    layer = RateLimit("3/year; 2/hour", name="api")
    app = Stack(layer).wrap(APP)
    answers = [serve(app) for _ in range(3)]
    assert [answer.status[:3] for answer in answers] == ["200", "200", "429"]
    assert answers[0].get("RateLimit-Policy") == '"api";q=3;w=31104000, "api-2";q=2;w=3600'
    assert [{name: rest for name, (rest, _) in left(answer).items()} for answer in answers] == [
        {"api-2": 1, "api": 2},
        {"api-2": 0, "api": 1},
        {"api-2": 0},  # the longer one was not asked
    ]


def test_cost_and_fields_are_options():
    app = Stack(RateLimit("5/year", cost=2, headers=False)).wrap(APP)
    answers = [serve(app) for _ in range(3)]
    assert [answer.status[:3] for answer in answers] == ["200", "200", "429"]
    assert not {"RateLimit", "RateLimit-Policy"} & {name for answer in answers for name, _ in answer.headers}
    assert int(answers[2].get("Retry-After")) >= 1


def test_a_request_without_a_key_is_not_counted():
    app = Stack(RateLimit("1/year", key=by.header("X-Api-Key"))).wrap(APP)
    assert statuses(app, 3) == ["200"] * 3
    assert serve(app).get("RateLimit") is None
    assert statuses(app, 2, HTTP_X_API_KEY="k") == ["200", "429"]


def test_a_key_is_a_string():
    assert isinstance(serve(RateLimit(APP, "1/year", key=lambda environ: 7)).error, TypeError)


def test_an_application_of_ones_own_answers():
    app = Stack(RateLimit("1/year", answer=returning([b"slow"], "429 Slow")[0])).wrap(APP)
    serve(app)
    answer = serve(app)
    assert (answer.status, answer.body, answer.get("Cache-Control")) == ("429 Slow", b"slow", "no-store")
    assert int(answer.get("Retry-After")) > 1


def test_copies_share_the_count_and_state_is_not_compared():
    layer = RateLimit("1/year")
    copy = layer.named("other").when(match.path("/"))
    assert [serve(each.wrap(APP)).status[:3] for each in (layer, copy)] == ["200", "429"]
    assert layer == RateLimit("1/year") == RateLimit(limits="1/year") != RateLimit("2/year")
    assert serve(layer.with_options(cost=1).wrap(APP)).status[:3] == "200"


def test_an_environ_that_is_used_again_tells_of_its_own_request():
    layer = RateLimit("1/year", key=lambda environ: environ.get("KEY"))
    environ = serve(layer.wrap(APP), KEY="k").environ
    del environ["KEY"]
    heads = []
    list(layer.wrap(APP)(environ, lambda status, headers: heads.append(dict(headers))))
    assert "RateLimit" not in heads[0]


# -- positions and options ---------------------------------------------------------------------------------------------


def test_limits_may_stand_first_after_the_application_or_as_a_keyword():
    assert RateLimit("3/day").app is RateLimit(limits="3/day").app is None
    assert RateLimit(APP, "3/day").app is RateLimit(APP, limits="3/day").app is APP
    assert RateLimit(APP, "3/day").limits == "3/day"


@pytest.mark.parametrize(
    ("arguments", "options"), [((), {}), ((APP,), {}), (("1/day",), {"limits": "1/day"}), (("1/day", "2/day"), {})]
)
def test_limits_are_given_once(arguments, options):
    with pytest.raises(TypeError, match=r"^RateLimit: "):
        RateLimit(*arguments, **options)


@pytest.mark.parametrize(
    ("text", "quotas"),
    [
        ("100/minute", [(100, 60)]),
        ("100 per minute", [(100, 60)]),
        ("5 per 30 seconds", [(5, 30)]),
        ("10/second; 1000/hour", [(10, 1), (1000, 3600)]),
        ("10/second,1000/hour|9/day", [(10, 1), (1000, 3600), (9, 86400)]),
    ],
)
def test_limits_are_written_as_the_library_writes_them(text, quotas):
    assert [(policy.quota, policy.window) for policy in RateLimit(text)._policies] == quotas


@pytest.mark.parametrize(
    "text",
    [
        *("", "100", "0/minute", "1/0minute", "1 per 0 minutes", "1/fortnight", "-1/minute", "1/second; 1/second"),
        *(7, "1/minute;", f"{10**15}/day"),
    ],
)
def test_bad_limits_are_named(text):
    with pytest.raises(ConfigError, match=r"^RateLimit: limits: "):
        RateLimit(limits=text)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"key": "address"}, "key: a callable of environ"),
        ({"key": coroutine}, "key: a callable of environ; a coroutine is another key each time: write it without"),
        ({"key": by.header}, r"key: a callable of environ; by.header makes one: write by.header\(...\)"),
        ({"storage": "memory"}, "storage: a URI"),
        ({"storage": None}, "storage: a URI"),
        ({"storage": "async+memory://"}, "storage: a URI"),
        (
            {"storage": "nope://u:sesame@h"},
            r"a storage of the limits library \(unknown storage scheme : nope://\*\*\*@h",
        ),
        ({"storage": "redis://:sesame@h:port"}, "storage: a storage of the limits library"),
        ({"storage": b"redis://:sesame@h"}, "storage: a URI.*; got <class 'bytes'>"),
        ({"storage": "redis://u:se#sesame@h/0"}, r"library \(percent-encode # / \? \[ \] in a user and a password\)"),
        ({"storage": "redis://u:sesame/x@h/0"}, r"percent-encode .*; got 'redis://\*\*\*@h/0'"),
        ({"storage_options": 1}, "storage_options: a mapping of str to values, or None"),
        (
            {"storage_options": [("password", "sesame")]},
            "storage_options: a mapping of str to values, or None; got <class 'list'>",
        ),
        (
            {"storage_options": {"db": 1, 1: "sesame"}},
            "storage_options: a mapping of str to values, or None; got <class 'dict'>",
        ),
        ({"storage_options": {b"db": 1}}, "storage_options: a mapping of str to values, or None"),
        ({"strategy": "leaky"}, "strategy: one of fixed-window, moving-window, sliding-window-counter"),
        ({"name": ""}, "name: 1 to 64 characters"),
        ({"name": 'a"'}, "name"),
        ({"name": "a/b"}, "name"),
        ({"cost": 0}, "cost: an int of 1 or more"),
        ({"cost": 11}, "cost: at most 10, or no request ever passes"),
        ({"headers": 1}, "headers: a bool"),
        ({"on_storage_error": "ignore"}, 'on_storage_error: "allow" or "deny"'),
        ({"answer": "no"}, "answer"),
    ],
)
def test_bad_options_are_named(options, told):
    with pytest.raises(ConfigError, match=told) as caught:
        RateLimit("10/minute", **options)
    assert "sesame" not in str(caught.value)


def test_a_strategy_that_the_storage_cannot_count_by_is_refused(monkeypatch):
    monkeypatch.setitem(limits.storage.SCHEMES, "poor", type("Poor", (limits.storage.MemoryStorage,), {}))
    poor = limits.storage.SCHEMES["poor"]
    monkeypatch.setitem(limits.strategies.STRATEGIES, "moving-window", lambda storage: impossible(storage, poor))
    with pytest.raises(ConfigError, match="storage: a storage that can count by moving-window; got 'poor://'"):
        RateLimit("1/day", storage="poor://", strategy="moving-window")


def impossible(storage, poor):
    assert isinstance(storage, poor)
    raise NotImplementedError


@pytest.mark.parametrize(
    ("lacking", "storage", "told"),
    [
        ("limits", "memory://", r"limits: needs the package limits: pip install 'wsgi-middleware-stack\[limits\]'"),
        ("redis.retry", "redis://h", r"storage: needs the package redis: pip install 'wsgi-middleware-stack\[redis\]'"),
        ("valkey", "valkey://h", "storage: needs the package valkey: pip install .* valkey, or write redis://"),
    ],
)
def test_a_package_that_is_missing_is_named_with_its_remedy(monkeypatch, lacking, storage, told):
    monkeypatch.setitem(sys.modules, lacking, None)
    with pytest.raises(ConfigError, match=told):
        RateLimit("1/day", storage=storage)


def test_effects_follow_from_the_options():
    assert RateLimit("1/day", name="api").declared() == Effects(
        answers=True,
        refuses=True,
        sets={"ratelimit", "ratelimit-policy"},
        requires={"REMOTE_ADDR"},
        unique="RateLimit api",
    )
    assert RateLimit("1/day", key=by.user, headers=False).declared() == Effects(
        answers=True, refuses=True, requires={"REMOTE_USER"}, unique="RateLimit default"
    )
    assert RateLimit("1/day", key=lambda environ: "all").declared().requires == frozenset()


def test_it_is_told_as_what_it_does():
    told = str(Stack(RateLimit("1/day", headers=False), RateLimit("2/day", name="b")))
    assert "answers with a 429 above 1/day by by.address, counted in memory://" in told
    assert told.count("adds RateLimit and RateLimit-Policy") == 1
    assert repr(RateLimit("2/day", name="b", cost=2)) == "RateLimit(limits='2/day', name='b', cost=2)"


# -- secrets -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "as_it_is"),
    [
        ("192.0.2.1", True),
        ("x" * 64, True),
        ("x" * 65, False),
        (by.Secret("k"), False),
        ("a b", False),
        ("a\n", False),
        ("\xe9", False),
        ("\ud800", False),
    ],
)
def test_keys_that_may_be_credentials_or_fit_no_storage_are_hashed(key, as_it_is):
    assert (rate_limit.stored(key) == key) == as_it_is
    assert as_it_is or re.fullmatch("[0-9a-f]{32}", rate_limit.stored(key))


def test_no_header_is_in_the_storage():
    layer = RateLimit("1/day", key=by.both(by.header("Authorization"), by.address), strategy="fixed-window")
    serve(layer.wrap(APP), HTTP_AUTHORIZATION="sesame", REMOTE_ADDR="192.0.2.1")
    assert "sesame" not in str(layer._store._limiter.storage.storage)
    assert len(layer._store._limiter.storage.storage) == 1


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("redis://h:1/0", "redis://h:1/0"),
        ("redis://user:se@same@h:1/0", "redis://***@h:1/0"),
        ("redis://:se/sa?me@h", "redis://***@h"),
        ("redis://h/0?password=sesame", "redis://h/0?***"),
        ("sesame", "***"),
    ],
)
def test_a_uri_is_shown_without_what_may_be_a_credential(uri, shown):
    assert rate_limit.hidden(uri) == shown
    assert "same" not in repr(rate_limit.Address(uri))


def test_no_secret_is_in_a_repr():
    layer = RateLimit("1/day", storage="redis://:sesame@127.0.0.1:1", storage_options={"username": "sesame"})
    for text in (repr(layer), str(Stack(layer)), str(layer.options)):
        assert "sesame" not in text


# -- a storage that fails ----------------------------------------------------------------------------------------------


class Broken:
    """A limiter whose storage fails as long as it is told to."""

    def __init__(self):
        self.error, self.asked = OSError("no route\nto se%73ame and sesame"), 0

    def hit(self, *_, cost):
        self.asked += 1
        if self.error:
            raise self.error
        return True

    def get_window_stats(self, *_):
        return 0.0, 1


def broken(monkeypatch, **options):
    """A RateLimit on a storage that is broken."""
    limiter = Broken()
    monkeypatch.setattr(rate_limit, "limiter_of", lambda *_: limiter)
    options = {"storage": "redis://user:se%73ame@h", **options}
    return RateLimit("1/day", **options), limiter


@pytest.mark.parametrize(("outcome", "status"), [("allow", "200"), ("deny", "503")])
def test_a_storage_that_fails_is_left_alone_for_five_seconds(monkeypatch, clock, caplog, outcome, status):
    layer, limiter = broken(monkeypatch, on_storage_error=outcome)
    app = Stack(layer).wrap(APP)
    assert statuses(app, 3) == [status] * 3
    assert limiter.asked == 1
    clock.ahead = 4.9
    assert statuses(app, 3) == [status] * 3
    assert limiter.asked == 1
    clock.ahead = 5.1
    assert statuses(app, 3) == [status] * 3
    assert limiter.asked == 2
    limiter.error, clock.ahead = None, 10.3
    assert statuses(app, 3) == ["200"] * 3
    assert limiter.asked == 5


def test_while_one_request_finds_out_the_others_do_not_wait(monkeypatch, clock):
    layer, limiter = broken(monkeypatch)
    app = Stack(layer).wrap(APP)
    serve(app)
    clock.ahead = 6
    others = []
    monkeypatch.setattr(limiter, "hit", lambda *_, cost: others.extend(statuses(app, 2)) or True)
    assert serve(app).get("RateLimit") is not None
    assert others == ["200"] * 2


def test_a_denied_request_is_a_503_that_says_when_to_come_back(monkeypatch):
    layer, _ = broken(monkeypatch, on_storage_error="deny")
    answer = serve(layer.wrap(APP))
    assert (answer.status[:3], answer.get("Retry-After"), answer.get("Cache-Control")) == ("503", "5", "no-store")
    assert answer.get("RateLimit") is None


def test_it_is_logged_once_a_minute_without_credentials(monkeypatch, clock, caplog):
    layer, _ = broken(monkeypatch)
    app = Stack(layer).wrap(APP)
    for clock.ahead in (0, 6, 12, 59, 65, 70, 131):
        serve(app)
    lines = [(record.name, record.levelno, record.getMessage()) for record in caplog.records]
    told = (
        "RateLimit 'default': the storage redis://***@h has failed, and is left alone for 5 s: "
        "OSError: no route\\nto *** and ***"
    )
    assert lines == [("middleware", logging.ERROR, told)] * 3
    assert {(record.method, record.path, record.layer) for record in caplog.records} == {("GET", "/", "RateLimit")}


def test_an_error_that_may_have_a_piece_of_the_password_is_logged_by_its_type(monkeypatch, caplog):
    """The client takes "sesame" for the host."""
    layer, limiter = broken(monkeypatch, storage="redis://sesame#x@h")
    limiter.error = OSError("connecting to sesame:6379")
    serve(layer.wrap(APP))
    assert "sesame" not in caplog.text
    assert "OSError: percent-encode # / ? [ ] in a user and a password" in caplog.text


def test_a_storage_that_is_down_at_the_start_is_asked_again(monkeypatch, clock, caplog):
    """A cluster connects when it is made."""
    tried = []

    def make(*_):
        tried.append(1)
        if len(tried) < 3:
            raise OSError("down")
        limiter = Broken()
        limiter.error = None
        return limiter

    monkeypatch.setattr(rate_limit, "limiter_of", make)
    app = Stack(RateLimit("1/day", storage="redis+cluster://h", on_storage_error="deny")).wrap(APP)
    got = []
    for clock.ahead in (0, 6, 12):
        got.append(serve(app).status[:3])
    assert (got, len(caplog.records)) == (["503", "503", "200"], 1)


@pytest.mark.parametrize("package", ["redis", "valkey"])
def test_clients_give_up_early_and_do_not_try_again(monkeypatch, package):
    for module in ("retry", "backoff"):
        monkeypatch.setitem(sys.modules, f"{package}.{module}", import_module(f"redis.{module}"))
    monkeypatch.setitem(sys.modules, package, import_module("redis"))
    for scheme in (f"{package}://h", f"{package}s://h", f"{package}+unix:///h", f"{package}+cluster://h"):
        options = rate_limit.timeouts(scheme)
        assert (options["socket_timeout"], options["socket_connect_timeout"]) == (0.5, 0.5)
        assert options["retry"].get_retries() == 0
    assert rate_limit.timeouts(f"{package}+sentinel://h")["sentinel_kwargs"]["socket_timeout"] == 0.5
    assert rate_limit.timeouts("memcached://h") == {}


def test_options_of_the_storage_override_the_timeouts():
    layer = RateLimit("1/day", storage="redis://127.0.0.1:1", storage_options={"socket_timeout": 2})
    kept = layer._store._limiter.storage.storage.connection_pool.connection_kwargs
    assert (kept["socket_timeout"], kept["socket_connect_timeout"]) == (2, 0.5)


def test_a_storage_that_hangs_is_waited_for_once(caplog):
    """It takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        app = Stack(RateLimit("1/day", storage=f"redis://127.0.0.1:{port}")).wrap(APP)
        assert statuses(app, 5) == ["200"] * 5
        silent.setblocking(False)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):  # there was no other
            silent.accept()
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"key": by.user}, "not counted: the key is None"),
        ({}, "refused: 0 of 1 in 86400 s are left, "),
        ({"cost": 2, "limits": "3/day"}, "refused: 1 of 3 in 86400 s are left, "),
        ({"cost": 1, "limits": "2/day"}, 'counted: "default";r=0;t='),
        ({"headers": False, "limits": "2/day"}, 'counted: "default";q=2;w=86400'),
        ({"storage": "redis://127.0.0.1:1"}, "the storage is down: on_storage_error is 'allow'"),
    ],
)
def test_it_says_why(options, said):
    app = Stack(RateLimit(**{"limits": "1/day", **options})).wrap(APP)
    serve(app)
    notes = []
    serve(app, lint=False, **{"middleware.notes": notes})
    [note] = notes
    assert note.startswith(said)


# -- machines that share a count ---------------------------------------------------------------------------------------


def free_port():
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return tried.getsockname()[1]


class Redis:
    """A Redis of its own, which can be killed and started again."""

    def __init__(self):
        program = needs("redis-server", "valkey-server")
        self.port = free_port()
        self.command = [program, "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no"]
        self.uri = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self):
        self.server = Server(*self.command, port=self.port)

    def kill(self):
        self.server.close()


def counting(monkeypatch):
    """A layer, and the kinds of locks that are held while its memory counts."""
    layer, held, real = RateLimit("9/day", strategy="fixed-window"), [], MemoryStorage.incr

    def incr(self, *args, **options):
        held.append([kind for kind, lock in layer._store._locks.items() if lock.locked()])
        return real(self, *args, **options)

    monkeypatch.setattr(MemoryStorage, "incr", incr)
    return layer, held


def test_the_memory_of_the_process_is_asked_by_one_thread_at_a_time(monkeypatch):
    """It loses counts of several, and fails where two of them start its timer."""
    layer, held = counting(monkeypatch)
    assert statuses(Stack(layer).wrap(APP), 2) == ["200", "200"]
    assert held == [[threading.Lock]] * 2
    assert not layer._store._locks[threading.Lock].locked()


def test_the_lock_of_the_memory_is_of_the_kind_that_threading_has_when_a_request_comes(monkeypatch):
    """A worker of `gunicorn -k gevent --preload` replaces it; one that blocks the thread would stop all greenlets."""
    layer, held = counting(monkeypatch)
    real = threading.Lock

    class Lock:
        def __init__(self):
            self.acquire, self.release, self.locked = (lock := real()).acquire, lock.release, lock.locked

        def __enter__(self):
            self.acquire()

        def __exit__(self, *_):
            self.release()

    assert statuses(Stack(layer).wrap(APP), 1) == ["200"]
    monkeypatch.setattr(threading, "Lock", Lock)
    assert statuses(Stack(layer).wrap(APP), 2) == ["200", "200"]
    assert held == [[real], [Lock], [Lock]]


@pytest.fixture
def redis():
    redis = Redis()
    yield redis
    redis.kill()


@every_strategy
def test_two_processes_share_a_count_and_exactly_as_many_pass(redis, strategy):
    env = {**environment(), "LIMITS": "25/year", "STORAGE": redis.uri, "STRATEGY": strategy}
    command = script("waitress-serve"), "--listen=127.0.0.1:0", "--threads=4", "limited_site:application"
    with ExitStack() as ending:
        servers = [Server(*command, cwd=SUPPORT, env=env) for _ in range(2)]
        for server in servers:
            ending.callback(server.close)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda number: ask(servers[number % 2].port, "/"), range(60)))
    passed = [answer for answer in answers if answer.status == 200]
    assert (len(passed), {answer.status for answer in answers}) == (25, {200, 429})
    assert all("RateLimit" in answer.headers for answer in answers)
    # 31104000 seconds, of which the count of the sliding window takes part of the quota back as they pass
    assert min(int(FIELD.search(answer.headers["RateLimit"])[2]) for answer in passed) == 0


@pytest.mark.parametrize(("outcome", "status"), [("allow", "200"), ("deny", "503")])
def test_a_redis_that_is_killed_and_started_again_is_found_again(redis, clock, caplog, outcome, status):
    layer = RateLimit("3/year", storage=redis.uri, on_storage_error=outcome)
    app = Stack(layer).wrap(APP)
    assert statuses(app, 2) == ["200", "200"]
    redis.kill()
    assert statuses(app, 4) == [status] * 4
    redis.start()
    assert statuses(app, 4) == [status] * 4  # it is left alone
    clock.ahead = 6
    assert statuses(app, 4) == ["200", "200", "200", "429"]  # what it counted it has forgotten
    assert len(caplog.records) == 1

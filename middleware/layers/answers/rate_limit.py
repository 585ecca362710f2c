"""RateLimit: a number of requests in a period, counted by the `limits` library in a storage that machines may share.

The fields RateLimit and RateLimit-Policy are those of draft-ietf-httpapi-ratelimit-headers-10.
"""

import logging
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from hashlib import blake2b
from importlib import import_module
from itertools import count
from math import ceil
from typing import Any, ClassVar, Final, Literal, NamedTuple, TypeAlias, overload
from urllib.parse import unquote

from middleware import by
from middleware.wsgi.answer import NO_STORE, NOTES, answer, answer_fault, note, refusal
from middleware.wsgi.effects import Effects
from middleware.wsgi.escaped import escaped
from middleware.wsgi.identity import log_extra
from middleware.wsgi.options import ConfigError, Problems
from middleware.wsgi.positional import Positional
from middleware.wsgi.response import Response
from middleware.wsgi.types import Application, Environ

_Key: TypeAlias = Callable[[Environ], str | None]
_Strategy: TypeAlias = Literal["fixed-window", "moving-window", "sliding-window-counter"]
_Outcome: TypeAlias = Literal["allow", "deny"]

KEY: Final = "middleware.rate_limit"
PAUSE: Final = 5.0  # seconds for which a storage that failed is not used
LOGGED: Final = 60.0  # seconds between two log lines about it
WAIT: Final = 0.5  # seconds for which a request waits for Redis or Valkey
_STRATEGIES: Final = ("fixed-window", "moving-window", "sliding-window-counter")
_LARGEST: Final = 10**15 - 1  # the largest integer in a structured field (RFC 9651 3.3.1)
_STORED: Final = 64  # bytes of the longest key that is stored as it is
_NAME: Final = re.compile(r"[!#-.0-\[\]-~](?:[ !#-.0-\[\]-~]{0,62}[!#-.0-\[\]-~])?")
_SHARED: Final = re.compile(r"(redis|valkey)s?(?:\+|:)")
_NEVER: Final = re.compile(r"(?:/|per)\s*0+\s*[a-z]", re.IGNORECASE)  # 0 seconds, which the library takes for one
_NUMBERS: Final = count()
logger = logging.getLogger("middleware")


# -- what is counted -------------------------------------------------------------------------------------------------


class Policy(NamedTuple):
    """One limit: `quota` requests in `window` seconds, under its name in the fields and in the storage."""

    name: str
    quota: int
    window: int
    item: Any

    def __str__(self) -> str:
        return f'"{self.name}";q={self.quota};w={self.window}'


class Left(NamedTuple):
    """The rest of the quota of a policy, and the seconds until there is more."""

    policy: Policy
    remaining: int
    seconds: int

    def __str__(self) -> str:
        return f'"{self.policy.name}";r={self.remaining};t={self.seconds}'


@dataclass(slots=True)
class Count:
    """The result of counting a request: the remaining quota of each policy, and the policy that refuses the request."""

    left: tuple[Left, ...]
    refused: Left | None


def counted(limiter: Any, key: str, *, policies: Sequence[Policy], cost: int, told: bool, slides: bool) -> Count:
    """Count a request by each of the policies, up to the first that refuses it. `slides`: by a sliding window."""
    left = []
    for policy in policies:
        passes = limiter.hit(policy.item, policy.name, key, cost=cost)
        if passes and not told:
            continue
        reset, remaining = limiter.get_window_stats(policy.item, policy.name, key)
        seconds = min(max(ceil(reset - time.time()), 0), policy.window)  # the clocks of two machines differ
        if not passes and slides and cost > 1:
            counts = limiter.storage.get_sliding_window(policy.item.key_for(policy.name, key), policy.window)
            seconds = max(seconds, until_room(counts, policy, cost))
        left.append(Left(policy, max(remaining, 0), seconds))
        if not passes:
            return Count(tuple(left), left[-1])
    return Count(tuple(left), None)


def until_room(counts: tuple[int, float, int, float], policy: Policy, cost: int) -> int:
    """The whole seconds until a sliding window has room for a cost: its previous count fades before the current one."""
    previous, fading, current, expiring = counts  # each count, and the seconds until it has faded
    room = policy.quota - cost + 1  # the sum of both has to be below it
    if current < room:
        return ceil(fading - policy.window * (room - current) / max(previous, 1))
    return ceil(expiring - policy.window * room / current)


def stored(key: str) -> str:
    """The key in the storage: hashed if it may be a credential, is long, or does not fit every storage."""
    if len(key) <= _STORED and key.isascii() and key.isprintable() and " " not in key and type(key) is not by.Secret:
        return key
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


# -- where it is counted ---------------------------------------------------------------------------------------------


class Address(str):
    """The URI of a storage, whose repr shows no credentials."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(hidden(self))


class Private(dict[str, Any]):
    """Options of a storage, whose repr shows their names only."""

    def __repr__(self) -> str:
        return repr(dict.fromkeys(self, "***"))


def hidden(uri: str) -> str:
    """The URI without the parts that may be credentials: all before its last @, and its query."""
    scheme, mark, rest = uri.partition("://")
    credentials, at, place = rest.rpartition("@")
    place, asked, _ = place.partition("?")
    shown = f"{scheme}{mark}{'***' * bool(credentials)}{at}{place}{asked}{'***' * bool(asked)}"
    return shown if mark else "***"


def told(uri: str, options: Mapping[str, Any], error: Exception) -> str:
    """The text of an error without the password of the storage, encoded and decoded."""
    credentials = uri.partition("://")[2].rpartition("@")[0]
    if {*credentials} & {*"#/?[]"}:  # RFC 3986 2.2; the text may have any piece of the password
        return "percent-encode # / ? [ ] in a user and a password"
    written = credentials.partition(":")[2] if ":" in credentials else credentials
    given = (value for option, value in options.items() if "pass" in option and isinstance(value, str))
    text = str(error).replace(uri, hidden(uri))
    for secret in filter(None, (written, unquote(written), *given)):
        text = text.replace(secret, "***")
    return text


class Store:
    """The storage of the counts. After a failure it is not used for a while, so that requests do not wait."""

    def __init__(self, make: Callable[[], Any], shown: str, told: Callable[[Exception], str], *, alone: bool) -> None:
        self._make, self._shown, self._told, self._alone = make, shown, told, alone
        self._locks: dict[object, threading.Lock] = {}  # gevent may replace threading.Lock after the first request
        self._limiter: Any = None
        self._until, self._logged = 0.0, -LOGGED
        try:
            self._limiter = make()
        except ConfigError:
            raise
        except Exception as error:  # noqa: BLE001 - a cluster connects when it is made; if it is down, try again later
            self._fail(error, log_extra({}, "RateLimit"))

    def ask(self, question: Callable[[Any], Count], environ: Environ, layer: str) -> Count | None:
        """Return the result of `question(limiter)`, or None while the storage is down."""
        failed = self._until
        if failed:
            now = time.monotonic()
            if now < failed:
                return None
            self._until = now + PAUSE  # this request tries the storage, others do not wait
        try:
            if self._limiter is None:
                self._limiter = self._make()
            with self._lock() if self._alone else nullcontext():
                found = question(self._limiter)
        except Exception as error:  # noqa: BLE001 - each client has errors of its own
            self._fail(error, log_extra(environ, layer))
            return None
        if failed:
            self._until = 0.0
        return found

    def _lock(self) -> threading.Lock:
        return self._locks.get(threading.Lock) or self._locks.setdefault(threading.Lock, threading.Lock())

    def _fail(self, error: Exception, extra: Mapping[str, Any]) -> None:
        now = time.monotonic()
        self._until = now + PAUSE
        if now - self._logged >= LOGGED:
            self._logged = now
            why = f"{type(error).__name__}: {self._told(error)}"
            logger.error("%s has failed, and is left alone for %d s: %s", self._shown, PAUSE, escaped(why), extra=extra)


def limiter_of(uri: str, options: Mapping[str, Any], strategy: str) -> Any:
    """The limiter that counts by a strategy in the storage at a URI. ConfigError if it cannot be made."""
    wrong: tuple[type[Exception], ...] = (import_module("limits.errors").ConfigurationError, TypeError, ValueError)
    try:
        kept = import_module("limits.storage").storage_from_string(str(uri), **{**timeouts(uri), **options})
        return import_module("limits.strategies").STRATEGIES[strategy](kept)
    except NotImplementedError:
        rule = f"a storage that can count by {strategy}"
    except wrong as error:
        rule = f"a storage of the limits library ({told(uri, options, error)})"
    raise ConfigError(f"RateLimit: storage: {rule}; got {uri!r}")


def timeouts(uri: str) -> dict[str, Any]:
    """Return the options with which a client of Redis or Valkey times out early and does not retry."""
    found = _SHARED.match(uri)
    if found is None:
        return {}
    package = found[1]
    try:
        retry = import_module(f"{package}.retry").Retry(import_module(f"{package}.backoff").NoBackoff(), 0)
    except ImportError:
        remedy = {
            "redis": "pip install 'wsgi-middleware-stack[redis]'",
            "valkey": "pip install 'wsgi-middleware-stack[limits]' valkey, or write redis://, whose protocol it speaks",
        }
        raise ConfigError(f"RateLimit: storage: needs the package {package}: {remedy[package]}") from None
    options: dict[str, Any] = {"socket_timeout": WAIT, "socket_connect_timeout": WAIT, "retry": retry}
    return {**options, "sentinel_kwargs": options} if "+sentinel:" in uri else options


# -- the layer -------------------------------------------------------------------------------------------------------


class RateLimit(Positional):
    """Limits the number of requests of a client in a period, and answers those above the limit with a 429.

    States the remaining quota in the fields RateLimit and RateLimit-Policy of every counted response, including its own
    answer, and the time to retry in Retry-After of a 429. Requests of one key are counted together, by default those of
    one address. In memory each process counts for itself, for up to about 100,000 keys at a time; with a storage such
    as Redis all processes and machines share one count, at the cost of two round trips for each limit (three by
    "fixed-window"), or of one without the fields.

    A storage that is down, or does not answer within half a second (Redis, Valkey), has failed: it is not used for five
    seconds, and then one request tries again. The logger "middleware" gets one line a minute, without credentials.

    Stands inside layers whose headers belong on every response, and outside everything that costs more than a count. By
    address it stands outside BasicAuth, by user inside it. Does nothing to requests whose key is None. Behind a proxy
    put ProxyFix outside, or all clients share the address of the proxy.

    Options:
        limits: str. "100/minute", "5 per 30 seconds", or several: "10/second; 1000/hour", counted shortest first up to
            the first that refuses. May be given by position, first or after the application. Required.
        key: callable of environ -> str or None. Requests with the same key are counted together, and those with None
            are not counted. `middleware.by` has such callables. A key that comes from a header or is longer than 64
            bytes is stored as a hash. Default `by.address`.
        storage: str, a URI of the limits library. The storage of the counts: "memory://", "redis://host:6379/0",
            "valkey://host", "memcached://host:11211" or "mongodb://host". Default "memory://".
        storage_options: mapping, or None. The options that the client of the storage gets in addition to the URI.
            Default None; for Redis and Valkey half a second as `socket_timeout` and `socket_connect_timeout`, and a
            `retry` without retries.
        strategy: "sliding-window-counter", "moving-window" or "fixed-window". How requests are counted: nearly exact;
            exact, with the time of every request stored; or up to twice the limit around the end of a window. Default
            "sliding-window-counter".
        name: str, 1 to 64 characters of printable ASCII without double quotes, backslashes, slashes, and spaces at its
            ends. The name of the limit for clients and in the storage; further limits are NAME-2 and so on. Layers of
            one name, key and storage share counts. Default "default".
        cost: int. The cost of each request. Default 1.
        headers: bool. Whether the fields are sent. Default True.
        on_storage_error: "allow" or "deny" (503). Whether requests pass while the storage is down. Default "allow".
        answer: WSGI application or None. Answers instead of the 429. Default None.

    Errors: ConfigError, also where the package `limits` or the client of the storage is not installed.
    Source: RFC 6585 4, RFC 9110 10.2.3, draft-ietf-httpapi-ratelimit-headers-10.
    """

    _peers: ClassVar[dict[str, str]] = {"rate": "limits", "key_func": "key"}  # of flask-limiter and others
    effects: ClassVar[Effects] = Effects(answers=True, refuses=True, sets={"ratelimit", "ratelimit-policy"})
    _placed = ("limits",)

    @overload
    def __init__(
        self,
        limits: str,
        *,
        key: _Key = ...,
        storage: str = ...,
        storage_options: Mapping[str, Any] | None = ...,
        strategy: _Strategy = ...,
        name: str = ...,
        cost: int = ...,
        headers: bool = ...,
        on_storage_error: _Outcome = ...,
        answer: Application | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self,
        app: Application | None = None,
        /,
        limits: str = ...,
        *,
        key: _Key = ...,
        storage: str = ...,
        storage_options: Mapping[str, Any] | None = ...,
        strategy: _Strategy = ...,
        name: str = ...,
        cost: int = ...,
        headers: bool = ...,
        on_storage_error: _Outcome = ...,
        answer: Application | None = ...,
    ) -> None: ...
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)

    def _configure(
        self,
        *,
        limits: str,
        key: _Key = by.address,
        storage: str = "memory://",
        storage_options: Mapping[str, Any] | None = None,
        strategy: _Strategy = "sliding-window-counter",
        name: str = "default",
        cost: int = 1,
        headers: bool = True,
        on_storage_error: _Outcome = "allow",
        answer: Application | None = None,
    ) -> None:
        self.limits, self.key, self.strategy, self.cost, self.headers = limits, key, strategy, cost, headers
        self.policy, self.on_storage_error, self.answer = name, on_storage_error, answer
        self.storage = Address(str.__str__(storage)) if isinstance(storage, str) else storage
        named = isinstance(storage_options, Mapping) and all(isinstance(option, str) for option in storage_options)
        self.storage_options = Private(storage_options) if storage_options is not None and named else storage_options
        problems = Problems("RateLimit")
        self._policies = self._check(problems)
        problems.done()
        self._told = ", ".join(map(str, self._policies))
        policies = sorted(self._policies, key=lambda policy: policy.window)
        slides = strategy == "sliding-window-counter"
        self._counted = partial(counted, policies=policies, cost=cost, told=headers, slides=slides)
        kept: Mapping[str, Any] = self.storage_options or {}
        self._store = Store(
            partial(limiter_of, self.storage, kept, strategy),
            f"RateLimit {name!r}: the storage {hidden(self.storage)}",
            partial(told, self.storage, kept),
            alone=self.storage.startswith("memory:"),  # it is not thread-safe
        )
        self._environ_key = f"{KEY}.{next(_NUMBERS)}"

        @lru_cache(maxsize=128)
        def refused(seconds: int) -> Application:
            return refusal(answer, 429, "Too many requests.", [("Retry-After", str(seconds)), NO_STORE])

        self._refusal = refused

    def _check(self, problems: Problems) -> list[Policy]:
        problems.add_fault("key", by.key_fault(self.key, "a callable of environ"), self.key)
        rule = "a URI, such as memory:// or redis://127.0.0.1:6379/0"
        fits = isinstance(self.storage, str) and "://" in self.storage and not self.storage.startswith("async+")
        # The values may hold passwords: their types are enough.
        problems.check(fits, "storage", rule, self.storage if isinstance(self.storage, str) else type(self.storage))
        fits = isinstance(self.storage_options, Private | None)
        problems.check(fits, "storage_options", "a mapping of str to values, or None", type(self.storage_options))
        problems.check(self.strategy in _STRATEGIES, "strategy", f"one of {', '.join(_STRATEGIES)}", self.strategy)
        named = isinstance(self.policy, str) and _NAME.fullmatch(self.policy)
        rule = '1 to 64 characters of printable ASCII, without ", \\, / and spaces at its ends'
        problems.check(named, "name", rule, self.policy)
        problems.check(isinstance(self.headers, bool), "headers", "a bool", self.headers)
        known = self.on_storage_error in ("allow", "deny")
        problems.check(known, "on_storage_error", '"allow" or "deny"', self.on_storage_error)
        problems.add_fault("answer", answer_fault(self.answer), self.answer)
        policies = list(_policies(problems, self.limits, self.policy))
        least = min((policy.quota for policy in policies), default=1)
        if problems.check(type(self.cost) is int and self.cost >= 1, "cost", "an int of 1 or more", self.cost):
            rule = f"at most {least}, or no request ever passes"
            problems.check(not policies or self.cost <= least, "cost", rule, self.cost)
        return policies

    def on_request(self, environ: Environ) -> Application | None:
        """Count the request; refuse it if it exceeds a limit."""
        key = self.key(environ)
        if key is None:
            environ[self._environ_key] = None
            note(environ, "not counted: the key is None")
            return None
        if not isinstance(key, str):
            raise TypeError(f"{self.name}: a key is a str or None; got {type(key).__name__}")
        key = stored(key)
        count = environ[self._environ_key] = self._store.ask(partial(self._counted, key=key), environ, self.name)
        if count is None:
            note(environ, f"the storage is down: on_storage_error is {self.on_storage_error!r}")
            return _DOWN if self.on_storage_error == "deny" else None
        if count.refused is None:
            notes = environ.get(NOTES)
            if notes is not None:
                notes.append(f"counted: {', '.join(map(str, count.left)) or self._told}")
            return None
        policy, remaining, seconds = count.refused
        note(environ, f"refused: {remaining} of {policy.quota} in {policy.window} s are left, {seconds} s to wait")
        return self._refusal(max(seconds, 1))

    def on_response(self, environ: Environ, response: Response) -> None:
        """Add the fields with the remaining quota."""
        count: Count | None = environ.get(self._environ_key)
        if count is not None and self.headers:
            response.headers.append(("RateLimit-Policy", self._told))
            response.headers.append(("RateLimit", ", ".join(map(str, count.left))))

    def declared(self) -> Effects:
        """The effects of the class, the request values that the key reads, and the name, which is unique."""
        sets = self.effects.sets - (frozenset() if self.headers else RateLimit.effects.sets)
        requires = self.effects.requires | getattr(self.key, "requires", frozenset())
        unique = self.effects.unique or f"RateLimit {self.policy}"
        return replace(self.effects, sets=sets, requires=requires, unique=unique)

    def describe(self) -> Iterable[tuple[str, str]]:
        """The limits, the key and the storage."""
        yield "request", f"answers with a 429 above {self.limits} by {self.key!r}, counted in {hidden(self.storage)}"
        if self.headers:
            yield "response", "adds RateLimit and RateLimit-Policy"


_DOWN: Final = answer(503, "Requests cannot be counted at the moment.", [("Retry-After", f"{PAUSE:.0f}"), NO_STORE])


def _policies(problems: Problems, limits: object, name: str) -> Iterator[Policy]:
    """The limits, in the order in which they are written."""
    try:
        parse = import_module("limits").parse_many
    except ImportError:
        remedy = "pip install 'wsgi-middleware-stack[limits]'"
        raise ConfigError(f"RateLimit: limits: needs the package limits: {remedy}") from None
    try:
        items = [] if _NEVER.search(str(limits)) else list(parse(limits))
    except ValueError:
        items = []
    quotas = [(item.amount, item.get_expiry()) for item in items]
    right = quotas and all(0 < quota <= _LARGEST for quota, _ in quotas)
    rule = 'limits such as "100/minute" or "10/second; 1000/hour", of 1 or more'
    if not problems.check(right, "limits", rule, limits):
        return
    problems.check(len(set(quotas)) == len(quotas), "limits", "different ones", limits)
    for number, (item, (quota, window)) in enumerate(zip(items, quotas, strict=True), 1):
        yield Policy(name if number == 1 else f"{name}-{number}", quota, window, item)

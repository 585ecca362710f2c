"""AccessLog: one log record for each request, when it is over."""

import json
import logging
import re
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timezone
from functools import lru_cache, partial
from typing import Any, ClassVar, Final, NamedTuple, TypeAlias, cast
from urllib.parse import unquote_plus

from middleware.http.fields import environ_key, is_token, plain
from middleware.http.locations import origin_form
from middleware.wsgi.conditions import certain
from middleware.wsgi.effects import Effects
from middleware.wsgi.escaped import escaped
from middleware.wsgi.identity import REQUEST_ID, log_extra
from middleware.wsgi.measurement import Followed, Following, Measurement, counted_method
from middleware.wsgi.options import Problems, several
from middleware.wsgi.plan import Layer
from middleware.wsgi.refused import called_fault, predicate_fault
from middleware.wsgi.types import Application, Environ, Predicate

Format: TypeAlias = str | Callable[[Measurement], str | None]
_NEVER: Final = frozenset({"authorization", "proxy-authorization", "cookie"})
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_ENCODED: Final = 12  # length of one percent-encoded character: at most four bytes of UTF-8
# Characters that a log line escapes.
_IN_LINE: Final = re.compile(r"[^ -~]")
_IN_QUOTES: Final = re.compile(r"[^ !#-\[\]-~]")
_IN_WORD: Final = re.compile(r"[^!#-\[\]-~]")
_logger = logging.getLogger("middleware")


class _Request(Followed):
    """A request that will be logged when it is over."""

    __slots__ = ("at", "failed", "fields", "skipped")

    at: float  # time.time() when the request was received
    failed: str | None  # the class of an error, or a status from 500 on: OpenTelemetry's error.type
    fields: list[tuple[str, str | None]]
    skipped: bool

    def redact(self, names: frozenset[str]) -> None:
        """Leave out the values of query parameters."""
        self._raw = _redacted(self.target, names)
        self.referer = self.referer and _redacted(self.referer, names)
        self.fields = [(name, self.referer if name.lower() == "referer" else value) for name, value in self.fields]


class _Line(NamedTuple):
    """A message that is formatted when a handler reads its text."""

    format: Callable[[_Request], str]
    request: _Request

    def __str__(self) -> str:
        return self.format(self.request)


class AccessLog(Following):
    r"""Logs every request when it is over: the client, the request, the status, the size and the duration.

    Stands outermost, except for `RequestId` and layers that correct the address of the client, because a request that
    an outer layer answers is not logged. Does nothing to the response. One request is one record, and one line: control
    characters, quotes, backslashes and non-ASCII bytes become `\xHH` (in JSON: escapes of JSON), and so do blanks in
    values that are not quoted. Authorization and Cookie are never logged. A record has the attributes `request_id`,
    `method`, `path` and `layer` too. A client that disconnects is not an error: the level is that of the status.

    Options:
        format: "common", "combined", "json", or callable(Measurement) -> str or None. "common" is the Common Log
            Format, "combined" adds referer, user agent, and the seconds that the request took, "json" is an object with
            OpenTelemetry's attribute names. None from a callable logs nothing. Default "combined".
        logger: str, or logging.Logger. The logger of the records. Default "middleware.access".
        level: int, a name of a level, or None. None is INFO below 400, WARNING below 500, and ERROR from 500 on or for
            an error in the body. Default None.
        skip: predicate of the environ, or None. Requests that are not logged; the predicate must hold certainly.
            Default None.
        redact: iterable of str. Query parameters whose values become `***`, in the referer too. Default none.
        fields: iterable of field names. Request headers that are logged too. Default none.

    Errors: ConfigError. An exception raised by a handler, `format` or `skip` is logged and never reaches the client.
    Source: https://httpd.apache.org/docs/current/logs.html; OpenTelemetry semantic conventions for HTTP.
    """

    effects: ClassVar[Effects] = Effects(
        observes=True, measures=True, requires={"REMOTE_ADDR", REQUEST_ID}, unique=True
    )

    def __init__(
        self,
        app: Application | None = None,
        /,
        *,
        format: Format = "combined",  # noqa: A002 - the natural name
        logger: str | logging.Logger = "middleware.access",
        level: int | str | None = None,
        skip: Predicate | None = None,
        redact: Iterable[str] = (),
        fields: Iterable[str] = (),
    ) -> None:
        super().__init__(app)
        self.format, self.logger, self.level, self.skip = plain(format), logger, level, skip
        problems = Problems("AccessLog")
        rule = '"common", "combined", "json", or a callable(Measurement) -> str'
        fault = format not in [*_FORMATS] and called_fault(format, rule, "is no line")
        problems.add_fault("format", fault, format)
        named = isinstance(logger, (str, logging.Logger))
        problems.check(named, "logger", "the name of a logger, or a logging.Logger", logger)
        self._level: int | None = None
        if level is not None:
            try:
                self._level = logging.NullHandler(level).level  # a handler accepts names too
            except (TypeError, ValueError):
                problems.add("level", "an int, the name of a level, or None", level)
        problems.add_fault("skip", skip is not None and predicate_fault(skip, "a predicate or None"), skip)
        self.redact = _texts(problems, "redact", redact)
        self.fields = _texts(problems, "fields", fields)
        for name in self.fields:
            problems.check(is_token(name), "fields", "field names are tokens", name)
            problems.check(name.lower() not in _NEVER, "fields", "credentials are never logged", name)
        problems.done()
        self._keys = tuple(zip(self.fields, map(environ_key, self.fields), strict=True))
        self._redacted = frozenset(map(str.lower, self.redact))
        self._skip = None if skip is None else certain(skip)
        self._logger = logging.getLogger(logger) if isinstance(logger, str) else logger
        if not any(isinstance(handler, logging.NullHandler) for handler in self._logger.handlers):
            self._logger.addHandler(logging.NullHandler())

    def on_request(self, environ: Environ) -> None:
        """Start to measure the request."""
        request = _Request(environ)
        self._follow(environ, request)
        request.skipped = self._skip is not None and self._skips(self._skip, environ)
        request.at = time.time()
        request.fields = [(name, environ.get(key)) for name, key in self._keys]

    def _skips(self, skip: Predicate, environ: Environ) -> bool:
        try:
            return bool(skip(environ))
        except Exception as error:  # noqa: BLE001 - logged
            self._failed("skip failed, so the request is logged", environ, error)
            return False

    def layer(self) -> Layer:
        """No response varies by what decides whether its request is logged."""
        layer = super().layer()
        return layer._replace(vary=()) if type(self) is AccessLog else layer

    def on_close(self, environ: Environ, error: BaseException | None) -> None:
        """Log the request."""
        request = self._followed(environ)
        if not isinstance(request, _Request) or request.skipped:
            return
        try:
            request.over(environ, error)
            code = request.status_code or 0
            request.failed = str(code) if code >= 500 else None
            if error is not None and not request.gone:
                request.failed = type(error).__qualname__
            if self._redacted:
                request.redact(self._redacted)
            self._log(request, code)
        except Exception as failure:  # noqa: BLE001 - logged
            self._failed("the request was not logged", environ, failure)
        finally:
            request.error = None  # a handler may keep the record, and should not keep frames

    def _failed(self, what: str, environ: Environ, error: Exception) -> None:
        with suppress(Exception):  # the same handler may fail again
            _logger.error("%s: %s", self.name, what, exc_info=error, extra=log_extra(environ, self.name))

    def _log(self, request: _Request, code: int) -> None:
        level = self._level
        if level is None:
            level = logging.ERROR if request.failed else logging.WARNING if code >= 400 else logging.INFO
        if not self._logger.isEnabledFor(level):
            return
        if callable(self.format):
            line = self.format(request)
            if line is None:
                return
            message: object = _IN_LINE.sub(_bytes, line)
        else:
            message = _Line(_FORMATS[self.format], request)
        extra = {
            "request_id": request.request_id,
            "method": escaped(request.method),
            "path": escaped(request.path),
            "layer": self.name,
        }
        name = self._logger.name
        self._logger.handle(self._logger.makeRecord(name, level, __file__, 0, message, (), None, "on_close", extra))

    def describe(self) -> Iterable[tuple[str, str]]:
        """The logger and the format."""
        kind = self.format if isinstance(self.format, str) else getattr(self.format, "__qualname__", repr(self.format))
        yield "close", f"logs the request to {self._logger.name} ({kind})"


def _texts(problems: Problems, option: str, given: object) -> tuple[str, ...]:
    try:
        texts = tuple(several(given))
    except ValueError as error:
        problems.add(option, str(error), given)
        return ()
    wrong = [text for text in texts if not isinstance(text, str) or not text]
    problems.check(not wrong, option, "a str, or an iterable of str", given)
    return () if wrong else cast("tuple[str, ...]", texts)


def _redacted(url: str, names: frozenset[str]) -> str:
    """The URL with `***` for the values of these query parameters, whether `&` or `;` separates parameters."""
    path, mark, query = url.partition("?")
    parts = query.split("&")
    longest = _ENCODED * max(map(len, names)) + 1  # a name and its `=`: no part is scanned repeatedly
    for number, part in enumerate(parts):
        start = 0
        while start <= len(part):
            name, equals, _ = part[start : start + longest].partition("=")
            held = name.encode("latin-1", "replace").decode("utf-8", "replace")  # UTF-8 (PEP 3333)
            if equals and not names.isdisjoint((unquote_plus(name).lower(), unquote_plus(held).lower())):
                parts[number] = f"{part[:start]}{name}=***"
                break
            start = (part.find(";", start) + 1) or len(part) + 1
    return f"{path}{mark}{'&'.join(parts)}"


# -- formats ---------------------------------------------------------------------------------------------------------


def _bytes(found: re.Match[str]) -> str:
    r"""The bytes of a character as `\xHH`."""
    character = found[0]
    coded = character.encode("latin-1") if character <= "\xff" else character.encode("utf-8", "surrogatepass")
    return "".join(f"\\x{byte:02X}" for byte in coded)


def _word(text: str | None) -> str:
    return _IN_WORD.sub(_bytes, text) if text else "-"


def _quoted(text: str | None) -> str:
    return f'"{_IN_QUOTES.sub(_bytes, text)}"' if text else '"-"'


@lru_cache(maxsize=1)  # many requests end in one second
def _day_and_time(second: int) -> str:
    now = time.gmtime(second)
    day = f"{now.tm_mday:02}/{_MONTHS[now.tm_mon - 1]}/{now.tm_year}"
    return f"{day}:{now.tm_hour:02}:{now.tm_min:02}:{now.tm_sec:02} +0000"


def _common(request: _Request, *, combined: bool = False) -> str:
    """The Common Log Format, with `-` as the RFC 1413 identity. `combined` adds referer, user agent and seconds."""
    line = f"{_word(request.method)} {_word(request.target)} {_word(request.protocol)}"
    size = "-" if request.bytes_sent is None else request.bytes_sent
    more = f" {_quoted(request.referer)} {_quoted(request.user_agent)} {request.seconds:.6f}" if combined else ""
    for _, value in request.fields:
        more += f" {_quoted(value)}"
    who, at = f"{_word(request.client)} - {_word(request.user)}", _day_and_time(int(request.at))
    return f'{who} [{at}] "{line}" {request.status_code or "-"} {size}{more}'


def _json(request: _Request) -> str:
    """One JSON object, with OpenTelemetry's attribute names where there are any."""
    path, _, query = origin_form(request.target).partition("?")
    method = counted_method(request.method)
    protocol, _, version = request.protocol.partition("/")
    found: dict[str, Any] = {
        "timestamp": datetime.fromtimestamp(request.at, timezone.utc).isoformat(timespec="microseconds"),
        "client.address": request.client,
        "user.name": request.user,
        "http.request.method": method,
        "http.request.method_original": None if method == request.method else request.method,
        "url.path": path,
        "url.query": query,
        "network.protocol.name": protocol.lower(),
        "network.protocol.version": version,
        "user_agent.original": request.user_agent,
        "http.request.header.referer": request.referer,
        "request_id": request.request_id,
        "http.response.status_code": request.status_code,
        "http.response.body.size": request.bytes_sent,
        "error.type": request.failed,
        "duration": request.seconds,
        "time_to_head": request.seconds_to_headers,
        "client_gone": request.gone,
        **{f"http.request.header.{name.lower()}": value for name, value in request.fields},
    }
    for name, value in found.items():
        if isinstance(value, float):
            found[name] = round(value, 6)
        elif value == "":
            found[name] = None
        elif isinstance(value, str) and not value.isascii():
            with suppress(UnicodeEncodeError):  # environ holds UTF-8 as latin-1 (PEP 3333)
                found[name] = value.encode("latin-1").decode("utf-8", "backslashreplace")
    return json.dumps(found)


_FORMATS: Final[dict[str, Callable[[_Request], str]]] = {
    "common": _common,
    "combined": partial(_common, combined=True),
    "json": _json,
}

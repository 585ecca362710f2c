"""Inspector: a page that shows the last exchanges, layer by layer. For development."""

from __future__ import annotations

import hmac
import logging
import re
import secrets
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from ipaddress import ip_address
from itertools import count
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, unquote_plus

from middleware.sight.explain import explanation
from middleware.sight.explanation import Explanation
from middleware.sight.inspector_page import POLICY, page
from middleware.sight.story import Recording, Story
from middleware.stack.printed import chain
from middleware.wsgi.answer import NOTES
from middleware.wsgi.effects import Effects
from middleware.wsgi.escaped import escaped
from middleware.wsgi.identity import log_extra
from middleware.wsgi.layer import Middleware
from middleware.wsgi.options import Problems
from middleware.wsgi.response import Response, Transform
from middleware.wsgi.types import Application, Environ, StartResponse

_PATH: Final = re.compile(r"/[!$&'()*+,.:;=@_~0-9A-Za-z/-]+")
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~-]+")
_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:]+)(:[0-9]*)?", re.IGNORECASE)
_OF_PROXIES: Final = ("HTTP_FORWARDED", "HTTP_X_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA")
logger = logging.getLogger("middleware")


@dataclass(slots=True)
class _Kept:
    """The state that the copies of one Inspector share.

    Attributes:
        exchanges: the last exchanges, with their numbers.
        numbers: the numbers of the next exchanges.
        told: whether the URL has been logged.
        chain: the stack, as text.
    """

    exchanges: deque[tuple[int, Explanation]]
    numbers: count[int]
    told: bool
    chain: str = ""


@dataclass(frozen=True, slots=True)
class _Request:
    """A request as received, and the heads of its response."""

    environ: Environ
    admitted: bool
    head: list[tuple[str, list[tuple[str, str]]]]


class Inspector(Recording):
    """Keeps the last exchanges in memory, and shows on a page what each layer did to them and why. For development.

    Stands outermost. The page lists the exchanges, shows one of them layer by layer, and shows the chain. It loads
    nothing and runs no script. It is shown only to a request with the token, from a loopback address, to a loopback
    Host, and without Forwarded, X-Forwarded-*, X-Real-IP or Via; every other request for the path reaches the
    application. The URL with the token is logged once (logger "middleware", level WARNING). Following it sets a cookie,
    SameSite=Strict and HttpOnly, that replaces the token afterwards.

    Not kept: bodies, and the values of Authorization, Proxy-Authorization, Cookie, Set-Cookie, and of header fields and
    query parameters whose name contains key, token, secret, password or csrf. Notes and exceptions lose those of four
    characters or more. Layers run one by one, so a request takes longer than without an Inspector. It does nothing to
    other requests and their responses.

    Options:
        path: str. The whole path of the page. Default "/__stack__".
        keep: int, 1 or more. The number of exchanges that are kept. Default 100.
        token: str of letters, digits and ._~-, or None. The secret that gives access to the page; None generates one.
            Default None.

    Errors: ConfigError.
    Source: no standard; the token and the Host are checked as by Jupyter and Werkzeug's debugger.
    """

    effects: ClassVar[Effects] = Effects(
        observes=True, measures=True, answers=True, own_page=True, requires={"REMOTE_ADDR"}, unique=True
    )

    def __init__(
        self,
        app: Application | None = None,
        /,
        *,
        path: str = "/__stack__",
        keep: int = 100,
        token: str | None = None,
    ) -> None:
        super().__init__(app)
        problems = Problems("Inspector")
        right = isinstance(path, str) and _PATH.fullmatch(path)
        problems.check(right, "path", "a path that begins with / and needs no escape, without a query", path)
        problems.integer("keep", keep, 1, sys.maxsize)
        spelled = token is None or (isinstance(token, str) and _TOKEN.fullmatch(token))
        problems.check(spelled, "token", "letters, digits and ._~-, or None", None if spelled else "another value")
        problems.done()
        self.path, self.keep = path, keep
        self._secret = secrets.token_urlsafe(24) if token is None else token
        # Browsers share cookies between the ports of a host, so each Inspector has a cookie name of its own.
        self._cookie = f"stack-{sha256(self._secret.encode()).hexdigest()[:12]}"
        self._kept = _Kept(deque(maxlen=keep), count(1), told=False)

    @property
    def token(self) -> str:
        """The secret that gives access to the page."""
        return self._secret

    def on_build(self, layers: Sequence[Middleware]) -> Sequence[Middleware]:
        """Put marks between the layers, and log the path of the page with its token."""
        self._kept.chain = chain(layers[1:], [layer.name for layer in layers[1:]])
        self.tell("")
        return super().on_build(layers)

    def tell(self, origin: str) -> None:
        """Log the URL of the page, once."""
        if not self._kept.told:
            self._kept.told = True
            logger.warning(
                "Inspector, on this machine only: %s%s?key=%s",
                escaped(origin),
                self.path,
                self._secret,
                extra=log_extra({}, self.name),
            )

    def on_request(self, environ: Environ) -> Application | None:
        """Answer with the page, or begin to record."""
        local = is_local(environ)
        admitted = local and self._has_cookie(environ)
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        asked = path == self.path and environ.get("REQUEST_METHOD") in ("GET", "HEAD")
        if asked and local and (admitted or self._has_key(environ)):
            return self._page
        request = _Request(environ.copy(), admitted, [("", [])])
        self.begin(environ)
        environ[f"{self.key}.request"] = request
        return None

    def on_response(self, environ: Environ, response: Response) -> Transform | None:
        """Keep the head."""
        request: _Request | None = environ.get(f"{self.key}.request")
        if request is not None:
            request.head.append((response.status, list(response.headers)))
            story: Story | None = environ.get(self.key)
            if story is not None and not story.names:  # nothing stands inside
                story.head = response.status, tuple(response.headers)
        return None

    def on_close(self, environ: Environ, error: BaseException | None) -> None:
        """Keep the exchange."""
        request: _Request | None = environ.get(f"{self.key}.request")
        story: Story | None = environ.get(self.key)
        if request is not None and story is not None:
            told = explanation(request.environ, story, *request.head[-1], error)
            self._kept.exchanges.append((next(self._kept.numbers), redacted(told)))
            story.end()
            environ[NOTES] = story.outer

    # -- access ----------------------------------------------------------------------------------------------------

    def admits(self, environ: Environ) -> bool:
        """Whether the request came from this machine, without a proxy, and with the cookie."""
        request: _Request | None = environ.get(f"{self.key}.request")
        return request is not None and request.admitted

    def _has_cookie(self, environ: Environ) -> bool:
        pairs = (pair.strip().partition("=") for pair in environ.get("HTTP_COOKIE", "").split(";"))
        return any(name == self._cookie and self._is(value) for name, _, value in pairs)

    def _has_key(self, environ: Environ) -> bool:
        keys = parse_qs(environ.get("QUERY_STRING", "")).get("key", [])
        return len(keys) == 1 and self._is(keys[0])

    def _is(self, said: str) -> bool:
        return hmac.compare_digest(said.encode("utf-8", "surrogateescape"), self._secret.encode())

    # -- the page --------------------------------------------------------------------------------------------------

    def _page(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        wanted = parse_qs(environ.get("QUERY_STRING", "")).get("exchange", [""])[0]
        exchanges = dict(self._kept.exchanges)
        shown = exchanges.get(int(wanted)) if wanted.isascii() and wanted.isdecimal() and len(wanted) < 10 else None
        body = page(exchanges, shown, self._kept.chain, gone=bool(wanted) and shown is None).encode()
        start_response("404 Not Found" if wanted and shown is None else "200 OK", self.private(body))
        return [body]

    def private(self, body: bytes) -> list[tuple[str, str]]:
        """The header lines of a page for this browser only."""
        return [
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Content-Security-Policy", POLICY),
            ("Cache-Control", "no-store"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
            ("Set-Cookie", f"{self._cookie}={self._secret}; Path=/; HttpOnly; SameSite=Strict"),
        ]

    def describe(self) -> Iterable[tuple[str, str]]:
        """The steps of the layer."""
        yield "request", f"shows its page on {self.path} to clients with the token, on this machine only"
        yield "close", f"keeps the last {self.keep} exchanges in memory"

    def _shown_options(self) -> dict[str, str]:
        """The options without the token."""
        return {name: text for name, text in super()._shown_options().items() if name != "token"}


def is_local(environ: Environ) -> bool:
    """Whether a request comes from this machine, has a loopback Host, and no field of a proxy."""
    if any(key.startswith(_OF_PROXIES) for key in environ):
        return False
    host: Any = _HOST.fullmatch(environ.get("HTTP_HOST", ""))
    if host is None or not is_loopback(environ.get("REMOTE_ADDR", "")):
        return False
    name = host[1].lower().strip("[]").removesuffix(".")
    return name == "localhost" or name.endswith(".localhost") or is_loopback(name)


def is_loopback(address: str) -> bool:
    """Whether an address is a loopback IP address."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback


# -- secrets, which are not kept ---------------------------------------------------------------------------------------

GONE: Final = "(not kept)"
_MARK: Final = "\ufdd0"  # instead of a secret while a text is read: GONE has a blank, which ends a URL
_NAMED: Final = re.compile(f"key|token|secret|password|csrf|{_MARK}", re.IGNORECASE)
_SCHEME: Final = re.compile(r"[^\s=]*[\s=]+")  # of credentials
_SHORTEST: Final = 4  # characters of a secret that is looked for in texts, where a shorter one says nothing
_SECRET: Final = frozenset(("authorization", "proxy-authorization", "cookie", "set-cookie"))
# A query, or a fragment with parameters, in the URL of a field such as Referer or Location. Any character but a blank
# may be part of a value, since clients send what they should encode.
_QUERY: Final = re.compile(r"[?#][^ \n]*")
_PIECE: Final = re.compile(r"[;?#]?[^;?#]*")
_PUNCTUATION: Final = "\"'<>()[]:;,."  # behind a URL in a text


def redacted(explanation: Explanation) -> Explanation:
    """The explanation without the values of secrets."""
    head = explanation.application
    secrets = _secrets(explanation)
    steps = []
    for step in explanation.steps:
        changed = tuple((name, _value(name, old), _value(name, new)) for name, old, new in step.changed)
        added, removed = _lines(step.added), _lines(step.removed)
        steps.append(replace(step, added=added, changed=changed, removed=removed, note=_text(step.note, secrets)))
    return replace(
        explanation,
        target=_url(explanation.target),
        fields=_lines(explanation.fields),
        steps=tuple(steps),
        application=None if head is None else (head[0], _lines(head[1])),
        headers=_lines(explanation.headers),
        error=None if explanation.error is None else _text(explanation.error, secrets),
    )


def _secrets(explanation: Explanation) -> list[str]:
    """The values that are not kept, and the credentials in them, which texts may repeat; the longest first."""
    sent = () if explanation.application is None else explanation.application[1]
    found = {*_parameters(explanation.target)}
    for name, value in (*explanation.fields, *sent, *explanation.headers):
        found.update(_credentials(name.lower(), value) if _value(name, "") == GONE else _parameters(value))
    return sorted((secret for secret in found if len(secret) >= _SHORTEST), key=len, reverse=True)


def _credentials(name: str, value: str) -> Iterator[str]:
    """The value of a secret field, and what follows the names of cookies or the scheme, without quotes too."""
    if name in ("cookie", "set-cookie"):
        pairs = value.split(";") if name == "cookie" else [value.partition(";")[0]]
        parts = [held if equals else first for first, equals, held in (pair.partition("=") for pair in pairs)]
    else:
        part = value.partition(";")[0].strip()
        scheme = _SCHEME.match(part)
        parts = [part, part[scheme.end() if scheme else 0 :]]
    yield value
    for part in map(str.strip, parts):
        yield from (part, part.strip('"'))


def _parameters(text: str) -> Iterator[str]:
    """The values of secret parameters in the URLs of a text, as they are written and decoded."""
    for query in _QUERY.findall(text):
        for part in query.split("&"):
            shown, gone, _ = _parameter(part).partition(GONE)
            if gone:
                yield from (part[len(shown) :], unquote_plus(part[len(shown) :]))


def _text(text: str, secrets: Iterable[str]) -> str:
    """A note or the text of an exception, without secrets."""
    for secret in secrets:
        text = text.replace(secret, _MARK)
    return _url(text).replace(_MARK, GONE)


def _lines(lines: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, _value(name, value)) for name, value in lines)


def _value(name: str, value: str) -> str:
    return GONE if name.lower() in _SECRET or _NAMED.search(name) else _url(value)


def _url(text: str) -> str:
    """The text, without the values of URL parameters that are named like secrets."""
    return _QUERY.sub(lambda found: "&".join(map(_parameter, found[0].split("&"))), text)


def _parameter(part: str) -> str:
    """A part of a query between ampersands, without the value of a secret, which reaches to its end."""
    shown, hides = [], False
    for piece in _PIECE.findall(part):
        name, equals, _ = piece.partition("=")
        named = equals and _NAMED.search(unquote_plus(name)) is not None
        hides = hides or named
        if named or not hides:
            shown.append(f"{name}={GONE}" if named else piece)
    return "".join((*shown, part[len(part.rstrip(_PUNCTUATION)) :] if hides else ""))

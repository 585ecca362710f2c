"""The nonce of one response, and the policies that name it. No layer of its own: it belongs to SecurityHeaders."""

from __future__ import annotations

from base64 import b64encode
from collections import UserString
from secrets import token_bytes
from typing import TYPE_CHECKING, Final

from middleware.http.lists import has_directive, members
from middleware.layers.security.csp import NONCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from middleware.layers.security.policies import CSP
    from middleware.wsgi.response import Response
    from middleware.wsgi.types import Environ

KEY: Final = "middleware.csp_nonce"
# RFC 9111 5.2.2: the application has allowed shared caches on purpose, or nothing is stored.
_DECIDED: Final = ("public", "s-maxage", "no-store")
_BYTES: Final = 16  # CSP3 7.1: 128 bits at least, from a cryptographic generator


class Nonce(UserString):
    """`environ["middleware.csp_nonce"]`: text that does not exist until it is read, and then stays the same.

    Templates print it, f-strings and `str()` too; it has the methods of a str. What insists on a real str gets
    `str(nonce)`.

    Attributes:
        sent: whether the head of a response has passed: the next request needs another nonce.
    """

    sent: bool = False

    def __init__(self, text: object | None = None) -> None:
        if text is not None:  # a part of one, or one changed
            super().__init__(text)

    def __getattr__(self, name: str) -> str:
        """The text, when it is looked at for the first time."""
        if name != "data":
            raise AttributeError(f"a nonce has no attribute {name!r}")
        self.data = b64encode(token_bytes(_BYTES)).decode("ascii")
        return self.data

    def __repr__(self) -> str:
        return repr(self.data) if self.read else "<a nonce that nobody has read>"

    def __format__(self, spec: str) -> str:
        return format(self.data, spec)

    @property
    def read(self) -> bool:
        """Whether anybody has looked."""
        return "data" in vars(self)


def offer(environ: Environ) -> None:
    """Have a nonce at hand; two policies of one response have the same."""
    nonce = environ.get(KEY)
    if not isinstance(nonce, Nonce) or nonce.sent:
        environ[KEY] = Nonce()


def naming(policies: Iterable[tuple[str, CSP]]) -> Callable[[Environ, Response], None]:
    """Add policies, each under its field name, with the nonce of the response if the page has it, or may have it."""
    texts = [(header, str(policy), policy.without_nonce()) for header, policy in policies]

    def edit(environ: Environ, response: Response) -> None:
        nonce = _spent(environ.get(KEY), response)
        if response.status[:3] == "304":  # it would replace the policy that is kept with the page, and its nonce
            return
        source = "" if nonce is None else f"'nonce-{nonce}'"
        for header, text, bare in texts:
            response.headers.setdefault(header, text.replace(NONCE, source) if source else bare)
        if source:
            _withhold(response)

    return edit


def _withhold(response: Response) -> None:
    """Add `private` to Cache-Control: a nonce that a shared cache hands out is known to everyone (RFC 9111 5.2.2.7).

    Without a Cache-Control a shared cache may store the response by heuristics (4.2.2); with no-cache it may send it
    again after a 304.
    """
    given = ", ".join(response.headers.get_all("Cache-Control")).strip(" \t,")
    unqualified = "private" in members([given.lower()])  # private="X-Field" withholds nothing but that field
    if any(has_directive(given, name) for name in _DECIDED) or (unqualified and has_directive(given, "private")):
        return
    response.headers["Cache-Control"] = f"{given}, private" if given else "private"


def _spent(nonce: object, response: Response) -> Nonce | None:
    """The nonce, unless it is too late for anybody to read it."""
    if not isinstance(nonce, Nonce):
        return None  # an error further out: the request never came here
    nonce.sent = True
    whole = isinstance(response.body, (list, tuple)) or "Content-Length" in response.headers
    return None if whole and not nonce.read else nonce

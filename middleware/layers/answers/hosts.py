"""TrustedHosts: requests for the hosts of the site pass; all others get a 400 (RFC 9110 7.2, RFC 9112 3.2)."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final, NamedTuple

from middleware.http.authorities import DEFAULT_PORTS, Authority, authority, covered
from middleware.http.remembered import Remembered
from middleware.wsgi.answer import answer_fault, note, refusal
from middleware.wsgi.effects import Effects
from middleware.wsgi.layer import Middleware
from middleware.wsgi.options import Problems, several
from middleware.wsgi.types import Application, Environ

KEY: Final = "middleware.host"
_ANY: Final = "*"
_IMPLIED: Final = frozenset(DEFAULT_PORTS.values())  # ports that a client leaves out
_RULE: Final = 'a host name, "*.example.com" or an address, with or without a port, and without scheme and path'
MALFORMED: Final = "The Host of the request is missing or malformed."
UNLISTED: Final = "The Host of the request is not served here."


class Verdict(NamedTuple):
    """The authority that a Host names, or the fault for which it is refused."""

    authority: str
    fault: str


def judge(host: str, trusted: Sequence[Authority] | None) -> Verdict:
    """Return the verdict on a Host. `trusted` None trusts every well-formed one."""
    found = authority(host)
    if found is None:
        return Verdict("", MALFORMED)
    if trusted is None or any(
        covered(found.host, pattern.host)
        and (pattern.port in (None, found.port) or (found.port is None and pattern.port in _IMPLIED))
        for pattern in trusted
    ):
        return Verdict(str(found), "")
    return Verdict("", UNLISTED)


class TrustedHosts(Middleware):
    """Lets requests for the hosts of a site pass, and answers all others with a 400.

    Applications build links, redirects and cache keys from the Host, which the client chooses. A forged Host can put
    evil.example into a password reset mail or poison a cache, and by DNS rebinding a page of another site can read
    responses. Stands inside layers whose headers belong on every response, and outside everything that uses the Host.
    Does nothing to responses. A Host that is missing (with HTTP/1.0 too), repeated, malformed or not listed is refused.
    Behind a proxy that does not pass on the Host, put ProxyFix(x_host=1) outside: X-Forwarded-Host is never read. The
    proxy must remove X-Forwarded-Host if the application reads it by default, as Bottle does.
    `environ["middleware.host"]` is the authority that was checked, in lower case and without a final dot.

    Options:
        hosts: str, or iterable of str. Host names in any case, "*.example.com" for one or more labels before it (not
            example.com itself), IPv6 addresses in brackets, or "*" alone for every well-formed Host. A final dot and
            the port are ignored; if a name has a port, the port must match, but 80 and 443 may be left out. Required.
        answer: WSGI application or None. Answers instead of the 400. Default None.

    Errors: ConfigError for no hosts, for "*" beside others, and for anything except a host, such as a URL.
    Source: RFC 9110 4.2.3 and 7.2, RFC 9112 3.2, RFC 3986 3.2.2.
    """

    _peers: ClassVar[dict[str, str]] = {"allowed_hosts": "hosts"}  # of Django and Starlette
    effects: ClassVar[Effects] = Effects(answers=True, refuses=True, requires={"HTTP_HOST"}, provides={KEY})

    def __init__(
        self, app: Application | None = None, /, *, hosts: str | Iterable[str], answer: Application | None = None
    ) -> None:
        super().__init__(app)
        problems = Problems("TrustedHosts")
        listed: list[Any] = problems.read("hosts", hosts, several, [])
        problems.check(listed or problems.found, "hosts", 'at least one host; "*" is every well-formed one', hosts)
        alone = _ANY not in listed or len(listed) == 1
        problems.check(alone, "hosts", '"*" stands for every host, and so stands alone', hosts)
        self.hosts, self.answer = tuple(listed), answer
        patterns = []
        for host in self.hosts:
            bare = host.removeprefix("*.") if isinstance(host, str) else ""
            found = authority(bare)
            if found is not None and (bare == host or not found.host.startswith("[")):
                patterns.append(found._replace(host=host.removesuffix(bare) + found.host))
            elif host != _ANY:
                problems.add("hosts", _RULE, host)
        trusted = None if self.hosts == (_ANY,) else patterns
        problems.add_fault("answer", answer_fault(answer), answer)
        problems.done()
        # Hosts repeat, so verdicts are cached.
        self._judged: Remembered[str, Verdict] = Remembered(lambda host: judge(host, trusted))
        self._refusals = {MALFORMED: refusal(answer, 400, MALFORMED), UNLISTED: refusal(answer, 400, UNLISTED)}

    def on_request(self, environ: Environ) -> Application | None:
        """Refuse the request, or provide the authority that was checked."""
        checked, fault = self._judged[environ.get("HTTP_HOST") or ""]
        if fault:
            note(environ, fault)
            return self._refusals[fault]
        environ[KEY] = checked
        return None

    def describe(self) -> Iterable[tuple[str, str]]:
        """The hosts that pass."""
        return [("request", f"is answered with 400 unless the Host is {', '.join(self.hosts)}")]

"""Correctness: what others get wrong, asked of each of them and of this project: `python -m benchmarks.correctness`.

Each answer is what the installed version did when it was asked just now. Each package has a process of its own.
"""

from __future__ import annotations

import logging
import re
import zlib
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from benchmarks.apart import apart
from benchmarks.case import ENVIRON
from benchmarks.peers import django_site, flask_site, paste_layers, starlette_site, webob_layers
from benchmarks.peers.site import LINES, METHODS, ORIGIN, PATTERN, Site
from middleware import CORS, Compress, Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.case import Application

    Probe: TypeAlias = Callable[[Application, Site], bool]  # whether the mistake was made

OURS: Final = "wsgi-middleware-stack"
STRANGER: Final = "https://evil.example"
# Begins as the pattern wants, and ends elsewhere.
LOOKALIKE: Final = "https://a.app.example.evil.example"
WORDS: Final = {True: "yes", False: "no", None: "-"}

BROWSER: Final = "gzip, deflate, br, zstd"
DECODERS: Final[dict[str, Callable[[], Callable[[bytes], bytes]]]] = {
    "gzip": lambda: zlib.decompressobj(31).decompress,
    "deflate": lambda: zlib.decompressobj().decompress,
    "br": lambda: import_module("brotli").Decompressor().process,
    "zstd": lambda: import_module("zstandard").ZstdDecompressor().decompressobj().decompress,
    "": lambda: bytes,
}


@dataclass
class Answer:
    """The response: status, fields in lower case, the bytes as sent, and as many of them as could be decoded."""

    status: int = 0
    fields: dict[str, str] = field(default_factory=dict)
    sent: bytes = b""
    read: bytes = b""
    error: Exception | None = None

    def start(self, status: str, lines: list[tuple[Any, Any]], exc_info: Any = None) -> Callable[[bytes], object]:
        """Implements `start_response`. The values of a repeated field are joined."""
        del exc_info
        self.status, self.fields = int(status[:3]), {}
        for name, value in ((_text(name).lower(), _text(value)) for name, value in lines):
            self.fields[name] = f"{self.fields[name]}, {value}" if name in self.fields else value
        return self.receive

    def receive(self, chunk: bytes) -> None:
        """Take a chunk, and decode what can be decoded."""
        if not self.sent:
            self._decode = DECODERS[self.fields.get("content-encoding", "")]()
        self.sent += chunk
        self.read += self._decode(chunk) if chunk else b""

    def names(self, name: str, member: str) -> bool:
        """Whether a field that is a list of words has one of them."""
        return member.lower() in (word.strip().lower() for word in self.fields.get(name, "").split(","))


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


def ask(app: Application, path: str, method: str = "GET", answer: Answer | None = None, **fields: str) -> Answer:
    """Send one request. An exception of the application ends the answer, as it does for a server."""
    answer = Answer() if answer is None else answer
    origin = {"HTTP_ORIGIN": ""}
    environ: dict[str, Any] = {name: value for name, value in ENVIRON.items() if name not in origin}
    environ.update({f"HTTP_{name.upper()}": value for name, value in fields.items()})
    environ.update({"PATH_INFO": path, "REQUEST_METHOD": method})
    environ.update({"wsgi.input": BytesIO(), "wsgi.errors": StringIO()})
    body: Any = ()
    try:
        body = app(environ, answer.start)
        for chunk in body:
            answer.receive(chunk)
    except Exception as error:  # noqa: BLE001 - a server would log it
        answer.error = error
    finally:
        getattr(body, "close", lambda: None)()
    return answer


@dataclass(frozen=True)
class Asked:
    """Who is asked: its name, the distribution and the modules that it needs, and its site."""

    label: str
    distribution: str
    needs: tuple[str, ...]
    make: Callable[[Site], Application]
    spared: tuple[Probe, ...] = ()  # what it cannot do, or leaves to who calls it

    @property
    def installed(self) -> bool:
        """Whether it can be asked."""
        return all(map(find_spec, self.needs))


def ours_encoding(site: Site) -> Application:
    return Stack(Compress()).wrap(site)


def ours_sharing(site: Site) -> Application:
    origins = [ORIGIN, re.compile(PATTERN)]
    return Stack(CORS(allow_origins=origins, allow_methods=METHODS, allow_credentials=True)).wrap(site)


def refused_coding(app: Application, _site: Site) -> bool:
    return ask(app, "/", accept_encoding="gzip;q=0").fields.get("content-encoding") == "gzip"


def part_encoded(app: Application, _site: Site) -> bool:
    return "content-encoding" in ask(app, "/part", accept_encoding=BROWSER).fields


def body_on_head(app: Application, _site: Site) -> bool:
    return bool(ask(app, "/", "HEAD", accept_encoding=BROWSER).sent)


def tag_refused(app: Application, _site: Site) -> bool:
    tag = ask(app, "/", accept_encoding=BROWSER).fields["etag"]
    return ask(app, "/", accept_encoding=BROWSER, if_match=tag).status == 412


def vary_missing(app: Application, _site: Site) -> bool:
    return not ask(app, "/", accept_encoding="identity").names("vary", "accept-encoding")


def late(app: Application, site: Site, accepted: str = BROWSER) -> bool:
    """Whether a chunk was not readable yet when the next one was wanted."""
    return streamed(app, site, accepted)[1]


def streamed(app: Application, site: Site, accepted: str) -> tuple[str, bool]:
    """The coding of a stream, and whether any chunk of it was late."""
    answer, behind = Answer(), []
    site.resumed = lambda sent: behind.append(len(answer.read) < sent)
    ask(app, "/stream", answer=answer, accept_encoding=accepted)
    assert answer.read == b"".join(LINES), answer
    return answer.fields.get("content-encoding", ""), any(behind)


def never_closed(app: Application, site: Site) -> bool:
    before = site.closed
    ask(app, "/watched", accept_encoding=BROWSER)
    return site.closed == before


def error_not_shared(app: Application, _site: Site) -> bool:
    answer = ask(app, "/error", origin=ORIGIN)
    assert answer.status == 500, answer
    return not _granted(answer, ORIGIN)


def lookalike_granted(app: Application, _site: Site) -> bool:
    answer = ask(app, "/", origin=LOOKALIKE)
    return _granted(answer, LOOKALIKE) and answer.fields.get("access-control-allow-credentials") == "true"


def refusal_cacheable(app: Application, _site: Site) -> bool:
    return not ask(app, "/", origin=STRANGER).names("vary", "origin")


def method_granted(app: Application, _site: Site) -> bool:
    answer = ask(app, "/", "OPTIONS", origin=ORIGIN, access_control_request_method="DELETE")
    return 200 <= answer.status < 300 and _granted(answer, ORIGIN)


def _granted(answer: Answer, origin: str) -> bool:
    return answer.fields.get("access-control-allow-origin") in (origin, "*")


ENCODING: Final = (
    Asked(OURS, OURS, (), ours_encoding),
    Asked("Starlette", "starlette", ("starlette",), starlette_site.encoding, (never_closed,)),
    Asked("Django", "django", ("django", "corsheaders"), django_site.encoding),
    Asked("Flask-Compress", "flask-compress", ("flask", "flask_compress"), flask_site.encoding),
    # encode_content does what it is told: when to call it and what to say in Vary is up to the caller.
    Asked("WebOb", "webob", ("webob",), webob_layers.encoding, (refused_coding, part_encoded, vary_missing)),
    Asked("Paste", "paste", ("paste",), paste_layers.encoding),
)
SHARING: Final = (
    Asked(OURS, OURS, (), ours_sharing),
    Asked("Starlette", "starlette", ("starlette",), starlette_site.sharing),
    Asked("django-cors-headers", "django-cors-headers", ("django", "corsheaders"), django_site.sharing),
    Asked("flask-cors", "flask-cors", ("flask", "flask_cors"), flask_site.sharing),
)
# family -> who is asked, and for what
FAMILIES: Final[dict[str, tuple[tuple[Asked, ...], dict[str, Probe]]]] = {
    "content codings": (
        ENCODING,
        {
            "encodes for `gzip;q=0`": refused_coding,
            "encodes a 206": part_encoded,
            "leaves the body of a HEAD for the server to drop": body_on_head,
            "sends a tag, and answers 412 when it comes back in `If-Match`": tag_refused,
            "no `Vary: Accept-Encoding` on what is encoded for others": vary_missing,
            "holds back chunks of a stream": late,
            "never closes the body of the application": never_closed,
        },
    ),
    "CORS": (
        SHARING,
        {
            "no CORS fields on a 500": error_not_shared,
            "a pattern lets an origin pass that goes on after its end, with credentials": lookalike_granted,
            "no `Vary: Origin` for an origin that is refused": refusal_cacheable,
            "a preflight for a method that is not allowed succeeds": method_granted,
        },
    ),
}
ACCEPTED: Final = ("gzip", BROWSER)


def measured() -> dict[str, list[dict[str, Any]]]:
    """By family, what each that is installed did: its version, its mistakes, and how its streams came."""
    return {
        family: [apart(_told, family, place) for place, who in enumerate(asked) if who.installed]
        for family, (asked, _) in FAMILIES.items()
    }


def _told(family: str, place: int) -> dict[str, Any]:
    logging.disable(logging.CRITICAL)  # of the page that always fails
    asked, probes = FAMILIES[family]
    who, site = asked[place], Site()
    app = who.make(site)
    done = {what: None if probe in who.spared else probe(app, site) for what, probe in probes.items()}
    streams = {accepted: streamed(app, site, accepted) for accepted in ACCEPTED} if asked is ENCODING else {}
    return {"label": who.label, "version": version(who.distribution), "done": done, "streams": streams}


def lines(found: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    """The tables: yes is a mistake."""
    for family, told in found.items():
        yield f"{family}: {', '.join(' '.join((who['label'], who['version'])) for who in told)}"
        for what in told[0]["done"]:
            cells = "".join(f"{WORDS[who['done'][what]]:>8}" for who in told)
            yield f"  {what.replace('`', ''):76}{cells}"
    yield "a stream, asked for by Accept-Encoding"
    for who in found["content codings"]:
        came = (f"{asked}: {told_of(*how)}" for asked, how in who["streams"].items())
        yield f"  {who['label']:24}{'; '.join(came)}"


def told_of(coding: str, behind: bool) -> str:  # noqa: FBT001 - as it was found
    """How a stream came, in words."""
    return f"{coding or 'not encoded'}, {'late' if behind else 'on time'}"


def main() -> None:
    """Ask, and print the tables."""
    print(*lines(measured()), sep="\n")


if __name__ == "__main__":
    main()

"""What soak.py asks, and what has to come back: one row for each kind of request."""

from __future__ import annotations

import sys
import zlib
from dataclasses import dataclass, field
from importlib.util import find_spec

from benchmarks.soak_site import BROKEN_AT, ORIGIN, PIECE, TAG, content

REFUSED = "https://other.example"
SENT = bytes(range(256)) * 256  # 64 KiB
LARGE = SENT * 10  # more than waitress keeps in memory


def _zstd():
    if sys.version_info >= (3, 14):
        from compression.zstd import ZstdDecompressor

        return ZstdDecompressor()
    import zstandard

    return zstandard.ZstdDecompressor().decompressobj()


class Brotli:
    """Under the names of the others."""

    def __init__(self):
        import brotli

        self._made = brotli.Decompressor()
        self.decompress = self._made.process

    @property
    def eof(self):
        return self._made.is_finished()


DECODERS = {"gzip": lambda: zlib.decompressobj(16 + zlib.MAX_WBITS)}
if find_spec("brotli"):
    DECODERS["br"] = Brotli
if sys.version_info >= (3, 14) or find_spec("zstandard"):
    DECODERS["zstd"] = _zstd


def decoded(coding, body):
    """The content as far as it has come, and whether that is all; without a coding only the connection knows."""
    if coding is None or not body:
        return body, coding is None
    decoder = DECODERS[coding]()
    return decoder.decompress(body), decoder.eof


@dataclass(frozen=True, eq=False)
class Kind:
    """One row.

    Attributes:
        name: under which it is counted.
        route: of soak_site.
        asks: method, and the fields of the request.
        sends: the body of the request; in pieces if it is `chunked`.
        status, coding, fields: of the response. A value of None: there is no such field.
        says: path -> the content; None: it is not looked at.
        ends: the error by which the response is over, as the server sees it.
        hooked: the same behind hooks, which take what an application hands over with its head for its error.
        breaks: the content is cut off after `says`.
        leaves: the client goes away when it has the head.
        answers: whether the application does; otherwise a layer.
        sites: where it is asked.
    """

    name: str
    route: str
    method: str = "GET"
    asks: dict = field(default_factory=dict)
    sends: bytes | None = None
    chunked: bool = False
    status: int = 200
    coding: str | None = None
    fields: dict = field(default_factory=dict)
    says: object = content
    ends: str = "NoneType"
    hooked: str = ""
    breaks: bool = False
    leaves: bool = False
    answers: bool = True
    sites: tuple = ("plain", "hooked")


def beginning(path):
    """What is out when the application fails."""
    return content(path)[: BROKEN_AT * PIECE]


def own_path(path):
    return path.encode("latin-1")


def silence(_path):
    return b""


def failure(_path):
    return b"Internal Server Error\n"


def sent(_path):
    return SENT


def sent_large(_path):
    return LARGE


def encoded(coding):
    """What may be encoded, and is or not."""
    accepted = {"Accept-Encoding": coding or "identity"}
    suffixed = f'"v1-{coding}"' if coding else TAG
    rows = {
        "sized": {"fields": {"ETag": suffixed}},
        "stream": {},
        "late": {},
        "write": {},
        "file": {},
        "broken": {"says": beginning, "breaks": True, "ends": "RuntimeError"},
        "long": {"leaves": True, "ends": "GeneratorExit"},
        "replaced": {"status": 503, "fields": {"X-Old": None}, "hooked": "ValueError"},
    }
    for route, row in rows.items():
        yield Kind(f"{route}, {coding or 'identity'}", route, coding=coding, **{"asks": accepted, **row})
    yield Kind(f"HEAD, {coding or 'identity'}", "sized", "HEAD", accepted, coding=coding, says=silence)
    known = {**accepted, "If-None-Match": suffixed}
    yield Kind(
        f"304, {coding or 'identity'}", "conditional", "GET", known, status=304, says=silence, fields={"ETag": suffixed}
    )


def failing(name, **row):
    """The same with the page of the stack, and with that of the hooks, which is theirs to choose."""
    yield Kind(name, says=failure, sites=("plain",), **row)
    yield Kind(f"{name}, hooked", says=None, sites=("hooked",), **row)


def preflight(method):
    return {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "accept"}


KINDS = (
    *(kind for coding in (None, *DECODERS) for kind in encoded(coding)),
    Kind("octets", "octets", asks={"Accept-Encoding": "gzip"}),
    Kind("204", "nothing", status=204, says=silence),
    Kind("404", "nowhere", status=404, says=own_path),
    Kind("HEAD of a stream", "stream", "HEAD", says=silence),
    *failing("error before the head", route="error", status=500, ends="RuntimeError"),
    *failing("error before the first chunk", route="soon", status=500, ends="ZeroDivisionError"),
    Kind("upload", "upload", "POST", sends=SENT, says=sent),
    Kind("upload in chunks", "upload", "POST", sends=LARGE, says=sent_large, chunked=True),
    Kind("preflight granted", "error", "OPTIONS", preflight("PUT"), status=204, says=silence, answers=False),
    Kind("preflight refused", "error", "OPTIONS", preflight("DELETE"), status=403, says=None, answers=False),
    Kind("an origin that is refused", "sized", asks={"Origin": REFUSED}, fields={"Access-Control-Allow-Origin": None}),
)
# What every response has.
POLICY = {"X-Content-Type-Options": "nosniff", "X-Frame-Options": "SAMEORIGIN", "Access-Control-Allow-Origin": ORIGIN}
APP = {"X-App": "soak"}


def faults(kind, path, response, body, *, cut):
    """What is wrong with a response."""
    wanted = {**POLICY, **(APP if kind.answers else {}), **kind.fields, "Content-Encoding": kind.coding}
    if kind.status == 403:
        wanted["Access-Control-Allow-Origin"] = None
    if response.status != kind.status:
        yield f"status {response.status} in place of {kind.status}"
    for name, value in wanted.items():
        if response.headers.get_all(name) != (None if value is None else [value]):
            yield f"{name}: {response.headers.get_all(name)} in place of {value}"
    if not response.headers.get("Server-Timing", "").startswith("total;dur="):
        yield "no Server-Timing"
    if "Origin" not in response.headers.get("Vary", ""):
        yield f"Vary: {response.headers.get('Vary')}"
    yield from _faults_of_the_body(kind, path, body, cut=cut)


def _faults_of_the_body(kind, path, body, *, cut):
    try:
        said, whole = decoded(kind.coding, body)
    except Exception as error:  # noqa: BLE001 - each codec has its own
        yield f"does not decode: {error!r}"
        return
    if cut is not kind.breaks:
        yield "cut off" if cut else "not cut off, though the application failed"
    if body and kind.coding and whole is kind.breaks:
        yield "the coding has ended, though the application failed" if whole else "the coding has not ended"
    if kind.says is not None and said != kind.says(path):
        yield f"{len(said)} bytes of other content than the {len(kind.says(path))} wanted"

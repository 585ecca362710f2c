"""Encoding: what the four layers add to the codec, and what a stream through it takes.

Each row has processes of its own; the codec alone, the application alone and whole requests take turns in it, and the
fastest time of each document counts. The layout of memory makes a few per cent: the median of three processes counts.

No two documents in a row are the same: branch prediction learns one of 10 KiB by heart, which halves its time.
"""

from __future__ import annotations

import gc
import json
import random
import sys
import zlib
from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from benchmarks import ours
from benchmarks.apart import apart
from benchmarks.case import ENVIRON
from benchmarks.limit import encoding as by_hand
from middleware import Compress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

SIZES: Final = (1, 10, 100)  # KiB
PROCESSES: Final = 3
BATCHES: Final = 40
CONTENT: Final = 320  # KiB of documents of each size
BATCH: Final = 0.003  # seconds, about
STREAMED: Final = 256  # MiB
REPEATED: Final = 4  # times more
OPEN: Final = 64  # streams at a time, to see what one keeps
_GZIP: Final = 31  # wbits: a window of 32 KiB, and the header and trailer of gzip


def gzip_by(library: str, level: int) -> Callable[[bytes], bytes]:
    """What makes gzip by a library, called directly."""
    if library == "zlib" and sys.version_info < (3, 11):  # in one call it knows of no header there
        return partial(_in_parts, level)
    return partial(import_module(library).compress, level=level, wbits=_GZIP)


def _in_parts(level: int, data: bytes) -> bytes:
    stream = zlib.compressobj(level, zlib.DEFLATED, _GZIP)
    return stream.compress(data) + stream.flush()


# name -> coding, backend, the package and what calls it directly
CODECS: Final = {
    "gzip zlib": ("gzip", "zlib", "zlib", lambda _: gzip_by("zlib", 5)),
    "gzip isal": ("gzip", "isal", "isal", lambda _: gzip_by("isal.isal_zlib", 3)),
    "gzip zlib-ng": ("gzip", "zlib-ng", "zlib_ng", lambda _: gzip_by("zlib_ng.zlib_ng", 5)),
    "br": ("br", "auto", "brotli", lambda module: partial(module.compress, quality=4)),
    "zstd": ("zstd", "auto", "zstandard", lambda module: module.ZstdCompressor(level=3).compress),
}

GATED: Final = ("gzip zlib", "gzip isal")


@dataclass(frozen=True)
class Encoded:
    """One coding and size, and the bytes that come out.

    Attributes:
        raw: microseconds of the codec alone.
        plain: of a request to the application alone.
        hand: of one where a function written by hand does all four jobs.
        request: of one through the four layers.
    """

    codec: str
    kib: int
    raw: float
    plain: float
    hand: float
    request: float
    sent: int

    @property
    def by_hand(self) -> float:
        """Microseconds of all four jobs by hand, over the application."""
        return self.hand - self.plain

    @property
    def over(self) -> float:
        """Microseconds of the four layers, over the application."""
        return self.request - self.plain

    @property
    def efficiency(self) -> float:
        """How much of that the codec has."""
        return self.raw / self.over


@dataclass(frozen=True)
class Streamed:
    """A long stream through gzip: growth of the process and memory per open stream in KiB, the slowest chunk in ms."""

    growth: float
    heap: float
    slowest: float


@dataclass(frozen=True)
class Encoding:
    """All of it, and zlib at level 6 on the largest body, which others are compared with."""

    rows: tuple[Encoded, ...]
    zlib6: float
    zlib6_bytes: int
    streamed: Streamed

    def row(self, codec: str, kib: int) -> Encoded:
        """The row of a codec and a size; a KeyError if its package was not installed."""
        return {(row.codec, row.kib): row for row in self.rows}[codec, kib]

    def plain(self) -> dict[str, Any]:
        """The same for JSON."""
        return asdict(self)

    @classmethod
    def read(cls, plain: dict[str, Any]) -> Encoding:
        """What was written down."""
        rows = tuple(Encoded(**row) for row in plain["rows"])
        return cls(rows, plain["zlib6"], plain["zlib6_bytes"], Streamed(**plain["streamed"]))


def measured(*, own: bool = False) -> Encoding:
    """Run all rows, one process after the other; of this project's own, the codecs that have a gate."""
    installed = [
        name for name, (_, _, package, _) in CODECS.items() if find_spec(package) and (name in GATED or not own)
    ]
    rows = tuple(_middle(name, kib) for name in installed for kib in SIZES)
    return Encoding(rows, *apart(_zlib6, SIZES[-1]), apart(_stream, STREAMED))


def lines(found: Encoding) -> Iterator[str]:
    """The table."""
    took = f"{'codec µs':>10}{'by hand µs':>12}{'layers µs':>12}{'efficiency':>12}"
    yield f"{'encoding, four layers':32}{took}{'smaller':>9}"
    for row in found.rows:
        name = f"  {row.codec}, {row.kib} KiB of JSON"
        took = f"{row.raw:10.1f}{row.by_hand:12.1f}{row.over:12.1f}{row.efficiency:12.3f}"
        yield f"{name:32}{took}{row.kib * 1024 / row.sent:8.2f}x"
    yield f"  zlib at 6, {SIZES[-1]} KiB{found.zlib6:21.1f}{SIZES[-1] * 1024 / found.zlib6_bytes:44.2f}x"
    told = found.streamed
    yield f"  {STREAMED} MiB streamed: grows by {told.growth:.0f} KiB; {told.heap:.0f} KiB for each open stream;"
    yield f"  the slowest of its chunks was decodable {told.slowest:.2f} ms after it was yielded"


def documents(kib: int) -> list[bytes]:
    """Different documents of a size, the same ones each time."""
    return [document(kib * 1024, number) for number in range(CONTENT // kib)]


def document(size: int, number: int = 0) -> bytes:
    """JSON of records, as an interface sends it: zlib makes it about 2.8 times smaller."""
    chance = random.Random(number)  # noqa: S311 - the same document each time
    names = (
        "Ada",
        "Bea",
        "Cyd",
        "Dov",
        "Eva",
        "Fay",
        "Gil",
        "Hal",
        "Ida",
        "Jon",
        "Kay",
        "Lev",
        "Mia",
        "Ned",
        "Ola",
        "Pia",
    )
    records: list[str] = []
    while sum(map(len, records)) < size:
        record = {
            "id": chance.getrandbits(40),
            "name": f"{chance.choice(names)} {chance.choice(names)}son",
            "token": f"{chance.getrandbits(192):048x}",
            "balance": round(chance.random() * 10_000, 2),
            "active": chance.random() < 0.8,
            "tags": chance.sample(("new", "paid", "late", "vip", "eu", "us"), 2),
        }
        records.append(json.dumps(record))
    return ("[" + ",".join(records))[:size].encode()


def _middle(name: str, kib: int) -> Encoded:
    found = sorted((apart(_row, name, kib) for _ in range(PROCESSES)), key=lambda row: row.efficiency)
    return found[PROCESSES // 2]


def _row(name: str, kib: int) -> Encoded:
    coding, backend, package, make = CODECS[name]
    found = documents(kib)
    raw: Callable[[bytes], bytes] = make(import_module(package))
    plain = _answering(*([data] for data in found))
    app = ours.ordinary(encoder=Compress(codings=coding, backend=backend)).wrap(plain)
    hand = by_hand(plain, coding, raw)
    environ = {**ENVIRON, "HTTP_ACCEPT_ENCODING": coding}
    sent = sum(len(b"".join(app(environ.copy(), _start_response))) for _ in found)
    following = partial(next, cycle(found))
    fastest = taking_turns(
        lambda: raw(following()),
        lambda: plain(environ.copy(), _start_response),
        lambda: hand(environ.copy(), _start_response),
        lambda: app(environ.copy(), _start_response),
        rounds_of=len(found),
    )
    return Encoded(name, kib, *fastest, sent // len(found))


def _zlib6(kib: int) -> tuple[float, int]:
    found = documents(kib)
    following = partial(next, cycle(found))
    [took] = taking_turns(lambda: zlib.compress(following(), 6), rounds_of=len(found))
    return took, sum(len(zlib.compress(data, 6)) for data in found) // len(found)


def taking_turns(*calls: Callable[[], object], rounds_of: int = 1) -> list[float]:
    """Microseconds of each call, which take turns; each turn has so many calls, or a multiple of that.

    Each of the documents of a turn has a fastest time of its own: a whole turn without a disturbance is rare on a busy
    machine.
    """
    gc.disable()
    timer = min(_seconds(_nothing, 1) for _ in range(1000))
    best = [[float("inf")] * rounds_of for _ in calls]
    turns = [max(int(BATCH / rounds_of / _seconds(call, 3)), 1) for call in calls]
    for _ in range(BATCHES):
        for call, count, fastest in zip(calls, turns, best, strict=True):
            for _ in range(count):
                for place in range(rounds_of):
                    fastest[place] = min(fastest[place], _seconds(call, 1))
    return [(sum(fastest) / rounds_of - timer) * 1e6 for fastest in best]


def _nothing() -> None:
    pass


def _seconds(call: Callable[[], object], count: int) -> float:
    begun = perf_counter()
    for _ in range(count):
        call()
    return (perf_counter() - begun) / count


def _stream(mib: int) -> Streamed:
    """Send so much in chunks of 64 KiB; before and after, open many streams at a time."""
    chunk = document(1 << 16)
    _drain(chunk, 64)
    before = _resident()
    delays = _drain(chunk, mib * 16)
    growth = _resident() - before
    streams = [_open(chunk) for _ in range(OPEN)]
    heap = (_resident() - before - growth) / OPEN
    assert len(streams) == OPEN
    # A disturbance delays another chunk each time; a chunk that the layer delays is late each time.
    for _ in range(REPEATED):
        delays = [*map(min, delays, _drain(chunk, mib * 16))]
    return Streamed(growth, heap, max(delays) * 1000)


def _drain(chunk: bytes, chunks: int) -> list[float]:
    """The seconds from the yield of each chunk until it is decoded."""
    delays = []
    yielded = 0.0

    def body() -> Iterator[bytes]:
        nonlocal yielded
        for _ in range(chunks):
            yielded = perf_counter()
            yield chunk

    decoder = zlib.decompressobj(31)
    for part in _open_with(body()):
        decoded = len(decoder.decompress(part))
        delays.append(perf_counter() - yielded)
        assert decoded in (0, len(chunk))
    return delays


def _open(chunk: bytes) -> Iterator[bytes]:
    stream = iter(_open_with(iter([chunk] * 3)))
    next(stream)
    return stream


def _open_with(body: Iterable[bytes]) -> Iterable[bytes]:
    app = ours.ordinary(encoder=Compress(codings="gzip")).wrap(_answering(body, sized=False))
    return app({**ENVIRON, "HTTP_ACCEPT_ENCODING": "gzip"}, _start_response)


def _resident() -> float:
    """KiB of memory that the process has."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4.0


def _answering(*bodies: Any, sized: bool = True) -> Any:
    """One body after the other, and then the first again."""
    following = partial(next, cycle([(body, _fields(body if sized else None)) for body in bodies]))

    def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        body, fields = following()
        start_response("200 OK", fields)
        return body

    return app


def _fields(sized: Any) -> list[tuple[str, str]]:
    length = [] if sized is None else [("Content-Length", str(sum(map(len, sized))))]
    return [("Content-Type", "application/json"), *length]


def _start_response(_status: str, _lines: list[tuple[str, str]], _exc_info: Any = None) -> Callable[[bytes], object]:
    return len

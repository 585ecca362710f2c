"""Encoders: what other packages take to encode with gzip, over the same application that does not."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from itertools import cycle
from typing import TYPE_CHECKING, Any, Final

from benchmarks.apart import apart
from benchmarks.case import ENVIRON
from benchmarks.encoding import SIZES, documents, gzip_by, taking_turns
from benchmarks.peers import django_site, flask_site, paste_layers, starlette_site, webob_layers
from benchmarks.peers.site import EMPTY, Site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.case import Application


@dataclass(frozen=True)
class Encoder:
    """One of them: the packages it needs, what encodes a site, the site as it is, and the level that it uses."""

    label: str
    needs: tuple[str, ...]
    encoding: Callable[[Site], Application]
    plain: Callable[[Site], Application]
    level: int


ENCODERS: Final = (
    Encoder("Starlette GZipMiddleware", ("starlette",), starlette_site.encoding, starlette_site.pages, 9),
    Encoder("Django GZipMiddleware", ("django", "corsheaders"), django_site.encoding, django_site.pages, 6),
    Encoder("Flask-Compress", ("flask", "flask_compress"), flask_site.encoding, flask_site.pages, 6),
    Encoder("WebOb encode_content", ("webob",), webob_layers.encoding, lambda site: site, 9),
    Encoder("Paste gzipper", ("paste",), paste_layers.encoding, lambda site: site, 6),
)


@dataclass(frozen=True)
class Taken:
    """One of them and a size: microseconds of the codec alone, of a request with and without it, and the bytes sent."""

    label: str
    kib: int
    level: int
    raw: float
    request: float
    plain: float
    sent: int

    @property
    def efficiency(self) -> float:
        """How much of what encoding adds to the request is the codec."""
        return self.raw / (self.request - self.plain)


def measured() -> tuple[Taken, ...]:
    """Run those that are installed, each size in a process of its own."""
    places = [place for place, encoder in enumerate(ENCODERS) if all(map(find_spec, encoder.needs))]
    return tuple(apart(_taken, place, kib) for place in places for kib in SIZES)


def lines(found: tuple[Taken, ...]) -> Iterator[str]:
    """The table."""
    yield f"{'gzip of others':36}{'codec µs':>10}{'over plain':>12}{'efficiency':>12}{'smaller':>9}"
    for row in found:
        name = f"  {row.label} at {row.level}, {row.kib} KiB"
        over = row.request - row.plain
        yield f"{name:36}{row.raw:10.1f}{over:12.1f}{row.efficiency:12.3f}{row.kib * 1024 / row.sent:8.2f}x"
    yield from (f"  {encoder.label}: skipped, not installed" for encoder in ENCODERS if not _has(found, encoder))


def _has(found: tuple[Taken, ...], encoder: Encoder) -> bool:
    return any(row.label == encoder.label for row in found)


def _taken(place: int, kib: int) -> Taken:
    encoder = ENCODERS[place]
    found = documents(kib)
    encoding, plain = (make(Site(*found)) for make in (encoder.encoding, encoder.plain))
    encoded = [_asked(encoding) for _ in found]
    assert sorted(_asked(plain) for _ in found) == sorted(found)
    assert sorted(zlib.decompress(sent, 31) for sent in encoded) == sorted(found), f"{encoder.label}: not gzip"
    following, raw = partial(next, cycle(found)), gzip_by("zlib", encoder.level)
    times = taking_turns(
        lambda: raw(following()),
        lambda: _asked(encoding),
        lambda: _asked(plain),
        rounds_of=len(found),
    )
    return Taken(encoder.label, kib, encoder.level, *times, sum(map(len, encoded)) // len(found))


def _asked(app: Application) -> bytes:
    environ: dict[str, Any] = {**ENVIRON, "PATH_INFO": "/data", "HTTP_ACCEPT_ENCODING": "gzip", "wsgi.input": EMPTY}
    body = app(environ, _start_response)
    content = b"".join(body)
    close = getattr(body, "close", None)
    if close is not None:
        close()
    return content


def _start_response(_status: str, _lines: list[tuple[str, str]], _exc_info: Any = None) -> Callable[[bytes], object]:
    return len

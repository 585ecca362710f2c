"""Codecs: what comes out decodes to what went in, however it is cut, and nothing more comes out than that."""

from __future__ import annotations

import gc
import os
import platform
import shutil
import subprocess
import sys
import threading
import tracemalloc
import types
import weakref
import zlib
from concurrent.futures import ThreadPoolExecutor
from enum import IntEnum
from pathlib import Path

import brotli
import pytest
import zstandard
from hypothesis import example, given
from hypothesis import strategies as st

import middleware
from middleware.layers.compress.codecs import CODECS, available, codec, gzip, zstd
from middleware.layers.compress.codecs.codec import Codec, CodecError

MIB = 1 << 20
TEXT = b"".join(b'{"id": %d, "name": "%x", "on": true}\n' % (n * 7919 % 10007, n * n) for n in range(3000))
NOISE = os.urandom(1000)


class PythonZstd(types.ModuleType):
    """What the documentation of `compression.zstd` says of its compressor, by the other package."""

    class CompressionParameter(IntEnum):
        compression_level = 100
        window_log = 101
        hash_log = 102
        chain_log = 103

    class ZstdCompressor:
        """Frame after frame: it goes on after the end of one."""

        CONTINUE, FLUSH_BLOCK, FLUSH_FRAME = range(3)

        def __init__(self, level=None, options=None, zstd_dict=None):
            assert level is None
            named = {PythonZstd.CompressionParameter(key).name: value for key, value in options.items()}
            self._context = zstandard.ZstdCompressor(compression_params=zstandard.ZstdCompressionParameters(**named))
            self._stream = None

        def compress(self, data, mode=CONTINUE):
            if mode == self.FLUSH_FRAME and self._stream is None:
                return self._context.compress(data)
            self._stream = self._stream or self._context.compressobj()
            return self._stream.compress(data) + (self.flush(mode) if mode else b"")

        def flush(self, mode=FLUSH_FRAME):
            assert mode in {self.FLUSH_BLOCK, self.FLUSH_FRAME}
            stream = self._stream or self._context.compressobj()
            self._stream = stream if mode == self.FLUSH_BLOCK else None
            block, frame = zstandard.COMPRESSOBJ_FLUSH_BLOCK, zstandard.COMPRESSOBJ_FLUSH_FINISH
            return stream.flush(block if mode == self.FLUSH_BLOCK else frame)


@pytest.fixture(autouse=True)
def python_zstd(monkeypatch):
    """Python 3.14 has a package of its own; before, the tests bring one. They name the other where they want it."""
    if sys.version_info < (3, 14):
        monkeypatch.setitem(sys.modules, "compression", types.ModuleType("compression"))
        monkeypatch.setitem(sys.modules, "compression.zstd", PythonZstd("compression.zstd"))


BACKENDS = [(coding, backend) for coding, made in CODECS.items() for backend in made.backends]
every_backend = pytest.mark.parametrize(("coding", "backend"), BACKENDS)


def joined(encoder, chunks):
    return b"".join([*(encoder.feed(chunk) for chunk in chunks), encoder.finish()])


class Decoder:
    """A decoder that takes one body of a coding as it comes, and says whether it was whole."""

    def __init__(self, coding):
        self.coding = coding
        self.feed, self.whole = getattr(self, coding)()

    def gzip(self):
        member = zlib.decompressobj(31)
        return member.decompress, lambda: member.eof and not member.unused_data

    def br(self):
        stream = brotli.Decompressor()

        def feed(data):  # it may keep some of what it has decoded
            return stream.process(data) + b"".join(iter(lambda: stream.process(b""), b""))

        return feed, stream.is_finished

    def zstd(self):
        """Every byte beyond the frame has to be a skippable frame."""
        frame = zstandard.ZstdDecompressor(max_window_size=8 * MIB).decompressobj()
        return frame.decompress, lambda: frame.eof and is_skippable(frame.unused_data)


def is_skippable(data):
    return not data or (data[:4] == b"\x50\x2a\x4d\x18" and len(data) == 8 + int.from_bytes(data[4:8], "little"))


def decoded(coding, data):
    decoder = Decoder(coding)
    content = decoder.feed(data)
    assert decoder.whole()
    return content


# -- what goes in comes out ------------------------------------------------------------------------------------------

pieces = st.one_of(
    st.binary(min_size=1, max_size=300),
    st.tuples(st.integers(0, 3000), st.integers(1, 3000)).map(lambda cut: TEXT[cut[0] : cut[0] + cut[1]]),
    st.tuples(st.binary(min_size=1, max_size=3), st.integers(1, 70_000)).map(lambda run: run[0] * run[1]),
)
levels = st.sampled_from(BACKENDS).flatmap(
    lambda found: st.tuples(
        st.just(found),
        st.none() | st.sampled_from([each for each in CODECS[found[0]].backends[found[1]].levels if each < 12]),
    )
)


@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@given(
    levels,
    st.lists(pieces, max_size=5),
    st.booleans(),
    st.sampled_from([None, 0, 1, 500, 10**9]),
    st.sampled_from([0, 0, 1, 300, 512]),
)
@example((("gzip", "isal"), 0), [b"a"] * 50, True, None, 0)
@example((("gzip", "isal"), 3), [TEXT, b"a", TEXT], True, None, 0)
@example((("zstd", "zstandard"), None), [], True, 0, 0)
@example((("br", "brotli"), None), [TEXT] * 3, False, 1, 0)
def test_what_goes_in_comes_out(found, chunks, flush, size, padding):
    (coding, backend), level = found
    body = b"".join(chunks)
    made = codec(coding, level=level, backend=backend, padding=padding)
    assert decoded(coding, made.encode(body)) == body
    assert decoded(coding, joined(made.encoder(flush=flush, size=size), chunks)) == body


@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@given(levels, st.lists(pieces, max_size=6), st.sampled_from([0, 100]))
@example((("br", "brotli"), 0), [TEXT * 3], 0)
def test_a_flushed_chunk_can_be_read_at_once(found, chunks, padding):
    (coding, backend), level = found
    encoder = codec(coding, level=level, backend=backend, padding=padding).encoder(flush=True)
    decoder = Decoder(coding)
    for chunk in chunks:
        data = encoder.feed(chunk)
        assert data
        assert decoder.feed(data) == chunk
        assert not decoder.whole()
    assert decoder.feed(encoder.finish()) == b""
    assert decoder.whole()


@every_backend
def test_nothing_is_flushed_for_nobody(coding, backend):
    made = codec(coding, backend=backend)
    together, flushed = (
        joined(made.encoder(flush=flush), [TEXT[at : at + 100] for at in range(0, len(TEXT), 100)])
        for flush in (False, True)
    )
    assert len(together) * 1.2 < len(flushed)


@every_backend
def test_a_flush_costs_a_few_bytes(coding, backend):
    encoder = codec(coding, backend=backend).encoder(flush=True)
    encoder.feed(b"a")
    assert max(len(encoder.feed(b"a")) for _ in range(100)) <= 12


@pytest.mark.parametrize("backend", CODECS["gzip"].backends)
def test_a_flush_of_gzip_ends_with_the_marker_that_decoders_wait_for(backend):
    """An empty stored block: Go's decoder gives out what it has at that, and at no other block of no content."""
    encoder = codec("gzip", backend=backend).encoder(flush=True)
    assert all(encoder.feed(chunk).endswith(b"\0\0\xff\xff") for chunk in (b"a", TEXT, b"a", NOISE))


@every_backend
@pytest.mark.parametrize("body", [b"", b"a", TEXT], ids=["empty", "short", "long"])
def test_a_body_that_is_cut_short_is_not_whole(coding, backend, body):
    made = codec(coding, backend=backend)
    streamed = joined(made.encoder(flush=True), [body] if body else [])
    for data in (made.encode(body), streamed):
        for end in {*range(min(30, len(data))), *range(max(0, len(data) - 30), len(data))}:
            decoder = Decoder(coding)
            decoder.feed(data[:end])
            assert not decoder.whole()


@every_backend
def test_what_is_still_to_come_changes_nothing_of_what_went_out(coding, backend):
    made = codec(coding, backend=backend)
    assert joined(made.encoder(flush=True), [TEXT, NOISE]).startswith(made.encoder(flush=True).feed(TEXT))


# -- the same bytes each time ----------------------------------------------------------------------------------------


@every_backend
@pytest.mark.parametrize("flush", [False, True])
def test_the_same_body_gives_the_same_bytes(coding, backend, flush):
    made, again = codec(coding, backend=backend), codec(coding, backend=backend)
    first = made.encode(TEXT)
    made.encode(NOISE)
    assert made.encode(TEXT) == again.encode(TEXT) == first
    chunks = [TEXT[:5000], NOISE, TEXT[5000:]]
    assert joined(made.encoder(flush=flush), chunks) == joined(again.encoder(flush=flush), chunks)


@every_backend
def test_threads_do_not_mix_what_they_encode(coding, backend):
    made = codec(coding, backend=backend)
    barrier = threading.Barrier(8)

    def run(number):
        chunks = [b"%d " % number * 200, TEXT[number * 1000 :][:20_000], NOISE]
        barrier.wait(30)
        for _ in range(10):
            encoder = made.encoder(flush=True)
            streamed = joined(encoder, chunks)
            assert decoded(coding, made.encode(b"".join(chunks))) == decoded(coding, streamed) == b"".join(chunks)
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(run, range(8)))


@pytest.mark.parametrize("padding", [0, 100])
@pytest.mark.parametrize("backend", CODECS["gzip"].backends)
def test_a_gzip_header_has_no_time_and_no_name_but_padding(backend, padding):
    made = codec("gzip", backend=backend, padding=padding)
    for data in (made.encode(TEXT), made.encode(b""), joined(made.encoder(flush=False), [TEXT])):
        assert data[:3] == bytes.fromhex("1f8b08")
        assert data[3] == 0 or (data[3] == 8 and padding)
        assert data[4:8] == bytes(4)


@pytest.mark.parametrize("data", [b"", b"x", TEXT, os.urandom(70_000)], ids=len)
def test_a_member_in_parts_is_the_one_that_one_call_makes(monkeypatch, data):
    """That is how it is made by zlib of Python 3.10."""
    at_once = codec("gzip", backend="zlib", level=1).encode(data)
    monkeypatch.setattr(gzip, "_ZLIB_AT_ONCE", False)
    member = codec("gzip", backend="zlib", level=1).encode(data)
    assert decoded("gzip", member) == data
    assert member == at_once


@pytest.mark.parametrize("size", [0, 1, 4096, 4097, 5000])
def test_little_data_is_the_same_member_from_less_memory(size):
    """A window of 8 KiB and 8192 hashes are as good as 32 KiB and 32768 up to there."""
    data = TEXT[:size]
    stream = zlib.compressobj(1, zlib.DEFLATED, 31)
    encode = codec("gzip", backend="zlib", level=1).encode
    tracemalloc.start()
    try:
        member = encode(data)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert member == stream.compress(data) + stream.flush()
    assert (most < 200 * 1024) == (size <= 4096)


@pytest.mark.parametrize("backend", CODECS["gzip"].backends)
def test_the_size_in_a_gzip_trailer_wraps(backend):
    encoder = codec("gzip", level=1, backend=backend).encoder(flush=False)
    encoder._size = 0xFFFFFFFF
    encoder.feed(b"ab")
    assert encoder.finish().endswith(zlib.crc32(b"ab").to_bytes(4, "little") + b"\1\0\0\0")


def test_the_size_of_a_large_body_wraps_too():
    class Large(bytes):
        def __len__(self):
            return (1 << 32) + 2

    assert codec("gzip", backend="isal").encode(Large(b"ab")).endswith(b"\2\0\0\0")


# -- windows ---------------------------------------------------------------------------------------------------------


def zstd_window(frame):
    """Window_Size, or the size of the content where there is a single segment (RFC 8878 3.1.1.1)."""
    parameters = zstandard.get_frame_parameters(frame)
    assert not parameters.has_checksum
    return parameters.window_size


@every_backend
def test_windows_of_zstd_are_small_enough_at_every_level(coding, backend):
    if coding != "zstd":
        return
    for level in CODECS["zstd"].backends[backend].levels:
        made = codec("zstd", level=level, backend=backend)
        assert zstd_window(made.encode(b"a" * 70_000)) <= 70_000
        for size in (None, 10**9):
            stream = made.encoder(flush=False, size=size)
            assert zstd_window(joined(stream, [b"a" * 200_000])) == (1 << 15 if level <= 3 else 1 << 17)


@pytest.mark.parametrize("level", [3, 20, 22])
def test_a_window_of_zstd_is_no_larger_for_a_larger_body(level):
    frame = codec("zstd", level=level, backend="zstandard").encode(bytes(9 * MIB))
    assert zstd_window(frame) <= 8 * MIB
    assert zstandard.frame_content_size(frame) == 9 * MIB
    assert len(decoded("zstd", frame)) == 9 * MIB


def brotli_window(data):
    """WBITS (RFC 7932 9.1)."""
    first = data[0]
    if not first & 1:
        return 16
    if first >> 1 & 7:
        return 17 + (first >> 1 & 7)
    return {0: 17, 1: None}.get(first >> 4 & 7, 8 + (first >> 4 & 7))


@pytest.mark.parametrize(
    ("size", "whole", "streamed"),
    [(1, 10, 10), (700, 10, 10), (1024, 11, 11), (65_000, 16, 16), (70_000, 17, 16), (5 * MIB, 22, 16)],
)
def test_windows_of_brotli_are_large_only_where_that_costs_nothing(size, whole, streamed):
    for level in (0, 4, 8, 9, 11):
        made = codec("br", level=level)
        stream = made.encoder(flush=True, size=size)
        # Levels 0 and 1 have windows of 18 bits at the least.
        least = 18 if level < 2 else 10
        assert brotli_window(made.encode(bytes(size))) == (22 if level < 9 else whole)
        assert brotli_window(stream.feed(b"abc")) == max(streamed, least)


def test_a_stream_of_unknown_size_has_the_largest_window():
    assert brotli_window(codec("br").encoder(flush=True).feed(b"abc")) == 16
    assert zstd_window(codec("zstd").encoder(flush=True).feed(b"abc")) == 1 << 15


@pytest.mark.parametrize(("levels", "most"), [(range(1, 4), 384 << 10), (range(4, 23), 5 * MIB // 2)])
def test_a_stream_of_zstd_keeps_little(levels, most):
    for level in levels:
        parameters = zstandard.ZstdCompressionParameters(**zstd._bounded(level, None))
        context = zstandard.ZstdCompressor(compression_params=parameters)
        context.compressobj().compress(TEXT)
        assert context.memory_size() <= most


def test_a_declared_size_makes_for_a_smaller_window():
    assert zstd_window(codec("zstd").encoder(flush=True, size=3000).feed(b"abc")) == 1 << 12


@pytest.mark.parametrize(("backend", "reach"), [("zlib", 32_000), ("zlib-ng", 32_000), ("isal", 32_000)])
def test_gzip_looks_back_as_far_as_deflate_can(backend, reach):
    noise = os.urandom(reach)
    made = codec("gzip", level=3, backend=backend)
    assert len(made.encode(noise + noise[:20_000])) < reach + 12_000
    assert len(joined(made.encoder(flush=True), [noise, noise[:20_000]])) < reach + 12_000


@every_backend
@pytest.mark.parametrize("size", [600, 1000, 2000, 4000])
def test_the_window_of_a_small_body_reaches_all_of_it(coding, backend, size):
    noise = os.urandom(size // 2 - 50).hex().encode()
    made = codec(coding, backend=backend)
    assert len(made.encode(noise + noise[:100])) < len(made.encode(noise)) + 25

    def streamed(*chunks):
        return len(joined(made.encoder(flush=False, size=size), chunks))

    assert streamed(noise, noise[:100]) < streamed(noise) + 25


# -- padding ---------------------------------------------------------------------------------------------------------

OVERHEAD = {"gzip": 0, "br": 5, "zstd": 8}  # what the padding is wrapped in


@every_backend
@pytest.mark.parametrize("streamed", [False, True])
def test_padding_has_a_random_length_for_each_body(coding, backend, streamed):
    plain, padded = codec(coding, backend=backend), codec(coding, backend=backend, padding=40)

    def encoded(made):
        return joined(made.encoder(flush=True), [TEXT[:100]]) if streamed else made.encode(TEXT[:100])

    bodies = [encoded(padded) for _ in range(400)]
    added = {len(body) - len(encoded(plain)) for body in bodies}
    assert len(added) > 30
    assert min(added) == 0
    assert max(added) <= 40 + OVERHEAD[coding]
    assert all(decoded(coding, body) == TEXT[:100] for body in bodies)


@pytest.mark.parametrize("filler", [0, 1, 2, 255, 256, 257, 511, 512])
@pytest.mark.parametrize("coding", CODECS)
def test_padding_of_every_length_is_skipped(coding, filler, monkeypatch):
    made = codec(coding, padding=512)
    monkeypatch.setattr(os, "urandom", lambda count: filler.to_bytes(count, "big"))
    data = made.encode(TEXT)
    assert decoded(coding, data) == TEXT
    added = len(data) - len(codec(coding).encode(TEXT))
    assert filler <= added <= (filler and filler + OVERHEAD[coding])
    stream = made.encoder(flush=True)
    assert decoded(coding, joined(stream, [TEXT, NOISE])) == TEXT + NOISE
    if coding == "br":
        assert brotli.decompress(data) == TEXT
    if coding == "zstd":
        assert zstandard.decompress(data) == TEXT
        assert zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read() == TEXT


def test_the_file_name_of_a_padded_gzip_ends_where_it_says(monkeypatch):
    monkeypatch.setattr(os, "urandom", lambda count: (5).to_bytes(count, "big"))
    assert codec("gzip", padding=9).encode(TEXT).startswith(bytes.fromhex("1f8b08 08 00000000 00 ff") + b"xxxx\0")


def test_a_browser_reads_what_is_padded(browser, serving):
    made = {f"/{coding}": codec(coding, padding=512) for coding in CODECS}

    def app(environ, start_response):
        found = made.get(environ["PATH_INFO"])
        coding = [("Content-Encoding", found.coding)] if found else []
        start_response("200 OK", [("Content-Type", "text/plain"), *coding])
        if not found:
            return [b"a page"]
        if environ["QUERY_STRING"] == "whole":
            return [found.encode(TEXT)]
        encoder = found.encoder(flush=True)
        return iter([encoder.feed(TEXT[:9]), encoder.feed(TEXT[9:]), encoder.finish()])

    address = serving(app)
    page = browser.new_page()
    page.goto(address)
    for path in made:
        for how in ("whole", "streamed"):
            read = page.evaluate("url => fetch(url).then(response => response.text())", f"{address}{path}?{how}")
            assert read == TEXT.decode()
    page.close()


# -- which codecs there are ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("coding", "backend", "first", "last", "default"),
    [
        ("gzip", "isal", 0, 3, 3),
        ("gzip", "zlib-ng", 0, 9, 5),
        ("gzip", "zlib", 0, 9, 5),
        ("br", "brotli", 0, 11, 4),
        ("zstd", "zstandard", 1, 22, 3),
        ("zstd", "compression.zstd", 1, 22, 3),
    ],
)
def test_a_level_is_one_that_the_backend_has(coding, backend, first, last, default):
    assert codec(coding, backend=backend).level == default
    for level in (first, last):
        made = codec(coding, level=level, backend=backend)
        assert made.level == level
        assert decoded(coding, made.encode(TEXT[:999])) == TEXT[:999]
    for wrong in (first - 1, last + 1, float(last), True, "3"):
        with pytest.raises(CodecError) as caught:
            codec(coding, level=wrong, backend=backend)
        assert (caught.value.option, caught.value.value) == ("level", wrong)
        assert caught.value.rule == f"None, or an int: {first} to {last} ({backend})"


@pytest.mark.parametrize(("coding", "low", "high"), [("gzip", 1, 9), ("br", 1, 11), ("zstd", 1, 19)])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_higher_level_makes_less_of_a_body(coding, low, high, streamed):
    def size(level):
        made = codec(coding, level=level, backend="zlib" if coding == "gzip" else "auto")
        return len(joined(made.encoder(flush=False), [TEXT]) if streamed else made.encode(TEXT))

    assert size(high) < size(low)


@pytest.mark.parametrize("backend", CODECS["gzip"].backends)
def test_a_level_of_gzip_counts(backend):
    sizes = {len(codec("gzip", level=level, backend=backend).encode(TEXT)) for level in (0, 1, 3)}
    assert len(sizes) == 3


@pytest.mark.parametrize(
    ("missing", "level", "backend"),
    [
        ((), None, "isal"),
        ((), 2, "isal"),
        ((), 4, "zlib-ng"),
        (("isal.isal_zlib",), 2, "zlib-ng"),
        (("isal.isal_zlib", "zlib_ng.zlib_ng"), None, "zlib"),
    ],
)
def test_the_best_gzip_that_is_installed_and_has_the_level(monkeypatch, missing, level, backend):
    for name in missing:
        monkeypatch.setitem(sys.modules, name, None)
    assert codec("gzip", level=level).backend == backend


def test_a_level_that_no_backend_has_is_told_with_those_that_there_are(monkeypatch):
    monkeypatch.setitem(sys.modules, "zlib_ng.zlib_ng", None)
    with pytest.raises(CodecError) as caught:
        codec("gzip", level=10)
    assert str(caught.value) == "level: None, or an int: 0 to 3 (isal), 0 to 9 (zlib); got 10"


def test_python_itself_is_asked_for_zstd_first(monkeypatch):
    assert codec("zstd").backend == "compression.zstd"
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    assert codec("zstd").backend == "zstandard"


@pytest.mark.parametrize(
    ("option", "given", "modules", "message"),
    [
        ("coding", {"coding": "br", "backend": "auto"}, ["brotli"], "pip install 'wsgi-middleware-stack[brotli]'"),
        (
            "coding",
            {"coding": "zstd", "backend": "auto"},
            ["compression.zstd", "zstandard"],
            "pip install 'wsgi-middleware-stack[zstd]'",
        ),
        (
            "backend",
            {"coding": "zstd", "backend": "compression.zstd"},
            ["compression.zstd"],
            "it is part of Python 3.14",
        ),
        (
            "backend",
            {"coding": "gzip", "backend": "isal"},
            ["isal.isal_zlib"],
            "pip install 'wsgi-middleware-stack[isal]'",
        ),
        ("backend", {"coding": "gzip", "backend": "zlib-ng"}, ["zlib_ng.zlib_ng"], "pip install zlib-ng"),
    ],
)
def test_what_is_not_installed_is_said_with_what_to_do(monkeypatch, option, given, modules, message):
    for name in modules:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(CodecError) as caught:
        codec(**given)
    assert (caught.value.option, caught.value.value) == (option, given[option])
    assert caught.value.rule == f"{modules[-1]} is not installed: {message}"
    assert available(given["coding"]) is (option == "backend")


def test_what_is_installed_is_available():
    assert [coding for coding in CODECS if available(coding)] == ["zstd", "br", "gzip"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: codec("deflate"), "coding: one of 'zstd', 'br', 'gzip'; got 'deflate'"),
        (lambda: available("x-gzip"), "coding: one of 'zstd', 'br', 'gzip'; got 'x-gzip'"),
        (
            lambda: codec("gzip", backend="brotli"),
            "backend: one of 'auto', 'isal', 'zlib-ng', 'zlib'; got 'brotli'",
        ),
        (lambda: codec("br", padding=513), "padding: an int from 0 to 512; got 513"),
        (lambda: codec("br", padding=-1), "padding: an int from 0 to 512; got -1"),
        (lambda: codec("br", padding=True), "padding: an int from 0 to 512; got True"),
    ],
)
def test_options_that_cannot_be_right_are_told(call, message):
    with pytest.raises(LookupError) as caught:
        call()
    assert str(caught.value) == message


# -- when it goes wrong, and when it is over -------------------------------------------------------------------------


@every_backend
def test_a_codec_that_fails_says_so(coding, backend):
    made = codec(coding, backend=backend)
    for call in (made.encode, made.encoder(flush=True).feed, made.encoder(flush=False).feed):
        with pytest.raises((TypeError, ValueError, brotli.error)):
            call("text")


@pytest.mark.parametrize("coding", CODECS)
def test_an_error_of_the_library_passes(coding):
    encoder = codec(coding).encoder(flush=True)

    def fails(*_):
        raise MemoryError

    encoder._write = encoder._end = fails
    for call in (lambda: encoder.feed(b"a"), encoder.finish):
        with pytest.raises(MemoryError):
            call()


@every_backend
def test_an_encoder_goes_when_it_is_dropped(coding, backend):
    made = codec(coding, backend=backend, padding=9)

    def use():
        encoder = made.encoder(flush=True)
        encoder.feed(TEXT)

    use()
    gc.collect()
    gc.disable()
    try:
        use()
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_codec_goes_when_it_is_dropped():
    for coding in CODECS:
        made = codec(coding)
        made.encode(TEXT)
        gone = weakref.ref(made)
        del made
        assert gone() is None


def test_a_large_body_leaves_nothing_behind_in_a_thread():
    made = codec("zstd", backend="zstandard")
    size = zstandard.ZstdCompressor.memory_size
    kept = made._own.compress.__self__
    made.encode(TEXT)
    before = size(kept)
    data = made.encode(NOISE * 3000)
    assert decoded("zstd", data) == NOISE * 3000
    assert size(kept) == before


MAPPED = """
import ctypes
from middleware.layers.compress.codecs import codec

class Told(ctypes.Structure):  # mallinfo(3)
    _fields_ = [(name, ctypes.c_int) for name in ("arena", "ordblks", "smblks", "hblks", *map(str, range(6)))]

libc = ctypes.CDLL(None)
libc.mallinfo.restype = Told
libc.malloc.restype = ctypes.c_void_p
codec("gzip", backend="zlib")
before = libc.mallinfo().hblks
libc.malloc(ctypes.c_size_t(300 * 1024))
print(libc.mallinfo().hblks - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators have rules of their own")
def test_what_zlib_frees_stays_for_the_next_body():
    """As much as it takes is no mapping of its own any more, so that much may lie free before glibc returns it."""
    done = subprocess.run([sys.executable, "-c", MAPPED], capture_output=True, text=True, check=True)
    assert int(done.stdout) == 0


ADDED = """
from middleware.layers.compress.codecs.codec import Backend, Codec, Encoder

class Deflate(Codec):
    coding = "deflate"
    backends = {"zlib": Backend("zlib", range(10), 6, "")}

    def encode(self, data):
        return self._module.compress(data, self.level)

    def encoder(self, *, flush, size=None):
        stream = self._module.compressobj(self.level)
        return Encoder(stream.compress, bytes, stream.flush)
"""
USED = """
import zlib
from middleware import Compress, Stack

seen = []

def app(environ, start_response):
    seen.append(environ.get("HTTP_IF_NONE_MATCH"))
    start_response("200 OK", [("Content-Type", "text/plain"), ("ETag", '"x"')])
    return [b"a" * 5000]

def fetch(layer, **request):
    heads, environ = [], {"REQUEST_METHOD": "GET", "PATH_INFO": "/", **request}
    body = Stack(layer).wrap(app)(environ, lambda status, head: heads.append(head))
    return dict(heads[0]), b"".join(body)

layer = Compress(codings="deflate", levels={"deflate": 9})
head, body = fetch(layer, HTTP_ACCEPT_ENCODING="gzip, deflate")
assert head["Content-Encoding"] == "deflate" and head["ETag"] == '"x-deflate"', head
assert zlib.decompress(body) == b"a" * 5000
fetch(layer, HTTP_ACCEPT_ENCODING="deflate", HTTP_IF_NONE_MATCH='"x-deflate"')
assert seen[-1] == '"x"', seen
assert Compress().codings[-1] == "deflate"
"""


def test_a_coding_is_added_by_one_module_and_one_row(tmp_path):
    """The default of `codings`, the suffixes of entity tags and the messages follow."""
    copy = shutil.copytree(Path(middleware.__file__).parent, tmp_path / "middleware")
    codecs = copy / "layers" / "compress" / "codecs"
    (codecs / "deflate.py").write_text(ADDED, encoding="utf-8")
    listed = (codecs / "__init__.py").read_text(encoding="utf-8")
    for line, added in (
        ("import GzipCodec\n", "from middleware.layers.compress.codecs.deflate import Deflate\n"),
        ("    GzipCodec,\n", "    Deflate,\n"),
    ):
        assert line in listed
        listed = listed.replace(line, line + added)
    (codecs / "__init__.py").write_text(listed, encoding="utf-8")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTHON"))}
    done = subprocess.run(
        [sys.executable, "-c", USED], check=False, capture_output=True, text=True, env=environ, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr


def test_a_coding_is_one_class():
    class Plain(Codec):
        coding = "identity"
        backends = CODECS["gzip"].backends

        def encode(self, data):
            return data

        def encoder(self, *, flush, size=None):
            raise NotImplementedError

    assert Plain(2).encode(b"a") == b"a"
    assert Plain(2).backend == "isal"

"""DecompressRequest: what is read is what was encoded, and never more than the limit (RFC 9110 8.4, RFC 9659)."""

from __future__ import annotations

import functools
import gzip
import io
import itertools
import subprocess
import sys
import tracemalloc
import types
from contextlib import suppress
from pathlib import Path

import brotli
import falcon
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from bodies import ANSWERS, Wire, reading
from gateway import serve
from middleware import BodyLimit, BodyTooLarge, ConfigError, DecompressRequest, Stack
from middleware.layers.decompress import decoders
from middleware.wsgi.input import PIECE
from serving import environment
from shapes import returning

if sys.version_info >= (3, 14):
    from compression import zstd as python_zstd
else:
    from backports import zstd as python_zstd

SUPPORT = Path(__file__).parent / "support"
MIB = 1 << 20
ENCODE = {"gzip": gzip.compress, "br": functools.partial(brotli.compress, quality=4), "zstd": zstandard.compress}
MAKE = {
    "gzip": decoders.decoder_of("gzip"),
    "br": decoders.decoder_of("br"),
    "zstd by zstandard": decoders._Zstandard,
    "zstd by Python": decoders._Zstd,
}
every_coding = pytest.mark.parametrize("coding", ENCODE)
every_decoder = pytest.mark.parametrize("name", MAKE)
either_way = pytest.mark.parametrize("buffer", [False, True])


@pytest.fixture(autouse=True)
def compression(monkeypatch):
    """Python 3.14 has a package for zstd; before, another has its name here, for the decoder that is made by hand."""
    monkeypatch.setattr(decoders, "import_module", imported)


def imported(name):
    if name == "compression.zstd":
        return python_zstd
    return __import__(name)


def encoded(data, codings):
    for coding in codings.split(", "):
        data = ENCODE[coding](data)
    return data


def post(app, body, coding, *, length=True, **keys):
    """A request whose body is encoded; without a length the server ends it."""
    wire = Wire(body, ends=not length)
    keys.update({"wsgi.input": wire, "HTTP_CONTENT_ENCODING": coding})
    keys.update({"CONTENT_LENGTH": str(len(body))} if length else {"wsgi.input_terminated": True})
    return serve(app, method="POST", lint=False, **keys)


def decoding(app=None, **options):
    return Stack(DecompressRequest(**options)).wrap(app or reading())


# -- what comes out ----------------------------------------------------------------------------------------------------


@either_way
@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize("codings", [*ENCODE, "gzip, br", "zstd, gzip", "gzip, gzip"])
def test_the_application_reads_what_was_encoded(codings, length, buffer):
    data = b"".join(b"%d " % (number * 7919) for number in range(50_000))
    answer = post(decoding(buffer=buffer), encoded(data, codings), codings, length=length)
    assert (answer.status, answer.body) == ("200 OK", data)


@either_way
def test_falcon_reads_its_stream_to_the_end_and_its_media_as_far_as_there_is_a_length(buffer):
    class Both:
        def on_post(self, request, response):
            response.media = [len(request.bounded_stream.read()), len(request.stream.read())]

    app = falcon.App()
    app.add_route("/", Both())
    assert post(decoding(app, buffer=buffer), gzip.compress(b"123"), "gzip").body == (
        b"[3, 0]" if buffer else b"[0, 3]"
    )


@every_decoder
@given(data=st.binary(max_size=300), cuts=st.lists(st.integers(0, 400), max_size=8))
def test_wherever_the_encoded_bytes_are_cut_what_comes_out_is_the_same(name, data, cuts):
    whole = ENCODE[name.partition(" ")[0]](data)
    places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    pieces = [whole[start:end] for start, end in itertools.pairwise(places) if start < end]
    assert read_all(MAKE[name], pieces) == data


def read_all(make, pieces):
    left = list(pieces)
    decoder = make(lambda: left.pop(0) if left else b"")
    got = b""
    while data := decoder.read():
        assert len(data) <= 2 * PIECE
        got += data
    assert decoder.read() == b""
    return got


@pytest.mark.parametrize(
    ("given", "applied"),
    [
        ("x-gzip", "gzip"),
        ("GZip", "gzip"),
        (" gzip ,identity", "gzip"),
        (",identity,, gzip,", "gzip"),
        ("identity, X-GZIP, identity, br", "gzip, br"),
    ],
)
def test_names_of_codings(given, applied):
    """RFC 9110 8.4.1 and 8.4.1.3; empty members are ignored (5.6.1.2)."""
    assert post(decoding(), encoded(b"content", applied), given).body == b"content"


@either_way
@every_coding
def test_a_body_without_a_byte_is_empty(coding, buffer):
    answer = post(decoding(buffer=buffer), b"", coding)
    assert (answer.status, answer.body) == ("200 OK", b"")


@every_decoder
def test_what_is_encoded_as_nothing_is_nothing(name):
    assert read_all(MAKE[name], [ENCODE[name.partition(" ")[0]](b"")]) == b""


@either_way
def test_members_of_gzip_are_one_body(buffer):
    """RFC 1952 2.2."""
    body = b"".join(gzip.compress(part) for part in (b"one ", b"", b"two ", b"three"))
    assert post(decoding(buffer=buffer), body, "gzip").body == b"one two three"


SKIPPABLE = b"\x53\x2a\x4d\x18\x03\x00\x00\x00abc"
EMPTY_SKIPPABLE = b"\x50\x2a\x4d\x18\x00\x00\x00\x00"


@pytest.mark.parametrize("name", ["zstd by zstandard", "zstd by Python"])
def test_frames_of_zstd_are_one_body(name):
    """Skippable ones are skipped; checksums, and frames that tell no size (RFC 8878 3.1)."""
    summed = zstandard.ZstdCompressor(write_checksum=True).compress(b"two ")
    streamed = zstandard.ZstdCompressor().compressobj()
    streamed = streamed.compress(b"three") + streamed.flush()
    body = zstandard.compress(b"one ") + SKIPPABLE + summed + EMPTY_SKIPPABLE + streamed
    assert read_all(MAKE[name], [body]) == b"one two three"
    assert read_all(MAKE[name], [bytes([byte]) for byte in body]) == b"one two three"


@pytest.mark.parametrize("size", [0, 1, 255, 256, 70_000, 300_000])
@pytest.mark.parametrize("level", [1, 19])
def test_frames_of_every_size_are_gone_along_with(size, level):
    frames = decoders.Frames()
    body = zstandard.ZstdCompressor(level=level).compress(b"ab" * size)
    for place in range(0, len(body), 1000):
        frames.feed(body[place : place + 1000])
        assert frames.between == (place + 1000 >= len(body))


@pytest.mark.parametrize(
    ("keys", "gone"),
    [
        ({"HTTP_CONTENT_MD5": "a", "HTTP_CONTENT_DIGEST": "b", "HTTP_REPR_DIGEST": "c"}, True),
        ({"HTTP_DIGEST": "d"}, True),
        ({"HTTP_DIGEST_OF_MINE": "d"}, False),
    ],
)
def test_what_tells_of_the_encoded_bytes_is_gone(keys, gone):
    answer = post(decoding(), gzip.compress(b"x"), "gzip", **keys)
    assert answer.environ["wsgi.input_terminated"] is True
    assert not {"CONTENT_LENGTH", "HTTP_CONTENT_ENCODING"} & answer.environ.keys()
    assert bool(keys.keys() & answer.environ.keys()) != gone


@either_way
def test_a_request_without_a_coding_passes_and_nothing_fails_at_its_end(buffer, caplog):
    answer = serve(DecompressRequest(returning([b"x"])[0], buffer=buffer))
    assert (answer.status, answer.error, caplog.records) == ("200 OK", None, [])


def test_a_buffered_body_has_a_length_and_no_transfer_encoding():
    answer = post(decoding(buffer=True), gzip.compress(b"x" * 300_000), "gzip", HTTP_TRANSFER_ENCODING="chunked")
    # with chunks and without wsgi.input_terminated there is no body
    assert (answer.environ["CONTENT_LENGTH"], answer.body) == ("0", b"")
    body = gzip.compress(b"x" * 300_000)
    answer = post(decoding(buffer=True), body, "gzip", length=False, HTTP_TRANSFER_ENCODING="chunked")
    assert (answer.environ["CONTENT_LENGTH"], len(answer.body)) == ("300000", 300_000)
    assert "HTTP_TRANSFER_ENCODING" not in answer.environ
    assert answer.environ["wsgi.input"].closed


@either_way
@pytest.mark.parametrize("coding", [None, "", "identity", "identity, identity"])
def test_a_body_that_is_not_encoded_is_left_alone(coding, buffer):
    keys = {} if coding is None else {"HTTP_CONTENT_ENCODING": coding}
    wire = Wire(b"plain")
    app = decoding(reading(lambda body: body.read(5)), buffer=buffer)
    answer = serve(app, method="POST", lint=False, CONTENT_LENGTH="5", **{"wsgi.input": wire}, **keys)
    assert answer.body == b"plain"
    assert answer.environ["wsgi.input"] is wire
    assert answer.environ["CONTENT_LENGTH"] == "5"
    assert answer.environ.get("HTTP_CONTENT_ENCODING") in {None, ""}


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", ["compress", "deflate", "gzip, foo", "gzip, gzip, gzip", "gzip;q=1", "g\xfcip"])
def test_an_unknown_coding_and_a_third_are_a_415(coding):
    answer = post(decoding(lambda *_: pytest.fail("was called")), b"x" * 100, coding)
    assert (answer.status[:3], answer.get("Accept-Encoding")) == ("415", "gzip, br, zstd")


@pytest.mark.parametrize(("length", "dropped"), [(65_536, 65_536), (65_537, 0), (None, 65_536)])
def test_of_a_body_that_is_refused_at_most_64_kib_are_read(length, dropped):
    wire = Wire(b"x" * (length or 100_000), ends=True)
    keys = {"wsgi.input": wire, "wsgi.input_terminated": True, "HTTP_CONTENT_ENCODING": "foo"}
    before = len(wire.data)
    serve(decoding(), method="POST", lint=False, **keys, **({"CONTENT_LENGTH": str(length)} if length else {}))
    assert before - len(wire.data) == dropped


@pytest.mark.parametrize(("coding", "status"), [("gzip", "400"), ("foo", "415")])
def test_a_malformed_length_is_a_400(coding, status):
    keys = {"wsgi.input": Wire(b""), "CONTENT_LENGTH": "1x", "HTTP_CONTENT_ENCODING": coding}
    assert serve(decoding(), method="POST", lint=False, **keys).status[:3] == status


def cut(data):
    return data[:-1]


def cut_early(data):
    return data[:3]


def garbage(data):
    return data + b"garbage"


def one_more(data):
    return data + b"\x00"


def other(data):
    return b"no coding at all"


def far_garbage(data):
    return data + bytes(40_000)


BREAKS = [cut, cut_early, garbage, one_more, other, far_garbage]


@every_decoder
@pytest.mark.parametrize("breaking", BREAKS)
@pytest.mark.parametrize("size", [1, 100_000])
def test_broken_data_is_never_taken_for_whole(name, breaking, size):
    body = breaking(ENCODE[name.partition(" ")[0]](b"ab" * size))
    pieces = [body[place : place + 16_384] for place in range(0, len(body), 16_384)]
    with pytest.raises(decoders.BrokenBody):
        read_all(MAKE[name], pieces)


@every_decoder
def test_what_comes_behind_the_end_is_never_left_out(name):
    """Neither where the end was read already."""
    with pytest.raises(decoders.BrokenBody):
        read_all(MAKE[name], [ENCODE[name.partition(" ")[0]](b"whole"), b"more"])


@either_way
@every_coding
@pytest.mark.parametrize("breaking", BREAKS)
def test_broken_data_is_a_400(coding, breaking, buffer):
    answer = post(decoding(buffer=buffer), breaking(ENCODE[coding](b"ab" * 1000)), coding)
    assert (answer.status[:3], answer.body) == ("400", b"The request body is not what its Content-Encoding says.\n")


@pytest.mark.parametrize("name", ["zstd by zstandard", "zstd by Python"])
@pytest.mark.parametrize(("bits", "whole"), [(23, True), (24, False), (27, False)])
def test_a_window_of_zstd_is_8_mib_at_most(name, bits, whole):
    """RFC 9659 3."""
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=bits, write_content_size=False)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    body = stream.compress(b"x") + stream.flush()
    if whole:
        assert read_all(MAKE[name], [body]) == b"x"
    else:
        with pytest.raises(decoders.BrokenBody, match="window is larger than 8 MiB"):
            read_all(MAKE[name], [body])


@either_way
@every_coding
@pytest.mark.parametrize(("size", "status"), [(1000, "200"), (1001, "413")])
def test_so_many_bytes_and_no_more_are_decoded(coding, size, status, buffer):
    answer = post(decoding(max_bytes=1000, buffer=buffer), ENCODE[coding](b"x" * size), coding)
    assert answer.status[:3] == status
    assert size == 1000 or answer.body == b"The decoded request body is larger than 1000 bytes.\n"


@pytest.mark.parametrize("app", ANSWERS)
@pytest.mark.parametrize(("body", "status"), [(gzip.compress(b"x" * 1001, mtime=0), "413"), (b"no gzip", "400")])
def test_whatever_the_application_answers_becomes_the_refusal(app, body, status):
    answer = post(decoding(app, max_bytes=1000), body, "gzip")
    assert (answer.status[:3], answer.error) == (status, None)
    assert answer.body.startswith(b"The decoded request body" if status == "413" else b"The request body is not")


def test_the_error_comes_again_and_is_an_oserror():
    seen = []

    def app(environ, start_response):
        for _ in range(2):
            with pytest.raises(OSError, match="larger than 10 bytes") as caught:
                environ["wsgi.input"].read()
            seen.append(caught.type)
        return returning([b"swallowed"])[0](environ, start_response)

    assert post(decoding(app, max_bytes=10), gzip.compress(b"x" * 100), "gzip").status[:3] == "413"
    assert seen == [BodyTooLarge, BodyTooLarge]


@either_way
def test_what_a_limit_further_out_refuses_is_its_413(buffer):
    app = Stack(BodyLimit(max_bytes=50), DecompressRequest(buffer=buffer)).wrap(reading())
    body = gzip.compress(bytes(range(256)))
    assert post(app, body, "gzip", length=False).body == b"The request body is larger than 50 bytes.\n"


def nested(layer, app):
    return Stack(layer).wrap(lambda environ, start_response: Stack(layer).wrap(app)(environ, start_response))


@pytest.mark.parametrize("again", [nested, lambda layer, app: Stack(layer, layer.named("again")).wrap(app)])
def test_a_layer_that_stands_inside_itself_refuses_all_the_same(again):
    def app(environ, start_response):
        with suppress(OSError):
            environ["wsgi.input"].read()
        return returning([b"swallowed"])[0](environ, start_response)

    assert post(again(DecompressRequest(max_bytes=10), app), gzip.compress(b"x" * 100), "gzip").status[:3] == "413"


def test_a_layer_that_stands_inside_itself_closes_its_file():
    application = nested(DecompressRequest(buffer=True), returning([b"x"])[0])
    answer = post(application, gzip.compress(b"x"), "gzip")
    assert answer.environ["wsgi.input"].closed


def test_an_application_of_ones_own_answers():
    app = decoding(max_bytes=10, answer=returning([b"mine"], "415 Mine")[0])
    answers = [
        post(app, body, coding) for body, coding in ((b"", "foo"), (b"no", "gzip"), (ENCODE["br"](b"x" * 11), "br"))
    ]
    assert [(answer.status, answer.body) for answer in answers] == [("415 Mine", b"mine")] * 3
    assert answers[0].get("Accept-Encoding") == "gzip, br, zstd"


# -- bombs -------------------------------------------------------------------------------------------------------------


def repeated(coding, mib):
    """So many MiB of zeros, encoded without having them."""
    zeros = bytes(MIB)
    if coding == "gzip":
        made = io.BytesIO()
        with gzip.GzipFile(fileobj=made, mode="wb", mtime=0) as file:
            for _ in range(mib):
                file.write(zeros)
        return made.getvalue()
    if coding == "br":
        stream = brotli.Compressor(quality=5)
        return b"".join(stream.process(zeros) for _ in range(mib)) + stream.finish()
    stream = zstandard.ZstdCompressor().compressobj()
    return b"".join(stream.compress(zeros) for _ in range(mib)) + stream.flush()


@either_way
@every_coding
def test_a_bomb_stops_at_the_limit_and_takes_little_memory(coding, buffer):
    """64 KiB and the window: at most 8 MiB, and 16 for br; what is counted is Python's, not that of the codecs."""
    bomb = repeated(coding, 64)
    taken = []

    def app(environ, start_response):
        tracemalloc.start()
        size = 0
        try:
            while data := environ["wsgi.input"].read(PIECE):
                size += len(data)
        finally:
            taken.append((tracemalloc.get_traced_memory()[1], size))
            tracemalloc.stop()

    answer = post(decoding(app, max_bytes=2 * MIB, buffer=buffer), bomb, coding)
    assert (len(bomb) < 100_000, answer.status[:3]) == (True, "413")
    assert all(peak < MIB and size <= 2 * MIB for peak, size in taken)


@every_coding
def test_what_a_bomb_takes_of_the_machine_is_the_window_and_little_more(coding, tmp_path):
    """128 MiB of zeros, of which nothing is kept: 17 MiB are the largest window of br and what stands beside it."""
    (tmp_path / "bomb").write_bytes(repeated(coding, 128))
    command = [sys.executable, str(SUPPORT / "bombed.py"), coding, str(tmp_path / "bomb")]
    said = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True).stdout
    size, grown = map(int, said.split())
    assert size == 128 * MIB
    assert grown < 25 * 1024


@every_decoder
def test_no_decoder_gives_more_than_two_pieces_at_a_time(name):
    bomb = repeated(name.partition(" ")[0], 8)
    pieces = [bomb[place : place + decoders.READ] for place in range(0, len(bomb), decoders.READ)]
    assert len(read_all(MAKE[name], pieces)) == 8 * MIB


@either_way
@pytest.mark.parametrize("outer", ENCODE)
def test_a_coding_that_hides_another_that_is_many_times_larger_is_refused(outer, buffer):
    """Many empty members of gzip are next to nothing when they are compressed, and take long to decode to nothing."""
    inner = gzip.compress(b"", mtime=0) * (4 * MIB // 20)
    answer = post(decoding(buffer=buffer), ENCODE[outer](inner), f"gzip, {outer}")
    assert (answer.status[:3], len(ENCODE[outer](inner)) < 50_000) == ("413", True)
    assert answer.body == b"A coding of the request body hides another that is many times larger.\n"


# -- options -----------------------------------------------------------------------------------------------------------


def test_codings_are_those_that_are_named():
    layer = DecompressRequest(codings=["br", "x-gzip"])
    assert layer.codings == ("br", "gzip")
    answer = post(Stack(layer).wrap(reading()), b"", "zstd")
    assert (answer.status[:3], answer.get("Accept-Encoding")) == ("415", "br, gzip")
    assert DecompressRequest(codings="gzip").codings == ("gzip",)


@pytest.fixture
def without(monkeypatch):
    def lack(*names):
        def lacking(name):
            if name in names:
                raise ImportError(name)
            return types.SimpleNamespace(Decompressor=int) if name == f"old {names[0]}" else imported(name)

        monkeypatch.setattr(decoders, "import_module", lacking)

    return lack


@pytest.mark.parametrize(
    ("coding", "packages", "told"),
    [
        ("br", ["brotli"], r"codings: needs brotli >= 1.2: pip install 'wsgi-middleware-stack\[brotli\]'; got 'br'"),
        (
            "zstd",
            ["zstandard", "compression.zstd"],
            r"codings: needs zstandard: pip install 'wsgi-middleware-stack\[zstd",
        ),
    ],
)
def test_a_coding_that_is_missing_is_left_out_and_refused_by_name(without, coding, packages, told):
    without(*packages)
    assert coding not in DecompressRequest().codings
    with pytest.raises(ConfigError, match=told):
        DecompressRequest(codings=["gzip", coding])


def test_a_brotli_that_cannot_stop_is_none(monkeypatch):
    """Before 1.2 it has no output_buffer_limit."""
    monkeypatch.setattr(decoders, "import_module", lambda name: types.SimpleNamespace(Decompressor=object))
    assert decoders.decoder_of("br") is None


def test_zstd_of_python_comes_before_the_package(without):
    assert decoders.decoder_of("zstd") is decoders._Zstd
    without("compression.zstd")
    assert decoders.decoder_of("zstd") is decoders._Zstandard


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"codings": "deflate"}, "DecompressRequest: codings: some of 'gzip', 'br', 'zstd'; got 'deflate'"),
        ({"codings": []}, "codings"),
        ({"codings": 7}, "codings"),
        ({"max_bytes": -1}, "max_bytes: an int of 0 or more, in bytes; got -1"),
        ({"max_bytes": 1.5}, "max_bytes"),
        ({"buffer": 1}, "buffer: a bool; got 1"),
        ({"answer": 1}, "answer"),
    ],
)
def test_bad_options_are_named(options, told):
    with pytest.raises(ConfigError, match=told):
        DecompressRequest(**options)


def test_a_layer_is_told_as_what_it_does():
    assert "decodes a body in gzip as it is read, up to 10485760 bytes" in str(Stack(DecompressRequest(codings="gzip")))
    assert "before the application is called, up to 9 bytes" in str(Stack(DecompressRequest(buffer=True, max_bytes=9)))


@pytest.mark.parametrize(
    ("coding", "body", "options", "said"),
    [
        ("br, gzip", gzip.compress(brotli.compress(b"x"), mtime=0), {}, ["decodes gzip, br"]),
        ("foo", b"", {}, ["refused: Content-Encoding 'foo' is not one or two of gzip, br, zstd"]),
        ("gzip, br, gzip", b"", {}, ["refused: Content-Encoding 'gzip, br, gzip' is not one or two of gzip, br, zstd"]),
        ("gzip", b"no", {"buffer": True}, ["decodes gzip", "refused: the body is not gzip"]),
        (
            "gzip",
            b"no",
            {},
            ["decodes gzip", "refused: the body is not gzip; replaces 400 Bad Request"],
        ),
    ],
)
def test_it_says_why(coding, body, options, said):
    notes = []
    post(decoding(**options), body, coding, **{"middleware.notes": notes})
    assert notes == said


def test_it_says_that_a_length_is_malformed():
    notes = []
    keys = {"wsgi.input": Wire(b""), "CONTENT_LENGTH": "1x", "HTTP_CONTENT_ENCODING": "gzip", "middleware.notes": notes}
    serve(decoding(), method="POST", lint=False, **keys)
    assert notes == ["refused: Content-Length is malformed"]

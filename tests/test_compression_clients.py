"""Compress on real servers, asked by real clients: they decode what the application said, as soon as it said it."""

from __future__ import annotations

import subprocess
import sys
import uuid
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
import requests

from decoding import CODINGS, Decoder, decoded
from encoded import PIECES, STEPS, TEXT
from needed import lacks, needs
from serving import Client, Server, Wire, ask, script

SUPPORT = Path(__file__).parent / "support"
OWN = sys.executable, str(SUPPORT / "encoded.py")
GUNICORN = "--bind=127.0.0.1:0", "--keep-alive=60", "--no-control-socket", "--worker-class=gthread", "--threads=8"
COMMANDS = {
    "waitress": (script("waitress-serve"), "--listen=127.0.0.1:0", "--threads=8", "encoded:application"),
    "gunicorn": (script("gunicorn"), *GUNICORN, "encoded:application"),
    "cheroot": (*OWN, "cheroot"),
    "wsgiref": (*OWN, "wsgiref"),
}
PATIENCE = 30  # seconds until a test gives up; nothing waits for as long as that

every_server = pytest.mark.parametrize("name", COMMANDS)
every_coding = pytest.mark.parametrize("coding", CODINGS)
either_way = pytest.mark.parametrize("coding", [*CODINGS, None])


@pytest.fixture(scope="session")
def servers():
    """Each server, started when it is first asked for."""
    started: dict[str, Server] = {}
    with ExitStack() as ending:

        def server(name: str) -> Server:
            if name not in started:
                started[name] = Server(*COMMANDS[name], cwd=SUPPORT)
                ending.callback(started[name].close)
            return started[name]

        yield server


def unique(route: str) -> str:
    """A path that no other request has."""
    return f"/{route}/{uuid.uuid4().hex}"


def accepted(coding: str | None) -> str:
    return coding or "identity"


def text(answer) -> bytes:
    """The content of an Answer, without its coding."""
    return decoded(answer.headers["Content-Encoding"], answer.body)


def told(server: Server, path: str, *wanted: str) -> dict[str, object]:
    """What was told about a request once all of `wanted` was, each once; also when a later request is through."""
    name, later = path.rpartition("/")[2], unique("sized")
    server.wait(lambda: set(wanted) <= {event["what"] for event in server.events if event["id"] == name})
    ask(server.port, later)
    server.wait(lambda: any(event["id"] == later.rpartition("/")[2] for event in server.events))
    happened = server.told(name)
    assert sorted(event["what"] for event in happened) == sorted(wanted)
    return {event["what"]: event.get("error") for event in happened}


# -- one connection ----------------------------------------------------------------------------------------------------

# Who keeps the connection: waitress needs a Content-Length, cheroot a Content-Length or chunks.
ALL, TWO, ONE = {"waitress", "cheroot", "gunicorn"}, {"cheroot", "gunicorn"}, {"gunicorn"}
# method, route, Accept-Encoding, Content-Encoding, whether there is a Content-Length, who keeps the connection
SERIES = [
    ("GET", "sized", "gzip", "gzip", True, ALL),
    ("GET", "sized", "br", "br", True, ALL),
    ("GET", "sized", "zstd", "zstd", True, ALL),
    ("HEAD", "sized", "zstd", "zstd", False, ONE),
    ("GET", "sized", "identity", None, True, ALL),
    ("HEAD", "sized", "identity", None, True, ALL),
    ("GET", "stream", "gzip", "gzip", False, TWO),
    ("GET", "stream", "br", "br", False, TWO),
    ("GET", "stream", "zstd", "zstd", False, TWO),
    ("GET", "stream", "identity", None, False, TWO),
    ("GET", "write", "gzip", "gzip", False, TWO),
    ("GET", "write", "zstd", "zstd", False, TWO),
    ("GET", "write", "identity", None, False, TWO),
    ("GET", "file", "br", "br", False, TWO),
    ("GET", "document", "gzip;q=0.5, br;q=0.8", "br", True, ALL),  # an iterator around a list
    ("GET", "sized", "", None, True, ALL),
]


@every_server
def test_a_series_of_requests_on_one_connection_stays_in_step(servers, name):
    with Client(servers(name).port) as client:
        for method, route, accept, coding, has_length, keepers in SERIES:
            answer = client.ask(unique(route), method, Accept_Encoding=accept)
            case = method, route, accept
            fields = answer.headers
            assert (*case, answer.status, fields["Content-Encoding"]) == (*case, 200, coding)
            assert (*case, answer.closes) == (*case, name not in keepers)
            if name != "wsgiref" and method == "GET":  # which has no chunks; what HEAD gets is up to each server
                assert (*case, "Content-Length" in fields) == (*case, has_length)
                assert (*case, fields["Transfer-Encoding"]) == (*case, None if has_length else "chunked")
            assert (*case, fields["Vary"]) == (*case, "Accept-Encoding")
            assert text(answer) == TEXT if method == "GET" else answer.body == b""


@every_server
@either_way
def test_a_file_comes_whole_and_is_closed_once(servers, name, coding):
    server, path = servers(name), unique("file")
    answer = ask(server.port, path, Accept_Encoding=accepted(coding))
    assert (answer.headers["Content-Encoding"], text(answer)) == (coding, TEXT)
    if name != "cheroot":  # which has no wrapper that would close it
        assert told(server, path, "close", "end") == {"close": None, "end": None}
    if (name, coding) == ("waitress", None):  # which adds the length only to a file that it sends by itself
        assert answer.headers["Content-Length"] == str(len(TEXT))


# -- curl --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def curl():
    """Run curl; return what it wrote to stdout and stderr."""
    program = needs("curl")

    def run(*arguments: str) -> tuple[bytes, str]:
        command = [program, "--silent", "--max-time", str(PATIENCE), *arguments]
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)
        return ended.stdout, ended.stderr.decode()

    return run


@every_server
@pytest.mark.parametrize("route", ["sized", "stream", "write", "file", "document"])
def test_curl_decodes_what_it_asks_for(curl, servers, name, route):
    url = servers(name).url(unique(route))
    text, travelled = curl("--compressed", "-w", "%{stderr}%{size_download}", url)
    assert text == TEXT
    assert int(travelled) < len(TEXT) / 2
    for coding in CODINGS:
        assert decoded(coding, curl("-H", f"Accept-Encoding: {coding}", url)[0]) == TEXT
    assert curl(url)[0] == TEXT


@pytest.mark.parametrize("name", ["waitress", "gunicorn", "cheroot"])
def test_curl_keeps_its_connection_for_sized_bodies(curl, servers, name):
    urls = [servers(name).url(unique("sized")) for _ in range(4)]
    text, connects = curl("--compressed", "-w", "%{stderr}%{num_connects} ", *urls)
    assert (text, connects) == (TEXT * 4, "1 0 0 0 ")


@every_server
def test_curl_resumes_a_download_of_identity_and_of_no_coding(curl, servers, name, tmp_path):
    server, path, part = servers(name), unique("document"), tmp_path / "part"
    part.write_bytes(TEXT[:10_000])
    report, _ = curl("-C", "-", "-o", str(part), "-w", "%{http_code} %{size_download}", server.url(path))
    assert (part.read_bytes(), report) == (TEXT, f"206 {len(TEXT) - 10_000}".encode())
    for coding in (*CODINGS, None):
        tag = ask(server.port, path, Accept_Encoding=accepted(coding)).headers["ETag"]
        resumed = "-H", f"If-Range: {tag}", "-r", "10-19", "-w", "%{stderr}%{http_code}", server.url(path)
        expected = (TEXT, "200") if coding else (TEXT[10:20], "206")
        assert curl(*resumed) == curl("--compressed", *resumed) == expected


# -- requests and httpx ------------------------------------------------------------------------------------------------

LIBRARIES = {"requests": requests.Session, "httpx": httpx.Client}
CONTENT = {"requests": "data", "httpx": "content"}  # how each names the body of a request
every_library = pytest.mark.parametrize("library", LIBRARIES)


@pytest.fixture
def session(library):
    with LIBRARIES[library]() as session:
        yield session


def able(library: str, coding: str | None) -> None:
    """Skip what a library cannot do for want of a package of its own; but not in CI."""
    if library == "requests" and coding == "zstd" and "zstd" not in requests.utils.DEFAULT_ACCEPT_ENCODING:
        lacks("urllib3 has no zstd: pip install 'urllib3[zstd]'")


@every_server
@every_library
@every_coding
def test_a_library_decodes(servers, session, library, name, coding):
    able(library, coding)
    for route in ("sized", "stream"):
        answer = session.get(servers(name).url(unique(route)), headers={"Accept-Encoding": coding})
        assert (answer.headers["Content-Encoding"], answer.content) == (coding, TEXT)


@every_library
def test_a_library_gets_the_best_of_what_it_asks_for_by_itself(servers, session, library):
    answer = session.get(servers("waitress").url(unique("sized")))
    best = next(coding for coding in ("zstd", "br", "gzip") if coding in session.headers["Accept-Encoding"])
    assert (answer.headers["Content-Encoding"], answer.content) == (best, TEXT)


@every_server
@every_library
@either_way
def test_a_tag_revalidates_and_guards_a_put(servers, session, library, name, coding):
    """Of identity and of every coding; and of the version that it was given to, not of the next."""
    able(library, coding)
    url = servers(name).url(unique("document"))
    accept = {"Accept-Encoding": accepted(coding)}
    tag = session.get(url, headers=accept).headers["ETag"]
    assert tag.endswith(f'-{coding}"' if coding else '"')
    assert ("-" in tag) == bool(coding)
    for _ in range(2):
        again = session.get(url, headers={**accept, "If-None-Match": tag})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
        assert again.headers["Vary"] == "Accept-Encoding"
    guarded = {**accept, "If-Match": tag}
    changed, lost = ({CONTENT[library]: content} for content in (TEXT.upper(), b"lost update"))
    assert session.put(url, headers=guarded, **changed).status_code == 204
    assert session.put(url, headers=guarded, **lost).status_code == 412
    new = session.get(url, headers={**accept, "If-None-Match": tag})
    assert (new.status_code, new.content, new.headers["ETag"] == tag) == (200, TEXT.upper(), False)


# -- in time -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["waitress", "gunicorn", "cheroot"])
@pytest.mark.parametrize(
    ("route", "coding"), [*(("slow", coding) for coding in (*CODINGS, None)), ("events", "zstd"), ("events", None)]
)
def test_each_chunk_is_decoded_before_the_next_is_made(servers, name, route, coding):
    """The application makes it only when the client has asked for it; otherwise it gives up, and cuts."""
    server, path = servers(name), unique(route)
    sent = coding if route == "slow" else None  # text/event-stream is left as it is
    with httpx.stream("GET", server.url(path), headers={"Accept-Encoding": accepted(coding)}) as answer:
        assert answer.headers.get("Content-Encoding") == sent
        decoder, raw, text = Decoder(sent), answer.iter_raw(), b""
        for number in range(len(STEPS)):
            while len(text) < len(b"".join(STEPS[: number + 1])):
                text += decoder.feed(next(raw))
            assert text == b"".join(STEPS[: number + 1])
            ask(server.port, unique(f"go{path.removeprefix('/' + route)}"))
        assert b"".join(map(decoder.feed, raw)) == b""
    assert decoder.complete
    assert told(server, path, "close", "end") == {"close": None, "end": None}


# -- cut off -----------------------------------------------------------------------------------------------------------


@every_server
@every_coding
def test_a_client_that_goes_away_closes_the_body_of_the_application_once(servers, name, coding):
    server, path = servers(name), unique("long")
    with Wire(server.port, f"GET {path} HTTP/1.1\nHost: a\nAccept-Encoding: {coding}\n\n") as wire:
        received = wire.until(b"\r\n\r\n")
        assert f"\r\nContent-Encoding: {coding}\r\n".encode() in received
        wire.vanish()
    assert told(server, path, "close", "end") == {"close": None, "end": "GeneratorExit"}


@every_server
@every_coding
def test_an_error_in_the_body_is_seen_as_truncation(servers, name, coding):
    """By the connection where there are chunks, and by the decoder everywhere."""
    server, path = servers(name), unique("broken")
    head = f"GET {path} HTTP/1.{int(name != 'wsgiref')}\nHost: a\nAccept-Encoding: {coding}\n\n"
    with Wire(server.port, head) as wire:
        fields, _, body = wire.all().partition(b"\r\n\r\n")  # to its end: the server closes
    assert f"\r\nContent-Encoding: {coding}".encode() in fields
    decoder = Decoder(coding)
    chunked = b"chunked" in fields
    assert chunked == (name != "wsgiref")
    text = decoder.feed(b"".join(chunks(body)) if chunked else body)
    assert text == b"".join(PIECES[:3])
    assert not decoder.complete
    assert told(server, path, "close", "end") == {"close": None, "end": "RuntimeError"}


def chunks(body: bytes):
    """The chunks of what was sent (RFC 9112 7.1), of which the last is missing."""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        assert length
        yield rest[:length]
        assert rest[length : length + 2] == b"\r\n"
        body = rest[length + 2 :]


@pytest.mark.parametrize("name", ["waitress", "gunicorn", "cheroot"])
@every_library
@every_coding
def test_a_library_does_not_take_a_truncated_body_for_a_whole(servers, session, library, name, coding):
    able(library, coding)
    with pytest.raises((httpx.RemoteProtocolError, requests.exceptions.ChunkedEncodingError)):
        session.get(servers(name).url(unique("broken")), headers={"Accept-Encoding": coding})


@every_server
@either_way
def test_an_error_before_the_head_is_a_500_that_says_so(servers, name, coding):
    answer = ask(servers(name).port, unique("error"), Accept_Encoding=accepted(coding))
    assert (answer.status, text(answer)) == (500, b"Internal Server Error\n")

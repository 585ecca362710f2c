"""What other compressing middleware does, case by case: held where they agree, and where we chose to do the same.

And their conditional requests, by an application that answers those itself, with tags as an encoded response has them.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from werkzeug.http import parse_date, parse_etags

from content_of import decode
from gateway import serve
from middleware import Compress, ConfigError, Gzip
from middleware.http.entity_tags import suffixed, without_suffixes
from shapes import Body

FOLDER = Path(__file__).parent / "conformance"
CASES = json.loads((FOLDER / "compression.json").read_text(encoding="utf-8"))["cases"]
CONDITIONAL = json.loads((FOLDER / "conditional.json").read_text(encoding="utf-8"))["cases"]

NO_DEFLATE = "deflate is not offered: half of the clients mean another format by it (RFC 9110 8.4.1.2)"
NO_PARAMETERS = "a type is listed without parameters, which are not looked at"
# Where we do something else: what we send instead, or ConfigError, and why.
CHOICES = {
    "compression/skip-HEAD": ({"content-encoding": "gzip"}, "a HEAD has the fields of GET (RFC 9110 9.3.2)"),
    "compress/min-size-127-of-128": (
        {"content-encoding": "gzip"},
        "how long a stream is comes out when its head is gone",
    ),
    "compress/suffix-ETag": ({"etag": 'W/"1234"'}, "a weak tag may be shared by all codings (RFC 9110 8.8.3.3)"),
    "compress/drop-ETag-compressed": ({"etag": 'W/"1234"'}, "tags are changed, never dropped"),
    "compress/Accept-Ranges-kept-option": ({"accept-ranges": None}, "what is encoded for one response has no ranges"),
    "compress/type-parameter-mismatch": (ConfigError, NO_PARAMETERS),
    "compress/type-parameter-match": (ConfigError, NO_PARAMETERS),
    "compress/type-whitespace": (ConfigError, NO_PARAMETERS),
    "compress/parse-'gzip;q=0.5;level=6'": (
        {"content-encoding": None},
        "a coding has no parameters but a weight: this is malformed (RFC 9110 12.5.3)",
    ),
    "flask-compress/choose:-default-q-is-1": ({"content-encoding": "br"}, NO_DEFLATE),
    "flask-compress/roundtrip-deflate": ({"content-encoding": None, "content-length": None}, NO_DEFLATE),
    "flask-compress/stream-roundtrip-deflate": ({"content-encoding": None}, NO_DEFLATE),
}
LONGER = 100  # so often a short body is repeated: one that would not get smaller is not encoded


def layer(case):
    """The options of a case in our words."""
    config = case["config"]
    options = {name: config[name] for name in ("minimum_size", "content_types") if name in config}
    if config.get("etag") == "suffix":
        options["etag"] = "suffix"
    if case["expect"].get("status") == 406:
        options["not_acceptable"] = "406"
    if "gzip_level" in config:
        options["level"] = config["gzip_level"]
    if "algorithms" in config:
        made = Compress(codings=[coding for coding in config["algorithms"] if coding != "deflate"], **options)
    else:
        made = Gzip(**options)
    return made.when(lambda environ: False) if config.get("predicate") == "false" else made


def text(given):
    repeated = re.fullmatch(r"(.+?)\*(\d+)", given or "", re.DOTALL)
    return (repeated[1] * int(repeated[2]) if repeated else given or "").encode()


def body(case):
    """A list, or what is iterated."""
    given = case["app_response"]["body"]
    if isinstance(given, dict):
        chunks = given["chunks"]
        listed = [chunks["each"]] * chunks["times"] if isinstance(chunks, dict) else chunks
        return Body(map(text, listed))
    whole = text(given)
    wanted = CHOICES.get(case["id"], [{}])[0] if case["id"] in CHOICES else case["expect"]["headers"]
    encoded = wanted is not ConfigError and wanted.get("content-encoding") is not None
    return [whole * LONGER if encoded and len(whole) < LONGER else whole]


def application(case, made):
    given = case["app_response"]
    chunks = made.chunks if isinstance(made, Body) else made
    lines = list(given["headers"].items())
    if given.get("content_length_set"):
        lines.append(("Content-Length", str(sum(map(len, chunks)))))
    sent = [] if given["status"] in (204, 304) and isinstance(made, list) else made

    def app(environ, start_response):
        start_response(f"{given['status']} Status", lines)
        return sent

    return app


def keys(headers):
    return {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}


def response(case):
    made = body(case)
    request = case["request"]
    given = case["app_response"]["body"]
    stop = given.get("client_aborts_after") if isinstance(given, dict) else None
    app = layer(case).wrap(application(case, made))
    answer = serve(app, method=request["method"], stop_after=stop, lint=False, **keys(request["headers"]))
    return answer, made


def members(value):
    return {part.strip().lower() for part in (value or "").split(",")} - {""}


FORMS = {
    "members": lambda sent, wanted, answer: members(sent) >= members(",".join(wanted)),
    "no_duplicates": lambda sent, wanted, answer: len(members(sent)) == len(sent.split(",")),
    "has_star": lambda sent, wanted, answer: ("*" in members(sent)) is wanted,
    "any_of": lambda sent, wanted, answer: sent in wanted,
    "not": lambda sent, wanted, answer: sent != wanted,
    "absent_or_encoded_length": lambda sent, wanted, answer: sent in (None, str(len(answer.body))),
}


def holds(name, expected, answer):
    lines = answer.get_all(name)
    sent = lines[0] if lines else None
    assert len(lines) <= 1
    if isinstance(expected, dict):
        return all(FORMS[form](sent, wanted, answer) for form, wanted in expected.items())
    if expected in ("any", "any_supported"):
        return expected == "any" or sent is not None
    return sent == expected


def whole(case, answer, made):
    """Whether what came out is what went in; where the application said that it is encoded, byte for byte."""
    coding = None if "Content-Encoding" in case["app_response"]["headers"] else answer.get("Content-Encoding")
    found, over = decode(answer.body, coding)
    chunks = made.chunks if isinstance(made, Body) else made
    given = b"".join(chunks)
    if isinstance(made, Body) and made.pulled < len(chunks):
        return given.startswith(found)
    return not answer.body or (found, over) == (given, True)


def flushed(answer):
    """Whether each chunk could be decoded when it came."""
    so_far = [decode(b"".join(answer.chunks[: at + 1]), answer.get("Content-Encoding"))[0] for at in range(2)]
    return 0 < len(so_far[0]) < len(so_far[1])


FIRST = "flask-compress/revalidate-with-the-compressed-ETag"
named = pytest.mark.parametrize
HELD = [case for case in CASES if case["app_response"] and case["id"] not in (FIRST, *CHOICES)]


@named("case", HELD, ids=lambda case: case["id"])
def test_the_response_is_as_in_the_case(case):
    answer, made = response(case)
    expect = case["expect"]
    assert answer.error is None
    wrong = [name for name, wanted in expect["headers"].items() if not holds(name, wanted, answer)]
    assert (answer.status[:3], wrong) == (str(expect["status"]), []), answer.headers
    if expect["status"] != 406 and case["request"]["method"] != "HEAD":
        assert whole(case, answer, made)
    if "gzip_mtime" in expect:
        assert answer.body[4:8] == bytes(4)
    if "same_bytes_on_repeat" in expect:
        assert response(case)[0].body == answer.body
    if "each_chunk_decodable_when_received" in expect:
        assert flushed(answer)
    if isinstance(made, Body):
        assert made.closed == 1


@named("case", [case for case in CASES if case["id"] in CHOICES], ids=lambda case: case["id"])
def test_where_we_chose_otherwise_we_do_what_is_documented(case):
    chosen, _ = CHOICES[case["id"]]
    if chosen is ConfigError:
        with pytest.raises(ConfigError):
            layer(case)
        return
    answer, made = response(case)
    assert {name: answer.get(name) for name in chosen} == chosen
    assert not all(holds(name, wanted, answer) for name, wanted in case["expect"]["headers"].items())
    assert whole(case, answer, made)


@named("case", [case for case in CASES if not case["app_response"]], ids=lambda case: case["id"])
def test_a_configuration_that_cannot_be_right_is_refused(case):
    with pytest.raises(ConfigError):
        layer(case)


def test_every_case_is_held_or_has_a_choice():
    ids = {case["id"] for case in CASES}
    assert (len(CASES), len(ids)) == (109, 109)
    assert CHOICES.keys() <= ids


# -- conditional requests --------------------------------------------------------------------------------------------


def conditional(given):
    """An application that evaluates preconditions (RFC 9110 13.2.2) with the tag of its own."""
    headers = given["headers"]
    tag, content = headers["ETag"], [text(given["body"]) * LONGER * 3]

    def failed(environ):
        listed = parse_etags(environ.get("HTTP_IF_NONE_MATCH"))
        if "HTTP_IF_MATCH" in environ and not matches(parse_etags(environ["HTTP_IF_MATCH"]), tag):
            return "412 Precondition Failed"
        if listed:
            reading = environ["REQUEST_METHOD"] in ("GET", "HEAD", "QUERY")
            hit = listed.star_tag or listed.contains_raw(tag) or listed.contains_weak(tag.strip('W/"'))
            return hit and ("304 Not Modified" if reading else "412 Precondition Failed")
        since, modified = environ.get("HTTP_IF_MODIFIED_SINCE"), headers.get("Last-Modified")
        return bool(since and modified) and parse_date(since) >= parse_date(modified) and "304 Not Modified"

    def app(environ, start_response):
        status = f"{given['status']} Status"
        over = failed(environ) if given["status"] == 200 else None
        start_response(over or status, [("ETag", tag)] if over else list(headers.items()))
        return [] if over else content

    return app, content


def matches(listed, tag):
    """Whether an If-Match holds, by strong comparison."""
    return listed.star_tag or (tag[0] == '"' and listed.is_strong(tag.strip('"')))


def as_encoded(value):
    """The tags of a field as an encoded response has them."""
    return re.sub(r'(?<!W/)"[^"]*"', lambda tag: suffixed(tag[0], "gzip"), value)


@named("accept", [None, "gzip", "br"])
@named("known", [str, as_encoded], ids=["as-it-is", "encoded"])
@named("case", CONDITIONAL, ids=lambda case: case["id"])
def test_a_condition_means_the_same_through_the_layer(case, known, accept):
    """By the tag of the content as it is, and by that of an encoded response."""
    app, content = conditional(case["app_response"])
    tag = case["app_response"]["headers"]["ETag"]
    sent = {name: known(value) if "match" in name else value for name, value in case["request"]["headers"].items()}
    if accept:
        sent["accept-encoding"] = accept
    answer = serve(Gzip(app), method=case["request"]["method"], lint=False, **keys(sent))
    status = case["expect"]["status"]
    assert (answer.status[:3], answer.get("Vary")) == (str(status), "Accept-Encoding" if status != 412 else None)
    assert without_suffixes(answer.get("ETag"), ["gzip"]) == tag
    if status == 304:
        assert answer.body == b""
        listed = sent["if-none-match"]
        assert answer.get("ETag") in listed or listed == "*" or "W/" in listed + tag
    elif status != 412:
        assert decode(answer.body, answer.get("Content-Encoding")) == (content[0], True)
        assert answer.get("ETag") == (suffixed(tag, "gzip") if accept == "gzip" else tag)


@named("options", [{}, {"etag": "weak"}, {"breach_padding": 7}])
@named("coding", ["gzip", "br", "zstd"])
@named("status", ["200", "304"])
def test_what_was_just_received_is_still_fresh(options, coding, status):
    [case] = [case for case in CASES if case["id"] == FIRST]
    app = Compress(conditional(case["app_response"])[0], **options)
    extra = {"HTTP_ACCEPT_ENCODING": coding}
    first = serve(app, **extra)
    assert first.get("Content-Encoding") == coding
    again = serve(app, HTTP_IF_NONE_MATCH=first.get("ETag") if status == "304" else '"other"', **extra)
    assert (again.status[:3], again.get("ETag")) == (status, first.get("ETag"))
    assert (again.get("Content-Encoding"), bool(again.body)) == ((None, False) if status == "304" else (coding, True))

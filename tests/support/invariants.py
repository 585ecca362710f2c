"""What has to hold of any answer, whatever a client sends.

Clients are fuzzed by test_fuzzed.py, and at length by `python -m benchmarks.fuzz`.
"""

from __future__ import annotations

import re

from content_of import decode
from fuzzed_sites import APPS, SEEN, SITES, TAG, TEXT, TOKEN, WRAPPED, Asked, Hearing, small
from gateway import Answer, serve

CLEAN = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
QVALUE = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")
LINTED = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE")  # those that wsgiref.validate knows
CORS_FIELDS = "access-control-"


def faults(asked: Asked) -> list[str]:
    """Ask, and say what does not hold."""
    site, keys = SITES[asked.site], asked.keys()
    lint = asked.method in LINTED and asked.path[:1] in ("", "/")
    with Hearing() as logged:
        answer = serve(WRAPPED[asked.site, asked.app], asked.path, asked.method, lint=lint, **keys)
    seen = answer.environ.get(SEEN, [])
    found = [*_of_the_exchange(site, asked, answer, seen, logged)]
    changed = [name for name, value in keys.items() if name.startswith("HTTP_") and answer.environ.get(name) != value]
    found += [f"the environ has another {name}" for name in changed]
    for law in (_of_lines, _of_cors, _of_vary, _of_the_body, _of_the_tag):
        found += law(site, asked, answer, seen)
    return found


# -- the laws ----------------------------------------------------------------------------------------------------------


def _of_the_exchange(site, asked, answer, seen, logged):
    """Nobody fails; who answers is the application, or CORS, or Compress, each where it may."""
    echoed = answer.environ.get("HTTP_X_ECHO", "") if site.echoes else ""
    if not CLEAN.fullmatch(echoed):
        if answer.error or "X-Echo" in dict(answer.headers):
            yield f"an X-Echo of {echoed!r} went out, or {answer.error!r} to the server"
        return
    if answer.error or answer.faults or answer.heads != 1 or logged or "middleware.exception" in answer.environ:
        yield f"{answer.error!r}, {answer.faults}, {answer.heads} heads, logged {logged}"
    if seen:
        if answer.status != seen[0][0]:
            yield f"status {answer.status} in place of {seen[0][0]}"
        if seen[0][1] != seen[0][2]:
            yield "the application's list was changed"
        own = [line for line in seen[0][2] if line[0] == "Set-Cookie"]
        if [line for line in answer.headers if line[0] == "Set-Cookie"][: len(own)] != own:
            yield "the cookies of the application are others"
        return
    preflight = asked.method == "OPTIONS" and {"HTTP_ORIGIN", "HTTP_ACCESS_CONTROL_REQUEST_METHOD"} <= {*asked.keys()}
    refused = site.strict and not any(_weights(answer.environ.get("HTTP_ACCEPT_ENCODING", "")).values())
    if not (preflight and answer.status[:3] in ("204", "403")) and not (refused and answer.status[:3] == "406"):
        yield f"the application was not asked, and {answer.status} answered"


def _of_lines(site, asked, answer, seen):
    """No line can be split, or be taken for another."""
    for name, value in answer.headers:
        if not TOKEN.fullmatch(name) or not CLEAN.fullmatch(value):
            yield f"a line of {name!r}: {value!r}"
    for name in ("Content-Encoding", "Content-Length", "ETag", "Vary", "Access-Control-Allow-Origin"):
        if len(answer.get_all(name)) > 1:
            yield f"{name} twice"


def _of_cors(site, asked, answer, seen):
    """Only a listed origin is granted, and as it came; what is echoed are tokens."""
    granted, sent = answer.get("Access-Control-Allow-Origin"), answer.environ.get("HTTP_ORIGIN")
    every = site.listed.pattern == "(?s:.*)"
    if every and granted != "*" and answer.status[:3] != "403":
        yield f"granted {granted!r} where all are"
    if not every and granted is not None and (granted != sent or not site.listed.fullmatch(granted)):
        yield f"granted {granted!r} to {sent!r}"
    if granted is None and [name for name, _ in answer.headers if name.lower().startswith(CORS_FIELDS)]:
        yield "CORS fields without an origin"
    if granted == "*" and answer.get("Access-Control-Allow-Credentials"):
        yield "credentials for everybody"
    for name in ("Access-Control-Allow-Methods", "Access-Control-Allow-Headers"):
        if (
            any(not TOKEN.fullmatch(each.strip(" \t")) for each in answer.get(name).split(","))
            if answer.get(name)
            else 0
        ):
            yield f"{name}: {answer.get(name)!r}"


def _of_vary(site, asked, answer, seen):
    """Each name once, and those that decided."""
    names = [name.strip().lower() for name in (answer.get("Vary") or "").split(",") if name.strip()]
    if len({*names}) != len(names):
        yield f"Vary: {answer.get('Vary')}"
    if answer.get("Content-Encoding") and "accept-encoding" not in names:
        yield "encoded, and does not vary by Accept-Encoding"
    if site.listed.pattern != "(?s:.*)" and "origin" not in names:
        yield "does not vary by Origin"


def _weights(accept: str) -> dict[str, float]:
    """What a client takes of the codings, and of identity (RFC 9110 12.5.3)."""
    named: dict[str, float] = {}
    for member in accept.lower().split(","):
        name, *parameters = (part.strip(" \t") for part in member.split(";"))
        key, _, weight = parameters[0].partition("=") if parameters else ("q", "=", "1")
        if len(parameters) < 2 and key == "q" and QVALUE.fullmatch(weight):
            name = {"x-gzip": "gzip"}.get(name, name)
            named[name] = min(float(weight), named.get(name, 1.0))
    rest = named.get("*")
    weights = {coding: named.get(coding, rest or 0.0) for coding in ("zstd", "br", "gzip")}
    return {**weights, "identity": named.get("identity", 1.0 if rest is None else rest)}


def _of_the_body(site, asked, answer, seen):
    """It is the application's, whole, in a coding that the client takes, and as long as is said."""
    coding, length = answer.get("Content-Encoding"), answer.get("Content-Length")
    code = answer.status[:3]
    if coding and not _weights(answer.environ.get("HTTP_ACCEPT_ENCODING", ""))[coding]:
        yield f"{coding}, which the client does not take"
    if asked.method == "HEAD" or code in ("204", "304"):
        if answer.body:
            yield f"{len(answer.body)} bytes where there is no content"
        return
    if length is not None and length != str(len(answer.body)):
        yield f"{len(answer.body)} bytes in place of {length}"
    content, whole = decode(answer.body, coding)
    if not whole:
        yield "the coding does not end"
    if code in ("200", "206") and content != _owed(APPS[asked.app], answer):
        yield f"{len(content)} bytes of other content"


def _owed(app, answer: Answer) -> bytes:
    if answer.status.startswith("206"):
        first, last = map(int, re.findall("[0-9]+", answer.get("Content-Range"))[:2])
        return TEXT[first : last + 1]
    return TEXT[:20] if app is small else TEXT


def _of_the_tag(site, asked, answer, seen):
    """A strong tag stands for one sequence of bytes."""
    tag, coding = answer.get("ETag"), answer.get("Content-Encoding")
    if tag is None:
        return
    suffixes = site.stack["Compress"].etag == "suffix" and not site.padded
    strong = {TAG} if not coding else {TAG[:-1] + f'-{coding}"'} if suffixes else set()
    if answer.status[:3] == "304":
        strong = {TAG, *(TAG[:-1] + f'-{each}"' for each in ("zstd", "br", "gzip") if suffixes)}
    if not tag.startswith("W/") and tag not in strong:
        yield f"ETag: {tag} of {coding}"

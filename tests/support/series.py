"""Requests of every kind on one connection to the application of whole.py, and what has to come back."""

from __future__ import annotations

import uuid

from decoding import decoded
from encoded import TEXT
from whole import KEPT, ORIGIN, POLICY

ERROR, PATH = b"Internal Server Error\n", None
# method, route, Accept-Encoding, status, Content-Encoding, content, what a server must not lack
SERIES = [
    ("GET", "sized", "br", 200, "br", TEXT, ()),
    ("HEAD", "sized", "br", 200, "br", b"", ()),
    ("GET", "sized", "identity", 200, None, TEXT, ()),
    ("HEAD", "sized", "identity", 200, None, b"", ()),
    ("GET", "unmodified", "gzip", 304, None, b"", ()),
    ("GET", "stream", "gzip", 200, "gzip", TEXT, ()),
    ("GET", "stream", "identity", 200, None, TEXT, ()),
    ("HEAD", "stream", "gzip", 200, "gzip", b"", ()),
    ("GET", "nothing", "gzip", 204, None, b"", ()),
    ("GET", "missing", "gzip", 404, None, PATH, ()),
    ("GET", "error", "gzip", 500, None, ERROR, ()),
    ("HEAD", "error", "gzip", 500, None, b"", ()),
    ("GET", "write", "zstd", 200, "zstd", TEXT, ("no write()",)),
    ("GET", "write", "identity", 200, None, TEXT, ("no write()",)),
    ("GET", "file", "br", 200, "br", TEXT, ()),
    ("GET", "file", "identity", 200, None, TEXT, ()),
    ("GET", "kept", "br", 200, None, KEPT.read_bytes(), ()),
    ("HEAD", "kept", "br", 200, None, b"", ()),
    ("GET", "document", "br", 200, "br", TEXT, ()),
    ("GET", "redirect", "br", 302, None, PATH, ()),
    ("POST", "upload", "br", 200, None, b"what was sent", ()),
    ("GET", "sized", "zstd", 200, "zstd", TEXT, ()),
]


def policy(answer) -> dict[str, str | None]:
    """The fields of the policy, as many as came."""
    return {name: ", ".join(answer.headers.get_all(name, ["missing"])) for name in POLICY}


def converse(ask, lacks=frozenset()) -> None:
    """Ask it all, but for what the server lacks."""
    for method, route, accept, status, coding, content, needs in SERIES:
        if not lacks.isdisjoint(needs):
            continue
        path, body = f"/{route}/{uuid.uuid4().hex}", b"what was sent" if method == "POST" else None
        answer = ask(path, method, body, Accept_Encoding=accept, Origin=ORIGIN)
        case = method, route, accept
        assert (*case, answer.status, answer.headers["Content-Encoding"]) == (*case, status, coding)
        assert (*case, policy(answer)) == (*case, POLICY)
        assert (*case, answer.headers["Server-Timing"][:10]) == (*case, "total;dur=")
        assert (*case, "Origin" in answer.headers["Vary"]) == (*case, True)
        expected = path.encode() if content is PATH else content
        assert (*case, decoded(coding, answer.body) if answer.body else b"") == (*case, expected)

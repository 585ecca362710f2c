"""The general path: requests and responses that are not ordinary, with the four layers on.

Each is measured over its own application with the same request, and compared with what the four jobs add by hand to an
ordinary request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from benchmarks.case import CONTENT, PAGE, STATUS, Case, page
from benchmarks.limit import FOUR
from benchmarks.ours import four

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.case import Application

TAG: Final = '"v1"'
DATE: Final = "Fri, 02 Jan 2026 03:04:05 GMT"
VALIDATED: Final = (("ETag", TAG), ("Last-Modified", DATE))
VALIDATORS: Final = tuple(name for name, _ in VALIDATED)


def validated(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """The page with validators. Answers 304 to those that it knows, as an application does (RFC 9110 13.2.2)."""
    tags = environ.get("HTTP_IF_NONE_MATCH")
    if tags == TAG if tags is not None else environ.get("HTTP_IF_MODIFIED_SINCE") == DATE:
        start_response("304 Not Modified", [*VALIDATED])
        return []
    start_response(
        STATUS, [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(PAGE))), *VALIDATED]
    )
    return [PAGE]


def partial(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """The first bytes of the page."""
    lines = [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", "100")]
    start_response("206 Partial Content", [*lines, ("Content-Range", f"bytes 0-99/{len(PAGE)}")])
    return [PAGE[:100]]


def _four(
    key: str,
    label: str,
    asks: dict[str, str],
    *,
    app: Application = validated,
    status: str = STATUS,
    body: bytes = PAGE,
    own: tuple[str, ...] = (*CONTENT, *VALIDATORS),
    alone: Mapping[str, Any] | None = None,
    sends: tuple[str, ...] = FOUR,
) -> tuple[Case, Case]:
    """The application alone, and the four layers around it; `alone` is what differs beside `sends`."""
    shown: dict[str, Any] = {"asks": asks, "app": app, "status": status, "body": body, "own": own}
    return (
        Case(f"bare/{key}", f"application alone, {label}", _as_it_is, **{**shown, **(alone or {})}),
        Case(f"ours/{key}", label, four, sends, over=f"bare/{key}", **shown),
    )


def _as_it_is(app: Application) -> Application:
    return app


_PREFLIGHT: Final = ("Access-Control-Allow-Methods", "Access-Control-Max-Age")
_304: Final[dict[str, Any]] = {"status": "304 Not Modified", "body": b"", "own": VALIDATORS}
_PART: Final[dict[str, Any]] = {
    "app": partial,
    "status": "206 Partial Content",
    "body": PAGE[:100],
    "own": (*CONTENT, "Content-Range"),
}
CASES: Final = (
    *_four("head", "HEAD", {"REQUEST_METHOD": "HEAD"}, app=page, own=CONTENT, body=b"", alone={"body": PAGE}),
    *_four("options", "OPTIONS", {"REQUEST_METHOD": "OPTIONS"}, app=page, own=CONTENT),
    *_four(
        "preflight",
        "preflight",
        {"REQUEST_METHOD": "OPTIONS", "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "GET"},
        app=page,
        status="204 No Content",
        body=b"",
        own=(),
        sends=(*FOUR, *_PREFLIGHT),
        alone={"status": STATUS, "body": PAGE, "own": CONTENT},
    ),
    *_four("none-match-200", "If-None-Match, 200", {"HTTP_IF_NONE_MATCH": '"v0"'}),
    *_four("none-match-304", "If-None-Match, 304", {"HTTP_IF_NONE_MATCH": TAG}, **_304),
    # The application does not know the suffix, so alone it sends the page.
    *_four(
        "none-match-suffixed",
        "If-None-Match, suffixed, 304",
        {"HTTP_IF_NONE_MATCH": '"v1-gzip"'},
        **_304,
        alone={"status": STATUS, "body": PAGE, "own": (*CONTENT, *VALIDATORS)},
    ),
    *_four("modified-since-200", "If-Modified-Since, 200", {"HTTP_IF_MODIFIED_SINCE": f"{DATE[:-12]}03:04:04 GMT"}),
    *_four("modified-since-304", "If-Modified-Since, 304", {"HTTP_IF_MODIFIED_SINCE": DATE}, **_304),
    *_four("match", "If-Match, 200", {"HTTP_IF_MATCH": TAG}),
    *_four("range", "Range, 206", {"HTTP_RANGE": "bytes=0-99"}, **_PART),
)

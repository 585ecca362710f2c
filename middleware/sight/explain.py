"""explain: sends one request through a stack, without a server, and reports what each layer did and why."""

import io
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Final
from urllib.parse import unquote_to_bytes, urlsplit
from wsgiref.util import setup_testing_defaults

from middleware.http.fields import UNPREFIXED, environ_key
from middleware.sight.explanation import Explanation
from middleware.sight.nested import substituted, unwrapped
from middleware.sight.story import Recording, Story
from middleware.stack.builder import Stack
from middleware.stack.rules import RULES
from middleware.wsgi.answer import NOTES
from middleware.wsgi.errors import EXCEPTION
from middleware.wsgi.types import Application, Environ

_CHUNKS: Final = 1000  # the largest number of chunks read from a body, which may be endless


class _Explaining(Recording):
    """The outermost layer of an explained stack."""

    def on_request(self, environ: Environ) -> None:
        self.begin(environ)


class _ExplainingInner(Recording):
    """The outermost layer of a stack inside the application of an explained stack."""

    def on_request(self, environ: Environ) -> None:
        self.begin(environ, inner=True)


def explain(stack: Stack, app: Application, request: Environ | str, fields: Mapping[str, str]) -> Explanation:
    """Implements Stack.explain: sends a request through `app` inside `stack`."""
    return explained(stack, app, environ_of(request, fields))


def explained(stack: Stack, app: Application, environ: Environ) -> Explanation:
    """Send the request with a complete environ through `app` inside `stack`."""
    sent = environ.copy()
    recording = _Explaining()
    run = watched(recording, stack, app)
    status, headers, raised = _answer(run, environ)
    story: Story = environ[recording.key]
    return explanation(sent, story, status, headers, raised or environ.get(EXCEPTION))


def watched(recording: Recording, stack: Stack, app: Application) -> Application:
    """Return `app` inside `stack` inside a Recording. The layers of stacks in and around `app` are recorded too."""
    stacks, app = unwrapped(app)
    inner = substituted(app, lambda stacks, app: _recorded(_ExplainingInner(), stacks, app))
    return _recorded(recording, (stack, *stacks), inner)


def _recorded(recording: Recording, stacks: Iterable[Stack], app: Application) -> Application:
    return Stack(recording, *stacks).wrap(app, on_error="respond", waive=[rule.id for rule in RULES])


def explanation(
    environ: Environ, story: Story, status: str, headers: Iterable[tuple[str, str]], error: BaseException | None
) -> Explanation:
    """The explanation of a request that was received with `environ`."""
    query = environ.get("QUERY_STRING", "")
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    return Explanation(
        environ.get("REQUEST_METHOD", ""),
        f"{path}?{query}" if query else path,
        tuple(fields_of(environ)),
        tuple(story.steps()),
        story.application,
        status,
        tuple(headers),
        None if error is None else f"{type(error).__name__}: {error}".removesuffix(": "),
    )


def so_far(environ: Environ) -> Explanation:
    """The explanation of the request in progress with `environ`; without steps if no Recording observes it."""
    noted = environ.get(NOTES)
    story = noted if isinstance(noted, Story) else Story((), None)
    left = next((visit.left for visit in story.visits), None)
    return explanation(environ, story, *(left or ("", ())), environ.get(EXCEPTION))


def fields_of(environ: Environ) -> list[tuple[str, str]]:
    """The request headers of an environ, under their usual names."""
    named = ((key.removeprefix("HTTP_"), value) for key, value in environ.items() if key.startswith("HTTP_"))
    content = ((key, environ[key]) for key in UNPREFIXED if environ.get(key))
    return [(key.replace("_", "-").title(), str(value)) for key, value in (*named, *content)]


def environ_of(request: Environ | str, fields: Mapping[str, str]) -> Environ:
    """A new environ: a copy of the given one, or that of a GET for a path or URL; with these request headers."""
    if isinstance(request, Mapping):
        environ = dict(request)
    elif not isinstance(request, str):
        raise TypeError(f"Stack.explain: a request is an environ, or a path such as '/a?b=c'; got {request!r}")
    else:
        environ = _environ_at(request)
    for name, value in fields.items():
        if not isinstance(value, str):
            raise TypeError(f"Stack.explain: {name}: the value of a request header is a str; got {value!r}")
        environ[environ_key(name)] = value
    setup_testing_defaults(environ)
    environ.setdefault("REMOTE_ADDR", "127.0.0.1")
    environ.setdefault("QUERY_STRING", "")
    return environ


def _environ_at(target: str) -> Environ:
    """The environ of a GET for a path or URL. It has the bytes of the target in UTF-8, as latin-1 (PEP 3333)."""
    text = target.encode("utf-8", "surrogateescape").decode("latin-1")
    origin, (path, _, query) = {}, text.partition("#")[0].partition("?")
    if not text.startswith("/"):
        try:
            url = urlsplit(text)
        except ValueError:  # brackets that hold no IPv6 address
            url = urlsplit("")
        host = url.netloc.rpartition("@")[2]  # a Host has no userinfo (RFC 9112 3.2)
        if url.scheme not in ("http", "https") or not host:
            rule = "a path begins with '/', a URL with http:// or https://"
            raise ValueError(f"Stack.explain: {rule}; got {target!r}")
        origin, path, query = {"wsgi.url_scheme": url.scheme, "HTTP_HOST": host}, url.path or "/", url.query
    decoded = unquote_to_bytes(path.encode("latin-1")).decode("latin-1")
    return {**origin, "SCRIPT_NAME": "", "PATH_INFO": decoded, "QUERY_STRING": query, "wsgi.input": io.BytesIO()}


def _answer(app: Application, environ: Environ) -> tuple[str, list[tuple[str, str]], Exception | None]:
    """Act as the server for one request. Returns the head, and the exception that reaches the server, or None."""
    heads: list[tuple[str, list[tuple[str, str]]]] = [("", [])]

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:  # noqa: ARG001 - PEP 3333
        heads.append((status, headers))
        return lambda data: None  # noqa: ARG005 - write()

    body, raised = None, None
    try:
        body = app(environ, start_response)
        for _ in islice(body, _CHUNKS):
            pass
    except Exception as error:  # noqa: BLE001 - reported
        raised = error
    try:
        getattr(body, "close", list)()
    except Exception as error:  # noqa: BLE001 - reported
        raised = raised or error
    return *heads[-1], raised

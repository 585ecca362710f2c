"""The laws of a transparent middleware, each with its source. A new law is one row of LAWS."""

from typing import Final, NamedTuple


class Law(NamedTuple):
    """A law and its source."""

    sentence: str
    source: str


class Breach(NamedTuple):
    """A broken law.

    Attributes:
        law: str. The name of the law, as `skip` takes it.
        case: str. The shape of application that shows the breach.
        seen: str. The actual result.
        owed: str. The expected result.
    """

    law: str
    case: str
    seen: str
    owed: str


_START = 'PEP 3333 "The start_response() Callable"'
_ERRORS = 'PEP 3333 "Error Handling"'
_LENGTH = 'PEP 3333 "Handling the Content-Length Header"'
_BLOCKS = 'PEP 3333 "Middleware Handling of Block Boundaries"'
_DETAILS = 'PEP 3333 "Specification Details"'
_ENVIRON = 'PEP 3333 "environ Variables"'
_FILES = 'PEP 3333 "Optional Platform-Specific File Handling"'

LAWS: Final = {
    "called": Law("The application is called once for each request.", _DETAILS),
    "raises": Law("No exception is raised where the application raises none.", _DETAILS),
    "lint-outside": Law("wsgiref.validate accepts the response that the server gets.", _DETAILS),
    "lint-inside": Law("wsgiref.validate accepts the calls that the application gets.", _DETAILS),
    "head-once": Law("The head is passed on once, and again only with exc_info.", _START),
    "head-first": Law("The head is passed on before the first chunk, at the latest with the end.", _START),
    "status": Law("The status stays.", _START),
    "fields": Law("Every field line of the application stays, in its order, repeated ones too.", "RFC 9110 5.3"),
    "header-list": Law("The header list of the application is not mutated.", _START),
    "replaced-head": Law("A head that is replaced before any content is not sent; the new head is.", _ERRORS),
    "exc-info": Law("start_response raises an error that is passed to it after content was sent.", _ERRORS),
    "error": Law(
        "An error before any content reaches the server, or is answered if the middleware answers errors.", _ERRORS
    ),
    "late-error": Law(
        "An error after some content reaches the server, so that the client sees the truncation.", _ERRORS
    ),
    "close-error": Law("An error in close() reaches the server.", _ERRORS),
    "body": Law("The content stays, whole and in its order.", _DETAILS),
    "write": Law(
        "Content given to write() is sent in its order, before the content of the iterable.",
        'PEP 3333 "The write() Callable"',
    ),
    "no-content": Law("Responses to HEAD, and 1xx, 204 and 304, have no content.", "RFC 9110 6.4.1"),
    "length": Law(
        "There is at most one Content-Length, and it is the length of the content. 1xx and 204 have none.",
        "RFC 9110 8.6",
    ),
    "head-length": Law(
        "The Content-Length of a HEAD or a 304 is that of the 200 to GET, or is left out.", "RFC 9110 8.6"
    ),
    "sized": Law(
        "A list or tuple stays sized, or gets a Content-Length: servers keep the connection by it. len() is exact.",
        _LENGTH,
    ),
    "same-body": Law("An unchanged list or tuple is passed on as the same object.", _LENGTH),
    "file-wrapper": Law("An unchanged wsgi.file_wrapper is passed on as the same object.", _FILES),
    "blocks": Law(
        "One chunk in, one value out; none is pulled before it is requested, except one that the head waits for.",
        _BLOCKS,
    ),
    "ended": Law("An exhausted iterator is not resumed: it may block.", _BLOCKS),
    "close": Law("close() of the application's iterable is called, and once.", _DETAILS),
    "environ": Law("The application gets the server's own environ: what it writes there is seen outside.", _ENVIRON),
    "method": Law("The application sees the method that the client sent.", _ENVIRON),
    "request": Law(
        "The application sees the URL, and the type and length of the content, that the client sent.", _ENVIRON
    ),
    "input": Law(
        "The application can read the content of the request, in each way that files have.",
        'PEP 3333 "Input and Error Streams"',
    ),
    "state": Law("A request leaves no state behind for later or concurrent requests.", 'PEP 3333 "Thread Support"'),
    "cycles": Law("A request leaves no reference cycle behind.", 'gc, "Garbage Collector interface"'),
}

"""The laws that a transparent middleware keeps, each in a sentence with its source. A new one is a row here."""

from __future__ import annotations

from typing import Final, NamedTuple


class Law(NamedTuple):
    """A sentence, and who says so."""

    sentence: str
    source: str


class Breach(NamedTuple):
    """A law that was broken.

    Attributes:
        law: str. Its name, as `skip` takes it.
        case: str. The shape of application that shows it.
        seen: str. What happened.
        owed: str. What should have.
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
    "called": Law("The application is asked, once for each request.", _DETAILS),
    "raises": Law("Where the application does not fail, nothing fails.", _DETAILS),
    "lint-outside": Law("What the server gets is right in the eyes of wsgiref.validate.", _DETAILS),
    "lint-inside": Law("What the application gets is right in the eyes of wsgiref.validate.", _DETAILS),
    "head-once": Law("The head is passed on once, and again only with exc_info.", _START),
    "head-first": Law("The head is passed on before the first chunk, at the latest with the end.", _START),
    "status": Law("The status stays.", _START),
    "fields": Law("Every field line of the application stays, in its order, repeated ones too.", "RFC 9110 5.3"),
    "header-list": Law("The header list of the application is its own, and is not changed.", _START),
    "replaced-head": Law("A head that is replaced before any content is gone, and the new one goes out.", _ERRORS),
    "exc-info": Law("An error that is handed to start_response after content went out is raised by it.", _ERRORS),
    "error": Law("An error before any content reaches the server, or is answered if that is its office.", _ERRORS),
    "late-error": Law("An error after some content reaches the server, so that the client sees the end.", _ERRORS),
    "close-error": Law("An error in close() reaches the server.", _ERRORS),
    "body": Law("The content stays, whole and in its order.", _DETAILS),
    "write": Law(
        "What goes through write() goes out, in its order, before what the iterable has.",
        'PEP 3333 "The write() Callable"',
    ),
    "no-content": Law("A response without content gets none: to HEAD, 1xx, 204, 304.", "RFC 9110 6.4.1"),
    "length": Law("A Content-Length is that of the content, and there is one line of it.", "RFC 9110 8.6"),
    "head-length": Law("The Content-Length of a HEAD is that of GET, or is left out.", "RFC 9110 8.6"),
    "sized": Law("A list or tuple stays sized, or gets a Content-Length: servers keep the connection by it.", _LENGTH),
    "same-body": Law("A list or tuple that is not changed is handed on as the same object.", _LENGTH),
    "file-wrapper": Law("A file of the server that is not changed is handed on as the same object.", _FILES),
    "blocks": Law("One chunk in, one value out; none is pulled before it is asked for.", _BLOCKS),
    "ended": Law("An iterator that has ended is not asked again: it may wait for what never comes.", _BLOCKS),
    "close": Law("close() of the application's iterable is called, and once.", _DETAILS),
    "environ": Law("The application gets the server's own environ: what it writes there is seen outside.", _ENVIRON),
    "method": Law("The application sees the method that the client sent.", _ENVIRON),
    "input": Law(
        "The content of the request is there for the application to read.", 'PEP 3333 "Input and Error Streams"'
    ),
    "state": Law(
        "A request leaves nothing behind for the next, nor for one that runs beside it.", 'PEP 3333 "Thread Support"'
    ),
    "cycles": Law(
        "What belongs to a request is gone with it: no reference cycle.", 'gc, "Garbage Collector interface"'
    ),
}

"""A server of one text that evaluates every condition and range of HTTP and WebDAV, by the letter (RFC 9110 13, 14)."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime

TAG = re.compile(r'(?:W/)?"[^"]*"')


class Document:
    """Its text, its entity tag, when it was changed, and the token by which it is locked."""

    def __init__(self, text, tag='"x"', changed="Sun, 21 Oct 2007 23:21:47 GMT", lock="<urn:lock>"):
        self.text, self.tag, self.changed, self.lock = text, tag, changed, lock

    def __call__(self, environ, start_response):
        lines = [("ETag", self.tag), ("Last-Modified", self.changed)]
        code = self.decides(environ)
        if code == "304 Not Modified":
            start_response(code, lines)
            return []
        lines.append(("Content-Type", "text/plain"))
        if code is not None:
            start_response(code, lines)
            return [b""]
        first = self.ranged(environ)
        if first is None:
            start_response("200 OK", [*lines, ("Accept-Ranges", "bytes")])
            return [self.text]
        size = len(self.text)
        start_response("206 Partial Content", [*lines, ("Content-Range", f"bytes {first}-{size - 1}/{size}")])
        return [self.text[first:]]

    def decides(self, environ):
        """Evaluate the conditions in their order (RFC 9110 13.2.2), and that of WebDAV (RFC 4918 10.4)."""
        said = environ.get
        failed = self.fails_if(said("HTTP_IF"))
        if "HTTP_IF_MATCH" in environ:
            failed = failed or not self.strongly(said("HTTP_IF_MATCH"))
        elif "HTTP_IF_UNMODIFIED_SINCE" in environ:
            failed = failed or self.later(said("HTTP_IF_UNMODIFIED_SINCE"))
        if failed:
            return "412 Precondition Failed"
        if "HTTP_IF_NONE_MATCH" in environ:
            same = self.weakly(said("HTTP_IF_NONE_MATCH"))
        else:
            same = "HTTP_IF_MODIFIED_SINCE" in environ and not self.later(said("HTTP_IF_MODIFIED_SINCE"))
        return "304 Not Modified" if same else None

    def ranged(self, environ):
        """The first byte that is asked for, or None for all of them (RFC 9110 13.1.5, 14.2)."""
        found = re.fullmatch(r"bytes=(\d+)-", environ.get("HTTP_RANGE", ""))
        condition = environ.get("HTTP_IF_RANGE")
        if condition is not None and condition != self.changed and not self.strongly(condition):
            return None
        return int(found[1]) if found and environ["REQUEST_METHOD"] == "GET" else None

    def strongly(self, field):
        return field == "*" or (not self.tag.startswith("W/") and self.tag in TAG.findall(field))

    def weakly(self, field):
        listed = [tag.removeprefix("W/") for tag in TAG.findall(field)]
        return field == "*" or self.tag.removeprefix("W/") in listed

    def later(self, date):
        return parsedate_to_datetime(self.changed) > parsedate_to_datetime(date)

    def fails_if(self, field):
        return field is not None and field not in (f"([{self.tag}])", f"({self.lock})", f"({self.lock} [{self.tag}])")


class Careless(Document):
    """A server that does not tell weak tags from strong ones, as Werkzeug and WsgiDAV do not in some conditions."""

    def strongly(self, field):
        return self.weakly(field)

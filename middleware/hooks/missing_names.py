"""Names of Flask or WebOb that requests and responses of hooks lack, each with the name to use instead.

A name that means one thing in Flask and another in WebOb is left out on purpose, because a value of an unexpected type
fails later and elsewhere. Where only the type read differs, the name can be assigned.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn

_HEADER: Final = "use response.headers[{!r}]"
_OWN: Final = "use webob.Request(request.environ).{}, whose type is WebOb's"
_OWN_CALL: Final = "use webob.Request(request.environ).{}()"
_ROUTED: Final = "the application has routed the request by itself; use request.path, or a scope or route of Hooks"
_FORM: Final = "use request.form and request.files"

REQUEST: Final = {
    "accept_charsets": _OWN.format("accept_charset"),
    "accept_encodings": _OWN.format("accept_encoding"),
    "accept_languages": _OWN.format("accept_language"),
    "accept_mimetypes": _OWN.format("accept"),
    "application": "use Hooks(app) to wrap an application",
    "as_bytes": _OWN_CALL.format("as_bytes"),
    "as_text": _OWN_CALL.format("as_text"),
    "blueprint": _ROUTED,
    "blueprints": _ROUTED,
    "cache_control": _OWN.format("cache_control"),
    "close": "the request needs no closing",
    "content_encoding": "use request.headers.get('Content-Encoding')",
    "content_md5": "use request.headers.get('Content-MD5')",
    "decode": "forms and queries are read as UTF-8",
    "endpoint": _ROUTED,
    "form_data_parser_class": _FORM,
    "from_values": "use Request.blank(path)",
    "if_match": _OWN.format("if_match"),
    "if_none_match": _OWN.format("if_none_match"),
    "if_range": _OWN.format("if_range"),
    "input_stream": "use request.stream",
    "is_multiprocess": "use request.environ['wsgi.multiprocess']",
    "is_multithread": "use request.environ['wsgi.multithread']",
    "is_run_once": "use request.environ['wsgi.run_once']",
    "make_form_data_parser": _FORM,
    "on_json_loading_failed": "use request.get_json(silent=True)",
    "pragma": "use request.headers.get('Pragma')",
    "range": _OWN.format("range"),
    "routing_exception": _ROUTED,
    "server": "use request.environ['SERVER_NAME'] and request.environ['SERVER_PORT']",
    "shallow": "a request reads its body on first access only",
    "trusted_hosts": "use middleware.match.host in a scope, or abort(400)",
    "url_rule": _ROUTED,
    "want_form_data_parsed": "use request.form",
}
RESPONSE: Final = {
    "autocorrect_location_header": "Location is sent as it is",
    "automatically_set_content_length": "Content-Length is set with the data",
    "cache_expires": "set response.cache_control.max_age, and response.expires",
    "default_mimetype": "it is text/html; set response.mimetype",
    "default_status": "it is 200; set response.status_code",
    "force_type": "use make_response(value)",
    "from_app": "use make_response(application)",
    "from_file": "use make_response(webob.Response.from_file(file))",
    "get_app_iter": "use response.response",
    "get_wsgi_headers": "use response.headers.to_wsgi_list()",
    "get_wsgi_response": "use response.status, response.headers and response.response",
    "implicit_sequence_conversion": "a streamed body is read by get_data()",
    "json_module": "the standard json module is used",
    "max_cookie_size": "browsers accept about 4 KiB",
    "stream": "use response.response",
}
# Attributes of a response that can be assigned, as in Flask, but not read: Flask reads each as a type of its own.
FIELDS: Final = {
    "content_range": "Content-Range",
    "content_security_policy": "Content-Security-Policy",
    "content_security_policy_report_only": "Content-Security-Policy-Report-Only",
    "cross_origin_embedder_policy": "Cross-Origin-Embedder-Policy",
    "cross_origin_opener_policy": "Cross-Origin-Opener-Policy",
    "www_authenticate": "WWW-Authenticate",
}
_IN_HEADERS: Final = {name: _HEADER.format(header) for name, header in FIELDS.items()}


def missing(kind: str, name: str) -> str:
    """The message of the AttributeError for a missing name."""
    table = REQUEST if kind == "request" else {**RESPONSE, **_IN_HEADERS}
    own = "put values of your own on g" if kind == "request" else "put fields of your own in headers"
    return f"a {kind} has no {name!r}: {table.get(name, own)}"


class Missing:
    """An attribute that raises AttributeError when it is read or assigned."""

    def __init__(self, kind: str, name: str) -> None:
        self._message = missing(kind, name)

    def __get__(self, instance: object, owner: type) -> Missing:
        if instance is None:
            return self
        raise AttributeError(self._message)

    def __set__(self, instance: object, value: object) -> NoReturn:
        raise AttributeError(self._message)

    def __call__(self, *_: object, **__: object) -> NoReturn:
        """Raise the error for a method that is called on the class."""
        raise AttributeError(self._message)


class Assigned:
    """An attribute of a response that sets a header field and cannot be read. None removes the field.

    Accepts a str, an Enum, or an object of Werkzeug with `to_header()`.
    """

    def __init__(self, name: str) -> None:
        self._header = FIELDS[name]
        self._message = missing("response", name)

    def __get__(self, instance: Any, owner: type) -> Assigned:
        if instance is None:
            return self
        raise AttributeError(self._message)

    def __set__(self, instance: Any, value: Any) -> None:
        if value is None:
            instance.headers.remove(self._header)
            return
        text = value.to_header() if hasattr(value, "to_header") else getattr(value, "value", value)
        instance.headers[self._header] = text

"""Cookie syntax: Set-Cookie, with Flask's arguments (RFC 6265 4.1), and Cookie, as Werkzeug reads it.

Each cookie of a Cookie field ends at a semicolon. One without a value has an empty value. A part that cannot be a
cookie is skipped. Within quotes a backslash escapes a character, or a byte of UTF-8 written as three octal digits.
"""

import re
from calendar import timegm
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, timezone
from email.utils import format_datetime, formatdate
from time import time
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from webob.datetime_utils import parse_date

from middleware.http.fields import is_token

_PLAIN: Final = re.compile(r"[\w!#$%&'()*+\-./:<=>?@\[\]^`{|}~]*", re.ASCII)
_SAME_SITE: Final = ("Strict", "Lax", "None")
# RFC 6265 4.1.1: an attribute value has no control characters and no semicolon, which begins the next attribute.
_DATE: Final = re.compile(r"[\x20-\x3a\x3c-\x7e]*")
_PATH: Final = re.compile(r"[^\x00-\x1f;\x7f]*")  # other characters are percent-encoded
_DOMAIN: Final = re.compile(r"[\w\-.]+", re.ASCII)
_PORT: Final = re.compile(r"[0-9]*", re.ASCII)  # dropped, as in Flask: a cookie has no port
# A name and a value, quoted or not; or anything else up to the next semicolon. The lookahead keeps it linear: there is
# one way to read a run of blanks.
_MEMBER: Final = re.compile(
    r'[ \t]*([^ \t=";]+)(?:[ \t]*=[ \t]*(?![ \t])("(?:[^"\\]|\\.)*"|[^ \t";]*))?[ \t]*(?:;|\Z)|[^;]*(?:;|\Z)'
)
_ESCAPE: Final = re.compile(rb"\\([0-3][0-7]{2}|.)")
# Within quotes these are escaped: all but a quote and a backslash as octal digits, as http.cookies reads them.
_SPECIAL: Final = re.compile(r'(["\\])|[^ -~]|[,;]')


def set_cookie_value(
    key: str,
    value: str = "",
    *,
    max_age: timedelta | float | None = None,
    expires: str | date | timedelta | float | None = None,
    path: str | None = "/",
    domain: str | None = None,
    secure: bool = False,
    httponly: bool = False,
    samesite: str | None = None,
    partitioned: bool = False,
) -> str:
    """The value of a Set-Cookie field.

    Errors: TypeError for a value that is not a str; ValueError for a name that is not a token, for a `path`, `domain`
    or `expires` that could contain another attribute, and for a `samesite` that browsers do not know.
    """
    if expires is None and max_age is not None:  # for clients that do not know Max-Age
        expires = time() + seconds(max_age)
    attributes: tuple[tuple[str, Any, Callable[[Any], object]], ...] = (
        ("Domain", domain or None, _domain),
        ("Expires", expires, _date),
        ("Max-Age", max_age, seconds),
        ("Secure", _flag(secure or partitioned), str),
        ("HttpOnly", _flag(httponly), str),
        ("Path", path or None, _path),
        ("SameSite", samesite or None, _same_site),
        ("Partitioned", _flag(partitioned), str),
    )
    given = [f"{name}={written(text)}".removesuffix("=") for name, text, written in attributes if text is not None]
    return "; ".join((cookie_pair(key, value), *given))


def cookie_pair(key: str, value: str) -> str:
    """A name and a value, quoted where needed.

    Errors: ValueError for a name that is not a token; TypeError for a value that is not a str.
    """
    if not is_token(key):
        raise ValueError(f"the name of a cookie is a token (RFC 6265 4.1.1), not {key!r}")
    if not isinstance(value, str):
        raise TypeError(f"the value of a cookie is a str, not {value!r}")
    if not _PLAIN.fullmatch(value):
        octets = value.encode().decode("latin-1")
        escaped = _SPECIAL.sub(lambda found: "\\" + (found[1] or f"{ord(found[0]):03o}"), octets)
        value = f'"{escaped}"'
    return f"{key}={value}"


def written_date(value: Any) -> str:
    """A time in HTTP's format (RFC 9110 5.6.7).

    Options:
        value: datetime, which is UTC if it has no zone; date, its midnight; timedelta from now; struct_time in UTC;
            seconds since the epoch; or a str, which is returned unchanged. Required.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, date):
        whole = value if isinstance(value, datetime) else datetime(*value.timetuple()[:3], tzinfo=timezone.utc)
        aware = whole if whole.tzinfo else whole.replace(tzinfo=timezone.utc)
        return format_datetime(aware.astimezone(timezone.utc), usegmt=True)
    if isinstance(value, timedelta):
        value = time() + value.total_seconds()
    return formatdate(timegm(value) if isinstance(value, tuple) else value, usegmt=True)


def retry_after_value(value: Any) -> str:
    """A Retry-After (RFC 9110 10.2.3): a number is in seconds, anything else is a time."""
    return str(int(value)) if isinstance(value, (int, float)) else written_date(value)


def retry_after_time(value: str) -> datetime | None:
    """The time of a Retry-After, or None if it is malformed. A number is in seconds from now."""
    try:
        delay = timedelta(seconds=int(value))
    except ValueError:
        time_given: datetime | None = parse_date(value)
        return time_given
    return datetime.now(timezone.utc) + delay


def seconds(value: timedelta | float) -> int:
    """A duration in whole seconds."""
    return int(value.total_seconds() if isinstance(value, timedelta) else value)


class Cookie(NamedTuple):
    """One part of a Cookie field. The name is None if it cannot be a cookie."""

    name: str | None
    value: str
    text: str  # as received


def read_cookies(field: str) -> Iterator[Cookie]:
    """The parts of a Cookie field, in order. Invalid UTF-8 within quotes is replaced."""
    for member in _MEMBER.finditer(field):
        value = member[2] or ""
        if value.startswith('"'):
            octets = _ESCAPE.sub(
                lambda found: bytes((int(found[1], 8),)) if len(found[1]) > 1 else found[1], value[1:-1].encode()
            )
            value = octets.decode(errors="replace")
        yield Cookie(member[1], value, member[0].strip(" \t;"))


def _flag(given: object) -> str | None:
    return "" if given else None


def _domain(value: str) -> str:
    host, _, port = value.partition(":")
    domain = host.lstrip(".").encode("idna").decode("ascii")
    if _DOMAIN.fullmatch(domain) is None or _PORT.fullmatch(port) is None:
        raise ValueError(f"the domain of a cookie is a host name (RFC 6265 4.1.1), not {value!r}")
    return domain


def _date(value: str | date | timedelta | float) -> str:
    text = written_date(value)
    if _DATE.fullmatch(text) is None:
        raise ValueError(
            f"the expiry date of a cookie is ASCII text without a semicolon (RFC 6265 4.1.1), not {text!r}"
        )
    return text


def _path(value: str) -> str:
    if _PATH.fullmatch(value) is None:
        raise ValueError(f"the path of a cookie has no semicolon or control character (RFC 6265 4.1.1); got {value!r}")
    return quote(value, safe="%!$&'()*+,/:=@")


def _same_site(value: str) -> str:
    if value.title() not in _SAME_SITE:
        raise ValueError(f"samesite: one of {', '.join(_SAME_SITE)}; got {value!r}")
    return value.title()

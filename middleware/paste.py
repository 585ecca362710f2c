"""Filter factories for PasteDeploy, one for each layer. A table for each converts strings of an .ini file to options.

A section `use = egg:wsgi-middleware-stack#headers` calls `headers(app, global_conf, **options)`, which returns the
layer around the application. The table converts the strings and the layer checks the options. Both raise a ConfigError
that names the section, the key, the rule and the value.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from configparser import RawConfigParser
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Final, NamedTuple, TypeAlias

from middleware.layers.access_log import AccessLog
from middleware.layers.answers.basic_auth import BasicAuth
from middleware.layers.answers.body_limit import BodyLimit
from middleware.layers.answers.concurrency import ConcurrencyLimit
from middleware.layers.answers.cross_origin import CrossOriginProtection
from middleware.layers.answers.hosts import TrustedHosts
from middleware.layers.answers.https import HTTPSRedirect
from middleware.layers.answers.rate_limit import RateLimit
from middleware.layers.answers.respond import Redirect, Respond
from middleware.layers.compress import Compress, Gzip
from middleware.layers.conditional import Conditional
from middleware.layers.cors import CORS
from middleware.layers.decompress import DecompressRequest
from middleware.layers.headers import Headers
from middleware.layers.inject import InjectHTML
from middleware.layers.metrics import Metrics
from middleware.layers.request_id import RequestId
from middleware.layers.security import SecurityHeaders
from middleware.layers.security.policies import HSTS
from middleware.layers.timing import Timing
from middleware.wsgi.layer import Middleware
from middleware.wsgi.options import ConfigError, Problems
from middleware.wsgi.types import Application

Reader: TypeAlias = Callable[[str], Any]  # raises ValueError with the rule that a string breaks

# -- readers of strings ----------------------------------------------------------------------------------------------

_WORDS: Final = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


def _boolean(text: str) -> bool:
    try:
        return _WORDS[text.strip().lower()]
    except KeyError:
        raise ValueError("true or false (yes and no, on and off, 1 and 0 are the same)") from None


def _written(pattern: str, kind: Callable[[str], Any], rule: str) -> Reader:
    """A reader of text that the pattern matches, regardless of whitespace around it."""

    def read(text: str) -> Any:
        if re.fullmatch(pattern, text.strip()) is None:
            raise ValueError(rule)
        return kind(text)

    return read


_number: Final = _written(r"[+-]?[0-9]+", int, "a whole number")
_seconds: Final = _written(r"[0-9]+(?:\.[0-9]+)?", float, "seconds, such as 0.5")


def _numbers(text: str) -> list[float]:
    try:
        return [float(word) for word in _words(text)]
    except ValueError:
        raise ValueError("numbers") from None


def _scalars(given: Mapping[str, str]) -> dict[str, Any]:
    """The members, with text that is written as a number converted. A user, a password, 007 and +44 stay text."""
    found: dict[str, Any] = {name: text.strip() for name, text in given.items()}
    for name, text in found.items():
        if re.search("user|pass", name) is None and re.fullmatch(r"-?(?:0|[1-9][0-9]*)|[0-9]+\.[0-9]+", text):
            found[name] = float(text) if "." in text else int(text)
    return found


def _words(text: str) -> list[str]:
    """The words between blanks, line ends and commas."""
    return re.findall(r"[^\s,]+", text)


def _line(text: str) -> str:
    """The text with line ends and runs of blanks replaced by one space."""
    return " ".join(text.split())


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


_NONE: Final = frozenset(("none", "false", "no", "off"))
_NONE_OF_TEXT: Final = _NONE | {"0"}  # for options that take text, where 0 is not a number


def _or_none(reader: Reader, off: frozenset[str] = _NONE) -> Reader:
    """A reader that returns None for the words that turn an option off."""

    def read(text: str) -> Any:
        word = text.strip().lower()
        return None if word in off else reader(text)

    return read


_text: Final = _or_none(_line, _NONE_OF_TEXT)


def _object(text: str) -> Any:
    """The object that a name such as `package.module:function` refers to."""
    try:
        return resolve_name(text.strip())
    except (ValueError, ImportError, AttributeError) as error:
        raise ValueError(f"a name such as package.module:function ({error})") from None


_SECURE: Final = re.compile(
    r"max-age=(?P<age>[0-9]+)(?P<subdomains>; includeSubDomains)?(?P<preload>; preload)?", re.IGNORECASE
)


def _secure(text: str) -> HSTS:
    """A Strict-Transport-Security value (RFC 6797 6.1)."""
    found = _SECURE.fullmatch(_line(text))
    if found is None:
        raise ValueError("as it is sent: max-age=31536000; includeSubDomains; preload, or without what comes last")
    return HSTS(int(found["age"]), include_subdomains=bool(found["subdomains"]), preload=bool(found["preload"]))


def _pairs(found: Mapping[str, Iterable[str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, values in found.items() for value in values]


# -- the options of each layer --------------------------------------------------------------------------------------


class Group(NamedTuple):
    """The reader of a mapping option: `set.X-App = demo` is one member of `set`."""

    read: Reader
    make: Callable[[dict[str, Any]], Any] = dict


class Kind(NamedTuple):
    """A layer and the readers of its options. `functions` are the options that a filter does not have."""

    layer: type[Middleware]
    options: Mapping[str, Reader | Group]
    functions: tuple[str, ...] = ()

    def no_option(self, name: str) -> str:
        """The rule that a key breaks if it is not one of the options."""
        if name in self.functions:
            return "is not a key of a filter: put the layer into a Stack, in Python"
        known = (f"{each}.*" if isinstance(how, Group) else each for each, how in self.options.items())
        return f"one of the options {', '.join(known)}"


_ENCODING: Final[Mapping[str, Reader | Group]] = {
    "minimum_size": _number,
    "content_types": _words,
    **dict.fromkeys(("flush", "etag", "backend", "not_acceptable"), _line),
    "breach_padding": _number,
}
KINDS: Final = {
    "access-log": Kind(
        AccessLog,
        {
            **dict.fromkeys(("format", "logger"), _line),
            # a level of logging, by its number or its name
            "level": _or_none(lambda text: _number(text) if text.strip().isdigit() else _line(text).upper()),
            **dict.fromkeys(("redact", "fields"), _words),
        },
        ("skip",),
    ),
    "basic-auth": Kind(BasicAuth, {"verify": _object, "realm": _line, "charset": _line, "answer": _object}),
    "body-limit": Kind(BodyLimit, {"max_bytes": _number, "answer": _object}),
    "concurrency-limit": Kind(
        ConcurrencyLimit,
        {"limit": _number, "wait": _seconds, "retry_after": _number, "key": _object, "answer": _object},
    ),
    "cross-origin-protection": Kind(
        CrossOriginProtection, {"trusted_origins": _words, "exempt": _object, "answer": _object}
    ),
    "decompress-request": Kind(
        DecompressRequest, {"codings": _words, "max_bytes": _number, "buffer": _boolean, "answer": _object}
    ),
    "https-redirect": Kind(
        HTTPSRedirect, {"status": _number, "host": _text, "port": _or_none(_number), "exempt": _object}
    ),
    "rate-limit": Kind(
        RateLimit,
        {
            **dict.fromkeys(("limits", "storage", "strategy", "name", "on_storage_error"), _line),
            **dict.fromkeys(("key", "answer"), _object),
            "storage_options": Group(str, _scalars),
            "cost": _number,
            "headers": _boolean,
        },
    ),
    "redirect": Kind(Redirect, {"to": _line, "status": _number, "keep_query": _boolean}),
    "respond": Kind(
        Respond,
        {"status": _number, "body": _line, "content_type": _line, "headers": Group(_lines, _pairs)},
    ),
    "trusted-hosts": Kind(TrustedHosts, {"hosts": _words, "answer": _object}),
    "compress": Kind(Compress, {"codings": _words, "levels": Group(_or_none(_number)), **_ENCODING}),
    "gzip": Kind(Gzip, {"level": _or_none(_number), **_ENCODING}),
    "conditional": Kind(Conditional, {"etag": _boolean, "weak": _boolean, "maximum_size": _number}),
    "cors": Kind(
        CORS,
        {
            **dict.fromkeys(("allow_origins", "allow_methods", "allow_headers", "expose_headers"), _words),
            **dict.fromkeys(("allow_credentials", "allow_private_network"), _boolean),
            "max_age": _or_none(_number),
            "preflight_status": _number,
            "timing_origins": _words,
        },
    ),
    "headers": Kind(
        Headers,
        {"set": Group(_line), "default": Group(_line), "append": Group(_lines, _pairs), "remove": _words},
    ),
    "metrics": Kind(Metrics, {"path": _text, "buckets": _numbers}, ("registry", "route")),
    "request-id": Kind(RequestId, {"header": _line, "accept": _boolean, "response": _boolean}, ("generate",)),
    "inject-html": Kind(InjectHTML, {"html": str, "at": _line, "nonce": _boolean}),
    "security-headers": Kind(
        SecurityHeaders,
        {
            "preset": _line,
            **dict.fromkeys(("csp", "csp_report_only", "frame_options", "referrer_policy"), _text),
            **dict.fromkeys(("coop", "coep", "corp"), _text),
            "hsts": _or_none(_secure, _NONE_OF_TEXT),
            "permissions_policy": Group(_words),
            "nosniff": _boolean,
            "reporting_endpoints": Group(_line),
            # "none" is one of its words, and the strictest
            "permitted_cross_domain_policies": _line,
            "remove": _words,
        },
        ("clear_site_data",),
    ),
    "timing": Kind(
        Timing,
        {
            **dict.fromkeys(("metric", "header"), _line),
            **dict.fromkeys(("description", "response_time_header"), _text),
            **dict.fromkeys(("expose", "layers"), _boolean),
            "precision": _number,
        },
        ("clock", "on_complete"),
    ),
}


# -- the factories ---------------------------------------------------------------------------------------------------


def access_log(app: Application, global_conf: Mapping[str, str] | None, **options: str) -> Middleware:
    """`AccessLog` around the application."""
    return _made("access-log", app, global_conf, options)


def basic_auth(app: Application, global_conf: Mapping[str, str] | None, **options: str) -> Middleware:
    """`BasicAuth` around the application."""
    return _made("basic-auth", app, global_conf, options)


def body_limit(app: Application, global_conf: Mapping[str, str] | None, **options: str) -> Middleware:
    """`BodyLimit` around the application."""
    return _made("body-limit", app, global_conf, options)


def compress(app: Application, global_conf: Mapping[str, str] | None, **options: str) -> Middleware:
    """`Compress` around the application."""
    return _made("compress", app, global_conf, options)


def concurrency_limit(app: Application, global_conf: Mapping[str, str] | None, **options: str) -> Middleware:
    """`ConcurrencyLimit` around the application."""
    return _made("concurrency-limit", app, global_conf, options)


def conditional(app: Application, global_conf: Mapping[str, str] | None, **options: str) -> Middleware:
    """`Conditional` around the application."""
    return _made("conditional", app, global_conf, options)


def cors(app: Application, global_conf: Mapping[str, str] | None, **options: str) -> Middleware:
    """`CORS` around the application."""
    return _made("cors", app, global_conf, options)


def cross_origin_protection(app: Application, global_conf: Mapping[str, str] | None, **options: str) -> Middleware:
    """`CrossOriginProtection` around the application."""
    return _made("cross-origin-protection", app, global_conf, options)


def decompress_request(app: Application, global_conf: Mapping[str, str] | None, **options: str) -> Middleware:
    """`DecompressRequest` around the application."""
    return _made("decompress-request", app, global_conf, options)


def gzip(app: Application, global_conf: Mapping[str, str] | None, **options: str) -> Middleware:
    """`Gzip` around the application."""
    return _made("gzip", app, global_conf, options)


def headers(app: Application, global_conf: Mapping[str, str] | None, **options: str) -> Middleware:
    """`Headers` around the application."""
    return _made("headers", app, global_conf, options)


def metrics(app: Application, global_conf: Mapping[str, str] | None, **options: str) -> Middleware:
    """`Metrics` around the application."""
    return _made("metrics", app, global_conf, options)


def request_id(app: Application, global_conf: Mapping[str, str] | None, **options: str) -> Middleware:
    """`RequestId` around the application."""
    return _made("request-id", app, global_conf, options)


def https_redirect(app: Application, global_conf: Mapping[str, str] | None, **options: str) -> Middleware:
    """`HTTPSRedirect` around the application."""
    return _made("https-redirect", app, global_conf, options)


def rate_limit(app: Application, global_conf: Mapping[str, str] | None, **options: str) -> Middleware:
    """`RateLimit` around the application."""
    return _made("rate-limit", app, global_conf, options)


def redirect(app: Application, global_conf: Mapping[str, str] | None, **options: str) -> Middleware:
    """`Redirect` around the application."""
    return _made("redirect", app, global_conf, options)


def respond(app: Application, global_conf: Mapping[str, str] | None, **options: str) -> Middleware:
    """`Respond` around the application."""
    return _made("respond", app, global_conf, options)


def inject_html(app: Application, global_conf: Mapping[str, str] | None, **options: str) -> Middleware:
    """`InjectHTML` around the application."""
    return _made("inject-html", app, global_conf, options)


def security_headers(app: Application, global_conf: Mapping[str, str] | None, **options: str) -> Middleware:
    """`SecurityHeaders` around the application."""
    return _made("security-headers", app, global_conf, options)


def timing(app: Application, global_conf: Mapping[str, str] | None, **options: str) -> Middleware:
    """`Timing` around the application."""
    return _made("timing", app, global_conf, options)


def trusted_hosts(app: Application, global_conf: Mapping[str, str] | None, **options: str) -> Middleware:
    """`TrustedHosts` around the application."""
    return _made("trusted-hosts", app, global_conf, options)


def _made(name: str, app: Application, global_conf: Mapping[str, str] | None, given: Mapping[str, str]) -> Middleware:
    kind, place = KINDS[name], _place(name, global_conf or {}, given)
    options = _options(kind, place, given)
    wanted = [each.name for each in inspect.signature(kind.layer).parameters.values() if each.default is each.empty]
    if missing := [option for option in wanted if option not in options]:
        raise ConfigError(f"{place}: {kind.layer.__name__} needs {' and '.join(missing)}")
    try:
        return kind.layer(app, **options)
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from None


def _options(kind: Kind, place: str, given: Mapping[str, str]) -> dict[str, Any]:
    """Read the options of a section. A key with a dot is a member of a mapping."""
    problems = Problems(place)
    found: dict[str, Any] = {}
    for key, text in given.items():
        option, point, member = key.partition(".")
        how = kind.options.get(option)
        if isinstance(how, Group) != bool(point and member) or how is None:
            problems.add(key, kind.no_option(option), text)
            continue
        try:
            if isinstance(how, Group):
                found.setdefault(option, {})[member] = how.read(text)
            else:
                found[option] = how(text)
        except ValueError as error:  # a ConfigError too
            problems.add(key, str(error), text)
    problems.done()
    for option, how in kind.options.items():
        if isinstance(how, Group) and option in found:
            found[option] = how.make(found[option])
    return found


class _Parser(RawConfigParser):
    """Keeps the case of keys, as PasteDeploy does."""

    def optionxform(self, optionstr: str) -> str:
        """The key unchanged."""
        return optionstr

    def keys_of(self, section: str) -> set[str]:
        """The keys that the factory gets for a section: its own, and those of the section that it uses."""
        found: set[str] = set()
        for _ in self.sections():  # a circle of sections ends too
            keys = (key.removeprefix("get ").strip() for key in self[section] if not key.startswith(("set ", "paste.")))
            found.update(keys)
            section = f"filter:{self[section].get('use')}"
            if section not in self:
                break
        return found - {"use", "next", "require", "filter-with", *self.defaults()}


def _place(name: str, global_conf: Mapping[str, str], given: Mapping[str, str]) -> str:
    """The section and its file, for messages. PasteDeploy passes the file only; the section is found by its keys."""
    file = global_conf.get("__file__")
    if file is None or not Path(file).is_file():
        return name
    parser = _Parser(strict=False)
    parser.read_string(Path(file).read_text("utf-8", errors="replace"))
    keys = set(given) - set(parser.defaults())
    filters = filter(lambda section: section.startswith("filter"), parser.sections())
    sections = [f"[{section}]" for section in filters if parser.keys_of(section) == keys]
    return f"{' or '.join(sections) or name} in {file}"

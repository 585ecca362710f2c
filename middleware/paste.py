"""The layers as filters of PasteDeploy: strings of an .ini become options, by one table for each layer.

A section `use = egg:wsgi-middleware-stack#headers` calls `headers(app, global_conf, **options)` and gets the layer
around the application. What a string means the table says, what is right the layer; either fault is a ConfigError that
names the section, the key, the rule and the value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from configparser import RawConfigParser
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from middleware.layers.compress import Compress, Gzip
from middleware.layers.conditional import Conditional
from middleware.layers.cors import CORS
from middleware.layers.headers import Headers
from middleware.layers.inject import InjectHTML
from middleware.layers.security import SecurityHeaders
from middleware.layers.security.policies import HSTS
from middleware.layers.timing import Timing
from middleware.wsgi.options import ConfigError, Problems

if TYPE_CHECKING:
    from middleware.wsgi.layer import Middleware
    from middleware.wsgi.types import Application

Reader: TypeAlias = Callable[[str], Any]  # raises ValueError with the rule that a string breaks

# -- what a string means ---------------------------------------------------------------------------------------------

_WORDS: Final = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


def _boolean(text: str) -> bool:
    try:
        return _WORDS[text.strip().lower()]
    except KeyError:
        raise ValueError("true or false (yes and no, on and off, 1 and 0 are the same)") from None


def _number(text: str) -> int:
    if not re.fullmatch(r"\s*[+-]?[0-9]+\s*", text):
        raise ValueError("a whole number")
    return int(text)


def _words(text: str) -> list[str]:
    """Whatever stands between blanks, line ends and commas."""
    return re.findall(r"[^\s,]+", text)


def _line(text: str) -> str:
    """One line of what may stand in several."""
    return " ".join(text.split())


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _or_none(reader: Reader) -> Reader:
    """A reader of an option that "none" leaves out; "false", "no" and "off" mean the same."""

    def read(text: str) -> Any:
        word = text.strip().lower()
        return None if word == "none" or _WORDS.get(word) is False else reader(text)

    return read


_SECURE: Final = re.compile(
    r"max-age=(?P<age>[0-9]+)(?P<subdomains>; includeSubDomains)?(?P<preload>; preload)?", re.IGNORECASE
)


def _secure(text: str) -> HSTS:
    """Strict-Transport-Security as it is sent (RFC 6797 6.1)."""
    found = _SECURE.fullmatch(_line(text))
    if found is None:
        raise ValueError("as it is sent: max-age=31536000; includeSubDomains; preload, or without what comes last")
    return HSTS(int(found["age"]), include_subdomains=bool(found["subdomains"]), preload=bool(found["preload"]))


def _pairs(found: Mapping[str, Iterable[str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, values in found.items() for value in values]


# -- which options there are -----------------------------------------------------------------------------------------


class Group(NamedTuple):
    """An option that is a mapping: `set.X-App = demo` is one member of `set`."""

    read: Reader
    make: Callable[[dict[str, Any]], Any] = dict


class Kind(NamedTuple):
    """A layer, and how its options are read. No string can say `functions`; `required` options have no default."""

    layer: Callable[..., Middleware]
    options: Mapping[str, Reader | Group]
    functions: tuple[str, ...] = ()
    required: tuple[str, ...] = ()


_ENCODING: Final[Mapping[str, Reader | Group]] = {
    "minimum_size": _number,
    "content_types": _words,
    **dict.fromkeys(("flush", "etag", "backend", "not_acceptable"), _line),
    "breach_padding": _number,
}
KINDS: Final = {
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
    "inject-html": Kind(InjectHTML, {"html": str, "at": _line, "nonce": _boolean}, required=("html",)),
    "security-headers": Kind(
        SecurityHeaders,
        {
            "preset": _line,
            **dict.fromkeys(("csp", "csp_report_only", "frame_options", "referrer_policy"), _or_none(_line)),
            **dict.fromkeys(("coop", "coep", "corp"), _or_none(_line)),
            "hsts": _or_none(_secure),
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
            **dict.fromkeys(("description", "response_time_header"), _or_none(_line)),
            **dict.fromkeys(("expose", "layers"), _boolean),
            "precision": _number,
        },
        ("clock", "on_complete"),
    ),
}


# -- the factories ---------------------------------------------------------------------------------------------------


def compress(app: Application, global_conf: Mapping[str, str] | None, **options: str) -> Middleware:
    """`Compress` around the application."""
    return _made("compress", app, global_conf, options)


def conditional(app: Application, global_conf: Mapping[str, str] | None, **options: str) -> Middleware:
    """`Conditional` around the application."""
    return _made("conditional", app, global_conf, options)


def cors(app: Application, global_conf: Mapping[str, str] | None, **options: str) -> Middleware:
    """`CORS` around the application."""
    return _made("cors", app, global_conf, options)


def gzip(app: Application, global_conf: Mapping[str, str] | None, **options: str) -> Middleware:
    """`Gzip` around the application."""
    return _made("gzip", app, global_conf, options)


def headers(app: Application, global_conf: Mapping[str, str] | None, **options: str) -> Middleware:
    """`Headers` around the application."""
    return _made("headers", app, global_conf, options)


def inject_html(app: Application, global_conf: Mapping[str, str] | None, **options: str) -> Middleware:
    """`InjectHTML` around the application."""
    return _made("inject-html", app, global_conf, options)


def security_headers(app: Application, global_conf: Mapping[str, str] | None, **options: str) -> Middleware:
    """`SecurityHeaders` around the application."""
    return _made("security-headers", app, global_conf, options)


def timing(app: Application, global_conf: Mapping[str, str] | None, **options: str) -> Middleware:
    """`Timing` around the application."""
    return _made("timing", app, global_conf, options)


def _made(name: str, app: Application, global_conf: Mapping[str, str] | None, given: Mapping[str, str]) -> Middleware:
    kind, place = KINDS[name], _place(name, global_conf or {}, given)
    options = _options(kind, place, given)
    try:
        return kind.layer(app, **options)
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from None


def _options(kind: Kind, place: str, given: Mapping[str, str]) -> dict[str, Any]:
    """The options that the keys of a section say; a key with a point is a member of a mapping."""
    problems = Problems(place)
    found: dict[str, Any] = {}
    for key, text in given.items():
        option, point, member = key.partition(".")
        how = kind.options.get(option)
        if isinstance(how, Group) != bool(point and member) or how is None:
            problems.add(key, _no_option(kind, option), text)
            continue
        try:
            if isinstance(how, Group):
                found.setdefault(option, {})[member] = how.read(text)
            else:
                found[option] = how(text)
        except ValueError as error:  # a ConfigError too
            problems.add(key, str(error), text)
    _check_required(problems, kind, given)
    problems.done()
    return {option: _whole(kind.options[option], value) for option, value in found.items()}


def _check_required(problems: Problems, kind: Kind, given: Mapping[str, str]) -> None:
    for option in kind.required:
        problems.check(option in given, option, "is required", None)


def _whole(how: Reader | Group, value: Any) -> Any:
    return how.make(value) if isinstance(how, Group) else value


def _no_option(kind: Kind, option: str) -> str:
    if option in kind.functions:
        return "takes a function, which no .ini can say: put the layer into a Stack, in Python"
    known = (f"{name}.*" if isinstance(how, Group) else name for name, how in kind.options.items())
    return f"one of the options {', '.join(known)}"


class _Parser(RawConfigParser):
    """Reads keys as they are written, as PasteDeploy does."""

    def optionxform(self, optionstr: str) -> str:
        """The key itself."""
        return optionstr


def _place(name: str, global_conf: Mapping[str, str], given: Mapping[str, str]) -> str:
    """Where the section is, as far as can be known: PasteDeploy tells the file, and the keys tell the section."""
    file = global_conf.get("__file__")
    if file is None or not Path(file).is_file():
        return name
    parser = _Parser(strict=False)
    parser.read_string(Path(file).read_text("utf-8", errors="replace"))
    sections = [f"[{section}]" for section in parser.sections() if _is_it(parser, section, set(given))]
    return f"{' or '.join(sections) or name} in {file}"


def _is_it(parser: RawConfigParser, section: str, keys: set[str]) -> bool:
    own = {key for key in parser[section] if key != "use" and not key.startswith(("set ", "paste."))}
    return section.startswith("filter") and own - set(parser.defaults()) == keys - set(parser.defaults())

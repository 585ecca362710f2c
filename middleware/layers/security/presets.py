"""The presets of SecurityHeaders, and the values that each of its options takes.

To change a preset, change TABLE: one row for each header, with its value by preset, its reason and its risk. To add an
option, add it to OPTIONS and to the constructor.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias

from middleware.http.structured import dictionary
from middleware.layers.security import header_values as values
from middleware.layers.security.csp import NONCE
from middleware.layers.security.policies import CSP, HSTS, PermissionsPolicy
from middleware.wsgi.options import Problems
from middleware.wsgi.refused import can_be_called
from middleware.wsgi.response import Response
from middleware.wsgi.types import Environ

Forget: TypeAlias = Callable[[Environ, Response], "Iterable[str] | None"]
PRESETS: Final = ("basic", "balanced", "strict", "api")
_YEAR: Final = 31_536_000
_DEVICES: Final = (
    *("accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "hid", "magnetometer", "microphone"),
    *("midi", "payment", "serial", "usb", "xr-spatial-tracking"),
)


class Preset(Enum):
    """The default of an option: the value of the preset."""

    PRESET = "preset"

    def __repr__(self) -> str:
        return self.name


# -- what the options take ---------------------------------------------------------------------------------------------


class Option(NamedTuple):
    """One option of SecurityHeaders.

    Attributes:
        header: the field name; empty for an option that is not a single header.
        read: callable that returns the value to keep. It raises ValueError with the rule that a wrong value breaks.
    """

    header: str
    read: Callable[[Any], Any]


def _policy(kind: type[Any], given: object) -> Any:
    return given if isinstance(given, kind) else kind(given)


def _if(holds: Callable[[object], bool], rule: str) -> Callable[[object], object]:
    """Return a reader that keeps a value for which `holds` is true, as it is."""

    def read(given: object) -> object:
        if not holds(given):
            raise ValueError(rule)
        return given

    return read


OPTIONS: Final = {
    "hsts": Option(
        "Strict-Transport-Security",
        _if(lambda given: isinstance(given, HSTS), "an HSTS, such as HSTS(31536000), or None"),
    ),
    "csp": Option("Content-Security-Policy", partial(_policy, CSP)),
    "csp_report_only": Option("Content-Security-Policy-Report-Only", partial(_policy, CSP)),
    "frame_options": Option("X-Frame-Options", values.frame_options),
    "referrer_policy": Option("Referrer-Policy", values.referrer_policy),
    "permissions_policy": Option("Permissions-Policy", partial(_policy, PermissionsPolicy)),
    "coop": Option("Cross-Origin-Opener-Policy", partial(values.with_report, values.COOP_VALUES)),
    "coep": Option("Cross-Origin-Embedder-Policy", partial(values.with_report, values.COEP_VALUES)),
    "corp": Option("Cross-Origin-Resource-Policy", partial(values.one_of, values.CORP_VALUES)),
    "nosniff": Option("X-Content-Type-Options", _if(lambda given: given is True, "True or False")),
    "reporting_endpoints": Option("Reporting-Endpoints", values.endpoints),
    "permitted_cross_domain_policies": Option(
        "X-Permitted-Cross-Domain-Policies", partial(values.one_of, values.DOMAIN_POLICIES)
    ),
    "clear_site_data": Option(
        "",
        _if(
            lambda given: can_be_called(given, 2),
            "a callable (environ, response) -> the data to clear, or None, called for each response",
        ),
    ),
    "remove": Option("", values.field_names),
}


# -- the table ---------------------------------------------------------------------------------------------------------


class PresetHeader(NamedTuple):
    """One header of the presets, with its reason and its risk.

    Attributes:
        option: the option of SecurityHeaders.
        values: the value of the option by preset. A preset that is missing does not send the header.
        why: what the header protects from.
        breaks: what may stop working.
    """

    option: str
    values: dict[str, Any]
    why: str
    breaks: str

    @property
    def header(self) -> str:
        """The field name."""
        return OPTIONS[self.option].header


TABLE: Final = (
    PresetHeader(
        "hsts",
        {
            "basic": HSTS(_YEAR, include_subdomains=False),
            "balanced": HSTS(_YEAR),
            "strict": HSTS(2 * _YEAR),
            "api": HSTS(2 * _YEAR),
        },
        "an attacker on the network cannot keep a visitor on http",
        "a host without https, and with includeSubDomains its subdomains, until max-age has passed",
    ),
    PresetHeader(
        "csp",
        {
            "balanced": CSP(
                default_src="'self'",
                base_uri="'self'",
                font_src="'self' https: data:",
                form_action="'self'",
                frame_ancestors="'self'",
                img_src="'self' data:",
                object_src="'none'",
                script_src="'self'",
                script_src_attr="'none'",
                style_src="'self' https: 'unsafe-inline'",
            ),
            "strict": CSP(
                default_src="'none'",
                base_uri="'none'",
                connect_src="'self'",
                font_src="'self'",
                form_action="'self'",
                frame_ancestors="'none'",
                img_src="'self'",
                manifest_src="'self'",
                media_src="'self'",
                object_src="'none'",
                script_src=("'self'", NONCE),
                style_src=("'self'", NONCE),
                worker_src="'self'",
            ),
            "api": CSP(default_src="'none'", base_uri="'none'", form_action="'none'", frame_ancestors="'none'"),
        },
        "injected content cannot run scripts, load resources or send data",
        "inline scripts (strict: and styles) without nonce or hash, on... attributes, resources of other origins",
    ),
    PresetHeader(
        "frame_options",
        {"basic": "SAMEORIGIN", "balanced": "SAMEORIGIN", "strict": "DENY", "api": "DENY"},
        "no other site can frame the page to steal clicks (for browsers without support for frame-ancestors)",
        "pages that other sites (DENY: or the site itself) should frame",
    ),
    PresetHeader(
        "referrer_policy",
        {
            "basic": "strict-origin-when-cross-origin",
            "balanced": "strict-origin-when-cross-origin",
            "strict": "same-origin",
            "api": "no-referrer",
        },
        "other sites do not see the URL of the page that a visitor comes from",
        "analytics of linked sites; with no-referrer also checks of the Origin header, which is null then",
    ),
    PresetHeader(
        "permissions_policy",
        {
            "balanced": PermissionsPolicy(camera=(), geolocation=(), microphone=()),
            "strict": PermissionsPolicy(dict.fromkeys(_DEVICES, ())),
        },
        "neither the page nor its frames can ask for camera, microphone or location",
        "pages that use those features: allow them by ['self']",
    ),
    PresetHeader(
        "coop",
        {"balanced": "same-origin", "strict": "same-origin"},
        "a cross-origin window that opened the page, or was opened by it, has no reference to its window",
        "sign-in and payment in a popup of another origin: use same-origin-allow-popups",
    ),
    PresetHeader(
        "coep",
        {"strict": "require-corp"},
        "together with COOP it isolates the page in a process of its own, as a defence against Spectre",
        "images, scripts and frames of other origins that do not opt in by CORS or CORP",
    ),
    PresetHeader(
        "corp",
        {"balanced": "same-origin", "strict": "same-origin", "api": "same-origin"},
        "pages of other origins cannot embed the responses of this site",
        "images and scripts that other sites, or other subdomains, should embed; CORS requests still work",
    ),
    PresetHeader(
        "nosniff",
        dict.fromkeys(PRESETS, True),
        "browsers use the declared Content-Type, so that an upload never runs as a script",
        "scripts and styles served with a wrong Content-Type",
    ),
)
_DEFAULTS: Final = {preset: {row.option: row.values.get(preset) for row in TABLE} for preset in PRESETS}


# -- what a constructor keeps ------------------------------------------------------------------------------------------


def checked(preset: object, **given: object) -> dict[str, Any]:
    """Return the value of every option, or None where the header is left out.

    Errors: ConfigError that names every wrong option.
    """
    problems = Problems("SecurityHeaders")
    problems.one_of("preset", preset, PRESETS)
    defaults = _DEFAULTS.get(str(preset), {})
    base = defaults.get("csp")
    kept: dict[str, Any] = {}
    for name, option in OPTIONS.items():
        value = defaults.get(name) if given[name] is Preset.PRESET else given[name]
        left_out = value is None or value is False
        read = option.read
        if name == "csp" and base is not None and not isinstance(value, CSP):
            read = base.extended  # the policy of the preset, unless the other has default-src
        kept[name] = None if left_out else problems.read(name, value, read, None)
    problems.done()
    return kept


def sent(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that are headers, by field name, each with the value that was kept."""
    named = {option.header: kept[name] for name, option in OPTIONS.items() if option.header}
    return {header: value for header, value in named.items() if value is not None}


def with_nonce(fields: Mapping[str, Any]) -> dict[str, CSP]:
    """Return the policies that contain NONCE, by field name."""
    return {header: value for header, value in fields.items() if isinstance(value, CSP) and value.needs_nonce}


def field_value(value: object) -> str:
    """Return the text that is sent for a value that was kept."""
    if isinstance(value, dict):
        return dictionary(value)
    return "nosniff" if value is True else str(value)

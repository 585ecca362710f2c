"""The presets of SecurityHeaders, as one table: header, value by preset, why it is sent, what it can break."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from middleware.layers.security.csp import NONCE
from middleware.layers.security.policies import CSP, HSTS, PermissionsPolicy

_YEAR: Final = 31_536_000
_DEVICES: Final = (
    *("accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "hid", "magnetometer", "microphone"),
    *("midi", "payment", "serial", "usb", "xr-spatial-tracking"),
)


class Row(NamedTuple):
    """One header.

    Attributes:
        option: the option of SecurityHeaders.
        header: its field name.
        values: the value of the option by preset; a preset that is missing does not send it.
        why: what it protects from.
        breaks: what may stop working.
    """

    option: str
    header: str
    values: dict[str, Any]
    why: str
    breaks: str


PRESETS: Final = ("basic", "balanced", "strict", "api")
TABLE: Final = (
    Row(
        "hsts",
        "Strict-Transport-Security",
        {
            "basic": HSTS(_YEAR, include_subdomains=False),
            "balanced": HSTS(_YEAR),
            "strict": HSTS(2 * _YEAR),
            "api": HSTS(2 * _YEAR),
        },
        "nobody in between can keep a visitor on http",
        "a host, or with includeSubDomains any subdomain, that has no https, for as long as max-age",
    ),
    Row(
        "csp",
        "Content-Security-Policy",
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
        "what an attacker puts into a page does not run, and does not load or send anything",
        "inline scripts (strict: and styles) without nonce or hash, on... attributes, everything from other origins",
    ),
    Row(
        "frame_options",
        "X-Frame-Options",
        {"basic": "SAMEORIGIN", "balanced": "SAMEORIGIN", "strict": "DENY", "api": "DENY"},
        "nobody lays the page invisibly over another one (for browsers that do not know frame-ancestors)",
        "pages that other sites (DENY: or the site itself) are meant to frame",
    ),
    Row(
        "referrer_policy",
        "Referrer-Policy",
        {
            "basic": "strict-origin-when-cross-origin",
            "balanced": "strict-origin-when-cross-origin",
            "strict": "same-origin",
            "api": "no-referrer",
        },
        "other sites do not learn which page a visitor comes from",
        "statistics of the sites that are linked to; with no-referrer also checks of Origin, which is null then",
    ),
    Row(
        "permissions_policy",
        "Permissions-Policy",
        {
            "balanced": PermissionsPolicy(camera=(), geolocation=(), microphone=()),
            "strict": PermissionsPolicy(dict.fromkeys(_DEVICES, ())),
        },
        "neither the page nor a frame in it can ask for camera, microphone or place",
        "pages that use those features: allow them with ['self']",
    ),
    Row(
        "coop",
        "Cross-Origin-Opener-Policy",
        {"balanced": "same-origin", "strict": "same-origin"},
        "a window that opened the page, or was opened by it, cannot reach into it",
        "sign-in and payment in a popup of another origin: same-origin-allow-popups",
    ),
    Row(
        "coep",
        "Cross-Origin-Embedder-Policy",
        {"strict": "require-corp"},
        "together with COOP the page has a process of its own, out of reach of Spectre",
        "images, scripts and frames of other origins that do not consent by CORS or CORP",
    ),
    Row(
        "corp",
        "Cross-Origin-Resource-Policy",
        {"balanced": "same-origin", "strict": "same-origin", "api": "same-origin"},
        "pages of other sites cannot embed what this one serves",
        "pictures and scripts that other sites, or other subdomains, are meant to embed; CORS requests still work",
    ),
    Row(
        "nosniff",
        "X-Content-Type-Options",
        dict.fromkeys(PRESETS, True),
        "a browser takes a response for what Content-Type says, so that an upload never runs as a script",
        "scripts and styles served with a wrong Content-Type",
    ),
)

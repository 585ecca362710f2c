"""SecurityHeaders: response headers by which browsers protect a site, by preset or by option (OWASP Secure Headers)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final, Literal, TypeAlias

from middleware.http.edits import Edit
from middleware.http.fields import plain
from middleware.layers.security.csp import Sources
from middleware.layers.security.header_values import site_data
from middleware.layers.security.nonce import KEY, declares_length, naming, offer
from middleware.layers.security.policies import CSP, HSTS, Allowlist, PermissionsPolicy
from middleware.layers.security.presets import Forget, Preset, checked, field_value, sent, with_nonce
from middleware.wsgi.answer import NOTES, note
from middleware.wsgi.effects import Effects
from middleware.wsgi.layer import Middleware
from middleware.wsgi.plan import Layer
from middleware.wsgi.response import Response
from middleware.wsgi.row import Ordinary
from middleware.wsgi.types import Application, Environ

Step: TypeAlias = Callable[[Environ, Response], None]
Policy: TypeAlias = CSP | Mapping[str, Sources] | str
Features: TypeAlias = PermissionsPolicy | Mapping[str, Allowlist]

Off: TypeAlias = Literal[False] | None
Default: TypeAlias = Literal[False, Preset.PRESET] | None
PRESET: Final = Preset.PRESET
_HSTS: Final = "Strict-Transport-Security"
_SITE_DATA: Final = "Clear-Site-Data"


class SecurityHeaders(Middleware):
    """Adds the response headers by which browsers protect a site and its visitors, on every response.

    Stands outside every layer that answers requests, so that refusals, redirects and preflights have the headers too.
    A header that the application, or an inner layer, has set stays as it is. Does nothing to the body. X-Forwarded-*
    is ignored: behind a proxy, the server, or ProxyFix as an outer layer, must set `wsgi.url_scheme`.

    With NONCE in a policy, `environ["middleware.csp_nonce"]` is the nonce of the response, generated when it is first
    read. The policy contains the nonce if it was read, or may still be read because the body is a stream of unknown
    length. `private` is then added to Cache-Control, unless it has public, s-maxage or no-store. A 304 gets no such
    policy and keeps its Cache-Control.

    Options: None or False leaves a header out.
        preset: "basic", "balanced", "strict" or "api". "basic" breaks next to nothing; with "strict", inline scripts
            need the nonce; "api" is for sites without pages. Default "balanced".
        csp: CSP, or what CSP takes. Content-Security-Policy. A mapping or str with default-src is the whole policy.
            Without default-src, it extends the policy of the preset: a directive replaces the one of that name, and
            None drops it. A CSP is sent as it is. Default by preset.
        csp_report_only: CSP, or what CSP takes. Content-Security-Policy-Report-Only: browsers report violations of
            this policy and do not enforce it. Default None.
        hsts: HSTS. Strict-Transport-Security, sent over https only. Default by preset.
        frame_options: "DENY" or "SAMEORIGIN", in any case. X-Frame-Options. Default by preset.
        referrer_policy: one of the eight policies, or several in the order of fallback. Referrer-Policy. Default by
            preset.
        permissions_policy: PermissionsPolicy, or a mapping feature -> allowlist. Permissions-Policy. Default by preset.
        coop: str, a policy, optionally with an endpoint for reports, as in 'same-origin; report-to="endpoint"'.
            Cross-Origin-Opener-Policy. Default by preset.
        coep: str, as coop. Cross-Origin-Embedder-Policy. Default by preset.
        corp: "same-origin", "same-site" or "cross-origin". Cross-Origin-Resource-Policy. Next to a CORS that lets
            every origin read, "cross-origin" lets every origin embed too. Default by preset.
        nosniff: bool. X-Content-Type-Options. Default True.
        reporting_endpoints: mapping name -> URL. Reporting-Endpoints. Default None.
        permitted_cross_domain_policies: "none", "master-only", "by-content-type" or "all".
            X-Permitted-Cross-Domain-Policies, for Acrobat. Default None.
        clear_site_data: callable (environ, response) -> the data that the browser should clear, or None.
            Clear-Site-Data: "cookies", "storage", "cache", "*", or several of them. Not called if the application has
            sent the header. Default None.
        remove: iterable of field names. Headers of the application that are removed before others are added. A header
            that is both removed and sent is replaced. Default X-Powered-By.

    Errors: ConfigError. An exception raised by clear_site_data, and a ValueError for an unknown word, count as errors
        of the application.
    Source: OWASP Secure Headers; CSP3; RFC 6797; Fetch; HTML 7; Permissions Policy; RFC 9651; Clear Site Data.
    """

    # Options of flask-talisman and others, and what to write here.
    _peers: ClassVar[dict[str, str]] = {
        "content_security_policy": "csp",
        "content_security_policy_report_only": "csp_report_only",
        "strict_transport_security": "hsts",
        "strict_transport_security_max_age": "hsts=HSTS(max_age=...)",
        "feature_policy": "permissions_policy",
        "force_https": "the layer HTTPSRedirect()",
        "x_content_type_options": "nosniff",
        "x_xss_protection": "nothing: browsers have dropped it",
    }
    effects: ClassVar[Effects] = Effects(every_response=True, unique=True)
    clear_site_data: Forget | None
    corp: str | None
    csp: CSP | None
    remove: tuple[str, ...] | None
    _nonced: dict[str, CSP]

    def __init__(
        self,
        app: Application | None = None,
        /,
        *,
        preset: Literal["basic", "balanced", "strict", "api"] = "balanced",
        csp: Policy | Default = PRESET,
        csp_report_only: Policy | Off = None,
        hsts: HSTS | Default = PRESET,
        frame_options: str | Default = PRESET,
        referrer_policy: str | Iterable[str] | Default = PRESET,
        permissions_policy: Features | Default = PRESET,
        coop: str | Default = PRESET,
        coep: str | Default = PRESET,
        corp: str | Default = PRESET,
        nosniff: bool | None = True,
        reporting_endpoints: Mapping[str, str] | Off = None,
        permitted_cross_domain_policies: str | Off = None,
        clear_site_data: Forget | Off = None,
        remove: Iterable[str] | Off = ("X-Powered-By",),
    ) -> None:
        super().__init__(app)
        preset = plain(preset)
        single = {"frame_options": frame_options, "coop": coop, "coep": coep, "corp": corp, "nosniff": nosniff}
        kept = checked(
            preset,
            **single,
            csp=csp,
            csp_report_only=csp_report_only,
            hsts=hsts,
            referrer_policy=referrer_policy,
            permissions_policy=permissions_policy,
            reporting_endpoints=reporting_endpoints,
            permitted_cross_domain_policies=permitted_cross_domain_policies,
            clear_site_data=clear_site_data,
            remove=remove,
        )
        self.__dict__.update(kept, preset=preset)
        self._prepare(sent(kept))

    def _prepare(self, fields: Mapping[str, Any]) -> None:
        """Prepare everything that is the same for all requests."""
        self._nonced = with_nonce(fields)
        self._lines = [(name, field_value(it)) for name, it in fields.items() if name not in self._nonced]
        self._edits = tuple(self._make_edits())

    def _make_edits(self) -> Iterable[Step]:
        secure = Edit(remove=self.remove or (), default=self._lines)
        plain = Edit(remove=self.remove or (), default=[line for line in self._lines if line[0] != _HSTS])
        choose = self.clear_site_data

        def add(environ: Environ, response: Response) -> None:
            (secure if environ.get("wsgi.url_scheme") == "https" else plain)(response.headers)  # RFC 6797 7.2

        yield add
        if choose is not None:

            def clear(environ: Environ, response: Response) -> None:
                kinds = None if _SITE_DATA in response.headers else choose(environ, response)
                if kinds:
                    response.headers[_SITE_DATA] = site_data(kinds)

            yield clear
        if self._nonced:
            yield naming(self._nonced.items())

    def on_request(self, environ: Environ) -> None:
        """Provide a nonce if a policy contains NONCE."""
        if self._nonced:
            offer(environ)

    def on_response(self, environ: Environ, response: Response) -> None:
        """Add the fields that are missing."""
        if NOTES in environ:
            for why in self._reasons(environ, response):
                note(environ, why)
        for edit in self._edits:
            edit(environ, response)

    def _reasons(self, environ: Environ, response: Response) -> Iterable[str]:
        """The reasons why configured headers are not added."""
        removed = {name.lower() for name in self.remove or ()}
        for name in self._names():
            if name in response.headers and name.lower() not in removed:
                yield f"the application set its own {name}"
            elif name == _HSTS and environ.get("wsgi.url_scheme") != "https":
                yield "no HSTS over http"
            elif name in self._nonced and response.status[:3] == "304":
                yield f"no {name} on a 304: the client has one, with the nonce of the page"

    def layer(self) -> Layer:
        """Fields known in advance need one hook and do not wait; a nonce may be read until the body is available."""
        layer = super().layer()
        nonced = bool(self._nonced)
        if type(self) is SecurityHeaders and not nonced:
            layer = layer._replace(on_request=None)
            if self.clear_site_data is None:
                watched = frozenset(map(str.lower, (*self._names(), *(self.remove or ()))))
                late = ("wsgi.url_scheme",)
                ordinary = Ordinary(watched, late=late, conditional=True, options=True)
                layer = layer._replace(ordinary=ordinary)
        return layer._replace(waits=layer.waits or nonced, ahead=declares_length if nonced else None)

    def declared(self) -> Effects:
        """The effects of the class. The layer sets the headers that it sends or removes.

        With NONCE, the layer provides the nonce and edits Cache-Control.
        """
        effects = self.effects
        cache = {"Cache-Control"} if self._nonced else set()
        isolates = {"corp": "cross-origin"} if self.corp in ("same-origin", "same-site") else {}
        return replace(
            effects,
            sets=effects.sets | {*self._names(), *(self.remove or ()), *cache},
            reads=effects.reads | cache,
            provides=effects.provides | ({KEY} if self._nonced else set()),
            unscripted={**effects.unscripted, **self._unscripted()},
            isolates={**effects.isolates, **isolates},
        )

    def _unscripted(self) -> dict[str, CSP]:
        """The csp option that would restrict scripts, if the policy restricts none."""
        if self.csp is None or self.csp.covers_scripts:
            return {}
        return {"csp": self.csp.extended({"script-src": "'self'"})}

    def _names(self) -> list[str]:
        """The names of the headers that are sent."""
        names = [name for name, _ in self._lines]
        return [*names, *self._nonced, *([_SITE_DATA] if self.clear_site_data is not None else [])]

    def describe(self) -> Iterable[tuple[str, str]]:
        """The steps of the layer."""
        if self._nonced:
            yield "request", f"offers the application a nonce as {KEY}"
        names = ", ".join(self._names()).replace(_HSTS, f"{_HSTS} (over https)")
        told = [f"adds {names} where they are not there yet"] if names else []
        told += [f"removes {', '.join(self.remove)}"] if self.remove else []
        yield "response", "; ".join(told) or "leaves it as it is"

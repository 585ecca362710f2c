"""The value types of SecurityHeaders: policies that are checked when they are made. No layer: they belong to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from middleware.layers.security import csp, permissions
from middleware.wsgi.options import ConfigError, Problems

if TYPE_CHECKING:
    from collections.abc import Callable

    from middleware.layers.security.csp import Sources
    from middleware.layers.security.permissions import Allowlist

_YEAR: Final = 31_536_000


@dataclass(frozen=True)
class HSTS:
    """Strict-Transport-Security: from now on, this host is reached by https only.

    Sent over https alone (`wsgi.url_scheme`), because browsers must not believe it otherwise.

    Options:
        max_age: int, seconds. How long a browser keeps to it; 0 makes it forget. Required.
        include_subdomains: bool. Whether it holds for every subdomain too. Default True.
        preload: bool. Consents to be built into browsers, which takes months to undo. Default False.

    Errors: ConfigError for anything but a whole number of seconds from 0, and for a preload of less than a year or
        without subdomains, which the preload list does not take.
    Source: RFC 6797 6.1; hstspreload.org.
    """

    max_age: int
    include_subdomains: bool = True
    preload: bool = False

    def __post_init__(self) -> None:
        problems = Problems("HSTS")
        whole = type(self.max_age) is int and self.max_age >= 0
        problems.check(whole, "max_age", "a whole number of seconds, 0 or more, such as 31536000", self.max_age)
        subdomains = self.include_subdomains
        problems.check(isinstance(subdomains, bool), "include_subdomains", "True or False", subdomains)
        problems.check(isinstance(self.preload, bool), "preload", "True or False", self.preload)
        takes = "takes a year and the subdomains: HSTS(31536000, include_subdomains=True, preload=True)"
        listed = not whole or (self.max_age >= _YEAR and subdomains)
        problems.check(listed or self.preload is not True, "preload", takes, (self.max_age, subdomains))
        problems.done()

    def __str__(self) -> str:
        parts = [f"max-age={self.max_age}"]
        parts += ["includeSubDomains"] * self.include_subdomains + ["preload"] * self.preload
        return "; ".join(parts)


class _Named:
    """A policy that is a mapping of names, made from a mapping or from keywords."""

    __slots__ = ("_members",)

    _members: dict[str, tuple[str, ...]]

    def _keep(
        self,
        pairs: Iterable[tuple[object, object]],
        named: Callable[[object], str],
        listed: Callable[[object], tuple[str, ...] | None],
    ) -> None:
        """Keep the members, each under its proper name; a member that is None is left out."""
        problems = Problems(type(self).__name__)
        self._members = {}
        for given, value in pairs:
            try:
                name, members = named(given), listed(value)
            except ValueError as error:
                problems.add(str(given), str(error), value)
                continue
            problems.check(name not in self._members, str(given), "is named once, whatever its case", value)
            self._members.update({} if members is None else {name: members})
        problems.check(self._members or problems.found, "policy", "says something: leave it out otherwise", pairs)
        problems.done()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._members == other._members

    def __hash__(self) -> int:
        return hash(str(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._members!r})"


class CSP(_Named):
    """A Content Security Policy: where scripts, styles, images and the rest may come from.

    `CSP({"default-src": "'self'", "script-src": ["'self'", NONCE]})`, `CSP(default_src="'self'")` and
    `CSP("default-src 'self'")` are the ways to write one. It is immutable, and compares by what it says.

    Options:
        policy: mapping directive -> sources, or str. Directives in kebab or snake case; a str is the whole policy.
            Default None.
        directives: sources. The same as keywords. Default none.
        Sources are a str, which spaces divide, or an iterable of str. An empty one, or True, is a directive without a
        value (upgrade-insecure-requests); None or False leaves the directive out.

    Errors: ConfigError for a name that is none or comes twice, for ; , CR LF and other text that would end a directive
        or a policy, for keywords and hashes without their single quotes, and for a nonce that is not NONCE.
    Source: CSP3 2.2, 2.3.
    """

    __slots__ = ()

    def __init__(self, policy: Mapping[str, Sources] | str | None = None, /, **directives: Sources) -> None:
        self._keep([*_pairs("CSP", policy), *directives.items()], csp.directive_name, csp.sources)

    @property
    def directives(self) -> dict[str, tuple[str, ...]]:
        """The sources by directive, as a copy."""
        return dict(self._members)

    @property
    def needs_nonce(self) -> bool:
        """Whether NONCE is among the sources."""
        return csp.has_nonce(self._members)

    def without_nonce(self) -> str:
        """The policy for a page that did not ask for the nonce. It allows nothing that the other does not."""
        return csp.policy_text(csp.without_nonce(self._members))

    @staticmethod
    def hash(script: str | bytes) -> str:
        """The source `'sha256-...'` that allows one inline script or style: the text between its tags, exactly."""
        return csp.hash_source(script)

    def __str__(self) -> str:
        return csp.policy_text(self._members)


class PermissionsPolicy(_Named):
    """Which features of the browser the page, and the frames in it, may use.

    `PermissionsPolicy({"camera": (), "fullscreen": ["self", "https://a.example"]})`, or with keywords:
    `PermissionsPolicy(camera=(), display_capture="self")`. It is immutable, and compares by what it says.

    Options:
        policy: mapping feature -> allowlist. Features in kebab or snake case. Default None.
        features: allowlists. The same as keywords. Default none.
        An allowlist is a str or an iterable of them: "self", "src", origins in lower case; "*" alone for everybody;
        () for nobody. None leaves the feature out.

    Errors: ConfigError for what is no feature name, a feature that comes twice, and what is no origin.
    Source: Permissions Policy 5.2, RFC 9651 3.2.
    """

    __slots__ = ()

    def __init__(self, policy: Mapping[str, Allowlist] | None = None, /, **features: Allowlist) -> None:
        if isinstance(policy, str):
            raise ConfigError(f"PermissionsPolicy: a mapping, such as {{'camera': ()}}; got {policy!r}")
        pairs = [*_pairs("PermissionsPolicy", policy), *features.items()]
        self._keep(pairs, permissions.feature_name, lambda who: None if who is None else permissions.allowlist(who))

    @property
    def features(self) -> dict[str, tuple[str, ...]]:
        """The allowlists by feature, as a copy."""
        return dict(self._members)

    def __str__(self) -> str:
        return permissions.policy_text(self._members)


def _pairs(owner: str, policy: object) -> Iterable[tuple[Any, Any]]:
    if policy is None:
        return ()
    if isinstance(policy, str):
        return csp.directives_of(policy)
    if isinstance(policy, Mapping):
        return policy.items()
    raise ConfigError(f"{owner}: a mapping of names; got {policy!r}")

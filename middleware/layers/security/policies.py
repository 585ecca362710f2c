"""The policies that SecurityHeaders takes: HSTS, CSP and PermissionsPolicy. Each is checked when it is made."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from middleware.http.origins import listed_fault
from middleware.http.structured import Token, dictionary
from middleware.layers.security import csp
from middleware.layers.security.csp import Sources
from middleware.wsgi.options import ConfigError, Problems, pairs, several

_YEAR: Final = 31_536_000


@dataclass(frozen=True)
class HSTS:
    """Strict-Transport-Security: browsers reach this host by https only.

    The header is sent over https only (`wsgi.url_scheme`), because browsers ignore it on http.

    Options:
        max_age: int, seconds. How long browsers remember the policy; 0 makes them forget it. Required.
        include_subdomains: bool. Whether the policy covers all subdomains. Default True.
        preload: bool. Consents to inclusion in the preload lists of browsers, which takes months to undo. Default
            False.

    Errors: ConfigError for a max_age that is not an int of at least 0, and for a preload with less than a year or
        without subdomains, which the preload list rejects.
    Source: RFC 6797 6.1; hstspreload.org.
    """

    max_age: int
    include_subdomains: bool = True
    preload: bool = False

    def __post_init__(self) -> None:
        problems = Problems("HSTS")
        seconds = type(self.max_age) is int and self.max_age >= 0
        problems.check(seconds, "max_age", "a whole number of seconds, 0 or more, such as 31536000", self.max_age)
        problems.boolean("include_subdomains", self.include_subdomains)
        problems.boolean("preload", self.preload)
        if seconds and self.preload is True and not (self.max_age >= _YEAR and self.include_subdomains):
            rule = "takes a year and the subdomains: HSTS(31536000, include_subdomains=True, preload=True)"
            problems.add("preload", rule, (self.max_age, self.include_subdomains))
        problems.done()

    def __str__(self) -> str:
        parts = [f"max-age={self.max_age}"]
        parts += ["includeSubDomains"] * self.include_subdomains + ["preload"] * self.preload
        return "; ".join(parts)


class _Policy:
    """An immutable policy of named members, given as a mapping or as keywords."""

    __slots__ = ("_members",)

    _members: dict[str, tuple[str, ...]]

    def _keep(
        self,
        given: list[tuple[Any, Any]],
        read_name: Callable[[object], str],
        read_value: Callable[[Any], tuple[str, ...] | None],
    ) -> None:
        """Keep the members by their normalized names. A value that is read as None leaves its member out."""
        problems, self._members = Problems(type(self).__name__), {}
        for key, value in given:
            try:
                name, members = read_name(key), read_value(value)
            except ValueError as error:
                problems.add(str(key), str(error), value)
                continue
            problems.check(name not in self._members, str(key), "is named once, whatever its case", value)
            self._members.update({} if members is None else {name: members})
        problems.check(self._members or problems.found, "policy", "is not empty: leave the option out instead", given)
        problems.done()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._members == other._members

    def __hash__(self) -> int:
        return hash(str(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._members!r})"


# -- Content-Security-Policy -------------------------------------------------------------------------------------------


_SCRIPTS: Final = frozenset({"default-src", "script-src", "script-src-elem"})  # CSP3 6.8.3


class CSP(_Policy):
    """A Content Security Policy: the sources from which a page may load scripts, styles, images and the rest.

    Three equal ways to write one are `CSP({"default-src": "'self'"})`, `CSP(default_src="'self'")` and
    `CSP("default-src 'self'")`. A policy is immutable. Two policies are equal if their directives are.

    Options:
        policy: mapping directive -> sources, or str. Directive names are in kebab or snake case; a str is a whole
            policy. Default None.
        directives: sources. Directives as keywords. Default none.
        Sources are a str that spaces divide, or an iterable of str. An empty one, or True, is a directive without a
        value (upgrade-insecure-requests). None or False leaves the directive out.

    Errors: ConfigError for an invalid or repeated directive name; for a semicolon, comma, line break and other text
        that would end a directive or the policy; for keywords and hashes without their single quotes; for a nonce other
        than NONCE; and for a policy without directives.
    Source: CSP3 2.2, 2.3.
    """

    __slots__ = ()

    def __init__(self, policy: Mapping[str, Sources] | str | None = None, /, **directives: Sources) -> None:
        pairs = csp.directives_of(policy) if isinstance(policy, str) else _pairs("CSP", policy)
        self._keep([*pairs, *directives.items()], csp.directive_name, csp.sources)

    def extended(self, policy: Mapping[str, Sources] | str) -> "CSP":
        """Return this policy with the directives of another in place of its own; None or False drops one.

        A policy that has default-src is returned whole.
        """
        given = [*(csp.directives_of(policy) if isinstance(policy, str) else _pairs("CSP", policy))]
        names = {str(name).replace("_", "-").lower(): value for name, value in given}
        if not given or names.get("default-src") not in (None, False):
            return CSP(policy)
        made: CSP = object.__new__(CSP)
        kept = [(name, found) for name, found in self._members.items() if name not in names]
        made._keep([*kept, *given], csp.directive_name, csp.sources)
        return made

    @property
    def covers_scripts(self) -> bool:
        """Whether the policy covers scripts: by script-src, a directive that it falls back to, or a sandbox."""
        sandboxed = "allow-scripts" not in self._members.get("sandbox", ("allow-scripts",))
        return sandboxed or not _SCRIPTS.isdisjoint(self._members)

    @property
    def directives(self) -> dict[str, tuple[str, ...]]:
        """The sources by directive, as a copy."""
        return dict(self._members)

    @property
    def needs_nonce(self) -> bool:
        """Whether NONCE is among the sources."""
        return csp.has_nonce(self._members)

    def without_nonce(self) -> str:
        """The policy for a page that did not use the nonce. It allows nothing that the policy with a nonce forbids."""
        return csp.policy_text(csp.without_nonce(self._members))

    @staticmethod
    def hash(script: str | bytes) -> str:
        """The source `'sha256-...'` that allows one inline script or style: exactly the text between its tags."""
        return csp.hash_source(script)

    def __str__(self) -> str:
        return csp.policy_text(self._members)


# -- Permissions-Policy ------------------------------------------------------------------------------------------------

Allowlist: TypeAlias = str | Iterable[str] | None
_FEATURE: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_KEYWORDS: Final = ("self", "src", "*")
_EVERYONE: Final = ("*",)
_MISTAKES: Final = (
    (re.compile("['\"]?none['\"]?"), "no origin at all is an empty list: ()"),
    (re.compile("['\"]self['\"]"), "it is written without quotes of its own: 'self'"),
    (re.compile("['\"]src['\"]"), "it is written without quotes of its own: 'src'"),
)


class PermissionsPolicy(_Policy):
    """The browser features that a page, and the frames in it, may use.

    `PermissionsPolicy({"camera": (), "fullscreen": ["self", "https://a.example"]})`, or with keywords:
    `PermissionsPolicy(camera=(), display_capture="self")`. A policy is immutable. Two policies are equal if their
    features are.

    Options:
        policy: mapping feature -> allowlist. Feature names are in kebab or snake case. Default None.
        features: allowlists. Features as keywords. Default none.
        An allowlist is a str or an iterable of str: "self", "src", and origins in lower case. "*" stands alone and
        allows everyone; () allows no one. None leaves the feature out.

    Errors: ConfigError for an invalid or repeated feature name, for an invalid origin, and for a policy without
        features.
    Source: Permissions Policy 5.2, RFC 9651 3.2.
    """

    __slots__ = ()

    def __init__(self, policy: Mapping[str, Allowlist] | None = None, /, **features: Allowlist) -> None:
        if isinstance(policy, str):
            raise ConfigError(f"PermissionsPolicy: a mapping, such as {{'camera': ()}}; got {policy!r}")
        pairs = [*_pairs("PermissionsPolicy", policy), *features.items()]
        self._keep(pairs, feature_name, lambda given: None if given is None else allowlist(given))

    @property
    def features(self) -> dict[str, tuple[str, ...]]:
        """The allowlists by feature, as a copy."""
        return dict(self._members)

    def __str__(self) -> str:
        return permissions_text(self._members)


def feature_name(name: object) -> str:
    """Return a feature name as it is sent, `display-capture` for display_capture; ValueError for an invalid one."""
    text = name.replace("_", "-").lower() if isinstance(name, str) else ""
    if _FEATURE.fullmatch(text) is None:
        raise ValueError("a feature is a name such as 'camera' or 'display-capture'")
    return text


def allowlist(given: object) -> tuple[str, ...]:
    """Return the members of an allowlist; raise ValueError for one that is neither "self", "src", "*" nor an origin."""
    members = tuple(map(str, several(given)))
    for member in members:
        for mistake, rule in _MISTAKES:
            if mistake.fullmatch(member):
                raise ValueError(rule)
        if member not in _KEYWORDS and (fault := listed_fault(member)):
            raise ValueError(f"'self', 'src', '*' or an origin such as 'https://a.example': {fault}")
    if "*" in members and members != _EVERYONE:
        raise ValueError("'*' is every origin, and stands alone")
    return members


def permissions_text(features: Mapping[str, tuple[str, ...]]) -> str:
    """Return the features as a dictionary of inner lists. Keywords are tokens, origins are strings."""
    typed = {
        name: tuple(Token(member) if member in _KEYWORDS else member for member in members)
        for name, members in features.items()
    }
    return dictionary({name: found[0] if found == _EVERYONE else found for name, found in typed.items()})


def _pairs(owner: str, policy: object) -> Iterable[tuple[Any, Any]]:
    if policy is not None and not isinstance(policy, Mapping):
        raise ConfigError(f"{owner}: a mapping of names; got {policy!r}")
    return () if policy is None else pairs(policy)

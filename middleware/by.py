"""by: keys for RateLimit and ConcurrencyLimit. Requests with the same key are counted together.

A key is a callable of the environ that returns a str, or None for a request that is not counted. Any callable will do.
The keys of this module declare the environ keys that they read, so that the order rules know which layers must stand
outside.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Final

from middleware.http.fields import environ_key, is_token
from middleware.http.paths import canonical
from middleware.wsgi.conditions import request_field
from middleware.wsgi.options import ConfigError
from middleware.wsgi.refused import called_fault, named
from middleware.wsgi.types import Environ

__all__ = ["address", "both", "header", "path", "user"]
# RFC 7239 6: a node with a port, which differs for each connection, and an IPv6 address in brackets
_NODE: Final = re.compile(r"\[(?P<ipv6>[^\]]*)\](?::[0-9]*)?|(?P<ipv4>[0-9.]+):[0-9]*")
_NETWORK: Final = 64  # bits of an IPv6 address that identify a client; the client chooses the rest (RFC 6177, RFC 8981)


class Secret(str):
    """A key from a request header, which may be a credential: stored as a hash, and hidden in its repr."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class Key:
    """A callable of the environ that returns a str, or None for a request that is not counted.

    Attributes:
        requires: frozenset of str. The environ keys that the key reads, and that outer layers may provide.
    """

    __slots__ = ("_name", "_read", "requires")

    def __init__(self, name: str, read: Callable[[Environ], str | None], requires: frozenset[str]) -> None:
        self._name, self._read, self.requires = name, read, requires

    def __call__(self, environ: Environ) -> str | None:
        """The key of a request."""
        return self._read(environ)

    def __repr__(self) -> str:
        return self._name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and other._name == self._name

    def __hash__(self) -> int:
        return hash(self._name)


def key_fault(given: object, rule: str) -> str | None:
    """Return the rule, and what to write, if this cannot be called with an environ as a key; otherwise None."""
    if given in (header, both):
        name = f"by.{named(given)}"
        return f"{rule}; {name} makes one: write {name}(...)"
    return called_fault(given, rule, "is another key each time")


def header(name: str) -> Key:
    """The value of a request header, or None if the request has none. A RateLimit stores it as a hash.

    The client chooses the value. Use the header as a key only if something in front, such as a gateway that checks API
    keys, has verified the value, and limit by `address` too.

    Options:
        name: str, a field name in any case. The name of the header. Required.

    Errors: ConfigError for a name that is not a token.
    """
    if not is_token(name):
        raise ConfigError(f"by.header: the name of a header is a token (RFC 9110 5.1); got {name!r}")
    key = environ_key(name)

    def read(environ: Environ) -> str | None:
        value = request_field(environ, key)
        return None if value is None else Secret(value)

    return Key(f"by.header({name!r})", read, frozenset())


def both(*keys: Callable[[Environ], str | None]) -> Key:
    """All of these keys together: `both(address, path)` counts each path of each client. None if one of them is None.

    Options:
        keys: callables of environ -> str or None. The keys, usually two or more. Required.

    Errors: ConfigError if there are no keys, or if one is not callable.
    """
    rule = "by.both: callables of environ, such as by.address"
    fault = next(filter(None, (key_fault(key, rule) for key in keys)), None) if keys else rule
    if fault is not None:
        raise ConfigError(f"{fault}; got {keys!r}")

    def read(environ: Environ) -> str | None:
        parts = []
        for key in keys:
            part = key(environ)
            if part is None:
                return None
            parts.append(part)
        # Include the length of each part, so that different parts never make the same text.
        joined = "".join(f"{len(part)}:{part}" for part in parts)
        return Secret(joined) if any(isinstance(part, Secret) for part in parts) else joined

    requires = frozenset[str]().union(*(getattr(key, "requires", ()) for key in keys))
    return Key(f"by.both({', '.join(map(repr, keys))})", read, requires)


def _key(*requires: str) -> Callable[[Callable[[Environ], str | None]], Key]:
    """A decorator that makes a function a Key that reads these environ keys."""
    return lambda read: Key(f"by.{read.__name__}", read, frozenset(requires))


@_key("REMOTE_ADDR")
def address(environ: Environ) -> str:
    """The address of the client (REMOTE_ADDR): IPv6 by its /64, IPv4-mapped as its IPv4; empty without an address.

    Behind a proxy, this is the address of the proxy for all clients, unless the server or ProxyFix replaces it. A port
    beside the address, which some proxies write into X-Forwarded-For, does not count.
    """
    given = environ.get("REMOTE_ADDR") or ""
    return _client(given) if ":" in given else given


@lru_cache(maxsize=4096)
def _client(text: str) -> str:
    """The network of an IPv6 address, and the IPv4 address that is mapped to one (RFC 4291 2.5.5.2), without a port."""
    node = _NODE.fullmatch(text)
    if node is not None:
        text = node["ipv4"] or node["ipv6"]
    try:
        found = IPv6Address(text.partition("%")[0])
    except ValueError:
        return text
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return f"{IPv6Address(int(found) >> _NETWORK << _NETWORK)}/{_NETWORK}"


@_key("REMOTE_USER")
def user(environ: Environ) -> str | None:
    """The user (REMOTE_USER) that BasicAuth or the server has verified, or None if there is none."""
    return environ.get("REMOTE_USER") or None


@_key()
def path(environ: Environ) -> str:
    """The path (SCRIPT_NAME and PATH_INFO), one key for all of its spellings: //a, /x/../a and /a/ are /a.

    A view may have many paths: to limit one view, use `address` as the key and `match.path` as the condition. All paths
    that `match.path` does not read, such as those over 2,048 characters, share one key.
    """
    return canonical(environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", ""))

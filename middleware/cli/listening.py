"""Listening: `HOST:PORT` as a socket, and a socket as a URL."""

from __future__ import annotations

import socket

from middleware.cli.errors import CommandError

_FORM = "write HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080; port 0 is any that is free"
_INHERITED = "fd://"


def listen(address: str) -> socket.socket:
    """Return a socket that listens on `HOST:PORT`, or the inherited one that `fd://NUMBER` names.

    Errors: CommandError if it is neither, or if the system refuses.
    """
    try:
        if address.startswith(_INHERITED):
            return socket.socket(fileno=_number(address, address.removeprefix(_INHERITED)))
        host, port = _parsed(address)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except OSError as error:
        said = (error.strerror or str(error)).partition(" (while")[0]  # the address is in the message
        raise CommandError(f"cannot listen on {address}: {said}") from None


def url(listener: socket.socket) -> str:
    """Where a listening socket is reached."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _parsed(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    number = _number(address, port)
    if not bare or number > 0xFFFF or (":" in bare) != (host != bare):
        raise CommandError(f"--listen {address}: {_FORM}")
    return bare, number


def _number(address: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise CommandError(f"--listen {address}: {_FORM}")
    return int(text)

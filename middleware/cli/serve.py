"""`serve`: loads an application, wraps it in a stack and serves it; `--reload` restarts it when a file changes."""

import os
import socket
import warnings
from argparse import Namespace
from collections.abc import Sequence
from typing import Any, Final

from middleware.cli.debugging import check_debug, debugged
from middleware.cli.logged import logged
from middleware.cli.output import CommandError, raised, say, source_lines
from middleware.cli.reloading import CHANGED, PATIENCE, Watch, supervise
from middleware.cli.server import listen, run
from middleware.cli.targets import STACK, load, load_application
from middleware.sight.nested import stacks_in
from middleware.stack.builder import Stack
from middleware.stack.order import OrderError, OrderWarning
from middleware.stack.rules import described
from middleware.wsgi.types import Application

FORWARDED: Final = "x-forwarded-for,x-forwarded-proto,x-forwarded-host"


def serve(arguments: Namespace) -> int:
    """Serve `arguments.app`, in `arguments.stack` if given, until a signal; return 0.

    Errors: CommandError for a wrong target or address; of status 1 for a broken order rule.
    """
    adjustments = _adjustments(arguments)
    with listen(arguments.listen) as listener:
        if arguments.debug:
            check_debug(listener, arguments.trusted_proxy)
        if arguments.reload:
            again = [given for given in arguments.given if given != "--reload"]
            return supervise(again, listener, arguments.program)
        if arguments.watched:
            return _serve_watched(arguments, listener, adjustments)
        run(_prepared(arguments, listener), listener, **adjustments)
    return 0


def _adjustments(arguments: Namespace) -> dict[str, Any]:
    """The keyword arguments of `run`, with waitress's options among them."""
    if arguments.threads < 1:
        raise CommandError(f"--threads {arguments.threads}: at least one is needed")
    if not arguments.grace >= 0:  # NaN included
        raise CommandError(f"--grace {arguments.grace:g}: seconds, 0 or more")
    found = {"threads": arguments.threads, "grace": arguments.grace}
    if arguments.debug:
        found["clear_untrusted_proxy_headers"] = False  # requests through a proxy must be recognizable
    names, count = arguments.trusted_proxy_headers, arguments.trusted_proxy_count
    if count < 1:  # with 0, waitress believes the address that the client itself wrote
        raise CommandError(f"--trusted-proxy-count {count}: at least one is needed")
    if arguments.trusted_proxy is not None:
        trusted = {"trusted_proxy_headers": set(names.split(",")), "trusted_proxy_count": count}
        return {**found, "trusted_proxy": arguments.trusted_proxy, **trusted}
    if (names, count) != (FORWARDED, 1):
        raise CommandError("--trusted-proxy-headers and --trusted-proxy-count go with --trusted-proxy ADDRESS")
    return found


def _serve_watched(arguments: Namespace, listener: socket.socket, adjustments: dict[str, Any]) -> int:
    """Serve as the child of a reloading parent.

    A target that cannot be loaded ends the first child; a later child waits until a file changes.
    """
    watch = Watch()
    try:
        app = _prepared(arguments, listener)
    except CommandError as error:
        if arguments.watched == "first":
            raise
        # The current directory changes with a new file.
        files = (file for file, _ in source_lines(error.__cause__ or error))
        suspects = [os.getcwd(), *files]  # noqa: PTH109 - a str, as the files are
        watch.over(suspects)  # before the message, because the user may write a file at once
        say(f"{error}\nWaiting for a change", error=True)
        return CHANGED if watch.wait(suspects) else 0
    watch.over()
    ended = run(app, listener, over=watch.over, patience=PATIENCE, deaf=True, **adjustments)
    return CHANGED if watch.changed and not ended else 0


def _prepared(arguments: Namespace, listener: socket.socket) -> Application:
    """Load and wrap the application, and print its chain."""
    app = load_application(arguments.app)
    stack = load(arguments.stack, STACK) if arguments.stack is not None else None
    wrapped = app if stack is None else wrap(stack, app)
    say(told([*([] if stack is None else [("", stack)]), *stacks_in(app)]))
    wrapped = logged(wrapped, arguments.access_log)
    return debugged(wrapped, listener) if arguments.debug else wrapped


def wrap(stack: Stack, app: Application) -> Application:
    """Return `app` inside `stack`. Prints each warning of the order rules on stderr.

    Errors: CommandError of status 1 for a broken order rule; of status 2 if a third-party middleware fails to wrap the
    application.
    """
    for finding in stack.check():
        if finding.severity == "warning":
            say(f"warning: {described(finding)}", error=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OrderWarning)
            return stack.wrap(app)
    except OrderError as error:
        raise CommandError(str(error), 1) from error
    except Exception as error:
        raise CommandError(f"wrapping the application failed: {raised(error)}") from error


def told(stacks: Sequence[tuple[str, Stack]]) -> str:
    """The chains of stacks, outermost first, with the paths that they are mounted on."""
    chains = [f"Mounted on {at}:\n{stack}" if at else str(stack) for at, stack in stacks]
    return "\n".join(chains) or "No stack: the application as it is"

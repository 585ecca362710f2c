"""`serve`: a target, wrapped and served; again whenever a file changes, if that is wanted."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any, Final

from middleware.cli.errors import CommandError, places, raised
from middleware.cli.listening import listen
from middleware.cli.output import say
from middleware.cli.reloading import CHANGED, PATIENCE, Watch, supervise
from middleware.cli.serving import run
from middleware.cli.targets import APPLICATION, STACK, load, stack_of
from middleware.stack.order import OrderError, OrderWarning

if TYPE_CHECKING:
    import socket
    from argparse import Namespace

    from middleware.stack.builder import Stack
    from middleware.wsgi.types import Application

FORWARDED: Final = "x-forwarded-for,x-forwarded-proto,x-forwarded-host"


def serve(arguments: Namespace) -> int:
    """Serve `arguments.app`, in `arguments.stack` if that is given; return 0 when it was asked to end.

    Errors: CommandError for a wrong target or address, and, of status 1, for an order that goes wrong.
    """
    adjustments = _adjustments(arguments)
    with listen(arguments.listen) as listener:
        if arguments.reload:
            again = [given for given in arguments.given if given != "--reload"]
            return supervise(again, listener, arguments.program)
        if arguments.watched:
            return _serve_watched(arguments, listener, adjustments)
        run(_prepared(arguments), listener, **adjustments)
    return 0


def _adjustments(arguments: Namespace) -> dict[str, Any]:
    """The options in the words of `run` and of waitress."""
    if arguments.threads < 1:
        raise CommandError(f"--threads {arguments.threads}: at least one has to do the work")
    if not arguments.grace >= 0:  # NaN included
        raise CommandError(f"--grace {arguments.grace:g}: seconds, 0 or more")
    return {"threads": arguments.threads, "grace": arguments.grace, **_proxy(arguments)}


def _proxy(arguments: Namespace) -> dict[str, Any]:
    names, count = arguments.trusted_proxy_headers, arguments.trusted_proxy_count
    if arguments.trusted_proxy is not None:
        trusted = {"trusted_proxy_headers": set(names.split(",")), "trusted_proxy_count": count}
        return {"trusted_proxy": arguments.trusted_proxy, **trusted}
    if (names, count) != (FORWARDED, 1):
        raise CommandError("--trusted-proxy-headers and --trusted-proxy-count go with --trusted-proxy ADDRESS")
    return {}


def _serve_watched(arguments: Namespace, listener: socket.socket, adjustments: dict[str, Any]) -> int:
    """Be the child of a reloading parent. A target that cannot be served is waited for, unless it is the first."""
    watch = Watch()
    try:
        app = _prepared(arguments)
    except CommandError as error:
        if arguments.watched == "first":
            raise
        suspects = _suspects(error)
        watch.over(suspects)  # what is written from now on is a change
        say(f"{error}\nWaiting for a change", error=True)
        return CHANGED if watch.wait(suspects) else 0
    watch.over()
    ended = run(app, listener, over=watch.over, patience=PATIENCE, deaf=True, **adjustments)
    return CHANGED if watch.changed and not ended else 0


def _suspects(error: CommandError) -> list[str]:
    """The files that may have to change before a target can be served; the directory changes with a new file."""
    return [os.getcwd(), *(file for file, _ in places(error.__cause__ or error))]  # noqa: PTH109 - files are str


def _prepared(arguments: Namespace) -> Application:
    """The application as it will be served, once its chain is printed."""
    app = load(arguments.app, APPLICATION)
    stack = load(arguments.stack, STACK) if arguments.stack is not None else None
    wrapped = app if stack is None else wrap(stack, app)
    say(told(stack, stack_of(app)))
    return wrapped


def wrap(stack: Stack, app: Application) -> Application:
    """Return `app` inside `stack`. Warnings of the order rules go to stderr, a line each.

    Errors: CommandError of status 1 with the findings of an order that goes wrong; of status 2 if a third-party
    middleware does not take the application.
    """
    for finding in stack.check():
        if finding.severity == "warning":
            say(f"warning: {finding.message} (rule {finding.rule}; mend it by {finding.fix})", error=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OrderWarning)
            return stack.wrap(app)
    except OrderError as error:
        raise CommandError(str(error), 1) from error
    except Exception as error:
        raise CommandError(f"wrapping the application failed: {raised(error)}") from error


def told(*stacks: Stack | None) -> str:
    """The chains of the stacks that there are, outermost first."""
    return "\n".join(str(stack) for stack in stacks if stack is not None) or "No stack: the application as it is"

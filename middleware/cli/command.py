"""The command line parser. Each subcommand is implemented in the module of its name, `check` in `show`."""

import platform
import re
import sys
from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn

import middleware
from middleware.cli.demo import demo
from middleware.cli.explaining import explaining, sent
from middleware.cli.logged import ACCESS_LOGS
from middleware.cli.output import CommandError, flush, nearest, prepare, result, say
from middleware.cli.serve import FORWARDED, serve
from middleware.cli.server import GRACE
from middleware.cli.show import FORMATS, check, show

PROGRAM: Final = "python -m middleware"
_ADDRESS: Final = "127.0.0.1:8080"
_STACK: Final = (
    "a stack, or an application with stacks in it, or a factory as in app:create_app(); STACK may be dotted, and the "
    "current directory is importable"
)
_APP: Final = "a WSGI application, such as app:application, or a factory as in app:create_app()"
_PROCESSES: Final = "it serves in one process, with --threads N; for several, give the application to gunicorn or uWSGI"
# The equivalents of options of other servers. {} is the value given.
_OTHERS: Final = {
    "--port": "write --listen 127.0.0.1:{}",
    "-p": "write --listen 127.0.0.1:{}",
    "--host": "write --listen {}:8080",
    "--bind": "write --listen {}",
    "-b": "write --listen {}",
    "--workers": _PROCESSES,
    "-w": _PROCESSES,
    "--processes": _PROCESSES,
    "--factory": "write MODULE:create_app(), with parentheses",
}
_CHOICE: Final = re.compile(r"invalid choice: '(.*)' \(choose from (.*)\)")


def main(argv: Sequence[str] | None = None, *, program: str = PROGRAM) -> int:
    """Run the command with these arguments; return its exit status. The default is the arguments of the process.

    0: success. 1: an order rule is broken. 2: a wrong argument, explained in one line on stderr. 130: Ctrl-C before
    anything is served.
    """
    prepare()
    given = list(sys.argv[1:] if argv is None else argv)
    try:
        arguments = _parsed(given, program)
        status: int = arguments.run(arguments)
    except CommandError as error:
        say(f"{program}: {error}", error=True)
        return error.status
    except KeyboardInterrupt:
        return 130
    finally:
        flush()
    return status


def _parsed(given: Sequence[str], program: str) -> Namespace:
    """The arguments. Raises CommandError for unknown ones; the message suggests a replacement where one is known."""
    arguments, unknown = parser(program).parse_known_args(given, Namespace(given=given, program=program))
    if not unknown:
        return arguments
    option = next((each for each in unknown if each.startswith("-")), "")
    name, _, value = option.partition("=")
    known = re.findall(r"--[a-z-]+", arguments.usage())
    if name in _OTHERS and "--listen" in known:
        value = value or next(iter(given[given.index(option) + 1 :]), "ADDRESS")
        hint = f"; {_OTHERS[name].format(value)}"
    else:
        hint = nearest(name, known)
    raise CommandError(f"unrecognized arguments: {' '.join(unknown)}{hint}; {program} --help shows what there is")


class _Parser(ArgumentParser):
    """Accepts options by their full names only. Raises CommandError for a wrong one."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False)
        self.suggest_on_error = False  # from Python 3.14 on; `error` suggests by itself
        self.set_defaults(usage=self.format_usage)  # a subcommand replaces that of the command

    def _print_message(self, message: str, file: object = None) -> None:  # noqa: ARG002 - stdout
        """Print the help or the version, which are results: argparse ignores that they cannot be written."""
        result(message.rstrip("\n"), plain=True)

    def error(self, message: str) -> NoReturn:
        wrong = _CHOICE.search(message)
        near = nearest(wrong[1], re.findall(r"[\w-]+", wrong[2])) if wrong else ""
        raise CommandError(f"{message}{near}; {self.prog} --help shows what there is")


def parser(program: str = PROGRAM) -> ArgumentParser:
    """Return the parser of the command and its subcommands."""
    whole = _Parser(prog=program, description="Serve, show, check and explain stacks of WSGI middleware.")
    version = f"wsgi-middleware-stack {middleware.__version__}, Python {platform.python_version()}"
    whole.add_argument("--version", action="version", version=version)
    commands = whole.add_subparsers(required=True, metavar="COMMAND", title="commands")
    _add_serve(commands)

    showing = _added(commands, "show", show, "show the chain of a stack", "Show the chain of a stack.")
    showing.add_argument("stack", metavar="MODULE:STACK", help=_STACK)
    showing.add_argument("--format", choices=FORMATS, default="text", help="default: %(default)s")

    told = "Check the order of a stack. Exit status 1 if something would go wrong for clients."
    checking = _added(commands, "check", check, "check the order of a stack", told)
    checking.add_argument("stack", metavar="MODULE:STACK", help=_STACK)

    told = (
        "Send one request through an application, without a server, and report what each layer did to it and why. "
        "The request is a real one: rate limits count it, logs have it, and the application runs with its side effects."
    )
    telling = _added(commands, "explain", explaining, "tell why a response looks as it does", told)
    telling.add_argument("app", metavar="MODULE:APP", help=_APP)
    telling.add_argument("--stack", metavar="MODULE:STACK", help="wrap it in this stack; default: as it is")
    telling.add_argument("-X", dest="method", metavar="METHOD", help="default: GET, or POST with -d")
    telling.add_argument(
        "-H",
        dest="header",
        metavar="'Name: value'",
        action="append",
        default=[],
        help="a header; an empty value leaves it out",
    )
    telling.add_argument(
        "-d",
        dest="data",
        metavar="DATA",
        type=sent,
        action="append",
        default=[],
        help="the request body, a form unless -H says otherwise; @FILE reads it; several are joined by &",
    )
    telling.add_argument("--format", choices=("text", "json"), default="text", help="default: %(default)s")
    telling.add_argument("path", metavar="PATH", help="a path such as '/a?b=c', or a URL")

    told = (
        "Serve a page that shows what a stack did to the very response that brought it, and to recorded exchanges. The "
        "Inspector, at the URL that is printed, shows the requests of the visitor."
    )
    _add_listen(_added(commands, "demo", demo, "serve a small application in a stack", told))
    return whole


def _added(commands: Any, name: str, run: Callable[[Namespace], int], summary: str, description: str) -> ArgumentParser:
    """Add a subcommand that `run` runs; return its parser."""
    made: ArgumentParser = commands.add_parser(name, help=summary, description=description)
    made.set_defaults(run=run)
    return made


def _add_serve(commands: Any) -> None:
    told = (
        "Serve a WSGI application, in a stack or as it is. SIGTERM and SIGINT end it after the requests in flight, "
        "except those that take longer than the grace; a second signal ends it at once."
    )
    serving = _added(commands, "serve", serve, "serve an application", told)
    serving.add_argument("app", metavar="MODULE:APP", help=_APP)
    serving.add_argument("--stack", metavar="MODULE:STACK", help="wrap it in this stack; default: serve it as it is")
    _add_listen(serving)
    serving.add_argument("--threads", metavar="N", type=int, default=4, help="worker threads; default: %(default)s")
    serving.add_argument(
        "--grace",
        metavar="SECONDS",
        type=float,
        default=GRACE,
        help="the time for requests in flight after a signal; default: %(default)s",
    )
    serving.add_argument(
        "--access-log",
        choices=ACCESS_LOGS,
        default="combined",
        help="a line on stderr for each request, unless the application has an AccessLog for all; default: %(default)s",
    )
    serving.add_argument(
        "--debug",
        action="store_true",
        help="show exchanges and tracebacks in the browser, on this machine only, by the URL that is printed",
    )
    serving.add_argument("--reload", action="store_true", help="restart when a loaded Python source file changes")
    serving.add_argument("--watched", choices=("first", "again"), help=SUPPRESS)
    proxy = serving.add_argument_group("behind a proxy", "headers of proxies are dropped unless one is trusted")
    proxy.add_argument("--trusted-proxy", metavar="ADDRESS", help='its address, or "*" for any peer')
    proxy.add_argument(
        "--trusted-proxy-headers", metavar="NAMES", default=FORWARDED, help="what it sets; default: %(default)s"
    )
    proxy.add_argument("--trusted-proxy-count", metavar="N", type=int, default=1, help="how many in a row; default: 1")


def _add_listen(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--listen", metavar="HOST:PORT", default=_ADDRESS, help="port 0: any that is free; default: %(default)s"
    )

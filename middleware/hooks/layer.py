"""Hooks: Flask's request hooks around any WSGI application."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, Literal

from middleware.hooks.context import bound
from middleware.hooks.crossing import Passage, Policy
from middleware.hooks.dispatch import Dispatcher
from middleware.hooks.entrance import Hooked
from middleware.hooks.forms import Limits
from middleware.hooks.registering import Registering
from middleware.hooks.registry import Registry
from middleware.hooks.teardown import end
from middleware.wsgi.options import Problems

if TYPE_CHECKING:
    from collections.abc import Iterator

    from middleware.wsgi.types import Application, Environ


class Hooks(Registering, Hooked):
    """Runs functions before and after each request, for its errors and at its end, as Flask's hooks do.

    Register by `@hooks.before_request`, `@hooks.after_request`, `@hooks.teardown_request`, `@hooks.errorhandler(404)`,
    in all requests or in a scope, before the first request. Copies (`wrap`, `named`, `when`, in a stack) share what is
    registered. Without hooks it answers nothing but errors.

    Stands inside layers whose headers belong on every response, and outside of what the hooks shall see. Errors of
    what stands inside are answered here: layers in there do not see those responses. Does nothing to a body that no
    hook touches.

    An application that turns errors into responses hides them from errorhandlers. It can raise them instead (Flask:
    PROPAGATE_EXCEPTIONS, Django: DEBUG_PROPAGATE_EXCEPTIONS, Bottle: catchall=False), or put the exception into
    environ["middleware.exception"] while it answers.

    Options:
        after_order: "reverse" or "registration". Which of the after_request hooks of a scope runs first: the last
            registered, as in Flask, or the first. Default "reverse".
        teardown: "close" or "flask". When teardown_request hooks run: when the body is closed, and they are told how
            that went, or before the body is iterated. Default "close".
        propagate_exceptions: bool. Whether an exception that no errorhandler is for is raised instead of becoming a
            500. Default False.
        statuses: bool. Whether errorhandlers for codes also get responses of the application with these. Default
            False: exceptions only, as in Flask.
        max_content_length: int in bytes, or None. A body over this size is a 413 where a hook reads it; the
            application, which is not called then, has limits of its own. Default None: no limit.
        max_form_memory_size: int in bytes, or None. A field of a multipart form over this size is a 413 where a hook
            reads the form; files are kept on disk. Default 500,000.
        max_form_parts: int, or None. A multipart form of more parts is a 413 where a hook reads it. Default 1,000.

    Errors: ConfigError for other values; AssertionError for a function registered after the first request.
    Source: Flask 3.1.
    """

    _counted: ClassVar[tuple[str, ...]] = ("before", "after", "teardown")

    def __init__(
        self,
        app: Application | None = None,
        /,
        *,
        after_order: Literal["reverse", "registration"] = "reverse",
        teardown: Literal["close", "flask"] = "close",
        propagate_exceptions: bool = False,
        statuses: bool = False,
        max_content_length: int | None = None,
        max_form_memory_size: int | None = 500_000,
        max_form_parts: int | None = 1000,
    ) -> None:
        super().__init__(app)
        problems = Problems("Hooks")
        orders, moments = ("reverse", "registration"), ("close", "flask")
        problems.check(after_order in orders, "after_order", '"reverse" or "registration"', after_order)
        problems.check(teardown in moments, "teardown", '"close" or "flask"', teardown)
        for option, value in (("propagate_exceptions", propagate_exceptions), ("statuses", statuses)):
            problems.check(isinstance(value, bool), option, "True or False", value)
        limits = Limits(max_content_length, max_form_memory_size, max_form_parts).check(problems)
        problems.done()
        self.after_order, self.teardown = after_order, teardown
        self.propagate_exceptions, self.statuses = propagate_exceptions, statuses
        self.max_content_length, self.max_form_memory_size, self.max_form_parts = limits
        self._registry = Registry(after_order, limits)
        self._late = teardown == "close"
        self._scope = self._registry.root

    def dispatcher(self, app: Application) -> Dispatcher:
        """What runs the hooks around `app`."""
        return Dispatcher(app, self._registry, Policy(self.propagate_exceptions, self.statuses))

    @contextmanager
    def request_context(self, environ: Environ) -> Iterator[None]:
        """Bind a request without running it, for scripts and tests. Teardown hooks run at the end."""
        self._registry.close()
        passage = Passage(environ, lambda *_: lambda _: None)
        passage.registry = self._registry
        passage.plan = self._registry.plan_for(passage)
        try:
            with bound(passage):
                yield
        except BaseException as error:
            end(passage, error)
            raise
        end(passage, None)

"""Splitting: a layer that wraps the application by itself, and so splits a stack into two passes."""

from abc import abstractmethod
from typing import Any, ClassVar

from middleware.wsgi.conditions import asked, varying
from middleware.wsgi.effects import declared_by
from middleware.wsgi.layer import Middleware
from middleware.wsgi.pipeline import pipeline
from middleware.wsgi.types import Application, Predicate


class Splitting(Middleware):
    """The base of layers that are not part of a pass: one pass runs outside of them, another inside.

    Attributes:
        answers_errors: ClassVar[bool]. Whether the layer answers exceptions of inner layers and the application, which
            inner passes then raise.
    """

    answers_errors: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in ("on_request", "on_response", "on_close"):
            if getattr(cls, name) is not getattr(Middleware, name):
                raise TypeError(f"{cls.__name__}.{name} would never be called: the layer wraps the application itself")

    @abstractmethod
    def around(self, app: Application) -> Application:
        """Return `app` inside this layer."""

    def placed(self, app: Application) -> Application:
        """Return `app` inside this layer, and inside the layer that adds the Vary of its condition."""
        around, vary = self.around(app), varying(self.condition)
        return pipeline(around, vary) if vary else around

    @property
    def asked(self) -> Predicate | None:
        """The predicate that decides whether the layer takes part in a request; None if it always does."""
        return None if self.condition is None else asked(self.condition, declared_by(self))

    def _bind(self) -> None:
        super()._bind()
        if self.app is not None:
            self.__dict__["_run"] = self.placed(self.app)

"""Splitting: a layer that puts something of its own around an application, and so splits a stack into two passes."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from middleware.wsgi.middleware import Middleware

if TYPE_CHECKING:
    from middleware.wsgi.types import Application


class Splitting(Middleware):
    """The base of layers that are no part of a pass: one pass runs outside of them, another inside.

    Attributes:
        answers_errors: ClassVar[bool]. Exceptions of what stands inside are its to answer: the passes there raise them.
    """

    answers_errors: ClassVar[bool] = False

    @abstractmethod
    def around(self, app: Application) -> Application:
        """Return `app` inside this layer."""

    def _bind(self) -> None:
        super()._bind()
        if self.app is not None:
            self.__dict__["_run"] = self.around(self.app)

"""The server of `middleware.testing`, under a short name."""

from __future__ import annotations

from middleware.testing.gateway import Answer, environ, serve

__all__ = ["Answer", "environ", "serve"]

"""Tells people what happened to a request: `Stack.explain`, and `Inspector`, a page for development."""

"""Tests for those who write WSGI middleware, of any kind: whether it is transparent, and whether an order stays.

Everything here works without pytest; with it, `middleware.testing.plugin` has the same as fixtures.
"""

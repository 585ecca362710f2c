"""Syntax: the field grammar and rules of HTTP, as pure functions.

Nothing here knows an environ, a start_response or a policy; nothing here imports the rest of the package.
"""

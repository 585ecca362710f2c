"""The command line, `python -m middleware`: serve, show, check and demo; the only place that imports waitress.

waitress loads when something is served, not before.
"""

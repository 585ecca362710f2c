"""The command line, `python -m middleware`: serve, show, check, explain and demo. Only this package imports waitress.

waitress is imported when an application is first served.
"""

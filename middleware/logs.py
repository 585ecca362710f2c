"""Filters for `logging` that put the id of the request on log records."""

import logging

from middleware.wsgi.identity import request_id


class RequestIdFilter(logging.Filter):
    """Puts `request_id` on every log record that passes: the id that `RequestId` gave the request of this context.

    Belongs on a handler, so that it sees the records of every logger: a filter of a logger does not see those of the
    loggers below it. Lets every record pass. A record that has an id keeps it.

    Options:
        name: str. The argument of `logging.Filter`, without effect here. Default "".
        default: str or None. The id outside of a request. Default None.
    """

    def __init__(self, name: str = "", *, default: str | None = None) -> None:
        super().__init__(name)
        self.default = default

    def filter(self, record: logging.LogRecord) -> bool:
        """Put the id on a record."""
        if getattr(record, "request_id", None) is None:
            current = request_id()
            record.request_id = self.default if current is None else current
        return True

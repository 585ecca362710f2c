"""The metrics of Server-Timing: names with parameters (W3C Server Timing, "The Server-Timing Header Field")."""

from typing import Final

from middleware.http.fields import Line, is_token, value_fault
from middleware.http.lists import quoted_string

_KEPT: Final = 1000  # lines
_LONGEST: Final = 1e300  # seconds: the milliseconds of a longer time are not finite


def metric_fault(name: object, description: object = None) -> str | None:
    """The rule that a metric name or description breaks, or None."""
    if not is_token(name):
        return f"a metric name is a token (Server Timing, metric-name); got {name!r}"
    if description is not None and (fault := value_fault(description)) is not None:
        return f"{fault}; got {description!r} as description"
    return None


def duration_fault(seconds: object) -> str | None:
    """The rule that a duration breaks, or None."""
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        return f"a duration is a number of seconds; got {seconds!r}"
    if not 0 <= seconds <= _LONGEST:
        return f"a duration is finite, also in milliseconds, and not negative; got {seconds!r}"
    return None


def metric(name: str, seconds: float, description: str | None, precision: int) -> str:
    """Return one metric, `name;desc="...";dur=1.234`, in milliseconds without an exponent in every locale."""
    text = name if description is None else f"{name};desc={quoted_string(description)}"
    return f"{text};dur={max(0.0, seconds) * 1000.0:.{precision}f}"


class MetricLines:
    """Makes the header line that has one metric, from the time in ticks, the unit of the last decimal place.

    Formatting the number is the slowest part of a line. The lines of the first thousand ticks, up to a millisecond at
    three decimal places, are cached; for longer requests the cost is negligible.
    """

    __slots__ = ("_field", "_metric", "_precision", "_ticks")

    def __init__(self, field: str, name: str, description: str | None, precision: int) -> None:
        self._field, self._metric, self._precision = field, (name, description), precision
        self._ticks = 10.0 ** (precision + 3)

    def kept(self, ticks: int, lines: dict[int, Line]) -> Line:
        """Return the line for a time, and cache it in `lines` if it is one of the first thousand."""
        name, description = self._metric
        line = self._field, metric(name, ticks / self._ticks, description, self._precision)
        if ticks < _KEPT:
            lines[ticks] = line
        return line

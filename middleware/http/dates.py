"""HTTP dates: the preferred form and the two obsolete ones, as seconds since 1970 (RFC 9110 5.6.7)."""

import re
import time
from calendar import timegm
from datetime import datetime, timezone
from typing import Final

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LONG_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAY: Final = f"(?:{'|'.join(_DAYS)})"
_MONTH: Final = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME: Final = "(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
# All three are case-sensitive. The day name is not compared with the date.
_FORMS: Final = (
    # IMF-fixdate, RFC 850, asctime
    re.compile(rf"{_DAY}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT"),
    re.compile(rf"(?:{'|'.join(_LONG_DAYS)}), (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT"),
    re.compile(rf"{_DAY} {_MONTH} (?P<day>[0-9]{{2}}| [0-9]) {_TIME} (?P<year>[0-9]{{4}})"),
)
_FUTURE: Final = 50  # years: a two-digit year that would be later is in the past


def http_date(text: str) -> int | None:
    """The seconds since 1970 of a date in any of the three forms, or None for other text.

    A two-digit year that would be more than 50 years ahead is in the past. The second may be 60, a leap second.
    """
    found = next(filter(None, (form.fullmatch(text) for form in _FORMS)), None)
    if found is None:
        return None
    year = int(found["year"])
    if len(found["year"]) == 4:
        return _seconds(year, found)
    now = time.gmtime()
    latest = now.tm_year + _FUTURE
    year = latest - (latest - year) % 100
    seconds = _seconds(year, found)
    too_late = seconds is not None and seconds > timegm((latest, *now[1:6]))
    return _seconds(year - 100, found) if too_late else seconds


def _seconds(year: int, found: re.Match[str]) -> int | None:
    second = int(found["second"])
    month, day, hour, minute = _MONTHS.index(found["month"]) + 1, *map(int, found.group("day", "hour", "minute"))
    try:
        date = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=timezone.utc)
    except ValueError:  # no such day or time, or the year 0
        return None
    return None if second > 60 else timegm(date.timetuple()) + second - date.second

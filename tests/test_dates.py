"""Dates of HTTP, in three forms (RFC 9110 5.6.7)."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middleware.http.dates import http_date

EXAMPLE = 784111777
NOW = 1_790_000_000  # 2026-09-21 14:13:20


@pytest.fixture(autouse=True)
def a_day_of_2026(monkeypatch):
    there = time.gmtime(NOW)
    monkeypatch.setattr("middleware.http.dates.time.gmtime", lambda: there)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", EXAMPLE),
        ("Sunday, 06-Nov-94 08:49:37 GMT", EXAMPLE),
        ("Sun Nov  6 08:49:37 1994", EXAMPLE),
        ("Wed Nov 16 08:49:37 1994", EXAMPLE + 10 * 86400),
        ("Mon, 06 Nov 1994 08:49:37 GMT", EXAMPLE),  # the day name is not looked at
        ("Sat, 31 Dec 2016 23:59:60 GMT", 1483228800),  # a leap second
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Tue, 29 Feb 2000 00:00:00 GMT", 951782400),
        ("Monday, 21-Sep-76 14:13:20 GMT", NOW + 18263 * 86400),  # 50 years ahead to the second
        ("Monday, 21-Sep-76 14:13:21 GMT", NOW + 1 - 18262 * 86400),  # and later, so in the past
        ("Friday, 21-Sep-77 00:00:00 GMT", 243648000),
        ("Sun, 30 Feb 2020 00:00:00 GMT", None),
        ("Sun, 06 Nov 0000 08:49:37 GMT", None),
        ("Friday, 31-Feb-76 00:00:00 GMT", None),
        ("Sun, 06 Nov 1994 24:00:00 GMT", None),
        ("Sun, 06 Nov 1994 08:49:61 GMT", None),
        ("sun, 06 nov 1994 08:49:37 gmt", None),
        ("Sun, 06 Nov 1994 08:49:37", None),
        ("Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", None),
        ("Sun, 6 Nov 1994 08:49:37 GMT", None),
        ("Sun, ٠٦ Nov 1994 08:49:37 GMT", None),
        ('"x"', None),
        ("", None),
    ],
)
def test_a_date_is_read(text, seconds):
    assert http_date(text) == seconds


@pytest.mark.parametrize("day", range(366))
def test_every_day_of_a_year_is_read_in_all_three_forms(day):
    date = datetime(2024, 1, 1, 8, 49, 37, tzinfo=timezone.utc) + timedelta(day)
    clock = f"{date:%H:%M:%S}"
    for text in (
        f"{date:%a, %d %b %Y} {clock} GMT",
        f"{date:%A, %d-%b-%y} {clock} GMT",
        f"{date:%a %b} {date.day:2} {clock} {date.year}",
    ):
        assert http_date(text) == date.timestamp()


@given(st.integers(0, 253402300799))
def test_what_the_standard_library_writes_is_read(seconds):
    assert http_date(formatdate(seconds, usegmt=True)) == seconds

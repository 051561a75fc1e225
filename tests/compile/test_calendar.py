"""The clock: months, discounting, dates."""

from __future__ import annotations

from datetime import date

import pytest

from capsim.compile.calendar import MS_DAY, Calendar

CALENDAR = Calendar(date(2025, 11, 1), date(2026, 2, 1), 0.08)


def test_months_cover_the_horizon_exactly() -> None:
    assert CALENDAR.months() == [0, 30 * MS_DAY, 61 * MS_DAY, 92 * MS_DAY]
    assert CALENDAR.month_labels() == ["2025-11", "2025-12", "2026-01"]
    assert CALENDAR.end_ms == 92 * MS_DAY


def test_a_horizon_that_starts_inside_a_month() -> None:
    inside = Calendar(date(2026, 1, 15), date(2026, 2, 10), 0.0)
    assert inside.months() == [0, 17 * MS_DAY, 26 * MS_DAY]


def test_discount_after_one_year_is_one_over_one_plus_r() -> None:
    # (1.08)^-1 = 0.925926 after 365.25 days
    assert CALENDAR.discount(365.25 * MS_DAY) == pytest.approx(0.9259259)
    assert CALENDAR.discount(-5) == 1.0


def test_dates_and_instants() -> None:
    assert CALENDAR.ms(date(2025, 11, 2)) == MS_DAY
    assert CALENDAR.day(MS_DAY + 5) == date(2025, 11, 2)
    assert CALENDAR.text(MS_DAY + 3_600_000) == "2025-11-02 01:00"

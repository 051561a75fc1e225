"""What several advance reservations of one place keep together."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TypeVar

Time = TypeVar("Time", int, date)
"""An instant, ms, or a day."""


def reserved_at(at: Time, windows: Iterable[tuple[Time, Time, int]]) -> int:
    """What windows, (start, end exclusive, chips or domains), keep at an instant together.

    The most at any instant is kept when one of them begins.
    """
    return sum(kept for start, end, kept in windows if start <= at < end)

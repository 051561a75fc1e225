"""Dates and the simulation clock: integer milliseconds since the start of the horizon."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property

MS_HOUR = 3_600_000
MS_DAY = 24 * MS_HOUR
DAYS_YEAR = 365.25


@dataclass(frozen=True)
class Calendar:
    """The horizon, its months and its discounting.

    Attributes:
        start: first day.
        end: first day after the horizon.
        discount_rate: yearly rate r; a payment at day t counts (1 + r)^(-t / 365.25).
    """

    start: date
    end: date
    discount_rate: float

    @property
    def end_ms(self) -> int:
        """Length of the horizon in ms."""
        return self.ms(self.end)

    def ms(self, day: date) -> int:
        """Milliseconds from the start of the horizon to the start of `day` (may be negative)."""
        return (day - self.start).days * MS_DAY

    def day(self, ms: int) -> date:
        """The calendar day of an instant."""
        return self.start + timedelta(days=ms // MS_DAY)

    def text(self, ms: int) -> str:
        """An instant as ``2027-03-01 06:00``."""
        return (
            datetime(self.start.year, self.start.month, self.start.day) + timedelta(milliseconds=ms)
        ).strftime("%Y-%m-%d %H:%M")

    def discount(self, ms: float) -> float:
        """Present value of one dollar paid at `ms`; payments before the start count in full."""
        return float((1.0 + self.discount_rate) ** (-max(ms, 0) / MS_DAY / DAYS_YEAR))

    def months(self) -> list[int]:
        """Month boundaries in ms: the start, each first of a month inside the horizon, the end."""
        return list(self._months)

    def month_labels(self) -> list[str]:
        """``YYYY-MM`` of each interval of `months`."""
        return list(self._labels)

    @cached_property
    def _months(self) -> tuple[int, ...]:
        edges = [0]
        year, month = self.start.year, self.start.month
        while True:
            year, month = (year + 1, 1) if month == 12 else (year, month + 1)
            edge = self.ms(date(year, month, 1))
            if edge >= self.end_ms:
                break
            edges.append(edge)
        return (*edges, self.end_ms)

    @cached_property
    def _labels(self) -> tuple[str, ...]:
        return tuple(self.day(edge).strftime("%Y-%m") for edge in self._months[:-1])

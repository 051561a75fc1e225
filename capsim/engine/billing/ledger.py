"""The ledger: every dollar in exactly one line of one offer and month."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import DAYS_YEAR, MS_DAY, Calendar

MONTH_MS = DAYS_YEAR / 12 * MS_DAY
YEAR_MS = DAYS_YEAR * MS_DAY


@dataclass
class Ledger:
    """Payments by offer, line and month.

    Attributes:
        edges: month boundaries, ms, shape (months + 1,).
        usd: (offer, line) -> nominal USD by month, shape (months,). Credits and salvage are negative.
    """

    calendar: Calendar
    edges: NDArray[np.int64]
    usd: dict[tuple[str, str], NDArray[np.float64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.factors = np.array(
            [self.calendar.discount((a + b) / 2) for a, b in zip(self.edges, self.edges[1:], strict=False)]
        )

    def add(self, offer: str, line: str, usd: NDArray[np.float64]) -> None:
        """Book amounts by month, shape (months,)."""
        if np.any(usd):
            key = (offer, line)
            self.usd[key] = self.usd.get(key, np.zeros(len(self.edges) - 1)) + usd

    def add_at(self, offer: str, line: str, at: int, usd: float) -> None:
        """Book one payment at an instant; before the horizon it counts as due on its first day."""
        if usd and at < int(self.edges[-1]):
            amounts = np.zeros(len(self.edges) - 1)
            amounts[self.month(at)] = usd
            self.add(offer, line, amounts)

    def month(self, at: int) -> int:
        """The month of an instant, within the horizon."""
        return int(np.clip(np.searchsorted(self.edges, at, side="right") - 1, 0, len(self.edges) - 2))

    def npv(self, offer: str | None = None, line: str | None = None) -> float:
        """Discounted sum (a month's payments count at its middle) of an offer, a line, or all."""
        return float(
            sum(
                float(amounts @ self.factors)
                for (o, ln), amounts in sorted(self.usd.items())
                if offer in (None, o) and line in (None, ln)
            )
        )

    def nominal(self, offer: str | None = None, line: str | None = None) -> float:
        """The same, not discounted."""
        return float(
            sum(
                float(a.sum())
                for (o, ln), a in sorted(self.usd.items())
                if offer in (None, o) and line in (None, ln)
            )
        )


def overlap(edges: NDArray[np.int64], begin: int, end: int) -> NDArray[np.int64]:
    """Milliseconds of [begin, end) in each month, shape (months,)."""
    spans: NDArray[np.int64] = np.maximum(np.minimum(edges[1:], end) - np.maximum(edges[:-1], begin), 0)
    return spans

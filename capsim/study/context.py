"""What a report needs to know of the study behind the results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal

from capsim.study.bands import Band

DAYS_YEAR = 365.25

InputKind = Literal["slip", "tokens", "research", "offer", "discount"]


@dataclass(frozen=True)
class Assumed:
    """An input with a linear effect on total cost, which follows from the results without simulating.

    `kind` is the part that it scales: `slip`, `tokens` of the services `subjects`, `research`, cash of the
    offers `subjects`, or `discount`. `low` and `high` are the range that the study gives, None without one.
    `shown` is its value, range and confidence in words.
    """

    label: str
    kind: InputKind
    subjects: tuple[str, ...]
    mid: float
    low: float | None
    high: float | None
    shown: str


@dataclass(frozen=True)
class Context:
    """Facts of a resolved study: dates, prices of lost work, provenance of its inputs.

    Attributes:
        asked: what the user wrote to name the study, for commands to copy.
        provenance: number of inputs by confidence.
        assumed: assumed inputs with a linear effect, in the study's order.
        token_prices: USD a million tokens not served, by service.
        research_price: USD a reference chip-hour of research not done; None without research.
        offer_prices: USD a chip-hour of offers with one price.
        common_offers: offers held by every strategy (the base fleet).
        unavailable: offers that cannot be held, with the reason.
        demand: reference chips needed on demand's central path, by month (empty where unknown).
        bands: how sure the workload models are (capsim/study/bands.py).
        budgets: USD a year that may be spent on renting an offer on demand.
        dispatch: rules by which work chooses among places, in words, by strategy that states any.
        published_spend: USD and the words for it, to compare demand with.
    """

    name: str
    asked: str
    digest: str
    seed: int
    start: date
    end: date
    as_of: date
    discount_rate: float
    provenance: Mapping[str, int]
    assumed: tuple[Assumed, ...]
    token_prices: Mapping[str, float]
    research_price: float | None
    offer_prices: Mapping[str, float]
    common_offers: frozenset[str]
    unavailable: Mapping[str, str]
    published_spend: tuple[float, str] | None
    demand: Mapping[str, float]
    bands: tuple[Band, ...] = ()
    budgets: Mapping[str, float] = field(default_factory=dict)
    dispatch: Mapping[str, str] = field(default_factory=dict)

    def discount(self, day: float) -> float:
        """Discount factor of a payment `day` days after the start: (1 + r) ** -(day / 365.25)."""
        return float((1 + self.discount_rate) ** -(day / DAYS_YEAR))

    def date_of(self, day: float) -> date:
        """The date `day` days after the start."""
        return self.start + timedelta(days=day)

    def middle_of(self, month: str) -> float:
        """Days from the start to the middle of the month `YYYY-MM`."""
        first = date(int(month[:4]), int(month[5:7]), 1)
        return (first - self.start).days + days_in(month) / 2


def days_in(month: str) -> int:
    """Days of the month `YYYY-MM`."""
    year, number = int(month[:4]), int(month[5:7])
    following = date(year + number // 12, number % 12 + 1, 1)
    return (following - date(year, number, 1)).days


def quarter_of(day: date) -> str:
    """`27Q3` for a date in the third quarter of 2027."""
    return f"{day.year % 100:02d}Q{(day.month + 2) // 3}"

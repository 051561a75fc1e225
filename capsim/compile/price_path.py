"""How the price of a contract moves: escalators, resets, most-favoured-customer clauses, collars.

A price is constant between the dates on which a term moves it, so rent is exact to the millisecond and a
finance partner can check it by hand. On one date the terms apply in this order: escalator, reset,
most-favoured customer, collar.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import MS_HOUR, Calendar
from capsim.spec.contract_prices import Collar, Escalator, TakeOrPay
from capsim.spec.offers import Offer
from capsim.units import YEAR_MS

MarketPrice = Callable[[str, str, int], float]
"""The market price that a contract's price compares with: (market, basis, ms) -> USD per chip-hour."""


@dataclass(frozen=True)
class StepPath:
    """A number that changes in steps: `values[i]` from `starts[i]` (ms) on, `values[0]` before that too."""

    starts: tuple[int, ...]
    values: tuple[float, ...]

    @classmethod
    def constant(cls, value: float) -> StepPath:
        """The same number at all times."""
        return cls((0,), (value,))

    def at(self, ms: int) -> float:
        """The number at an instant."""
        return self.values[max(bisect_right(self.starts, ms) - 1, 0)]

    def spans(self, begin: int, end: int) -> Iterator[tuple[int, int, float]]:
        """The parts of [begin, end): (from, to, number)."""
        for i, value in enumerate(self.values):
            low = begin if i == 0 else max(self.starts[i], begin)
            high = end if i + 1 == len(self.values) else min(self.starts[i + 1], end)
            if high > low:
                yield low, high, value

    def hours(self, begin: int, end: int) -> float:
        """The integral over [begin, end), number × hours."""
        return math.fsum(value * ((high - low) / MS_HOUR) for low, high, value in self.spans(begin, end))

    def by_month(self, edges: NDArray[np.int64], begin: int, end: int) -> NDArray[np.float64]:
        """The same by month, shape (months,)."""
        total = np.zeros(len(edges) - 1)
        for low, high, value in self.spans(begin, end):
            span = np.maximum(np.minimum(edges[1:], high) - np.maximum(edges[:-1], low), 0)
            total += span / MS_HOUR * value
        return total

    def times(self, other: StepPath) -> StepPath:
        """The product of two paths."""
        starts = tuple(sorted({*self.starts, *other.starts}))
        return StepPath(starts, tuple(self.at(start) * other.at(start) for start in starts))

    def scaled(self, factor: float) -> StepPath:
        """The path times a number."""
        return self if factor == 1.0 else StepPath(self.starts, tuple(v * factor for v in self.values))


def signed_on(offer: Offer, calendar: Calendar) -> int:
    """The day that a contract counts as signed, ms: its announcement, or the start of the horizon."""
    return calendar.ms(offer.announced) if offer.announced is not None else 0


def moves(offer: Offer) -> bool:
    """Whether any term moves the price."""
    return not (offer.escalator is None and offer.price_reset is None and offer.most_favoured is None)


def agreed_path(
    offer: Offer, price: float, calendar: Calendar, start: int, end: int, system: str = ""
) -> StepPath:
    """The price as contracted, moved only by its escalator (and held by its collar).

    Args:
        price: as signed, USD per chip-hour or per kW and month.
        start: planned or actual delivery, ms.
        end: end of the contract, ms.
    """
    return moved_path(offer, price, calendar, start, end, None, system)


def moved_path(
    offer: Offer,
    price: float,
    calendar: Calendar,
    start: int,
    end: int,
    market: MarketPrice | None,
    system: str = "",
) -> StepPath:
    """The price with every term that moves it; resets and most-favoured clauses need `market`."""
    if price <= 0 or not moves(offer):
        return StepPath.constant(price)
    dates = _escalations(offer.escalator, signed_on(offer, calendar), start, end)
    if market is not None:
        dates += _resets(offer, calendar, start, end) + _reviews(offer, calendar, start, end)
    low, high = bounds(offer.collar, price, system)
    starts, values = [min(start, *(at for at, _, _ in dates), 0)], [price]
    current, lowest = price, math.inf
    for at, kind, change in sorted(dates):
        if kind == _ESCALATE:
            current *= 1.0 + change
        elif market is not None and kind == _RESET and offer.price_reset is not None:
            name = offer.price_reset.market or offer.market or ""
            current += change * (market(name, offer.price_reset.basis, at) - current)
        elif market is not None and offer.most_favoured is not None:
            name = offer.most_favoured.market or offer.market or ""
            lowest = min(lowest, market(name, offer.most_favoured.basis, at))
        current = min(max(min(current, lowest), low), high)
        if at == starts[-1]:
            values[-1] = current
        elif current != values[-1]:
            starts.append(at)
            values.append(current)
    return StepPath(tuple(starts), tuple(values))


_ESCALATE, _RESET, _REVIEW = range(3)
_Date = tuple[int, int, float]


def _escalations(spec: Escalator | None, signed: int, start: int, end: int) -> list[_Date]:
    if spec is None:
        return []
    since = signed if spec.since == "signing" else start
    if spec.rate is not None:
        years = max((end - since - 1) // YEAR_MS, 0)
        return [(since + (i + 1) * YEAR_MS, _ESCALATE, float(spec.rate)) for i in range(years)]
    steps = [(since + int(step.after), _ESCALATE, float(step.change)) for step in spec.steps]
    return [step for step in steps if step[0] < end]


def _resets(offer: Offer, calendar: Calendar, start: int, end: int) -> list[_Date]:
    spec = offer.price_reset
    if spec is None:
        return []
    if spec.every is not None:
        dates = list(range(start + int(spec.every), end, int(spec.every)))
    else:
        signed = signed_on(offer, calendar)
        dates = [at for at in (calendar.ms(day) for day in spec.at) if signed <= at < end]
    return [(at, _RESET, float(spec.share)) for at in dates]


def _reviews(offer: Offer, calendar: Calendar, start: int, end: int) -> list[_Date]:
    spec = offer.most_favoured
    if spec is None:
        return []
    if spec.until is not None:
        end = min(end, calendar.ms(spec.until))
    return [(at, _REVIEW, 0.0) for at in range(start + int(spec.every), end, int(spec.every))]


def bounds(collar: Collar | None, price: float, system: str) -> tuple[float, float]:
    """Lowest and highest moved price, in the unit of `price`."""
    if collar is None:
        return 0.0, math.inf

    def of(limit: object) -> float | None:
        if isinstance(limit, dict):
            limit = limit.get(system)
        return None if limit is None else float(limit)  # type: ignore[arg-type]

    low, high = of(collar.floor), of(collar.cap)
    if collar.down is not None:
        low = price * (1.0 - float(collar.down))
    if collar.up is not None:
        high = price * (1.0 + float(collar.up))
    return (0.0 if low is None else low), (math.inf if high is None else high)


def committed_path(pay: TakeOrPay | None, start: int) -> StepPath:
    """The share of the chip-hours that is paid in any case, from the start of the obligation."""
    if pay is None:
        return StepPath.constant(1.0)
    if not pay.ramp:
        return StepPath.constant(float(pay.share))
    steps = [(start + int(step.after), float(step.share)) for step in pay.ramp]
    if int(pay.ramp[0].after) > 0:
        steps.insert(0, (start, 0.0))
    return StepPath(tuple(at for at, _ in steps), tuple(share for _, share in steps))

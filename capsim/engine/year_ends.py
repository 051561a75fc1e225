"""Calendar years of a run: payments, idle rent, what was rented twice, what is owed at the end, to whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import MS_HOUR
from capsim.engine.billing import lot_span, owed_after
from capsim.engine.billing.obligations import prepaid_at
from capsim.engine.build import Run
from capsim.engine.figures import Figures
from capsim.engine.recorder import Recorder
from capsim.results.schema import AT_THE_END


@dataclass(frozen=True)
class YearEnd:
    """A calendar year; USD are nominal.

    Attributes:
        payments: of the year, without what is worth something at the horizon's end.
        owed: by provider, what remains payable if all work stops at the year's end.
        idle: rent of committed chips that were free.
        twice: rent on demand while committed chips that could have served were idle.
        chips: by provider, chips on site just before the year's end.
        prepaid: by provider, prepayments made and not drawn down.
    """

    year: int
    payments: float
    owed: dict[str, float]
    idle: float
    twice: float
    chips: dict[str, int]
    prepaid: dict[str, float]

    def providers(self) -> list[str]:
        """Providers with chips, debts or prepayments, by name."""
        return sorted({*self.owed, *self.chips, *self.prepaid})


def year_ends(run: Run, recorder: Recorder, f: Figures) -> list[YearEnd]:
    """Every calendar year of the horizon; the last may end with it."""
    ctx = run.ctx
    calendar = ctx.prepared.calendar
    years = np.array([int(label[:4]) for label in calendar.month_labels()])
    paid = np.zeros(len(years))
    for (_, line), usd in sorted(f.ledger.usd.items()):
        if line not in AT_THE_END:
            paid += usd
    idle, twice = idle_rent(run, recorder, f), np.asarray(f.tokens.twice)
    hourly = calendar_years(run, len(twice))
    found = []
    for year in range(int(years[0]), int(years[-1]) + 1):
        stop = min(calendar.ms(date(year + 1, 1, 1)), ctx.end)
        owed = _by_provider(run, owed_after(ctx, stop, f.ledger))
        prepaid = {offer: prepaid_at(f.ledger, offer, stop) for offer in contracts(run)}
        mine = years == year
        found.append(
            YearEnd(
                year,
                float(paid[mine].sum()),
                owed,
                float(idle[mine].sum()),
                float(twice[hourly == year].sum()),
                _chips(run, stop - 1),
                _by_provider(run, {offer: usd for offer, usd in prepaid.items() if usd > 0}),
            )
        )
    return found


def idle_rent(run: Run, recorder: Recorder, f: Figures) -> NDArray[np.float64]:
    """Rent by month of committed chips of held offers that were free, nominal USD, shape (months,)."""
    places = run.ctx.places()
    free, active = recorder.monthly("free"), recorder.monthly("active")
    total = np.zeros(len(free))
    for offer in contracts(run):
        rent = f.ledger.usd.get((offer, "commitment"))
        if rent is not None:
            own = np.array([place.offer == offer for place in places])
            there = active[:, own].sum(axis=1)
            total += rent * np.divide(
                free[:, own].sum(axis=1), there, out=np.zeros(len(there)), where=there > 0
            )
    return total


def contracts(run: Run) -> list[str]:
    """Offers with lots or shells that are not of the base fleet, those that a rule buys from included."""
    portfolio = run.ctx.prepared.portfolio
    named = [lot.offer for lot in portfolio.lots] + [shell.offer for shell in portfolio.shells]
    return [offer for offer in dict.fromkeys(named) if offer not in portfolio.base_offers]


def calendar_years(run: Run, hours: int) -> NDArray[np.int64]:
    """The calendar year of each hour of the horizon, shape (hours,)."""
    calendar = run.ctx.prepared.calendar
    first, last = calendar.start.year, calendar.day(calendar.end_ms - 1).year
    starts = [calendar.ms(date(year, 1, 1)) // MS_HOUR for year in range(first + 1, last + 1)]
    years: NDArray[np.int64] = first + np.searchsorted(np.array(starts), np.arange(hours), side="right")
    return years


def _by_provider(run: Run, by_offer: dict[str, float]) -> dict[str, float]:
    found: dict[str, float] = {}
    for offer, usd in by_offer.items():
        who = run.ctx.provider(offer)
        found[who] = found.get(who, 0.0) + usd
    return found


def _chips(run: Run, at: int) -> dict[str, int]:
    """Chips on site at an instant by provider, without those in others' hands."""
    found: dict[str, int] = {}
    for lot in run.ctx.prepared.portfolio.lots:
        state = run.ctx.lots[lot.key]
        begin, end = lot_span(lot, state, run.ctx.end)
        if begin <= at < end:
            who = run.ctx.provider(lot.offer)
            left = lot.chips - sum(chips for since, chips, _ in state.let if since <= at)
            found[who] = found.get(who, 0) + left
    return found


def owed_rows(ends: list[YearEnd]) -> Iterator[tuple[int, float, float, float, float]]:
    """Rows of the table `owed`."""
    for end in ends:
        yield end.year, end.payments, sum(end.owed.values()), end.idle, end.twice


def exposure_rows(ends: list[YearEnd]) -> Iterator[tuple[int, str, int, float, float]]:
    """Rows of the table `exposure`."""
    for end in ends:
        for who in end.providers():
            yield end.year, who, end.chips.get(who, 0), end.owed.get(who, 0.0), end.prepaid.get(who, 0.0)


def chip_time_rows(run: Run, f: Figures) -> Iterator[tuple[str | int, ...]]:
    """Rows of the table `chip_time`: the ladder of each offer, chip-ms, whole numbers."""
    rungs = [np.asarray(getattr(f.ladder, name)) for name in f.ladder.__dataclass_fields__]
    for offer in dict.fromkeys(place.offer for place in run.ctx.places()):
        own = np.array([place.offer == offer for place in run.ctx.places()])
        yield (offer, *(int(rung[own].sum()) for rung in rungs))

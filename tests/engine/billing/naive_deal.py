"""The terms of one contract, and what becomes of its chips, for the slow account beside this module."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field

START = datetime.datetime(2026, 1, 1)
MONTHS = 24
TICK = datetime.timedelta(hours=6)
PER_DAY = 4
YEAR = 1461  # ticks of 365.25 days
CHIPS = 7_200
PRICE = 2.0
AGAIN = 900.0  # USD for a leased chip that is bought at the end
OPERATION, DECAY = 0.10, 0.50  # a year, of what bought chips cost
KW, KW_STAND_IN = 2.6, 1.5  # critical power of a chip


@dataclass(frozen=True)
class Deal:
    """The terms of a contract planned for the first day of 2026; times in days unless they say otherwise."""

    term: int
    fixed: bool = False  # the term ends on its day, however late the chips come
    late: int = 0
    share: float | None = None  # of take-or-pay; None: all hours
    ramp: tuple[tuple[int, float], ...] = ()
    on_date: bool = False
    together: bool = False  # take-or-pay over all that is held
    period: str = "month"
    make_up: int = 0
    carry: int = 0
    escalator: float | None = None  # a year
    reset_every: int | None = None
    reset_share: float = 1.0
    review_every: int | None = None
    collar: float | None = None
    prepaid: float = 0.0
    before: int = 0
    credited_after: int = 0
    evenly: bool = False
    refundable: bool = True
    exit: int | None = None
    notice: int = 0  # ticks
    fee: float = 1.0
    least_a_year: float = 0.0
    least: float = 0.0
    least_share: float = 0.0  # of the value, in place of `least`
    market: tuple[float, ...] = (1.0,) * MONTHS
    test: int = 0  # acceptance
    repeat: int = 0
    failures: int = 0
    cure: int = 0
    leaves_after: int | None = None
    long_stop: int | None = None
    credit: float = 0.0  # a day late, of the daily rent
    credit_cap: float | None = None  # of a year's rent
    delays_over: int | None = None
    outages_over: int | None = None  # ticks
    outages: tuple[tuple[int, int], ...] = ()  # (tick, ticks)
    ratio: float = 1.0
    stand_in: tuple[int, int, float] | None = None  # (chips, days late, USD an hour)
    further: int | None = None  # length of a further term
    further_notice: int = 0
    further_times: int = 1
    further_change: float = 0.0
    further_market: bool = False
    buys: bool = False  # leased chips, at the end
    default: int | None = None  # tick
    recovery: float = 0.0
    recovery_after: int = 0
    lets: tuple[int, float, float, float] | None = None  # (day, share, discount, haircut)
    option: tuple[int, int, int, float, float] | None = (
        None  # (decided, delivered, chips, USD an hour, premium)
    )
    exchange: bool = False  # the option's chips come for the first ones, which leave
    power: tuple[float, float, float, bool] | None = None  # (strike in USD/MWh, load, PUE, refund)
    power_price: tuple[float, ...] = (50.0,) * MONTHS


@dataclass
class Tranche:
    """What becomes of some chips of the contract; times in ticks, -1 where they never come."""

    planned: int
    chips: int
    first_price: float
    prepaid: bool = True
    kw: float = KW
    exchanged: bool = False
    status: str = "awaited"
    begin: int = -1  # of rent
    end: int = -1  # of the last term
    stop: int = -1  # the chips leave
    bought: int = -1
    free: int = -1
    terms: list[tuple[int, int, float]] = field(default_factory=list)
    price: list[float] = field(default_factory=list)  # by tick of the terms
    let: tuple[int, int, float] | None = None
    sold: tuple[int, int, float] | None = None


@dataclass
class Account:
    """USD by month of each line."""

    lines: dict[str, list[float]] = field(default_factory=dict)

    def pay(self, line: str, tick: int, usd: float) -> None:
        month = month_of(max(tick, 0))
        if usd and month < MONTHS:
            self.lines.setdefault(line, [0.0] * MONTHS)[month] += usd


def month_of(tick: int) -> int:
    at = START + tick * TICK
    return (at.year - START.year) * 12 + at.month - 1


def period_of(month: int, period: str) -> int:
    return month // {"month": 1, "quarter": 3, "year": 12}[period]


LAST = next(tick for tick in range(10_000) if month_of(tick) >= MONTHS)


def ends(deal: Deal, planned: int, begin: int) -> int:
    """The tick at which the first term ends that begins at a tick."""
    return (planned if deal.fixed else begin) + deal.term * PER_DAY


def market_at(deal: Deal, tick: int) -> float:
    return deal.market[min(month_of(tick), MONTHS - 1)]


def prices(deal: Deal, begin: int, first: float, moved: bool, ticks: int = -1) -> list[float]:
    """The price of each tick of a first term from `begin` on; nothing but the escalator moves it if not `moved`."""
    found, price, lowest = [], first, float("inf")
    for age in range(deal.term * PER_DAY if ticks < 0 else ticks):
        changed = False
        if deal.escalator is not None and age and age % YEAR == 0:
            price, changed = price * (1 + deal.escalator), True
        market = first * market_at(deal, begin + age)
        if moved and deal.reset_every and age and age % (deal.reset_every * PER_DAY) == 0:
            price, changed = price + deal.reset_share * (market - price), True
        if moved and deal.review_every and age and age % (deal.review_every * PER_DAY) == 0:
            lowest, changed = min(lowest, market), True
        if changed:
            price = min(price, lowest)
            if deal.collar is not None:
                price = min(max(price, first * (1 - deal.collar)), first * (1 + deal.collar))
        found.append(price)
    return found


def committed(deal: Deal, age: int) -> float:
    """The committed share so many ticks after the start of the obligation."""
    if deal.share is None:
        return 1.0
    if not deal.ramp:
        return deal.share
    return next((share for after, share in reversed(deal.ramp) if age >= after * PER_DAY), 0.0)

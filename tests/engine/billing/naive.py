"""A slow, obvious account of one tranche: time passes six hours at a time and everything is counted as it happens."""

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


@dataclass(frozen=True)
class Deal:
    """The terms of a tranche planned for the first day of 2026; times in days unless they say otherwise."""

    term: int
    late: int = 0
    share: float | None = None  # of take-or-pay; None: all hours
    ramp: tuple[tuple[int, float], ...] = ()
    on_date: bool = False
    period: str = "month"
    make_up: int = 0
    carry: int = 0
    escalator: float | None = None  # a year
    reset_every: int | None = None
    reset_share: float = 1.0
    review_every: int | None = None
    collar: float | None = None
    prepaid: float = 0.0
    credited_after: int = 0
    evenly: bool = False
    exit: int | None = None
    fee: float = 1.0
    least_a_year: float = 0.0
    least: float = 0.0
    market: tuple[float, ...] = (1.0,) * MONTHS


@dataclass
class Account:
    """USD by month of each line."""

    lines: dict[str, list[float]] = field(default_factory=dict)

    def pay(self, line: str, tick: int, usd: float) -> None:
        month = month_of(tick)
        if usd and month < MONTHS:
            self.lines.setdefault(line, [0.0] * MONTHS)[month] += usd


def month_of(tick: int) -> int:
    at = START + tick * TICK
    return (at.year - START.year) * 12 + at.month - 1


def period_of(month: int, period: str) -> int:
    return month // {"month": 1, "quarter": 3, "year": 12}[period]


LAST = next(tick for tick in range(10_000) if month_of(tick) >= MONTHS)


def prices(deal: Deal, moved: bool) -> list[float]:
    """The price of each tick of the contract, from its delivery (or its plan, where nothing but it moves)."""
    begin = deal.late * PER_DAY if moved else 0
    found, price, lowest = [], PRICE, float("inf")
    for tick in range(begin, begin + deal.term * PER_DAY):
        age = tick - begin
        changed = False
        if deal.escalator is not None and age and age % YEAR == 0:
            price, changed = price * (1 + deal.escalator), True
        market = PRICE * deal.market[min(month_of(tick), MONTHS - 1)]
        if moved and deal.reset_every and age and age % (deal.reset_every * PER_DAY) == 0:
            price, changed = price + deal.reset_share * (market - price), True
        if moved and deal.review_every and age and age % (deal.review_every * PER_DAY) == 0:
            lowest, changed = min(lowest, market), True
        if changed:
            price = min(price, lowest)
            if deal.collar is not None:
                price = min(max(price, PRICE * (1 - deal.collar)), PRICE * (1 + deal.collar))
        found.append(price)
    return found


def committed(deal: Deal, age: int) -> float:
    """The committed share so many ticks after the start of the obligation."""
    if deal.share is None:
        return 1.0
    if not deal.ramp:
        return deal.share
    return next((share for after, share in reversed(deal.ramp) if age >= after * PER_DAY), 0.0)


def account(deal: Deal, used: list[float]) -> Account:
    """Everything that the tranche pays within the horizon, by line and month."""
    book = Account()
    hours = CHIPS * 6
    begin = deal.late * PER_DAY
    since = 0 if deal.on_date else begin
    end = begin + deal.term * PER_DAY
    stop = min(end, LAST, end if deal.exit is None else max(deal.exit * PER_DAY, begin))
    price = prices(deal, moved=True)
    rent = [0.0] * MONTHS
    if begin < stop:
        rent = _rent(book, deal, used, price, since, begin, stop)
    _prepayment(book, deal, rent, begin, stop, end)
    remaining = [hours * price[tick - begin] * committed(deal, tick - since) for tick in range(begin, end)]
    if deal.exit is not None:
        left = max(deal.exit * PER_DAY - begin, 0)
        book.pay("termination", deal.exit * PER_DAY, deal.fee * sum(remaining[left:]))
    _minimum(book, deal, sum(remaining[max(LAST - begin, 0) :]) if deal.exit is None else 0.0, end)
    return book


def _rent(
    book: Account, deal: Deal, used: list[float], price: list[float], since: int, begin: int, stop: int
) -> list[float]:
    """Rent by month: what is used as it is used, the rest at the last tick of each period."""
    hours = CHIPS * 6
    rent = [0.0] * MONTHS
    month_due, month_cost = [0.0] * MONTHS, [0.0] * MONTHS
    for tick in range(since, stop):
        month_due[month_of(tick)] += hours
        month_cost[month_of(tick)] += hours * price[max(tick - begin, 0)]
    bought: list[list[float]] = []  # [period, hours] paid and not used
    extra: list[list[float]] = []  # [period, hours] used beyond the commitment and paid
    use = promise = due = cost = 0.0
    for tick in range(since, stop):
        month = month_of(tick)
        now = hours * used[month] if tick >= begin else 0.0
        use += now
        promise += hours * committed(deal, tick - since)
        due += hours
        cost += hours * price[max(tick - begin, 0)]
        rent[month] += now * month_cost[month] / month_due[month]
        period = period_of(month, deal.period)
        if tick + 1 < stop and period_of(month_of(tick + 1), deal.period) == period:
            continue
        bought = [item for item in bought if item[0] >= period - deal.make_up]
        extra = [item for item in extra if item[0] >= period - deal.carry]
        more = promise - use
        for bank, wanted in ((extra, max(more, 0.0)), (bought, max(-more, 0.0))):
            for item in bank:
                part = min(item[1], wanted)
                item[1] -= part
                wanted -= part
                more += -part if more > 0 else part
        if promise > use:
            rent[month] += more * cost / due
            if deal.make_up:
                bought.append([period, more])
        else:
            rent[month] -= (use - promise + more) * cost / due
            if deal.carry:
                extra.append([period, -more])
        use = promise = due = cost = 0.0
    for month, usd in enumerate(rent):
        if usd:
            book.lines.setdefault("commitment", [0.0] * MONTHS)[month] += usd
    return rent


def _prepayment(book: Account, deal: Deal, rent: list[float], begin: int, stop: int, end: int) -> None:
    agreed = sum(CHIPS * 6 * price for price in prices(deal, moved=False))
    paid = left = deal.prepaid * agreed
    if paid == 0 or deal.exit == 0:
        return
    book.pay("prepayment", 0, paid)
    first = begin + deal.credited_after * PER_DAY
    ticks = [0] * MONTHS
    for tick in range(begin, stop):
        ticks[month_of(tick)] += 1
    for tick in range(max(first, begin), stop):
        month = month_of(tick)
        part = paid / max(end - first, 1) if deal.evenly else min(max(rent[month], 0.0) / ticks[month], left)
        book.pay("drawdown", tick, -part)
        left -= part
    if deal.exit is not None:
        book.pay("drawdown", deal.exit * PER_DAY, -left)
    elif stop == LAST:
        book.pay("undrawn", LAST - 1, -left)


def _minimum(book: Account, deal: Deal, after: float, end: int) -> None:
    spend = [
        sum(book.lines.get(line, [0.0] * MONTHS)[month] for line in ("commitment", "termination"))
        for month in range(MONTHS)
    ]
    for year in range(2):
        tick = next(t for t in range(LAST) if month_of(t) == 12 * year)
        if tick < end:
            missing = deal.least_a_year - sum(spend[12 * year : 12 * year + 12])
            if missing > 1e-9 * deal.least_a_year:
                last = max(t for t in range(LAST) if month_of(t) == 12 * year + 11)
                book.pay("min_spend", last, missing)
    spent = sum(spend) + sum(book.lines.get("min_spend", [0.0])) + after
    if deal.least - spent > 1e-9 * deal.least:
        book.pay("min_spend", min(end, LAST) - 1, deal.least - spent)

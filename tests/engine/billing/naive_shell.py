"""A slow, obvious account of a powered shell and of the chips that are bought for it, six hours at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tests.engine.billing.naive_deal import DECAY, LAST, MONTHS, OPERATION, PER_DAY, YEAR, Account, month_of

RACK = 72
KW = 2.5  # critical power of a chip
PER_CHIP = 50_000.0
PER_KW_MONTH = 140.0
HOURS_MONTH = 8766 / 12


@dataclass(frozen=True)
class Site:
    """A shell planned for the first day of 2026 and chips bought for it; times in days unless they say otherwise."""

    kw: float
    term: int
    late: int
    escalator: float | None
    exit: int | None
    notice: int  # ticks
    fee: float
    default: int | None  # tick, of the landlord
    least_a_year: float
    least: float
    least_share: float  # of the value, in place of `least`
    passed: (
        tuple[float, float, float, bool] | None
    )  # power of the shell: (strike in USD/MWh, load, PUE, refund)
    chips: tuple[tuple[int, int], ...]  # (day, chips), no two on one day
    chips_late: int
    drawn: tuple[float, float, float, bool] | None  # power of the chips that have it, the same
    sale: tuple[int, float, float, float] | None  # (day, share, discount, haircut)
    market: tuple[float, ...]
    power_price: tuple[float, ...]


def rate(terms: tuple[float, float, float, bool], price: float) -> float:
    """USD an hour for a kilowatt of critical power."""
    strike, load, pue, refund = terms
    above = price - strike if refund else max(price - strike, 0.0)
    return above * pue * load / 1000


def month_price(site: Site, age: int) -> float:
    """What a kilowatt costs a month, so many ticks after the lease began."""
    return PER_KW_MONTH * (1.0 + (site.escalator or 0.0)) ** (age // YEAR)


def lease(site: Site, since: int, until: int) -> float:
    """The rent of a lease from one age to another, ticks."""
    return sum(site.kw * month_price(site, age) * 6 / HOURS_MONTH for age in range(since, until))


def site_account(site: Site) -> tuple[Account, Account]:
    """Everything that the shell pays within the horizon, and everything that the chips do."""
    shell, stop = _shell(site)
    chips = Account()
    there: list[list[int]] = []  # [tick of delivery, chips bought, chips sold]
    begin = site.late * PER_DAY
    for tick in range(LAST):
        for day, count in site.chips:
            if tick == (day + site.chips_late) * PER_DAY:
                there.append([tick, count, 0])
                chips.pay("purchase", tick, count * PER_CHIP)
        powered = begin <= tick < stop
        fit = math.floor(site.kw / (KW * RACK) + 1e-9)
        if site.sale is not None and tick == site.sale[0] * PER_DAY:
            _sell(chips, site, tick, there)
        racks = sum(count - gone for _, count, gone in there) // RACK
        if powered and site.drawn is not None:
            kwh = min(racks, fit) * RACK * KW * 6
            chips.pay("power", tick, kwh * rate(site.drawn, site.power_price[month_of(tick)]))
        for _, count, gone in there:
            chips.pay("operation", tick, (count - gone) * PER_CHIP * OPERATION / YEAR)
    for tick, count, gone in there:
        left = (count - gone) * PER_CHIP * (1 - DECAY) ** ((LAST - tick) / YEAR)
        chips.pay("salvage", LAST - 1, -left)
    return shell, chips


def _sell(book: Account, site: Site, tick: int, there: list[list[int]]) -> None:
    """A share of the chips of each delivery, in whole racks."""
    assert site.sale is not None
    _, share, discount, haircut = site.sale
    for item in there:
        count = int(item[1] // RACK * share + 1e-9) * RACK
        worth = PER_CHIP * (1 - DECAY) ** ((tick - item[0]) / YEAR) * site.market[month_of(tick)]
        book.pay("resale", tick, -count * worth * (1 - discount) * (1 - haircut))
        item[2] += count


def _shell(site: Site) -> tuple[Account, int]:
    """The shell's account, and when it goes."""
    book = Account()
    begin = site.late * PER_DAY
    end = begin + site.term * PER_DAY
    leaves = LAST if site.exit is None else site.exit * PER_DAY + site.notice
    fails = LAST if site.default is None else site.default
    stop = min(leaves, fails, end, LAST)
    status = "there"
    if stop < LAST:
        status = "left" if stop == leaves else "defaulted" if stop == fails else "ended"
    for tick in range(begin, stop):
        book.pay("shell", tick, lease(site, tick - begin, tick - begin + 1))
        if site.passed is not None:
            kwh = site.kw * 6
            book.pay("power", tick, kwh * rate(site.passed, site.power_price[month_of(tick)]))
    if status == "left":
        left = lease(site, max(stop - begin, 0), site.term * PER_DAY)
        book.pay("termination", stop, site.fee * left)
    if status != "defaulted":
        _minimum(book, site, begin, end, stop)
    return book, stop


def _minimum(book: Account, site: Site, begin: int, end: int, stop: int) -> None:
    spend = [
        sum(book.lines.get(line, [0.0] * MONTHS)[m] for line in ("shell", "power", "termination"))
        for m in range(MONTHS)
    ]
    for year in range(2):
        tick = next(t for t in range(LAST) if month_of(t) == 12 * year)
        missing = site.least_a_year - sum(spend[12 * year : 12 * year + 12])
        if tick < end and missing > 1e-9 * site.least_a_year:
            book.pay("min_spend", max(t for t in range(LAST) if month_of(t) == 12 * year + 11), missing)
    after = lease(site, max(LAST - begin, 0), site.term * PER_DAY) if stop == LAST else 0.0
    spent = sum(spend) + sum(book.lines.get("min_spend", [0.0])) + after
    least = site.least_share * lease(site, 0, site.term * PER_DAY) if site.least_share else site.least
    if least - spent > 1e-9 * least:
        book.pay("min_spend", min(end, LAST) - 1, least - spent)

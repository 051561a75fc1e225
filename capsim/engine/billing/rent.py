"""Rent of contracted chips: take-or-pay, and credits for late delivery."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import MS_HOUR
from capsim.compile.lots import Lot
from capsim.compile.price_path import committed_path
from capsim.compile.remedies import delay_credit
from capsim.control.context import Context, LotState
from capsim.engine.billing.ledger import Ledger, overlap
from capsim.engine.billing.prices import lot_price
from capsim.engine.billing.spans import rent_span
from capsim.engine.billing.take_or_pay import periods, settle


@dataclass(frozen=True)
class Rent:
    """How the rent of a lot comes about; chip-hours by month, shapes (months,).

    Attributes:
        due: hours for which the contract runs (before delivery too, where it is paid from the date).
        committed: hours that are paid in any case.
        used: hours of delivered chips in use.
        price: mean USD per chip-hour.
        extra: hours paid beside those used, in the last month of their period (negative: made up).
        usd: used × price, and extra × the mean price of its period.
    """

    due: NDArray[np.float64]
    committed: NDArray[np.float64]
    used: NDArray[np.float64]
    price: NDArray[np.float64]
    extra: NDArray[np.float64]
    usd: NDArray[np.float64]


def lot_rent(ctx: Context, edges: NDArray[np.int64], lot: Lot, used: NDArray[np.float64]) -> Rent | None:
    """The rent of a lot; None where it pays none.

    Args:
        edges: month boundaries, ms, shape (months + 1,).
        used: share of its delivered chips in use by month, shape (months,).
    """
    state = ctx.lots[lot.key]
    offer = ctx.prepared.study.offers[lot.offer]
    delivered, end = rent_span(lot, state, ctx.end)
    if lot.price_hour <= 0 or end <= delivered or offer.kind == "spot":
        return None
    pay = offer.take_or_pay
    begin = delivered
    if pay is not None and pay.starts == "on_date":
        begin = max(min(state.planned, delivered), 0)
    path = lot_price(ctx, lot, state)
    due = overlap(edges, begin, end) / MS_HOUR * lot.chips
    hours = overlap(edges, delivered, end) / MS_HOUR * lot.chips * np.minimum(used, 1.0)
    if len(path.values) == 1:
        price = np.full(len(due), path.values[0])
    else:
        price = np.divide(
            path.by_month(edges, begin, end) * lot.chips, due, out=np.zeros_like(due), where=due > 0
        )
    if pay is None:
        return Rent(due, due, hours, price, due - hours, due * price)
    committed = committed_path(pay, begin).by_month(edges, begin, end) * lot.chips
    number = periods(ctx.prepared.calendar, pay.period)
    sums = [np.bincount(number, weights=w).astype(np.float64) for w in (committed, hours, due, due * price)]
    settled = settle(sums[0], sums[1], int(pay.make_up or 0), int(pay.carry_forward or 0)).extra
    mean = np.divide(sums[3], sums[2], out=np.zeros_like(sums[3]), where=sums[2] > 0)
    extra, last = np.zeros_like(due), _last_months(number, due)
    extra[last] = settled[number[last]]
    usd = hours * price
    usd[last] += (settled * mean)[number[last]]
    return Rent(due, committed, hours, price, extra, usd)


def _last_months(number: NDArray[np.int64], due: NDArray[np.float64]) -> NDArray[np.int64]:
    """The last month with hours in each period that has any."""
    months = np.flatnonzero(due > 0)
    return months[np.flatnonzero(np.append(np.diff(number[months]) > 0, True))] if len(months) else months


def bill_rent(
    ledger: Ledger, ctx: Context, lot: Lot, state: LotState, used: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Book the rent of a lot, and return it by month; `used` as in `lot_rent`."""
    rent = lot_rent(ctx, ledger.edges, lot, used)
    if rent is None:
        return np.zeros(len(ledger.edges) - 1)
    ledger.add(lot.offer, "commitment", rent.usd)
    daily = lot.chips * 24 * lot_price(ctx, lot, state).at(state.delivered)
    remedy = ctx.prepared.study.offers[lot.offer].delivery.remedy
    ledger.add_at(lot.offer, "credit", state.delivered, -delay_credit(remedy, daily, state.delay))
    return rent.usd

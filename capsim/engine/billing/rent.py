"""Rent of contracted chips, further terms included: take-or-pay, and credits for late delivery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import MS_HOUR, Calendar
from capsim.compile.lots import Lot
from capsim.compile.price_path import committed_path
from capsim.compile.remedies import delay_credit
from capsim.control.context import Context, LotState
from capsim.engine.billing.ledger import Ledger, overlap
from capsim.engine.billing.prices import lot_price
from capsim.engine.billing.spans import rent_span
from capsim.engine.billing.take_or_pay import periods, settle
from capsim.spec.contract_prices import TakeOrPay

Reals = NDArray[np.float64]


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

    due: Reals
    committed: Reals
    used: Reals
    price: Reals
    extra: Reals
    usd: Reals


def rents(ctx: Context, edges: NDArray[np.int64], used: Mapping[str, Reals]) -> dict[str, Rent]:
    """The rent of every lot that pays any, by key; take-or-pay is settled by lot, or over the offer.

    Args:
        edges: month boundaries, ms, shape (months + 1,).
        used: share of the delivered chips in use by place name and month, shape (months,).
    """
    found: dict[str, Rent] = {}
    together: dict[tuple[str, str], list[str]] = {}
    for lot in ctx.prepared.portfolio.lots:
        if ctx.lots[lot.key].status in ("not converted", "unused"):
            continue
        rent = _accrued(ctx, edges, lot, used[f"{lot.offer}/{lot.system}"])
        if rent is None:
            continue
        found[lot.key] = rent
        pay = ctx.prepared.study.offers[lot.offer].take_or_pay
        if pay is not None:
            group = (lot.offer, "" if pay.scope == "offer" else lot.key)
            together.setdefault(group, []).append(lot.key)
    for (offer, _), keys in together.items():
        pay = ctx.prepared.study.offers[offer].take_or_pay
        assert pay is not None
        settled = _settled(ctx.prepared.calendar, pay, [found[key] for key in keys])
        found.update(zip(keys, settled, strict=True))
    return found


def _accrued(ctx: Context, edges: NDArray[np.int64], lot: Lot, used: Reals) -> Rent | None:
    """The rent of a lot before take-or-pay is settled: what is used, or all hours without it."""
    state = ctx.lots[lot.key]
    offer = ctx.prepared.study.offers[lot.offer]
    pay = offer.take_or_pay
    delivered, end = rent_span(lot, state, ctx.end)
    awaited = state.delivered < 0 and state.status in ("planned", "left", "defaulted")
    if awaited and pay is not None and pay.starts == "on_date":
        delivered = end = state.ended if state.ended >= 0 else ctx.end
        begin = max(state.planned, 0)
    else:
        begin = delivered
        if pay is not None and pay.starts == "on_date" and end > delivered:
            begin = max(min(state.planned, delivered), 0)
    if lot.price_hour <= 0 or end <= begin or offer.kind == "spot":
        return None
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
    return Rent(due, committed, hours, price, np.zeros_like(due), hours * price)


def _settled(calendar: Calendar, pay: TakeOrPay, accrued: Sequence[Rent]) -> list[Rent]:
    """The rents after use and commitment of all of them together are compared, period by period.

    What is paid beside use is paid at the mean price of all hours of the period, in its last month with any;
    each lot bears the part that its hours are of them.
    """
    number = periods(calendar, pay.period)

    def by_period(amounts: Sequence[Reals]) -> Reals:
        summed = np.sum(amounts, axis=0)
        return np.bincount(number, weights=summed).astype(np.float64)

    due = by_period([rent.due for rent in accrued])
    cost = by_period([rent.due * rent.price for rent in accrued])
    committed, used = by_period([r.committed for r in accrued]), by_period([r.used for r in accrued])
    hours = settle(committed, used, int(pay.make_up or 0), int(pay.carry_forward or 0)).extra
    mean = np.divide(cost, due, out=np.zeros_like(cost), where=due > 0)
    last = _last_months(number, np.sum([rent.due for rent in accrued], axis=0))
    found = []
    for rent in accrued:
        part = np.divide(by_period([rent.due]), due, out=np.zeros_like(due), where=due > 0)
        extra, usd = np.zeros_like(rent.due), rent.usd.copy()
        extra[last] = (hours * part)[number[last]]
        usd[last] += (hours * mean * part)[number[last]]
        found.append(replace(rent, extra=extra, usd=usd))
    return found


def _last_months(number: NDArray[np.int64], due: Reals) -> NDArray[np.int64]:
    """The last month with hours in each period that has any."""
    months = np.flatnonzero(due > 0)
    return months[np.flatnonzero(np.append(np.diff(number[months]) > 0, True))] if len(months) else months


def bill_rent(ledger: Ledger, ctx: Context, lot: Lot, state: LotState, rent: Rent) -> None:
    """Book the rent of a lot, and its credit for lateness."""
    ledger.add(lot.offer, "commitment", rent.usd)
    if state.delivered < 0:
        return
    daily = lot.chips * 24 * lot_price(ctx, lot, state).at(state.delivered)
    remedy = ctx.prepared.study.offers[lot.offer].delivery.remedy
    ledger.add_at(lot.offer, "credit", state.delivered, -delay_credit(remedy, daily, state.delay))

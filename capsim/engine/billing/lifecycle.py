"""What is paid beside the first term: renewals, spot, the end of a lease, chips let or sold to others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import MS_HOUR
from capsim.compile.lots import Lot
from capsim.control.context import Context, LotState
from capsim.engine.billing.ledger import YEAR_MS, Ledger, overlap
from capsim.engine.billing.prices import lot_price
from capsim.engine.billing.purchase import residual_value
from capsim.engine.billing.spans import away_ms, lot_span


def bill_renewals(ledger: Ledger, ctx: Context, lot: Lot, state: LotState, used: NDArray[np.float64]) -> None:
    """Book the rent of each further term: its committed hours, or those used where they are more.

    Args:
        used: share of the lot's chips in use by month, shape (months,).
    """
    _, last = lot_span(lot, state, ctx.end)
    for begin, end, price in state.renewals:
        hours = overlap(ledger.edges, begin, max(min(end, last), begin)) / MS_HOUR * lot.chips
        paid = hours * np.maximum(_committed(ctx, lot), np.minimum(used, 1.0))
        ledger.add(lot.offer, "commitment", paid * price * _moved(ctx, lot, state))


def renewals_owed(ctx: Context, lot: Lot, state: LotState, at: int) -> float:
    """What remains payable for further terms that were decided by `at`, USD."""
    if not state.renewals:
        return 0.0
    spec = ctx.prepared.study.offers[lot.offer].renewal
    notice = int(spec.notice or 0) if spec is not None else 0
    share = _committed(ctx, lot) * _moved(ctx, lot, state)
    return sum(
        lot.chips * price * share * (end - max(begin, at)) / MS_HOUR
        for begin, end, price in state.renewals
        if begin - notice <= at < end
    )


def _moved(ctx: Context, lot: Lot, state: LotState) -> float:
    """The expiring price over the signed one; 1 where the renewal asks the market's."""
    spec = ctx.prepared.study.offers[lot.offer].renewal
    signed = lot.price_hour * state.price_factor
    if spec is None or spec.price == "market" or signed <= 0:
        return 1.0
    return lot_price(ctx, lot, state).at(state.renewals[0][0] - 1) / signed


def _committed(ctx: Context, lot: Lot) -> float:
    pay = ctx.prepared.study.offers[lot.offer].take_or_pay
    return 1.0 if pay is None else float(pay.share)


def bill_spot(ledger: Ledger, ctx: Context, lot: Lot, state: LotState) -> None:
    """Book spot capacity at each month's market price, for the time that it was there."""
    offer = ctx.prepared.study.offers[lot.offer]
    begin, end = lot_span(lot, state, ctx.end)
    if offer.kind != "spot" or end <= begin:
        return
    chip_ms = lot.chips * overlap(ledger.edges, begin, end)
    chip_ms -= away_ms(ctx, lot, state, ledger.edges, begin, end)
    path = np.ones(len(chip_ms)) if offer.market is None else ctx.draws.market(offer.market)
    ledger.add(lot.offer, "spot", chip_ms / MS_HOUR * lot.price_hour * path)


def bill_lease_end(ledger: Ledger, ctx: Context, lot: Lot, state: LotState) -> None:
    """Book leased chips that were bought at the end of the lease, their operation and what they are worth."""
    if state.bought < 0:
        return
    offer = ctx.prepared.study.offers[lot.offer]
    residual = offer.lease_end.residual if offer.lease_end is not None else None
    price = residual.get(lot.system, 0.0) if isinstance(residual, dict) else residual or 0.0
    value = lot.chips * float(price)
    _, end = lot_span(lot, state, ctx.end)
    ledger.add_at(lot.offer, "purchase", state.bought, value)
    years = overlap(ledger.edges, state.bought, end) / YEAR_MS
    ledger.add(lot.offer, "operation", years * float(offer.operating_share or 0.0) * value)
    if offer.residual_per_year is not None:
        left = residual_value(ctx, offer, value, state.bought, end)
        ledger.add_at(lot.offer, "salvage", end - 1, -left)


def bill_resale(ledger: Ledger, ctx: Context, lot: Lot, state: LotState) -> None:
    """Book what others pay for chips let or sold to them; sold chips need no operation, leave no salvage."""
    offer = ctx.prepared.study.offers[lot.offer]
    begin, end = lot_span(lot, state, ctx.end)
    for at, chips, price in state.let:
        if lot.price_chip <= 0:
            hours = overlap(ledger.edges, at, max(end, at)) / MS_HOUR
            ledger.add(lot.offer, "resale", -hours * chips * price)
            continue
        ledger.add_at(lot.offer, "resale", at, -chips * price)
        value = chips * lot.price_chip * state.price_factor
        years = overlap(ledger.edges, at, end) / YEAR_MS
        ledger.add(lot.offer, "operation", -years * float(offer.operating_share or 0.0) * value)
        if offer.residual_per_year is not None:
            ledger.add_at(lot.offer, "salvage", end - 1, residual_value(ctx, offer, value, begin, end))

"""Bought chips: their price, their operation and what they are worth at the end."""

from __future__ import annotations

from capsim.compile.lots import Lot
from capsim.control.context import Context, LotState
from capsim.control.markets import market_ratio
from capsim.engine.billing.ledger import YEAR_MS, Ledger, overlap
from capsim.engine.billing.spans import lot_span
from capsim.spec.offers import Offer


def bill_purchase(ledger: Ledger, ctx: Context, lot: Lot, state: LotState) -> None:
    """Book the purchase of a lot, its yearly operation and its residual value."""
    begin, end = lot_span(lot, state, ctx.end)
    if lot.price_chip <= 0 or end <= begin:
        return
    offer = ctx.prepared.study.offers[lot.offer]
    value = lot.chips * lot.price_chip * state.price_factor
    ledger.add_at(lot.offer, "purchase", begin, value)
    if offer.operating_share is not None:
        ledger.add(
            lot.offer,
            "operation",
            overlap(ledger.edges, begin, end) / YEAR_MS * float(offer.operating_share) * value,
        )
    if offer.residual_per_year is not None:
        ledger.add_at(lot.offer, "salvage", end - 1, -residual_value(ctx, offer, value, begin, end))


def residual_value(ctx: Context, offer: Offer, value: float, begin: int, end: int) -> float:
    """What chips bought for `value` at `begin` are worth at `end`, USD.

    They decay by the year, and move with the offer's market where the offer says so.
    """
    left: float = value * (1.0 - float(offer.residual_per_year or 0.0)) ** ((end - begin) / YEAR_MS)
    if offer.residual_market and offer.market is not None:
        left *= market_ratio(ctx, offer.market, end - 1) / market_ratio(ctx, offer.market, begin)
    return left

"""Bought chips: their price, their operation and what they are worth at the end."""

from __future__ import annotations

from capsim.compile.portfolio import Lot
from capsim.control.context import Context, LotState
from capsim.engine.billing.ledger import YEAR_MS, Ledger, overlap
from capsim.engine.billing.spans import lot_span


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
        left = value * (1.0 - float(offer.residual_per_year)) ** ((end - begin) / YEAR_MS)
        ledger.add_at(lot.offer, "salvage", end - 1, -left)

"""What is paid beside rent: spot, the end of a lease, chips let or sold to others."""

from __future__ import annotations

import numpy as np

from capsim.compile.calendar import MS_HOUR
from capsim.compile.lots import Lot
from capsim.control.context import Context, LotState
from capsim.control.resale import paid_per_chip
from capsim.engine.billing.ledger import YEAR_MS, Ledger, overlap
from capsim.engine.billing.purchase import residual_value
from capsim.engine.billing.spans import away_ms, lot_span


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
    value = lot.chips * paid_per_chip(ctx, lot)
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
    begin = max(begin, state.bought)
    for at, chips, price in state.let:
        if lot.price_chip <= 0 and not 0 <= state.bought <= at:
            hours = overlap(ledger.edges, at, max(end, at)) / MS_HOUR
            ledger.add(lot.offer, "resale", -hours * chips * price)
            continue
        ledger.add_at(lot.offer, "resale", at, -chips * price)
        value = chips * paid_per_chip(ctx, lot) * state.price_factor
        years = overlap(ledger.edges, at, end) / YEAR_MS
        ledger.add(lot.offer, "operation", -years * float(offer.operating_share or 0.0) * value)
        if offer.residual_per_year is not None:
            ledger.add_at(lot.offer, "salvage", end - 1, residual_value(ctx, offer, value, begin, end))

"""Prepayments: paid before delivery, drawn down later."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from capsim.compile.lots import Lot
from capsim.compile.remedies import leaves_at
from capsim.control.context import Context, LotState
from capsim.engine.billing.ledger import Ledger, overlap
from capsim.engine.billing.prices import agreed_price
from capsim.engine.billing.rent import Rent
from capsim.engine.billing.spans import agreed_span, first_end, lot_span, rent_span

ROUNDING = 1e-9
"""Share of a prepayment below which what is left of it is rounding."""


def bill_prepayment(ledger: Ledger, ctx: Context, lot: Lot, state: LotState, rent: Rent | None) -> None:
    """Book what is paid in advance for a lot, its draw-down, and what is left of it at the end."""
    spec = ctx.prepared.study.offers[lot.offer].prepay
    if spec is None or lot.prepaid <= 0 or (lot.option and lot.option not in ctx.exercised):
        return
    rented = agreed_price(ctx, lot, state).hours(*agreed_span(lot, state, ctx.end))
    paid = lot.prepaid * lot.chips * rented
    due = max(state.planned - int(spec.before), state.signed)
    over = state.ended if state.status in ("defaulted", "left") else ctx.end
    if due >= min(over, ctx.end):
        return
    ledger.add_at(lot.offer, "prepayment", due, paid)
    if state.status == "terminated":
        remedy = ctx.prepared.study.offers[lot.offer].delivery.remedy
        back = leaves_at(remedy, state.planned, ctx.prepared.calendar)
        ledger.add_at(lot.offer, "drawdown", state.planned if back is None else back, -paid)
        return
    drawn = drawn_down(ctx, lot, state, rent, ledger.edges, paid)
    ledger.add(lot.offer, "drawdown", -drawn)
    left = paid - float(drawn.sum())
    if left > ROUNDING * paid:
        _what_is_left(ledger, ctx, lot, state, left)


def drawn_down(
    ctx: Context, lot: Lot, state: LotState, rent: Rent | None, edges: NDArray[np.int64], paid: float
) -> NDArray[np.float64]:
    """What of a prepayment of `paid` USD is credited against rent by month, USD, shape (months,)."""
    spec = ctx.prepared.study.offers[lot.offer].prepay
    begin, end = rent_span(lot, state, ctx.end)
    if spec is None or rent is None or end <= begin:
        return np.zeros(len(edges) - 1)
    first = begin + int(spec.credited_after)
    if spec.credited == "evenly":
        last = first_end(lot, state, ctx.end)
        return paid * overlap(edges, first, min(end, last)) / max(last - first, 1)
    span, since = overlap(edges, begin, end), overlap(edges, first, max(end, first))
    share = np.divide(since, span, out=np.zeros(len(span)), where=span > 0)
    return np.diff(np.minimum(np.cumsum(np.maximum(rent.usd, 0.0) * share), paid), prepend=0.0)


def _what_is_left(ledger: Ledger, ctx: Context, lot: Lot, state: LotState, left: float) -> None:
    """Book what becomes of `left` USD that were not drawn down."""
    offer = ctx.prepared.study.offers[lot.offer]
    if state.status == "defaulted":
        spec = ctx.prepared.study.uncertainty.suppliers[ctx.provider(lot.offer)]
        back = state.ended + int(spec.recovery_after or 0)
        ledger.add_at(lot.offer, "recovery", back, -float(spec.recovery or 0.0) * left)
    elif state.left >= 0 or state.exchanged:
        if offer.prepay is not None and offer.prepay.refundable:
            ledger.add_at(lot.offer, "drawdown", state.left if state.left >= 0 else state.ended, -left)
    elif state.status == "ended" and lot.ends is not None and state.delivered > max(state.planned, 0):
        # a late supplier gives back what was paid for hours of a fixed window that it did not deliver
        ledger.add_at(lot.offer, "drawdown", state.ended - 1, -left)
    elif state.status == "planned" or (lot_span(lot, state, ctx.end)[1] == ctx.end and state.rent_until < 0):
        # what is still to be drawn down after the horizon is worth its amount at the end
        ledger.add_at(lot.offer, "undrawn", ctx.end - 1, -left)

"""Prepayments: paid before delivery, drawn down later."""

from __future__ import annotations

import numpy as np

from capsim.compile.calendar import MS_HOUR
from capsim.compile.portfolio import Lot
from capsim.compile.remedies import leaves_at
from capsim.control.context import Context, LotState
from capsim.engine.billing.ledger import Ledger, overlap
from capsim.engine.billing.spans import lot_price, lot_span


def bill_prepayment(ledger: Ledger, ctx: Context, lot: Lot, state: LotState) -> None:
    """Book what is paid in advance for a lot, its draw-down, and what is left of it at the end."""
    spec = ctx.prepared.study.offers[lot.offer].prepay
    if spec is None or float(spec.share) <= 0:
        return
    term_hours = (lot.planned_end(ctx.end) - lot.planned) / MS_HOUR
    paid = float(spec.share) * lot.chips * lot_price(lot, state) * term_hours
    due = max(state.planned - int(spec.before), 0)
    if due >= ctx.end or (state.status == "defaulted" and due >= state.ended):
        return
    ledger.add_at(lot.offer, "prepayment", due, paid)
    if state.status == "terminated":
        remedy = ctx.prepared.study.offers[lot.offer].delivery.remedy
        back = leaves_at(remedy, state.planned, ctx.prepared.calendar)
        ledger.add_at(lot.offer, "drawdown", state.planned if back is None else back, -paid)
        return
    begin, end = lot_span(lot, state, ctx.end)
    if end <= begin:
        bill_recovery(ledger, ctx, lot, state, paid)
        return
    hours = overlap(
        ledger.edges, begin + int(spec.credited_after), max(end, begin + int(spec.credited_after))
    )
    rent = hours / MS_HOUR * lot.chips * lot_price(lot, state)
    drawn = np.minimum(np.cumsum(rent), paid)
    ledger.add(lot.offer, "drawdown", -np.diff(np.concatenate([[0.0], drawn])))
    bill_recovery(ledger, ctx, lot, state, paid - float(drawn[-1]))
    if end == ctx.end:  # what is still to be drawn down after the horizon is worth its amount at the end
        ledger.add_at(lot.offer, "salvage", end - 1, -(paid - float(drawn[-1])))


def bill_recovery(ledger: Ledger, ctx: Context, lot: Lot, state: LotState, left: float) -> None:
    """Book what comes back, after a while, of `left` USD paid in advance to a provider that defaulted."""
    if state.status != "defaulted":
        return
    spec = ctx.prepared.study.uncertainty.suppliers[ctx.provider(lot.offer)]
    ledger.add_at(lot.offer, "recovery", state.ended + int(spec.recovery_after), -float(spec.recovery) * left)

"""Rent of contracted chips: take-or-pay, and credits for late delivery."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import MS_HOUR
from capsim.compile.portfolio import Lot
from capsim.compile.remedies import delay_credit
from capsim.control.context import Context, LotState
from capsim.engine.billing.ledger import Ledger, overlap
from capsim.engine.billing.spans import lot_price, rent_span


def bill_rent(ledger: Ledger, ctx: Context, lot: Lot, state: LotState, used: NDArray[np.float64]) -> None:
    """Book the rent of a lot; `used` is the share of its delivered chips in use by month, shape (months,)."""
    price = lot_price(lot, state)
    begin, end = rent_span(lot, state, ctx.end)
    offer = ctx.prepared.study.offers[lot.offer]
    if price <= 0 or end <= begin or offer.kind == "spot":
        return
    pay = offer.take_or_pay
    if pay is not None and pay.starts == "on_date":
        begin = max(min(state.planned, begin), 0)
    hours = overlap(ledger.edges, begin, end) / MS_HOUR * lot.chips
    share = 1.0 if pay is None else float(pay.share)
    ledger.add(lot.offer, "commitment", hours * price * np.maximum(share, np.minimum(used, 1.0)))
    credit = delay_credit(offer.delivery.remedy, lot.chips * 24 * price, state.delay)
    ledger.add_at(lot.offer, "credit", state.delivered, -credit)

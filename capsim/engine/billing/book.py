"""Book all contracts of a run, room by room."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from capsim.control.context import Context
from capsim.engine.billing.adjustments import bill_porting, bill_premiums
from capsim.engine.billing.ledger import Ledger
from capsim.engine.billing.lifecycle import bill_lease_end, bill_resale, bill_spot
from capsim.engine.billing.min_spend import bill_min_spend
from capsim.engine.billing.power import bill_power
from capsim.engine.billing.prepayment import bill_prepayment
from capsim.engine.billing.purchase import bill_purchase
from capsim.engine.billing.rent import bill_rent, rents
from capsim.engine.billing.shell import bill_shell
from capsim.engine.billing.termination import bill_termination


def book(ctx: Context, used: dict[str, NDArray[np.float64]]) -> Ledger:
    """Book all contracts of a run.

    Args:
        used: share of the delivered chips in use by month and place name, shape (months,); it matters where
            take-or-pay covers less than all of them.
    """
    prepared = ctx.prepared
    ledger = Ledger(prepared.calendar, np.array(prepared.calendar.months(), dtype=np.int64))
    rented = rents(ctx, ledger.edges, used)
    for lot in prepared.portfolio.lots:
        state = ctx.lots[lot.key]
        if state.status in ("not converted", "unused"):
            continue
        rent = rented.get(lot.key)
        if rent is not None:
            bill_rent(ledger, ctx, lot, state, rent)
        bill_prepayment(ledger, ctx, lot, state, rent)
        bill_purchase(ledger, ctx, lot, state)
        bill_spot(ledger, ctx, lot, state)
        bill_lease_end(ledger, ctx, lot, state)
        bill_resale(ledger, ctx, lot, state)
    for shell in prepared.portfolio.shells:
        bill_shell(ledger, ctx, shell)
    bill_porting(ledger, prepared)
    bill_premiums(ledger, ctx)
    bill_power(ledger, ctx)
    bill_termination(ledger, ctx)
    bill_min_spend(ledger, ctx)
    return ledger

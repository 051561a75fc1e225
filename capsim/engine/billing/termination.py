"""Leaving a contract for convenience: the fee on what would have remained payable."""

from __future__ import annotations

from capsim.compile.lots import Lot, Shell
from capsim.control.context import Context
from capsim.engine.billing.ledger import Ledger
from capsim.engine.billing.obligations import exit_cost
from capsim.engine.billing.spans import left_at


def bill_termination(ledger: Ledger, ctx: Context, only: str | None = None) -> None:
    """Book the fee of every lot and shell that was left before its time, on the day of the exit.

    Args:
        only: key of one lot or shell, or all.
    """
    portfolio = ctx.prepared.portfolio
    items: list[Lot | Shell] = [*portfolio.lots, *portfolio.shells]
    for item in items:
        left = left_at(ctx.lots[item.key] if isinstance(item, Lot) else ctx.shells[item.key])
        if left >= 0 and only in (None, item.key):
            ledger.add_at(item.offer, "termination", left, exit_cost(ctx, item, left))

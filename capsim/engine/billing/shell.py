"""Powered shells: rent by the kilowatt and month."""

from __future__ import annotations

from capsim.compile.portfolio import Shell
from capsim.control.context import Context
from capsim.engine.billing.ledger import MONTH_MS, Ledger, overlap


def bill_shell(ledger: Ledger, ctx: Context, shell: Shell) -> None:
    """Book the rent of a shell from its delivery."""
    state = ctx.shells[shell.key]
    if state.delivered < 0:
        return
    end = min(ctx.end, state.delivered + shell.term) if shell.term is not None else ctx.end
    end = min(end, state.ended) if state.ended >= 0 else end
    months = overlap(ledger.edges, state.delivered, end) / MONTH_MS
    ledger.add(shell.offer, "shell", months * shell.kw * shell.price_kw_month)

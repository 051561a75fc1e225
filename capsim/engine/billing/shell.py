"""Powered shells: rent by the kilowatt and month."""

from __future__ import annotations

from capsim.compile.lots import Shell
from capsim.control.context import Context
from capsim.engine.billing.ledger import Ledger
from capsim.engine.billing.prices import HOURS_MONTH, shell_price
from capsim.engine.billing.spans import shell_span


def bill_shell(ledger: Ledger, ctx: Context, shell: Shell) -> None:
    """Book the rent of a shell from its delivery."""
    begin, end = shell_span(shell, ctx.shells[shell.key], ctx.end)
    if end > begin:
        months = shell_price(ctx, shell).by_month(ledger.edges, begin, end) / HOURS_MONTH
        ledger.add(shell.offer, "shell", months * shell.kw)

"""Contracts that are left early, for convenience."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from capsim.control.context import Context
from capsim.control.deliveries import Deliveries


def start_terminations(ctx: Context, deliveries: Deliveries) -> None:
    """Early termination for convenience: notice is given on the strategy's day."""
    strategy = ctx.prepared.study.strategies[ctx.prepared.strategy]
    for offer, day in strategy.terminate.items():
        right = ctx.prepared.study.offers[offer].termination
        notice = int(right.notice) if right is not None else 0
        at = ctx.prepared.calendar.ms(day) + notice
        ctx.env.process(terminate(ctx, deliveries, offer, at))


def terminate(ctx: Context, deliveries: Deliveries, offer: str, at: int) -> Generator[Any, Any, None]:
    """Leave an offer for convenience at an instant, if that is within the horizon."""
    if at >= ctx.end:
        return
    yield ctx.until(at)
    leave(ctx, deliveries, offer)


def leave(ctx: Context, deliveries: Deliveries, offer: str) -> None:
    """Leave an offer for convenience now: its chips go, and none come any more."""
    ctx.terminated.add(offer)
    for lot in ctx.prepared.portfolio.lots:
        if ctx.lots[lot.key].bought >= 0:
            continue  # bought chips are the buyer's
        if lot.offer == offer and ctx.lots[lot.key].status in ("planned", "delivered"):
            text = f"{lot.words}: {lot.chips:,} {lot.system} left for convenience"
            deliveries.remove(lot, "left", "termination", text)
    for shell in ctx.prepared.portfolio.shells:
        if shell.offer == offer and ctx.shells[shell.key].status in ("planned", "delivered"):
            deliveries.remove_shell(shell, "left", f"{shell.size} left for convenience")

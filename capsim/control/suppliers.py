"""Providers that default: all of their contracts end on one day."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from capsim.control.context import Context
from capsim.control.deliveries import Deliveries


def start_defaults(ctx: Context, deliveries: Deliveries) -> None:
    """Start one process for every provider that defaults within the horizon in this world."""
    for provider in ctx.prepared.study.uncertainty.suppliers:
        at = ctx.draws.default(provider)
        if at < ctx.end:
            ctx.env.process(_default(ctx, deliveries, provider, int(at)))


def _default(ctx: Context, deliveries: Deliveries, provider: str, at: int) -> Generator[Any, Any, None]:
    yield ctx.until(at)
    ctx.defaulted[provider] = ctx.now
    for lot in ctx.prepared.portfolio.lots:
        state = ctx.lots[lot.key]
        if state.bought >= 0 or (lot.price_chip > 0 and state.delivered >= 0):
            continue  # bought chips are the buyer's
        if ctx.provider(lot.offer) == provider and state.status in ("planned", "delivered"):
            text = f"{provider} defaults: {lot.chips:,} {lot.system} of {lot.words} are lost"
            deliveries.remove(lot, "defaulted", "default", text)
    for shell in ctx.prepared.portfolio.shells:
        power = ctx.shells[shell.key]
        if ctx.provider(shell.offer) == provider and power.status in ("planned", "delivered"):
            deliveries.remove_shell(shell, "defaulted", f"{provider} defaults: {shell.size} lost")

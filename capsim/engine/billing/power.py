"""Power passed through: what the tenant pays for power above the price that its contract includes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import MS_HOUR
from capsim.compile.lots import Lot
from capsim.control.context import Context
from capsim.engine.billing.ledger import Ledger, overlap
from capsim.engine.billing.spans import away_ms, lot_span, shell_span
from capsim.spec.offers import Offer

KWH_MWH = 1_000.0


def bill_power(ledger: Ledger, ctx: Context) -> None:
    """Book the power of every lot and shell whose contract passes it through.

    kW × PUE × load × hours × (price - strike); never below 0 unless the contract refunds. Of chips, those
    that have power and are not in others' hands.
    """
    portfolio = ctx.prepared.portfolio
    for lot in portfolio.lots:
        offer = ctx.prepared.study.offers[lot.offer]
        if offer.power_pass_through is not None:
            hours = _chips_with_power(ctx, lot, ledger.edges) / MS_HOUR
            ledger.add(lot.offer, "power", hours * lot.kw * _rate(ctx, offer))
    for shell in portfolio.shells:
        offer = ctx.prepared.study.offers[shell.offer]
        if offer.power_pass_through is not None:
            hours = overlap(ledger.edges, *shell_span(shell, ctx.shells[shell.key], ctx.end)) / MS_HOUR
            ledger.add(shell.offer, "power", hours * shell.kw * _rate(ctx, offer))


def _chips_with_power(ctx: Context, lot: Lot, edges: NDArray[np.int64]) -> NDArray[np.int64]:
    """Chip-ms by month in which chips of a lot draw power that its holder pays for, shape (months,)."""
    state = ctx.lots[lot.key]
    begin, end = lot_span(lot, state, ctx.end)
    if not ctx.prepared.study.offers[lot.offer].needs_shell:
        return lot.chips * overlap(edges, begin, end) - away_ms(ctx, lot, state, edges, begin, end)
    drawn = np.zeros(len(edges) - 1, dtype=np.int64)
    for at, chips in state.powered:
        drawn += chips * overlap(edges, max(at, begin), max(end, at, begin))
    return drawn


def _rate(ctx: Context, offer: Offer) -> NDArray[np.float64]:
    """USD per hour and kW of critical IT power by month, shape (months,)."""
    spec = offer.power_pass_through
    assert spec is not None
    pue = float(offer.power.pue) if offer.power is not None and offer.power.pue is not None else 1.0
    above = power_prices(ctx, offer) - float(spec.strike)
    if not spec.refund:
        above = np.maximum(above, 0.0)
    rate: NDArray[np.float64] = above / KWH_MWH * pue * float(spec.load)
    return rate


def power_prices(ctx: Context, offer: Offer) -> NDArray[np.float64]:
    """USD per MWh at an offer's site by month, shape (months,)."""
    spec = offer.power_pass_through
    assert spec is not None
    if spec.market is not None:
        return ctx.draws.power(spec.market)
    return np.full(len(ctx.prepared.calendar.months()) - 1, float(spec.price or 0.0))

"""Equity and warrants that come with contracts: what vests, when, after its haircut; never netted."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import Calendar
from capsim.control.context import Context
from capsim.engine.billing.ledger import Ledger
from capsim.engine.billing.spans import lot_span
from capsim.randomness import normal
from capsim.spec.contract_prices import Equity, Milestone, Stock

LINE = "equity"
MONTHS_YEAR = 12


def vest_equity(ctx: Context) -> Ledger:
    """The value of what vests under each held offer, by month: a ledger of its own with one line, `equity`.

    A slice of a holding brings that slice of the equity; milestones are those of the whole holding.
    """
    prepared = ctx.prepared
    ledger = Ledger(prepared.calendar, np.array(prepared.calendar.months(), dtype=np.int64))
    for name in prepared.portfolio.offers:
        offer = prepared.study.offers[name]
        if not offer.equity or not _signed(ctx, name):
            continue
        part = prepared.portfolio.parts.get(name, 1.0)
        for equity in offer.equity:
            stock = None
            if equity.stock is not None:
                key = (*ctx.draws.key, "stock", offer.provider)
                stock = stock_path(equity.stock, len(ledger.edges) - 1, key)
            share = _vested(ctx, ledger, name, equity, stock, part)
            worth = _worth(equity, stock, len(share))
            ledger.add(name, LINE, share * worth * (1.0 - float(equity.haircut)) * part)
    return ledger


def stock_path(stock: Stock, months: int, key: tuple[str | int, ...]) -> NDArray[np.float64]:
    """A share price at the end of each month: geometric Brownian motion whose mean grows by `drift`, USD."""
    sigma = float(stock.volatility)
    drift = (math.log1p(float(stock.drift)) - sigma**2 / 2) / MONTHS_YEAR
    noise = np.array([normal(*key, month) for month in range(months)])
    path: NDArray[np.float64] = float(stock.price) * np.exp(
        np.cumsum(drift + sigma / math.sqrt(MONTHS_YEAR) * noise)
    )
    return path


def _signed(ctx: Context, name: str) -> bool:
    portfolio = ctx.prepared.portfolio
    states = [ctx.lots[lot.key].status for lot in portfolio.lots if lot.offer == name]
    states += [ctx.shells[shell.key].status for shell in portfolio.shells if shell.offer == name]
    return any(status not in ("not converted", "unused") for status in states)


def _worth(equity: Equity, stock: NDArray[np.float64] | None, months: int) -> NDArray[np.float64]:
    """The whole equity if it vests in a month, USD, shape (months,)."""
    if equity.warrant is None or stock is None:
        return np.full(months, float(equity.value or 0.0))
    gain: NDArray[np.float64] = np.maximum(stock - float(equity.warrant.strike), 0.0)
    return float(equity.warrant.shares) * gain


def _vested(
    ctx: Context, ledger: Ledger, name: str, equity: Equity, stock: NDArray[np.float64] | None, part: float
) -> NDArray[np.float64]:
    """The share of an equity that vests in each month, shape (months,)."""
    months = len(ledger.edges) - 1
    vested = np.zeros(months)
    announced = ctx.prepared.study.offers[name].announced
    signed = ledger.month(ctx.prepared.calendar.ms(announced)) if announced is not None else 0
    if equity.vests == "on_signing":
        vested[signed] = 1.0
    elif equity.vests == "conditional":
        vested[signed] = 1.0 if equity.probability is None else float(equity.probability)
    elif equity.vests == "with_delivery":
        chips, _ = _delivered(ctx, ledger, name)
        held = sum(
            lot.chips
            for lot in ctx.prepared.portfolio.lots
            if lot.offer == name and ctx.lots[lot.key].status != "unused"
        )
        vested = np.diff(chips, prepend=0.0) / held if held else vested
    else:
        _, kw = _delivered(ctx, ledger, name)
        for milestone in equity.milestones:
            met = _met(milestone, kw / part, stock, ctx.prepared.calendar, ledger)
            if met < months:
                weight = 1.0 if milestone.probability is None else float(milestone.probability)
                vested[met] += float(milestone.share) * weight
    return vested


def _delivered(ctx: Context, ledger: Ledger, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Chips and critical IT power (kW) ever delivered by the end of each month, shapes (months,)."""
    chips, kw = (np.zeros(len(ledger.edges) - 1) for _ in range(2))
    for lot in ctx.prepared.portfolio.lots:
        begin, end = lot_span(lot, ctx.lots[lot.key], ctx.end)
        if lot.offer == name and end > begin:
            chips[ledger.month(begin) :] += lot.chips
            kw[ledger.month(begin) :] += lot.chips * lot.kw
    for shell in ctx.prepared.portfolio.shells:
        state = ctx.shells[shell.key]
        if shell.offer == name and state.delivered >= 0:
            kw[ledger.month(state.delivered) :] += shell.kw
    return chips, kw


def _met(
    milestone: Milestone,
    kw: NDArray[np.float64],
    stock: NDArray[np.float64] | None,
    calendar: Calendar,
    ledger: Ledger,
) -> int:
    """The first month by whose end each condition was met at some time; the number of months if never."""
    months = len(kw)
    first = 0
    if milestone.delivered is not None:
        first = max(first, _first(kw >= float(milestone.delivered) * (1 - 1e-9)))
    if milestone.share_price is not None and stock is not None:
        first = max(first, _first(stock >= float(milestone.share_price)))
    if milestone.not_before is not None:
        at = calendar.ms(milestone.not_before)
        first = max(first, months if at >= int(ledger.edges[-1]) else ledger.month(at))
    return first


def _first(met: NDArray[np.bool_]) -> int:
    return int(np.argmax(met)) if met.any() else len(met)

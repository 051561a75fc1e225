"""Capacity that a strategy lets to others, or sells where it was bought."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from capsim.compile.calendar import DAYS_YEAR, MS_DAY
from capsim.compile.lots import Lot
from capsim.compile.portfolio import placement_unit
from capsim.control.context import Context
from capsim.control.markets import market_ratio
from capsim.control.measures import holds
from capsim.control.power import PowerFeeds
from capsim.spec.contract_delivery import Letting, Resale

WEEK = 7 * MS_DAY


def start_resale(ctx: Context, power: PowerFeeds) -> None:
    """Start one process for every resale of the strategy."""
    for spec in ctx.prepared.study.strategies[ctx.prepared.strategy].resell:
        ctx.env.process(_resell(ctx, power, spec))


def _resell(ctx: Context, power: PowerFeeds, spec: Resale) -> Generator[Any, Any, None]:
    """On its day if its condition holds, or on the first day in steps of a week, as long as it is asked."""
    at = max(ctx.prepared.calendar.ms(spec.starts), 0)
    last = at if spec.until is None else ctx.prepared.calendar.ms(spec.until)
    while at < ctx.end and at <= last:
        yield ctx.until(at)
        if spec.when is None or holds(ctx, spec.when):
            resell(ctx, power, spec)
            return
        at += WEEK
    ctx.log("resale", spec.offer, f"nothing is let ({spec.when})")


def resell(ctx: Context, power: PowerFeeds, spec: Letting) -> None:
    """Let (or sell, where they were bought) a share of an offer's delivered chips now."""
    for lot in ctx.prepared.portfolio.lots:
        state = ctx.lots[lot.key]
        if lot.offer != spec.offer or state.status != "delivered" or lot.stands_in:
            continue
        unit = placement_unit(ctx.prepared.study.systems[lot.system])
        units = power.give_up(lot, int(lot.chips // unit * float(spec.share) + 1e-9))
        price = (
            resale_price(ctx, lot) * (1.0 - float(spec.discount or 0.0)) * (1.0 - float(spec.haircut or 0.0))
        )
        state.let.append((ctx.now, units * unit, price))
        owned = paid_per_chip(ctx, lot) > 0
        how, per = ("sold", "a chip") if owned else ("let", "a chip-hour")
        ctx.log("resale", lot.offer, f"{units * unit:,} {lot.system} {how} at ${price:,.2f} {per}")


def resale_price(ctx: Context, lot: Lot) -> float:
    """What the market pays today, USD per chip-hour; for bought chips their residual value, USD per chip."""
    offer, state = ctx.prepared.study.offers[lot.offer], ctx.lots[lot.key]
    moved = 1.0 if offer.market is None else ctx.prices[offer.market]
    price = paid_per_chip(ctx, lot)
    if price <= 0:
        return lot.price_hour * moved
    since = state.delivered
    if state.bought >= 0:
        since = state.bought
        moved /= 1.0 if offer.market is None else market_ratio(ctx, offer.market, since)
    age = (ctx.now - since) / (DAYS_YEAR * MS_DAY)
    left: float = (1.0 - float(offer.residual_per_year or 0.0)) ** age
    return price * moved * left


def paid_per_chip(ctx: Context, lot: Lot) -> float:
    """What a chip of a lot was bought for, USD, before its market moved; 0 where chips are rented."""
    if ctx.lots[lot.key].bought < 0:
        return lot.price_chip
    spec = ctx.prepared.study.offers[lot.offer].lease_end
    residual = spec.residual if spec is not None else None
    return float((residual.get(lot.system, 0.0) if isinstance(residual, dict) else residual) or 0.0)

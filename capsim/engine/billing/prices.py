"""What a lot or a shell pays for, by the hour, in one run: its price path, moved by the run's markets."""

from __future__ import annotations

from capsim.compile.calendar import MS_HOUR
from capsim.compile.lots import Lot, Shell
from capsim.compile.price_path import MarketPrice, StepPath, agreed_path, moved_path, moves, signed_on
from capsim.control.context import Context, LotState
from capsim.control.markets import market_ratio
from capsim.engine.billing.ledger import MONTH_MS
from capsim.engine.billing.spans import agreed_span, first_end, shell_end

HOURS_MONTH = MONTH_MS / MS_HOUR


def lot_price(ctx: Context, lot: Lot, state: LotState) -> StepPath:
    """USD per chip-hour that a lot pays, from its delivery on (from the plan where it has not come yet).

    Further terms are steps at their own prices; the terms that move a price move that of the first term only.
    """
    offer = ctx.prepared.study.offers[lot.offer]
    price = lot.price_hour * state.price_factor
    path = StepPath.constant(price)
    if moves(offer):
        start = state.delivered if state.delivered >= 0 else state.planned + state.delay
        end = first_end(lot, state, ctx.end)
        market = _market_price(ctx, lot)
        path = moved_path(offer, price, ctx.prepared.calendar, start, end, market, lot.system)
    if not state.renewals or price <= 0:
        return path
    same = offer.renewal is not None and offer.renewal.price == "same"
    moved = path.at(state.renewals[0][0] - 1) / price if same else 1.0
    starts, values = path.starts, path.values
    for begin, _, further in state.renewals:
        starts, values = (*starts, begin), (*values, further * moved)
    return StepPath(starts, values)


def agreed_price(ctx: Context, lot: Lot, state: LotState) -> StepPath:
    """The same as contracted: on time, and moved by the escalator only."""
    price = lot.price_hour * state.price_factor
    offer, calendar = ctx.prepared.study.offers[lot.offer], ctx.prepared.calendar
    return agreed_path(offer, price, calendar, *agreed_span(lot, state, ctx.end), lot.system)


def lot_value(ctx: Context, lot: Lot, state: LotState) -> float:
    """Value of a lot over its whole term as contracted, USD: rent, or the purchase price."""
    rent = agreed_price(ctx, lot, state).hours(*agreed_span(lot, state, ctx.end))
    return lot.chips * (rent + lot.price_chip * state.price_factor)


def shell_value(ctx: Context, shell: Shell) -> float:
    """Value of a shell over its whole term as contracted, USD; 0 without a term."""
    offer, calendar = ctx.prepared.study.offers[shell.offer], ctx.prepared.calendar
    end = shell.planned + (shell.term or 0)
    path = agreed_path(offer, shell.price_kw_month, calendar, shell.planned, end)
    return shell.kw * path.hours(shell.planned, end) / HOURS_MONTH


def shell_price(ctx: Context, shell: Shell) -> StepPath:
    """USD per kW of critical IT power and month that a shell pays; an escalator is all that moves it."""
    state = ctx.shells[shell.key]
    start = state.delivered if state.delivered >= 0 else shell.planned + state.delay
    offer = ctx.prepared.study.offers[shell.offer]
    end = shell_end(shell, state, ctx.end)
    return agreed_path(offer, shell.price_kw_month, ctx.prepared.calendar, start, end)


def _market_price(ctx: Context, lot: Lot) -> MarketPrice:
    """What the market asks for the chips of a lot: an index on its signed price, or its own price."""
    study = ctx.prepared.study
    signed = max(signed_on(study.offers[lot.offer], ctx.prepared.calendar), 0)

    def price(market: str, basis: str, at: int) -> float:
        if basis == "price":
            return float(study.markets[market].start) * market_ratio(ctx, market, at)
        return lot.price_hour * market_ratio(ctx, market, at) / market_ratio(ctx, market, signed)

    return price

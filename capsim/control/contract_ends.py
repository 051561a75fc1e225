"""The end of a contract's term: renewed, bought, or prolonged for what was lost."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from capsim.compile.calendar import MS_DAY
from capsim.compile.lots import Lot
from capsim.compile.remedies import made_good_ms
from capsim.control.context import Context
from capsim.control.measures import holds


def contract_end(lot: Lot, delivered: int) -> int | None:
    """When the first term of a lot ends, ms; None where it never does."""
    if lot.ends is not None:
        return lot.ends
    return None if lot.term is None else delivered + lot.term


def until_end(ctx: Context, lot: Lot) -> Generator[Any, Any, bool]:
    """Wait until the chips of a delivered lot go back; False where they stay or have left already."""
    state = ctx.lots[lot.key]
    end = contract_end(lot, state.delivered)
    if end is None:
        return False
    end = yield from _renewals(ctx, lot, end)
    if end >= ctx.end:
        return False
    yield ctx.until(end)
    if state.status != "delivered":
        return False
    offer = ctx.prepared.study.offers[lot.offer]
    if offer.lease_end is not None and offer.lease_end.action == "purchase":
        state.rent_until = state.bought = ctx.now
        ctx.log("lease", lot.offer, f"{lot.chips:,} {lot.system} bought at the end of the lease")
        return False
    spec = offer.delivery.make_good
    if spec is not None:
        outages = [min(b, end) - max(a, state.delivered) for a, b in ctx.draws.outages(lot.offer)]
        free = made_good_ms(spec, state.delay, outages)
        if free > 0:
            state.rent_until = ctx.now
            ctx.log("make-good", lot.offer, f"{lot.chips:,} {lot.system} stay {free / MS_DAY:.1f} d, free")
            if end + free >= ctx.end:
                return False
            yield ctx.until(end + free)
    return state.status == "delivered"


def _renewals(ctx: Context, lot: Lot, end: int) -> Generator[Any, Any, int]:
    """Decide on each renewal at its notice; the end of the last term, ms."""
    spec = ctx.prepared.study.offers[lot.offer].renewal
    strategy = ctx.prepared.study.strategies[ctx.prepared.strategy]
    given = strategy.renew.get(lot.offer)
    if spec is None or (given is None and not strategy.decides_later(lot.offer)):
        return end
    state = ctx.lots[lot.key]
    for _ in range(int(spec.times or 1)):
        decided = end - int(spec.notice or 0)
        if decided >= ctx.end:
            break
        yield ctx.until(decided)
        if state.status != "delivered":
            break
        wish = "always" if lot.offer in ctx.renewing else given or "never"
        if not holds(ctx, wish):
            ctx.log("renewal", lot.offer, f"{lot.words} is not renewed ({wish})")
            break
        last = state.renewals[-1][2] if state.renewals else lot.price_hour * state.price_factor
        price = renewal_price(ctx, lot, last) if spec.price == "market" else last
        price *= 1.0 + float(spec.change or 0.0)
        state.renewals.append((end, end + int(spec.term), price))
        end += int(spec.term)
        ctx.log("renewal", lot.offer, f"{lot.words}: {lot.chips:,} {lot.system} at ${price:.2f}/h")
    return end


def renewal_price(ctx: Context, lot: Lot, last: float) -> float:
    """Today's price of a lot's chips: its first price as the market moved, USD per chip-hour."""
    market = ctx.prepared.study.offers[lot.offer].market
    return last if market is None else lot.price_hour * ctx.prices[market]

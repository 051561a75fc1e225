"""Orders that a strategy places while a run lasts: from the room laid out for them, within their limits."""

from __future__ import annotations

from capsim.compile.calendar import DAYS_YEAR, MS_DAY, MS_HOUR
from capsim.compile.lots import RULES, Lot
from capsim.compile.portfolio import ROOM
from capsim.control.context import Context
from capsim.control.deliveries import Deliveries
from capsim.spec.strategies import Buy

QUARTER = int(DAYS_YEAR / 4 * MS_DAY)


class Purchases:
    """What one rule, ramp or purchase in Python may order, and what it has ordered.

    Attributes:
        orders: (instant, lot) of every order placed.
        room: lots that can still be ordered.
    """

    def __init__(self, ctx: Context, deliveries: Deliveries, number: int, buy: Buy) -> None:
        self.ctx = ctx
        self.deliveries = deliveries
        self.buy = buy
        self.orders: list[tuple[int, Lot]] = []
        first = RULES + ROOM * number
        self.room = [
            lot for lot in ctx.prepared.portfolio.lots if lot.contingent and first <= lot.index < first + ROOM
        ]

    def order(self, why: str) -> bool:
        """Place one order now; False where no limit, room or supplier allows it.

        It is signed at today's market price, where the offer names a market.
        """
        ctx = self.ctx
        if not self.room or self.buy.offer in ctx.terminated:
            return False
        if ctx.provider(self.buy.offer) in ctx.defaulted:
            return False
        lot = self.room[0]
        market = ctx.prepared.study.offers[lot.offer].market
        factor = ctx.prices.get(market, 1.0) if market else 1.0
        if not self._within_limits(lot, factor):
            return False
        self.room.pop(0)
        ctx.lots[lot.key].price_factor = factor
        ctx.lots[lot.key].status, ctx.lots[lot.key].signed = "planned", ctx.now
        ctx.log("rule", lot.offer, f"{why}: {lot.chips:,} {lot.system} bought")
        self.orders.append((ctx.now, lot))
        ctx.env.process(self.deliveries.deliver(lot, ctx.now + int(self.buy.lead)))
        return True

    def under_contract(self, at: int) -> int:
        """Chips ordered whose contract lasts beyond an instant, if they come on time."""
        total = 0
        for ordered, lot in self.orders:
            begin = ordered + int(self.buy.lead)
            end = lot.ends if lot.ends is not None else None if lot.term is None else begin + lot.term
            if (end is None or end > at) and self.ctx.lots[lot.key].status in ("planned", "delivered"):
                total += lot.chips
        return total

    def _within_limits(self, lot: Lot, factor: float) -> bool:
        buy, quantity = self.buy, int(self.buy.quantity)
        recent = sum(1 for at, _ in self.orders if at > self.ctx.now - QUARTER)
        if buy.limit_per_quarter is not None and (recent + 1) * quantity > int(buy.limit_per_quarter):
            return False
        if buy.limit is not None and (len(self.orders) + 1) * quantity > int(buy.limit):
            return False
        if buy.budget is None:
            return True
        spent = sum(
            self._value(at, other, self.ctx.lots[other.key].price_factor) for at, other in self.orders
        )
        return spent + self._value(self.ctx.now, lot, factor) <= float(buy.budget)

    def _value(self, ordered: int, lot: Lot, factor: float) -> float:
        """Rent over the term, or to the horizon's end, and purchase of a lot that is on time, USD."""
        begin = ordered + int(self.buy.lead)
        end = lot.ends if lot.ends is not None else begin + lot.term if lot.term is not None else self.ctx.end
        return lot.chips * factor * (lot.price_hour * max(end - begin, 0) / MS_HOUR + lot.price_chip)

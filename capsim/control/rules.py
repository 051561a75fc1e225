"""Trigger rules of a strategy: at each review, when a condition holds, buy."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from capsim.compile.calendar import DAYS_YEAR, MS_DAY
from capsim.control.context import Context
from capsim.control.deliveries import Deliveries
from capsim.spec.conditions import Condition, parse_condition
from capsim.spec.strategies import Rule


class Rules:
    """Reviews the strategy's rules and buys."""

    def __init__(self, ctx: Context, deliveries: Deliveries, gauges: dict[str, Callable[[], float]]) -> None:
        self.ctx = ctx
        self.deliveries = deliveries
        self.gauges = gauges

    def start(self) -> None:
        """Start one review process a rule."""
        strategy = self.ctx.prepared.study.strategies[self.ctx.prepared.strategy]
        for number, rule in enumerate(strategy.rules):
            self.ctx.env.process(self._review(number, rule))

    def _review(self, number: int, rule: Rule) -> Generator[Any, Any, None]:
        ctx = self.ctx
        clauses = parse_condition(rule.when)
        since: list[int | None] = [None] * len(clauses)
        room = [
            lot
            for lot in ctx.prepared.portfolio.lots
            if lot.purchased_by_rule and 2000 + 1000 * number <= lot.index < 3000 + 1000 * number
        ]
        bought: list[int] = []
        quarter = int(DAYS_YEAR / 4 * MS_DAY)
        at = int(rule.review)
        while at < ctx.end and room:
            yield ctx.until(at)
            at += int(rule.review)
            if not self._holds(clauses, since):
                continue
            limit = rule.buy.limit_per_quarter
            recent = sum(1 for t in bought if t > ctx.now - quarter) * int(rule.buy.quantity)
            if limit is not None and recent + int(rule.buy.quantity) > int(limit):
                continue
            lot = room.pop(0)
            market = ctx.prepared.study.offers[lot.offer].market
            ctx.lots[lot.key].price_factor = ctx.prices.get(market, 1.0) if market else 1.0
            ctx.log("rule", lot.offer, f"{rule.when}: {lot.chips:,} {lot.system} bought")
            bought.append(ctx.now)
            ctx.env.process(self.deliveries.deliver(lot, ctx.now + int(rule.buy.lead)))

    def _holds(self, clauses: tuple[Condition, ...], since: list[int | None]) -> bool:
        """Whether any clause holds now, and has held at every review for as long as it asks."""
        held = False
        for i, clause in enumerate(clauses):
            value = self.gauges[clause.measure]()
            if (value > clause.threshold) == clause.above and value != clause.threshold:
                since[i] = self.ctx.now if since[i] is None else since[i]
                held = held or self.ctx.now - int(since[i] or 0) >= clause.lasting
            else:
                since[i] = None
        return held

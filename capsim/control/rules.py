"""Trigger rules of a strategy: at each review, when a condition holds, buy."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from capsim.compile.calendar import DAYS_YEAR, MS_DAY
from capsim.control.context import Context
from capsim.control.deliveries import Deliveries
from capsim.errors import InputError
from capsim.spec.study import Rule

#: what a condition may look at; a gauge returns a plain number in the condition's unit
GAUGES = ("backlog", "utilisation", "price")
_UNITS = {"h": 3_600_000, "d": MS_DAY, "w": 7 * MS_DAY, "mo": 30.4375 * MS_DAY, "q": 91.3125 * MS_DAY}
_CLAUSE = re.compile(r"^(\w+)\s*(>=|<=|>|<)\s*([\d.]+)\s*(%|h|d|w|mo|q)?(?:\s+for\s+([\d.]+)\s*(h|d|w|mo|q))?$")


@dataclass(frozen=True)
class Clause:
    """``gauge > level for hold``: backlog in ms of waiting, utilisation and price as shares (1.0 = all, = start)."""

    gauge: str
    above: bool
    level: float
    hold: int


def parse_condition(text: str) -> list[Clause]:
    """Clauses joined by ``or``.

    Raises:
        InputError: the text is not such a condition; says what to write.
    """
    clauses = []
    for part in re.split(r"\s+or\s+", text.strip()):
        match = _CLAUSE.match(part.strip())
        if match is None or match[1] not in GAUGES:
            raise InputError(
                f"rule condition {part.strip()!r} is not understood; write e.g. 'backlog > 2w' or "
                f"'utilisation > 85% for 30d' with one of {', '.join(GAUGES)}"
            )
        scale = 0.01 if match[4] == "%" else _UNITS.get(match[4] or "", 1.0)
        hold = int(float(match[5]) * _UNITS[match[6]]) if match[5] else 0
        clauses.append(Clause(match[1], match[2].startswith(">"), float(match[3]) * scale, hold))
    return clauses


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
        clauses = parse_condition(str(rule.when))
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

    def _holds(self, clauses: list[Clause], since: list[int | None]) -> bool:
        """Whether any clause holds now, and has held at every review for as long as it asks."""
        held = False
        for i, clause in enumerate(clauses):
            value = self.gauges[clause.gauge]()
            if (value > clause.level) == clause.above and value != clause.level:
                since[i] = self.ctx.now if since[i] is None else since[i]
                held = held or self.ctx.now - int(since[i] or 0) >= clause.hold
            else:
                since[i] = None
        return held

"""From one strategy to another: lines that sum exactly to the difference of their mean total costs.

Cash lines are compared directly, except the rent of contracts, which is split into what differs in price and
what differs in volume. With C the discounted rent, V the delivered GB200e-hours (discounted month by month,
at the middle of the month) and p = C / V:

    price   = (p_to - p_from) * V_to        volume = (V_to - V_from) * p_from

which sum to C_to - C_from. Where one of the two rents nothing there is no price to compare: all is volume.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from capsim.results.reading import Results
from capsim.study.context import Context, days_in

HOURS_DAY = 24

Amount = Callable[[float], str]
"""Writes an amount of USD."""

#: lines made of discounted cash lines, in the order of the report; rent is split into price and volume.
CASH_GROUPS: dict[str, tuple[str, ...]] = {
    "min spend": ("min_spend",),
    "prepayment": ("prepayment", "drawdown", "undrawn"),
    "purchases": ("purchase", "operation", "salvage"),
    "shells, power": ("shell", "power"),
    "on demand": ("on_demand", "spot"),
    "porting": ("porting",),
    "options": ("premium",),
    "egress": ("egress",),
    "exits, credits": ("termination", "credit", "recovery", "resale"),
}

#: lines made of the value of lost work.
LOST_GROUPS: dict[str, str] = {
    "lost tokens": "lost_tokens_npv",
    "lost research": "lost_research_npv",
    "slip": "slip_npv",
}

#: words for a line that makes the better strategy better, and for one that speaks against it.
WORDS: dict[str, tuple[str, str]] = {
    "price": ("cheaper chip-hours", "dearer chip-hours"),
    "volume": ("less capacity rented", "more capacity rented"),
    "min spend": ("less minimum spend", "more minimum spend"),
    "prepayment": ("cheaper prepayments", "dearer prepayments"),
    "purchases": ("fewer chips bought", "more chips bought"),
    "shells, power": ("less for shells and power", "more for shells and power"),
    "on demand": ("less rented on demand", "more rented on demand"),
    "porting": ("less porting", "more porting"),
    "options": ("fewer options", "more options"),
    "egress": ("less egress", "more egress"),
    "exits, credits": ("cheaper exits", "dearer exits"),
    "lost tokens": ("fewer lost tokens", "more lost tokens"),
    "lost research": ("less lost research", "more lost research"),
    "slip": ("less slip", "more slip"),
}


@dataclass(frozen=True)
class Line:
    """One line of a bridge: what it is and what it adds to total cost, USD (negative is cheaper)."""

    name: str
    usd: float


@dataclass(frozen=True)
class Bridge:
    """From strategy `start` to strategy `goal`: `difference` is the mean total of `goal` less that of
    `start`.

    `difference` is exactly `math.fsum` of the lines; `other` closes it (rent that both hold, rounding).
    """

    start: str
    goal: str
    difference: float
    lines: tuple[Line, ...]

    @property
    def better(self) -> str:
        """The cheaper of the two."""
        return self.goal if self.difference <= 0 else self.start

    @property
    def worse(self) -> str:
        """The dearer of the two."""
        return self.start if self.difference <= 0 else self.goal

    def savings(self) -> list[Line]:
        """What the better one saves by each line, USD (negative: what it loses), largest first."""
        sign = -1.0 if self.difference <= 0 else 1.0
        return sorted(
            (Line(line.name, sign * line.usd) for line in self.lines),
            key=lambda line: (line.usd < 0, -abs(line.usd)),
        )

    def sentence(self, show: Amount, step: float, least: float = 0.0, title: Amount | None = None) -> str:
        """`X beats Y by N: reason n, ...`: savings rounded to `step` USD so that they sum to N, largest
        first.

        `show` writes USD, `title` N where it is written otherwise; lines below `least` of N, and what `other`
        holds, are gathered as `rest`.
        """
        savings = self.savings()
        shown = rounded_to_sum([line.usd for line in savings], step)
        total = sum(shown)
        parts, rest = [], 0.0
        for line, usd in zip(savings, shown, strict=True):
            if line.name == "other" or abs(usd) < least * abs(total):
                rest += usd
            elif usd:
                parts.append(f"{WORDS[line.name][usd < 0]} {show(usd)}")
        if round(rest / step):
            parts.append(f"rest {show(rest)}")
        return f"{self.better} beats {self.worse} by {(title or show)(total)}: " + ", ".join(parts)


def bridge(results: Results, context: Context, start: str, goal: str, case: str) -> Bridge:
    """The bridge from `start` to `goal` in `case`, from means over runs."""
    totals = [float(results.metric("total_npv", s, case).mean()) for s in (start, goal)]
    cash = [results.cash_lines(s, case) for s in (start, goal)]
    lines = [*_rent_lines(results, context, start, goal, case)]
    for name, members in CASH_GROUPS.items():
        lines.append(
            Line(name, math.fsum(sign * c[m] for sign, c in zip((-1, 1), cash, strict=True) for m in members))
        )
    for name, metric in LOST_GROUPS.items():
        before, after = (float(results.metric(metric, s, case).mean()) for s in (start, goal))
        lines.append(Line(name, after - before))
    rest = totals[1] - totals[0] - math.fsum(line.usd for line in lines)
    lines.append(Line("other", rest))
    return Bridge(start, goal, math.fsum(line.usd for line in lines), tuple(lines))


def _rent_lines(results: Results, context: Context, start: str, goal: str, case: str) -> list[Line]:
    (cost_from, hours_from), (cost_to, hours_to) = (rent(results, context, s, case) for s in (start, goal))
    if hours_from <= 0 or hours_to <= 0:
        return [Line("price", 0.0), Line("volume", cost_to - cost_from)]
    price_from, price_to = cost_from / hours_from, cost_to / hours_to
    return [
        Line("price", (price_to - price_from) * hours_to),
        Line("volume", (hours_to - hours_from) * price_from),
    ]


def rent(results: Results, context: Context, strategy: str, case: str) -> tuple[float, float]:
    """Mean discounted rent (USD) and GB200e-hours of the contracts that not every strategy holds."""
    cash = results.table("cash", case, strategy, line="commitment")
    own = ~np.isin(cash["offer"], list(context.common_offers))
    rented = sorted(set(cash["offer"][own]))
    if not rented:
        return 0.0, 0.0
    series = results.table("series", case, strategy, measure="delivered_gb200e", offer=rented)
    weights = {
        m: days_in(m) * HOURS_DAY * context.discount(context.middle_of(m)) for m in set(series["month"])
    }
    hours = math.fsum(v * weights[m] for m, v in zip(series["month"], series["value"], strict=True))
    return math.fsum(cash["npv"][own]) / results.plan.runs, hours / results.plan.runs


def rounded_to_sum(values: Sequence[float], step: float) -> list[float]:
    """`values` rounded to multiples of `step` such that they sum to the rounded sum (largest remainder)."""
    total = round(math.fsum(values) / step)
    floors = [math.floor(value / step) for value in values]
    by_remainder = sorted(range(len(values)), key=lambda i: (floors[i] - values[i] / step, i))
    short = total - sum(floors)
    for index in by_remainder[:short]:
        floors[index] += 1
    return [floor * step for floor in floors]

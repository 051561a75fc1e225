"""What a strategy watches while the run lasts: the measures of its conditions, and whether one holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from capsim.compile.calendar import MS_DAY, MS_HOUR
from capsim.compile.lots import Lot
from capsim.compile.portfolio import MS_MONTH
from capsim.control.context import Context, LotState
from capsim.spec.conditions import Condition, parse_condition

WINDOW: Final = 28 * MS_DAY
QUARTER: Final = 91 * MS_DAY


def holds(ctx: Context, condition: str) -> bool:
    """Whether a condition holds now: `always`, `never`, or comparisons (without `for`)."""
    if condition in ("always", "never"):
        return condition == "always"
    return any(all(c.met(measure(ctx, c)) for c in group) for group in parse_condition(condition))


class Watch:
    """A condition that is asked at every review and remembers since when each comparison holds."""

    def __init__(self, ctx: Context, condition: str) -> None:
        self.ctx = ctx
        self.groups = parse_condition(condition)
        self.since: dict[Condition, int] = {}

    def holds(self) -> bool:
        """Whether it holds now, and has held at every review for as long as it asks."""
        found = [[self._lasts(condition) for condition in group] for group in self.groups]
        return any(all(group) for group in found)

    def _lasts(self, condition: Condition) -> bool:
        if not condition.met(measure(self.ctx, condition)):
            self.since.pop(condition, None)
            return False
        return self.ctx.now - self.since.setdefault(condition, self.ctx.now) >= condition.lasting


def measure(ctx: Context, condition: Condition) -> float:
    """Today's value of what a comparison watches, in the unit of its threshold."""
    if condition.measure in ctx.gauges:
        return ctx.gauges[condition.measure]()
    return _MEASURES[condition.measure](ctx, condition.of)


def price(ctx: Context, market: str) -> float:
    """Today's price in a market, USD per chip-hour."""
    return float(ctx.prepared.study.markets[market].start) * ctx.prices[market]


def token_demand(ctx: Context, at: int) -> float:
    """Mean tokens a second of all services in the four weeks before an instant, or the first four."""
    end, hours = max(min(at, ctx.end), WINDOW) // MS_HOUR, WINDOW // MS_HOUR
    return float(ctx.demand.tokens[:, end - hours : end].sum()) / hours


def demand(ctx: Context, _: str = "") -> float:
    """Tokens asked for in the last four weeks over those in four weeks a quarter before; 1 without any."""
    before = token_demand(ctx, ctx.now - QUARTER)
    return token_demand(ctx, ctx.now) / before if before > 0 else 1.0


def delay(ctx: Context, offer: str) -> float:
    """How late the latest tranche of an offer (of any, where empty) is as far as is known today, ms."""
    return max((_late(ctx, state) for _, state in _held(ctx, offer)), default=0.0)


def _late(ctx: Context, state: LotState) -> float:
    if state.arrived >= 0:
        return float(max(state.delay, 0))
    return float(max(ctx.now - state.planned, 0)) if state.status == "planned" else 0.0


def chips(ctx: Context, offer: str) -> float:
    """Chips of an offer (of all, where empty) that are delivered and not let or gone."""
    there = (
        lot.chips - sum(let for _, let, _ in state.let)
        for lot, state in _held(ctx, offer)
        if state.status == "delivered"
    )
    return float(sum(there))


def spent(ctx: Context, _: str = "") -> float:
    """Rent, purchases and shells so far at the prices signed, before other terms, USD."""
    total = 0.0
    for lot, state in _held(ctx, ""):
        if state.delivered >= 0:
            total += lot.chips * state.price_factor * lot.price_chip
            hours = _hours(ctx, state.delivered, state.ended)
            total += lot.chips * state.price_factor * lot.price_hour * hours
    for shell in ctx.prepared.portfolio.shells:
        mine = ctx.shells[shell.key]
        if mine.delivered >= 0:
            months = _hours(ctx, mine.delivered, mine.ended) * MS_HOUR / MS_MONTH
            total += shell.kw * shell.price_kw_month * months
    return total


def _hours(ctx: Context, begin: int, ended: int) -> float:
    return ((ended if ended >= 0 else ctx.now) - begin) / MS_HOUR


def _held(ctx: Context, offer: str) -> Iterator[tuple[Lot, LotState]]:
    """Lots of an offer, or of all, that are or were under contract."""
    for lot in ctx.prepared.portfolio.lots:
        state = ctx.lots[lot.key]
        if (not offer or lot.offer == offer) and state.status not in ("unused", "not converted"):
            yield lot, state


def _date(ctx: Context, _: str) -> float:
    return float(ctx.prepared.calendar.day(ctx.now).toordinal())


_MEASURES: Final[dict[str, Callable[[Context, str], float]]] = {
    "price": price,
    "demand": demand,
    "delay": delay,
    "chips": chips,
    "spent": spent,
    "date": _date,
}

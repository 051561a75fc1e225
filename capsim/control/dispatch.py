"""Research that does not find its chips is sent out: whole campaigns run on chips rented by the hour."""

from __future__ import annotations

import heapq
from collections.abc import Generator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import DAYS_YEAR, MS_DAY, MS_HOUR
from capsim.compile.constraints import RESEARCH_WORK, rented_from
from capsim.compile.depth import on_demand_depth, rented_systems
from capsim.compile.portfolio import unit_price
from capsim.control.context import Context
from capsim.control.markets import hourly_market
from capsim.control.research import ResearchQueue
from capsim.spec.study import Overflow

REVIEW: Final = MS_DAY


class Rented:
    """What the campaigns sent out under one rule of `overflow` rent.

    Attributes:
        chips: chips in use by hour and system, shape (hours,).
        usd: rent by hour, shape (hours,).
    """

    def __init__(self, hours: int, systems: list[str]) -> None:
        self.chips: dict[str, NDArray[np.float64]] = {system: np.zeros(hours) for system in systems}
        self.usd: NDArray[np.float64] = np.zeros(hours)


def start_dispatch(ctx: Context, queue: ResearchQueue) -> dict[int, Rented]:
    """Start a process for every rule of `overflow` that rents for research; what each rents."""
    found: dict[int, Rented] = {}
    spec = ctx.prepared.study.demand.research
    if spec is None or not queue.count:
        return found
    hours = ctx.end // MS_HOUR
    for number, rule in enumerate(ctx.prepared.study.overflow):
        if "research" in rule.workloads and rule.after is not None:
            offer = ctx.prepared.study.offers[rule.offer]
            found[number] = Rented(hours, rented_systems(offer))
            queue.rented = np.full((2, queue.count), -1, dtype=np.int64)
            since = rented_from(
                ctx.prepared, ctx.draws.converts, rule.offer, RESEARCH_WORK, list(spec.residency)
            )
            if since is not None:
                ctx.env.process(_send_out(ctx, queue, rule, found[number], since))
    return found


def _send_out(
    ctx: Context, queue: ResearchQueue, rule: Overflow, rented: Rented, since: int
) -> Generator[Any, Any, None]:
    """Every day: campaigns that have waited too long, in their order, while depth and budget allow."""
    study, hours = ctx.prepared.study, len(rented.usd)
    offer = study.offers[rule.offer]
    path = hourly_market(ctx, offer.market, hours)
    depth = {
        system: on_demand_depth(offer, system, ctx.prepared.calendar, hours)
        * path ** -float(offer.depth_price_power or 0.0)
        for system in rented.chips
    }
    price = {system: unit_price(offer, "per_chip_hour", system) for system in depth}
    speed = {system: _speed(ctx, system) for system in depth}
    hourly = {system: price[system] * path for system in depth}
    budget = np.full(int(hours / (DAYS_YEAR * 24)) + 1, float(rule.budget_per_year))
    busy: dict[str, list[tuple[int, int]]] = {system: [] for system in depth}
    able = [system for system in depth if speed[system] > 0.0 and price[system] > 0.0]
    at = max(since, REVIEW)
    while at < ctx.end:
        yield ctx.until(at)
        at += REVIEW
        hour, year = ctx.now // MS_HOUR, int(ctx.now / (DAYS_YEAR * MS_DAY))
        for ends in busy.values():
            while ends and ends[0][0] <= ctx.now:
                heapq.heappop(ends)
        free = {s: depth[s][hour] - sum(n for _, n in ends) for s, ends in busy.items()}
        late = queue.waiting_since(ctx.now - int(rule.after or 0))
        for system in able:
            chips, work = queue.work(late)
            length = (work / speed[system]).astype(np.int64)
            cost = chips * length / MS_HOUR * (price[system] * path[hour])
            sent = _first_that_fit(chips, cost, int(free[system]), float(budget[year]))
            for i in sent:
                end = ctx.now + int(length[i])
                heapq.heappush(busy[system], (end, int(chips[i])))
                _book(rented, system, ctx.now, end, int(chips[i]), hourly[system])
            budget[year] -= float(cost[sent].sum())
            queue.send_out(late[sent], ctx.now, ctx.now + length[sent])
            late = np.delete(late, sent)


def _first_that_fit(
    chips: NDArray[np.int64], cost: NDArray[np.float64], free: int, budget: float
) -> NDArray[np.int64]:
    """Indices of the campaigns that fit, taken in order, into what the earlier ones leave."""
    sent = []
    for i in np.flatnonzero((chips <= free) & (cost <= budget)):
        if chips[i] <= free and cost[i] <= budget:
            sent.append(i)
            free -= int(chips[i])
            budget -= float(cost[i])
            if free <= 0:
                break
    return np.array(sent, dtype=np.int64)


def _book(rented: Rented, system: str, begin: int, end: int, chips: int, hourly: NDArray[np.float64]) -> None:
    """Chips in use and their rent, by the part of each hour.

    Args:
        hourly: USD of a chip by hour, shape (hours,).
    """
    first, last = begin // MS_HOUR, min(-(-end // MS_HOUR), len(rented.usd))
    edges = np.arange(first, last + 1) * float(MS_HOUR)
    part = np.diff(np.clip(edges, begin, end)) / MS_HOUR
    rented.chips[system][first:last] += chips * part
    rented.usd[first:last] += chips * hourly[first:last] * part


def _speed(ctx: Context, system: str) -> float:
    """Speed of research on a chip of a system, in reference chips; 0 where it cannot run."""
    rate = ctx.prepared.rates.research.get(system)
    if rate is None:
        return 0.0
    error = ctx.draws.rate_error(system, "training", rate.log_error)
    return float(rate.flops / ctx.prepared.rates.reference * error)

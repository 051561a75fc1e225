"""Research that does not find its chips overflows: whole campaigns run on chips rented by the hour."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import MS_DAY
from capsim.compile.constraints import RESEARCH_WORK, rented_from
from capsim.control.context import Context
from capsim.control.data_copies import readable_from
from capsim.control.dispatch import Dispatch
from capsim.control.on_demand import Account, budget_year
from capsim.control.research import ResearchQueue

REVIEW: Final = MS_DAY


class Choice(NamedTuple):
    """A system that research may rent: speed of a chip in reference chips, and since when, ms."""

    account: Account
    system: str
    speed: float
    since: int


def start_overflow(ctx: Context, queue: ResearchQueue, accounts: list[Account], dispatch: Dispatch) -> None:
    """Start the process that rents for research, where a rule of `overflow` does."""
    spec = ctx.prepared.study.demand.research
    if spec is None or not queue.count:
        return
    chosen = [a for a in accounts if "research" in a.rule.workloads and a.rule.after is not None]
    if chosen:
        queue.rented = np.full((2, queue.count), -1, dtype=np.int64)
        ctx.env.process(_overflow(ctx, queue, _choices(ctx, chosen, dispatch)))


def _choices(ctx: Context, accounts: list[Account], dispatch: Dispatch) -> list[Choice]:
    """What research may rent, in the order of its rule of dispatch."""
    spec = ctx.prepared.study.demand.research
    assert spec is not None
    found = []
    for account in accounts:
        offer = account.rule.offer
        since = rented_from(ctx.prepared, ctx.draws.converts, offer, RESEARCH_WORK, list(spec.residency))
        for system in account.market.price if since is not None else ():
            if (speed := _speed(ctx, system)) > 0.0:
                found.append(Choice(account, system, speed, since or 0))
    dollars = [(float(c.account.market.price[c.system].mean()), c.speed) for c in found]
    return [found[i] for i in dispatch.rental_order(RESEARCH_WORK, dollars)]


def _overflow(ctx: Context, queue: ResearchQueue, choices: list[Choice]) -> Generator[Any, Any, None]:
    """Every day: campaigns that have waited too long, in their order, while depth and budget allow."""
    at = REVIEW
    while choices and at < ctx.end:
        yield ctx.until(at)
        at += REVIEW
        late: dict[int, NDArray[np.int64]] = {}
        for choice in choices:
            readable = readable_from(ctx, RESEARCH_WORK, choice.account.rule.offer)
            if ctx.now < choice.since or readable is None or ctx.now < readable:
                continue
            after = int(choice.account.rule.after or 0)
            if after not in late:
                late[after] = queue.waiting_since(ctx.now - after)
            _rent(ctx, queue, choice, queue.not_rented(late[after]))


def _rent(ctx: Context, queue: ResearchQueue, choice: Choice, waiting: NDArray[np.int64]) -> None:
    """Rent for those of the waiting campaigns that fit."""
    account, system, speed, _ = choice
    market, year = account.market, budget_year(ctx.now)
    chips, work = queue.work(waiting)
    length = (work / speed).astype(np.int64)
    cost = chips * market.rent(system, ctx.now, ctx.now + length)
    sent = _first_that_fit(chips, cost, market.free(system, ctx.now), float(account.budget[year]))
    for i in sent:
        account.book_gang(system, ctx.now, ctx.now + int(length[i]), int(chips[i]))
    account.budget[year] -= float(cost[sent].sum())
    queue.send_out(waiting[sent], ctx.now, ctx.now + length[sent])


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


def _speed(ctx: Context, system: str) -> float:
    """Speed of research on a chip of a system, in reference chips; 0 where it cannot run."""
    rate = ctx.prepared.rates.research.get(system)
    if rate is None:
        return 0.0
    error = ctx.draws.rate_error(system, "training", rate.log_error)
    return float(rate.flops / ctx.prepared.rates.reference * error)

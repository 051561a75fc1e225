"""What the services delivered, hour by hour, from the replicas held and the demand of the world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import DAYS_YEAR, MS_DAY, MS_HOUR
from capsim.compile.constraints import rented_from
from capsim.compile.rates import ServiceRate
from capsim.compile.regions import base_name
from capsim.control.allocation import serve_deferred
from capsim.control.context import Context
from capsim.control.data_copies import readable_from
from capsim.control.on_demand import Account
from capsim.engine.build import Run
from capsim.spec.demand import Service

MTOK = 1e6
NOTHING = 1e-300  # tokens/s of a chip on which a service does not run: the last choice


@dataclass
class TokenAccounts:
    """Tokens by service and hour, and what was rented on demand for them.

    Attributes:
        requested: tokens, shape (services, hours).
        within: tokens served within their objectives on committed chips, same shape.
        beyond: tokens served on committed chips with objectives missed.
        left: tokens that committed chips did not serve, by the hour of their request (what may wait is served
            in other hours).
        rented: tokens served on chips rented on demand.
        rent: USD of on-demand rent by offer and hour.
        rented_chips: chips rented by hour.
        twice: USD of rent by hour paid while committed chips that could have served were idle.
    """

    requested: NDArray[np.float64]
    within: NDArray[np.float64]
    beyond: NDArray[np.float64]
    left: NDArray[np.float64]
    rented: NDArray[np.float64]
    rent: dict[str, NDArray[np.float64]]
    rented_chips: NDArray[np.float64]
    twice: NDArray[np.float64]

    @property
    def unserved(self) -> NDArray[np.float64]:
        """Tokens not served at all, shape (services, hours)."""
        return np.maximum(self.left - self.rented, 0.0)


def count_tokens(run: Run) -> TokenAccounts:
    """Serve each hour's demand with the capacity held in its step; rent what the study allows."""
    ctx, scaler = run.ctx, run.autoscaler
    hours = ctx.demand.tokens.shape[1]
    held = np.diff(scaler.held, axis=0)[:, :-1].astype(np.float64)
    spans = np.diff(np.minimum(np.arange(scaler.steps + 1) * scaler.period, ctx.end)).astype(np.float64)
    startup = np.array([float(service.startup) for service in ctx.prepared.study.demand.inference])
    mean = ready(held / spans[:, None, None], startup, spans) * scaler.efficiency[:, None, :]
    within_rate = np.einsum("tsp,sp->st", mean, run.tokens[:-1])
    ceiling_rate = np.einsum("tsp,sp->st", mean, run.ceiling[:-1])
    per_step = scaler.period // MS_HOUR
    capacity = np.repeat(within_rate, per_step, axis=1)[:, :hours] * 3600.0
    ceiling = np.repeat(ceiling_rate, per_step, axis=1)[:, :hours] * 3600.0
    requested = ctx.demand.tokens * 3600.0
    within = np.minimum(requested, capacity)
    beyond = np.clip(np.minimum(requested, ceiling) - within, 0.0, None)
    left = np.maximum(requested - within - beyond, 0.0)
    for s, service in enumerate(ctx.prepared.study.demand.inference):
        if service.slo.deadline is not None:
            slots = int(float(service.slo.deadline) / MS_HOUR)
            within[s], left[s] = deferred(requested[s], capacity[s], slots)
            beyond[s] = 0.0
    accounts = TokenAccounts(
        requested, within, beyond, left, np.zeros_like(requested), {}, np.zeros(hours), np.zeros(hours)
    )
    _rent(run, accounts)
    return accounts


def ready(
    held: NDArray[np.float64], startup: NDArray[np.float64], spans: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Replicas that serve: those held, less the time in which new ones load their weights.

    Args:
        held: mean replicas by step, service and place, shape (steps, services, places).
        startup: ms until a new replica serves, shape (services,).
        spans: length of each step, ms, shape (steps,).
    """
    if not startup.any():
        return held
    new = np.maximum(np.diff(held, axis=0, prepend=0.0), 0.0)
    loading = np.minimum(startup[None, :] / spans[:, None], 1.0)[:, :, None]
    return np.asarray(held - new * loading)


def deferred(
    requested: NDArray[np.float64], capacity: NDArray[np.float64], deadline: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Work served first come first served within `deadline` hours of its request; what is older is dropped.

    Args:
        requested: work that arrives in each hour, shape (hours,).
        capacity: work that can be done in each hour, same shape.
        deadline: hours.

    Returns:
        Work served in each hour, and work requested in each hour that is never served, same shape.
    """
    served, missed = np.zeros_like(requested), np.zeros_like(requested)
    arrays = np.ascontiguousarray(requested), np.ascontiguousarray(capacity), np.zeros(deadline + 1)
    serve_deferred(*arrays, served, missed)
    return served, missed


def _rent(run: Run, accounts: TokenAccounts) -> None:
    """Rent on demand for unserved tokens, within what depth and budgets still allow."""
    hours = accounts.requested.shape[1]
    idle = _idle_chips(run, hours)
    for choice in _choices(run):
        _rent_for(accounts, choice, idle)
    for account in run.rentals:
        if account.usd.any():
            rent = accounts.rent.get(account.rule.offer, np.zeros(hours))
            accounts.rent[account.rule.offer] = rent + account.usd
            accounts.rented_chips += account.chips


class _Choice(NamedTuple):
    """A system that a service (its number) may rent: what a replica does, and since when, ms."""

    service: int
    account: Account
    system: str
    rate: ServiceRate
    since: int


def _choices(run: Run) -> list[_Choice]:
    """What services may rent: the first choices of all, in the study's order of services, then the second."""
    ctx, dispatch = run.ctx, run.autoscaler.dispatch
    systems = [
        (account, system)
        for account in run.rentals
        if "inference" in account.rule.workloads
        for system in account.market.price
    ]
    ranked: list[tuple[int, _Choice]] = []
    for s, service in enumerate(ctx.prepared.study.demand.inference):
        found = [ctx.prepared.rates.services.get((service.name, system)) for _, system in systems]
        dollars = [
            (float(account.market.price[system].mean()), rate.tokens / rate.chips if rate else NOTHING)
            for (account, system), rate in zip(systems, found, strict=True)
        ]
        for rank, i in enumerate(dispatch.rental_order(("inference", service.name), dollars)):
            (account, system), rate = systems[i], found[i]
            since = _rented_from(ctx, service, account.rule.offer)
            if rate is not None and since is not None:
                ranked.append((rank, _Choice(s, account, system, rate, since)))
    return [choice for _, choice in sorted(ranked, key=lambda item: item[0])]


def _rented_from(ctx: Context, service: Service, offer: str) -> int | None:
    """Since when an offer may be rented for a service, ms: contracts allow it and its data is there."""
    since = rented_from(
        ctx.prepared, ctx.draws.converts, offer, ("inference", service.name), service.residency
    )
    readable = readable_from(ctx, ("inference", base_name(service.name)), offer)
    return None if since is None or readable is None else max(since, readable)


def _rent_for(accounts: TokenAccounts, choice: _Choice, idle: NDArray[np.float64]) -> None:
    """Rent for one service on one system; the account and `idle` go down."""
    s, account, system, rate, since = choice
    price, budget = account.market.price[system], account.budget
    per_chip = rate.tokens * 3600.0 / rate.chips
    wanted = accounts.left[s] - accounts.rented[s]
    chips = np.minimum(np.maximum(wanted, 0.0) / per_chip, account.market.left[system])
    chips[: -(-since // MS_HOUR)] = 0.0
    cost: NDArray[np.float64] = chips * price
    years = (np.arange(len(chips)) / (DAYS_YEAR * 24)).astype(np.int64)
    begins = np.searchsorted(years, np.arange(int(years[-1]) + 2)).tolist()
    for year, span in enumerate(map(slice, begins[:-1], begins[1:])):
        spent = np.cumsum(cost[span])
        allowed = np.clip(budget[year] - (spent - cost[span]), 0.0, cost[span])
        share = np.divide(allowed, cost[span], out=np.zeros_like(allowed), where=cost[span] > 0)
        chips[span] *= share
        budget[year] -= float(allowed.sum())
    account.book(system, 0, chips)
    accounts.rented[s] += chips * per_chip
    twice = np.minimum(chips, idle)
    idle -= twice
    accounts.twice += twice * price


def _idle_chips(run: Run, hours: int) -> NDArray[np.float64]:
    """Committed chips idle in each hour at places that can serve some service."""
    can_serve = (run.chips[:-1] > 0).any(axis=0)
    free = run.autoscaler.free[:, can_serve].sum(axis=1).astype(np.float64)
    return np.repeat(free, run.autoscaler.period // MS_HOUR)[:hours]


def discount_hours(ctx: Context, hours: int) -> NDArray[np.float64]:
    """Discount factor at the middle of each hour, shape (hours,)."""
    days = (np.arange(hours) + 0.5) * MS_HOUR / MS_DAY
    factors: NDArray[np.float64] = (1.0 + ctx.prepared.calendar.discount_rate) ** (-days / DAYS_YEAR)
    return factors

"""Chips rented by the hour: one account of depth and budget for research and services."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import DAYS_YEAR, MS_DAY, MS_HOUR
from capsim.compile.depth import may_rent, on_demand_depth, rented_systems
from capsim.compile.portfolio import unit_price
from capsim.control.context import Context
from capsim.control.markets import hourly_market
from capsim.spec.study import Overflow

Reals = NDArray[np.float64]


class Market:
    """What can be had of one on-demand offer; rules of `overflow` that name the same offer share it.

    Attributes:
        price: USD of a chip-hour by system and hour of the horizon, shape (hours,).
        left: chips that can still be had, by system and hour, shape (hours,).
        depth: chips that could be had before anything was rented, the same.
    """

    def __init__(self, ctx: Context, name: str, hours: int) -> None:
        offer = ctx.prepared.study.offers[name]
        path = hourly_market(ctx, offer.market, hours)
        self.name = name
        self.price = {
            system: price * path
            for system in rented_systems(offer)
            if (price := unit_price(offer, "per_chip_hour", system)) > 0.0
        }
        self.depth = {
            system: on_demand_depth(offer, system, ctx.prepared.calendar, hours)
            * path ** -float(offer.depth_price_power or 0.0)
            for system in self.price
        }
        self.left = {system: depth.copy() for system, depth in self.depth.items()}
        self._held: dict[str, list[tuple[int, int]]] = {system: [] for system in self.price}
        self._paid: dict[str, Reals] = {}

    def free(self, system: str, now: int) -> int:
        """Chips of a system that can be had at an instant beside those that gangs hold."""
        held = self._held[system]
        while held and held[0][0] <= now:
            heapq.heappop(held)
        return int(self.depth[system][now // MS_HOUR] - sum(chips for _, chips in held))

    def rent(self, system: str, begin: int, ends: NDArray[np.int64]) -> Reals:
        """USD of a chip from `begin` to each of `ends`, ms, at the prices of the hours in the horizon."""
        if system not in self._paid:
            self._paid[system] = np.concatenate([[0.0], np.cumsum(self.price[system])])
        edges, paid = np.arange(len(self._paid[system])) * float(MS_HOUR), self._paid[system]
        rent: Reals = np.interp(ends, edges, paid) - np.interp(begin, edges, paid)
        return rent

    def hold(self, system: str, end: int, chips: int) -> None:
        """A gang holds chips until an instant."""
        heapq.heappush(self._held[system], (end, chips))


@dataclass
class Account:
    """What one rule of `overflow` has rented, and what its budget still allows.

    Attributes:
        budget: USD left by year from the start of the horizon, shape (years,).
        usd: rent by hour, shape (hours,).
        chips: chips rented by hour, shape (hours,).
        of_system: the same by system, of systems that were rented.
    """

    rule: Overflow
    market: Market
    budget: Reals
    usd: Reals = field(repr=False)
    chips: Reals = field(repr=False)
    of_system: dict[str, Reals] = field(default_factory=dict, repr=False)

    def book(self, system: str, first: int, chips: Reals) -> None:
        """Book chips by hour from hour `first` on, shape (hours rented,); the budget is the caller's."""
        hours = slice(first, first + len(chips))
        left = self.market.left[system]
        left[hours] = np.maximum(left[hours] - chips, 0.0)
        self.chips[hours] += chips
        if system not in self.of_system:
            self.of_system[system] = np.zeros(len(self.chips))
        self.of_system[system][hours] += chips
        self.usd[hours] += chips * self.market.price[system][hours]

    def book_gang(self, system: str, begin: int, end: int, chips: int) -> None:
        """Book a gang from `begin` to `end`, ms, by the part of each hour, and hold its chips."""
        self.market.hold(system, end, chips)
        first, last = begin // MS_HOUR, min(-(-end // MS_HOUR), len(self.usd))
        edges = np.arange(first, last + 1) * float(MS_HOUR)
        self.book(system, first, chips * np.diff(np.clip(edges, begin, end)) / MS_HOUR)


def open_accounts(ctx: Context) -> list[Account]:
    """An account for every rule of the study's `overflow` that can rent, in its order."""
    hours = ctx.end // MS_HOUR
    years = int(hours / (DAYS_YEAR * 24)) + 1
    markets: dict[str, Market] = {}
    found = []
    for rule in ctx.prepared.study.overflow:
        if not may_rent(rule):
            continue
        if rule.offer not in markets:
            markets[rule.offer] = Market(ctx, rule.offer, hours)
        budget = np.full(years, float(rule.budget_per_year))
        found.append(Account(rule, markets[rule.offer], budget, np.zeros(hours), np.zeros(hours)))
    return found


def budget_year(now: int) -> int:
    """The year of a budget that an instant belongs to, counted from the start of the horizon."""
    return int(now / (DAYS_YEAR * MS_DAY))

"""The order in which work uses the places of a strategy, under its rules of dispatch."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from capsim.compile.constraints import RESEARCH_WORK, Work
from capsim.compile.dispatch import places_without_data, rule_of, signed_price, uncommitted
from capsim.compile.prepare import Prepared
from capsim.compile.regions import base_name
from capsim.control.context import Context
from capsim.spec.dispatch import DispatchRule

Reals = NDArray[np.float64]
Levels = tuple[Reals, Reals]
"""Two figures a place; work goes where the first is least, then the second; shapes (places,)."""


class Dispatch:
    """What a place costs at the margin, and the order that a rule makes of it.

    Attributes:
        spot: whether the chips of a place may be reclaimed, shape (places,).
        ruled: whether the strategy has any rule but `advantage`.
    """

    def __init__(self, prepared: Prepared, prices: Mapping[str, float]) -> None:
        """``prices``: today's price of each market over its start, by name; 1 where it is not there."""
        self.prepared, self.prices = prepared, prices
        self.strategy = prepared.study.strategies[prepared.strategy]
        given = self.strategy.dispatch
        self.ruled = bool({*given.values()} - {"advantage"}) if isinstance(given, dict) else given is not None
        if not self.ruled:
            return
        offers = [prepared.study.offers[place.offer] for place in prepared.places]
        self.spot = np.array([offer.kind == "spot" for offer in offers], dtype=np.float64)
        self._markets = [offer.market for offer in offers]
        self._at_start = np.array(
            [
                uncommitted(offer) * signed_price(prepared, place)
                for offer, place in zip(offers, prepared.places, strict=True)
            ]
        )

    def rule(self, work: Work) -> DispatchRule:
        """The strategy's rule for a workload."""
        return rule_of(self.strategy, work) if self.ruled else "advantage"

    def marginal(self) -> Reals:
        """USD that an hour of a chip's use adds today, shape (places,): spot moves with its market."""
        pairs = zip(self._markets, self.spot, strict=True)
        moved = [self.prices.get(market or "", 1.0) if spot else 1.0 for market, spot in pairs]
        cost: Reals = self._at_start * np.array(moved)
        return cost

    def levels(self, work: Work, rate: Reals) -> Levels | None:
        """The order of places for work that a chip does at `rate`, shape (places,); None: the usual one."""
        rule = self.rule(work)
        none = np.zeros(len(rate))
        if rule == "committed-first":
            return self.spot, none
        if rule == "fastest":
            return -rate, none
        if rule == "advantage":
            return None
        dollars = np.divide(self.marginal(), rate, out=np.full(len(rate), np.inf), where=rate > 0)
        if rule == "cheapest":
            return dollars, none
        return self._away(work), dollars

    def rental_order(self, work: Work, choices: Sequence[tuple[float, float]]) -> list[int]:
        """In which order a workload rents by the hour; the study's where no rule says otherwise.

        Args:
            choices: USD of a chip-hour, and what a chip does in it, of each system that may be rented.
        """
        rule = self.rule(work)
        key: Callable[[int], float] = {
            "fastest": lambda i: -choices[i][1],
            "cheapest": lambda i: choices[i][0] / choices[i][1],
            "data-gravity": lambda i: choices[i][0] / choices[i][1],
        }.get(rule, lambda i: 0.0)
        return sorted(range(len(choices)), key=key)

    def _away(self, work: Work) -> Reals:
        """1 at places where a workload's data was not from the start, 0 elsewhere, shape (places,)."""
        away = np.zeros(len(self.prepared.places))
        away[list(places_without_data(self.prepared, (work[0], base_name(work[1]))))] = 1.0
        return away

    def research_order(self, speed: dict[int, float]) -> list[int]:
        """Places in the order in which campaigns try them: the usual one is the slowest first."""
        places = len(self.prepared.places)
        rate = np.array([speed.get(p, 0.0) for p in range(places)])
        levels = self.levels(RESEARCH_WORK, rate)
        first, second = levels if levels is not None else (np.zeros(places), np.zeros(places))
        return [int(p) for p in np.lexsort((np.arange(places), rate, second, first))]


def start_dispatch(ctx: Context, reorder: Callable[[], None]) -> None:
    """Look at the order anew on the first of every month, where a rule goes by prices that move."""
    study = ctx.prepared.study
    given = study.strategies[ctx.prepared.strategy].dispatch
    rules = {*given.values()} if isinstance(given, dict) else {given}
    moving = any(study.offers[p.offer].kind == "spot" and study.offers[p.offer].market for p in ctx.places())
    if moving and rules & {"cheapest", "data-gravity"}:
        ctx.env.process(_monthly(ctx, reorder))


def _monthly(ctx: Context, reorder: Callable[[], None]) -> Generator[Any, Any, None]:
    for edge in ctx.prepared.calendar.months()[1:-1]:
        yield ctx.until(edge)
        reorder()

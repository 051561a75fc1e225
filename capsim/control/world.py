"""One world of uncertainty: everything that is drawn, common to all strategies of a run.

Draws are keyed by what they belong to (an offer's tranche, a market, a service), so a world can be built
for each strategy anew and still be the same world.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import MS_DAY, MS_HOUR, Calendar
from capsim.compile.lots import Lot, Shell
from capsim.compile.regions import base_name
from capsim.control.price_paths import market_path, power_path
from capsim.randomness import exponential, factor_score, normal, score_to_uniform, uniform
from capsim.spec.contract_delivery import DelayStep
from capsim.spec.demand import TracedResearch
from capsim.spec.offers import Offer
from capsim.spec.study import Study
from capsim.workload.demand import break_path, growth_path, research_campaigns, service_demand
from capsim.workload.traced_demand import traced_campaigns

RateKind: TypeAlias = Literal["training", "serving"]


@dataclass(frozen=True, eq=False)
class DemandWorld:
    """Demand of one world.

    Attributes:
        campaigns: arrays of `capsim.workload.demand.research_campaigns`, or None.
        tokens: tokens a second by service and hour, shape (services, hours).
        run_shift: ms by which each named run's earliest and target dates move, by name.
    """

    campaigns: dict[str, NDArray[np.int64]] | None
    tokens: NDArray[np.float64]
    run_shift: dict[str, int]


def draw_demand(study: Study, calendar: Calendar, run: int) -> DemandWorld:
    """Draw the demand of one world."""
    seed = int(study.uncertainty.seed)
    hours = calendar.end_ms // MS_HOUR
    scale = float(study.demand.scale)
    spec = study.uncertainty.demand
    growth, research_growth, shift = np.ones(hours), np.ones(hours), {}
    if spec is not None:
        growth = growth_path(
            float(spec.growth_sigma), spec.growth_by, calendar.start, hours, (seed, run, "growth")
        )
        growth = growth * break_path(spec, hours, (seed, run, "break"))
        research_growth = growth_path(
            float(spec.research_sigma), spec.growth_by, calendar.start, hours, (seed, run, "research growth")
        )
        shift = {
            r.name: max(
                int(float(spec.cadence) * normal(seed, run, "cadence", r.name)), -calendar.ms(r.earliest)
            )
            for r in study.demand.training_runs
        }
    services = study.demand.inference
    tokens = np.empty((len(services), hours))
    for i, service in enumerate(services):
        tokens[i] = service_demand(
            service, calendar.start, hours, scale, growth, (seed, run, "service", base_name(service.name))
        )
    campaigns = None
    research = study.demand.research
    key = (seed, run, "research")
    if isinstance(research, TracedResearch):
        campaigns = traced_campaigns(research, hours, scale, research_growth, key)
    elif research is not None:
        campaigns = research_campaigns(research, calendar.start, hours, scale, research_growth, key)
    return DemandWorld(campaigns, tokens, shift)


class Draws:
    """Draws on demand for one world: delays, conversion, outages, prices, model errors."""

    def __init__(self, study: Study, calendar: Calendar, run: int) -> None:
        self.study = study
        self.calendar = calendar
        self.key: tuple[int, int] = (int(study.uncertainty.seed), run)
        self._rate_scores: dict[tuple[str, RateKind], float] = {}

    def converts(self, offer_name: str) -> bool:
        """Whether an offer of its status becomes capacity at all."""
        probability = self.study.uncertainty.conversion.get(self.study.offers[offer_name].status, 1.0)
        return uniform(*self.key, "conversion", offer_name) < float(probability)

    def delay(self, item: Lot | Shell) -> int:
        """How late a lot or shell arrives, ms. Lots of one tranche share the draw."""
        offer = self.study.offers[item.offer]
        steps = offer.delivery.delay if item.new_build else offer.delivery.existing_delay
        if not steps:
            return 0
        return delay_quantile(steps, score_to_uniform(self._delay_score(offer, item)))

    def _delay_score(self, offer: Offer, item: Lot | Shell) -> float:
        own = (*self.key, "delay", item.offer, item.index)
        factor = offer.delivery.factor
        if factor is None:
            return normal(*own)
        correlation = float(self.study.uncertainty.factors[factor].correlation)
        return factor_score(correlation, (*self.key, "factor", factor), own)

    def failed_acceptances(self, offer_name: str, index: int, failure: float) -> int:
        """Acceptance tests of a tranche that fail before one is passed: geometric."""
        if failure <= 0.0:
            return 0
        return int(math.log(uniform(*self.key, "acceptance", offer_name, index)) / math.log(failure))

    def default(self, provider: str) -> float:
        """When a provider defaults, ms; correlated with what shares its factor. A year has 365.25 days.

        A high score is an early default, as it is a long delay.
        """
        spec = self.study.uncertainty.suppliers[provider]
        if float(spec.hazard) <= 0.0:
            return math.inf
        own = (*self.key, "default", provider)
        score = normal(*own)
        if spec.factor is not None:
            correlation = float(self.study.uncertainty.factors[spec.factor].correlation)
            score = factor_score(correlation, (*self.key, "factor", spec.factor), own)
        return -math.log(max(score_to_uniform(score), 1e-300)) / float(spec.hazard) * 365.25 * MS_DAY

    def reclaims(self, offer_name: str) -> list[tuple[int, int]]:
        """When spot capacity is told to leave and when it comes back, ms; not overlapping.

        A Poisson process whose rate moves monthly with the market's price: unit-rate exponential gaps, keyed
        by their number, are spent against the integrated rate.
        """
        offer = self.study.offers[offer_name]
        spec = offer.interruptions
        if spec is None or float(spec.rate) <= 0:
            return []
        edges = np.array(self.calendar.months(), dtype=np.float64)
        path = np.ones(len(edges) - 1) if offer.market is None else self.market(offer.market)
        rate = float(spec.rate) / (365.25 * MS_DAY) * path ** float(spec.price_power or 0.0)
        spent = np.concatenate([[0.0], np.cumsum(rate * np.diff(edges))])
        found: list[tuple[int, int]] = []
        total, count, back = 0.0, 0, 0
        while True:
            total += exponential(1.0, *self.key, "reclaim", offer_name, count)
            if total >= spent[-1]:
                return found
            at = int(np.interp(total, spent, edges))
            away = int(exponential(float(spec.away), *self.key, "reclaim length", offer_name, count)) + 1
            count += 1
            if at > back:
                back = at + int(spec.notice or 0) + away
                found.append((at, back))

    def outages(self, offer_name: str) -> list[tuple[int, int]]:
        """Whole-site outages of an offer over the horizon: (start, end) ms, not overlapping."""
        spec = self.study.offers[offer_name].reliability.site_outages
        if spec is None or float(spec.rate) <= 0:
            return []
        gap = 365.25 * MS_DAY / float(spec.rate)
        found: list[tuple[int, int]] = []
        at, count = 0.0, 0
        while True:
            at += exponential(gap, *self.key, "outage", offer_name, count)
            length = exponential(float(spec.duration), *self.key, "outage length", offer_name, count)
            if at >= self.calendar.end_ms:
                return found
            found.append((int(at), int(at + length)))
            at += length
            count += 1

    def matched(self, offer_name: str, probability: float) -> bool:
        """Whether the holder of a right of first refusal matches this offer."""
        return uniform(*self.key, "match", offer_name) < probability

    def rate_error(self, system: str, kind: RateKind, log_error: float) -> float:
        """A lognormal factor on the model's rate for a system; the study's band replaces the model's.

        One part of the error is common to all systems of a kind (how well the lab's software and models are
        known at all), the other is the system's own; their variances add up to the square of the band.
        """
        spec = self.study.uncertainty
        band = log_error if spec.rates is None else float(spec.rates)
        score = self._rate_scores.get((system, kind))
        if score is None:
            correlation = float(getattr(spec.rate_correlation, kind))
            common = (*self.key, "rate", kind)
            score = factor_score(correlation, common, (*self.key, "rate", system, kind))
            self._rate_scores[system, kind] = score
        return math.exp(band * score)

    def market(self, name: str) -> NDArray[np.float64]:
        """A market's monthly price over its start, shape (months,)."""
        return market_path(self.study, self.calendar, name, self.key)

    def power(self, name: str) -> NDArray[np.float64]:
        """A power market's monthly price, USD per MWh, shape (months,)."""
        return power_path(self.study.power_markets[name], self.calendar, (*self.key, "power", name))


def delay_quantile(steps: Sequence[DelayStep], u: float) -> int:
    """The delay at probability `u` of a stepwise distribution, ms; within a step delays are not spread."""
    reached = 0.0
    for step in steps:
        reached += float(step.p)
        if u <= reached:
            return int(step.by)
    return int(steps[-1].by)


_WORLDS: dict[tuple[str, int], DemandWorld] = {}


def demand_world(token: str, study: Study, calendar: Calendar, run: int) -> DemandWorld:
    """The demand of a world; the last one drawn is kept for the other strategies of the same case and run.

    Args:
        token: identifies study and case (the digest of the resolved study).
    """
    if (token, run) not in _WORLDS:
        _WORLDS.clear()
        _WORLDS[token, run] = draw_demand(study, calendar, run)
    return _WORLDS[token, run]

"""A strategy in a case, ready to be simulated any number of times: names, numbers, indices."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import Calendar
from capsim.compile.depth import overflow_systems
from capsim.compile.lots import Lot
from capsim.compile.portfolio import Portfolio, build_portfolio, placement_unit
from capsim.compile.rates import RateBook, Rates, build_rates
from capsim.compile.regions import is_local, routed
from capsim.spec.demand import Research
from capsim.spec.hardware import Stack
from capsim.spec.study import Study

#: accounting kinds of the kernel, by index
KINDS = ("training", "rl", "research", "inference")
TRAINING, RL, RESEARCH, INFERENCE = range(4)
#: campaigns that never start are said where they are more than this share of the research.
LEAST_TOO_LARGE = 0.01


@dataclass(frozen=True)
class Place:
    """The chips of one system under one offer: one pool and one site of the kernel.

    Attributes:
        offer: name of the offer.
        system: name of the system.
        lots: indices into `Prepared.portfolio.lots`.
        family: software stack of its chips.
        gb200e: work of a chip in reference chips (0 for chips that only serve).
        kw_facility: facility power of a chip, kW (critical IT power times PUE).
    """

    offer: str
    system: str
    lots: tuple[int, ...]
    family: str
    gb200e: float
    kw_facility: float

    @property
    def name(self) -> str:
        """``offer/system``."""
        return f"{self.offer}/{self.system}"


@dataclass(frozen=True)
class Prepared:
    """Everything that the simulation of one strategy in one case needs; picklable.

    Attributes:
        token: digest of the resolved study; worlds are kept by it.
        warnings: notes for the user.
    """

    token: str
    case: str
    strategy: str
    study: Study
    calendar: Calendar
    portfolio: Portfolio
    rates: Rates
    places: tuple[Place, ...]
    ports: dict[str, int]
    warnings: tuple[str, ...]

    def lot_place(self) -> dict[str, int]:
        """Index of the place of each lot, by the lot's key."""
        return {self.portfolio.lots[i].key: p for p, place in enumerate(self.places) for i in place.lots}


def prepare(study: Study, strategy: str, *, case: str, token: str, rates: RateBook | None = None) -> Prepared:
    """Compile one strategy of a resolved study.

    Args:
        study: the study with its case applied.
        strategy: name of the strategy.
        case: name of the case, for the keys of the results.
        token: digest of the resolved study.
        rates: what the workload models said for other strategies of `study`.
    """
    study = routed(study)
    calendar = Calendar(study.horizon.start, study.horizon.end, float(study.money.discount_rate))
    portfolio = build_portfolio(study, study.strategies[strategy], calendar)
    systems = sorted({lot.system for lot in portfolio.lots} | {study.reference})
    rented = sorted(overflow_systems(study) - set(systems))
    book = rates if rates is not None else RateBook(study)
    found = build_rates(book, systems, rented)
    places = _places(study, portfolio, found)
    ports = porting_dates(study, portfolio, calendar)
    notes = (
        *portfolio.notes,
        *_without_rollouts(study, strategy, found),
        *_too_large_campaigns(book, strategy, portfolio, places),
    )
    return Prepared(token, case, strategy, study, calendar, portfolio, found, places, ports, notes)


def _without_rollouts(study: Study, strategy: str, rates: Rates) -> Iterator[str]:
    """Named runs of which no system of the strategy holds the rollouts: they never finish."""
    able = {name for name, _ in rates.rl}
    for run in study.demand.training_runs:
        reasons = [r for (work, _), r in rates.refusals.items() if work == f"{run.name} rollouts"]
        if reasons and run.name not in able:
            what = f"no system holds the rollouts of {run.name}, its RL phase never starts"
            yield f"{strategy}: {what}: {reasons[0]}"


def _too_large_campaigns(
    book: RateBook, strategy: str, portfolio: Portfolio, places: tuple[Place, ...]
) -> Iterator[str]:
    """Campaigns that are larger than any place of the strategy: they never start."""
    study = book.study
    research = study.demand.research
    rented = any("research" in overflow.workloads for overflow in study.overflow)
    limits = study.scheduler.limits or study.scheduler.tenants
    if not isinstance(research, Research) or not research.campaigns or rented or limits:
        return
    room = {
        place: place.gb200e * sum(portfolio.lots[i].chips for i in place.lots)
        for place in places
        if place.system in research.systems
    }
    if not room:
        return
    largest = max(room, key=lambda place: room[place])
    sizes, work = book.campaign_sizes
    lost = float(work[sizes > room[largest]].sum())
    if lost > LEAST_TOO_LARGE:
        yield (
            f"{strategy}: {lost:.0%} of the research is in campaigns too large to start, of up to"
            f" {sizes.max():,} reference chips: its largest place, {largest.name}, has {room[largest]:,.0f}"
            " (more `campaigns` are smaller ones)"
        )


def _places(study: Study, portfolio: Portfolio, rates: Rates) -> tuple[Place, ...]:
    grouped: dict[tuple[str, str], list[int]] = {}
    for index, lot in enumerate(portfolio.lots):
        grouped.setdefault((lot.offer, lot.system), []).append(index)
    found = []
    for (offer, system), lots in grouped.items():
        power = study.offers[offer].power
        pue = float(power.pue) if power and power.pue is not None else 1.0
        kw = float(study.systems[system].kw_per_chip) * pue
        family = study.chips[study.systems[system].chip].stack
        found.append(Place(offer, system, tuple(lots), family, rates.gb200e.get(system, 0.0), kw))
    return tuple(found)


def porting_dates(study: Study, portfolio: Portfolio, calendar: Calendar) -> dict[str, int]:
    """When each stack first runs production work, ms: 0 for stacks that run from the start.

    Porting is decided when the first chips of the stack are ordered: `time` before their planned delivery,
    but not before the decision date (the start of the horizon).
    """
    first: dict[Stack, int] = {}
    for lot in portfolio.lots:
        family = study.chips[study.systems[lot.system].chip].stack
        first[family] = min(first.get(family, lot.planned), lot.planned)
    dates: dict[str, int] = {}
    for family, planned in sorted(first.items()):
        if family in study.ported:
            dates[family] = 0
        elif family in study.porting:
            dates[family] = max(planned, int(study.porting[family].time))
        else:
            dates[family] = max(planned, 0)
    return dates


def porting_efficiency(study: Study, family: str, ported: int, now: int) -> float:
    """Share of the full rate of a stack at `now`: 0 before it is ported, then a linear ramp to 1."""
    if now < ported:
        return 0.0
    if family in study.ported or family not in study.porting:
        return 1.0
    spec = study.porting[family]
    ramp = float(spec.ramp)
    begin = float(spec.start_efficiency)
    return 1.0 if ramp <= 0 else min(1.0, begin + (1.0 - begin) * (now - ported) / ramp)


def lot_domains(study: Study, lot: Lot) -> int:
    """Placement units of a lot: scale-up domains, or coarser where the system says so."""
    return math.ceil(lot.chips / placement_unit(study.systems[lot.system]))


def remote_places(prepared: Prepared) -> NDArray[np.bool_] | None:
    """Places outside each service's own regions, shape (services, places); None where no service has any."""
    services, offers = prepared.study.demand.inference, prepared.study.offers
    if not any(service.regions for service in services):
        return None
    return np.array(
        [[not is_local(s, offers[place.offer].region) for place in prepared.places] for s in services],
        dtype=np.bool_,
    ).reshape(len(services), len(prepared.places))

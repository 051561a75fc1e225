"""Which work may run under which offer: data residency, dedicated places, exclusive contracts."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from capsim.compile.prepare import Place, Prepared
from capsim.compile.regions import base_name, within
from capsim.spec.offers import Exclusive, Offer
from capsim.spec.strategies import Strategy
from capsim.spec.study import Study

Work = tuple[str, str]
"""Kind (training, research, inference) and name of a workload; research has one name, its kind."""

RESEARCH_WORK: Final[Work] = ("research", "research")


def workloads(study: Study) -> Iterator[tuple[Work, Sequence[str]]]:
    """Every workload with the regions that its data may not leave (empty: anywhere)."""
    for run in study.demand.training_runs:
        yield ("training", run.name), run.residency
    if study.demand.research is not None:
        yield RESEARCH_WORK, study.demand.research.residency
    for service in study.demand.inference:
        yield ("inference", service.name), service.residency


def may_use(offer: Offer, work: Work, residency: Sequence[str]) -> bool:
    """Whether a workload may run under an offer for its whole life.

    A region of `residency` covers what it names in parts: `us` allows `us` and `us-east`. An offer without
    a region is nowhere that residency could allow.
    """
    dedicated = offer.dedicated
    if dedicated is not None:
        to_research = bool(dedicated.tenants) and work == RESEARCH_WORK
        if not to_research and not {work[0], base_name(work[1])} & {*dedicated.workloads}:
            return False
    return not residency or (any(within(offer.region, one) for one in residency))


def tenant_places(prepared: Prepared, tenant: int | None) -> frozenset[int]:
    """Places dedicated to tenants that are not this one (numbered from 1; None: nobody in particular)."""
    found = []
    for p, place in enumerate(prepared.places):
        dedicated = prepared.study.offers[place.offer].dedicated
        if dedicated is not None and dedicated.tenants and tenant not in dedicated.tenants:
            found.append(p)
    return frozenset(found)


def exclusive_until(study: Study, strategy: Strategy, offer: str) -> datetime.date | None:
    """The day on which a held offer stops to be exclusive; None where it is not."""
    exclusive = study.offers[offer].exclusive
    if exclusive is None:
        return None
    ends = [day for day in (exclusive.until, strategy.terminate.get(offer)) if day is not None]
    return min(ends, default=study.horizon.end)


def is_exclusive(exclusive: Exclusive, work: Work) -> bool:
    """Whether a contract keeps a workload to itself; a service's parts by region count as the service."""
    return exclusive.concerns(work[0], base_name(work[1]))


def forbidden_places(
    prepared: Prepared, converts: Callable[[str], bool], day: datetime.date
) -> dict[Work, frozenset[int]]:
    """Places where a workload may not run on a day, by workload; only workloads with any.

    Exclusive contracts keep their work from other providers' offers of the strategy, not from the base fleet.
    """
    study = prepared.study
    strategy = study.strategies[prepared.strategy]
    exclusive = {
        name: spec
        for name in strategy.hold
        if (spec := study.offers[name].exclusive) is not None
        and (until := exclusive_until(study, strategy, name)) is not None
        and day < until
        and converts(name)
    }
    found: dict[Work, frozenset[int]] = {}
    for work, residency in workloads(study):
        holders = {
            study.offers[name].provider for name, spec in exclusive.items() if is_exclusive(spec, work)
        }

        def barred(place: Place, holders: set[str] = holders) -> bool:
            away = study.offers[place.offer].provider not in holders
            return bool(holders) and away and place.offer in prepared.portfolio.offers

        places = frozenset(
            p
            for p, place in enumerate(prepared.places)
            if not may_use(study.offers[place.offer], work, residency) or barred(place)
        )
        if places:
            found[work] = places
    return found


def rented_from(
    prepared: Prepared, converts: Callable[[str], bool], name: str, work: Work, residency: Sequence[str]
) -> int | None:
    """When a workload may first be rented for on demand under an offer, ms; None where it never may.

    Exclusive contracts of other providers forbid it until their day.
    """
    study = prepared.study
    offer, strategy = study.offers[name], study.strategies[prepared.strategy]
    if not may_use(offer, work, residency):
        return None
    first = 0
    for held in strategy.hold:
        exclusive, until = study.offers[held].exclusive, exclusive_until(study, strategy, held)
        if exclusive is None or until is None or study.offers[held].provider == offer.provider:
            continue
        if is_exclusive(exclusive, work) and converts(held):
            first = max(first, prepared.calendar.ms(until))
    return first

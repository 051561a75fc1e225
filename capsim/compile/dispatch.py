"""Which work uses which places first, and where its data is.

The order of places is a decision, not a payment: what a contract owes is owed in whatever order its chips are
used. So committed hours cost nothing at the margin here, however dear they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from capsim.compile.calendar import MS_DAY
from capsim.compile.constraints import RESEARCH_WORK, Work
from capsim.compile.prepare import Place, Prepared
from capsim.compile.regions import base_name, within
from capsim.spec.demand import ResearchStream, Service, TrainingRun
from capsim.spec.dispatch import Data, DispatchRule
from capsim.spec.offers import Offer
from capsim.spec.strategies import Strategy
from capsim.spec.study import Study

PAYBACK_MS = 30 * MS_DAY
"""Data gravity copies data where the work of the chips there, at the study's price, pays for it so soon."""

Site = tuple[str, str]
"""Provider and region of an offer; between offers of one site data need not move."""


def rule_of(strategy: Strategy, work: Work) -> DispatchRule:
    """The rule for a workload: its own, that of its kind, or `advantage`."""
    given = strategy.dispatch
    if not isinstance(given, dict):
        return given or "advantage"
    return given.get(base_name(work[1])) or given.get(work[0]) or "advantage"


def data_of(study: Study) -> Iterator[tuple[Work, TrainingRun | ResearchStream | Service, Data]]:
    """Workloads whose data has a place, with that data; the parts of a service by region share theirs."""
    demand = study.demand
    for run in demand.training_runs:
        if run.data is not None:
            yield ("training", run.name), run, run.data
    if demand.research is not None and demand.research.data is not None:
        yield RESEARCH_WORK, demand.research, demand.research.data
    services = {base_name(service.name): service for service in demand.inference}
    for name, service in services.items():
        if service.data is not None:
            yield ("inference", name), service, service.data


def site(study: Study, offer: str) -> Site:
    """The site of an offer: its provider and region; an offer without a region is a site of its own."""
    spec = study.offers[offer]
    return spec.provider, spec.region or f"({offer})"


def data_sites(study: Study, data: Data) -> set[Site]:
    """Sites at which data is from the start: those of the offers it names, all in the regions it names."""
    return set().union(*(_home(study, home) for home in data.homes))


def _home(study: Study, home: str) -> set[Site]:
    if home in study.offers:
        return {site(study, home)}
    return {site(study, name) for name, offer in study.offers.items() if within(offer.region, home)}


def leaving_price(study: Study, data: Data, sources: Iterable[Site], held: Iterable[str]) -> float:
    """USD per GB of a copy from the cheapest of some sites, by the offers that are held there."""
    there = set(sources)
    named = {*held, *({*data.homes} & study.offers.keys())}
    stated = [study.offers[name].egress for name in named if site(study, name) in there]
    prices = [float(data.egress if price is None else price) for price in stated]
    return min(prices, default=float(data.egress))


def storage_price(study: Study, data: Data, offer: str) -> float:
    """USD per TB and month of a copy at the site of an offer; 0 where neither it nor the data says."""
    stated = study.offers[offer].storage_price
    price = data.storage_price if stated is None else stated
    return 0.0 if price is None else float(price)


def amount(gigabytes: float) -> str:
    """Data as people read it: 20 PB, 988 GB."""
    for scale, unit in ((1e9, "EB"), (1e6, "PB"), (1e3, "TB")):
        if gigabytes >= scale:
            return f"{gigabytes / scale:.4g} {unit}"
    return f"{gigabytes:.4g} GB"


def held_offers(prepared: Prepared) -> list[str]:
    """Offers whose chips a strategy holds or may hold, each once."""
    return list(dict.fromkeys(place.offer for place in prepared.places))


def copy_ms(data: Data, gigabytes: float) -> int:
    """How long so much data takes between sites, ms."""
    return round(gigabytes / float(data.bandwidth) * 1e3)


def away_from(prepared: Prepared, data: Data) -> frozenset[int]:
    """Places at which data is not from the start."""
    home = data_sites(prepared.study, data)
    return frozenset(
        p for p, place in enumerate(prepared.places) if site(prepared.study, place.offer) not in home
    )


def places_without_data(prepared: Prepared, work: Work) -> frozenset[int]:
    """Places at which a workload has no data at the start; none where its data has no place."""
    found = (away_from(prepared, data) for other, _, data in data_of(prepared.study) if other == work)
    return next(found, frozenset())


def uncommitted(offer: Offer) -> float:
    """Share of the price that an hour of use adds: all of it for spot, what take-or-pay leaves of rent."""
    if offer.kind == "spot":
        return 1.0
    return 0.0 if offer.take_or_pay is None else 1.0 - float(offer.take_or_pay.share)


def signed_price(prepared: Prepared, place: Place) -> float:
    """Mean price of a chip-hour of a place's lots as signed, USD."""
    lots = [prepared.portfolio.lots[i] for i in place.lots]
    return sum(lot.chips * lot.price_hour for lot in lots) / sum(lot.chips for lot in lots)

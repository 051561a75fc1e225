"""Checks of dispatch: data that is nowhere, rules and terms that change nothing."""

from __future__ import annotations

from capsim.compile.books import money
from capsim.compile.constraints import Work, workloads
from capsim.compile.dispatch import (
    amount,
    copy_ms,
    data_of,
    data_sites,
    leaving_price,
    rule_of,
    site,
    storage_price,
    uncommitted,
)
from capsim.compile.findings import Report
from capsim.compile.regions import within
from capsim.spec.dispatch import Data
from capsim.spec.loader import Loaded
from capsim.spec.offers import SHELLS
from capsim.spec.quantities import did_you_mean, shown
from capsim.spec.strategies import Strategy
from capsim.spec.study import Study
from capsim.units import DAY_MS


def dispatch(loaded: Loaded, report: Report) -> None:
    """Where data is and what a copy takes; rules of dispatch and prices of egress that change nothing."""
    study = loaded.study
    _data(report, study)
    for name, strategy in study.strategies.items():
        if strategy.dispatch is not None:
            _rules(report, study, name, strategy)


def _rules(report: Report, study: Study, name: str, strategy: Strategy) -> None:
    """Rules of a strategy that choose among places which do not differ in what they go by."""
    here = ("strategies", name, "dispatch")
    held = dict.fromkeys([*study.base_fleet, *strategy.hold, *sorted(strategy.buys())])
    places = [study.offers[offer] for offer in held if study.offers[offer].kind not in SHELLS]
    ruled = {work: rule_of(strategy, work) for work, _ in workloads(study)}
    rules, rented = set(ruled.values()), bool(study.overflow)
    if len(places) < 2 and not rented and rules != {"advantage"}:
        what = f"{name} holds one place: a rule of dispatch chooses among several"
        report.warning(what, "leave it out", *here)
    elif "committed-first" in rules and len({offer.kind == "spot" for offer in places}) < 2:
        what = f"{name} does not hold spot chips beside others: committed-first is the usual order"
        report.warning(what, "leave it out, or hold both", *here)
    elif "cheapest" in rules and not rented and not any(map(uncommitted, places)):
        what = f"{name} has committed to all that it holds: no place is cheapest at the margin"
        report.warning(what, "leave it out, or hold spot or take-or-pay below 100%", *here)
    if rules & {"cheapest", "data-gravity"}:
        what = f"{name}: prices decide where work runs; flips without simulation take it as it was"
        report.info(what, *here)
    with_data = {work for work, _, _ in data_of(study)}
    bare = [work[1] for work, rule in ruled.items() if rule == "data-gravity" and work not in with_data]
    if bare:
        what = f"{name}: data-gravity for {', '.join(bare)}, whose data has no place, is cheapest"
        report.warning(what, "add `data: {size: 20 PB, at: us-east}` to the workload", *here)


def _data(report: Report, study: Study) -> None:
    """Data is at an offer or in a region that offers have; what a copy elsewhere costs."""
    left: set[str] = set()
    used = {name for strategy in study.strategies.values() for name in (*strategy.hold, *strategy.buys())}
    used |= {*study.base_fleet}
    named: dict[str, tuple[Work, Data]] = {}
    for work, _, data in data_of(study):
        here = _path(study, work)
        for home in data.homes:
            _home(report, study, home, *here)
        sites = data_sites(study, data)
        if not sites:
            continue
        left |= {name for name in study.offers if site(study, name) in sites}
        report.info(_copy(study, work, data, used), *here)
        if all(site(study, name) in sites for name in used if study.offers[name].kind not in SHELLS):
            what = f"{work[1]}: every offer that is held is where its data is, nothing is copied"
            report.warning(what, "leave `data` out, or name the offer or the region where it is", *here)
        if data.name is not None:
            first, other = named.setdefault(data.name, (work, data))
            if other != data:
                what = f"{work[1]} and {first[1]} read {shown(data.name)}, and say different things of it"
                report.error(what, "write the same `data` for both, or another name", *here)
    for name, offer in study.offers.items() if left else ():
        if offer.egress is not None and name in used and name not in left:
            what = f"`{name}` has a price of egress, and no workload's data is there at the start"
            report.info(what, "offers", name, "egress")


def _home(report: Report, study: Study, home: str, *here: str | int) -> None:
    """Where data is said to be is an offer, or a region of some offer."""
    regions = {offer.region for offer in study.offers.values() if offer.region}
    if home not in study.offers and not any(within(region, home) for region in regions):
        hint = did_you_mean(home, {*study.offers, *regions})
        report.error(f"there is no offer and no region {shown(home)}", hint, *here, "at")


def _copy(study: Study, work: Work, data: Data, used: set[str]) -> str:
    """What a copy takes, and whose prices these are."""
    homes = data_sites(study, data)
    price, days = leaving_price(study, data, homes, used), copy_ms(data, float(data.size)) / DAY_MS
    there = sorted(
        name for name in used | {*data.homes} if name in study.offers and site(study, name) in homes
    )
    silent = [name for name in there if study.offers[name].egress is None]
    whose = f", {data.egress.confidence or 'stated'}: {', '.join(silent)} states none" if silent else ""
    kept = {storage_price(study, data, name) for name in used if site(study, name) not in homes} - {0.0}
    yearly = (
        [money(12 * float(data.size) / 1e3 * each) for each in sorted({min(kept), max(kept)})] if kept else []
    )
    return (
        f"{work[1]}: a copy of {amount(float(data.size))} costs "
        f"{money(float(data.size) * price)} (${price:g}/GB{whose}) and takes {days:.2g} d "
        f"({float(data.bandwidth):g} GB/s, {data.bandwidth.confidence or 'stated'}); "
        + (f"to keep it costs {' to '.join(yearly)} a year" if yearly else "keeping it has no price")
    )


def _path(study: Study, work: Work) -> tuple[str | int, ...]:
    """Where the data of a workload stands in the study."""
    if work[0] == "research":
        return ("demand", "research", "data")
    section = "training_runs" if work[0] == "training" else "inference"
    names = [item.name for item in getattr(study.demand, section)]
    return ("demand", section, names.index(work[1]), "data")

"""Checks of delivery and lifecycle terms: what contradicts itself, and what a strategy asks for in vain."""

from __future__ import annotations

from collections.abc import Iterator

from capsim.compile.constraints import may_use, workloads
from capsim.compile.findings import Report
from capsim.compile.regions import within
from capsim.spec.loader import Loaded
from capsim.spec.offers import SHELLS, Offer
from capsim.spec.quantities import shown
from capsim.spec.strategies import Strategy
from capsim.spec.study import Study


def delivery_terms(loaded: Loaded, report: Report) -> None:
    """Kinds, delivery and lifecycle terms of offers, and what strategies do with them, fit together."""
    study = loaded.study
    for name, offer in study.offers.items():
        _kind(report, name, offer)
        _lateness(report, study, name, offer)
        _options(report, name, offer)
        if offer.renewal is not None:
            _renewal(report, name, offer)
    for name, strategy in study.strategies.items():
        _plan(report, study, name, strategy)


def _kind(report: Report, name: str, offer: Offer) -> None:
    """Terms that belong to one kind of offer, and what that kind cannot do without."""
    here = ("offers", name)
    if (offer.interruptions is not None) != (offer.kind == "spot"):
        what = f"`{name}` of kind {offer.kind} with{'out' * (offer.interruptions is None)} interruptions"
        report.error(what, "spot capacity, and only that, says `interruptions: {rate, away}`", *here)
    if offer.kind == "spot":
        for term in ("take_or_pay", "prepay", "min_spend", "renewal"):
            if getattr(offer, term) is not None:
                report.error(f"`{name}` is spot and has {term}", "leave it out", *here, term)
        if offer.reliability.site_outages is not None or offer.reliability.maintenance is not None:
            what = f"`{name}` is spot and has outages or maintenance of its own"
            report.error(what, "leave them out: interruptions stand for them", *here, "reliability")
        if offer.price is not None and offer.price.per_chip_hour is None:
            report.error(f"`{name}` is spot", "write price.per_chip_hour", *here, "price")
        share = None if offer.interruptions is None else offer.interruptions.share
        if share is not None and float(share) == 0.0:
            what = f"`{name}`: interruptions take no chips away"
            report.warning(what, "write a share above 0%", *here, "interruptions", "share")
        if offer.needs_shell and share is not None:
            what = f"`{name}` is reclaimed in part and waits for power of its own"
            report.error(
                what, "leave out interruptions.share, or needs_shell", *here, "interruptions", "share"
            )
    if offer.kind == "lease":
        if (
            offer.price is not None
            and offer.price.per_chip_month is None
            and offer.price.per_chip_hour is None
        ):
            report.error(f"`{name}` is a lease", "write price.per_chip_month", *here, "price")
    elif offer.lease_end is not None:
        report.error(f"`{name}` of kind {offer.kind} has lease_end", "write kind: lease", *here, "lease_end")
    if offer.lease_end is not None:
        _lease_end(report, name, offer)
    if offer.kind in ("lease", "capacity_block") and offer.term is None and offer.ends is None:
        report.error(f"`{name}` is a {offer.kind} without an end", "add term or ends", *here)
    if offer.depth is not None:
        if offer.depth_per_quarter is not None:
            report.error(f"`{name}` states depth and depth_per_quarter", "keep one of them", *here, "depth")
        for system in offer.depth:
            if system not in offer.chips:
                what = f"`{name}` has a depth for {shown(system)}, which it does not have"
                report.error(what, "name one of its `chips`", *here, "depth", system)


def _lease_end(report: Report, name: str, offer: Offer) -> None:
    assert offer.lease_end is not None
    bought, priced = offer.lease_end.action == "purchase", offer.lease_end.residual is not None
    if bought != priced:
        what = f"`{name}`: lease_end to {offer.lease_end.action} with{'out' * (not priced)} a residual"
        hint = "a purchase names its residual price a chip, a return none"
        report.error(what, hint, "offers", name, "lease_end")


def _lateness(report: Report, study: Study, name: str, offer: Offer) -> None:
    here = ("offers", name, "delivery")
    test, remedy, made = offer.delivery.acceptance, offer.delivery.remedy, offer.delivery.make_good
    if offer.kind in SHELLS and (test is not None or remedy is not None or made is not None):
        what = f"`{name}` brings power: acceptance, remedies and make-good are terms of chips"
        report.error(what, "leave them out", *here)
    if test is not None and float(test.failure or 0.0) >= 1.0:
        what = f"`{name}` is never accepted: each test fails"
        report.error(what, "write a failure below 100%", *here, "acceptance", "failure")
    if remedy is not None and remedy.long_stop is not None:
        late = [tranche.at for tranche in offer.tranches if tranche.at >= remedy.long_stop]
        if late:
            what = f"`{name}`: the tranche of {late[0]} is planned after the long-stop date"
            report.error(what, "write a later long_stop", *here, "remedy", "long_stop")
    if remedy is not None and remedy.credit_cap is not None and remedy.credit_per_day is None:
        what = f"`{name}` caps a credit that it does not give"
        report.error(what, "add credit_per_day", *here, "remedy", "credit_cap")
    if made is not None and (made.outages_over, made.delays_over, made.substitute) == (None, None, None):
        what = f"`{name}` makes nothing good"
        report.error(what, "add outages_over, delays_over or substitute", *here, "make_good")
    if made is not None and made.outages_over is not None and offer.reliability.site_outages is None:
        what = f"`{name}` makes outages good and has none"
        report.warning(what, "add reliability.site_outages", *here, "make_good", "outages_over")


def _options(report: Report, name: str, offer: Offer) -> None:
    held = {system for tranche in offer.tranches for system in tranche.chips or ()} | set(offer.chips)
    for index, option in enumerate(offer.options):
        for number, system in enumerate(option.replaces):
            if system not in held:
                what = (
                    f"`{name}`: option {option.name} replaces {shown(system)}, which the offer does not bring"
                )
                path = ("offers", name, "options", index, "replaces", number)
                report.error(what, f"name one of {', '.join(sorted(held))}", *path)


def _renewal(report: Report, name: str, offer: Offer) -> None:
    assert offer.renewal is not None
    here = ("offers", name, "renewal")
    if offer.term is None and offer.ends is None:
        report.error(f"`{name}` is renewed and has no end", "add term or ends", *here)
    if offer.renewal.price == "market" and offer.market is None:
        report.error(f"`{name}` is renewed at the market and names none", "add market", *here, "price")
    if float(offer.renewal.change or 0.0) <= -1.0:
        report.error(f"`{name}` is renewed at no price", "write a change above -100%", *here, "change")


def _managed(strategy: Strategy) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Where a strategy renews, ends, lets or exercises, and the offer."""
    for offer in strategy.renew:
        yield ("renew", offer), offer
    for offer in strategy.terminate:
        yield ("terminate", offer), offer
    for index, sale in enumerate(strategy.resell):
        yield ("resell", index), sale.offer
    for reference in strategy.exercise:
        yield ("exercise", reference), reference.rpartition(".")[0]
    for index, rule in enumerate(strategy.rules):
        for key, named in (("terminate", rule.terminate), ("renew", rule.renew)):
            if named is not None:
                yield ("rules", index, key), named
        if rule.exercise is not None:
            yield ("rules", index, "exercise"), rule.exercise.rpartition(".")[0]
        if rule.resell is not None:
            yield ("rules", index, "resell"), rule.resell.offer
    if strategy.python is not None:
        for index, reference in enumerate(strategy.python.may_exercise):
            yield ("python", "may_exercise", index), reference.rpartition(".")[0]


def _plan(report: Report, study: Study, name: str, strategy: Strategy) -> None:
    """What a strategy renews, ends, lets or exercises is held, and on a day within the horizon."""
    here = ("strategies", name)
    held = {*strategy.hold, *strategy.buys()}
    for path, offer in _managed(strategy):
        if offer not in held:
            report.error(
                f"{name} does not hold `{offer}`", f"hold it, or leave it out of {path[0]}", *here, *path
            )
    renewed: list[tuple[tuple[str | int, ...], str]] = [(("renew", offer), offer) for offer in strategy.renew]
    renewed += [(("rules", i, "renew"), r.renew) for i, r in enumerate(strategy.rules) if r.renew is not None]
    for path, offer in renewed:
        if study.offers[offer].renewal is None:
            what = f"`{offer}` gives no right to renew"
            report.error(what, "add `renewal: {term: 2y}` to the offer", *here, *path)
    for reference in strategy.exercise:
        if reference in strategy.options:
            what = f"{name} exercises {reference} in any case"
            report.error(what, "keep it in options or in exercise", *here, "exercise", reference)
    for offer, day in strategy.terminate.items():
        if not study.horizon.start <= day < study.horizon.end:
            what = f"{name} ends `{offer}` on {day}, outside the horizon"
            report.warning(what, "nothing happens; write a day within it", *here, "terminate", offer)
    for index, sale in enumerate(strategy.resell):
        if study.offers[sale.offer].kind in (*SHELLS, "spot", "on_demand"):
            what = f"`{sale.offer}` of kind {study.offers[sale.offer].kind} cannot be let"
            report.error(
                what, "let chips that are rented for a term or bought", *here, "resell", index, "offer"
            )
        if sale.until is not None and (sale.when is None or sale.until < sale.starts):
            what = f"{name} lets `{sale.offer}` until {sale.until}, and " + (
                "asks nothing" if sale.when is None else f"asks from {sale.starts} on"
            )
            hint = "leave `until` out" if sale.when is None else "write a later day"
            report.error(what, hint, *here, "resell", index, "until")
        if sale.starts >= study.horizon.end:
            what = f"{name} lets `{sale.offer}` from {sale.starts}, after the horizon"
            report.warning(what, "nothing happens; write an earlier day", *here, "resell", index, "from")


def placement(loaded: Loaded, report: Report) -> None:
    """Every workload has an offer in every strategy under which residency and dedication let it run."""
    study = loaded.study
    for name, strategy in study.strategies.items():
        held = {*study.base_fleet, *strategy.hold, *strategy.buys()}
        offers = [study.offers[offer] for offer in held if study.offers[offer].kind not in SHELLS]
        for service in study.demand.inference:
            away = [r for r in service.regions if not any(within(offer.region, r) for offer in offers)]
            if offers and away and service.spill is None:
                what = f"{name} holds no place in {', '.join(away)} for {service.name}"
                hint = "hold an offer with such a `region`, or let the service `spill` over"
                report.warning(what, hint, "strategies", name)
        for work, residency in workloads(study):
            if offers and not any(may_use(offer, work, residency) for offer in offers):
                where = f" in {', '.join(residency)}" if residency else ""
                what = f"{name} holds no place{where} where {work[1]} may run"
                hint = "hold an offer with such a `region` that is not dedicated to others"
                report.warning(what, hint, "strategies", name)

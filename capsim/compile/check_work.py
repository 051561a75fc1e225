"""Checks of demand, time and hardware: shares, dates, gangs that no fleet can hold, integers."""

from __future__ import annotations

import datetime
from collections.abc import Iterable

from capsim.compile.books import held_by_system, length_ms
from capsim.compile.findings import Report
from capsim.compile.portfolio import ROOM, orders_at_most
from capsim.spec.demand import Research
from capsim.spec.loader import Loaded
from capsim.spec.study import Study
from capsim.units import DAY_MS, YEAR_MS

SHARE_TOLERANCE = 1e-3
"""Shares are written with a few digits: 33.3 % three times is meant as 1."""
LARGEST_INT64 = 2**63 - 1
MOST_YEARS = 30
MOST_CAMPAIGNS = 50_000_000
"""About 5 GB of jobs."""
MOST_NODES = 20_000_000
MOST_REVIEWS = 20_000
MOST_ORDERS = ROOM  # of one rule, ramp or purchase in Python


def shares_sum(loaded: Loaded, report: Report) -> None:
    """Shares of chips, of tranches and of campaign sizes, and probabilities of delays, sum to 1."""
    study = loaded.study
    for name, offer in study.offers.items():
        here = ("offers", name)
        _sums(report, "shares of chips", offer.chips.values(), *here, "chips")
        _sums(report, "shares of tranches", (t.share for t in offer.tranches), *here, "tranches")
        for index, tranche in enumerate(offer.tranches):
            _sums(
                report, "shares of chips", (tranche.chips or {}).values(), *here, "tranches", index, "chips"
            )
        delivery = offer.delivery
        for field in ("delay", "existing_delay"):
            steps = getattr(delivery, field)
            _sums(report, "probabilities of delays", (s.p for s in steps), *here, "delivery", field)
        overlap = sum(float(item.share) for item in offer.overlaps)
        if overlap > 1 + SHARE_TOLERANCE:
            what = f"the overlaps of `{name}` sum to {overlap:.0%}"
            report.error(what, "write shares of this offer's chips, at most 100% in all", *here, "overlaps")
    for index, service in enumerate(study.demand.inference):
        shares = (region.share for region in service.regions.values())
        _sums(report, "shares of regions", shares, "demand", "inference", index, "regions")
    research = study.demand.research
    if isinstance(research, Research):
        here_research = ("demand", "research")
        _sums(report, "shares of campaign sizes", research.chips.values(), *here_research, "chips")
        fates = research.fates
        for first, second in (("failed", "cancelled"), ("failed_chip_time", "cancelled_chip_time")):
            total = float(getattr(fates, first)) + float(getattr(fates, second))
            if total > 1 + SHARE_TOLERANCE:
                what = f"{first} and {second} sum to {total:.0%}"
                report.error(what, "leave room for what completes", *here_research, "fates", first)


def _sums(report: Report, kind: str, shares: Iterable[float], *path: str | int) -> None:
    given = [float(share) for share in shares]
    total = sum(given)
    if given and abs(total - 1.0) > SHARE_TOLERANCE:
        report.error(f"the {kind} sum to {total:.4g}", "make them sum to 1", *path)


def dates(loaded: Loaded, report: Report) -> None:
    """Dates are in order and inside the horizon, or it is said what that means."""
    study = loaded.study
    start, end = study.horizon.start, study.horizon.end
    if start >= end:
        report.error(
            f"the horizon ends on {end}, before it starts", "write an end after the start", "horizon", "end"
        )
        return
    for index, run in enumerate(study.demand.training_runs):
        here = ("demand", "training_runs", index)
        if run.earliest >= run.target:
            what = f"{run.name}: the target {run.target} is not after the earliest start {run.earliest}"
            report.error(what, "write a later target", *here, "target")
        if not start <= run.earliest < end:
            what = f"{run.name}: the earliest start {run.earliest} is outside the horizon"
            report.error(what, f"write a date from {start} and before {end}", *here, "earliest")
        elif run.target > end:
            report.warning(
                f"{run.name}: the target {run.target} is after the horizon", "end it later", *here, "target"
            )
    curves = [
        (("demand", "inference", i, "tokens"), s.name, s.tokens) for i, s in enumerate(study.demand.inference)
    ]
    for path, name, tokens in curves:
        _curve(report, study, name, list(tokens), *path)
    research = study.demand.research
    if isinstance(research, Research):
        _curve(report, study, "research", list(research.capacity), "demand", "research", "capacity")
    for name in _held(study):
        _offer_dates(report, study, name)


def _curve(report: Report, study: Study, name: str, days: list[datetime.date], *path: str | int) -> None:
    """A curve over dates covers the horizon."""
    if not days:
        report.error(f"{name}: no date", "write at least one `date: value`", *path)
        return
    if days != sorted(days):
        report.error(f"{name}: the dates are not in order", "write them from first to last", *path)
    if min(days) > study.horizon.start:
        report.info(f"{name}: held at its first value until {min(days)}", *path)
    if (study.horizon.end - max(days)).days > 31:
        report.info(f"{name}: held at its last value from {max(days)}", *path)


def _held(study: Study) -> list[str]:
    """Offers that some strategy or the base fleet holds, each once."""
    names = dict.fromkeys(study.base_fleet)
    for strategy in study.strategies.values():
        names.update(dict.fromkeys(strategy.hold))
    return list(names)


def _offer_dates(report: Report, study: Study, name: str) -> None:
    offer, here = study.offers[name], ("offers", name)
    for index, tranche in enumerate(offer.tranches):
        if tranche.at >= study.horizon.end:
            what = f"`{name}`: the tranche of {tranche.at} comes after the horizon"
            report.info(what, *here, "tranches", index)
        length = length_ms(offer, tranche.at)
        if length is not None and length <= 0:
            what = f"`{name}`: the tranche of {tranche.at} starts after the contract ends"
            report.error(what, "write a later end or a term", *here, "tranches", index)
    for index, option in enumerate(offer.options):
        if option.decide > option.deliver:
            what = f"`{name}`: option {option.name} is delivered before it is decided"
            report.error(what, "write decide before deliver", *here, "options", index, "decide")


def gangs(loaded: Loaded, report: Report) -> None:
    """Gangs have sane bounds, and every strategy has a system large enough for every run's least size."""
    study = loaded.study
    for index, run in enumerate(study.demand.training_runs):
        here = ("demand", "training_runs", index, "chips")
        if run.chips.min > run.chips.max:
            what = f"{run.name}: between {run.chips.min:,} and {run.chips.max:,} chips"
            report.error(what, "write min <= max", *here)
    for strategy, plan in study.strategies.items():
        if plan.buys():
            continue
        fleet = _fleet(study, strategy)
        small = [
            f"{run.name} ({run.chips.min:,})"
            for run in study.demand.training_runs
            if max((fleet.get(system, 0.0) for system in run.systems), default=0.0) < run.chips.min
        ]
        if small:
            what = f"{strategy} never has a system with the least number of chips for {', '.join(small)}"
            hint = "hold more, allow other systems, or let the run be smaller"
            report.warning(what, hint, "strategies", strategy)


def _fleet(study: Study, strategy: str) -> dict[str, float]:
    """The most chips of each system that a strategy can ever have, options included."""
    plan = study.strategies[strategy]
    fleet: dict[str, float] = {}
    for holdings, share in (
        (study.base_fleet, 1.0),
        (plan.hold, 1.0 if plan.share is None else float(plan.share)),
    ):
        for name, held in holdings.items():
            for system, chips in held_by_system(study.offers[name], held).items():
                fleet[system] = fleet.get(system, 0.0) + chips * share
    for reference in [*plan.options, *plan.may_exercise()]:
        offer, _, name = reference.rpartition(".")
        for option in study.offers[offer].options:
            if option.name == name:
                swapped = sum(fleet.get(system, 0.0) for system in option.replaces)
                chips = swapped if option.quantity is None else float(option.quantity)
                fleet[option.chip] = fleet.get(option.chip, 0.0) + chips
    return fleet


def scale_up(loaded: Loaded, report: Report) -> None:
    """Nodes, domains, segments and lots fit into each other."""
    study = loaded.study
    for name, system in study.systems.items():
        here = ("systems", name)
        node, domain = int(system.node), int(system.domain)
        if domain % node:
            what = f"`{name}`: a domain of {domain} chips is no whole number of nodes of {node}"
            report.error(what, "write a multiple of the node", *here, "domain")
        if system.segment is not None and int(system.segment) > domain:
            what = f"`{name}`: a segment of {system.segment} chips in a domain of {domain}"
            report.error(what, "write at most the domain", *here, "segment")
    for name in _held(study):
        offer = study.offers[name]
        lot = int(offer.quantity.lot) if offer.quantity is not None else 0
        for part in held_by_system(offer, lot) if lot else ():
            node = int(study.systems[part].node)
            if lot % node:
                what = f"`{name}` comes in lots of {lot:,} chips, {part} in nodes of {node}"
                report.warning(what, "write a lot of whole nodes", "offers", name, "quantity", "lot")


def limits(loaded: Loaded, report: Report) -> None:
    """The simulation stays within the memory and the time of one machine."""
    study = loaded.study
    years = (study.horizon.end - study.horizon.start).days / 365.25
    if years > MOST_YEARS:
        what = f"a horizon of {years:,.0f} years"
        report.error(what, f"write at most {MOST_YEARS} years", "horizon", "end")
    research = study.demand.research
    if isinstance(research, Research) and research.campaigns > MOST_CAMPAIGNS:
        what = f"{research.campaigns:,} campaigns"
        hint = f"write at most {MOST_CAMPAIGNS:,} larger ones"
        report.error(what, hint, "demand", "research", "campaigns")
    for strategy, plan in study.strategies.items():
        fleet = _fleet(study, strategy)
        nodes = sum(chips / int(study.systems[system].node) for system, chips in fleet.items())
        if nodes > MOST_NODES:
            what = f"{strategy}: {nodes:,.0f} nodes"
            hint = f"simulate a `share` of the holdings with at most {MOST_NODES:,} nodes"
            report.error(what, hint, "strategies", strategy)
        for index, rule in enumerate(plan.rules):
            reviews = years * YEAR_MS / int(rule.review)
            if reviews > MOST_REVIEWS:
                what = f"{strategy}: a rule is reviewed {reviews:,.0f} times"
                report.error(what, "review it less often", "strategies", strategy, "rules", index, "review")
        for purchase in plan.purchases():
            orders = orders_at_most(purchase, int(years * YEAR_MS))
            if orders > MOST_ORDERS:
                what = f"{strategy}: up to {orders:,} orders of `{purchase.buy.offer}`"
                hint = f"order more chips at once, at most {MOST_ORDERS:,} times, or set a limit"
                report.error(what, hint, "strategies", strategy, *purchase.path)


def chip_time_overflow(loaded: Loaded, report: Report) -> None:
    """Chip-milliseconds of the largest fleet stay within 64 bits."""
    study = loaded.study
    horizon_ms = (study.horizon.end - study.horizon.start).days * DAY_MS
    for strategy in study.strategies:
        chips = sum(_fleet(study, strategy).values())
        if chips * horizon_ms > LARGEST_INT64:
            years = horizon_ms / DAY_MS / 365.25
            what = f"{strategy}: {chips:,.0f} chips x {years:.1f} years overflow 64-bit chip-milliseconds"
            report.error(
                what,
                "hold fewer chips, simulate a `share` of them, or shorten the horizon",
                "strategies",
                strategy,
            )

"""Check of the queue and its tenants: options that the order has, tenants that exist and can work."""

from __future__ import annotations

import math

from capsim.compile.calendar import Calendar
from capsim.compile.findings import Report
from capsim.compile.portfolio import build_portfolio, placement_unit
from capsim.compile.prepare import lot_domains
from capsim.compile.tenants import TenantTable, research_tenants, reserved_system, run_tenants, tenant_table
from capsim.errors import InputError
from capsim.reserved import reserved_at
from capsim.spec.demand import Research, TracedResearch
from capsim.spec.files import MOST_CHIPS
from capsim.spec.governance import TenantTerms, wrong_tenants
from capsim.spec.loader import Loaded
from capsim.spec.quantities import did_you_mean, shown
from capsim.spec.scheduler import CHANGING, ORDER_OPTIONS, ReservedChips, Scheduler
from capsim.spec.study import Study
from capsim.workload.traced_demand import jobs_of

HERE = "scheduler"


def governance(loaded: Loaded, report: Report) -> None:
    """The section `scheduler` says what its order and its tenants can follow."""
    study = loaded.study
    spec = study.scheduler
    _order(spec, report)
    _names(study, report)
    if spec.retries is not None:
        _retries(study, report)
    if not spec.governed:
        if spec.reclaim is not None:
            report.warning("`reclaim` without tenants", "add tenants, or leave it out", HERE, "reclaim")
        return
    try:
        tenants = tenant_table(study)
    except InputError:
        return  # the check of traces says what is wrong with it
    _terms(study, tenants, report)
    _sizes(study, tenants, report)
    _limits(study, report)
    for number, row in enumerate(spec.reservations or ()):
        _reservation(study, row, tenants, report, (HERE, "reservations", number))
    if len(spec.reservations or ()) > 1 and not report.findings:
        _overlaps(study, report)


def _reservation(
    study: Study, row: ReservedChips, tenants: TenantTable, report: Report, here: tuple[str | int, ...]
) -> None:
    """It is in the horizon, of a system that the offer has, for tenants that exist."""
    systems = study.offers[row.offer].chips
    if row.system is None and len(systems) > 1:
        what = f"`{row.offer}` has several systems"
        report.error(what, f"say which: system: {next(iter(systems))}", *here)
    if not study.horizon.start <= row.starts < row.until <= study.horizon.end:
        what = f"from {row.starts} until {row.until} is not a time of the horizon"
        report.error(what, f"between {study.horizon.start} and {study.horizon.end}", *here, "until")
    for name in row.tenants or ():
        if name not in tenants.names:
            what = f"there is no tenant {shown(name)}"
            report.error(what, did_you_mean(name, tenants.names), *here, "tenants")


def _overlaps(study: Study, report: Report) -> None:
    """Reservations of one place at one time keep no more than a strategy with that place ever has there."""
    rows = [(row, reserved_system(study, row)) for row in study.scheduler.reservations or ()]
    calendar = Calendar(study.horizon.start, study.horizon.end, float(study.money.discount_rate))
    told: set[int] = set()
    for strategy, plan in study.strategies.items():
        lots = build_portfolio(study, plan, calendar).lots
        for number, (row, system) in enumerate(rows):
            unit = placement_unit(study.systems[system])
            mine = [lot for lot in lots if (lot.offer, lot.system) == (row.offer, system)]
            there = sum(lot_domains(study, lot) for lot in mine) * unit
            windows = [
                (other.starts, other.until, min(-(-int(other.chips) // unit) * unit, there))
                for other, on in rows
                if (other.offer, on) == (row.offer, system)
            ]
            kept = reserved_at(row.starts, windows)
            if kept > there and number not in told:
                told.add(number)
                what = f"{kept:,} chips of `{row.offer}` are reserved on {row.starts}"
                what += f", `{strategy}` has {there:,}"
                hint = "reserve fewer, or at another time"
                report.error(what, hint, HERE, "reservations", number, "chips")


def _order(spec: Scheduler, report: Report) -> None:
    """Options belong to the order, and preemption goes with it."""
    known = ORDER_OPTIONS.get(spec.order, ())
    given = spec.order_options()
    for name in given:
        if name not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            report.error(f"the order {spec.order} has no option `{name}`", has, HERE, "options", name)
    thresholds = given.get("thresholds", ())
    if isinstance(thresholds, tuple) and list(thresholds) != sorted(set(thresholds)):
        report.error("thresholds do not increase", "write them from least", HERE, "options", "thresholds")
    if spec.preempt and spec.order in CHANGING and spec.order != "las" and not spec.classes_first:
        hint = "leave by_class out, or write preempt: false"
        report.error(f"preemption with the order {spec.order} goes by class only", hint, HERE, "by_class")


def _names(study: Study, report: Report) -> None:
    """Names of research tenants are distinct and not more than there are."""
    research = study.demand.research
    if not isinstance(research, Research) or research.tenants.names is None:
        return
    names, here = research.tenants.names, ("demand", "research", "tenants", "names")
    if len(set(names)) < len(names):
        report.error("a tenant is named twice", "name each once", *here)
    if len(names) > int(research.tenants.count):
        what = f"{len(names)} names for {int(research.tenants.count)} tenants"
        report.error(what, "leave some out, or raise the count", *here)


def _retries(study: Study, report: Report) -> None:
    """Some campaigns fail."""
    research = study.demand.research
    if not isinstance(research, Research) or not research.fates.failed:
        what = "no campaign fails, so none is run again"
        report.warning(what, "give research fates with failed, or leave it out", HERE, "retries")


def _terms(study: Study, tenants: TenantTable, report: Report) -> None:
    """Tenants and systems exist, and the tenants' terms go together."""
    spec = study.scheduler
    given = spec.tenants or {}
    for name in given:
        if name not in tenants.names:
            hint = did_you_mean(name, tenants.names)
            report.error(f"there is no tenant {shown(name)}", hint, HERE, "tenants", name)
    for path, what, hint in wrong_tenants(given, spec.others):
        report.error(what, hint, HERE, *path)
    rows = [(("tenants", name), terms) for name, terms in given.items()]
    for here, terms in [*rows, (("others",), spec.others or TenantTerms())]:
        for system in terms.quotas if terms.by_name else ():
            if system not in study.systems:
                hint = did_you_mean(system, tuple(study.systems))
                report.error(f"there is no system {shown(system)}", hint, HERE, *here, "quota", system)


def _sizes(study: Study, tenants: TenantTable, report: Report) -> None:
    """Every tenant may have the chips of its named runs, of their bursts, and of the smallest campaign."""
    most = tenants.most()

    def place(tenant: str, system: str = "") -> tuple[str, ...]:
        named = tenant in (study.scheduler.tenants or {})
        here = (HERE, "tenants", tenant) if named else (HERE, "others")
        quotas = tenants.terms[tenants.names.index(tenant)].quotas
        return (*here, "quota", system) if system and system in quotas else (*here, "quota")

    research = study.demand.research
    burst = research.evaluation if research is not None else None
    for run in study.demand.training_runs:
        tenant = run_tenants(study)[run.name]
        if tenant not in most:
            continue
        by_name = most[tenant]
        needs = [(run.name, int(run.chips.max if "" in by_name else run.chips.min), run.systems)]
        if burst is not None and research is not None:
            chips = int(burst.chips) * int(burst.jobs)
            needs.append((f"an evaluation burst of {run.name}", chips, research.systems))
        for what, chips, systems in needs:
            system = "" if "" in by_name else max(systems, key=lambda on: by_name.get(on, 0))
            if chips > by_name.get(system, 0):
                text = f"{what} asks for {chips:,} chips{f' of {system}' if system else ''}, its tenant"
                text += f" {shown(tenant)} may have {by_name.get(system, 0):,}"
                hint = f"raise the quota to {chips:,}, or leave it out"
                report.error(text, hint, *place(tenant, system))
    least = _smallest(study)
    largest = tenants.largest(research.systems if research is not None else ())
    small = [name for name in research_tenants(study) if largest.get(name, least) < least]
    for name in small[:1]:
        text = f"{shown(name)} may have {largest[name]:,} chips, the smallest campaign asks for {least:,}"
        report.error(text, f"write a quota of at least {least:,}", *place(name))


def _limits(study: Study, report: Report) -> None:
    """Limits are of work that the study has, and every job keeps them alone."""
    runs, research = study.demand.training_runs, study.demand.research
    burst = research.evaluation if research is not None and runs else None
    largest = {
        "campaigns": _smallest(study),
        "bursts": int(burst.chips) * int(burst.jobs) if burst is not None else 0,
        "runs": max((int(run.chips.max) for run in runs), default=0),
    }
    asks = {
        "campaigns": "the smallest campaign asks",
        "bursts": "an evaluation burst asks",
        "runs": "the largest named run asks",
    }
    for work, terms in study.scheduler.limits or ():
        here = (HERE, "limits", work)
        if terms is not None and largest[work] == 0:
            report.warning(f"there are no {work} that this limits", "leave it out", *here)
        elif terms is not None and terms.max_chips is not None:
            if terms.max_chips < largest[work]:
                what = f"{asks[work]} for {largest[work]:,} chips"
                report.error(what, f"write at least {largest[work]:,}", *here, "max_chips")
            elif terms.max_chips > MOST_CHIPS:
                what = f"{int(terms.max_chips):,} chips"
                report.error(what, f"write at most {MOST_CHIPS:,}", *here, "max_chips")


def _smallest(study: Study) -> int:
    """Chips of the smallest campaign at the start of the horizon; 0 without research."""
    research = study.demand.research
    if isinstance(research, TracedResearch):
        sizes = jobs_of(research.path, research.sha256).size
        return max(math.ceil(int(sizes.min()) * float(research.scale.chips)), 1) if len(sizes) else 0
    return min((int(chips) for chips in research.chips), default=0) if isinstance(research, Research) else 0

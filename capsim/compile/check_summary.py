"""Checks that only tell: how far the numbers can be trusted, and what the study implies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from capsim.compile.books import books, given_up, held_by_system, held_chips, money, option_cost
from capsim.compile.findings import Report
from capsim.spec.demand import Research
from capsim.spec.explain import locate
from capsim.spec.loader import Loaded
from capsim.spec.offers import SHELLS
from capsim.spec.paths import split_path
from capsim.spec.provenance import STATED, provenance
from capsim.spec.strategies import Holding
from capsim.spec.study import Study
from capsim.spec.values import CONFIDENCES
from capsim.workload.demand import expected_sizes

CATALOG_SECTIONS = ("chips", "systems", "models", "porting")


def provenance_counts(loaded: Loaded, report: Report) -> None:
    """Inputs (numbers that can matter) by confidence, as a comparison counts them, and every assumed one."""
    found = provenance(loaded.study)
    counts = ", ".join(
        f"{found.counts[name]} {name}" for name in (*CONFIDENCES, STATED) if found.counts[name]
    )
    report.info(f"inputs: {counts} (stated: plain numbers without a source)")
    # What the study itself states comes before what the catalog brings along.
    for path, value in sorted(found.assumed, key=lambda item: split_path(item[0])[0] in CATALOG_SECTIONS):
        names = split_path(path)
        written = _written(locate(loaded.tree, names).node, value)
        source = f" ({value.source})" if value.source else ""
        report.info(f"assumed: {path} = {written}{source}", *names)


def _written(node: object, value: object) -> str:
    """A value as the study writes it; as capsim holds it where a default stands for it."""
    if isinstance(node, dict):
        number = str(node.get("value") or node.get("mid") or value)
        return f"{number}, {node['low']} to {node['high']}" if "low" in node and "high" in node else number
    return node if isinstance(node, str) else str(value)


def conversion(loaded: Loaded, report: Report) -> None:
    """Offers held that are less than signed, with the probability that they become capacity."""
    study = loaded.study
    for strategy, plan in study.strategies.items():
        for name in plan.hold:
            status = study.offers[name].status
            if status in ("live", "signed"):
                continue
            given = study.uncertainty.conversion.get(status)
            here = ("strategies", strategy, "hold", name)
            if given is None:
                what = (
                    f"{strategy} holds `{name}` ({status}), certain for want of a probability of `{status}`"
                )
                report.warning(what, f"write uncertainty: {{conversion: {{{status}: 30%}}}}", *here)
            else:
                report.info(
                    f"{strategy} holds {name} ({status}): becomes capacity with {float(given):.0%}", *here
                )


def cross_check(loaded: Loaded, report: Report) -> None:
    """What the study implies in chips, gigawatts and dollars, beside the published figures."""
    study = loaded.study
    _demand(study, report)
    base = study.base_fleet
    if base:
        report.info(f"base fleet: {_size(study, base)}", "base_fleet")
    for strategy, plan in study.strategies.items():
        if plan.hold or plan.options:
            text = _size(study, plan.hold, plan.options)
            report.info(f"{strategy}: {text} at face value", "strategies", strategy)
    for index, row in enumerate(study.cross_check):
        report.info(f"published: {row.what}: {row.published} ({row.source})", "cross_check", index)


def _demand(study: Study, report: Report) -> None:
    """The size of the work, as the study states it."""
    demand, scale = study.demand, float(study.demand.scale)
    if demand.training_runs:
        flops = sum(float(run.flops) for run in demand.training_runs)
        count = len(demand.training_runs)
        report.info(f"training: {count} runs, {flops:.3g} FLOP of pretraining", "demand", "training_runs")
    if isinstance(demand.research, Research) and demand.research.capacity:
        chips = [scale * float(value) for value in demand.research.capacity.values()]
        text = f"{chips[0]:,.0f} to {chips[-1]:,.0f} mean chips of {study.reference}"
        report.info(f"research: {text}", "demand", "research")
        if demand.research.campaigns > 0 and study.horizon.start < study.horizon.end:
            report.info(_campaign_sizes(study, demand.research), "demand", "research", "chips")
    curves = [
        [scale * float(v) for v in service.tokens.values()] for service in demand.inference if service.tokens
    ]
    if curves:
        first, last = (sum(curve[end] for curve in curves) / 1e12 for end in (0, -1))
        text = f"{first:,.3g}T tokens a day at the first dates, {last:,.4g}T at the last"
        report.info(f"inference: {text}", "demand", "inference")


def _campaign_sizes(study: Study, research: Research) -> str:
    """What the sizes of the table come to once the campaigns ask for the capacity."""
    hours = (study.horizon.end - study.horizon.start).days * 24
    sizes, _ = expected_sizes(research, study.horizon.start, hours, float(study.demand.scale))
    first, last = (f"{end[0]:,} to {end[-1]:,} chips" for end in (sizes[:, 0], sizes[:, -1]))
    return f"research: {int(research.campaigns):,} campaigns, of {first} at the start and {last} at the end"


def _size(study: Study, holdings: Mapping[str, Holding], options: Sequence[str] = ()) -> str:
    """Chips, critical power and committed money of holdings and exercised options, once all have come.

    Chips that a refresh gives up do not count, but what they cost does.
    """
    chips = kw = value = shells_kw = 0.0
    unpriced = 0
    for name, held in holdings.items():
        offer = study.offers[name]
        count = held_chips(offer, held)
        entry = books(offer, study.systems, count)
        if entry is None or entry.value is None:
            unpriced += 1
        else:
            value += entry.value
        if offer.kind in SHELLS:
            shells_kw += entry.kw if entry is not None else 0.0
        for system, number in held_by_system(offer, held).items():
            chips += number
            kw += number * float(study.systems[system].kw_per_chip)
    for reference in options:
        offer_name, _, option_name = reference.rpartition(".")
        offer = study.offers[offer_name]
        option = next(item for item in offer.options if item.name == option_name)
        gone = given_up(offer, option, holdings[offer_name]) if offer_name in holdings else {}
        more = sum(gone.values()) if option.kind == "swap" else int(option.quantity or 0)
        chips += more - sum(gone.values())
        kw += more * float(study.systems[option.chip].kw_per_chip)
        kw -= sum(number * float(study.systems[system].kw_per_chip) for system, number in gone.items())
        cost = option_cost(offer, option)
        value += cost or 0.0
        unpriced += cost is None
    text = f"{chips:,.0f} chips, {kw / 1e6:.2f} GW of critical power, {money(value)} over the terms"
    if shells_kw:
        text += f", shells of {shells_kw / 1e6:.2f} GW"
    return text + (f" ({unpriced} without a price or term)" if unpriced else "")

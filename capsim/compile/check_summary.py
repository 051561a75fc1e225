"""Checks that only tell: how far the numbers can be trusted, and what the study implies."""

from __future__ import annotations

from collections.abc import Mapping

from capsim.compile.books import books, held_by_system, held_chips, money
from capsim.compile.findings import Report
from capsim.spec.explain import locate
from capsim.spec.loader import Loaded
from capsim.spec.paths import split_path
from capsim.spec.provenance import STATED, provenance
from capsim.spec.study import Holding, Study
from capsim.spec.values import CONFIDENCES

CATALOG_SECTIONS = ("chips", "systems", "models", "porting")


def provenance_counts(loaded: Loaded, report: Report) -> None:
    """Numbers in use by confidence, and every assumed one."""
    found = provenance(loaded.study)
    counts = ", ".join(
        f"{found.counts[name]} {name}" for name in (*CONFIDENCES, STATED) if found.counts[name]
    )
    report.info(f"numbers in use: {counts} (stated = plain, without a source)")
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
    base = study.base_fleet
    if base:
        report.info(f"base fleet: {_size(study, base)}", "base_fleet")
    for strategy, plan in study.strategies.items():
        if plan.hold:
            report.info(f"{strategy}: {_size(study, plan.hold)} at face value", "strategies", strategy)
    for index, row in enumerate(study.cross_check):
        report.info(f"published: {row.what}: {row.published} ({row.source})", "cross_check", index)


def _size(study: Study, holdings: Mapping[str, Holding]) -> str:
    """Chips, critical power and committed money of holdings."""
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
        if offer.kind == "powered_shell":
            shells_kw += entry.kw if entry is not None else 0.0
        for system, number in held_by_system(offer, held).items():
            chips += number
            kw += number * float(study.systems[system].kw_per_chip)
    text = f"{chips:,.0f} chips, {kw / 1e6:.2f} GW of critical power, {money(value)} over the terms"
    if shells_kw:
        text += f", shells of {shells_kw / 1e6:.2f} GW"
    return text + (f" ({unpriced} without a price or term)" if unpriced else "")

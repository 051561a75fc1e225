"""The report of `capsim run`: one strategy over time, its named runs, who ran where, its contracts and
events."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from capsim.report.comparison import provenance_line, simulated_line, spread, title_of
from capsim.report.layout import Column, Line, blocks, listed, paragraph, tabulate
from capsim.report.numbers import days, figure, percent, usd
from capsim.report.periods import chip_time_table, when_it_binds, year_table
from capsim.report.ranked import scale_of
from capsim.report.reasons import binding_text, effect_text
from capsim.report.tenants import quota_lines, reservation_lines, tenants_table
from capsim.results.reading import Results
from capsim.study.binding import MS_DAY, binding
from capsim.study.context import Context
from capsim.study.figures import Row, slips_of
from capsim.study.figures import table as figures_of
from capsim.study.reweighting import weakest
from capsim.study.statistics import order_quantile

#: measures of the table `series` that get a row, with the words for it and whether it needs --wide.
MEASURES: tuple[tuple[str, str, bool], ...] = (
    ("contracted", "contracted", False),
    ("delivered", "delivered", False),
    ("powered", "powered", True),
    ("healthy", "healthy", False),
    ("training", "training", False),
    ("research", "research", False),
    ("inference", "inference", False),
    ("idle", "idle", False),
    ("delivered_gb200e", "delivered, GB200e", False),
)
#: measures that show a P10 as well with --wide.
SPREAD: tuple[str, ...] = ("delivered", "healthy", "delivered_gb200e")
CELL, NAME = 6, 19
CONTRACT_FIGURES = ("paid", "credits", "idle_share", "exit_end_2028", "late_days_mean")
EVENTS = 5
#: kinds of events that are told first.
TELLING = ("termination", "conversion", "outage", "delivery", "rule", "power", "training", "end")


@dataclass(frozen=True)
class Period:
    """A column of the table over time: its heading and the months in it."""

    name: str
    months: tuple[str, ...]


def depth_report(results: Results, context: Context, width: int, wide: bool) -> list[Line]:
    """The whole report on the first strategy of the plan in its first case."""
    strategy, case = results.plan.strategies[0], results.plan.cases[0]
    row = figures_of(results, case).row(strategy)
    assignment = assignment_table(results, strategy, case, width)
    return blocks(
        heading(results, context, strategy, case, width),
        totals(results, context, row, case, width),
        capacity_rows(results, context, strategy, case, width, wide),
        named_runs(results, context, strategy, case, width),
        assignment,
        waits_table(results, strategy, case, width) if wide else [],
        tenants_table(results, strategy, case, width)
        + quota_lines(results, strategy, case, width)
        + reservation_lines(results, strategy, case, width),
        chip_time_table(results, strategy, case, width),
        year_table(results, strategy, case, scale_of(figures_of(results, case)), width),
        contracts(results, context, strategy, case, width),
        closing(results, context, strategy, case, width, wide),
    )


def heading(results: Results, context: Context, strategy: str, case: str, width: int) -> list[Line]:
    """Which strategy, how many runs, what it holds."""
    held = results.table("contracts", case, strategy)
    runs = results.plan.runs
    title = title_of("run", results, context)
    title.insert(2, f"-s {strategy}" + (f" --cases {case}" if case != "base" else ""))
    title.insert(3, "1 run" if runs == 1 else f"{runs} runs")
    lines = paragraph("", spread(title, width), width, "bold")
    lines += paragraph("", provenance_line(context), width)
    lines += paragraph("", simulated_line(results), width)
    offers = sorted(set(held["offer"]))
    peak = float(results.metric("peak_gw", strategy, case).mean())
    summed = {name: float(held[name].sum()) / runs for name in ("term_value", "binding", "chips")}
    size = "1 contract" if len(offers) == 1 else f"{len(offers)} contracts"
    text = (
        f"{size}: {usd(summed['term_value'])} over their terms, {usd(summed['binding'])} binding, "
        f"{figure(summed['chips'] / 1e3)}k chips, peak {figure(peak, 2)} GW"
    )
    if strategy in context.dispatch:
        text += f"; dispatch: {context.dispatch[strategy]}"
    return lines + paragraph("", text, width)


def totals(results: Results, context: Context, row: Row, case: str, width: int) -> list[Line]:
    """Total cost and its parts, and the figures of the run."""
    table = figures_of(results, case)
    scale = scale_of(table)
    half = "" if math.isnan(row.total.half) else f" ±{scale.show(row.total.half)}"
    parts = {
        "cash": row.plain["cash_npv"],
        "lost tokens": row.plain["lost_tokens_npv"],
        "lost research": row.plain["lost_research_npv"],
        "slip": row.plain["slip_npv"],
    }
    sums = " + ".join(f"{name} {scale.show(value)}" for name, value in parts.items())
    lines = paragraph(
        "TOTAL",
        f"{scale.money(row.total.value)}{half} = {sums}; {row.worst.kind} {scale.show(row.worst.value)}",
        width,
    )
    figures = [
        f"SLO {percent(row.plain['slo_attainment'], 1)} %",
        f"unmet tokens {percent(row.plain['tokens_unmet'], 1)} %",
        f"ETTR {percent(row.plain['ettr'])} %",
        f"MFU {percent(row.plain['mfu'])} %",
        f"${figure(row.plain['usd_per_pflop_day'])}/PFLOP-day",
        f"${figure(row.plain['usd_per_mtok'])}/Mtok served",
        f"research waits {figure(row.plain['wait_p50_h'], 2)} h (p99 {figure(row.plain['wait_p99_h'], 2)})",
        f"of paid chip-hours {percent(row.plain['paid_idle_share'])} % idle",
    ]
    if (valley := row.plain["valley_chip_hours"]) > 0:
        figures.append(f"jobs used {figure(valley / 1e6)}M chip-hours in the valleys of services")
    return lines + listed("Figures", figures, width)


def periods(months: list[str], room: int) -> list[Period]:
    """Months where they fit; else quarters as long as the remaining years still fit; else years."""
    if len(months) <= room:
        return [Period(m[2:], (m,)) for m in months]
    quarters: dict[str, list[str]] = {}
    for month in months:
        quarters.setdefault(f"{month[2:4]}Q{(int(month[5:7]) + 2) // 3}", []).append(month)
    names = list(quarters)
    for count in range(len(names), -1, -1):
        rest = [m for name in names[count:] for m in quarters[name]]
        years = sorted({m[:4] for m in rest})
        split_year = count > 0 and rest and names[count - 1][:2] == rest[0][2:4]
        if count + len(years) <= room and not (split_year and count > 1):
            found = [Period(name, tuple(quarters[name])) for name in names[:count]]
            return found + [Period(y, tuple(m for m in rest if m.startswith(y))) for y in years]
    return [Period(y, tuple(m for m in months if m.startswith(y))) for y in sorted({m[:4] for m in months})]


def capacity_rows(
    results: Results, context: Context, strategy: str, case: str, width: int, wide: bool
) -> list[Line]:
    """Chips over time: P50 over runs of the mean of each period, thousands."""
    series = results.table("series", case, strategy)
    months = sorted(set(series["month"].tolist()))
    if not months:
        return []
    columns = periods(months, (width - NAME) // CELL)
    where = {m: i for i, p in enumerate(columns) for m in p.months}
    heading_line = "k chips, P50".ljust(NAME) + "".join(p.name.rjust(CELL) for p in columns)
    lines = [Line(" " + heading_line[: width - 1], "bold")]
    for measure, words, only_wide in MEASURES:
        mine = series["measure"] == measure
        if not mine.any() or (only_wide and not wide):
            continue
        grid = np.zeros((results.plan.runs, len(columns)))
        slots = np.array([where[m] for m in series["month"][mine]])
        np.add.at(grid, (series["run"][mine], slots), series["value"][mine])
        grid /= np.array([len(p.months) for p in columns])
        lines.append(_time_line(words, np.median(grid, axis=0)))
        if wide and measure in SPREAD:
            lines.append(_time_line("   P10", np.quantile(grid, 0.1, axis=0, method="inverted_cdf")))
    if context.demand:
        needed = [float(np.mean([context.demand.get(m, 0.0) for m in p.months])) for p in columns]
        lines.append(_time_line("demand, GB200e", needed))
    return lines


def _time_line(words: str, values: Any) -> Line:
    cells = "".join(_thousands(v).rjust(CELL) for v in values)
    return Line(f" {words.ljust(NAME)}{cells}")


def _thousands(value: float) -> str:
    thousands = value / 1000
    return (
        f"{thousands:.0f}"
        if thousands >= 100 or value == 0
        else f"{thousands:.1f}"
        if thousands >= 1
        else f"{thousands:.2f}"
    )


def named_runs(results: Results, context: Context, strategy: str, case: str, width: int) -> list[Line]:
    """When each named run finished, against its target."""
    training = results.table("training", case, strategy)
    items = []
    for name in dict.fromkeys(training["name"]):
        mine = training["name"] == name
        target = context.date_of(float(training["target_ms"][mine].mean()) / MS_DAY)
        slips = slips_of(training)[mine]
        p50, p90 = order_quantile(slips, 0.5), order_quantile(slips, 0.9)
        never = float(np.isnan(slips).mean())
        shown = "not done" if math.isinf(p50) else f"{p50:+.0f} d"
        text = f"{name} due {target:%Y-%m} "
        text += "not done in any run" if never == 1 else f"{shown} (p90 {days(p90)})"
        begun = training["ettr"][mine] > 0  # a run that never ran lost no time to failures
        text += f", ETTR {percent(_mean(training['ettr'][mine][begun]))} %" if begun.any() else ""
        text += rl_gangs(results, strategy, case, str(name))
        items.append(text + (f", never in {100 * never:.0f} %" if 0 < never < 1 else ""))
    lines = listed("Runs", items, width) if items else []
    return lines + evaluations(results, strategy, case, width)


def evaluations(results: Results, strategy: str, case: str, width: int) -> list[Line]:
    """How the evaluation bursts of each named run waited, over all runs; nothing without bursts."""
    found = results.table("evaluation", case, strategy)
    items = []
    for name in dict.fromkeys(found["name"]):
        mine = found["name"] == name
        bursts = found["bursts"][mine]
        within = percent(float((found["within_target"][mine] * bursts).sum() / bursts.sum()))
        items.append(
            f"{name} {bursts.mean():.0f} bursts, {within} % in time, wait p95 "
            f"{figure(_mean(found['wait_p95_h'][mine]), 2)} h"
        )
    return listed("Evaluation", items, width) if items else []


def rl_gangs(results: Results, strategy: str, case: str, name: str) -> str:
    """The gangs of a run's RL phase, mean chips over the runs in which they started."""
    gangs = results.table("gangs", case, strategy)
    chips = []
    for gang in ("RL trainer", "RL rollout"):
        mine = (gangs["name"] == name) & (gangs["gang"] == gang)
        if not mine.any():
            return ""
        began = len(set(gangs["run"][mine].tolist()))
        chips.append(float(gangs["chips"][mine].sum()) / began)
    return f", RL {_thousands(chips[0])}k trainers + {_thousands(chips[1])}k rollouts"


def _mean(values: Any) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


@dataclass(frozen=True)
class Work:
    """A row of the assignment matrix: share of the wanted work on each system, mean over runs."""

    workload: str
    kind: str
    shares: dict[str, float]
    cost: str
    promise: str

    @property
    def unserved(self) -> float:
        """Share of the wanted work that was done nowhere."""
        return max(0.0, 1.0 - sum(self.shares.values()))


def assignment(results: Results, strategy: str, case: str) -> list[Work]:
    """Who ran where: one entry a workload, in the order of the results."""
    found = results.table("assignment", case, strategy)
    services = results.table("services", case, strategy)
    rows = []
    for workload in dict.fromkeys(found["workload"]):
        mine = found["workload"] == workload
        kind = str(found["kind"][mine][0])
        shares: dict[str, float] = {}
        for system, share in zip(found["system"][mine], found["share"][mine], strict=True):
            if system != "unserved":
                shares[system] = shares.get(system, 0.0) + float(share) / results.plan.runs
        cost, promise = _unit_cost(results, services, strategy, case, str(workload), kind)
        rows.append(Work(str(workload), kind, shares, cost, promise))
    return rows


def _unit_cost(
    results: Results, services: dict[str, Any], strategy: str, case: str, workload: str, kind: str
) -> tuple[str, str]:
    """What a unit of the work costs, and how its promise is kept, in words."""
    if kind == "inference":
        mine = services["name"] == workload
        served, asked = services["tokens_served"][mine].sum(), services["tokens_requested"][mine].sum()
        cost = f"${figure(services['usd'][mine].sum() / served * 1e6)}/Mtok" if served > 0 else ""
        kept = services["tokens_in_objective"][mine].sum()
        return cost, f"{100 * kept / asked:.1f} % in SLO" if asked > 0 else ""
    price = _mean(results.metric("usd_per_pflop_day", strategy, case))
    cost = "" if math.isnan(price) else f"${figure(price)}/PFLOP-d"
    if kind == "research":
        return cost, f"wait p99 {figure(_mean(results.metric('wait_p99_h', strategy, case)), 2)} h"
    on_time = _mean(results.metric("runs_on_time", strategy, case))
    return cost, f"{on_time:.1f}/{_mean(results.metric('runs_total', strategy, case)):.0f} on time"


def assignment_table(results: Results, strategy: str, case: str, width: int) -> list[Line]:
    """The assignment matrix, % of the work that was wanted."""
    rows = assignment(results, strategy, case)
    if not rows:
        return []
    systems = sorted({s for row in rows for s in row.shares}, key=lambda s: (s == "rented", s))
    columns = [Column[Work]("who ran where,", "% of work", lambda r: r.workload, left=True)]
    columns += [_system_column(system, i) for i, system in enumerate(systems)]
    columns += [
        Column[Work]("un-", "served", lambda r: _share(r.unserved)),
        Column[Work]("cost", "a unit", lambda r: r.cost, 1, name="cost a unit"),
        Column[Work]("promise", "kept", lambda r: r.promise),
    ]
    return tabulate(columns, rows, width)


def _system_column(system: str, position: int) -> Column[Work]:
    top, _, bottom = system.partition("_")
    return Column(top, bottom, lambda r: _share(r.shares.get(system, 0.0)), 2 + position, name=system)


def _share(share: float) -> str:
    return "." if share < 0.0005 else f"{100 * share:.1f}"


def waits_table(results: Results, strategy: str, case: str, width: int) -> list[Line]:
    """Waits of research campaigns by size, with --wide."""
    found = results.table("research", case, strategy)
    rows: list[dict[str, Any]] = []
    for size in sorted(set(found["size_class"]), key=_least):
        mine = found["size_class"] == size
        means = {
            name: _mean(found[name][mine].astype(float))
            for name in found
            if name not in ("size_class", "strategy", "case")
        }
        rows.append({"size": size, **means})
    if not rows:
        return []
    columns = [
        Column[dict[str, Any]]("research campaigns", "of so many chips", lambda r: str(r["size"]), left=True),
        Column[dict[str, Any]]("campaigns", "a run", lambda r: f"{r['campaigns']:,.0f}"),
        Column[dict[str, Any]]("finished", "%", lambda r: percent(r["finished"] / max(r["campaigns"], 1))),
        Column[dict[str, Any]]("wait, h", "mean", lambda r: figure(r["wait_mean_h"], 2)),
        Column[dict[str, Any]]("", "p50", lambda r: figure(r["wait_p50_h"], 2)),
        Column[dict[str, Any]]("", "p95", lambda r: figure(r["wait_p95_h"], 2)),
        Column[dict[str, Any]]("", "p99", lambda r: figure(r["wait_p99_h"], 2)),
        Column[dict[str, Any]]("bounded", "slowdown", lambda r: figure(r["slowdown_mean"])),
    ]
    return tabulate(columns, rows, width)


def _least(size_class: str) -> int:
    """The least number of chips of a size class such as `65-512` or `>512`."""
    digits = size_class.removeprefix(">").partition("-")[0]
    return int(digits) if digits.isdigit() else 0


def contracts(results: Results, context: Context, strategy: str, case: str, width: int) -> list[Line]:
    """What each contract cost and gave; leaving counts at the horizon's end where that comes before 2029."""
    held = results.table("contracts", case, strategy)
    leaving = "2028" if context.end > date(2028, 12, 31) else "the horizon"
    items = []
    for offer in dict.fromkeys(held["offer"]):
        mine = held["offer"] == offer
        mean = {name: float(np.nanmean(held[name][mine])) for name in CONTRACT_FIGURES}
        late = held["late_days_mean"][mine]
        text = f"{offer} paid {usd(mean['paid'])}, idle {percent(mean['idle_share'])} %"
        egress = results.table("cash", case, strategy, line="egress", offer=offer)["usd"]
        if len(egress):
            text += f", egress {usd(float(egress.sum()) / results.plan.runs)}"
        if mean["credits"]:
            text += f", credits {usd(abs(mean['credits']))}"
        if mean["late_days_mean"] > 0.5:
            text += f", {mean['late_days_mean']:.0f} d late (P90 {days(order_quantile(late, 0.9))})"
        if mean["exit_end_2028"] > 0:
            text += f", exit at the end of {leaving} {usd(mean['exit_end_2028'])}"
        items.append(text)
    return listed("Contracts", items, width) if items else []


def closing(
    results: Results, context: Context, strategy: str, case: str, width: int, wide: bool
) -> list[Line]:
    """What binds, the weakest inputs, events of the first run, where the rest is."""
    bound = [binding_text(b) for b in binding(results, context, strategy, case)]
    lines = listed("What binds", bound or ["nothing late, dark or queued"], width)
    lines += when_it_binds(results, context, strategy, case, width)
    scale = scale_of(figures_of(results, case))
    effects = [
        effect_text(e, scale, first=i == 0) for i, e in enumerate(weakest(results, context, strategy, case))
    ]
    if effects:
        told = [band.words() for band in context.bands]
        lines += listed("Weakest input", [*(effects if wide else effects[:4]), *told], width)
    events = results.table("events", case, strategy, run=0)
    order = sorted(
        range(len(events["kind"])), key=lambda i: (_telling(str(events["kind"][i])), events["time_ms"][i])
    )
    shown = sorted(order[: EVENTS * 4 if wide else EVENTS], key=lambda i: events["time_ms"][i])
    items = [_event(events, i, context) for i in shown]
    if len(order) > len(shown):
        items.append(f"{len(order) - len(shown):,} more in {results.path}/events.parquet")
    lines += listed("Events, run 0", items, width) if items else []
    lines += paragraph("Kept in", f"{results.path}     next: capsim compare {context.asked}", width)
    return lines


def _event(events: dict[str, Any], index: int, context: Context) -> str:
    day = context.date_of(events["time_ms"][index] / MS_DAY)
    return f"{day:%y-%m-%d} {events['subject'][index]} {events['text'][index]}"


def _telling(kind: str) -> int:
    return TELLING.index(kind) if kind in TELLING else len(TELLING)

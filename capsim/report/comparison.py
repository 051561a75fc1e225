"""The report of `capsim compare`: what is known, the ranked table, risk, reasons, what is left out."""

from __future__ import annotations

import math

from capsim import __version__
from capsim.report.layout import Line, blocks, paragraph
from capsim.report.numbers import figure, usd
from capsim.report.periods import year_table
from capsim.report.ranked import (
    capacity_table,
    cases_table,
    ladder_table,
    more_table,
    ranked_table,
    scale_of,
)
from capsim.report.reasons import reasons
from capsim.results.reading import Results
from capsim.spec.provenance import STATED
from capsim.study.bridge import HOURS_DAY
from capsim.study.context import Context, days_in
from capsim.study.figures import Table
from capsim.study.figures import table as figures_of
from capsim.study.statistics import CVAR_RUNS

#: confidences in the order in which they are counted.
CONFIDENCES = ("measured", "vendor", "secondary", "derived", "recalled", STATED, "assumed")
LEFT_OUT = "tax, lease accounting, currency, export rules"


def comparison_report(results: Results, context: Context, width: int, wide: bool) -> list[Line]:
    """The whole report, for a terminal of `width` columns; `wide` shows every row and figure."""
    tables = [figures_of(results, case) for case in results.plan.cases]
    first = tables[0]
    return blocks(
        heading(results, context, first, width),
        ranked_table(first, context, results.plan, width),
        capacity_table(first, context, width, wide),
        ladder_table(first, width, wide),
        more_table(first, width) if wide else [],
        cases_table(tables, width),
        year_table(results, first.rows[0].strategy, first.case, scale_of(first), width),
        reasons(results, context, first, width, wide),
        closing(results, context, first, width),
    )


def heading(results: Results, context: Context, table: Table, width: int) -> list[Line]:
    """What was compared, what is known when, how much of it is assumed, how demand stands."""
    plan = results.plan
    title = title_of("compare", results, context)
    size = (
        _count(len(plan.strategies), "strategy"),
        _count(len(plan.cases), "case"),
        _count(plan.runs, "run"),
    )
    title.insert(2, " x ".join(size))
    lines = paragraph("", spread(title, width), width, "bold")
    lines += paragraph("", provenance_line(context), width)
    lines += paragraph("", demand_line(results, context, table), width)
    lines += paragraph("", simulated_line(results), width)
    assumed = {a.kind for a in context.assumed} & {"tokens", "research", "slip"}
    cheap = ", ".join(table.by_cash[:4]) + (", ..." if len(table.by_cash) > 4 else "")
    tag = "ASSUMED; " if assumed else ""
    lines += paragraph(
        "",
        "RANKED BY TOTAL = cash NPV + work lost + slip, each at your price for it "
        f"({tag}on cash alone: {cheap})",
        width,
        "bold",
    )
    return lines


def spread(parts: list[str], width: int) -> str:
    """Parts of a line, with as much space between them as fits."""
    return next((text for gap in (4, 3) if len(text := (" " * gap).join(parts)) < width), "  ".join(parts))


def title_of(command: str, results: Results, context: Context) -> list[str]:
    """The parts of a report's first line."""
    last = context.date_of((context.end - context.start).days - 1)
    return [
        f"capsim {command}",
        context.name,
        f"{context.start:%Y-%m}..{last:%Y-%m}",
        f"{results.seconds:.0f} s" if results.seconds >= 10 else f"{results.seconds:.1f} s",
        f"study {context.digest[:6]}  seed {context.seed}  v{__version__}",
    ]


def _count(number: int, noun: str) -> str:
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def provenance_line(context: Context) -> str:
    """How much of the study is known, and how."""
    counts = ", ".join(
        f"{context.provenance[name]:,} {name.upper() if name == 'assumed' else name}"
        for name in CONFIDENCES
        if context.provenance.get(name)
    )
    return f"Facts dated up to {context.as_of} (--as-of). Inputs: {counts or 'none with a stated confidence'}"


def demand_line(results: Results, context: Context, table: Table) -> str:
    """Demand in reference chips at year ends and its cost at the base's price; empty if unknown."""
    demand = context.demand
    if not demand:
        return ""
    months = list(demand)
    decembers = [month for month in months if month.endswith("-12")]
    points = decembers[1::2] if len(decembers) > 3 else [*decembers[:1], *months[-1:]]
    ends = ", ".join(f"{_large(demand[m])} end {m}" for m in dict.fromkeys(points[:3]))
    price = _price(results, table)
    if math.isnan(price):
        return f"Demand in GB200e (central path): {ends}"
    bill = price * math.fsum(chips * days_in(m) * HOURS_DAY for m, chips in demand.items())
    published = ""
    if context.published_spend is not None:
        amount, words = context.published_spend
        published = f", {100 * bill / amount:.0f} % of the {usd(amount)} of {words}"
    at = f"at {table.against}'s ${price:.2f}/h"
    return f"Demand in GB200e (central path): {ends}; {at} that is {usd(bill)}{published}"


def _price(results: Results, table: Table) -> float:
    """USD a delivered GB200e-hour that the base pays in rent, not discounted; nan where it rents nothing."""
    cash = results.table("cash", table.case, table.against, line="commitment")
    rented = sorted(set(cash["offer"]))
    if not rented:
        return math.nan
    series = results.table("series", table.case, table.against, measure="delivered_gb200e", offer=rented)
    hours = math.fsum(
        v * days_in(m) * HOURS_DAY for m, v in zip(series["month"], series["value"], strict=True)
    )
    return math.fsum(cash["usd"]) / hours if hours > 0 else math.nan


#: what is counted in the line on how much was simulated, with the words for it.
SIMULATED = (
    ("jobs", "jobs"),
    ("failures", "failures"),
    ("repairs", "repairs"),
    ("simpy_events", "simpy events"),
)


def simulated_line(results: Results) -> str:
    """How much was simulated."""
    rows = results.rows.values()
    counts = ", ".join(f"{_large(sum(row.metrics[name] for row in rows))} {word}" for name, word in SIMULATED)
    return f"Simulated: {counts} in {results.seconds:,.1f} s"


def _large(count: float) -> str:
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if count >= unit:
            return f"{figure(count / (1e3 if letter == 'k' else unit))}{letter}"
    return f"{count:,.0f}"


def closing(results: Results, context: Context, table: Table, width: int) -> list[Line]:
    """What is left out, where the files are, what to do next."""
    plan = results.plan
    left = LEFT_OUT
    if plan.runs < CVAR_RUNS:
        minutes = results.seconds / max(plan.runs, 1) * CVAR_RUNS / 60
        left += f". CVaR95 needs {CVAR_RUNS} runs: --runs {CVAR_RUNS} (about {max(1, round(minutes))} min)"
    lines = paragraph("Left out", left, width)
    best = table.rows[0].strategy
    lines += paragraph("Kept in", f"{results.path}     next: capsim run {context.asked} -s {best}", width)
    return lines

"""The tables of a comparison: ranked by total cost, capacity and risk, where paid chip-hours go."""

from __future__ import annotations

import math
from collections.abc import Sequence

from capsim.report.layout import Column, Line, paragraph, tabulate
from capsim.report.numbers import Scale, days, figure, percent, quarter, scale_for
from capsim.results.reading import Plan
from capsim.study.context import Context
from capsim.study.figures import OWED_YEARS, Row, Table

#: rows that the second and third table show without --wide: the first ones, the base and the last.
TOP_ROWS = 4
MILLION = 1e6


def scale_of(table: Table) -> Scale:
    """The unit of money for all tables of a case."""
    return scale_for(max(abs(row.total.value) for row in table.rows))


def ranked_table(table: Table, context: Context, plan: Plan, width: int) -> list[Line]:
    """Strategies by total cost, with intervals, paired differences and ties."""
    scale = scale_of(table)
    lines = tabulate(_ranked_columns(table, scale, table.rows[0].worst.kind), table.rows, width)
    others = [row.difference for row in table.rows if row.difference is not None]
    notes = []
    if any(not difference.distinct for difference in others):
        notes.append(f"~ cannot be told apart from {table.against} (paired t, Holm over {len(others)})")
    if any(row.shared for row in table.rows):
        notes.append("= nor from the next row above or below")
    notes.append("* after haircut, never in TOTAL")
    return lines + paragraph("", "   ".join(notes), width, "dim")


def _ranked_columns(table: Table, scale: Scale, worst_kind: str) -> list[Column[Row]]:
    def total(row: Row) -> str:
        return _interval(row.total.value, row.total.half, scale)

    def versus(row: Row) -> str:
        if row.difference is None:
            return "base  "
        mark = " " if row.difference.distinct else "~"
        return f"{_interval(row.difference.value, row.difference.half, scale, sign=True)} {mark}"

    def on_time(row: Row) -> str:
        return f"{row.plain['runs_on_time']:.1f}/{row.plain['runs_total']:.0f}"

    worst = worst_kind.split()
    unit = scale.name
    return [
        Column("#", "", lambda r: r.mark, left=True),
        Column("strategy", "", lambda r: r.strategy, left=True),
        Column(f"TOTAL {unit}", "mean ±95 %", total),
        Column(f"vs base, {unit}", "paired ±95 %", versus),
        Column("cash", "NPV", lambda r: scale.show(r.plain["cash_npv"])),
        Column("lost", "work", lambda r: scale.show(r.lost_work)),
        Column("slip", unit, lambda r: scale.show(r.plain["slip_npv"]), 2, name=f"slip {unit}"),
        Column("equity*", "apart", lambda r: scale.show(r.plain["equity"]), 6, name="equity"),
        Column("$/PFLOP", "-day", lambda r: figure(r.plain["usd_per_pflop_day"]), 7, name="$/PFLOP-day"),
        Column("on time", "runs", on_time, 1, name="runs on time"),
        Column("slip, d", "p50/p90", lambda r: "/".join(map(days, r.slip_days)), 4, name="slip in days"),
        Column("SLO", "%", lambda r: percent(r.plain["slo_attainment"], 1), 5),
        Column("unmet", "%", lambda r: percent(r.plain["tokens_unmet"], 1), 8, name="unmet tokens"),
        Column(worst[0], " ".join(worst[1:]), lambda r: scale.show(r.worst.value), 3, name=worst_kind),
    ]


def _interval(value: float, half: float, scale: Scale, sign: bool = False) -> str:
    shown = scale.show(value, sign)
    return shown if half != half else f"{shown} ±{scale.show(half)}"  # nan: one run, no interval


def capacity_table(table: Table, context: Context, width: int, wide: bool) -> list[Line]:
    """Capacity and risk: what is bound, when it arrives, what idles, what one owes."""
    scale = scale_of(table)
    rows = table.rows if wide else chosen_rows(table)
    lines = tabulate(_capacity_columns(context, scale, table.rows), rows, width)
    if len(rows) < len(table.rows):
        lines.append(Line(f" .. {len(table.rows) - len(rows)} more rows: --wide", "dim"))
    return lines


def _capacity_columns(context: Context, scale: Scale, every: Sequence[Row]) -> list[Column[Row]]:
    def bars(row: Row) -> str:
        return "/".join(scale.show(row.plain[name]) for name in ("headline", "binding", "delivered"))

    def waits(row: Row) -> str:
        return f"{figure(row.plain['wait_p50_h'], 2)}/{figure(row.plain['wait_p99_h'], 2)}"

    def reached(row: Row) -> str:
        return "/".join(quarter(day, context) for day in row.days_to_1m)

    def owed(row: Row) -> str:
        return "/".join(scale.show(row.owed[year]) if year in row.owed else "-" for year in years)

    years = [year for year in OWED_YEARS if year < context.end.year]
    unit = scale.name
    columns = [
        Column[Row]("", "", lambda r: r.mark, left=True),
        Column[Row]("capacity and risk", "", lambda r: r.strategy, left=True),
        Column[Row]("headline/binding/", f"delivered, {unit}", bars, 5, name="headline/binding/delivered"),
        Column[Row]("1M GB200e", "P50/P90", reached, 3, name="1M GB200e by"),
        Column[Row]("idle,", unit, lambda r: scale.show(r.plain["paid_idle_npv"]), 4, name=f"idle {unit}"),
        Column[Row]("paid", "%", lambda r: percent(r.plain["paid_idle_share"]), 0),
        Column[Row]("bought", "twice", lambda r: scale.show(r.plain["bought_twice_npv"]), 7),
        Column[Row]("wait, h", "p50/p99", waits, 2, name="wait p50/p99"),
        Column[Row]("ETTR", "%", lambda r: percent(r.plain["ettr"]), 6),
        Column[Row]("peak", "GW", lambda r: figure(r.plain["peak_gw"], 2), 1, name="peak GW"),
    ]
    asked = max(context.demand.values(), default=MILLION)
    if asked < MILLION and all(math.isinf(day) for row in every for day in row.days_to_1m):
        columns = [column for column in columns if column.name != "1M GB200e by"]  # a study too small for it
    if years:
        heading = "/".join(f"'{year % 100}" for year in years)
        columns.append(Column("owed if we stop", heading, owed, 8, name="owed if we stop"))
    columns.append(Column("HHI", "", lambda r: figure(r.plain["hhi_provider"], 4).replace(",", ""), 9))
    return columns


def more_table(table: Table, width: int) -> list[Line]:
    """Further figures, with --wide."""
    scale = scale_of(table)
    unit = scale.name
    columns = [
        Column[Row]("", "", lambda r: r.mark, left=True),
        Column[Row]("more figures", "", lambda r: r.strategy, left=True),
        Column[Row]("regret,", f"mean {unit}", lambda r: scale.show(r.regret[0])),
        Column[Row]("regret,", f"max {unit}", lambda r: scale.show(r.regret[1])),
        Column[Row](
            "lost", "tokens", lambda r: scale.show(r.plain["lost_tokens_npv"]), 1, name="lost tokens"
        ),
        Column[Row](
            "lost", "research", lambda r: scale.show(r.plain["lost_research_npv"]), 1, name="lost research"
        ),
        Column[Row](
            "research", "unmet %", lambda r: percent(r.plain["research_unmet"], 1), 2, name="research unmet"
        ),
        Column[Row]("$ a Mtok", "served", lambda r: figure(r.plain["usd_per_mtok"]), 2, name="$ a Mtok"),
        Column[Row]("slowdown", "mean", lambda r: figure(r.plain["slowdown_mean"]), 3, name="slowdown"),
        Column[Row]("mean", "GW", lambda r: figure(r.plain["mean_gw"], 2), 3, name="mean GW"),
        Column[Row]("HHI by", "stack", lambda r: figure(r.plain["hhi_family"], 4).replace(",", ""), 4),
        Column[Row](
            "owed past", "horizon", lambda r: scale.show(r.plain["stranded"]), 4, name="owed past horizon"
        ),
    ]
    return tabulate(columns, table.rows, width)


def ladder_table(table: Table, width: int, wide: bool) -> list[Line]:
    """Where 100 paid chip-hours go; the columns after the strategy add up to 100."""
    rows = [row for row in table.rows if wide or row is table.rows[0] or row is table.base]
    paying = [row for row in rows if row.ladder]
    if not paying:
        return []

    def cell(rung: str, row: Row) -> str:
        return percent(row.ladder[rung], 1)

    columns = [
        Column[Row]("of 100 chip-", "hours paid", lambda r: r.strategy, left=True),
        Column[Row]("", "late", lambda r: cell("late", r)),
        Column[Row]("no", "power", lambda r: cell("dark", r)),
        Column[Row]("", "broken", lambda r: cell("broken", r)),
        Column[Row]("frag-", "mented", lambda r: cell("fragmented", r)),
        Column[Row]("", "idle", lambda r: cell("idle", r)),
        Column[Row]("", "redone", lambda r: cell("redone", r)),
        Column[Row]("produc-", "tive", lambda r: cell("productive", r)),
        Column[Row]("MFU when", "productive %", lambda r: percent(r.plain["mfu"]), 1, name="MFU"),
    ]
    return tabulate(columns, paying, width)


def chosen_rows(table: Table) -> Sequence[Row]:
    """The first rows, the base and the last."""
    keep = {*range(min(TOP_ROWS, len(table.rows))), table.rows.index(table.base), len(table.rows) - 1}
    return [table.rows[i] for i in sorted(keep)]


def cases_table(tables: Sequence[Table], width: int) -> list[Line]:
    """Rank and total of each strategy in every case, where there are several."""
    if len(tables) < 2:
        return []
    scale = scale_of(tables[0])
    columns = [Column[Row]("by case", "", lambda r: r.strategy, left=True)]
    for position, table in enumerate(tables):

        def cell(row: Row, shown: Table = table) -> str:
            mine = shown.row(row.strategy)
            return f"{scale.show(mine.total.value)} ({mine.mark})"

        columns.append(Column(table.case, f"{scale.name} (rank)", cell, position, name=table.case))
    return tabulate(columns, tables[0].rows, width)

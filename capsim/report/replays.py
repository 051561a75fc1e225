"""The report of ``capsim trace replay``: policies side by side, and a text chart of wait by size class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from capsim.report.layout import Column, Line, blocks, paragraph, tabulate
from capsim.report.numbers import figure, percent

Row = dict[str, Any]

SPREADS = {
    "wait_s": "Wait, s",
    "completion_s": "Job completion time, s",
    "bounded_slowdown": "Bounded slowdown (jobs under 10 s count as 10 s)",
    "finish_time_fairness": "Finish-time fairness ρ (up to 1: no worse than alone on 1/N of the machine)",
}
"""The figures that get a table of their own, with its title."""


UNUSED = (
    ("scat-", "tered %", "scattered", 5),
    ("too", "few %", "too_few", 7),
    ("re-", "served %", "reserved", 8),
    ("spare", "%", "spare", 6),
)
"""Headings of the reasons why chips stand free, their keys, and when they leave a narrow table."""


LEFT_OUT = {
    "too_large": "larger than the machine: not scheduled",
    "above_quota": "larger than their tenant may ever have: not scheduled",
    "never_eligible": "cancelled before they started: a job that they need did not complete",
    "waits_for_unknown": "dependencies left out: no such job is scheduled before",
}
"""What is said of jobs that were left out, by the figure that counts them."""

MOST_TENANTS = 10

MAKESPANS = (("days", 86400, 2), ("hours", 3600, 2), ("s", 1, 1))
"""Units in which the makespan is shown, their seconds and decimals: the first of which there are two."""


def replay_report(found: dict[str, Any], cleaning: Sequence[str], width: int) -> list[Line]:
    """The whole report of ``study.replays.compare_schedules`` for ``width`` columns."""
    rows: list[Row] = found["policies"]
    first = rows[0]
    several = f"{len(rows)} policies" if len(rows) > 1 else first["policy"]
    head = [Line(f"{first['file']}: {several} on {first['chips']:,} chips", "bold")]
    head += paragraph("", f"{first['jobs']:,} job{'' if first['jobs'] == 1 else 's'} scheduled", width)
    for sentence in cleaning:
        head += paragraph("", sentence, width)
    for key, text in LEFT_OUT.items():
        if first[key]:
            head += paragraph("", f"{first[key]:,} {text}", width)
    if "fates" in first:
        ends = ", ".join(f"{count:,} {fate}" for fate, count in first["fates"].items())
        names = {"completed": "completed jobs", "failed": "failed", "cancelled": "cancelled"}
        names |= {"retried": "attempts before the last", "redone": "done again"}
        parts = ", ".join(f"{percent(first[f'{key}_share'], 1)} % {text}" for key, text in names.items())
        head += paragraph("", f"{ends}; of the chip-time {parts}", width)
    if not first["jobs"]:
        return head
    tables = [spread_table(name, title, rows, width) for name, title in SPREADS.items()]
    machine = machine_table(rows, width) + reservation_lines(rows, width)
    tenants = [tenant_table(rows, width)] if "by_tenant" in first else []
    tenants += [quota_table(rows, width)] if any(r.get("quotas") for r in first.get("by_tenant", ())) else []
    return blocks(head, *tables, machine, *tenants, wait_chart(rows, width), notes(found, width))


def spread_table(name: str, title: str, rows: Sequence[Row], width: int) -> list[Line]:
    """One figure of every job: mean with its interval and quantiles, by jobs and by chip-time."""

    def at(*path: str) -> Callable[[Row], str]:
        def cell(row: Row) -> str:
            value: Any = row[name]
            for key in path:
                value = value[key]
            return figure(value)

        return cell

    def interval(row: Row) -> str:
        pair = row[name].get("interval", {}).get("mean")
        return f"{figure(pair[0])}–{figure(pair[1])}" if pair else "-"

    columns: list[Column[Row]] = [
        Column("", "policy", lambda row: row["policy"], left=True),
        Column("", "mean", at("mean")),
        Column("", "95 % interval", interval, yields=2),
    ]
    columns += [Column("", q, at(q)) for q in ("p50", "p95", "p99")]
    columns += [
        Column("by chip-" if q == "mean" else "", f"time {q}" if q == "mean" else q, at("by_chip_time", q), y)
        for q, y in (("mean", 1), ("p50", 5), ("p95", 4), ("p99", 3))
    ]
    columns = [_named(column) for column in columns]
    if len(rows) > 1:
        columns.append(Column("mean", f"vs {rows[0]['policy']}", lambda row: versus(row[name]), yields=2))
    return [Line(title, "bold"), *tabulate(columns, rows, width)]


def _named(column: Column[Row]) -> Column[Row]:
    """Quantiles by chip-time say so in the line that names what does not fit."""
    if not column.yields or column.bottom == "95 % interval":
        return column
    name = f"by chip-time {column.bottom.removeprefix('time ')}"
    return Column(column.top, column.bottom, column.cell, column.yields, column.left, name)


def versus(spread: dict[str, Any]) -> str:
    """The difference of the mean to the first policy; ``~`` where its interval contains 0."""
    difference = spread.get("vs_first")
    if difference is None:
        return "-"
    unclear = difference["low"] <= 0 <= difference["high"]
    sign = "+" if difference["value"] > 0 else "-" if difference["value"] < 0 else ""
    return f"{'~' if unclear else ''}{sign}{figure(abs(difference['value']))}"


def unused_column(top: str, bottom: str, key: str, yields: int) -> Column[Row]:
    """The share of the machine that stood free for one reason, in percent."""

    def cell(row: Row) -> str:
        return percent(row["unused"].get(key, float("nan")), 1)

    return Column(top, bottom, cell, yields, name=f"{key.replace('_', ' ')} %")


def machine_table(rows: Sequence[Row], width: int) -> list[Line]:
    """Use of the machine, fairness over tenants, preemptions."""
    longest = max(row["makespan_s"] for row in rows)
    unit, seconds, decimals = next(scale for scale in MAKESPANS if longest >= 2 * scale[1] or scale[1] == 1)
    columns: list[Column[Row]] = [
        Column("", "policy", lambda row: row["policy"], left=True),
        Column("makespan", unit, lambda row: f"{row['makespan_s'] / seconds:,.{decimals}f}"),
        Column("used", "%", lambda row: percent(row["utilisation"], 1)),
        Column("free while", "wanted %", lambda row: percent(row["fragmentation"], 1)),
        Column("Jain,", "tenants", lambda row: f"{row['jain_tenants']:.3f}", 2),
        Column("ρ > 1", "% of jobs", lambda row: percent(row["finish_time_fairness"]["share_above_1"], 1), 3),
        Column("back-", "filled %", lambda row: percent(row["backfilled_share"], 1), 4, name="backfilled %"),
    ]
    if any("goodput" in row for row in rows):
        columns.insert(3, Column("good-", "put %", lambda row: percent(row["goodput"], 1)))
    if any(row["unused"] for row in rows):
        columns += [unused_column(*heading) for heading in UNUSED]
    if any(row["preemptions"] for row in rows):
        columns += [
            Column("preemp-", "tions", lambda row: f"{row['preemptions']:,}", 1),
            Column("lost work", "%", lambda row: percent(row["lost_share"], 2), 1),
        ]
    return [Line("Machine", "bold"), *tabulate(columns, rows, width)]


def reservation_lines(rows: Sequence[Row], width: int) -> list[Line]:
    """What came of each reservation, by policy."""
    lines: list[Line] = []
    for row in rows:
        for number, kept in enumerate(row.get("reservations", ())):
            text = (
                f"{row['policy']}, reservation {number + 1}: {figure(kept['chip_hours'])} chip-hours,"
                f" {percent(kept['used_share'], 1)} % used, {percent(kept['idle_share'], 1)} % idle"
            )
            lines += paragraph("", text, width)
    return lines


def tenant_table(rows: Sequence[Row], width: int) -> list[Line]:
    """The tenants with the most chip-time: their shares, what they held, how long they waited, by policy."""
    policies = {row["policy"]: {item["tenant"]: item for item in row.get("by_tenant", ())} for row in rows}
    largest = [item["tenant"] for item in rows[0]["by_tenant"][:MOST_TENANTS]]
    cells = [
        {"policy": policy, "first": policy == rows[0]["policy"]} | of[tenant]
        for tenant in largest
        for policy, of in policies.items()
        if tenant in of
    ]

    def held(row: Row) -> str:
        return "-" if row["held_while_waiting"] is None else percent(row["held_while_waiting"], 1)

    columns: list[Column[Row]] = [
        Column("", "tenant", lambda row: row["tenant"] if row["first"] else "", left=True),
        Column("", "policy", lambda row: row["policy"], left=True),
        Column("share", "%", lambda row: percent(row["share"], 1), 2),
        Column("of all", "work %", lambda row: percent(row["chip_time_share"], 1), 3),
        Column("held while it", "waited %", held, 1),
        Column("wait, s", "mean", lambda row: figure(row["wait_mean_s"])),
        Column("", "p95", lambda row: figure(row["wait_p95_s"]), 4),
        Column("slowdown", "mean", lambda row: figure(row["bounded_slowdown_mean"]), 5),
    ]
    if len(rows) == 1:
        del columns[1]
    more = len(rows[0]["by_tenant"]) - len(largest)
    note = [Line(f"and {more:,} more tenants (--json has them all)", "dim")] if more > 0 else []
    return [Line("Tenants with the most work", "bold"), *tabulate(columns, cells, width), *note]


def quota_table(rows: Sequence[Row], width: int) -> list[Line]:
    """What the largest tenants with quotas by chip type had of each type, by policy."""
    cells = []
    largest = [item["tenant"] for item in rows[0]["by_tenant"] if item["quotas"]][:MOST_TENANTS]
    for tenant in largest:
        for row in rows:
            of = next((item["quotas"] for item in row["by_tenant"] if item["tenant"] == tenant), ())
            cells += [{"policy": row["policy"], "tenant": tenant} | held for held in of]

    def named(row: Row) -> str:
        first = next(cell for cell in cells if cell["tenant"] == row["tenant"])
        return str(row["tenant"]) if row is first else ""

    def of_quota(row: Row) -> str:
        return percent(row["mean_chips"] / row["quota"], 1) if row["quota"] else "-"

    columns: list[Column[Row]] = [
        Column("", "tenant", named, left=True),
        Column("", "policy", lambda row: row["policy"], left=True),
        Column("", "type", lambda row: row["type"], left=True),
        Column("quota,", "chips", lambda row: f"{row['quota']:,}"),
        Column("chip-", "hours", lambda row: figure(row["chip_hours"]), 2),
        Column("chips,", "mean", lambda row: figure(row["mean_chips"])),
        Column("of its", "quota %", of_quota, 1),
    ]
    if len(rows) == 1:
        del columns[1]
    return [Line("Quotas by chip type", "bold"), *tabulate(columns, cells, width)]


def wait_chart(rows: Sequence[Row], width: int) -> list[Line]:
    """Mean wait of each class of job sizes, a bar for each policy; the longest bar fills the line."""
    policies = max(len(row["policy"]) for row in rows)
    sizes = max(len(item["size"]) for item in rows[0]["wait_by_size"])
    most = max(item["mean"] for row in rows for item in row["wait_by_size"])
    numbers = len(figure(most)) + 1
    room = max(width - sizes - policies - numbers - 5, 10)
    lines = [Line("Mean wait by job size in chips, s", "bold")]
    for k, item in enumerate(rows[0]["wait_by_size"]):
        for row in rows:
            here = row["wait_by_size"][k]
            label = item["size"] if row is rows[0] else ""
            bar = "█" * round(room * here["mean"] / most) if most > 0 else ""
            text = f" {label:>{sizes}}  {row['policy']:<{policies}} {figure(here['mean']):>{numbers}} {bar}"
            lines.append(Line(text.rstrip()))
    return lines


def notes(found: dict[str, Any], width: int) -> list[Line]:
    """How the intervals were made, or why there are none."""
    if found["days"] is None:
        return paragraph("", "No intervals: fewer than five days of submissions.", width, "dim")
    days = f"{found['block_days']} day{'s' if found['block_days'] > 1 else ''}"
    text = (
        f"Intervals: 95 %, from 1,000 draws of the {found['days']:,} days of submissions in blocks of {days},"
        f" seed {found['seed']}."
    )
    if len(found["policies"]) > 1:
        text += " ~ marks a difference whose interval contains 0."
    return paragraph("", text, width, "dim")

"""Two strategies side by side, for a terminal and as JSON: every column of lines sums as printed."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any, NamedTuple

from capsim.report.documents import json_head
from capsim.report.layout import Column, Line, blocks, paragraph, tabulate
from capsim.report.numbers import figure, percent, scale_for
from capsim.study.between import Between, WorkLine
from capsim.study.bridge import rounded_to_sum
from capsim.study.context import Context

SCHEMA = "capsim.bridge/1"
MS_HOUR = 3_600_000
RUNGS = {
    "paid": "paid for",
    "late": "lost: late",
    "dark": "lost: no power",
    "broken": "lost: broken",
    "fragmented": "lost: fragmented",
    "idle": "lost: idle",
    "redone": "lost: redone",
}


class Step(NamedTuple):
    """A line of a bridge as printed: what it adds, and the sum so far."""

    name: str
    adds: str
    sum: str


def between_report(found: Between, totals: tuple[float, float], context: Context, width: int) -> list[Line]:
    """Both bridges; `totals` are the mean total costs of the two strategies, USD."""
    start, goal = found.cost.start, found.cost.goal
    case = f"   case {found.case}" if found.case != "base" else ""
    title = f"capsim compare {context.name} --bridge {start},{goal}{case}   {found.runs} runs"
    return blocks(
        paragraph("", f"{title}   study {context.digest[:6]}  seed {context.seed}", width, "bold"),
        _cost(found, totals, width),
        _chip_time(found, width),
        tabulate(_work_columns(start, goal), found.work, width),
    )


def _cost(found: Between, totals: tuple[float, float], width: int) -> list[Line]:
    scale = scale_for(max(map(abs, totals)))
    lines = [line for line in found.cost.lines if abs(line.usd) >= scale.step / 100]
    parts = [totals[0], *(line.usd for line in lines)]
    parts.append(totals[1] - math.fsum(parts))  # lines too small to be printed
    shown = rounded_to_sum(parts, scale.step)
    steps, so_far = [Step(found.cost.start, "", scale.show(shown[0]))], shown[0]
    for name, usd in zip([*(line.name for line in lines), "smaller lines"], shown[1:], strict=True):
        so_far += usd
        if usd:
            steps.append(Step(name, scale.show(usd, sign=True), scale.show(so_far)))
    steps.append(Step(found.cost.goal, scale.show(so_far - shown[0], sign=True), scale.show(so_far)))
    return tabulate(_columns(f"TOTAL cost, {scale.name}"), steps, width)


def _chip_time(found: Between, width: int) -> list[Line]:
    unit = MS_HOUR * 1000 * found.runs
    if not any(found.productive):
        return []
    decimals = 0 if max(found.productive) / unit >= 1e5 else 1
    parts = [found.productive[0] / unit, *(value / unit for value in found.chip_time.values())]
    shown = rounded_to_sum(parts, 10.0**-decimals)

    def text(value: float, sign: str = "") -> str:
        return f"{round(value, decimals) + 0.0:{sign},.{decimals}f}"

    steps, so_far = [Step(found.cost.start, "", text(shown[0]))], shown[0]
    for rung, change in zip(found.chip_time, shown[1:], strict=True):
        so_far += change
        if round(change, decimals):
            steps.append(Step(RUNGS[rung], text(change, "+"), text(so_far)))
    steps.append(Step(found.cost.goal, text(so_far - shown[0], "+"), text(so_far)))
    return tabulate(_columns("productive k chip-hours a run"), steps, width)


def _columns(heading: str) -> list[Column[Step]]:
    return [
        Column(heading, "", lambda s: s.name, left=True),
        Column("adds", "", lambda s: s.adds),
        Column("so far", "", lambda s: s.sum),
    ]


def _work_columns(start: str, goal: str) -> list[Column[WorkLine]]:
    def show(value: float, line: WorkLine) -> str:
        return f"{percent(value, 1)} %" if line.unit.startswith("share") else figure(value, 4)

    def change(line: WorkLine) -> str:
        shown = show(abs(line.goal - line.start), line)
        sign = "" if shown == show(0.0, line) else "+" if line.goal > line.start else "-"
        return sign + shown

    return [
        Column("work", "", lambda w: w.workload, left=True),
        Column("", "", lambda w: w.unit, 1, left=True, name="unit"),
        Column(start, "", lambda w: show(w.start, w)),
        Column(goal, "", lambda w: show(w.goal, w)),
        Column("difference", "", change),
    ]


def between_json(found: Between, totals: tuple[float, float], context: Context) -> str:
    """Both bridges as JSON, `schema: capsim.bridge/1`; USD discounted, chip-ms over all runs."""
    record: dict[str, Any] = {
        **json_head(SCHEMA, context),
        "case": found.case,
        "runs": found.runs,
        "totals": list(totals),
        "cost": dataclasses.asdict(found.cost),
        "chip_time": {"productive": list(found.productive), "steps": found.chip_time},
        "work": [dataclasses.asdict(line) for line in found.work],
    }
    return json.dumps(record, indent=1, allow_nan=False)

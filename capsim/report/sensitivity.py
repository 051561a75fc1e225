"""Which weak inputs move the answer most, for a terminal and as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

from capsim.report.documents import json_head
from capsim.report.layout import Column, Line, blocks, paragraph, tabulate
from capsim.report.numbers import Scale, scale_for
from capsim.study.context import Context
from capsim.study.sensitivity import Movement, Sensitivity

SCHEMA = "capsim.sensitivity/1"
SHOWN = 5


def sensitivity_report(found: Sensitivity, context: Context, width: int, wide: bool) -> list[Line]:
    """The answer, the inputs that move it most (all with `wide`), and how they were moved."""
    rows = [m for m in found.movements if m.span > 0 or any(m.total)]
    shown = rows if wide else rows[:SHOWN]
    scale = scale_for(max([abs(found.lead), *(abs(v) for m in shown for v in (*m.lead, *m.total))]))
    case = f"   case {found.case}" if found.case != "base" else ""
    title = f"capsim compare {context.name} --sensitivity{case}"
    note = (
        f"Exact: re-weighted on all runs. Simulated: {found.screened} inputs at both ends in one world, "
        f"{found.looked} of them again in more; {found.simulated} runs were simulated now. ± is the 95 % "
        "interval of the lead there. Without a range in the study an assumed input is moved by 25 %, a "
        "recalled one by 10 %; prices, exact, by 25 %."
    )
    return blocks(
        paragraph("", f"{title}   study {context.digest[:6]}  seed {context.seed}", width, "bold"),
        paragraph("", sentence(found, scale), width),
        tabulate(_columns(found, scale), shown, width),
        paragraph("", note, width, "dim"),
    )


def sentence(found: Sensitivity, scale: Scale) -> str:
    """Who leads by how much and how surely, and which inputs would turn that."""
    half = "" if math.isnan(found.half) else f" ±{scale.show(found.half)}"
    unsure = abs(found.lead) <= found.half
    apart = ", which cannot be told from 0" if unsure else " (one run: no interval)" if not half else ""
    text = f"{found.first} leads {found.second} by {scale.money(found.lead)}{half}{apart}."
    sure = [m for m in found.movements if m.sure]
    clear = [m.label for m in sure if m.turns_clearly]
    rest = [m for m in sure if not m.turns_clearly]
    by_mean = [m.label for m in rest if m.turns]
    blurred = [m.label for m in rest if m.blurs and not m.turns]
    if clear:
        text += f" The order turns clearly within the range of {_named(clear)}."
    if by_mean:
        text += f" It turns by the mean alone within the range of {_named(by_mean)}."
    if blurred and not unsure:
        text += f" The two can no longer be told apart within the range of {_named(blurred)}."
    if not clear and not by_mean:
        text += " No weak input turns the order within its range."
    return text


def _named(labels: list[str]) -> str:
    more = len(labels) - SHOWN
    return ", ".join(labels[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _columns(found: Sensitivity, scale: Scale) -> list[Column[Movement]]:
    def lead(movement: Movement, end: int) -> str:
        half = "" if math.isnan(movement.lead_half[end]) else f" ±{scale.show(movement.lead_half[end])}"
        return scale.show(movement.lead[end], sign=True) + half

    def total(movement: Movement) -> str:
        return "..".join(scale.show(value, sign=True) for value in movement.total)

    def how(movement: Movement) -> str:
        return "exact" if movement.runs == 0 else f"{movement.runs} run{'s' if movement.runs > 1 else ''}"

    return [
        Column("input", "", lambda m: m.label, left=True),
        Column("from..to", "", lambda m: m.shown, 1, left=True, name="from..to"),
        Column(f"TOTAL of {found.first}", f"moves by, {scale.name}", total, 2, name="TOTAL moves by"),
        Column(f"lead, {scale.name}", "at low", lambda m: lead(m, 0)),
        Column("", "at high", lambda m: lead(m, 1)),
        Column("how", "", how, left=True),
    ]


def sensitivity_json(found: Sensitivity, context: Context) -> str:
    """All movements as JSON, `schema: capsim.sensitivity/1`; USD, discounted."""
    record: dict[str, Any] = {
        **json_head(SCHEMA, context),
        **dataclasses.asdict(found),
    }
    record["half"] = None if math.isnan(found.half) else found.half
    for movement in record["movements"]:
        for name in ("lead_half", "half"):
            movement[name] = [None if math.isnan(half) else half for half in movement[name]]
        movement["how"] = "exact" if movement["runs"] == 0 else "simulated"
    return json.dumps(record, indent=1, allow_nan=False)

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
        f"{found.looked} of them again in more; {found.simulated} runs were simulated now. ± is that of the "
        "input's own change. Without a range in the study an assumed input is moved by 25 %, a recalled one "
        "by 10 %; prices, exact, by 25 %."
    )
    return blocks(
        paragraph("", f"{title}   study {context.digest[:6]}  seed {context.seed}", width, "bold"),
        paragraph("", sentence(found, shown, scale), width),
        tabulate(_columns(found, scale), shown, width),
        paragraph("", note, width, "dim"),
    )


def sentence(found: Sensitivity, shown: list[Movement], scale: Scale) -> str:
    """Who leads by how much, and which inputs would turn that."""
    text = f"{found.first} leads {found.second} by {scale.money(found.lead)}. "
    turning = [m.label for m in found.movements if min(m.lead) < 0 and m.sure]
    if not turning:
        return text + "No weak input turns the order within its range."
    return text + f"The order turns within the range of {', '.join(turning[:SHOWN])}."


def _columns(found: Sensitivity, scale: Scale) -> list[Column[Movement]]:
    def lead(movement: Movement, end: int) -> str:
        half = "" if math.isnan(movement.half[end]) else f" ±{scale.show(movement.half[end])}"
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
    for movement in record["movements"]:
        movement["half"] = [None if math.isnan(half) else half for half in movement["half"]]
        movement["how"] = "exact" if movement["runs"] == 0 else "simulated"
    return json.dumps(record, indent=1, allow_nan=False)

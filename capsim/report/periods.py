"""What binds when, calendar years, supplier exposure and chip-time by offer, for a terminal and as JSON."""

from __future__ import annotations

import dataclasses
from typing import Any

from capsim.report.layout import Column, Line, listed, tabulate
from capsim.report.numbers import Scale, figure
from capsim.results.reading import Results
from capsim.results.schema import LADDER
from capsim.study.bridge import rounded_to_sum
from capsim.study.context import Context
from capsim.study.periods import ChipTime, Quarter, Year, chip_time, quarters, years

MS_HOUR = 3_600_000
#: what is missing because of a constraint, in words; the number of chips comes before.
WORDS = {
    "delivery": "not delivered",
    "power": "without power",
    "repair": "in repair",
    "porting": "not ported",
    "chips": "GB200e short of demand",
}
#: suppliers that are named at a year's end; the others are one.
SUPPLIERS = 3
TOTAL = "all"


def when_it_binds(results: Results, context: Context, strategy: str, case: str, width: int) -> list[Line]:
    """What binds by quarter; quarters in which the same binds are one entry."""
    texts = [_stretch(group) for group in _stretches(quarters(results, context, strategy, case))]
    return listed("Binds when", texts or [f"nothing takes 2 % of a quarter's chips from {strategy}"], width)


def _stretches(found: list[Quarter]) -> list[list[Quarter]]:
    groups: list[list[Quarter]] = []
    for quarter in found:
        if not quarter.binds and not quarter.budgets:
            continue
        last = groups[-1][-1] if groups else None
        together = last is not None and (last.binds, last.budgets) == (quarter.binds, quarter.budgets)
        if together and found.index(quarter) == found.index(groups[-1][-1]) + 1:
            groups[-1].append(quarter)
        else:
            groups.append([quarter])
    return groups


def _stretch(group: list[Quarter]) -> str:
    first, last = group[0], group[-1]
    name = first.name if first is last else f"{first.name}-{last.name}"
    parts = []
    if first.binds:
        worst = max(group, key=lambda quarter: quarter.short[first.binds])
        most = "" if first is last else "up to "
        of = "" if first.binds == "chips" else f" of {_chips(worst.of[first.binds])}"
        parts.append(f"{first.binds}: {most}{_chips(worst.short[first.binds])}{of} {WORDS[first.binds]}")
    parts += [f"budget of {offer} used up" for offer in first.budgets]
    return f"{name} {', '.join(parts)}"


def year_table(results: Results, strategy: str, case: str, scale: Scale, width: int) -> list[Line]:
    """Payments by calendar year, what is owed at its end, what was idle or rented twice, to whom one owes."""
    found = years(results, strategy, case)
    columns = [
        Column[Year](f"by year, {scale.name}", strategy, lambda y: str(y.year), left=True),
        Column[Year]("", "paid", lambda y: scale.show(y.payments)),
        Column[Year]("owed if we stop", "at its end", lambda y: scale.show(y.owed)),
        Column[Year]("idle", "rent", lambda y: scale.show(y.idle_rent)),
        Column[Year]("bought", "twice", lambda y: scale.show(y.bought_twice)),
        Column[Year]("prepaid and", "not drawn", lambda y: scale.show(sum(y.prepaid_by.values()))),
    ]
    exposed = [f"{y.year} {_exposure(y)}" for y in found if y.chips_by or y.owed_by]
    return [*tabulate(columns, found, width), *(listed("Exposure", exposed, width) if exposed else [])]


def _exposure(year: Year) -> str:
    parts = []
    if year.chips_by:
        parts.append(f"chips {_shares(year.chips_by)}")
    if year.owed_by:
        parts.append(f"owed {_shares(year.owed_by)}")
    return "; ".join(parts)


def _shares(by: dict[str, float]) -> str:
    total = sum(by.values())
    order = sorted(by, key=lambda who: (-by[who], who))
    named = [f"{who} {100 * by[who] / total:.0f} %" for who in order[:SUPPLIERS]]
    rest = sum(by[who] for who in order[SUPPLIERS:]) / total
    return ", ".join([*named, *([f"others {100 * rest:.0f} %"] if order[SUPPLIERS:] else [])])


def chip_time_table(results: Results, strategy: str, case: str, width: int) -> list[Line]:
    """Thousands of chip-hours a run by offer: paid is the sum of the columns after it, as printed too."""
    found = chip_time(results, strategy, case)
    if not found:
        return []
    total = {rung: sum(one.rungs[rung] for one in found) for rung in LADDER}
    rows = found if len(found) == 1 else [*found, ChipTime(TOTAL, total)]
    unit = MS_HOUR * 1000 * results.plan.runs
    step = 0.1 if total["paid"] / unit < 1e5 else 1.0
    shown = {row.offer: _rounded(row.rungs, unit, step) for row in rows}
    decimals = 1 if step < 1 else 0

    def cell(rung: str, row: ChipTime) -> str:
        return f"{shown[row.offer][rung]:,.{decimals}f}"

    names = {"dark": ("no", "power"), "fragmented": ("frag-", "mented"), "productive": ("produc-", "tive")}
    columns = [Column[ChipTime]("k chip-hours", "a run", lambda r: r.offer, left=True)]
    for rung in LADDER:
        top, bottom = names.get(rung, ("", rung))

        def of(row: ChipTime, rung: str = rung) -> str:
            return cell(rung, row)

        columns.append(Column(top, bottom, of))
    return tabulate(columns, rows, width)


def _rounded(rungs: dict[str, int], unit: float, step: float) -> dict[str, float]:
    parts = rounded_to_sum([rungs[rung] / unit for rung in LADDER[1:]], step)
    return {"paid": sum(parts), **dict(zip(LADDER[1:], parts, strict=True))}


def _chips(count: float) -> str:
    return f"{figure(count / 1000, 2)}k" if count >= 1000 else f"{count:.0f}"


def periods_json(results: Results, context: Context, strategy: str, case: str) -> dict[str, Any]:
    """What binds by quarter, calendar years with exposure, and chip-time by offer (chip-ms over all runs)."""
    return {
        "quarters": [dataclasses.asdict(q) for q in quarters(results, context, strategy, case)],
        "years": [dataclasses.asdict(y) for y in years(results, strategy, case)],
        "chip_time": [dataclasses.asdict(c) for c in chip_time(results, strategy, case)],
    }

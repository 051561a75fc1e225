"""Where two strategies swap: a sentence, the trials behind it, and the same as JSON."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from capsim.report.documents import dump, json_head
from capsim.report.layout import Column, Line, blocks, paragraph, tabulate
from capsim.report.numbers import Scale, scale_for
from capsim.study.context import Context
from capsim.study.flip import FlipAnswer, Point
from capsim.study.valid_range import Limit

SCHEMA = "capsim.flip/1"


def flip_report(answer: FlipAnswer, context: Context, width: int) -> list[Line]:
    """The answer for a terminal of `width` columns."""
    points = answer.flip.points
    scale = scale_for(max(abs(point.difference) for point in points))
    case = f"   case {answer.case}" if answer.case != "base" else ""
    title = f"capsim compare {context.name} --flip {answer.knob.path}{case}   {answer.runs} runs a trial"
    worlds = "world" if answer.runs == 1 else f"{answer.runs} worlds"
    note = (
        f"Each trial simulates both strategies in the same {worlds}; {answer.simulated} runs were simulated "
        "now, the rest was kept from before. At the ends of the interval the paired difference can just be "
        "told from 0."
    )
    return blocks(
        paragraph("", f"{title}   study {context.digest[:6]}  seed {context.seed}", width, "bold"),
        paragraph("", sentence(answer, scale), width),
        *(paragraph("", limited(answer, limit), width) for limit in answer.limits),
        tabulate(_columns(answer, scale), points, width),
        paragraph("", note, width, "dim"),
    )


def sentence(answer: FlipAnswer, scale: Scale) -> str:
    """Where the two swap, how surely, and which is cheaper on which side; or that they do not."""
    flip, knob = answer.flip, answer.knob
    study = f"the study has {knob.show(knob.value)}"
    if flip.root is None:
        searched = f"from {knob.show(flip.bracket[0])} to {knob.show(flip.bracket[1])}"
        cheaper = answer.first if flip.points[0].difference < 0 else answer.second
        if not flip.matters:
            gap = scale.money(abs(flip.points[0].difference))
            return f"No flip: {knob.path} does not move the difference ({gap}) {searched}; {study}."
        ends = " and ".join(scale.show(p.difference, sign=True) for p in (flip.points[0], flip.points[-1]))
        less = f"{answer.first} less {answer.second} is {ends} {scale.name} at the ends"
        if any(not abs(p.difference) > p.half for p in flip.points if math.isfinite(p.half)):
            less += ", not told from 0 where ? stands below"
        return (
            f"No flip {searched}: {cheaper} stays cheaper ({less}); {study}. "
            "Look further with --low and --high."
        )
    below, above = _sides(answer)
    at = f"{knob.path} = {knob.show(flip.root)}{_interval(answer)}"
    text = f"{answer.first} and {answer.second} swap at {at}; {study}. "
    sides = ("Before", "after") if knob.quantity is None else ("Below", "above")
    text += f"{sides[0]} it {below} is cheaper, {sides[1]} it {above}."
    if flip.jumps:
        a, b = (knob.show(end) for end in flip.bracket)
        text += f" The difference jumps over 0 between {a} and {b}: at no value do both cost the same."
    return text


def limited(answer: FlipAnswer, limit: Limit) -> str:
    """Beyond which value the study would not be valid, and why."""
    sides = ("Before", "After") if answer.knob.quantity is None else ("Below", "Above")
    last = answer.knob.show(limit.value)
    return f"{sides[limit.above]} {last} the study is not valid, and nothing was simulated: {limit.why}."


def _interval(answer: FlipAnswer) -> str:
    low, high = answer.flip.low, answer.flip.high
    if math.isnan(low):
        return " (one run: no interval)"
    shown = [answer.knob.show(end) if math.isfinite(end) else "?" for end in (low, high)]
    open_end = ", not bounded by the trials where it says ?" if "?" in shown else ""
    return f" (95 % interval {shown[0]}..{shown[1]}{open_end})"


def _sides(answer: FlipAnswer) -> tuple[str, str]:
    below = [p for p in answer.flip.points if p.value <= answer.flip.bracket[0]][-1]
    names = (answer.first, answer.second)
    return names if below.difference < 0 else (names[1], names[0])


def _columns(answer: FlipAnswer, scale: Scale) -> list[Column[Point]]:
    knob, root = answer.knob, answer.flip.root
    second = f"{answer.second}, {scale.name}"

    def mark(point: Point) -> str:
        return "flip" if point.value == root else "study" if point.value == knob.value else ""

    def cheaper(point: Point) -> str:
        name = answer.first if point.difference < 0 else answer.second
        return f"{name}?" if not abs(point.difference) > point.half else name

    return [
        Column("", "", mark, left=True),
        Column(knob.path, "", lambda p: knob.show(p.value)),
        Column(f"{answer.first} less", second, lambda p: scale.show(p.difference, sign=True)),
        Column("±95 %", "", lambda p: scale.show(p.half)),
        Column("cheaper", "(? unsure)", cheaper, left=True),
    ]


def flip_json(answer: FlipAnswer, context: Context) -> str:
    """The answer as JSON, `schema: capsim.flip/1`; numbers in the schema's units, dates as dates."""
    flip, knob = answer.flip, answer.knob

    def plain(value: float | None) -> float | str | None:
        if value is None or not math.isfinite(value):
            return None
        return value if knob.quantity is not None else knob.show(value)

    record: dict[str, Any] = {
        **json_head(SCHEMA, context),
        "case": answer.case,
        "runs": answer.runs,
        "path": answer.knob.path,
        "unit": answer.knob.unit,
        "value": plain(knob.value),
        "between": [answer.first, answer.second],
        "root": plain(flip.root),
        "low": plain(flip.low),
        "high": plain(flip.high),
        "bracket": [plain(end) for end in flip.bracket],
        "matters": flip.matters,
        "jumps": flip.jumps,
        "trials": [{**dataclasses.asdict(point), "value": plain(point.value)} for point in flip.points],
        "simulated": answer.simulated,
        "limits": [{**dataclasses.asdict(limit), "value": plain(limit.value)} for limit in answer.limits],
    }
    if flip.root is not None:
        record["cheaper_below"], record["cheaper_above"] = _sides(answer)
    return dump(record)

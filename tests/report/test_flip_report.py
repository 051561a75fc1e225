"""The sentence of a flip is made of what was found."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import synthetic

from capsim.report.flip import flip_json, flip_report
from capsim.spec.knobs import knob
from capsim.spec.loader import read_study
from capsim.study.flip import Flip, FlipAnswer, Point
from capsim.study.valid_range import Limit

POINTS = tuple(Point(x, 1e8 * (x - 3.0), 1e7) for x in (2.55, 3.0, 3.2))


@pytest.fixture(scope="module")
def answer() -> FlipAnswer:
    study = read_study("quickstart").resolve("base").study
    flip = Flip(POINTS, 3.0, 2.9, 3.1, (2.55, 3.2), True, False)
    return FlipAnswer(knob(study, "offers.new-cloud.price"), "new-cloud", "wait", "base", 8, flip, 40)


def text(answer: FlipAnswer, width: int = 120) -> str:
    lines = [line.text for line in flip_report(answer, synthetic.context(), width)]
    assert max(map(len, lines)) <= width
    return " ".join(" ".join(lines).split())


@pytest.mark.parametrize("width", [80, 120])
def test_root_interval_and_sides(answer: FlipAnswer, width: int) -> None:
    shown = text(answer, width)
    assert (
        "swap at offers.new-cloud.price = $3/h (95 % interval $2.9/h..$3.1/h); the study has $2.55/h" in shown
    )
    assert "Below it new-cloud is cheaper, above it wait." in shown
    assert "wait?" in shown


def test_other_results_say_other_things(answer: FlipAnswer) -> None:
    turned = replace(answer.flip, points=tuple(replace(p, difference=-p.difference) for p in POINTS))
    assert "Below it wait is cheaper, above it new-cloud." in text(replace(answer, flip=turned))
    jump = replace(answer.flip, jumps=True)
    assert "jumps over 0 between $2.55/h and $3.2/h" in text(replace(answer, flip=jump))
    open_end = replace(answer.flip, high=math.inf)
    assert "$2.9/h..?, not bounded" in text(replace(answer, flip=open_end))


def test_where_the_study_is_not_valid_is_said(answer: FlipAnswer) -> None:
    limits = (Limit(2.0, False, "below its collar"), Limit(3.2, True, "above it"))
    shown = text(replace(answer, limits=limits))
    assert "Below $2/h the study is not valid, and nothing was simulated: below its collar." in shown
    assert "Above $3.2/h the study is not valid, and nothing was simulated: above it." in shown
    record = json.loads(flip_json(replace(answer, limits=limits), synthetic.context()))
    assert record["limits"][0] == {"value": 2.0, "above": False, "why": "below its collar"}


def test_no_flip(answer: FlipAnswer) -> None:
    none = Flip(POINTS[:1] * 2, None, math.nan, math.nan, (2.0, 4.0), True, False)
    assert "No flip from $2/h to $4/h: new-cloud stays cheaper" in text(replace(answer, flip=none))
    assert "not told from 0" not in text(replace(answer, flip=none))
    hidden = replace(none, points=(POINTS[0], replace(POINTS[0], value=4.0, half=1e12)))
    assert "at the ends, not told from 0 where ? stands below)" in text(replace(answer, flip=hidden))
    flat = replace(none, matters=False)
    assert "does not move the difference" in text(replace(answer, flip=flat))


def test_json(answer: FlipAnswer) -> None:
    found = json.loads(flip_json(answer, synthetic.context()))
    assert (found["root"], found["low"], found["cheaper_below"]) == (3.0, 2.9, "new-cloud")
    assert len(found["trials"]) == 3


def test_a_date_is_told_as_a_date(answer: FlipAnswer) -> None:
    moved = knob(read_study("quickstart").resolve("base").study, "offers.new-cloud.tranches.1.at")
    points = tuple(Point(moved.value + days, 1e6 * (days - 60), 1e7) for days in (0, 60, 91))
    ends = [moved.value + days for days in (50.0, 70.0)]
    flip = Flip(points, moved.value + 60, *ends, (points[0].value, points[2].value), True, False)
    dated = replace(answer, knob=moved, flip=flip)
    # 60 days after 2026-09-01
    assert "= 2026-10-31 (95 % interval 2026-10-21..2026-11-10); the study has 2026-09-01" in text(dated)
    assert "Before it new-cloud is cheaper, after it wait." in text(dated)
    found = json.loads(flip_json(dated, synthetic.context()))
    assert (found["value"], found["root"], found["unit"]) == ("2026-09-01", "2026-10-31", "a date")
    assert found["trials"][0]["value"] == "2026-09-01"

"""Bridges sum exactly, and what they say follows from their lines."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import synthetic
from comparing import head_of, plan_of
from hypothesis import given, settings
from hypothesis import strategies as st

from capsim.results.folder import open_folder
from capsim.results.reading import Results
from capsim.study.bridge import Bridge, Line, bridge, rent, rounded_to_sum
from capsim.study.compare import compare

CONTEXT = synthetic.context()


def dollars(usd: float) -> str:
    return f"{'-' if usd < 0 else ''}${abs(usd) / 1e9:.1f}B"


@pytest.mark.parametrize("start", ["azure", "multi", "neocloud", "wait"])
@pytest.mark.parametrize("goal", ["azure", "multi", "neocloud", "wait"])
def test_lines_sum_exactly(results: Results, start: str, goal: str) -> None:
    found = bridge(results, CONTEXT, start, goal, "base")
    assert math.fsum(line.usd for line in found.lines) == found.difference
    difference = (
        results.metric("total_npv", goal, "base").mean() - results.metric("total_npv", start, "base").mean()
    )
    assert found.difference == pytest.approx(difference)
    assert abs(next(line.usd for line in found.lines if line.name == "other")) < 1.0


def test_price_is_price_and_volume_is_volume(results: Results) -> None:
    found = {line.name: line.usd for line in bridge(results, CONTEXT, "azure", "multi", "base").lines}
    cost_from, hours_from = rent(results, CONTEXT, "azure", "base")
    cost_to, hours_to = rent(results, CONTEXT, "multi", "base")
    assert cost_from / hours_from == pytest.approx(3.2, rel=0.02)
    assert cost_to / hours_to == pytest.approx(2.9, rel=0.02)
    assert found["price"] < 0 < found["volume"], "cheaper an hour, and more of them because they came earlier"
    assert found["price"] + found["volume"] == pytest.approx(cost_to - cost_from)


def test_lines_are_what_was_made_up(results: Results) -> None:
    found = {line.name: line.usd for line in bridge(results, CONTEXT, "azure", "neocloud", "base").lines}
    assert found["prepayment"] == pytest.approx(0.2e9)
    assert found["porting"] == 0
    assert found["lost tokens"] < -1e9
    reverse = {line.name: line.usd for line in bridge(results, CONTEXT, "neocloud", "azure", "base").lines}
    assert reverse["lost tokens"] == -found["lost tokens"]


def test_rent_that_all_hold_is_not_compared(results: Results) -> None:
    common = synthetic.context(common_offers=frozenset({"multi-offer"}))
    assert rent(results, common, "multi", "base") == (0.0, 0.0)
    found = bridge(results, common, "azure", "multi", "base")
    assert math.fsum(line.usd for line in found.lines) == found.difference
    assert {line.name: line.usd for line in found.lines}["price"] == 0.0


def sentence_of(tmp_path: Path, name: str, **changes: object) -> str:
    """The sentence for multi against azure where `changes` are made to multi."""
    plan = plan_of(4)
    prepared = synthetic.prepared()
    prepared["multi", "base"] = dataclasses.replace(prepared["multi", "base"], **changes)  # type: ignore[arg-type]
    with open_folder(tmp_path / name, head_of(plan), resume=False) as folder:
        results = compare(plan, folder, prepared, synthetic.simulate)
    return bridge(results, CONTEXT, "azure", "multi", "base").sentence(dollars, 1e8)


def test_sentence_follows_the_inputs(tmp_path: Path) -> None:
    before = sentence_of(tmp_path, "before")
    assert before.startswith("multi beats azure by $")
    assert "fewer lost tokens" in before
    assert "more porting -$0.4B" in before
    ported = sentence_of(tmp_path, "ported", extra_cash={"porting": 2e9})
    assert "more porting -$2.0B" in ported
    dear = sentence_of(tmp_path, "dear", price=9.0)
    assert dear.startswith("azure beats multi by $")
    assert "cheaper chip-hours" in dear
    assert before != ported != dear


def test_sentence_names_the_largest_first() -> None:
    lines = (Line("slip", -1e9), Line("price", -5e9), Line("porting", 2e9), Line("other", 0.0))
    text = Bridge("base", "new", -4e9, lines).sentence(dollars, 1e8)
    assert text == "new beats base by $4.0B: cheaper chip-hours $5.0B, less slip $1.0B, more porting -$2.0B"
    mirrored = tuple(Line(line.name, -line.usd) for line in lines)
    assert Bridge("new", "base", 4e9, mirrored).sentence(dollars, 1e8) == text


def test_amounts_of_a_sentence_sum_to_its_total(results: Results) -> None:
    text = bridge(results, CONTEXT, "azure", "neocloud", "base").sentence(dollars, 1e8)
    head, _, reasons = text.partition(": ")
    amounts = [float(part.rpartition(" ")[2].replace("$", "").rstrip("B")) for part in reasons.split(", ")]
    assert len(amounts) >= 3
    assert sum(amounts) == pytest.approx(float(head.rpartition("$")[2].rstrip("B")))


@given(st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=15))
@settings(max_examples=200, deadline=None)
def test_rounded_lines_sum_to_the_rounded_sum(values: list[float]) -> None:
    step = 1e8
    shown = rounded_to_sum(values, step)
    assert round(sum(shown) / step) == round(math.fsum(values) / step)
    assert all(abs(a - b) < step * 1.000001 for a, b in zip(shown, values, strict=True))
    assert np.allclose(np.array(shown) / step, np.round(np.array(shown) / step))

"""Prices at which the order flips, checked by simulating again at those prices."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import synthetic
from comparing import compare_in, head_of, plan_of

from capsim.results.folder import open_folder
from capsim.results.reading import Results
from capsim.study.compare import compare
from capsim.study.context import Assumed
from capsim.study.figures import table
from capsim.study.reweighting import ScaledParts, crossing, flips, weakest

CONTEXT = synthetic.context()


def order_of(results: Results) -> list[str]:
    return [row.strategy for row in table(results, "base").rows]


def test_crossing_of_two_lines() -> None:
    best, other = np.array([10.0, 10.0, 10.0]), np.array([12.0, 12.0, 12.0])
    part_best, part_other = np.array([8.0, 8.0, 8.0]), np.array([4.0, 4.0, 4.0])
    assert crossing(best, other, part_best, part_other) == (1.5, 0.0)
    assert crossing(best, other, part_best, part_best)[0] == math.inf


def test_interval_of_a_crossing_equals_the_obvious_jackknife() -> None:
    rng = np.random.default_rng(4)
    arrays = [rng.normal(m, 1.0, 9) for m in (10, 12, 8, 4)]
    factor, half = crossing(*arrays)
    again = []
    for i in range(9):
        kept = [np.delete(a, i) for a in arrays]
        best, other, part_best, part_other = (a.mean() for a in kept)
        again.append(1 + (other - best) / (part_best - part_other))
    error = math.sqrt(8 / 9 * sum((x - sum(again) / 9) ** 2 for x in again))
    assert half == pytest.approx(2.306 * error, rel=1e-3)
    assert factor == pytest.approx(
        1 + (arrays[1].mean() - arrays[0].mean()) / (arrays[2].mean() - arrays[3].mean())
    )


def test_a_strategy_overtakes_where_the_flip_says(results: Results, tmp_path: Path) -> None:
    """The made-up price of an offer is moved across the flip, and the order really changes there."""
    order = order_of(results)
    best = order[0]
    prices = {s.strategy: s.price for s in synthetic.MENU}
    flip = next(
        f
        for f in flips(results, CONTEXT, order, "base")
        if f.kind == "offer" and f.subject == f"{best}-offer"
    )
    assert flip.factor > 1
    for nudge, winner in ((-0.01, best), (0.01, flip.strategy)):
        plan = plan_of(12)
        prepared = synthetic.prepared()
        # all cash of the offer scales with its price, the made-up extra payments too
        factor = flip.factor + nudge
        old = prepared[best, "base"]
        extra = {line: usd * factor for line, usd in old.extra_cash.items()}
        prepared[best, "base"] = dataclasses.replace(old, price=prices[best] * factor, extra_cash=extra)
        with open_folder(tmp_path / winner, head_of(plan), resume=False) as folder:
            moved = compare(plan, folder, prepared, synthetic.simulate)
        assert order_of(moved)[0] == winner


def test_flips_are_sorted_and_overtake_the_first(results: Results) -> None:
    order = order_of(results)
    found = flips(results, CONTEXT, order, "base")
    assert found
    distances = [abs(math.log(max(f.factor, 1e-9))) for f in found]
    assert distances == sorted(distances)
    assert all(f.strategy != order[0] for f in found)
    assert all(f.factor >= 0 for f in found)


def test_parts_of_services_and_offers_sum_to_their_wholes(results: Results) -> None:
    scaled = ScaledParts(results, "base")
    for strategy in results.plan.strategies:
        chat = scaled.part("tokens", "chat", strategy)
        assert chat == pytest.approx(
            np.full(12, next(s.lost for s in synthetic.MENU if s.strategy == strategy))
        )
        offers = sum(scaled.part("offer", offer, strategy) for offer in scaled.offers())
        assert offers == pytest.approx(results.metric("cash_npv", strategy, "base"))


def test_effects_follow_ranges(results: Results) -> None:
    found = {e.assumed.label: e for e in weakest(results, CONTEXT, "multi", "base")}
    slip = results.metric("slip_npv", "multi", "base").mean()
    effect = found["cost of a day's slip"]
    assert effect.low == pytest.approx(-slip)
    assert effect.high == pytest.approx(slip * (100 / 30 - 1))
    assert effect.given_range
    unranged = found["value of lost research"]
    assert unranged.high == pytest.approx(0.25 * results.metric("lost_research_npv", "multi", "base").mean())
    assert not unranged.given_range


def test_discount_rate_re_weights_monthly_cash(results: Results) -> None:
    rate = Assumed("discount rate", "discount", (), 0.08, None, None, "8%/y")
    context = synthetic.context(assumed=(rate,))
    effect = weakest(results, context, "azure", "base")[0]
    assert effect.low > 0 > effect.high, "money later counts more at a lower rate"
    expected = 0.0
    for run in range(12):
        cash = results.table("cash", "base", "azure", run=run)
        for month, npv in zip(cash["month"], cash["npv"], strict=True):
            t = context.middle_of(month) / 365.25
            expected += npv * (1.08 / 1.06) ** t - npv
    assert effect.low == pytest.approx(expected / 12)


def test_effects_are_widest_first(tmp_path: Path) -> None:
    results = compare_in(tmp_path / "run", runs=2)
    spans = [e.span for e in weakest(results, CONTEXT, "multi", "base")]
    assert spans == sorted(spans, reverse=True)

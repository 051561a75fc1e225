"""Whole runs of the quickstart: accounts close, worlds are common, decisions happen."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from capsim.compile.prepare import Prepared
from capsim.control.autoscale import Autoscaler
from capsim.control.world import Draws, demand_world
from capsim.engine.build import Run, build
from capsim.engine.loop import run_to_end
from capsim.engine.prepare import prepare
from capsim.engine.simulate import simulate, simulate_built
from capsim.kernel.api import Cluster
from capsim.results.columns import canonical
from capsim.results.digest import run_digest
from capsim.results.schema import LADDER, METRICS
from capsim.spec.loader import load_study

STRATEGIES = ("big-cloud", "new-cloud", "wait")


@pytest.fixture(scope="module")
def prepared(root: Path) -> dict[str, Prepared]:
    loaded = load_study(root / "configs" / "quickstart.yaml")
    return {name: prepare(loaded, name) for name in STRATEGIES}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_chip_time_closes_in_integers(prepared: dict[str, Prepared], strategy: str) -> None:
    built, _, _ = simulate_built(prepared[strategy], 1)
    assert built.ctx.cluster.check() == []
    result = simulate(prepared[strategy], 1)
    assert result.ladder["paid"] == sum(result.ladder[step] for step in LADDER[1:])
    assert all(result.ladder[step] >= 0 for step in LADDER)
    assert set(METRICS) <= set(result.metrics)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_replicas_decided_in_a_row_are_as_those_decided_one_by_one(
    prepared: dict[str, Prepared], strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between other events the autoscaler decides without them: that no watched job then ends unseen, too."""
    built, _, events = simulate_built(prepared[strategy], 1)
    found = canonical(simulate(prepared[strategy], 1))
    assert built.autoscaler.in_a_row > built.autoscaler.steps // 2
    assert all(run.finish > 0 for run in built.training.runs.values())
    monkeypatch.setattr(Autoscaler, "_last", lambda self, step: step + 1)
    one_by_one, _, as_many = simulate_built(prepared[strategy], 1)
    assert (one_by_one.autoscaler.in_a_row, as_many) == (0, events)
    assert run_digest(canonical(simulate(prepared[strategy], 1))) == run_digest(found)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_money_is_the_sum_of_its_lines(prepared: dict[str, Prepared], strategy: str) -> None:
    result = simulate(prepared[strategy], 0)
    m = result.metrics
    parts = m["cash_npv"] + m["lost_tokens_npv"] + m["lost_research_npv"] + m["slip_npv"]
    assert m["total_npv"] == pytest.approx(parts, rel=1e-12)
    assert sum(result.cash_npv.values()) == pytest.approx(m["cash_npv"], rel=1e-9)
    assert sum(result.tables["cash"]["npv"]) == pytest.approx(m["cash_npv"], rel=1e-9)


def test_places_that_are_forbidden_are_left_at_the_next_decision(prepared: dict[str, Prepared]) -> None:
    given = prepared["big-cloud"]
    demand = demand_world(given.token, given.study, given.calendar, 1)
    built = build(given, Draws(given.study, given.calendar, 1), demand, 1)
    ctx, scaler = built.ctx, built.autoscaler
    begin = scaler.steps // 2 // 28 * 28 + 1  # not the step of a week at which ported stacks are looked at
    served: list[int] = []

    def forbid() -> Any:
        yield ctx.until((begin - 1) * scaler.period + 1)
        served.append(int(ctx.cluster.replicas().sum()))
        scaler.allow(np.zeros_like(scaler.tokens))
        yield ctx.until(begin * scaler.period + 1)
        served.append(int(ctx.cluster.replicas().sum()))

    ctx.env.process(forbid())
    run_to_end(ctx.env, ctx.cluster, (begin + 1) * scaler.period, built.training.finished)
    assert served[0] > 0
    assert served[1] == 0


def test_all_strategies_of_a_run_face_the_same_demand(prepared: dict[str, Prepared]) -> None:
    requested = [simulate(prepared[s], 2).tables["services"]["tokens_requested"] for s in STRATEGIES]
    assert requested[0] == requested[1] == requested[2]
    delivered = {
        s: [e for e in simulate(prepared[s], 2).tables["events"]["text"] if "tranche" in e]
        for s in STRATEGIES
    }
    assert delivered["big-cloud"] != delivered["new-cloud"]


def test_research_done_is_never_more_than_offered(prepared: dict[str, Prepared]) -> None:
    for strategy in STRATEGIES:
        for run in range(3):
            assert -1e-9 <= simulate(prepared[strategy], run).metrics["research_unmet"] <= 1.0


def test_a_rule_buys_when_work_piles_up(prepared: dict[str, Prepared]) -> None:
    events = simulate(prepared["wait"], 0).tables["events"]
    bought = [i for i, kind in enumerate(events["kind"]) if kind == "rule"]
    assert bought
    # half a year from the purchase to the first chips
    first = events["time_ms"][bought[0]]
    delivered = [
        t
        for t, kind, subject in zip(events["time_ms"], events["kind"], events["subject"], strict=True)
        if kind == "delivery" and subject == "one-year-block"
    ]
    assert delivered and min(delivered) - first >= 180 * 86_400_000


def test_a_late_tranche_is_in_the_ladder_and_the_series(prepared: dict[str, Prepared]) -> None:
    built, _, _ = simulate_built(prepared["new-cloud"], 1)
    states = [built.ctx.lots[lot.key] for lot in prepared["new-cloud"].portfolio.lots]
    for lot, state in zip(prepared["new-cloud"].portfolio.lots, states, strict=True):
        if state.delivered > 0:
            assert state.delivered == max(lot.planned + state.delay, 0)


def test_the_named_run_trains_on_whole_segments(prepared: dict[str, Prepared]) -> None:
    result = simulate(prepared["big-cloud"], 0)
    row = {name: column[0] for name, column in result.tables["training"].items()}
    assert row["chips"] >= 4608
    assert 0.5 < row["ettr"] <= 1.0
    assert row["start_ms"] >= row["earliest_ms"]


def test_the_same_run_twice_is_the_same(prepared: dict[str, Prepared]) -> None:
    a, b = (simulate(prepared["new-cloud"], 3) for _ in range(2))
    for name in METRICS:
        if name != "seconds":
            assert np.array_equal(a.metrics[name], b.metrics[name], equal_nan=True)
    assert a.ladder == b.ladder


def test_a_finished_run_keeps_no_cluster(
    prepared: dict[str, Prepared], monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[weakref.ref[Cluster]] = []

    def watched(*given: Any) -> Run:
        run = build(*given)
        built.append(weakref.ref(run.ctx.cluster))
        return run

    monkeypatch.setattr("capsim.engine.simulate.build", watched)
    gc.disable()  # nothing may be left for it to find
    try:
        simulate(prepared["wait"], 0)
    finally:
        gc.enable()
    assert [cluster() for cluster in built] == [None]

"""The quickstart on the real engine, cut short: one digest over workers, start methods, kills and resumes."""

from __future__ import annotations

import math
import multiprocessing
import random
import time
from pathlib import Path

import pytest
from killing import compare_for_real, compare_in_session

from capsim.report.comparison import comparison_report
from capsim.report.jsonout import comparison_json
from capsim.results.reading import Results
from capsim.study.bridge import bridge
from capsim.study.figures import table
from capsim.study.setup import Request, Setup, set_up

RUNS = 3
SHORT = ("horizon.end=2026-09-01", "demand.training_runs.base-model.target=2026-08-15")
KILLS = 20


@pytest.fixture(scope="module")
def setup() -> Setup:
    return set_up(
        Request("quickstart", sets=SHORT, strategies=("new-cloud", "wait"), against="wait", runs=RUNS)
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, setup: Setup) -> Results:
    """The uninterrupted comparison, in one process."""
    return compare_for_real(tmp_path_factory.mktemp("real") / "run", setup, 1, resume=False)


@pytest.mark.parametrize("workers", [2, 3])
def test_one_digest_over_workers(tmp_path: Path, setup: Setup, results: Results, workers: int) -> None:
    assert compare_for_real(tmp_path / "run", setup, workers, resume=False).digest == results.digest


def test_kill_at_20_random_points_and_resume(tmp_path: Path, setup: Setup, results: Results) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["killing", "comparing"])
    chance = random.Random(11)
    span = compare_for_real(tmp_path / "warm", setup, 1, resume=False).seconds
    interrupted = 0
    for point in range(KILLS):
        path = tmp_path / str(point)
        process = context.Process(target=compare_in_session, args=(path, setup, 1 + point % 2))
        process.start()
        while not (path / "manifest.json").exists():
            time.sleep(0.005)
        time.sleep(chance.uniform(0, span))
        process.kill()
        process.join()
        done = {p.name: p.stat().st_mtime_ns for p in (path / "parts").glob("*.parquet")}
        interrupted += len(done) < RUNS
        assert compare_for_real(path, setup, 1, resume=True).digest == results.digest
        after = {p.name: p.stat().st_mtime_ns for p in (path / "parts").glob("*.parquet")}
        assert done.items() <= after.items(), "finished runs were touched"
    assert interrupted >= KILLS // 3, "the kills came too late to test anything"


def test_money_and_chip_time_add_up(setup: Setup, results: Results) -> None:
    for row in results.rows.values():
        assert row.ladder["paid"] == sum(v for name, v in row.ladder.items() if name != "paid")
        assert sum(row.cash_npv.values()) == pytest.approx(row.metrics["cash_npv"], rel=1e-9)
        parts = ("cash_npv", "lost_tokens_npv", "lost_research_npv", "slip_npv")
        assert sum(row.metrics[name] for name in parts) == pytest.approx(row.metrics["total_npv"], rel=1e-12)


def test_tables_agree_with_figures(setup: Setup, results: Results) -> None:
    for strategy in setup.plan.strategies:
        cash = results.table("cash", "base", strategy)
        total = results.metric("cash_npv", strategy, "base").sum()
        assert cash["npv"].sum() == pytest.approx(total)
        services = results.table("services", "base", strategy)
        lost = results.metric("lost_tokens_npv", strategy, "base").sum()
        assert services["lost_npv"].sum() == pytest.approx(lost)


def test_bridges_sum_exactly(setup: Setup, results: Results) -> None:
    for start in setup.plan.strategies:
        for goal in setup.plan.strategies:
            found = bridge(results, setup.context, start, goal, "base")
            assert math.fsum(line.usd for line in found.lines) == found.difference
            other = next(line.usd for line in found.lines if line.name == "other")
            assert abs(other) <= 0.01 * abs(results.metric("cash_npv", goal, "base").mean())


def test_report_and_json_on_real_figures(setup: Setup, results: Results) -> None:
    for width in (80, 120):
        lines = [line.text for line in comparison_report(results, setup.context, width, True)]
        assert all(len(line) <= width for line in lines if str(results.path) not in line)
    assert comparison_json(results, setup.context).startswith("{")
    best = table(results, "base").rows[0].strategy
    assert any(line.startswith("Why") and best in line for line in lines) or len(setup.plan.strategies) == 1

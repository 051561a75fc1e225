"""Policies side by side: intervals hold the figures, differences are paired and have the right sign."""

from __future__ import annotations

import json

import numpy as np
import pytest

from capsim.engine.replay import Machine, measure, replay_trace, with_estimates
from capsim.engine.schedule_figures import Outcomes
from capsim.errors import InputError
from capsim.study.replays import compare_schedules
from capsim.workload.traces.model import RawJobs, clean
from tests.traces import busy_trace


def test_side_by_side_has_intervals_around_the_figures_and_paired_differences() -> None:
    trace = busy_trace()
    schedules = [replay_trace(trace, policy=name) for name in ("fcfs", "easy", "fcfs")]
    found = compare_schedules(schedules, seed=1)
    fcfs, easy, again = found["policies"]
    assert found["days"] == 10 and found["block_days"] == 2
    for row in (fcfs, easy):
        for name in ("wait_s", "completion_s", "bounded_slowdown", "finish_time_fairness"):
            for part in (row[name], row[name]["by_chip_time"]):
                low, high = part["interval"]["mean"]
                assert low <= part["mean"] <= high
    assert "vs_first" not in fcfs["wait_s"]
    assert easy["wait_s"]["vs_first"]["value"] == pytest.approx(
        easy["wait_s"]["mean"] - fcfs["wait_s"]["mean"]
    )
    assert easy["wait_s"]["vs_first"]["high"] < 0
    assert again["wait_s"]["vs_first"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert json.loads(json.dumps(found)) == found


def test_orders_of_the_kernel_are_replayed_on_interchangeable_chips() -> None:
    """4 chips: A runs 0–10 s; B (20 s) and C (5 s) wait for all of them: under sjf C goes first."""
    size = np.array([4, 4, 4])
    raw = RawJobs(
        job=np.array([1, 2, 3]),
        submit=np.array([0.0, 1.0, 2.0]),
        run=np.array([10.0, 20.0, 5.0]),
        size=size,
        allocated=size,
        requested=np.array([10.0, 20.0, 5.0]),
        tenant=np.zeros(3, dtype=np.int32),
        tenants=("a",),
    )
    trace = clean(raw, source="three", format="jobs", chips=4)
    assert (replay_trace(trace, policy="sjf").start // 1000).tolist() == [0, 15, 10]
    assert (replay_trace(trace, policy="sjf+easy").start // 1000).tolist() == [0, 15, 10]
    assert (replay_trace(trace, policy="fcfs+easy").start // 1000).tolist() == [0, 10, 30]


def test_segments_and_blocks_cost_what_they_should() -> None:
    """2 blocks of 2 racks of 4 chips, segment 3. A gang of 6 takes two racks of a block and holds 2 spares;
    one of 9 spans both blocks and, at a locality of 0.5, takes twice as long."""
    size = np.array([6, 9])
    raw = RawJobs(
        job=np.array([1, 2]),
        submit=np.array([0.0, 0.0]),
        run=np.array([600.0, 600.0]),
        size=size,
        allocated=size,
        requested=np.array([600.0, 600.0]),
        tenant=np.zeros(2, dtype=np.int32),
        tenants=("a",),
    )
    trace = clean(raw, source="racks", format="jobs", chips=16)
    machine = Machine(domain=4, block_domains=2, segment=3, locality=0.5)
    schedule = replay_trace(trace, policy="easy", machine=machine)
    assert (schedule.start // 1000).tolist() == [0, 600]
    assert (schedule.end // 1000).tolist() == [600, 1800]
    figures = measure(schedule)
    assert figures["unused"]["spare"] == pytest.approx((2 * 600 + 3 * 1200) / (16 * 1800))
    assert machine.fits(np.array([4, 12, 13]), 16).tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("estimate", "requested"), [("exact", 100), ("requested", 150), ("factor:2.5", 250), ("requested:2", 300)]
)
def test_estimates(estimate: str, requested: int) -> None:
    one = np.ones(1, dtype=np.int64)
    raw = RawJobs(one, one * 0.0, one * 0.1, one, one, one * 0.15, np.zeros(1, dtype=np.int32), ("a",))
    trace = with_estimates(clean(raw, source="one", format="jobs"), estimate)
    assert trace.requested.tolist() == [requested]


@pytest.mark.parametrize("estimate", ["perfect", "factor:0.5", "factor:x", "factor:", "requested:nan"])
def test_wrong_estimates(estimate: str) -> None:
    with pytest.raises(InputError, match="--estimate"):
        with_estimates(busy_trace(3), estimate)


def test_all_problems_of_a_machine_at_once() -> None:
    with pytest.raises(InputError) as caught:
        Machine(domain=5, block_domains=-1, segment=9, locality=0.0).check(16)
    assert len(str(caught.value).splitlines()) == 4


def test_outcomes_of_a_schedule_are_those_of_its_trace() -> None:
    schedule = replay_trace(busy_trace(50), policy="easy", chips=8)
    jobs: Outcomes = schedule.outcomes
    assert schedule.too_large > 0
    assert np.array_equal(jobs.end - jobs.submit, jobs.wait + jobs.run)

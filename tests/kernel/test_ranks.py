"""Late jobs take their place in the queue's order; many are taken out at once."""

from __future__ import annotations

import heapq

import numpy as np
import pytest

from capsim.kernel.api import Cluster, Policy
from capsim.kernel.layout import Classes, Layout, make_jobs
from capsim.tables import CANCELLED

HOUR = 3_600_000


def one_chip(
    listed: int, extra: int, order: str, rng: np.random.Generator, backfill: str = "easy"
) -> Cluster:
    """One chip that has not arrived, three priorities, jobs of an hour submitted at 0."""
    layout = Layout()
    layout.tranche(layout.site(layout.pool(1)), 1)
    classes = Classes(1)
    for priority in (5, 0, 9):
        classes.add(priority=priority)
    times = np.zeros(listed, np.int64)
    rows = make_jobs(times, times + HOUR, times + 1, cls=rng.integers(0, 3, listed))
    return Cluster(layout, rows, classes, policy=Policy(order, backfill), max_extra_jobs=extra)


def submit_late(cluster: Cluster, n: int, rng: np.random.Generator) -> None:
    for _ in range(n):
        row = make_jobs(np.array([0]), np.array([HOUR]), np.array([1]), cls=int(rng.integers(0, 3)))
        cluster.submit(row, watched=False)


@pytest.mark.parametrize(("listed", "late"), [(0, 30), (3, 60), (40, 41), (200, 17), (4_090, 9)])
@pytest.mark.parametrize("order", ["fcfs", "priority"])
@pytest.mark.parametrize("backfill", ["none", "easy"])
def test_late_jobs_start_in_the_order_of_the_policy(
    listed: int, late: int, order: str, backfill: str
) -> None:
    rng = np.random.default_rng(listed + late)
    cluster = one_chip(listed, late, order, rng, backfill)
    cluster.advance(0)
    for _ in range(late):
        submit_late(cluster, 1, rng)
        assert cluster.check() == []
    cluster.advance(1)
    cluster.activate(0)
    cluster.advance(1 + (listed + late) * HOUR)
    priority = np.array([5, 0, 9])[cluster.jobs["cls"]]
    expected = np.argsort(-priority, kind="stable") if order == "priority" else np.arange(listed + late)
    assert np.argsort(cluster.runs["start"], kind="stable").tolist() == expected.tolist()
    assert cluster.check() == []


@pytest.mark.parametrize("jobs", [1, 2, 64, 65, 4_097, 270_000])
def test_without_backfilling_the_first_of_the_queue_starts_at_any_number_of_levels(jobs: int) -> None:
    rng = np.random.default_rng(jobs)
    submit, run = np.sort(rng.integers(0, 10 * jobs, jobs)), rng.integers(1, 20, jobs)
    layout = Layout()
    layout.tranche(layout.site(layout.pool(1)), 1)
    classes = Classes(1)
    classes.add()
    policy = Policy("sjf", "none")
    cluster = Cluster(layout, make_jobs(submit, run, np.ones(jobs, int)), classes, policy=policy)
    cluster.activate(0)
    for part in (1, 2, 4, 8):
        cluster.advance(part * jobs)
        assert cluster.check() == []
    cluster.advance(20 * jobs + 40)
    starts, waiting, now, j = np.zeros(jobs, int), list[tuple[int, int]](), 0, 0
    while j < jobs or waiting:
        now = max(now, submit[j]) if not waiting else now
        while j < jobs and submit[j] <= now:
            heapq.heappush(waiting, (run[j], j))
            j += 1
        length, first = heapq.heappop(waiting)
        starts[first] = now
        now += length
    assert np.array_equal(cluster.runs["start"], starts)


def test_taking_out_many_is_taking_out_each() -> None:
    gone = np.array([7, 0, 31, 12, 12, 59])
    ends = []
    for at_once in (False, True):
        rng = np.random.default_rng(3)
        cluster = one_chip(40, 20, "priority", rng)
        cluster.activate(0)
        cluster.advance(0)
        submit_late(cluster, 20, rng)
        cluster.advance(90 * 60_000)
        if at_once:
            cluster.cancel_many(gone)
        else:
            for job in gone.tolist():
                cluster.cancel(job)
        cluster.advance(70 * HOUR)
        assert (cluster.runs["state"][gone] == CANCELLED).sum() >= 5
        assert cluster.check() == []
        ends.append(cluster.runs["end"].tolist())
    assert ends[0] == ends[1]

"""Late jobs take their place in the queue's order; many are taken out at once."""

from __future__ import annotations

import numpy as np
import pytest

from capsim.kernel.api import Cluster, Policy
from capsim.kernel.layout import Classes, Layout, make_jobs
from capsim.tables import CANCELLED

HOUR = 3_600_000


def one_chip(listed: int, extra: int, order: str, rng: np.random.Generator) -> Cluster:
    """One chip that has not arrived, three priorities, jobs of an hour submitted at 0."""
    layout = Layout()
    layout.tranche(layout.site(layout.pool(1)), 1)
    classes = Classes(1)
    for priority in (5, 0, 9):
        classes.add(priority=priority)
    times = np.zeros(listed, np.int64)
    rows = make_jobs(times, times + HOUR, times + 1, cls=rng.integers(0, 3, listed))
    return Cluster(layout, rows, classes, policy=Policy(order=order), max_extra_jobs=extra)


def submit_late(cluster: Cluster, n: int, rng: np.random.Generator) -> None:
    for _ in range(n):
        row = make_jobs(np.array([0]), np.array([HOUR]), np.array([1]), cls=int(rng.integers(0, 3)))
        cluster.submit(row, watched=False)


@pytest.mark.parametrize(("listed", "late"), [(0, 30), (3, 60), (40, 41), (200, 17)])
@pytest.mark.parametrize("order", ["fcfs", "priority"])
def test_late_jobs_start_in_the_order_of_the_policy(listed: int, late: int, order: str) -> None:
    rng = np.random.default_rng(listed + late)
    cluster = one_chip(listed, late, order, rng)
    cluster.advance(0)
    submit_late(cluster, late, rng)
    cluster.advance(1)
    cluster.activate(0)
    cluster.advance(1 + (listed + late) * HOUR)
    priority = np.array([5, 0, 9])[cluster.jobs["cls"]]
    expected = np.argsort(-priority, kind="stable") if order == "priority" else np.arange(listed + late)
    assert np.argsort(cluster.runs["start"], kind="stable").tolist() == expected.tolist()
    assert cluster.check() == []


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

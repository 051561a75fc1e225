"""Snapshots of a run: when the free chips are looked at, and whose they are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import simpy

from capsim.compile.calendar import MS_DAY, MS_HOUR
from capsim.control.context import Context
from capsim.engine.loop import run_to_end
from capsim.engine.recorder import Recorder, fragmented_shares
from capsim.kernel.api import Cluster, Policy
from capsim.kernel.layout import Classes, Layout, make_jobs


def recorded(size: int, interval: int) -> Recorder:
    """Two places of 32 chips; a job for the first alone comes an hour before the fourth snapshot."""
    layout = Layout()
    for place in range(2):
        layout.site(layout.pool(8, 4), place)
        layout.tranche(place, 4)
    classes = Classes(2)
    classes.add(speed={0: 1.0})
    submit, run = np.array([3 * MS_DAY - MS_HOUR]), np.array([10 * MS_HOUR])
    jobs = make_jobs(submit, run, np.array([size]), run)
    cluster = Cluster(layout, jobs, classes, policy=Policy(interval=interval))
    for tranche in range(2):
        cluster.activate(tranche)
    prepared: Any = SimpleNamespace(
        calendar=SimpleNamespace(months=lambda: [day * MS_DAY for day in range(6)]),
        study=SimpleNamespace(scheduler=SimpleNamespace(interval=interval)),
        places=("first", "second"),
    )
    nothing: Any = None
    ctx = Context(simpy.Environment(), cluster, prepared, nothing, nothing, 5 * MS_DAY, {}, {}, {})
    recorder = Recorder(ctx)
    recorder.start()
    run_to_end(ctx.env, cluster, ctx.end, lambda job, now: None)
    return recorder


@pytest.mark.parametrize("interval", [0, 2 * MS_HOUR, 7 * MS_HOUR])
def test_a_job_that_the_next_pass_starts_makes_no_chip_fragmented(interval: int) -> None:
    recorder = recorded(16, interval)
    assert recorder.fragmented.tolist() == [[0.0, 0.0]] * 6
    assert recorder.kinds[-2, 0].sum() == 16 * 10 * MS_HOUR


def test_free_chips_are_fragmented_where_a_queued_job_may_run() -> None:
    recorder = recorded(40, 2 * MS_HOUR)  # more than its place has
    assert recorder.fragmented.tolist() == [[0.0, 0.0]] * 3 + [[1.0, 0.0]] * 3


def test_the_share_of_each_place_is_its_own() -> None:
    first = {"no_demand": 0, "reserved": 30, "too_few": 5, "scattered": 65}
    second = {"no_demand": 7, "reserved": 0, "too_few": 0, "scattered": 0}
    none = dict.fromkeys(first, 0)
    assert fragmented_shares([first, second, none]).tolist() == [0.7, 0.0, 0.0]

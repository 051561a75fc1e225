"""The scheduler against queueing theory: known mean waits, Little's law."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from capsim.kernel.api import Cluster, Policy
from capsim.kernel.layout import Classes, Layout, make_jobs
from capsim.kernel.replay import replay
from tests.kernel.queues import (
    MEAN_SERVICE_MS,
    Floats,
    arrivals,
    constant,
    exponential,
    hyperexponential,
    interval,
    mg1_wait,
    mmc_wait,
)

SEEDS = 20
CUSTOMERS = 120_000
MORE_CUSTOMERS = 500_000
WARM_UP = 20_000

QUEUES = [
    ("M/M/1", 1, 0.80, exponential, 4.0, mmc_wait(1, 0.80)),
    ("M/M/4", 4, 0.90, exponential, 1.96938, mmc_wait(4, 0.90)),
    ("M/M/10", 10, 0.80, exponential, 0.20459, mmc_wait(10, 0.80)),
    ("M/M/100", 100, 0.95, exponential, 0.10129, mmc_wait(100, 0.95)),
    ("M/D/1", 1, 0.70, constant, 1.1667, mg1_wait(0.70, 0.0)),
    ("M/G/1", 1, 0.70, hyperexponential, 5.8333, mg1_wait(0.70, 4.0)),
]


def mean_wait(
    seed: int, servers: int, load: float, service: Callable[[np.random.Generator, int], Floats]
) -> float:
    """Mean wait after the warm-up, in mean service times; a large queue needs more customers."""
    submit, run = arrivals(seed, MORE_CUSTOMERS if servers > 10 else CUSTOMERS, servers, load, service)
    start = replay(submit, np.ones_like(submit), run, run, servers, "fcfs")
    return float((start - submit)[WARM_UP:].mean()) / MEAN_SERVICE_MS


@pytest.mark.parametrize(("name", "servers", "load", "service", "published", "formula"), QUEUES)
def test_mean_wait_lies_in_its_interval(
    name: str,
    servers: int,
    load: float,
    service: Callable[[np.random.Generator, int], Floats],
    published: float,
    formula: float,
) -> None:
    assert formula == pytest.approx(published, rel=1e-4)
    means = np.array([mean_wait(seed, servers, load, service) for seed in range(SEEDS)])
    mean, half = interval(means)
    assert abs(mean - formula) <= half, f"{name}: {mean:.5f} ± {half:.5f}, theory {formula:.5f}"
    assert half <= 0.06 * formula, f"{name}: the interval ± {half:.5f} is too wide to say anything"


@pytest.mark.parametrize("policy", ["fcfs", "easy"])
def test_jobs_of_one_chip_are_served_in_order_whatever_the_backfilling(policy: str) -> None:
    submit, run = arrivals(3, 20_000, 4, 0.9, exponential)
    ones = np.ones_like(submit)
    start = replay(submit, ones, run, run, 4, policy)
    assert np.array_equal(start, replay(submit, ones, run, run, 4, "fcfs"))
    assert np.all(np.diff(start) >= 0)


@pytest.mark.parametrize(("policy", "size"), [("none", 1), ("easy", 3)])
def test_littles_law_holds_for_the_queue(policy: str, size: int) -> None:
    """Queue length seen at regular instants = arrival rate × mean wait; busy chips likewise = rate × work."""
    servers, load, count = 12, 0.8, 30_000
    submit, run = arrivals(11, count, servers // size, load, exponential)
    layout = Layout()
    tranche = layout.tranche(layout.site(layout.pool(servers)), 1)
    classes = Classes(1)
    classes.add()
    cluster = Cluster(
        layout, make_jobs(submit, run, np.full(count, size)), classes, policy=Policy(backfill=policy)
    )
    cluster.activate(tranche)
    span = int(submit[-1])
    queued = []
    for instant in np.linspace(0, span, 4000).astype(np.int64)[1:]:
        cluster.advance(int(instant))
        counters = cluster.counters()
        queued.append(counters["submitted"] - counters["first_starts"])
    busy = int(np.asarray(cluster.chip_time()["allocated"]).sum()) / span
    cluster.advance(10 * span)
    waits = cluster.runs["start"][:count] - submit
    rate = count / span
    assert np.mean(queued) == pytest.approx(rate * waits.mean(), rel=0.05)
    assert busy == pytest.approx(rate * float(run.mean()) * size, rel=0.01)

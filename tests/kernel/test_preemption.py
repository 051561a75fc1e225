"""Preemption with many running jobs: lists of several blocks, many victims at once, refusals by all together.

Random small cases (``test_oracle_cluster.py``) have a dozen jobs, which is too few for these.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from capsim.kernel.layout import Layout
from capsim.kernel.preemptible import BLOCK_SIZE
from tests.kernel.driving import drive
from tests.kernel.test_oracle_cluster import agree
from tests.oracles.case import Case, Command, Job, JobClass

DOMAINS, CHIPS = 24, 8
SMALL = 160


def crowd(
    seed: int, order: str, sites: int = 1, segment: int = 0, largest: int = DOMAINS * CHIPS, **options: Any
) -> Case:
    """``SMALL`` jobs that fill the pool with a few chips each, then gangs of most of it, in two levels above.

    Up to a fifth of the small jobs cannot be stopped: where they run, no whole domain becomes free.
    """
    rng = np.random.default_rng(seed)
    layout = Layout()
    pool = layout.pool(CHIPS, 2, segment)
    for rank in range(sites):
        layout.tranche(layout.site(pool, rank), DOMAINS // sites, 4)
    stops: dict[str, Any] = {"interval": 10, "restart": 2}
    classes = (
        JobClass(preemptible=True, **stops),
        JobClass(preemptible=False, **stops),
        JobClass(preemptible=True, priority=1, grace=int(rng.choice([0, 3])), **stops),
        JobClass(priority=2, preemptible=True, max_sites=sites, **stops),
    )
    fixed = float(rng.choice([0.0, 0.02, 0.2]))
    jobs = []
    for submit in np.sort(rng.integers(0, 30, SMALL)).tolist():
        cls = int(rng.choice(3, p=[0.8 - fixed, fixed, 0.2]))
        size, run = int(rng.integers(1, 3)), int(rng.integers(40, 160))
        jobs.append(Job(submit, run, run + int(rng.integers(0, 40)), size, size, size, cls=cls))
    for submit in np.sort(rng.integers(35, 120, 8)).tolist():
        size, run = int(rng.integers(min(CHIPS, largest - 1), largest)), int(rng.integers(5, 40))
        jobs.append(Job(submit, run, run + 5, size, size, size, cls=3))
    return Case(
        layout=layout,
        classes=classes,
        jobs=tuple(jobs),
        horizon=3_000,
        commands=tuple(Command(0, "activate", (tranche,)) for tranche in range(sites)),
        order=order,
        preemption=True,
        order_options=options,
    )


@pytest.mark.parametrize("seed", range(6))
def test_many_victims_by_priority(seed: int) -> None:
    case = crowd(seed, "priority")
    cluster = drive(case)
    agree(case, cluster)
    assert cluster.counters()["preemptions"] > 0


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("exempt", [0, 15])
def test_many_victims_by_queues(seed: int, exempt: int) -> None:
    case = crowd(seed, "las", thresholds=(60, 200), recalculate=7, promote=2.0, exempt=exempt)
    cluster = drive(case)
    agree(case, cluster)
    assert cluster.counters()["preemptions"] > 0


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("sites", "segment", "largest"),
    [(1, 0, CHIPS + 1), (1, 0, 4 * CHIPS), (3, 0, 6 * CHIPS), (1, CHIPS - 3, 4 * CHIPS), (2, 0, 12 * CHIPS)],
    ids=["a domain", "few domains", "sites", "segments", "over sites"],
)
def test_many_victims_for_small_gangs(seed: int, sites: int, segment: int, largest: int) -> None:
    """Remainders that fit somewhere already, or where some jobs are stopped; several sites; spare chips."""
    case = crowd(seed, "priority", sites, segment, largest)
    cluster = drive(case)
    agree(case, cluster)
    assert cluster.counters()["preemptions"] > 0


def test_the_crowd_fills_more_than_a_block() -> None:
    """What the cases above are for: without it they would prove no more than a dozen jobs do."""
    assert SMALL > 2 * BLOCK_SIZE
    stopped = [drive(crowd(seed, "priority")).counters()["preemptions"] for seed in range(6)]
    assert max(stopped) > BLOCK_SIZE // 2


def test_victims_at_a_site_that_drains_do_not_stand_for_others() -> None:
    """They have least work at risk and chips enough, but nobody may start there: the next ones are stopped."""
    layout = Layout()
    pool = layout.pool(CHIPS, 2)
    for rank in (0, 1):
        layout.tranche(layout.site(pool, rank), 2, 2)
    jobs = [Job(submit, 300, 300, CHIPS, CHIPS, CHIPS) for submit in (0, 0, 20, 20)]
    case = Case(
        layout=layout,
        classes=(JobClass(preemptible=True, interval=500), JobClass(priority=1)),
        jobs=(*jobs, Job(40, 10, 10, CHIPS, CHIPS, CHIPS, cls=1)),
        horizon=1_000,
        commands=(Command(0, "activate", (0,)), Command(0, "activate", (1,)), Command(30, "drain", (1,))),
        order="priority",
        preemption=True,
    )
    cluster = drive(case)
    agree(case, cluster)
    assert cluster.runs["preemptions"].tolist() == [0, 1, 0, 0, 0]
    assert cluster.runs["start"][4] == 40


def test_a_gang_over_two_sites_stops_jobs_at_both() -> None:
    """No site alone can be cleared for it: at 40 the jobs of both are stopped, and go on at 50."""
    layout = Layout()
    pool = layout.pool(CHIPS)
    for rank in (0, 1):
        layout.tranche(layout.site(pool, rank), 1)
    gang = Job(40, 10, 10, 2 * CHIPS, 2 * CHIPS, 2 * CHIPS, cls=1)
    case = Case(
        layout=layout,
        classes=(JobClass(preemptible=True), JobClass(priority=1, max_sites=2)),
        jobs=(*(Job(0, 60, 60, CHIPS, CHIPS, CHIPS) for _ in range(2)), gang),
        horizon=1_000,
        commands=(Command(0, "activate", (0,)), Command(0, "activate", (1,))),
        order="priority",
        preemption=True,
    )
    cluster = drive(case)
    agree(case, cluster)
    assert cluster.runs["start"].tolist() == [0, 0, 40]
    assert cluster.runs["preemptions"].tolist() == [1, 1, 0]

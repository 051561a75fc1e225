"""Why free chips are not used, by hand; and the jobs in the queue."""

from __future__ import annotations

import numpy as np
import pytest

from capsim.kernel.api import Cluster, Policy
from capsim.kernel.layout import Classes, Layout, make_failures, make_jobs
from tests.kernel.worlds import DAY, HOUR

REASONS = ("no_demand", "reserved", "too_few", "scattered")


def cluster_of(*sizes: int, last: int = 10, second: int = 0, repair: int = 0, **policy: str) -> Cluster:
    """Four domains of 8 chips (and `second` in a pool that no job may use) after an hour.

    Jobs come at 0 and take 10 h, the last one `last` hours.
    """
    layout = Layout()
    layout.site(layout.pool(8, 4))
    layout.tranche(0, 4)
    if second:
        layout.site(layout.pool(8, 4))
        layout.tranche(1, second)
    if repair:
        layout.failures = make_failures([(0, 0, 3, 1, repair)])
    classes = Classes(len(layout.pools))
    classes.add(speed={0: 1.0})
    n = len(sizes)
    run = np.array([10] * (n - 1) + [last]) * HOUR
    jobs = make_jobs(np.zeros(n, int), run, np.array(sizes), run)
    cluster = Cluster(layout, jobs, classes, policy=Policy(**policy))
    for tranche in range(2 if second else 1):
        cluster.activate(tranche)
    cluster.advance(HOUR)
    return cluster


@pytest.mark.parametrize(
    ("sizes", "backfill", "placement", "free"),
    [
        ((16,), "none", "best-fit", {"no_demand": 16}),  # it runs, and nobody waits
        ((24, 16), "none", "best-fit", {"too_few": 8}),  # 8 left, 16 wanted
        ((4, 4, 4, 4, 8), "none", "spread", {"scattered": 16}),  # 4 left in each domain, 8 wanted in one
        ((4, 4, 4, 4, 8), "none", "best-fit", {"no_demand": 8}),  # the small ones share two domains
        ((24, 32, 8), "easy", "best-fit", {"reserved": 8}),  # the last would delay the second
        ((20, 32, 8), "easy", "best-fit", {"reserved": 8, "too_few": 4}),
    ],
)
def test_reasons_by_hand(sizes: tuple[int, ...], backfill: str, placement: str, free: dict[str, int]) -> None:
    (found,) = cluster_of(*sizes, last=20, backfill=backfill, placement=placement).fragmentation()
    assert {name: found[name] for name in REASONS} == dict.fromkeys(REASONS, 0) | free


def test_chips_that_no_class_may_use_have_no_demand() -> None:
    first, second = cluster_of(24, 16, second=2, backfill="none").fragmentation()
    assert first["too_few"] == 8
    assert second["no_demand"] == 16


def test_what_cannot_be_used_is_apart_and_the_parts_are_all_chips() -> None:
    cluster = cluster_of(8, repair=DAY)
    (found,) = cluster.fragmentation()
    assert found["broken"] == 8  # a domain in repair
    assert sum(found.values()) + 8 == 32
    cluster.site_down(0)
    (found,) = cluster.fragmentation()
    assert found["out"] + found["broken"] == 32
    assert sum(found[name] for name in REASONS) == 0


def test_the_queue_is_what_waits_now() -> None:
    cluster = cluster_of(32, 32, 8, backfill="none")
    assert cluster.waiting().tolist() == [1, 2]
    late = cluster.submit(make_jobs(np.array([0]), np.array([HOUR]), np.array([8])))
    assert cluster.waiting().tolist() == [1, 2, late]
    cluster.advance(11 * HOUR)  # the first is over, the second runs
    assert cluster.waiting().tolist() == [2, late]
    cluster.cancel(2)
    assert cluster.waiting().tolist() == [late]
    cluster.advance(DAY)
    assert cluster.waiting().tolist() == []
    assert np.array_equal(cluster.waiting(), np.flatnonzero(cluster.runs["state"] == 1))

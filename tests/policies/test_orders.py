"""Each order and placement differs from FCFS with best fit on a case worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from capsim.kernel.api import Cluster, Policy
from capsim.kernel.layout import Classes, Layout, make_jobs
from capsim.policies.orders import order, placement


@order
def smallest_first(job: Any) -> float:
    return job.size_min * 1.0


@placement
def emptiest(needed: int, free: int, size: int) -> int:
    return -free


def schedule(
    policy: Policy, rows: list[tuple[int, int, int]], domains: int = 1, tenant: Any = 0, until: int = 10**9
) -> Cluster:
    """Jobs (submit, run, size) on domains of 8 chips."""
    layout = Layout()
    layout.site(layout.pool(8))
    layout.tranche(0, domains)
    classes = Classes(1)
    classes.add()
    high = classes.add(priority=1)
    submit, run, size = (np.array(c, dtype=np.int64) for c in zip(*rows, strict=True))
    cls = np.where(size == 7, high, 0)
    cluster = Cluster(layout, make_jobs(submit, run, size, cls=cls, tenant=tenant), classes, policy=policy)
    cluster.activate(0)
    cluster.advance(until)
    return cluster


@pytest.mark.parametrize(
    ("rule", "starts"),
    [
        ("fcfs", [0, 10, 110, 115]),
        ("sjf", [0, 25, 10, 15]),
        ("priority", [0, 20, 120, 10]),
        (smallest_first, [0, 25, 10, 15]),
    ],
)
def test_orders(rule: str | Callable[..., Any], starts: list[int]) -> None:
    """Sizes of 5 and more on 8 chips, so one job at a time: the order alone decides."""
    rows = [(0, 10, 8), (1, 100, 8), (2, 5, 5), (3, 10, 7)]
    assert schedule(Policy(order=rule, backfill="none"), rows).runs["start"].tolist() == starts


@pytest.mark.parametrize(
    ("rule", "domain"),
    [("best-fit", 1), ("first-fit", 0), ("spread", 2), (emptiest, 2), ("pack-tenant", 0)],
)
def test_placements(rule: str | Callable[..., Any], domain: int) -> None:
    """Domains with 4, 3 and 8 free chips; then a job of 2 chips of the tenant that is on domain 0."""
    rows = [(200, 90, 4), (201, 80, 5), (202, 50, 2)]
    cluster = schedule(Policy(placement=rule), rows, 3, np.array([1, 2, 1]), until=210)
    assert [cluster.held(j) for j in range(3)] == [{0: 4}, {1: 5}, {domain: 2}]

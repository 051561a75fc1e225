"""Each order and placement differs from FCFS with best fit on a case worked out by hand."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
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


def example_of_the_page(root: Path) -> str:
    """The ten lines of docs/scheduling.md."""
    page = (root / "docs" / "scheduling.md").read_text(encoding="utf-8")
    return page.split("## Own policies")[1].split("```python\n")[1].split("```")[0]


def test_the_example_of_the_page(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys in chips × √h: 8 × √(10 ms), 5 × √(40 ms), 4 × √(90 ms); one job at a time on 8 chips, by hand.

    At 5 the second of the page's jobs has key 5·√40 = 31.6 against 4·√90 = 37.9 (in √ms): it goes first.
    """
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    (tmp_path / "my_policies.py").write_text(example_of_the_page(root), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    policy = importlib.import_module("my_policies").policy
    rows = [(0, 10, 8), (1, 90, 4), (2, 40, 5)]
    cluster = schedule(Policy(policy.order, "none"), rows)
    assert cluster.runs["start"].tolist() == [0, 50, 10]
    # domains with 4, 3 and 8 free chips: 3 chips leave no crumbs in the second, 2 go where most is free
    rows = [(200, 90, 4), (201, 80, 5), (202, 50, 3), (203, 50, 2)]
    held = schedule(Policy(placement=policy.placement), rows, 3, until=210)
    assert [held.held(j) for j in range(4)] == [{0: 4}, {1: 5}, {1: 3}, {2: 2}]


CACHED = """
import my_policies
print(sum(my_policies.policy.order.stats.cache_hits.values()),
      sum(my_policies.policy.placement.stats.cache_hits.values()))
"""


def test_compiled_policies_are_kept_for_the_next_process(root: Path, tmp_path: Path) -> None:
    """The first process compiles and keeps them, the second one loads both."""
    source = example_of_the_page(root).replace("from capsim.kernel.api import Policy", "from types import *")
    source = source.replace("policy = Policy(", "policy = SimpleNamespace(")
    (tmp_path / "my_policies.py").write_text(source, encoding="utf-8")
    environment = os.environ | {
        "NUMBA_CACHE_DIR": str(tmp_path / "compiled"),
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{root}",
    }
    shown = [
        subprocess.run(
            [sys.executable, "-c", CACHED], env=environment, capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(2)
    ]
    assert shown == [["0", "0"], ["1", "1"]]

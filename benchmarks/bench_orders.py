"""Queue orders, an own one too, against fcfs, without and with backfilling: jobs/s of the loop, JIT warm.

Goal: no order takes more than twice the processor time of fcfs with the same backfilling in the same run
(a million jobs of the first mix on 524,160 chips in racks, load .9, 50 tenants).

``python benchmarks/bench_orders.py [--jobs N] [--repeats N] [--tenants N] [NAME ...]`` prints a row for each
order whose name begins with one of the names (default: all); ``pytest benchmarks/bench_orders.py`` runs a
tenth of the jobs under pytest-benchmark.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from capsim.bench.cases import LARGE
from capsim.bench.inputs import DAY, MIXES, Columns, draw, layout
from capsim.kernel.api import Cluster, Policy
from capsim.kernel.layout import Classes, make_jobs
from capsim.policies.orders import order

JOBS, TENANTS, LOAD = 1_000_000, 50, 0.9
GOAL = 2.0
"""Times the processor time of fcfs with the same backfilling."""


@order
def least_chip_time(job: Any) -> float:
    """An own order: least chips x estimate first."""
    return float(job.size_ref * job.requested)


CASES: dict[str, dict[str, Any]] = {
    "fcfs": {"order": "fcfs"},
    "sjf": {"order": "sjf"},
    "priority": {"order": "priority"},
    "edf": {"order": "edf"},
    "own, least chip-time": {"order": least_chip_time},
    "fair-share": {"order": "fair-share"},
    "fair-share by class": {"order": "fair-share", "by_class": True},
    "drf": {"order": "drf"},
    "drf by class": {"order": "drf", "by_class": True},
    "las": {"order": "las"},
    "themis": {"order": "themis"},
    "themis by class": {"order": "themis", "by_class": True},
}
BACKFILLS = ("none", "easy")


def cluster_of(columns: Columns, tenants: int, backfill: str, rules: dict[str, Any]) -> Cluster:
    """The fleet and all jobs before the first instant: tenants by Zipf's law, a tenth of the jobs urgent."""
    submit, run, size, requested = columns
    rng = np.random.default_rng(2)
    weight = 1.0 / np.arange(1, tenants + 1)
    classes = Classes(1)
    classes.add()
    urgent = classes.add(priority=1)
    rows = make_jobs(
        submit, run, size, requested,
        cls=np.where(rng.random(len(submit)) < 0.1, urgent, 0),
        tenant=rng.choice(tenants, len(submit), p=weight / weight.sum()),
    )  # fmt: skip
    policy = Policy(backfill=backfill, **rules)
    cluster = Cluster(layout(LARGE, failures=False), rows, classes, policy=policy, max_extra_jobs=0)
    cluster.activate(0)
    return cluster


def measure(columns: Columns, tenants: int, backfill: str, rules: dict[str, Any]) -> tuple[float, int]:
    """Processor seconds until every job has ended, and the longest queue."""
    cluster = cluster_of(columns, tenants, backfill, rules)
    end, jobs = int(columns[0][-1]), len(columns[0])
    began = time.process_time()
    cluster.advance(end)
    while cluster.counters()["completed"] + cluster.counters()["at_limit"] < jobs:
        end += DAY
        cluster.advance(end)
    return time.process_time() - began, cluster.counters()["longest_queue"]


@pytest.mark.parametrize("backfill", BACKFILLS)
@pytest.mark.parametrize("name", CASES)
def bench_order(benchmark: Any, name: str, backfill: str) -> None:
    columns = draw(MIXES["first"], JOBS // 10, LARGE, LOAD)
    benchmark.group = f"{backfill}, {JOBS // 10:,} jobs"
    benchmark.pedantic(measure, args=(columns, TENANTS, backfill, CASES[name]), rounds=2, warmup_rounds=1)


def main() -> None:
    """A row an order: time, ratio to fcfs and longest queue, without and with EASY; the orders take turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=JOBS)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tenants", type=int, default=TENANTS)
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    columns = draw(MIXES["first"], args.jobs, LARGE, LOAD)
    print(f"{args.jobs:,} jobs, {LARGE:,} chips in racks, load {LOAD:g}, {args.tenants} tenants;", end=" ")
    print(f"processor time, least of {args.repeats}; goal: at most {GOAL:g} times fcfs")
    names = [name for name in CASES if name == "fcfs" or not args.names or name.startswith(tuple(args.names))]
    pairs = [(name, backfill) for name in names for backfill in BACKFILLS]
    small = draw(MIXES["first"], 1_000, LARGE, LOAD)
    for name, backfill in pairs:
        measure(small, args.tenants, backfill, CASES[name])  # loads what is compiled
    found = dict.fromkeys(pairs, (float("inf"), 0))
    for _ in range(args.repeats):
        for name, backfill in pairs:
            took = measure(columns, args.tenants, backfill, CASES[name])
            found[name, backfill] = min(found[name, backfill], took)
    print(f"{'order':<20}" + "".join(f"{b:>12}{'of fcfs':>9}{'queue':>9}" for b in BACKFILLS))
    for name in names:
        line = f"{name:<20}"
        for backfill in BACKFILLS:
            seconds, queue = found[name, backfill]
            ratio = seconds / found["fcfs", backfill][0]
            line += f"{seconds:>10.2f} s{ratio:>8.2f}{'*' if ratio > GOAL else ' '}{queue:>9,}"
        print(line)


if __name__ == "__main__":
    main()

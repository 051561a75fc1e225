"""What preemption and quotas cost: the same jobs without, in one process, one after another.

Goal: at most 2 times the processor time (1 M jobs of the mixes of ``capsim bench``, 524,160 chips in racks
of 72, load .9, EASY). Jobs checkpoint every hour and restart in 5 minutes, in both runs (assumed). What is
timed is the loop alone: no drawing of jobs, no layout of the cluster. Every stop is a further start, so the
ratio has a floor above 1: compare the columns of stops and starts.

``python benchmarks/bench_preemption.py [--jobs N] [--mix MIX] [--load X] [--repeats N] [WORD ...]`` prints a
table of the settings whose names contain all words; ``pytest benchmarks/bench_preemption.py`` runs JOBS jobs
of each under pytest-benchmark.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from capsim.bench.cases import LARGE
from capsim.bench.inputs import DAY, HOUR, MIXES, SECOND, Columns, draw, layout
from capsim.kernel.api import Cluster, Policy
from capsim.kernel.governance import Governance, Tenant
from capsim.kernel.layout import Classes, make_jobs

JOBS = 100_000
TENANTS = 50


@dataclass(frozen=True)
class Setting:
    """``shares``: of the jobs, by priority from 1 on; ``governed``: tenants with equal quotas in a cohort.

    ``quantiles``: thresholds of las are these quantiles of the jobs' service, size × run time.
    ``without``: "preemption", "reclaim" or "tenants", what the run that it is compared with does not have.
    """

    name: str
    without: str
    order: str = "priority"
    shares: tuple[float, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    quantiles: tuple[float, ...] = ()
    governed: bool = False


SETTINGS = (
    Setting("priority, a tenth urgent", "preemption", shares=(0.1,)),
    Setting("priority, four levels alike", "preemption", shares=(0.25, 0.25, 0.25)),
    Setting("las, 1 and 10 chip-hours", "preemption", "las"),
    Setting("las, tuned thresholds", "preemption", "las", quantiles=(0.5, 0.9)),
    Setting("tenants, reclaim", "reclaim", "fcfs", governed=True),
    Setting("tenants, quotas and reclaim", "tenants", "fcfs", governed=True),
)


@dataclass(frozen=True)
class Run:
    """Processor seconds of the loop, and what it counted."""

    seconds: float
    starts: int
    preemptions: int
    mean_wait_s: float


def cluster_of(setting: Setting, columns: Columns, *, plain: bool) -> Cluster:
    """A cluster, all of it there, before the first job; ``plain``: without what the setting is about."""
    submit, run, size, requested = columns
    rng = np.random.default_rng([1, 1])  # the urgent tenth is that of ``capsim bench``
    levels = len(setting.shares) + 1
    classes = Classes(1)
    for priority in range(levels):
        classes.add(
            restart=5 * 60 * SECOND,
            interval=HOUR,
            priority=priority,
            preemptible=priority < levels - 1 or levels == 1,
        )
    part = np.searchsorted(np.cumsum(setting.shares), rng.random(len(submit)), side="right")
    cls = np.where(part < levels - 1, part + 1, 0)
    rows = make_jobs(submit, run, size, requested, cls=cls, tenant=rng.integers(0, TENANTS, len(submit)))
    options = dict(setting.options)
    if setting.quantiles:
        service = np.quantile(size * run, setting.quantiles)
        options["thresholds"] = tuple(int(value) for value in service)
    policy = Policy(
        order=setting.order, order_options=options, preemption=setting.without == "preemption" and not plain
    )
    governance = None
    if setting.governed and not (plain and setting.without == "tenants"):
        quota = [Tenant(quota=LARGE // TENANTS, cohort=0)] * TENANTS
        governance = Governance(quota, reclaim=not plain)
    fleet = layout(LARGE, False)
    cluster = Cluster(fleet, rows, classes, policy=policy, governance=governance, max_extra_jobs=0)
    cluster.activate(0)
    return cluster


def once(setting: Setting, columns: Columns, *, plain: bool) -> Run:
    """Schedule all the jobs."""
    cluster = cluster_of(setting, columns, plain=plain)
    end, jobs = int(columns[0][-1]), len(columns[0])
    began = time.process_time()
    cluster.advance(end)
    while cluster.counters()["completed"] + cluster.counters()["at_limit"] < jobs:
        end += DAY
        cluster.advance(end)
    seconds = time.process_time() - began
    counts = cluster.counters()
    waited = float(cluster.runs["waited"].mean()) / SECOND
    return Run(seconds, counts["starts"], counts["preemptions"], waited)


def both(setting: Setting, columns: Columns, repeats: int) -> tuple[Run, Run]:
    """(without, with): the fastest of ``repeats`` runs each, in turn."""
    for plain in (True, False):
        once(setting, tuple(column[:1000] for column in columns), plain=plain)  # type: ignore[arg-type]
    pairs = [
        (once(setting, columns, plain=True), once(setting, columns, plain=False)) for _ in range(repeats)
    ]
    plain, full = zip(*pairs, strict=True)
    return min(plain, key=lambda run: run.seconds), min(full, key=lambda run: run.seconds)


@pytest.mark.parametrize("plain", [True, False], ids=["without", "with"])
@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def bench_preemption(benchmark: Any, setting: Setting, plain: bool) -> None:
    """The two rows of a group: at most twice the time."""
    benchmark.group = setting.name
    columns = draw(MIXES["first"], JOBS, LARGE, 0.9)
    benchmark.pedantic(lambda: once(setting, columns, plain=plain), rounds=2, warmup_rounds=1)


def main() -> None:
    """A table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--mix", choices=["first", "second"], default="first")
    parser.add_argument("--load", type=float, default=0.9)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("words", nargs="*")
    args = parser.parse_args()
    columns = draw(MIXES[args.mix], args.jobs, LARGE, args.load)
    print(f"{args.jobs:,} jobs, {args.mix} mix, {LARGE:,} chips in racks of 72, load {args.load:g}")
    heads = ("s", "with, s", "ratio", "stops", "starts", "wait, s", "with, s")
    print(f"{'setting':<29}{'without':<12}" + "".join(f"{head:>10}" for head in heads))
    for setting in SETTINGS:
        if all(word in setting.name for word in args.words):
            plain, full = both(setting, columns, args.repeats)
            cells = [f"{plain.seconds:.2f}", f"{full.seconds:.2f}", f"{full.seconds / plain.seconds:.2f}"]
            cells += [f"{full.preemptions:,}", f"{full.starts:,}"]
            cells += [f"{plain.mean_wait_s:,.0f}", f"{full.mean_wait_s:,.0f}"]
            line = f"{setting.name:<29}{setting.without:<12}" + "".join(f"{cell:>10}" for cell in cells)
            print(line, flush=True)


if __name__ == "__main__":
    main()

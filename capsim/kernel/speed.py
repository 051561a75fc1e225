"""Measure the scheduler on generated jobs: the job mix of the scheduling bars (``docs/scheduling.md``)."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from capsim.kernel import replay
from capsim.kernel.api import Cluster, Policy
from capsim.kernel.layout import Classes, Failures, Layout, make_jobs

DAY = 86_400_000

FAILURE_RATE = 0.474 / 1000 / DAY
"""Failures per chip-ms: 0.474 per 1,000 chip-days, all causes (the project's default)."""

RACK, RACKS_A_BLOCK = 72, 8
"""Chips of an NVL72 rack; racks of a block as in the benchmark's fleets (assumed)."""


@dataclass(frozen=True)
class Case:
    """A policy on interchangeable chips, or on racks and blocks, or with failures too."""

    name: str
    policy: str
    racks: bool = False
    failures: bool = False


CASES = (
    Case("fcfs, interchangeable chips", "fcfs"),
    Case("easy, interchangeable chips", "easy"),
    Case("fcfs, racks", "fcfs", True),
    Case("easy, racks", "easy", True),
    Case("easy, racks, failures", "easy", True, True),
)


@dataclass(frozen=True)
class Speed:
    """Jobs per second of the loop alone, and what happened."""

    jobs_per_s: float
    backfilled: int
    longest_queue: int
    failures: int


def mix(
    n: int,
    chips: int,
    load: float,
    low: int = 3,
    high: int = 17,
    exponent: float = 0.7,
    seed: int = 1,
    exact: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(submit, run, size, requested) in ms: sizes 2^k with p ~ 2^(-exponent k), low <= k <= high.

    Run times lognormal, median 30 min, sigma 2, clipped to 10 s .. 14 d;
    requested = run x (1 + Exp(mean 1.5)), or the run time if ``exact``. Poisson arrivals at
    ``load`` of ``chips``.
    """
    rng = np.random.default_rng(seed)
    k = np.arange(low, high + 1)
    k = k[2**k <= chips]
    p = 2.0 ** (-exponent * (k - low))
    size = 2 ** rng.choice(k, n, p=p / p.sum())
    run = np.clip(np.exp(rng.normal(np.log(1800.0), 2.0, n)), 10.0, 14 * 86400.0)
    requested = run * (1.0 + rng.exponential(1.5, n))
    gap = float((size * run).mean()) / (chips * load)
    submit = np.cumsum(rng.exponential(gap, n))
    ms = [np.maximum(1, np.round(a * 1000)).astype(np.int64) for a in (submit, run, requested)]
    return ms[0], ms[1], size.astype(np.int64), ms[1] if exact else ms[2]


def racks(chips: int, failures: bool) -> Layout:
    """One site of racks in blocks; chips rounded down to whole racks."""
    layout = Layout()
    stream = Failures(rate=FAILURE_RATE, repair_median=4.0 * 3_600_000, seed=7) if failures else None
    layout.site(layout.pool(RACK, 4))
    layout.tranche(0, max(1, chips // RACK), RACKS_A_BLOCK, failures=stream)
    return layout


def measure(case: Case, jobs: int, chips: int, load: float, seed: int) -> Speed:
    """Run one case once."""
    submit, run, size, requested = mix(jobs, chips // RACK * RACK, load, seed=seed)
    if not case.racks:
        began = time.perf_counter()
        done = replay.run(submit, size, run, requested, chips, case.policy)
        seconds = time.perf_counter() - began
        return Speed(jobs / seconds, done.backfilled, done.longest_queue, 0)
    classes = Classes(1)
    classes.add(restart=300_000)
    rules = Policy(backfill="none" if case.policy == "fcfs" else case.policy)
    rows = make_jobs(submit, run, size, requested)
    cluster = Cluster(racks(chips, case.failures), rows, classes, policy=rules, max_extra_jobs=0)
    cluster.activate(0)
    began = time.perf_counter()
    cluster.advance(int(submit[-1]))
    seconds = time.perf_counter() - began
    counts = cluster.counters()
    return Speed(jobs / seconds, counts["backfilled"], counts["longest_queue"], counts["failures"])

"""Run one case and measure it: jobs a second of the loop alone, memory, and what happened."""

from __future__ import annotations

import resource
import sys
import time
import tracemalloc
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from capsim.bench.cases import Case
from capsim.bench.inputs import DAY, HOUR, MIXES, SECOND, Columns, draw, layout
from capsim.kernel import replay
from capsim.kernel.api import Cluster, Policy
from capsim.kernel.conservative import conservative_with_counters
from capsim.kernel.layout import Classes, make_jobs
from capsim.policies.orders import order, placement

URGENT_SHARE = 0.1
"""Share of the jobs that have priority in the cases with preemption (assumed)."""

WARM_UP_JOBS = 1_000
"""Jobs scheduled before the clock starts, so that no first call is measured."""


@dataclass(frozen=True)
class Figures:
    """What one case gave.

    ``seconds``: processor time of the loop, least of the repeats. ``array_bytes``: most bytes allocated for
    the scheduler's arrays, jobs and fleet included. ``resident_bytes``: by how much the process grew over
    drawing and scheduling the jobs, the columns drawn apart; ``peak_mb``: its most resident memory then,
    Python and numba included (both only of ``measure_alone``).
    """

    jobs: int
    seconds: float
    backfilled: int
    longest_queue: int
    failures: int
    preemptions: int
    array_bytes: int
    resident_bytes: int = 0
    peak_mb: float = 0.0

    @property
    def jobs_per_s(self) -> float:
        """Jobs scheduled in a second."""
        return self.jobs / self.seconds

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "jobs": self.jobs,
            "jobs_per_s": round(self.jobs_per_s),
            "seconds": self.seconds,
            "backfilled_share": self.backfilled / self.jobs,
            "longest_queue": self.longest_queue,
            "failures": self.failures,
            "preemptions": self.preemptions,
            "array_bytes_per_job": round(self.array_bytes / self.jobs, 1),
            "resident_bytes_per_job": round(self.resident_bytes / self.jobs, 1),
            "peak_mb": round(self.peak_mb),
        }


def shortest_request_first(job: Any) -> float:
    """The key of the built-in order sjf, as a user would write it."""
    return float(job.requested)


def least_free_chips(needed: int, free: int, size: int) -> int:
    """The score of the built-in placement best-fit, as a user would write it."""
    return free


def measure(case: Case, repeats: int = 1) -> Figures:
    """Run a case in this process; the compiled code is loaded, or compiled, before the clock starts."""
    columns = draw(MIXES[case.mix], case.jobs, case.chips, case.load, case.seed)
    found = [_once(case, columns) for _ in range(repeats)]
    return min(found, key=lambda figures: figures.seconds)


def _once(case: Case, columns: Columns) -> Figures:
    tracemalloc.start()
    try:
        if case.places == "chips":
            seconds, counts = _interchangeable(case, columns)
        else:
            seconds, counts = _places(case, columns)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    names = ("backfilled", "longest_queue", "failures", "preemptions")
    figures = {name: counts.get(name, 0) for name in names}
    return Figures(jobs=case.jobs, seconds=seconds, array_bytes=most, **figures)


def _interchangeable(case: Case, columns: Columns) -> tuple[float, dict[str, int]]:
    submit, run, size, requested = columns
    began = time.process_time()
    if case.policy == "conservative":
        _, done = conservative_with_counters(submit, size, run, requested, case.chips)
        counts = {"backfilled": done.backfilled, "longest_queue": done.longest_queue}
    else:
        found = replay.run(submit, size, run, requested, case.chips, case.policy)
        counts = {"backfilled": found.backfilled, "longest_queue": found.longest_queue}
    return time.process_time() - began, counts


def cluster_of(case: Case, columns: Columns) -> Cluster:
    """A cluster of the case's fleet, all of it there, before the first job."""
    submit, run, size, requested = columns
    classes = Classes(1)
    classes.add(restart=5 * 60 * SECOND, preemptible=True, interval=HOUR if case.preemption else 0)
    urgent = classes.add(restart=5 * 60 * SECOND, priority=1)
    cls: Any = 0
    if case.order == "priority":
        cls = np.where(np.random.default_rng([case.seed, 1]).random(case.jobs) < URGENT_SHARE, urgent, 0)
    rules = Policy(
        order=order(shortest_request_first) if case.order == "own" else case.order,
        backfill="none" if case.policy == "fcfs" else case.policy,
        preemption=case.preemption,
        placement=placement(least_free_chips) if case.own_placement else "best-fit",
    )
    fleet = layout(case.chips, case.places == "racks, failures")
    rows = make_jobs(submit, run, size, requested, cls=cls)
    cluster = Cluster(fleet, rows, classes, policy=rules, max_extra_jobs=0)
    cluster.activate(0)
    return cluster


def _places(case: Case, columns: Columns) -> tuple[float, dict[str, int]]:
    cluster = cluster_of(case, columns)
    end = int(columns[0][-1])
    began = time.process_time()
    cluster.advance(end)
    while cluster.counters()["completed"] + cluster.counters()["at_limit"] < case.jobs:
        end += DAY
        cluster.advance(end)
    return time.process_time() - began, cluster.counters()


def _resident() -> int:
    """Bytes of this process in memory now; where the system does not say, the most there ever were."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return _most_resident()


def _forget_peak() -> None:
    """Let the most resident memory begin anew, where the system can: compiling may have taken more before."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _most_resident() -> int:
    """Most bytes of this process in memory (Linux begins ``ru_maxrss`` with that of the parent process)."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def _isolated(case: Case, repeats: int) -> Figures:
    measure(replace(case, jobs=min(case.jobs, WARM_UP_JOBS)))
    _forget_peak()
    before = _resident()
    columns = draw(MIXES[case.mix], case.jobs, case.chips, case.load, case.seed)
    before += sum(column.nbytes for column in columns)
    first = _once(case, columns)
    most = _most_resident()
    found = [first, *(_once(case, columns) for _ in range(repeats - 1))]
    best = min(found, key=lambda figures: figures.seconds)
    return replace(best, resident_bytes=most - before, peak_mb=most / 2**20)


def measure_alone(case: Case, repeats: int = 1) -> Figures:
    """``measure`` in a process of its own, which gives its memory too."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_isolated, case, repeats).result()

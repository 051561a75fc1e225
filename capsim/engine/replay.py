"""Replay a job trace on one pool of interchangeable chips and measure the schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from capsim.errors import InputError
from capsim.workload.traces.model import Ints, JobTrace

POLICIES = ("fcfs", "easy", "conservative")

SLOWDOWN_FLOOR_MS = 10_000
"""Bounded slowdown takes jobs under 10 s for 10 s long (Feitelson & Rudolph 1998)."""


@dataclass(frozen=True)
class Schedule:
    """Starts of the jobs of a trace that fit the machine, in the trace's (submission, file) order.

    ``index`` is each scheduled job's place in the trace, ``start`` int64 ms on the trace's own clock.
    ``too_large`` counts the jobs that ask for more chips than there are; they are not scheduled.
    """

    trace: JobTrace
    policy: str
    chips: int
    index: Ints
    start: Ints
    too_large: int

    @property
    def job(self) -> Ints:
        """The trace's own job numbers, one a scheduled job."""
        return self.trace.job[self.index]


def replay_trace(trace: JobTrace, *, policy: str, chips: int | None = None) -> Schedule:
    """Schedule every job of ``trace`` that fits on ``chips`` chips (default: the header's MaxProcs).

    Jobs are ended at their requested time. Raises InputError for an unknown policy or machine size.
    """
    if policy not in POLICIES:
        raise InputError(f"unknown policy {policy!r}; write one of {', '.join(POLICIES)}")
    machine = chips if chips is not None else trace.chips
    if machine is None:
        raise InputError(f"{trace.source}: the file names no MaxProcs; say how many chips with --chips N")
    if machine < 1:
        raise InputError(f"--chips is {machine}; write a number of at least 1")
    index = np.flatnonzero(trace.size <= machine)
    start = np.empty(0, dtype=np.int64)
    if len(index):
        zero = int(trace.submit[index[0]])
        start = zero + starts_of(
            policy,
            np.ascontiguousarray(trace.submit[index] - zero),
            np.ascontiguousarray(trace.size[index]),
            np.ascontiguousarray(trace.run[index]),
            np.ascontiguousarray(trace.requested[index]),
            machine,
        )
    return Schedule(trace, policy, machine, index, start, len(trace) - len(index))


def starts_of(policy: str, submit: Ints, size: Ints, run: Ints, requested: Ints, chips: int) -> Ints:
    """Start times from the kernel; the kernels are imported here because they load numba."""
    if policy == "conservative":
        from capsim.kernel.conservative import conservative

        return np.asarray(conservative(submit, size, run, requested, chips), dtype=np.int64)
    from capsim.kernel.replay import replay

    return np.asarray(replay(submit, size, run, requested, chips, policy), dtype=np.int64)


def measure(schedule: Schedule) -> dict[str, Any]:
    """Figures of a schedule; times in seconds, utilisation and shares as fractions of 1.

    Wait is start − submission; bounded slowdown is max(1, (wait + run) / max(run, 10 s)); utilisation is
    work ÷ (chips × makespan), the makespan from the first submission to the last end. A job counts as
    backfilled if it starts before a job that was submitted earlier.
    """
    trace, index = schedule.trace, schedule.index
    figures: dict[str, Any] = {
        "file": trace.source,
        "format": trace.format,
        "policy": schedule.policy,
        "chips": schedule.chips,
        "jobs": len(index),
        "too_large": schedule.too_large,
        "cleaning": trace.cleaning.as_dict(),
    }
    if len(index) == 0:
        return figures
    submit, size, run = trace.submit[index], trace.size[index], trace.run[index]
    wait = schedule.start - submit
    slowdown = np.maximum((wait + run) / np.maximum(run, SLOWDOWN_FLOOR_MS), 1.0)
    makespan = int((schedule.start + run).max() - submit[0])
    overtaking = schedule.start < np.maximum.accumulate(schedule.start)
    figures |= {
        "wait_s": {"mean": float(wait.mean()) / 1000, **percentiles(wait / 1000)},
        "bounded_slowdown": {"mean": float(slowdown.mean()), **percentiles(slowdown)},
        "utilisation": float(np.dot(size.astype(np.float64), run)) / (float(schedule.chips) * makespan),
        "makespan_s": makespan / 1000,
        "backfilled_share": float(overtaking.mean()),
    }
    return figures


def percentiles(values: Any) -> dict[str, float]:
    """Median, 95th and 99th percentile, and the greatest value."""
    p50, p95, p99 = np.percentile(values, (50, 95, 99))
    return {"p50": float(p50), "p95": float(p95), "p99": float(p99), "max": float(values.max())}

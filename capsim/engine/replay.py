"""Replay a job trace on one pool of chips: interchangeable ones, or scale-up domains in blocks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from capsim.engine.replay_jobs import Columns, Machine, with_estimates
from capsim.engine.replay_policies import POLICIES, ReplayPolicy, parse_policy
from capsim.engine.schedule_figures import Outcomes, idle_while_wanted, schedule_figures, wait_by_size
from capsim.errors import InputError
from capsim.workload.traces.model import Ints, JobTrace

__all__ = ["POLICIES", "Machine", "Schedule", "measure", "replay_trace", "starts_of", "with_estimates"]


@dataclass(frozen=True)
class Schedule:
    """Starts and ends of the jobs of a trace that fit the machine, in the trace's (submission, file) order.

    ``index`` is each scheduled job's place in the trace, ``start`` and ``end`` int64 ms on the trace's own
    clock, ``wait`` ms in the queue, ``preemptions`` their number, ``lost`` chip-ms done again.
    ``too_large`` counts the jobs that the empty machine could not hold; they are not scheduled.
    ``unused`` are mean shares of the machine that stood free, by reason, where they were sampled.
    """

    trace: JobTrace
    policy: str
    chips: int
    index: Ints
    start: Ints
    end: Ints
    wait: Ints
    preemptions: Ints
    lost: Ints
    too_large: int
    machine: Machine = field(default_factory=Machine)
    unused: dict[str, float] = field(default_factory=dict)

    @property
    def job(self) -> Ints:
        """The trace's own job numbers, one a scheduled job."""
        return self.trace.job[self.index]

    @property
    def outcomes(self) -> Outcomes:
        """The arrays that figures are made of."""
        trace, index = self.trace, self.index
        return Outcomes(
            trace.submit[index],
            trace.size[index],
            trace.run[index],
            self.wait,
            self.end,
            trace.tenant[index].astype(np.int64),
            self.chips,
        )


def replay_trace(
    trace: JobTrace,
    *,
    policy: str,
    chips: int | None = None,
    machine: Machine | None = None,
    same_instant: str = "together",
) -> Schedule:
    """Schedule every job of ``trace`` that fits on ``chips`` chips (default: the header's MaxProcs).

    ``policy`` is a name as docs/traces.md defines it. Jobs are ended at their requested time.
    ``same_instant`` is one of ``capsim.engine.same_instant.ORDERS``.
    Raises InputError for an unknown policy, machine or option.
    """
    chosen = parse_policy(policy)
    size = chips if chips is not None else trace.chips
    if size is None:
        raise InputError(f"{trace.source}: the file names no MaxProcs; say how many chips with --chips N")
    if size < 1:
        raise InputError(f"--chips is {size}; write a number of at least 1")
    machine = machine or Machine()
    machine.check(size)
    index = np.flatnonzero(machine.fits(trace.size, size))
    zero = int(trace.submit[index[0]]) if len(index) else 0
    jobs = Columns(
        np.ascontiguousarray(trace.submit[index] - zero),
        np.ascontiguousarray(trace.size[index]),
        np.ascontiguousarray(trace.run[index]),
        np.ascontiguousarray(trace.requested[index]),
    )
    if same_instant != "together":
        from capsim.engine.same_instant import starts_by

        begun = starts_by(same_instant, chosen, machine.domain > 0, jobs, size)
        return _undisturbed(trace, chosen, size, index, begun + zero, machine)
    if len(index) == 0 or (chosen.scalar and not machine.domain):
        begun = starts_of(chosen.name, *jobs, size) if len(index) else np.empty(0, dtype=np.int64)
        return _undisturbed(trace, chosen, size, index, begun + zero, machine)
    return _on_cluster(trace, chosen, size, index, zero, jobs, machine)


def _undisturbed(
    trace: JobTrace, policy: ReplayPolicy, chips: int, index: Ints, start: Ints, machine: Machine
) -> Schedule:
    """A schedule in which every job runs from its start to its end."""
    none = np.zeros(len(index), dtype=np.int64)
    end, wait = start + trace.run[index], start - trace.submit[index]
    return Schedule(
        trace,
        policy.name,
        chips,
        index,
        start,
        end,
        wait,
        none,
        none,
        len(trace) - len(index),
        machine,
    )


def _on_cluster(
    trace: JobTrace,
    policy: ReplayPolicy,
    chips: int,
    index: Ints,
    zero: int,
    jobs: Columns,
    machine: Machine,
) -> Schedule:
    """A schedule by the full kernel."""
    from capsim.engine.replay_cluster import run_cluster

    done = run_cluster(policy, jobs, trace.tenant[index].astype(np.int64), chips, machine)
    return Schedule(
        trace,
        policy.name,
        chips,
        index,
        done.start + zero,
        done.end + zero,
        done.wait,
        done.preemptions,
        done.lost,
        len(trace) - len(index),
        machine,
        done.unused,
    )


def starts_of(policy: str, submit: Ints, size: Ints, run: Ints, requested: Ints, chips: int) -> Ints:
    """Start times from the kernels of interchangeable chips (imported here because they load numba)."""
    if policy == "conservative":
        from capsim.kernel.conservative import conservative

        return np.asarray(conservative(submit, size, run, requested, chips), dtype=np.int64)
    from capsim.kernel.replay import replay

    return np.asarray(replay(submit, size, run, requested, chips, policy), dtype=np.int64)


def measure(schedule: Schedule) -> dict[str, Any]:
    """Figures of a schedule; times in seconds, utilisation and shares as fractions of 1.

    See ``schedule_figures`` and docs/traces.md. A job counts as backfilled if it starts before a job that
    was submitted earlier. ``fragmentation`` is the share of the machine that was free while a job waited:
    exact on interchangeable chips, else the mean over samples, with ``unused`` by reason.
    """
    trace = schedule.trace
    figures: dict[str, Any] = {
        "file": trace.source,
        "format": trace.format,
        "policy": schedule.policy,
        "chips": schedule.chips,
        "jobs": len(schedule.index),
        "too_large": schedule.too_large,
        "cleaning": trace.cleaning.as_dict(),
    }
    if len(schedule.index) == 0:
        return figures
    outcomes = schedule.outcomes
    overtaking = schedule.start < np.maximum.accumulate(schedule.start)
    unused = schedule.unused
    figures |= schedule_figures(outcomes)
    figures |= {
        "fragmentation": unused["wanted"] if unused else idle_while_wanted(outcomes, schedule.start),
        "unused": unused,
        "preemptions": int(schedule.preemptions.sum()),
        "lost_chip_hours": float(schedule.lost.sum(dtype=np.float64)) / 3.6e6,
        "lost_share": float(schedule.lost.sum(dtype=np.float64)) / float(outcomes.work.sum()),
        "backfilled_share": float(overtaking.mean()),
        "wait_by_size": wait_by_size(outcomes),
    }
    return figures

"""Replay a job trace on one pool of chips: interchangeable ones, or scale-up domains in blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from capsim.engine.queue_options import QueueOptions
from capsim.engine.replay_jobs import Columns, Done, Machine, with_estimates
from capsim.engine.replay_policies import POLICIES, ReplayPolicy, parse_policy
from capsim.engine.replay_types import Types
from capsim.engine.schedule_figures import Outcomes, idle_while_wanted, schedule_figures, wait_by_size
from capsim.errors import InputError
from capsim.workload.traces.model import Ints, JobTrace

__all__ = ["POLICIES", "Machine", "Schedule", "measure", "replay_trace", "starts_of", "with_estimates"]


@dataclass(frozen=True)
class Schedule:
    """Starts and ends of the jobs of a trace that fit the machine, in the trace's (submission, file) order.

    ``index`` is each scheduled job's place in the trace, ``start`` and ``end`` int64 ms on the trace's own
    clock, ``run`` ms that it takes undisturbed at its greatest speed, ``wait`` ms in the queue,
    ``preemptions`` their number, ``lost`` chip-ms done again. ``unused`` are mean shares of the machine by
    use, where they were sampled; ``typed``: on several chip types.
    """

    trace: JobTrace
    policy: str
    chips: int
    index: Ints
    start: Ints
    end: Ints
    run: Ints
    wait: Ints
    preemptions: Ints
    lost: Ints
    unused: dict[str, float]
    typed: bool = False

    @property
    def too_large(self) -> int:
        """Jobs left out because the empty machine could not hold them."""
        return len(self.trace) - len(self.index)

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
            self.run,
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
    types: Types | None = None,
    options: QueueOptions | None = None,
    same_instant: str = "together",
) -> Schedule:
    """Schedule every job of ``trace`` that fits on ``chips`` chips, or on ``types``.

    ``chips`` is the header's MaxProcs by default.
    ``policy`` is a name as docs/traces.md defines it; ``options`` are settings of its order. Jobs are ended
    at their requested time.
    ``same_instant`` is one of ``capsim.engine.same_instant.ORDERS``.
    Raises InputError for an unknown policy, machine or option.
    """
    chosen = parse_policy(policy)
    machine = machine or Machine()
    if types is not None and same_instant != "together":
        raise InputError("--same-instant is there for fcfs and easy on interchangeable chips; leave it out")
    if types is not None:
        return _on_types(trace, chosen, types, options, plain=chips is None and machine == Machine())
    if chosen.objective:
        raise InputError(f"policy {chosen.name} needs chip types; describe them with --types FILE.yaml")
    size = chips if chips is not None else trace.chips
    if size is None:
        raise InputError(f"{trace.source}: the file names no MaxProcs; say how many chips with --chips N")
    if size < 1:
        raise InputError(f"--chips is {size}; write a number of at least 1")
    machine.check(size)
    index = np.flatnonzero(machine.fits(trace.size, size))
    jobs = columns_of(trace, index)
    if same_instant != "together":
        from capsim.engine.same_instant import starts_by

        done = undisturbed(jobs, starts_by(same_instant, chosen, machine.domain > 0, jobs, size))
    elif len(index) == 0:
        done = undisturbed(jobs, jobs.submit)
    elif chosen.scalar and not machine.domain:
        done = undisturbed(jobs, starts_of(chosen.name, *jobs, size, chosen.depth))
    else:
        from capsim.engine.replay_cluster import Queue, run_cluster

        queue = Queue(trace.tenant[index].astype(np.int64), trace.tenants, options or QueueOptions())
        done = run_cluster(chosen, jobs, queue, size, machine)
    return _schedule(trace, chosen, size, index, jobs.run, done)


def _on_types(
    trace: JobTrace, policy: ReplayPolicy, types: Types, options: QueueOptions | None, plain: bool
) -> Schedule:
    """A schedule on several chip types: Gavel's rounds, or a queue whose jobs go where they end first."""
    if not plain:
        raise InputError("--types names the chips; leave out --chips, --domain and what belongs to it")
    index = np.flatnonzero(types.fits(trace.size))
    jobs = columns_of(trace, index)
    speed = types.job_speed(jobs.size, index)
    if len(index) == 0:
        done = undisturbed(jobs, jobs.submit)
    elif policy.objective:
        from capsim.engine.gavel_rounds import run_rounds

        done = run_rounds(policy.objective, jobs, speed, types.chips, types.round_ms, types.restart_ms)
    else:
        from capsim.engine.replay_cluster import Queue, run_typed

        queue = Queue(trace.tenant[index].astype(np.int64), trace.tenants, options or QueueOptions())
        done = run_typed(policy, jobs, queue, types.job_class[index], types)
    fastest = np.ceil(jobs.run / speed.max(axis=1, initial=0.0)).astype(np.int64)
    return _schedule(trace, policy, types.total, index, fastest, done, typed=True)


def columns_of(trace: JobTrace, index: Ints) -> Columns:
    """The jobs ``index`` of a trace on a clock that starts at the first of them."""
    zero = int(trace.submit[index[0]]) if len(index) else 0
    return Columns(
        np.ascontiguousarray(trace.submit[index] - zero),
        np.ascontiguousarray(trace.size[index]),
        np.ascontiguousarray(trace.run[index]),
        np.ascontiguousarray(trace.requested[index]),
    )


def undisturbed(jobs: Columns, start: Ints) -> Done:
    """A schedule in which every job runs from its start to its end."""
    none = np.zeros(len(start), dtype=np.int64)
    return Done(start, start + jobs.run, start - jobs.submit, none, none, {})


def _schedule(
    trace: JobTrace,
    policy: ReplayPolicy,
    chips: int,
    index: Ints,
    run: Ints,
    done: Done,
    typed: bool = False,
) -> Schedule:
    """What a scheduler did, on the trace's own clock."""
    zero = int(trace.submit[index[0]]) if len(index) else 0
    return Schedule(
        trace,
        policy.name,
        chips,
        index,
        done.start + zero,
        done.end + zero,
        run,
        done.wait,
        done.preemptions,
        done.lost,
        done.unused,
        typed,
    )


def starts_of(
    policy: str, submit: Ints, size: Ints, run: Ints, requested: Ints, chips: int, depth: int = 0
) -> Ints:
    """Start times from the kernels of interchangeable chips (imported here because they load numba)."""
    if policy == "conservative" or depth:
        from capsim.kernel.conservative import conservative

        return np.asarray(conservative(submit, size, run, requested, chips, depth), dtype=np.int64)
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
    if schedule.typed:
        figures["utilisation"] = unused["busy"]
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

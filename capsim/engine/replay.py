"""Replay a job trace on one pool of chips: interchangeable ones, or scale-up domains in blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from capsim.engine.queue_options import QueueOptions
from capsim.engine.replay_jobs import Columns, Done, Machine, with_estimates
from capsim.engine.replay_policies import POLICIES, ReplayPolicy, check_machine, parse_policy
from capsim.engine.replay_rules import ReplayRules, Submitted, submitted
from capsim.engine.replay_types import Types
from capsim.engine.rounds import Progress
from capsim.engine.schedule_figures import Outcomes, idle_while_wanted, schedule_figures, wait_by_size
from capsim.engine.tenant_figures import by_tenant
from capsim.errors import InputError
from capsim.workload.traces.model import Ints, JobTrace
from capsim.workload.traces.terms import FATES

__all__ = [
    "POLICIES",
    "Machine",
    "ReplayRules",
    "Schedule",
    "measure",
    "replay_trace",
    "starts_of",
    "with_estimates",
]


@dataclass(frozen=True)
class Schedule:
    """Starts and ends of the jobs of a trace that fit the machine, in the trace's (submission, file) order.

    ``shared``: the policy looks at the tenants' shares. ``index`` is each scheduled job's place in the
    trace, ``start`` and ``end`` int64 ms on the trace's own clock, ``run`` ms that it takes undisturbed at
    its greatest speed, all attempts together, ``wait`` ms in the queue, ``preemptions`` their number,
    ``lost`` chip-ms done again. ``eligible`` is the submission, or later the instant from which a job waited
    for no other. ``unused`` are mean shares of the machine by use, where they were sampled; ``typed``: on
    several chip types; ``left_out``: how many jobs were not scheduled, by reason; ``fates``: index into
    FATES of each job; ``shares``: those of --share; ``reserved`` and ``quotas``: see Done; ``fate_time``:
    chip-ms by what came of it, with --fates.
    """

    trace: JobTrace
    policy: str
    shared: bool
    chips: int
    index: Ints
    start: Ints
    end: Ints
    run: Ints
    wait: Ints
    preemptions: Ints
    lost: Ints
    unused: dict[str, float]
    eligible: Ints
    fates: Ints
    left_out: dict[str, int]
    rules: ReplayRules
    shares: Mapping[str, float]
    reserved: Sequence[dict[str, int]] = ()
    quotas: Sequence[dict[str, Any]] = ()
    fate_time: Mapping[str, int] = field(default_factory=dict)
    typed: bool = False

    @property
    def too_large(self) -> int:
        """Jobs left out because the empty machine could not hold them."""
        return self.left_out["too_large"]

    @property
    def job(self) -> Ints:
        """The trace's own job numbers, one a scheduled job."""
        return self.trace.job[self.index]

    @property
    def outcomes(self) -> Outcomes:
        """The arrays that figures are made of."""
        trace, index = self.trace, self.index
        return Outcomes(
            self.eligible,
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
    policy: str | ReplayPolicy,
    chips: int | None = None,
    machine: Machine | None = None,
    types: Types | None = None,
    options: QueueOptions | None = None,
    rules: ReplayRules | None = None,
    same_instant: str = "together",
) -> Schedule:
    """Schedule every job of ``trace`` that fits on ``chips`` chips, or on ``types``.

    ``chips`` is the header's MaxProcs by default.
    ``policy`` is a name as docs/traces.md defines it, or what such a name stands for; ``options`` are
    settings of its order, ``rules`` what governs the cluster. Jobs are ended at their requested time.
    ``same_instant`` is one of ``capsim.engine.same_instant.ORDERS``.
    Raises InputError for an unknown policy, machine or option, and for rules that the policy cannot follow.
    """
    chosen, machine = parse_policy(policy) if isinstance(policy, str) else policy, machine or Machine()
    options, rules = options or QueueOptions(), rules or ReplayRules()
    check_machine([chosen], domains=machine.domain > 0, types=types is not None)
    rules.check(trace, [chosen])
    options.check_tenants(trace.tenants)
    if rules.file is not None:
        rules.file.check_quotas(types.names if types is not None else ())
    if same_instant != "together" and (types is not None or rules.any):
        raise InputError(
            "--same-instant is there for fcfs and easy on interchangeable chips without further rules;"
            " leave it out"
        )
    if types is not None:
        plain = chips is None and machine == Machine()
        return _on_types(trace, chosen, types, options, rules, plain)
    size = _chips_of(trace, chips)
    machine.check(size)
    if rules.file is not None:
        rules.file.check_reservations(size, machine.domain)
    chosen_jobs = _Chosen(trace, machine.fits(trace.size, size), rules)
    index, jobs = chosen_jobs.index, chosen_jobs.jobs
    if same_instant != "together":
        from capsim.engine.same_instant import starts_by

        done = undisturbed(jobs, starts_by(same_instant, chosen, machine.domain > 0, jobs, size))
    elif len(index) == 0:
        done = undisturbed(jobs, jobs.submit)
    elif chosen.scalar and not machine.domain and not rules.any:
        done = undisturbed(jobs, starts_of(chosen.name, *jobs, size, chosen.depth))
    else:
        from capsim.engine.replay_cluster import Queue, run_cluster

        queue = Queue(trace, chosen_jobs.tenant, options, rules, chosen_jobs.terms())
        if chosen.backfill == "conservative":
            from capsim.engine.replay_conservative import run_conservative

            done = run_conservative(chosen, jobs, queue, size)
        else:
            done = run_cluster(chosen, jobs, queue, size, machine)
    return chosen_jobs.schedule(chosen, size, jobs.run, done, options)


def _chips_of(trace: JobTrace, chips: int | None) -> int:
    """Chips of the machine: those said, else those of the trace's header."""
    size = chips if chips is not None else trace.chips
    if size is None:
        raise InputError(f"{trace.source}: the file names no MaxProcs; say how many chips with --chips N")
    if size < 1:
        raise InputError(f"--chips is {size}; write a number of at least 1")
    return size


def _on_types(
    trace: JobTrace,
    policy: ReplayPolicy,
    types: Types,
    options: QueueOptions,
    rules: ReplayRules,
    plain: bool,
) -> Schedule:
    """A schedule on several chip types: rounds, or a queue whose jobs go where they end first."""
    if not plain:
        raise InputError("--types names the chips; leave out --chips, --domain and what belongs to it")
    if rules.file is not None:
        rules.file.check_reserved_types(types.by_name)
    chosen = _Chosen(trace, types.fits(trace.size), rules, types)
    index, jobs = chosen.index, chosen.jobs
    speed = types.job_speed(jobs.size, index)
    if len(index) == 0:
        done = undisturbed(jobs, jobs.submit)
    elif policy.rounds:
        done = _in_rounds(policy, chosen, types, options)
    else:
        from capsim.engine.replay_cluster import Queue, run_typed

        terms = chosen.terms(types.job_class[index])
        done = run_typed(policy, jobs, Queue(trace, chosen.tenant, options, rules, terms), types)
    fastest = np.ceil(jobs.run / speed.max(axis=1, initial=0.0)).astype(np.int64)
    return chosen.schedule(policy, types.total, fastest, done, options, typed=True)


def _in_rounds(policy: ReplayPolicy, chosen: _Chosen, types: Types, options: QueueOptions) -> Done:
    """What Gavel or Sia do with at least one job, among those that are admitted where there are rules."""
    rules, trace, jobs = chosen.rules, chosen.trace, chosen.jobs
    job_class = types.job_class[chosen.index]
    admission, attempts = None, None
    restart: int | Ints = types.restart_ms
    if rules.any:
        from capsim.engine.replay_cluster import Queue
        from capsim.engine.round_admission import Admission

        terms = chosen.terms(job_class)
        jobs = jobs._replace(submit=jobs.submit.copy())
        admission = Admission(chosen.jobs, Queue(trace, chosen.tenant, options, rules, terms), types)
        attempts = terms.attempts
        restart = np.maximum(restart, [int(kind.terms.restart) for kind in terms.kinds])[terms.kind]
    state = Progress(jobs, types.round_ms, restart, attempts)
    if policy.objective:
        from capsim.engine.gavel_rounds import run_gavel

        weights = rules.weights(trace, options.shares) if policy.weighted else None
        speed = types.job_speed(jobs.size, chosen.index)
        done = run_gavel(policy.objective, state, speed, types.chips, chosen.tenant, weights, admission)
    else:
        from capsim.engine.sia_rounds import SiaRounds, run_sia

        limits = (None, None) if admission is None else (admission.capped, admission.split)
        done = run_sia(state, SiaRounds(types, jobs.size, job_class, *limits), admission)
    return done if admission is None else admission.finish(done, state)


class _Chosen:
    """The jobs of a trace that a machine and the tenants' limits let in, and their terms."""

    def __init__(
        self, trace: JobTrace, fits: NDArray[np.bool_], rules: ReplayRules, types: Types | None = None
    ) -> None:
        self.trace, self.rules = trace, rules
        within = rules.admissible(trace, types)
        self.index = np.flatnonzero(fits & within)
        self.left_out = {
            "too_large": int(np.count_nonzero(~fits)),
            "above_quota": int(np.count_nonzero(fits & ~within)),
        }
        self.jobs = columns_of(trace, self.index)
        self.submitted: Submitted | None = None

    @property
    def tenant(self) -> Ints:
        """Each job's tenant."""
        return self.trace.tenant[self.index].astype(np.int64)

    def terms(self, job_class: Ints | None = None) -> Submitted:
        """The jobs as the rules see them; ``job_class``: classes with speeds of their own."""
        self.submitted = submitted(self.trace, self.index, self.rules, job_class)
        return self.submitted

    def schedule(
        self,
        policy: ReplayPolicy,
        chips: int,
        run: Ints,
        done: Done,
        options: QueueOptions,
        typed: bool = False,
    ) -> Schedule:
        """What a scheduler did, on the trace's own clock; jobs that never started are left out."""
        began, terms = done.start >= 0, self.submitted
        zero = int(self.trace.submit[self.index[0]]) if len(self.index) else 0
        eligible = self.jobs.submit if done.eligible is None else done.eligible
        left_out = self.left_out | {
            "never_eligible": int(np.count_nonzero(~began)),
            "waits_for_unknown": terms.lost_waits + self.trace.terms.unknown_waits
            if terms is not None and self.rules.dependencies != "ignore"
            else 0,
        }
        return Schedule(
            trace=self.trace,
            policy=policy.name,
            shared=policy.shared,
            chips=chips,
            index=self.index[began],
            start=done.start[began] + zero,
            end=done.end[began] + zero,
            run=(run if terms is None else run * terms.attempts)[began],
            wait=done.wait[began],
            preemptions=done.preemptions[began],
            lost=done.lost[began],
            unused=done.unused,
            eligible=eligible[began] + zero,
            fates=np.zeros(len(run), dtype=np.int64)[began] if terms is None else terms.fate[began],
            left_out=left_out,
            rules=self.rules,
            shares=options.shares,
            reserved=done.reserved,
            quotas=done.quotas,
            fate_time=fate_time(done, terms.fate) if terms is not None and self.rules.fates else {},
            typed=typed,
        )


def fate_time(done: Done, fates: Ints) -> dict[str, int]:
    """Chip-ms by what came of it: last attempts by the job's fate, failed ones before them, work done again.

    The parts sum to all chip-time.
    """
    if done.spent is None or done.failed is None:
        return {}
    last = done.spent - done.failed - done.lost
    found = {name: int(last[fates == code].sum()) for code, name in enumerate(FATES)}
    return found | {"retried": int(done.failed.sum()), "redone": int(done.lost.sum())}


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
    exact on interchangeable chips, else the mean over samples, with ``unused`` by reason. ``by_tenant`` and
    ``fates`` are there where tenants or fates are told apart.
    """
    trace = schedule.trace
    figures: dict[str, Any] = {
        "file": trace.source,
        "format": trace.format,
        "policy": schedule.policy,
        "chips": schedule.chips,
        "jobs": len(schedule.index),
        **schedule.left_out,
        "cleaning": trace.cleaning.as_dict(),
    }
    if len(schedule.index) == 0:
        return figures
    outcomes = schedule.outcomes
    in_turn = schedule.start[np.argsort(schedule.eligible, kind="stable")]
    overtaking = in_turn < np.maximum.accumulate(in_turn)
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
    return figures | _governed(schedule)


def _governed(schedule: Schedule) -> dict[str, Any]:
    """Figures that only a governed cluster has: of each tenant, and of how jobs ended."""
    rules, outcomes, figures = schedule.rules, schedule.outcomes, dict[str, Any]()
    if rules.fates:
        counts = np.bincount(schedule.fates, minlength=len(FATES)).tolist()
        figures["fates"] = dict(zip(FATES, counts, strict=True))
        total = float(sum(schedule.fate_time.values()))
        shares_of = {name: chip_ms / total for name, chip_ms in schedule.fate_time.items()}
        figures |= {f"{name}_share": share for name, share in shares_of.items()}
        figures["goodput"] = schedule.fate_time["completed"] / (float(outcomes.chips) * outcomes.makespan)
    if schedule.reserved:
        figures["reservations"] = [
            {
                "domains": row["domains"],
                "chip_hours": row["chip_ms"] / 3.6e6,
                "used_share": row["used"] / row["chip_ms"] if row["chip_ms"] else 0.0,
                "idle_share": row["idle"] / row["chip_ms"] if row["chip_ms"] else 0.0,
            }
            for row in schedule.reserved
        ]
    if rules.file is not None or schedule.shares or schedule.shared:
        names = schedule.trace.tenants
        shares = {name: float(rules.terms_of(name).share) for name in names} | dict(schedule.shares)
        stopped = bool(schedule.preemptions.any()) or rules.retried(schedule.trace)
        figures["by_tenant"] = by_tenant(outcomes, schedule.start, names, shares, stopped)
        if schedule.quotas:
            for row in figures["by_tenant"]:
                row["quotas"] = [
                    {
                        "type": held["type"],
                        "quota": held["quota"],
                        "chip_hours": held["chip_ms"] / 3.6e6,
                        "mean_chips": held["chip_ms"] / outcomes.makespan,
                    }
                    for held in schedule.quotas
                    if names[held["tenant"]] == row["tenant"]
                ]
    return figures

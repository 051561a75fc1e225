"""Replay jobs on the full kernel: any queue order, scale-up domains, samples of what stands free."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from capsim.engine.queue_options import QueueOptions
from capsim.engine.replay_agenda import Agenda, Feedback, add_drain
from capsim.engine.replay_jobs import REASONS, Columns, Done, Machine
from capsim.engine.replay_policies import ReplayPolicy
from capsim.engine.replay_rules import Kind, ReplayRules, Submitted
from capsim.engine.replay_types import Types
from capsim.errors import InputError
from capsim.kernel.api import Cluster
from capsim.kernel.layout import Classes, Layout, make_jobs
from capsim.tables import DONE, NEVER, RUNNING
from capsim.workload.traces.model import Ints, JobTrace
from capsim.workload.traces.terms import Waits

MOST_CHIPS = 2**30
"""The kernel counts chips in 32 bits."""

SAMPLES = 400
"""Instants, equally spaced over the submissions and on to the end, at which free chips are looked at."""


class Queue(NamedTuple):
    """A trace, each scheduled job's tenant, the settings of the queue, and what else governs the jobs."""

    trace: JobTrace
    tenant: Ints
    options: QueueOptions
    rules: ReplayRules
    jobs: Submitted


def layout_of(chips: int, machine: Machine) -> Layout:
    """One pool at one site: domains in blocks, or one domain of all chips."""
    layout = Layout()
    domain = machine.domain or chips
    pool = layout.pool(domain, segment=machine.segment)
    layout.tranche(layout.site(pool), chips // domain, machine.block_domains)
    return layout


def layout_of_types(types: Types, apart: Collection[str] = ()) -> Layout:
    """A pool for each chip type: one domain, or, where its chips are told ``apart``, one of each chip."""
    layout = Layout()
    for name, chips in zip(types.names, types.chips.tolist(), strict=True):
        domain = 1 if name in apart else chips
        layout.tranche(layout.site(layout.pool(domain)), chips // domain)
    return layout


def run_cluster(
    policy: ReplayPolicy,
    jobs: Columns,
    queue: Queue,
    chips: int,
    machine: Machine,
) -> Done:
    """Schedule the jobs to the last end. Needs at least one job."""
    if chips > MOST_CHIPS:
        raise InputError(
            f"{chips:,} chips are too many for {policy.name}"
            + (" with --domain" if machine.domain else "")
            + f"; write at most {MOST_CHIPS:,}"
        )
    classes = Classes(1)
    for kind in queue.jobs.kinds:
        classes.add(locality=machine.locality, **_stopping(kind, policy, queue.rules))
    return _finish(policy, jobs, queue, layout_of(chips, machine), classes, exact=not machine.domain)


def run_typed(policy: ReplayPolicy, jobs: Columns, queue: Queue, types: Types) -> Done:
    """Schedule the jobs on a pool of each chip type, each where it is estimated to run shortest."""
    file = queue.rules.file
    parted = file.parted(types.by_name) if file is not None else ()
    layout, classes = layout_of_types(types, parted), Classes(len(types.chips))
    for kind in queue.jobs.kinds:
        speed = types.speed[kind.job_class].tolist()
        classes.add(speed=speed, assignment="earliest start", **_stopping(kind, policy, queue.rules))
    return _finish(policy, jobs, queue, layout, classes, types=types.names)


def _stopping(kind: Kind, policy: ReplayPolicy, rules: ReplayRules) -> dict[str, Any]:
    """What a class of the kernel says of priority and of being stopped."""
    terms = kind.terms
    return {
        "priority": kind.priority,
        "preemptible": bool(terms.preemptible) and (policy.preempts or rules.any),
        "grace": int(terms.grace),
        "interval": int(terms.checkpoint or 0),
        "stall": int(terms.stall) if terms.checkpoint else 0,
        "restart": int(terms.restart),
    }


def _finish(
    policy: ReplayPolicy,
    jobs: Columns,
    queue: Queue,
    layout: Layout,
    classes: Classes,
    exact: bool = False,
    types: Sequence[str] = (),
) -> Done:
    """Run the jobs to the last end and collect what became of them.

    ``exact``: where nothing stopped and nothing was drained, the schedule itself says what stood free.
    ``types``: the chip type of each pool.
    """
    terms, rules = queue.jobs, queue.rules
    table = make_jobs(jobs.submit, jobs.run, jobs.size, jobs.requested, tenant=queue.tenant, cls=terms.kind)
    thinking = terms.waits if rules.dependencies == "think" else None
    feedback = Feedback(table, thinking) if thinking is not None else None
    reservations = rules.reservations(queue.trace, terms, types)
    cluster = Cluster(
        layout,
        table if feedback is None else table[feedback.listed],
        classes,
        policy=queue.options.policy(policy, rules.preemption == "priority", rules.by_class),
        governance=rules.governance(queue.trace, queue.options.shares, terms.kinds, types),
        options=terms.options() if feedback is None else None,
        reservations=reservations,
        max_extra_jobs=feedback.late if feedback is not None else 0,
    )
    for tranche in range(len(layout.tranches)):
        cluster.activate(tranche)
    agenda = Agenda()
    drains = rules.file.terms.drains if rules.file is not None else []
    for drain in drains:
        add_drain(agenda, cluster, len(layout.sites), drain, terms.after_first)
    chips = sum(layout.domain_chips(i) * tranche.domains for i, tranche in enumerate(layout.tranches))
    unused = _sample(cluster, jobs, chips, agenda, feedback)
    place = feedback.order() if feedback is not None else np.arange(len(table))
    runs = cluster.runs[place]
    start, end, wait, preemptions, lost = (
        runs[name].astype(np.int64) for name in ("start", "end", "waited", "preemptions", "lost")
    )
    eligible = jobs.submit
    if feedback is not None:
        eligible = cluster.jobs["submit"][place].astype(np.int64)
    elif terms.waits is not None:
        eligible, end = eligible_at(jobs.submit, start, end, runs["state"] == DONE, terms.waits)
    if exact and not drains and not preemptions.any() and (terms.attempts == 1).all():
        unused = {}
    kept = [
        {"domains": len(found.domains), "chip_ms": found.reserved, "used": found.used, "idle": found.idle}
        for found in cluster.reservations()
    ]
    quotas = rules.quotas(queue.trace, lambda: cluster.quota_use()["chip_ms"], types)
    done = Done(start, end, wait, preemptions, lost, unused, eligible, kept, quotas)
    if rules.fates:
        spent = runs["chip_time"].astype(np.int64)
        done = done._replace(spent=spent, failed=cluster.failed_time()[place].astype(np.int64))
    return done


def eligible_at(
    submit: Ints, start: Ints, end: Ints, completed: NDArray[np.bool_], waits: Waits
) -> tuple[Ints, Ints]:
    """When each job had none left to wait for, and the ends, for jobs that were cancelled before a start too.

    Such a job ends when one that it needs ends otherwise, at its submission at the earliest.
    """
    eligible, ends = submit.copy(), end.copy()
    gone = np.where(start < 0, NEVER, 0)
    by_job = np.argsort(waits.job, kind="stable")
    for job, on, ok in zip(*(column[by_job].tolist() for column in waits[:3]), strict=True):
        eligible[job] = max(eligible[job], ends[on])
        if start[job] < 0 and ok and not completed[on]:
            gone[job] = min(gone[job], max(int(submit[job]), int(ends[on])))
            ends[job] = gone[job]
    return eligible, ends


def _sample(
    cluster: Cluster, jobs: Columns, chips: int, agenda: Agenda, feedback: Feedback | None
) -> dict[str, float]:
    """Run to the last end; mean shares of the machine that are free by reason, wanted, and held as spares."""
    span = int(jobs.submit[-1]) + int((jobs.size * jobs.run).sum()) // chips
    step = min(max(int(jobs.submit[-1]) // SAMPLES, 60_000), max(span // SAMPLES, 1_000))
    sums = dict.fromkeys((*REASONS, "wanted"), 0)
    now, samples = step, 0
    while True:
        until = agenda.next(now)
        status = cluster.advance(until)
        if status.job >= 0:
            assert feedback is not None
            feedback.ended(status.job, status.now, agenda, cluster)
            continue
        if until == now:
            if np.count_nonzero(cluster.runs["state"] > RUNNING) == len(jobs.submit):
                break
            samples += 1
            for free in cluster.fragmentation():
                for reason in REASONS:
                    sums[reason] += free[reason]
                sums["wanted"] += sum(free[reason] for reason in REASONS[1:])
            now += step
        agenda.act(until)
    shares = {name: total / (max(samples, 1) * chips) for name, total in sums.items()}
    held = cluster.chip_time()
    whole = float(chips) * int(cluster.runs["end"].max())
    used = {"spare": float(held["spare"].sum()) / whole, "busy": float(held["allocated"].sum()) / whole}
    return shares | used | {"samples": samples}

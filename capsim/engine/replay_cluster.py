"""Replay jobs on the full kernel: any queue order, scale-up domains, samples of what stands free."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from capsim.engine.queue_options import QueueOptions
from capsim.engine.replay_jobs import REASONS, Columns, Done, Machine
from capsim.engine.replay_policies import ReplayPolicy
from capsim.engine.replay_types import Types
from capsim.errors import InputError
from capsim.kernel.api import Cluster
from capsim.kernel.layout import Classes, Layout, make_jobs
from capsim.workload.traces.model import Ints

MOST_CHIPS = 2**30
"""The kernel counts chips in 32 bits."""

SAMPLES = 400
"""Instants, equally spaced over the submissions and on to the end, at which free chips are looked at."""


class Queue(NamedTuple):
    """Each job's tenant, the tenants' names, and the settings of the queue."""

    tenant: Ints
    tenants: tuple[str, ...]
    options: QueueOptions


def layout_of(chips: int, machine: Machine) -> Layout:
    """One pool at one site: domains in blocks, or one domain of all chips."""
    layout = Layout()
    domain = machine.domain or chips
    pool = layout.pool(domain, segment=machine.segment)
    layout.tranche(layout.site(pool), chips // domain, machine.block_domains)
    return layout


def run_cluster(
    policy: ReplayPolicy,
    jobs: Columns,
    queue: Queue,
    chips: int,
    machine: Machine,
) -> Done:
    """Schedule the jobs to the last end. Needs at least one job."""
    if policy.backfill == "conservative":
        raise InputError("conservative backfilling knows interchangeable chips only; leave --domain out")
    if chips > MOST_CHIPS:
        raise InputError(
            f"{chips:,} chips are too many for {policy.name}"
            + (" with --domain" if machine.domain else "")
            + f"; write at most {MOST_CHIPS:,}"
        )
    classes = Classes(1)
    classes.add(locality=machine.locality, preemptible=policy.preempts)
    cluster = Cluster(
        layout_of(chips, machine),
        make_jobs(jobs.submit, jobs.run, jobs.size, jobs.requested, tenant=queue.tenant),
        classes,
        policy=queue.options.policy(policy),
        governance=queue.options.governance(queue.tenants),
    )
    cluster.activate(0)
    done = _finish(cluster, jobs, chips)
    if not machine.domain and not done.preemptions.any():
        return done._replace(unused={})  # the schedule itself says exactly what stood free
    return done


def run_typed(policy: ReplayPolicy, jobs: Columns, queue: Queue, job_class: Ints, types: Types) -> Done:
    """Schedule the jobs on a pool of each chip type, each where it is estimated to run shortest."""
    if policy.backfill == "conservative":
        raise InputError("conservative backfilling knows one type of chips only; leave --types out")
    layout, classes = Layout(), Classes(len(types.chips))
    for chips in types.chips.tolist():
        layout.tranche(layout.site(layout.pool(chips)), 1)
    for speed in types.speed:
        classes.add(speed=speed.tolist(), assignment="earliest start", preemptible=policy.preempts)
    cluster = Cluster(
        layout,
        make_jobs(jobs.submit, jobs.run, jobs.size, jobs.requested, tenant=queue.tenant, cls=job_class),
        classes,
        policy=queue.options.policy(policy),
        governance=queue.options.governance(queue.tenants),
    )
    for tranche in range(len(types.chips)):
        cluster.activate(tranche)
    return _finish(cluster, jobs, types.total)


def _finish(cluster: Cluster, jobs: Columns, chips: int) -> Done:
    """Run a cluster to the last end and collect what became of its jobs."""
    unused = _sample(cluster, int(jobs.submit[-1]), chips)
    runs = cluster.runs
    start, end, wait, preemptions, lost = (
        runs[name].astype(np.int64) for name in ("start", "end", "waited", "preemptions", "lost")
    )
    return Done(start, end, wait, preemptions, lost, unused)


def _sample(cluster: Cluster, last: int, chips: int) -> dict[str, float]:
    """Run to the last end; mean shares of the machine that are free by reason, wanted, and held as spares."""
    jobs = len(cluster.jobs)
    step = max(last // SAMPLES, 60_000)
    sums = dict.fromkeys((*REASONS, "wanted"), 0)
    now, samples = 0, 0
    while True:
        now += step
        cluster.advance(now)
        count = cluster.counters()
        if count["completed"] + count["at_limit"] == jobs:
            break
        samples += 1
        for free in cluster.fragmentation():
            for reason in REASONS:
                sums[reason] += free[reason]
            sums["wanted"] += sum(free[reason] for reason in REASONS[1:])
    shares = {name: total / (max(samples, 1) * chips) for name, total in sums.items()}
    held = cluster.chip_time()
    whole = float(chips) * int(cluster.runs["end"].max())
    used = {"spare": float(held["spare"].sum()) / whole, "busy": float(held["allocated"].sum()) / whole}
    return shares | used | {"samples": samples}

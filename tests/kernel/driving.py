"""Run a case of the slow scheduler through the kernel."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from capsim.kernel.api import Cluster, Policy
from capsim.kernel.governance import Governance, Tenant
from capsim.kernel.layout import Classes, Layout, Services, make_failures, make_jobs
from capsim.kernel.options import JobOptions
from capsim.tables import DONE
from tests.oracles.case import Case


def cluster_of(case: Case) -> Cluster:
    """A cluster in the state of the case before its first instant."""
    layout = Layout(case.layout.pools, case.layout.sites, case.layout.tranches)
    if case.failures:
        layout.failures = make_failures(
            [(f.time, f.domain, f.chip, int(f.whole), f.repair) for f in case.failures]
        )
    classes = Classes(len(layout.pools))
    for cls in case.classes:
        classes.add(
            speed=cls.speed,
            kind=cls.kind,
            priority=cls.priority,
            assignment=cls.assignment,
            preference=cls.preference,
            cost=cls.cost,
            interval=cls.interval,
            stall=cls.stall,
            restart=cls.restart,
            locality=cls.locality,
            max_sites=cls.max_sites,
            preemptible=cls.preemptible,
            grace=cls.grace,
        )
    services = Services(len(layout.pools))
    for service in case.services:
        services.add(service.chips, kind=service.kind, priority=service.priority, preempts=service.preempts)
    governance = Governance([Tenant(share) for share in case.shares]) if case.shares else None
    if case.tenants:
        shares = dict(enumerate(case.shares))
        tenants = [replace(tenant, share=shares.get(i, 1.0)) for i, tenant in enumerate(case.tenants)]
        tenants += [Tenant(share) for share in case.shares[len(tenants) :]]
        governance = Governance(tenants, case.reclaim, flavors=case.flavors)
    if case.class_limits:
        governance = replace(governance or Governance(), classes=case.class_limits)
    policy = Policy(
        case.order,
        case.backfill,
        case.preemption,
        case.placement,
        case.overrun,
        case.interval,
        order_options=case.order_options,
        by_class=case.by_class,
    )
    rows, options = job_rows(case), options_of(case)
    return Cluster(
        layout,
        rows,
        classes,
        services,
        policy=policy,
        governance=governance,
        options=options,
        reservations=case.reservations,
    )


def options_of(case: Case) -> JobOptions | None:
    """What the case's jobs say beyond their rows; None if they say nothing."""
    plain = [(job.after, job.array, job.deadline, job.fate, job.retries) for job in case.jobs]
    if all(said == ((), -1, -1, DONE, 0) for said in plain):
        return None
    return JobOptions(
        after=[(j, on, kind) for j, job in enumerate(case.jobs) for on, kind in job.after],
        array=[job.array for job in case.jobs] if case.array_limits else None,
        array_limits=case.array_limits,
        deadline=[job.deadline for job in case.jobs],
        fate=[job.fate for job in case.jobs],
        retries=[job.retries for job in case.jobs],
    )


def job_rows(case: Case) -> np.ndarray[Any, Any]:
    """The case's jobs as the kernel takes them."""

    def column(name: str) -> np.ndarray[Any, Any]:
        return np.array([getattr(job, name) for job in case.jobs], dtype=np.int64)

    return make_jobs(
        column("submit"),
        column("run"),
        column("size_min"),
        column("requested"),
        cls=column("cls"),
        tenant=column("tenant"),
        size_max=column("size_max"),
        size_ref=column("size_ref"),
    )


def drive(case: Case, stops: tuple[int, ...] = ()) -> Cluster:
    """Run a case to its horizon, calling its commands at their instants; ``stops`` split the time further."""
    cluster = cluster_of(case)
    commands = sorted(case.commands, key=lambda command: command.time)
    for instant in sorted({*stops, *(command.time for command in commands)}):
        if instant >= case.horizon:
            break
        cluster.advance(instant)
        for command in commands:
            if command.time == instant:
                getattr(cluster, command.name)(*command.arguments, **command.options)
        assert cluster.check() == []
    cluster.advance(case.horizon)
    return cluster

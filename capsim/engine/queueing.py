"""From a study's section `scheduler` to what the kernel is asked for: policy, tenants, attempts that fail."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from capsim.compile.prepare import Prepared
from capsim.compile.tenants import TenantTable, reserved_system
from capsim.control.run_quotas import RunQuota
from capsim.control.world import DemandWorld
from capsim.engine.kernel_tenants import flavors_of, kernel_limits, kernel_tenants
from capsim.kernel.api import Policy
from capsim.kernel.governance import Governance
from capsim.kernel.options import JobOptions
from capsim.kernel.reserving import Reservation
from capsim.spec.scheduler import ReservedChips, Scheduler

FAILED = 1
"""The fate of campaigns that fail (`capsim.workload.demand.FATES`)."""


def cluster_terms(
    prepared: Prepared,
    tenants: TenantTable | None,
    demand: DemandWorld,
    classes: Mapping[str, Sequence[int]],
) -> dict[str, Any]:
    """What `Cluster` takes from the section: policy, governance, options, reservations.

    ``classes``: the kernel's, by the kind of work as the section's ``limits`` name it.
    """
    spec = prepared.study.scheduler
    return {
        "policy": policy_of(spec),
        "governance": governance_of(prepared, tenants, classes),
        "options": job_options(spec, demand),
        "reservations": [kept for _, kept in reservations_of(prepared, tenants)],
    }


def policy_of(spec: Scheduler) -> Policy:
    """The kernel's policy."""
    return Policy(
        interval=int(spec.interval),
        order=spec.order,
        by_class=spec.classes_first,
        backfill=spec.backfilling,
        preemption=spec.preempt,
        placement=spec.placement,
        order_options=spec.order_options(),
    )


def flavors_by_system(prepared: Prepared, tenants: TenantTable) -> dict[str, list[int]]:
    """Places of each flavor by the name of its system; none where no tenant's quota is by system."""
    return flavors_of(tenants.terms, [place.system for place in prepared.places])


def governance_of(
    prepared: Prepared, tenants: TenantTable | None, classes: Mapping[str, Sequence[int]]
) -> Governance | None:
    """The kernel's tenants and limits; None where the study does not tell tenants apart."""
    if tenants is None:
        return None
    spec = prepared.study.scheduler
    limits = kernel_limits((classes[work], terms) for work, terms in spec.limits or ())
    flavors = flavors_by_system(prepared, tenants)
    rows = kernel_tenants(tenants.terms, list(flavors))
    return Governance(rows, spec.reclaim is None or bool(spec.reclaim), limits, list(flavors.values()))


def run_quotas(prepared: Prepared, tenants: TenantTable | None) -> dict[str, RunQuota]:
    """Of named runs whose tenants have quotas by system what these allow."""
    if tenants is None:
        return {}
    systems = list(dict.fromkeys(place.system for place in prepared.places))
    flavor = {name: number for number, name in enumerate(flavors_of(tenants.terms, systems))}
    most = tenants.most()
    return {
        run: RunQuota(tenant, most[tenants.names[tenant]], {system: flavor[system] for system in systems})
        for run, tenant in tenants.of_run.items()
        if tenants.terms[tenant].by_name
    }


def job_options(spec: Scheduler, demand: DemandWorld) -> JobOptions | None:
    """Failed attempts of campaigns that fail, where the study has them run again."""
    if spec.retries is None or demand.campaigns is None:
        return None
    return JobOptions(retries=np.where(demand.campaigns["fate"] == FAILED, int(spec.retries), 0))


def reservations_of(
    prepared: Prepared, tenants: TenantTable | None
) -> list[tuple[ReservedChips, Reservation]]:
    """The study's reservations at places that the strategy has, and the kernel's.

    One of more chips than the place ever has is of all of them.
    """
    if tenants is None:
        return []
    index = {name: number for number, name in enumerate(tenants.names)}
    calendar, found = prepared.calendar, []
    for row in prepared.study.scheduler.reservations or ():
        system = reserved_system(prepared.study, row)
        start, end = max(calendar.ms(row.starts), 0), calendar.ms(row.until)
        for site, place in enumerate(prepared.places):
            if (place.offer, place.system) == (row.offer, system) and end > start:
                there = sum(prepared.portfolio.lots[lot].chips for lot in place.lots)
                kept = Reservation(
                    site=site,
                    start=start,
                    end=end,
                    chips=min(int(row.chips), there),
                    tenants=None if row.tenants is None else [index[name] for name in row.tenants],
                    announced=max(start - int(row.notice), 0),
                    flex=bool(row.flex),
                    evict=bool(row.evict),
                )
                found.append((row, kept))
    return found


def chips_allowed(
    chips: NDArray[np.int64],
    tenant: NDArray[np.int64],
    tenants: TenantTable,
    spec: Scheduler,
    systems: Collection[str],
) -> NDArray[np.int64]:
    """Chips of campaigns: what they ask for, or the most that their tenant or all of them may ever have.

    ``systems``: where campaigns can run.
    """
    most = tenants.largest(systems)
    limit = np.array([most.get(name, np.iinfo(np.int64).max) for name in tenants.names], dtype=np.int64)
    campaigns = spec.limits.campaigns if spec.limits is not None else None
    if campaigns is not None and campaigns.max_chips is not None:
        limit = np.minimum(limit, int(campaigns.max_chips))
    return np.minimum(chips, limit[tenant])

"""Tenants' quotas, borrowing, reclaim and jobs at a time, the slow way (docs/scheduling.md, "Tenants")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from capsim.kernel.governance import ClassLimit, Tenant

if TYPE_CHECKING:
    from tests.oracles.world import World

WAITING, RUNNING = 1, 2


@dataclass
class Admission:
    """Who is admitted, who has been told to stop for another tenant's quota."""

    tenants: tuple[Tenant, ...] = ()
    reclaims: bool = True
    classes: Mapping[int | tuple[int, ...], ClassLimit] = field(default_factory=dict)
    admitted: set[int] = field(default_factory=set)
    evicted: set[int] = field(default_factory=set)

    def tenant(self, index: int) -> Tenant:
        """The limits of a tenant."""
        return self.tenants[index] if index < len(self.tenants) else Tenant()


def held(world: World, tenant: int | None = None) -> list[int]:
    """Jobs that wait for admission, in the order of submission."""
    return [
        j
        for j in world.submitted
        if world.lives[j].state == WAITING
        and j not in world.admission.admitted
        and j not in world.gates.closed
        and tenant in (None, world.jobs[j].tenant)
    ]


def charged(world: World, tenant: int) -> int:
    """Chips of a tenant's admitted jobs."""
    return sum(world.jobs[j].size_max for j in world.admission.admitted if world.jobs[j].tenant == tenant)


def cohort(world: World, index: int | None) -> list[int]:
    """The tenants of a cohort."""
    return [t for t, tenant in enumerate(world.admission.tenants) if tenant.cohort == index]


def may_have(world: World, tenant: int) -> bool:
    """Whether another job of the tenant may run as far as their number goes."""
    limit = world.admission.tenant(tenant).max_running
    return limit is None or sum(world.jobs[j].tenant == tenant for j in world.admission.admitted) < limit


def class_has_room(world: World, j: int) -> bool:
    """Whether the job's class may have it too."""
    cls = world.jobs[j].cls
    groups = {
        (key,) if isinstance(key, int) else key: limit for key, limit in world.admission.classes.items()
    }
    together, limit = next((found for found in groups.items() if cls in found[0]), ((cls,), ClassLimit()))
    same = [other for other in world.admission.admitted if world.jobs[other].cls in together]
    if limit.max_running is not None and len(same) >= limit.max_running:
        return False
    chips = sum(world.jobs[other].size_max for other in [*same, j])
    return limit.max_chips is None or chips <= limit.max_chips


def has_right(world: World, tenant: int) -> bool:
    """Whether the tenant's first held job stays within its quota."""
    quota, first = world.admission.tenant(tenant).quota, held(world, tenant)[:1]
    if quota is None or not first or not may_have(world, tenant) or not class_has_room(world, first[0]):
        return False
    return charged(world, tenant) + world.jobs[first[0]].size_max <= quota


def fits(world: World, j: int) -> bool:
    """Whether the job may be charged to its tenant and to its class."""
    tenant, chips = world.jobs[j].tenant, world.jobs[j].size_max
    limits = world.admission.tenant(tenant)
    if not may_have(world, tenant) or not class_has_room(world, j):
        return False
    if limits.quota is None:
        return True
    total = charged(world, tenant) + chips
    if limits.cohort is None:
        return total <= limits.quota
    if limits.borrow is not None and total > limits.quota + limits.borrow:
        return False
    others = cohort(world, limits.cohort)
    if total > limits.quota and any(has_right(world, t) for t in others):
        return False
    quotas = sum(world.admission.tenant(t).quota or 0 for t in others)
    return sum(charged(world, t) for t in others) + chips <= quotas


def ask(world: World, j: int) -> bool:
    """A job joins the queue: whether it is admitted; an evicted one is held again."""
    admission, tenant = world.admission, world.jobs[j].tenant
    if j in admission.evicted:
        admission.evicted.remove(j)
        admission.admitted.remove(j)
        let_in(world)
        return False
    if j in admission.admitted:
        return True
    if held(world, tenant) != [j] or not fits_first(world, j):
        return False
    admission.admitted.add(j)
    return True


def fits_first(world: World, j: int) -> bool:
    """Whether a job that comes in now, and is not held yet, may be charged."""
    world.lives[j].state = 0
    try:
        return fits(world, j)
    finally:
        world.lives[j].state = WAITING


def over(world: World, j: int) -> None:
    """A job is over: others may come in."""
    if j in world.admission.admitted:
        world.admission.admitted.remove(j)
        world.admission.evicted.discard(j)
        let_in(world)


def let_in(world: World) -> None:
    """Admit first held jobs: without borrowing first, then by submission."""
    while True:
        found: list[tuple[bool, int, int]] = []
        for tenant in {world.jobs[j].tenant for j in held(world)}:
            j = held(world, tenant)[0]
            chips, quota = world.jobs[j].size_max, world.admission.tenant(tenant).quota
            if fits(world, j):
                borrows = quota is not None and charged(world, tenant) + chips > quota
                found.append((borrows, world.submitted.index(j), j))
        if not found:
            return
        j = min(found)[2]
        world.admission.admitted.add(j)
        world.enter(j)


def reclaim(world: World) -> None:
    """Before a pass: evict jobs of borrowers for tenants whose first held job stays within their quota."""
    if not world.admission.reclaims:
        return
    for tenant, limits in enumerate(world.admission.tenants):
        if limits.cohort is not None and has_right(world, tenant):
            reclaim_for(world, tenant)


def reclaim_for(world: World, tenant: int) -> None:
    """Latest submitted first, only while their tenant borrows; nobody if that is not enough."""
    from tests.oracles.preemption import stop_or_warn

    admission = world.admission
    others = cohort(world, admission.tenant(tenant).cohort)
    beyond = {t: charged(world, t) - (admission.tenant(t).quota or 0) for t in others}
    borrowing = [t for t in others if beyond[t] > 0]
    lacking = world.jobs[held(world, tenant)[0]].size_max
    lacking += sum(charged(world, t) - (admission.tenant(t).quota or 0) for t in others)
    for j in admission.evicted:
        beyond[world.jobs[j].tenant] -= world.jobs[j].size_max if world.jobs[j].tenant in beyond else 0
        lacking -= world.jobs[j].size_max if world.jobs[j].tenant in others else 0
    if lacking <= 0:
        return
    chosen: list[int] = []
    for j in reversed(world.submitted):
        life, who = world.lives[j], world.jobs[j].tenant
        if j not in admission.admitted or j in admission.evicted or who not in borrowing:
            continue
        if life.state == RUNNING and (not world.class_of(j).preemptible or life.notice is not None):
            continue
        if lacking > 0 and beyond[who] > 0:
            chosen.append(j)
            lacking -= world.jobs[j].size_max
            beyond[who] -= world.jobs[j].size_max
    if lacking > 0:
        return
    for j in chosen:
        if world.lives[j].state == RUNNING:
            admission.evicted.add(j)
            stop_or_warn(world, [j])
        else:
            admission.admitted.remove(j)
    let_in(world)

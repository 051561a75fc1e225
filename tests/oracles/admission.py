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
    """Who is admitted, in which flavor if quotas are by flavor, who was told to stop for another's quota."""

    tenants: tuple[Tenant, ...] = ()
    reclaims: bool = True
    classes: Mapping[int | tuple[int, ...], ClassLimit] = field(default_factory=dict)
    flavors: tuple[tuple[int, ...], ...] = ()
    flavor: dict[int, int] = field(default_factory=dict)
    seen: int = 0
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


def by_flavor(world: World, tenant: int) -> bool:
    """Whether a tenant has a quota for each flavor."""
    return isinstance(world.admission.tenant(tenant).quota, Mapping)


def charged(world: World, tenant: int, flavor: int) -> int:
    """Chips of a tenant's admitted jobs; in a flavor, if its quotas are by flavor."""
    mine = [j for j in world.admission.admitted if world.jobs[j].tenant == tenant]
    if by_flavor(world, tenant):
        mine = [j for j in mine if world.admission.flavor[j] == flavor]
    return sum(world.jobs[j].size_max for j in mine)


def cohort(world: World, index: int | None) -> list[int]:
    """The tenants of a cohort."""
    return [t for t, tenant in enumerate(world.admission.tenants) if tenant.cohort == index]


def has_room(world: World, j: int, flavor: int) -> bool:
    """Whether the active chips of some pool of a flavor, in which the job can run, hold it."""
    for pool in world.admission.flavors[flavor]:
        domains = [world.fleet.domains[d] for d in world.fleet.pool_domains(pool)]
        chips = sum(d.size for d in domains if d.active)
        if world.speed[world.jobs[j].cls, pool] > 0 and chips >= world.jobs[j].size_min:
            return True
    return False


def flavors_of(world: World, j: int) -> list[int]:
    """Flavors in which the job may be admitted now, in its class's order; [0] where one quota is for all."""
    if not by_flavor(world, world.jobs[j].tenant):
        return [0]
    cls, flavors = world.class_of(j), world.admission.flavors
    preference = cls.preference or tuple(range(len(cls.speed)))
    pools = sorted(range(len(cls.speed)), key=lambda pool: (preference[pool], pool))
    every = list(dict.fromkeys(next(f for f, some in enumerate(flavors) if p in some) for p in pools))
    return [f for f in every if has_room(world, j, f)] or every


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


def has_right(world: World, tenant: int, flavor: int) -> bool:
    """Whether the tenant's first held job stays within its quota in a flavor in which it may be admitted."""
    limits, first = world.admission.tenant(tenant), held(world, tenant)[:1]
    if limits.quota is None or not first or not may_have(world, tenant):
        return False
    if not class_has_room(world, first[0]) or flavor not in flavors_of(world, first[0]):
        return False
    return charged(world, tenant, flavor) + world.jobs[first[0]].size_max <= limits.limits(flavor)[0]


def fits(world: World, j: int) -> int | None:
    """The first flavor in which the job may be charged to its tenant and to its class; None: in none."""
    if not may_have(world, world.jobs[j].tenant) or not class_has_room(world, j):
        return None
    return next((f for f in flavors_of(world, j) if fits_in(world, j, f)), None)


def fits_in(world: World, j: int, flavor: int) -> bool:
    """Whether the job may be charged to its tenant in a flavor."""
    tenant, chips = world.jobs[j].tenant, world.jobs[j].size_max
    limits = world.admission.tenant(tenant)
    if limits.quota is None:
        return True
    total = charged(world, tenant, flavor) + chips
    quota, borrow = limits.limits(flavor)
    if limits.cohort is None:
        return total <= quota
    if borrow is not None and total > quota + borrow:
        return False
    others = cohort(world, limits.cohort)
    if total > quota and any(has_right(world, t, flavor) for t in others):
        return False
    return sum(charged(world, t, flavor) for t in others) + chips <= lent(world, others, flavor)


def lent(world: World, tenants: list[int], flavor: int) -> int:
    """Quotas of tenants together."""
    return sum(world.admission.tenant(t).limits(flavor)[0] for t in tenants)


def admit(world: World, j: int, flavor: int) -> None:
    """Charge for the job."""
    world.admission.admitted.add(j)
    if by_flavor(world, world.jobs[j].tenant):
        world.admission.flavor[j] = flavor


def release(world: World, j: int) -> None:
    """Give the charge back."""
    world.admission.admitted.remove(j)
    world.admission.flavor.pop(j, None)


def ask(world: World, j: int) -> bool:
    """A job joins the queue: whether it is admitted; an evicted one is held again."""
    admission, tenant = world.admission, world.jobs[j].tenant
    if j in admission.evicted:
        admission.evicted.remove(j)
        release(world, j)
        let_in(world)
        return False
    if j in admission.admitted:
        return True
    flavor = fits_first(world, j) if held(world, tenant) == [j] else None
    if flavor is None:
        return False
    admit(world, j, flavor)
    return True


def fits_first(world: World, j: int) -> int | None:
    """The flavor for a job that comes in now, and is not held yet."""
    world.lives[j].state = 0
    try:
        return fits(world, j)
    finally:
        world.lives[j].state = WAITING


def over(world: World, j: int) -> None:
    """A job is over: others may come in."""
    if j in world.admission.admitted:
        release(world, j)
        world.admission.evicted.discard(j)
        let_in(world)


def let_in(world: World) -> None:
    """Admit first held jobs: without borrowing first, then by submission."""
    while True:
        found: list[tuple[bool, int, int, int]] = []
        for tenant in {world.jobs[j].tenant for j in held(world)}:
            j, limits = held(world, tenant)[0], world.admission.tenant(tenant)
            flavor = fits(world, j)
            if flavor is not None:
                total = charged(world, tenant, flavor) + world.jobs[j].size_max
                borrows = limits.quota is not None and total > limits.limits(flavor)[0]
                found.append((borrows, world.submitted.index(j), j, flavor))
        if not found:
            return
        *_, j, flavor = min(found)
        admit(world, j, flavor)
        world.enter(j)


def look_again(world: World) -> None:
    """Before a pass, if capacity or speeds changed: waiting jobs leave flavors that hold them no more."""
    admission = world.admission
    if len(admission.flavors) < 2 or admission.seen == world.changes:
        return
    admission.seen = world.changes
    for j, flavor in list(admission.flavor.items()):
        if world.lives[j].state == WAITING and flavor not in flavors_of(world, j):
            release(world, j)
    let_in(world)


def reclaim(world: World) -> None:
    """Before a pass: evict jobs of borrowers for tenants whose first held job stays within their quota."""
    if not world.admission.reclaims:
        return
    for tenant, limits in enumerate(world.admission.tenants):
        first = held(world, tenant)[:1]
        if limits.cohort is not None and first:
            for flavor in flavors_of(world, first[0]):
                if has_right(world, tenant, flavor) and reclaim_for(world, tenant, flavor):
                    break


def reclaim_for(world: World, tenant: int, flavor: int) -> bool:
    """Latest submitted first, only while their tenant borrows; nobody (False) if that is not enough."""
    from tests.oracles.preemption import stop_or_warn

    admission = world.admission
    others = cohort(world, admission.tenant(tenant).cohort)
    beyond = {t: charged(world, t, flavor) - lent(world, [t], flavor) for t in others}
    borrowing = [t for t in others if beyond[t] > 0]
    lacking = world.jobs[held(world, tenant)[0]].size_max + sum(beyond.values())
    there = [j for j in admission.admitted if admission.flavor.get(j, flavor) == flavor]
    for j in admission.evicted:
        if j in there and world.jobs[j].tenant in others:
            beyond[world.jobs[j].tenant] -= world.jobs[j].size_max
            lacking -= world.jobs[j].size_max
    if lacking <= 0:
        return True
    chosen: list[int] = []
    for j in reversed(world.submitted):
        life, who = world.lives[j], world.jobs[j].tenant
        if j not in there or j in admission.evicted or who not in borrowing:
            continue
        if life.state == RUNNING and (not world.class_of(j).preemptible or life.notice is not None):
            continue
        if lacking > 0 and beyond[who] > 0:
            chosen.append(j)
            lacking -= world.jobs[j].size_max
            beyond[who] -= world.jobs[j].size_max
    if lacking > 0:
        return False
    for j in chosen:
        if world.lives[j].state == RUNNING:
            admission.evicted.add(j)
            stop_or_warn(world, [j])
        else:
            release(world, j)
    let_in(world)
    return True

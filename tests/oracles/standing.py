"""Orders whose keys change with time, the slow way: every sum over the whole history (docs/scheduling.md)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from capsim.policies.orders import CHANGING, order_options
from tests.oracles.case import Case

if TYPE_CHECKING:
    from tests.oracles.world import World


@dataclass
class Span:
    """Chips that a job held from ``begin``, until ``end`` if that is over."""

    job: int
    begin: int
    chips: int
    pool: int
    end: int | None = None


@dataclass
class Standing:
    """Keys of the waiting jobs (with las also of the running ones), and what they are computed from."""

    case: Case
    keys: dict[int, float] = field(default_factory=dict)
    tenant_keys: dict[int, float] = field(default_factory=dict)
    shortest: dict[int, int] = field(default_factory=dict)
    pools: dict[int, int] = field(default_factory=dict)
    forgotten: dict[int, int] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)
    keyed_at: int | None = None
    tick: int | None = None
    options: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.options = order_options(self.case.order, self.case.order_options)
        if self.case.order == "las" and self.options["thresholds"] is None:
            self.options["thresholds"] = self.own_thresholds()
        if self.options.get("recalculate"):
            self.options["recalculate"] = max(self.options["recalculate"], self.case.interval)

    def own_thresholds(self) -> list[int]:
        """The service that half of the jobs, and nine of ten, do not ask for more of."""
        service = sorted(job.requested * job.size_ref for job in self.case.jobs)
        if not service:
            return [3_600_000, 36_000_000]
        least = [
            next(v for v in service if sum(w <= v for w in service) * 10 >= tenths * len(service))
            for tenths in (5, 9)
        ]
        return sorted({max(1, v) for v in least})

    def share(self, tenant: int) -> float:
        """A tenant's weight."""
        return self.case.shares[tenant] if tenant < len(self.case.shares) else 1.0


def least_estimate(world: World, j: int) -> int:
    """The estimate of what is left of a job at the best speed that its class has now."""
    job, cls = world.jobs[j], world.class_of(j)
    speed = max(world.speed_of(j, pool) for pool in range(len(cls.speed)))
    best = max(speed * (job.size_max / job.size_ref), 1e-300)
    left = world.lives[j].request_left
    return (left if best == 1.0 else int(left / best)) + world.restart_of(j)


def restate(world: World, cls: int) -> None:
    """The speed of a class changed: what its waiting jobs need at least."""
    for j in waiting(world):
        if world.jobs[j].cls == cls and j in world.standing.shortest:
            world.standing.shortest[j] = least_estimate(world, j)


def join(world: World, j: int) -> None:
    """A job joins the queue: it gets a key."""
    standing = world.standing
    if world.case.order not in CHANGING:
        return
    job = world.jobs[j]
    standing.shortest[j] = least_estimate(world, j)
    standing.pools[j] = first_pool(world, j)
    ahead = [other for other in waiting(world) if other != j and world.jobs[other].tenant == job.tenant]
    standing.keys[j] = key(world, j, ahead)


def waiting(world: World) -> list[int]:
    """Waiting jobs in the order of submission."""
    return [j for j in world.submitted if world.is_waiting(j)]


def before_pass(world: World) -> None:
    """Compute all keys if a multiple of ``recalculate`` has passed."""
    standing = world.standing
    if world.case.order not in CHANGING:
        return
    every = standing.options["recalculate"]
    last = standing.keyed_at
    if every == 0 or last is None or world.now // every > last // every:
        standing.keyed_at = world.now
        if world.case.order == "fair-share":
            for tenant in {job.tenant for job in world.jobs}:
                used = usage(world, tenant) / standing.share(tenant)
                standing.tenant_keys[tenant] = float(np.float32(used))
        for j in waiting(world):
            if world.case.order == "las":
                promote(world, j)
            standing.keys[j] = key(world, j, ahead_of(world, j))
        if world.case.order == "las":
            for j in world.running():
                standing.keys[j] = level(world, j)


def ahead_of(world: World, j: int) -> list[int]:
    """Waiting jobs of the job's tenant before it: by class, if that goes first, then by submission."""
    mine = [other for other in waiting(world) if world.jobs[other].tenant == world.jobs[j].tenant]
    if world.case.by_class:
        mine.sort(key=lambda other: -world.class_of(other).priority)
    return mine[: mine.index(j)]


def after_instant(world: World) -> None:
    """The next instant of the calendar at which there is a pass if jobs wait while others run."""
    every = world.standing.options.get("recalculate", 0)
    world.standing.tick = None
    if every and waiting(world) and world.running():
        world.standing.tick = (world.now // every + 1) * every


def key(world: World, j: int, ahead: list[int]) -> float:
    """The key of a job with these jobs of its tenant ahead of it."""
    order, tenant = world.case.order, world.jobs[j].tenant
    if order == "fair-share":
        return world.standing.tenant_keys.get(tenant, 0.0)
    if order == "drf":
        return dominant_share(world, tenant, ahead)
    if order == "las":
        return level(world, j)
    return -finish_ratio(world, j)


def key_now(world: World, j: int) -> float:
    """The key that orders a waiting job: as it stands, or drf's of the moment where nothing is backfilled."""
    if world.case.order == "drf" and world.case.backfill == "none":
        return key(world, j, ahead_of(world, j))
    return world.standing.keys[j]


def usage(world: World, tenant: int) -> float:
    """Integral over the past of the tenant's chips × 2^(−age / half-life)."""
    total, half = 0.0, world.standing.options["half_life"]
    for span in world.standing.spans:
        if world.jobs[span.job].tenant == tenant:
            end = world.now if span.end is None else span.end
            if half:
                old, young = 2.0 ** (-(world.now - span.begin) / half), 2.0 ** (-(world.now - end) / half)
                total += span.chips * half / math.log(2) * (young - old)
            else:
                total += span.chips * (end - span.begin)
    return total


def dominant_share(world: World, tenant: int, ahead: list[int]) -> float:
    """Largest share of a pool's chips, running and ahead in the queue, over the tenant's weight."""
    most = 0.0
    for pool in range(len(world.case.layout.pools)):
        domains = [world.fleet.domains[d] for d in world.fleet.pool_domains(pool)]
        chips = sum(d.size for d in domains if d.active)
        held = sum(
            world.lives[j].chips
            for j in world.running(lambda life, pool=pool: life.pool == pool)  # type: ignore[misc]
            if world.jobs[j].tenant == tenant
        )
        asked = sum(world.jobs[j].size_min for j in ahead if world.standing.pools[j] == pool)
        if chips:
            most = max(most, (held + asked) / chips)
    return most / world.standing.share(tenant)


def first_pool(world: World, j: int) -> int:
    """The pool that the job would try first now; 0 if it can run nowhere."""
    able = [pool for pool in world.class_of(j).pools() if world.speed_of(j, pool) > 0]
    return able[0] if able else 0


def attained(world: World, j: int) -> int:
    """Chip-ms that the job has had since its last promotion."""
    spans = [span for span in world.standing.spans if span.job == j]
    had = sum(span.chips * ((world.now if span.end is None else span.end) - span.begin) for span in spans)
    return had - world.standing.forgotten.get(j, 0)


def level(world: World, j: int) -> int:
    """The queue of las that the job is in."""
    return sum(attained(world, j) >= limit for limit in world.standing.options["thresholds"])


def promote(world: World, j: int) -> None:
    """A job that waited too long for what it has run starts anew in the first queue."""
    had, life = attained(world, j), world.lives[j]
    knob = world.standing.options["promote"]
    if knob and had and (world.now - life.queued) * world.jobs[j].size_min >= knob * had:
        world.standing.forgotten[j] = world.standing.forgotten.get(j, 0) + had


def finish_ratio(world: World, j: int) -> float:
    """Estimated finish time if started now over that of the job alone on its tenant's share."""
    job, cls = world.jobs[j], world.class_of(j)
    able = [pool for pool in range(len(cls.speed)) if world.speed_of(j, pool) > 0]
    if not able:
        return 0.0
    chips = sum(
        d.size
        for pool in able
        for d in (world.fleet.domains[i] for i in world.fleet.pool_domains(pool))
        if d.active
    )
    tenants = range(
        max([len(world.case.shares), len(world.case.tenants), *(other.tenant + 1 for other in world.jobs)])
    )
    everyone = sum(world.standing.share(tenant) for tenant in tenants)
    mine = chips * world.standing.share(job.tenant) / everyone
    best = max(world.speed[job.cls, pool] for pool in able)
    alone = job.requested / (best * job.size_max / job.size_ref)
    if mine < job.size_min:
        alone *= job.size_min / max(mine, 1e-9)
    return (world.now - job.submit + world.standing.shortest[j]) / alone

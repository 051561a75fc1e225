"""The scheduling pass: the queue from its head, the reservation, backfilling (docs/scheduling.md)."""

from __future__ import annotations

from dataclasses import dataclass

from tests.oracles import windows
from tests.oracles.placement import FreeMap, Part, Request, Rule, place
from tests.oracles.progress import progress_time
from tests.oracles.world import World

Option = tuple[int, list[Part]]
"""A pool and the parts that a job would take there."""


@dataclass
class Reservation:
    """The blocked head's promise: the pool, the shadow time, extra chips by domain of its sites, its domains."""

    pool: int
    shadow: int
    extra: dict[int, int]
    all_extra: int
    taken: frozenset[int]


def fit(world: World, j: int, pool: int, free: FreeMap, *, least: bool = False) -> list[Part] | None:
    """The rule for a job on a free map: its largest size that is placed (``least``: its least size)."""
    job, cls = world.jobs[j], world.class_of(j)
    last_tenant = {d: t.last_tenant for d, t in enumerate(world.fleet.domains) if t.last_tenant is not None}
    rule = Rule(world.case.placement, last_tenant)
    for chips in [job.size_min] if least else range(job.size_max, job.size_min - 1, -1):
        parts = place(world.fleet.shapes[pool], free, Request(chips, cls.max_sites, job.tenant), rule)
        if parts is not None:
            return parts
    return None


def pools_of(world: World, j: int) -> list[int]:
    """Pools where the job can run, in its class's order."""
    return [pool for pool in world.class_of(j).pools() if world.speed_of(j, pool) > 0]


def choose(world: World, j: int, options: list[Option]) -> Option | None:
    """The option that the class's assignment takes; ties go to the pool tried first."""
    if not options:
        return None
    cls, c = world.class_of(j), world.jobs[j].cls
    if cls.assignment == "earliest start":
        return min(options, key=lambda option: plain_time(world, j, option[0]))
    if cls.assignment == "cheapest":
        return min(options, key=lambda option: world.cost[c, option[0]] / world.speed[c, option[0]])
    return options[0]


def plain_time(world: World, j: int, pool: int) -> int:
    """Estimated run time in a pool at the size that is free there, as if in one block, no checkpoints."""
    parts = fit(world, j, pool, windows.open_now(world, j, pool, world.fleet.free_map(pool)))
    assert parts is not None
    rate = world.rate(j, pool, sum(part.chips for part in parts), 1, 1.0)
    return progress_time(world.lives[j].request_left, rate)


def start_on_free(world: World, j: int) -> bool:
    """Start a job if the rule places it now in any of its pools."""
    options: list[Option] = []
    for pool in pools_of(world, j):
        parts = windows.fits_now(world, j, pool, world.fleet.free_map(pool))
        if parts is not None:
            options.append((pool, parts))
    option = choose(world, j, options)
    if option is not None:
        world.start(j, *option)
    return option is not None


def with_ended(world: World, pool: int, until: int | None) -> FreeMap:
    """Free chips plus those of running jobs with estimated end ≤ ``until`` (None: of all running jobs)."""
    free = world.fleet.free_map(pool)
    for j in world.running():
        if until is None or world.estimated_end(j) <= until:
            for piece in world.lives[j].pieces:
                if piece.domain in free:
                    free[piece.domain] += piece.held
    return free


def hopeless(world: World, j: int) -> bool:
    """Whether the job could not be placed even if every running job ended."""
    return all(
        fit(world, j, pool, with_ended(world, pool, None), least=True) is None for pool in pools_of(world, j)
    )


def first_blocked(world: World) -> int | None:
    """Start jobs from the head of the queue; the first that has to wait for others, if any."""
    easy = world.case.backfill == "easy"
    hopeful = world.queue()
    while hopeful:
        j = hopeful[0]
        if not start_on_free(world, j):
            if not (easy and hopeless(world, j)):
                return j
            world.passed_over = True
            hopeful.remove(j)
        hopeful = [other for other in world.queue() if other in hopeful]
    return None


def reservation(world: World, head: int) -> Reservation:
    """The head's reservation in the pool where it is earliest (ties: its order of pools)."""
    found: Reservation | None = None
    ends = {world.estimated_end(j) for j in world.running()}
    for pool in pools_of(world, head):
        for shadow in sorted({*ends, *windows.boundaries(world), world.now}):
            free = with_ended(world, pool, shadow)
            parts = fit(world, head, pool, windows.open_at(world, head, pool, free, shadow), least=True)
            if parts is None:
                continue
            if found is None or shadow < found.shadow:
                found = reserve(world, pool, shadow, free, parts)
            break
    assert found is not None, "the head can never be placed"
    return found


def reserve(world: World, pool: int, shadow: int, free: FreeMap, parts: list[Part]) -> Reservation:
    """The reservation of these parts, and what is over in each domain of their sites."""
    domains = world.fleet.domains
    sites = {domains[part.domain].site for part in parts}
    extra = {d: chips for d, chips in free.items() if domains[d].site in sites}
    for part in parts:
        extra[part.domain] -= part.chips + part.spare
    return Reservation(pool, shadow, extra, sum(extra.values()), frozenset(part.domain for part in parts))


def backfill(world: World, head: int, held: Reservation) -> None:
    """Every later job starts where it does not touch the reservation."""
    queue = world.queue()
    for j in queue[queue.index(head) + 1 :]:
        options: list[Option] = []
        within: dict[int, bool] = {}
        for pool in pools_of(world, j):
            parts, uses_extra = beside(world, j, pool, held)
            if parts is not None:
                options.append((pool, parts))
                within[pool] = uses_extra
        option = choose(world, j, options)
        if option is None:
            continue
        world.start(j, *option, ahead=True)
        if within[option[0]] and world.mutant != "extra-not-reduced":
            for part in option[1]:
                held.all_extra -= part.chips + part.spare
                if part.domain in held.extra:
                    held.extra[part.domain] -= part.chips + part.spare


def beside(world: World, j: int, pool: int, held: Reservation) -> tuple[list[Part] | None, bool]:
    """Where the job may start now beside the reservation, and whether that takes extra chips."""
    for own in (True, False) if world.windows else (False,):
        free = world.fleet.free_map(pool)
        parts = windows.fit_now(world, j, pool, free, own=own)
        if parts is not None and (pool != held.pool or world.mutant == "no-extra-condition"):
            return parts, False
        if parts is not None and world.estimate(j, pool, parts) <= held.shadow:
            return parts, False
        if pool != held.pool or world.mutant == "no-extra-condition":
            continue
        if world.mutant == "scalar-extra":
            fits = parts and sum(part.chips + part.spare for part in parts) <= held.all_extra
            return (parts, True) if fits else (None, False)
        least = {d: min(chips, held.extra.get(d, chips)) for d, chips in free.items()}
        parts = windows.fit_now(world, j, pool, least, own=own)
        if parts is not None:
            return parts, True
    return None, False

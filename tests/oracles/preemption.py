"""Stopping jobs of lower priority for a blocked head (docs/scheduling.md, "Preemption")."""

from __future__ import annotations

from tests.oracles.passes import fit, pools_of
from tests.oracles.placement import FreeMap
from tests.oracles.windows import fits_now, open_now
from tests.oracles.world import World


def at_risk(world: World, j: int) -> int:
    """Work that a stop would lose: chips × progress since the last checkpoint."""
    life = world.lives[j]
    assert life.pace is not None
    working = max(world.now - life.begun - life.restart_ms, 0)
    if life.pace.keeps:
        return 0
    if life.pace.interval == 0:
        return life.chips * working
    return life.chips * min(working % (life.pace.interval + life.pace.stall), life.pace.interval)


def with_victims(world: World, pool: int, victims: list[int]) -> FreeMap:
    """Free chips plus those of jobs under notice and of the victims."""
    free = world.fleet.free_map(pool)
    for j in world.running():
        if j in victims or world.lives[j].notice is not None:
            for piece in world.lives[j].pieces:
                if piece.domain in free:
                    free[piece.domain] += piece.held
    return free


def rank_of(world: World, j: int) -> tuple[int, int]:
    """What preemption compares: the class's priority; with las minus the queue, after the class if it counts."""
    priority = world.class_of(j).priority
    if world.case.order != "las":
        return priority, 0
    return priority if world.case.by_class else 0, -int(world.standing.keys[j])


def is_exempt(world: World, j: int) -> bool:
    """las: whether a running job had worked less than ``exempt`` when keys were last computed."""
    life, exempt, keyed = world.lives[j], world.standing.options["exempt"], world.standing.keyed_at
    return exempt > 0 and (keyed is None or keyed < life.begun + life.restart_ms + exempt)


def candidates(world: World, rank: tuple[int, int], pool: int, *, levels: bool = False) -> list[int]:
    """Jobs that may be stopped in a pool for a job of this rank: least work at risk first, ties highest index.

    ``levels``: those of a lower queue of las, the lowest first.
    """
    running = world.running(lambda life: life.pool == pool and life.notice is None)
    if levels:
        able = [j for j in running if world.class_of(j).preemptible and not is_exempt(world, j)]
        lower = [j for j in able if rank_of(world, j) < rank]
        return sorted(lower, key=lambda j: (rank_of(world, j), -j))
    able = [j for j in running if world.class_of(j).preemptible and (world.class_of(j).priority, 0) < rank]
    return sorted(able, key=lambda j: (at_risk(world, j), -j))


def preempt_for(world: World, head: int) -> bool:
    """Stop, or warn, the fewest jobs by the rule; whether the head starts by it, at its least size."""

    if world.case.order == "las" and world.standing.keyed_at != world.now:
        return False

    def placed(pool: int, victims: list[int]) -> bool:
        free = open_now(world, head, pool, with_victims(world, pool, victims))
        return fit(world, head, pool, free, least=True) is not None

    for pool in pools_of(world, head):
        able = candidates(world, rank_of(world, head), pool, levels=world.case.order == "las")
        victims: list[int] = []
        while not placed(pool, victims) and able:
            victims.append(able.pop(0))
        if not placed(pool, victims):
            continue
        for j in list(reversed(victims)):
            fewer = [other for other in victims if other != j]
            if placed(pool, fewer):
                victims = fewer
        stop_or_warn(world, victims)
        parts = fits_now(world, head, pool, world.fleet.free_map(pool), least=True)
        if parts is not None:
            world.start(head, pool, parts)
        return parts is not None
    return False


def stop_or_warn(world: World, victims: list[int]) -> None:
    """Grace 0: they stop now. Else they stop after the grace."""
    for j in victims:
        cls = world.class_of(j)
        world.lives[j].preemptions += 1
        if cls.grace == 0:
            world.settle(j, saved=cls.stall == 0)
            world.requeue(j)
        else:
            world.lives[j].notice = (world.now + cls.grace, cls.grace >= cls.stall)

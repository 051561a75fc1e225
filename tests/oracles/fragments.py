"""Why free chips are not used (docs/scheduling.md, "Fragmentation"), counted anew."""

from __future__ import annotations

from tests.oracles.passes import Reservation
from tests.oracles.world import World

REASONS = ("no_demand", "reserved", "too_few", "scattered", "broken", "barred", "out")


def reasons(world: World, pool: int, held: Reservation | None) -> list[dict[str, int]]:
    """Chips of a pool by reason after a pass: the rows that the page allows.

    The wholly free domains of the reservation count as reserved if a job was refused them since it was made,
    else by another reason: one row or two.
    """
    free = world.fleet.free_map(pool)
    least = [world.jobs[j].size_min for j in world.queue() if world.speed_of(j, pool) > 0]
    states = [world.fleet.counts(s, {}, pieces=False) for s in sites_of(world, pool)]
    rows = []
    for taken in sorted({0, whole_and_reserved(world, pool, held)}):
        row = dict.fromkeys(REASONS, 0)
        left = sum(free.values()) - taken
        if not least:
            row["no_demand"] = left + taken
        else:
            row["reserved"] = taken
            row["too_few" if left < min(least) else "scattered"] = left
        for name in ("broken", "barred", "out"):
            row[name] = sum(state[name] for state in states)
        rows.append(row)
    return rows


def sites_of(world: World, pool: int) -> list[int]:
    """The sites of a pool."""
    return [s for s, site in enumerate(world.fleet.sites) if site.pool == pool]


def whole_and_reserved(world: World, pool: int, held: Reservation | None) -> int:
    """Chips of the domains that are wholly free now and that the head's reservation takes or breaks into."""
    if held is None or held.pool != pool:
        return 0
    size = world.fleet.shapes[pool].domain_chips
    return sum(size for d, chips in world.fleet.free_map(pool).items() if chips == size and d in held.taken)

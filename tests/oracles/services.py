"""Replicas of inference services (docs/scheduling.md, "Services")."""

from __future__ import annotations

from tests.oracles.fleet import Holder
from tests.oracles.placement import Part, Request, Rule, place, wholly_free
from tests.oracles.world import Replica, World


def held(world: World, service: int, pool: int) -> list[Replica]:
    """Replicas of a service in a pool, in the order in which they were placed."""
    return [r for r in world.replicas if (r.service, r.pool) == (service, pool)]


def grow_all(world: World) -> None:
    """Every service grows towards its wanted replicas: by priority, then index, then pool."""
    order = sorted(range(len(world.case.services)), key=lambda s: (-world.case.services[s].priority, s))
    for service in order:
        for pool in range(len(world.case.layout.pools)):
            if world.case.services[service].chips.get(pool, 0) > 0:
                grow(world, service, pool)


def grow(world: World, service: int, pool: int) -> None:
    """Whole domains of replicas while that many are missing, then one replica at a time."""
    chips = world.case.services[service].chips[pool]
    shape = world.fleet.shapes[pool]
    while True:
        missing = world.wanted.get((service, pool), 0) - len(held(world, service, pool))
        if missing <= 0:
            return
        free = world.fleet.free_map(pool)
        per_domain = shape.domain_chips // chips
        if chips <= shape.domain_chips and missing >= per_domain:
            whole = [d for blocks in shape.sites for b in blocks for d in wholly_free(shape, b.domains, free)]
            if whole:
                for _ in range(per_domain):
                    add_replica(world, service, pool, [Part(whole[0], chips)])
                continue
        plain = type(shape)(shape.domain_chips, shape.domain_chips, shape.sites)
        parts = place(plain, free, Request(chips), Rule("best-fit", {}))
        if parts is None:
            return
        add_replica(world, service, pool, parts)


def add_replica(world: World, service: int, pool: int, parts: list[Part]) -> None:
    """Place one replica."""
    world.placed += 1
    holder: Holder = ("service", service, world.placed)
    world.replicas.append(Replica(service, pool, world.placed))
    for part in parts:
        world.hold(holder, part)


def shrink(world: World, service: int, pool: int) -> None:
    """Give back the replicas placed last until no more are held than wanted."""
    mine = held(world, service, pool)
    for replica in reversed(mine[world.wanted[service, pool] :]):
        remove(world, replica)


def lose_replica(world: World, service: int, number: int) -> None:
    """A failure ends a replica; its other chips are free."""
    world.counts["replicas_lost"] += 1
    for replica in [r for r in world.replicas if (r.service, r.number) == (service, number)]:
        remove(world, replica)


def remove(world: World, replica: Replica) -> None:
    """Free all chips of a replica."""
    world.replicas.remove(replica)
    for piece in world.fleet.pieces_of(("service", replica.service, replica.number)):
        world.drop(piece)

"""Replicas of inference services (docs/scheduling.md, "Services").

A batch is what one placement gave: the replicas of a service that share one domain, or one replica that
spans several. Each batch is one holder of chips.
"""

from __future__ import annotations

from tests.oracles import windows
from tests.oracles.fleet import Holder
from tests.oracles.placement import Part, PoolShape, Request, Rule, place, wholly_free
from tests.oracles.preemption import candidates, stop_or_warn, with_victims
from tests.oracles.world import Batch, World


def held(world: World, service: int, pool: int) -> int:
    """Replicas that a service has in a pool."""
    return sum(batch.replicas for batch in batches(world, service, pool))


def batches(world: World, service: int, pool: int) -> list[Batch]:
    """A service's batches in a pool, in the order in which they were placed."""
    return [batch for batch in world.batches if (batch.service, batch.pool) == (service, pool)]


def grow_all(world: World) -> None:
    """Every service grows towards its wanted replicas: by priority, then index, then pool.

    In the first pass after an operation, one that still lacks replicas may stop jobs, and grows again.
    """
    order = sorted(range(len(world.case.services)), key=lambda s: (-world.case.services[s].priority, s))
    for service in order:
        for pool in range(len(world.case.layout.pools)):
            if world.case.services[service].chips.get(pool, 0) > 0:
                grow(world, service, pool)
                if world.called and may_preempt(world, service, pool):
                    preempt_for(world, service, pool)
                    grow(world, service, pool)


def grow(world: World, service: int, pool: int) -> None:
    """Place replicas until no more are wanted, or none can be placed."""
    while grow_once(world, service, pool):
        pass


def lacking(world: World, service: int, pool: int) -> int:
    """Replicas that are wanted and not held."""
    return max(0, world.wanted.get((service, pool), 0) - held(world, service, pool))


def may_preempt(world: World, service: int, pool: int) -> bool:
    """Whether a service that lacks replicas may stop jobs: those of a domain or less only."""
    spec = world.case.services[service]
    small = spec.chips[pool] <= world.fleet.shapes[pool].domain_chips
    return world.case.preemption and spec.preempts and small and lacking(world, service, pool) > 0


def preempt_for(world: World, service: int, pool: int) -> None:
    """Stop, or warn, jobs of lower priority in whose chips lacking replicas fit, and no others."""
    spec, missing = world.case.services[service], lacking(world, service, pool)

    def fitting(victims: list[int]) -> int:
        free = windows.open_to_replicas(world, pool, with_victims(world, pool, victims))
        return min(missing, sum(chips // spec.chips[pool] for chips in free.values()))

    able = candidates(world, (spec.priority, 0), pool)
    victims: list[int] = []
    while able and fitting(victims) < missing:
        victims.append(able.pop(0))
    reached = fitting(victims)
    for j in list(reversed(victims)):
        fewer = [other for other in victims if other != j]
        if fitting(fewer) == reached:
            victims = fewer
    stop_or_warn(world, victims)


def grow_once(world: World, service: int, pool: int) -> bool:
    """Place one batch: a whole domain of replicas while so many are missing, else one replica."""
    chips = world.case.services[service].chips[pool]
    shape = world.fleet.shapes[pool]
    missing = world.wanted.get((service, pool), 0) - held(world, service, pool)
    if missing <= 0:
        return False
    free = windows.open_to_replicas(world, pool, world.fleet.free_map(pool))
    per_domain = shape.domain_chips // chips
    if 1 <= per_domain <= missing:
        whole = [d for blocks in shape.sites for b in blocks for d in wholly_free(shape, b.domains, free)]
        if whole:
            add(world, service, pool, per_domain, [Part(whole[0], per_domain * chips)])
            return True
    unsegmented = PoolShape(shape.domain_chips, shape.domain_chips, shape.sites)
    rule = Rule("best-fit" if chips <= shape.domain_chips else world.case.placement, {})
    parts = place(unsegmented, free, Request(chips), rule)
    if parts is not None:
        add(world, service, pool, 1, parts)
    return parts is not None


def add(world: World, service: int, pool: int, replicas: int, parts: list[Part]) -> None:
    """Place one batch."""
    world.batches_placed += 1
    holder: Holder = ("service", service, world.batches_placed)
    world.batches.append(Batch(service, pool, world.batches_placed, replicas))
    for part in parts:
        world.hold(holder, part)


def shrink(world: World, service: int, pool: int) -> None:
    """Give back the replicas placed last until no more are held than wanted."""
    surplus = held(world, service, pool) - world.wanted[service, pool]
    for batch in reversed(batches(world, service, pool)):
        leaving = min(surplus, batch.replicas)
        if leaving > 0:
            keep(world, batch, batch.replicas - leaving)
            surplus -= leaving


def keep(world: World, batch: Batch, replicas: int) -> None:
    """A batch goes on with fewer replicas; chips that they do not need are free."""
    chips = world.case.services[batch.service].chips[batch.pool]
    batch.replicas = replicas
    pieces = world.fleet.pieces_of(("service", batch.service, batch.number))
    if replicas == 0:
        world.batches.remove(batch)
        for piece in pieces:
            world.drop(piece)
    elif pieces[0].chips != replicas * chips:
        pieces[0].chips = replicas * chips


def lose(world: World, service: int, number: int) -> None:
    """A failure took chips of a batch: replicas that are not whole any more are lost."""
    (batch,) = [b for b in world.batches if (b.service, b.number) == (service, number)]
    chips = world.case.services[service].chips[batch.pool]
    left = sum(piece.chips for piece in world.fleet.pieces_of(("service", service, number)))
    replicas = left // chips
    world.counts["replicas_lost"] += batch.replicas - replicas
    keep(world, batch, replicas)


def lose_all(world: World, service: int, number: int) -> None:
    """A batch is stopped by force."""
    for batch in [b for b in world.batches if (b.service, b.number) == (service, number)]:
        world.counts["replicas_lost"] += batch.replicas
        keep(world, batch, 0)

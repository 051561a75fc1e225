"""Failures, repairs and the operations on capacity (docs/scheduling.md, "Failures" and "Capacity")."""

from __future__ import annotations

from collections.abc import Callable

from tests.oracles import admission, dependencies, standing
from tests.oracles.case import Command, Failure
from tests.oracles.fleet import Holder, Piece, strike
from tests.oracles.placement import Part
from tests.oracles.preemption import candidates, rank_of, stop_or_warn
from tests.oracles.services import lose, lose_all, shrink
from tests.oracles.world import CANCELLED, RUNNING, WAITING, Life, Repair, World


def fail(world: World, failure: Failure) -> bool:
    """Break what a failure hits; whether it happened at all."""
    domain = world.fleet.domains[failure.domain]
    if not domain.active or world.fleet.sites[domain.site].down:
        return False
    node = world.case.layout.pools[world.fleet.pool_of(failure.domain)].node_chips
    before = domain.broken
    lost = strike(domain, failure.chip, failure.whole, node)
    if lost is None:
        return False
    world.counts["failures"] += 1
    broken = domain.broken - before
    number, back = world.counts["failures"], failure.time + failure.repair
    world.repairs.append(Repair(back, number, failure.domain, broken))
    pending = [index for what, index, _ in lost if what != "service"]
    for (what, index, number), chips in lost.items():
        if what == "service":
            lose(world, index, number)
        else:
            pending.remove(index)
            interrupt(world, index, failure.domain, chips, pending)
    world.leave_if_empty(failure.domain)
    return True


def interrupt(world: World, j: int, domain: int, chips: int, pending: list[int]) -> None:
    """A gang lost ``chips`` used chips of a domain: it goes on with others, or waits again."""
    life = world.lives[j]
    world.counts["interruptions"] += 1
    world.settle(j, saved=False)
    if replace(world, j, domain, chips, pending):
        for piece in [piece for piece in life.pieces if not piece.held]:
            life.pieces.remove(piece)
            world.drop(piece)
        life.restarts += 1
        life.restart_ms = world.class_of(j).restart
        world.plan(j)
        estimate, expected = world.estimate_of_segment(j), life.estimated_end
        if life.notice is None and estimate - expected > (expected - world.now) // 16:
            life.estimated_end = estimate
    else:
        life.requeues += 1
        world.requeue(j)


def free_at(world: World, pool: int, site: int) -> dict[int, int]:
    """Free chips of the usable domains of a site."""
    return {d: n for d, n in world.fleet.free_map(pool).items() if world.fleet.domains[d].site == site}


def make_free(world: World, j: int, site: int, need: int, pending: list[int]) -> None:
    """Stop jobs of lower priority at a site until enough is free; nobody, if all together are too few."""
    pool = world.lives[j].pool
    if not world.case.preemption or world.fleet.sites[site].down or world.fleet.sites[site].draining:
        return
    able = [
        v
        for v in candidates(world, rank_of(world, j), pool, levels=world.case.order == "las")
        if world.class_of(v).grace == 0
        and v not in pending
        and world.fleet.domains[world.lives[v].pieces[0].domain].site == site
    ]
    if sum(free_at(world, pool, site).values()) + sum(world.lives[v].chips for v in able) < need:
        return
    while able and sum(free_at(world, pool, site).values()) < need:
        stop_or_warn(world, [able.pop(0)])


def replace(world: World, j: int, domain: int, chips: int, pending: list[int]) -> bool:
    """Replace chips that a gang lost in a domain: its spares there, then free chips of the site."""
    life, holder = world.lives[j], ("job", j, 0)
    site = world.fleet.domains[domain].site
    (hit,) = [piece for piece in life.pieces if piece.domain == domain]
    if hit.spare + sum(free_at(world, life.pool, site).values()) < chips:
        make_free(world, j, site, chips - min(chips, hit.spare), pending)
    free = free_at(world, life.pool, site)
    if hit.spare + sum(free.values()) < chips:
        return False
    taken = min(chips, hit.spare)
    hit.spare, hit.chips, chips = hit.spare - taken, hit.chips + taken, chips - taken
    while chips:
        where = substitute(world, domain, free, chips)
        taken = min(chips, free[where])
        free[where] -= taken
        chips -= taken
        same = [piece for piece in life.pieces if piece.domain == where]
        if same:
            same[0].chips += taken
        else:
            life.pieces.append(world.hold(holder, Part(where, taken)))
    return True


def substitute(world: World, domain: int, free: dict[int, int], chips: int) -> int:
    """The domain that gives the chips: best fit in the block, then in the site; else the one with most."""
    block = world.fleet.domains[domain].block
    near = [d for d in free if world.fleet.domains[d].block == block]
    for places in (near, list(free)):
        room = [d for d in places if free[d] >= chips]
        if room:
            return min(room, key=lambda d: (free[d], d))
    some = [d for d in near if free[d]] or [d for d in free if free[d]]
    return min(some, key=lambda d: (-free[d], d))


def mend(world: World, repair: Repair) -> None:
    """Chips come back: as spares of the gang that holds the domain as a segment, else free."""
    domain = world.fleet.domains[repair.domain]
    domain.broken -= repair.chips
    assert domain.broken >= 0
    world.counts["repairs"] += 1
    if len(domain.pieces) == 1 and domain.pieces[0].segment:
        domain.pieces[0].spare += repair.chips


def force_out(world: World, index: int) -> None:
    """Stop whoever holds a domain that leaves, as a failure would: latest placed first."""
    for piece in reversed(world.fleet.domains[index].pieces):
        stop_holder(world, piece.holder)


def stop_holder(world: World, holder: Holder) -> None:
    """A gang waits again, a replica is lost."""
    what, index, number = holder
    if what == "service":
        lose_all(world, index, number)
        return
    if world.lives[index].state == RUNNING:
        world.settle(index, saved=False)
        world.lives[index].requeues += 1
        world.counts["interruptions"] += 1
        world.requeue(index)


def command(world: World, called: Command) -> bool:
    """Do one operation that the engine calls; whether there was anything to do."""
    done = OPERATIONS[called.name](world, *called.arguments, **called.options) is not False
    world.called |= done or called.name not in (
        "activate",
        "retire",
        "resize",
    )  # nothing to do: nothing is called
    return done


def activate(world: World, tranche: int, domains: int | None = None) -> bool:
    """The lowest inactive domains of a tranche arrive."""
    waiting = [d for d in world.fleet.domains if d.tranche == tranche and not d.active]
    for domain in waiting[:domains]:
        domain.active = True
    world.changes += bool(waiting[:domains])
    return bool(waiting[:domains])


def retire(
    world: World, tranche: int, domains: int | None = None, *, at: int | None = None, kill: bool = False
) -> bool:
    """The highest active domains of a tranche take no new work and leave when nobody holds them."""
    active = [
        index
        for index, d in enumerate(world.fleet.domains)
        if d.tranche == tranche and d.active and not d.leaving
    ]
    count = len(active) if domains is None else min(domains, len(active))
    leaving = active[len(active) - count :]
    for index in leaving:
        world.fleet.domains[index].leaving = True
        world.leave_if_empty(index)
    for index in leaving:
        if kill:
            force_out(world, index)
        elif at is not None and world.fleet.domains[index].leaving:
            world.retirements.append((at, index))
    return bool(leaving)


def reclaim(world: World, tranche: int, domains: int, *, grace: int) -> None:
    """The highest active domains of a tranche leave: their gangs stop with a checkpoint after the grace."""
    mine = [
        i for i, d in enumerate(world.fleet.domains) if d.tranche == tranche and d.active and not d.leaving
    ]
    leaving, until = mine[len(mine) - domains :], world.now + grace
    warn(world, until, lambda life: any(piece.domain in leaving for piece in life.pieces))
    retire(world, tranche, domains, at=until)


def restore(world: World, tranche: int, domains: int) -> None:
    """The lowest domains of a tranche that are away, which left last, are back in working order."""
    activate(world, tranche, domains)


def warn(world: World, until: int, wanted: Callable[[Life], bool]) -> None:
    """Some running jobs stop at an instant, with a checkpoint."""
    for j in world.running(wanted):
        notice = world.lives[j].notice
        if notice is None or notice[0] > until:
            world.lives[j].notice = (until, True)


def drain(world: World, site: int, *, grace: int | None = None) -> None:
    """Nothing new starts at the site; after the grace its jobs are checkpointed and requeued."""
    world.fleet.sites[site].draining = True
    if grace is not None:
        warn(world, world.now + grace, lambda life: holds_at(world, life, site))


def holds_at(world: World, life: Life, site: int) -> bool:
    """Whether a job holds chips of a site."""
    return any(world.fleet.domains[piece.domain].site == site for piece in life.pieces)


def undrain(world: World, site: int) -> None:
    """The site takes work again."""
    world.fleet.sites[site].draining = False


def site_down(world: World, site: int) -> None:
    """All that runs at the site fails."""
    world.fleet.sites[site].down = True
    pieces: list[Piece] = [p for d in world.fleet.domains if d.site == site for p in reversed(d.pieces)]
    for holder in dict.fromkeys(piece.holder for piece in pieces):
        stop_holder(world, holder)


def site_up(world: World, site: int) -> None:
    """The outage is over."""
    world.fleet.sites[site].down = False


def cancel(world: World, j: int) -> bool:
    """Take a job out of the queue, or stop it; one that is not there any more, or not yet, stays as it is."""
    if world.lives[j].state not in (WAITING, RUNNING):
        return False
    if world.lives[j].state == RUNNING:
        world.settle(j, saved=False)
        world.release(j)
    held = j in admission.held(world)
    world.lives[j].state, world.lives[j].end = CANCELLED, world.now
    if held:
        admission.let_in(world)
    admission.over(world, j)
    dependencies.over(world, j)
    return True


def resize(world: World, service: int, pool: int, replicas: int) -> bool:
    """Set the wanted replicas; surplus ones leave now."""
    same = world.wanted.get((service, pool), 0) == replicas
    world.wanted[service, pool] = replicas
    shrink(world, service, pool)
    return not same


def set_speed(world: World, cls: int, pool: int, speed: float) -> None:
    """Change a class's speed in a pool for later starts."""
    world.speed[cls, pool] = speed
    world.changes += 1
    standing.restate(world, cls)


def set_cost(world: World, cls: int, pool: int, cost: float) -> None:
    """Change a class's cost in a pool."""
    world.cost[cls, pool] = cost


OPERATIONS: dict[str, Callable[..., bool | None]] = {
    "activate": activate,
    "retire": retire,
    "reclaim": reclaim,
    "restore": restore,
    "drain": drain,
    "undrain": undrain,
    "site_down": site_down,
    "site_up": site_up,
    "cancel": cancel,
    "resize": resize,
    "set_speed": set_speed,
    "set_cost": set_cost,
}

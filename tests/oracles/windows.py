"""Advance reservations, the slow way: who is barred from which domains (docs/scheduling.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from capsim.kernel.reserving import Reservation
from capsim.tables import NEVER
from tests.oracles.placement import FreeMap, Part

if TYPE_CHECKING:
    from tests.oracles.world import World


@dataclass
class Window:
    """A reservation, the domains that it took when it was announced, and chips × time in it."""

    reservation: Reservation
    announced: bool = False
    domains: set[int] = field(default_factory=set)
    reserved: int = 0
    used: int = 0
    idle: int = 0

    def overlaps(self, begin: int, end: int) -> bool:
        """Whether the time from ``begin`` to ``end`` is partly in the window's."""
        return begin < self.reservation.end and end > self.reservation.start


def live(world: World) -> list[Window]:
    """Windows announced and not over."""
    return [w for w in world.windows if w.announced and w.reservation.end > world.now]


def boundaries(world: World) -> list[int]:
    """Instants later than now, or now and not dealt with, at which windows are announced, begin or end."""
    found = [w.reservation.announced for w in world.windows if not w.announced]
    for w in live(world):
        found += [at for at in (w.reservation.start, w.reservation.end) if at > world.now]
    return found


def may_use(world: World, window: Window, j: int) -> bool:
    """Whether a job is of those that the window is for."""
    r, job = window.reservation, world.jobs[j]
    if r.tenants is None and r.classes is None:
        return False
    return (r.tenants is None or job.tenant in r.tenants) and (r.classes is None or job.cls in r.classes)


def bars(world: World, window: Window, j: int, begin: int, end: int) -> bool:
    """Whether a job from ``begin`` until ``end`` must keep off the window's domains."""
    r = window.reservation
    if not window.overlaps(begin, end):
        return False
    if not may_use(world, window, j):
        return True
    return not (r.flex or (r.start <= begin and end <= r.end))


def barring(world: World, j: int, pool: int, begin: int, end: int) -> list[int]:
    """The windows of a pool that bar a job."""
    mine = [i for i, w in enumerate(world.windows) if pool_of(world, w) == pool and w in live(world)]
    return [i for i in mine if bars(world, world.windows[i], j, begin, end)]


def owned(world: World, j: int, pool: int, end: int) -> list[int]:
    """The windows of a pool that have begun and that a job may use until ``end``."""
    return [
        i
        for i, w in enumerate(world.windows)
        if w in live(world)
        and pool_of(world, w) == pool
        and w.reservation.start <= world.now
        and may_use(world, w, j)
        and (w.reservation.flex or end <= w.reservation.end)
    ]


def pool_of(world: World, window: Window) -> int:
    """The pool whose domains are reserved."""
    return world.fleet.sites[window.reservation.site].pool


def domains_of(world: World, windows: list[int]) -> set[int]:
    """All domains of some windows."""
    return {d for i in windows for d in world.windows[i].domains}


def soonest_end(world: World, j: int, pool: int, chips: int) -> int:
    """Estimated end of a job if it starts now with so many chips, as if in one block."""
    parts = [Part(next(iter(world.fleet.pool_domains(pool))), chips)]
    return world.estimate(j, pool, parts)


def without(free: FreeMap, domains: set[int]) -> FreeMap:
    """A map without some domains."""
    return {d: chips for d, chips in free.items() if d not in domains}


def fit_now(
    world: World, j: int, pool: int, free: FreeMap, *, own: bool = False, least: bool = False
) -> list[Part] | None:
    """Where the rule places a job that starts now on the part of a map that it may use.

    ``own``: only in windows that it may use. The map goes by its estimated end as if in one block; where the
    placement makes it end later, so that more windows bar it, it is tried again with that end.
    """
    from tests.oracles.passes import fit

    end = soonest_end(world, j, pool, world.jobs[j].size_min)
    while True:
        barred, mine = barring(world, j, pool, world.now, end), owned(world, j, pool, end)
        usable = without(free, domains_of(world, barred))
        if own:
            usable = {d: chips for d, chips in usable.items() if d in domains_of(world, mine)}
        parts = fit(world, j, pool, usable, least=least) if mine or not own else None
        if parts is None:
            return None
        chips = sum(part.chips for part in parts)
        for later in (soonest_end(world, j, pool, chips), world.estimate(j, pool, parts)):
            more = set(barring(world, j, pool, world.now, later)) > set(barred)
            if later > end and (more or set(owned(world, j, pool, later)) < set(mine)):
                end = later
                break
        else:
            return parts


def fits_now(world: World, j: int, pool: int, free: FreeMap, *, least: bool = False) -> list[Part] | None:
    """``fit_now`` in the domains reserved for the job, else in all that it may use."""
    own = fit_now(world, j, pool, free, own=True, least=least)
    return own if own is not None else fit_now(world, j, pool, free, least=least)


def open_to_replicas(world: World, pool: int, free: FreeMap) -> FreeMap:
    """The part of a map where replicas, which have no end, may grow."""
    mine = [i for i, w in enumerate(world.windows) if w in live(world) and pool_of(world, w) == pool]
    return without(free, domains_of(world, mine))


def open_now(world: World, j: int, pool: int, free: FreeMap) -> FreeMap:
    """The part of a map that a job may use, by its estimated end as if in one block."""
    end = soonest_end(world, j, pool, world.jobs[j].size_min)
    return without(free, domains_of(world, barring(world, j, pool, world.now, end)))


def open_at(world: World, j: int, pool: int, free: FreeMap, begin: int) -> FreeMap:
    """The part of a map that a job of least size may use if it starts at a later instant."""
    length = soonest_end(world, j, pool, world.jobs[j].size_min) - world.now
    return without(free, domains_of(world, barring(world, j, pool, begin, begin + length)))


def reach(world: World) -> bool:
    """Windows begin, are over or are announced at this instant; whether any did."""
    happened = any(
        world.now in (w.reservation.start, w.reservation.end) for w in world.windows if w.announced
    )
    for w in world.windows:
        if w.announced and w.reservation.start == world.now:
            evict(world, w)
    for w in world.windows:
        if not w.announced and w.reservation.announced <= world.now:
            happened = w.announced = True
            take(world, w)
    for w in world.windows:
        if w.announced and w.reservation.start == w.reservation.announced == world.now:
            evict(world, w)
    return happened


def take(world: World, window: Window) -> None:
    """Choose the domains: those estimated to be free at the start first, then those free soonest."""
    r = window.reservation
    others = [w for w in live(world) if w is not window and w.overlaps(r.start, r.end)]
    taken = {d for w in others for d in w.domains}
    found: list[tuple[int, int]] = []
    for index, domain in enumerate(world.fleet.domains):
        if domain.site == r.site and domain.active and not domain.leaving and index not in taken:
            jobs = [piece.holder[1] for piece in domain.pieces if piece.holder[0] == "job"]
            until = max((world.estimated_end(j) for j in jobs), default=0)
            until = NEVER if len(jobs) < len(domain.pieces) else until
            found.append((until if until > r.start else 0, index))
    size = world.case.layout.pools[world.fleet.sites[r.site].pool].domain_chips
    window.domains = {index for _, index in sorted(found)[: r.whole_domains(size)]}


def evict(world: World, window: Window) -> None:
    """At the start of a window replicas leave; if it asks for it, jobs that may not use it, with a checkpoint."""
    from tests.oracles.services import keep

    inside = [piece.holder for d in window.domains for piece in world.fleet.domains[d].pieces]
    for batch in list(world.batches):
        if ("service", batch.service, batch.number) in inside:
            keep(world, batch, 0)
    if not window.reservation.evict:
        return
    for j in world.running():
        inside = any(piece.domain in window.domains for piece in world.lives[j].pieces)
        if inside and not may_use(world, window, j):
            world.settle(j, saved=True)
            world.requeue(j)


def integrate(world: World, until: int) -> None:
    """Add chips × time of the windows that have begun."""
    for w in live(world):
        if w.reservation.start <= world.now:
            domains = [world.fleet.domains[d] for d in w.domains if world.fleet.domains[d].active]
            length = until - world.now
            w.reserved += length * sum(d.size for d in domains)
            w.idle += length * sum(d.free for d in domains)
            w.used += length * sum(d.size - d.free - d.broken for d in domains)

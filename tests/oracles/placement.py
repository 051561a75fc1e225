"""Where the placement rule puts a gang, written as the rule reads (docs/scheduling.md, "Placement").

A free map gives, for each usable domain, the chips that may be taken there. Domains and blocks have
ascending numbers; a lower number wins every tie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FreeMap = dict[int, int]


@dataclass(frozen=True)
class Part:
    """Chips that a gang takes of one domain: ``chips`` it works on and ``spare`` it only holds."""

    domain: int
    chips: int
    spare: int = 0


@dataclass(frozen=True)
class Block:
    """Domains that one scale-out unit connects."""

    domains: tuple[int, ...]
    oversubscription: float = 1.0


@dataclass(frozen=True)
class PoolShape:
    """A pool: chips per domain, chips a gang uses of a whole one, and its sites' blocks in order of trial."""

    domain_chips: int
    segment: int
    sites: tuple[tuple[Block, ...], ...]


@dataclass(frozen=True)
class Request:
    """What is asked for: ``chips``, over at most ``max_sites`` sites; ``tenant`` matters to pack-tenant."""

    chips: int
    max_sites: int = 1
    tenant: int = 0


@dataclass(frozen=True)
class Rule:
    """The placement policy, and the tenant last placed in each domain."""

    policy: str
    last_tenant: dict[int, int]


def place(pool: PoolShape, free: FreeMap, request: Request, rule: Rule) -> list[Part] | None:
    """The parts of a gang on a free map, or None where the rule does not place it."""
    for blocks in pool.sites:
        parts = place_in_site(pool, blocks, free, request, rule)
        if parts is not None:
            return parts
    if request.max_sites > 1 and request.chips > pool.domain_chips:
        return place_over_sites(pool, free, request, rule)
    return None


def place_in_site(
    pool: PoolShape, blocks: Sequence[Block], free: FreeMap, request: Request, rule: Rule
) -> list[Part] | None:
    """The rule inside one site."""
    if request.chips <= pool.domain_chips:
        domain = one_domain(site_domains(blocks), free, request, rule)
        return None if domain is None else [Part(domain, request.chips)]
    count, remainder = divmod(request.chips, pool.segment)
    taken, last = whole_domains(pool, blocks, free, count, rule)
    if taken is None or last is None:
        return None
    parts = whole_parts(pool, taken)
    if remainder == 0:
        return parts
    domain = remainder_domain(last.domains, free, remainder, taken)
    if domain is None:
        domain = remainder_domain(site_domains(blocks), free, remainder, taken)
    return None if domain is None else [*parts, Part(domain, remainder)]


def place_over_sites(pool: PoolShape, free: FreeMap, request: Request, rule: Rule) -> list[Part] | None:
    """The rule for a gang that no single site holds: whole domains only, most wholly free sites first.

    The last domain is held whole and used in part.
    """
    count = -(-request.chips // pool.segment)
    unused = count * pool.segment - request.chips
    whole = [len(wholly_free(pool, site_domains(blocks), free)) for blocks in pool.sites]
    order = sorted((s for s, number in enumerate(whole) if number), key=lambda s: (-whole[s], s))
    taken: list[int] = []
    for site in order[: request.max_sites]:
        some, _ = whole_domains(pool, pool.sites[site], free, min(whole[site], count - len(taken)), rule)
        assert some is not None
        taken += some
        if len(taken) == count:
            parts = whole_parts(pool, taken)
            last = parts.pop()
            return [*parts, Part(last.domain, last.chips - unused, last.spare + unused)]
    return None


def site_domains(blocks: Sequence[Block]) -> tuple[int, ...]:
    """All domains of a site, in ascending order."""
    return tuple(domain for block in blocks for domain in block.domains)


def one_domain(domains: Sequence[int], free: FreeMap, request: Request, rule: Rule) -> int | None:
    """The domain for a job that fits into one."""
    room = [domain for domain in domains if free.get(domain, 0) >= request.chips]
    if not room:
        return None
    if rule.policy == "first-fit":
        return min(room)
    if rule.policy == "spread":
        return min(room, key=lambda domain: (-free[domain], domain))
    if rule.policy == "pack-tenant":
        same = [domain for domain in room if rule.last_tenant.get(domain) == request.tenant]
        room = same or room
    return min(room, key=lambda domain: (free[domain], domain))


def wholly_free(pool: PoolShape, domains: Sequence[int], free: FreeMap) -> list[int]:
    """The domains all of whose chips are free."""
    return [domain for domain in domains if free.get(domain, 0) == pool.domain_chips]


def whole_domains(
    pool: PoolShape, blocks: Sequence[Block], free: FreeMap, count: int, rule: Rule
) -> tuple[list[int] | None, Block | None]:
    """``count`` wholly free domains of one site, in one block if one has so many; the last block taken."""
    whole = [wholly_free(pool, block.domains, free) for block in blocks]
    enough = [b for b in range(len(blocks)) if len(whole[b]) >= count]
    if enough:
        if rule.policy == "first-fit":
            chosen = min(enough)
        elif rule.policy == "spread":
            chosen = min(enough, key=lambda b: (-len(whole[b]), b))
        else:
            chosen = min(enough, key=lambda b: (len(whole[b]), b))
        return whole[chosen][:count], blocks[chosen]
    taken: list[int] = []
    for b in sorted(range(len(blocks)), key=lambda b: (-len(whole[b]), b)):
        taken += whole[b][: count - len(taken)]
        if len(taken) == count:
            return taken, blocks[b]
    return None, None


def whole_parts(pool: PoolShape, domains: Sequence[int]) -> list[Part]:
    """A gang's parts on whole domains: the segment's chips, the others held as spares."""
    spare = pool.domain_chips - pool.segment
    return [Part(domain, pool.segment, spare) for domain in domains]


def remainder_domain(domains: Sequence[int], free: FreeMap, chips: int, taken: Sequence[int]) -> int | None:
    """The domain with least sufficient free chips, apart from those taken."""
    room = [domain for domain in domains if domain not in taken and free.get(domain, 0) >= chips]
    return min(room, key=lambda domain: (free[domain], domain)) if room else None

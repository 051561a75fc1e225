"""Domains and what is held in them: the slow scheduler's capacity, counted anew at every look."""

from __future__ import annotations

from dataclasses import dataclass, field

from capsim.kernel.layout import Layout
from tests.oracles.placement import Block, FreeMap, PoolShape

Holder = tuple[str, int, int]
"""("job", index, 0) or ("service", row, replica): who holds a piece."""


@dataclass
class Piece:
    """Chips that one holder has in one domain: ``chips`` at work, ``spare`` only held.

    ``segment``: the whole domain is held, with spares; what is repaired there becomes spare again.
    """

    holder: Holder
    domain: int
    chips: int
    spare: int = 0
    segment: bool = False

    @property
    def held(self) -> int:
        """All chips of the piece."""
        return self.chips + self.spare


@dataclass
class Domain:
    """One scale-up domain. ``pieces`` are in the order in which they were placed."""

    size: int
    site: int
    block: int
    tranche: int
    active: bool = False
    leaving: bool = False
    broken: int = 0
    pieces: list[Piece] = field(default_factory=list)
    last_tenant: int | None = None

    @property
    def free(self) -> int:
        """Chips that are neither held nor in repair."""
        free = self.size - self.broken - sum(piece.held for piece in self.pieces)
        assert 0 <= free <= self.size, "capacity exceeded"
        return free


@dataclass
class Site:
    """State of a site."""

    pool: int
    down: bool = False
    draining: bool = False


class Fleet:
    """All domains of a layout, laid out site by site, within a site tranche by tranche."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.sites = [Site(site.pool) for site in layout.sites]
        self.domains: list[Domain] = []
        self.blocks: list[Block] = []
        self.site_blocks: list[list[int]] = [[] for _ in layout.sites]
        order = sorted(range(len(layout.tranches)), key=lambda t: (layout.tranches[t].site, t))
        for t in order:
            self._lay_out(t)
        self.shapes = [self._shape(pool) for pool in range(len(layout.pools))]

    def _lay_out(self, tranche: int) -> None:
        """Append the blocks and domains of one tranche."""
        spec = self.layout.tranches[tranche]
        size = self.layout.pools[self.layout.sites[spec.site].pool].domain_chips
        step = spec.block_domains or spec.domains
        for first in range(0, spec.domains, max(step, 1)):
            count = min(step, spec.domains - first)
            at = len(self.domains)
            self.site_blocks[spec.site].append(len(self.blocks))
            self.domains += [Domain(size, spec.site, len(self.blocks), tranche) for _ in range(count)]
            self.blocks.append(Block(tuple(range(at, at + count)), spec.oversubscription))

    def _shape(self, pool: int) -> PoolShape:
        """The pool as the placement rule sees it: sites by (rank, index)."""
        spec = self.layout.pools[pool]
        sites = [s for s, site in enumerate(self.layout.sites) if site.pool == pool]
        sites.sort(key=lambda s: (self.layout.sites[s].rank, s))
        blocks = tuple(tuple(self.blocks[b] for b in self.site_blocks[s]) for s in sites)
        return PoolShape(spec.domain_chips, spec.segment or spec.domain_chips, blocks)

    def pool_of(self, domain: int) -> int:
        """The pool that a domain belongs to."""
        return self.sites[self.domains[domain].site].pool

    def usable(self, domain: int) -> bool:
        """Whether new work may be placed in the domain."""
        d = self.domains[domain]
        site = self.sites[d.site]
        return d.active and not d.leaving and not site.down and not site.draining

    def pool_domains(self, pool: int) -> list[int]:
        """All domains of a pool."""
        return [d for d in range(len(self.domains)) if self.pool_of(d) == pool]

    def free_map(self, pool: int) -> FreeMap:
        """Free chips of each usable domain of a pool."""
        return {d: self.domains[d].free for d in self.pool_domains(pool) if self.usable(d)}

    def pieces_of(self, holder: Holder) -> list[Piece]:
        """All pieces of one holder, by domain."""
        return [piece for d in self.domains for piece in d.pieces if piece.holder == holder]

    def counts(self, site: int, kinds: dict[Holder, int], *, pieces: bool = True) -> dict[str, int]:
        """Chips of a site by state; ``kinds`` gives each holder's kind (``pieces`` False: not counted)."""
        found = dict.fromkeys(("active", "out", "barred", "broken", "free", "spare"), 0)
        found |= {f"kind{k}": 0 for k in range(8)}
        for index, d in enumerate(self.domains):
            if d.site != site or not d.active:
                continue
            found["active"] += d.size
            found["broken"] += d.broken
            found[self._free_state(index)] += d.free
            for piece in d.pieces if pieces else []:
                found["spare"] += piece.spare
                found[f"kind{kinds[piece.holder]}"] += piece.chips
        return found

    def _free_state(self, domain: int) -> str:
        """What the free chips of an active domain count as."""
        if self.sites[self.domains[domain].site].down:
            return "out"
        return "free" if self.usable(domain) else "barred"


def strike(domain: Domain, chip: int, whole: bool, node_chips: int) -> dict[Holder, int] | None:
    """Break chips of a domain; used chips lost by holder, latest placed first, or None if it was skipped.

    The chip position picks what is hit first: chips in repair, then holders, latest placed first
    (chips, then spares), then free chips. A node's further chips come from there, then from free chips,
    then from other holders. The domain's broken count grows; pieces shrink, some to nothing.
    """
    if chip < domain.broken:
        return None
    position = chip - domain.broken
    walk = list(reversed(domain.pieces))
    first: tuple[Piece, str] | None = None
    for piece in walk:
        for part in ("chips", "spare"):
            amount = getattr(piece, part)
            if first is None and position < amount:
                first = (piece, part)
            position -= amount
    left = domain.size - domain.broken if whole else min(node_chips, domain.size - domain.broken)
    broken = left
    free = domain.free
    lost: dict[Holder, int] = {}
    sources: list[tuple[Piece | None, str]] = [(None, "free")]
    if first is not None:
        hit, part = first
        sources = [(hit, "chips")] if part == "chips" else []
        sources += [(hit, "spare"), (None, "free")]
    sources += [(piece, part) for piece in walk for part in ("chips", "spare")]
    for source, part in sources:
        if source is None:
            taken = min(left, free)
            free -= taken
        else:
            taken = min(left, getattr(source, part))
            setattr(source, part, getattr(source, part) - taken)
            if taken and part == "chips":
                lost[source.holder] = lost.get(source.holder, 0) + taken
        left -= taken
    domain.broken += broken
    return {piece.holder: lost[piece.holder] for piece in walk if piece.holder in lost}

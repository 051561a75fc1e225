"""What a cluster can ever consist of: pools, sites, tranches of blocks and domains, and its users.

A ``Layout`` is laid out once for the most that may ever be held; everything is inactive until
``Cluster.activate``. Domains are numbered site by site, within a site tranche by tranche, so that
"lowest index" means the same everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from capsim.errors import CapsimError
from capsim.tables import (
    CHEAPEST,
    CLASS,
    CLASS_POOL,
    EARLIEST_START,
    FAILURE,
    FIXED_ORDER,
    JOB,
    N_KINDS,
    SERVICE,
)

ASSIGNMENTS = {"fixed order": FIXED_ORDER, "earliest start": EARLIEST_START, "cheapest": CHEAPEST}


class LayoutError(CapsimError):
    """A layout, job table or policy that cannot be simulated; the message says what to write instead."""


@dataclass(frozen=True)
class Failures:
    """How the nodes and domains of a tranche fail: one Poisson stream over ``virtual_domains`` domains.

    ``rate``: mean failures per chip-ms, lemons included. ``domain_share``: share that takes a whole domain.
    ``lemon_share`` of the nodes fail ``lemon_factor`` times as often as the others. Repair times are
    lognormal: median in ms, ``repair_sigma``. The stream depends on ``seed`` and these figures only.
    """

    rate: float = 0.0
    domain_share: float = 0.0
    lemon_share: float = 0.0
    lemon_factor: float = 1.0
    repair_median: float = 14_400_000.0
    repair_sigma: float = 1.0
    seed: int = 0
    virtual_domains: int = 0


@dataclass(frozen=True)
class Pool:
    """One chip family: chips per domain, chips that a node failure takes, segment (0 = whole domains)."""

    domain_chips: int
    node_chips: int = 1
    segment: int = 0


@dataclass(frozen=True)
class Site:
    """One offer at one place; belongs to one pool. Lower ``rank`` is filled first, ties by index."""

    pool: int
    rank: int = 0


@dataclass(frozen=True)
class Tranche:
    """Domains of a site that arrive together, in blocks of ``block_domains`` (0 = one block)."""

    site: int
    domains: int
    block_domains: int = 0
    oversubscription: float = 1.0
    failures: Failures = Failures()


@dataclass
class Layout:
    """Pools, sites and tranches in the caller's own numbering; ``failures`` is an optional given list."""

    pools: list[Pool] = field(default_factory=list)
    sites: list[Site] = field(default_factory=list)
    tranches: list[Tranche] = field(default_factory=list)
    failures: np.ndarray | None = None

    def pool(self, domain_chips: int, node_chips: int = 1, segment: int = 0) -> int:
        """Add a pool; returns its index."""
        self.pools.append(Pool(domain_chips, node_chips, segment))
        return len(self.pools) - 1

    def site(self, pool: int, rank: int = 0) -> int:
        """Add a site of a pool; returns its index."""
        self.sites.append(Site(pool, rank))
        return len(self.sites) - 1

    def tranche(
        self,
        site: int,
        domains: int,
        block_domains: int = 0,
        oversubscription: float = 1.0,
        failures: Failures | None = None,
    ) -> int:
        """Add a tranche of a site; returns its index."""
        self.tranches.append(Tranche(site, domains, block_domains, oversubscription, failures or Failures()))
        return len(self.tranches) - 1

    def domain_chips(self, tranche: int) -> int:
        """Chips per domain of a tranche."""
        return self.pools[self.sites[self.tranches[tranche].site].pool].domain_chips

    def check(self) -> None:
        """Raise LayoutError for anything that cannot be simulated."""
        if not self.pools or not self.sites or not self.tranches:
            raise LayoutError("a layout needs at least one pool, one site and one tranche")
        for i, p in enumerate(self.pools):
            if p.domain_chips < 1 or not 1 <= p.node_chips <= p.domain_chips:
                raise LayoutError(
                    f"pool {i}: domain_chips >= node_chips >= 1 needed, not {p.domain_chips}, {p.node_chips}"
                )
            if not 0 <= p.segment <= p.domain_chips:
                raise LayoutError(f"pool {i}: segment must lie in 0..{p.domain_chips}, not {p.segment}")
        for i, s in enumerate(self.sites):
            if not 0 <= s.pool < len(self.pools):
                raise LayoutError(f"site {i}: pool {s.pool} is not one of the {len(self.pools)} pools")
        for i, t in enumerate(self.tranches):
            if not 0 <= t.site < len(self.sites):
                raise LayoutError(f"tranche {i}: site {t.site} is not one of the {len(self.sites)} sites")
            if t.domains < 0 or t.block_domains < 0:
                raise LayoutError(f"tranche {i}: domains and block_domains must not be negative")
            if t.failures.virtual_domains and t.failures.virtual_domains < t.domains:
                raise LayoutError(f"tranche {i}: virtual_domains must be at least its {t.domains} domains")


class Classes:
    """Job classes and where they can run.

    ``rows``: CLASS array; ``places``: CLASS_POOL array of rows * pools entries.
    """

    def __init__(self, pools: int) -> None:
        self.pools = pools
        self.rows = np.zeros(0, CLASS)
        self.places = np.zeros(0, CLASS_POOL)

    def add(
        self,
        *,
        speed: Sequence[float] | Mapping[int, float] | float = 1.0,
        kind: int = 0,
        priority: int = 0,
        assignment: str = "fixed order",
        preference: Sequence[int] | None = None,
        cost: Sequence[float] | None = None,
        interval: int = 0,
        stall: int = 0,
        restart: int = 0,
        locality: float = 1.0,
        max_sites: int = 1,
        preemptible: bool = False,
        grace: int = 0,
    ) -> int:
        """Add a class; returns its index. ``speed`` by pool (one figure: the same in all; 0: cannot run).

        ``preference`` by pool: smaller is tried earlier (default: pool index). Durations in ms.
        """
        if assignment not in ASSIGNMENTS:
            raise LayoutError(f"assignment {assignment!r} is unknown: use one of {', '.join(ASSIGNMENTS)}")
        if not 0 <= kind < N_KINDS:
            raise LayoutError(f"kind must lie in 0..{N_KINDS - 1}, not {kind}")
        if not 0.0 < locality <= 1.0:
            raise LayoutError(f"locality must lie in (0, 1], not {locality}")
        row = np.zeros(1, CLASS)
        row["kind"], row["priority"], row["assignment"] = kind, priority, ASSIGNMENTS[assignment]
        row["max_sites"], row["preemptible"], row["grace"], row["locality"] = (
            max_sites,
            preemptible,
            grace,
            locality,
        )
        row["interval"], row["stall"], row["restart"] = interval, stall, restart
        place = np.zeros(self.pools, CLASS_POOL)
        if isinstance(speed, Mapping):
            for p, v in speed.items():
                place["speed"][p] = v
        else:
            place["speed"] = speed
        place["cost"] = 1.0 if cost is None else cost
        place["preference"] = np.arange(self.pools) if preference is None else preference
        self.rows = np.concatenate([self.rows, row])
        self.places = np.concatenate([self.places, place])
        return len(self.rows) - 1


class Services:
    """Inference services: ``rows`` is a SERVICE array of services * pools entries."""

    def __init__(self, pools: int) -> None:
        self.pools = pools
        self.rows = np.zeros(0, SERVICE)

    def add(
        self, chips: Mapping[int, int], *, kind: int = 0, priority: int = 0, preempts: bool = False
    ) -> int:
        """Add a service with the chips of one replica by pool; returns its index. It starts with no
        replica.
        """
        rows = np.zeros(self.pools, SERVICE)
        for pool, n in chips.items():
            rows["chips"][pool] = n
        rows["kind"], rows["priority"], rows["preempts"], rows["first_piece"] = kind, priority, preempts, -1
        self.rows = np.concatenate([self.rows, rows])
        return len(self.rows) // self.pools - 1


def make_jobs(
    submit: np.ndarray,
    run: np.ndarray,
    size: np.ndarray,
    requested: np.ndarray | None = None,
    *,
    cls: np.ndarray | int = 0,
    tenant: np.ndarray | int = 0,
    size_max: np.ndarray | None = None,
    size_ref: np.ndarray | None = None,
    watched: np.ndarray | int = 0,
) -> np.ndarray:
    """A JOB array; requested defaults to the run time, size_max and size_ref to the size."""
    jobs = np.zeros(len(submit), JOB)
    jobs["submit"], jobs["run"], jobs["size_min"] = submit, run, size
    jobs["requested"] = run if requested is None else requested
    jobs["size_max"] = size if size_max is None else size_max
    jobs["size_ref"] = size if size_ref is None else size_ref
    jobs["cls"], jobs["tenant"], jobs["watched"] = cls, tenant, watched
    return jobs


def check_jobs(jobs: np.ndarray, classes: Classes | None) -> None:
    """Raise LayoutError for a job table that cannot be simulated."""
    if np.any(np.diff(jobs["submit"]) < 0):
        raise LayoutError("jobs must be sorted by submission: sort them first (stable)")
    for name in ("run", "requested", "size_min", "size_ref"):
        if np.any(jobs[name] <= 0):
            raise LayoutError(f"job {int(np.flatnonzero(jobs[name] <= 0)[0])}: {name} must be positive")
    if np.any(jobs["size_max"] < jobs["size_min"]):
        raise LayoutError("size_max must be at least size_min")
    if (
        classes is not None
        and len(jobs)
        and not 0 <= jobs["cls"].min() <= jobs["cls"].max() < len(classes.rows)
    ):
        raise LayoutError(f"every job needs one of the {len(classes.rows)} classes")


def make_failures(rows: Sequence[tuple[int, int, int, int, int]]) -> np.ndarray:
    """A FAILURE array from (time, domain, chip, whole, repair) rows, sorted by time."""
    table = np.array(list(rows), dtype=FAILURE)
    return table[np.argsort(table["time"], kind="stable")]

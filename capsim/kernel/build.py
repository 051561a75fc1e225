"""Build the kernel's state from a layout: number the places, size and fill every array."""

from __future__ import annotations

from typing import Any

import numpy as np

from capsim import tables
from capsim.kernel import rule_tables
from capsim.kernel.draws import BATCH
from capsim.kernel.layout import Classes, Layout, LayoutError, Services
from capsim.kernel.rank_bits import lay_ranks
from capsim.kernel.state import DTYPES, EMPTY, END_BLOCK_SIZE, State
from capsim.policies.orders import tabulate
from capsim.tables import N_KINDS, NEVER

RULE_ARRAYS = (
    "rules",
    "tenants",
    "tenant_pools",
    "standings",
    "thresholds",
    "line",
    "cohorts",
    "followers",
    "job_arrays",
    "array_tasks",
    "winners",
    "starving",
    "booking",
    "windows",
    "live_windows",
    "window_bits",
    "entitled",
    "owners",
    "special",
    "special_tree",
    "steps",
    "class_bounds",
    "maps",
    "levels",
    "preemptible",
    "list_blocks",
    "listed",
    "tops",
    "clearable",
    "turns",
    "class_ends",
    "class_limits",
    "allowances",
    "flavors",
)
"""Arrays that only some policies need: one empty row each until these fill them."""

MAX_SCORED = 1024
"""Largest domain or block for which an own placement is tabulated."""


def _words(n: int) -> int:
    return (n + 63) // 64


def _number_places(layout: Layout, sites: np.ndarray, tranches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fill first/number fields of sites and tranches; returns the domain and block arrays."""
    order = sorted(range(len(layout.tranches)), key=lambda t: (layout.tranches[t].site, t))
    n_domains = sum(t.domains for t in layout.tranches)
    doms = np.zeros(n_domains, tables.DOMAIN)
    parts: list[np.ndarray] = []
    first = at = 0
    for t in order:
        spec = layout.tranches[t]
        tranches["first_domain"][t] = at
        doms["tranche"][at : at + spec.domains] = t
        doms["site"][at : at + spec.domains] = spec.site
        per = spec.block_domains or max(1, spec.domains)
        doms["block"][at : at + spec.domains] = first + np.arange(spec.domains) // per
        begin = np.arange(0, spec.domains, per)
        part = np.zeros(len(begin), tables.BLOCK)
        part["first_domain"], part["n_domains"] = at + begin, np.minimum(per, spec.domains - begin)
        part["oversubscription"], part["site"] = spec.oversubscription, spec.site
        parts.append(part)
        first += len(part)
        at += spec.domains
    blocks = np.concatenate([np.zeros(0, tables.BLOCK), *parts])
    for i in range(len(sites)):
        mine = np.flatnonzero(doms["site"] == i)
        sites["n_domains"][i] = len(mine)
        sites["first_domain"][i] = mine[0] if len(mine) else 0
        mine = np.flatnonzero(blocks["site"] == i)
        sites["n_blocks"][i] = len(mine)
        sites["first_block"][i] = mine[0] if len(mine) else 0
        sites["max_block"][i] = blocks["n_domains"][mine].max() if len(mine) else 0
    return doms, blocks


def _lay_bitmaps(sites: np.ndarray, max_running: int) -> tuple[int, int, int]:
    """Give each site its bitmaps, counts and end-order slots; returns the lengths of the three arrays."""
    bits = counts = ends = 0
    for site in sites:
        d, n = int(site["domain_chips"]), int(site["n_domains"])
        site["words"] = _words(n)
        site["summary"] = _words(int(site["words"]))
        site["level_words"] = _words(d + 1)
        site["level_summary"] = _words(int(site["level_words"]))
        stride = int(site["words"]) + int(site["summary"])
        site["row_stride"], site["rows_at"] = stride, bits
        bits += stride * d
        site["mark_at"] = bits
        bits += stride
        site["reserved_at"] = bits
        bits += stride
        site["block_words"] = _words(int(site["n_blocks"]))
        for name in ("open_at", "open_t_at"):
            site[name] = bits
            bits += int(site["block_words"]) + _words(int(site["block_words"]))
        site["levels_at"] = bits
        bits += int(site["level_words"]) + int(site["level_summary"])
        site["count_at"] = counts
        counts += d + 1
        site["hist_at"] = counts
        counts += int(site["max_block"]) + 1
        site["hist_t_at"] = counts
        counts += int(site["max_block"]) + 1
        running = min(max_running, n * d)
        site["ends_at"] = ends
        site["ends_cap"] = running // 4 + 4
        ends += int(site["ends_cap"])
    return bits, counts, ends


def _failure_rates(layout: Layout, tranches: np.ndarray) -> None:
    """Rates of each tranche's superposed stream: all nodes alike, plus the excess of its lemon nodes."""
    for i, spec in enumerate(layout.tranches):
        f = spec.failures
        pool = layout.pools[layout.sites[spec.site].pool]
        virtual = f.virtual_domains or spec.domains
        nodes = virtual * -(-pool.domain_chips // pool.node_chips)
        lemons = round(f.lemon_share * nodes)
        total = f.rate * virtual * pool.domain_chips
        weight = nodes + lemons * (f.lemon_factor - 1.0)
        row = tranches[i]
        row["virtual_domains"], row["seed"], row["rate"] = virtual, f.seed & (2**64 - 1), f.rate
        row["domain_share"], row["lemon_share"], row["lemon_factor"] = (
            f.domain_share,
            f.lemon_share,
            f.lemon_factor,
        )
        row["repair_median"], row["repair_sigma"] = f.repair_median, f.repair_sigma
        row["total_rate"], row["lemons"] = total, lemons
        row["lemon_rate"] = total * lemons * (f.lemon_factor - 1.0) / weight if weight > 0 else 0.0


def _classes(classes: Classes, pools: int) -> tuple[np.ndarray, np.ndarray]:
    rows, places = classes.rows.copy(), classes.places.copy()
    if classes.pools != pools:
        raise LayoutError(f"classes were made for {classes.pools} pools, the layout has {pools}")
    for c in range(len(rows)):
        mine = places[c * pools : (c + 1) * pools]
        order = sorted(range(pools), key=lambda p: (int(mine["preference"][p]), p))
        mine["order"] = order
        rows["n_pools"][c] = pools
        rows["parked"][c] = -1
    return rows, places


def _score_tables(pools: np.ndarray, blocks: np.ndarray, score: Any) -> np.ndarray:
    """Tabulate an own placement for each size of a domain and of a block: [needed, free]."""
    sizes = sorted({*pools["domain_chips"].tolist(), *blocks["n_domains"].tolist()})
    if sizes and sizes[-1] > MAX_SCORED:
        raise LayoutError(
            f"an own placement needs domains and blocks of at most {MAX_SCORED}, not {sizes[-1]}"
        )
    parts, at, start = [], 0, {}
    for size in sizes:
        start[size] = at
        parts.append(np.zeros((size + 1) * (size + 1), np.int64))
        tabulate(score, size, parts[-1])
        at += len(parts[-1])
    pools["score_at"] = [start[n] for n in pools["domain_chips"].tolist()]
    blocks["score_at"] = [start[n] for n in blocks["n_domains"].tolist()]
    return np.concatenate(parts)


def _pools_and_sites(layout: Layout) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Pool and site arrays, and the sites pool by pool in the order in which they are tried."""
    pools = np.zeros(len(layout.pools), tables.POOL)
    for i, p in enumerate(layout.pools):
        pools["domain_chips"][i], pools["node_chips"][i] = p.domain_chips, p.node_chips
        pools["segment"][i] = p.segment or p.domain_chips
    sites = np.zeros(len(layout.sites), tables.SITE)
    for i, s in enumerate(layout.sites):
        sites["pool"][i], sites["rank"][i], sites["usable"][i] = s.pool, s.rank, 1
        sites["domain_chips"][i] = pools["domain_chips"][s.pool]
        sites["segment"][i] = pools["segment"][s.pool]
    sites["mark_t"] = -1
    order = sorted(range(len(sites)), key=lambda i: (int(sites["pool"][i]), int(sites["rank"][i]), i))
    for at, i in enumerate(order):
        pool = pools[sites["pool"][i]]
        if pool["n_sites"] == 0:
            pool["first_site"] = at
        pool["n_sites"] += 1
    return pools, sites, order


def _jobs(jobs: np.ndarray, cap: int) -> np.ndarray:
    """The JOB rows, with room for more; copied as bytes, which is five times as fast as field by field."""
    table = np.zeros(cap, tables.JOB)
    table.view(np.uint8)[: jobs.nbytes] = np.ascontiguousarray(jobs, tables.JOB).view(np.uint8)
    return table


def _runs(cap: int) -> np.ndarray:
    """RUN rows of jobs that nobody has submitted."""
    row = np.zeros(1, tables.RUN)
    row["start"], row["first_piece"], row["pool"], row["site"] = -1, -1, -1, -1
    row["end"], row["preempt_at"] = -1, NEVER
    return np.repeat(row, cap)


def _clock(jobs: int, cap: int, leaves: int) -> np.ndarray:
    """The row of scalars at the start."""
    clock = np.zeros(1, tables.CLOCK)
    clock["phase"], clock["n_listed"], clock["n_jobs"] = 2, jobs, jobs
    clock["cap_jobs"], clock["leaves"], clock["first_new"] = cap, leaves, leaves
    clock["timer"] = NEVER
    for name in (
        "free_piece",
        "free_end",
        "resv_rank",
        "resv_domain",
        "promise_rank",
        "stuck_job",
        "finished",
    ):
        clock[name] = -1
    return clock


def _queue(leaves: int, easy: bool, clock: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The empty queue: its tree where jobs are backfilled, else the bits of its ranks."""
    tree = np.empty(2 * leaves if easy else 1, tables.TREE)
    tree["duration"] = tree["size"] = EMPTY
    clock["rank_words"], bits = lay_ranks(1 if easy else leaves)
    return tree, bits


def _lengths(sites: np.ndarray, domains: int, pools: int, tranches: int, cap: int) -> dict[str, int]:
    """Lengths of the arrays that are empty at the start, by name; lays the bitmaps of the sites."""
    n_bits, n_counts, n_ends = _lay_bitmaps(sites, cap)
    chips = int((sites["n_domains"].astype(np.int64) * sites["domain_chips"]).sum())
    running = min(cap, chips)
    end_blocks = running // 4 + 4 * len(sites) + 4
    return {
        "count": 1,
        "pieces": 8 * domains + running + 65536,  # pages that nobody touches cost nothing
        "heap": running + 65536,
        "ends": end_blocks * END_BLOCK_SIZE,
        "end_blocks": end_blocks,
        "end_order": n_ends,
        "bits": n_bits,
        "counts": n_counts,
        "kinds": len(sites) * N_KINDS,
        "tally": pools * N_KINDS,
        "victims": 2 * running + 16,
        "active": running + 16,
        "drawn": tranches * 3 * BATCH,
        "weights_due": cap,
    } | dict.fromkeys(RULE_ARRAYS, 1)


def build(
    layout: Layout,
    jobs: np.ndarray,
    classes: Classes,
    services: Services,
    extra: int,
    *,
    easy: bool,
    score: Any = None,
) -> State:
    """Allocate and fill every array; all domains inactive, no job submitted.

    ``easy``: jobs are backfilled; ``score``: an own placement.
    """
    layout.check()
    pools, sites, order = _pools_and_sites(layout)
    tranches = np.zeros(len(layout.tranches), tables.TRANCHE)
    for i, t in enumerate(layout.tranches):
        tranches["site"][i], tranches["n_domains"][i], tranches["retire_at"][i] = t.site, t.domains, NEVER
    doms, blocks = _number_places(layout, sites, tranches)
    doms["last_end"], doms["last_job"], doms["first_piece"], doms["tenant"] = NEVER, -1, -1, -1
    _failure_rates(layout, tranches)
    rows, places = _classes(classes, len(pools))
    cap = len(jobs) + extra
    lengths = _lengths(sites, len(doms), len(pools), len(tranches), cap)
    leaves = 1 << max(1, (cap - 1).bit_length())
    clock = _clock(len(jobs), cap, leaves)
    clock["easy"], clock["n_pieces"] = easy, len(doms)
    tree, rank_bits = _queue(leaves, easy, clock)
    rules, booking = np.zeros(1, rule_tables.RULES), np.zeros(1, rule_tables.BOOKING)
    rules["tick"] = booking["next"] = NEVER
    blank: dict[str, Any] = {
        "rules": rules,
        "booking": booking,
        "clock": clock,
        "pools": pools,
        "sites": sites,
        "site_order": np.array(order, np.int32),
        "blocks": blocks,
        "doms": doms,
        "tranches": tranches,
        "classes": rows,
        "places": places,
        "services": services.rows.copy(),
        "jobs": _jobs(jobs, cap),
        "runs": _runs(cap),
        "tree": tree,
        "rank_bits": rank_bits,
        "by_rank": np.zeros(cap, np.int32),
        "scores": _score_tables(pools, blocks, score) if score is not None else np.zeros(1, np.int64),
        "failures": np.zeros(0, tables.FAILURE) if layout.failures is None else layout.failures,
    }
    return State(**{f: blank[f] if f in blank else np.zeros(lengths[f], DTYPES[f]) for f in State._fields})

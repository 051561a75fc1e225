"""Keys of the orders that change with time: fair-share, drf, las, themis (rules in ``docs/scheduling.md``).

Per-tenant sums are kept as jobs come and go, so a key costs a few operations.
"""

from __future__ import annotations

import numpy as np

from capsim.jit import kernel
from capsim.tables import RUNNING

FAIR_SHARE, DRF, LAS, THEMIS = 1, 2, 3, 4
"""Codes of the orders (``RULES.order``)."""

LN2 = 0.6931471805599453


@kernel()
def bring_usage(s, t):
    """Bring a tenant's decayed usage up to now: the integral of chips x 2^(-age / half-life)."""
    tenant, rules = s.tenants[t], s.rules[0]
    passed = s.clock[0].now - tenant.usage_at
    if passed == 0:
        return
    if rules.half_life > 0.0:
        factor = 2.0 ** (-passed / rules.half_life)
        tenant.usage = tenant.usage * factor + tenant.chips * (rules.half_life / LN2) * (1.0 - factor)
    else:
        tenant.usage += np.float64(tenant.chips * passed)
    tenant.usage_at = s.clock[0].now


@kernel()
def charged_pool(s, j):
    """The first pool that the job's class would try now (pool 0 if it can run nowhere)."""
    cls = np.int64(s.jobs[j].cls)
    base = cls * s.pools.shape[0]
    for i in range(s.classes[cls].n_pools):
        pool = np.int64(s.places[base + i].order)
        if s.places[base + pool].speed > 0.0:
            return pool
    return np.int64(0)


@kernel()
def dominant_share(s, t):
    """Largest share of a pool's chips of a tenant, running and ahead in the queue, over its weight."""
    n = s.pools.shape[0]
    most = 0.0
    for pool in range(n):
        if s.pools[pool].active > 0:
            row = s.tenant_pools[t * n + pool]
            most = max(most, np.float64(row.chips + row.ahead) / np.float64(s.pools[pool].active))
    return most / s.tenants[t].share


@kernel()
def attained(s, j):
    """Chip-ms that a job has had since its last promotion, its present attempt included."""
    run = s.runs[j]
    total = run.chip_time - s.standings[j].base
    if run.state == RUNNING:
        total += np.int64(run.chips) * (s.clock[0].now - run.begun)
    return total


@kernel()
def queue_level(s, j):
    """Queue of las: the number of thresholds that the attained service has reached."""
    have, level = attained(s, j), 0
    while level < s.rules[0].n_levels and have >= s.thresholds[level]:
        level += 1
    return np.float64(level)


@kernel()
def promote_starved(s, j):
    """Start a waiting job's attained service anew if it has waited too long for what it has run."""
    knob, have = s.rules[0].promote, attained(s, j)
    waited = np.float64(s.clock[0].now - s.runs[j].queued)
    if knob > 0.0 and have > 0 and waited * s.jobs[j].size_min >= knob * have:
        s.standings[j].base = s.runs[j].chip_time


@kernel()
def finish_ratio(s, j):
    """Estimated finish time if started now over that of the job alone on its tenant's share of the chips."""
    job, run = s.jobs[j], s.runs[j]
    chips, best = np.int64(0), 0.0
    base = np.int64(job.cls) * s.pools.shape[0]
    for pool in range(s.pools.shape[0]):
        if s.places[base + pool].speed > 0.0:
            chips += s.pools[pool].active
            best = max(best, s.places[base + pool].speed)
    if best == 0.0:
        return 0.0
    mine = chips * s.tenants[job.tenant].share / s.rules[0].shares
    alone = job.requested / (best * job.size_max / job.size_ref)
    if mine < job.size_min:
        alone *= job.size_min / max(mine, 1e-9)
    return (s.clock[0].now - job.submit + run.shortest) / alone


@kernel()
def key_of(s, j):
    """The job's key now, smaller first. For drf the chips ahead of it must be set."""
    order = s.rules[0].order
    t = np.int64(s.jobs[j].tenant)
    if order == FAIR_SHARE:
        bring_usage(s, t)
        return np.float64(np.float32(s.tenants[t].usage / s.tenants[t].share))
    if order == DRF:
        return dominant_share(s, t)
    if order == LAS:
        return queue_level(s, j)
    return -finish_ratio(s, j)


@kernel()
def book_chips(s, j, sign):
    """A job's chips came into use (+1), or are free again (-1)."""
    t = np.int64(s.jobs[j].tenant)
    bring_usage(s, t)
    chips = sign * np.int64(s.runs[j].chips)
    s.tenants[t].chips += chips
    s.tenant_pools[t * s.pools.shape[0] + s.runs[j].pool].chips += chips


@kernel()
def book_queued(s, j, sign):
    """A job's chips are asked for in the queue (+1), or no longer (-1)."""
    row = np.int64(s.jobs[j].tenant) * s.pools.shape[0] + s.standings[j].pool
    s.tenant_pools[row].queued += sign * np.int64(s.jobs[j].size_min)

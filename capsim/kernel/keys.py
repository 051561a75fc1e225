"""Keys of the orders that change with time: fair-share, drf, las, themis (rules in ``docs/scheduling.md``).

Per-tenant sums are kept as jobs come and go, so a key costs a few operations.
"""

from __future__ import annotations

import numpy as np

from capsim.jit import kernel
from capsim.tables import RUNNING

FAIR_SHARE, DRF, LAS, THEMIS = 1, 2, 3, 4
"""Codes of the orders (``RULES.order``); up to DRF tenants take turns."""

SUBMISSION, CLASS, KEY = 0, 1, 2
"""How jobs are compared: by submission alone; by class (where the policy says so), then submission; by
class, key, submission."""

LN2 = 0.6931471805599453


@kernel()
def submitted_before(s, a, b):
    """Whether job a was submitted before job b."""
    if s.jobs[a].submit != s.jobs[b].submit:
        return s.jobs[a].submit < s.jobs[b].submit
    return a < b


@kernel()
def comes_before(s, a, b, how):
    """Whether job a comes before job b; ``how``: SUBMISSION, CLASS or KEY."""
    if how > SUBMISSION and s.rules[0].by_class:
        above, below = s.classes[s.jobs[a].cls].priority, s.classes[s.jobs[b].cls].priority
        if above != below:
            return above > below
    if how == KEY:
        x, y = s.standings[a].key, s.standings[b].key
        if x != y:
            return x < y
    return submitted_before(s, a, b)


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
def time_alone(s, j):
    """Estimated ms of the whole job alone on its tenant's share of the chips; inf if it can run nowhere."""
    job = s.jobs[j]
    chips, best = np.int64(0), 0.0
    base = np.int64(job.cls) * s.pools.shape[0]
    for pool in range(s.pools.shape[0]):
        if s.places[base + pool].speed > 0.0:
            chips += s.pools[pool].active
            best = max(best, s.places[base + pool].speed)
    if best == 0.0:
        return np.inf
    mine = chips * s.tenants[job.tenant].share / s.rules[0].shares
    alone = job.requested / (best * job.size_max / job.size_ref)
    if mine < job.size_min:
        alone *= job.size_min / max(mine, 1e-9)
    return alone


@kernel()
def set_ratio(s, j):
    """Note what the job's finish-time ratio is computed from: at instant t it is (t + offset) / alone."""
    mine = s.standings[j]
    mine.alone = time_alone(s, j)
    mine.offset = s.runs[j].shortest - s.jobs[j].submit


@kernel()
def standing_ratio(s, j):
    """Minus the finish-time ratio as of the last computation of the keys, or of the job's joining since."""
    mine = s.standings[j]
    return -((max(mine.joined, s.rules[0].keyed_at) + mine.offset) / mine.alone)


@kernel()
def share_usage(s):
    """Bring every tenant's usage up to now: what it has used for its share, compared in single precision."""
    for t in range(s.tenants.shape[0]):
        bring_usage(s, np.int64(t))
        s.tenants[t].key = np.float64(np.float32(s.tenants[t].usage / s.tenants[t].share))


@kernel()
def key_of(s, j):
    """The job's key now, smaller first. For drf the chips ahead of it must be set; for fair-share it is the
    tenant's as of the last computation."""
    order = s.rules[0].order
    t = np.int64(s.jobs[j].tenant)
    if order == FAIR_SHARE:
        return s.tenants[t].key
    if order == DRF:
        return dominant_share(s, t)
    if order == LAS:
        return queue_level(s, j)
    return -((s.clock[0].now - s.jobs[j].submit + s.runs[j].shortest) / time_alone(s, j))


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

"""The head of a changing order where nothing is backfilled: only the first of the queue is looked for.

Contenders of the tournament are the first jobs of the tenants (fair-share, drf: a tenant's jobs go by class,
then submission, and ranks are in this order tenant by tenant) or all waiting jobs (las, themis). So a
computation of the keys costs tenants, or what it changes, not waiting jobs.
"""

from __future__ import annotations

import numpy as np

from capsim.jit import kernel
from capsim.kernel.keys import CLASS, DRF, FAIR_SHARE, THEMIS, comes_before, key_of, set_ratio, share_usage
from capsim.kernel.queue import queue_next
from capsim.kernel.tournament import contend, play_all, play_due


@kernel()
def by_tenant(s):
    """Whether tenants contend, by their first jobs."""
    return s.rules[0].order <= DRF


@kernel()
def enter(s, j):
    """A job joins the queue."""
    if not by_tenant(s):
        s.standings[j].joined = s.clock[0].now
        if s.rules[0].order == THEMIS:
            set_ratio(s, j)
        else:
            s.standings[j].key = key_of(s, j)
        contend(s, j, j, j)
        return
    tenant = s.tenants[s.jobs[j].tenant]
    if tenant.first < 0 or comes_before(s, j, np.int64(tenant.first), CLASS):
        tenant.first = j
        s.standings[j].key = key_of(s, j)
        contend(s, np.int64(s.jobs[j].tenant), j, j)


@kernel()
def withdraw(s, j):
    """A job, off the queue's tree already, no longer waits."""
    if not by_tenant(s):
        contend(s, j, j, np.int64(-1))
        return
    t = np.int64(s.jobs[j].tenant)
    if s.tenants[t].first != j:
        return
    heir = np.int64(-1)
    rank = queue_next(s, np.int64(s.runs[j].rank) + 1)
    if rank >= 0 and s.jobs[s.by_rank[rank]].tenant == t:
        heir = np.int64(s.by_rank[rank])
        s.standings[heir].key = key_of(s, heir)
    s.tenants[t].first = heir
    contend(s, t, j, heir)


@kernel()
def reweigh(s, t):
    """The key of a tenant's first job may have changed."""
    first = np.int64(s.tenants[t].first)
    if first >= 0:
        s.standings[first].key = key_of(s, first)
        contend(s, t, first, first)


@kernel()
def reweigh_all(s):
    """The keys of all tenants' first jobs may have changed."""
    for t in range(s.tenants.shape[0]):
        first = np.int64(s.tenants[t].first)
        if first >= 0:
            s.standings[first].key = key_of(s, first)
    play_all(s)


@kernel()
def recompute(s):
    """A computation of the keys (las apart: there only promotions change them)."""
    order, stale = s.rules[0].order, s.rules[0].capacity != s.clock[0].capacity
    s.rules[0].capacity = s.clock[0].capacity
    if order == FAIR_SHARE:
        share_usage(s)
        reweigh_all(s)
    elif order == THEMIS and stale:
        rank = queue_next(s, np.int64(0))
        while rank >= 0:
            set_ratio(s, np.int64(s.by_rank[rank]))
            rank = queue_next(s, rank + 1)
        play_all(s)
    elif order == THEMIS:
        play_due(s)


@kernel()
def keep_shares(s):
    """drf: shares are those of the moment, so chips that come or go count at the next pass."""
    if s.rules[0].order == DRF and s.rules[0].capacity != s.clock[0].capacity:
        s.rules[0].capacity = s.clock[0].capacity
        reweigh_all(s)

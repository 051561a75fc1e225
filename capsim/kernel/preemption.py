"""Preemption by priority: victims by least work at risk, with grace, only as many as are needed."""

from __future__ import annotations

import numpy as np

from capsim.jit import kernel
from capsim.kernel.clearing import may_clear
from capsim.kernel.heap import heap_push, heap_rise
from capsim.kernel.hooks import KEEP_OFF, LEAST, MASK, ask_windows, on_pool
from capsim.kernel.loans import (
    fits_lent,
    is_idle,
    lend,
    lend_replicas,
    loan_bounds,
    open_loans,
    settle_loans,
)
from capsim.kernel.preemptible import first_row, levels_below, next_row, relist, risk_of, standing
from capsim.kernel.progress import CHECKPOINTED, FAILED
from capsim.kernel.running import move_estimate, requeue_job, try_start
from capsim.kernel.state import FINISH, KEY_SHIFT, STOP
from capsim.kernel.victims import (
    deal_out,
    gather_for_part,
    gather_gangs,
    gather_job,
    next_victim,
    no_victims,
    table_at,
    turn_of,
)
from capsim.tables import NEVER, RUNNING

STALE = 1024
"""Events of attempts that are over, and as many as jobs run, that may be on the heap."""


@kernel()
def lend_list(s, at, low, high):
    """``lend`` for all jobs of a list."""
    row = first_row(s, at)
    while row >= 0:
        lend(s, np.int64(s.preemptible[row].job), np.int64(1), low, high)
        row = next_row(s, row)


@kernel()
def preempt(s, j):
    """Stop a victim: now if its class gives no grace, else give notice."""
    c = s.clock[0]
    run = s.runs[j]
    cls = s.classes[s.jobs[j].cls]
    run.preemptions += 1
    s.count[0].preemptions += 1
    if cls.grace <= 0:
        requeue_job(s, j, CHECKPOINTED if cls.stall == 0 else FAILED)
        forget_end(s)
        return
    give_notice(s, j, c.now + cls.grace)


@kernel()
def forget_end(s):
    """The end of a stopped job's attempt stays on the heap; when there may be many they are taken off."""
    c, heap = s.clock[0], s.heap
    c.stale += 1
    if c.stale < c.running + STALE:
        return
    c.stale = 0
    n = np.int64(0)
    for i in range(c.n_heap):
        time, key, data = heap[i].time, heap[i].key, heap[i].data
        if key >> KEY_SHIFT == FINISH:
            run = s.runs[key & ((1 << KEY_SHIFT) - 1)]
            if run.state != RUNNING or run.version != data:
                continue
        heap_rise(s, n, time, key, data)
        n += 1
    c.n_heap = n


@kernel()
def give_notice(s, j, time):
    """A running job must stop at ``time`` at the latest."""
    run = s.runs[j]
    run.preempt_at = time
    if s.clock[0].preemption:
        relist(s, j)
    heap_push(s, time, (np.int64(STOP) << KEY_SHIFT) | j, np.int64(run.version))
    if run.est_end > time:
        move_estimate(s, j, time)


@kernel()
def reach_stop(s, j):
    """The grace of a job under notice is over."""
    cls = s.classes[s.jobs[j].cls]
    run = s.runs[j]
    saved = run.drained or cls.grace >= cls.stall
    run.drained = 0
    requeue_job(s, j, CHECKPOINTED if saved else FAILED)


@kernel()
def lend_first(s, pool, n, below, masked):
    """Copy the free map; the jobs under notice lend their chips to it."""
    low, high = loan_bounds(s, pool, n)
    open_loans(s, pool, n, below, masked)
    lists = np.int64(s.clock[0].n_levels)
    lend_list(s, pool * (lists + 1) + lists, low, high)


@kernel()
def drop_spared(s, pool, n, sites, used):
    """Of the ``used`` victims taken, last first, drop those without whom n chips can be placed: -1 there."""
    low, high = loan_bounds(s, pool, n)
    chosen = table_at(s, 3)
    for i in range(chosen + used - 1, chosen - 1, -1):
        j = np.int64(s.victims[i])
        lend(s, j, np.int64(-1), low, high)
        if fits_lent(s, pool, n, sites):
            s.victims[i] = -1
        else:
            lend(s, j, np.int64(1), low, high)


@kernel()
def whole_lacking(s, pool, n):
    """Whole domains that the best site lacks for a gang, and one more for its remainder; at least 1."""
    p = s.pools[pool]
    most = np.int64(0)
    for i in range(p.first_site, p.first_site + p.n_sites):
        st = s.sites[s.site_order[i]]
        if st.usable:
            most = max(most, np.int64(st.whole))
    return max(np.int64(1), n // p.segment + 1 - most)


@kernel()
def choose_victims(s, pool, n, sites, below, masked):
    """Lend victims of the lowest ``below`` lists in order until n chips can be placed, then drop those not
    needed.

    ``masked``: on the map that advance reservations leave. Returns how many were looked at, -1: not even all
    would do. They are the last table of ``victims``; those dropped are -1 there.
    """
    lend_first(s, pool, n, below, masked)
    if fits_lent(s, pool, n, sites):
        return np.int64(0)
    low, high = loan_bounds(s, pool, n)
    gang = n > s.pools[pool].domain_chips
    if gang:
        gather_gangs(s, pool, below, whole_lacking(s, pool, n), settle_loans(s, pool, n))
    else:
        gather_for_part(s, pool, n, below)
        lend_first(s, pool, n, below, masked)
    chosen, used = table_at(s, 3), np.int64(0)
    while True:
        j = next_victim(s)
        if j < 0:
            return np.int64(-1)
        if gang and is_idle(s, np.int64(s.listed[j])):
            continue
        lend(s, j, np.int64(1), low, high)
        s.victims[chosen + used] = j
        used += 1
        if fits_lent(s, pool, n, sites):
            break
    drop_spared(s, pool, n, sites, used)
    return used


@kernel()
def chips_within_reach(s, pool, first, below):
    """At least the chips that a head could have in a pool: free, under notice, and of the lowest lists.

    All spares of the pool are counted among them. 0 if there is nobody to stop, nor under notice.
    """
    total, count = np.int64(0), np.int64(0)
    for at in range(first, first + below):
        total += s.levels[at].chips
        count += s.levels[at].count
    noticed = s.levels[first + s.clock[0].n_levels]
    if count + noticed.count == 0:
        return np.int64(0)
    p = s.pools[pool]
    for i in range(p.first_site, p.first_site + p.n_sites):
        st = s.sites[s.site_order[i]]
        total += st.spare
        if st.usable:
            total += st.free
    return total + noticed.chips


@kernel(apart=True)
def preempt_for_job(s, j):
    """Make room for a blocked head by preemption; returns whether it started at once.

    With las only in a pass that has computed the keys.
    """
    c = s.clock[0]
    if c.levels and s.rules[0].keyed_at != c.now:
        return False
    mine = standing(s, j)
    if c.stuck_job == j and mine <= c.stuck_priority:
        return False
    cls = s.classes[s.jobs[j].cls]
    base = np.int64(s.jobs[j].cls) * s.pools.shape[0]
    n = np.int64(s.jobs[j].size_min)
    for i in range(cls.n_pools):
        pool = np.int64(s.places[base + i].order)
        if s.places[base + pool].speed <= 0.0:
            continue
        first, below = levels_below(s, pool, mine)
        if chips_within_reach(s, pool, first, below) < n:
            continue
        if n > s.pools[pool].domain_chips and not may_clear(s, pool, n, np.int64(cls.max_sites), below):
            continue
        masked = c.windows != 0 and ask_windows(s, MASK, on_pool(j, pool, False)) != 0
        used = choose_victims(s, pool, n, np.int64(cls.max_sites), below, masked)
        if used < 0:
            continue
        chosen = table_at(s, 3)
        for v in range(chosen, chosen + used):
            if s.victims[v] >= 0:
                preempt(s, np.int64(s.victims[v]))
        if c.windows:
            return ask_windows(s, LEAST, on_pool(j, pool, False)) != 0
        return try_start(s, j, pool, n, False, NEVER)
    c.stuck_job = j
    c.stuck_priority = mine
    return False


@kernel()
def gather_below(s, pool, priority):
    """Gather the jobs of a pool whose classes have lower priority."""
    first = pool * (s.clock[0].n_levels + 1)
    no_victims(s)
    for at in range(first, first + s.clock[0].n_levels):
        row = first_row(s, np.int64(at))
        while row >= 0:
            j = np.int64(s.preemptible[row].job)
            if s.classes[s.jobs[j].cls].priority < priority:
                gather_job(s, risk_of(s, row), j)
            row = next_row(s, row)
    deal_out(s, NEVER)


@kernel()
def preempt_for_replicas(s, pool, priority, chips, lacking):
    """Preempt so that up to ``lacking`` more replicas of ``chips`` (at most a domain) fit whole domains.

    The pool has no usable domain with room for one. Jobs under notice count as gone.
    """
    gather_below(s, pool, priority)
    if s.turns[0].gathered == 0:
        return
    open_loans(s, pool, chips, np.int64(0), s.clock[0].windows != 0 and ask_windows(s, KEEP_OFF, pool) != 0)
    fitting, one = np.int64(0), np.int64(1)
    row = first_row(s, pool * (s.clock[0].n_levels + 1) + s.clock[0].n_levels)
    while row >= 0:
        fitting += lend_replicas(s, np.int64(s.preemptible[row].job), one, chips)
        row = next_row(s, row)
    chosen = table_at(s, 3)
    end = chosen
    while fitting < lacking:
        j = next_victim(s)
        if j < 0:
            break
        fitting += lend_replicas(s, j, one, chips)
        s.victims[end] = j
        end += 1
    goal = min(fitting, lacking)
    for i in range(end - 1, chosen - 1, -1):
        j = np.int64(s.victims[i])
        fitting += lend_replicas(s, j, -one, chips)
        if fitting >= goal:
            s.victims[i] = -1
        else:
            fitting += lend_replicas(s, j, one, chips)
    for i in range(chosen, end):
        if s.victims[i] >= 0:
            preempt(s, np.int64(s.victims[i]))


@kernel()
def is_hit(s, d, j):
    """Whether a job lost chips in a domain by the failure that is being dealt with."""
    p = np.int64(s.doms[d].first_piece)
    while p >= 0:
        if s.pieces[p].holder == j and s.pieces[p].lost > 0:
            return True
        p = np.int64(s.pieces[p].next_here)
    return False


@kernel()
def preempt_for_chips(s, j, site, d, need):
    """Stop jobs of lower priority at a site until ``need`` chips are free there; False if that cannot be.

    Only jobs without grace whose first piece is at the site and that the failure of domain ``d`` did not hit.
    """
    st = s.sites[site]
    if not s.clock[0].preemption:
        return False
    first, below = levels_below(s, np.int64(st.pool), standing(s, j))
    chips = np.int64(st.free)
    no_victims(s)
    for at in range(first, first + below):
        row = first_row(s, np.int64(at))
        while row >= 0:
            v = np.int64(s.preemptible[row].job)
            if s.runs[v].site == site and s.classes[s.jobs[v].cls].grace <= 0 and not is_hit(s, d, v):
                gather_job(s, turn_of(s, row, np.int64(at - first)), v)
                chips += s.runs[v].chips
            row = next_row(s, row)
    if chips < need:
        return False
    deal_out(s, NEVER)
    while st.free < need:
        v = next_victim(s)
        if v < 0:
            break
        preempt(s, v)
    return st.free >= need

"""Preemption by priority: victims by least work at risk, with grace, only as many as are needed."""

from __future__ import annotations

import numpy as np

from capsim.jit import kernel
from capsim.kernel.domains import set_free
from capsim.kernel.heap import heap_push
from capsim.kernel.hooks import LEAST, MASK, ask_windows, on_pool
from capsim.kernel.placement import find_site
from capsim.kernel.progress import CHECKPOINTED, FAILED, work_at_risk
from capsim.kernel.running import move_estimate, requeue_job, try_start
from capsim.kernel.state import KEY_SHIFT, STOP
from capsim.tables import NEVER


@kernel()
def sift_victims(s, i, n):
    """Restore the heap order (work at risk ascending at the top is last out) below i in victims[:2n]."""
    v = s.victims
    while True:
        child = 2 * i + 1
        if child >= n:
            return
        if child + 1 < n and (
            v[2 * child + 2] > v[2 * child]
            or (v[2 * child + 2] == v[2 * child] and v[2 * child + 3] < v[2 * child + 1])
        ):
            child += 1
        if v[2 * i] > v[2 * child] or (v[2 * i] == v[2 * child] and v[2 * i + 1] <= v[2 * child + 1]):
            return
        v[2 * i], v[2 * child] = v[2 * child], v[2 * i]
        v[2 * i + 1], v[2 * child + 1] = v[2 * child + 1], v[2 * i + 1]
        i = child


@kernel()
def sort_victims(s, n):
    """Sort n (risk, job) pairs: least risk first, then highest job index."""
    v = s.victims
    for i in range(n // 2 - 1, -1, -1):
        sift_victims(s, np.int64(i), n)
    for m in range(n - 1, 0, -1):
        v[0], v[2 * m] = v[2 * m], v[0]
        v[1], v[2 * m + 1] = v[2 * m + 1], v[1]
        sift_victims(s, np.int64(0), np.int64(m))


@kernel()
def lend(s, j, sign):
    """Add a running gang's chips to the free map (+1), or take them off again (-1); nothing else changes."""
    p = np.int64(s.runs[j].first_piece)
    while p >= 0:
        piece = s.pieces[p]
        d = np.int64(piece.domain)
        set_free(
            s, np.int64(s.doms[d].site), d, np.int64(s.doms[d].free + sign * (piece.chips + piece.spare))
        )
        p = np.int64(piece.next)


@kernel()
def standing(s, j):
    """What preemption compares: the class's priority; with las minus the queue that the job is in, with
    las by class the one, then the other."""
    priority = np.int64(s.classes[s.jobs[j].cls].priority)
    if not s.clock[0].levels:
        return priority
    above = priority * (s.rules[0].n_levels + 1) if s.rules[0].by_class else np.int64(0)
    return above - np.int64(s.standings[j].key)


@kernel()
def list_victims(s, pool, priority, levels):
    """Fill ``victims`` with (risk, job) of the preemptible jobs of lower priority on a pool.

    ``levels``: of a lower queue of las, the lowest first. Returns (number, their chips, chips of jobs
    already under notice).
    """
    n, chips, noticed = np.int64(0), np.int64(0), np.int64(0)
    c = s.clock[0]
    for i in range(c.running):
        j = np.int64(s.active[i])
        run = s.runs[j]
        if run.pool != pool:
            continue
        if run.preempt_at < NEVER:
            noticed += run.chips
            continue
        cls = s.classes[s.jobs[j].cls]
        if cls.preemptible and (standing(s, j) if levels else np.int64(cls.priority)) < priority:
            s.victims[2 * n] = standing(s, j) if levels else work_at_risk(s, j)
            s.victims[2 * n + 1] = j
            n += 1
            chips += run.chips
    return n, chips, noticed


@kernel()
def lend_noticed(s, pool, sign):
    """``lend`` for all jobs of a pool that are under notice."""
    for i in range(s.clock[0].running):
        j = np.int64(s.active[i])
        if s.runs[j].pool == pool and s.runs[j].preempt_at < NEVER:
            lend(s, j, sign)


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
        return
    give_notice(s, j, c.now + cls.grace)


@kernel()
def give_notice(s, j, time):
    """A running job must stop at ``time`` at the latest."""
    run = s.runs[j]
    run.preempt_at = time
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
def placeable(s, pool, n, sites, masked):
    """Whether n chips can be placed on a pool; ``masked``: on the map that advance reservations leave."""
    if masked:
        return find_site(s, pool, n, sites, True) != -1
    return find_site(s, pool, n, sites, False) != -1


@kernel()
def choose_victims(s, pool, n, sites, count, masked):
    """Lend victims in order until n chips can be placed, then drop those not needed.

    Returns how many were looked at; those dropped are marked by job -1. All loans are returned.
    """
    used = np.int64(0)
    enough = placeable(s, pool, n, sites, masked)
    while used < count and not enough:
        lend(s, s.victims[2 * used + 1], 1)
        used += 1
        enough = placeable(s, pool, n, sites, masked)
    if not enough:
        for i in range(used):
            lend(s, s.victims[2 * i + 1], -1)
        return np.int64(-1)
    for i in range(used - 1, -1, -1):
        lend(s, s.victims[2 * i + 1], -1)
        if placeable(s, pool, n, sites, masked):
            s.victims[2 * i + 1] = -1
        else:
            lend(s, s.victims[2 * i + 1], 1)
    for i in range(used):
        if s.victims[2 * i + 1] >= 0:
            lend(s, s.victims[2 * i + 1], -1)
    return used


@kernel()
def may_preempt(s, priority):
    """Whether some class could be preempted at this priority."""
    for k in range(s.classes.shape[0]):
        if s.classes[k].preemptible and (s.clock[0].levels or s.classes[k].priority < priority):
            return True
    return False


@kernel()
def preempt_for_job(s, j):
    """Make room for a blocked head by preemption; returns whether it started at once."""
    c = s.clock[0]
    cls = s.classes[s.jobs[j].cls]
    priority = standing(s, j)
    if c.stuck_rank == s.runs[j].rank or not may_preempt(s, priority):
        return False
    base = np.int64(s.jobs[j].cls) * s.pools.shape[0]
    n = np.int64(s.jobs[j].size_min)
    for i in range(cls.n_pools):
        pool = np.int64(s.places[base + i].order)
        if s.places[base + pool].speed <= 0.0:
            continue
        count, chips, noticed = list_victims(s, pool, priority, c.levels != 0)
        if count + noticed == 0 or chips + noticed + free_chips(s, pool) < n:
            continue
        masked = c.windows != 0 and ask_windows(s, MASK, on_pool(j, pool, False)) != 0
        if noticed > 0:
            lend_noticed(s, pool, 1)
        sort_victims(s, count)
        used = choose_victims(s, pool, n, np.int64(cls.max_sites), count, masked)
        if noticed > 0:
            lend_noticed(s, pool, -1)
        if used < 0:
            continue
        for v in range(used):
            if s.victims[2 * v + 1] >= 0:
                preempt(s, s.victims[2 * v + 1])
        if c.windows:
            return ask_windows(s, LEAST, on_pool(j, pool, False)) != 0
        return try_start(s, j, pool, n, False, NEVER)
    c.stuck_rank = s.runs[j].rank
    c.stuck_priority = priority
    return False


@kernel()
def free_chips(s, pool):
    """Usable free chips of a pool."""
    p = s.pools[pool]
    total = np.int64(0)
    for i in range(p.first_site, p.first_site + p.n_sites):
        st = s.sites[s.site_order[i]]
        if st.usable:
            total += st.free
    return total


@kernel()
def lend_counted(s, j, sign, chips):
    """``lend``; returns by how many the replicas of ``chips`` that fit the usable domains change."""
    change = np.int64(0)
    p = np.int64(s.runs[j].first_piece)
    while p >= 0:
        piece = s.pieces[p]
        d = np.int64(piece.domain)
        site = np.int64(s.doms[d].site)
        before = np.int64(s.doms[d].free)
        after = before + sign * (piece.chips + piece.spare)
        if s.sites[site].usable and s.doms[d].active and not s.doms[d].leaving:
            change += after // chips - before // chips
        set_free(s, site, d, np.int64(after))
        p = np.int64(piece.next)
    return change


@kernel()
def preempt_for_replicas(s, pool, priority, chips, lacking):
    """Preempt so that up to ``lacking`` more replicas of ``chips`` (at most a domain) fit whole domains.

    The pool has no usable domain with room for one. Jobs under notice count as gone.
    """
    count, _chips, _noticed = list_victims(s, pool, priority, False)
    if count == 0:
        return
    fitting = np.int64(0)
    for i in range(s.clock[0].running):
        j = np.int64(s.active[i])
        if s.runs[j].pool == pool and s.runs[j].preempt_at < NEVER:
            fitting += lend_counted(s, j, np.int64(1), chips)
    sort_victims(s, count)
    used = np.int64(0)
    while used < count and fitting < lacking:
        fitting += lend_counted(s, s.victims[2 * used + 1], np.int64(1), chips)
        used += 1
    goal = min(fitting, lacking)
    for i in range(used - 1, -1, -1):
        j = s.victims[2 * i + 1]
        fitting += lend_counted(s, j, np.int64(-1), chips)
        if fitting >= goal:
            s.victims[2 * i + 1] = -1
        else:
            fitting += lend_counted(s, j, np.int64(1), chips)
    for i in range(used):
        if s.victims[2 * i + 1] >= 0:
            lend(s, s.victims[2 * i + 1], -1)
    lend_noticed(s, pool, -1)
    for i in range(used):
        if s.victims[2 * i + 1] >= 0:
            preempt(s, s.victims[2 * i + 1])


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
    priority = standing(s, j)
    if not s.clock[0].preemption or not may_preempt(s, priority):
        return False
    count, _chips, _noticed = list_victims(s, np.int64(st.pool), priority, s.clock[0].levels != 0)
    n, chips = np.int64(0), np.int64(st.free)
    for i in range(count):
        v = s.victims[2 * i + 1]
        if s.runs[v].site != site or s.classes[s.jobs[v].cls].grace > 0 or is_hit(s, d, v):
            continue
        s.victims[2 * n] = s.victims[2 * i]
        s.victims[2 * n + 1] = v
        n += 1
        chips += s.runs[v].chips
    if chips < need:
        return False
    sort_victims(s, n)
    for i in range(n):
        if st.free >= need:
            break
        preempt(s, s.victims[2 * i + 1])
    return st.free >= need

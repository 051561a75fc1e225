"""One scheduling pass: services grow, the head starts or reserves, later jobs fill in behind it."""

from __future__ import annotations

import numpy as np

from capsim.jit import kernel, leading_zeros
from capsim.kernel.domains import marks_off
from capsim.kernel.hooks import BACKFILL, PASS, RETURN, SIZE, START, ask_windows, on_pool, tell
from capsim.kernel.placement import find_site, largest_fit
from capsim.kernel.preemption import preempt_for_job
from capsim.kernel.progress import job_rate, wall_time
from capsim.kernel.queue import BIG, next_fitting, queue_insert, queue_next, queue_remove
from capsim.kernel.reservation import build_reservation, drop_reservation, find_reservation
from capsim.kernel.running import try_start
from capsim.kernel.serving import grow_services
from capsim.kernel.shadow import pool_shadow
from capsim.tables import CHEAPEST, FIXED_ORDER, NEVER

NOWHERE, NOT_YET, STARTED = 0, 1, 2


@kernel()
def size_here(s, j, pool, restricted):
    """Chips that job j would take on this pool now: all it asks, or the largest that fits; 0 if none."""
    job = s.jobs[j]
    lo, hi = np.int64(job.size_min), np.int64(job.size_max)
    return largest_fit(s, pool, lo, hi, np.int64(s.classes[job.cls].max_sites), restricted)


@kernel()
def start_on(s, j, pool, behind):
    """Start job j on a pool if the rules let it; ``behind``: a reservation has to be respected."""
    c = s.clock[0]
    if c.windows:
        return ask_windows(s, START, on_pool(j, pool, behind))
    rigid = s.jobs[j].size_min == s.jobs[j].size_max
    n = np.int64(s.jobs[j].size_min) if rigid else size_here(s, j, pool, False)
    if n == 0:
        return NOWHERE
    if not behind or pool != c.resv_pool:
        return STARTED if try_start(s, j, pool, n, False, NEVER) else NOWHERE
    if try_start(s, j, pool, n, False, c.shadow):
        return STARTED
    if rigid and find_site(s, pool, n, np.int64(s.classes[s.jobs[j].cls].max_sites), False) == -1:
        return NOWHERE
    if not c.resv_built:
        build_reservation(s)
    n = n if rigid else size_here(s, j, pool, True)
    if n > 0 and try_start(s, j, pool, n, True, NEVER):
        c.resv_used = 1
        return STARTED
    return NOT_YET


@kernel()
def prefer(s, j, pool):
    """What "earliest start" (estimated run time as if in one block) or "cheapest" minimises."""
    job = s.jobs[j]
    cls = s.classes[job.cls]
    place = s.places[np.int64(job.cls) * s.pools.shape[0] + pool]
    if cls.assignment == CHEAPEST:
        return place.cost / place.speed
    if s.clock[0].windows:
        n = ask_windows(s, SIZE, on_pool(j, pool, False))
    else:
        n = size_here(s, j, pool, False)
    if n == 0:
        return np.inf
    rate = job_rate(s, j, pool, n, np.int64(1), 0.0)
    return np.float64(wall_time(s.runs[j].request_left, rate, np.int64(0), np.int64(0)))


@kernel()
def start_somewhere(s, j, behind):
    """Try the pools of job j by its assignment policy."""
    cls_index = np.int64(s.jobs[j].cls)
    cls = s.classes[cls_index]
    base = cls_index * s.pools.shape[0]
    result = NOWHERE
    if cls.assignment == FIXED_ORDER or cls.n_pools == 1:
        for i in range(cls.n_pools):
            pool = np.int64(s.places[base + i].order)
            if s.places[base + pool].speed > 0.0:
                result = max(result, start_on(s, j, pool, behind))
                if result == STARTED:
                    return result
        return result
    tried = np.int64(0)
    while True:
        best, where = np.inf, np.int64(-1)
        for i in range(cls.n_pools):
            pool = np.int64(s.places[base + i].order)
            if s.places[base + pool].speed > 0.0 and not (tried >> pool) & 1:
                value = prefer(s, j, pool)
                if value < best:
                    best, where = value, pool
        if where < 0:
            return result
        tried |= np.int64(1) << where
        result = max(result, start_on(s, j, where, behind))
        if result == STARTED:
            return result


@kernel()
def site_bound(s, site):
    """No larger gang can be placed in this site now."""
    st = s.sites[site]
    if not st.usable:
        return np.int64(0)
    if st.whole > 0:
        return np.int64(st.whole + 1) * st.segment + st.domain_chips
    w = np.int64(st.level_words) - 1
    while w >= 0:
        word = s.bits[st.levels_at + w]
        if word != 0:
            return (w << 6) + 63 - leading_zeros(word)
        w -= 1
    return np.int64(0)


@kernel()
def set_bounds(s):
    """Bounds of the sizes worth a look, by class (0 if only the head waits); returns whether anything can
    start at all.
    """
    for pool in range(s.pools.shape[0]):
        p = s.pools[pool]
        best, total = np.int64(0), np.int64(0)
        for i in range(p.first_site, p.first_site + p.n_sites):
            bound = site_bound(s, np.int64(s.site_order[i]))
            best = max(best, bound)
            total += bound
        p.bound = best
        p.bound_all = total
    some = False
    head = np.int64(s.jobs[s.by_rank[s.clock[0].resv_rank]].cls)
    for k in range(s.classes.shape[0]):
        cls = s.classes[k]
        bound = np.int64(0)
        cls.bound_free = bound
        cls.bound_extra = bound
        if cls.waiting == (1 if k == head else 0):
            continue
        for pool in range(s.pools.shape[0]):
            if s.places[k * s.pools.shape[0] + pool].speed > 0.0:
                p = s.pools[pool]
                bound = max(bound, p.bound_all if cls.max_sites > 1 else p.bound)
        cls.bound_free = bound
        cls.bound_extra = bound
        some = some or bound > 0
    return some


@kernel()
def backfill(s, first):
    """Look at the queued jobs from rank ``first`` on, in order, and start those that the reservation
    lets start.
    """
    c = s.clock[0]
    if c.windows:
        ask_windows(s, BACKFILL, first)
        return
    if not set_bounds(s):
        return
    rank = first
    short = c.shadow - c.now
    while True:
        free, extra = np.int64(0), np.int64(0)
        for k in range(s.classes.shape[0]):
            free = max(free, s.classes[k].bound_free)
            extra = max(extra, s.classes[k].bound_extra)
        if free == 0:
            return
        while True:
            rank = next_fitting(s, rank, extra, free, short)
            if rank < 0:
                return
            j = np.int64(s.by_rank[rank])
            rank += 1
            cls = s.classes[s.jobs[j].cls]
            n = np.int64(s.jobs[j].size_min)
            if n > cls.bound_free or (n > cls.bound_extra and s.tree[rank - 1 + c.leaves].duration > short):
                continue
            s.count[0].looks += 1
            result = start_somewhere(s, j, True)
            if result == STARTED:
                s.count[0].backfilled += 1
                s.runs[j].backfilled = 1
                break
            if result == NOWHERE:
                cls.bound_free = n - 1
            cls.bound_extra = min(cls.bound_extra, n - 1)
            break


@kernel()
def park(s, j):
    """Set aside a queued job that the present capacity could not hold even if all running jobs ended."""
    cls = s.classes[s.jobs[j].cls]
    queue_remove(s, np.int64(s.runs[j].rank))
    n = s.jobs[j].size_min
    cls.waiting -= 1
    cls.park_min = n if cls.parked < 0 else min(cls.park_min, n)
    s.runs[j].first_piece = cls.parked
    cls.parked = j
    s.runs[j].parked = 1
    s.clock[0].parked += 1


@kernel()
def could_hold(s, k, n):
    """Whether some pool of class k could place n chips now or after running jobs ended."""
    sites = np.int64(s.classes[k].max_sites)
    for pool in range(s.pools.shape[0]):
        if s.places[k * s.pools.shape[0] + pool].speed > 0.0:
            if find_site(s, np.int64(pool), n, sites, False) != -1:
                return True
            time, _site = pool_shadow(s, np.int64(pool), n, sites, NEVER)
            if time < NEVER:
                return True
    return False


@kernel()
def unpark_job(s, k, j):
    """Put a job of class k that was set aside back into the queue."""
    s.runs[j].first_piece = -1
    s.runs[j].parked = 0
    tell(s, RETURN, j)
    queue_insert(s, np.int64(s.runs[j].rank), np.int64(s.jobs[j].size_min), s.runs[j].shortest)
    s.classes[k].waiting += 1
    s.clock[0].parked -= 1
    s.clock[0].dirty = 1


@kernel()
def unpark_class(s, k):
    """Put all parked jobs of a class back into the queue."""
    j = np.int64(s.classes[k].parked)
    s.classes[k].parked = -1
    while j >= 0:
        after = np.int64(s.runs[j].first_piece)
        unpark_job(s, k, j)
        j = after


@kernel()
def unpark_fitting(s, k):
    """Put the parked jobs of a class back into the queue that the capacity could hold by now.

    What holds n chips holds fewer too: the sizes known to fit and not to fit close in on each other.
    """
    cls = s.classes[k]
    fitting, too_large = np.int64(0), BIG
    j = np.int64(cls.parked)
    cls.parked = -1
    least = np.int64(2**31 - 1)
    while j >= 0:
        after = np.int64(s.runs[j].first_piece)
        n = np.int64(s.jobs[j].size_min)
        if fitting < n < too_large:
            if could_hold(s, k, n):
                fitting = n
            else:
                too_large = n
        if n <= fitting:
            unpark_job(s, k, j)
        else:
            s.runs[j].first_piece = cls.parked
            cls.parked = j
            least = min(least, n)
        j = after
    cls.park_min = least


@kernel()
def unpark(s):
    """After capacity grew: look again at the classes with parked jobs."""
    s.clock[0].grown = 0
    if s.clock[0].parked == 0:
        return
    for k in range(s.classes.shape[0]):
        if s.classes[k].parked >= 0 and could_hold(s, np.int64(k), np.int64(s.classes[k].park_min)):
            unpark_fitting(s, np.int64(k))


@kernel()
def note_head_start(s, rank):
    """The job at this rank started as the head: was it later than promised?"""
    c = s.clock[0]
    if c.promise_rank == rank:
        if c.now > c.promise:
            s.count[0].breaches += 1
        c.promise_rank = -1


@kernel()
def next_head(s, rank):
    """Rank of the first queued job: from ``rank`` on, or by the tournament of a changing order; -1: none."""
    if not s.clock[0].heads:
        return queue_next(s, rank)
    j = np.int64(s.winners[1].job)
    return np.int64(s.runs[j].rank) if j >= 0 else np.int64(-1)


@kernel()
def schedule_pass(s):
    """Serve services and queue once, at the end of an instant."""
    c = s.clock[0]
    s.count[0].passes += 1
    tell(s, PASS, np.int64(0))
    if c.growing:
        grow_services(s)
    c.called = 0
    if c.grown:
        unpark(s)
    new = np.int64(c.first_new)
    c.first_new = c.leaves
    for k in range(s.classes.shape[0]):
        s.classes[k].hopeless = BIG
    rank = np.int64(-1)
    if c.queued > c.parked:
        rank = next_head(s, np.int64(0))
    while rank >= 0:
        j = np.int64(s.by_rank[rank])
        cls = s.classes[s.jobs[j].cls]
        if s.jobs[j].size_min >= cls.hopeless:
            park(s, j)
        elif start_somewhere(s, j, False) == STARTED or (c.preemption and preempt_for_job(s, j)):
            rank = np.int64(s.runs[j].rank)
            note_head_start(s, rank)
            c.dirty = 1
            c.rebuild = 1
            if c.resv_rank == rank:
                drop_reservation(s)
        elif not c.easy:
            return
        else:
            rank = np.int64(s.runs[j].rank)  # jobs stopped for it that join the queue may have moved it
            if c.resv_rank == rank and not c.rebuild:
                break
            if find_reservation(s, j) < NEVER:
                c.dirty = 1
                break
            cls.hopeless = s.jobs[j].size_min
            park(s, j)
        rank = next_head(s, rank + 1)
    if rank < 0:
        if c.resv_rank >= 0:
            drop_reservation(s)
        if c.marks > 0:
            marks_off(s)
        return
    full = c.dirty
    c.dirty = 0
    c.rebuild = 0
    c.resv_used = 0
    if c.queued - c.parked > 1:
        backfill(s, rank + 1 if full else max(rank + 1, new))
    if c.resv_used:
        c.rebuild = 1
        c.dirty = 1

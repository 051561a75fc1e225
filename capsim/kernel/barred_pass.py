"""Starts and backfilling where reservations are made in advance: each job on the map that they leave it."""

from __future__ import annotations

import numpy as np

from capsim.jit import kernel, leading_zeros
from capsim.kernel.barred_shadow import build_barred_reservation
from capsim.kernel.bars import (
    draw_map,
    has_own,
    soonest_end,
)
from capsim.kernel.bits import ONE
from capsim.kernel.hooks import POOL_BITS
from capsim.kernel.placement import find_site
from capsim.kernel.queue import BIG, is_special, tree_after
from capsim.kernel.running import try_start
from capsim.kernel.schedule import (
    NOT_YET,
    NOWHERE,
    STARTED,
    set_bounds,
    site_bound,
    size_here,
    start_somewhere,
)
from capsim.kernel.window_steps import fresh_at_level, fresh_by
from capsim.tables import NEVER

UNTOLD = 2**31 - 1
"""``MAP.lacked`` of a look at a job that its placement made run into further windows: a larger one may fit
into one block, so this one's failure says nothing of others."""


@kernel()
def attempt(s, j, pool, least, own, head, end, deadline):
    """Start job j on a pool's map if it is estimated to end by the deadline: STARTED, NOWHERE (the map has no
    room for it), or NOT_YET.

    The map is that of its estimated end as if in one block, ``end``; where the placement gives it a later
    one that would have another map, it is tried on that.
    """
    c, m, job = s.clock[0], s.maps[pool], s.jobs[j]
    rigid, result = least or job.size_min == job.size_max, NOWHERE
    late = rigid and end > deadline
    while True:
        limit = draw_map(s, j, pool, np.int64(c.now), end, own, head)
        if limit < 0:
            return result
        masked, n = m.masked != 0, np.int64(job.size_min)
        c.plan_end = 0
        if late:
            room = find_site(s, pool, n, np.int64(s.classes[job.cls].max_sites), masked) != -1
        else:
            n = n if rigid else size_here(s, j, pool, masked)
            if n > 0 and try_start(s, j, pool, n, masked, min(limit, deadline)):
                return STARTED
            room = c.plan_end > 0
        if result == NOWHERE and not own and not head:
            m.looked, m.lacked, m.room = s.count[0].looks, m.masked, room
        if room:
            result = NOT_YET
        if not room or late or c.plan_end <= limit:
            return result
        end = np.int64(c.plan_end)
        m.looked, m.lacked = s.count[0].looks, UNTOLD


@kernel()
def start_barred(s, what, least):
    """``start_on`` on the maps of the job: domains reserved for it first, then all that it may use."""
    c = s.clock[0]
    j, pool = what >> (POOL_BITS + 1), (what >> 1) & ((1 << POOL_BITS) - 1)
    behind = what & 1 != 0 and pool == c.resv_pool
    deadline = np.int64(c.shadow) if behind else NEVER
    end = soonest_end(s, j, pool, np.int64(s.jobs[j].size_min))
    own = has_own(s, j, pool)
    while True:
        result = attempt(s, j, pool, least, own, False, end, deadline)
        if result == NOT_YET and behind:
            if not c.resv_built:
                build_barred_reservation(s)
            if attempt(s, j, pool, least, own, True, end, NEVER) == STARTED:
                c.resv_used = 1
                return STARTED
        if result == STARTED or not own:
            break
        own = False
    if result == STARTED:
        return result
    if c.resv_rank == s.runs[j].rank and c.shadow <= c.now:
        c.rebuild = 1
    if result == NOT_YET or s.maps[pool].masked == 0:
        return result
    sites = np.int64(s.classes[s.jobs[j].cls].max_sites)
    return NOT_YET if find_site(s, pool, np.int64(s.jobs[j].size_min), sites, False) != -1 else NOWHERE


@kernel()
def draw_own_map(s, what):
    """Write the map of a pool that a job may use if it starts now; returns whether it lacks some domain."""
    j, pool = what >> (POOL_BITS + 1), (what >> 1) & ((1 << POOL_BITS) - 1)
    end = soonest_end(s, j, pool, np.int64(s.jobs[j].size_min))
    draw_map(s, j, pool, np.int64(s.clock[0].now), end, False, False)
    return np.int64(s.maps[pool].masked)


@kernel()
def size_on_map(s, what):
    """Chips that a job would take on a pool now, on the map of its estimated end as if in one block.

    A head that is not started on the pool for want of room is beyond its shadow, too, if that is over.
    """
    c = s.clock[0]
    if c.resv_rank == s.runs[what >> (POOL_BITS + 1)].rank and c.shadow <= c.now:
        c.rebuild = 1
    masked = draw_own_map(s, what) != 0
    return size_here(s, what >> (POOL_BITS + 1), (what >> 1) & ((1 << POOL_BITS) - 1), masked)


@kernel()
def worth_a_look(size, duration, b, short, late):
    """Whether a job may start, or one of those below a node of the queue's tree: by bounds of sizes
    (CLASS_BOUND), ms until the shadow and ms until the next window.
    """
    free, free_late, extra, extra_late, long, long_extra = b
    if size <= extra_late and (duration < long or size <= long_extra):
        return True
    if size <= free_late and duration <= short:
        return True
    return duration <= late and (size <= extra or (size <= free and duration <= short))


@kernel()
def next_ordinary(s, rank, bounds, short, late):
    """The first queued rank >= ``rank`` that is worth a look; BIG: none."""
    tree, leaves = s.tree, np.int64(s.clock[0].leaves)
    i = rank + leaves
    if i >= 2 * leaves:
        return BIG
    while True:
        size, duration = tree[i].size, tree[i].duration
        if worth_a_look(size, duration, bounds, short, late):
            if i >= leaves:
                return i - leaves
            i = 2 * i
            continue
        i = tree_after(i)
        if i == 0:
            return BIG


@kernel()
def next_special(s, rank, own, extra, short, longest):
    """The first queued rank >= ``rank`` that may use an open window and is no longer than ``longest``, with
    size <= ``extra``, or with size <= ``own`` and duration <= ``short``; BIG: none.
    """
    tree, leaves = s.special_tree, np.int64(s.clock[0].leaves)
    i = rank + leaves
    if i >= 2 * leaves:
        return BIG
    while True:
        size, duration = tree[i].size, tree[i].duration
        if duration <= longest and (size <= extra or (size <= own and duration <= short)):
            if i >= leaves:
                return i - leaves
            i = 2 * i
            continue
        i = tree_after(i)
        if i == 0:
            return BIG


@kernel()
def site_bound_by(s, pool, site, until):
    """No larger gang can be placed in this site now, off the windows that begin by ``until``."""
    st = s.sites[site]
    fresh = fresh_by(s, pool, site, until)
    if fresh == 0 or not st.usable:
        return site_bound(s, site)
    if fresh == st.n_domains:
        return np.int64(0)
    whole = st.whole - fresh_at_level(s, pool, site, np.int64(st.domain_chips), until)
    if whole > 0:
        return (whole + 1) * st.segment + st.domain_chips
    w = np.int64(st.level_words) - 1
    while w >= 0:
        word = s.bits[st.levels_at + w]
        while word != 0:
            level = (w << 6) + 63 - leading_zeros(word)
            word ^= ONE << np.uint64(level & 63)
            here = s.counts[st.count_at + level]
            if 0 < level < st.domain_chips and here > fresh_at_level(s, pool, site, level, until):
                return level
        w -= 1
    return np.int64(0)


@kernel()
def pool_bound_by(s, pool, until):
    """(largest, sum) over the sites of a pool of ``site_bound_by``."""
    best, total, p = np.int64(0), np.int64(0), s.pools[pool]
    for i in range(p.first_site, p.first_site + p.n_sites):
        bound = site_bound_by(s, pool, np.int64(s.site_order[i]), until)
        best = max(best, bound)
        total += bound
    return best, total


@kernel()
def raise_bounds(s, pool, best, total, late):
    """Raise the bounds of the classes that can run on a pool to what it can hold."""
    for k in range(s.classes.shape[0]):
        cls, b = s.classes[k], s.class_bounds[k]
        if cls.bound_free > 0 and s.places[k * s.pools.shape[0] + pool].speed > 0.0:
            bound = total if cls.max_sites > 1 else best
            if late:
                b.free_late = b.extra_late = max(b.free_late, bound)
            else:
                b.free = b.extra = max(b.free, bound)


@kernel()
def set_common_bounds(s, horizon):
    """Bounds of sizes by class, for jobs that end by the next step of the map and for those that do not."""
    now = np.int64(s.clock[0].now)
    for k in range(s.classes.shape[0]):
        b = s.class_bounds[k]
        b.free, b.free_late, b.extra, b.extra_late, b.long = 0, 0, 0, 0, NEVER
        b.own = b.own_extra = s.classes[k].bound_free
    for pool in range(s.pools.shape[0]):
        best, total = pool_bound_by(s, np.int64(pool), now)
        raise_bounds(s, np.int64(pool), best, total, False)
        if horizon < NEVER:
            best, total = pool_bound_by(s, np.int64(pool), horizon)
            raise_bounds(s, np.int64(pool), best, total, True)


@kernel()
def longest_run(s, j, k, n):
    """The longest estimate, ms, of job j of class k over the pools, if it starts now in one block."""
    longest = np.int64(0)
    for pool in range(s.pools.shape[0]):
        if s.places[k * s.pools.shape[0] + pool].speed > 0.0:
            longest = max(longest, soonest_end(s, j, np.int64(pool), n) - s.clock[0].now)
    return longest


@kernel()
def lower_bounds(s, j, late):
    """Job j, that may use no window, could not start: what that says of the others of its class.

    Of all of them only where its map lacks no more than theirs (``late``: that run into the next window).
    Else of those that are as long: of the jobs that say so, that with the least product of size and length.
    """
    k = np.int64(s.jobs[j].cls)
    n, sites = np.int64(s.jobs[j].size_min), np.int64(s.classes[k].max_sites)
    fits, common = False, True
    for pool in range(s.pools.shape[0]):
        if s.places[k * s.pools.shape[0] + pool].speed > 0.0:
            m = s.maps[pool]
            if m.looked != s.count[0].looks:
                end = soonest_end(s, j, np.int64(pool), n)
                draw_map(s, j, np.int64(pool), np.int64(s.clock[0].now), end, False, False)
                m.looked, m.lacked = s.count[0].looks, m.masked
                m.room = find_site(s, np.int64(pool), n, sites, m.masked > 0) != -1
            if m.lacked == UNTOLD:
                return
            common = common and m.lacked <= (m.barred_late if late else m.barred)
            fits = fits or m.room != 0
    b = s.class_bounds[k]
    if not common:
        length = longest_run(s, j, k, n)
        if b.long == NEVER or n * length < (b.long_extra + 1) * b.long:
            b.long, b.long_extra = length, n - 1
        return
    b.extra_late = min(b.extra_late, n - 1)
    if not fits:
        b.free_late = min(b.free_late, n - 1)
    if not late:
        b.extra = min(b.extra, n - 1)
        if not fits:
            b.free = min(b.free, n - 1)


@kernel()
def lower_own_bounds(s, j):
    """Job j, that no window barred from anything, could not start: none of its class can that is as large and
    runs past the shadow.
    """
    k = np.int64(s.jobs[j].cls)
    for pool in range(s.pools.shape[0]):
        m = s.maps[pool]
        able = s.places[k * s.pools.shape[0] + pool].speed > 0.0
        if able and (m.looked != s.count[0].looks or m.lacked > 0):
            return
    b, n = s.class_bounds[k], np.int64(s.jobs[j].size_min) - 1
    b.own_extra, b.extra, b.extra_late = min(b.own_extra, n), min(b.extra, n), min(b.extra_late, n)


@kernel()
def class_bound(s, k):
    """(free, free_late, extra, extra_late, long, long_extra) of a class."""
    b = s.class_bounds[k]
    return b.free, b.free_late, b.extra, b.extra_late, b.long, b.long_extra


@kernel()
def larger_bounds(a, b):
    """Bounds that hold for the jobs of two classes."""
    free, free_late, extra = max(a[0], b[0]), max(a[1], b[1]), max(a[2], b[2])
    return free, free_late, extra, max(a[3], b[3]), max(a[4], b[4]), max(a[5], b[5])


@kernel()
def next_look(s, rank, ordinary, special, horizon):
    """(rank, ordinary, special): the first queued rank >= ``rank`` that the bounds of its class leave worth a
    look (BIG: none), and what the searches of both trees found last, where they go on from. Bounds only fall
    between the looks of a pass.
    """
    c = s.clock[0]
    short, late = c.shadow - c.now, horizon - c.now
    own, own_extra, longest = np.int64(0), np.int64(0), s.booking[0].last_own - c.now
    bounds = class_bound(s, np.int64(0))
    for k in range(s.classes.shape[0]):
        bounds = larger_bounds(bounds, class_bound(s, np.int64(k)))
        own, own_extra = max(own, s.class_bounds[k].own), max(own_extra, s.class_bounds[k].own_extra)
    while True:
        if ordinary < rank:
            ordinary = next_ordinary(s, rank, bounds, short, late)
        if special < rank:
            special = next_special(s, rank, own, own_extra, short, longest)
        rank = min(ordinary, special)
        if rank == BIG:
            return rank, ordinary, special
        j = np.int64(s.by_rank[rank])
        b = s.class_bounds[s.jobs[j].cls]
        size, duration = s.tree[rank + c.leaves].size, s.tree[rank + c.leaves].duration
        if worth_a_look(size, duration, class_bound(s, np.int64(s.jobs[j].cls)), short, late):
            return rank, ordinary, special
        fits = size <= b.own_extra or (size <= b.own and duration <= short)
        if fits and duration <= longest and is_special(s, j):
            return rank, ordinary, special
        rank += 1


@kernel()
def fits_somewhere(s, j):
    """Whether the free chips of some pool hold job j, whatever bars it (a pool where none of its map is free
    is not tried by "earliest start").
    """
    base, sites = np.int64(s.jobs[j].cls) * s.pools.shape[0], np.int64(s.classes[s.jobs[j].cls].max_sites)
    for pool in range(s.pools.shape[0]):
        able = s.places[base + pool].speed > 0.0
        if able and find_site(s, np.int64(pool), np.int64(s.jobs[j].size_min), sites, False) != -1:
            return True
    return False


@kernel()
def backfill_barred(s, first):
    """``backfill`` on the maps of the jobs."""
    if not set_bounds(s):
        return
    horizon = np.int64(s.booking[0].horizon)
    set_common_bounds(s, horizon)
    special = np.int64(-1) if s.booking[0].last_own >= 0 else BIG
    rank, ordinary, special = next_look(s, first, np.int64(-1), special, horizon)
    while rank < BIG:
        j = np.int64(s.by_rank[rank])
        duration = s.tree[rank + s.clock[0].leaves].duration
        s.count[0].looks += 1
        result = start_somewhere(s, j, True)
        if result == STARTED:
            s.count[0].backfilled += 1
            s.runs[j].backfilled = 1
        elif result == NOWHERE and not fits_somewhere(s, j):
            n, b = np.int64(s.jobs[j].size_min) - 1, s.class_bounds[s.jobs[j].cls]
            b.own, b.own_extra = min(b.own, n), min(b.own_extra, n)
            b.free, b.free_late = min(b.free, n), min(b.free_late, n)
            b.extra, b.extra_late = min(b.extra, n), min(b.extra_late, n)
        elif is_special(s, j) and duration <= s.booking[0].last_own - s.clock[0].now:
            lower_own_bounds(s, j)
        else:
            lower_bounds(s, j, duration > horizon - s.clock[0].now)
        rank, ordinary, special = next_look(s, rank + 1, ordinary, special, horizon)

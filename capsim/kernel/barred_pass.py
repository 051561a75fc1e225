"""Starts and backfilling where reservations are made in advance: each job on the map that they leave it."""

from __future__ import annotations

import numpy as np

from capsim.jit import kernel
from capsim.kernel.barred_shadow import build_barred_reservation
from capsim.kernel.bars import (
    EVERY,
    FEW,
    change_map,
    draw_map,
    has_own,
    may_use,
    soonest_end,
)
from capsim.kernel.bits import ONE
from capsim.kernel.hooks import POOL_BITS
from capsim.kernel.placement import find_site, first_at_level
from capsim.kernel.queue import is_owner, tree_after
from capsim.kernel.running import try_start
from capsim.kernel.schedule import NOT_YET, NOWHERE, STARTED, set_bounds, size_here, start_somewhere
from capsim.tables import NEVER


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
    """Chips that a job would take on a pool now, on the map of its estimated end as if in one block."""
    masked = draw_own_map(s, what) != 0
    return size_here(s, what >> (POOL_BITS + 1), (what >> 1) & ((1 << POOL_BITS) - 1), masked)


@kernel()
def worth_a_look(size, duration, free, free_late, extra, extra_late, short, late):
    """Whether a job may start, or one of those below a node of the queue's tree: by these bounds of sizes,
    ms until the shadow and ms until the next window.
    """
    if size <= extra_late or (size <= free_late and duration <= short):
        return True
    return duration <= late and (size <= extra or (size <= free and duration <= short))


@kernel()
def next_ordinary(s, rank, free, free_late, extra, extra_late, short, late):
    """The first queued rank >= ``rank`` that is worth a look; -1: none."""
    tree, leaves = s.tree, np.int64(s.clock[0].leaves)
    i = rank + leaves
    if i >= 2 * leaves:
        return np.int64(-1)
    while True:
        size, duration = tree[i].size, tree[i].duration
        if worth_a_look(size, duration, free, free_late, extra, extra_late, short, late):
            if i >= leaves:
                return i - leaves
            i = 2 * i
            continue
        i = tree_after(i)
        if i == 0:
            return np.int64(-1)


@kernel()
def next_owner(s, rank, size, longest):
    """The first queued rank >= ``rank`` that may use some reservation, no larger than ``size`` and no longer
    than ``longest``; -1.
    """
    tree, leaves = s.owner_tree, np.int64(s.clock[0].leaves)
    i = rank + leaves
    if i >= 2 * leaves:
        return np.int64(-1)
    while True:
        if tree[i].size <= size and tree[i].duration <= longest:
            if i >= leaves:
                return i - leaves
            i = 2 * i
            continue
        i = tree_after(i)
        if i == 0:
            return np.int64(-1)


@kernel()
def site_bound_on_map(s, site):
    """No larger gang can be placed in this site now, on the map that is drawn."""
    st = s.sites[site]
    if not st.usable:
        return np.int64(0)
    if st.whole > st.held:
        return np.int64(st.whole - st.held + 1) * st.segment + st.domain_chips
    level = np.int64(st.domain_chips) - 1
    while level > 0:
        if s.counts[st.count_at + level] > 0 and first_at_level(s, site, level, st.reserved > 0) >= 0:
            return level
        level -= 1
    return level


@kernel()
def draw_common(s, pool, until):
    """Write the map of a pool without those of the first FEW windows that begin by ``until``; returns
    (bound, over sites)."""
    bars = EVERY
    for i in range(min(np.int64(s.booking[0].live), FEW)):
        w = s.windows[s.live_windows[i]]
        if w.start > until:
            break
        if s.sites[w.site].pool == pool:
            bars |= ONE << np.uint64(i)
    change_map(s, pool, bars, False)
    s.clock[0].resv_domain = -1
    best, total, p = np.int64(0), np.int64(0), s.pools[pool]
    for i in range(p.first_site, p.first_site + p.n_sites):
        bound = site_bound_on_map(s, np.int64(s.site_order[i]))
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
    """Bounds of sizes by class, for jobs that end by the next window and for those that do not."""
    now = np.int64(s.clock[0].now)
    for k in range(s.classes.shape[0]):
        b = s.class_bounds[k]
        b.free, b.free_late, b.extra, b.extra_late, b.own = 0, 0, 0, 0, s.classes[k].bound_free
    for pool in range(s.pools.shape[0]):
        best, total = draw_common(s, np.int64(pool), horizon if horizon < NEVER else now)
        s.maps[pool].barred_late = s.maps[pool].masked
        raise_bounds(s, np.int64(pool), best, total, True)
        if horizon < NEVER:
            best, total = draw_common(s, np.int64(pool), now)
        s.maps[pool].barred = s.maps[pool].masked
        raise_bounds(s, np.int64(pool), best, total, False)


@kernel()
def next_start(s):
    """The start of the next window; NEVER: none is to come."""
    for i in range(s.booking[0].live):
        if s.windows[s.live_windows[i]].start > s.clock[0].now:
            return np.int64(s.windows[s.live_windows[i]].start)
    return NEVER


@kernel()
def is_special(s, j):
    """Whether job j may use a live window that has begun, or that is flexible: bounds do not tell of it."""
    b = s.booking[0]
    if b.usable == 0 or not is_owner(s, j):
        return False
    for i in range(b.live):
        r = np.int64(s.live_windows[i])
        if s.windows[r].start > s.clock[0].now and b.last_own < NEVER:
            return False
        if (s.windows[r].flex or s.windows[r].start <= s.clock[0].now) and may_use(s, r, j):
            return True
    return False


@kernel()
def lower_bounds(s, j, late):
    """Job j, that may use no window, could not start: what that says of the others of its class.

    Only where its map lacks no more than those of all of them (``late``: that run into the next window).
    """
    k = np.int64(s.jobs[j].cls)
    n, sites = np.int64(s.jobs[j].size_min), np.int64(s.classes[k].max_sites)
    fits = False
    for pool in range(s.pools.shape[0]):
        if s.places[k * s.pools.shape[0] + pool].speed > 0.0:
            m = s.maps[pool]
            if m.looked != s.count[0].looks:
                end = soonest_end(s, j, np.int64(pool), n)
                draw_map(s, j, np.int64(pool), np.int64(s.clock[0].now), end, False, False)
                m.lacked = m.masked
                m.room = find_site(s, np.int64(pool), n, sites, m.masked > 0) != -1
            if m.lacked > (m.barred_late if late else m.barred):
                return
            fits = fits or m.room != 0
    b = s.class_bounds[k]
    b.extra_late = min(b.extra_late, n - 1)
    if not fits:
        b.free_late = min(b.free_late, n - 1)
    if not late:
        b.extra = min(b.extra, n - 1)
        if not fits:
            b.free = min(b.free, n - 1)


@kernel()
def next_look(s, rank, horizon):
    """The next queued rank whose job the bounds of its class leave worth a look; -1: none."""
    c = s.clock[0]
    short, late = c.shadow - c.now, horizon - c.now
    free, free_late, extra, extra_late = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    own, longest = np.int64(0), s.booking[0].last_own - c.now
    for k in range(s.classes.shape[0]):
        b = s.class_bounds[k]
        free, free_late = max(free, b.free), max(free_late, b.free_late)
        extra, extra_late = max(extra, b.extra), max(extra_late, b.extra_late)
        own = max(own, b.own)
    while True:
        found = next_ordinary(s, rank, free, free_late, extra, extra_late, short, late)
        if s.booking[0].usable > 0:
            other = next_owner(s, rank, own, longest)
            found = other if found < 0 or 0 <= other < found else found
        if found < 0:
            return found
        j = np.int64(s.by_rank[found])
        b = s.class_bounds[s.jobs[j].cls]
        size, duration = s.tree[found + c.leaves].size, s.tree[found + c.leaves].duration
        if worth_a_look(size, duration, b.free, b.free_late, b.extra, b.extra_late, short, late):
            return found
        if size <= b.own and duration <= longest and is_special(s, j):
            return found
        rank = found + 1


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
    horizon = next_start(s)
    set_common_bounds(s, horizon)
    rank = next_look(s, first, horizon)
    while rank >= 0:
        j = np.int64(s.by_rank[rank])
        duration = s.tree[rank + s.clock[0].leaves].duration
        late = duration > horizon - s.clock[0].now
        s.count[0].looks += 1
        result = start_somewhere(s, j, True)
        if result == STARTED:
            s.count[0].backfilled += 1
            s.runs[j].backfilled = 1
        elif result == NOWHERE and not fits_somewhere(s, j):
            n, b = np.int64(s.jobs[j].size_min) - 1, s.class_bounds[s.jobs[j].cls]
            b.own, b.free, b.free_late = min(b.own, n), min(b.free, n), min(b.free_late, n)
            b.extra, b.extra_late = min(b.extra, n), min(b.extra_late, n)
        elif not is_special(s, j) or duration > s.booking[0].last_own - s.clock[0].now:
            lower_bounds(s, j, late)
        rank = next_look(s, rank + 1, horizon)

"""The head's reservation: the domains R that the placement rule gives it at the shadow, and what is extra."""

from __future__ import annotations

import numpy as np

from capsim.jit import count_ones, kernel, trailing_zeros
from capsim.kernel.bits import ONE, bit_next, bit_next_without, bit_set, bit_test, word_part
from capsim.kernel.domains import mark_move
from capsim.kernel.ends import ends_first, ends_next, ends_slot
from capsim.kernel.hooks import SHADOW, ask_windows
from capsim.kernel.placement import (
    BY_SHADOW,
    PACK_TENANT,
    find_block,
    level_score,
    whole_threshold,
)
from capsim.kernel.shadow import free_at, pool_shadow, span_choose
from capsim.tables import NEVER

NEAR = 256
"""Domains of a site that are looked at one by one for the remainder of a gang."""


@kernel()
def clear_reservation(s):
    """Forget the reserved domains."""
    c = s.clock[0]
    c.resv_built = 0
    c.resv_domain = -1
    if c.windows:
        return
    for site in range(s.sites.shape[0]):
        st = s.sites[site]
        if st.reserved == 0:
            continue
        for w in range(st.reserved_at, st.reserved_at + st.row_stride):
            s.bits[w] = np.uint64(0)
        st.held = 0
        st.reserved = 0


@kernel()
def drop_reservation(s):
    """No job holds a reservation any more."""
    if s.clock[0].resv_built:
        clear_reservation(s)
    s.clock[0].resv_rank = -1
    s.clock[0].resv_pool = -1


@kernel()
def reserve(s, site, d):
    """Take a domain off the restricted map."""
    st = s.sites[site]
    bit_set(s.bits, st.reserved_at, np.int64(st.words), d - st.first_domain)
    st.reserved += 1
    if s.doms[d].free == st.domain_chips:
        st.held += 1


@kernel()
def reserve_part(s, site, d, n):
    """Take n chips of a domain off the restricted map."""
    c = s.clock[0]
    reserve(s, site, d)
    c.resv_domain = d
    c.resv_extra = free_at(s, d, c.shadow) - n


@kernel()
def reserve_small(s, site, n, tenant):
    """R of a head of n <= D chips: one of the domains that the ends at the shadow make large enough."""
    c = s.clock[0]
    st = s.sites[site]
    full = np.int64(st.domain_chips)
    found, best, mine = np.int64(-1), np.int64(0), False
    cursor = ends_first(s, site, c.shadow - 1)
    while cursor >= 0:
        slot = ends_slot(s, site, cursor)
        if s.ends[slot].time > c.shadow:
            break
        p = np.int64(s.runs[s.ends[slot].job].first_piece)
        while p >= 0:
            d = np.int64(s.pieces[p].domain)
            p = np.int64(s.pieces[p].next)
            if s.doms[d].site != site or s.doms[d].leaving:
                continue
            if bit_test(s.bits, st.reserved_at, d - st.first_domain):
                continue
            free = free_at(s, d, c.shadow)
            if free < n:
                continue
            score = level_score(s, n, free, full, s.pools[st.pool].score_at)
            same = c.placement == PACK_TENANT and s.doms[d].tenant == tenant
            better = score < best or (score == best and d < found)
            if found < 0 or (same and not mine) or (same == mine and better):
                found, best, mine = d, score, same
        cursor = ends_next(s, site, cursor)
    reserve_part(s, site, found, n)


@kernel()
def reserve_block(s, site, b, m):
    """Reserve the m lowest domains of a block that are wholly free by the shadow, 64 at a time."""
    st = s.sites[site]
    lo = np.int64(s.blocks[b].first_domain - st.first_domain)
    hi = lo + np.int64(s.blocks[b].n_domains)
    left = m
    for w in range(lo >> 6, ((hi - 1) >> 6) + 1):
        word = s.bits[st.mark_at + w] & word_part(np.int64(w), lo, hi)
        n = count_ones(word)
        if n > left:
            rest = word
            for _ in range(left):
                rest &= rest - np.uint64(1)
            word ^= rest
            n = left
        s.bits[st.reserved_at + w] |= word
        left -= n
        if left == 0:
            break


@kernel()
def reserve_whole(s, site, k):
    """Reserve k domains wholly free by the shadow, by the block rule; returns the last block."""
    st = s.sites[site]
    last = find_block(s, site, k, BY_SHADOW)
    if last >= 0:
        reserve_block(s, site, last, k)
    else:
        level, left = whole_threshold(s, site, k, BY_SHADOW)
        more = k
        for w in range(st.block_words):
            word = s.bits[st.open_t_at + w]
            while word != 0 and more > 0:
                b = st.first_block + (w << 6) + trailing_zeros(word)
                word &= word - ONE
                whole = np.int64(s.blocks[b].whole_t)
                if whole == level and left > 0:
                    last = b
                    whole = min(left, whole)
                    left -= whole
                elif whole <= level:
                    continue
                more -= whole
                reserve_block(s, site, b, whole)
    st.reserved += k
    row = st.rows_at + (st.domain_chips - 1) * st.row_stride
    for w in range(st.words):
        st.held += count_ones(s.bits[row + w] & s.bits[st.reserved_at + w])
    return last


@kernel()
def best_rest(s, site, lo, hi, r):
    """Of the domains lo..hi-1, not reserved, the one with least chips >= r at the shadow; -1."""
    st = s.sites[site]
    time = s.clock[0].shadow
    best, found = np.int64(0), np.int64(-1)
    for d in range(lo, hi):
        dom = s.doms[d]
        if dom.leaving or not dom.active:
            continue
        here = np.int64(dom.first_piece)
        if time < dom.last_end < NEVER and dom.free == 0 and here >= 0 and s.pieces[here].next_here < 0:
            continue
        if bit_test(s.bits, st.reserved_at, d - st.first_domain):
            continue
        free = free_at(s, np.int64(d), time)
        if free >= r and (found < 0 or free < best):
            best, found = free, np.int64(d)
            if best == r:
                break
    return found


@kernel()
def part_by_ends(s, site, r):
    """(chips, domain): as ``rest_of_site``, of the domains where some jobs, not all, end by the shadow.

    All its chips and -1 if there is none. Of a gang's pieces only the first, placed last, may be of a part of
    a domain, unless spare chips took over or broken ones were replaced. Among the reserved domains are those
    of advance reservations that bar the head, which need not be wholly free by then.
    """
    st, time = s.sites[site], s.clock[0].shadow
    spares = st.segment < st.domain_chips
    best, found = np.int64(st.domain_chips), np.int64(-1)
    cursor = ends_first(s, site, np.int64(-1))
    while cursor >= 0:
        slot = ends_slot(s, site, cursor)
        if s.ends[slot].time > time:
            break
        run = s.runs[s.ends[slot].job]
        p = np.int64(run.first_piece)
        while p >= 0:
            piece = s.pieces[p]
            p = np.int64(piece.next) if spares or run.restarts > 0 else np.int64(-1)
            if piece.chips + piece.spare == st.domain_chips:
                continue
            d = np.int64(piece.domain)
            dom = s.doms[d]
            if dom.site != site or dom.leaving or dom.last_end <= time:
                continue
            if dom.free + piece.chips + piece.spare > best:
                continue
            free = free_at(s, d, time)
            if free < r or free > best or (free == best and d >= found):
                continue
            if not bit_test(s.bits, st.reserved_at, d - st.first_domain):
                best, found = free, d
        cursor = ends_next(s, site, cursor)
    return best, found


@kernel()
def part_as_now(s, site, level, end):
    """The first domain before ``end``, not reserved, with ``level`` chips free now and no more at the shadow,
    when it is not wholly free; -1.
    """
    st, time = s.sites[site], s.clock[0].shadow
    row = st.rows_at + (level - 1) * st.row_stride
    i = bit_next_without(s.bits, row, np.int64(st.words), np.int64(0), st.reserved_at)
    while i >= 0 and i + st.first_domain < end:
        d = i + st.first_domain
        if s.doms[d].last_end > time and free_at(s, d, time) == level:
            return d
        i = bit_next_without(s.bits, row, np.int64(st.words), i + 1, st.reserved_at)
    return np.int64(-1)


@kernel()
def rest_of_site(s, site, r):
    """Of the domains of a site, not reserved, the one with least chips >= r at the shadow, lowest index; -1.

    The marks are at the shadow. One of the first domains often has just r chips. Else first come domains
    that are not wholly free then: with more chips than now those of jobs that end, with as many those of the
    map of free chips.
    """
    st = s.sites[site]
    lo, hi = np.int64(st.first_domain), np.int64(st.first_domain + st.n_domains)
    d = best_rest(s, site, lo, min(hi, lo + NEAR), r)
    if hi - lo <= NEAR or (d >= 0 and free_at(s, d, s.clock[0].shadow) == r):
        return d
    best, found = part_by_ends(s, site, r)
    level = bit_next(s.bits, st.levels_at, np.int64(st.level_words), r)
    while 0 <= level <= min(best, np.int64(st.domain_chips - 1)):
        d = part_as_now(s, site, level, hi if level < best else found)
        if d >= 0:
            return d
        level = bit_next(s.bits, st.levels_at, np.int64(st.level_words), level + 1)
    if found < 0:
        i = bit_next_without(s.bits, st.mark_at, np.int64(st.words), np.int64(0), st.reserved_at)
        found = i + lo if i >= 0 else i
    return found


@kernel()
def reserve_rest(s, site, b, r):
    """Reserve the remainder: best fit in block b, else in the site."""
    lo = np.int64(s.blocks[b].first_domain)
    d = best_rest(s, site, lo, lo + s.blocks[b].n_domains, r)
    if d < 0:
        d = rest_of_site(s, site, r)
    reserve_part(s, site, d, r)


@kernel()
def build_reservation(s):
    """Compute R and extra of the present reservation."""
    c = s.clock[0]
    clear_reservation(s)
    j = np.int64(s.by_rank[c.resv_rank])
    n = np.int64(s.jobs[j].size_min)
    pool, site = np.int64(c.resv_pool), np.int64(c.resv_site)
    if site >= 0:
        if n <= s.pools[pool].domain_chips:
            reserve_small(s, site, n, np.int64(s.jobs[j].tenant))
        else:
            mark_move(s, site, c.shadow)
            k = n // s.sites[site].segment
            b = reserve_whole(s, site, k)
            if n > k * s.sites[site].segment:
                reserve_rest(s, site, b, n - k * s.sites[site].segment)
    else:
        left = -(-n // s.pools[pool].segment)
        c.stamp += 1
        while left > 0:
            site, whole = span_choose(s, pool, c.shadow)
            mark_move(s, site, c.shadow)
            k = min(left, whole)
            left -= k
            reserve_whole(s, site, k)
    c.resv_built = 1


@kernel()
def find_reservation(s, j):
    """Give job j the reservation: pool, site and shadow; returns the shadow, NEVER if it could not start."""
    c = s.clock[0]
    if c.windows:
        return ask_windows(s, SHADOW, j)
    job = s.jobs[j]
    cls = s.classes[job.cls]
    base = np.int64(job.cls) * s.pools.shape[0]
    drop_reservation(s)
    best = NEVER
    for i in range(cls.n_pools):
        pool = np.int64(s.places[base + i].order)
        if s.places[base + pool].speed <= 0.0:
            continue
        time, site = pool_shadow(s, pool, np.int64(job.size_min), np.int64(cls.max_sites), best)
        if site != -1:
            best = time
            c.resv_pool = pool
            c.resv_site = site
    return promise(s, j, best)


@kernel()
def promise(s, j, best):
    """Job j is the head with this shadow; NEVER: it could not start."""
    c = s.clock[0]
    c.shadow = best
    if best < NEVER:
        c.resv_rank = s.runs[j].rank
        s.count[0].shadows += 1
        if c.promise_rank != c.resv_rank:
            c.promise_rank = c.resv_rank
            c.promise = best
    return best

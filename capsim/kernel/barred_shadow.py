"""When the blocked head could start where reservations are made in advance, and the domains that it gets.

Between two changes of its map (``bars.next_change``) the chips that it may use only grow as jobs end, so the
first instant is found as without windows, on the domains that the map has.
"""

from __future__ import annotations

import numpy as np

from capsim.jit import count_ones, kernel, trailing_zeros
from capsim.kernel.bars import count_masked, draw_map, next_change, soonest_end
from capsim.kernel.bits import ONE, bit_next, bit_next_without, bit_test, word_clear, word_part, word_set
from capsim.kernel.domains import mark_change, mark_move
from capsim.kernel.ends import ends_first, ends_next, ends_select, ends_settle, ends_slot, ends_weight
from capsim.kernel.placement import PACK_TENANT, best_fit, level_score
from capsim.kernel.reservation import (
    drop_reservation,
    promise,
    reserve_part,
    reserve_rest,
    reserve_small,
    reserve_whole,
)
from capsim.kernel.shadow import free_at
from capsim.kernel.state import END_BLOCK_SIZE
from capsim.tables import NEVER

FEW_ON_MAP = 16
"""Where the map has less than one in so many domains, it is looked through domain by domain."""

TRIES = 3
"""So often the domains off the map are counted by an instant, before ends are looked at one by one."""


@kernel()
def on_map(s, site, d):
    """Whether a usable domain of the site is on the map."""
    dom, st = s.doms[d], s.sites[site]
    if not dom.active or dom.leaving:
        return False
    return not bit_test(s.bits, st.reserved_at, d - st.first_domain)


@kernel()
def masked_whole(s, site, time):
    """Domains off the map that are wholly free by ``time``, now or later."""
    st = s.sites[site]
    n, left = np.int64(st.held), np.int64(st.reserved)
    row = st.rows_at + (st.domain_chips - 1) * st.row_stride
    w = np.int64(0)
    while left > 0 and n < st.reserved and time > s.clock[0].now:
        word = s.bits[st.reserved_at + w]
        if word != 0:
            left -= count_ones(word)
            word &= ~s.bits[row + w]
            while word != 0:
                n += s.doms[st.first_domain + (w << 6) + trailing_zeros(word)].last_end <= time
                word &= word - ONE
        w += 1
    return n


@kernel()
def whole_by_ends(s, site, need, begin, before):
    """``whole_by`` where ``need`` more domains than now have to become wholly free: end by end."""
    ends_settle(s)
    st = s.sites[site]
    cursor = ends_first(s, site, np.int64(-1))
    while cursor >= 0:
        end = s.ends[ends_slot(s, site, cursor)]
        if end.time >= before:
            break
        p = np.int64(s.runs[end.job].first_piece) if end.weight > 0 else np.int64(-1)
        while p >= 0:
            d = np.int64(s.pieces[p].domain)
            p = np.int64(s.pieces[p].next)
            dom = s.doms[d]
            if dom.last_job == end.job and dom.last_end == end.time and dom.site == site:
                need -= np.int64(not bit_test(s.bits, st.reserved_at, d - st.first_domain))
        if need <= 0:
            return max(begin, np.int64(end.time))
        cursor = ends_next(s, site, cursor)
    return NEVER


@kernel()
def whole_by(s, site, k, begin, before):
    """First instant from ``begin`` on, before ``before``, with k wholly free domains on the map; NEVER."""
    st = s.sites[site]
    if st.n_domains - st.reserved < k:
        return NEVER
    time, short = begin, k - np.int64(st.whole)
    need = short + masked_whole(s, site, begin)
    for _ in range(TRIES):
        if time >= before:
            return NEVER
        found = begin if need <= 0 else max(begin, ends_select(s, site, need))
        if found <= time:
            return time
        time = found
        if time < before:
            more = short + masked_whole(s, site, time)
            if more == need:
                return time
            need = more
    return whole_by_ends(s, site, short + np.int64(st.held), begin, before)


@kernel()
def part_from(s, site, n, begin, before):
    """First instant from ``begin`` on, before ``before``, with n free chips in a domain of the map; NEVER."""
    st = s.sites[site]
    if (st.n_domains - st.reserved) * FEW_ON_MAP < st.n_domains:
        return part_of_few(s, site, n, begin, before)
    if begin <= s.clock[0].now and best_fit(s, site, n, np.int64(st.domain_chips), True) >= 0:
        return begin
    if begin > s.clock[0].now:
        for d in range(st.first_domain, st.first_domain + st.n_domains):
            if on_map(s, site, np.int64(d)) and free_at(s, np.int64(d), begin) >= n:
                return begin
    return part_at_an_end(s, site, n, begin, before)


@kernel()
def part_of_few(s, site, n, begin, before):
    """``part_from`` where the map has few of the site's domains: domain by domain."""
    st, best = s.sites[site], before
    for w in range(st.words):
        word = ~s.bits[st.reserved_at + w] & word_part(np.int64(w), np.int64(w << 6), np.int64(st.n_domains))
        while word != 0:
            d = np.int64(st.first_domain) + (np.int64(w) << 6) + trailing_zeros(word)
            word &= word - ONE
            if not s.doms[d].active or s.doms[d].leaving:
                continue
            if free_at(s, d, begin) >= n:
                return begin
            p = np.int64(s.doms[d].first_piece)
            while p >= 0:
                holder = s.pieces[p].holder
                if holder < s.clock[0].cap_jobs:
                    time = np.int64(s.runs[holder].est_end)
                    if begin < time < best and free_at(s, d, time) >= n:
                        best = time
                p = np.int64(s.pieces[p].next_here)
    return best if best < before else NEVER


@kernel()
def part_at_an_end(s, site, n, begin, before):
    """The first estimated end after ``begin``, before ``before``, that gives a domain of the map n chips."""
    cursor = ends_first(s, site, begin)
    while cursor >= 0:
        slot = ends_slot(s, site, cursor)
        time = np.int64(s.ends[slot].time)
        if time >= before:
            break
        p = np.int64(s.runs[s.ends[slot].job].first_piece)
        while p >= 0:
            d = np.int64(s.pieces[p].domain)
            if s.doms[d].site == site and on_map(s, site, d) and free_at(s, d, time) >= n:
                return time
            p = np.int64(s.pieces[p].next)
        cursor = ends_next(s, site, cursor)
    return NEVER


@kernel()
def has_rest(s, site, time, rest):
    """Whether a domain of the map that is not wholly free by ``time`` has ``rest`` chips then."""
    st = s.sites[site]
    level = bit_next(s.bits, st.levels_at, np.int64(st.level_words), rest)
    while 0 <= level < st.domain_chips:
        row = st.rows_at + (level - 1) * st.row_stride
        i = bit_next_without(s.bits, row, np.int64(st.words), np.int64(0), st.reserved_at)
        while i >= 0:
            if s.doms[i + st.first_domain].last_end > time:
                return True
            i = bit_next_without(s.bits, row, np.int64(st.words), i + 1, st.reserved_at)
        level = bit_next(s.bits, st.levels_at, np.int64(st.level_words), level + 1)
    for d in range(st.first_domain, st.first_domain + st.n_domains):
        dom = s.doms[d]
        if dom.last_end > time and on_map(s, site, np.int64(d)) and free_at(s, np.int64(d), time) >= rest:
            return True
    return False


@kernel()
def site_from(s, site, n, begin, before):
    """First instant from ``begin`` on, before ``before``, when the rule places n chips on a site's map."""
    st = s.sites[site]
    if n <= st.domain_chips:
        return part_from(s, site, n, begin, before)
    k = n // st.segment
    rest = n - k * st.segment
    time = whole_by(s, site, k, begin, before)
    if rest == 0 or time >= before:
        return time
    later = whole_by(s, site, k + 1, time, before)
    if later == time or has_rest(s, site, time, rest):
        return time
    found = part_at_an_end(s, site, rest, time, min(later, before))
    return found if found < NEVER else later


@kernel()
def choose_next(s, pool, time):
    """The site not chosen yet with most wholly free domains of the map; marks it. (-1, 0): none."""
    p = s.pools[pool]
    best, found = np.int64(0), np.int64(-1)
    for i in range(p.first_site, p.first_site + p.n_sites):
        site = np.int64(s.site_order[i])
        st = s.sites[site]
        if not st.usable or st.chosen == s.clock[0].stamp:
            continue
        whole = st.whole + ends_weight(s, site, time) - masked_whole(s, site, time)
        if whole > best:
            best, found = whole, site
    if found >= 0:
        s.sites[found].chosen = s.clock[0].stamp
    return found, best


@kernel()
def spans_at(s, pool, n, max_sites, time):
    """Whether at most max_sites sites have the whole domains for n chips by ``time``."""
    left = -(-n // s.pools[pool].segment)
    s.clock[0].stamp += 1
    for _ in range(max_sites):
        site, whole = choose_next(s, pool, time)
        if site < 0:
            return False
        left -= whole
        if left <= 0:
            return True
    return False


@kernel()
def span_from(s, pool, n, max_sites, begin, before):
    """First instant from ``begin`` on, before ``before``, at which sites together hold the gang; NEVER."""
    if begin >= before:
        return NEVER
    if spans_at(s, pool, n, max_sites, begin):
        return begin
    lo, hi = begin, begin
    p = s.pools[pool]
    for i in range(p.first_site, p.first_site + p.n_sites):
        st = s.sites[s.site_order[i]]
        if st.usable and st.n_ends > 0:
            block = np.int64(s.end_order[st.ends_at + st.n_ends - 1])
            hi = max(hi, s.ends[block * END_BLOCK_SIZE + s.end_blocks[block].count - 1].time)
    hi = min(hi, before - 1)
    if hi <= lo or not spans_at(s, pool, n, max_sites, hi):
        return NEVER
    while hi - lo > 1:
        mid = (lo + hi) >> 1
        if spans_at(s, pool, n, max_sites, mid):
            hi = mid
        else:
            lo = mid
    return hi


@kernel()
def pool_from(s, pool, n, max_sites, begin, before):
    """(instant, site) from ``begin`` on, earlier than ``before``, else (NEVER, -1); site -2: several."""
    p = s.pools[pool]
    best, where = before, np.int64(-1)
    for i in range(p.first_site, p.first_site + p.n_sites):
        site = np.int64(s.site_order[i])
        if s.sites[site].usable:
            time = site_from(s, site, n, begin, best)
            if time < best:
                best, where = time, site
    if max_sites > 1 and n > p.domain_chips:
        time = span_from(s, pool, n, max_sites, begin, best)
        if time < best:
            best, where = time, np.int64(-2)
    if where == -1:
        return NEVER, where
    return best, where


@kernel()
def head_from(s, j, pool, before):
    """(shadow, site) of job j on a pool if earlier than ``before``, else (NEVER, -1)."""
    n, sites = np.int64(s.jobs[j].size_min), np.int64(s.classes[s.jobs[j].cls].max_sites)
    time = np.int64(s.clock[0].now)
    length = soonest_end(s, j, pool, n) - time
    while time < before:
        draw_map(s, j, pool, time, time + length, False, False)
        change = next_change(s, j, pool, time, length)
        found, site = pool_from(s, pool, n, sites, time, min(before, change))
        if site != -1:
            return found, site
        time = change
    return NEVER, np.int64(-1)


@kernel()
def find_barred_reservation(s, j):
    """``find_reservation`` where reservations are made in advance."""
    c = s.clock[0]
    base = np.int64(s.jobs[j].cls) * s.pools.shape[0]
    drop_reservation(s)
    best = NEVER
    for i in range(s.classes[s.jobs[j].cls].n_pools):
        pool = np.int64(s.places[base + i].order)
        if s.places[base + pool].speed <= 0.0:
            continue
        time, site = head_from(s, j, pool, best)
        if site != -1:
            best = time
            c.resv_pool = pool
            c.resv_site = site
    return promise(s, j, best)


@kernel()
def is_boundary(s, time):
    """Whether a window begins or ends at an instant, or it is the present one: other domains than those of
    the jobs that end then may be new to the map.
    """
    if time <= s.clock[0].now:
        return True
    for i in range(s.booking[0].live):
        w = s.windows[s.live_windows[i]]
        if w.start > time:
            break
        if w.start == time or w.end == time:
            return True
    return False


@kernel()
def reserve_one(s, site, n, tenant):
    """R of a head of n <= D chips: the domain of the map that the placement policy takes at the shadow."""
    if not is_boundary(s, np.int64(s.clock[0].shadow)):
        reserve_small(s, site, n, tenant)
        return
    c, st = s.clock[0], s.sites[site]
    found, best, mine = np.int64(-1), np.int64(0), False
    for d in range(st.first_domain, st.first_domain + st.n_domains):
        if not on_map(s, site, np.int64(d)):
            continue
        free = free_at(s, np.int64(d), c.shadow)
        if free < n:
            continue
        score = level_score(s, n, free, np.int64(st.domain_chips), s.pools[st.pool].score_at)
        same = c.placement == PACK_TENANT and s.doms[d].tenant == tenant
        if found < 0 or (same and not mine) or (same == mine and score < best):
            found, best, mine = np.int64(d), score, same
    reserve_part(s, site, found, n)


@kernel()
def move_marks(s, site, w, mask, sign):
    """Take the domains of a mask of word w out of the site's marks (-1), or bring them back (+1)."""
    st = s.sites[site]
    if sign < 0:
        word_clear(s.bits, st.mark_at, np.int64(st.words), w, mask)
    else:
        word_set(s.bits, st.mark_at, np.int64(st.words), w, mask)
    while mask != 0:
        b = np.int64(s.doms[st.first_domain + (w << 6) + trailing_zeros(mask)].block)
        lo = np.int64(s.blocks[b].first_domain - st.first_domain)
        part = mask & word_part(w, lo, lo + np.int64(s.blocks[b].n_domains))
        mark_change(s, site, b, sign * count_ones(part))
        mask ^= part


@kernel()
def hide_marks(s, site):
    """Take the domains off the map that are wholly free by the shadow out of the marks, and note them."""
    st = s.sites[site]
    mark_move(s, site, s.clock[0].shadow)
    for w in range(st.words):
        hidden = s.window_bits[st.kept_at + w] & s.bits[st.mark_at + w]
        s.window_bits[st.kept_at + st.words + w] = hidden
        if hidden != 0:
            move_marks(s, site, np.int64(w), hidden, np.int64(-1))


@kernel()
def show_marks(s, site):
    """Bring back what ``hide_marks`` took out."""
    st = s.sites[site]
    for w in range(st.words):
        hidden = s.window_bits[st.kept_at + st.words + w]
        if hidden != 0:
            move_marks(s, site, np.int64(w), hidden, np.int64(1))


@kernel()
def keep_masks(s, pool, all_of_them):
    """Note the present masks of the pool's sites; or, of these, what has been added to those noted."""
    p = s.pools[pool]
    for i in range(p.first_site, p.first_site + p.n_sites):
        st = s.sites[s.site_order[i]]
        for w in range(st.words):
            word = s.bits[st.reserved_at + w]
            s.window_bits[st.kept_at + w] = word if all_of_them else word & ~s.window_bits[st.kept_at + w]


@kernel()
def build_barred_reservation(s):
    """``build_reservation`` where reservations are made in advance: the domains are kept at ``kept_at``."""
    c = s.clock[0]
    j = np.int64(s.by_rank[c.resv_rank])
    n = np.int64(s.jobs[j].size_min)
    pool, site = np.int64(c.resv_pool), np.int64(c.resv_site)
    length = soonest_end(s, j, pool, n) - c.now
    draw_map(s, j, pool, c.shadow, c.shadow + length, False, False)
    keep_masks(s, pool, True)
    segment = np.int64(s.pools[pool].segment)
    if site >= 0 and n <= s.pools[pool].domain_chips:
        reserve_one(s, site, n, np.int64(s.jobs[j].tenant))
    elif site >= 0:
        hide_marks(s, site)
        b = reserve_whole(s, site, n // segment)
        if n % segment > 0:
            reserve_rest(s, site, b, n % segment)
        show_marks(s, site)
    else:
        left = -(-n // segment)
        c.stamp += 1
        while left > 0:
            site, whole = choose_next(s, pool, c.shadow)
            hide_marks(s, site)
            k = min(left, whole)
            left -= k
            reserve_whole(s, site, k)
            show_marks(s, site)
    keep_masks(s, pool, False)
    b, m = s.booking[0], s.maps[pool]
    b.heads += 1
    b.part = c.resv_domain
    m.head, m.part = b.heads, c.resv_domain
    count_masked(s, pool)
    c.resv_built = 1

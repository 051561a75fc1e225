"""When the blocked head could start: the first estimated end at which the placement rule places it."""

from __future__ import annotations

import numpy as np

from capsim.jit import kernel
from capsim.kernel.bits import bit_next
from capsim.kernel.ends import ends_first, ends_next, ends_select, ends_slot, ends_weight
from capsim.kernel.state import END_BLOCK_SIZE
from capsim.tables import NEVER


@kernel()
def free_at(s, d, time):
    """Free chips of a usable domain at ``time``: now free, and of running jobs estimated to end by then."""
    dom = s.doms[d]
    total = np.int64(dom.free)
    p = np.int64(dom.first_piece)
    while p >= 0:
        holder = s.pieces[p].holder
        if holder < s.clock[0].cap_jobs and s.runs[holder].est_end <= time:
            total += s.pieces[p].chips + s.pieces[p].spare
        p = np.int64(s.pieces[p].next_here)
    return total


@kernel()
def has_part(s, site, time, rest):
    """Whether a domain that is not wholly free by ``time`` has ``rest`` chips free already now."""
    st = s.sites[site]
    level = bit_next(s.bits, st.levels_at, np.int64(st.level_words), rest)
    while 0 <= level < st.domain_chips:
        row = st.rows_at + (level - 1) * st.row_stride
        i = bit_next(s.bits, row, np.int64(st.words), np.int64(0))
        while i >= 0:
            if s.doms[i + st.first_domain].last_end > time:
                return True
            i = bit_next(s.bits, row, np.int64(st.words), i + 1)
        level = bit_next(s.bits, st.levels_at, np.int64(st.level_words), level + 1)
    return False


@kernel()
def part_shadow(s, site, rest, time, later):
    """First instant from ``time`` on, at most ``later``, at which a domain apart from those wholly free by
    ``time`` has ``rest`` chips; the chips of ending jobs are added up in the order of their ends.

    With ``time`` -1 no domain is left out: the shadow of a job that needs one domain.
    """
    c = s.clock[0]
    if time > c.now and has_part(s, site, time, rest):
        return time
    c.stamp += 1
    cursor = ends_first(s, site, np.int64(-1))
    while cursor >= 0:
        slot = ends_slot(s, site, cursor)
        end = s.ends[slot].time
        if end >= later:
            break
        p = np.int64(s.runs[s.ends[slot].job].first_piece)
        while p >= 0:
            piece = s.pieces[p]
            dom = s.doms[piece.domain]
            if dom.site == site and not dom.leaving:
                if dom.stamp != c.stamp:
                    dom.stamp = c.stamp
                    dom.scratch = dom.free
                dom.scratch += piece.chips + piece.spare
                if dom.scratch >= rest and (end > time or (time > c.now and dom.last_end > time)):
                    return max(end, time)
            p = np.int64(piece.next)
        cursor = ends_next(s, site, cursor)
    return later


@kernel()
def large_shadow(s, site, n, before):
    """First estimated end at which the site gives k wholly free domains and the remainder.

    Another instant from ``before`` on, or NEVER, where that is not earlier.
    """
    st = s.sites[site]
    k = n // st.segment
    rest = n - k * st.segment
    if st.able < k:
        return NEVER
    whole = np.int64(st.whole)
    now = s.clock[0].now
    time = now if whole >= k else ends_select(s, site, k - whole)
    if rest == 0 or time >= before:
        return time
    later = ends_select(s, site, k + 1 - whole)
    if time == later:
        return time
    return part_shadow(s, site, rest, time, later)


@kernel()
def span_choose(s, pool, time):
    """The site not chosen yet with most domains wholly free by ``time``; marks it. (-1, 0): none."""
    p = s.pools[pool]
    best, found = np.int64(0), np.int64(-1)
    for i in range(p.first_site, p.first_site + p.n_sites):
        site = np.int64(s.site_order[i])
        st = s.sites[site]
        if not st.usable or st.chosen == s.clock[0].stamp:
            continue
        whole = st.whole + ends_weight(s, site, time)
        if whole > best:
            best, found = whole, site
    if found >= 0:
        s.sites[found].chosen = s.clock[0].stamp
    return found, best


@kernel()
def span_fits_at(s, pool, n, max_sites, time):
    """Whether at most max_sites sites have the whole domains for n chips by ``time``."""
    left = -(-n // s.pools[pool].segment)
    s.clock[0].stamp += 1
    for _ in range(max_sites):
        site, whole = span_choose(s, pool, time)
        if site < 0:
            return False
        left -= whole
        if left <= 0:
            return True
    return False


@kernel()
def span_shadow(s, pool, n, max_sites, before):
    """First estimated end < ``before`` at which sites together hold the gang; else NEVER."""
    lo, hi = s.clock[0].now, np.int64(-1)
    p = s.pools[pool]
    for i in range(p.first_site, p.first_site + p.n_sites):
        st = s.sites[s.site_order[i]]
        if st.usable and st.n_ends > 0:
            block = np.int64(s.end_order[st.ends_at + st.n_ends - 1])
            hi = max(hi, s.ends[block * END_BLOCK_SIZE + s.end_blocks[block].count - 1].time)
    hi = min(hi, before - 1)
    if hi <= lo or not span_fits_at(s, pool, n, max_sites, hi):
        return NEVER
    while hi - lo > 1:
        mid = (lo + hi) >> 1
        if span_fits_at(s, pool, n, max_sites, mid):
            hi = mid
        else:
            lo = mid
    return hi


@kernel()
def pool_shadow(s, pool, n, max_sites, before):
    """(shadow, site) of a pool if earlier than ``before``, else (NEVER, -1); site -2: over several sites."""
    p = s.pools[pool]
    best, where = before, np.int64(-1)
    for i in range(p.first_site, p.first_site + p.n_sites):
        site = np.int64(s.site_order[i])
        if not s.sites[site].usable:
            continue
        if n <= p.domain_chips:
            time = part_shadow(s, site, n, np.int64(-1), best)
        else:
            time = large_shadow(s, site, n, best)
        if time < best:
            best, where = time, site
    if max_sites > 1 and n > p.domain_chips:
        time = span_shadow(s, pool, n, max_sites, best)
        if time < best:
            best, where = time, np.int64(-2)
    if where == -1:
        return NEVER, where
    return best, where

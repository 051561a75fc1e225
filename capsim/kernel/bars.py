"""Which advance reservations bar a job from which domains: the map on which it may be placed.

A window bars a job that would overlap it, unless the job may use it (``docs/scheduling.md``, "Advance
reservations"). The map is written where placement looks for the domains that the head's reservation takes.
"""

from __future__ import annotations

import numpy as np

from capsim.jit import count_ones, kernel, trailing_zeros
from capsim.kernel.bits import ALL, ONE, bit_test
from capsim.kernel.queue import is_owner, is_special
from capsim.kernel.running import set_attempt
from capsim.tables import NEVER

EVERY = np.uint64(0)
"""The mask's words of a job that may use every domain."""

FEW = 64
"""So many live windows, the first to begin, have a bit each, by which a map that is drawn is known again."""


@kernel()
def may_use(s, r, j):
    """Whether job j is of the tenants and classes that window r is for."""
    w, job = s.windows[r], s.jobs[j]
    tenants = np.int64(s.booking[0].tenants)
    if not w.any_tenant and (job.tenant >= tenants or not s.entitled[w.who_at + job.tenant]):
        return False
    return s.entitled[w.who_at + tenants + job.cls] != 0


@kernel()
def latest_end(s, r, j, begin, end, owner):
    """Latest estimated end >= ``end`` with which job j may start at ``begin`` in the domains of window r,
    which starts before ``end``.

    NEVER: any; -1: not even ``end``. ``owner``: whether it may use some window.
    """
    w = s.windows[r]
    if begin >= w.end:
        return NEVER
    if not owner:
        return np.int64(-1)
    mine = may_use(s, r, j)
    if mine and w.flex:
        return NEVER
    if mine and begin >= w.start and end <= w.end:
        return np.int64(w.end)
    return np.int64(-1)


@kernel()
def is_own(s, r, j, begin, end):
    """Whether window r has begun and job j may use it until ``end``."""
    w = s.windows[r]
    if not w.start <= begin < w.end or not may_use(s, r, j):
        return False
    return w.flex != 0 or end <= w.end


@kernel()
def has_own(s, j, pool):
    """Whether a window of the pool has begun that job j may use."""
    if not is_special(s, j):
        return False
    for i in range(s.booking[0].live):
        r = np.int64(s.live_windows[i])
        if s.windows[r].start > s.clock[0].now:
            break
        if s.windows[r].phase == 2 and s.sites[s.windows[r].site].pool == pool and may_use(s, r, j):
            return True
    return False


@kernel()
def fill_mask(s, pool, word):
    """Write one word all over the masks of a pool's sites."""
    p = s.pools[pool]
    for i in range(p.first_site, p.first_site + p.n_sites):
        st = s.sites[s.site_order[i]]
        for w in range(st.words):
            s.bits[st.reserved_at + w] = word


@kernel()
def add_window(s, r, sign):
    """Add the domains of window r to the mask of its site (+1), or take them off it (-1)."""
    w = s.windows[r]
    st = s.sites[w.site]
    for k in range(w.first_word, w.end_word):
        word = s.window_bits[w.bits_at + k]
        if sign > 0:
            s.bits[st.reserved_at + k] |= word
        else:
            s.bits[st.reserved_at + k] &= ~word


@kernel()
def add_head(s, pool):
    """Add the domains that the head's reservation takes to the masks."""
    part, m = np.int64(s.booking[0].part), s.maps[pool]
    m.head, m.part = s.booking[0].heads, part
    if part >= 0:
        st = s.sites[s.doms[part].site]
        m.part = -1 if bit_test(s.bits, st.reserved_at, part - st.first_domain) else part
    p = s.pools[pool]
    for i in range(p.first_site, p.first_site + p.n_sites):
        st = s.sites[s.site_order[i]]
        for w in range(st.words):
            s.bits[st.reserved_at + w] |= s.window_bits[st.kept_at + w]


@kernel()
def count_masked(s, pool):
    """Count the domains of the masks, and the wholly free ones among them."""
    p, some = s.pools[pool], np.int64(0)
    for i in range(p.first_site, p.first_site + p.n_sites):
        st = s.sites[s.site_order[i]]
        row = st.rows_at + (st.domain_chips - 1) * st.row_stride
        reserved, held = np.int64(0), np.int64(0)
        for w in range(st.words):
            word = s.bits[st.reserved_at + w]
            reserved += count_ones(word)
            held += count_ones(word & s.bits[row + w])
        st.reserved, st.held = reserved, held
        some += reserved
    s.maps[pool].masked = some


@kernel()
def barred_word(s, site, k, bars):
    """Word k of the mask of a site that lacks the windows ``bars``, by their place among the live ones."""
    word = EVERY
    while bars != 0:
        w = s.windows[s.live_windows[trailing_zeros(bars)]]
        bars &= bars - ONE
        if w.site == site and w.first_word <= k < w.end_word:
            word |= s.window_bits[w.bits_at + k]
    return word


@kernel()
def blank(s, pool):
    """Make the drawn map of a pool that of all domains."""
    p, m = s.pools[pool], s.maps[pool]
    fill_mask(s, pool, EVERY)
    for i in range(p.first_site, p.first_site + p.n_sites):
        st = s.sites[s.site_order[i]]
        st.reserved, st.held = 0, 0
    m.drawn, m.bars, m.own, m.head, m.part, m.masked = s.booking[0].changes, EVERY, EVERY, 0, -1, 0


@kernel()
def change_word(s, pool, site, k, word):
    """Make word k of the mask of a site another one, and count again."""
    st, m = s.sites[site], s.maps[pool]
    if m.head != 0:
        word |= s.window_bits[st.kept_at + k]
    old, whole = s.bits[st.reserved_at + k], s.bits[st.rows_at + (st.domain_chips - 1) * st.row_stride + k]
    if word != old:
        more = count_ones(word) - count_ones(old)
        st.held += count_ones(word & whole) - count_ones(old & whole)
        st.reserved += more
        m.masked += more
        s.bits[st.reserved_at + k] = word


@kernel()
def change_windows(s, pool, bars):
    """Change a drawn map to one that lacks the windows ``bars``; words of others stay as they are."""
    m = s.maps[pool]
    gone, new = np.uint64(m.bars & ~bars), np.uint64(bars & ~m.bars)
    m.bars = bars
    while gone != 0:
        w = s.windows[s.live_windows[trailing_zeros(gone)]]
        gone &= gone - ONE
        site = np.int64(w.site)
        for k in range(w.first_word, w.end_word):
            change_word(s, pool, site, k, barred_word(s, site, np.int64(k), bars))
    while new != 0:
        w = s.windows[s.live_windows[trailing_zeros(new)]]
        new &= new - ONE
        site, at = np.int64(w.site), s.sites[w.site].reserved_at
        for k in range(w.first_word, w.end_word):
            change_word(s, pool, site, k, s.bits[at + k] | s.window_bits[w.bits_at + k])
    part = np.int64(s.booking[0].part)
    if m.head != 0 and part >= 0:
        site = np.int64(s.doms[part].site)
        i = part - np.int64(s.sites[site].first_domain)
        word = barred_word(s, site, i >> 6, bars)
        m.part = -1 if (word >> np.uint64(i & 63)) & ONE != 0 else part


@kernel()
def change_map(s, pool, bars, head):
    """Change what is drawn of a pool to the map without the windows ``bars`` and, with ``head``, without what
    the head's reservation takes.
    """
    b, m = s.booking[0], s.maps[pool]
    old = m.drawn != b.changes or m.own != 0 or (m.head != 0 and not (head and m.head == b.heads))
    if old or count_ones(m.bars & ~bars) * count_ones(bars) > FEW:
        blank(s, pool)
    if m.bars != bars:
        change_windows(s, pool, bars)
    if head and m.head == 0:
        add_head(s, pool)
        count_masked(s, pool)


@kernel()
def is_barred_by_steps(s, j, pool, begin):
    """Whether every window that begins before its end bars job j if it starts at ``begin``: none is over by
    then, and it may use none of them then.
    """
    if begin >= s.maps[pool].first_end:
        return False
    return not (is_special(s, j) if begin <= s.clock[0].now else is_owner(s, j))


@kernel()
def bars_of_steps(s, pool, end):
    """``list_bars`` of a job that is estimated to end at ``end`` and is barred by steps."""
    m, found, far = s.maps[pool], EVERY, False
    for at in range(m.first_step, m.end_step):
        i = np.int64(s.steps[at])
        start = np.int64(s.windows[s.live_windows[i]].start)
        if start >= end:
            return start, found, far
        found |= ONE << np.uint64(i & 63)
        far = far or i >= FEW
    return NEVER, found, far


@kernel()
def list_bars(s, j, pool, begin, end):
    """(an estimated end >= ``end`` until which the map is the same, windows that bar the job by their place
    among the live ones, whether it is barred by others than the first FEW). Windows whose domains others have
    may be left out.
    """
    if is_barred_by_steps(s, j, pool, begin):
        return bars_of_steps(s, pool, end)
    found, limit, far, owner = EVERY, NEVER, False, is_owner(s, j)
    for i in range(s.booking[0].live):
        r = np.int64(s.live_windows[i])
        if s.sites[s.windows[r].site].pool != pool:
            continue
        if s.windows[r].start >= end:
            limit = min(limit, np.int64(s.windows[r].start))
            break
        latest = latest_end(s, r, j, begin, end, owner)
        if latest < 0:
            found |= ONE << np.uint64(i & 63)
            far = far or i >= FEW
        else:
            limit = min(limit, latest)
    return limit, found, far


@kernel()
def list_own(s, j, pool, begin, end):
    """(whether job j may use windows of the pool that have begun, these by their place among the live ones,
    whether there are others than the first FEW).
    """
    found, some, far = EVERY, False, False
    for i in range(s.booking[0].live):
        r = np.int64(s.live_windows[i])
        if s.windows[r].start > begin:
            break
        if s.sites[s.windows[r].site].pool == pool and is_own(s, r, j, begin, end):
            found |= ONE << np.uint64(i & 63)
            some = True
            far = far or i >= FEW
    return some, found, far


@kernel()
def draw_windows(s, j, pool, begin, end, own):
    """Add the windows that bar the job to the masks; ``own``: take those that it may use off them."""
    for i in range(s.booking[0].live):
        r = np.int64(s.live_windows[i])
        if s.sites[s.windows[r].site].pool != pool:
            continue
        if own:
            if is_own(s, r, j, begin, end):
                add_window(s, r, -1)
        elif s.windows[r].start >= end:
            break
        elif latest_end(s, r, j, begin, end, True) < 0:
            add_window(s, r, 1)


@kernel()
def draw_anew(s, j, pool, begin, end, own, head):
    """Write a map from the beginning: that of ``draw_map``, where it has own domains or many windows."""
    s.maps[pool].head, s.maps[pool].part = 0, -1
    fill_mask(s, pool, ALL if own else EVERY)
    if own:
        draw_windows(s, j, pool, begin, end, True)
    draw_windows(s, j, pool, begin, end, False)
    if head:
        add_head(s, pool)
    count_masked(s, pool)


@kernel()
def draw_map(s, j, pool, begin, end, own, head):
    """Write the map of a pool for job j that starts at ``begin`` and is estimated to end at ``end``.

    ``own``: only domains of windows that have begun and that the job may use. ``head``: without what the
    head's reservation takes. Returns an estimated end >= ``end`` until which the map is the same; -1: no own
    domains.
    """
    c, m = s.clock[0], s.maps[pool]
    limit, bars, far = list_bars(s, j, pool, begin, end)
    head = head and c.resv_built != 0 and c.resv_pool == pool
    if own:
        some, mine, more = list_own(s, j, pool, begin, end)
        if not some:
            return np.int64(-1)
        far = far or more
        known = m.drawn == s.booking[0].changes and m.own == mine and m.bars == bars
        if far or not known or m.head != (s.booking[0].heads if head else 0):
            draw_anew(s, j, pool, begin, end, True, head)
            m.drawn, m.bars, m.own = s.booking[0].changes, bars, mine
    elif far:
        draw_anew(s, j, pool, begin, end, False, head)
    else:
        change_map(s, pool, bars, head)
    if far:
        m.drawn = -1
    c.resv_domain = m.part
    return limit


@kernel()
def draw_for_replicas(s, pool):
    """Write the map of a pool for replicas, which have no end: no domain of a live window is on it.

    Returns the number of domains that they keep off.
    """
    m = s.maps[pool]
    s.clock[0].resv_domain = -1
    _latest, bars, far = bars_of_steps(s, pool, NEVER)
    if not far:
        change_map(s, pool, bars, False)
        return np.int64(m.masked)
    m.drawn = -1
    fill_mask(s, pool, EVERY)
    for at in range(m.first_step, m.end_step):
        add_window(s, np.int64(s.live_windows[s.steps[at]]), 1)
    count_masked(s, pool)
    return np.int64(m.masked)


@kernel()
def soonest_end(s, j, pool, n):
    """Estimated end of job j if it starts now with n chips on a pool, as if in one block."""
    s.clock[0].plan_blocks, s.clock[0].plan_over = 1, 0.0
    return set_attempt(s, j, pool, n)


@kernel()
def next_change(s, j, pool, time, length):
    """The first instant after ``time`` at which the map of job j, of ``length`` ms, may be another one."""
    found = NEVER
    if is_barred_by_steps(s, j, pool, time) and not is_owner(s, j):
        m = s.maps[pool]
        for at in range(m.first_step, m.end_step):
            first = s.windows[s.live_windows[s.steps[at]]].start - length + 1
            if first > time:
                return min(np.int64(m.first_end), np.int64(first))
        return np.int64(m.first_end)
    for i in range(s.booking[0].live):
        w = s.windows[s.live_windows[i]]
        if w.start - length >= found:
            break
        if s.sites[w.site].pool == pool:
            for at in (w.start - length + 1, w.start, w.end - length + 1, w.end):
                if time < at < found:
                    found = np.int64(at)
    return found

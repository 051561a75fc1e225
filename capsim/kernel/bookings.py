"""Advance reservations: announced, begun and over, their chip-time, and the one compiled function for them.

Importing this module compiles it (or loads it from the cache); ``Cluster`` does so when it is given a
reservation.
"""

from __future__ import annotations

import numpy as np
from numba import int64

from capsim.jit import count_ones, kernel, trailing_zeros
from capsim.kernel.barred_pass import backfill_barred, draw_own_map, size_on_map, start_barred
from capsim.kernel.barred_shadow import find_barred_reservation
from capsim.kernel.bars import draw_for_replicas, may_use
from capsim.kernel.bits import ONE
from capsim.kernel.capacity import capacity_changed
from capsim.kernel.hooks import (
    ACCRUE,
    BACKFILL,
    BOUNDARY,
    KEEP_OFF,
    LEAST,
    MASK,
    RENEW,
    SHADOW,
    SIZE,
    START,
    function_address,
    set_timer,
)
from capsim.kernel.progress import CHECKPOINTED
from capsim.kernel.running import requeue_job
from capsim.kernel.schedule import STARTED
from capsim.kernel.serving import capacity_grew, stop_replicas
from capsim.kernel.state import as_state
from capsim.kernel.victims import sift
from capsim.kernel.window_steps import windows_changed
from capsim.tables import NEVER

UNANNOUNCED, ANNOUNCED, BEGUN, OVER = range(4)
"""``WINDOW.phase``."""


@kernel()
def has_domain(s, r, d):
    """Whether a domain (of the site of window r) is one of the window's."""
    i = d - np.int64(s.sites[s.windows[r].site].first_domain)
    return (s.window_bits[s.windows[r].bits_at + (i >> 6)] >> np.uint64(i & 63)) & ONE != 0


@kernel()
def held_until(s, d):
    """The last estimated end of the jobs in a domain, after all of which replicas leave; -1: nobody."""
    last = np.int64(-1)
    p = np.int64(s.doms[d].first_piece)
    while p >= 0:
        if s.pieces[p].holder >= s.clock[0].cap_jobs:
            return NEVER - 1
        last = max(last, s.runs[s.pieces[p].holder].est_end)
        p = np.int64(s.pieces[p].next_here)
    return last


@kernel()
def list_promised(s, r):
    """Write into the site's scratch words the domains of other live windows that overlap window r in time."""
    w = s.windows[r]
    st = s.sites[w.site]
    at = np.int64(st.kept_at + st.words)
    for k in range(st.words):
        s.window_bits[at + k] = 0
    for i in range(s.booking[0].live):
        v = s.windows[s.live_windows[i]]
        if v.site == w.site and v.start < w.end and w.start < v.end:
            for k in range(v.first_word, v.end_word):
                s.window_bits[at + k] |= s.window_bits[v.bits_at + k]


@kernel()
def list_until(s, r):
    """Write into scratch words from when on window r could have each domain of its site: its start or later,
    NEVER - 1 where replicas are, NEVER if it may not have it.
    """
    w = s.windows[r]
    st = s.sites[w.site]
    promised = np.int64(st.kept_at + st.words)
    for i in range(st.n_domains):
        d, until = np.int64(st.first_domain + i), NEVER
        taken = (s.window_bits[promised + (i >> 6)] >> np.uint64(i & 63)) & ONE != 0
        if s.doms[d].active and not s.doms[d].leaving and not taken:
            until = max(np.int64(w.start), held_until(s, d))
        s.window_bits[promised + st.words + i] = until


@kernel()
def count_until(s, at, n, time):
    """How many of the n instants from ``at`` on, in scratch words, are not later than ``time``."""
    found = np.int64(0)
    for i in range(at, at + n):
        found += np.int64(s.window_bits[i]) <= time
    return found


@kernel()
def take_domains(s, r):
    """Choose the window's domains: those estimated to be free at its start first, then those free soonest."""
    list_promised(s, r)
    list_until(s, r)
    w = s.windows[r]
    st = s.sites[w.site]
    at, n = np.int64(st.kept_at + 2 * st.words), np.int64(st.n_domains)
    low, last = np.int64(w.start) - 1, np.int64(w.start)
    if count_until(s, at, n, last) < w.wanted:
        low, last = last, NEVER - 1
    while last - low > 1:  # at ``last`` there are as many as are wanted, or all there are
        middle = low + (last - low) // 2
        if count_until(s, at, n, middle) >= w.wanted:
            last = middle
        else:
            low = middle
    for latest in (last - 1, last):
        for i in range(n):
            until = np.int64(s.window_bits[at + i])
            if w.domains < w.wanted and until <= latest and (latest < last or until == last):
                s.window_bits[w.bits_at + (i >> 6)] |= ONE << np.uint64(i & 63)
                w.domains += 1


@kernel()
def note_words(s, r):
    """Note which words of the window's bitmap hold its domains."""
    w = s.windows[r]
    words = np.int64(s.sites[w.site].words)
    w.first_word, w.end_word = words, 0
    for k in range(words):
        if s.window_bits[w.bits_at + k] != 0:
            w.first_word = min(w.first_word, k)
            w.end_word = k + 1


@kernel()
def announce(s, r):
    """From now on jobs heed window r: it joins the live ones, which are in the order of their starts."""
    b = s.booking[0]
    take_domains(s, r)
    note_words(s, r)
    s.windows[r].phase = ANNOUNCED
    at = np.int64(b.live)
    while at > 0 and s.windows[s.live_windows[at - 1]].start > s.windows[r].start:
        s.live_windows[at] = s.live_windows[at - 1]
        at -= 1
    s.live_windows[at] = r
    b.live += 1


@kernel()
def holds_of(s, r, j):
    """Whether a running job holds chips of the window's domains."""
    p = np.int64(s.runs[j].first_piece)
    while p >= 0:
        d = np.int64(s.pieces[p].domain)
        if s.doms[d].site == s.windows[r].site and has_domain(s, r, d):
            return True
        p = np.int64(s.pieces[p].next)
    return False


@kernel()
def clear_domain(s, d):
    """Replicas in a domain are given back."""
    p = np.int64(s.doms[d].first_piece)
    while p >= 0:
        row = np.int64(s.pieces[p].holder) - np.int64(s.clock[0].cap_jobs)
        if row >= 0:
            stop_replicas(s, row, p)
            capacity_grew(s, False)
            p = np.int64(s.doms[d].first_piece)
        else:
            p = np.int64(s.pieces[p].next_here)


@kernel()
def clear_replicas(s, r):
    """Replicas in the window's domains are given back."""
    w = s.windows[r]
    st = s.sites[w.site]
    for k in range(w.first_word, w.end_word):
        word = s.window_bits[w.bits_at + k]
        while word != 0:
            d = np.int64(st.first_domain) + (np.int64(k) << 6) + trailing_zeros(word)
            word &= word - ONE
            if s.doms[d].serving:
                clear_domain(s, d)


@kernel()
def begin_window(s, r):
    """The window begins: replicas leave it; if it asks for that, jobs that may not use it are stopped, with
    a checkpoint.
    """
    s.windows[r].phase = BEGUN
    s.booking[0].begun += 1
    clear_replicas(s, r)
    if not s.windows[r].evict:
        return
    n, v = np.int64(0), s.victims
    for i in range(s.clock[0].running):
        j = np.int64(s.active[i])
        if not may_use(s, r, j) and holds_of(s, r, j):
            v[2 * n], v[2 * n + 1] = j, j
            n += 1
    for i in range(n // 2 - 1, -1, -1):
        sift(s, np.int64(0), np.int64(i), n)
    while n > 0:
        j = np.int64(v[1])
        n -= 1
        v[0], v[1] = v[2 * n], v[2 * n + 1]
        sift(s, np.int64(0), np.int64(0), n)
        requeue_job(s, j, CHECKPOINTED)


@kernel()
def end_window(s, r):
    """The window is over: its domains are as any other."""
    b = s.booking[0]
    s.windows[r].phase = OVER
    b.begun -= 1
    at = np.int64(0)
    while s.live_windows[at] != r:
        at += 1
    b.live -= 1
    for i in range(at, b.live):
        s.live_windows[i] = s.live_windows[i + 1]


@kernel()
def next_boundary(s, r):
    """The next instant at which something happens to window r."""
    w = s.windows[r]
    if w.phase == UNANNOUNCED:
        return w.announced
    if w.phase == ANNOUNCED:
        return w.start
    return w.end if w.phase == BEGUN else NEVER


@kernel()
def pass_boundaries(s):
    """Windows, by index: over, begun, announced; a pass follows."""
    c, b = s.clock[0], s.booking[0]
    if c.now < b.next:
        return
    for what in (BEGUN, ANNOUNCED, UNANNOUNCED, ANNOUNCED):
        for r in range(s.windows.shape[0]):
            if s.windows[r].phase == what and next_boundary(s, np.int64(r)) <= c.now:
                if what == BEGUN:
                    end_window(s, np.int64(r))
                elif what == ANNOUNCED:
                    begin_window(s, np.int64(r))
                else:
                    announce(s, np.int64(r))
    b.next = NEVER
    for r in range(s.windows.shape[0]):
        b.next = min(b.next, next_boundary(s, np.int64(r)))
    set_timer(s)
    windows_changed(s)
    c.stuck_job = -1
    c.growing = 1
    capacity_changed(s)


@kernel()
def accrue(s, time):
    """Book the chip-time of the windows that have begun up to ``time``."""
    b = s.booking[0]
    length = time - b.accrued
    b.accrued = time
    if b.begun == 0 or length <= 0:
        return
    for i in range(b.live):
        w = s.windows[s.live_windows[i]]
        if w.phase != BEGUN:
            break
        st = s.sites[w.site]
        whole, broken = np.int64(0), np.int64(0)
        chips, free = np.int64(0), np.int64(0)
        row = st.rows_at + (st.domain_chips - 1) * st.row_stride
        for k in range(w.first_word, w.end_word):
            word = s.window_bits[w.bits_at + k]
            whole += count_ones(word & s.bits[row + k])
            word &= ~s.bits[row + k]
            while word != 0:
                dom = s.doms[st.first_domain + (k << 6) + trailing_zeros(word)]
                word &= word - ONE
                chips += st.domain_chips if dom.active else 0
                free += dom.free
                broken += dom.broken
        chips += whole * st.domain_chips
        free += whole * st.domain_chips
        w.reserved += chips * length
        w.free += free * length
        w.used += (chips - free - broken) * length


@kernel(int64(int64, int64, int64))
def bookings(address, what, i):
    """What advance reservations are asked for; see ``capsim.kernel.hooks``."""
    s = as_state(address)
    if what == START:
        return start_barred(s, i, False)
    if what == LEAST:
        return start_barred(s, i, True) == STARTED
    if what == SIZE:
        return size_on_map(s, i)
    if what == MASK:
        return draw_own_map(s, i)
    if what == KEEP_OFF:
        return draw_for_replicas(s, i)
    if what == SHADOW:
        return find_barred_reservation(s, i)
    if what == BACKFILL:
        backfill_barred(s, i)
    elif what == BOUNDARY:
        pass_boundaries(s)
    elif what == ACCRUE:
        accrue(s, i)
    elif what == RENEW:
        windows_changed(s)
    return 0


ADDRESS = function_address(bookings)
"""Where the kernel calls it."""

"""What the live windows mean for jobs until the next one is announced, begins or is over.

The map of a job that may use none of those that are open (that have begun, or are flexible) shrinks with its
estimated end in steps: a window that begins before it bars the job from the domains that no earlier window
has. Windows that follow each other often have the same domains, so steps are few where windows are many.
"""

from __future__ import annotations

import numpy as np

from capsim.jit import count_ones, kernel
from capsim.kernel.queue import is_special, queue_next, tree_insert, tree_remove
from capsim.kernel.state import EMPTY
from capsim.tables import NEVER


@kernel()
def is_open(s, r):
    """Whether those whom live window r is for may start in its domains now."""
    w = s.windows[r]
    return w.who != 0 and (w.flex != 0 or w.start <= s.clock[0].now)


@kernel()
def flag_special(s, r, at):
    """Flag, from ``at`` on by tenant and class, the jobs that window r is for."""
    w, tenants, classes = s.windows[r], np.int64(s.booking[0].tenants), s.classes.shape[0]
    for t in range(tenants + 1):
        if not w.any_tenant and (t == tenants or not s.entitled[w.who_at + t]):
            continue
        for k in range(classes):
            if s.entitled[w.who_at + tenants + k] != 0:
                s.special[at + t * classes + k] = 1


@kernel()
def list_special(s):
    """Flag who may use an open window; returns whether these are others than before."""
    b = s.booking[0]
    n = s.special.shape[0] // 2
    for i in range(n, 2 * n):
        s.special[i] = 0
    b.last_own = -1
    for i in range(b.live):
        r = np.int64(s.live_windows[i])
        if is_open(s, r):
            b.last_own = NEVER if s.windows[r].flex else max(b.last_own, s.windows[r].end)
            flag_special(s, r, n)
    changed = False
    for i in range(n):
        changed = changed or s.special[i] != s.special[n + i]
        s.special[i] = s.special[n + i]
    return changed


@kernel()
def renew_special_tree(s):
    """Fill the tree of the queued jobs that may use an open window anew."""
    leaves = np.int64(s.clock[0].leaves)
    rank = queue_next(s, np.int64(0))
    while rank >= 0:
        i = rank + leaves
        listed = s.special_tree[i].size < EMPTY
        if is_special(s, np.int64(s.by_rank[rank])):
            if not listed:
                tree_insert(s.special_tree, i, np.int64(s.tree[i].size), np.int64(s.tree[i].duration))
        elif listed:
            tree_remove(s.special_tree, i)
        rank = queue_next(s, rank + 1)


@kernel()
def find_fresh(s):
    """Write beside the domains of each live window those of them that no earlier one has."""
    for i in range(s.booking[0].live):
        w = s.windows[s.live_windows[i]]
        st = s.sites[w.site]
        for k in range(w.first_word, w.end_word):
            s.window_bits[st.kept_at + st.words + k] = 0
    for i in range(s.booking[0].live):
        w = s.windows[s.live_windows[i]]
        st = s.sites[w.site]
        w.fresh = 0
        for k in range(w.first_word, w.end_word):
            earlier = st.kept_at + st.words + k
            word = s.window_bits[w.bits_at + k] & ~s.window_bits[earlier]
            s.window_bits[earlier] |= word
            s.window_bits[w.bits_at + st.words + k] = word
            w.fresh += count_ones(word)


@kernel()
def list_steps(s):
    """List the steps of each pool, and when the next one is."""
    b, at = s.booking[0], np.int64(0)
    find_fresh(s)
    b.horizon = NEVER
    for i in range(b.live):
        w = s.windows[s.live_windows[i]]
        if w.fresh > 0 and w.start > s.clock[0].now:
            b.horizon = w.start
            break
    for pool in range(s.pools.shape[0]):
        m = s.maps[pool]
        m.first_step, m.first_end, m.barred, m.barred_late = at, NEVER, 0, 0
        for i in range(b.live):
            w = s.windows[s.live_windows[i]]
            if s.sites[w.site].pool != pool:
                continue
            m.first_end = min(m.first_end, w.end)
            if w.fresh > 0:
                s.steps[at] = i
                at += 1
                m.barred += w.fresh if w.start <= s.clock[0].now else 0
                m.barred_late += w.fresh if w.start <= b.horizon else 0
        m.end_step = at


@kernel()
def windows_changed(s):
    """Draw the conclusions from the live windows as they are now."""
    if list_special(s) and s.clock[0].easy:
        renew_special_tree(s)
    list_steps(s)
    s.booking[0].changes += 1


@kernel()
def fresh_by(s, pool, site, until):
    """Domains of a site in windows that begin by ``until``."""
    m, found = s.maps[pool], np.int64(0)
    for at in range(m.first_step, m.end_step):
        w = s.windows[s.live_windows[s.steps[at]]]
        if w.start > until:
            break
        found += w.fresh if w.site == site else 0
    return found


@kernel()
def fresh_at_level(s, pool, site, level, until):
    """Domains of a site with ``level`` free chips in windows that begin by ``until``."""
    m, st, found = s.maps[pool], s.sites[site], np.int64(0)
    row = st.rows_at + (level - 1) * st.row_stride
    for at in range(m.first_step, m.end_step):
        w = s.windows[s.live_windows[s.steps[at]]]
        if w.start > until:
            break
        if w.site == site:
            fresh = w.bits_at + st.words
            for k in range(w.first_word, w.end_word):
                found += count_ones(s.bits[row + k] & s.window_bits[fresh + k])
    return found

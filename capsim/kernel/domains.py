"""Free chips of domains, whole domains of blocks, and who holds what: every index is kept here.

Per site: a bitmap of domains for each number of free chips ("level") and of levels in use; blocks by number
of wholly free domains; under EASY also the domains that are wholly free by the site's ``mark_t``, and
each domain's
last estimated end. Unusable sites keep their indices; they are skipped by those who place.
"""

from __future__ import annotations

import numpy as np

from capsim.jit import kernel
from capsim.kernel.bits import bit_clear, bit_set, bit_test
from capsim.kernel.ends import ends_first, ends_next, ends_settle, ends_slot, ends_weigh
from capsim.tables import N_KINDS, NEVER


@kernel()
def level_add(s, site, d, level):
    st = s.sites[site]
    bit_set(s.bits, st.rows_at + (level - 1) * st.row_stride, np.int64(st.words), d - st.first_domain)
    n = s.counts[st.count_at + level]
    s.counts[st.count_at + level] = n + 1
    if n == 0:
        bit_set(s.bits, st.levels_at, np.int64(st.level_words), level)


@kernel()
def level_remove(s, site, d, level):
    st = s.sites[site]
    bit_clear(s.bits, st.rows_at + (level - 1) * st.row_stride, np.int64(st.words), d - st.first_domain)
    n = s.counts[st.count_at + level] - 1
    s.counts[st.count_at + level] = n
    if n == 0:
        bit_clear(s.bits, st.levels_at, np.int64(st.level_words), level)


@kernel()
def whole_change(s, b, delta):
    """Block ``b`` has ``delta`` more wholly free domains."""
    st = s.sites[s.blocks[b].site]
    n = np.int64(s.blocks[b].whole)
    s.counts[st.hist_at + n] -= 1
    s.counts[st.hist_at + n + delta] += 1
    s.blocks[b].whole = n + delta
    st.whole += delta
    if n == 0:
        bit_set(s.bits, st.open_at, st.block_words, b - st.first_block)
    elif n + delta == 0:
        bit_clear(s.bits, st.open_at, st.block_words, b - st.first_block)


@kernel()
def held_change(s, site, d, delta):
    """Domain ``d`` became wholly free (+1) or stopped being so (-1): does the reservation take it?"""
    st = s.sites[site]
    if st.reserved > 0 and bit_test(s.bits, st.reserved_at, d - st.first_domain):
        st.held += delta


@kernel()
def move_level(s, site, d, free):
    """``set_free`` that leaves it to the caller to count the wholly free domains of the block.

    Returns their change: 1, 0 or -1.
    """
    dom = s.doms[d]
    old = np.int64(dom.free)
    dom.free = free
    if dom.leaving or not dom.active or old == free:
        return np.int64(0)
    full = np.int64(s.sites[site].domain_chips)
    if old > 0:
        level_remove(s, site, d, old)
    if free > 0:
        level_add(s, site, d, free)
    delta = np.int64(free == full) - np.int64(old == full)
    if delta != 0:
        held_change(s, site, d, delta)
    return delta


@kernel()
def set_free(s, site, d, free):
    """Set the free chips of a domain; an active domain that is not leaving is indexed."""
    delta = move_level(s, site, d, free)
    if delta != 0:
        whole_change(s, np.int64(s.doms[d].block), delta)


@kernel()
def index_domain(s, site, d, delta):
    """Enter (+1) a domain with all its free chips into the indices, or take it out (-1)."""
    st = s.sites[site]
    free = np.int64(s.doms[d].free)
    if free > 0:
        if delta > 0:
            level_add(s, site, d, free)
        else:
            level_remove(s, site, d, free)
    if free == st.domain_chips:
        held_change(s, site, d, delta)
        whole_change(s, np.int64(s.doms[d].block), delta)


@kernel()
def mark_change(s, site, b, delta):
    """Block ``b`` has ``delta`` more domains wholly free by mark_t."""
    st = s.sites[site]
    n = s.blocks[b].whole_t
    s.counts[st.hist_t_at + n] -= 1
    s.counts[st.hist_t_at + n + delta] += 1
    s.blocks[b].whole_t = n + delta
    st.whole_t += delta
    if n == 0:
        bit_set(s.bits, st.open_t_at, st.block_words, b - st.first_block)
    elif n + delta == 0:
        bit_clear(s.bits, st.open_t_at, st.block_words, b - st.first_block)


@kernel()
def mark_flip(s, site, d, delta):
    """Domain ``d`` enters (+1) or leaves (-1) the set of domains wholly free by mark_t."""
    st = s.sites[site]
    mark_change(s, site, np.int64(s.doms[d].block), delta)
    if delta > 0:
        bit_set(s.bits, st.mark_at, np.int64(st.words), d - st.first_domain)
    else:
        bit_clear(s.bits, st.mark_at, np.int64(st.words), d - st.first_domain)


@kernel()
def set_last_only(s, site, d, end, job):
    """Set a domain's last estimated end, leaving the weights of the list of ends to the caller."""
    dom = s.doms[d]
    st = s.sites[site]
    was = dom.last_end
    dom.last_end = end
    dom.last_job = job
    if was == NEVER:
        if end != NEVER:
            st.able += 1
    elif end == NEVER:
        st.able -= 1
    if not st.mark_on:
        return
    mark = st.mark_t
    if was <= mark:
        if end > mark:
            mark_flip(s, site, d, -1)
    elif end <= mark:
        mark_flip(s, site, d, 1)


@kernel()
def set_last(s, site, d, end, job):
    """Set a domain's last estimated end (-1: wholly free, NEVER: by no end) and keep the weights right."""
    dom = s.doms[d]
    if dom.last_job >= 0:
        ends_weigh(s, site, dom.last_end, np.int64(dom.last_job), -1)
    if job >= 0:
        ends_weigh(s, site, end, job, 1)
    set_last_only(s, site, d, end, job)


@kernel()
def refresh_last(s, site, d):
    """Recompute a domain's last estimated end from its pieces."""
    dom = s.doms[d]
    if dom.leaving or not dom.active or dom.broken > 0 or dom.serving > 0:
        end, job = NEVER, np.int64(-1)
    else:
        end, job = np.int64(-1), np.int64(-1)
        p = np.int64(dom.first_piece)
        while p >= 0:
            holder = np.int64(s.pieces[p].holder)
            e = s.runs[holder].est_end
            if e > end or (e == end and holder > job):
                end, job = e, holder
            p = np.int64(s.pieces[p].next_here)
    if end != dom.last_end or job != dom.last_job:
        set_last(s, site, d, end, job)


@kernel()
def mark_all(s, site, time):
    """Start keeping the marks of a site."""
    st = s.sites[site]
    st.mark_on = 1
    st.mark_t = time
    s.clock[0].marks += 1
    for d in range(st.first_domain, st.first_domain + st.n_domains):
        if s.doms[d].last_end <= time:
            mark_flip(s, site, np.int64(d), 1)


@kernel()
def marks_off(s):
    """Stop keeping marks: nobody waits for whole domains."""
    for site in range(s.sites.shape[0]):
        st = s.sites[site]
        if not st.mark_on:
            continue
        st.mark_on = 0
        st.whole_t = 0
        for w in range(st.mark_at, st.mark_at + st.row_stride):
            s.bits[w] = np.uint64(0)
        for w in range(st.open_t_at, st.open_t_at + st.block_words + ((st.block_words + 63) >> 6)):
            s.bits[w] = np.uint64(0)
        for b in range(st.first_block, st.first_block + st.n_blocks):
            s.blocks[b].whole_t = 0
        for i in range(st.max_block + 1):
            s.counts[st.hist_t_at + i] = 0
    s.clock[0].marks = 0


@kernel()
def mark_move(s, site, time):
    """Make ``mark_t`` of the site ``time``: the domains wholly free by then are marked."""
    st = s.sites[site]
    old = st.mark_t
    if not st.mark_on:
        mark_all(s, site, time)
        return
    if old == time:
        return
    lo, hi, delta = min(old, time), max(old, time), 1 if time > old else -1
    st.mark_t = time
    ends_settle(s)
    cursor = ends_first(s, site, lo)
    while cursor >= 0:
        slot = ends_slot(s, site, cursor)
        if s.ends[slot].time > hi:
            break
        if s.ends[slot].weight > 0:
            job = np.int64(s.ends[slot].job)
            p = np.int64(s.runs[job].first_piece)
            while p >= 0:
                d = np.int64(s.pieces[p].domain)
                if s.doms[d].last_job == job and s.doms[d].site == site:
                    mark_flip(s, site, d, delta)
                p = np.int64(s.pieces[p].next)
        cursor = ends_next(s, site, cursor)


@kernel()
def free_account(s, site, d, delta):
    """Book a change of free chips of a domain: free, barred or out."""
    st = s.sites[site]
    now = s.clock[0].now
    if s.doms[d].leaving:
        st.leaving_free += delta
    if st.down:
        st.out += delta
        st.out_acc -= delta * now
    elif st.draining or s.doms[d].leaving:
        st.barred += delta
        st.barred_acc -= delta * now
    else:
        st.free += delta
        st.free_acc -= delta * now


@kernel()
def kind_account(s, site, kind, delta):
    """Book a change of chips allocated to a kind."""
    now = s.clock[0].now
    k = s.kinds[site * N_KINDS + kind]
    k.chips += delta
    k.acc -= delta * now
    t = s.tally[np.int64(s.sites[site].pool) * N_KINDS + kind]
    t.chips += delta
    t.acc -= delta * now


@kernel()
def spare_account(s, site, delta):
    st = s.sites[site]
    st.spare += delta
    st.spare_acc -= delta * s.clock[0].now


@kernel()
def broken_account(s, site, delta):
    st = s.sites[site]
    st.broken += delta
    st.broken_acc -= delta * s.clock[0].now


@kernel()
def piece_fill(s, p, first, holder, d, chips, spare, here):
    """Fill row p with a piece at the front of its domain's list and of its holder's list, whose present heads
    are ``here`` and ``first``.
    """
    piece = s.pieces[p]
    piece.holder = holder
    piece.domain = d
    piece.chips = chips
    piece.spare = spare
    piece.next = first
    piece.prev = -1
    piece.next_here = here
    piece.prev_here = -1
    piece.group = 0
    piece.lost = 0
    piece.segment = 1 if spare > 0 else 0
    if first >= 0:
        s.pieces[first].prev = p
    s.doms[d].first_piece = p


@kernel()
def piece_alone(s, first, holder, d, chips, spare):
    """``piece_new`` in a domain without pieces, in the row that is kept for it."""
    piece_fill(s, d, first, holder, d, chips, spare, np.int64(-1))
    return d


@kernel()
def piece_new(s, first, holder, d, chips, spare):
    """A new piece at the front of its domain's list and of its holder's list (first: its present head)."""
    here = np.int64(s.doms[d].first_piece)
    if here < 0:
        return piece_alone(s, first, holder, d, chips, spare)
    c = s.clock[0]
    p = np.int64(c.free_piece)
    if p >= 0:
        c.free_piece = s.pieces[p].next
    else:
        p = np.int64(c.n_pieces)
        c.n_pieces = p + 1
    c.live_pieces += 1
    piece_fill(s, p, first, holder, d, chips, spare, here)
    s.pieces[here].prev_here = p
    return p


@kernel()
def piece_leave_domain(s, p):
    piece = s.pieces[p]
    if piece.prev_here >= 0:
        s.pieces[piece.prev_here].next_here = piece.next_here
    else:
        s.doms[piece.domain].first_piece = piece.next_here
    if piece.next_here >= 0:
        s.pieces[piece.next_here].prev_here = piece.prev_here


@kernel()
def piece_free(s, p):
    """Give the row back; the piece is in no list any more."""
    if p < s.doms.shape[0]:
        return
    c = s.clock[0]
    s.pieces[p].next = c.free_piece
    c.free_piece = p
    c.live_pieces -= 1


@kernel()
def piece_unlink(s, first, p):
    """Take a piece out of its holder's list; returns the list's new head."""
    piece = s.pieces[p]
    if piece.next >= 0:
        s.pieces[piece.next].prev = piece.prev
    if piece.prev >= 0:
        s.pieces[piece.prev].next = piece.next
        return first
    return np.int64(piece.next)

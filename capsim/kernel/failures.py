"""Failures and repairs of nodes and domains: drawn by keyed hashes, so that equal tranches fail alike."""

from __future__ import annotations

import numpy as np

from capsim.jit import kernel
from capsim.kernel.bits import bit_next
from capsim.kernel.clearing import find_top, settle_top, top_of
from capsim.kernel.domains import (
    broken_account,
    free_account,
    kind_account,
    piece_free,
    piece_leave_domain,
    piece_new,
    piece_unlink,
    refresh_last,
    set_free,
    set_last,
    spare_account,
)
from capsim.kernel.draws import FAR, GAP, NODE_SHIFT, REPAIR_TIME, WHERE, draw_batch, drawn_at, takes_domain
from capsim.kernel.heap import heap_drop, heap_push, heap_replace
from capsim.kernel.placement import best_fit
from capsim.kernel.preemption import preempt_for_chips
from capsim.kernel.rows import prefetch
from capsim.kernel.running import fail_job, leave_domain, restart_in_place
from capsim.kernel.serving import capacity_grew, capacity_shrank, look_again, lose_replicas
from capsim.kernel.state import FAIL, KEY_SHIFT, REPAIR
from capsim.tables import NEVER

DOMAIN_SHIFT = NODE_SHIFT
"""Repair events carry domain << DOMAIN_SHIFT | chips."""


@kernel()
def expect(s):
    """The first event, nearly always a failure or a repair, is next: have its domain at hand by then."""
    d = s.heap[0].data >> DOMAIN_SHIFT
    prefetch(s.doms, d)
    prefetch(s.pieces, d)


@kernel()
def next_failure(s, t, time):
    """(instant, domain << NODE_SHIFT | node in it) of the next failure of tranche t after ``time``.

    Draws for nodes that the tranche never gets, or whose domain is gone for good, are passed over and
    counted; NEVER if there is none.
    """
    tr = s.tranches[t]
    if tr.total_rate <= 0.0 or tr.left >= tr.n_domains:
        return NEVER, np.int64(0)
    skipped = np.int64(0)
    while True:
        if tr.counter == tr.drawn:
            pool = s.pools[s.sites[tr.site].pool]
            draw_batch(s, t, -(-np.int64(pool.domain_chips) // np.int64(pool.node_chips)))
        gap = s.drawn[drawn_at(t, np.int64(tr.counter), GAP)]
        if gap >= FAR or time >= NEVER // 2:
            time = NEVER
            break
        time += max(np.int64(1), gap)
        where = s.drawn[drawn_at(t, np.int64(tr.counter), WHERE)]
        slot = where >> NODE_SHIFT
        if slot < tr.n_domains and (slot >= tr.activated or s.doms[tr.first_domain + slot].active):
            s.count[0].failures_skipped += skipped
            return time, (np.int64(tr.first_domain) << NODE_SHIFT) + where
        skipped += 1
        tr.counter += np.uint64(1)
    s.count[0].failures_skipped += skipped
    return NEVER, np.int64(0)


@kernel()
def schedule_failure(s, t, time):
    """Push the next failure of tranche t after ``time``."""
    due, where = next_failure(s, t, time)
    if due < NEVER:
        heap_push(s, due, (np.int64(FAIL) << KEY_SHIFT) | t, where)


@kernel()
def strike_tranche(s, t, where):
    """The first event is a failure of tranche t: it happens, and the next one takes its place."""
    tr = s.tranches[t]
    n = tr.counter
    time_in_repair = s.drawn[drawn_at(t, np.int64(n), REPAIR_TIME)]
    tr.counter = n + np.uint64(1)
    due, after = next_failure(s, t, s.clock[0].now)
    if due < NEVER:
        heap_replace(s, due, (np.int64(FAIL) << KEY_SHIFT) | t, after)
    else:
        heap_drop(s)
    expect(s)
    pool = s.pools[s.sites[tr.site].pool]
    node = where & ((np.int64(1) << NODE_SHIFT) - 1)
    chip = min(node * pool.node_chips, np.int64(pool.domain_chips - 1))
    strike(s, where >> NODE_SHIFT, chip, takes_domain(tr, n), time_in_repair)


@kernel()
def break_piece(s, site, p, left, spare_first):
    """Break up to ``left`` chips of a piece; returns how many."""
    piece = s.pieces[p]
    spare = np.int64(0)
    if spare_first:
        spare = min(left, np.int64(piece.spare))
        used = np.int64(0)
    else:
        used = min(left, np.int64(piece.chips))
        spare = min(left - used, np.int64(piece.spare))
    piece.chips -= used
    piece.spare -= spare
    piece.lost += used
    if used > 0:
        kind_account(s, site, holder_kind(s, np.int64(piece.holder)), -used)
    if spare > 0:
        spare_account(s, site, -spare)
    return used + spare


@kernel()
def holder_kind(s, holder):
    """Accounting kind of a job or a service."""
    cap = s.clock[0].cap_jobs
    if holder >= cap:
        return np.int64(s.services[holder - cap].kind)
    return np.int64(s.classes[s.jobs[holder].cls].kind)


@kernel()
def find_hit(s, d, x):
    """(piece, whether its spares) at position x of a domain's live chips; (-1, False): free chips."""
    p = np.int64(s.doms[d].first_piece)
    while p >= 0:
        piece = s.pieces[p]
        if x < piece.chips:
            return p, False
        x -= piece.chips
        if x < piece.spare:
            return p, True
        x -= piece.spare
        p = np.int64(piece.next_here)
    return np.int64(-1), False


@kernel()
def break_chips(s, site, d, hit, in_spare, left):
    """Break ``left`` live chips of a domain: of the piece hit, then free ones, then of the other pieces."""
    dom = s.doms[d]
    dom.broken += left
    broken_account(s, site, left)
    if s.clock[0].easy and dom.last_end != NEVER:
        set_last(s, site, d, NEVER, np.int64(-1))
    if hit >= 0:
        left -= break_piece(s, site, hit, left, in_spare)
    free = min(left, np.int64(dom.free))
    if free > 0:
        free_account(s, site, d, -free)
        set_free(s, site, d, np.int64(dom.free - free))
        left -= free
    p = np.int64(dom.first_piece)
    while left > 0 and p >= 0:
        left -= break_piece(s, site, p, left, False)
        p = np.int64(s.pieces[p].next_here)


@kernel()
def strike(s, d, chip, whole, repair):
    """Chips of a domain break: those of the node at position ``chip``, or all; their users are dealt with."""
    c = s.clock[0]
    dom = s.doms[d]
    site = np.int64(dom.site)
    if not dom.active or s.sites[site].down or chip < dom.broken:
        s.count[0].failures_skipped += 1
        return
    pool = s.pools[s.sites[site].pool]
    taken = np.int64(pool.domain_chips - dom.broken)
    if not whole:
        taken = min(taken, np.int64(pool.node_chips))
    s.count[0].failures += 1
    hit, in_spare = find_hit(s, d, chip - np.int64(dom.broken))
    break_chips(s, site, d, hit, in_spare, taken)
    heap_push(s, c.now + repair, (np.int64(REPAIR) << KEY_SHIFT) | c.repairs, (d << DOMAIN_SHIFT) | taken)
    c.repairs += 1
    look_again(s)
    capacity_shrank(s, site)
    hurt = False
    p = np.int64(dom.first_piece)
    while p >= 0:
        if s.pieces[p].lost > 0:
            hurt = True
            hurt_holder(s, site, p)
            p = np.int64(dom.first_piece)
        else:
            p = np.int64(s.pieces[p].next_here)
    if not hurt:
        if in_spare:
            s.count[0].failures_spare += 1
        else:
            s.count[0].failures_idle += 1
    if dom.leaving:
        leave_domain(s, site, d)


@kernel()
def hurt_holder(s, site, p):
    """A gang or a service lost used chips of piece p."""
    holder = np.int64(s.pieces[p].holder)
    cap = np.int64(s.clock[0].cap_jobs)
    if holder >= cap:
        lose_replicas(s, holder - cap, p)
        return
    s.count[0].interruptions += 1
    if replace_chips(s, holder, site, p):
        restart_in_place(s, holder)
    else:
        s.pieces[p].lost = 0
        fail_job(s, holder)


@kernel()
def replacement_domain(s, site, b, need):
    """Where to take ``need`` replacement chips, or the first part of them: block first, best fit first."""
    st = s.sites[site]
    lo = np.int64(s.blocks[b].first_domain)
    fit, least, big, most = np.int64(-1), np.int64(0), np.int64(-1), np.int64(0)
    for d in range(lo, lo + s.blocks[b].n_domains):
        dom = s.doms[d]
        free = np.int64(dom.free)
        if free == 0 or dom.leaving or not dom.active:
            continue
        if free >= need and (fit < 0 or free < least):
            fit, least = np.int64(d), free
        if free > most:
            big, most = np.int64(d), free
    if fit >= 0:
        return fit
    fit = best_fit(s, site, need, np.int64(st.domain_chips), False)
    if fit >= 0 or big >= 0:
        return fit if fit >= 0 else big
    level = need - 1
    while level > 0 and s.counts[st.count_at + level] == 0:
        level -= 1
    return st.first_domain + bit_next(
        s.bits, st.rows_at + (level - 1) * st.row_stride, np.int64(st.words), np.int64(0)
    )


@kernel()
def add_chips(s, j, site, d, n):
    """Give a running gang n more free chips of a domain."""
    free_account(s, site, d, -n)
    kind_account(s, site, np.int64(s.classes[s.jobs[j].cls].kind), n)
    set_free(s, site, d, np.int64(s.doms[d].free - n))
    p = np.int64(s.doms[d].first_piece)
    while p >= 0:
        if s.pieces[p].holder == j:
            s.pieces[p].chips += n
            return
        p = np.int64(s.pieces[p].next_here)
    s.runs[j].first_piece = piece_new(s, np.int64(s.runs[j].first_piece), j, d, n, np.int64(0))
    if s.clock[0].preemption:
        top = top_of(s, j)
        s.pieces[s.runs[j].first_piece].top = top
        settle_top(s, d, max(np.int64(s.tops[d]), top))
    if s.clock[0].easy:
        refresh_last(s, site, d)


@kernel()
def replace_chips(s, j, site, p):
    """Replace the lost chips of a gang's piece: own spares there, then free chips of the site, made free by
    preemption where they are too few; False if that does not do.
    """
    piece = s.pieces[p]
    st = s.sites[site]
    need = np.int64(piece.lost)
    spare = min(need, np.int64(piece.spare))
    if need > spare:
        if not st.usable:
            return False
        short = st.free < need - spare
        if short and not preempt_for_chips(s, j, site, np.int64(piece.domain), need - spare):
            return False
    if spare > 0:
        piece.spare -= spare
        piece.chips += spare
        spare_account(s, site, -spare)
        kind_account(s, site, np.int64(s.classes[s.jobs[j].cls].kind), spare)
        need -= spare
    piece.lost = 0
    b = np.int64(s.doms[piece.domain].block)
    while need > 0:
        d = replacement_domain(s, site, b, need)
        n = min(need, np.int64(s.doms[d].free))
        add_chips(s, j, site, d, n)
        need -= n
    if piece.chips == 0 and piece.spare == 0:
        s.runs[j].first_piece = piece_unlink(s, np.int64(s.runs[j].first_piece), p)
        piece_leave_domain(s, p)
        if s.clock[0].preemption:
            settle_top(s, np.int64(piece.domain), find_top(s, np.int64(piece.domain), np.int64(-1)))
        piece_free(s, p)
    return True


@kernel()
def repair(s, number, d, n):
    """Broken chips of a domain are in service again: spares of the gang that holds it as a segment, else
    free. A domain that left since this repair was scheduled came back, if it did, in working order.
    """
    dom = s.doms[d]
    if not dom.active or number < dom.since:
        return
    site = np.int64(dom.site)
    s.count[0].repairs += 1
    look_again(s)
    dom.broken -= n
    broken_account(s, site, -n)
    p = np.int64(dom.first_piece)
    if p >= 0 and s.pieces[p].next_here < 0 and s.pieces[p].segment:
        s.pieces[p].spare += n
        spare_account(s, site, n)
    else:
        free_account(s, site, d, n)
        set_free(s, site, d, np.int64(dom.free + n))
    if s.clock[0].easy and dom.broken == 0:
        refresh_last(s, site, d)
    if dom.leaving:
        leave_domain(s, site, d)
    if dom.active and not dom.leaving:
        capacity_grew(s, False)

"""Inference services: replicas that grow and shrink by whole domains, and are lost with failed chips."""

from __future__ import annotations

import numpy as np

from capsim.jit import kernel, trailing_zeros
from capsim.kernel.bits import ONE, ZERO, bit_next
from capsim.kernel.domains import (
    free_account,
    kind_account,
    level_add,
    move_level,
    piece_free,
    piece_leave_domain,
    piece_new,
    piece_unlink,
    refresh_last,
    set_last,
    set_last_only,
    whole_change,
)
from capsim.kernel.hooks import KEEP_OFF, ask_windows
from capsim.kernel.placement import best_fit, fits, take_site
from capsim.kernel.preemption import preempt_for_replicas
from capsim.kernel.running import leave_domain
from capsim.kernel.whole import (
    block_served,
    domain_bit,
    is_alone,
    leave_whole,
    serve_whole,
    serve_word,
    unserve_word,
)
from capsim.tables import NEVER


@kernel()
def held_account(s, row, delta):
    sv = s.services[row]
    s.clock[0].lacking -= max(0, sv.wanted - sv.held)
    sv.held += delta
    s.clock[0].lacking += max(0, sv.wanted - sv.held)
    sv.held_acc -= delta * s.clock[0].now


@kernel()
def serve_domain(s, site, d):
    """A piece of a service came into a domain: no estimated end frees it any more."""
    s.doms[d].serving += 1
    if s.clock[0].easy and s.doms[d].last_end != NEVER:
        set_last(s, site, d, NEVER, np.int64(-1))


@kernel()
def grow_whole(s, site, row, per, want, masked):
    """Fill wholly free domains of a site with replicas, the lowest first; returns how many replicas.

    ``masked``: those of the site's mask are kept off.
    """
    st = s.sites[site]
    masked = masked and st.reserved > 0
    full = np.int64(st.domain_chips)
    chips = per * s.services[row].chips
    line = st.rows_at + (full - 1) * st.row_stride
    whole = np.int64(st.whole - st.held) if masked else np.int64(st.whole)
    left, d, i = min(want // per, whole), np.int64(-1), np.int64(0)
    domains = left
    block, taken = np.int64(-1), np.int64(0)
    while left > 0:
        w = bit_next(s.bits, line, np.int64(st.words), i) >> 6
        word = s.bits[line + w]
        if masked:
            word &= ~s.bits[st.reserved_at + w]
        mask = word
        while word != 0 and left > 0:
            d = st.first_domain + (w << 6) + trailing_zeros(word)
            word &= word - ONE
            left -= 1
            if s.doms[d].block != block:
                if taken > 0:
                    block_served(s, site, block, -taken)
                block, taken = np.int64(s.doms[d].block), np.int64(0)
            taken += 1
            serve_whole(s, row, d, chips, full - chips)
            if chips < full:
                level_add(s, site, d, full - chips)
        serve_word(s, site, w, mask ^ word)
        i = (w + 1) << 6
    if taken > 0:
        block_served(s, site, block, -taken)
        kind_account(s, site, np.int64(s.services[row].kind), domains * chips)
        free_account(s, site, d, -domains * chips)
    return domains * per


@kernel()
def grow_single(s, site, row, want, masked):
    """Place replicas one at a time, best fit; returns how many.

    The domain that fits best does so until it is too full, so it takes all it can at once.
    """
    sv = s.services[row]
    chips = np.int64(sv.chips)
    full = np.int64(s.sites[site].domain_chips)
    holder = s.clock[0].cap_jobs + row
    got, last = np.int64(0), np.int64(-1)
    while got < want:
        d = best_fit(s, site, chips, full, masked)
        if d < 0:
            break
        k = min(want - got, np.int64(s.doms[d].free) // chips)
        if move_level(s, site, d, np.int64(s.doms[d].free - k * chips)) != 0:
            whole_change(s, np.int64(s.doms[d].block), np.int64(-1))
        for _ in range(k):
            sv.first_piece = piece_new(s, np.int64(sv.first_piece), holder, d, chips, np.int64(0))
        serve_domain(s, site, d)
        s.doms[d].serving += k - 1
        got += k
        last = d
    if got > 0:
        kind_account(s, site, np.int64(sv.kind), got * chips)
        free_account(s, site, last, -got * chips)
    return got


@kernel()
def grow_spanning(s, site, row, want, masked):
    """Place replicas larger than a domain, each like a gang; returns how many."""
    sv = s.services[row]
    chips = np.int64(sv.chips)
    holder = s.clock[0].cap_jobs + row
    segment = s.sites[site].segment
    s.sites[site].segment = s.sites[site].domain_chips
    got = np.int64(0)
    while got < want and fits(s, site, chips, masked):
        before = np.int64(sv.first_piece)
        s.clock[0].stamp += 1
        sv.first_piece = take_site(s, site, before, holder, chips, masked, np.int64(-1))
        sv.group += 1
        p = np.int64(sv.first_piece)
        d = np.int64(s.pieces[p].domain)
        while p != before:
            s.pieces[p].group = sv.group
            serve_domain(s, site, np.int64(s.pieces[p].domain))
            p = np.int64(s.pieces[p].next)
        kind_account(s, site, np.int64(sv.kind), chips)
        free_account(s, site, d, -chips)
        got += 1
    s.sites[site].segment = segment
    return got


@kernel()
def grow_service(s, row, pool):
    """Grow one service on one pool as far as the free chips allow; returns the replicas gained."""
    sv = s.services[row]
    p = s.pools[pool]
    masked = s.clock[0].windows != 0 and ask_windows(s, KEEP_OFF, pool) != 0
    start = np.int64(sv.wanted - sv.held)
    for phase in range(2):
        for i in range(p.first_site, p.first_site + p.n_sites):
            want = np.int64(sv.wanted - sv.held)
            site = np.int64(s.site_order[i])
            if want <= 0 or not s.sites[site].usable or s.sites[site].free < sv.chips:
                continue
            if sv.chips > p.domain_chips:
                got = grow_spanning(s, site, row, want, masked) if phase == 0 else np.int64(0)
            elif phase == 0:
                got = grow_whole(s, site, row, np.int64(p.domain_chips // sv.chips), want, masked)
            else:
                got = grow_single(s, site, row, want, masked)
            if got > 0:
                held_account(s, row, got)
    return start - np.int64(sv.wanted - sv.held)


@kernel()
def grow_services(s):
    """All services grow towards what they want, highest priority first."""
    c = s.clock[0]
    c.growing = 0
    if c.lacking == 0:
        return
    n_pools = s.pools.shape[0]
    last = np.int64(2**40)
    while True:
        priority = np.int64(-(2**40))
        for row in range(s.services.shape[0]):
            if s.services[row].priority < last:
                priority = max(priority, np.int64(s.services[row].priority))
        if priority == -(2**40):
            return
        for row in range(s.services.shape[0]):
            sv = s.services[row]
            if sv.priority != priority or sv.chips <= 0 or sv.wanted <= sv.held:
                continue
            pool = np.int64(row % n_pools)
            got = grow_service(s, np.int64(row), pool)
            small = sv.chips <= s.pools[pool].domain_chips
            if sv.wanted > sv.held and sv.preempts and c.preemption and c.called and small:
                lacking = np.int64(sv.wanted - sv.held)
                preempt_for_replicas(s, pool, priority, np.int64(sv.chips), lacking)
                got += grow_service(s, np.int64(row), pool)
            if got > 0:
                c.dirty = 1
                c.rebuild = 1
        last = priority


@kernel()
def leave_piece(s, row, p, chips):
    """Take chips of a service's piece back; the piece goes if nothing is left.

    The accounts are the caller's, and the change of the block's wholly free domains, which is returned.
    """
    piece = s.pieces[p]
    d = np.int64(piece.domain)
    dom = s.doms[d]
    site = np.int64(dom.site)
    piece.chips -= chips
    delta = move_level(s, site, d, np.int64(dom.free + chips))
    if piece.chips > 0:
        return delta
    drop_piece(s, row, p)
    refresh_served(s, site, d)
    if dom.leaving:
        leave_domain(s, site, d)
    return delta


@kernel()
def drop_piece(s, row, p):
    """An empty piece of a service is gone."""
    s.services[row].first_piece = piece_unlink(s, np.int64(s.services[row].first_piece), p)
    s.doms[s.pieces[p].domain].serving -= 1
    piece_leave_domain(s, p)
    piece_free(s, p)


@kernel()
def refresh_served(s, site, d):
    """Recompute the last estimated end of a domain that a piece of a service has left."""
    dom = s.doms[d]
    if not s.clock[0].easy:
        return
    if dom.first_piece < 0 and dom.broken == 0 and not dom.leaving:
        set_last_only(s, site, d, np.int64(-1), np.int64(-1))
    else:
        refresh_last(s, site, d)


@kernel()
def leave_singles(s, row, d, n):
    """Give back up to n replicas, the first pieces of a service while they hold one each in domain d, which
    is not leaving; returns how many. The chips are the caller's to book.
    """
    sv, dom = s.services[row], s.doms[d]
    k = np.int64(0)
    p = np.int64(sv.first_piece)
    while k < n and p >= 0 and s.pieces[p].domain == d and s.pieces[p].chips == sv.chips:
        after = np.int64(s.pieces[p].next)
        drop_piece(s, row, p)
        k += 1
        p = after
    if move_level(s, np.int64(dom.site), d, np.int64(dom.free + k * sv.chips)) > 0:
        whole_change(s, np.int64(dom.block), np.int64(1))
    refresh_served(s, np.int64(dom.site), d)
    return k


@kernel()
def give_replica_chips(s, row, p, chips):
    """Return chips of a piece of a service with the accounts."""
    d = np.int64(s.pieces[p].domain)
    site = np.int64(s.doms[d].site)
    kind_account(s, site, np.int64(s.services[row].kind), -chips)
    free_account(s, site, d, chips)
    if leave_piece(s, row, p, chips) != 0:
        whole_change(s, np.int64(s.doms[d].block), np.int64(1))


@kernel()
def give_replicas(s, row, n):
    """Give back n replicas within domains, the last taken first: booked once a block."""
    sv = s.services[row]
    chips = np.int64(sv.chips)
    block, gained, back, last = np.int64(-1), np.int64(0), np.int64(0), np.int64(-1)
    site, w, mask = np.int64(-1), np.int64(-1), ZERO
    while n > 0:
        p = np.int64(sv.first_piece)
        piece = s.pieces[p]
        held = np.int64(piece.chips)
        k = np.int64(1) if held == chips else min(n, held // chips)
        d = np.int64(piece.domain)
        if s.doms[d].leaving:
            n -= k
            give_replica_chips(s, row, p, k * chips)
            continue
        if s.doms[d].block != block:
            if last >= 0:
                give_block(s, row, last, back, gained)
            block, gained, back = np.int64(s.doms[d].block), np.int64(0), np.int64(0)
        last = d
        if held == chips and not is_alone(s, p):
            k = leave_singles(s, row, d, n)
            n -= k
            back += k * chips
            continue
        n -= k
        back += k * chips
        if k * chips < held or not is_alone(s, p):
            if leave_piece(s, row, p, k * chips) > 0:
                whole_change(s, block, np.int64(1))
            continue
        gained += 1
        home = np.int64(s.doms[d].site)
        word, bit = domain_bit(s.sites[home], d)
        if home != site or word != w:
            if site >= 0:
                unserve_word(s, site, w, mask)
            site, w, mask = home, word, ZERO
        mask |= bit
        unserve_whole(s, row, site, p)
    if last >= 0:
        give_block(s, row, last, back, gained)
    if site >= 0:
        unserve_word(s, site, w, mask)


@kernel()
def unserve_whole(s, row, site, p):
    """A service's only piece of a domain, the first of its list, goes: the domain is wholly free."""
    sv, dom = s.services[row], s.doms[s.pieces[p].domain]
    after = np.int64(s.pieces[p].next)
    sv.first_piece = after
    if after >= 0:
        s.pieces[after].prev = -1
    dom.serving = 0
    if s.clock[0].easy:
        dom.last_end = -1
    leave_whole(s, site, p)


@kernel()
def give_block(s, row, d, chips, gained):
    """Book chips that a service gave back in the block of ``d``, one of its domains, and how many of them
    became wholly free.
    """
    site = np.int64(s.doms[d].site)
    kind_account(s, site, np.int64(s.services[row].kind), -chips)
    free_account(s, site, d, chips)
    if gained > 0:
        block_served(s, site, np.int64(s.doms[d].block), gained)


@kernel()
def drop_group(s, row, p):
    """Give back all pieces of the domain-spanning replica that piece p belongs to."""
    group = s.pieces[p].group
    while s.pieces[p].prev >= 0 and s.pieces[s.pieces[p].prev].group == group:
        p = np.int64(s.pieces[p].prev)
    while p >= 0 and s.pieces[p].group == group:
        after = np.int64(s.pieces[p].next)
        give_replica_chips(s, row, p, np.int64(s.pieces[p].chips))
        p = after


@kernel()
def stop_replicas(s, row, p):
    """Give back all replicas in piece p, also that one which spans other domains; returns how many."""
    sv = s.services[row]
    if sv.chips > s.pools[row % s.pools.shape[0]].domain_chips:
        held_account(s, row, np.int64(-1))
        drop_group(s, row, p)
        return np.int64(1)
    n = np.int64(s.pieces[p].chips // sv.chips)
    held_account(s, row, -n)
    give_replica_chips(s, row, p, np.int64(s.pieces[p].chips))
    return n


@kernel()
def shrink_service(s, row, n):
    """Give back n replicas, the last taken first."""
    sv = s.services[row]
    spanning = sv.chips > s.pools[row % s.pools.shape[0]].domain_chips
    held_account(s, row, -n)
    if spanning:
        for _ in range(n):
            drop_group(s, row, np.int64(sv.first_piece))
    else:
        give_replicas(s, row, n)
    capacity_grew(s, False)


@kernel()
def capacity_grew(s, called):
    """Chips became usable otherwise than by the end of a job; ``called``: by an operation of the engine.

    A pass is due only if somebody waits for chips, except after an operation.
    """
    c = s.clock[0]
    c.grown = 1
    c.growing = 1
    c.dirty = 1
    c.rebuild = 1
    c.stuck_job = -1
    if called or c.queued > 0 or c.lacking > 0:
        c.happened = 1


@kernel()
def look_again(s):
    """Chips broke or work again: with an order that changes a pass is due, as keys may be computed in it."""
    if s.clock[0].rules != 0 and s.rules[0].order > 0:
        s.clock[0].happened = 1


@kernel()
def capacity_shrank(s, site):
    """Chips of a site stopped being usable: it matters to the queue only if the reservation counts on
    them.
    """
    c = s.clock[0]
    here = c.resv_site == site or (c.resv_site == -2 and c.resv_pool == s.sites[site].pool)
    if c.resv_rank >= 0 and here:
        c.dirty = 1
        c.rebuild = 1
    if c.dirty or c.growing:
        c.happened = 1


@kernel()
def lose_replicas(s, row, p):
    """A failure broke ``lost`` chips of piece p, booked already: its replicas are lost, their other
    chips free.
    """
    sv = s.services[row]
    piece = s.pieces[p]
    lost_chips = np.int64(piece.lost)
    piece.lost = 0
    if sv.chips > s.pools[row % s.pools.shape[0]].domain_chips:
        held_account(s, row, np.int64(-1))
        s.count[0].replicas_lost += 1
        drop_group(s, row, p)
    else:
        keep = np.int64(piece.chips // sv.chips)
        lost = (np.int64(piece.chips) + lost_chips) // sv.chips - keep
        held_account(s, row, -lost)
        s.count[0].replicas_lost += lost
        over = np.int64(piece.chips) - keep * sv.chips
        if over > 0 or piece.chips == 0:
            give_replica_chips(s, row, p, over)
    capacity_grew(s, False)

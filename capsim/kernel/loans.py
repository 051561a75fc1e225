"""What could be placed if some running jobs were gone: their chips are lent to a copy of the free map.

The copy is made domain by domain as loans touch it (``DOMAIN.scratch``), with counts of the domains that
would do: no other index of the site is kept, so a loan costs a few operations a piece.

Most jobs share a domain with one that cannot be stopped for this head, so that it is never wholly free: to a
gang of whole domains they matter for its remainder alone, and no more once that is *settled*.
"""

from __future__ import annotations

import numpy as np

from capsim.jit import kernel
from capsim.kernel.bits import bit_count_without, bit_next, bit_test


@kernel()
def loan_bounds(s, pool, n):
    """(low, high): free chips of a domain in which all n chips fit, or the remainder of a larger gang; of no
    domain if there is no remainder.
    """
    full = np.int64(s.pools[pool].domain_chips)
    if n <= full:
        return n, full
    rest = n % np.int64(s.pools[pool].segment)
    return rest if rest > 0 else full, full - 1


@kernel()
def open_loans(s, pool, n, below, masked):
    """A copy of the free map of a pool as it is, for placing n chips where jobs of the lowest ``below`` lists
    may be stopped.

    ``masked``: without the domains of the sites' masks, those that advance reservations bar the job from.
    ``SITE.loan_whole``: wholly free domains; ``loan_part``: those within ``loan_bounds``.
    """
    c, p = s.clock[0], s.pools[pool]
    c.loan_below = below
    c.stamp += 1
    c.loan_stamp = c.stamp
    c.loan_masked = masked
    low, high = loan_bounds(s, pool, n)
    for i in range(p.first_site, p.first_site + p.n_sites):
        st = s.sites[s.site_order[i]]
        st.loan_whole = st.whole - st.held if masked else st.whole
        part = np.int64(0)
        for level in range(low, high + 1):
            some = np.int64(s.counts[st.count_at + level])
            if masked and some > 0 and st.reserved > 0:
                row = st.rows_at + (level - 1) * st.row_stride
                some = bit_count_without(s.bits, row, np.int64(0), np.int64(st.n_domains), st.reserved_at)
            part += some
        st.loan_part = part
        st.loan_settled = 0


@kernel()
def stays_part(s, d):
    """Whether a job that cannot be stopped for the one that the copy is for has chips in a domain."""
    return s.tops[d] > s.clock[0].loan_below


@kernel()
def settle_loans(s, pool, n):
    """Note where the free map has a domain for the remainder of a gang of n chips that no stop makes wholly
    free; returns whether every site of the pool has.
    """
    p, everywhere = s.pools[pool], True
    low, high = loan_bounds(s, pool, n)
    for i in range(p.first_site, p.first_site + p.n_sites):
        site = np.int64(s.site_order[i])
        st = s.sites[site]
        st.loan_settled = low > high or has_settled(s, site, low, high)
        everywhere = everywhere and st.loan_settled != 0
    return everywhere


@kernel()
def has_settled(s, site, low, high):
    """Whether some domain with low..high free chips on the copy, before any loan, is never wholly free."""
    st = s.sites[site]
    for level in range(low, high + 1):
        if s.counts[st.count_at + level] == 0:
            continue
        row = st.rows_at + (level - 1) * st.row_stride
        i = bit_next(s.bits, row, np.int64(st.words), np.int64(0))
        while i >= 0:
            d = i + st.first_domain
            if stays_part(s, d) and is_lent(s, d):
                return True
            i = bit_next(s.bits, row, np.int64(st.words), i + 1)
    return False


@kernel()
def is_idle(s, row):
    """Whether the job of this row of PREEMPTIBLE is of no use to a gang that the copy was opened for."""
    d = np.int64(s.preemptible[row].where)
    return d >= 0 and stays_part(s, d) and s.sites[s.doms[d].site].loan_settled != 0


@kernel()
def lent_free(s, d):
    """Free chips of a domain on the copy."""
    dom = s.doms[d]
    if dom.stamp != s.clock[0].loan_stamp:
        dom.stamp = s.clock[0].loan_stamp
        dom.scratch = dom.free
    return np.int64(dom.scratch)


@kernel()
def is_lent(s, d):
    """Whether a domain of jobs is on the copy: in service, and on the map that it was opened for."""
    dom = s.doms[d]
    if not dom.active or dom.leaving:
        return False
    st = s.sites[dom.site]
    if not s.clock[0].loan_masked or st.reserved == 0:
        return True
    return not bit_test(s.bits, st.reserved_at, d - st.first_domain)


@kernel()
def lend(s, j, sign, low, high):
    """Add a running gang's chips to the copy (+1), or take them off it again (-1)."""
    p = np.int64(s.runs[j].first_piece)
    while p >= 0:
        piece = s.pieces[p]
        d = np.int64(piece.domain)
        dom = s.doms[d]
        st = s.sites[dom.site]
        if is_lent(s, d):
            before = lent_free(s, d)
            after = before + sign * (piece.chips + piece.spare)
            dom.scratch = after
            st.loan_whole += np.int64(after == st.domain_chips) - np.int64(before == st.domain_chips)
            st.loan_part += np.int64(low <= after <= high) - np.int64(low <= before <= high)
            if low <= after <= high and stays_part(s, d):
                st.loan_settled = 1
        p = np.int64(piece.next)


@kernel()
def has_room(s, j, n, lent):
    """Whether a usable domain of a running job has n chips on the copy; its own there are on it if ``lent``,
    else they count too.
    """
    p = np.int64(s.runs[j].first_piece)
    while p >= 0:
        piece = s.pieces[p]
        d = np.int64(piece.domain)
        if s.sites[s.doms[d].site].usable and is_lent(s, d):
            own = np.int64(0) if lent else np.int64(piece.chips + piece.spare)
            if lent_free(s, d) + own >= n:
                return True
        p = np.int64(piece.next)
    return False


@kernel()
def span_fits_lent(s, pool, n, max_sites):
    """Whether at most max_sites sites together have ceil(n / segment) whole domains on the copy."""
    p = s.pools[pool]
    left = -(-n // p.segment)
    s.clock[0].stamp += 1
    for _ in range(max_sites):
        best, found = np.int64(0), np.int64(-1)
        for i in range(p.first_site, p.first_site + p.n_sites):
            st = s.sites[s.site_order[i]]
            if st.usable and st.chosen != s.clock[0].stamp and st.loan_whole > best:
                best, found = np.int64(st.loan_whole), np.int64(s.site_order[i])
        if found < 0:
            return False
        s.sites[found].chosen = s.clock[0].stamp
        left -= best
        if left <= 0:
            return True
    return False


@kernel()
def fits_lent(s, pool, n, max_sites):
    """Whether the rule places n chips on the copy that was opened for them."""
    p = s.pools[pool]
    k = n // p.segment
    rest = n - k * p.segment
    for i in range(p.first_site, p.first_site + p.n_sites):
        st = s.sites[s.site_order[i]]
        if not st.usable:
            continue
        if n <= p.domain_chips:
            if st.loan_part > 0:
                return True
        elif st.loan_whole > k or (st.loan_whole == k and (rest == 0 or st.loan_part > 0)):
            return True
    return max_sites > 1 and n > p.domain_chips and span_fits_lent(s, pool, n, max_sites)


@kernel()
def lend_replicas(s, j, sign, chips):
    """``lend``; returns by how many the replicas of ``chips`` that fit the usable domains change."""
    change = np.int64(0)
    p = np.int64(s.runs[j].first_piece)
    while p >= 0:
        piece = s.pieces[p]
        d = np.int64(piece.domain)
        dom = s.doms[d]
        if s.sites[dom.site].usable and is_lent(s, d):
            before = lent_free(s, d)
            after = before + sign * (piece.chips + piece.spare)
            dom.scratch = after
            change += after // chips - before // chips
        p = np.int64(piece.next)
    return change

"""Which domains would be empty if jobs of lower levels were stopped: counted by site, so that a gang that
needs whole domains is refused without a look at the jobs.

The *top* of a domain is the highest list among those of the jobs that have chips there: 0 under notice, then
the lists of the pool, last one more for jobs that cannot be stopped; -1: it has none. Services and broken
chips are left out, so the counts are bounds from above. Kept only under a policy with preemption.
"""

from __future__ import annotations

import numpy as np

from capsim.jit import kernel


@kernel()
def top_of(s, j):
    """What a running job makes the top of its domains at least, by the list that it is in; its pieces say so
    too, ``PIECE.top``.
    """
    row = np.int64(s.listed[j])
    lists = np.int64(s.clock[0].n_levels)
    if row < 0:
        return lists + 1
    level = s.preemptible[row].level - np.int64(s.runs[j].pool) * (lists + 1)
    return np.int64(0) if level == lists else level + 1


@kernel()
def count_tops(s, site, was, top, n):
    """n domains of a site have another top."""
    at = site * (s.clock[0].n_levels + 2)
    if was >= 0:
        s.clearable[at + was] -= n
    if top >= 0:
        s.clearable[at + top] += n


@kernel()
def find_top(s, d, but):
    """The top of a domain by the jobs there; job ``but`` does not count."""
    top = np.int64(-1)
    p = np.int64(s.doms[d].first_piece)
    while p >= 0:
        piece = s.pieces[p]
        if piece.holder != but and piece.holder < s.clock[0].cap_jobs:
            top = max(top, np.int64(piece.top))
        p = np.int64(piece.next_here)
    return top


@kernel()
def settle_top(s, d, top):
    """Set the top of a domain."""
    was = np.int64(s.tops[d])
    if was != top:
        s.tops[d] = top
        count_tops(s, np.int64(s.doms[d].site), was, top, np.int64(1))


@kernel()
def move_tops(s, j, was, top):
    """A running job came to its chips (``was`` -1), into another list, or is about to leave (``top`` -1)."""
    site, alone = np.int64(s.runs[j].site), np.int64(0)
    but = j if top < 0 else np.int64(-1)
    p = np.int64(s.runs[j].first_piece)
    while p >= 0:
        piece = s.pieces[p]
        d = np.int64(piece.domain)
        here = np.int64(s.tops[d])
        piece.top = top
        if piece.prev_here < 0 and piece.next_here < 0 and here == was and site >= 0:
            s.tops[d] = top
            alone += 1
        elif top > here:
            settle_top(s, d, top)
        elif here == was and top < was:
            settle_top(s, d, find_top(s, d, but))
        p = np.int64(piece.next)
    if alone > 0:
        count_tops(s, site, was, top, alone)


@kernel()
def clearable_domains(s, site, below):
    """At least the domains that are wholly free if all jobs of the lowest ``below`` lists and those under
    notice stop.
    """
    total = np.int64(s.sites[site].whole)
    at = site * (s.clock[0].n_levels + 2)
    for top in range(below + 1):
        total += s.clearable[at + top]
    return total


@kernel()
def may_clear(s, pool, n, max_sites, below):
    """Whether so many domains may be wholly free then as the rule needs for n chips, larger than a domain."""
    p = s.pools[pool]
    k, total = n // p.segment, np.int64(0)
    for i in range(p.first_site, p.first_site + p.n_sites):
        site = np.int64(s.site_order[i])
        if s.sites[site].usable:
            here = clearable_domains(s, site, below)
            if here >= k:
                return True
            total += here
    return max_sites > 1 and total * p.segment >= n

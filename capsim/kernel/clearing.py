"""Which domains would be empty if jobs of lower levels were stopped: counted by site, so that a gang that needs
whole domains is refused without a look at the jobs.

The *top* of a domain is the highest list among those of the jobs that have chips there: 0 under notice, then the
lists of the pool, last ``never`` for jobs that cannot be stopped; -1: it has none. Services and broken
chips are left out, so the counts are bounds from above. Kept only under a policy with preemption.
"""

from __future__ import annotations

import numpy as np

from capsim.jit import kernel


@kernel()
def top_of(s, j):
    """What a running job makes the top of its domains at least, by the list that it is in."""
    row = np.int64(s.listed[j])
    lists = np.int64(s.clock[0].n_levels)
    if row < 0:
        return lists + 1
    level = s.preemptible[row].level - np.int64(s.runs[j].pool) * (lists + 1)
    return np.int64(0) if level == lists else level + 1


@kernel()
def set_top(s, d, top):
    """Count a domain at another top."""
    old = np.int64(s.tops[d])
    if old == top:
        return
    at = np.int64(s.doms[d].site) * (s.clock[0].n_levels + 2)
    if old >= 0:
        s.clearable[at + old] -= 1
    if top >= 0:
        s.clearable[at + top] += 1
    s.tops[d] = top


@kernel()
def hold_domains(s, j):
    """A running job came into its list, or to further domains."""
    top = top_of(s, j)
    p = np.int64(s.runs[j].first_piece)
    while p >= 0:
        d = np.int64(s.pieces[p].domain)
        if s.tops[d] < top:
            set_top(s, d, top)
        p = np.int64(s.pieces[p].next)


@kernel()
def settle_top(s, d, but):
    """Find the top of a domain anew; job ``but`` does not count."""
    top = np.int64(-1)
    p = np.int64(s.doms[d].first_piece)
    while p >= 0:
        holder = np.int64(s.pieces[p].holder)
        if holder != but and holder < s.clock[0].cap_jobs:
            top = max(top, top_of(s, holder))
        p = np.int64(s.pieces[p].next_here)
    set_top(s, d, top)


@kernel()
def release_domains(s, j):
    """A running job, still in its list and on its chips, is about to leave either."""
    top = top_of(s, j)
    p = np.int64(s.runs[j].first_piece)
    while p >= 0:
        piece = s.pieces[p]
        d = np.int64(piece.domain)
        if piece.prev_here < 0 and piece.next_here < 0:
            set_top(s, d, np.int64(-1))
        elif s.tops[d] == top:
            settle_top(s, d, j)
        p = np.int64(piece.next)


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

"""Capacity comes and goes: activation, retirement, drains, outages."""

from __future__ import annotations

import numpy as np

from capsim.jit import kernel
from capsim.kernel.domains import index_domain, set_last
from capsim.kernel.failures import schedule_failure
from capsim.kernel.heap import heap_push
from capsim.kernel.preemption import give_notice
from capsim.kernel.running import fail_job, leave_domain
from capsim.kernel.serving import capacity_grew, stop_replicas
from capsim.kernel.state import KEY_SHIFT, RETIRE
from capsim.tables import NEVER


@kernel()
def pool_rate(s, pool):
    """Recompute a pool's mean failure rate per chip over its active tranches."""
    total, chips = 0.0, 0.0
    for t in range(s.tranches.shape[0]):
        tr = s.tranches[t]
        if s.sites[tr.site].pool == pool:
            n = np.float64(tr.activated - tr.retired) * s.pools[pool].domain_chips
            total += tr.rate * n
            chips += n
    s.pools[pool].rate = total / chips if chips > 0.0 else 0.0


@kernel()
def activate(s, t, n):
    """The next n domains of tranche t arrive."""
    if s.tranches[t].activated == 0 and n > 0:
        schedule_failure(s, t, s.clock[0].now)
    bring(s, t, n)


@kernel()
def bring(s, t, n):
    """Put the next n domains of tranche t into service."""
    tr = s.tranches[t]
    site = np.int64(tr.site)
    st = s.sites[site]
    full = np.int64(st.domain_chips)
    lo = np.int64(tr.first_domain + tr.activated)
    for d in range(lo, lo + n):
        dom = s.doms[d]
        dom.active = 1
        dom.free = full
        dom.since = s.clock[0].repairs
        index_domain(s, site, np.int64(d), np.int64(1))
        if s.clock[0].easy:
            set_last(s, site, np.int64(d), np.int64(-1), np.int64(-1))
    tr.activated += n
    chips = n * full
    now = s.clock[0].now
    st.active += chips
    st.active_acc -= chips * now
    if st.down:
        st.out += chips
        st.out_acc -= chips * now
    elif st.draining:
        st.barred += chips
        st.barred_acc -= chips * now
    else:
        st.free += chips
        st.free_acc -= chips * now
    s.pools[st.pool].active += chips
    s.clock[0].capacity += 1
    pool_rate(s, np.int64(st.pool))
    capacity_grew(s, True)


@kernel()
def bar_free(s, site, d):
    """Book the free chips of a domain that has just been told to leave."""
    st = s.sites[site]
    free = np.int64(s.doms[d].free)
    st.leaving_free += free
    if st.down or st.draining or free == 0:
        return
    now = s.clock[0].now
    st.free -= free
    st.free_acc += free * now
    st.barred += free
    st.barred_acc -= free * now


@kernel()
def retire(s, t, n, kill, at):
    """The last n active domains of tranche t leave when free; by force now, or at an instant."""
    tr = s.tranches[t]
    site = np.int64(tr.site)
    hi = np.int64(tr.first_domain + tr.activated - tr.retired)
    tr.retired += n
    for d in range(hi - 1, hi - 1 - n, -1):
        dom = s.doms[d]
        if s.clock[0].easy and dom.last_end != NEVER:
            set_last(s, site, np.int64(d), NEVER, np.int64(-1))
        index_domain(s, site, np.int64(d), np.int64(-1))
        dom.leaving = 1
        bar_free(s, site, np.int64(d))
        leave_domain(s, site, np.int64(d))
    if kill:
        force_out(s, hi - n, hi)
    if at < NEVER:
        heap_push(s, at, (np.int64(RETIRE) << KEY_SHIFT) | (hi - n), hi)
    pool_rate(s, np.int64(s.sites[site].pool))
    capacity_grew(s, True)


@kernel()
def reclaim(s, t, n, grace):
    """The last n active domains of tranche t take no new work and leave within the grace: gangs there stop
    with a checkpoint at its end, replicas are lost then.
    """
    time = s.clock[0].now + grace
    hi = np.int64(s.tranches[t].first_domain + s.tranches[t].activated - s.tranches[t].retired)
    for i in range(s.clock[0].running):
        j = np.int64(s.active[i])
        if holds_domains(s, j, hi - n, hi) and s.runs[j].preempt_at > time:
            s.runs[j].drained = 1
            give_notice(s, j, time)
    retire(s, t, n, False, time)


@kernel()
def holds_domains(s, j, lo, hi):
    """Whether a running gang has chips in the domains lo..hi - 1."""
    p = np.int64(s.runs[j].first_piece)
    while p >= 0:
        if lo <= s.pieces[p].domain < hi:
            return True
        p = np.int64(s.pieces[p].next)
    return False


@kernel()
def restore(s, t, n):
    """The n domains of tranche t that left last come back, all in working order."""
    tr = s.tranches[t]
    tr.activated -= n
    tr.retired -= n
    tr.left -= n
    bring(s, t, n)


@kernel()
def force_out(s, lo, hi):
    """The instant of a forced retirement: who still holds domains lo..hi - 1 is stopped, in their order."""
    site = np.int64(s.doms[lo].site)
    for d in range(lo, hi):
        if s.doms[d].leaving:
            evict(s, site, np.int64(d))
            capacity_grew(s, True)


@kernel()
def evict(s, site, d):
    """Stop every holder of a domain, as by a failure: latest placed first."""
    cap = np.int64(s.clock[0].cap_jobs)
    dom = s.doms[d]
    while dom.first_piece >= 0:
        p = np.int64(dom.first_piece)
        holder = np.int64(s.pieces[p].holder)
        if holder < cap:
            s.count[0].interruptions += 1
            fail_job(s, holder)
        else:
            evict_service(s, holder - cap, p)


@kernel()
def evict_service(s, row, p):
    """All replicas in piece p are lost."""
    s.count[0].replicas_lost += stop_replicas(s, row, p)


@kernel()
def rebook_free(s, site):
    """Book the free chips of a site anew after its state changed: free, barred or out."""
    st = s.sites[site]
    now = s.clock[0].now
    total = st.free + st.barred + st.out
    free, barred, out = total - st.leaving_free, st.leaving_free, np.int64(0)
    if st.down:
        free, barred, out = np.int64(0), np.int64(0), total
    elif st.draining:
        free, barred = np.int64(0), total
    st.free_acc -= (free - st.free) * now
    st.barred_acc -= (barred - st.barred) * now
    st.out_acc -= (out - st.out) * now
    st.free, st.barred, st.out = free, barred, out
    st.usable = 0 if st.down or st.draining else 1


@kernel()
def drain(s, site, grace):
    """Nothing new starts at the site; grace >= 0: its jobs stop after it, with a checkpoint."""
    s.sites[site].draining = 1
    rebook_free(s, site)
    if grace >= 0:
        time = s.clock[0].now + grace
        for i in range(s.clock[0].running):
            j = np.int64(s.active[i])
            if holds_site(s, j, site) and s.runs[j].preempt_at > time:
                s.runs[j].drained = 1
                give_notice(s, j, time)
    capacity_changed(s)


@kernel()
def capacity_changed(s):
    c = s.clock[0]
    c.dirty = 1
    c.rebuild = 1
    c.happened = 1


@kernel()
def holds_site(s, j, site):
    """Whether a running gang has chips at the site."""
    p = np.int64(s.runs[j].first_piece)
    while p >= 0:
        if s.doms[s.pieces[p].domain].site == site:
            return True
        if s.runs[j].site >= 0:
            return False
        p = np.int64(s.pieces[p].next)
    return False


@kernel()
def undrain(s, site):
    s.sites[site].draining = 0
    rebook_free(s, site)
    capacity_grew(s, True)


@kernel()
def site_down(s, site):
    """Outage: every holder at the site is stopped as by a failure."""
    st = s.sites[site]
    st.down = 1
    rebook_free(s, site)
    for d in range(st.first_domain, st.first_domain + st.n_domains):
        if s.doms[d].first_piece >= 0:
            evict(s, site, np.int64(d))
    capacity_grew(s, True)


@kernel()
def site_up(s, site):
    s.sites[site].down = 0
    rebook_free(s, site)
    capacity_grew(s, True)

"""Admission of jobs by their tenants' limits: quotas, borrowing in cohorts, reclaim, jobs at a time.

A job is charged from its admission until it is over; what is not admitted is held and is not in the
scheduler's queue (``docs/scheduling.md``, "Tenants").
"""

from __future__ import annotations

import numpy as np

from capsim.jit import kernel
from capsim.kernel.allowances import (
    admit,
    allowance_at,
    borrows,
    flavor_for,
    flavors_open,
    has_right,
    next_flavor,
    release,
)
from capsim.kernel.keys import SUBMISSION, submitted_before
from capsim.kernel.ordering import (
    forget_rank,
    leave_order,
    list_parked,
    list_queue,
    place_job,
    sort_line,
)
from capsim.kernel.preemption import preempt
from capsim.kernel.queue import queue_insert, queue_remove
from capsim.kernel.schedule import unpark_class
from capsim.tables import HELD, NEVER, RUNNING, WAITING


@kernel()
def hold(s, j):
    """Put a job among its tenant's held ones, in the order of submission."""
    tenant = s.tenants[s.jobs[j].tenant]
    s.runs[j].parked = HELD
    s.clock[0].parked += 1
    s.rules[0].held += 1
    after, before = np.int64(tenant.first_held), np.int64(-1)
    last = np.int64(tenant.last_held)
    if after >= 0 and submitted_before(s, last, j):
        after, before = np.int64(-1), last
    while after >= 0 and submitted_before(s, after, j):
        after, before = np.int64(s.standings[after].next_held), after
    s.standings[j].next_held = after
    if before < 0:
        tenant.first_held = j
    else:
        s.standings[before].next_held = j
    if after < 0:
        tenant.last_held = j


@kernel()
def unhold(s, j):
    """Take a job out of its tenant's held ones."""
    tenant = s.tenants[s.jobs[j].tenant]
    before, at = np.int64(-1), np.int64(tenant.first_held)
    while at != j:
        before, at = at, np.int64(s.standings[at].next_held)
    after = np.int64(s.standings[j].next_held)
    if before < 0:
        tenant.first_held = after
    else:
        s.standings[before].next_held = after
    if after < 0:
        tenant.last_held = before
    s.runs[j].parked = 0
    s.clock[0].parked -= 1
    s.rules[0].held -= 1


@kernel()
def line_up(s, j):
    """An admitted job gets its rank where the order changes with time."""
    if s.rules[0].order > 0:
        place_job(s, j)


@kernel()
def join_queue(s, j):
    """Put a job that was held, and is admitted now, into the queue's tree."""
    c = s.clock[0]
    queue_insert(s, np.int64(s.runs[j].rank), np.int64(s.jobs[j].size_min), s.runs[j].shortest)
    s.classes[s.jobs[j].cls].waiting += 1
    c.first_new = min(c.first_new, s.runs[j].rank)
    c.happened = 1


@kernel()
def let_in(s):
    """Admit held jobs, first of each tenant only: without borrowing first, then by submission."""
    while s.rules[0].held > 0:
        best, where, lends = np.int64(-1), np.int64(-1), False
        for t in range(s.tenants.shape[0]):
            j = np.int64(s.tenants[t].first_held)
            if j < 0:
                continue
            flavor = flavor_for(s, np.int64(t), j)
            if flavor < 0:
                continue
            beyond = borrows(s, np.int64(t), j, flavor)
            if best < 0 or (lends and not beyond) or (lends == beyond and submitted_before(s, j, best)):
                best, where, lends = j, flavor, beyond
        if best < 0:
            return
        unhold(s, best)
        admit(s, best, where)
        line_up(s, best)
        join_queue(s, best)


@kernel()
def ask(s, j):
    """A job joins the queue: 0 if it may, 1 if it is held. An evicted one is held again."""
    t = np.int64(s.jobs[j].tenant)
    if s.standings[j].evicted:
        release(s, j)
        hold(s, j)
        let_in(s)
        return 1
    if not s.standings[j].admitted:
        flavor = flavor_for(s, t, j) if s.tenants[t].first_held < 0 else np.int64(-1)
        if flavor < 0:
            hold(s, j)
            return 1
        admit(s, j, flavor)
    line_up(s, j)
    return 0


@kernel()
def be_over(s, j):
    """A job is over: its charge goes to others."""
    if s.standings[j].admitted:
        release(s, j)
        let_in(s)


@kernel()
def may_go(s, j, cohort):
    """Whether a job is admitted beyond its tenant's quota in this row of cohorts and may be evicted."""
    mine, run = s.allowances[s.standings[j].allowance], s.runs[j]
    if mine.cohort != cohort or mine.admitted <= mine.quota or s.standings[j].evicted:
        return False
    return run.state == WAITING or (s.classes[s.jobs[j].cls].preemptible and run.preempt_at == NEVER)


@kernel()
def list_borrowed(s, cohort):
    """Write the jobs that may be evicted for a row of cohorts into ``line``; returns how many."""
    queued = list_parked(s, list_queue(s))
    n = np.int64(0)
    for i in range(queued):
        if may_go(s, np.int64(s.line[i]), cohort):
            s.line[n] = s.line[i]
            n += 1
    for i in range(s.clock[0].running):
        if may_go(s, np.int64(s.active[i]), cohort):
            s.line[n] = s.active[i]
            n += 1
    return n


@kernel()
def evict(s, j):
    """Take an admitted job's admission away: now if it waits, else when it has stopped."""
    c, run = s.clock[0], s.runs[j]
    if run.state == RUNNING:
        s.standings[j].evicted = 1
        s.cohorts[s.allowances[s.standings[j].allowance].cohort].leaving += np.int64(s.jobs[j].size_max)
        preempt(s, j)
        return
    if run.parked:
        unpark_class(s, np.int64(s.jobs[j].cls))
    forget_rank(s, np.int64(run.rank))
    queue_remove(s, np.int64(run.rank))
    s.classes[s.jobs[j].cls].waiting -= 1
    if s.rules[0].order > 0:
        leave_order(s, j)
    c.dirty = 1
    release(s, j)
    hold(s, j)


@kernel()
def reclaim_in(s, t, flavor):
    """Evict jobs of borrowers for the first held job of a tenant that stays within its quota in a flavor.

    Latest submitted first, only while their tenant borrows, nobody if that is not enough. Returns whether
    the chips are there now, or will be when jobs told to stop have gone.
    """
    mine = s.allowances[allowance_at(s, t, flavor)]
    if mine.cohort < 0 or not has_right(s, t, flavor):
        return False
    cohort = s.cohorts[mine.cohort]
    j = np.int64(s.tenants[t].first_held)
    lacking = cohort.admitted - cohort.leaving + s.jobs[j].size_max - cohort.quota
    if lacking <= 0:
        return True
    count = list_borrowed(s, np.int64(mine.cohort))
    sort_line(s, count, SUBMISSION)
    for i in range(s.allowances.shape[0]):
        s.allowances[i].over = s.allowances[i].admitted - s.allowances[i].quota
    for i in range(s.clock[0].running):
        other = np.int64(s.active[i])
        if s.standings[other].evicted:
            s.allowances[s.standings[other].allowance].over -= s.jobs[other].size_max
    chosen = np.int64(0)
    for i in range(count - 1, -1, -1):
        other = np.int64(s.line[i])
        theirs = s.allowances[s.standings[other].allowance]
        if lacking > 0 and theirs.over > 0:
            lacking -= s.jobs[other].size_max
            theirs.over -= s.jobs[other].size_max
            s.line[s.line.shape[0] - 1 - chosen] = other
            chosen += 1
    if lacking > 0:
        return False
    for i in range(chosen):
        evict(s, np.int64(s.line[s.line.shape[0] - 1 - i]))
    let_in(s)
    return True


@kernel()
def reclaim(s, t):
    """Reclaim chips for the first held job of a tenant, in the first flavor where that helps."""
    j = np.int64(s.tenants[t].first_held)
    if j < 0:
        return
    left = flavors_open(s, j)
    flavor = next_flavor(s, j, left)
    while flavor >= 0 and not reclaim_in(s, t, flavor):
        left &= ~(np.int64(1) << flavor)
        flavor = next_flavor(s, j, left)


@kernel()
def look_again(s):
    """Chips arrived or left, or a speed changed: waiting jobs leave flavors that hold them no more."""
    s.rules[0].seen = s.clock[0].capacity
    queued = list_parked(s, list_queue(s))
    gone = np.int64(0)
    for i in range(queued):
        j = np.int64(s.line[i])
        if s.tenants[s.jobs[j].tenant].by_flavor:
            flavor = np.int64(s.standings[j].allowance) % s.rules[0].width
            if not (flavors_open(s, j) >> flavor) & 1:
                s.line[s.line.shape[0] - 1 - gone] = j
                gone += 1
    for i in range(gone):
        evict(s, np.int64(s.line[s.line.shape[0] - 1 - i]))
    let_in(s)


@kernel()
def review(s):
    """At the beginning of a pass: jobs in flavors that cannot hold them; then tenants, by index, whose first
    held job has a right to chips lent out.
    """
    if s.rules[0].width > 1 and s.rules[0].seen != s.clock[0].capacity:
        look_again(s)
    if s.rules[0].held > 0 and s.rules[0].reclaim:
        for t in range(s.tenants.shape[0]):
            reclaim(s, np.int64(t))

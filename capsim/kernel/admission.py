"""Admission of jobs by their tenants' limits: quotas, borrowing in cohorts, reclaim, jobs at a time.

A job is charged from its admission until it is over; what is not admitted is held and is not in the
scheduler's queue (``docs/scheduling.md``, "Tenants").
"""

from __future__ import annotations

import numpy as np

from capsim.jit import kernel
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
def class_has_room(s, j):
    """Whether the class of job j may have it too."""
    if not s.rules[0].class_limits:
        return True
    limit = s.class_limits[s.class_limits[s.jobs[j].cls].row]
    if 0 <= limit.jobs <= limit.n_admitted:
        return False
    return limit.chips < 0 or limit.admitted + s.jobs[j].size_max <= limit.chips


@kernel()
def has_right(s, t):
    """Whether a tenant's first held job stays within its quota."""
    tenant = s.tenants[t]
    j = np.int64(tenant.first_held)
    if j < 0 or tenant.quota < 0 or (tenant.max_running > 0 and tenant.n_admitted >= tenant.max_running):
        return False
    return tenant.admitted + s.jobs[j].size_max <= tenant.quota and class_has_room(s, j)


@kernel()
def fits(s, t, j):
    """Whether a tenant, and the class, may be charged for job j too."""
    tenant, n = s.tenants[t], np.int64(s.jobs[j].size_max)
    if not class_has_room(s, j):
        return False
    if tenant.max_running > 0 and tenant.n_admitted >= tenant.max_running:
        return False
    if tenant.quota < 0:
        return True
    if tenant.admitted + n > tenant.ceiling:
        return False
    if tenant.cohort < 0:
        return True
    if tenant.admitted + n > tenant.quota and s.rules[0].held > 0:
        for other in range(s.tenants.shape[0]):
            if s.tenants[other].cohort == tenant.cohort and has_right(s, np.int64(other)):
                return False
    cohort = s.cohorts[tenant.cohort]
    return cohort.admitted + n <= cohort.quota


@kernel()
def charge(s, j, sign):
    """Admit a job (+1), or give its charge back (-1)."""
    tenant = s.tenants[s.jobs[j].tenant]
    n = sign * np.int64(s.jobs[j].size_max)
    tenant.admitted += n
    tenant.n_admitted += sign
    if s.rules[0].class_limits:
        limit = s.class_limits[s.class_limits[s.jobs[j].cls].row]
        limit.admitted += n
        limit.n_admitted += sign
    if tenant.cohort >= 0:
        s.cohorts[tenant.cohort].admitted += n
        if s.standings[j].evicted:
            s.cohorts[tenant.cohort].leaving += n
    s.standings[j].admitted = 1 if sign > 0 else 0
    s.standings[j].evicted = 0


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
        best, lends = np.int64(-1), False
        for t in range(s.tenants.shape[0]):
            tenant = s.tenants[t]
            j = np.int64(tenant.first_held)
            if j < 0:
                continue
            n = np.int64(s.jobs[j].size_max)
            if not fits(s, np.int64(t), j):
                continue
            borrows = tenant.quota >= 0 and tenant.admitted + n > tenant.quota
            if best < 0 or (lends and not borrows) or (lends == borrows and submitted_before(s, j, best)):
                best, lends = j, borrows
        if best < 0:
            return
        unhold(s, best)
        charge(s, best, 1)
        line_up(s, best)
        join_queue(s, best)


@kernel()
def ask(s, j):
    """A job joins the queue: 0 if it may, 1 if it is held. An evicted one is held again."""
    t = np.int64(s.jobs[j].tenant)
    if s.standings[j].evicted:
        charge(s, j, -1)
        hold(s, j)
        let_in(s)
        return 1
    if not s.standings[j].admitted:
        if s.tenants[t].first_held >= 0 or not fits(s, t, j):
            hold(s, j)
            return 1
        charge(s, j, 1)
    line_up(s, j)
    return 0


@kernel()
def be_over(s, j):
    """A job is over: its charge goes to others."""
    if s.standings[j].admitted:
        charge(s, j, -1)
        let_in(s)


@kernel()
def may_go(s, j, cohort):
    """Whether a job is admitted beyond the quota of its tenant in this cohort and may be evicted."""
    tenant, run = s.tenants[s.jobs[j].tenant], s.runs[j]
    if tenant.cohort != cohort or tenant.admitted <= tenant.quota or s.standings[j].evicted:
        return False
    return run.state == WAITING or (s.classes[s.jobs[j].cls].preemptible and run.preempt_at == NEVER)


@kernel()
def list_borrowed(s, cohort):
    """Write the jobs of a cohort's borrowing tenants that may be evicted into ``line``; returns how many."""
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
        s.cohorts[s.tenants[s.jobs[j].tenant].cohort].leaving += np.int64(s.jobs[j].size_max)
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
    charge(s, j, -1)
    hold(s, j)


@kernel()
def reclaim(s, t):
    """Evict jobs of borrowers for the first held job of a tenant that stays within its quota.

    Latest submitted first, only while their tenant borrows, nobody if that is not enough.
    """
    tenant = s.tenants[t]
    j = np.int64(tenant.first_held)
    if tenant.cohort < 0 or not has_right(s, t):
        return
    cohort = s.cohorts[tenant.cohort]
    lacking = cohort.admitted - cohort.leaving + s.jobs[j].size_max - cohort.quota
    if lacking <= 0:
        return
    count = list_borrowed(s, np.int64(tenant.cohort))
    sort_line(s, count, SUBMISSION)
    for i in range(s.tenants.shape[0]):
        s.tenants[i].over = s.tenants[i].admitted - s.tenants[i].quota
    for i in range(s.clock[0].running):
        other = np.int64(s.active[i])
        if s.standings[other].evicted:
            s.tenants[s.jobs[other].tenant].over -= s.jobs[other].size_max
    chosen = np.int64(0)
    for i in range(count - 1, -1, -1):
        other = np.int64(s.line[i])
        who = s.tenants[s.jobs[other].tenant]
        if lacking > 0 and who.over > 0:
            lacking -= s.jobs[other].size_max
            who.over -= s.jobs[other].size_max
            s.line[s.line.shape[0] - 1 - chosen] = other
            chosen += 1
    if lacking > 0:
        return
    for i in range(chosen):
        evict(s, np.int64(s.line[s.line.shape[0] - 1 - i]))
    let_in(s)


@kernel()
def reclaim_all(s):
    """At the beginning of a pass: tenants, by index, whose first held job has a right to chips lent out."""
    if s.rules[0].held > 0 and s.rules[0].reclaim:
        for t in range(s.tenants.shape[0]):
            reclaim(s, np.int64(t))

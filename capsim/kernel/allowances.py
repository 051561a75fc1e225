"""What a tenant may have and what its admitted jobs are charged to: quotas of chips, one or by flavor.

A *flavor* is a group of pools (``docs/scheduling.md``, "Quotas by flavor"). A job that is admitted in one
becomes one of a class that is its own, but runs in the pools of the flavor alone: so the queue, its order
and placement know nothing of flavors.
"""

from __future__ import annotations

import numpy as np

from capsim.jit import kernel
from capsim.kernel.running import least_duration


@kernel()
def base_class(s, j):
    """The class that job j was submitted with."""
    k, own = np.int64(s.jobs[j].cls), np.int64(s.rules[0].classes)
    return k if k < own else (k - own) // s.rules[0].width


@kernel()
def flavors_open(s, j):
    """Flavors, as bits, in which job j may be admitted: those with a pool whose active chips hold it.

    All where there is none; the first alone where its tenant has one quota for all.
    """
    if not s.tenants[s.jobs[j].tenant].by_flavor:
        return np.int64(1)
    base = base_class(s, j) * s.pools.shape[0]
    found = np.int64(0)
    for pool in range(s.pools.shape[0]):
        if s.places[base + pool].speed > 0.0 and s.pools[pool].active >= s.jobs[j].size_min:
            found |= np.int64(1) << np.int64(s.flavors[pool])
    return found if found != 0 else (np.int64(1) << np.int64(s.rules[0].width)) - 1


@kernel()
def next_flavor(s, j, left):
    """The first of the flavors ``left`` (bits) in the order of the job's class; -1: none is left."""
    if left == 0:
        return np.int64(-1)
    if not s.tenants[s.jobs[j].tenant].by_flavor:
        return np.int64(0)
    base = base_class(s, j) * s.pools.shape[0]
    for i in range(s.pools.shape[0]):
        flavor = np.int64(s.flavors[s.places[base + i].order])
        if (left >> flavor) & 1:
            return flavor
    return np.int64(-1)


@kernel()
def allowance_at(s, t, flavor):
    """Row of what a tenant may have in a flavor."""
    return t * np.int64(s.rules[0].width) + flavor


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
def has_number(s, t):
    """Whether a tenant may have another job as far as their number goes."""
    tenant = s.tenants[t]
    return tenant.max_running == 0 or tenant.n_admitted < tenant.max_running


@kernel()
def has_right(s, t, flavor):
    """Whether a tenant's first held job stays within its quota in a flavor in which it may be admitted."""
    j = np.int64(s.tenants[t].first_held)
    if j < 0 or not has_number(s, t):
        return False
    mine = s.allowances[allowance_at(s, t, flavor)]
    if mine.quota < 0 or mine.admitted + s.jobs[j].size_max > mine.quota or not class_has_room(s, j):
        return False
    return not s.tenants[t].by_flavor or (flavors_open(s, j) >> flavor) & 1 != 0


@kernel()
def fits_in(s, t, j, flavor):
    """Whether a tenant may be charged for job j too in a flavor."""
    mine, n = s.allowances[allowance_at(s, t, flavor)], np.int64(s.jobs[j].size_max)
    if mine.quota < 0:
        return True
    if mine.admitted + n > mine.ceiling:
        return False
    if mine.cohort < 0:
        return True
    cohort = s.cohorts[mine.cohort]
    if cohort.admitted + n > cohort.quota:
        return False
    if mine.admitted + n > mine.quota and s.rules[0].held > 0:
        for other in range(s.tenants.shape[0]):
            row = allowance_at(s, np.int64(other), flavor)
            if s.allowances[row].cohort == mine.cohort and has_right(s, np.int64(other), flavor):
                return False
    return True


@kernel()
def flavor_for(s, t, j):
    """The first flavor in which a tenant, and the class, may be charged for job j too; -1: none."""
    if not class_has_room(s, j) or not has_number(s, t):
        return np.int64(-1)
    left = flavors_open(s, j)
    flavor = next_flavor(s, j, left)
    while flavor >= 0 and not fits_in(s, t, j, flavor):
        left &= ~(np.int64(1) << flavor)
        flavor = next_flavor(s, j, left)
    return flavor


@kernel()
def borrows(s, t, j, flavor):
    """Whether a tenant goes beyond its quota in a flavor with job j."""
    mine = s.allowances[allowance_at(s, t, flavor)]
    return mine.quota >= 0 and mine.admitted + s.jobs[j].size_max > mine.quota


@kernel()
def book(s, j, sign):
    """Charge the allowance, tenant and class of a job for it (+1), or give the charge back (-1)."""
    n = sign * np.int64(s.jobs[j].size_max)
    mine = s.allowances[s.standings[j].allowance]
    mine.admitted += n
    s.tenants[s.jobs[j].tenant].n_admitted += sign
    if s.rules[0].class_limits:
        limit = s.class_limits[s.class_limits[s.jobs[j].cls].row]
        limit.admitted += n
        limit.n_admitted += sign
    if mine.cohort >= 0:
        s.cohorts[mine.cohort].admitted += n
        if s.standings[j].evicted:
            s.cohorts[mine.cohort].leaving += n
    s.standings[j].admitted = 1 if sign > 0 else 0
    s.standings[j].evicted = 0


@kernel()
def admit(s, j, flavor):
    """Charge for a job in a flavor, to whose pools it is confined where quotas are by flavor."""
    t = np.int64(s.jobs[j].tenant)
    s.standings[j].allowance = allowance_at(s, t, flavor)
    s.standings[j].had = s.runs[j].chip_time
    book(s, j, 1)
    if s.tenants[t].by_flavor:
        own, width = np.int64(s.rules[0].classes), np.int64(s.rules[0].width)
        s.jobs[j].cls = own + s.jobs[j].cls * width + flavor
        s.runs[j].shortest = least_duration(s, j)


@kernel()
def release(s, j):
    """Give a job's charge back; it may run anywhere again."""
    book(s, j, -1)
    s.allowances[s.standings[j].allowance].chip_ms += s.runs[j].chip_time - s.standings[j].had
    s.jobs[j].cls = base_class(s, j)

"""The kernel's arrays that only some policies need: tenants, orders, dependencies, windows, preemption.

Units and indices as in ``capsim.tables``.
"""

from __future__ import annotations

import numpy as np

RULES = np.dtype(
    [
        ("order", "i4"),  # order whose keys change with time; 0: none
        ("n_levels", "i4"),  # thresholds between the queues of las
        ("recalculate", "i8"),  # ms between computations of the keys; 0: at each pass
        ("keyed_at", "i8"),  # instant of the last computation; -1: none yet
        ("tick", "i8"),  # instant of the next one by the calendar; NEVER
        ("half_life", "f8"),  # ms in which usage decays to a half; 0: it does not
        ("exempt", "i8"),  # las: ms of work after its start in which a job is not stopped
        ("promote", "f8"),  # las: a job that waits so many times its run time starts anew; 0: never
        ("shares", "f8"),  # sum of the tenants' shares
        ("held", "i4"),  # jobs that are not admitted
        ("reclaim", "i4"),  # 1: jobs admitted beyond a quota are stopped for others within theirs
        ("by_class", "i4"),  # 1: the class's priority goes before the key
        ("class_limits", "i4"),  # 1: classes of jobs have limits
        ("limited", "i4"),  # 1: some job may be held, or ends otherwise than its work does
        ("leaves", "i4"),  # of the tournament; 0: the queue's tree is in order
        ("capacity", "i4"),  # the clock's when the keys were last set for all
        ("starving", "i4"),  # las: entries of ``starving``
        ("width", "i4"),  # allowances a tenant: one for each flavor
        ("classes", "i4"),  # classes of the cluster; those behind them are these, in one flavor each
        ("seen", "i4"),  # the clock's capacity when admissions were last looked at again
    ],
    align=True,
)
"""The one row of scalars of the rules that only some policies need."""

TENANT = np.dtype(
    [
        ("share", "f8"),  # weight
        ("key", "f8"),  # fair-share: usage / share when keys were last computed
        ("usage", "f8"),  # decayed chip-ms up to `usage_at`
        ("usage_at", "i8"),  # instant
        ("chips", "i8"),  # chips of its running jobs (spares apart)
        ("n_admitted", "i4"),  # its admitted jobs
        ("max_running", "i4"),  # most of these; 0: no limit
        ("by_flavor", "i4"),  # 1: it has a quota for each flavor
        ("first_held", "i4"),  # first of its held jobs; -1
        ("last_held", "i4"),
        ("first", "i4"),  # in a tournament: first of its jobs in the queue; -1
    ],
    align=True,
)
"""One row a tenant."""

ALLOWANCE = np.dtype(
    [
        ("quota", "i8"),  # chips; -1: no limit
        ("ceiling", "i8"),  # chips with what it may borrow
        ("admitted", "i8"),  # chips of its admitted jobs
        ("over", "i8"),  # scratch: of these, beyond the quota
        ("cohort", "i8"),  # row of COHORT; -1: it neither borrows nor lends
        ("chip_ms", "i8"),  # chip-ms that its jobs have had, those still admitted apart
    ],
    align=True,
)
"""What a tenant may have, row index tenant * width + flavor; the first row alone counts for one quota."""

CLASS_LIMIT = np.dtype(
    [
        ("chips", "i8"),  # most chips of its admitted jobs; -1: no limit
        ("jobs", "i8"),  # most admitted jobs; -1: no limit
        ("admitted", "i8"),  # chips of its admitted jobs
        ("n_admitted", "i8"),  # its admitted jobs
        ("row", "i8"),  # the row that counts for this class: of several with one limit the first
    ],
    align=True,
)
"""One row a class of jobs, where classes have limits; else no row counts."""

COHORT = np.dtype(
    [
        ("quota", "i8"),  # chips of its tenants together
        ("admitted", "i8"),  # chips of their admitted jobs
        ("leaving", "i8"),  # of these, of jobs that have been told to stop
    ],
    align=True,
)
"""One row a (cohort, flavor), row index cohort * width + flavor: tenants that lend each other quota."""

TENANT_POOL = np.dtype(
    [
        ("chips", "i8"),  # chips of its running jobs
        ("queued", "i8"),  # chips of its queued jobs whose first pool this is
        ("ahead", "i8"),  # scratch: of these, before the job that is looked at
    ],
    align=True,
)
"""One row a (tenant, pool), row index tenant * pools + pool."""

STANDING = np.dtype(
    [
        ("key", "f8"),  # place in the order, smaller first; ties by submission
        ("base", "i8"),  # las: chip-ms attained before its last promotion
        ("look_at", "i8"),  # las: a running job's queue and exemption stand before this instant
        ("due", "i8"),  # las: instant of its next promotion if it goes on waiting; NEVER
        ("alone", "f8"),  # themis: ms that it would take alone on its tenant's share
        ("failed_ms", "i8"),  # chip-ms of its attempts that failed, work done again apart
        ("had", "i8"),  # chip-ms that it had when it was last admitted
        ("offset", "i8"),  # themis: shortest possible estimate - submission, ms
        ("joined", "i8"),  # instant at which it joined the queue
        ("watched", "i4"),  # las: 1: it has an entry in ``starving``
        ("admitted", "i4"),  # 1: charged to its tenant
        ("allowance", "i4"),  # row that it was last charged to; -1: none yet
        ("evicted", "i4"),  # 1: told to stop for another tenant's quota
        ("next_held", "i4"),  # next held job of its tenant; -1
        ("pool", "i4"),  # where its chips count while it waits: the first pool that it could try
        ("gate", "i4"),  # what holds it before its tenant's limits: 0 nothing, 1 jobs to end, 2 its array
        ("needs", "i4"),  # jobs that must end before it is eligible
        ("doomed", "i4"),  # 1: one of them did not complete as it must
        ("followers_at", "i4"),  # first of its rows of FOLLOWER
        ("n_followers", "i4"),
        ("array", "i4"),  # its array + 1; 0 none
        ("counted", "i4"),  # 1: it counts among the tasks of its array
        ("retries", "i4"),  # attempts to come that fail at their end
        ("fate", "i4"),  # state that the last attempt ends in; 0: DONE
    ],
    align=True,
)
"""One row a job, where an order changes with time or tenants have limits."""

WINNER = np.dtype([("until", "i8"), ("job", "i4")], align=True)
"""Node of the tournament: the job that comes first below it, and until when that is known to stand."""

STARVING = np.dtype([("time", "i8"), ("job", "i4")], align=True)
"""Entry of the heap of jobs by their promotion in las."""

FOLLOWER = np.dtype([("job", "i4"), ("any", "i4")], align=True)
"""A job that waits for another to end; ``any``: 1 however it ends, 0 it must complete."""

JOB_ARRAY = np.dtype(
    [
        ("limit", "i4"),  # most tasks in the queue or running
        ("tasks", "i4"),  # of these now
        ("first", "i4"),  # into ``array_tasks``: its tasks in the order of submission
        ("end", "i4"),
        ("next", "i4"),  # the first that has not been let through yet, or a later one
    ],
    align=True,
)
"""One row a job array."""

WINDOW = np.dtype(
    [
        ("announced", "i8"),  # instant from which jobs heed it
        ("start", "i8"),
        ("end", "i8"),
        ("site", "i4"),
        ("wanted", "i4"),  # domains
        ("domains", "i4"),  # domains taken
        ("flex", "i4"),  # 1: who may use it may start before it and run past it
        ("evict", "i4"),  # 1: jobs that may not use it are stopped at its start
        ("phase", "i4"),  # 0 not announced, 1 announced, 2 it has begun, 3 over
        ("any_tenant", "i4"),  # 1: it does not ask for the tenant
        ("who", "i4"),  # 0: nobody may use it
        ("who_at", "i8"),  # into ``entitled``: a flag a tenant, then a flag a class
        ("bits_at", "i8"),  # into ``window_bits``: its domains, bitmap over those of the site; then those of
        # them that no live window that begins sooner has
        ("fresh", "i4"),  # number of the latter
        ("first_word", "i4"),  # its domains are in these words from this one on
        ("end_word", "i4"),  # and before this one
        ("reserved", "i8"),  # chip-ms of its active domains so far
        ("used", "i8"),  # of these: held by jobs
        ("free", "i8"),  # of these: free
    ],
    align=True,
)
"""One row an advance reservation."""

BOOKING = np.dtype(
    [
        ("live", "i4"),  # windows announced and not over: so many of ``live_windows``
        ("tenants", "i4"),  # flags of tenants of one window
        ("begun", "i4"),  # windows that have begun and are not over
        ("part", "i4"),  # domain of which the head's reservation takes a part; -1
        ("last_own", "i8"),  # the last end of the open windows; -1: none; NEVER: one of them is flexible
        ("horizon", "i8"),  # the next start of a window that has domains that none before it has; NEVER
        ("changes", "i8"),  # number of times that windows were announced, began or ended, from 1 on
        ("heads", "i8"),  # number of reservations of heads that were built, from 1 on
        ("next", "i8"),  # next instant at which a window is announced, begins or ends; NEVER
        ("accrued", "i8"),  # instant up to which the windows' chip-time is booked
    ],
    align=True,
)
"""The one row of scalars of advance reservations."""

MAP = np.dtype(
    [
        ("drawn", "i8"),  # BOOKING.changes when it was drawn; others and -1: it is to be drawn anew
        ("bars", "u8"),  # the windows that it lacks, by their place among the live ones
        ("own", "u8"),  # the windows that it consists of; 0: it consists of all others
        ("head", "i8"),  # it lacks what this reservation of a head takes (BOOKING.heads); 0: no reservation
        ("part", "i4"),  # domain of which that takes a part and that no window bars; -1
        ("masked", "i4"),  # domains that it lacks
        ("looked", "i8"),  # look (COUNTERS.looks) in which a job was tried without the head's reservation
        ("lacked", "i4"),  # in that look: domains that the map lacked; or UNTOLD
        ("room", "i4"),  # 1: it had room for the job
        ("barred", "i4"),  # domains in windows that have begun
        ("barred_late", "i4"),  # ... or that begin by BOOKING.horizon
        ("first_step", "i4"),  # into ``steps``: places of live windows that have domains that none
        ("end_step", "i4"),  # before them has, in the order of their starts
        ("first_end", "i8"),  # the first end of a live window; NEVER
    ],
    align=True,
)
"""One row a pool: the map that is drawn in the masks of its sites, where reservations are made in advance."""

CLASS_BOUND = np.dtype(
    [
        ("free", "i8"),  # no larger job that a begun window bars can be placed on the free chips
        ("free_late", "i8"),  # ... that runs into the next window
        ("extra", "i8"),  # the same without touching the head's reservation
        ("extra_late", "i8"),
        ("long", "i8"),  # of the jobs that run into the next window: those of so many ms or more
        ("long_extra", "i8"),  # ... can be placed no larger than this
        ("own", "i8"),  # no larger job at all can be placed
        ("own_extra", "i8"),  # ... without touching the head's reservation
    ],
    align=True,
)
"""One row a class: in a pass, sizes worth a look where reservations are made in advance."""

LEVEL = np.dtype(
    [
        ("standing", "i8"),  # what is compared: a priority, or a queue of las; higher goes first
        ("chips", "i8"),  # chips of its jobs (spares apart)
        ("count", "i4"),
        ("block", "i4"),  # its last block of PREEMPTIBLE rows; -1
    ],
    align=True,
)
"""One row a list of running preemptible jobs, row index pool * (levels + 1) + level; last: under notice."""

PREEMPTIBLE = np.dtype(
    [
        ("job", "i4"),
        ("chips", "i4"),
        ("level", "i4"),  # row of its list
        ("where", "i4"),  # the domain of its only piece; -1: it has several
        ("since", "i8"),  # begin of a cycle of checkpoints that is not later than the present one
        ("interval", "i8"),  # checkpoint interval, ms; 0 continuous
        ("cycle", "i8"),  # with the stall
    ],
    align=True,
)
"""A running job that may be stopped: all that its work at risk depends on."""

TURNS = np.dtype(
    [
        ("gathered", "i8"),  # victims
        ("dealt", "i8"),  # of these: dealt out in order
        ("taken", "i8"),  # of these: taken
        ("bound", "i8"),  # those before this turn were dealt out
        ("at", "i8"),  # where in ``victims`` the heap of the class whose turn it is begins
        ("heap", "i8"),  # victims in it
    ],
    align=True,
)
"""The one row of scalars of the order in which victims are stopped."""

"""The arrays that a simulation consists of: one fixed dtype per entity.

Units: instants and durations are int64 milliseconds (instants since the start of the horizon), chip-time
is int64 chip-milliseconds. Indices are int32; -1 means none. Speeds and factors are float64 and have no unit.

``JOB``, ``CLASS``, ``CLASS_POOL``, ``SERVICE`` and the counters are what a caller fills in or reads;
the others are the kernel's own state (see ``capsim.kernel.layout`` for how they are laid out). What only
tenants, changing orders, dependencies, reservations and preemption need is in ``capsim.kernel.rule_tables``.
"""

from __future__ import annotations

import numpy as np

NEVER = np.int64(2**62)
"""An instant that does not come."""

N_KINDS = 8
"""Number of job kinds that accounting tells apart (training, research, ...: the caller's own indices)."""

FIXED_ORDER, EARLIEST_START, CHEAPEST = 0, 1, 2
"""Assignment policies of a class over pools (``CLASS.assignment``)."""

PENDING, WAITING, RUNNING, DONE, AT_LIMIT, CANCELLED, FAILED_JOB = 0, 1, 2, 3, 4, 5, 6
"""States of a job (``RUN.state``): not yet submitted, queued, running, completed, ended at its requested
time, cancelled, failed by itself."""

HELD = 2
"""``RUN.parked`` of a job that waits for others to end, or for its array's or its tenant's limit."""

JOB = np.dtype(
    [
        ("submit", "i8"),  # ms
        ("run", "i8"),  # ms of work at speed 1 on size_ref chips
        ("requested", "i8"),  # ms estimate of the same, an upper bound for the scheduler
        ("size_min", "i4"),  # chips
        ("size_max", "i4"),  # chips; equal to size_min for a rigid job
        ("size_ref", "i4"),  # chips at which run and requested hold
        ("cls", "i4"),  # index of its class
        ("tenant", "i4"),
        ("watched", "i4"),  # 1: advance() returns right after its termination
    ],
    align=True,
)
"""One row a job: what was submitted."""

RUN = np.dtype(
    [
        ("start", "i8"),  # first start, ms; -1 never started
        ("end", "i8"),  # final termination; while running: planned termination of this attempt
        ("est_end", "i8"),  # while running: estimated end of this attempt
        ("begun", "i8"),  # start of the present segment (attempt or restart)
        ("queued", "i8"),  # instant of the last (re)queueing
        ("waited", "i8"),  # ms in the queue over all attempts
        ("work_left", "i8"),  # ms of work at speed 1 on size_ref chips
        ("request_left", "i8"),  # the same of the estimate
        ("interval", "i8"),  # checkpoint interval of this attempt, ms of work; 0 continuous
        ("overhead_ms", "i8"),  # restart time at the beginning of the present segment
        ("chip_time", "i8"),  # chip-ms allocated so far (closed segments)
        ("lost", "i8"),  # chip-ms of work lost and done again
        ("rate", "f8"),  # work done per ms of progress in this attempt
        ("state", "i4"),
        ("pool", "i4"),  # last pool
        ("site", "i4"),  # site of its first piece
        ("chips", "i4"),  # chips used in the last attempt (spares apart)
        ("blocks", "i4"),  # blocks spanned at the start of the last attempt
        ("restarts", "i4"),  # restarts in place
        ("requeues", "i4"),  # failures after which it went back to the queue
        ("preemptions", "i4"),
        ("first_piece", "i4"),
        ("rank", "i4"),  # position in the queue's order
        ("version", "i4"),  # of its termination event
        ("weight_due", "i4"),  # to be added to its weight in the list of ends of its site
        ("shortest", "i8"),  # while queued: least possible estimate, ms
        ("preempt_at", "i8"),  # instant at which it must stop; NEVER
        ("drained", "i4"),  # 1: it must stop for maintenance, with a checkpoint
        ("slot", "i4"),  # while running: place in the list of running jobs
        ("parked", "i4"),  # 1: waiting, set aside because no capacity of today could hold it
        ("backfilled", "i4"),  # 1: its first start went ahead of a blocked job
        ("limit", "i4"),  # 1: ends at its requested time
        ("weight_listed", "i4"),  # 1: it is among ``weights_due``
    ],
    align=True,
)
"""One row a job: its life so far. ``start``, ``end``, ``state``, ``pool``, ``chips``, ``blocks``, ``waited``,
``lost``, ``restarts``, ``requeues`` and ``preemptions`` are results."""

CLASS = np.dtype(
    [
        ("kind", "i4"),  # 0 .. N_KINDS - 1
        ("priority", "i4"),  # higher first
        ("assignment", "i4"),  # FIXED_ORDER | EARLIEST_START | CHEAPEST
        ("max_sites", "i4"),  # sites that one gang may span
        ("preemptible", "i4"),
        ("level", "i4"),  # place of its priority among those of preemptible classes, lowest first
        ("n_pools", "i4"),  # pools it can run in (filled by the kernel)
        ("parked", "i4"),  # first job of the class that no capacity of today could hold; -1
        ("park_min", "i4"),  # least size of these
        ("hopeless", "i8"),  # in a pass: the capacity could not hold a job of the class so large or larger
        ("waiting", "i4"),  # queued jobs, parked ones apart
        ("bound_free", "i8"),  # in a pass: no larger job of the class can be placed on the free chips
        ("bound_extra", "i8"),  # the same without touching the reservation
        ("interval", "i8"),  # checkpoint interval, ms of work; 0: Young/Daly from stall and failure rate
        ("stall", "i8"),  # ms that one checkpoint stops the gang
        ("restart", "i8"),  # ms from a failure until work goes on
        ("grace", "i8"),  # ms between the notice of a preemption and the stop
        ("locality", "f8"),  # speed factor per doubling of the blocks spanned, (0, 1]
    ],
    align=True,
)
"""One row a job class."""

CLASS_POOL = np.dtype(
    [
        ("speed", "f8"),  # relative speed; 0: cannot run there
        ("cost", "f8"),  # marginal cost of a unit of work (any one unit), for CHEAPEST
        ("order", "i4"),  # the pool tried at this place of the class's order (filled by the kernel)
        ("preference", "i4"),  # smaller is tried earlier; ties by pool index
    ],
    align=True,
)
"""One row a (class, pool), row index class * pools + pool."""

SERVICE = np.dtype(
    [
        ("chips", "i4"),  # chips of one replica; 0: the service cannot run in this pool
        ("wanted", "i4"),  # replicas
        ("held", "i4"),  # replicas
        ("priority", "i4"),
        ("preempts", "i4"),  # 1: growth may preempt preemptible jobs of lower priority
        ("kind", "i4"),
        ("first_piece", "i4"),
        ("held_acc", "i8"),  # replica-ms, see note on accumulators
        ("group", "i4"),  # number of the next replica that spans domains
        ("target", "i4"),  # replicas to be wanted next, for resize_all
    ],
    align=True,
)
"""One row a (service, pool), row index service * pools + pool."""

POOL = np.dtype(
    [
        ("domain_chips", "i4"),
        ("node_chips", "i4"),
        ("segment", "i4"),  # chips that a gang larger than a domain uses of each; domain_chips if unset
        ("first_site", "i4"),  # into site_order
        ("n_sites", "i4"),
        ("bound", "i8"),  # in a pass: no larger gang can be placed in one site here
        ("bound_all", "i8"),  # ... over several sites
        ("score_at", "i8"),  # table of an own placement for its domains
        ("rate", "f8"),  # mean failures per chip-ms of the active tranches
        ("active", "i8"),  # chips delivered and not retired
    ],
    align=True,
)

SITE = np.dtype(
    [
        ("pool", "i4"),
        ("rank", "i4"),
        ("first_domain", "i4"),
        ("n_domains", "i4"),
        ("first_block", "i4"),
        ("n_blocks", "i4"),
        ("down", "i4"),
        ("draining", "i4"),
        ("usable", "i4"),  # up and not draining
        ("domain_chips", "i4"),
        ("segment", "i4"),  # chips used of each domain by a gang larger than a domain
        ("whole", "i4"),  # wholly free domains
        ("held", "i4"),  # of these: taken by the reservation
        ("whole_t", "i4"),  # domains wholly free by mark_t
        ("able", "i4"),  # domains that will be wholly free when all running jobs end
        ("max_block", "i4"),  # domains of its largest block
        ("words", "i4"),  # 64-bit words of a bitmap over its domains
        ("summary", "i4"),  # words of the bitmap's summary
        ("level_words", "i4"),
        ("level_summary", "i4"),
        ("rows_at", "i8"),  # first word of the bitmap of free-chip level 1
        ("row_stride", "i8"),
        ("levels_at", "i8"),  # first word of the bitmap of levels that have a domain
        ("mark_at", "i8"),  # bitmap: domains wholly free by mark_t
        ("block_words", "i8"),  # 64-bit words of a bitmap over its blocks
        ("open_at", "i8"),  # bitmap: blocks with a wholly free domain
        ("open_t_at", "i8"),  # bitmap: blocks with a domain wholly free by mark_t
        ("reserved_at", "i8"),  # bitmap: domains that the reservation takes wholly
        ("count_at", "i8"),  # domains at each level (counts)
        ("hist_at", "i8"),  # blocks by number of whole domains (counts)
        ("hist_t_at", "i8"),  # blocks by number of domains whole by mark_t (counts)
        ("mark_t", "i8"),
        ("mark_on", "i4"),  # 1: the marks are kept up to date
        ("kept_at", "i8"),  # into ``window_bits``: the head's domains, beside windows; then scratch
        ("ends_at", "i8"),  # first slot of its order of end blocks
        ("ends_cap", "i8"),
        ("n_ends", "i4"),  # end blocks in use
        ("reserved", "i4"),  # domains set in the reserved bitmap
        ("chosen", "i4"),  # stamp: chosen for the gang being placed
        ("loan_whole", "i4"),  # wholly free domains, were some running jobs gone (kernel/loans.py)
        ("loan_part", "i4"),  # domains where the job or its remainder would fit then
        ("loan_settled", "i4"),  # 1: in one of these the remainder fits whoever else is gone
        ("leaving_free", "i8"),  # free chips of leaving domains
        ("active", "i8"),  # chips by state; active is the sum of the following and of the allocated
        ("out", "i8"),  # of a site that is down
        ("barred", "i8"),  # free but not usable: drained, or leaving
        ("broken", "i8"),
        ("free", "i8"),
        ("spare", "i8"),
        ("active_acc", "i8"),  # accumulators of the same
        ("out_acc", "i8"),
        ("barred_acc", "i8"),
        ("broken_acc", "i8"),
        ("free_acc", "i8"),
        ("spare_acc", "i8"),
    ],
    align=True,
)
"""One row a site. An accumulator holds minus the sum of (change x instant), so that the integral of a count
up to ``now`` is ``acc + count * now``: exact, and one operation per change."""

BLOCK = np.dtype(
    [
        ("site", "i4"),
        ("first_domain", "i4"),
        ("n_domains", "i4"),
        ("whole", "i4"),  # usable wholly free domains now
        ("whole_t", "i4"),  # by the site's mark_t
        ("stamp", "i4"),  # for counting the blocks of a gang
        ("score_at", "i8"),  # table of an own placement
        ("oversubscription", "f8"),
    ],
    align=True,
)

DOMAIN = np.dtype(
    [
        ("last_end", "i8"),  # last estimated end of its pieces; -1 wholly free; NEVER if not by an end
        ("free", "i4"),
        ("broken", "i4"),
        ("block", "i4"),
        ("site", "i4"),
        ("tranche", "i4"),
        ("first_piece", "i4"),
        ("last_job", "i4"),  # the job with last_end; -1
        ("tenant", "i4"),  # tenant of the job placed last
        ("active", "i1"),
        ("leaving", "i1"),
        ("serving", "i2"),  # pieces of services here
        ("stamp", "i4"),  # scratch is valid if this is the clock's stamp
        ("scratch", "i4"),  # free chips at a later instant
        ("since", "i4"),  # repairs scheduled before it arrived (again): they are not of its chips
    ],
    align=True,
)

TRANCHE = np.dtype(
    [
        ("site", "i4"),
        ("first_domain", "i4"),
        ("n_domains", "i4"),
        ("virtual_domains", "i4"),
        ("activated", "i4"),  # domains that have arrived so far
        ("retired", "i4"),  # domains told to leave so far
        ("left", "i4"),  # of these: gone
        ("retire_at", "i8"),  # when domains told to leave are emptied by force; NEVER
        ("seed", "u8"),
        ("counter", "u8"),  # the next failure event
        ("drawn", "u8"),  # the first that is not drawn yet
        ("rate", "f8"),  # mean failures per chip-ms, lemons included
        ("domain_share", "f8"),
        ("lemon_share", "f8"),
        ("lemon_factor", "f8"),
        ("repair_median", "f8"),  # ms
        ("repair_sigma", "f8"),
        ("total_rate", "f8"),  # events per ms of the whole virtual tranche (filled by the kernel)
        ("lemon_rate", "f8"),  # the part of it that is the lemons' excess
        ("lemons", "i8"),  # lemon nodes of the virtual tranche
    ],
    align=True,
)

FAILURE = np.dtype(
    [
        ("time", "i8"),
        ("domain", "i4"),
        ("chip", "i4"),  # position in the domain, 0 .. D - 1, that picks what is hit
        ("whole", "i4"),  # 1: the whole domain
        ("repair", "i8"),  # ms in repair
    ],
    align=True,
)
"""One row a failure of a given list (for replaying observed or test failures)."""

PIECE = np.dtype(
    [
        ("holder", "i4"),  # job, or jobs + row of SERVICE
        ("domain", "i4"),
        ("chips", "i4"),  # used
        ("spare", "i4"),  # held unused
        ("next", "i4"),  # of the same holder
        ("prev", "i4"),
        ("next_here", "i4"),  # in the same domain
        ("prev_here", "i4"),
        ("group", "i4"),  # replica number of a service whose replicas span domains
        ("lost", "i4"),  # used chips that the failure being handled broke
        ("segment", "i2"),  # 1: the whole domain is held, some chips as spares
        ("top", "u2"),  # of a job, with preemption: by its list, see kernel/clearing.py
    ],
    align=True,
)
"""Chips that one holder has in one domain. Row d is for a piece that comes into domain d when it holds none,
so that gangs lie in the order of domains; the rows after those of the domains are for all others."""

EVENT = np.dtype([("time", "i8"), ("key", "i8"), ("data", "i8")], align=True)
"""Heap entry ordered by (time, key); key = kind << 40 | index."""

END = np.dtype([("time", "i8"), ("job", "i4"), ("weight", "i4")], align=True)
"""Entry of a site's list of estimated ends: ``weight`` domains become wholly free with it."""

END_BLOCK = np.dtype([("count", "i4"), ("weight", "i4"), ("next_free", "i4"), ("spare1", "i4")], align=True)
"""Header of a block of END entries."""

TREE = np.dtype([("duration", "i8"), ("size", "i8")], align=True)
"""Node of the waiting queue's tree: least shortest-possible estimate and least size below it."""

SITE_KIND = np.dtype([("chips", "i8"), ("acc", "i8")], align=True)
"""Chips allocated to one kind at one site, with its accumulator; row index site * N_KINDS + kind."""

TALLY = np.dtype(
    [
        ("useful", "i8"),
        ("redone", "i8"),
        ("overhead", "i8"),
        ("chips", "i8"),
        ("acc", "i8"),
        ("retried", "i8"),  # progress of attempts that fail and are followed by another
    ],
    align=True,
)
"""Chip-time of closed segments by what it was, of one (pool, kind); row index pool * N_KINDS + kind."""

COUNTERS = np.dtype(
    [
        ("submitted", "i8"),
        ("starts", "i8"),
        ("first_starts", "i8"),
        ("backfilled", "i8"),
        ("completed", "i8"),
        ("at_limit", "i8"),
        ("cancelled", "i8"),
        ("failures", "i8"),  # that hit an active component in service
        ("failures_idle", "i8"),  # of these: hit no job and no replica
        ("failures_spare", "i8"),  # of these: hit a held spare
        ("failures_skipped", "i8"),  # drawn so far for a component that is absent, down or in repair
        ("interruptions", "i8"),  # gangs stopped by a failure
        ("restarts", "i8"),  # of these: went on in place
        ("requeues", "i8"),  # of these: went back to the queue
        ("preemptions", "i8"),
        ("replicas_lost", "i8"),
        ("repairs", "i8"),
        ("breaches", "i8"),  # heads that started later than their first promise
        ("passes", "i8"),
        ("looks", "i8"),  # candidates looked at while the head was blocked
        ("shadows", "i8"),  # reservations computed
        ("events", "i8"),
        ("longest_queue", "i8"),
    ],
    align=True,
)

CLOCK = np.dtype(
    [
        ("now", "i8"),
        ("phase", "i4"),  # 0: between instants; 1: terminations of `now` go on; 2: they are done
        ("happened", "i4"),  # something at `now` calls for a pass
        ("next_job", "i4"),  # first listed job not yet submitted
        ("n_listed", "i4"),  # jobs given at construction
        ("n_jobs", "i4"),  # rows in use
        ("cap_jobs", "i4"),
        ("n_heap", "i4"),
        ("queued", "i4"),  # waiting jobs, parked ones included
        ("parked", "i4"),
        ("leaves", "i4"),  # ranks: leaves of the queue's tree
        ("free_piece", "i4"),  # first free row after those of the domains; -1
        ("n_pieces", "i4"),  # rows ever used, one a domain included
        ("live_pieces", "i4"),  # pieces in rows after those of the domains
        ("free_end", "i4"),
        ("n_end_blocks", "i4"),  # end blocks ever used
        ("stamp", "i4"),
        ("next_failure", "i4"),  # cursor in the list of given failures
        ("easy", "i4"),
        ("preemption", "i4"),
        ("placement", "i4"),
        ("run_on", "i4"),  # 1: jobs run past their requested time
        ("dirty", "i4"),  # the next pass must look at the whole queue
        ("rebuild", "i4"),  # the reservation must be computed anew
        ("grown", "i4"),  # capacity grew: parked jobs may fit
        ("growing", "i4"),  # chips were freed that services may take
        ("lacking", "i8"),  # replicas that services want and do not hold
        ("resv_rank", "i4"),  # rank of the job that holds the reservation; -1
        ("resv_pool", "i4"),
        ("resv_site", "i4"),  # -1: several sites
        ("resv_domain", "i4"),  # domain of which the reservation takes a part; -1
        ("resv_extra", "i4"),  # extra chips of that domain
        ("resv_built", "i4"),  # the domains of the reservation are known
        ("marks", "i4"),  # sites with marks
        ("resv_used", "i4"),  # a job started on extra chips since it was built
        ("shadow", "i8"),
        ("promise", "i8"),  # first promise made to the head
        ("promise_rank", "i4"),
        ("first_new", "i4"),  # least rank queued since the last pass
        ("finished", "i4"),  # watched job that terminated
        ("interval", "i8"),  # passes happen at multiples of it; 0: at every instant that needs one
        ("pass_at", "i8"),  # the first of these from some instant in the past on
        ("called", "i4"),  # an operation was called since the last pass: services may stop jobs
        ("stuck_job", "i4"),  # the head that preemption could not place; -1 none
        ("stuck_priority", "i4"),  # its standing then
        ("repairs", "i8"),  # repairs scheduled so far
        ("running", "i4"),
        ("plan_blocks", "i4"),  # blocks touched by the gang being placed
        ("plan_over", "f8"),  # their largest oversubscription
        ("rules", "i8"),  # address of the compiled rules of changing orders and governance; 0: none
        ("windows", "i8"),  # address of the compiled rules of advance reservations; 0: none were made
        ("timer", "i8"),  # next instant at which one of these has something to do; NEVER
        ("plan_end", "i8"),  # estimated end of the last placement that was refused for it
        ("levels", "i4"),  # 1: preemption goes by the queues of las, not by the priority of classes
        ("heads", "i4"),  # 1: the first of the queue is the winner of a tournament, not the least rank
        ("capacity", "i4"),  # times that the active chips of a pool, or the speed of a class, changed
        ("n_levels", "i4"),  # lists of preemptible jobs of one pool, those under notice apart
        ("free_list_block", "i4"),  # first block of these lists that is free again; -1
        ("n_list_blocks", "i4"),  # of their blocks: ever used
        ("loan_stamp", "i4"),  # the copy of the free map that loans are made to
        ("loan_masked", "i4"),  # 1: it lacks the domains of the sites' masks
        ("loan_below", "i4"),  # the lists of whose jobs some may be gone, lowest first
        ("stale", "i4"),  # jobs stopped by preemption since their ends were taken off the heap
        ("rank_words", "i4"),  # first word of the lowest level of the occupied ranks
        ("n_weights_due", "i4"),  # jobs in ``weights_due``
    ],
    align=True,
)
"""The one row of scalars."""

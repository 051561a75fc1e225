"""The queue's order where keys change with time: ranks are slots of the queue's tree.

A waiting job takes a slot between its neighbours by (key, submission, index). When the keys are computed
anew, the waiting jobs, and only they, are sorted anew over the slots that they have.
"""

from __future__ import annotations

import numpy as np

from capsim.jit import kernel
from capsim.kernel.heads import enter, keep_shares, recompute, withdraw
from capsim.kernel.hooks import set_timer
from capsim.kernel.keys import (
    CLASS,
    DRF,
    FAIR_SHARE,
    KEY,
    LAS,
    attained,
    book_queued,
    charged_pool,
    comes_before,
    key_of,
    queue_level,
    share_usage,
)
from capsim.kernel.preemptible import is_exempt, relist
from capsim.kernel.queue import BIG, queue_insert, queue_next, queue_remove
from capsim.kernel.reservation import drop_reservation
from capsim.kernel.starving import next_starved, watch
from capsim.kernel.tournament import contend
from capsim.tables import NEVER


@kernel()
def list_queue(s):
    """Write the queued jobs in order into ``line``; returns how many."""
    n = np.int64(0)
    rank = queue_next(s, np.int64(0))
    while rank >= 0:
        s.line[n] = s.by_rank[rank]
        n += 1
        rank = queue_next(s, rank + 1)
    return n


@kernel()
def list_parked(s, n):
    """Append the jobs set aside to ``line``: they have keys, but no slots; returns how many it holds then."""
    if s.clock[0].parked > 0:
        for k in range(s.classes.shape[0]):
            j = np.int64(s.classes[k].parked)
            while j >= 0:
                s.line[n] = j
                n += 1
                j = np.int64(s.runs[j].first_piece)
    return n


@kernel()
def is_sorted(s, n, how):
    """Whether the first n jobs of ``line`` are in order."""
    for i in range(1, n):  # noqa: SIM110
        if not comes_before(s, np.int64(s.line[i - 1]), np.int64(s.line[i]), how):
            return False
    return True


@kernel()
def sort_line(s, n, how):
    """Merge sort of the first n jobs of ``line``; its second half is scratch."""
    line, at, other = s.line, np.int64(0), np.int64(s.line.shape[0] >> 1)
    width = 1
    while width < n:
        for lo in range(0, n, 2 * width):
            mid, hi = min(lo + width, n), min(lo + 2 * width, n)
            a, b = lo, mid
            for k in range(lo, hi):
                left = a < mid and (
                    b >= hi or comes_before(s, np.int64(line[at + a]), np.int64(line[at + b]), how)
                )
                if left:
                    line[other + k] = line[at + a]
                    a += 1
                else:
                    line[other + k] = line[at + b]
                    b += 1
        at, other = other, at
        width *= 2
    if at != 0:
        for k in range(n):
            line[k] = line[at + k]


@kernel()
def job_at(s, rank):
    """The queued job of a rank; -1 if there is none."""
    if rank < 0 or s.tree[rank + s.clock[0].leaves].size > BIG:
        return np.int64(-1)
    return np.int64(s.by_rank[rank])


@kernel()
def follow_jobs(s, reserved, promised):
    """Ranks have changed: the reservation and the promise follow their jobs (-1: there was none)."""
    c = s.clock[0]
    if reserved >= 0:
        c.resv_rank = s.runs[reserved].rank
    elif c.resv_rank >= 0:
        drop_reservation(s)
    c.promise_rank = s.runs[promised].rank if promised >= 0 else -1
    c.dirty = 1


@kernel()
def put_at(s, rank, j):
    """Queue a job at an empty slot."""
    s.runs[j].rank = rank
    s.by_rank[rank] = j
    queue_insert(s, rank, np.int64(s.jobs[j].size_min), s.runs[j].shortest)


@kernel()
def spread(s, n, queued):
    """Give the n jobs of ``line`` evenly spaced slots; the first ``queued`` ranks in use are given up."""
    c = s.clock[0]
    reserved, promised = job_at(s, np.int64(c.resv_rank)), job_at(s, np.int64(c.promise_rank))
    rank = np.int64(-1)
    for _ in range(queued):
        rank = queue_next(s, rank + 1)
        queue_remove(s, rank)
    step = np.int64(c.leaves) // (n + 1)
    for i in range(n):
        put_at(s, np.int64((i + 1) * step if step > 1 else i), np.int64(s.line[i]))
    follow_jobs(s, reserved, promised)


@kernel()
def permute(s, n):
    """Put the n queued jobs, in the order of ``line``, into the slots that they have together."""
    c = s.clock[0]
    reserved, promised = job_at(s, np.int64(c.resv_rank)), job_at(s, np.int64(c.promise_rank))
    rank = np.int64(-1)
    for i in range(n):
        rank = queue_next(s, rank + 1)
        if s.by_rank[rank] != s.line[i]:
            queue_remove(s, rank)
            put_at(s, rank, np.int64(s.line[i]))
    follow_jobs(s, reserved, promised)


@kernel()
def forget_rank(s, rank):
    """A job left this slot without a start: what was remembered of it is over."""
    c = s.clock[0]
    if c.promise_rank == rank:
        c.promise_rank = -1
    if c.resv_rank == rank:
        drop_reservation(s)


@kernel()
def first_below(s, node):
    """The first occupied slot below a node of the tree; there is one."""
    leaves = np.int64(s.clock[0].leaves)
    while node < leaves:
        node = 2 * node if s.tree[2 * node].size <= BIG else 2 * node + 1
    return node - leaves


@kernel()
def find_gap(s, j):
    """The occupied slots just before and just after the place of job j; -1 and ``leaves`` at the ends.

    Down the tree below a node whose first job comes before j.
    """
    leaves = np.int64(s.clock[0].leaves)
    after = leaves
    if s.tree[1].size > BIG:
        return np.int64(-1), after
    first = first_below(s, np.int64(1))
    if not comes_before(s, np.int64(s.by_rank[first]), j, KEY):
        return np.int64(-1), first
    node = np.int64(1)
    while node < leaves:
        node = 2 * node
        if s.tree[node].size > BIG:
            node += 1
        elif s.tree[node + 1].size <= BIG:
            first = first_below(s, node + 1)
            if comes_before(s, np.int64(s.by_rank[first]), j, KEY):
                node += 1
            else:
                after = first
    return node - leaves, after


@kernel()
def take_slot(s, j):
    """Give a waiting job, not in the tree yet, a rank by its key."""
    c = s.clock[0]
    before, after = find_gap(s, j)
    if after - before < 2:
        n = list_queue(s)
        at = n
        while at > 0 and not comes_before(s, np.int64(s.line[at - 1]), j, KEY):
            s.line[at] = s.line[at - 1]
            at -= 1
        s.line[at] = j
        spread(s, n + 1, n)
        queue_remove(s, np.int64(s.runs[j].rank))
        return
    step = max(np.int64(1), np.int64(c.leaves) // (np.int64(c.queued) + 2))
    rank = (before + after) >> 1
    if after == c.leaves:
        rank = min(rank, before + step)
    elif before < 0:
        rank = max(rank, after - step)
    forget_rank(s, rank)
    s.runs[j].rank = rank
    s.by_rank[rank] = j


@kernel()
def count_ahead(s, n):
    """Keys of drf: each job's with the chips of its tenant's jobs before it in ``line`` counted.

    So the order is that of progressive filling: the next chips go to the least dominant share.
    """
    for i in range(s.tenant_pools.shape[0]):
        s.tenant_pools[i].ahead = 0
    for i in range(n):
        j = np.int64(s.line[i])
        s.standings[j].key = key_of(s, j)
        row = np.int64(s.jobs[j].tenant) * s.pools.shape[0] + s.standings[j].pool
        s.tenant_pools[row].ahead += s.jobs[j].size_min


@kernel()
def place_job(s, j):
    """A job joins the queue: it gets its key, and a rank by it or a place in the tournament."""
    if s.rules[0].order == LAS:
        watch(s, j)
    if s.clock[0].heads:
        enter(s, j)
        return
    s.standings[j].pool = charged_pool(s, j)
    if s.rules[0].order == DRF:
        t = np.int64(s.jobs[j].tenant) * s.pools.shape[0]
        for row in range(t, t + s.pools.shape[0]):
            s.tenant_pools[row].ahead = s.tenant_pools[row].queued
    s.standings[j].key = key_of(s, j)
    take_slot(s, j)
    book_queued(s, j, 1)


@kernel()
def leave_order(s, j):
    """A job, off the queue's tree already, leaves the queue."""
    if s.clock[0].heads:
        withdraw(s, j)
    else:
        book_queued(s, j, -1)


@kernel()
def rise(s, j):
    """A waiting job of las goes to the queue of what it has attained since its promotion."""
    c, run = s.clock[0], s.runs[j]
    level = queue_level(s, j)
    if level == s.standings[j].key:
        return
    s.standings[j].key = level
    if c.heads:
        contend(s, j, j, j)
        return
    if run.parked:
        return
    promised = c.promise_rank == run.rank
    queue_remove(s, np.int64(run.rank))
    forget_rank(s, np.int64(run.rank))
    take_slot(s, j)
    queue_insert(s, np.int64(run.rank), np.int64(s.jobs[j].size_min), run.shortest)
    if promised:
        c.promise_rank = run.rank
    c.dirty = 1


@kernel()
def sink(s, j):
    """A running job of las goes to the queue of what it has attained; note when that will change."""
    run = s.runs[j]
    have, level = attained(s, j), queue_level(s, j)
    s.standings[j].key = level
    relist(s, j)
    at = NEVER
    if level < s.rules[0].n_levels:
        lacks = s.thresholds[np.int64(level)] - have
        at = s.clock[0].now - (-lacks // np.int64(run.chips))
    if is_exempt(s, j):
        at = min(at, run.begun + run.overhead_ms + s.rules[0].exempt)
    s.standings[j].look_at = at


@kernel()
def promote_starved(s):
    """las: waiting jobs that have waited too long for what they have run start anew with none attained.

    The queues of running jobs matter to preemption alone.
    """
    j = next_starved(s)
    while j >= 0:
        s.standings[j].base = s.runs[j].chip_time
        rise(s, j)
        j = next_starved(s)
    if s.clock[0].preemption:
        for i in range(s.clock[0].running):
            j = np.int64(s.active[i])
            if s.standings[j].look_at <= s.clock[0].now:
                sink(s, j)
        s.clock[0].stuck_job = -1


@kernel()
def reorder(s):
    """Compute all keys anew and put the queue in their order."""
    order = s.rules[0].order
    if order == FAIR_SHARE:
        share_usage(s)
    n = list_parked(s, list_queue(s))
    if order == DRF:
        if not is_sorted(s, n, CLASS):
            sort_line(s, n, CLASS)
        count_ahead(s, n)
    else:
        for i in range(n):
            j = np.int64(s.line[i])
            s.standings[j].key = key_of(s, j)
    n = list_queue(s)
    if not is_sorted(s, n, KEY):
        sort_line(s, n, KEY)
        permute(s, n)


@kernel()
def next_multiple(s):
    """The next instant at which keys are computed by the calendar."""
    every = s.rules[0].recalculate
    return (s.clock[0].now // every + 1) * every if every > 0 else NEVER


@kernel()
def before_pass(s):
    """With an order that changes: compute the keys if a multiple of ``recalculate`` has passed."""
    c, rules = s.clock[0], s.rules[0]
    every = rules.recalculate
    if rules.order == 0:
        return
    if every == 0 or rules.keyed_at < 0 or c.now // every > rules.keyed_at // every:
        rules.keyed_at = c.now
        if rules.order == LAS:
            promote_starved(s)
        elif c.heads:
            recompute(s)
        else:
            reorder(s)
    if c.heads:
        keep_shares(s)
    if rules.tick == NEVER and c.queued > rules.held:
        rules.tick = next_multiple(s)
        set_timer(s)


@kernel()
def tick(s):
    """The calendar says that keys are due: a pass, if jobs wait while others run."""
    c, rules = s.clock[0], s.rules[0]
    if c.now < rules.tick:
        return
    rules.tick = NEVER
    if c.queued > rules.held and c.running > 0:
        c.happened = 1
        rules.tick = next_multiple(s)
    set_timer(s)

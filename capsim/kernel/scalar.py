"""FCFS and EASY on one pool of interchangeable chips: the special case without places, as fast as it goes.

The same rules as ``schedule.py`` with one domain (``docs/scheduling.md``): an instant is terminations,
submissions, one
pass. Chips are the weights of the list of estimated ends; the queue's tree and the heap are the general ones.
"""

from __future__ import annotations

import numpy as np
from numba import int64, void

from capsim.jit import kernel
from capsim.kernel.ends import ends_add, ends_remove, ends_select, ends_weight
from capsim.kernel.heap import heap_drop, heap_push
from capsim.kernel.queue import BIG, next_fitting, tree_insert, tree_remove
from capsim.kernel.state import as_state
from capsim.tables import NEVER

_COLUMN = int64[::1]


@kernel()
def scalar_start(s, j, now, size, run, requested, start):
    """Job j runs from now."""
    c = s.clock[0]
    start[j] = now
    c.running += 1
    s.pools[0].active -= size[j]
    heap_push(s, now + run[j], j, j)
    if c.easy:
        ends_add(s, np.int64(0), now + requested[j], j, size[j])


@kernel()
def scalar_ends(s, now, size, requested, start):
    """Terminations at this instant; returns whether a job ended before its estimate."""
    early = False
    c = s.clock[0]
    while c.n_heap > 0 and s.heap[0].time == now:
        j = s.heap[0].data
        heap_drop(s)
        c.running -= 1
        s.pools[0].active += size[j]
        if c.easy:
            estimate = start[j] + requested[j]
            ends_remove(s, np.int64(0), estimate, j)
            early = early or estimate != now
    return early


@kernel()
def scalar_fcfs(s, submit, size, run, requested, start):
    """Strict order: the queue is the interval head .. arrived of the jobs."""
    c = s.clock[0]
    n = submit.shape[0]
    head, arrived = np.int64(0), np.int64(0)
    while head < n:
        now = submit[arrived] if arrived < n else NEVER
        if c.n_heap > 0:
            now = min(now, s.heap[0].time)
        scalar_ends(s, now, size, requested, start)
        while arrived < n and submit[arrived] == now:
            arrived += 1
        while head < arrived and size[head] <= s.pools[0].active:
            scalar_start(s, head, now, size, run, requested, start)
            head += 1
        s.count[0].longest_queue = max(s.count[0].longest_queue, arrived - head)


@kernel()
def scalar_backfill(s, head, first, now, size, run, requested, start):
    """Start what fits beside the reservation of the blocked head, from job ``first`` on."""
    c = s.clock[0]
    p = s.pools[0]
    j = first
    while p.active > 0:
        j = next_fitting(s, j, min(p.active, p.bound), p.active, c.shadow - now)
        if j < 0:
            return
        if now + requested[j] > c.shadow:
            p.bound -= size[j]
        tree_remove(s.tree, j + c.leaves)
        c.queued -= 1
        scalar_start(s, j, now, size, run, requested, start)
        s.count[0].backfilled += 1
        j += 1


@kernel()
def scalar_pass(s, now, new, early, size, run, requested, start):
    """One EASY pass; ``new``: first job submitted at this instant, ``early``: a job ended before its
    estimate.

    Between passes with the same head and no early end, shadow and extra stand: a start that ends by
    the shadow changes neither, another one has been taken off the extra. Chips come free only by
    terminations.
    """
    c = s.clock[0]
    p = s.pools[0]
    head = next_fitting(s, np.int64(c.next_job), BIG, np.int64(0), np.int64(0))
    while head >= 0 and size[head] <= p.active:
        tree_remove(s.tree, head + c.leaves)
        c.queued -= 1
        scalar_start(s, head, now, size, run, requested, start)
        head = next_fitting(s, head + 1, BIG, np.int64(0), np.int64(0))
    if head < 0:
        c.resv_rank = -1
        return
    c.next_job = head
    if c.queued == 1:
        c.resv_rank = -1
        return
    if c.resv_rank != head or early:
        c.resv_rank = head
        c.shadow = ends_select(s, np.int64(0), size[head] - p.active)
        p.bound = p.active + ends_weight(s, np.int64(0), c.shadow) - size[head]
        new = head + 1
    elif c.dirty:
        new = head + 1
    scalar_backfill(s, head, max(new, head + 1), now, size, run, requested, start)


@kernel()
def scalar_easy(s, submit, size, run, requested, start):
    """EASY backfilling over all jobs."""
    c = s.clock[0]
    n = submit.shape[0]
    arrived = np.int64(0)
    while arrived < n or c.queued > 0:
        now = submit[arrived] if arrived < n else NEVER
        if c.n_heap > 0:
            now = min(now, s.heap[0].time)
        before = c.running
        early = scalar_ends(s, now, size, requested, start)
        c.dirty = 1 if c.running != before else 0
        new = arrived
        while arrived < n and submit[arrived] == now:
            if c.queued == 0 and size[arrived] <= s.pools[0].active:
                scalar_start(s, arrived, now, size, run, requested, start)
            else:
                if c.queued == 0:
                    c.next_job = arrived
                tree_insert(s.tree, arrived + c.leaves, size[arrived], requested[arrived])
                c.queued += 1
            arrived += 1
        if c.queued > 0:
            scalar_pass(s, now, new, early, size, run, requested, start)
            s.count[0].longest_queue = max(s.count[0].longest_queue, np.int64(c.queued))


@kernel(void(int64, _COLUMN, _COLUMN, _COLUMN, _COLUMN, _COLUMN))
def scalar(address, submit, size, run, requested, start):
    """Fill ``start``; jobs sorted by submission, run <= requested, size <= the pool's chips."""
    s = as_state(address)
    if s.clock[0].easy:
        scalar_easy(s, submit, size, run, requested, start)
    else:
        scalar_fcfs(s, submit, size, run, requested, start)

"""The waiting queue: a segment tree over the queue's order that holds the least size and least duration.

``next_fitting`` descends to the next job that may start under the bounds of a pass without looking at
the others. Ranks (positions in the order) are fixed at submission, so a requeued job keeps its place.
Without backfilling (``clock.easy`` is 0) there is no tree: the first job alone is wanted (``rank_bits``).
"""

from __future__ import annotations

import numpy as np

from capsim.jit import kernel
from capsim.kernel.rank_bits import rank_insert, rank_next, rank_remove
from capsim.kernel.state import EMPTY

BIG = EMPTY - 1


@kernel()
def tree_insert(tree, i, size, duration):
    """Fill leaf i of a tree, and what is above it."""
    tree[i].size = size
    tree[i].duration = duration
    i >>= 1
    while i > 0 and (tree[i].size > size or tree[i].duration > duration):
        tree[i].size = min(tree[i].size, size)
        tree[i].duration = min(tree[i].duration, duration)
        i >>= 1


@kernel()
def tree_remove(tree, i):
    """Empty leaf i of a tree."""
    tree[i].size = EMPTY
    tree[i].duration = EMPTY
    i >>= 1
    while i > 0:
        size = min(tree[2 * i].size, tree[2 * i + 1].size)
        duration = min(tree[2 * i].duration, tree[2 * i + 1].duration)
        if tree[i].size == size and tree[i].duration == duration:
            break
        tree[i].size = size
        tree[i].duration = duration
        i >>= 1


@kernel()
def is_owner(s, j):
    """Whether job j may use some advance reservation."""
    job = s.jobs[j]
    tenant = min(np.int64(job.tenant), np.int64(s.booking[0].tenants))
    return s.owners[tenant * s.classes.shape[0] + job.cls] != 0


@kernel()
def is_special(s, j):
    """Whether job j may use an advance reservation that has begun, or a flexible one that is announced."""
    job = s.jobs[j]
    tenant = min(np.int64(job.tenant), np.int64(s.booking[0].tenants))
    return s.special[tenant * s.classes.shape[0] + job.cls] != 0


@kernel()
def queue_insert(s, rank, size, duration):
    """Queue the job of this rank: its least size and its least possible estimate, ms."""
    if not s.clock[0].easy:
        rank_insert(s, rank)
        return
    tree_insert(s.tree, rank + s.clock[0].leaves, size, duration)
    if s.clock[0].windows and is_special(s, np.int64(s.by_rank[rank])):
        tree_insert(s.special_tree, rank + s.clock[0].leaves, size, duration)


@kernel()
def queue_remove(s, rank):
    """Take the job of this rank off the queue."""
    if not s.clock[0].easy:
        rank_remove(s, rank)
        return
    tree_remove(s.tree, rank + s.clock[0].leaves)
    if s.clock[0].windows and s.special_tree[rank + s.clock[0].leaves].size < EMPTY:
        tree_remove(s.special_tree, rank + s.clock[0].leaves)


@kernel()
def tree_after(i):
    """The node of a queue's tree that begins where the leaves below node i end; 0 after the last leaf."""
    while i & 1:
        i >>= 1
    return i + 1 if i else i


@kernel()
def next_fitting(s, rank, size, size_short, short):
    """Where jobs are backfilled: the first queued rank >= ``rank`` with size <= ``size``, or with size <=
    ``size_short`` and duration <= ``short``; -1 if there is none.
    """
    tree = s.tree
    leaves = np.int64(s.clock[0].leaves)
    i = rank + leaves
    if i >= 2 * leaves:
        return np.int64(-1)
    while True:
        if tree[i].size <= size or (tree[i].size <= size_short and tree[i].duration <= short):
            if i >= leaves:
                return i - leaves
            i = 2 * i
            continue
        i = tree_after(i)
        if i == 0:
            return np.int64(-1)


@kernel()
def queue_next(s, rank):
    """The first queued rank >= ``rank``; -1 if there is none."""
    if not s.clock[0].easy:
        return rank_next(s, rank)
    return next_fitting(s, rank, BIG, np.int64(0), np.int64(0))

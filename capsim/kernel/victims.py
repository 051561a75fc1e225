"""The order in which running jobs are stopped: gathered from their lists, sorted only as far as they are taken.

A head needs few of many, so the jobs are dealt out by coarse classes of what they are sorted by, and within a
class a heap gives the next one.
"""

from __future__ import annotations

import numpy as np

from capsim.jit import kernel, leading_zeros
from capsim.kernel.preemptible import CLASSES, first_row, next_row, risk_of

@kernel()
def chosen_at(s):
    """Where in ``victims`` those that were taken are noted; before it two tables of (turn, job)."""
    return np.int64(4 * s.active.shape[0])


@kernel()
def second_table(s):
    """Where in ``victims`` those that were dealt out lie."""
    return np.int64(2 * s.active.shape[0])


@kernel()
def class_of(turn):
    """The class of a number >= 0, growing with it, by its highest bit and the two below."""
    if turn < 4:
        return np.int64(turn)
    high = 63 - leading_zeros(np.uint64(turn))
    return 4 * high + ((turn >> (high - 2)) & 3) - 4


@kernel()
def goes_before(s, a, b):
    """Whether the victim at place a is stopped before that at b: by turn, then highest job index."""
    v = s.victims
    return v[a] < v[b] or (v[a] == v[b] and v[a + 1] > v[b + 1])


@kernel()
def sift(s, at, i, n):
    """Restore the heap order below i among the n victims from place ``at`` on; the next one is on top."""
    v = s.victims
    while True:
        child = 2 * i + 1
        if child >= n:
            return
        a, b = at + 2 * child, at + 2 * i
        if child + 1 < n and goes_before(s, a + 2, a):
            child += 1
            a += 2
        if not goes_before(s, a, b):
            return
        v[a], v[b] = v[b], v[a]
        v[a + 1], v[b + 1] = v[b + 1], v[a + 1]
        i = child


@kernel()
def no_victims(s):
    """Begin anew: nobody is gathered."""
    turn = s.turns[0]
    turn.gathered = 0
    turn.taken = 0
    turn.heap = 0


@kernel()
def gather_job(s, turn, j):
    """One more victim, to be dealt out; ``turn`` >= 0: what it is sorted by."""
    n = np.int64(s.turns[0].gathered)
    s.victims[2 * n] = turn
    s.victims[2 * n + 1] = j
    s.turns[0].gathered = n + 1


@kernel()
def turn_of(s, row):
    """What a job in a list is sorted by: its work at risk; with las its list, the lower the earlier."""
    return np.int64(s.preemptible[row].level) if s.clock[0].levels else risk_of(s, row)


@kernel()
def gather_lists(s, first, below):
    """Gather the jobs of the lists from ``first`` on, ``below`` of them, and deal them out."""
    no_victims(s)
    for at in range(first, first + below):
        row = first_row(s, np.int64(at))
        while row >= 0:
            gather_job(s, turn_of(s, row), np.int64(s.preemptible[row].job))
            row = next_row(s, row)
    deal_out(s)


@kernel()
def deal_out(s):
    """Sort those that were gathered by the class of their risk into the second table."""
    turn, v, ends = s.turns[0], s.victims, s.class_ends
    for k in range(CLASSES):
        ends[k] = 0
    n = np.int64(turn.gathered)
    for i in range(n):
        ends[class_of(v[2 * i])] += 1
    total = np.int64(0)
    for k in range(CLASSES):
        count = ends[k]
        ends[k] = total
        total += count
    base = second_table(s)
    for i in range(n):
        k = class_of(v[2 * i])
        to = base + 2 * ends[k]
        ends[k] += 1
        v[to] = v[2 * i]
        v[to + 1] = v[2 * i + 1]


@kernel()
def next_victim(s):
    """The next job to be stopped of those that were dealt out; -1 if all were taken."""
    turn, v = s.turns[0], s.victims
    base = second_table(s)
    if turn.heap == 0:
        if turn.taken == turn.gathered:
            return np.int64(-1)
        turn.at = base + 2 * turn.taken
        turn.heap = s.class_ends[class_of(v[turn.at])] - turn.taken
        for i in range(turn.heap // 2 - 1, -1, -1):
            sift(s, np.int64(turn.at), np.int64(i), np.int64(turn.heap))
    at, n = np.int64(turn.at), np.int64(turn.heap - 1)
    j = np.int64(v[at + 1])
    v[at], v[at + 1] = v[at + 2 * n], v[at + 2 * n + 1]
    sift(s, at, np.int64(0), n)
    turn.heap = n
    turn.taken += 1
    return j

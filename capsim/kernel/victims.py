"""The order in which running jobs are stopped: gathered from their lists, sorted as far as they are taken.

A head takes few of many. So it is guessed from their chips how far it will go; the jobs up to there are dealt
out by fine classes of what they are sorted by; and within a class a heap gives the next one. If the guess was
too low, the others are dealt out after them.
"""

from __future__ import annotations

import numpy as np

from capsim.jit import kernel, leading_zeros
from capsim.kernel.loans import fits_lent, has_room, is_idle, lend
from capsim.kernel.preemptible import BLOCK_SIZE, VICTIM_CLASSES, last_rows, risk_of
from capsim.tables import NEVER

_BITS = 4
_PARTS = 1 << _BITS
"""Classes to each doubling."""


@kernel()
def table_at(s, i):
    """Where the i-th table of ``victims`` begins. Tables of (turn, job): 0 gathered, 1 chosen to be dealt out
    next, 2 dealt out; then 3, the jobs that were taken, one word each.
    """
    return 2 * i * np.int64(s.active.shape[0])


@kernel()
def class_of(turn):
    """The class of a turn >= 0, growing with it, by its highest bit and those below."""
    if turn < _PARTS:
        return np.int64(turn)
    high = 63 - leading_zeros(np.uint64(turn))
    return ((high - _BITS + 1) << _BITS) + ((turn >> (high - _BITS)) & (_PARTS - 1))


@kernel()
def least_turn(k):
    """The least turn of class k."""
    if k < _PARTS:
        return np.int64(k)
    return np.int64(_PARTS + (k & (_PARTS - 1))) << ((k >> _BITS) - 1)


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
    turn.gathered, turn.dealt, turn.taken, turn.heap = 0, 0, 0, 0
    turn.bound = 0


@kernel()
def gather_job(s, turn, j):
    """One more victim; ``turn`` >= 0: what it is sorted by."""
    n = np.int64(s.turns[0].gathered)
    s.victims[2 * n] = turn
    s.victims[2 * n + 1] = j
    s.turns[0].gathered = n + 1


@kernel()
def turn_of(s, row, level):
    """What a job of a pool's list ``level`` is sorted by: its work at risk; with las list, then index."""
    c = s.clock[0]
    if not c.levels:
        return risk_of(s, row)
    cap = np.int64(c.cap_jobs)
    late = (cap - 1 - s.preemptible[row].job) << (leading_zeros(np.uint64(cap)) - 33)
    return (level << 31) | late


@kernel()
def gather_gangs(s, pool, below, need, settled):
    """Gather the jobs of the lowest ``below`` lists of a pool that may help a gang, and deal out the first.

    So many that they leave the ``need`` whole domains that it lacks, as a guess: those that jobs larger than
    a domain hold. ``settled``: those that are of no use are known, see ``is_idle``.
    """
    no_victims(s)
    v, room, least = s.victims, s.class_ends, np.int64(s.pools[pool].domain_chips)
    per_chip = 1.0 / s.pools[pool].segment
    for k in range(VICTIM_CLASSES):
        room[k] = 0
    m, first = np.int64(0), pool * (s.clock[0].n_levels + 1)
    for level in range(below):
        held = s.levels[first + level]
        block, rows = np.int64(held.block), last_rows(np.int64(held.count))
        while block >= 0:
            for row in range(block * BLOCK_SIZE, block * BLOCK_SIZE + rows):
                if settled and is_idle(s, row):
                    continue
                turn, chips = turn_of(s, row, level), np.int64(s.preemptible[row].chips)
                v[2 * m] = turn
                v[2 * m + 1] = s.preemptible[row].job
                m += 1
                if chips >= least:
                    room[class_of(turn)] += max(np.int64(1), np.int64(chips * per_chip))
            block, rows = np.int64(s.list_blocks[block]), np.int64(BLOCK_SIZE)
    s.turns[0].gathered = m
    k, total = np.int64(0), np.int64(0)
    while k < VICTIM_CLASSES and total < need:
        total += room[k]
        k += 1
    deal_out(s, least_turn(k) if k < VICTIM_CLASSES else NEVER)


@kernel()
def gather_until_room(s, pool, below, n):
    """Gather the jobs of the lowest ``below`` lists of a pool up to the first that alone leaves n chips in a
    domain, on the copy; returns (its turn, it), (NEVER, -1) if there is none. Some that go after it stay.
    """
    v, m = s.victims, np.int64(0)
    bound, last = NEVER, np.int64(-1)
    first = pool * (s.clock[0].n_levels + 1)
    for level in range(below):
        if s.clock[0].levels and last >= 0:
            break
        held = s.levels[first + level]
        block, rows = np.int64(held.block), last_rows(np.int64(held.count))
        while block >= 0:
            for row in range(block * BLOCK_SIZE, block * BLOCK_SIZE + rows):
                turn = turn_of(s, row, level)
                if turn > bound:
                    continue
                j = np.int64(s.preemptible[row].job)
                if turn == bound and j < last:
                    continue
                if s.preemptible[row].chips >= n and has_room(s, j, n, False):
                    bound, last = turn, j
                v[2 * m] = turn
                v[2 * m + 1] = j
                m += 1
            block, rows = np.int64(s.list_blocks[block]), np.int64(BLOCK_SIZE)
    s.turns[0].gathered = m
    return bound, last


@kernel()
def gather_for_part(s, pool, n, below):
    """Gather the jobs of the lowest ``below`` lists of a pool that may be stopped for n chips, at most a
    domain, and deal them out.

    The first that leaves room alone is the last that may be. Of those before it only the jobs of domains
    where they make room together: all lend their chips at once to find these.
    """
    no_victims(s)
    bound, last = gather_until_room(s, pool, below, n)
    v, some = s.victims, np.int64(0)
    for i in range(s.turns[0].gathered):
        turn, j = v[2 * i], np.int64(v[2 * i + 1])
        if turn < bound or (turn == bound and j > last):
            lend(s, j, np.int64(1), n, np.int64(s.pools[pool].domain_chips))
            v[2 * some], v[2 * some + 1] = turn, j
            some += 1
    m = np.int64(0)
    if fits_lent(s, pool, n, np.int64(1)):
        for i in range(some):
            if has_room(s, np.int64(v[2 * i + 1]), n, True):
                v[2 * m], v[2 * m + 1] = v[2 * i], v[2 * i + 1]
                m += 1
    s.turns[0].gathered = m
    if last >= 0:
        gather_job(s, bound, last)
    deal_out(s, NEVER)


@kernel()
def deal_out(s, bound):
    """Sort those gathered whose turn is before ``bound``, and which were not dealt out yet, by its class."""
    turn, v, ends = s.turns[0], s.victims, s.class_ends
    begin, chosen, sorted_at = np.int64(turn.bound), table_at(s, 1), table_at(s, 2)
    m = np.int64(0)
    for i in range(turn.gathered):
        mine = v[2 * i]
        v[chosen + 2 * m] = mine
        v[chosen + 2 * m + 1] = v[2 * i + 1]
        m += np.int64(begin <= mine < bound)
    for k in range(VICTIM_CLASSES):
        ends[k] = 0
    least, most = np.int64(VICTIM_CLASSES), np.int64(-1)
    for i in range(m):
        k = class_of(v[chosen + 2 * i])
        ends[k] += 1
        least, most = min(least, k), max(most, k)
    total = np.int64(turn.dealt)
    for k in range(least, most + 1):
        count = np.int64(ends[k])
        ends[k] = total
        total += count
    for i in range(m):
        k = class_of(v[chosen + 2 * i])
        to = sorted_at + 2 * ends[k]
        ends[k] += 1
        v[to] = v[chosen + 2 * i]
        v[to + 1] = v[chosen + 2 * i + 1]
    turn.bound = bound
    turn.dealt = total


@kernel()
def next_victim(s):
    """The next job to be stopped of those gathered; -1 if all were taken."""
    turn, v = s.turns[0], s.victims
    if turn.heap == 0:
        if turn.taken == turn.dealt and turn.bound < NEVER:
            deal_out(s, NEVER)
        if turn.taken == turn.dealt:
            return np.int64(-1)
        turn.at = table_at(s, 2) + 2 * turn.taken
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

"""Promotion in las: waiting jobs that have run, by the instant at which they will have waited too long.

A binary heap in arrays, one entry a job: an entry that comes up early (its job has run again since) goes
back with the later instant. So nothing need be done for the others when keys are computed.
"""

from __future__ import annotations

import numpy as np

from capsim.jit import kernel
from capsim.kernel.keys import attained
from capsim.tables import HELD, NEVER, WAITING


@kernel()
def promotion_due(s, j):
    """When a waiting job starts anew: (time waited x size) >= promote x attained; NEVER if it has none."""
    knob, have, size = s.rules[0].promote, attained(s, j), np.int64(s.jobs[j].size_min)
    if knob <= 0.0 or have <= 0:
        return NEVER
    wait = np.int64(knob * have / size)
    while np.float64(wait) * size < knob * have:
        wait += 1
    while wait > 0 and np.float64(wait - 1) * size >= knob * have:
        wait -= 1
    return s.runs[j].queued + wait


@kernel()
def starves_before(s, a, b):
    """Whether entry a of the heap comes before entry b."""
    x, y = s.starving[a], s.starving[b]
    return x.time < y.time or (x.time == y.time and x.job < y.job)


@kernel()
def swap_entries(s, a, b):
    x, y = s.starving[a], s.starving[b]
    time, job = x.time, x.job
    x.time, x.job = y.time, y.job
    y.time, y.job = time, job


@kernel()
def watch(s, j):
    """A job joins the queue: note when it is due for promotion, unless an earlier entry will tell."""
    due = promotion_due(s, j)
    s.standings[j].due = due
    if due == NEVER or s.standings[j].watched:
        return
    s.standings[j].watched = 1
    i = np.int64(s.rules[0].starving)
    s.rules[0].starving += 1
    s.starving[i].time, s.starving[i].job = due, j
    while i > 0 and starves_before(s, i, (i - 1) >> 1):
        swap_entries(s, i, (i - 1) >> 1)
        i = (i - 1) >> 1


@kernel()
def settle_first(s):
    """Put the first entry of the heap where it belongs."""
    n, i = np.int64(s.rules[0].starving), np.int64(0)
    while 2 * i + 1 < n:
        down = 2 * i + 1
        if down + 1 < n and starves_before(s, down + 1, down):
            down += 1
        if not starves_before(s, down, i):
            return
        swap_entries(s, down, i)
        i = down


@kernel()
def next_starved(s):
    """A waiting job that is due for promotion now, taken off the heap; -1 if there is none."""
    while s.rules[0].starving > 0 and s.starving[0].time <= s.clock[0].now:
        j = np.int64(s.starving[0].job)
        run, due = s.runs[j], s.standings[j].due
        waits = run.state == WAITING and run.parked != HELD
        if waits and due > s.clock[0].now and due < NEVER:
            s.starving[0].time = due
            settle_first(s)
            continue
        last = np.int64(s.rules[0].starving - 1)
        s.rules[0].starving = last
        swap_entries(s, np.int64(0), last)
        settle_first(s)
        s.standings[j].watched = 0
        if waits and due < NEVER:
            return j
    return np.int64(-1)

"""What holds a job before its tenant's limits do: jobs that must end first, and the limit of its array.

And how a job ends: attempts that fail are run again, the last one ends in the job's fate
(``docs/scheduling.md``, "Dependencies, arrays, fates").
"""

from __future__ import annotations

import numpy as np

from capsim.jit import kernel
from capsim.kernel.admission import ask, join_queue
from capsim.kernel.running import enqueue
from capsim.tables import CANCELLED, DONE, HELD, RUNNING, WAITING

NEEDS, ARRAY = 1, 2
"""What a gate waits for (``STANDING.gate``): other jobs to end; a task of the array to end."""


@kernel()
def shut_gate(s, j, gate):
    """Hold a job before its tenant's limits."""
    s.standings[j].gate = gate
    s.runs[j].parked = HELD
    s.clock[0].parked += 1
    s.rules[0].held += 1


@kernel()
def open_gate(s, j):
    """Hold it no longer."""
    s.standings[j].gate = 0
    s.runs[j].parked = 0
    s.clock[0].parked -= 1
    s.rules[0].held -= 1


@kernel()
def pass_array(s, j):
    """Whether a job may go on to its tenant's limits as far as its array goes; else it is held."""
    mine = s.standings[j]
    if mine.array > 0 and not mine.counted:
        row = s.job_arrays[mine.array - 1]
        if row.tasks >= row.limit:
            shut_gate(s, j, ARRAY)
            return False
        row.tasks += 1
        mine.counted = 1
    return True


@kernel()
def let_through(s, j):
    """Whether a job that joins the queue may go on to its tenant's limits; else it is held, or cancelled."""
    if s.standings[j].doomed:
        cancel_waiting(s, j)
        settle(s, j)
        return False
    if s.standings[j].needs > 0:
        shut_gate(s, j, NEEDS)
        return False
    return pass_array(s, j)


@kernel()
def go_on(s, j):
    """A job that was held goes on to its tenant's limits, and to the queue if they admit it."""
    if pass_array(s, j) and ask(s, j) == 0:
        join_queue(s, j)


@kernel()
def cancel_waiting(s, j):
    """A job that can never be eligible is cancelled; it is in no list and not in the tree."""
    s.runs[j].state = CANCELLED
    s.clock[0].queued -= 1
    s.count[0].cancelled += 1


@kernel()
def leave_array(s, j):
    """A task is over: the next of its array go on, in the order of submission."""
    mine = s.standings[j]
    if not mine.counted:
        return
    mine.counted = 0
    row = s.job_arrays[mine.array - 1]
    row.tasks -= 1
    while row.next < row.end:
        task = np.int64(s.array_tasks[row.next])
        if not s.standings[task].counted and s.runs[task].state <= RUNNING:
            break
        row.next += 1
    at = np.int64(row.next)
    while at < row.end and row.tasks < row.limit:
        task = np.int64(s.array_tasks[at])
        if s.standings[task].gate == ARRAY:
            open_gate(s, task)
            go_on(s, task)
        at += 1


@kernel()
def tell_followers(s, j, last):
    """Jobs that wait for job j: those now eligible go on, those that can never be are cancelled.

    The latter are appended to the list (through ``next_held``) that ends with ``last``; returns its last.
    """
    completed = s.runs[j].state == DONE
    first = np.int64(s.standings[j].followers_at)
    for k in range(first, first + s.standings[j].n_followers):
        other = np.int64(s.followers[k].job)
        theirs, run = s.standings[other], s.runs[other]
        if run.state > WAITING or theirs.doomed:
            continue
        if completed or s.followers[k].any:
            theirs.needs -= 1
            if theirs.needs == 0 and theirs.gate == NEEDS:
                open_gate(s, other)
                run.queued = s.clock[0].now
                go_on(s, other)
            continue
        theirs.doomed = 1
        if run.state == WAITING:
            open_gate(s, other)
            cancel_waiting(s, other)
            s.standings[last].next_held = other
            theirs.next_held = -1
            last = other
    return last


@kernel()
def settle(s, j):
    """A job is over for good: its place in its array is free, and jobs wait for it no longer."""
    s.standings[j].next_held = -1
    last = j
    while j >= 0:
        leave_array(s, j)
        last = tell_followers(s, j, last)
        j = np.int64(s.standings[j].next_held)


@kernel()
def fails_again(s, j):
    """At the end of an attempt: whether it failed and the job joins the queue again; else it meets its fate.

    An attempt that ended at its requested time is the last.
    """
    run, mine = s.runs[j], s.standings[j]
    if run.state != DONE:
        return False
    if mine.retries > 0:
        mine.retries -= 1
        mine.failed_ms = run.chip_time - run.lost
        s.count[0].completed -= 1
        run.end = -1
        run.drained = 0
        run.overhead_ms = 0
        run.work_left, run.request_left = s.jobs[j].run, s.jobs[j].requested
        enqueue(s, j)
        return True
    if mine.fate > 0:
        run.state = mine.fate
        s.count[0].completed -= 1
        if mine.fate == CANCELLED:
            s.count[0].cancelled += 1
    return False

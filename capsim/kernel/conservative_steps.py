"""Conservative backfilling instant by instant, where somebody else decides which jobs join its queue.

The rule is that of ``capsim.kernel.conservative``; a job takes the place in the queue at which it joins.
Importing this module compiles it (or loads it from the cache).
"""

from __future__ import annotations

import numpy as np
from numba import types

from capsim.jit import kernel
from capsim.kernel.conservative import (
    INTS,
    JOBS,
    PROFILE,
    QUEUE,
    Jobs,
    backfill,
    compress,
    pop_end,
    promote,
    start_promised,
    submit,
)
from capsim.kernel.profile import NEVER, Ints, Profile, advance, change, new_profile
from capsim.kernel.reservations import HEAPED, PROMISED, Queue, compact, new_queue


@kernel(types.int64(JOBS, QUEUE, PROFILE, types.int64, INTS, INTS))
def end_jobs(jobs: Jobs, queue: Queue, profile: Profile, now: int, ended: Ints, tally: Ints) -> int:
    """End the jobs whose time has come, and move reservations earlier; returns how many, in ``ended``."""
    advance(profile, now)
    count, early = 0, False
    while jobs.state[0] > 0 and jobs.end_time[0] == now:
        job = pop_end(jobs.end_time, jobs.end_job, jobs.state[0])
        jobs.state[0] -= 1
        ended[count] = job
        count += 1
        estimate = jobs.start[job] + jobs.requested[job]
        if estimate > now:
            change(profile, now, estimate, jobs.size[job])
            early = True
    if early and queue.state[PROMISED] > 0:
        compress(queue, profile, now, tally)
    return count


@kernel(types.void(JOBS, QUEUE, PROFILE, types.int64, types.int64, INTS))
def join_and_start(jobs: Jobs, queue: Queue, profile: Profile, depth: int, now: int, joining: Ints) -> None:
    """Jobs join the queue in this order; start those that can."""
    for k in range(joining.size):
        submit(jobs, queue, profile, joining[k], depth, now)
    start_promised(jobs, queue, now)
    if depth > 0:
        promote(jobs, queue, profile, depth, now)
        backfill(jobs, queue, profile, now)
    compact(queue)


class Conservative:
    """One run. ``start``: int64 [job], -1 for a job that has not started; times are whole numbers from 0."""

    def __init__(self, size: Ints, run: Ints, requested: Ints, chips: int, depth: int) -> None:
        """``depth``: see ``conservative``."""
        count = len(size)
        columns = [np.ascontiguousarray(column, dtype=np.int64) for column in (size, run, requested)]
        self.start = np.full(count, -1, dtype=np.int64)
        heap = [np.empty(count, dtype=np.int64) for _ in range(2)]
        none = np.zeros(count, dtype=np.int64)
        self._jobs = Jobs._make([none, *columns, self.start, *heap, np.zeros(1, dtype=np.int64)])
        self._queue = new_queue(count)
        self._profile = new_profile(chips, 0, min(count, chips + depth) if depth else count)
        self._ended, self._tally = np.empty(count, dtype=np.int64), np.zeros(4, dtype=np.int64)
        self._depth = depth

    def next(self) -> int:
        """The next instant at which a job ends or its reservation begins; NEVER: no job is there."""
        jobs, queue = self._jobs, self._queue
        end = int(jobs.end_time[0]) if jobs.state[0] else int(NEVER)
        return min(end, int(queue.start[queue.heap[0]]) if queue.state[HEAPED] else int(NEVER))

    def end(self, now: int) -> Ints:
        """Time passes to ``now``: the jobs that end."""
        count = end_jobs(self._jobs, self._queue, self._profile, now, self._ended, self._tally)
        return self._ended[:count].copy()

    def join(self, now: int, jobs: Ints) -> None:
        """Jobs join the queue, in this order, and all that can start now do."""
        join_and_start(self._jobs, self._queue, self._profile, self._depth, now, np.ascontiguousarray(jobs))

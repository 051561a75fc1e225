"""Conservative backfilling on a scalar pool of interchangeable chips, exact and fast.

Rule: every queued job holds a reservation at the earliest hole of the profile when it was submitted. When
jobs end before their estimates, all early ends of the instant are released, then each queued job in
submission order, once, gives back only its own reservation and takes the earliest hole again; so no job
ever moves later. Why the searches that are skipped could not have found anything is shown in
``docs/conservative.md``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import types
from numpy.typing import ArrayLike

from capsim.errors import InputError
from capsim.jit import kernel
from capsim.kernel.profile import (
    NEVER,
    Ints,
    Profile,
    advance,
    change,
    earliest_hole,
    fits_now,
    may_have_opened,
    move,
    new_profile,
)
from capsim.kernel.reservations import (
    BOUNDARY,
    GONE,
    GROUP,
    HEAPED,
    LIVE,
    PROMISED,
    SLOTS,
    WAITS,
    Queue,
    append,
    compact,
    new_queue,
    pop_reservation,
    promise,
    sift_up,
    summarise,
)

LONGEST, COMPRESSIONS, LOOKS, MOVES = range(4)  # the places of ``tally``


class Counters(NamedTuple):
    """What one run did, beside the start times."""

    jobs: int
    backfilled: int  # jobs that started before a job submitted earlier
    longest_queue: int  # most jobs left waiting after a scheduling pass
    compressions: int  # instants with early ends while a reservation was held
    searches: int  # searches for an earlier hole that could not be ruled out beforehand
    moves: int  # reservations moved earlier

    @property
    def backfilled_share(self) -> float:
        """Share of the jobs that started before a job submitted earlier."""
        return self.backfilled / self.jobs if self.jobs else 0.0


@kernel()
def compress(queue: Queue, profile: Profile, now: int, tally: Ints) -> None:
    """Every queued job with a reservation, in submission order, takes the earliest hole there is."""
    promised = queue.state[BOUNDARY]
    for group in range((promised + GROUP - 1) // GROUP):
        if not may_have_opened(
            profile, queue.group_size[group], queue.group_start[group], queue.group_seen[group]
        ):
            continue
        for slot in range(group * GROUP, min((group + 1) * GROUP, promised)):
            held = queue.start[slot]
            if held <= now:  # starts now, or has left
                continue
            size, length = queue.size[slot], queue.length[slot]
            tally[LOOKS] += 1
            start = earliest_hole(profile, size, length, held, queue.seen[slot])
            if start < held:
                tally[MOVES] += 1
                move(profile, size, length, held, start)
                queue.start[slot] = start
                sift_up(queue, queue.place[slot])
            queue.seen[slot] = profile.releases[0]
        summarise(queue, group)


@kernel()
def _push_end(end_time: Ints, end_job: Ints, count: int, time: int, job: int) -> None:
    """Add a running job to the heap of ends, which holds ``count``."""
    k = count
    while k > 0:
        parent = (k - 1) >> 1
        if end_time[parent] <= time:
            break
        end_time[k] = end_time[parent]
        end_job[k] = end_job[parent]
        k = parent
    end_time[k] = time
    end_job[k] = job


@kernel()
def pop_end(end_time: Ints, end_job: Ints, count: int) -> int:
    """Take the job that ends first off the heap of ends, which holds ``count``."""
    top = end_job[0]
    time, job = end_time[count - 1], end_job[count - 1]
    k = 0
    while 2 * k + 1 < count - 1:
        child = 2 * k + 1
        if child + 1 < count - 1 and end_time[child + 1] < end_time[child]:
            child += 1
        if end_time[child] >= time:
            break
        end_time[k] = end_time[child]
        end_job[k] = end_job[child]
        k = child
    end_time[k] = time
    end_job[k] = job
    return top


class Jobs(NamedTuple):
    """The jobs of one run in submission order, their start times to be, and the heap of those that run."""

    submit: Ints
    size: Ints
    run: Ints
    requested: Ints
    start: Ints
    end_time: Ints  # heap of ends, least first
    end_job: Ints
    state: Ints  # [jobs that run now]


@kernel()
def _start(jobs: Jobs, job: int, now: int) -> None:
    """Start a job whose chips are already taken from the profile."""
    jobs.start[job] = now
    end = now + min(jobs.run[job], jobs.requested[job])
    _push_end(jobs.end_time, jobs.end_job, jobs.state[0], end, job)
    jobs.state[0] += 1


@kernel()
def _release_ended(jobs: Jobs, profile: Profile, now: int) -> bool:
    """End the jobs whose time has come; true if one of them ended before its estimate."""
    early = False
    while jobs.state[0] > 0 and jobs.end_time[0] == now:
        job = pop_end(jobs.end_time, jobs.end_job, jobs.state[0])
        jobs.state[0] -= 1
        estimate = jobs.start[job] + jobs.requested[job]
        if estimate > now:
            change(profile, now, estimate, jobs.size[job])
            early = True
    return early


@kernel()
def start_promised(jobs: Jobs, queue: Queue, now: int) -> None:
    """Start the jobs whose reservation begins now."""
    while queue.state[HEAPED] > 0 and queue.start[queue.heap[0]] == now:
        slot = pop_reservation(queue)
        queue.start[slot] = GONE
        queue.state[LIVE] -= 1
        queue.state[PROMISED] -= 1
        _start(jobs, queue.job[slot], now)


@kernel()
def _start_waiting(jobs: Jobs, queue: Queue, profile: Profile, slot: int, now: int) -> None:
    """Start a queued job that holds no reservation and fits now."""
    change(profile, now, now + queue.length[slot], -queue.size[slot])
    queue.start[slot] = GONE
    queue.state[LIVE] -= 1
    _start(jobs, queue.job[slot], now)


@kernel()
def promote(jobs: Jobs, queue: Queue, profile: Profile, depth: int, now: int) -> None:
    """Give reservations to the first waiting jobs until ``depth`` jobs hold one; start those that fit now."""
    slot = queue.state[BOUNDARY]
    while queue.state[PROMISED] < depth and slot < queue.state[SLOTS]:
        if queue.start[slot] == WAITS:
            hole = earliest_hole(profile, queue.size[slot], queue.length[slot], NEVER, -1)
            if hole == now:
                _start_waiting(jobs, queue, profile, slot, now)
            else:
                promise(queue, profile, slot, hole)
        slot += 1
    queue.state[BOUNDARY] = slot


@kernel()
def backfill(jobs: Jobs, queue: Queue, profile: Profile, now: int) -> None:
    """Start, in submission order, the jobs beyond the depth that fit the profile now."""
    first, used = queue.state[BOUNDARY], queue.state[SLOTS]
    for group in range(first // GROUP, (used + GROUP - 1) // GROUP):
        if not fits_now(profile, queue.group_size[group], queue.group_length[group]):
            continue
        for slot in range(max(first, group * GROUP), min((group + 1) * GROUP, used)):
            if queue.start[slot] == WAITS and fits_now(profile, queue.size[slot], queue.length[slot]):
                _start_waiting(jobs, queue, profile, slot, now)
        summarise(queue, group)


@kernel()
def submit(jobs: Jobs, queue: Queue, profile: Profile, job: int, depth: int, now: int) -> None:
    """Put a new job into the queue; without a depth limit it starts or gets its reservation here."""
    size, length = jobs.size[job], jobs.requested[job]
    if depth > 0:
        append(queue, job, size, length)
        return
    hole = earliest_hole(profile, size, length, NEVER, -1)
    if hole == now:
        change(profile, now, now + length, -size)
        _start(jobs, job, now)
    else:
        promise(queue, profile, append(queue, job, size, length), hole)
        queue.state[BOUNDARY] = queue.state[SLOTS]


INTS, _INDICES = types.int64[::1], types.uint64[::1]
JOBS = types.NamedUniTuple(INTS, len(Jobs._fields), Jobs)
QUEUE = types.NamedUniTuple(INTS, len(Queue._fields), Queue)
PROFILE = types.NamedTuple([INTS] * 2 + [_INDICES] * 2 + [INTS] * 5 + [_INDICES] * 2 + [INTS], Profile)


@kernel(types.void(JOBS, QUEUE, PROFILE, types.int64, INTS))
def simulate(jobs: Jobs, queue: Queue, profile: Profile, depth: int, tally: Ints) -> None:
    """Run all instants until every job has started; fills ``jobs.start`` and ``tally``."""
    cursor, count = 0, jobs.submit.size
    while cursor < count or queue.state[LIVE] > 0:
        now = NEVER
        if cursor < count:
            now = jobs.submit[cursor]
        if jobs.state[0] > 0:
            now = min(now, jobs.end_time[0])
        if queue.state[HEAPED] > 0:
            now = min(now, queue.start[queue.heap[0]])
        advance(profile, now)
        early = _release_ended(jobs, profile, now)
        if early and queue.state[PROMISED] > 0:
            tally[COMPRESSIONS] += 1
            compress(queue, profile, now, tally)
        while cursor < count and jobs.submit[cursor] == now:
            submit(jobs, queue, profile, cursor, depth, now)
            cursor += 1
        start_promised(jobs, queue, now)
        if depth > 0:
            promote(jobs, queue, profile, depth, now)
            backfill(jobs, queue, profile, now)
        tally[LONGEST] = max(tally[LONGEST], queue.state[LIVE])
        compact(queue)


def _checked(name: str, values: ArrayLike) -> Ints:
    """One column of the jobs as a contiguous int64 array."""
    column = np.asarray(values)
    if column.ndim != 1 or (column.size and not np.issubdtype(column.dtype, np.integer)):
        raise InputError(f"{name}: expected a list of whole numbers, one a job")
    return np.ascontiguousarray(column, dtype=np.int64)


def _validate(columns: list[Ints], chips: int) -> None:
    """Raise InputError for jobs that the rule is not defined for."""
    submit, size, run, requested = columns
    if not submit.size == size.size == run.size == requested.size:
        raise InputError("submit, size, run and requested must have one entry for each job")
    if np.any(np.diff(submit) < 0):
        job = int(np.argmax(np.diff(submit) < 0)) + 1
        raise InputError(f"job {job} is submitted before job {job - 1}: sort the jobs by submission")
    for name, column in (("size", size), ("run", run), ("requested", requested)):
        if np.any(column < 1):
            job = int(np.argmax(column < 1))
            raise InputError(
                f"job {job} has {name} {column[job]}: it must be at least 1; leave such jobs out"
            )
    if np.any(size > chips):
        job = int(np.argmax(size > chips))
        raise InputError(
            f"job {job} needs {size[job]} of {chips} chips: leave out jobs larger than the machine"
        )
    span = float(submit[-1]) - float(submit[0]) + float(requested.sum(dtype=np.float64))
    if span >= NEVER:
        raise InputError("the requested times add up to more than int64 can hold: use a coarser unit of time")


def conservative_with_counters(
    submit: ArrayLike, size: ArrayLike, run: ArrayLike, requested: ArrayLike, chips: int, depth: int = 0
) -> tuple[Ints, Counters]:
    """Start times of all jobs under conservative backfilling, and what the run did.

    ``submit``, ``run`` and ``requested`` are whole numbers in any one unit of time (milliseconds in capsim,
    seconds in traces); ``size`` is in chips. Jobs come in submission order, which is also the order of the
    queue. A job that runs longer than requested is ended at its requested time.

    ``depth`` = 0: every queued job holds a reservation. ``depth`` = k > 0: only the first k queued jobs do.
    At the end of every pass the next waiting jobs get reservations, at their earliest hole, until k jobs
    hold one; then the others, in submission order, start if they fit the profile now, so that no reservation
    is delayed; otherwise they wait without a promise. Depth 1 is EASY backfilling.

    Returns int64 start times in the unit of ``submit``, and the counters. Raises InputError for jobs that
    are unsorted, empty or larger than the machine. Rule: Mu'alem and Feitelson, IEEE TPDS 12(6), 2001.
    """
    columns = [
        _checked(name, values)
        for name, values in (("submit", submit), ("size", size), ("run", run), ("requested", requested))
    ]
    count = columns[0].size
    if depth < 0:
        raise InputError(
            f"depth is {depth}: give 0 (every queued job holds a reservation) or a positive number"
        )
    if count == 0:
        return np.empty(0, dtype=np.int64), Counters(0, 0, 0, 0, 0, 0)
    _validate(columns, chips)
    origin = int(columns[0][0])
    submitted, *others = columns
    heaps_and_starts = [np.empty(count, dtype=np.int64) for _ in range(3)]
    jobs = Jobs._make([submitted - origin, *others, *heaps_and_starts, np.zeros(1, dtype=np.int64)])
    promised = min(count, chips + depth) if depth else count
    tally = np.zeros(4, dtype=np.int64)
    simulate(jobs, new_queue(count), new_profile(chips, 0, promised), depth, tally)
    latest_before = np.maximum.accumulate(jobs.start)[:-1]
    backfilled = int(np.count_nonzero(jobs.start[1:] < latest_before))
    longest, compressions, searches, moves = (int(value) for value in tally)
    jobs.start[:] += origin
    return jobs.start, Counters(count, backfilled, longest, compressions, searches, moves)


def conservative(
    submit: ArrayLike, size: ArrayLike, run: ArrayLike, requested: ArrayLike, chips: int, depth: int = 0
) -> Ints:
    """Start times of all jobs under conservative backfilling; see ``conservative_with_counters``."""
    return conservative_with_counters(submit, size, run, requested, chips, depth)[0]

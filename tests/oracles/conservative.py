"""The obvious conservative backfilling: free chips as a plain array over every unit of time.

It shares no structure with ``capsim.kernel``: no events skipped, no heap, no search left out. Cost grows
with jobs × queue × horizon, so it is for small cases.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass
class Job:
    """One job; ``start`` is its reservation while it is queued, None if it has none."""

    submit: int
    size: int
    run: int
    requested: int
    start: int | None = None
    first_promise: int | None = None


class Machine:
    """Free chips at every instant, and the one question that is asked of it."""

    def __init__(self, chips: int, horizon: int) -> None:
        self.free: NDArray[np.int64] = np.full(horizon, chips, dtype=np.int64)

    def add(self, begin: int, end: int, chips: int) -> None:
        """Add chips to the free ones in [begin, end)."""
        self.free[begin:end] += chips
        assert self.free.min() >= 0, "more chips are promised than there are"

    def hole(self, now: int, size: int, length: int) -> int:
        """The first instant from ``now`` on with ``size`` chips free for ``length``."""
        too_few = np.flatnonzero(self.free[now:] < size) + now
        begins = np.concatenate(([now], too_few + 1))
        ends = np.concatenate((too_few, [self.free.size]))
        return int(begins[ends - begins >= length][0])

    def fits(self, now: int, size: int, length: int) -> bool:
        """Whether the job could start now."""
        return bool(np.all(self.free[now : now + length] >= size))


def take(machine: Machine, job: Job, start: int) -> None:
    """Reserve the job's chips from ``start`` on; a promise once given never becomes later."""
    machine.add(start, start + job.requested, -job.size)
    assert job.start is None or start <= job.start, "a reservation has moved later"
    job.start = start
    job.first_promise = start if job.first_promise is None else job.first_promise


def compress(machine: Machine, queue: list[Job], now: int) -> None:
    """Each job with a reservation, in order and once, gives it back and takes the earliest hole."""
    for job in queue:
        if job.start is not None:
            machine.add(job.start, job.start + job.requested, job.size)
            take(machine, job, machine.hole(now, job.size, job.requested))


def promote(machine: Machine, queue: list[Job], now: int, depth: int) -> None:
    """Give reservations until ``depth`` jobs wait with one (0: all), then start what fits now."""
    for job in queue:
        waiting_with_promise = sum(other.start is not None and other.start > now for other in queue)
        if job.start is not None:
            continue
        if depth == 0 or waiting_with_promise < depth:
            take(machine, job, machine.hole(now, job.size, job.requested))
        elif machine.fits(now, job.size, job.requested):
            take(machine, job, now)


def conservative(rows: list[tuple[int, int, int, int]], chips: int, depth: int = 0) -> list[int]:
    """Start times of jobs given as (submit, size, run, requested) in submission order."""
    jobs = [Job(*row) for row in rows]
    horizon = max(job.submit for job in jobs) + sum(job.requested for job in jobs) + 1
    machine = Machine(chips, horizon)
    queue: list[Job] = []
    running: list[Job] = []
    coming = list(jobs)
    for now in range(horizon):
        early = False
        for job in [job for job in running if now == job.start + min(job.run, job.requested)]:
            running.remove(job)
            if job.run < job.requested:
                machine.add(now, job.start + job.requested, job.size)
                early = True
        arrived = [job for job in coming if job.submit == now]
        coming = coming[len(arrived) :]
        if early:
            compress(machine, queue, now)
        queue += arrived
        promote(machine, queue, now, depth)
        running += [job for job in queue if job.start == now]
        queue = [job for job in queue if job.start != now]
        if not queue and not coming:
            break
    assert all(job.start <= job.first_promise for job in jobs)
    return [job.start for job in jobs]

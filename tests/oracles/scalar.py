"""The obvious scheduler of one pool of interchangeable chips: FCFS, SJF, EASY, conservative.

Plain lists, no cleverness, quadratic: it is what the fast schedulers are judged by. Every promise is
asserted when a decision is made. ``mutant`` switches on one wrong rule, to show that the tests see it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

POLICIES = ("fcfs", "sjf", "easy", "conservative")
MUTANTS = {
    "no-extra-condition": "EASY starts any job that fits now, whether or not it delays the head",
    "extra-not-reduced": "EASY does not take a backfilled job's chips off the extra ones",
    "one-end-at-shadow": "EASY counts one estimated end at the shadow time, not all of that instant",
    "unordered-ties": "jobs submitted at one instant are queued by size instead of by sequence number",
    "pass-before-submissions": "an instant's terminations are scheduled before its submissions arrive",
    "forgotten-compression": "conservative keeps reservations where they were when jobs end early",
    "compression-from-scratch": "conservative takes out all reservations before it re-inserts them",
}


class Job(NamedTuple):
    """One job: ``submit``, ``run`` and ``requested`` in one unit of time, ``size`` in chips."""

    submit: int
    size: int
    run: int
    requested: int


@dataclass
class Running:
    """A job that holds chips until ``end``; its estimate says ``estimated_end``."""

    index: int
    size: int
    end: int
    estimated_end: int


@dataclass
class Pool:
    """Chips, the jobs that hold some, the queue, and what was promised."""

    jobs: Sequence[Job]
    chips: int
    policy: str
    mutant: str | None = None
    running: list[Running] = field(default_factory=list)
    queue: list[int] = field(default_factory=list)
    starts: dict[int, int] = field(default_factory=dict)
    reserved: dict[int, int] = field(default_factory=dict)
    first_promise: dict[int, int] = field(default_factory=dict)

    def free(self) -> int:
        """Chips that no job holds."""
        free = self.chips - sum(run.size for run in self.running)
        assert 0 <= free <= self.chips, "capacity exceeded"
        return free

    def start(self, index: int, now: int) -> None:
        """Start a queued job now; conservative and EASY promises are checked here."""
        job = self.jobs[index]
        assert job.size <= self.free(), "started without room"
        assert index not in self.starts, "started twice"
        assert now <= self.first_promise.get(index, now) or self.mutant, "promise broken"
        self.queue.remove(index)
        self.reserved.pop(index, None)
        self.starts[index] = now
        end = now + min(job.run, job.requested)
        self.running.append(Running(index, job.size, end, now + job.requested))


def schedule(jobs: Sequence[Job], chips: int, policy: str, mutant: str | None = None) -> list[int]:
    """Start time of every job, in the order given, which must be the order of submission.

    One instant: all terminations, all submissions, one pass.
    """
    assert policy in POLICIES
    assert mutant is None or mutant in MUTANTS
    assert all(1 <= job.size <= chips and job.run > 0 and job.requested > 0 for job in jobs)
    assert all(a.submit <= b.submit for a, b in pairwise(jobs))
    pool = Pool(jobs, chips, policy, mutant)
    arriving = list(range(len(jobs)))
    if mutant == "unordered-ties":
        arriving.sort(key=lambda index: (jobs[index].submit, jobs[index].size))
    while arriving or pool.running or pool.reserved:
        ends = [run.end for run in pool.running]
        submissions = [jobs[index].submit for index in arriving[:1]]
        now = min([*ends, *submissions, *pool.reserved.values()])
        early = terminate(pool, now)
        if mutant == "pass-before-submissions" and now in ends:
            one_pass(pool, now, early)
        while arriving and jobs[arriving[0]].submit == now:
            pool.queue.append(arriving.pop(0))
        one_pass(pool, now, early)
        assert len(pool.queue) + len(pool.starts) + len(arriving) == len(jobs), "a job in no state or in two"
    assert not pool.queue
    return [pool.starts[index] for index in range(len(jobs))]


def terminate(pool: Pool, now: int) -> bool:
    """End the jobs whose time has come; whether one of them ended before its estimate."""
    ending = [run for run in pool.running if run.end == now]
    pool.running = [run for run in pool.running if run.end > now]
    return any(run.end < run.estimated_end for run in ending)


def one_pass(pool: Pool, now: int, early: bool) -> None:
    """Start what the policy starts now."""
    if pool.policy == "conservative":
        conservative_pass(pool, now, early)
        return
    if pool.policy == "sjf":
        pool.queue.sort(key=lambda index: (pool.jobs[index].requested, index))
    while pool.queue and pool.jobs[pool.queue[0]].size <= pool.free():
        pool.start(pool.queue[0], now)
    if pool.policy == "easy" and pool.queue:
        backfill(pool, now)


def backfill(pool: Pool, now: int) -> None:
    """EASY: later jobs start if they end by the head's shadow time or fit beside it."""
    head, *others = pool.queue
    shadow, extra = reservation(pool, pool.jobs[head].size)
    pool.first_promise.setdefault(head, shadow)
    assert shadow <= pool.first_promise[head] or pool.mutant, "the head's reservation moved later"
    for index in others:
        job = pool.jobs[index]
        if job.size > pool.free():
            continue
        if now + job.requested <= shadow or pool.mutant == "no-extra-condition":
            pool.start(index, now)
        elif job.size <= extra:
            extra -= 0 if pool.mutant == "extra-not-reduced" else job.size
            pool.start(index, now)


def reservation(pool: Pool, size: int) -> tuple[int, int]:
    """When estimated ends free enough chips for the head, and how many chips are over at that instant."""
    free = pool.free()
    for instant in sorted({run.estimated_end for run in pool.running}):
        ending = [run.size for run in pool.running if run.estimated_end == instant]
        for chips in ending:
            free += chips
            if pool.mutant == "one-end-at-shadow" and free >= size:
                break
        if free >= size:
            return instant, free - size
    raise AssertionError("a job that fits the machine never fits")


def conservative_pass(pool: Pool, now: int, early: bool) -> None:
    """Every queued job holds the earliest hole; early ends let each move earlier, one at a time."""
    held = [index for index in pool.queue if index in pool.reserved]
    if early and pool.mutant != "forgotten-compression":
        if pool.mutant == "compression-from-scratch":
            for index in held:
                del pool.reserved[index]
        for index in held:
            before = pool.reserved.pop(index, None)
            pool.reserved[index] = earliest_hole(pool, index, now)
            assert before is None or pool.reserved[index] <= before, "a reservation moved later"
    for index in pool.queue:
        if index not in pool.reserved:
            pool.reserved[index] = earliest_hole(pool, index, now)
            pool.first_promise[index] = pool.reserved[index]
    for index in [index for index in pool.queue if pool.reserved[index] <= now]:
        pool.start(index, now)


def earliest_hole(pool: Pool, index: int, now: int) -> int:
    """The first instant from which the job's size is free for all of its requested time."""
    job = pool.jobs[index]
    taken = [(now, run.estimated_end, run.size) for run in pool.running]
    taken += [
        (begin, begin + pool.jobs[other].requested, pool.jobs[other].size)
        for other, begin in pool.reserved.items()
    ]
    for begin in sorted({now, *(end for _, end, _ in taken if end > now)}):
        changes = [begin, *(at for at, _, _ in taken if begin < at < begin + job.requested)]
        if all(used_at(taken, at) + job.size <= pool.chips for at in changes):
            return begin
    raise AssertionError("a job that fits the machine has no hole")


def used_at(taken: Sequence[tuple[int, int, int]], instant: int) -> int:
    """Chips that intervals [begin, end) take at an instant."""
    return sum(size for begin, end, size in taken if begin <= instant < end)

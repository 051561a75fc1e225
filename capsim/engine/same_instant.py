"""What the order of things at one instant is worth: FCFS and EASY on interchangeable chips, other orders.

capsim's own order (docs/scheduling.md) is ``together``: all ends of an instant, then all its submissions,
then one pass. Schedulers that react to each message as it comes behave like one of the others:
``ends-first`` (all ends, a pass, all submissions, a pass), ``submissions-first`` (all submissions, a pass,
all ends, a pass), ``one-by-one`` (a pass after every single end, then after every single submission).
``together`` is here too, so that the loop can be held against the kernel.
"""

from __future__ import annotations

import heapq
from itertools import groupby
from typing import NamedTuple

import numpy as np

from capsim.engine.replay_jobs import Columns
from capsim.engine.replay_policies import ReplayPolicy
from capsim.errors import InputError
from capsim.workload.traces.model import Ints

ORDERS = ("together", "ends-first", "submissions-first", "one-by-one")


class Running(NamedTuple):
    """A job that holds chips until ``end``; ordered by its end, then by its number."""

    end: int
    job: int


class Pool:
    """Free chips, the running jobs by end and by estimated end, and the queue in submission order."""

    def __init__(self, jobs: Columns, chips: int, easy: bool) -> None:
        self.size, self.requested = jobs.size, jobs.requested
        self.run = np.minimum(jobs.run, jobs.requested)
        self.free, self.easy = chips, easy
        self.start = np.full(len(jobs.size), -1, dtype=np.int64)
        self.ends: list[Running] = []
        self.estimates: dict[int, int] = {}
        self.queue: list[int] = []

    def begin(self, job: int, now: int) -> None:
        """Start a job that fits."""
        self.free -= int(self.size[job])
        self.start[job] = now
        heapq.heappush(self.ends, Running(now + int(self.run[job]), job))
        self.estimates[job] = now + int(self.requested[job])

    def end_one(self) -> None:
        """The running job that ends first gives back its chips."""
        job = heapq.heappop(self.ends).job
        self.free += int(self.size[job])
        del self.estimates[job]

    def one_pass(self, now: int) -> None:
        """Start from the head while jobs fit; then, under EASY, what cannot delay the head."""
        started = 0
        while started < len(self.queue) and self.size[self.queue[started]] <= self.free:
            self.begin(self.queue[started], now)
            started += 1
        del self.queue[:started]
        if self.easy and len(self.queue) > 1:
            self.backfill(now)

    def backfill(self, now: int) -> None:
        """Later jobs start if they end by the head's shadow time or fit beside it."""
        waiting = np.array(self.queue[1:])
        if self.size[waiting].min() > self.free:
            return
        shadow, extra = self.reservation(int(self.size[self.queue[0]]))
        early = now + self.requested[waiting] <= shadow
        at, begun = 0, set[int]()
        while at < len(waiting):
            fits = (self.size[waiting[at:]] <= self.free) & (early[at:] | (self.size[waiting[at:]] <= extra))
            ahead = int(np.argmax(fits))
            if not fits[ahead]:
                break
            job = int(waiting[at + ahead])
            extra -= 0 if early[at + ahead] else int(self.size[job])
            self.begin(job, now)
            begun.add(job)
            at += ahead + 1
        if begun:
            self.queue = [job for job in self.queue if job not in begun]

    def reservation(self, need: int) -> tuple[int, int]:
        """When estimated ends free enough chips for the head, and how many chips are over at that instant."""
        free = self.free
        ordered = sorted(self.estimates.items(), key=lambda item: item[1])
        for instant, ending in groupby(ordered, key=lambda item: item[1]):
            free += sum(int(self.size[job]) for job, _ in ending)
            if free >= need:
                return instant, free - need
        raise AssertionError("a job that fits the machine never fits")


def starts_by(
    order: str,
    policy: ReplayPolicy,
    topology: bool,
    jobs: Columns,
    chips: int,
) -> Ints:
    """Start of each job, ms, jobs sorted by submission. InputError where ``order`` is not defined for it."""
    if order not in ORDERS:
        raise InputError(f"--same-instant is {order!r}; write one of {', '.join(ORDERS)}")
    if policy.name not in ("fcfs", "easy") or topology:
        raise InputError(
            f"--same-instant {order} is there for fcfs and easy on interchangeable chips; leave it out"
            f" for {policy.name}" + (" with --domain" if topology else "")
        )
    pool = Pool(jobs, chips, policy.name == "easy")
    submit, arrived = jobs.submit, 0
    while arrived < len(submit) or pool.ends:
        instants = [int(submit[arrived])] if arrived < len(submit) else []
        now = min([*instants, *(first.end for first in pool.ends[:1])])
        last = int(np.searchsorted(submit, now, side="right"))
        _one_instant(pool, order, list(range(arrived, last)), now)
        arrived = last
    return pool.start


def _one_instant(pool: Pool, order: str, coming: list[int], now: int) -> None:
    """Ends, submissions and passes of one instant in the order asked for; a pass only after a change."""
    single = order == "one-by-one"
    if order == "submissions-first" and coming:
        pool.queue += coming
        coming = []
        pool.one_pass(now)
    ended = False
    while pool.ends and pool.ends[0].end == now:
        pool.end_one()
        ended = True
        if single:
            pool.one_pass(now)
    if ended and not single and (order != "together" or not coming):
        pool.one_pass(now)
    for job in coming:
        pool.queue.append(job)
        if single:
            pool.one_pass(now)
    if coming and not single:
        pool.one_pass(now)

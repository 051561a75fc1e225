"""FCFS and EASY on interchangeable chips as one would first write them with simpy, for comparison.

A process a job, the queue a list, the reservation from the sorted list of running jobs at every pass. The
rules are those of ``docs/scheduling.md``, so every start is the kernel's.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import simpy

from capsim.bench.inputs import Columns


@dataclass
class Machine:
    """One pool of chips under FCFS or EASY; ``starts`` fills up as the clock runs."""

    env: simpy.Environment
    jobs: list[tuple[int, int, int, int]]
    free: int
    easy: bool
    queue: list[int] = field(default_factory=list)
    running: dict[int, tuple[int, int]] = field(default_factory=dict)
    starts: dict[int, int] = field(default_factory=dict)
    asked: bool = False

    def submissions(self) -> Generator[Any, Any, None]:
        """Every job comes in its turn."""
        for number, (submit, *_) in enumerate(self.jobs):
            if submit > self.env.now:
                yield self.env.timeout(submit - self.env.now)
            self.queue.append(number)
            self.ask()

    def work(self, number: int) -> Generator[Any, Any, None]:
        """A running job, until its chips are free again."""
        _, run, size, requested = self.jobs[number]
        yield self.env.timeout(min(run, requested))
        self.free += size
        del self.running[number]
        self.ask()

    def ask(self) -> None:
        """A pass is due when all else of this instant is done."""
        if not self.asked:
            self.asked = True
            self.env.process(self.one_pass())

    def one_pass(self) -> Generator[Any, Any, None]:
        """Start what the rules start now."""
        yield self.env.timeout(0)
        self.asked = False
        while self.queue and self.jobs[self.queue[0]][2] <= self.free:
            self.start(self.queue.pop(0))
        if self.easy and len(self.queue) > 1:
            self.backfill()

    def start(self, number: int) -> None:
        """A job gets its chips."""
        now = int(self.env.now)
        _, _, size, requested = self.jobs[number]
        self.starts[number] = now
        self.free -= size
        self.running[number] = (now + requested, size)
        self.env.process(self.work(number))

    def backfill(self) -> None:
        """Later jobs start beside the head's reservation."""
        need = self.jobs[self.queue[0]][2]
        shadow, extra = 0, self.free - need
        for end, size in sorted(self.running.values()):
            if extra >= 0 and end > shadow:
                break
            shadow, extra = end, extra + size
        for number in self.queue[1:]:
            _, _, size, requested = self.jobs[number]
            if size > self.free:
                continue
            if self.env.now + requested > shadow:
                if size > extra:
                    continue
                extra -= size
            self.queue.remove(number)
            self.start(number)


def schedule(columns: Columns, chips: int, policy: str) -> list[int]:
    """Start of every job given as (submit, run, size, requested); ``policy``: fcfs or easy."""
    jobs = list(zip(*(column.tolist() for column in columns), strict=True))
    env = simpy.Environment()
    machine = Machine(env, jobs, chips, policy == "easy")
    env.process(machine.submissions())
    env.run()
    return [machine.starts[number] for number in range(len(jobs))]

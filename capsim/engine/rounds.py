"""Schedules in rounds: every so often a policy says which jobs hold which chips until the next round.

A job runs for the round; the chips of one that ends are given out at the next. What a job holds is a number
that the policy gives meaning to: a type for Gavel, a configuration for Sia. A job that goes on after a pause,
or with something else than before, first loses ``restart_ms``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from capsim.engine.replay_jobs import Columns, Done
from capsim.workload.traces.model import Floats, Ints

NOTHING = -1
"""What a job holds that does not run."""


class Placement(NamedTuple):
    """Jobs that run in a round: what each holds, its speed and chips there. ``free``: chips left by type."""

    jobs: Ints
    held: Ints
    speed: Floats
    chips: Ints
    free: Ints


@dataclass
class Progress:
    """The jobs' state between rounds; arrays [job]. ``left`` is work in ms at speed 1, times are in ms."""

    jobs: Columns
    round_ms: int
    restart_ms: int

    def __post_init__(self) -> None:
        count = len(self.jobs.submit)
        self.left = self.jobs.run.astype(np.float64)
        self.start, self.end = np.full(count, -1, dtype=np.int64), np.full(count, -1, dtype=np.int64)
        self.ran, self.lost = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
        self.chip_ms = np.zeros(count, dtype=np.int64)
        self.preemptions, self.restarts = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
        self.owed = np.zeros(count, dtype=np.int64)
        self.held = np.full(count, NOTHING, dtype=np.int64)

    def run(self, now: int, active: Ints, placed: Placement) -> None:
        """One round: work done, ends, time lost to restarts, who was stopped or moved."""
        jobs, before = placed.jobs, self.held[active]
        after = np.full(len(self.held), NOTHING, dtype=np.int64)
        after[jobs] = placed.held
        moved = (before != NOTHING) & (after[active] != before)
        self.preemptions[active[moved]] += 1
        resumed = (self.start[jobs] >= 0) & (self.held[jobs] != placed.held)
        self.restarts[jobs[resumed]] += 1
        self.owed[jobs[resumed]] = self.restart_ms
        self.start[jobs[self.start[jobs] < 0]] = now
        overhead = np.minimum(self.owed[jobs], self.round_ms)
        needed = self.owed[jobs] + np.ceil(self.left[jobs] / placed.speed)
        ends = needed <= self.round_ms
        time = np.where(ends, needed, self.round_ms).astype(np.int64)
        self.owed[jobs] -= overhead
        self.ran[jobs] += time
        self.chip_ms[jobs] += time * placed.chips
        self.lost[jobs] += overhead * placed.chips
        self.left[jobs] -= (time - overhead) * placed.speed
        self.end[jobs[ends]] = now + time[ends]
        self.held = after


class RoundPolicy(Protocol):
    """Who gives out the chips."""

    def place(self, now: int, active: Ints, changed: bool, state: Progress) -> Placement:
        """The jobs of the round at ``now`` out of the ``active``; ``changed``: some came or ended."""


def run_rounds(policy: RoundPolicy, state: Progress, chips: Ints) -> Done:
    """All rounds until every job has ended, at multiples of the round from the first submission."""
    jobs, round_ms = state.jobs, state.round_ms
    active = np.empty(0, dtype=np.int64)
    arrived, now, wanted = 0, 0, 0
    while arrived < len(jobs.submit) or len(active):
        if not len(active):
            now = max(now, -(-int(jobs.submit[arrived]) // round_ms) * round_ms)
        last = int(np.searchsorted(jobs.submit, now, side="right"))
        left = active[state.end[active] < 0]
        changed = last > arrived or len(left) < len(active)
        if changed:
            active = np.concatenate([left, np.arange(arrived, last)])
            arrived = last
        if not len(active):
            continue
        placed = policy.place(now, active, changed, state)
        wanted += int(placed.free.sum()) * round_ms if len(placed.jobs) < len(active) else 0
        state.run(now, active, placed)
        now += round_ms
    busy = int(state.chip_ms.sum())
    whole = float(chips.sum()) * float(state.end.max())
    unused = {"wanted": wanted / whole, "busy": busy / whole}
    wait = state.end - jobs.submit - state.ran
    return Done(state.start, state.end, wait, state.preemptions, state.lost, unused)

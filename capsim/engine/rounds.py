"""Schedules in rounds: every so often a policy says which jobs hold which chips until the next round.

A job runs for the round; the chips of one that ends are given out at the next. What a job holds is a number
that the policy gives meaning to: a type for Gavel, a configuration for Sia. A job that goes on after a pause,
or with something else than before, first loses its restart. An attempt that fails ends like a job; the next
one begins with the next round.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from capsim.engine.replay_jobs import Columns, Done
from capsim.workload.traces.model import Floats, Ints

NOTHING = -1
"""What a job holds that does not run."""

ANYWHERE = -1
"""The flavor of a job that may run on every type."""


class Placement(NamedTuple):
    """Jobs that run in a round: what each holds, its speed and chips there. ``free``: chips left by type."""

    jobs: Ints
    held: Ints
    speed: Floats
    chips: Ints
    free: Ints


@dataclass
class Progress:
    """The jobs' state between rounds; arrays [job]. ``left`` is work in ms at speed 1, times are in ms.

    ``restart_ms``: one for all, or one a job. ``attempts``: left of each job, 1 where it is not given;
    ``failed``: chip-ms of those that failed, without restarts. ``flavor``: the type that a job is confined
    to, or ANYWHERE.
    """

    jobs: Columns
    round_ms: int
    restart_ms: int | Ints
    attempts: Ints | None = None

    def __post_init__(self) -> None:
        count = len(self.jobs.submit)
        self.restart = np.broadcast_to(np.asarray(self.restart_ms, dtype=np.int64), count)
        self.tries = np.ones(count, dtype=np.int64) if self.attempts is None else self.attempts.copy()
        self.failed, self.flavor = np.zeros(count, dtype=np.int64), np.full(count, ANYWHERE, dtype=np.int64)
        self.begun = np.zeros(count, dtype=np.bool_)
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
        resumed = jobs[self.begun[jobs] & (self.held[jobs] != placed.held)]
        self.restarts[resumed] += 1
        self.owed[resumed] = self.restart[resumed]
        self.begun[jobs] = True
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
        again = ends & (self.tries[jobs] > 1)
        self.end[jobs[ends & ~again]] = now + time[ends & ~again]
        self.held = after
        self._try_again(jobs[again])

    def _try_again(self, jobs: Ints) -> None:
        """Attempts of these jobs have failed; the next ones begin from the beginning."""
        self.tries[jobs] -= 1
        self.failed[jobs] = self.chip_ms[jobs] - self.lost[jobs]
        self.left[jobs] = self.jobs.run[jobs]
        self.begun[jobs], self.held[jobs] = False, NOTHING

    def stop(self, jobs: Ints) -> None:
        """Between two rounds these jobs lose what they hold."""
        stopped = jobs[self.held[jobs] != NOTHING]
        self.preemptions[stopped] += 1
        self.held[stopped] = NOTHING


class RoundPolicy(Protocol):
    """Who gives out the chips."""

    def place(self, now: int, active: Ints, changed: bool, state: Progress) -> Placement:
        """The jobs of the round at ``now`` out of the ``active``; ``changed``: some came or left, or may run
        elsewhere than before.
        """


class Entrance(Protocol):
    """Which jobs may have chips: ``active``, by index."""

    active: Ints

    def reach(self, now: int, state: Progress) -> bool:
        """All that happens up to a round; whether the active jobs, or where they may run, have changed."""

    def coming(self) -> int | None:
        """The first instant after that round at which jobs may come; None: none will."""


class Open:
    """Every job may have chips from its submission on."""

    def __init__(self, submit: Ints) -> None:
        self.submit = submit
        self.active = np.empty(0, dtype=np.int64)
        self.arrived = 0

    def reach(self, now: int, state: Progress) -> bool:
        """See ``Entrance``."""
        last = int(np.searchsorted(self.submit, now, side="right"))
        left = self.active[state.end[self.active] < 0]
        changed = last > self.arrived or len(left) < len(self.active)
        if changed:
            self.active = np.concatenate([left, np.arange(self.arrived, last)])
            self.arrived = last
        return changed

    def coming(self) -> int | None:
        """See ``Entrance``."""
        return int(self.submit[self.arrived]) if self.arrived < len(self.submit) else None


def run_rounds(policy: RoundPolicy, state: Progress, chips: Ints, entrance: Entrance | None = None) -> Done:
    """All rounds until every job has ended, at multiples of the round from the first submission."""
    jobs, round_ms = state.jobs, state.round_ms
    door = entrance or Open(jobs.submit)
    now, wanted = 0, 0
    while True:
        if not len(door.active):
            coming = door.coming()
            if coming is None:
                break
            now = max(now, -(-coming // round_ms) * round_ms)
        changed = door.reach(now, state)
        if not len(door.active):
            continue
        placed = policy.place(now, door.active, changed, state)
        wanted += int(placed.free.sum()) * round_ms if len(placed.jobs) < len(door.active) else 0
        state.run(now, door.active, placed)
        now += round_ms
    busy = int(state.chip_ms.sum())
    whole = float(chips.sum()) * float(state.end.max())
    unused = {"wanted": wanted / whole, "busy": busy / whole}
    wait = state.end - jobs.submit - state.ran
    return Done(state.start, state.end, wait, state.preemptions, state.lost, unused)

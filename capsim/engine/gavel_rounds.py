"""Gavel's rounds (Narayanan et al., OSDI 2020): shares of time by linear program, then placement.

At the beginning of each round the shares are worked out anew if a job came or ended. A pair (job, type) has
the priority target / received: the sum of its shares over the rounds so far by the number of rounds that it
got. Pairs with a share are placed by priority while their chips last; then jobs that got nothing, those that
had fewest rounds first, take what is left on their fastest type, so that no chip idles that somebody can use.
A job runs for the round; the chips of one that ends are given out at the next round.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capsim.engine.replay_jobs import Columns, Done
from capsim.policies.gavel import allocate
from capsim.workload.traces.model import Floats, Ints

NEVER_RECEIVED = 1e9
"""Priority of a unit of share for a pair that has had no round yet: before all others, by share."""

LEAST_SHARE = 1e-9


@dataclass
class Rounds:
    """The jobs' state between rounds; arrays [job] or [job, type]. ``left`` is work in ms at speed 1."""

    jobs: Columns
    speed: Floats
    chips: Ints
    round_ms: int
    restart_ms: int

    def __post_init__(self) -> None:
        count = len(self.jobs.submit)
        self.left = self.jobs.run.astype(np.float64)
        self.share = np.zeros_like(self.speed)
        self.target = np.zeros_like(self.speed)
        self.received = np.zeros_like(self.speed)
        self.start, self.end = np.full(count, -1, dtype=np.int64), np.full(count, -1, dtype=np.int64)
        self.held, self.lost = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
        self.preemptions = np.zeros(count, dtype=np.int64)
        self.type = np.full(count, -1, dtype=np.int64)

    def place(self, active: Ints) -> tuple[Ints, Ints, Ints]:
        """Jobs that run in this round, the type of each, chips left over by type."""
        share, target, received = self.share[active], self.target[active], self.received[active]
        pairs = np.flatnonzero(share.ravel() > LEAST_SHARE)
        wanted, had = target.ravel()[pairs], received.ravel()[pairs]
        priority = np.where(had > 0, wanted / np.maximum(had, 1), wanted * NEVER_RECEIVED)
        order = pairs[np.argsort(-priority, kind="stable")]
        free = self.chips.tolist()
        sizes = self.jobs.size[active].tolist()
        given: dict[int, int] = {}
        types = len(free)
        for pair in order.tolist():
            job, kind = divmod(pair, types)
            if sizes[job] <= free[kind] and job not in given:
                given[job] = kind
                free[kind] -= sizes[job]
        self.fill(active, given, free, sizes)
        chosen = np.array(sorted(given), dtype=np.int64)
        kinds = np.array([given[job] for job in chosen.tolist()], dtype=np.int64)
        return active[chosen], kinds, np.array(free, dtype=np.int64)

    def fill(self, active: Ints, given: dict[int, int], free: list[int], sizes: list[int]) -> None:
        """Give what is left to jobs without a place: fewest rounds first, then by submission."""
        least = min((sizes[job] for job in range(len(sizes)) if job not in given), default=0)
        if not least or max(free) < least:
            return
        rounds = self.received[active].sum(axis=1)
        speed = self.speed[active]
        by_speed = np.argsort(-speed, axis=1, kind="stable").tolist()
        for job in np.argsort(rounds, kind="stable").tolist():
            if job in given:
                continue
            for kind in by_speed[job]:
                if speed[job, kind] > 0 and sizes[job] <= free[kind]:
                    given[job] = kind
                    free[kind] -= sizes[job]
                    break
            if max(free) < least:
                return

    def run(self, now: int, active: Ints, placed: Ints, kinds: Ints) -> None:
        """One round: work done, ends, time lost to restarts, who was preempted."""
        before = self.type[active]
        after = np.full(len(self.type), -1, dtype=np.int64)
        after[placed] = kinds
        moved = (before >= 0) & (after[active] != before)
        self.preemptions[active[moved]] += 1
        resumed = (self.start[placed] >= 0) & (self.type[placed] != kinds)
        overhead = np.where(resumed, min(self.restart_ms, self.round_ms), 0)
        self.start[placed[self.start[placed] < 0]] = now
        speed = self.speed[placed, kinds]
        needed = overhead + np.ceil(self.left[placed] / speed)
        ends = needed <= self.round_ms
        time = np.where(ends, needed, self.round_ms).astype(np.int64)
        self.held[placed] += time
        self.lost[placed] += overhead * self.jobs.size[placed]
        self.left[placed] -= (self.round_ms - overhead) * speed
        self.end[placed[ends]] = now + time[ends]
        self.received[placed, kinds] += 1
        self.type = after


def run_rounds(
    objective: str, jobs: Columns, speed: Floats, chips: Ints, round_ms: int, restart_ms: int = 0
) -> Done:
    """All rounds until every job has ended, at multiples of ``round_ms`` from the first submission.

    ``speed`` [job, type] is 0 where a job cannot run. ``objective`` is one of ``gavel.OBJECTIVES``.
    """
    state = Rounds(jobs, speed, chips, round_ms, restart_ms)
    active = np.empty(0, dtype=np.int64)
    arrived, now, wanted = 0, 0, 0
    while arrived < len(jobs.submit) or len(active):
        if not len(active):
            now = max(now, -(-int(jobs.submit[arrived]) // round_ms) * round_ms)
        last = int(np.searchsorted(jobs.submit, now, side="right"))
        left = active[state.end[active] < 0]
        if last > arrived or len(left) < len(active):
            active = np.concatenate([left, np.arange(arrived, last)])
            arrived = last
            found = allocate(objective, speed[active], jobs.size[active], chips)
            state.share[active] = found.shares
        if not len(active):
            continue
        state.target[active] += state.share[active]
        placed, kinds, free = state.place(active)
        wanted += int(free.sum()) * round_ms if len(placed) < len(active) else 0
        state.run(now, active, placed, kinds)
        now += round_ms
    busy = int((state.held * jobs.size).sum())
    whole = float(chips.sum()) * float(state.end.max())
    unused = {"wanted": wanted / whole, "busy": busy / whole}
    wait = state.end - jobs.submit - state.held
    return Done(state.start, state.end, wait, state.preemptions, state.lost, unused)

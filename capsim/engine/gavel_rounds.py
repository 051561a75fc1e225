"""Gavel's rounds (Narayanan et al., OSDI 2020): shares of time by linear program, then placement.

At the beginning of each round the shares are worked out anew if a job came or ended. A pair (job, type) has
the priority target / received: the sum of its shares over the rounds so far by the number of rounds that it
got. Pairs with a share are placed by priority while their chips last; then jobs that got nothing, those that
had fewest rounds first, take what is left on their fastest type, so that no chip idles that somebody can use.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capsim.engine.replay_jobs import Done
from capsim.engine.rounds import ANYWHERE, Entrance, Placement, Progress, run_rounds
from capsim.policies.gavel import allocate
from capsim.workload.traces.model import Floats, Ints

NEVER_RECEIVED = 1e9
"""Priority of a unit of share for a pair that has had no round yet: before all others, by share."""

LEAST_SHARE = 1e-9


@dataclass
class GavelRounds:
    """Gavel's account of shares and rounds [job, type]. ``speed`` is 0 where a job cannot run.

    ``tenant`` of each job and ``weights`` of the tenants: a job's weight is its tenant's over the tenant's
    jobs of the round; 1 for all without them.
    """

    objective: str
    size: Ints
    speed: Floats
    chips: Ints
    tenant: Ints | None = None
    weights: Floats | None = None

    def __post_init__(self) -> None:
        self.share = np.zeros_like(self.speed)
        self.confined = self.speed[:0]  # of the active jobs, where they may run now
        self.target = np.zeros_like(self.speed)
        self.received = np.zeros_like(self.speed)

    def place(self, now: int, active: Ints, changed: bool, state: Progress) -> Placement:
        """The jobs of a round by priority; the program is solved if the active jobs have changed."""
        if changed:
            self.confined = self.speed[active]
            here = state.flavor[active]
            self.confined[(here != ANYWHERE)[:, None] & (here[:, None] != np.arange(len(self.chips)))] = 0.0
            self.share[active] = allocate(
                self.objective, self.confined, self.size[active], self.chips, self.weight(active)
            ).shares
        self.target[active] += self.share[active]
        jobs, kinds, free = self.by_priority(active)
        self.received[jobs, kinds] += 1
        return Placement(jobs, kinds, self.speed[jobs, kinds], self.size[jobs], free)

    def weight(self, active: Ints) -> Floats | None:
        """Weights of the active jobs; None where all count alike."""
        if self.tenant is None or self.weights is None:
            return None
        tenant = self.tenant[active]
        found: Floats = self.weights[tenant] / np.bincount(tenant)[tenant]
        return found

    def by_priority(self, active: Ints) -> tuple[Ints, Ints, Ints]:
        """Jobs that run in this round, the type of each, chips left over by type."""
        share, target, received = self.share[active], self.target[active], self.received[active]
        pairs = np.flatnonzero(share.ravel() > LEAST_SHARE)
        wanted, had = target.ravel()[pairs], received.ravel()[pairs]
        priority = np.where(had > 0, wanted / np.maximum(had, 1), wanted * NEVER_RECEIVED)
        order = pairs[np.argsort(-priority, kind="stable")]
        free = self.chips.tolist()
        sizes = self.size[active].tolist()
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
        speed = self.confined
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


def run_gavel(
    objective: str,
    state: Progress,
    speed: Floats,
    chips: Ints,
    tenant: Ints | None = None,
    weights: Floats | None = None,
    entrance: Entrance | None = None,
) -> Done:
    """Gavel's rounds until every job has ended.

    ``speed`` [job, type] is 0 where a job cannot run. ``objective`` is one of ``gavel.OBJECTIVES``.
    ``tenant``, ``weights``: see GavelRounds. ``entrance``: who may have chips (None: every job).
    """
    policy = GavelRounds(objective, state.jobs.size, speed, chips, tenant, weights)
    return run_rounds(policy, state, chips, entrance)

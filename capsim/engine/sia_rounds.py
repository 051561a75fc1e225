"""Sia's rounds (Jayaram Subramanya et al., SOSP 2023): each solves the program of ``capsim.policies.sia``.

It knows the jobs' speeds in every configuration, not their run times. Jobs that are alike (class, size, what
they hold, what they may have, r in whole percent) share variables; of them the one submitted first is served
first. An elastic job begins with its least configuration and at most doubles its chips from round to round,
as jobs of Pollux and Sia do, whose speeds have to be measured on the way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capsim.engine.replay_jobs import Done
from capsim.engine.replay_types import Types
from capsim.engine.rounds import ANYWHERE, NOTHING, Entrance, Placement, Progress, run_rounds
from capsim.policies.gavel import alike
from capsim.policies.sia import Options, choose, gains, options_of, padded, restart_factor
from capsim.workload.traces.model import Ints


@dataclass
class SiaRounds:
    """The options of each kind of job: a class, a size, whether it may have more, the type it is confined to.

    ``capped`` [job]: it may have no more chips than its size, as it is charged for no more. ``split`` [job]:
    it is confined to a type, of those that can run it, whichever the entrance says. What a job holds is an
    option of its kind, ``kind_in`` [job, type + 1], the first of a job that may run anywhere.
    """

    types: Types
    size: Ints
    job_class: Ints
    capped: NDArray[np.bool_] | None = None
    split: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        count, width = len(self.size), len(self.types.chips)
        never = np.zeros(count, dtype=np.bool_)
        capped, split = (never if given is None else given for given in (self.capped, self.split))
        able = (self.types.speed[self.job_class] > 0) & (self.size[:, None] <= self.types.chips)
        where = np.column_stack([~split, split[:, None] & able])
        job, flavor = np.nonzero(where)
        asked = np.column_stack([self.job_class[job], self.size[job], capped[job], flavor - 1])
        kinds, kind = np.unique(asked, axis=0, return_inverse=True)
        self.kind_in = np.full((count, width + 1), NOTHING, dtype=np.int64)
        self.kind_in[job, flavor] = kind.reshape(-1)
        options = [self.options(*row) for row in kinds.tolist()]
        self.option_type, self.option_chips, self.option_rate, self.goodput = padded(options)
        self.least = np.where(self.goodput > 0, self.option_chips, np.iinfo(np.int64).max).min(axis=1)
        self.reach = np.zeros(count, dtype=np.int64)

    def options(self, group: int, size: int, capped: int, flavor: int) -> Options:
        """The options of a kind of jobs."""
        types, elastic = self.types, self.types.elastic[group]
        speed = types.speed[group]
        if flavor != ANYWHERE:
            speed = np.where(np.arange(len(speed)) == flavor, speed, 0.0)
        if elastic is not None and capped:
            elastic = (elastic[0], min(elastic[1], size), elastic[2])
        return options_of(size, speed, types.chips, types.node, elastic)

    def place(self, now: int, active: Ints, changed: bool, state: Progress) -> Placement:
        """The configurations of a round: the program over the active jobs."""
        held, submit = state.held[active], state.jobs.submit[active]
        kind = self.kind_in[active, state.flavor[active] + 1]
        reach = np.maximum(self.reach[active], self.least[kind])
        factor = np.where(
            held == NOTHING,
            1.0,
            np.round(restart_factor(now - submit, state.restarts[active], state.restart[active]), 2),
        )
        rows, member, _ = alike(np.column_stack([kind, held, reach, factor]))
        kinds = rows[:, 0].astype(np.int64)
        chips = self.option_chips[kinds]
        goodput = np.where(chips <= rows[:, 2:3], self.goodput[kinds], 0.0)
        gain = gains(goodput, rows[:, 3], rows[:, 1].astype(np.int64))
        option = choose(gain, chips, self.option_type[kinds], self.types.chips, member).option
        runs = np.flatnonzero(option != NOTHING)
        jobs, taken, own = active[runs], option[runs], kind[runs]
        given = self.option_chips[own, taken]
        self.reach[jobs] = np.maximum(self.reach[jobs], 2 * given)
        used = np.bincount(self.option_type[own, taken], weights=given, minlength=len(self.types.chips))
        free = self.types.chips - used.astype(np.int64)
        return Placement(jobs, taken, self.option_rate[own, taken], given, free)


def run_sia(state: Progress, policy: SiaRounds, entrance: Entrance | None = None) -> Done:
    """Sia's rounds until every job has ended; ``entrance``: who may have chips (None: every job)."""
    return run_rounds(policy, state, policy.types.chips, entrance)

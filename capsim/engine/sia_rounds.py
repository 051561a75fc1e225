"""Sia's rounds (Jayaram Subramanya et al., SOSP 2023): each solves the program of ``capsim.policies.sia``.

It knows the jobs' speeds in every configuration, not their run times. Jobs that are alike (class, size, what
they hold, what they may have, r in whole percent) share variables; of them the one submitted first is served
first. An elastic job begins with its least configuration and at most doubles its chips from round to round,
as jobs of Pollux and Sia do, whose speeds have to be measured on the way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capsim.engine.replay_jobs import Columns, Done
from capsim.engine.replay_types import Types
from capsim.engine.rounds import NOTHING, Placement, Progress, run_rounds
from capsim.policies.gavel import alike
from capsim.policies.sia import choose, gains, options_of, padded, restart_factor
from capsim.workload.traces.model import Ints


@dataclass
class SiaRounds:
    """The options of each kind of job, a class and a size; ``kind`` [job]. What a job holds is an option."""

    types: Types
    size: Ints
    job_class: Ints

    def __post_init__(self) -> None:
        asked = np.column_stack([self.job_class, self.size])
        kinds, kind = np.unique(asked, axis=0, return_inverse=True)
        self.kind = kind.reshape(-1)
        options = [
            options_of(
                size, self.types.speed[group], self.types.chips, self.types.node, self.types.elastic[group]
            )
            for group, size in kinds.tolist()
        ]
        self.option_type, self.option_chips, self.option_rate, self.goodput = padded(options)
        least = np.where(self.goodput > 0, self.option_chips, np.iinfo(np.int64).max).min(axis=1)
        self.reach = least[self.kind]

    def place(self, now: int, active: Ints, changed: bool, state: Progress) -> Placement:
        """The configurations of a round: the program over the active jobs."""
        held, kind, submit = state.held[active], self.kind[active], state.jobs.submit[active]
        factor = np.where(
            held == NOTHING,
            1.0,
            np.round(restart_factor(now - submit, state.restarts[active], state.restart_ms), 2),
        )
        rows, member, _ = alike(np.column_stack([kind, held, self.reach[active], factor]))
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


def run_sia(jobs: Columns, types: Types, job_class: Ints) -> Done:
    """Sia's rounds until every job has ended; ``job_class`` [job]: index into the classes of ``types``."""
    state = Progress(jobs, types.round_ms, types.restart_ms)
    return run_rounds(SiaRounds(types, jobs.size, job_class), state, types.chips)

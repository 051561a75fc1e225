"""Tenants' limits, dependencies and arrays for policies that give out chips in rounds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from capsim.engine.gate import Gate
from capsim.engine.replay_cluster import Queue, layout_of_types
from capsim.engine.replay_jobs import Columns, Done
from capsim.engine.replay_types import Types
from capsim.engine.rounds import ANYWHERE, Progress


class Admission:
    """The jobs that the gate lets through; see ``capsim.engine.rounds.Entrance``."""

    def __init__(self, jobs: Columns, queue: Queue, types: Types) -> None:
        self.queue, self.types = queue, types
        speed = [types.speed[kind.job_class].tolist() for kind in queue.jobs.kinds]
        self.gate = Gate(jobs, queue, layout_of_types(types), speed, types.round_ms, types.names)
        self.active = np.empty(0, dtype=np.int64)
        self.booked = np.zeros(len(jobs.submit), dtype=np.int64)
        self.chip_ms = np.zeros((len(queue.trace.tenants), len(types.chips)), dtype=np.int64)

    @property
    def split(self) -> NDArray[np.bool_]:
        """Jobs of tenants with quotas by chip type, each confined to a type."""
        tenants = self.queue.trace.tenants
        split = np.array([self.queue.rules.terms_of(name).by_name for name in tenants], dtype=np.bool_)
        return split[self.queue.tenant]

    @property
    def capped(self) -> NDArray[np.bool_]:
        """Jobs that a limit of chips is charged for: they may have no more than their size."""
        rules, terms = self.queue.rules, self.queue.jobs
        quotas = [rules.terms_of(name).quota is not None for name in self.queue.trace.tenants]
        limits = np.array([kind.terms.max_chips is not None for kind in terms.kinds], dtype=np.bool_)
        return np.array(quotas, dtype=np.bool_)[self.queue.tenant] | limits[terms.kind]

    def reach(self, now: int, state: Progress) -> bool:
        """All ends, submissions and admissions up to a round; who has lost his admission stops."""
        self._book(state)
        ended = self.active[state.end[self.active] >= 0]
        in_turn = ended[np.lexsort((self.gate.place[ended], state.end[ended]))]
        for job, end in zip(in_turn.tolist(), state.end[in_turn].tolist(), strict=True):
            self.gate.end(job, end)
        before, flavors = self.active, state.flavor[self.active]
        admitted = self.gate.reach(now)
        jobs, cluster = self.gate.own[admitted], self.gate.cluster
        state.flavor[jobs] = cluster.flavors(admitted)
        state.jobs.submit[jobs] = cluster.jobs["submit"][admitted]
        self.active = np.sort(jobs)
        moved = before[state.flavor[before] != flavors]
        left = np.setdiff1d(before, self.active, assume_unique=True)
        state.stop(np.union1d(left[state.end[left] < 0], moved))
        return len(moved) > 0 or not np.array_equal(before, self.active)

    def _book(self, state: Progress) -> None:
        """Chip-time since the last round, by tenant and type, of jobs that are confined to one."""
        jobs = self.active[state.flavor[self.active] != ANYWHERE]
        had = state.chip_ms[jobs] - self.booked[jobs]
        np.add.at(self.chip_ms, (self.queue.tenant[jobs], state.flavor[jobs]), had)
        self.booked[jobs] = state.chip_ms[jobs]

    def coming(self) -> int | None:
        """See ``Entrance``."""
        return self.gate.coming()

    def finish(self, done: Done, state: Progress) -> Done:
        """What the rounds did, with the instants from which jobs waited, and what became of the chip-time."""
        rules = self.queue.rules
        quotas = rules.quotas(self.queue.trace, lambda: self.chip_ms, self.types.names)
        done = self.gate.finish(done, state.ran)._replace(quotas=quotas)
        return done._replace(spent=state.chip_ms, failed=state.failed) if rules.fates else done

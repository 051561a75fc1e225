"""Tenants' limits, dependencies and arrays for policies that give out chips in rounds.

The kernel itself decides who is admitted: it is given the jobs on a machine on which nothing may start, and
is told when a job that a round ran is over. Its queue is then the jobs that may have chips, its passes are
the rounds. So all policies have the same rules (docs/scheduling.md, "Tenants" and "Dependencies, arrays,
fates").
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from capsim.engine.replay_agenda import Agenda, Feedback
from capsim.engine.replay_cluster import Queue, eligible_at, layout_of_types
from capsim.engine.replay_jobs import Columns, Done
from capsim.engine.replay_types import Types
from capsim.engine.rounds import ANYWHERE, Progress
from capsim.kernel.api import Cluster, Policy
from capsim.kernel.layout import Classes, make_jobs
from capsim.kernel.options import JobOptions
from capsim.tables import CANCELLED, DONE, FAILED_JOB, HELD, WAITING
from capsim.workload.traces.terms import CANCELLED as CALLED_OFF
from capsim.workload.traces.terms import COMPLETED, FAILED

ENDED_AS = {COMPLETED: DONE, FAILED: FAILED_JOB, CALLED_OFF: CANCELLED}
"""The kernel's state of a job that met its fate."""


class Admission:
    """The jobs that the kernel has admitted; see ``capsim.engine.rounds.Entrance``.

    Jobs are numbered as listed; ``place`` is the kernel's number of each, ``own`` the reverse: not the same
    where jobs are submitted their think time after others end.
    """

    def __init__(self, jobs: Columns, queue: Queue, types: Types) -> None:
        self.queue, self.types, self.jobs = queue, types, jobs
        terms, rules = queue.jobs, queue.rules
        rows = (jobs.submit, jobs.run, jobs.size, jobs.requested)
        table = make_jobs(*rows, tenant=queue.tenant, cls=terms.kind)
        thinking = terms.waits if rules.dependencies == "think" else None
        self.feedback = Feedback(table, thinking) if thinking is not None else None
        self.watched = table["watched"] != 0
        self.job_of = self.feedback.job_of if self.feedback is not None else list(range(len(table)))
        self.own = np.array(self.job_of, dtype=np.int64)
        self.place = np.full(len(table), -1, dtype=np.int64)
        self.place[self.own] = np.arange(len(self.own))
        self.listed = jobs.submit[self.own]
        options = terms.options() if self.feedback is None else None
        self.cluster = self._cluster(table[self.own], options)
        self.agenda, self.arrived = Agenda(), 0
        none = np.empty(0, dtype=np.int64)
        self.active, self.present = none, none  # by own and by the kernel's numbers
        self.booked = np.zeros(len(table), dtype=np.int64)
        self.chip_ms = np.zeros((len(queue.trace.tenants), len(types.chips)), dtype=np.int64)

    def _cluster(self, table: np.ndarray, options: JobOptions | None) -> Cluster:
        """All chips are there, so that the kernel knows where a job could run, and none can be had."""
        terms, rules, types = self.queue.jobs, self.queue.rules, self.types
        classes = Classes(len(types.chips))
        for kind in terms.kinds:
            classes.add(speed=types.speed[kind.job_class].tolist(), preemptible=True)
        governance = rules.governance(self.queue.trace, {}, terms.kinds, types.names)
        cluster = Cluster(
            layout_of_types(types),
            table,
            classes,
            policy=Policy(backfill="none", interval=types.round_ms),
            governance=governance,
            options=options if options is None else replace(options, fate=None, retries=None),
            max_extra_jobs=self.feedback.late if self.feedback is not None else 0,
        )
        for site in range(len(types.chips)):
            cluster.activate(site)
            cluster.drain(site)
        return cluster

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
        in_turn = ended[np.lexsort((self.place[ended], state.end[ended]))]
        for job, end in zip(in_turn.tolist(), state.end[in_turn].tolist(), strict=True):
            self._advance(end)
            place = int(self.place[job])
            self.cluster.conclude(place, ENDED_AS[int(self.queue.jobs.fate[job])])
            if self.feedback is not None and self.watched[job]:
                self.feedback.ended(place, end, self.agenda, self.cluster)
        self._advance(now + 1)
        before, flavors = self.active, state.flavor[self.active]
        self._look(now, state)
        moved = before[state.flavor[before] != flavors]
        left = np.setdiff1d(before, self.active, assume_unique=True)
        state.stop(np.union1d(left[state.end[left] < 0], moved))
        return len(moved) > 0 or not np.array_equal(before, self.active)

    def _advance(self, until: int) -> None:
        """Time passes; jobs are submitted on their way."""
        while (at := self.agenda.next(until)) < until:
            self.cluster.advance(at)
            self.agenda.act(at)
        self.cluster.advance(until)

    def _look(self, now: int, state: Progress) -> None:
        """Who is admitted, and where."""
        last = int(np.searchsorted(self.listed, now, side="right"))
        late = np.arange(len(self.own), len(self.job_of))
        if len(late):
            self.own = np.array(self.job_of, dtype=np.int64)
            self.place[self.own[late]] = late
        self.present = np.concatenate([self.present, np.arange(self.arrived, last), late])
        self.arrived = last
        runs = self.cluster.runs
        self.present = self.present[runs["state"][self.present] == WAITING]
        admitted = self.present[runs["parked"][self.present] != HELD]
        jobs = self.own[admitted]
        state.flavor[jobs] = self.cluster.flavors(admitted)
        state.jobs.submit[jobs] = self.cluster.jobs["submit"][admitted]
        self.active = np.sort(jobs)

    def _book(self, state: Progress) -> None:
        """Chip-time since the last round, by tenant and type, of jobs that are confined to one."""
        jobs = self.active[state.flavor[self.active] != ANYWHERE]
        had = state.chip_ms[jobs] - self.booked[jobs]
        np.add.at(self.chip_ms, (self.queue.tenant[jobs], state.flavor[jobs]), had)
        self.booked[jobs] = state.chip_ms[jobs]

    def coming(self) -> int | None:
        """The first instant after the last round at which a job is submitted; None: all have been."""
        at = int(self.listed[self.arrived]) if self.arrived < len(self.listed) else None
        never = np.iinfo(np.int64).max
        first = self.agenda.next(never if at is None else at)
        return None if first == never else first

    def finish(self, done: Done, state: Progress) -> Done:
        """What the rounds did, with the instants from which jobs waited, and what became of the chip-time."""
        rules, terms = self.queue.rules, self.queue.jobs
        eligible, end = state.jobs.submit, done.end
        if self.feedback is None and terms.waits is not None:
            completed = (end >= 0) & (terms.fate == COMPLETED)
            eligible, end = eligible_at(self.jobs.submit, done.start, end, completed, terms.waits)
        quotas = rules.quotas(self.queue.trace, lambda: self.chip_ms, self.types.names)
        done = done._replace(end=end, wait=end - eligible - state.ran, eligible=eligible, quotas=quotas)
        return done._replace(spent=state.chip_ms, failed=state.failed) if rules.fates else done

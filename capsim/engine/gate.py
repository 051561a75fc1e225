"""The gate that the kernel keeps before other schedulers: tenants' limits, dependencies, arrays.

The kernel is given the jobs on a machine on which nothing may start, and is told when a job that was run
elsewhere is over. Its queue is then the jobs that may have chips. So all policies have the same rules
(docs/scheduling.md, "Tenants" and "Dependencies, arrays, fates").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from capsim.engine.replay_agenda import Agenda, Feedback
from capsim.engine.replay_cluster import Queue, eligible_at
from capsim.engine.replay_jobs import Columns, Done
from capsim.kernel.api import Cluster, Policy
from capsim.kernel.layout import Classes, Layout, make_jobs
from capsim.kernel.options import JobOptions
from capsim.tables import CANCELLED, DONE, FAILED_JOB, HELD, NEVER, WAITING
from capsim.workload.traces.model import Ints
from capsim.workload.traces.terms import CANCELLED as CALLED_OFF
from capsim.workload.traces.terms import COMPLETED, FAILED

ENDED_AS = {COMPLETED: DONE, FAILED: FAILED_JOB, CALLED_OFF: CANCELLED}
"""The kernel's state of a job that met its fate."""


class Gate:
    """Jobs that were submitted and are not over: who of them may have chips.

    Jobs are numbered as listed; ``place`` is the kernel's number of each, ``own`` the reverse: not the same
    where jobs are submitted their think time after others end. ``present``: the kernel's numbers of jobs that
    are there.
    """

    def __init__(
        self,
        jobs: Columns,
        queue: Queue,
        layout: Layout,
        speed: list[list[float]],
        interval: int = 0,
        types: Sequence[str] = (),
    ) -> None:
        """``speed``: of each class of the queue's jobs on each pool; ``interval``: ms between two passes;
        ``types``: the chip type of each pool.
        """
        self.queue, self.jobs = queue, jobs
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
        self.agenda, self.arrived = Agenda(), 0
        self.present = np.empty(0, dtype=np.int64)
        self.cluster = self._cluster(table[self.own], layout, speed, interval, types)

    def _cluster(
        self, table: np.ndarray, layout: Layout, speed: list[list[float]], interval: int, types: Sequence[str]
    ) -> Cluster:
        """All chips are there, so that the kernel knows where a job could run, and none can be had."""
        terms, rules = self.queue.jobs, self.queue.rules
        classes = Classes(len(layout.pools))
        for row in speed:
            classes.add(speed=row, preemptible=True)
        options: JobOptions | None = terms.options() if self.feedback is None else None
        cluster = Cluster(
            layout,
            table,
            classes,
            policy=Policy(backfill="none", interval=interval),
            governance=rules.governance(self.queue.trace, {}, terms.kinds, types),
            options=options if options is None else replace(options, fate=None, retries=None),
            max_extra_jobs=self.feedback.late if self.feedback is not None else 0,
        )
        for tranche, rows in enumerate(layout.tranches):
            cluster.activate(tranche)
            cluster.drain(rows.site)
        return cluster

    def end(self, job: int, at: int) -> None:
        """A job ends; jobs do so in the order of time, then of ``place``."""
        self._advance(at)
        place = int(self.place[job])
        self.cluster.conclude(place, ENDED_AS[int(self.queue.jobs.fate[job])])
        if self.feedback is not None and self.watched[job]:
            self.feedback.ended(place, at, self.agenda, self.cluster)

    def reach(self, now: int) -> Ints:
        """All of this instant: its submissions and a pass. Returns ``place`` of those who may have chips."""
        self._advance(now + 1)
        last = int(np.searchsorted(self.listed, now, side="right"))
        late = np.arange(len(self.own), len(self.job_of))
        if len(late):
            self.own = np.array(self.job_of, dtype=np.int64)
            self.place[self.own[late]] = late
        self.present = np.concatenate([self.present, np.arange(self.arrived, last), late])
        self.arrived = last
        runs = self.cluster.runs
        self.present = self.present[runs["state"][self.present] == WAITING]
        admitted: Ints = self.present[runs["parked"][self.present] != HELD]
        return admitted

    def _advance(self, until: int) -> None:
        """Time passes; jobs are submitted on their way."""
        while (at := self.agenda.next(until)) < until:
            self.cluster.advance(at)
            self.agenda.act(at)
        self.cluster.advance(until)

    def coming(self) -> int | None:
        """The first instant from now on at which a job is submitted; None: all have been."""
        at = int(self.listed[self.arrived]) if self.arrived < len(self.listed) else int(NEVER)
        first = self.agenda.next(at)
        return None if first == NEVER else first

    def finish(self, done: Done, ran: Ints) -> Done:
        """What was done elsewhere, with the instants from which jobs waited; ``ran``: ms that each ran."""
        waits, end = self.queue.jobs.waits, done.end
        if self.feedback is not None:
            eligible = self.cluster.jobs["submit"][self.place].astype(np.int64)
        elif waits is not None:
            completed = (end >= 0) & (self.queue.jobs.fate == COMPLETED)
            eligible, end = eligible_at(self.jobs.submit, done.start, end, completed, waits)
        else:
            eligible = self.jobs.submit
        return done._replace(end=end, wait=end - eligible - ran, eligible=eligible)

"""The research queue as the control processes see it: its backlog, and campaigns that are given up."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import MS_DAY
from capsim.control.context import Context
from capsim.tables import WAITING

REVIEW = 7 * MS_DAY


class ResearchQueue:
    """Watches the campaigns: the first `count` jobs of the cluster, sorted by submission.

    Attributes:
        given_up: ms at which each campaign was given up, -1 where it was not, shape (count,).
        rented: begin and end, ms, of each campaign that runs on chips rented by the hour; -1 elsewhere, shape
            (2, count). None where the study sends no research out.
    """

    def __init__(self, ctx: Context, count: int) -> None:
        self.ctx = ctx
        self.count = count
        self.given_up = np.full(count, -1, dtype=np.int64)
        self.rented: NDArray[np.int64] | None = None
        self._looked = 0

    def start(self) -> None:
        """Start giving up campaigns whose patience is over, if the study says so."""
        spec = self.ctx.prepared.study.demand.research
        if spec is not None and spec.patience is not None and self.count:
            self.ctx.env.process(self._give_up(int(spec.patience)))

    def _give_up(self, patience: int) -> Generator[Any, Any, None]:
        ctx = self.ctx
        runs = ctx.cluster.runs[: self.count]
        state, start = runs["state"], runs["start"]
        reviews = np.arange(REVIEW, ctx.end, REVIEW)
        lasts = np.searchsorted(ctx.cluster.jobs["submit"][: self.count], reviews - patience, side="right")
        for at, last in zip(reviews.tolist(), lasts.tolist(), strict=True):
            yield ctx.until(at)
            due = slice(self._looked, last)
            late = np.flatnonzero((state[due] == WAITING) & (start[due] < 0)) + due.start
            ctx.cluster.cancel_many(late)
            self.given_up[late] = ctx.now
            self._looked = last

    def waiting_since(self, at: int) -> NDArray[np.int64]:
        """Campaigns submitted by an instant that never started, in the order of submission."""
        cluster = self.ctx.cluster
        queued = cluster.waiting()
        last = int(np.searchsorted(cluster.jobs["submit"][: self.count], at, side="right"))
        queued = np.sort(queued[queued < last])
        late: NDArray[np.int64] = queued[cluster.runs["start"][queued] < 0].astype(np.int64)
        return late

    def work(self, jobs: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Chips of campaigns, and ms that each takes on as many reference chips."""
        rows = self.ctx.cluster.jobs
        return rows["size_ref"][jobs].astype(np.int64), rows["run"][jobs].astype(np.int64)

    def not_rented(self, jobs: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of some campaigns that do not run on rented chips."""
        assert self.rented is not None
        left: NDArray[np.int64] = jobs[self.rented[0, jobs] < 0]
        return left

    def send_out(self, jobs: NDArray[np.int64], begin: int, end: NDArray[np.int64]) -> None:
        """Waiting campaigns leave the queue and run on chips that are rented for them."""
        if len(jobs):
            assert self.rented is not None
            self.ctx.cluster.cancel_many(jobs)
            self.rented[0, jobs], self.rented[1, jobs] = begin, end

    def backlog(self) -> float:
        """Queued work over what all chips in working order could do, ms."""
        ctx = self.ctx
        if not self.count:
            return 0.0
        queued = ctx.cluster.waiting()
        queued = queued[queued < self.count]
        sizes = ctx.cluster.jobs["size_ref"][queued].astype(np.float64)
        work = float((sizes * ctx.cluster.runs["work_left"][queued]).sum())
        chips = ctx.cluster.chips()
        healthy = chips["active"] - chips["out"] - chips["broken"]
        rate = sum(float(healthy[p]) * speed for p, speed in ctx.research_speed.items())
        return work / rate if rate > 0 else (float("inf") if work > 0 else 0.0)

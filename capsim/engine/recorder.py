"""Monthly snapshots of the kernel's exact integrals."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from capsim.compile.prepare import INFERENCE, RESEARCH, RL, TRAINING
from capsim.control.context import Context
from capsim.kernel.accounts import WORK

FRAGMENTATION_MONTHS = 3  # the queue is looked through this often; fragmentation changes slowly


class Recorder:
    """Integrals at each month boundary; differences of rows are what happened in the month.

    Attributes:
        sites: by column name, chip-ms since the start, shape (months + 1, places).
        kinds: allocated chip-ms, shape (months + 1, places, kinds).
        work: useful, redone, overhead, in-flight and retried chip-ms, shape (months + 1, places, kinds, 5).
        fragmented: share of the free chips that no queued job could use, shape (months + 1, places); looked
            up after the first pass of every third month.
    """

    COLUMNS = ("active", "out", "barred", "broken", "free", "spare")
    USED_KINDS = (TRAINING, RL, RESEARCH, INFERENCE)

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.edges = ctx.prepared.calendar.months()
        n, places = len(self.edges), len(ctx.places())
        self.sites = {name: np.zeros((n, places), dtype=np.int64) for name in self.COLUMNS}
        self.kinds = np.zeros((n, places, len(self.USED_KINDS)), dtype=np.int64)
        self.work = np.zeros((n, places, len(self.USED_KINDS), len(WORK)), dtype=np.int64)
        self.fragmented = np.zeros((n, places))

    def start(self) -> None:
        """Start the control processes that take the snapshots inside the horizon."""
        self.ctx.env.process(self._follow())
        self.ctx.env.process(self._look_for_fragments())

    def _follow(self) -> Generator[Any, Any, None]:
        for month, edge in enumerate(self.edges[:-1]):
            yield self.ctx.until(edge)
            self.take(month)

    def _look_for_fragments(self) -> Generator[Any, Any, None]:
        """Right after a pass: what came or came free since the one before is not fragmented, only new."""
        interval = max(int(self.ctx.prepared.study.scheduler.interval), 1)
        for month in range(0, len(self.edges) - 1, FRAGMENTATION_MONTHS):
            yield self.ctx.until(-(-self.edges[month] // interval) * interval + 1)
            self.fragmented[month:] = fragmented_shares(self.ctx.cluster.fragmentation())

    def take(self, month: int) -> None:
        """Read the integrals now into row `month`."""
        cluster = self.ctx.cluster
        times, pools = cluster.chip_time(), cluster.pool_time()
        for name in self.COLUMNS:
            self.sites[name][month] = times[name]
        self.kinds[month] = times["allocated"][:, list(self.USED_KINDS)]
        by_pool = pools.reshape(len(self.ctx.places()), -1)
        for w, name in enumerate(WORK):
            self.work[month, :, :, w] = by_pool[name][:, list(self.USED_KINDS)]

    def monthly(self, name: str) -> NDArray[np.int64]:
        """Chip-ms in each month, shape (months, places)."""
        return np.diff(self.sites[name], axis=0)


def fragmented_shares(pools: list[dict[str, int]]) -> NDArray[np.float64]:
    """Share of the free chips that queued jobs want and cannot use, too few or scattered, shape (pools,)."""
    stuck = np.array([reasons["too_few"] + reasons["scattered"] for reasons in pools], dtype=np.float64)
    other = np.array([reasons["no_demand"] + reasons["reserved"] for reasons in pools])
    shares: NDArray[np.float64] = np.divide(stuck, stuck + other, out=np.zeros(len(pools)), where=stuck > 0)
    return shares

"""Monthly snapshots of the kernel's exact integrals."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from capsim.compile.prepare import INFERENCE, RESEARCH, RL, TRAINING
from capsim.control.context import Context

FRAGMENTATION_MONTHS = 3  # the queue is looked through this often; fragmentation changes slowly


class Recorder:
    """Integrals at each month boundary; differences of rows are what happened in the month.

    Attributes:
        sites: by column name, chip-ms since the start, shape (months + 1, places).
        kinds: allocated chip-ms, shape (months + 1, places, kinds).
        work: useful, redone, overhead and in-flight chip-ms, shape (months + 1, places, kinds, 4).
        fragmented: share of the free chips that no queued job could use, shape (months + 1,).
    """

    COLUMNS = ("active", "out", "barred", "broken", "free", "spare")
    WORK = ("useful", "redone", "overhead", "in_flight")
    USED_KINDS = (TRAINING, RL, RESEARCH, INFERENCE)

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.edges = ctx.prepared.calendar.months()
        n, places = len(self.edges), len(ctx.places())
        self.sites = {name: np.zeros((n, places), dtype=np.int64) for name in self.COLUMNS}
        self.kinds = np.zeros((n, places, len(self.USED_KINDS)), dtype=np.int64)
        self.work = np.zeros((n, places, len(self.USED_KINDS), len(self.WORK)), dtype=np.int64)
        self.fragmented = np.zeros(n)

    def start(self) -> None:
        """Start the control process that takes the snapshots inside the horizon."""
        self.ctx.env.process(self._follow())

    def _follow(self) -> Generator[Any, Any, None]:
        for month, edge in enumerate(self.edges[:-1]):
            yield self.ctx.until(edge)
            self.take(month)

    def take(self, month: int) -> None:
        """Read the integrals now into row `month`."""
        cluster = self.ctx.cluster
        times, pools = cluster.chip_time(), cluster.pool_time()
        for name in self.COLUMNS:
            self.sites[name][month] = times[name]
        self.kinds[month] = times["allocated"][:, list(self.USED_KINDS)]
        by_pool = pools.reshape(len(self.ctx.places()), -1)
        for w, name in enumerate(self.WORK):
            self.work[month, :, :, w] = by_pool[name][:, list(self.USED_KINDS)]
        if month % FRAGMENTATION_MONTHS == 0:
            self.fragmented[month] = fragmented_share(cluster.fragmentation())
        else:
            self.fragmented[month] = self.fragmented[month - 1]

    def monthly(self, name: str) -> NDArray[np.int64]:
        """Chip-ms in each month, shape (months, places)."""
        return np.diff(self.sites[name], axis=0)


def fragmented_share(pools: list[dict[str, int]]) -> float:
    """Share of the free chips that queued jobs want and cannot use: too few or scattered."""
    stuck = sum(reasons["too_few"] + reasons["scattered"] for reasons in pools)
    free = stuck + sum(reasons["no_demand"] + reasons["reserved"] for reasons in pools)
    return stuck / free if free else 0.0

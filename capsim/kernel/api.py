"""The cluster as the engine sees it: time advances, capacity comes and goes, jobs are submitted, facts are read.

Nothing here is done per job in Python. The semantics of every operation are in ``docs/scheduling.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from capsim.kernel.layout import Classes, Layout, Services


class Code(IntEnum):
    """Why ``advance`` returned."""

    REACHED = 0
    FINISHED = 1
    INVARIANT = 2


class Status(NamedTuple):
    """What ``advance`` returns: the code, the watched job that terminated (else -1), the instant reached."""

    code: Code
    job: int
    now: int


@dataclass(frozen=True)
class Policy:
    """How the queue is served.

    ``order``: "fcfs", "sjf", "priority" (then fcfs) or a registered order (see ``capsim.policies``).
    ``backfill``: "none" or "easy". ``placement``: "best-fit", "first-fit", "spread", "pack-tenant" or a
    registered placement. ``overrun``: what becomes of a job at its requested time: "end" or "run on".
    """

    order: str | Callable[..., Any] = "fcfs"
    backfill: str = "easy"
    preemption: bool = False
    placement: str | Callable[..., Any] = "best-fit"
    overrun: str = "end"


class Cluster:
    """One simulated cluster of several pools: jobs, services, failures, exact accounts."""

    def __init__(
        self,
        layout: Layout,
        jobs: np.ndarray,
        classes: Classes,
        services: Services | None = None,
        *,
        policy: Policy = Policy(),
        max_extra_jobs: int = 4096,
    ) -> None:
        """``jobs``: JOB array sorted by submission (LayoutError if not). All failure seeds are the tranches'."""
        raise NotImplementedError

    @property
    def now(self) -> int:
        """The present instant, ms."""
        raise NotImplementedError

    def advance(self, until: int) -> Status:
        """Run all instants before ``until``, and the terminations (phase 1) of ``until``."""
        raise NotImplementedError

    def activate(self, tranche: int, domains: int | None = None) -> int:
        """The next ``domains`` domains of a tranche arrive (None: all that are left); returns how many."""
        raise NotImplementedError

    def retire(self, tranche: int, domains: int | None = None, *, at: int | None = None, kill: bool = False) -> int:
        """The last ``domains`` active domains of a tranche take no new work and leave when they are free.

        ``kill``: their jobs are stopped and requeued now. ``at``: the same at that instant. Returns how many.
        """
        raise NotImplementedError

    def drain(self, site: int, *, grace: int | None = None) -> None:
        """Nothing new starts at the site; with ``grace`` its jobs are checkpointed and requeued after so many ms."""
        raise NotImplementedError

    def undrain(self, site: int) -> None:
        """The site takes work again."""
        raise NotImplementedError

    def site_down(self, site: int) -> None:
        """Outage: gangs there fail and requeue, replicas there are lost, free chips are out."""
        raise NotImplementedError

    def site_up(self, site: int) -> None:
        """The outage is over."""
        raise NotImplementedError

    def submit(self, row: np.ndarray | np.void, *, watched: bool = True) -> int:
        """Submit one JOB row at the present instant; returns the job's index."""
        raise NotImplementedError

    def cancel(self, job: int) -> None:
        """Take a job out of the queue, or stop it."""
        raise NotImplementedError

    def resize(self, service: int, pool: int, replicas: int) -> None:
        """Set the wanted replicas; surplus replicas leave now, missing ones come with the next passes."""
        raise NotImplementedError

    def resize_all(self, wanted: np.ndarray) -> None:
        """``resize`` for all: int array [service, pool]."""
        raise NotImplementedError

    def set_speed(self, cls: int, pool: int, speed: float) -> None:
        """Change a class's speed in a pool; running jobs keep theirs until they restart."""
        raise NotImplementedError

    def set_cost(self, cls: int, pool: int, cost: float) -> None:
        """Change the marginal cost that the assignment "cheapest" compares."""
        raise NotImplementedError

    def counters(self) -> dict[str, int]:
        """The COUNTERS row as a dict."""
        raise NotImplementedError

    def chip_time(self) -> np.ndarray:
        """Per site, chip-ms up to now: active, out, barred, broken, free, spare, allocated[N_KINDS]."""
        raise NotImplementedError

    def pool_time(self) -> np.ndarray:
        """Per (pool, kind), chip-ms up to now: useful, redone, overhead, in_flight."""
        raise NotImplementedError

    def chips(self) -> np.ndarray:
        """Per site, chips now: the same columns as ``chip_time``."""
        raise NotImplementedError

    def service_time(self) -> np.ndarray:
        """Replica-ms held up to now, int64 [service, pool]."""
        raise NotImplementedError

    def replicas(self) -> np.ndarray:
        """Replicas held now, int64 [service, pool]."""
        raise NotImplementedError

    def fragmentation(self) -> dict[str, int]:
        """Chips now that no queued job can use, by reason; see docs/scheduling.md."""
        raise NotImplementedError

    def check(self) -> list[str]:
        """Broken invariants (empty when all is well): every index and account recomputed from the pieces."""
        raise NotImplementedError

    @property
    def jobs(self) -> np.ndarray:
        """The JOB rows, those submitted later included (a view)."""
        raise NotImplementedError

    @property
    def runs(self) -> np.ndarray:
        """The RUN rows (a view): start, end, state, pool, chips, blocks, waited, lost, restarts, ..."""
        raise NotImplementedError

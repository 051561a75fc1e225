"""What happens to a replay from outside while it runs: maintenance, and jobs submitted after others ended."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

import numpy as np

from capsim.kernel.api import Cluster
from capsim.spec.governance import Drain
from capsim.workload.traces.model import Ints
from capsim.workload.traces.terms import Waits

Action = Callable[[], None]


class Agenda:
    """Actions at instants, ms; those of one instant in the order in which they were added."""

    def __init__(self) -> None:
        self._due: list[tuple[int, int, Action]] = []
        self._number = count()

    def add(self, at: int, action: Action) -> None:
        """Do something at an instant that is not past."""
        heapq.heappush(self._due, (at, next(self._number), action))

    def next(self, otherwise: int) -> int:
        """The first instant at which something is to be done, or one that comes before it."""
        return min(self._due[0][0], otherwise) if self._due else otherwise

    def act(self, now: int) -> None:
        """Do all that is due."""
        while self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)[2]()


def add_drain(agenda: Agenda, cluster: Cluster, sites: int, drain: Drain, zero: int) -> None:
    """Nothing starts on the whole machine from the drain's instant until it is over.

    ``zero``: where the kernel's clock begins, ms after the first submission.
    """
    grace = None if drain.grace is None else int(drain.grace)

    def begin() -> None:
        for site in range(sites):
            cluster.drain(site, grace=grace)

    def end() -> None:
        for site in range(sites):
            cluster.undrain(site)

    start, over = int(drain.at) - zero, int(drain.at) + int(drain.lasts) - zero
    if over > 0:
        agenda.add(max(start, 0), begin)
        agenda.add(over, end)


class Feedback:
    """Jobs that are submitted their think time after the end of another, as SWF fields 17 and 18 say.

    A user thinks before the next job, so a slower machine gets its jobs later. A job whose think time is
    unknown is submitted at its own instant, or at the other's end where that is later.
    """

    def __init__(self, rows: np.ndarray, waits: Waits) -> None:
        """``rows``: JOB rows of all jobs; ``waits``: one pair a job that waits."""
        self.rows = rows
        late = np.zeros(len(rows), dtype=np.bool_)
        late[waits.job] = True
        rows["watched"][waits.on] = 1
        self.listed = np.flatnonzero(~late)
        self.late = int(late.sum())
        self.job_of: list[int] = self.listed.tolist()  # by the kernel's index
        self._next: dict[int, list[tuple[int, int]]] = {}
        for job, on, think in zip(waits.job.tolist(), waits.on.tolist(), waits.think.tolist(), strict=True):
            self._next.setdefault(on, []).append((job, think))

    def ended(self, index: int, now: int, agenda: Agenda, cluster: Cluster) -> None:
        """A watched job of the kernel terminated: put what waits for it on the agenda."""
        for job, think in self._next[self.job_of[index]]:
            at = now + think if think >= 0 else max(now, int(self.rows["submit"][job]))
            agenda.add(at, lambda job=job: self._submit(job, cluster))  # type: ignore[misc]

    def _submit(self, job: int, cluster: Cluster) -> None:
        cluster.submit(self.rows[job], watched=bool(self.rows["watched"][job]))
        self.job_of.append(job)

    def order(self) -> Ints:
        """Where each job is in the kernel, by its index."""
        place = np.empty(len(self.job_of), dtype=np.int64)
        place[np.array(self.job_of)] = np.arange(len(self.job_of))
        return place

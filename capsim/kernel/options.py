"""What a job may say at its submission beyond its row: dependencies, its array, a deadline, its fate.

As sbatch's --dependency, --array and --deadline; fate and retries are a trace's record of how it ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from capsim.kernel import rule_tables
from capsim.kernel.layout import LayoutError
from capsim.tables import CANCELLED, DONE, FAILED_JOB

KINDS = ("afterok", "afterany")
"""A job is eligible when the other has completed, or has ended in whatever way."""


@dataclass(frozen=True)
class JobOptions:
    """Options of the listed jobs, by their index in the job table (None: no job has any).

    ``after``: (job, earlier job, "afterok" or "afterany"). ``array``: of each job its array, -1 none;
    ``array_limits``: of each array the most tasks in the queue or running. ``deadline``: of each job an
    instant, ms, for the order edf, -1 none. ``fate``: DONE, FAILED_JOB or CANCELLED of each job's last
    attempt; ``retries``: attempts before it that fail at their end.
    """

    after: Sequence[tuple[int, int, str]] = ()
    array: np.ndarray | Sequence[int] | None = None
    array_limits: Sequence[int] = ()
    deadline: np.ndarray | Sequence[int] | None = None
    fate: np.ndarray | Sequence[int] | None = None
    retries: np.ndarray | Sequence[int] | None = None

    @property
    def ruled(self) -> bool:
        """Whether the kernel needs its rules for them (a deadline only gives a key)."""
        return bool(self.after) or any(a is not None for a in (self.array, self.fate, self.retries))

    def deadlines(self, jobs: int) -> np.ndarray | None:
        """Deadlines of the jobs, ms, or None."""
        return None if self.deadline is None else np.asarray(self.deadline, np.int64)[:jobs]

    def check(self, jobs: int) -> None:
        """Raise LayoutError for options that the jobs cannot have."""
        for name in ("array", "deadline", "fate", "retries"):
            column = getattr(self, name)
            if column is not None and len(column) != jobs:
                raise LayoutError(f"{name} needs one entry for each of the {jobs} jobs, not {len(column)}")
        for job, on, kind in self.after:
            if kind not in KINDS:
                raise LayoutError(f"dependency {kind!r} of job {job} is unknown: use {' or '.join(KINDS)}")
            if not 0 <= on < job < jobs:
                raise LayoutError(f"job {job} cannot wait for job {on}: name one that is submitted earlier")
        if any(limit < 1 for limit in self.array_limits):
            raise LayoutError("the limit of an array must be at least 1")
        if (
            self.array is not None
            and jobs
            and not -1 <= min(self.array) <= max(self.array) < len(self.array_limits)
        ):
            raise LayoutError(f"every task needs one of the {len(self.array_limits)} arrays, or -1")
        if self.fate is not None and not np.isin(self.fate, (DONE, FAILED_JOB, CANCELLED)).all():
            raise LayoutError("a fate is DONE, FAILED_JOB or CANCELLED")
        if self.retries is not None and np.any(np.asarray(self.retries) < 0):
            raise LayoutError("retries must not be negative")

    def fill(self, standings: np.ndarray, jobs: int) -> dict[str, Any]:
        """Fill in the jobs' rows; returns the arrays of dependencies and of job arrays."""
        out: dict[str, Any] = {}
        if self.after:
            rows = np.array(sorted((on, job, KINDS.index(kind)) for job, on, kind in self.after), np.int64)
            followers = np.zeros(len(rows), rule_tables.FOLLOWER)
            followers["job"], followers["any"] = rows[:, 1], rows[:, 2]
            standings["needs"][:jobs] = np.bincount(rows[:, 1], minlength=jobs)
            counts = np.bincount(rows[:, 0], minlength=jobs)
            standings["n_followers"][:jobs] = counts
            standings["followers_at"][:jobs] = np.cumsum(counts) - counts
            out["followers"] = followers
        if self.array is not None and len(self.array_limits):
            of = np.asarray(self.array, np.int64)
            standings["array"][:jobs] = of + 1
            arrays = np.zeros(len(self.array_limits), rule_tables.JOB_ARRAY)
            counts = np.bincount(of[of >= 0], minlength=len(arrays))
            arrays["limit"], arrays["end"] = self.array_limits, np.cumsum(counts)
            arrays["first"] = arrays["next"] = arrays["end"] - counts
            tasks = np.flatnonzero(of >= 0)
            out["job_arrays"] = arrays
            out["array_tasks"] = np.append(tasks[np.argsort(of[tasks], kind="stable")], 0).astype(np.int32)
        if self.fate is not None:
            fate = np.asarray(self.fate, np.int64)
            standings["fate"][:jobs] = np.where(fate == DONE, 0, fate)
        if self.retries is not None:
            standings["retries"][:jobs] = self.retries
        return out

"""A small job trace that keeps a machine busy for ten days."""

from __future__ import annotations

import numpy as np

from capsim.workload.traces.model import JobTrace, RawJobs, clean

HOUR = 3600.0


def busy_trace(jobs: int = 600, chips: int = 16) -> JobTrace:
    """Some ten days of jobs of 1 .. 16 chips whose requested times are twice their run times."""
    rng = np.random.default_rng(5)
    size = 2 ** rng.integers(0, 5, jobs)
    run = rng.exponential(HOUR, jobs) + 60
    raw = RawJobs(
        job=np.arange(1, jobs + 1),
        submit=np.sort(rng.uniform(0, 10 * 24 * HOUR, jobs)),
        run=run,
        size=size,
        allocated=size,
        requested=2 * run,
        tenant=rng.integers(0, 3, jobs).astype(np.int32),
        tenants=("a", "b", "c"),
    )
    return clean(raw, source="busy", format="jobs", chips=chips)

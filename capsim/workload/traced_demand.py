"""Research campaigns that follow a job trace: scaled in time, count and chips, again and again."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from capsim.randomness import generator
from capsim.spec.demand import TracedResearch
from capsim.workload.demand import MS_DAY, MS_HOUR
from capsim.workload.traces import JobTrace, read_jobs

WEEK = 7 * MS_DAY
# Copies of a job beyond the first are submitted up to this much later, not all at once (assumed).
SPREAD = MS_HOUR


@lru_cache(maxsize=4)
def jobs_of(path: str, sha256: str | None) -> JobTrace:
    """The cleaned jobs of a trace file; read once a process and content.

    Raises InputError, with line numbers, for a file that is no job trace.
    """
    return read_jobs(Path(path))


def period_ms(trace: JobTrace, stretch: float) -> int:
    """After how long a trace starts again: whole days, whole weeks where it is longer than one."""
    span = int((int(trace.submit[-1]) - int(trace.submit[0])) * stretch) + 1
    unit = WEEK if span > WEEK else MS_DAY
    return -(-span // unit) * unit


def copies_wanted(spec: TracedResearch, trace: JobTrace, end: int, scale: float) -> float:
    """Expected campaigns over a horizon of ``end`` ms with demand at ``scale``."""
    times = -(-end // period_ms(trace, float(spec.scale.time))) if spec.repeat else 1
    return len(trace) * times * float(spec.scale.count) * scale


def traced_campaigns(
    spec: TracedResearch,
    hours: int,
    scale: float,
    factor: NDArray[np.float64],
    key: tuple[str | int, ...],
) -> dict[str, NDArray[np.int64]]:
    """The campaigns of one world, as `capsim.workload.demand.research_campaigns` returns them.

    The first submission of the trace is the start of the horizon. A job becomes count x scale x factor
    campaigns, rounded up with the probability of the rest, so with all three at 1 every world has the same
    jobs. Run times and estimates are those of the trace, at the speed of a reference chip; every fate of the
    trace ran for as long as it says and counts as completed.
    """
    trace = jobs_of(spec.path, spec.sha256)
    rng = generator(*key, "trace")
    stretch, end = float(spec.scale.time), hours * MS_HOUR
    base = ((trace.submit - trace.submit[0]) * stretch).astype(np.int64)
    period = period_ms(trace, stretch)
    rounds = -(-end // period) if spec.repeat else 1
    jobs, submits = [], []
    for number in range(rounds):
        at = base + number * period
        here = np.flatnonzero(at < end)
        wanted = float(spec.scale.count) * scale * factor[at[here] // MS_HOUR]
        copies = np.floor(wanted + rng.random(len(here))).astype(np.int64)
        job = np.repeat(here, copies)
        first = np.cumsum(copies) - copies
        later = np.arange(len(job)) - np.repeat(first, copies) > 0
        jobs.append(job)
        submits.append(at[job] + (rng.random(len(job)) * SPREAD * later).astype(np.int64))
    job, submit = np.concatenate(jobs), np.concatenate(submits)
    order = np.argsort(submit, kind="stable")
    order = order[submit[order] < end]
    job, submit = job[order], submit[order]
    chips = np.maximum(np.ceil(trace.size[job] * float(spec.scale.chips) - 1e-9), 1).astype(np.int64)
    return {
        "submit": submit,
        "chips": chips,
        "run": trace.run[job],
        "requested": trace.requested[job],
        "tenant": trace.tenant[job].astype(np.int64),
        "fate": np.zeros(len(job), dtype=np.int64),
    }


def offered_chips(spec: TracedResearch, edges: NDArray[np.int64], scale: float) -> NDArray[np.float64]:
    """Mean reference chips that the campaigns submitted in each span between ``edges`` (ms) ask for,
    shape (len(edges) - 1,)."""
    hours = int(edges[-1]) // MS_HOUR
    found = traced_campaigns(spec, hours, scale, np.ones(hours), ("offered",))
    work = found["chips"].astype(np.float64) * found["run"]
    inside, _ = np.histogram(found["submit"], bins=edges, weights=work)
    return np.asarray(inside / np.diff(edges), dtype=np.float64)

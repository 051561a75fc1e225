"""Figures of each tenant of a schedule: what it got, how long it waited, against its share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from capsim.engine.schedule_figures import Outcomes, steps
from capsim.workload.traces.model import Floats, Ints


def by_tenant(
    outcomes: Outcomes, start: Ints, names: Sequence[str], shares: Mapping[str, float], stopped: bool
) -> list[dict[str, Any]]:
    """One row for each tenant that has jobs, the one with the most chip-time first.

    ``chip_time_share``: its part of all chip-time. ``share``: its weight over those of all tenants with jobs.
    ``held_while_waiting``: mean part of the machine that its jobs held while at least one of its jobs waited,
    None where it never waited, or where jobs were stopped in between (``stopped``): then starts and ends do
    not say. ``served``: the x of Jain's index, chip-time over chip-time from submission to end.
    """
    tenants, place = np.unique(outcomes.tenant, return_inverse=True)
    weights = np.array([shares.get(names[tenant], 1.0) for tenant in tenants.tolist()])
    total = float(outcomes.work.sum())
    order = np.argsort(place, kind="stable")
    groups = np.split(order, np.cumsum(np.bincount(place))[:-1])
    rows = []
    for tenant, weight, jobs in zip(tenants.tolist(), weights.tolist(), groups, strict=True):
        waits = outcomes.wait[jobs] / 1000
        work = float(outcomes.work[jobs].sum())
        present = float(np.dot(outcomes.size[jobs].astype(np.float64), outcomes.completion[jobs]))
        rows.append(
            {
                "tenant": names[tenant],
                "jobs": len(jobs),
                "share": weight / float(weights.sum()),
                "chip_time_share": work / total,
                "held_while_waiting": None if stopped else held_while_waiting(outcomes, start, jobs),
                "wait_mean_s": float(waits.mean()),
                "wait_p95_s": float(np.percentile(waits, 95)),
                "bounded_slowdown_mean": float(outcomes.slowdown[jobs].mean()),
                "served": work / present,
            }
        )
    return sorted(rows, key=lambda row: -float(row["chip_time_share"]))


def held_while_waiting(outcomes: Outcomes, start: Ints, jobs: Ints) -> float | None:
    """Mean part of the machine that some jobs held while at least one of them waited; None: none ever did."""
    sizes: Floats = outcomes.size[jobs].astype(np.float64)
    none = np.zeros(len(jobs))
    times = np.concatenate([outcomes.submit[jobs], start[jobs], outcomes.end[jobs]])
    instants, held = steps(times, np.concatenate([none, sizes, -sizes]))
    _, waiting = steps(times, np.concatenate([none + 1.0, none - 1.0, none]))
    spans = np.where(waiting[:-1] > 0.5, np.diff(instants), 0).astype(np.float64)
    whole = float(spans.sum()) * outcomes.chips
    return float(np.dot(held[:-1], spans)) / whole if whole > 0 else None

"""Figures of a schedule from arrays with one entry a job: waiting, slowdown, fairness, use of the machine.

Definitions and sources are in docs/traces.md. Times are int64 ms on one clock, sizes chips, work chip-ms.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from capsim.workload.traces.model import Floats, Ints

SLOWDOWN_FLOOR_MS = 10_000
"""Bounded slowdown takes jobs under 10 s for 10 s long (Feitelson & Rudolph 1998)."""

QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True)
class Outcomes:
    """What became of jobs in order of submission; every array has one entry a job.

    ``run`` is the time that the job takes undisturbed at full speed, ``wait`` all its time in the queue,
    ``tenant`` an index, ``chips`` the machine's size.
    """

    submit: Ints
    size: Ints
    run: Ints
    wait: Ints
    end: Ints
    tenant: Ints
    chips: int

    @cached_property
    def completion(self) -> Ints:
        """Job completion time (JCT): end − submission, ms."""
        return self.end - self.submit

    @cached_property
    def slowdown(self) -> Floats:
        """Bounded slowdown: max(1, JCT / max(run, 10 s))."""
        return np.maximum(self.completion / np.maximum(self.run, SLOWDOWN_FLOOR_MS), 1.0)

    @cached_property
    def work(self) -> Floats:
        """Chip-ms of each job: size × run."""
        return self.size.astype(np.float64) * self.run

    @cached_property
    def makespan(self) -> int:
        """First submission to last end, ms."""
        return int(self.end.max() - self.submit.min())

    @cached_property
    def finish_time_fairness(self) -> Floats:
        """Themis' ρ of each job: JCT over the time that it takes alone on its share of the machine.

        The share is chips / N, N the mean number of jobs in the system while the job is in it; a gang that
        is larger than its share runs slower in proportion. ρ ≤ 1: no worse than with a share of its own
        (Mahajan et al., NSDI 2020).
        """
        alone = self.run * np.maximum(1.0, self.size * self.contention() / self.chips)
        return self.completion / alone

    def contention(self) -> Floats:
        """Mean number of jobs in the system, itself included, while each job is in it."""
        times, in_system = steps(
            np.concatenate([self.submit, self.end]), np.repeat([1.0, -1.0], len(self.submit))
        )
        area = np.concatenate([[0.0], np.cumsum(in_system[:-1] * np.diff(times))])
        begun, ended = (area[np.searchsorted(times, t)] for t in (self.submit, self.end))
        return np.asarray((ended - begun) / self.completion)

    def measures(self) -> dict[str, Floats]:
        """The figures that every job has one of: seconds, or ratios without a unit."""
        return {
            "completion_s": self.completion / 1000,
            "wait_s": self.wait / 1000,
            "bounded_slowdown": self.slowdown,
            "finish_time_fairness": self.finish_time_fairness,
        }


def steps(times: Ints, changes: Floats) -> tuple[Ints, Floats]:
    """Distinct instants in order, and the sum of all changes up to and including each."""
    instants, place = np.unique(times, return_inverse=True)
    return instants, np.cumsum(np.bincount(place, weights=changes, minlength=len(instants)))


def idle_while_wanted(outcomes: Outcomes, start: Ints) -> float:
    """Share of the machine's chip-time, over the makespan, that was free while at least one job waited.

    For schedules in which a job that started runs to its end; ``start`` in ms, one a job.
    """
    jobs = len(start)
    times = np.concatenate([outcomes.submit, start, outcomes.end])
    sizes = outcomes.size.astype(np.float64)
    instants, busy = steps(times, np.concatenate([np.zeros(jobs), sizes, -sizes]))
    _, waiting = steps(times, np.repeat([1.0, -1.0, 0.0], jobs))
    wanted = (outcomes.chips - busy[:-1]) * (waiting[:-1] > 0.5)
    return float(np.dot(wanted, np.diff(instants)) / (float(outcomes.chips) * outcomes.makespan))


def jain(outcomes: Outcomes) -> float:
    """Jain's index (Σx)² / (n Σx²) over tenants, x = chip-time served per chip-time from submission to end.

    x is 1 for a tenant that never waits, and ½ for one whose jobs take twice as long as undisturbed; the
    index is 1 if all tenants fare alike, 1/n if one gets everything (Jain, Chiu & Hawe 1984).
    """
    served = np.bincount(outcomes.tenant, weights=outcomes.work)
    present = np.bincount(outcomes.tenant, weights=outcomes.size.astype(np.float64) * outcomes.completion)
    rate = served[present > 0] / present[present > 0]
    return float(rate.sum() ** 2 / (len(rate) * np.dot(rate, rate)))


def weighted_quantile(values: Floats, weights: Floats, share: float) -> float:
    """The least value at which the jobs up to it hold at least ``share`` of the weight."""
    order = np.argsort(values, kind="stable")
    held = np.cumsum(weights[order])
    return float(values[order[min(int(np.searchsorted(held, share * held[-1])), len(values) - 1)]])


def spread(values: Floats, work: Floats) -> dict[str, Any]:
    """Mean, quantiles and greatest value over jobs, and ``by_chip_time`` with jobs weighted by their work.

    Quantiles over jobs interpolate linearly; those by chip-time are the least value that enough of it
    does not exceed.
    """
    by_jobs = np.percentile(values, [100 * q for q in QUANTILES.values()])
    return {
        "mean": float(values.mean()),
        **{name: float(value) for name, value in zip(QUANTILES, by_jobs, strict=True)},
        "max": float(values.max()),
        "by_chip_time": {
            "mean": float(np.average(values, weights=work)),
            **{name: weighted_quantile(values, work, q) for name, q in QUANTILES.items()},
        },
    }


def schedule_figures(outcomes: Outcomes) -> dict[str, Any]:
    """All figures that need nothing but the outcomes: see ``spread``; utilisation and shares of 1.

    Utilisation is work ÷ (chips × makespan).
    """
    measures = outcomes.measures()
    figures: dict[str, Any] = {
        name: spread(np.asarray(values, dtype=np.float64), outcomes.work) for name, values in measures.items()
    }
    figures["finish_time_fairness"]["share_above_1"] = float(
        (measures["finish_time_fairness"] > 1 + 1e-9).mean()
    )
    figures |= {
        "utilisation": float(outcomes.work.sum()) / (float(outcomes.chips) * outcomes.makespan),
        "makespan_s": outcomes.makespan / 1000,
        "jain_tenants": jain(outcomes),
        "tenants": len(np.unique(outcomes.tenant)),
    }
    return figures


def size_classes(size: Ints, most: int = 8) -> tuple[Ints, list[str]]:
    """Each job's class by size, and the classes' names: ranges of powers of two, at most ``most`` of them."""
    power = np.floor(np.log2(size)).astype(np.int64)
    step = -(-(int(power.max()) + 1) // most)
    place = power // step
    names = []
    for k in range(int(place.max()) + 1):
        low, high = 2 ** (k * step), 2 ** ((k + 1) * step) - 1
        names.append(f"{low:,}" if low == high else f"{low:,}–{high:,}")
    return place, names


def wait_by_size(outcomes: Outcomes) -> list[dict[str, Any]]:
    """Mean and 95th percentile of the wait (s) and number of jobs of each class of sizes that has jobs."""
    place, names = size_classes(outcomes.size)
    rows = []
    for k, name in enumerate(names):
        waits = outcomes.wait[place == k] / 1000
        if len(waits):
            rows.append(
                {
                    "size": name,
                    "jobs": len(waits),
                    "mean": float(waits.mean()),
                    "p95": float(np.percentile(waits, 95)),
                }
            )
    return rows

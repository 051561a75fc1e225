"""Several policies on one trace, side by side: figures, intervals over days, differences to the first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from capsim.engine.replay import Schedule, measure
from capsim.engine.schedule_figures import QUANTILES
from capsim.study.day_bootstrap import Days, Interval, draw_days, mean_draws, middle, quantile_draws
from capsim.workload.traces.model import Floats

SCHEMA = "capsim.replay/1"


def compare_schedules(schedules: Sequence[Schedule], seed: int = 0) -> dict[str, Any]:
    """The figures of each schedule (see ``measure``) with ``interval``s where there are days enough.

    All schedules are of one trace, by different policies. Each figure that every job has one of gets, by
    jobs and by chip-time, 95 % intervals of its mean and quantiles, and ``vs_first``: its mean less that of
    the first policy, with ``low`` and ``high``, where both scheduled the same jobs.
    """
    first = schedules[0]
    days = draw_days(first.trace.submit[first.index], seed)
    rows = [measure(schedule) for schedule in schedules]
    if days is not None:
        base: dict[str, Floats] = {}
        for schedule, row in zip(schedules, rows, strict=True):
            own = days if np.array_equal(schedule.index, first.index) else None
            if own is not None:
                _add_intervals(schedule, row, own, base)
    return {
        "schema": SCHEMA,
        "seed": seed,
        "days": days.days if days else None,
        "block_days": days.block if days else None,
        "policies": rows,
    }


def _add_intervals(schedule: Schedule, row: dict[str, Any], days: Days, base: dict[str, Floats]) -> None:
    """Put intervals beside the figures; ``base`` keeps the first policy's draws and means."""
    outcomes = schedule.outcomes
    for name, values in outcomes.measures().items():
        values = np.asarray(values, dtype=np.float64)
        for weights, place in ((None, row[name]), (outcomes.work, row[name]["by_chip_time"])):
            means = mean_draws(days, values, weights)
            rows = quantile_draws(days, values, tuple(QUANTILES.values()), weights)
            place["interval"] = {"mean": _pair(middle(means))} | {
                q: _pair(middle(draws)) for q, draws in zip(QUANTILES, rows, strict=True)
            }
            key = f"{name} {'jobs' if weights is None else 'chip-time'}"
            if key not in base:
                base[key], base[f"{key} mean"] = means, np.array(place["mean"])
                continue
            difference = _pair(middle(means - base[key]))
            value = float(place["mean"] - base[f"{key} mean"])
            place["vs_first"] = {"value": value, "low": difference[0], "high": difference[1]}


def _pair(interval: Interval) -> list[float]:
    """The interval as JSON."""
    return [interval.low, interval.high]

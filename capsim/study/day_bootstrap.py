"""Intervals of a schedule's figures by resampling days of submissions (circular block bootstrap).

Jobs of one day, and of days that follow each other, wait in the same queues, so whole blocks of consecutive
days are drawn, with replacement, until there are as many days as in the trace (Politis & Romano 1992); a
block has about the cube root of that number of days. The same draws are used for every figure and policy, so
differences between policies are paired.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capsim.randomness import generator
from capsim.workload.traces.model import Floats, Ints

DAY_MS = 86_400_000
DRAWS = 1000
LEAST_DAYS = 5
"""With fewer days there is no interval."""

BINS = 2048
"""Ranks of the values are kept this finely for quantiles, exactly where there are no more jobs than that."""

WEIGHT_UNITS = 2.0**40
"""Weights are whole multiples of their sum over this, so that sums are exact in any order."""


@dataclass(frozen=True)
class Interval:
    """The middle 95 % of the draws."""

    low: float
    high: float


@dataclass(frozen=True)
class Days:
    """The day of each job, 0 .. days − 1, and how often each day is in each draw (``counts`` [draw, day])."""

    day: Ints
    counts: Floats
    block: int

    @property
    def days(self) -> int:
        """Days from the first to the last submission."""
        return int(self.counts.shape[1])


def draw_days(submit: Ints, seed: int, draws: int = DRAWS) -> Days | None:
    """Draws of blocks of days; ``submit`` in ms, sorted. None with fewer than LEAST_DAYS days."""
    if len(submit) == 0:
        return None
    day = (submit - submit[0]) // DAY_MS
    days = int(day[-1]) + 1
    if days < LEAST_DAYS:
        return None
    block = max(1, round(days ** (1 / 3)))
    begins = generator("day bootstrap", seed).integers(0, days, size=(draws, -(-days // block)))
    picked = (begins[:, :, None] + np.arange(block)) % days
    flat = picked.reshape(draws, -1)[:, :days] + days * np.arange(draws)[:, None]
    counts = np.bincount(flat.ravel(), minlength=draws * days).reshape(draws, days)
    return Days(day, counts.astype(np.float64), block)


def middle(values: Floats) -> Interval:
    """The 2.5 and 97.5 % quantiles of the draws; nan draws (without any job) are left out."""
    low, high = np.nanpercentile(values, (2.5, 97.5))
    return Interval(float(low), float(high))


def whole_weights(weights: Floats | None, jobs: int) -> Floats:
    """Weights as whole numbers whose sums are exact; 1 for each job without weights."""
    if weights is None:
        return np.ones(jobs)
    return np.asarray(np.rint(weights * (WEIGHT_UNITS / weights.sum())))


def mean_draws(days: Days, values: Floats, weights: Floats | None = None) -> Floats:
    """The (weighted) mean of each draw."""
    whole = whole_weights(weights, len(values))
    total = np.bincount(days.day, weights=whole, minlength=days.days)
    sums = np.bincount(days.day, weights=whole * values, minlength=days.days)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.einsum("ij,j->i", days.counts, sums) / (days.counts @ total))


def quantile_draws(
    days: Days, values: Floats, shares: tuple[float, ...], weights: Floats | None = None
) -> Floats:
    """The (weighted) quantiles of each draw, [share, draw]: the least value that holds enough weight."""
    order = np.argsort(values, kind="stable")
    bins = min(BINS, len(values))
    place = np.arange(len(values)) * bins // len(values)
    ends = np.flatnonzero(np.diff(place, append=bins))
    whole = whole_weights(weights, len(values))[order]
    table = np.bincount(days.day[order] * bins + place, weights=whole, minlength=days.days * bins).reshape(
        days.days, bins
    )
    held = np.cumsum(days.counts @ table, axis=1)
    highest = values[order][ends]
    rows = np.empty((len(shares), len(held)))
    for k, share in enumerate(shares):
        reached = np.argmax(held >= share * held[:, -1:], axis=1)
        rows[k] = np.where(held[:, -1] > 0, highest[reached], np.nan)
    return rows
